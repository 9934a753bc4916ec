"""`make kata`: one kata's specs up to the first red one, explained. When all is green, the katas below are run too."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dojo.catalogue import KATAS, Kata, built_kata
from dojo.commands import split
from dojo.errors import RED, DojoError, display
from dojo.report.screen import say
from dojo.run.cold import narrowed, run_kata
from dojo.student import hint

if TYPE_CHECKING:
    from dojo.run.standing import Standing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata's number, 1 to 20")
    parser.add_argument("--track", default="", help="one track of a kata that has several")
    parser.add_argument("-k", "--k", metavar="WORDS", help="only the specs whose names match, as pytest's -k")
    parser.add_argument("--args", default="", metavar="ARGS", help="more arguments for pytest")


def run(options: argparse.Namespace) -> int:
    if not options.n:
        raise DojoError("Say which kata: `make kata N=1`.")
    kata = built_kata(options.n, options.track)
    more = [*(["-k", options.k] if options.k else []), *split(options.args)]
    display(f"running kata {kata.title} ...")
    if len(kata.parts) > 1:
        say(f"You choose one of its tracks: {kata.choices} runs that one alone.")
    verdict = run_kata(kata, args=["-x", *more])
    if verdict.said:
        say(verdict.said)
    hint.moved_on(verdict.first_red)
    if verdict.code:
        return verdict.code
    if narrowed(more):
        say(f"That part is green. `make kata {kata.words}` runs all of it.")
        return 0
    return after_green(kata)


def after_green(kata: Kata) -> int:
    """Run those of the katas below a green one that have changed, and say what to do next."""
    from dojo.run import standing  # only now: it is slow to import, and a kata is usually red

    below = [each for each in KATAS[: kata.number - 1] if each.built]
    if below:
        say("looking at the katas below it ...")
    found = standing.stand(below)
    for each in below:
        if found[each].red:
            say(broken(each, found[each]))
            return RED
    say(what_next(kata))
    return 0


def broken(kata: Kata, found: Standing) -> str:
    """The sentences about a lower kata that should be green and is not."""
    spec = found.red.rpartition("::")[2]
    return (
        f"But kata {kata.title} is red ({found.green}/{found.total}): {spec}: {found.summary}\n"
        f"`make kata {kata.words}` shows it."
    )


def what_next(kata: Kata, how: str = "") -> str:
    """The sentences about a kata that is green, like all below it. `how` to continue, if not by a command."""
    lines = [
        f"Kata {kata.title} is green."
        if kata.number == 1
        else f"Kata {kata.title} is green, and all below it."
    ]
    if kata.milestone:
        for part in kata.parts:
            lines.append(f"See what it can do: `make milestone {part.words}` ({part.milestone}).")
    following = next_kata(kata)
    if following:
        how = how or f"`make kata N={following.number}`"
        lines.append(f"next: {how} ({following.slug}: {following.discovery})")
    else:
        lines.append("That was the last kata that is written so far.")
    return "\n".join(lines)


def next_kata(kata: Kata) -> Kata | None:
    return next((each for each in KATAS[kata.number :] if each.built), None)
