"""pytest in a process of its own: what the child of a run does, and the command `pytest`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from dojo.catalogue import ROOT
from dojo.run.process import connect, tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("args", nargs="*", metavar="ARGS", help="arguments for pytest, behind --")


def run(options: argparse.Namespace) -> int:
    connect()
    code = run_pytest(options.args)
    tell({"ended": code})
    return code


def run_pytest(args: Sequence[str], plugins: Sequence[Any] = ()) -> int:
    """Run pytest in the repository and with its configuration, whatever paths are in `args`."""
    import pytest  # slow to import, and not needed in a process that only starts others

    os.chdir(ROOT)
    own = [f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", "-p", "no:debugging"]
    return int(pytest.main([*own, *args], plugins=list(plugins)))
