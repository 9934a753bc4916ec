"""`make data`: what there is to download, and how to get it. An interrupted download is resumed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from dojo.datasets import downloads, fetch
from dojo.datasets.downloads import Dataset
from dojo.datasets.fetch import File
from dojo.errors import DojoError, display
from dojo.tree.overlay import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="what to download; without it, a list")
    parser.add_argument("--dir", metavar="DIR", help="where to put it, instead of .dojo/data/NAME")


def run(options: argparse.Namespace) -> int:
    given = Path(options.dir).expanduser().resolve() if options.dir else None
    if given and given.exists() and not given.is_dir():
        raise DojoError(f"DIR={options.dir} is not a folder.")
    if not options.name:
        _list(given)
        return 0
    wanted = downloads.dataset(options.name)
    home = given or downloads.HOME / wanted.name
    with ExitStack() as stack:
        downloads.get(wanted, home, *_teller(stack))
    display(f"{wanted.name} is in {shown(home)}")
    return 0


def _list(given: Path | None) -> None:
    display(
        f"`make data NAME=mnist` downloads MNIST into {shown(given) if given else '.dojo/data/mnist, or into DIR'}:\n"
    )
    for each in downloads.DATASETS:
        state = _state(each, given or downloads.HOME / each.name)
        display(f"  {each.name:14}  {fetch.shown(each.size):>8}  {state:10}  {each.what}", hang=14)
    display(
        "\nWithout a network, milestones use dojo.datasets.strokes and dojo.datasets.stdlib, which need no download."
    )


def _state(wanted: Dataset, home: Path) -> str:
    if wanted.there(home):
        return "here"
    paths = [home / name for source in wanted.sources for name in (source.name, f"{source.name}.part")]
    part = sum(path.stat().st_size for path in paths if path.is_file())
    return f"{part / wanted.size:.0%} here" if part else "not here"


def _teller(stack: ExitStack) -> tuple[Callable[[File], Callable[[int], None]], Callable[[str], None]]:
    """Two functions: one is called when a file begins, one prints a sentence. On a terminal there are bars."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False)

    def begin_plainly(file: File) -> Callable[[int], None]:
        say(f"{file.name} ({fetch.shown(file.size)}) ...")
        return lambda _: None

    if not console.is_terminal:
        return begin_plainly, say
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bars = stack.enter_context(
        Progress(TextColumn("{task.description}"), BarColumn(), *columns, console=console)
    )

    def begin(file: File) -> Callable[[int], None]:
        task = bars.add_task(file.name, total=file.size, start=False)

        def arrived(size: int) -> None:
            if not bars.tasks[task].started:  # what was here before says nothing about the speed
                bars.start_task(task)
                bars.reset(task, completed=size)
            bars.update(task, completed=size)

        return arrived

    return begin, say
