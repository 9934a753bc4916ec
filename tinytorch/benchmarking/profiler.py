"""Where the time goes: each operation with its time, as a table and as a picture of the whole run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tinytorch.benchmarking.timer import Clock
from tinytorch.dispatch import Event, observers


class Record(NamedTuple):
    """One operation, from `start` on for `seconds`, of which `own` were not spent in operations that it called."""

    name: str
    kind: str
    start: float
    seconds: float
    own: float
    flops: int
    bytes: int
    thread: int


class Row(NamedTuple):
    """All operations of one name and kind together."""

    name: str
    kind: str
    calls: int
    own: float
    seconds: float
    flops: int
    bytes: int


class Inside(threading.local):
    """The seconds of the operations that ended inside the current one, in this thread."""

    seconds = 0.0


class profile:
    """`with profile() as p:` writes down every operation of the block (torch.profiler.profile).

    `records` has a Record for each, in the order in which they ended.
    """

    def __init__(self, timer: Clock = time.perf_counter) -> None:  # given
        self.timer = timer
        self.records: list[Record] = []
        self.inside = Inside()

    def __enter__(self) -> profile:  # given
        observers.append(self)
        return self

    def __exit__(self, *error: Any) -> None:  # given
        observers.remove(self)

    def __call__(self, event: Event, run: Callable[[], Any]) -> Any:
        """Call run(), add a Record, and return the result. An operation that raises has no Record.

        The timer is read right before run() and right after it. An operation may call others: its `own` time is its
        time without theirs, which `self.inside.seconds` adds up: set it to 0 before run(), and afterwards to what it
        was plus the operation's whole `seconds`, also if run() raises. `thread` is threading.get_native_id().
        """
        raise NotImplementedError("kata 19: profile.__call__")

    def key_averages(self) -> list[Row]:
        """A Row for each name and kind, with sums over its records; the one with the most own time first."""
        raise NotImplementedError("kata 19: profile.key_averages")

    def table(self, row_limit: int = 10) -> str:
        """The first rows of key_averages under a headline: name, kind, calls, own time, its share, GFLOP, MB.

        The share is the part of all own times in whole percent, as in "45 %"; times are as format_time has them. What
        a kernel multiplies is not seen here; `count` sees it.
        """
        raise NotImplementedError("kata 19: profile.table")

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write a trace that https://ui.perfetto.dev opens (torch.profiler.profile.export_chrome_trace).

        The file is JSON in the Trace Event Format: {"traceEvents": [...]} with a dict for each record: "name", "cat"
        (the kind), "ph": "X" (an event with a beginning and a duration), "ts" and "dur" in microseconds (of the start,
        counted from the earliest one, and of the duration), "pid" (os.getpid()), "tid" (the thread), and
        "args": {"flops": ..., "bytes": ...}. `write_atomically` of kata 08 writes it.
        """
        raise NotImplementedError("kata 19: profile.export_chrome_trace")
