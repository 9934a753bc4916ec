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

import ast
from collections.abc import Iterator
from pathlib import Path

from dojo.catalogue import Kata, files_below, kata_of
from dojo.errors import DojoError
from dojo.tree.skeleton.bodies import Module
from dojo.tree.skeleton.checks import check, check_imports
from dojo.tree.skeleton.imports import without_unused
from dojo.tree.source import definitions, stubs


def skeleton(source: str, kata: Kata) -> str:
    """The student's version of one file of the reference."""
    text = Module(source, kata).stubbed()
    text = without_unused(text)
    check(source, text, kata)
    return text


def written(source: str, kata: Kata) -> list[str]:
    """The qualified names of the functions that the student writes in one file, in its order."""
    return Module(source, kata).stubs


def files(solutions: Path) -> dict[Path, bytes]:
    """Every file of the skeleton, by its path inside the package. What is not Python is given."""
    if not solutions.is_dir():
        raise DojoError("The skeleton is made from solutions/, and that folder is missing.")
    texts, others = {}, {}
    for path in files_below(solutions):
        inside = path.relative_to(solutions)
        if path.suffix == ".py":
            texts[inside] = _made(path, kata_of(path, solutions))
        else:
            others[inside] = path.read_bytes()
    check_imports(texts)
    return {**{path: text.encode() for path, text in texts.items()}, **others}


def _made(path: Path, kata: Kata | None) -> str:
    text = path.read_text(encoding="utf-8")
    try:
        return skeleton(text, kata) if kata else text
    except (DojoError, SyntaxError) as problem:
        raise DojoError(f"{path}: {problem}") from None


def wanted(made: dict[Path, bytes], files: dict[Path, bytes]) -> dict[Path, bytes]:
    """The files of a tree that was made the skeleton. Files that are neither Python nor of a kata stay."""
    stays = {p: data for p, data in files.items() if p.suffix != ".py" and kata_of(p, Path()) is None}
    return {**stays, **made}


def work(made: dict[Path, bytes], files: dict[Path, bytes]) -> list[str]:
    """What a person has written in these files.

    These are the functions that the skeleton does not have, or has as stubs, and the files that are not Python.
    """
    given = {(kata, name) for _, kata, names in _written(made) for name in names or ()}
    found = []
    for path, kata, names in _written(files):
        found += [str(path)] if names is None else [name for name in names if (kata, name) not in given]
    return found


def _written(files: dict[Path, bytes]) -> Iterator[tuple[Path, Kata, list[str] | None]]:
    """The functions with a body in each module of a kata; None for a file that is not Python."""
    for path, data in sorted(files.items()):
        kata = kata_of(path, Path())
        if kata is None or path.suffix != ".py":
            continue
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            yield path, kata, None
            continue
        left = stubs(tree, kata)
        yield path, kata, list(dict.fromkeys(name for name, _ in definitions(tree) if name not in left))
