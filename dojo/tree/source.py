"""What the source of a kata tells: what is given, what is not written yet, and which file belongs to which kata."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from dojo.catalogue import Kata, kata_of
from dojo.errors import said
from dojo.tree import overlay

GIVEN = re.compile(r"#\s*given\b")
UNWRITTEN = re.compile(r"kata (\d\d): (.+)")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


# What is given, and what is not written -----------------------------------------------------------------


def stub(kata: Kata, name: str) -> str:
    """The message with which the stub of a function raises NotImplementedError."""
    return f"kata {kata.id}: {name}"


def asked_for(error: BaseException) -> tuple[int, str] | None:
    """The kata and the function of the stub that raised `error`; None if no stub did."""
    found = UNWRITTEN.match(said(error)) if isinstance(error, NotImplementedError) else None
    return (int(found[1]), found[2]) if found else None


def definitions(tree: ast.Module) -> list[tuple[str, Function]]:
    """Every function and method of a module with its qualified name. Overloads have no body and do not count."""

    def inside(body: list[ast.stmt], prefix: str) -> list[tuple[str, Function]]:
        found = []
        for node in body:
            if isinstance(node, ast.ClassDef):
                found += inside(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, Function) and "overload" not in map(ast.unparse, node.decorator_list):
                found.append((prefix + node.name, node))
        return found

    return inside(tree.body, "")


def stubs(tree: ast.Module, kata: Kata) -> set[str]:
    """The functions of a module that are not written yet."""
    return {name for name, node in definitions(tree) if repr(stub(kata, name)) in ast.unparse(node)}


def header(node: ast.stmt, lines: list[str]) -> tuple[int, int]:
    """The lines of a definition up to its colon, or of the whole statement, counted from 1."""
    if not isinstance(node, Definition):
        return node.lineno, node.end_lineno or node.lineno
    last = max([node.lineno, *(each.end_lineno or 0 for each in _signature(node))])
    while not re.search(r":\s*(#.*)?$", lines[last - 1]) and last < node.body[0].lineno:
        last += 1
    return node.lineno, last


def _signature(node: Definition) -> Iterator[ast.expr | ast.arg]:
    """Everything between the name and the colon that has a line number."""
    if isinstance(node, ast.ClassDef):
        yield from (*node.bases, *(each.value for each in node.keywords))
    else:
        yield from (each for each in ast.walk(node.args) if isinstance(each, (ast.arg, ast.expr)))
        if node.returns:
            yield node.returns


def is_given(node: ast.stmt, lines: list[str]) -> bool:
    """Whether a definition, or another statement, carries `# given`: the student does not write it."""
    first, last = header(node, lines)
    return any(GIVEN.search(line) for line in lines[first - 1 : last])


@lru_cache(maxsize=64)
def given_lines(source: str) -> tuple[range, ...]:
    """The lines of each definition in a module that carries `# given`."""
    if not GIVEN.search(source):
        return ()
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ()
    lines = source.splitlines()
    return tuple(
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in statements(tree)
        if isinstance(node, Definition) and is_given(node, lines)
    )


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements below a node, and no expression: those are most of a module, and define nothing."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, (ast.stmt, ast.excepthandler, ast.match_case)):
            yield each
            yield from statements(each)


# Whose file it is ---------------------------------------------------------------------------------------


def is_student(filename: str, plan: overlay.Plan | None = None) -> bool:
    """Whether a file is one that the student writes, in the implementation under test."""
    plan = plan or overlay.installed()
    path = Path(filename)
    if plan is None or path.name == "dispatch.py":
        return False
    if plan.special:
        return any(
            path.is_relative_to(tree) and path.relative_to(tree).parts[:1] in ((slug,), (f"{slug}.py",))
            for slug, tree in plan.special.items()
        )
    return path.is_relative_to(plan.tree)


def is_of_kata(filename: str, kata: Kata) -> bool:
    """Whether a file belongs to the kata's module (a file or a package) in the implementation under test."""
    plan = overlay.installed()
    return plan is not None and kata_of(Path(filename), plan.tree_of(kata.slug)) == kata
