"""`make take`: give up on one function. It is copied from the reference, with what it needs, and marked as taken."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence

from dojo import catalogue
from dojo.catalogue import KATAS, Kata, built_kata
from dojo.errors import DojoError, display
from dojo.tree import backups
from dojo.tree.taking import REST, Taking, meant, to_write

SHOWN = 5  # names in a sentence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "n", nargs="?", metavar="N", help="the kata's number, where several have such a function"
    )
    parser.add_argument(
        "--f", metavar="F", help='a function, a class, or "rest": all that is not written yet'
    )
    parser.add_argument("--force", action="store_true", help="also over a function that is written")


def run(options: argparse.Namespace) -> int:
    if not options.f or (options.f == REST and not options.n):
        raise DojoError(
            "Say which function: `make take F=Tensor.stride`, or `make take N=2 F=rest` for what is left."
        )
    if not catalogue.SOLUTIONS.is_dir():
        raise DojoError("`make take` copies functions from solutions/, and that folder is missing.")
    kata, names, taking = chosen(
        options.f, [built_kata(options.n)] if options.n else [k for k in KATAS if k.built]
    )
    if not names:
        display(f"Nothing is left to take: every function of kata {kata.name} is written.")
        return 0
    again = f"make take N={kata.number} F={options.f}"
    written = [name for name in names if taking.is_written(name)]
    if written and not options.force:
        verb, them = ("is", "it") if len(written) == 1 else ("are", "them")
        raise DojoError(
            f"{listed(written)} {verb} written, so nothing was changed. `{again} FORCE=1` replaces {them}."
        )
    for name in names:
        taking.take(name)
    left = [name for name in names if taking.missing_state(name)]
    if left and not options.force:
        if options.f != REST:
            raise DojoError(other_state(taking, left[0]))
        kata, _, taking = chosen(options.f, [kata])
        names = [name for name in names if name not in left]
        for name in names:
            taking.take(name)
    if changed := save(taking):
        display(f"Taken from the reference into {' and '.join(changed)}: {', '.join(names)}.")
    else:
        display("Nothing was taken." if left else f"{listed(names)}: taken already, and as in the reference.")
    if taking.brought:
        display(f"With it came what it needs: {', '.join(taking.brought)}.")
    for name in left if not options.force else ():
        display(f"Not taken: {other_state(taking, name)}")
    if calls := taking.unwritten_calls(names):
        display(f"Not written yet, and called by it: {', '.join(calls)}.")
    if changed:
        display("Read it, change it if you like. `make restore N=1` undoes this.")
    return 0


def chosen(wanted: str, katas: Sequence[Kata]) -> tuple[Kata, list[str], Taking]:
    """The one kata that has such a function, the functions that are meant, and what takes them."""
    theirs, mine = backups.contents(catalogue.SOLUTIONS), backups.contents(catalogue.STUDENT)
    names = {kata: list(to_write(kata, backups.part(kata, theirs))) for kata in katas}
    if not any(names.values()):
        raise DojoError(
            f"There is no reference for kata {katas[0].name} in solutions/, so nothing can be taken."
        )
    having = [kata for kata in katas if wanted == REST or meant(wanted, names[kata])]
    if len(having) > 1:
        numbers = " or ".join(f"N={kata.number}" for kata in having)
        raise DojoError(f"Several katas have a function {wanted}: add {numbers}.")
    if not having:
        known = [name for each in names.values() for name in each]
        alike = [name for name in known if name.rpartition(".")[2] == wanted.rpartition(".")[2]]
        near = alike[:3] or difflib.get_close_matches(wanted, known, 3)
        more = f" Did you mean {' or '.join(near)}?" if near else ""
        raise DojoError(f"There is no function {wanted} that a student writes.{more}")
    taking = Taking(having[0], *(backups.part(having[0], files) for files in (theirs, mine)))
    return having[0], taking.chosen(wanted), taking


def other_state(taking: Taking, name: str) -> str:
    """The sentence about a method that needs what the student's class does not have."""
    owner = name.rpartition(".")[0]
    reads = ", ".join(f"self.{each}" for each in taking.missing_state(name))
    force = (
        " FORCE=1"
        if any(taking.is_written(each) for each in meant(owner, taking.names) if each != name)
        else ""
    )
    return (
        f"{name} reads {reads}, which the reference's {owner} has and yours does not. Take all of the class: "
        f"`make take F={owner}{force}`."
    )


def save(taking: Taking) -> list[str]:
    """Write what has changed into tinytorch/, after a backup."""
    yours = backups.contents(catalogue.STUDENT)
    new = {path: "".join(module.lines).encode() for path, module in taking.yours.items()}
    return [f"tinytorch/{path}" for path in backups.change("take", {**yours, **new})]


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
