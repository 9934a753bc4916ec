"""Mutants: the reference with one small change that a machine made, such as `>=` for `>` or None for an argument.

mutmut knows the changes. It leaves decorated functions alone, because it would run their decorators twice. Here a
mutant takes the place of its original, so they are changed too. What the skeleton shows is not: functions that are
given, and defaults.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

from dojo.catalogue import Kata
from dojo.errors import DojoError
from dojo.tree import reference
from dojo.tree.source import definitions, given_lines


class Mutant(NamedTuple):
    """One change of one function of the reference."""

    key: str
    """It stays the same as long as the function and the change do."""
    module: str
    function: str
    """The qualified name in its module: "Tensor.sum"."""
    line: int
    """Where in the module the change is."""
    statement: str
    """The statement that is changed, as it was, in one line. Of a block only the head."""
    change: str
    """What of it is changed: "a + b -> a - b"."""
    lines: slice
    """The lines of the function in the module."""
    text: str
    """The function with the change, as it stands in the module."""

    @property
    def place(self) -> str:
        return f"{self.module} {self.function}"

    def __str__(self) -> str:
        return f"{self.place}:{self.line}  {self.change}  in  {self.statement}"

    def planted(self, path: Path) -> str:
        """The text of the module with the change in it."""
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        lines[self.lines] = [self.text]
        return "".join(lines)

    def code(self, path: str) -> CodeType:
        """The code of the changed function, compiled where it stands: at its line, in its class."""
        *classes, _ = self.function.split(".")
        inside = "".join(f"class {name}:\n" for name in classes)
        above = "from __future__ import annotations;" + "\n" * (self.lines.start - len(classes))
        found = compile(above + inside + self.text, path, "exec", dont_inherit=True)
        for name in self.function.split("."):
            codes = (each for each in found.co_consts if isinstance(each, CodeType))
            found = next(each for each in codes if each.co_name == name)
        return found


class _Visitor(MutationVisitor):
    """mutmut's, for every function: also those that are decorated or have a special name."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        return not isinstance(node, cst.FunctionDef) and bool(super()._skip_node_and_children(node))


def mutants(kata: Kata) -> list[Mutant]:
    """Every mutant of the kata's reference, in the order of the files."""
    return [each for module, path in reference.modules(kata).items() for each in _mutants(module, path)]


def _mutants(module: str, path: Path) -> Iterator[Mutant]:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    statements = _Statements(source)
    functions = {node.lineno: (name, node) for name, node in definitions(ast.parse(source))}
    given = given_lines(source)
    wrapper = MetadataWrapper(cst.parse_module(source))
    positions, parents = wrapper.resolve(PositionProvider), wrapper.resolve(ParentNodeProvider)
    visitor = _Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
    tree = wrapper.visit(visitor)
    seen: set[str] = set()
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        if not isinstance(function, cst.FunctionDef):
            continue
        begin = positions[function.name].start.line
        place = positions[mutation.original_node].start
        if begin not in functions or any(begin in span for span in given):  # overloads have no body
            continue
        name, node = functions[begin]
        if place.line < node.body[0].lineno:
            continue
        span = reference.lines(node)
        before, rest = _original(tree, function, "".join(lines[span]), "." in name)
        changed = deep_replace(function, mutation.original_node, mutation.mutated_node)
        assert isinstance(changed, cst.FunctionDef)
        text = _rendered(tree, changed, "." in name).removesuffix(rest)
        text = text if text.endswith("\n") else f"{text}\n"
        key = hashlib.sha1(f"{module} {name}\n{before}\n{text}".encode()).hexdigest()[:16]
        if text == before or key in seen:
            continue
        seen.add(key)
        parent = parents[mutation.original_node]  # of a number its sign is shown, too
        sign = (
            "-" if isinstance(parent, cst.UnaryOperation) and isinstance(parent.operator, cst.Minus) else ""
        )
        yield Mutant(
            key,
            module,
            name,
            place.line,
            statements.at(place.line, place.column),
            f"{sign}{_code(tree, mutation.original_node)} -> {sign}{_code(tree, mutation.mutated_node)}",
            span,
            text,
        )


def _original(tree: cst.Module, function: cst.FunctionDef, text: str, method: bool) -> tuple[str, str]:
    """The function as it stands in the module, and what libcst renders below it: comments and blank lines."""
    rendered = _rendered(tree, function, method)
    if not rendered.startswith(text):
        raise DojoError(f"{function.name.value} is rendered as another text than it has:\n{rendered}")
    return text, rendered[len(text) :]


def _rendered(tree: cst.Module, function: cst.FunctionDef, method: bool) -> str:
    alone = function.with_changes(leading_lines=[])
    if not method:
        return tree.code_for_node(alone)
    return tree.code_for_node(cst.ClassDef(cst.Name("_"), cst.IndentedBlock([alone]))).partition("\n")[2]


def _code(tree: cst.Module, node: cst.CSTNode) -> str:
    return " ".join(tree.code_for_node(node).split())


class _Statements:
    """The statements of a module by their places."""

    def __init__(self, source: str) -> None:
        self.lines = source.splitlines()
        self.nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]

    def at(self, line: int, column: int) -> str:
        """The innermost statement at a place, in one line; of a block only its head."""
        inside = [
            node
            for node in self.nodes
            if (node.lineno, node.col_offset)
            <= (line, column)
            <= (node.end_lineno or 0, node.end_col_offset or 0)
        ]
        innermost = max(inside, key=lambda node: (node.lineno, node.col_offset))
        return self._head(innermost)

    @cache  # noqa: B019  # it lives as long as the module is looked at
    def _head(self, node: ast.stmt) -> str:
        body: list[ast.stmt] = getattr(node, "body", [])
        last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
        return " ".join(" ".join(self.lines[node.lineno - 1 : last]).split())
