"""What is said about many times: the middle, the spread, and an interval for the truth."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal
from tinytorch.benchmarking import Measurement, format_time


def measured(*times):
    return Measurement(1, tuple(map(float, times)))


def test_times_are_those_of_one_call():
    """`times` are the seconds of one call in each block: raw_times divided by number_per_run, as a float64 array."""
    assert_close(Measurement(4, (2.0, 1.0, 6.0)).times, np.array([0.5, 0.25, 1.5]), "times")


def test_the_median_is_in_the_middle():
    """The median of 3, 1, 100 is 3, and of 3, 1, 100, 5 it is 4: one disturbed block hardly moves it."""
    assert_equal(measured(3, 1, 100).median, 3.0, "the median of 3, 1, 100")
    assert_equal(measured(3, 1, 100, 5).median, 4.0, "the median of 3, 1, 100, 5")
    assert_equal(Measurement(2, (3.0, 1.0, 100.0)).median, 1.5, "the median, with two calls in a block")


def test_the_iqr_holds_the_middle_half():
    """The iqr is the 75th percentile minus the 25th: of 1, 2, 3, 4, 100 it is 4 - 2."""
    assert_equal(measured(100, 1, 3, 2, 4).iqr, 2.0, "the iqr")
    assert_equal(
        measured(1, 2).iqr, 0.5, "the iqr of 1, 2: percentiles lie between two times, as np.percentile"
    )


def test_an_interval_by_hand():
    """Of 9 times the second smallest to the second largest hold the median with 96 %: 2 * 10 / 512 is missing.

    With a confidence of 0 the one in the middle is enough: at most four heads have a probability of just a half.
    """
    shuffled = [5, 9, 1, 3, 7, 2, 8, 4, 6]
    assert_equal(measured(*shuffled).interval(), (2.0, 8.0), "of the times 1 to 9, the interval")
    assert_equal(measured(*shuffled).interval(0.99), (1.0, 9.0), "of the times 1 to 9, the interval of 99 %")
    assert_equal(measured(*shuffled).interval(0), (5.0, 5.0), "of the times 1 to 9, the interval of 0 %")
    assert_equal(
        Measurement(2, tuple(map(float, shuffled))).interval(), (1.0, 4.0), "with two calls in a block"
    )


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_times_have_a_wide_interval(n):
    """Up to 5 times are too few for 95 %: the interval goes from the smallest to the largest."""
    assert_equal(
        measured(*range(1, n + 1)).interval(), (1.0, float(n)), f"the interval of the times 1 to {n}"
    )


def at_most(heads, n):
    """How likely at most so many heads are among n coins."""
    return sum(math.comb(n, each) for each in range(int(heads) + 1)) / 2**n


@given(n=st.integers(6, 80), confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_an_interval_coin_by_coin(n, confidence):
    """The interval is as narrow as the binomial distribution allows, equally many times cut off at each end."""
    low, high = measured(*range(n)).interval(confidence)
    tail = (1 - confidence) / 2
    assert_equal(
        low + high, n - 1.0, f"of the times 0 to {n - 1}, the smallest and largest of the interval, added"
    )
    assert low == 0 or at_most(low, n) <= tail, f"an interval from {low:g} on, of {n} times, is too narrow"
    wider = at_most(low + 1, n) <= tail
    assert not wider, f"an interval from {low:g} on, of {n} times, could be narrower"


def test_the_interval_holds_the_true_median():
    """Of 400 experiments with heavy tails at least 93 % have the true median in their interval of 95 %."""
    random = np.random.default_rng(0)
    experiments = random.pareto(1.0, (400, 25)) + 1  # the median is 2
    intervals = [measured(*times).interval() for times in experiments]
    held = sum(low <= 2 <= high for low, high in intervals)
    assert held >= 372, f"only {held} of 400 intervals hold the true median"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.0, "2 s"),
        (1.0, "1 s"),
        (0.5, "500 ms"),
        (0.00123456, "1.23 ms"),
        (45.6e-6, "45.6 us"),
        (7e-9, "7 ns"),
        (2.5e-10, "0.25 ns"),
        (0.0, "0 ns"),
        (0.9996, "1 s"),
        (999.6e-9, "1 us"),
        (1234.0, "1230 s"),
    ],
)
def test_a_time_in_words(seconds, text):
    """format_time: three significant digits, in the largest of s, ms, us and ns in which the number is at least 1.

    It is rounded first, and nobody reads 1e+03: 0.9996 s are "1 s", and 1234 s are "1230 s".
    """
    assert_equal(format_time(seconds), text, f"format_time({seconds})")


def test_a_measurement_in_one_line():
    """str(measurement) is "label: median (IQR iqr, blocks of calls)"; without a label its colon is missing too."""
    times = (2.0, 4.0, 3.0)
    assert_equal(
        str(Measurement(1000, times, "matmul")), "matmul: 3 ms (IQR 1 ms, 3 blocks of 1000 calls)", "str"
    )
    assert_equal(
        str(Measurement(1000, times)), "3 ms (IQR 1 ms, 3 blocks of 1000 calls)", "str without a label"
    )
