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
from pathlib import Path

from dojo import catalogue
from dojo.catalogue import KATAS, Kata
from dojo.errors import DojoError
from dojo.tree import backups
from dojo.tree.skeleton.bodies import Module
from dojo.tree.skeleton.checks import check, check_imports
from dojo.tree.skeleton.imports import without_unused


def skeleton(source: str, kata: Kata) -> str:
    """The student's version of one file of the reference."""
    text = Module(source, kata).stubbed()
    text = without_unused(text)
    check(source, text, kata)
    return text


def written(source: str, kata: Kata) -> list[str]:
    """The qualified names of the functions that the student writes in one file, in its order."""
    return Module(source, kata).stubs


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
    check_imports(made)
    return made


def wanted(solutions: Path, tree: Path) -> dict[Path, bytes]:
    """What `tree` holds when it is the skeleton. Files that are not Python stay."""
    others = {path: data for path, data in backups.contents(tree).items() if path.suffix != ".py"}
    return {**others, **{path: text.encode() for path, text in files(solutions).items()}}


# The command --------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(options: argparse.Namespace) -> int:
    del options
    changed = backups.change("skeleton", wanted(catalogue.SOLUTIONS, catalogue.STUDENT))
    for path in changed:
        print(f"tinytorch/{path}")
    print("tinytorch/ is the skeleton." if changed else "tinytorch/ is the skeleton already.")
    return 0
