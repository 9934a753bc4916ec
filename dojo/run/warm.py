"""Warm pytest runs: everything slow to import is loaded once, and each run is a fork of this process.

A cold `python -m pytest` spends most of a second on NumPy, pytest and hypothesis; a fork of a process that has
imported them does not. `tinytorch` is never imported in the parent, so every run sees the source as it is now.
On a system without fork, a cold run is used instead.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from dojo.bootstrap import forget_pytest_options, pin_blas
from dojo.catalogue import SOLUTIONS, files_below
from dojo.run import process
from dojo.run.jobs import Job, Run, cold
from dojo.run.results import Outcome
from dojo.run.session import run_pytest
from dojo.tree import overlay

Key = TypeVar("Key")
Answer = TypeVar("Answer")

Task = Generator[Job, Outcome, Answer]
"""Work that needs runs which depend on each other: it yields a Job, gets the Outcome, and returns its answer."""

NEEDED = (
    "numpy",
    "numpy.testing",
    "scipy.special",
    "pytest",
    "pytest_timeout",
    "xdist.plugin",
    "xdist.looponfail",
    "hypothesis",
    "hypothesis.extra.numpy",
    "hypothesis.internal.conjecture.engine",
    "hypothesis.strategies",
    "dojo.report.plugin",
    "dojo.spec",
    "dojo.fake_cupy.modules",
)


@cache
def preload() -> None:
    """Import what every run needs, once, before the first run."""
    pin_blas()
    forget_pytest_options()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    if not process.can_fork():
        return
    config = importlib.import_module("_pytest.config")
    for name in (*(f"_pytest.{plugin}" for plugin in config.default_plugins), *NEEDED):
        with contextlib.suppress(ModuleNotFoundError):  # pytest's inner modules differ between versions
            importlib.import_module(name)
    loaded = [name for name in sys.modules if name.partition(".")[0] == "tinytorch"]
    assert not loaded, f"{loaded[0]} is imported: no run could see the student's newest source"
    gc.collect()
    gc.freeze()  # a collection in a child would otherwise copy every page it looks at


def start(job: Job) -> Run:
    """Start the job, in a fork if the system can. Its output is kept, not shown."""
    if not process.can_fork():
        return cold(job, shown=False)
    if job.plan.tree == SOLUTIONS:
        compile_ahead(SOLUTIONS)
    return Run(job, process.fork(partial(_play, job), limit=job.limit, kept=True))


def compile_ahead(tree: Path) -> None:
    """Compile a tree that is trusted before a run is forked: half of the time to the first spec of a higher kata."""
    for path in files_below(tree):
        if path.suffix == ".py":
            overlay.compile_ahead(path)


def _play(job: Job) -> int:
    overlay.install(job.plan)
    return run_pytest(job.args, job.plugins)


def tell(thing: Any) -> None:
    """In a run: send the parent anything that JSON can hold."""
    process.tell({"told": thing})


# Many ---------------------------------------------------------------------------------------------------


def together(tasks: Iterable[tuple[Key, Task[Answer]]], at_once: int = 2) -> Iterator[tuple[Key, Answer]]:
    """Drive many tasks, with at most `at_once` runs at a time. Answers come when they are ready."""
    waiting = iter(tasks)
    live: list[tuple[Run, Key, Task[Answer]]] = []
    try:
        while True:
            while len(live) < at_once and (following := next(waiting, None)) is not None:
                key, task = following
                try:
                    live.append((start(next(task)), key, task))
                except StopIteration as done:
                    yield key, done.value
            if not live:
                return
            ended = [entry for entry in live if entry[0].poll()]
            if not ended:
                time.sleep(process.PAUSE)
            for entry in ended:
                run, key, task = entry
                live.remove(entry)
                try:
                    live.append((start(task.send(run.outcome())), key, task))
                except StopIteration as done:
                    yield key, done.value
    finally:
        for run, _, _ in live:
            run.kill()
