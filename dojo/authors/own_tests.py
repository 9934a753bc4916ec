"""`make test`: the tests of the repository itself, in tests/."""

from __future__ import annotations

import argparse

from dojo.commands import split
from dojo.run.session import run_pytest
from dojo.tree.overlay import plan_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--args", default="", metavar="ARGS", help="more arguments for pytest")


def run(options: argparse.Namespace) -> int:
    plan_for("solutions")  # where there is no reference, this says so
    # The tests of a file share what took long to find out, as those of the gate do: they stay in one process.
    own = ["-n", "2", "--dist", "loadfile", "--override-ini=testpaths=tests"]
    return run_pytest([*own, *split(options.args)])
