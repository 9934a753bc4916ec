"""Other right answers, in `tests/other_answers/`: functions of a kata written in another style than the reference's.

A file is a Python module, `kata_07.py` or `kata_07_closures.py`. Each function in it takes the place of the
reference's function of that name, whole, with its decorators; a class gives its methods so, and adds those that the
reference's class lacks. What they need of the file (imports, private functions, constants) comes with them, where the
reference's module has nothing of that name. The first line of the file's docstring says what is different in it; the
docstring of a function says what is different there, and what that costs or gains.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from dojo import catalogue
from dojo.catalogue import Kata
from dojo.errors import DojoError
from dojo.tree import reference
from dojo.tree.skeleton.imports import import_text
from dojo.tree.skeleton.names import names_bound, names_read
from dojo.tree.source import Definition, Function, definitions

IMPORT = ast.Import | ast.ImportFrom


class Answer(NamedTuple):
    """A function that is answered otherwise."""

    name: str
    """The qualified name in the kata's module: "Tensor.sum"."""
    says: str
    """What is different: its docstring, in one line."""
    text: str
    """Its source, and before it that of what it needs of its file."""


class Answers:
    """One file of other answers."""

    def __init__(self, kata: Kata, path: Path) -> None:
        self.kata, self.path = kata, path
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.lines = self.text.splitlines(keepends=True)

    @property
    def subject(self) -> str:
        """What is different in all of the file, as a part of a sentence."""
        line = (ast.get_docstring(self.tree) or "").partition("\n")[0].rstrip(".")
        return line[:1].lower() + line[1:]

    @cached_property
    def functions(self) -> dict[str, Function]:
        """The functions of the file that the reference has, too, by their qualified names."""
        there = {
            name
            for path in reference.modules(self.kata).values()
            for name, _ in definitions(ast.parse(path.read_text(encoding="utf-8")))
        }
        return {name: node for name, node in definitions(self.tree) if name in there}

    def of(self, name: str) -> Answer:
        """The answer of that name, with all that it needs."""
        node = self.functions[name]
        owner, _, _ = name.rpartition(".")
        methods = [node]
        for each in methods:  # it grows
            asked = {part.attr for part in ast.walk(each) if isinstance(part, ast.Attribute)}
            methods += [
                other
                for other in self._added(owner)
                if (other.name in asked or other.name.endswith("__")) and other not in methods
            ]
        own = self._source(node)
        if owner:
            members = [*map(self._source, self._fields(owner)), *map(self._source, methods)]
            own = f"class {owner}:\n{textwrap.indent(chr(10).join(members), '    ')}"
        needed = self._needed(methods, set())
        read = set[str]().union(*map(names_read, [*methods, *needed]))
        imports = [_only(each, read) for each in needed if isinstance(each, IMPORT)]
        others = [self._source(each) for each in needed if not isinstance(each, IMPORT)]
        says = " ".join((ast.get_docstring(node) or "").split())
        return Answer(name, says, "\n\n".join(filter(None, ["".join(imports), *others, own])))

    def plant(self) -> dict[str, str]:
        """The reference with all these answers in it, by module name. All other text stays as it is."""
        texts: dict[str, str] = {}
        replaced: dict[str, list[tuple[slice, str]]] = {}
        planted: dict[str, list[ast.stmt]] = {}
        for name, node in self.functions.items():
            module, texts[module], old = reference.only(self.kata, name)
            new = textwrap.indent(self._source(node), " " * old.col_offset)
            replaced.setdefault(module, []).append((reference.lines(old), new))
            planted.setdefault(module, []).append(node)
        for module, text in texts.items():
            tree = ast.parse(text)
            for owner in (each for each in tree.body if isinstance(each, ast.ClassDef)):
                members = [*self._fields(owner.name), *self._added(owner.name)]
                end = owner.end_lineno or 0
                new = "".join(f"\n{textwrap.indent(self._source(each), '    ')}" for each in members)
                replaced[module].append((slice(end, end), new))
                planted[module] += members
            needed = self._needed(planted[module], names_bound(tree))
            first = next(each for each in tree.body if isinstance(each, Definition))
            start = min([first.lineno, *(each.lineno for each in first.decorator_list)]) - 1
            new = "".join(f"{self._source(each)}\n\n" for each in needed)
            lines = text.splitlines(keepends=True)
            pieces = [*replaced[module], (slice(start, start), new)]
            for place, piece in sorted(pieces, key=lambda each: each[0].start, reverse=True):
                lines[place] = [piece]
            texts[module] = "".join(lines)
            ast.parse(texts[module])
        return texts

    def _source(self, node: ast.stmt) -> str:
        """The text of a statement, with decorators and the comment above it, as if it were not indented."""
        decorators = node.decorator_list if isinstance(node, Definition) else []
        first = min([node.lineno, *(each.lineno for each in decorators)]) - 1
        while first and self.lines[first - 1].lstrip().startswith("#"):
            first -= 1
        return textwrap.dedent("".join(self.lines[first : node.end_lineno]))

    def _class(self, name: str) -> ast.ClassDef | None:
        return next(
            (each for each in self.tree.body if isinstance(each, ast.ClassDef) and each.name == name), None
        )

    def _added(self, owner: str) -> list[Function]:
        """The methods that the reference's class does not have."""
        node = self._class(owner)
        return [
            each
            for each in (node.body if node else ())
            if isinstance(each, Function) and f"{owner}.{each.name}" not in self.functions
        ]

    def _fields(self, owner: str) -> list[ast.stmt]:
        node = self._class(owner)
        return [each for each in (node.body if node else ()) if isinstance(each, (ast.Assign, ast.AnnAssign))]

    def _needed(self, nodes: list[Function] | list[ast.stmt], bound: set[str]) -> list[ast.stmt]:
        """The statements of the file that these need, in its order, without those that bind what is bound already."""
        found: list[ast.stmt] = []
        waiting: list[ast.AST] = [*nodes]
        while waiting:
            wanted = names_read(waiting.pop()) - bound
            for each in self._brought():
                if names_bound(ast.Module([each], [])) & wanted and each not in found:
                    found.append(each)
                    waiting.append(each)
        return sorted(found, key=lambda each: each.lineno)

    def _brought(self) -> Iterator[ast.stmt]:
        """What of the file is no answer: imports, one a name, and what is private to it."""
        for each in self.tree.body:
            names = names_bound(ast.Module([each], []))
            if isinstance(each, ast.ClassDef):
                answered = any(name.startswith(f"{each.name}.") for name in self.functions)
            else:
                answered = bool(names & self.functions.keys())
            if names and not answered:
                yield each


def _only(node: ast.Import | ast.ImportFrom, names: set[str]) -> str:
    """An import without the names that are not read."""
    return import_text(
        node, [each for each in node.names if (each.asname or each.name.partition(".")[0]) in names]
    )


def folder() -> Path:
    return catalogue.ROOT / "tests" / "other_answers"


def files(kata: Kata) -> list[Path]:
    """The files of other answers to a kata."""
    return sorted(folder().glob(f"kata_{kata.id}*.py"))


def load(kata: Kata) -> list[Answers]:
    """The other answers to a kata. DojoError if a file has none, or answers what nobody asks."""
    found = [Answers(kata, path) for path in files(kata)]
    for each in found:
        strays = [
            name
            for name, _ in definitions(each.tree)
            if name not in each.functions and not name.rpartition(".")[2].startswith("_") and name[0] != "_"
        ]
        if strays:
            raise DojoError(
                f"{each.path.name} answers {', '.join(strays)}, which the reference does not have."
            )
    return found
