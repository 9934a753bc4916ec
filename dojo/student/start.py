"""`make start`: begin anywhere. The katas below that are not green are filled from the reference."""

from __future__ import annotations

import argparse
from pathlib import Path

from dojo import catalogue
from dojo.catalogue import KATAS, Kata, built_kata
from dojo.errors import DojoError
from dojo.run import standing, warm
from dojo.run.jobs import Job
from dojo.tree import backups
from dojo.tree.overlay import plan_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata to begin with, 2 to 20")
    parser.add_argument("--force", action="store_true", help="fill the green ones too")


def run(options: argparse.Namespace) -> int:
    if not options.n:
        raise DojoError("Say which kata: `make start N=4`.")
    kata = built_kata(options.n)
    reference = backups.contents(catalogue.SOLUTIONS)
    if not reference:
        raise DojoError("There is no solutions/ here, and `make start` fills katas from it.")
    yours = backups.contents(catalogue.STUDENT)
    below = [each for each in KATAS[: kata.number - 1] if each.built]
    green = [] if options.force else green_ones(differing(below, yours, reference))
    yours = backups.contents(catalogue.STUDENT)  # again: a file may have been saved while the specs ran
    filled = [each for each in differing(below, yours, reference) if each not in green]
    replaced = {path for each in filled for path in backups.part(each, yours)}
    new = {path: data for path, data in yours.items() if path not in replaced}
    for each in filled:
        new |= backups.part(each, reference)
    backups.change("start", new)
    if filled:
        print("Filled from the reference: " + ", ".join(each.name for each in filled) + ".")
        print("What was there is kept: `make restore N=1` takes it back.")
    kept = [each for each in below if each not in filled]
    if kept:
        print("Left as they are: " + ", ".join(each.name for each in kept) + ".")
    print(f"next: `make kata N={kata.number}` ({kata.slug}: {kata.discovery})")
    return 0


def differing(below: list[Kata], yours: dict[Path, bytes], reference: dict[Path, bytes]) -> list[Kata]:
    """The katas where the student has something else than the reference."""
    return [each for each in below if backups.part(each, yours) != backups.part(each, reference)]


def green_ones(katas: list[Kata]) -> list[Kata]:
    """Those whose every spec is green. Each stands on the reference's katas: none is red for another's sake."""
    if not katas:
        return []
    print(f"looking at what is written of {', '.join(each.slug for each in katas)} ...", flush=True)
    warm.preload()
    found = warm.together((each, _is_green(each)) for each in katas)
    return [each for each, green in found if green]


def _is_green(kata: Kata) -> warm.Task[bool]:
    outcome = yield Job(["-x", f"katas/{kata.name}"], plan_for("student", kata.number))
    return not standing.judge(kata, outcome.results).red
