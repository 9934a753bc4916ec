"""Which bodies are replaced by stubs, and what is removed with them."""

from __future__ import annotations

import ast

from dojo.catalogue import Kata
from dojo.errors import DojoError
from dojo.tree.skeleton.lines import Cut, cut_lines
from dojo.tree.skeleton.names import names_read
from dojo.tree.source import Definition, Function, header, is_given, stub


class Module:
    """One file of the reference, and the cuts that make it the student's."""

    def __init__(self, source: str, kata: Kata) -> None:
        self.kata = kata
        self.lines = source.splitlines(keepends=True)
        self.cuts: list[Cut] = []
        self.stubs: list[str] = []
        self.constants: list[tuple[set[str], Cut]] = []
        """Private constants with their names: they are cut unless something kept uses them."""
        self._visit(ast.parse(source).body, "")

    def stubbed(self) -> str:
        """The text without bodies, private helpers and private constants."""
        unused = self.constants
        while True:
            text = cut_lines(self.lines, [*self.cuts, *(cut for _, cut in unused)])
            read = names_read(ast.parse(text))
            if not any(names & read for names, _ in unused):
                return text
            unused = [(names, cut) for names, cut in unused if not names & read]

    def _visit(self, body: list[ast.stmt], prefix: str) -> None:
        for position, node in enumerate(body):
            if isinstance(node, Definition):
                self._definition(node, prefix)
            elif not prefix and isinstance(node, (ast.Assign, ast.AnnAssign)):
                following = body[position + 1] if position + 1 < len(body) else None
                self._constant(node, following)
            elif any(isinstance(each, Definition) for each in ast.walk(node)) and not is_given(
                node, self.lines
            ):
                raise self._error(node, "a definition stands at the top of the module or in a class")

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, prefix: str) -> None:
        name = prefix + node.name
        if node.name == "_":
            raise self._error(node, "a function that the student writes has a name")
        if is_given(node, self.lines) or (prefix and _is_operator(node)):
            return
        if not _is_public(node.name):
            self.cuts.append(Cut(self._glued(node), self._end(node)))
        elif isinstance(node, ast.ClassDef):
            self._visit(node.body, f"{name}.")
        elif not _has_no_code(node):
            self._stub(node, name)

    def _stub(self, node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> None:
        docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
        if docstring is None and not _is_dunder(node.name) and not _is_setter(node):
            raise self._error(node, f"{name} has no docstring: the student would not know what to write")
        if node.body[0].lineno == header(node, self.lines)[1]:
            raise self._error(node, f"the body of {name} stands on the line of its `def`")
        first = (
            docstring.end_lineno + 1
            if docstring and docstring.end_lineno
            else header(node, self.lines)[1] + 1
        )
        indent = " " * node.body[0].col_offset
        line = f'{indent}raise NotImplementedError("{stub(self.kata, name)}")\n'
        self.cuts.append(Cut(first, self._end(node), line))
        self.stubs.append(name)

    def _constant(self, node: ast.Assign | ast.AnnAssign, following: ast.stmt | None) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        if any(_is_public(name) for name in names) or is_given(node, self.lines):
            return
        documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        last = following.end_lineno if documented and following else node.end_lineno
        self.constants.append((names, Cut(self._glued(node), last or node.lineno)))

    def _glued(self, node: ast.stmt) -> int:
        """The first line of a statement: its decorators, and the comments right above them."""
        decorators = node.decorator_list if isinstance(node, Definition) else []
        first = min([node.lineno, *(each.lineno for each in decorators)])
        while first > 1 and self.lines[first - 2].lstrip().startswith("#"):
            first -= 1
        return first

    def _end(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
        """The last line of a definition, with the comments that end its body."""
        end = last = node.end_lineno or node.lineno
        for number, line in enumerate(self.lines[end:], end + 1):
            if not line.strip():
                continue
            if len(line) - len(line.lstrip()) <= node.col_offset or not line.lstrip().startswith("#"):
                break
            last = number
        return last

    def _error(self, node: ast.stmt, message: str) -> DojoError:
        return DojoError(f"line {node.lineno}: {message}")


def _is_dunder(name: str) -> bool:
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def _is_public(name: str) -> bool:
    return not name.startswith("_") or _is_dunder(name)


def _is_setter(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A setter needs no docstring of its own: its property has one."""
    return any(isinstance(each, ast.Attribute) and each.attr == "setter" for each in node.decorator_list)


def _is_operator(node: ast.stmt) -> bool:
    """`def __radd__(self, other): return add(other, self)` teaches nothing to write."""
    return (
        isinstance(node, Function)
        and _is_dunder(node.name)
        and len(node.body) == 1
        and isinstance(node.body[0], ast.Return)
    )


def _has_no_code(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether there is nothing to write: an overload, a method of a Protocol."""
    return all(
        isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in node.body
    )
