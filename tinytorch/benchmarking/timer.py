"""How long a call takes: measured in blocks, so that the clock's own cost disappears, and several times.

A single time is a number without a spread, and nobody can tell whether it would come again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinytorch.dispatch import Array

Call = Callable[[], Any]
"""What is measured: a function without arguments."""

Clock = Callable[[], float]
"""Seconds. time.process_time is the CPU time of this process, time.perf_counter the time on the wall."""


def time_calls(function: Call, number: int, timer: Clock = time.process_time) -> float:
    """The seconds that `number` calls take together: `timer` is read once before them and once after them.

    The garbage collector is off meanwhile (gc.disable), because it could run in any of them. Afterwards, and after
    an error, it is as it was.
    """
    raise NotImplementedError("kata 19: time_calls")


def calls_per_block(function: Call, min_block: float, timer: Clock = time.process_time) -> int:
    """How many calls make a block of at least `min_block` seconds: 1, 2, 4, 8, ..., whichever is first enough.

    One call goes before, unmeasured: a first call fills caches, loads what is missing, and says nothing about the
    second.
    """
    raise NotImplementedError("kata 19: calls_per_block")


def format_time(seconds: float) -> str:
    """A time with three significant digits, in the largest of s, ms, us and ns that makes it at least 1: "1.23 ms".

    Less than 1 ns is shown in ns too.
    """
    raise NotImplementedError("kata 19: format_time")


@dataclass(frozen=True)
class Measurement:
    """What a Timer found (torch.utils.benchmark.Measurement)."""

    number_per_run: int
    """How many calls a block had."""
    raw_times: tuple[float, ...]
    """The seconds of each block."""
    label: str = ""

    @property
    def times(self) -> Array:
        """The seconds of one call, block by block: float64."""
        raise NotImplementedError("kata 19: Measurement.times")

    @property
    def median(self) -> float:
        """The time in the middle. A block that something disturbed moves the mean, and hardly moves the median."""
        raise NotImplementedError("kata 19: Measurement.median")

    @property
    def iqr(self) -> float:
        """The interquartile range: from the 25th to the 75th percentile, where the middle half of the times lies."""
        raise NotImplementedError("kata 19: Measurement.iqr")

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two of the times, between which the true median lies with this probability at least.

        Each time is below the true median as a coin falls, so how many are below it is binomial. Sorted, the interval
        goes from times[k] to times[n - 1 - k], with the largest k for which at most k of n coins fall on heads with a
        probability of at most (1 - confidence) / 2. It assumes no distribution. If there are so few times that no k
        will do, it goes from the smallest to the largest.
        """
        raise NotImplementedError("kata 19: Measurement.interval")

    def __str__(self) -> str:
        """In one line: the label and ": ", if there is one, the median, the IQR, the blocks and the calls in each.

        As in "matmul: 1.23 ms (IQR 45.6 us, 13 blocks of 16 calls)".
        """
        raise NotImplementedError("kata 19: Measurement.__str__")


class Timer:
    """Measures how long a function takes (torch.utils.benchmark.Timer).

    By default it is CPU time, which does not count what other programs do meanwhile. `timer=time.perf_counter` gives
    wall time, which counts everything: waiting for a disk too.
    """

    def __init__(self, function: Call, label: str = "", timer: Clock = time.process_time) -> None:  # given
        self.function = function
        self.label = label
        self.timer = timer

    def timeit(self, number: int = 1) -> Measurement:
        """One block of `number` calls, after one call that is not measured."""
        raise NotImplementedError("kata 19: Timer.timeit")

    def blocked_autorange(self, min_run_time: float = 0.2) -> Measurement:
        """Blocks of `calls_per_block`, one after the other, until they have taken `min_run_time` seconds in all.

        A block takes at least a twentieth of that.
        """
        raise NotImplementedError("kata 19: Timer.blocked_autorange")
