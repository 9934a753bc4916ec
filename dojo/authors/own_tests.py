"""`make test`: the tests of the repository itself, in tests/; `make test-teach`: those of the instructor's side."""

from __future__ import annotations

import argparse
import re
from typing import Any

import pytest

from dojo.catalogue import ROOT
from dojo.commands import split
from dojo.run.session import run_pytest
from dojo.tree.overlay import plan_for

TEACH = ("hostile", "teach")
"""The folders of tests/ that are about sandboxes and grading."""

WORKERS = 3  # on two cores: some tests wait for a sandbox or a browser
BY_KATA = (
    "tests/authors/test_gate.py",
    "tests/authors/test_mistakes.py",
    "tests/student/test_hunt.py",
    "tests/student/test_wrong_models.py",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--args", default="", metavar="ARGS", help="more arguments for pytest")
    parser.add_argument(
        "--teach", action="store_true", help="those about sandboxes and grading, instead of the others"
    )


def run(options: argparse.Namespace) -> int:
    plan_for("solutions")  # where there is no reference, this says so
    rooms = [path for path in sorted((ROOT / "tests").iterdir()) if [*path.glob("test_*.py")]]
    chosen = [f"tests/{path.name}" for path in rooms if (path.name in TEACH) == options.teach]
    own = [f"-n{WORKERS}", "--dist=loadscope", f"--override-ini=testpaths={' '.join(chosen)}"]
    return run_pytest([*own, *split(options.args)], [Division()])


class Division:
    """Divides the tests between the processes."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        if config.getoption("dist") != "loadscope":
            return None
        from xdist.scheduler import LoadScopeScheduling  # pytest wants to import its plugins itself

        # It would begin with what has most tests, and end with one process that plays the gate of the last kata.
        config.option.loadscopereorder = False
        scheduler = LoadScopeScheduling(config, log)
        scheduler._split_scope = together
        return scheduler


def together(id: str) -> str:
    """What stays in one process, because it shares what took long to find out: a file, or of some files a kata."""
    file, _, name = id.partition("::")
    kata = re.search(r"\[(\d\d)[]_-]", name) if file in BY_KATA else None
    return f"{file} {kata[1]}" if kata else file
