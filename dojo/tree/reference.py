"""Copies of the reference with some functions changed, for the gate. The files themselves stay as they are."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from dojo import catalogue
from dojo.catalogue import Kata
from dojo.errors import DojoError
from dojo.tree.source import Function, definitions, stub

Edit = Callable[[Function], None]


def has_reference(kata: Kata) -> bool:
    """Is the kata's reference here? A student edition has it only for some katas, or for none."""
    return any(path.is_file() for path in kata.files(catalogue.SOLUTIONS))


def modules(kata: Kata) -> dict[str, Path]:
    """The kata's reference by module name: `tinytorch.tensor`, `tinytorch.tensor.layout`, ..."""
    found = {}
    for path in kata.files(catalogue.SOLUTIONS):
        if path.suffix != ".py" or not path.is_file():
            continue
        relative = path.relative_to(catalogue.SOLUTIONS).with_suffix("")
        parts = [part for part in relative.parts if part != "__init__"]
        found[".".join(("tinytorch", *parts))] = path
    return found


def edited(kata: Kata, edits: Mapping[str, Edit]) -> dict[str, str]:
    """The source of each module of the reference in which one of the named functions was edited."""
    sources = {}
    missing = set(edits)
    for module, path in modules(kata).items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        here = [(name, node) for name, node in definitions(tree) if name in edits]
        for name, node in here:
            edits[name](node)
            missing.discard(name)
        if here:
            sources[module] = ast.unparse(ast.fix_missing_locations(tree))
    if missing:
        raise DojoError(f"the reference of kata {kata.id} has no {', '.join(sorted(missing))} any more")
    return sources


def only(kata: Kata, name: str) -> tuple[str, str, Function]:
    """The one function of that name in the kata's reference: its module, the text of the module, and the function."""
    found = []
    for module, path in modules(kata).items():
        text = path.read_text(encoding="utf-8")
        found += [(module, text, node) for each, node in _definitions(text) if each == name]
    if not found:
        raise DojoError(f"the reference of kata {kata.id} has no {name} any more")
    if len(found) > 1:
        raise DojoError(f"the reference defines {name} more than once")
    return found[0]


@cache
def _definitions(text: str) -> list[tuple[str, Function]]:
    return definitions(ast.parse(text))


def lines(node: Function) -> slice:
    """The lines of a function in its module, decorators included."""
    return slice(min(each.lineno for each in (node, *node.decorator_list)) - 1, node.end_lineno)


def source(text: str, node: Function) -> str:
    """The text of a function of a module, as if it were not indented."""
    return textwrap.dedent("".join(text.splitlines(keepends=True)[lines(node)]))


def docstring(node: Function) -> list[ast.stmt]:
    """The docstring of a function as a list of statements, none or one."""
    return node.body[:1] if ast.get_docstring(node, clean=False) is not None else []


def taken_away(kata: Kata, name: str) -> Edit:
    """Put a stub in the place of a function's body."""

    def edit(node: Function) -> None:
        raising = f"raise NotImplementedError({stub(kata, name)!r})"
        node.body = docstring(node) + ast.parse(raising).body

    return edit


def unwritten(kata: Kata, names: Iterable[str]) -> dict[str, str]:
    """The reference with the named functions replaced by stubs. Everything else stays, helpers too."""
    return edited(kata, {name: taken_away(kata, name) for name in names})
