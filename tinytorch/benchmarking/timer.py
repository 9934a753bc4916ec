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

    Raises:
        ValueError: after a block that is too short, 1 s + 100 * min_block have passed on the wall (time.perf_counter)
            since the first block began: the clock hardly counts what the function does, as CPU time does not count
            sleep. The message says "clock", and what to give for `timer`.
    """
    raise NotImplementedError("kata 19: calls_per_block")


def format_time(seconds: float) -> str:
    """A time with three significant digits, in the largest of s, ms, us and ns that makes it at least 1: "1.23 ms".

    It is rounded first: 0.9996 is "1 s". Less than 1 ns is shown in ns too, and 1234 seconds are "1230 s".
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
        """The time in the middle (np.median). A disturbed block moves the mean, and hardly moves the median."""
        raise NotImplementedError("kata 19: Measurement.median")

    @property
    def iqr(self) -> float:
        """The interquartile range: from the 25th to the 75th percentile, where the middle half of the times lies."""
        raise NotImplementedError("kata 19: Measurement.iqr")

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two of the times, between which the true median lies with this probability at least.

        Whether a time is below the true median is like the toss of a coin, so how many of the n times are below it is
        binomial. Of the sorted times the interval goes from times[k] to times[n - 1 - k]. k is the largest number for
        which n coins show at most k heads with a probability of at most (1 - confidence) / 2. If there are so few
        times that not even 0 is such a number, k is 0. It assumes nothing else of the times
        (scipy.stats.quantile_test).
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
