"""`make restore`: list the backups, the newest first, or restore one. What is there is backed up first."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from dojo import catalogue
from dojo.errors import DojoError, display
from dojo.tree import backups

SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="which backup, 1 is the newest; without it, a list")


def run(options: argparse.Namespace) -> int:
    saved = backups.saved()[::-1]
    if not saved and options.n:
        raise DojoError("There is no backup yet: no command has changed your files.")
    if not saved:
        display("There is no backup yet: no command has changed your files.")
    elif not options.n:
        display(listing(saved))
    else:
        restore(chosen(options.n, saved))
    return 0


def listing(saved: list[Path]) -> str:
    """The newest backups, numbered, and how many files of each differ from those of now."""
    now = backups.contents(catalogue.STUDENT)
    lines = []
    for number, backup in enumerate(saved[:SHOWN], 1):
        then = backups.contents(backup)
        differing = sum(then.get(path) != now.get(path) for path in then.keys() | now.keys())
        files = {0: "as it is now", 1: "1 file differs"}.get(differing, f"{differing} files differ")
        lines.append(f"{number:3}  {described(backup)}  ({files})")
    if len(saved) > SHOWN:
        lines.append(f"     and {len(saved) - SHOWN} older ones in .dojo/backups/")
    return "\n".join(
        [*lines, "", "`make restore N=1` restores the newest; that can be undone in the same way."]
    )


def described(backup: Path) -> str:
    """`2026-01-31 17:45, before reset` for a folder named 2026-01-31-174500-before-reset."""
    moment, _, command = backup.name.partition("-before-")
    try:
        return f"{time.strftime('%Y-%m-%d %H:%M', time.strptime(moment, backups.TIME))}, before {command}"
    except ValueError:  # a person renamed it
        return backup.name


def chosen(number: str, saved: list[Path]) -> Path:
    if number.strip().isdecimal() and 1 <= int(number) <= len(saved):
        return saved[int(number) - 1]
    raise DojoError(
        f"There is no backup {number!r}: they are numbered 1 to {len(saved)}, and `make restore` lists them."
    )


def restore(backup: Path) -> None:
    changed = backups.change("restore", backups.contents(backup))
    for path in changed:
        print(f"tinytorch/{path}")
    if changed:
        display(f"tinytorch/ is again what it was on {described(backup)}. `make restore N=1` undoes this.")
    else:
        display(f"tinytorch/ is already what it was on {described(backup)}.")
