"""`make board`: the twenty katas, how far each is, and the milestones. Runs only what has changed.

A kata with tracks has a row for each of them.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dojo.catalogue import KATAS, STUDENT, Kata
from dojo.errors import display
from dojo.report import record
from dojo.report.record import Record
from dojo.report.screen import say
from dojo.run import chosen, standing
from dojo.run.standing import Standing
from dojo.student import hunt, milestone
from dojo.tree.taking import taken

WIDE = 72  # columns; from here on there is room for the first red spec and the milestone's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the same as data: see AGENTS.md")


def run(options: argparse.Namespace) -> int:
    if options.json:
        return record.answer("board", as_data)
    console = Console(highlight=False)
    built = [kata for kata in rows() if kata.built]
    found: dict[Kata, Standing] = {}
    display(f"running the katas that have changed{chosen.word()} ...")
    for kata, one in standing.standings(built):
        found[kata] = one
        if console.is_terminal:
            console.print(f"{len(found)} of {len(built)}", end="\r")
    console.print(table(found, console.width))
    say(_closing(found))
    return 0


def rows() -> list[Kata]:
    """The katas, and in place of one with tracks each of these."""
    return [part for kata in KATAS for part in kata.parts]


def as_data() -> tuple[int, Record]:
    """The board as data."""
    found = standing.stand([kata for kata in rows() if kata.built])
    katas = []
    for kata, one in found.items():
        katas.append(
            {
                "kata": kata.number,
                "name": kata.name,
                "track": kata.track,
                "green": one.green,
                "total": one.total,
                "state": one.state,
                "red": one.red,
                "summary": one.summary,
                "milestone": kata.milestone,
                "reached_on": milestone.reached(kata),
                "hunts": len(hunt.names(kata)),
                "hunts_found": len(hunt.done(kata, "found")),
            }
        )
    first = _first_red(found)
    order = sorted(katas, key=lambda each: (each["kata"], each["track"]))
    return 0, {"katas": order, "next": first.number if first else None}


def table(found: dict[Kata, Standing], width: int) -> Table:
    """One row for each kata. Those not in `found` have not been run since their last change."""
    wide = width >= WIDE
    board = Table(box=None, pad_edge=False, header_style="dim")
    board.add_column("kata", no_wrap=True)
    board.add_column("green", justify="right")
    board.add_column("red", justify="right")
    board.add_column("")
    if wide:
        board.add_column("milestone")
    for kata in rows():
        one = found.get(kata)
        counts = (Text(str(one.green), "green"), Text(str(one.total - one.green))) if one else ("", "")
        row = [f"{kata.id} {kata.slug} {kata.track}".rstrip(), *counts, _word(kata, one, wide)]
        board.add_row(*row, *([_milestone(kata)] if wide else []), style="" if kata.built else "dim")
        if not wide and milestone.reached(kata):
            board.add_row(_milestone(kata))
    return board


def _word(kata: Kata, one: Standing | None, wide: bool) -> Text:
    """How the kata stands, in a few words, and how many functions of it were taken from the reference."""
    word = _state(kata, one, wide)
    paths = [path for path in kata.files(STUDENT) if path.suffix == ".py" and path.is_file()]
    count = sum(len(taken(path.read_bytes())) for path in paths)
    return word.append(f", taken {count}", "dim") if count else word


def _state(kata: Kata, one: Standing | None, wide: bool) -> Text:
    if not kata.built:
        return Text("planned, not written yet" if wide else "planned")
    if one is None:
        return Text("not run yet", "dim")
    if not one.red:
        found = len(hunt.done(kata, "found"))
        hunts = Text(f", {found} of {len(hunt.names(kata))} hunts" if found else "", "green")
        return Text("green", "bold green") + hunts
    if one.green == 0 and one.state == "next":
        return Text("not begun")
    return Text(one.summary) if wide else Text("begun" if one.state == "next" else "red", "red")


def _milestone(kata: Kata) -> Text:
    if not kata.milestone:
        return Text("")
    on = milestone.reached(kata)
    return Text(f"reached on {on}", "green") if on else Text(kata.milestone, "dim")


def _closing(found: dict[Kata, Standing]) -> str:
    if kata := _first_red(found):
        return f"next: `make kata N={kata.number}`" + (f" with {kata.choices}" if kata.tracks else "")
    return "Every kata that is written so far is green."


def _first_red(found: dict[Kata, Standing]) -> Kata | None:
    """The first kata that is not green. One with tracks is green when one of them is."""
    return next(
        (kata for kata in KATAS if all(part in found and found[part].red for part in kata.parts)), None
    )
