"""`make kata`: one kata's specs up to the first red one, explained. When all is green, the katas below are run too."""

from __future__ import annotations

import argparse
import ast
from typing import TYPE_CHECKING

from dojo.catalogue import KATAS, STUDENT, Kata, built_part
from dojo.commands import split
from dojo.errors import RED, DojoError, display
from dojo.report import record
from dojo.report.record import Record
from dojo.report.screen import say
from dojo.run import chosen, specs
from dojo.run.cold import narrowed, run_kata
from dojo.run.specs import SHORT
from dojo.student import hint, show
from dojo.tree import answers, mistakes
from dojo.tree.reference import has_reference
from dojo.tree.source import stubs

if TYPE_CHECKING:
    from dojo.run.standing import Standing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata's number, 1 to 20")
    parser.add_argument("--track", default="", help="one track of a kata that has several")
    parser.add_argument("-k", "--k", metavar="WORDS", help="only the specs whose names match, as pytest's -k")
    parser.add_argument("--args", default="", metavar="ARGS", help="more arguments for pytest")
    parser.add_argument("--json", action="store_true", help="the same as data: see AGENTS.md")


def run(options: argparse.Namespace) -> int:
    if options.json:
        return record.answer("kata", lambda: found(options))
    if not options.n:
        raise DojoError("Say which kata: `make kata N=1`.")
    kata = built_part(options.n, options.track, "kata")
    more = [*(["-k", options.k] if options.k else []), *split(options.args)]
    display(f"running kata {kata.title}{chosen.word()} ...")
    verdict = run_kata(kata, path=chosen.path(), args=["-x", *more])
    if verdict.said:
        say(verdict.said)
    hint.moved_on(verdict.first_red)
    if verdict.code:
        return verdict.code
    if narrowed(more):
        say(f"That part is green. `make kata {kata.words}` runs all of it.")
        return 0
    return after_green(kata)


def found(options: argparse.Namespace) -> tuple[int, Record]:
    """What `run` says, as data."""
    kata = built_part(options.n or "", options.track, "kata")
    more = [*(["-k", options.k] if options.k else []), *split(options.args)]
    verdict = run_kata(kata, path=chosen.path(), args=["-x", *more], relay=False)
    hint.moved_on(verdict.first_red)
    passed = sum(result.state == "green" for result in verdict.results)
    return verdict.code, {
        "kata": kata.number,
        "name": kata.name,
        "state": "green" if verdict.code == 0 else "red" if verdict.first_red else "unfinished",
        "passed": passed,
        "total": specs.total(kata, chosen.path()),
        "red": record.of_spec(verdict.first_red),
        "text": verdict.said,
    }


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
    short = chosen.path() == SHORT
    what = f"The short path of kata {kata.title}" if short else f"Kata {kata.title}"
    lines = [f"{what} is green." if kata.number == 1 else f"{what} is green, and all below it.", kata.able]
    lines += to_see(kata)
    lines += [the_rest(kata)] if short else []
    following = next_kata(kata)
    if following:
        how = how or f"`make kata N={following.number}`" + (
            f" with {following.choices}" if following.tracks else ""
        )
        lines.append(f"next: {how} ({following.slug}). {following.question}")
    else:
        lines.append("That was the last kata that is written so far.")
    return "\n".join(lines)


def to_see(kata: Kata) -> list[str]:
    """What there is to look at after a kata: its milestone or its picture, its hunts, and other answers.

    What needs the reference or the mistakes is left out in an edition without them.
    """
    lines = []
    if kata.milestone:
        lines = [
            f"See what it can do: `make milestone {part.words}` ({part.milestone})." for part in kata.parts
        ]
    elif (kata.folder / "picture.py").is_file():
        needs = " It may need functions off the short path." if chosen.path() == SHORT else ""
        lines = [f"See it: `make show N={kata.number}` ({show.subject(kata)}).{needs}"]
    if (kata.folder / "hunts.py").is_file() and mistakes.file(kata).is_file() and has_reference(kata):
        lines.append(f"Find a mistake in a copy of it: `make hunt N={kata.number}`.")
    for path in answers.files(kata)[:1]:
        subject = answers.Answers(kata, path).subject
        lines.append(f"Another way to write some of it: `make another N={kata.number}` ({subject}).")
    return lines


def the_rest(kata: Kata) -> str:
    """What is left of a kata whose short path is green."""
    paths = [path for path in kata.files(STUDENT) if path.suffix == ".py" and path.is_file()]
    left = sum(len(stubs(ast.parse(path.read_bytes()), kata)) for path in paths)
    what = {0: "Its other specs make", 1: "1 function more makes"}.get(left, f"{left} functions more make")
    return f"{what} the kata whole: `make path TO=whole`, then `make kata N={kata.number}`."


def next_kata(kata: Kata) -> Kata | None:
    return next((each for each in KATAS[kata.number :] if each.built), None)
