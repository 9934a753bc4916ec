"""speedup: the verdict over tables of numbers, the protocol with a clock of our own, and both for real."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from dojo.spec import Inconclusive, speedup, timing
from dojo.spec.timing import Times, judge, measure

STEADY = [10.0, 10.4, 10.1, 10.3, 12.0, 30.0]
NOISY = [10.0, 13.0, 10.1, 14.0, 12.0, 30.0]


@pytest.mark.parametrize(
    ("slow", "fast", "ratio", "steady"),
    [
        (STEADY, [2.0, 1.0, 3.0], 10.0, True),
        (STEADY, [10.0], 1.0, True),
        (NOISY, [1.0], 10.0, False),
        ([1.0, 1.15], [0.5], 2.0, True),
        ([1.0, 1.16], [0.5], 2.0, False),
        ([1.16, 1.0], [0.5], 2.0, False),
    ],
)
def test_the_best_rounds_count_and_the_halves_must_agree(
    slow: list[float], fast: list[float], ratio: float, steady: bool
) -> None:
    times = Times(slow, fast)
    assert times.ratio == pytest.approx(ratio)
    assert times.steady is steady
    assert times.certain == pytest.approx(ratio if steady else ratio / times.spread)


QUICK, LAZY, NEAR = Times(STEADY, [1.0]), Times(STEADY, [5.0]), Times(STEADY, [1.9])
QUICK_NOISE, LAZY_NOISE = Times(NOISY, [1.8]), Times(NOISY, [5.0])  # 5.6 times, were it not for the noise


@pytest.mark.parametrize(
    ("tries", "verdict"),
    [
        ([QUICK], "green"),
        ([LAZY], "red"),
        ([NEAR], "again"),
        ([Times(STEADY, [2.1])], "again"),
        ([Times(NOISY, [1.0])], "green"),
        ([QUICK_NOISE], "again"),
        ([LAZY_NOISE], "again"),
        ([NEAR, NEAR], "green"),
        ([NEAR, LAZY], "again"),
        ([NEAR, QUICK_NOISE], "again"),
        ([NEAR, LAZY, QUICK], "green"),
        ([NEAR, LAZY, LAZY], "red"),
        ([NEAR, LAZY, LAZY_NOISE], "again"),
        ([LAZY_NOISE, QUICK_NOISE, LAZY_NOISE, QUICK], "green"),
        ([NEAR, LAZY, LAZY_NOISE, LAZY], "red"),
        ([QUICK_NOISE, QUICK_NOISE, QUICK_NOISE, QUICK_NOISE], "inconclusive"),
        ([NEAR, LAZY, LAZY_NOISE, QUICK_NOISE], "inconclusive"),
    ],
)
def test_the_verdict(tries: list[Times], verdict: str) -> None:
    assert judge(tries, at_least=5) == verdict


def test_exactly_the_threshold_is_green() -> None:
    exactly = Times([10.0, 10.0], [2.0])
    assert judge([exactly, exactly], at_least=5) == "green"


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """`speedup` gets these tries in place of measurements; the rounds it asked for are returned."""

    def give(*times: Times) -> list[int]:
        left, rounds = list(times), []

        def measured(fast: Any, slow: Any, inputs: Any, check: Any, n: int) -> Times:
            rounds.append(n)
            return left.pop(0)

        monkeypatch.setattr(timing, "measure", measured)
        return rounds

    return give


def test_red_says_both_times(tries: Any) -> None:
    close = Times([0.0101, 0.01], [0.0025])
    rounds = tries(close, close, Times([0.01, 0.01], [0.0025]))
    message = "yours takes 2.5 ms, seven loops 10 ms: 4 times faster; expected at least 5 times faster"
    with pytest.raises(AssertionError, match=f"^{message}$"):
        speedup(len, len, 5, baseline="seven loops")
    assert rounds == [3, 6, 16]


def test_what_is_far_from_the_threshold_is_seen_in_a_short_look(tries: Any) -> None:
    rounds = tries(Times([0.0101, 0.01], [0.004]))
    with pytest.raises(AssertionError, match=r": 2\.5 times faster; expected at least 5 times faster$"):
        speedup(len, len, 5)
    assert rounds == [3]


def test_where_it_may_be_slower_the_message_says_how_many_times_as_long(tries: Any) -> None:
    tries(Times([0.001, 0.001], [0.01]))
    message = "the word takes 10 ms, its parts 1 ms: 10 times as long; expected at most 3 times as long"
    with pytest.raises(AssertionError, match=f"^{message}$"):
        speedup(len, len, 1 / 3, what="the word", baseline="its parts")


def test_green_gives_the_ratio(tries: Any) -> None:
    tries(LAZY_NOISE, QUICK)
    assert speedup(len, len, 5) == 10


def test_noise_is_inconclusive_after_four_tries_and_no_failure(tries: Any) -> None:
    rounds = tries(QUICK_NOISE, QUICK_NOISE, LAZY_NOISE, LAZY_NOISE)
    with pytest.raises(
        Inconclusive, match=r"^inconclusive, run again: 4 tries, and the simple version did not"
    ):
        speedup(len, len, 5)
    assert rounds == [3, 6, 16, 16]
    assert not issubclass(Inconclusive, AssertionError)


class Clock:
    """Time that passes only when a function says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def function(self, seconds: float, log: list[str], name: str) -> Callable[[float], float]:
        def run(x: float) -> float:
            log.append(name)
            self.now += seconds
            return x

        return run


def fresh() -> Iterator[float]:
    x = 0.0
    while True:
        yield x
        x += 1


def test_the_two_run_interleaved_on_fresh_inputs() -> None:
    clock, log, given = Clock(), [], fresh()
    fast, slow = clock.function(0.01, log, "fast"), clock.function(0.1, log, "slow")
    drawn: list[float] = []

    def inputs() -> tuple[float]:
        drawn.append(next(given))
        return (drawn[-1],)

    times = measure(fast, slow, inputs, rounds=2, clock=clock)
    assert log[4:] == ["slow", "fast", "fast", "fast"] * 2
    assert times.ratio == pytest.approx(10)
    assert len(times.slow) == 2 and len(times.fast) == 6
    assert len(drawn) == len(set(drawn)) == 5


def test_short_functions_run_in_batches_of_at_least_4_ms() -> None:
    clock, log = Clock(), []
    fast, slow = clock.function(0.001, log, "fast"), clock.function(0.005, log, "slow")
    times = measure(fast, slow, lambda: (1.0,), rounds=1, clock=clock)
    assert log[-13:] == ["slow"] + ["fast"] * 12
    assert min(times.fast) == pytest.approx(0.001)


def test_results_that_differ_are_a_failure_in_any_round() -> None:
    numbers = fresh()
    wrong_later: Callable[[float], float] = lambda x: x if x < 4 else x + 1  # noqa: E731
    with pytest.raises(AssertionError, match="the result of the fast version is"):
        speedup(wrong_later, lambda x: x, 1, inputs=lambda: (next(numbers),))


def test_results_may_differ_by_rounding_and_be_tuples() -> None:
    timing.agree(np.array([1000.01, 0.01]), np.array([1000.0, 0.0]))
    timing.agree((np.ones(2), np.ones(3)), (np.ones(2), np.ones(3)))
    with pytest.raises(AssertionError, match="2 of 2 entries wrong"):
        timing.agree((np.ones(2), np.ones(2)), (np.ones(2), np.zeros(2)))
    with pytest.raises(AssertionError, match="the number of results is 1, expected 2"):
        timing.agree((np.ones(2),), (np.ones(2), np.zeros(2)))
    with pytest.raises(AssertionError, match="dtype float64, expected float32"):
        timing.agree(np.ones(2), np.ones(2, np.float32))


def test_the_collector_is_off_meanwhile_and_on_again_after() -> None:
    clock, collecting = Clock(), []

    def look(x: float) -> float:
        collecting.append(gc.isenabled())
        clock.now += 0.01
        return x

    measure(look, look, lambda: (1.0,), rounds=1, clock=clock)
    assert collecting == [True, True, *[False] * (len(collecting) - 2)]
    assert gc.isenabled()


def test_a_profiler_sees_only_the_first_call_of_each() -> None:
    clock, seen = Clock(), []

    def look(x: float) -> float:
        clock.now += 0.01
        return x

    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: seen.append(frame) if frame.f_code is look.__code__ else None)
    try:
        measure(look, look, lambda: (1.0,), rounds=1, clock=clock)
        after = sys.getprofile()
    finally:
        sys.setprofile(before)
    assert len(seen) == 4  # two calls and two returns
    assert after is not before


def test_for_real() -> None:
    rng = np.random.default_rng(0)

    def loop(x: Any) -> Any:
        return np.float32(sum(float(value) for value in x))

    def inputs() -> tuple[Any]:
        return (rng.standard_normal(10000).astype(np.float32) + 1,)

    assert speedup(lambda x: x.sum(), loop, 5, inputs) > 5
    with pytest.raises((AssertionError, Inconclusive), match="times faster"):
        speedup(loop, loop, 5, inputs)
