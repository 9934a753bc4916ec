"""Canaries: is a green spec green because the code is right?

Code in the same process as its judge can say anything of itself. So a spec that was green is run twice more, in an
order that is drawn: on the student's code, where it has to be green again, and with one function of it replaced by a
planted mistake, where it has to be red. Every copy that runs, graded or not, is changed at random in ways that do
nothing, so that code which looks for a change of its own source finds one always.
"""

from __future__ import annotations

import ast
import itertools
import random
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from tokenize import detect_encoding
from typing import NamedTuple

from dojo import catalogue
from dojo.catalogue import KATAS, Kata
from dojo.tree import mistakes, reference
from dojo.tree.mistakes import Mistake, parts
from dojo.tree.source import UNWRITTEN, Function, definitions, statements, stub

FAILURES = 3  # after so many, the results are not believed
TRIES = 12  # canaries of code that could reach its judge, or of which one has failed; else one that passes is enough
Files = Mapping[str, bytes]
"""The files of a kata and of the helpers beside it, by their path in `tinytorch`."""

PRIVATE = re.compile(r"\b_(?!_)")
"""In the name of a function or method that is private."""

NOTHING = ("real", "imag", "numerator", "denominator")
SIMPLE = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise, ast.Expr, ast.Delete, ast.Pass, ast.Assert,
    ast.Import, ast.ImportFrom, ast.Break, ast.Continue,
)  # fmt: skip


# Source ---------------------------------------------------------------------------------------------------


def text_of(content: bytes) -> tuple[str, str]:
    """The text of a Python file, and its encoding. SyntaxError if it has none, ValueError if it is no text."""
    encoding, _ = detect_encoding(BytesIO(content).readline)
    text = content.decode(encoding)
    if "\0" in text:
        raise ValueError("it holds a null byte")
    return re.sub(r"\r\n?", "\n", text), encoding


@lru_cache(maxsize=64)
def parsed(content: bytes) -> tuple[str, ast.Module] | None:
    """The text and the tree of a Python file, or None if it is not Python."""
    try:
        text, _ = text_of(content)
        return text, ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def disturbed(files: Files, draw: random.Random) -> dict[str, bytes]:
    """The files with statements that do nothing, at random places. All lines keep their numbers."""
    return {
        name: _disturbed(content, draw) if name.endswith(".py") else content
        for name, content in files.items()
    }


def _disturbed(content: bytes, draw: random.Random) -> bytes:
    places = _places(content)
    return content if places is None else _with_nothing(content, map(draw.choice, places), draw)


def _with_nothing(content: bytes, places: Iterable[tuple[int, int]], draw: random.Random) -> bytes:
    """The file with a statement that does nothing before each of these, and at its end."""
    text, encoding = text_of(content)
    lines = [line.encode() for line in text.split("\n")]
    for line, column in sorted(places, reverse=True):
        lines[line] = lines[line][:column] + f"{_nothing(draw)}; ".encode() + lines[line][column:]
    lines.append(_nothing(draw).encode())
    return (b"\n".join(lines).decode() + "\n").encode(encoding)


def _nothing(draw: random.Random) -> str:
    return f"({draw.randrange(10**6)}).{draw.choice(NOTHING)}"


@lru_cache(maxsize=512)
def _places(content: bytes) -> list[list[tuple[int, int]]] | None:
    """For each function the lines and the columns (in bytes) of its statements.

    None if it cannot be imported as it is, or with a statement that does nothing at all these places.
    """
    found = parsed(content)
    if found is None:
        return None
    places = []
    for node in statements(found[1]):
        if isinstance(node, Function):
            docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            mine = [
                (each.lineno - 1, each.col_offset) for each in _simple(node.body) if each is not docstring
            ]
            places += [mine] if mine else []
    everywhere = _with_nothing(content, itertools.chain(*places), random.Random(0))
    return places if parsed(everywhere) else None


def _simple(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """The simple statements of a body and of the blocks in it, but not of functions and classes in it."""
    for node in body:
        if isinstance(node, SIMPLE):
            yield node
        elif isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case)) and not isinstance(
            node, (Function, ast.ClassDef)
        ):
            yield from _simple(ast.iter_child_nodes(node))


# Planting -----------------------------------------------------------------------------------------------


@cache
def _mistakes(number: int) -> list[Mistake]:
    return mistakes.load(KATAS[number - 1])


@cache
def known(number: int) -> tuple[tuple[Mistake, str, str], ...]:
    """The kata's mistakes, each with the reference's function and the wrong one.

    Those in private functions are left out: a student has others, and a mistake in one that nobody calls shows nowhere.
    """
    kata = KATAS[number - 1]
    rights: dict[str, str] = {}
    for path in reference.modules(kata).values():
        text = path.read_text(encoding="utf-8")
        rights |= {name: reference.source(text, node) for name, node in definitions(ast.parse(text))}
    found = [each for each in _mistakes(number) if not PRIVATE.search(each.function)]
    return tuple((each, rights[each.function], each.wrong(rights[each.function])) for each in found)


def fitting(kata: Kata, green: Iterable[str], draw: random.Random) -> list[tuple[Mistake, str, str]]:
    """The mistakes that green specs should catch, in a random order."""
    names = set(green)
    found = [each for each in known(kata.number) if each[0].spec in names]
    draw.shuffle(found)
    return found


def says(mistake: Mistake) -> str:
    """What is wrong, in one line."""
    [node] = ast.parse(mistake.source).body
    assert isinstance(node, Function)
    return " ".join((ast.get_docstring(node) or mistake.name).split("\n\n")[0].split())


def plant(files: Files, mistake: Mistake, right: str, wrong: str) -> dict[str, bytes] | None:
    """The files with the mistake in place of the student's function; None if it does not fit there.

    A function that is not defined by `def`, once, is replaced at the end of the module.
    """
    found = []
    for name, content in files.items():
        if name.endswith(".py") and (it := parsed(content)):
            found += [(name, it[0], node) for each, node in definitions(it[1]) if each == mistake.function]
    if len(found) != 1:
        return _appended(files, mistake, wrong)
    name, text, node = found[0]
    lines = text.split("\n")
    place = reference.lines(node)
    new = _together("\n".join(lines[place]), right, wrong)
    if new is None:
        return None
    lines[place] = textwrap.indent(new, " " * node.col_offset).rstrip("\n").split("\n")
    return {**files, name: _encoded("\n".join(lines), files[name])}


def _encoded(text: str, before: bytes) -> bytes:
    _, encoding = text_of(before)
    return text.encode(encoding)


def _together(mine: str, right: str, wrong: str) -> str | None:
    """The student's function with the wrong one's body: decorators, names and annotations are the student's."""
    mine = textwrap.dedent(mine) + "\n"
    try:
        here, there = _only(mine), _only(right)
    except (SyntaxError, ValueError):
        return None
    head, docstring, _ = parts(mine)
    right_head, _, _ = parts(right)
    wrong_head, wrong_docstring, body = parts(wrong)
    if wrong_head != right_head:  # the mistake is in the head: it comes whole
        return wrong_head + wrong_docstring + body
    if not head.strip() or not _names(there) <= _names(here):  # all in one line, or other parameters
        decorators = "".join(f"@{ast.unparse(each)}\n" for each in here.decorator_list)
        bare = "".join(right.splitlines(keepends=True)[there.lineno - 1 : there.body[0].lineno - 1])
        return decorators + bare + wrong_docstring + body
    return head + docstring + body


def _only(function: str) -> Function:
    [node] = ast.parse(function).body
    if not isinstance(node, Function):
        raise ValueError("no function")
    return node


def _names(node: Function) -> set[str]:
    return {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}


def _appended(files: Files, mistake: Mistake, wrong: str) -> dict[str, bytes] | None:
    """The files with the wrong function at the end of the module, under the name that others import."""
    slug = mistake.kata.slug
    module, _, node = reference.only(mistake.kata, mistake.function)
    same = reference.modules(mistake.kata)[module].relative_to(catalogue.SOLUTIONS).as_posix()
    name = next((each for each in (same, f"{slug}/__init__.py", f"{slug}.py") if each in files), None)
    if name is None or (it := parsed(files[name])) is None:
        return None
    made = f"def _made():\n{textwrap.indent(wrong, '    ')}\n    return {node.name}\n"
    return {**files, name: _encoded(f"{it[0]}\n\n\n{made}\n\n{mistake.function} = _made()\n", files[name])}


# Found without running ----------------------------------------------------------------------------------


def unwritten(files: Files, kata: Kata) -> set[str]:
    """The functions that are stubs, and defined nowhere else in the kata's files."""
    stubs: set[str] = set()
    others: set[str] = set()
    trees: list[ast.Module] = []
    for name, content in files.items():
        if (
            not name.endswith(".py")
            or catalogue.kata_of(Path(name), Path()) != kata
            or not (it := parsed(content))
        ):
            continue
        waiting = _Means.of(content).stubs
        for each, node in definitions(it[1]):
            raised = waiting and stub(kata, each) in ast.unparse(node)
            (stubs if raised and each not in stubs else others).add(each)
        trees.append(it[1])
    for statement in itertools.chain(*map(ast.walk, trees if stubs else [])):
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.ImportFrom, ast.Import)):
            others |= {each.id for each in ast.walk(statement) if isinstance(each, ast.Name)}
            others |= {alias.asname or alias.name for alias in getattr(statement, "names", [])}
            others |= {each.attr for each in ast.walk(statement) if isinstance(each, ast.Attribute)}
    return {each for each in stubs if each not in others and each.rpartition(".")[2] not in others}


@cache
def specs_naming(number: int) -> dict[str, list[str]]:
    """For each function of a kata the specs that call it by its name: while it is a stub they cannot be green.

    A function counts where the spec file imports it from the kata; a method, where a mistake in it turns the spec red.
    """
    kata = KATAS[number - 1]
    caught = {(each.function, each.spec) for each in _mistakes(number)}
    found: dict[str, list[str]] = {}
    for path in sorted(kata.folder.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name: alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(kata.module)
            for alias in node.names
        }
        for spec in tree.body:
            if not isinstance(spec, ast.FunctionDef) or not spec.name.startswith("test_"):
                continue
            called = [node.func for node in ast.walk(spec) if isinstance(node, ast.Call)]
            for each in called:
                if isinstance(each, ast.Name) and each.id in imported:
                    found.setdefault(imported[each.id], []).append(spec.name)
            attributes = {each.attr for each in called if isinstance(each, ast.Attribute)}
            for function, caught_by in caught:
                if "." in function and caught_by == spec.name and function.rpartition(".")[2] in attributes:
                    found.setdefault(function, []).append(spec.name)
    return found


def forged(files: Files, kata: Kata, green: Iterable[str]) -> list[str]:
    """The specs that are green though the function that they call is not written, as sentences."""
    stubs = unwritten(files, kata)
    if not stubs:
        return []
    names = set(green)
    naming = specs_naming(kata.number)
    return [
        f"{spec} is green, and `{function}`, which it calls, is not written"
        for function in sorted(stubs & naming.keys())
        for spec in dict.fromkeys(naming[function])
        if spec in names
    ]


@cache
def _means(number: int) -> tuple[frozenset[str], frozenset[str]]:
    """What the reference of a kata imports, and what of Python's insides it uses."""
    theirs = {path.name: path.read_bytes() for path in reference.modules(KATAS[number - 1]).values()}
    return frozenset(_imports(theirs)), frozenset(_insides(theirs))


def imports(files: Files, kata: Kata) -> list[str]:
    """The modules that these files import and the reference of the kata does not."""
    mine = _imports(files) - _means(kata.number)[0]
    own = {name.partition("/")[0].removesuffix(".py") for name in files}
    return sorted(each for each in mine if each.removeprefix("tinytorch.").partition(".")[0] not in own)


def could_reach_its_judge(files: Files, kata: Kata) -> bool:
    """Whether the code has means that the reference does without: other modules, or Python's own insides.

    That is no reproach. Such code is only asked more questions.
    """
    foreign = {name.partition(".")[0] for name in imports(files, kata)} - HARMLESS
    return bool(foreign or _insides(files) - _means(kata.number)[1])


HARMLESS = frozenset(
    (
        *(
            "__future__",
            "abc",
            "bisect",
            "collections",
            "copy",
            "dataclasses",
            "decimal",
            "enum",
            "fractions",
        ),
        *("functools", "heapq", "itertools", "math", "numbers", "numpy", "operator", "random", "re", "scipy"),
        *("statistics", "string", "struct", "tinytorch", "typing", "warnings"),
    )
)


INSIDES = ("__import__", "__builtins__", "exec", "eval", "compile", "globals", "vars", "open")
"""Names with which code reaches what it was not given."""


def _insides(files: Files) -> set[str]:
    """The names with which code reaches what it was not given."""
    return {
        each for name, content in files.items() if name.endswith(".py") for each in _Means.of(content).insides
    }


def _imports(files: Files) -> set[str]:
    return {
        each for name, content in files.items() if name.endswith(".py") for each in _Means.of(content).imports
    }


class _Means(NamedTuple):
    """What a Python file uses, as far as it tells who wrote it for what. Nothing if it is no Python."""

    imports: frozenset[str] = frozenset()
    insides: frozenset[str] = frozenset()
    stubs: bool = False
    """Whether a text in it reads like that of a stub."""

    @staticmethod
    @lru_cache(maxsize=512)
    def of(content: bytes) -> _Means:
        it = parsed(content)
        imports, insides, stubs = set[str](), set[str](), False
        for node in ast.walk(it[1]) if it else ():
            if isinstance(node, ast.Name) and node.id in INSIDES:
                insides.add(node.id)
            elif isinstance(node, ast.Attribute) and node.attr.startswith(("__", "f_", "tb_", "co_")):
                insides.add(node.attr)
            elif isinstance(node, ast.Import):
                imports |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imports.add(node.module or "")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                stubs |= UNWRITTEN.search(node.value) is not None
        return _Means(frozenset(imports), frozenset(insides), stubs)
