"""Find the names that PyTorch users know in the katas. Given.

A *face* is a module that only re-exports, such as tinytorch.nn. It says once in which kata each name is written, in
imports that only a type checker reads:

    if TYPE_CHECKING:
        from tinytorch.activations import relu as relu
        from tinytorch.tensor.public import *

    __getattr__, __dir__ = face(__name__)

A name is looked up when it is used, so a mistake in one kata never stops another: the error comes from the
line that asks for the name, and says which kata could not be imported, and why.
"""

from __future__ import annotations

import ast
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def open_kata(module: str) -> Exception | None:
    """Import a kata. Gives the exception if that fails, or None."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return error
    return None


def face(name: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of module `name` (PEP 562), from its imports under TYPE_CHECKING."""

    @functools.cache
    def homes() -> dict[str, str]:
        guarded = next(node for node in _source(name).body if isinstance(node, ast.If))
        return dict(_imports(guarded))

    def __getattr__(attribute: str) -> Any:
        if attribute not in homes():
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        module = homes()[attribute]
        if (error := open_kata(module)) is not None:
            raise ImportError(
                f"{name}.{attribute} comes from {module}, which cannot be imported: {error}"
            ) from error
        return getattr(sys.modules[module], attribute)

    def __dir__() -> list[str]:
        return sorted(homes())

    return __getattr__, __dir__


def _source(module: str) -> ast.Module:
    """A module's syntax tree. It is read, not imported, because importing it may fail."""
    path = Path(__file__).parent.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each imported name with its kata, such as "tinytorch.tensor" (the package, not one of its files)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            kata = ".".join(node.module.split(".")[:2])
            for alias in node.names:
                if alias.name == "*":
                    yield from _imports(_source(node.module))
                else:
                    yield alias.name, kata
