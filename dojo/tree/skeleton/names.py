"""Which names a module reads, and which it defines."""

from __future__ import annotations

import ast
import re

from dojo.tree.source import Definition


def names_read(tree: ast.AST) -> set[str]:
    """Every name that some code reads, strings in annotations and in `__all__` included."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            names.add(node.id)
        quoted = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            quoted.append(node.value)
        for each in quoted:
            for text in _strings(each) if each else ():
                names |= set(re.findall(r"\b[A-Za-z_]\w*", text))
    return names


def _strings(node: ast.AST) -> list[str]:
    values = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return [value for value in values if isinstance(value, str)]


def names_bound(tree: ast.Module) -> set[str]:
    """The names that a module defines at its top level, also in an `if` or a `try`."""
    bound: set[str] = set()
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Definition):
            bound.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {each.asname or each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        else:
            waiting += ast.iter_child_nodes(node)
    return bound
