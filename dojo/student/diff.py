"""`make diff`: the changes that turn the student's module into the reference."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from dojo import catalogue
from dojo.catalogue import built_kata
from dojo.errors import DojoError
from dojo.tree import backups

COLOURS = {"-": "\x1b[31m", "+": "\x1b[32m", "@": "\x1b[36m"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata's number, 1 to 20")


def run(options: argparse.Namespace) -> int:
    if not options.n:
        raise DojoError("Say which kata: `make diff N=1`.")
    kata = built_kata(options.n)
    yours = backups.part(kata, backups.contents(catalogue.STUDENT))
    reference = backups.part(kata, backups.contents(catalogue.SOLUTIONS))
    if not reference:
        what = "that of this kata" if catalogue.SOLUTIONS.is_dir() else "the folder solutions/"
        raise DojoError(f"There is no reference for kata {kata.name} here: {what} is missing.")
    lines = list(differences(yours, reference))
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for line in lines:
        colour = COLOURS.get(line[:1], "") if coloured else ""
        print(f"{colour}{line}\x1b[0m" if colour else line)
    if not lines:
        print(f"Your kata {kata.name} is the same as the reference, word for word.")
    return 0


def differences(yours: dict[Path, bytes], reference: dict[Path, bytes]) -> Iterator[str]:
    """A unified diff of each file: `-` is the student's line, `+` the reference's."""
    for path in sorted(yours.keys() | reference.keys()):
        texts = [files.get(path, b"") for files in (yours, reference)]
        if texts[0] != texts[1] and any(b"\0" in text for text in texts):
            yield f"tinytorch/{path} is not text, and differs"
            continue
        before, after = (text.decode(errors="replace").splitlines() for text in texts)
        names = f"tinytorch/{path} (yours)", f"solutions/tinytorch/{path} (the reference)"
        yield from difflib.unified_diff(before, after, *names, lineterm="")
