"""The student's package, made from the reference: signatures and docstrings stay, bodies go.

`ast` finds the spans and the text is cut by lines, so that formatting and comments survive. What nothing kept
uses goes as well: private helpers, private constants, imports. The rules, in the order of reading:

* a public function or method is written by the student: its body becomes `raise NotImplementedError("kata ...")`;
* what carries `# given` on its `def` or `class` line stays whole;
* so do one-line operator dunders, bodies without code (`...`), class-body wiring and public constants;
* a private function or class without `# given` vanishes, with the comment glued above it;
* a private constant stays where something kept uses it;
* importing what is left runs no code of the student's, and uses no name that vanished.
"""

from __future__ import annotations

import argparse
import ast
import re
import tokenize
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from dojo import backups, catalogue
from dojo.catalogue import KATAS, Kata
from dojo.errors import DojoError

WIDTH = 110  # ruff's line-length
GIVEN = re.compile(r"#\s*given\b")

Function = (ast.FunctionDef, ast.AsyncFunctionDef)
Definition = (*Function, ast.ClassDef)


class Cut(NamedTuple):
    """Lines `first` to `last`, counted from 1, become `text`."""

    first: int
    last: int
    text: str = ""


def skeleton(source: str, kata: Kata) -> str:
    """The student's version of one file of the reference."""
    text = _Module(source, kata).stubbed()
    text = _without_unused(text)
    _check(source, text, kata)
    return text


def written(source: str, kata: Kata) -> list[str]:
    """The qualified names of the functions that the student writes in one file, in its order."""
    return _Module(source, kata).stubs


# The tree -----------------------------------------------------------------------------------------------


def files(solutions: Path) -> dict[Path, str]:
    """Every file of the skeleton, by its path inside the package."""
    if not solutions.is_dir():
        raise DojoError("There is no solutions/ here, and the skeleton is made from it.")
    katas = {kata.slug: kata for kata in KATAS}
    made = {}
    for path in sorted(solutions.rglob("*.py")):
        inside = path.relative_to(solutions)
        text = path.read_text(encoding="utf-8")
        kata = katas.get(inside.parts[0].removesuffix(".py"))
        try:
            made[inside] = skeleton(text, kata) if kata else text
        except (DojoError, SyntaxError) as problem:
            raise DojoError(f"{path}: {problem}") from None
    _check_imports(made)
    return made


def write(solutions: Path, tree: Path) -> list[Path]:
    """Make `tree` the skeleton of `solutions`. Returns what changed, as paths inside the tree."""
    made = files(solutions)
    old = {path.relative_to(tree) for path in tree.rglob("*.py")}
    gone = sorted(old - made.keys())
    new = [path for path, text in made.items() if path not in old or (tree / path).read_text("utf-8") != text]
    for path in new:
        backups.write(tree / path, made[path])
    for path in gone:
        (tree / path).unlink()
        folder = (tree / path).parent
        if folder != tree and not any(each.name != "__pycache__" for each in folder.iterdir()):
            backups.remove(folder)
    return sorted([*new, *gone])


def _check_imports(made: dict[Path, str]) -> None:
    """Every `from tinytorch.x import name` finds its name in the skeleton too."""
    known = {_module(path): _bound(ast.parse(text)) for path, text in made.items()}
    for path, text in made.items():
        for node in ast.walk(ast.parse(text)):
            names = known.get(node.module or "") if isinstance(node, ast.ImportFrom) else None
            if isinstance(node, ast.ImportFrom) and names is not None:
                for alias in node.names:
                    if alias.name not in names and f"{node.module}.{alias.name}" not in known:
                        raise DojoError(
                            f"{path}, line {node.lineno}: {node.module} has no {alias.name} in the skeleton: "
                            "mark it `# given` there, or make it public"
                        )


def _module(path: Path) -> str:
    parts = [part for part in path.with_suffix("").parts if part != "__init__"]
    return ".".join(("tinytorch", *parts))


# Bodies -------------------------------------------------------------------------------------------------


class _Module:
    """One file of the reference, and the cuts that make it the student's."""

    def __init__(self, source: str, kata: Kata) -> None:
        self.source = source
        self.kata = kata
        self.tree = ast.parse(source)
        self.lines = source.splitlines(keepends=True)
        self.comments = _comments(source)
        self.cuts: list[Cut] = []
        self.stubs: list[str] = []
        self.constants: dict[str, Cut] = {}
        """Private constants, by name: they are cut unless something kept uses them."""
        self._visit(self.tree.body, "")

    def stubbed(self) -> str:
        cuts = {**self.constants}
        while True:
            text = _cut(self.lines, [*self.cuts, *cuts.values()])
            used = _used(ast.parse(text)) & cuts.keys()
            if not used:
                return text
            kept = {cuts[name] for name in used}
            cuts = {name: cut for name, cut in cuts.items() if cut not in kept}

    def _visit(self, body: list[ast.stmt], prefix: str) -> None:
        for position, node in enumerate(body):
            if isinstance(node, Definition):
                self._definition(node, prefix)
            elif not prefix and isinstance(node, (ast.Assign, ast.AnnAssign)):
                following = body[position + 1] if position + 1 < len(body) else None
                self._constant(node, following)
            elif any(isinstance(each, Definition) for each in ast.walk(node)) and not self._given(node):
                raise self._error(node, "a definition stands at the top of the module or in a class")

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, prefix: str) -> None:
        name = prefix + node.name
        if node.name == "_":
            raise self._error(node, "a function that the student writes has a name")
        if self._given(node) or (prefix and _is_operator(node)):
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
        if node.body[0].lineno == self._header(node)[1]:
            raise self._error(node, f"the body of {name} stands on the line of its `def`")
        first = docstring.end_lineno + 1 if docstring and docstring.end_lineno else self._header(node)[1] + 1
        indent = " " * node.body[0].col_offset
        line = f'{indent}raise NotImplementedError("kata {self.kata.id}: {name}")\n'
        self.cuts.append(Cut(first, self._end(node), line))
        self.stubs.append(name)

    def _constant(self, node: ast.Assign | ast.AnnAssign, following: ast.stmt | None) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
        if any(_is_public(name) for name in names) or self._given(node):
            return
        documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        last = following.end_lineno if documented and following else node.end_lineno
        cut = Cut(self._glued(node), last or node.lineno)
        self.constants.update(dict.fromkeys(names, cut))

    def _given(self, node: ast.stmt) -> bool:
        first, last = self._header(node)
        return any(GIVEN.match(self.comments.get(line, "")) for line in range(first, last + 1))

    def _header(self, node: ast.stmt) -> tuple[int, int]:
        """The lines of a definition up to its colon, or of the whole statement."""
        if not isinstance(node, Definition):
            return node.lineno, node.end_lineno or node.lineno
        last = node.lineno
        end = max((each.end_lineno or 0 for each in _signature(node)), default=0)
        last = max(last, end)
        while not _ends_in_colon(self.lines[last - 1]) and last < node.body[0].lineno:
            last += 1
        return node.lineno, last

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


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.expr | ast.arg]:
    """Everything between the name and the colon that has a place."""
    if isinstance(node, ast.ClassDef):
        return [*node.bases, *(each.value for each in node.keywords)]
    found = [each for each in ast.walk(node.args) if isinstance(each, (ast.arg, ast.expr))]
    return [*found, *([node.returns] if node.returns else [])]


def _ends_in_colon(line: str) -> bool:
    return re.search(r":\s*(#.*)?$", line) is not None


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


# Imports ------------------------------------------------------------------------------------------------


def _without_unused(text: str) -> str:
    """The text without the imports that nothing in it uses. `import a as a` is an export and stays."""
    while True:
        tree = ast.parse(text)
        used = _used(tree)
        cuts = [cut for node in tree.body for cut in _import_cuts(node, used)]
        if not cuts:
            return text
        text = _cut(text.splitlines(keepends=True), cuts)


def _import_cuts(node: ast.stmt, used: set[str]) -> Iterator[Cut]:
    last = node.end_lineno or node.lineno
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        inside = [(each, list(_import_cuts(each, used))) for each in node.body]
        if all(cuts and not cuts[0].text for _, cuts in inside):
            yield Cut(node.lineno, last)
        else:
            yield from (cut for _, cuts in inside for cut in cuts)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        kept = [each for each in node.names if _is_wanted(node, each, used)]
        if len(kept) < len(node.names):
            yield Cut(node.lineno, last, _import_text(node, kept))


def _is_wanted(node: ast.Import | ast.ImportFrom, alias: ast.alias, used: set[str]) -> bool:
    exported = alias.name == "*" or alias.asname == alias.name
    future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return exported or future or (alias.asname or alias.name.partition(".")[0]) in used


def _import_text(node: ast.Import | ast.ImportFrom, kept: list[ast.alias]) -> str:
    """The import of fewer names, as ruff formats it."""
    if not kept:
        return ""
    indent = " " * node.col_offset
    fewer = (
        ast.Import(kept)
        if isinstance(node, ast.Import)
        else ast.ImportFrom(module=node.module, names=kept, level=node.level)
    )
    line = indent + ast.unparse(fewer)
    if len(line) <= WIDTH:
        return f"{line}\n"
    head = line.partition(" import ")[0]
    names = "".join(f"{indent}    {ast.unparse(each)},\n" for each in kept)
    return f"{head} import (\n{names}{indent})\n"


# Names --------------------------------------------------------------------------------------------------


def _used(tree: ast.AST) -> set[str]:
    """Every name that some code reads, strings in annotations and `__all__` included."""
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used.add(node.id)
        annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
        for each in ast.walk(annotation) if annotation else ():
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                used |= set(re.findall(r"\b[A-Za-z_]\w*", each.value))
        if isinstance(node, ast.Assign) and any(getattr(each, "id", "") == "__all__" for each in node.targets):
            used |= {each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)}
    return used


def _bound(tree: ast.Module) -> set[str]:
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


def _members(tree: ast.Module) -> set[str]:
    """The methods and nested classes of every class."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {each.name for node in classes for each in node.body if isinstance(each, Definition)}


def _check(source: str, text: str, kata: Kata) -> None:
    """What is kept uses no name that vanished, and importing it runs nothing that the student writes."""
    tree, before = ast.parse(text), ast.parse(source)
    vanished = _bound(before) - _bound(tree)
    methods = _members(before) - _members(tree)
    for node in ast.walk(tree):
        name = ""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in vanished:
            name = node.id
        elif isinstance(node, ast.Attribute) and node.attr in methods:
            name = node.attr
        if name:
            raise DojoError(
                f"`{name}` is used by what the skeleton keeps, and vanishes: mark its `def` or `class` "
                f"line `# given`\n    {ast.unparse(node)}, line {node.lineno} of the skeleton"
            )
    stubs = _stubs(tree, kata)
    given = _comments(text)
    for statement in _run_on_import(tree.body):
        for node in ast.walk(statement):
            line = getattr(node, "lineno", 0)
            if isinstance(node, ast.Lambda) and not GIVEN.match(given.get(line, "")):
                raise DojoError(f"a lambda, line {line} of the skeleton: what the student writes is a named `def`")
            called = node.func if isinstance(node, ast.Call) else None
            if called and ast.unparse(called) in stubs:
                raise DojoError(
                    f"importing the skeleton would call `{ast.unparse(called)}`, which the student writes "
                    f"(line {line} of the skeleton): mark it `# given`"
                )


def _stubs(tree: ast.Module, kata: Kata) -> set[str]:
    """What cannot be called in the skeleton: `f`, `Class.method`, and `Class` where making one runs a stub."""
    stubs = set()

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, Function) and f"'kata {kata.id}: {prefix}{node.name}'" in ast.unparse(node):
                stubs.add(prefix + node.name)
                if node.name in ("__init__", "__new__", "__post_init__"):
                    stubs.add(prefix.rstrip("."))

    visit(tree.body, "")
    return stubs


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


# Lines --------------------------------------------------------------------------------------------------


def _cut(lines: list[str], cuts: list[Cut]) -> str:
    """The lines after the cuts, without the blank lines and section comments that lost their purpose."""
    spans: list[Cut] = []
    for cut in sorted(set(cuts)):
        if spans and not spans[-1].text and not cut.text and _is_blank(lines[spans[-1].last : cut.first - 1]):
            spans[-1] = Cut(spans[-1].first, cut.last)
        else:
            spans.append(cut)
    result = list(lines)
    for cut in reversed(spans):
        if cut.text:
            result[cut.first - 1 : cut.last] = [cut.text]
        else:
            _remove(result, cut.first - 1, cut.last)
    return "".join(result)


def _remove(lines: list[str], start: int, end: int) -> None:
    """Remove lines[start:end], a section comment that heads nothing else, and the blank lines too many."""
    above = _skip(start, -1, lambda i: i > 0 and not lines[i - 1].strip())
    below = _skip(end, 1, lambda i: i < len(lines) and not lines[i].strip())
    section = _skip(above, -1, lambda i: i > 0 and lines[i - 1].lstrip().startswith("#"))
    if section < above < start and section > 0 and not lines[section - 1].strip():
        indent = _indent(lines[section])
        over = below == len(lines) or _indent(lines[below]) < indent or _is_section(lines, below)
        if over:
            return _remove(lines, section, end)
    blank = max(start - above, below - end)
    if below == len(lines) or lines[above - 1].rstrip().endswith(":"):
        blank = 0
    elif not re.match(r"(async |def |class |@|#)", lines[below]) and not lines[above - 1].startswith(" "):
        blank = min(blank, 1)
    lines[above:below] = ["\n"] * blank
    return None


def _skip(i: int, step: int, going: Callable[[int], bool]) -> int:
    while going(i):
        i += step
    return i


def _is_blank(lines: list[str]) -> bool:
    return not any(line.strip() for line in lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_section(lines: list[str], i: int) -> bool:
    """Whether a comment that stands alone begins at line `i`."""
    end = _skip(i, 1, lambda j: j < len(lines) and lines[j].lstrip().startswith("#"))
    return end > i and (end == len(lines) or not lines[end].strip())


# The command --------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(options: argparse.Namespace) -> int:
    del options
    files(catalogue.SOLUTIONS)  # an error comes before the backup
    backups.save("skeleton")
    changed = write(catalogue.SOLUTIONS, catalogue.STUDENT)
    for path in changed:
        print(f"tinytorch/{path}")
    print(f"{len(changed)} files changed." if changed else "tinytorch/ is the skeleton already.")
    return 0
