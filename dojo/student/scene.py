"""A script in a kata's folder that shows something, milestone.py or picture.py, run on the student's own code.

The script runs in a process of its own, so that the command has an answer whatever happens there: the command calls
`play`, which starts itself again with --scene, and there it calls `answer`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from dojo.bootstrap import ENTRY
from dojo.catalogue import Kata
from dojo.errors import INTERRUPTED
from dojo.report.explain import explain
from dojo.report.screen import say
from dojo.run import chosen, process
from dojo.run.results import Spec, page, your_line
from dojo.tree import overlay

SHOW_CURSOR = "\033[?25h"
Answer = dict[str, Any]
"""What the script ended with: what the script came to, or "next", "error", "death" and "where"."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata's number, 1 to 20")
    parser.add_argument("--impl", default="student", help="student (default), solutions, or a path")
    parser.add_argument("--scene", action="store_true", help=argparse.SUPPRESS)  # in the process of its own


def play(command: str, kata: Kata, impl: str, *words: str, limit: float | None = None) -> Answer:
    """Run `command` again as a scene. Gives what the script answered before it ended, or how its process died."""
    plan = overlay.plan_for(impl)
    words = (*words, f"--impl={impl}", "--scene", str(kata.number))
    child = process.spawn(
        [sys.executable, "-P", ENTRY, command, *words], cwd=Path.cwd(), limit=limit, terminal=True
    )
    try:
        ending = child.wait()
    finally:
        if sys.stdout.isatty():
            print(SHOW_CURSOR, end="", flush=True)  # a progress bar hides it, and may have been killed
    if ending.kind == process.INTERRUPTED:
        raise KeyboardInterrupt
    answers = [record for record in child.take() if "ended" not in record]
    return answers[-1] if answers else {"death": str(ending), "where": your_line(ending, plan)}


def answer(kata: Kata, script: Path, impl: str, function: str, run: Callable[[Any], Answer]) -> int:
    """What the scene does: `perform`, and tell the parent the answer."""
    process.connect()
    os.environ["MPLBACKEND"] = "Agg"
    overlay.install(overlay.plan_for(impl))
    try:
        process.tell(perform(kata, script, function, run))
    except KeyboardInterrupt:  # the parent says so
        return INTERRUPTED
    process.tell({"ended": 0})
    return 0


def perform(kata: Kata, script: Path, function: str, run: Callable[[Any], Answer]) -> Answer:
    """Import the script and give its function to `run`: the answer, or what to tell about an error."""
    spec = Spec(kata, script, 1, function)  # an import that fails is explained as in a spec file
    try:
        spec.function = getattr(_imported(script), function)
        return run(spec.function)
    except (Exception, SystemExit) as error:
        why = explain(error, spec)
        return {"next": why.owner} if why.owner else {"error": why.text}


def _imported(script: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(script.stem, script)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def say_why(failed: Answer, what: str, command: str) -> None:
    """Say what an answer without a result means. `what` is "The milestone" or "The picture"."""
    if "next" in failed:
        number, name = failed["next"]
        task = f"write `{name}` (kata {number:02d}),"
        if chosen.leaves_out(number, name):
            task += f" which is off the short path, or `make take N={number} F={name}`;"
        say(f"next: {task} then `{command}` again.")
    elif "error" in failed:
        say(failed["error"])
    else:
        say(page(f"{what} ended without a result.", [failed["death"]], failed["where"]))
