"""How long a call takes: measured in blocks, so that the clock's own cost disappears, and several times.

A single time is a number without a spread, and nobody can tell whether it would come again.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

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
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = timer()
        for _ in range(number):
            function()
        return timer() - start
    finally:
        if collecting:
            gc.enable()


def calls_per_block(function: Call, min_block: float, timer: Clock = time.process_time) -> int:
    """How many calls make a block of at least `min_block` seconds: 1, 2, 4, 8, ..., whichever is first enough.

    One call goes before, unmeasured: a first call fills caches, loads what is missing, and says nothing about the
    second.

    Raises:
        ValueError: after a block that is too short, 1 s + 100 * min_block have passed on the wall (time.perf_counter)
            since the first block began: the clock hardly counts what the function does, as CPU time does not count
            sleep. The message says "clock", and what to give for `timer`.
    """
    function()
    number, began = 1, time.perf_counter()
    while time_calls(function, number, timer) < min_block:
        waited = time.perf_counter() - began
        if waited > 1 + 100 * min_block:
            raise ValueError(
                f"after {waited:.3g} s on the wall no block has {min_block:g} s on the clock that was given: it does "
                "not count what the function does; say timer=time.perf_counter"
            )
        number *= 2
    return number


def format_time(seconds: float) -> str:
    """A time with three significant digits, in the largest of s, ms, us and ns that makes it at least 1: "1.23 ms".

    It is rounded first: 0.9996 is "1 s". Less than 1 ns is shown in ns too, and 1234 seconds are "1230 s".
    """
    rounded = float(f"{seconds:.3g}")
    units = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
    unit, size = next((each for each in units if rounded >= each[1]), units[-1])
    return f"{float(f'{rounded / size:.3g}'):.15g} {unit}"


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
        return np.array(self.raw_times) / self.number_per_run

    @property
    def median(self) -> float:
        """The time in the middle (np.median). A disturbed block moves the mean, and hardly moves the median."""
        return float(np.median(self.times))

    @property
    def iqr(self) -> float:
        """The interquartile range: from the 25th to the 75th percentile, where the middle half of the times lies."""
        low, high = np.percentile(self.times, [25, 75])
        return float(high - low)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two of the times, between which the true median lies with this probability at least.

        Whether a time is below the true median is like the toss of a coin, so how many of the n times are below it is
        binomial. Of the sorted times the interval goes from times[k] to times[n - 1 - k]. k is the largest number for
        which n coins show at most k heads with a probability of at most (1 - confidence) / 2. If there are so few
        times that not even 0 is such a number, k is 0. It assumes nothing else of the times
        (scipy.stats.quantile_test).
        """
        times, n = np.sort(self.times), len(self.times)
        k, below = 0, 0.0
        for heads in range((n + 1) // 2):
            below += math.comb(n, heads) / 2**n
            if below > (1 - confidence) / 2:
                break
            k = heads
        return float(times[k]), float(times[n - 1 - k])

    def __str__(self) -> str:
        """In one line: the label and ": ", if there is one, the median, the IQR, the blocks and the calls in each.

        As in "matmul: 1.23 ms (IQR 45.6 us, 13 blocks of 16 calls)".
        """
        name = f"{self.label}: " if self.label else ""
        blocks = f"{len(self.raw_times)} blocks of {self.number_per_run} calls"
        return f"{name}{format_time(self.median)} (IQR {format_time(self.iqr)}, {blocks})"


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
        self.function()
        return Measurement(number, (time_calls(self.function, number, self.timer),), self.label)

    def blocked_autorange(self, min_run_time: float = 0.2) -> Measurement:
        """Blocks of `calls_per_block`, one after the other, until they have taken `min_run_time` seconds in all.

        A block takes at least a twentieth of that.
        """
        number = calls_per_block(self.function, min_run_time / 20, self.timer)
        raw_times: list[float] = []
        while sum(raw_times) < min_run_time:
            raw_times.append(time_calls(self.function, number, self.timer))
        return Measurement(number, tuple(raw_times), self.label)
