"""Take functions from the reference into a student's module: by lines, with what they need, and nothing else changes.

A function of the reference may need what the skeleton dropped: imports, constants, private functions, classes and
methods. Each comes with it, to the place that it has in the reference: behind what stands before it there, or, if the
student has nothing of that, before what stands behind it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from dojo.catalogue import Kata
from dojo.errors import DojoError
from dojo.tree.skeleton import derive
from dojo.tree.skeleton.imports import import_text
from dojo.tree.skeleton.names import names_bound, names_read
from dojo.tree.source import Definition, Function, definitions, header, stubs

REST = "rest"
MARK = re.compile(r"#\s*taken\b")
"""Stands at the end of the `def` line of a function that was taken: that is how it is known."""


class Module(NamedTuple):
    """One file of a kata."""

    lines: list[str]
    body: list[ast.stmt]

    @property
    def tree(self) -> ast.Module:
        return ast.Module(self.body, [])

    def find(self, name: str) -> Definition | None:
        """The function or class of a qualified name; "" is the module itself, and none."""
        body, found = self.body, None
        for part in name.split(".") if name else ():
            found = next((each for each in body if isinstance(each, Definition) and each.name == part), None)
            if found is None:
                return None
            body = found.body
        return found

    def inside(self, name: str) -> list[ast.stmt]:
        """The statements of a class, or of the module for ""."""
        found = self.find(name)
        return self.body if found is None else found.body

    def first(self, node: ast.stmt) -> int:
        """The line where a statement begins, with its decorators, counted from 0."""
        decorators = node.decorator_list if isinstance(node, Definition) else []
        return min([node.lineno, *(each.lineno for each in decorators)]) - 1

    def glued(self, node: ast.stmt) -> int:
        """The same, with the comments right above it."""
        line = self.first(node)
        while line and self.lines[line - 1].lstrip().startswith("#"):
            line -= 1
        return line

    def last(self, node: ast.stmt, body: list[ast.stmt]) -> int:
        """The line behind a statement, with the text that documents a constant."""
        following = body[body.index(node) + 1 :]
        documented = (
            isinstance(node, (ast.Assign, ast.AnnAssign)) and following and isinstance(following[0], ast.Expr)
        )
        return (following[0] if documented else node).end_lineno or node.lineno


def parsed(path: Path, data: bytes) -> Module:
    try:
        text = data.decode()
        return Module(text.splitlines(keepends=True), ast.parse(text).body)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise DojoError(
            f"tinytorch/{path}{line} is not Python yet: mend it first. Nothing was changed."
        ) from None


def taken(data: bytes) -> list[str]:
    """The functions of a file that were taken, by their mark. A file that is not Python has none."""
    try:
        text = data.decode()
        found = definitions(ast.parse(text))
    except (SyntaxError, ValueError):
        return []
    lines = text.splitlines()
    return [name for name, node in found if MARK.search("\n".join(slice_of(lines, node)))]


def slice_of(lines: list[str], node: Function) -> list[str]:
    """The lines of a function up to the colon."""
    first, last = header(node, lines)
    return lines[first - 1 : last]


def to_write(kata: Kata, reference: Mapping[Path, bytes]) -> dict[str, Path]:
    """What a student writes in a kata, in order, and the file of the reference that it is in."""
    files = [path for path in reference if path.suffix == ".py"]
    return {name: path for path in files for name in derive.written(reference[path].decode(), kata)}


def meant(wanted: str, names: Iterable[str]) -> list[str]:
    """The functions that a name means: a function, or all of a class."""
    return [name for name in names if name == wanted or name.startswith(f"{wanted}.")]


class Taking:
    """The files of one kata, the reference's and the student's, while functions are taken."""

    def __init__(self, kata: Kata, reference: Mapping[Path, bytes], yours: Mapping[Path, bytes]) -> None:
        self.kata = kata
        self.reference = {
            path: parsed(path, data) for path, data in reference.items() if path.suffix == ".py"
        }
        self.yours = {path: parsed(path, data) for path, data in yours.items() if path.suffix == ".py"}
        self.names = to_write(kata, reference)
        self.brought: list[str] = []

    # What there is

    def chosen(self, wanted: str) -> list[str]:
        """The functions that a name means; "rest" is all that is not written."""
        if wanted == REST:
            return [name for name in self.names if not self.is_written(name)]
        return meant(wanted, self.names)

    def is_written(self, name: str) -> bool:
        home = self.home(name)
        there = self.yours[home].find(name) is not None
        return there and name not in stubs(self.yours[home].tree, self.kata)

    def home(self, name: str) -> Path:
        """The student's file that has the function, or should have it."""
        for path, module in self.yours.items():
            if module.find(name) is not None:
                return path
        if self.names[name] in self.yours:
            return self.names[name]
        raise DojoError(
            f"tinytorch/{self.names[name]} is missing: `make reset N={self.kata.number}` puts the skeleton back."
        )

    def unwritten_calls(self, names: Iterable[str]) -> list[str]:
        """The functions of the kata that the named ones name and that are not written yet."""
        nodes = [self._node(name) for name in names]
        read = set[str]().union(*map(names_read, nodes))
        asked = set[str]().union(*map(_attributes, nodes))
        called = [
            each for each in self.names if each in read or ("." in each and each.rpartition(".")[2] in asked)
        ]
        return [each for each in called if not self.is_written(each)]

    def missing_state(self, name: str) -> list[str]:
        """What the function reads of its object, and only the reference's class has."""
        owner, _, _ = name.rpartition(".")
        theirs = self.reference[self.names[name]].find(owner)
        mine = self.yours[self.home(name)].find(owner)
        if not owner or theirs is None or mine is None:
            return []
        missing = (_own(self._node(name), ast.Load) & _state(theirs)) - _state(mine)
        return sorted(missing - {each.name for each in mine.body if isinstance(each, Definition)})

    def _node(self, name: str) -> Definition:
        node = self.reference[self.names[name]].find(name)
        assert node is not None
        return node

    # What is changed

    def take(self, name: str) -> None:
        """Put the reference's function in the place of the student's, and bring what it needs."""
        path, home = self.names[name], self.home(name)
        theirs, mine = self.reference[path], self.yours[home]
        node = self._node(name)
        assert isinstance(node, Function)
        lines = list(theirs.lines[theirs.first(node) : node.end_lineno])
        colon = header(node, [line.rstrip("\n") for line in theirs.lines])[1] - 1 - theirs.first(node)
        lines[colon] = lines[colon].rstrip("\n") + "  # taken\n"
        old = mine.find(name)
        if old is None:
            self._insert(path, home, name.rpartition(".")[0], node, lines)
        else:
            self._edit(home, mine.first(old), old.end_lineno or old.lineno, lines)
        self._needs(path, home, node)

    def _edit(self, home: Path, first: int, last: int, new: list[str]) -> None:
        lines = list(self.yours[home].lines)
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines[first:last] = new
        self.yours[home] = parsed(home, "".join(lines).encode())

    def _needs(self, path: Path, home: Path, node: ast.AST) -> None:
        """Bring what a piece of the reference names and the student does not have."""
        for name in sorted(names_read(node)):
            self._bring(path, home, name)
        for each in ast.walk(node):
            if isinstance(each, ast.ImportFrom):
                self._bring_imported(each)
        for attribute in sorted(_attributes(node)):
            if attribute.startswith("_") and not attribute.endswith("__"):
                self._bring_member(attribute)

    def _bring(self, path: Path, home: Path, name: str) -> None:
        """Bring what the reference calls `name` at the top of that file, unless the student has such a name there."""
        theirs = self.reference[path]
        if name in names_bound(self.yours[home].tree):
            return
        for statement in theirs.body:
            if name not in names_bound(ast.Module([statement], [])):
                continue
            imports = [each for each in ast.walk(statement) if isinstance(each, (ast.Import, ast.ImportFrom))]
            if imports and not isinstance(statement, Definition):
                self._import(path, home, name, imports, checking=isinstance(statement, ast.If))
                return
            lines = theirs.lines[theirs.glued(statement) : theirs.last(statement, theirs.body)]
            self.brought.append(name)
            self._insert(path, home, "", statement, lines)
            self._needs(path, home, statement)
            return

    def _import(
        self, path: Path, home: Path, name: str, imports: list[ast.Import | ast.ImportFrom], checking: bool
    ) -> None:
        """Write the import of one name behind the student's imports."""
        mine = self.yours[home]
        node, alias = next(
            (node, alias)
            for node in imports
            for alias in node.names
            if (alias.asname or alias.name.partition(".")[0]) == name
        )
        above = [each for each in mine.body if isinstance(each, (ast.Import, ast.ImportFrom))]
        beside = [each for each in above if _source(each) == _source(node)]
        if (
            beside
            and not checking
            and "#" not in "".join(mine.lines[beside[0].lineno - 1 : beside[0].end_lineno])
        ):
            first, last = beside[0].lineno - 1, beside[0].end_lineno or 0
            names = sorted(
                [*beside[0].names, alias],
                key=lambda each: (not each.name.isupper(), each.name.islower(), each.name),
            )
            new = [import_text(node, names)]
        else:
            ends = [
                each.end_lineno or 0 for each in [*mine.body[:1], *above] if not isinstance(each, Definition)
            ]
            first = last = max(ends, default=0)
            new = [import_text(node, [alias])]
        self._edit(home, first, last, ["if TYPE_CHECKING:\n", f"    {new[0].lstrip()}"] if checking else new)
        if checking:
            self._bring(path, home, "TYPE_CHECKING")
        if isinstance(node, ast.ImportFrom):
            self._bring_imported(node)

    def _bring_imported(self, node: ast.ImportFrom) -> None:
        """Bring what is imported from another file of this kata."""
        for path in self.reference:
            parts = [part for part in path.with_suffix("").parts if part != "__init__"]
            if node.module == ".".join(("tinytorch", *parts)) and path in self.yours:
                for alias in node.names:
                    self._bring(path, path, alias.name)

    def _bring_member(self, name: str) -> None:
        """Bring a private method to every class that has it in the reference and lost it."""
        for path, theirs in self.reference.items():
            for owner in [each for each in theirs.body if isinstance(each, ast.ClassDef)]:
                member = theirs.find(f"{owner.name}.{name}")
                home = next((each for each, mine in self.yours.items() if mine.find(owner.name)), None)
                if member is None or home is None or self.yours[home].find(f"{owner.name}.{name}"):
                    continue
                self.brought.append(f"{owner.name}.{name}")
                lines = theirs.lines[theirs.glued(member) : member.end_lineno]
                self._insert(path, home, owner.name, member, lines)
                self._needs(path, home, member)

    def _insert(self, path: Path, home: Path, owner: str, node: ast.stmt, lines: list[str]) -> None:
        """Insert a statement of the reference's class or module where it stands there."""
        theirs, mine = self.reference[path].inside(owner), self.yours[home].inside(owner)
        module = self.yours[home]
        blank = ["\n"] if owner or not isinstance(node, Definition) else ["\n", "\n"]
        place = theirs.index(node)
        for before in reversed(theirs[:place]):
            if (there := _same(before, mine)) is not None:
                line = module.last(there, mine)
                return self._edit(home, line, line, [*blank, *lines])
        for behind in theirs[place + 1 :]:
            if (there := _same(behind, mine)) is not None:
                line = module.glued(there)
                return self._edit(home, line, line, [*lines, *blank])
        line = mine[-1].end_lineno or 0 if mine else len(module.lines)
        return self._edit(home, line, line, [*blank, *lines])


def _source(node: ast.Import | ast.ImportFrom) -> str:
    """`from tinytorch.tensor` of an import; no other statement begins as a plain import does."""
    return ast.unparse(node).partition(" import ")[0]


def _same(node: ast.stmt, body: list[ast.stmt]) -> ast.stmt | None:
    """The statement that binds the same names. Imports stand where they like."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return None
    names = names_bound(ast.Module([node], []))
    return next((each for each in body if names and names_bound(ast.Module([each], [])) == names), None)


def _attributes(node: ast.AST) -> set[str]:
    return {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def _own(node: ast.stmt, context: type[ast.expr_context]) -> set[str]:
    """The attributes of its own object, `self`, that a method reads or sets. `self.n += 1` reads `n`."""
    arguments = [*node.args.posonlyargs, *node.args.args] if isinstance(node, Function) else []
    added = {id(each.target) for each in ast.walk(node) if isinstance(each, ast.AugAssign)}
    return {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name)
        if arguments and each.value.id == arguments[0].arg
        if issubclass(ast.Load if id(each) in added else type(each.ctx), context)
    }


def _state(node: Definition) -> set[str]:
    """The attributes that a class gives its objects: those that its methods set, and those that it declares."""
    declared = [each for each in node.body if isinstance(each, (ast.Assign, ast.AnnAssign))]
    return names_bound(ast.Module([*declared], [])).union(*(_own(each, ast.Store) for each in node.body))
