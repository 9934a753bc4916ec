"""Is it faster? A ratio of two CPU times measured side by side, never a time.

The two run interleaved, in batches long enough to be measured, on the same fresh inputs, with the garbage
collector and any profiler off; the best of several rounds counts. A busy machine slows both alike. If the times
of the slow one disagree with each other, there is no verdict.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dojo.spec.close import assert_close, assert_equal
from dojo.spec.device import to_numpy

ROUNDS = (3, 6, 16, 16)
"""The number of rounds of each try. The first is a short look, which decides what is FAR from the threshold."""

FAR = 1.5
"""So many times faster or slower than the threshold, a short look is enough."""

BATCH = 0.004
"""The least number of seconds of a batch."""

DISAGREEMENT = 1.15
"""If two halves of the same measurements differ by more than this factor, they are noise."""


class Inconclusive(Exception):
    """The machine was too busy to say: neither red nor green. Run again."""


@dataclass(frozen=True)
class Times:
    """One try: seconds for each call, round by round."""

    slow: Sequence[float]
    fast: Sequence[float]

    @property
    def ratio(self) -> float:
        return min(self.slow) / min(self.fast)

    @property
    def spread(self) -> float:
        """How far apart the even and the odd rounds of the slow one are."""
        one, other = min(self.slow[::2]), min(self.slow[1::2])
        return max(one, other) / min(one, other)

    @property
    def steady(self) -> bool:
        return self.spread <= DISAGREEMENT

    @property
    def certain(self) -> float:
        """The ratio, divided by the spread if the measurements are noisy."""
        return self.ratio if self.steady else self.ratio / self.spread


def judge(tries: Sequence[Times], at_least: float) -> Literal["green", "red", "again", "inconclusive"]:
    """The verdict after these tries.

    One that is certainly fast enough is green; two steady ones that are not fast enough are red. The first try, which
    is short, counts only if it is far from the threshold: then it is enough.
    """
    look, *longer = tries
    if look.certain >= FAR * at_least or any(times.certain >= at_least for times in longer):
        return "green"
    if (look.steady and look.ratio * FAR <= at_least) or sum(times.steady for times in longer) >= 2:
        return "red"
    return "again" if len(tries) < len(ROUNDS) else "inconclusive"


def agree(fast: Any, slow: Any) -> None:
    """Check that the two results are the same up to rounding: a fast version may add up in another order."""
    __tracebackhide__ = True
    if isinstance(slow, tuple):
        assert_equal(len(fast), len(slow), "the number of results")
        for one, other in zip(fast, slow, strict=True):
            agree(one, other)
    else:
        largest = np.abs(to_numpy(slow)).max(initial=0.0)
        assert_close(fast, slow, "the result of the fast version", rtol=1e-4, atol=1e-4 * largest)


def speedup(
    fast: Callable[..., Any],
    slow: Callable[..., Any],
    at_least: float,
    inputs: Callable[[], Sequence[Any]] = tuple,
    check: Callable[[Any, Any], None] = agree,
    what: str = "yours",
    baseline: str = "the simple version",
) -> float:
    """Check that `fast(*inputs())` is `at_least` times faster than `slow(*inputs())`. Returns the ratio of CPU times.

    `inputs` is called for fresh arguments each round. The results of both are compared each round, outside
    the clock: `check(result of fast, result of slow)`. Best with a slow one of 5 to 100 ms and a fast one of
    30 us and more, and `at_least` no more than half of what the reference reaches. Below 1 it allows the fast
    one to be slower, and messages say how many times as long it takes.
    """
    __tracebackhide__ = True
    tries: list[Times] = []
    verdict = "again"
    while verdict == "again":
        tries.append(measure(fast, slow, inputs, check, ROUNDS[len(tries)]))
        verdict = judge(tries, at_least)
    if verdict == "inconclusive":
        raise Inconclusive(
            f"inconclusive, run again: {len(tries)} tries, and {baseline} did not even agree with itself "
            f"within {DISAGREEMENT - 1:.0%} ({', '.join(_sentence(t, what, baseline, at_least) for t in tries)})"
        )
    if verdict == "red":
        best = max((times for times in tries if times.steady), key=lambda times: times.ratio)
        expected = f"at least {at_least:g} times faster"
        if at_least < 1:
            expected = f"at most {1 / at_least:.3g} times as long"
        raise AssertionError(f"{_sentence(best, what, baseline, at_least)}; expected {expected}")
    return max(times.certain for times in tries)


def measure(
    fast: Callable[..., Any],
    slow: Callable[..., Any],
    inputs: Callable[[], Sequence[Any]] = tuple,
    check: Callable[[Any, Any], None] = agree,
    rounds: int = 6,
    clock: Callable[[], float] = time.process_time,
) -> Times:
    """One try of `rounds` rounds; in each, one batch of the slow one and three of the fast one."""
    __tracebackhide__ = True
    args = inputs()
    check(fast(*args), slow(*args))  # warms both up
    slow_times, fast_times = [], []
    with _undisturbed():
        calls = {function: _calls(function, inputs(), clock) for function in (slow, fast)}
        for _ in range(rounds):
            args = inputs()
            seconds, expected = _batch(slow, args, calls[slow], clock)
            slow_times.append(seconds)
            for _ in range(3):
                seconds, result = _batch(fast, args, calls[fast], clock)
                fast_times.append(seconds)
            check(result, expected)
    return Times(slow_times, fast_times)


def _calls(function: Callable[..., Any], args: Sequence[Any], clock: Callable[[], float]) -> int:
    """How many calls make a batch."""
    calls = 1
    while _batch(function, args, calls, clock)[0] * calls < BATCH and calls < 2**20:
        calls *= 2
    return calls


def _batch(
    function: Callable[..., Any], args: Sequence[Any], calls: int, clock: Callable[[], float]
) -> tuple[float, Any]:
    """Seconds for each call, and the last result."""
    result = None
    start = clock()
    for _ in range(calls):
        result = function(*args)
    return (clock() - start) / calls, result


@contextmanager
def _undisturbed() -> Iterator[None]:
    was_on, profiler = gc.isenabled(), sys.getprofile()
    gc.collect()
    gc.disable()
    sys.setprofile(None)  # it takes its time at each call, and the two make unlike numbers of calls
    try:
        yield
    finally:
        sys.setprofile(profiler)
        if was_on:
            gc.enable()


def _sentence(times: Times, what: str, baseline: str, at_least: float) -> str:
    compared = f"{1 / times.ratio:.3g} times as long" if at_least < 1 else f"{times.ratio:.3g} times faster"
    return f"{what} takes {_seconds(min(times.fast))}, {baseline} {_seconds(min(times.slow))}: {compared}"


def _seconds(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"
