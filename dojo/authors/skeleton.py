"""`make dev-skeleton`: derive tinytorch/ from the reference again."""

from __future__ import annotations

import argparse

from dojo import catalogue
from dojo.errors import DojoError
from dojo.tree import backups
from dojo.tree.skeleton import derive

NAMED = 3  # functions in the sentence that refuses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="overwrite what a person has written there")


def run(options: argparse.Namespace) -> int:
    made, there = derive.files(catalogue.SOLUTIONS), backups.contents(catalogue.STUDENT)
    if not options.force and (written := derive.work(made, there)):
        more = f" and {len(written) - NAMED} more" if len(written) > NAMED else ""
        raise DojoError(
            f"tinytorch/ holds somebody's work ({', '.join(written[:NAMED])}{more}), and this would take all of it "
            "back. `make dev-skeleton FORCE=1` does; then `make restore N=1` brings the work back."
        )
    changed = backups.change("skeleton", derive.wanted(made, there))
    for path in changed:
        print(f"tinytorch/{path}")
    print("tinytorch/ is the skeleton." if changed else "tinytorch/ is the skeleton already.")
    return 0
