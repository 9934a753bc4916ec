"""`make board`: the twenty katas, how far each is, and the milestones. Runs only what has changed."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dojo.catalogue import KATAS, STUDENT, Kata
from dojo.errors import display
from dojo.report.screen import say
from dojo.run import chosen, standing
from dojo.run.standing import Standing
from dojo.student import milestone
from dojo.tree.taking import taken

WIDE = 72  # columns; from here on there is room for the first red spec and the milestone's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # the board takes none


def run(options: argparse.Namespace) -> int:
    del options
    console = Console(highlight=False)
    built = [kata for kata in KATAS if kata.built]
    found: dict[Kata, Standing] = {}
    display(f"running the katas that have changed{chosen.word()} ...")
    for kata, one in standing.standings(built):
        found[kata] = one
        if console.is_terminal:
            console.print(f"{len(found)} of {len(built)} katas", end="\r")
    console.print(table(found, console.width))
    say(_closing(found))
    return 0


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
    for kata in KATAS:
        one = found.get(kata)
        counts = (Text(str(one.green), "green"), Text(str(one.total - one.green))) if one else ("", "")
        row = [f"{kata.id} {kata.slug}", *counts, _word(kata, one, wide)]
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
        return Text("green", "bold green")
    if one.green == 0 and one.state == "next":
        return Text("not begun")
    return Text(one.summary) if wide else Text("begun" if one.state == "next" else "red", "red")


def _milestone(kata: Kata) -> Text:
    if not kata.milestone:
        return Text("")
    on = milestone.reached(kata)
    return Text(f"reached on {on}", "green") if on else Text(kata.milestone, "dim")


def _closing(found: dict[Kata, Standing]) -> str:
    first = next((kata for kata in KATAS if kata in found and found[kata].red), None)
    if first is None:
        return "Every kata that is written so far is green."
    return f"next: `make kata N={first.number}`"
