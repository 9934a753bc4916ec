"""Mutants: the reference with one small change that a machine made, such as `>=` for `>` or None for an argument.

mutmut knows the changes. It leaves decorated functions alone, because it would run their decorators twice. Here a
mutant takes the place of its original, so they are changed too. What the skeleton shows is not: functions that are
given, and defaults.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.file_mutation import Mutation, MutationVisitor, deep_replace
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
    return [
        each for module, path in reference.modules(kata).items() for each in _Module(module, path).mutants()
    ]


class _Module:
    """A module of the reference, as Python's ast and as libcst see it."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        source = path.read_text(encoding="utf-8")
        self.lines = source.splitlines(keepends=True)
        python, given = ast.parse(source), given_lines(source)
        self.functions = {
            node.lineno: (name, node)
            for name, node in definitions(python)
            if not any(node.lineno in lines for lines in given)
        }
        self.statements = [node for node in ast.walk(python) if isinstance(node, ast.stmt)]
        wrapper = MetadataWrapper(cst.parse_module(source))
        self.positions, self.parents = wrapper.resolve(PositionProvider), wrapper.resolve(ParentNodeProvider)
        visitor = _Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
        self.tree = wrapper.visit(visitor)
        self.mutations: list[Mutation] = visitor.mutations
        self.below: dict[cst.FunctionDef, str] = {}

    def mutants(self) -> Iterator[Mutant]:
        """Those of the bodies of all functions that are not given, each text once."""
        seen = set()
        for mutation in self.mutations:
            function = mutation.contained_by_top_level_function
            if not isinstance(function, cst.FunctionDef):
                continue
            name, node = self.functions.get(self.positions[function.name].start.line, ("", None))
            place = self.positions[mutation.original_node].start
            if node is None or place.line < node.body[0].lineno:
                continue
            lines = reference.lines(node)
            before = "".join(self.lines[lines])
            if function not in self.below:
                self.below[function] = self._below(function, before, "." in name)
            text = self._changed(mutation, function, "." in name)
            key = hashlib.sha1(f"{self.name} {name}\n{before}\n{text}".encode()).hexdigest()[:16]
            if text != before and key not in seen:
                seen.add(key)
                statement = self._statement(place.line, place.column)
                yield Mutant(key, self.name, name, place.line, statement, self._change(mutation), lines, text)

    def _below(self, function: cst.FunctionDef, text: str, method: bool) -> str:
        """What libcst counts to a function below its last statement: comments."""
        whole = self._rendered(function, method)
        if not whole.startswith(text):
            raise DojoError(f"{self.name}: libcst renders another text than this one:\n{text}")
        return whole.removeprefix(text)

    def _changed(self, mutation: Mutation, function: cst.FunctionDef, method: bool) -> str:
        """The text of the function with the mutation in it."""
        changed = deep_replace(function, mutation.original_node, mutation.mutated_node)
        assert isinstance(changed, cst.FunctionDef)
        return self._rendered(changed, method).removesuffix(self.below[function]).removesuffix("\n") + "\n"

    def _rendered(self, function: cst.FunctionDef, method: bool) -> str:
        function = function.with_changes(leading_lines=[])
        if not method:
            return self.tree.code_for_node(function)
        around = cst.ClassDef(cst.Name("Around"), cst.IndentedBlock([function]))
        return self.tree.code_for_node(around).partition("\n")[2]

    def _change(self, mutation: Mutation) -> str:
        """What is changed into what, in one line; of a number with its sign."""
        above = self.parents[mutation.original_node]
        negative = isinstance(above, cst.UnaryOperation) and isinstance(above.operator, cst.Minus)
        nodes = (mutation.original_node, mutation.mutated_node)
        old, new = ("-" * negative + " ".join(self.tree.code_for_node(node).split()) for node in nodes)
        return f"{old} -> {new}"

    def _statement(self, line: int, column: int) -> str:
        """The innermost statement at a place, in one line; of a block only its head."""
        inside = [
            node
            for node in self.statements
            if (node.lineno, node.col_offset) <= (line, column) <= (node.end_lineno, node.end_col_offset)
        ]
        node = max(inside, key=lambda node: (node.lineno, node.col_offset))
        body: list[ast.stmt] = getattr(node, "body", [])
        last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
        return " ".join("".join(self.lines[node.lineno - 1 : last]).split())
