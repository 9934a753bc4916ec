"""Write `dojo/fake_cupy/names.txt`: the names and parameters of the CuPy that this Python has.

    python dojo/authors/cupy_names.py > names.txt && mv names.txt dojo/fake_cupy/names.txt

CuPy must be installed; a GPU is not needed, and nothing of the repository is. A line is a name, and after it
(parameters) of what is called; for a ufunc ": methods | loops". Sources: signatures, and for what is compiled
the first line of the docstring.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

MODULES = ["cupy", "cupy.linalg", "cupy.fft", "cupy.random", "cupy.cuda", "cupyx", "cupyx.scipy.special"]
CLASSES = ["cupy.ndarray", "cupy.ufunc", "cupy.random.Generator"]
METHODS = ["reduce", "accumulate", "reduceat", "at"]


def lines() -> Iterator[str]:
    """One line for each public name, in order."""
    for name in MODULES:
        module = importlib.import_module(name)
        for each in sorted(set(dir(module))):
            value = getattr(module, each)
            if each[0] != "_" and each != "annotations" and not inspect.ismodule(value):
                yield f"{name}.{each}{described(value)}"
    for name in CLASSES:
        home, _, kind = name.rpartition(".")
        type_ = getattr(importlib.import_module(home), kind)
        for each in sorted(each for each in dir(type_) if each[0] != "_"):
            value = getattr(type_, each)
            yield f"{name}.{each}{described(value) if callable(value) else ''}"


def described(value: Any) -> str:
    """What follows a name: a ufunc's methods and loops, a function's parameters, nothing for all else."""
    if type(value).__name__ == "ufunc":
        return ": " + " ".join([*(each for each in METHODS if is_there(value, each)), "|", *value.types])
    if isinstance(value, type) or not callable(value):
        return ""
    return f"({', '.join(parameters(value))})"


def is_there(ufunc: Any, method: str) -> bool:
    """Whether the method of the ufunc is written. Those that are not say so before they look at the array."""
    try:
        getattr(ufunc, method)(Anything(), 0)
    except NotImplementedError:
        return False
    return True


class Anything:
    """An array of which any method can be called. None does anything."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def parameters(function: Any) -> Iterator[str]:
    """The parameters as Python writes them, without types. A default that is no literal becomes None."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except ValueError:  # a compiled one: name(Type a, int axis=-1, *rest)
        yield from compiled((function.__doc__ or "").partition("\n")[0])
        return
    for number, each in enumerate(found):
        if each.kind is each.KEYWORD_ONLY and all(
            before.kind not in (each.KEYWORD_ONLY, each.VAR_POSITIONAL) for before in found[:number]
        ):
            yield "*"
        stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
        yield stars + each.name + ("" if each.default is each.empty else f"={literal(repr(each.default))}")
        last = number + 1 == len(found) or found[number + 1].kind is not each.POSITIONAL_ONLY
        if each.kind is each.POSITIONAL_ONLY and last:
            yield "/"


def compiled(line: str) -> Iterator[str]:
    match = re.search(r"\((.*)\)", line)
    if match is None:
        raise ValueError(f"no parameters in {line!r}")
    for each in filter(None, re.split(r",\s*", match[1])):
        name, _, default = each.strip().partition("=")
        yield name.split()[-1] + (f"={literal(default)}" if default else "")


def literal(default: str) -> str:
    try:
        return repr(ast.literal_eval(default))
    except (ValueError, SyntaxError):
        return "None"


def main() -> None:
    import cupy

    sys.stdout.write(
        f"# CuPy {cupy.__version__}, written by dojo/authors/cupy_names.py. Not to be edited by hand.\n"
    )
    sys.stdout.write("".join(f"{line}\n" for line in lines()))


if __name__ == "__main__":
    main()
