"""`make start`: begin anywhere. Each kata below that does not pass yet is copied from the reference."""

from __future__ import annotations

import argparse
from pathlib import Path

from dojo import catalogue
from dojo.catalogue import KATAS, Kata
from dojo.doctor import unreadable
from dojo.errors import DojoError, display
from dojo.run import standing, warm
from dojo.run.jobs import Job
from dojo.run.standing import Standing
from dojo.tree import backups
from dojo.tree.overlay import plan_for, shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata to begin with, 2 to 20")
    parser.add_argument(
        "--force", action="store_true", help="also replace katas that are green, or cannot be read"
    )


def run(options: argparse.Namespace) -> int:
    if not options.n:
        raise DojoError("Say which kata: `make start N=4`.")
    kata = catalogue.kata(options.n)
    reference = backups.contents(catalogue.SOLUTIONS)
    if not reference:
        raise DojoError("`make start` copies katas from solutions/, and that folder is missing.")
    yours = backups.contents(catalogue.STUDENT)
    below = [each for each in KATAS[: kata.number - 1] if each.built]
    if missing := [each.name for each in below if not backups.part(each, reference)]:
        raise DojoError(f"`make start` copies katas from solutions/, and {missing[0]} is not in it.")
    other = differing(below, yours, reference)
    if not options.force:
        refuse_what_cannot_be_read(kata, other)
    stood = {} if options.force else standings(other)
    yours = backups.contents(catalogue.STUDENT)  # again: a file may have been saved while the specs ran
    filled = [each for each in differing(below, yours, reference) if each not in stood or stood[each].red]
    replaced = {path for each in filled for path in backups.part(each, yours)}
    new = {path: data for path, data in yours.items() if path not in replaced}
    for each in filled:
        new |= backups.part(each, reference)
    backups.change("start", new)
    if filled:
        display("Copied from the reference:")
        for each in filled:
            display(f"  {each.name}{_was(stood.get(each))}")
        display(f"What was there is in {shown(backups.saved()[-1])}: `make restore N=1` brings it back.")
    kept = [each for each in below if each not in filled]
    if kept:
        display("Kept as they are: " + ", ".join(each.name for each in kept) + ".")
    display(_next(kata))
    return 0


def _was(stood: Standing | None) -> str:
    """How far the replaced kata was."""
    if stood is None:
        return ""
    if not stood.green and stood.state == "next":
        return " (it was not begun)"
    return f" ({stood.green} of {stood.total} were green)"


def _next(kata: Kata) -> str:
    if not kata.built:
        return f"Kata {kata.name} is planned and not written yet. All katas that are written are filled in."
    return f"next: `make kata N={kata.number}` ({kata.slug}: {kata.discovery})"


def differing(below: list[Kata], yours: dict[Path, bytes], reference: dict[Path, bytes]) -> list[Kata]:
    """The katas where the student's files differ from the reference."""
    return [each for each in below if backups.part(each, yours) != backups.part(each, reference)]


def refuse_what_cannot_be_read(kata: Kata, katas: list[Kata]) -> None:
    """Refuse to replace a file that cannot be read: one typo makes all specs red, and the work may be good."""
    for each in katas:
        for path in each.files(catalogue.STUDENT):
            if path.is_file() and path.suffix == ".py" and (problem := unreadable(path)):
                raise DojoError(
                    f"{shown(path)} is not Python yet: {problem}. Mend that line and try again: katas that are "
                    f"green are kept. Or `make start N={kata.number} FORCE=1` replaces all katas below {kata.number}."
                )


def standings(katas: list[Kata]) -> dict[Kata, Standing]:
    """How each stands when all other katas are the reference: none is red because of another."""
    if not katas:
        return {}
    display(f"looking at how far you are with {', '.join(each.slug for each in katas)} ...")
    warm.preload()
    return dict(warm.together((each, _stand(each)) for each in katas))


def _stand(kata: Kata) -> warm.Task[Standing]:
    outcome = yield Job([f"katas/{kata.name}"], plan_for("student", kata.number))
    return standing.judge(kata, outcome.results)
