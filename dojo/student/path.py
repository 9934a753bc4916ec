"""`make path`: work on the short path, with what the stories and the milestones need, or on the whole of each kata."""

from __future__ import annotations

import argparse

from dojo.catalogue import KATAS
from dojo.errors import DojoError, display
from dojo.run import chosen, specs
from dojo.run.specs import PATHS, SHORT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="PATH", help="short or whole; without it, which one it is now")


def run(options: argparse.Namespace) -> int:
    if options.to and options.to not in PATHS:
        raise DojoError(f"There is no path {options.to!r}: TO=short or TO=whole.")
    if options.to:
        chosen.choose(options.to)
    path = chosen.path()
    built = [kata for kata in KATAS if kata.built]
    cases, short = (sum(specs.total(kata, each) for kata in built) for each in PATHS)
    words = f"the {short} of {cases} specs that the stories and the milestones need"
    display(f"You are on the {path} path: {words if path == SHORT else 'every spec of every kata'}.")
    other = next(each for each in PATHS if each != path)
    display(f"`make path TO={other}` changes to the {other} one; what you have written stays.")
    return 0
