"""`make reset`: put one kata's skeleton back. What was there is in the newest backup."""

from __future__ import annotations

import argparse

from dojo import catalogue
from dojo.catalogue import built_kata
from dojo.errors import DojoError, display
from dojo.tree import backups
from dojo.tree.skeleton import derive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata's number, 1 to 20")


def run(options: argparse.Namespace) -> int:
    if not options.n:
        raise DojoError("Say which kata: `make reset N=1`.")
    kata = built_kata(options.n)
    made = derive.files(catalogue.SOLUTIONS)
    yours = backups.contents(catalogue.STUDENT)
    mine = backups.part(kata, yours)
    others = {path: data for path, data in yours.items() if path not in mine}
    changed = backups.change("reset", {**others, **backups.part(kata, made)})
    if not changed:
        display(f"Kata {kata.name} is already the skeleton.")
        return 0
    for path in changed:
        print(f"tinytorch/{path}")
    display(f"Kata {kata.name} is the skeleton again. Your work is kept: `make restore N=1` brings it back.")
    return 0
