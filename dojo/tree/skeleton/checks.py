"""Checks of a skeleton: it uses no name that was removed, and importing it runs nothing that a student writes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from dojo.catalogue import Kata
from dojo.errors import DojoError
from dojo.tree.skeleton.names import names_bound
from dojo.tree.source import GIVEN, Definition, Function, stubs


def check(source: str, text: str, kata: Kata) -> None:
    """Raise if the skeleton uses a name that was removed, or if importing it runs what the student writes."""
    tree = ast.parse(text)
    _check_names(ast.parse(source), tree)
    unwritten = _cannot_run(tree, kata)
    lines = text.splitlines()
    for statement in _run_on_import(tree.body):
        for node in ast.walk(statement):
            if isinstance(node, ast.Lambda) and not GIVEN.search(lines[node.lineno - 1]):
                raise DojoError(f"a lambda, `{ast.unparse(node)}`: what a student writes is a named `def`")
            if isinstance(node, ast.Call) and ast.unparse(node.func) in unwritten:
                raise DojoError(
                    f"importing the skeleton would call `{ast.unparse(node.func)}`, which the student writes: "
                    "mark it `# given`"
                )


def _check_names(before: ast.Module, after: ast.Module) -> None:
    vanished = names_bound(before) - names_bound(after)
    methods = _members(before) - _members(after)
    for node in ast.walk(after):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in vanished:
            name = node.id
        elif isinstance(node, ast.Attribute) and node.attr in methods:
            name = node.attr
        else:
            continue
        raise DojoError(
            f"`{name}` is removed, but the skeleton still uses it: mark its `def` or `class` line `# given`"
        )


def check_imports(made: dict[Path, str]) -> None:
    """Every `from tinytorch.x import name` finds its name in the skeleton too, also where x has it by `import *`."""
    trees = {path: ast.parse(text) for path, text in made.items()}
    imports = [
        (path, node, alias.name)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    known = {_module(path): names_bound(tree) for path, tree in trees.items()}
    for path, node, name in imports:
        if name == "*":
            known[_module(path)] |= known.get(node.module or "", set())
    for path, node, name in imports:
        names = known.get(node.module or "")
        if names is not None and name not in {"*", *names} and f"{node.module}.{name}" not in known:
            raise DojoError(
                f"{path}, line {node.lineno}: {node.module} has no {name} in the skeleton: "
                "mark it `# given` there, or make it public"
            )


def _members(tree: ast.Module) -> set[str]:
    """The methods and nested classes of every class."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {each.name for node in classes for each in node.body if isinstance(each, Definition)}


def _cannot_run(tree: ast.Module, kata: Kata) -> set[str]:
    """What cannot be called in the skeleton: `f`, `Class.method`, and `Class` where making one runs a stub."""
    names = stubs(tree, kata)
    made = (name.rpartition(".") for name in names)
    return names | {owner for owner, _, name in made if name in ("__init__", "__new__", "__post_init__")}


def _run_on_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What runs when the module is imported: values, calls, decorators, defaults, class bodies."""
    for node in body:
        if isinstance(node, Function):
            defaults = [*node.args.defaults, *(each for each in node.args.kw_defaults if each)]
            yield from (*node.decorator_list, *defaults)
        elif isinstance(node, ast.ClassDef):
            yield from (*node.decorator_list, *node.bases)
            yield from _run_on_import(node.body)
        elif not (isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)):
            yield node


def _module(path: Path) -> str:
    parts = [part for part in path.with_suffix("").parts if part != "__init__"]
    return ".".join(("tinytorch", *parts))
