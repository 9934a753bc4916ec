"""Where the time goes: each operation with its time, as a table and as a picture of the whole run."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from tinytorch.benchmarking.counting import bytes_moved, flops
from tinytorch.benchmarking.timer import Clock, format_time
from tinytorch.dispatch import Event, observers
from tinytorch.training import write_atomically


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
        outside, self.inside.seconds = self.inside.seconds, 0.0
        start = self.timer()
        try:
            result = run()
        finally:
            seconds = self.timer() - start
            own = seconds - self.inside.seconds
            self.inside.seconds = outside + seconds
        counts = flops(event, result), bytes_moved(event, result)
        self.records.append(
            Record(event.name, event.kind, start, seconds, own, *counts, threading.get_native_id())
        )
        return result

    def key_averages(self) -> list[Row]:
        """A Row for each name and kind, with sums over its records; the one with the most own time first."""
        groups: dict[tuple[str, str], list[Record]] = {}
        for record in self.records:
            groups.setdefault((record.name, record.kind), []).append(record)
        rows = [
            Row(
                name,
                kind,
                len(group),
                sum(each.own for each in group),
                sum(each.seconds for each in group),
                sum(each.flops for each in group),
                sum(each.bytes for each in group),
            )
            for (name, kind), group in groups.items()
        ]
        return sorted(rows, key=attrgetter("own"), reverse=True)

    def table(self, row_limit: int = 10) -> str:
        """The first rows of key_averages under a headline: name, kind, calls, own time, its share, GFLOP, MB.

        The share is the part of all own times in whole percent, as in "45 %"; times are as format_time has them. What
        a kernel multiplies is not seen here; `count` sees it.
        """
        rows = self.key_averages()
        total = sum(row.own for row in rows)
        lines = [f"{'name':<16}{'kind':<11}{'calls':>7}{'own time':>11}{'share':>7}{'GFLOP':>10}{'MB':>10}"]
        for row in rows[:row_limit]:
            share = f"{row.own / total if total else 0:.0%}".replace("%", " %")
            lines.append(
                f"{row.name:<16}{row.kind:<11}{row.calls:>7}{format_time(row.own):>11}{share:>7}"
                f"{row.flops / 1e9:>10.3g}{row.bytes / 1e6:>10.3g}"
            )
        return "\n".join(lines)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write a trace that https://ui.perfetto.dev opens (torch.profiler.profile.export_chrome_trace).

        The file is JSON in the Trace Event Format: {"traceEvents": [...]} with a dict for each record: "name", "cat"
        (the kind), "ph": "X" (an event with a beginning and a duration), "ts" and "dur" in microseconds (of the start,
        counted from the earliest one, and of the duration), "pid" (os.getpid()), "tid" (the thread), and
        "args": {"flops": ..., "bytes": ...}. `write_atomically` of kata 08 writes it.
        """
        began = min((r.start for r in self.records), default=0.0)
        events = [
            {
                "name": r.name,
                "cat": r.kind,
                "ph": "X",
                "ts": (r.start - began) * 1e6,
                "dur": r.seconds * 1e6,
                "pid": os.getpid(),
                "tid": r.thread,
                "args": {"flops": r.flops, "bytes": r.bytes},
            }
            for r in self.records
        ]
        write_atomically(path, json.dumps({"traceEvents": events}).encode())
