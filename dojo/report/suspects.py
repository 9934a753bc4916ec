"""Where to look: the student's functions that a spec calls, and where a forgotten name comes from."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

from dojo.catalogue import Kata
from dojo.run.results import Spec
from dojo.tree.overlay import shown
from dojo.tree.source import given_lines, is_of_kata, is_student


def is_given(filename: str, line: int | None) -> bool:
    """Whether a line stands in a function or class that carries `# given`: the student did not write it."""
    return line is not None and any(
        line in lines for lines in given_lines("".join(linecache.getlines(filename)))
    )


def suspects(spec: Spec) -> list[str]:
    """The functions of the kata that the spec calls, as `place (name)`: those named in its own name come first.

    What the spec's helpers call, functions in the same file, counts as well.
    A method that NumPy's arrays have too, such as `a.reshape`, is probably NumPy's: it counts if nothing else is found.
    """
    if spec.function is None:
        return []
    if given := [place for each in spec.functions if (place := _defined(each, spec.kata)) is not None]:
        return given
    function: Any = inspect.unwrap(spec.function)
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    try:
        nodes = _nodes(function, {function.__name__})
    except (OSError, SyntaxError):
        return []
    import numpy as np  # here, so that what only reads reports starts without it

    words = spec.name.lower().partition("[")[0].split("_")
    found: dict[str, int] = {}
    for node in nodes:
        word = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        for thing in _meant(node, function.__globals__, spec.kata):
            if (place := _defined(thing, spec.kata)) is not None:
                numpys = isinstance(node, ast.Attribute) and hasattr(np.ndarray, word)
                found[place] = min(found.get(place, 2), 0 if word.lower() in words else 2 if numpys else 1)
    best = [place for place in found if found[place] < 2] or list(found)
    return sorted(best, key=lambda place: found[place])[:3]


def _nodes(function: Any, seen: set[str]) -> list[ast.AST]:
    """What stands in a function of a spec file, and then in the functions of that file that it names, each once."""
    nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
    for node in list(nodes):
        if isinstance(node, ast.Name) and node.id not in seen:
            seen.add(node.id)
            helper = function.__globals__.get(node.id)
            if inspect.isfunction(helper) and helper.__module__ == function.__module__:
                nodes += _nodes(helper, seen)
    return nodes


def _meant(node: ast.AST, names: Mapping[str, Any], kata: Kata) -> list[Any]:
    """The objects that a name or an attribute in a spec may mean.

    An attribute of a student's module or class is that one; any other may be one of any class that the spec's file
    names, or, if none of them has it, of any class of the kata. For a class, its `forward` comes first.
    """
    if isinstance(node, ast.Name):
        things = [names.get(node.id)]
    elif not isinstance(node, ast.Attribute):
        return []
    elif isinstance(node.value, ast.Name) and _is_module_or_class(names.get(node.value.id)):
        things = [inspect.getattr_static(names[node.value.id], node.attr, None)]
    else:
        for classes in (names.values(), vars(sys.modules.get(kata.module, ast)).values()):
            things = [
                inspect.getattr_static(each, node.attr, None) for each in classes if _is_student_class(each)
            ]
            if any(thing is not None for thing in things):
                break
    forwards = [getattr(each, "forward", None) for each in things if _is_student_class(each)]
    return forwards + things


def _is_module_or_class(thing: Any) -> bool:
    return inspect.ismodule(thing) or _is_student_class(thing)


def _is_student_class(thing: Any) -> bool:
    return isinstance(thing, type) and thing.__module__.startswith("tinytorch.")


def _defined(thing: Any, kata: Kata) -> str | None:
    """`file:line (name)` of a function or class that the student writes in the kata, or None."""
    if isinstance(thing, property):
        thing = thing.fget
    thing = getattr(thing, "__func__", thing)  # of a static or class method
    thing = inspect.unwrap(thing) if callable(thing) else thing
    if _is_student_class(thing):
        thing = thing.__init__
    code = getattr(thing, "__code__", None)
    if code is None or not is_student(code.co_filename) or not is_of_kata(code.co_filename, kata):
        return None
    line = code.co_firstlineno  # of the first decorator
    while line < code.co_firstlineno + 10:
        text = linecache.getline(code.co_filename, line)
        if text.lstrip().startswith("def "):
            break
        line += 1
    if is_given(code.co_filename, line):
        return None
    return f"{shown(code.co_filename)}:{line} ({code.co_qualname})"


def where_to_import(error: BaseException) -> list[str]:
    """Where to import a name from that the student's module uses and does not import."""
    if not isinstance(error, NameError) or isinstance(error, UnboundLocalError) or not error.name:
        return []
    name = error.name
    if name in ("np", "numpy"):
        return [f"It is not imported: `import numpy{' as np' if name == 'np' else ''}`."]
    if name in sys.stdlib_module_names:
        return [f"It is not imported: `import {name}`."]
    homes = [
        module
        for module, loaded in sorted(sys.modules.items())
        if module.startswith("tinytorch.") and name in vars(loaded)
        if getattr(vars(loaded)[name], "__module__", module) == module
    ]
    return [f"It is not imported: `from {homes[0]} import {name}`."] if homes else []
