"""`make another`: a function that is written and green, written in another way. For those who are done with it."""

from __future__ import annotations

import argparse
import ast

from dojo.catalogue import SOLUTIONS, STUDENT, Kata, built_kata
from dojo.errors import DojoError, display
from dojo.run import chosen, specs, standing
from dojo.run.specs import SHORT
from dojo.tree import answers, backups
from dojo.tree.answers import Answers
from dojo.tree.overlay import shown
from dojo.tree.source import stubs
from dojo.tree.taking import to_write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata's number, 2 to 19")
    parser.add_argument("--f", metavar="F", help="the function; without it they are listed")


def run(options: argparse.Namespace) -> int:
    if not options.n:
        raise DojoError("Say which kata: `make another N=7`.")
    kata = built_kata(options.n)
    found = offered(kata)
    wanted = options.f or ""
    named = {name: each for name, each in found.items() if wanted in (name, name.rpartition(".")[2])}
    if wanted and not named:
        raise DojoError(
            f"There is no other answer for {wanted} in kata {kata.name}. `make another N={kata.number}` lists them."
        )
    if not wanted:
        display(f"Functions of kata {kata.name} that can be written in another way:\n")
        for name, some in found.items():
            for each in some:
                display(f"  {name}: {each.of(name).says}", hang=2)
        display(f"\n`make another N={kata.number} F={next(iter(found))}` shows one.")
    for name, some in named.items():
        for each in some:
            display(f"# {name} of kata {kata.name}, from {shown(each.path)}\n")
            print(each.of(name).text)
    return 0


def offered(kata: Kata) -> dict[str, list[Answers]]:
    """The functions that have other answers, in the order of the files, each with the files that have one.

    Only what the student has written is shown, and only when the kata is green: nobody has to see a solution.
    """
    reference = backups.part(kata, backups.contents(SOLUTIONS))
    files = answers.load(kata) if reference else []
    if not files:
        raise DojoError(f"Kata {kata.name} has no other answers, or they are not in this edition.")
    found = standing.stand([kata])[kata]
    if found.red and found.state != "inconclusive":
        raise DojoError(
            f"Other answers are for green katas, and kata {kata.name} is not green yet ({found.green}/{found.total}): "
            f"`make kata N={kata.number}`."
        )
    names = set(specs.functions(kata)) if chosen.path() == SHORT else set(to_write(kata, reference))
    mine = backups.part(kata, backups.contents(STUDENT))
    for path, data in mine.items():
        names -= stubs(ast.parse(data), kata) if path.suffix == ".py" else set()
    written = dict.fromkeys(name for each in files for name in each.functions if name in names)
    return {name: [each for each in files if name in each.functions] for name in written}
