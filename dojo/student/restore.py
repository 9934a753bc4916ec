"""`make restore`: the backups, the newest first, and the way back to each. It is backed up itself."""

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
        raise DojoError("There is no backup yet: nothing was ever written over your work.")
    if not saved:
        display("There is no backup yet: nothing was ever written over your work.")
    elif not options.n:
        display(listing(saved))
    else:
        restore(chosen(options.n, saved))
    return 0


def listing(saved: list[Path]) -> str:
    """The newest backups, numbered, and how far each is from what is there now."""
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
        [*lines, "", "`make restore N=1` takes the newest back; that can be undone the same way."]
    )


def described(backup: Path) -> str:
    """`2026-01-31 17:45, before reset` for a folder named 2026-01-31-174500-before-reset."""
    moment, _, command = backup.name.partition("-before-")
    try:
        return f"{time.strftime('%Y-%m-%d %H:%M', time.strptime(moment, backups.TIME))}, before {command}"
    except ValueError:  # somebody renamed it
        return backup.name


def chosen(number: str, saved: list[Path]) -> Path:
    if number.strip().isdecimal() and 1 <= int(number) <= len(saved):
        return saved[int(number) - 1]
    raise DojoError(
        f"There is no backup {number!r}: they are numbered 1 to {len(saved)}, see `make restore`."
    )


def restore(backup: Path) -> None:
    changed = backups.change("restore", backups.contents(backup))
    for path in changed:
        print(f"tinytorch/{path}")
    if changed:
        display(f"tinytorch/ is what it was on {described(backup)}. `make restore N=1` undoes this.")
    else:
        display(f"tinytorch/ is already what it was on {described(backup)}.")
