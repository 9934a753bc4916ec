"""Is it faster? Two series of times, and an answer that says how sure it is. All times here are made up."""

import math

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.benchmarking import Comparison, bootstrap, compare

EXPERIMENTS, ROUNDS = 400, 20


def noisy(random, spread):
    """Times of 400 experiments of 20 rounds around 1 s; one in ten is disturbed, some of those a hundredfold."""
    times = np.exp(random.normal(0, spread, (EXPERIMENTS, ROUNDS)))
    return times * np.where(random.random(times.shape) < 0.1, 1 + random.pareto(1.0, times.shape), 1)


def test_of_equal_entries_nothing_else_can_be_drawn():
    """bootstrap of a sample of nothing but threes is (3.0, 3.0), whatever is drawn."""
    assert_equal(bootstrap([3, 3, 3]), (3.0, 3.0), "the interval")


def test_the_interval_of_a_mean():
    """For the mean of 400 normal numbers the interval is mean -+ 1.96 * deviation / sqrt(400), to a tenth of that."""
    sample = np.random.default_rng(1).normal(5.0, 2.0, 400)
    half = 1.96 * sample.std() / 20
    low, high = bootstrap(sample, np.mean, resamples=4000)
    expected = [sample.mean() - half, sample.mean() + half]
    assert_close([low, high], expected, "the interval of the mean", rtol=0, atol=half / 10)


def test_less_confidence_is_a_narrower_interval():
    """With confidence=0.5 the interval holds the middle half of the resampled means: -+ 0.674 deviations."""
    sample = np.random.default_rng(1).normal(5.0, 2.0, 400)
    half = 0.674 * sample.std() / 20
    low, high = bootstrap(sample, np.mean, confidence=0.5, resamples=4000)
    expected = [sample.mean() - half, sample.mean() + half]
    assert_close([low, high], expected, "the interval of 50 %", rtol=0, atol=half / 5)


def test_all_experiments_are_given_at_once():
    """The statistic is called as statistic(drawn, axis=1), with `resamples` rows of as many entries as the sample.

    Of what it gives for them, here 0 to 1000, 95 % lie from 25 to 975.
    """
    shapes = []

    def largest(drawn, axis):
        shapes.append(drawn.shape)
        return drawn.max(axis)

    low, high = bootstrap([1.0, 2.0, 4.0, 8.0], largest, resamples=500)
    assert_equal(shapes, [(500, 4)], "the shapes that the statistic was given")
    assert low >= 2, f"the largest of 4 drawn entries is 1 once in 256 times; the interval begins at {low}"
    assert_equal(high, 8.0, "the end of the interval of the largest entry")
    found = bootstrap([1.0, 2.0], lambda drawn, axis: np.arange(1001.0), resamples=1001)
    assert_close(found, [25.0, 975.0], "the interval of 0 to 1000")


def test_the_same_sample_has_the_same_interval():
    """Without a generator two calls give the same interval, that of default_rng(0); np.random is left alone."""
    sample = np.arange(30.0) ** 2
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    first, second = bootstrap(sample, np.mean), bootstrap(sample, np.mean)
    assert_equal(first, second, "the interval of the second call")
    expected_interval = bootstrap(sample, np.mean, generator=np.random.default_rng(0))
    assert_equal(first, expected_interval, "the interval, beside that of np.random.default_rng(0),")
    assert_equal(np.random.random(), expected, "what np.random draws next")


def test_a_generator_that_is_given_draws():
    """bootstrap(..., generator=generator) draws from it, so the next call has another interval."""
    sample, generator = np.arange(30.0) ** 2, np.random.default_rng(5)
    first, second = (
        bootstrap(sample, np.mean, generator=generator),
        bootstrap(sample, np.mean, generator=generator),
    )
    assert first != second, f"two calls with one generator give the same interval {first}"


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_confidence_is_between_0_and_1(confidence):
    """A confidence that is not between 0 and 1, such as 95, is a ValueError whose message names it."""
    with raises(ValueError, confidence):
        bootstrap([1.0, 2.0], confidence=confidence)


def test_an_empty_sample_says_nothing():
    """bootstrap([]) is a ValueError that says "empty"."""
    with raises(ValueError, "empty"):
        bootstrap([])


def test_the_ratio_is_the_median_over_the_rounds():
    """compare(before, after).ratio is the median of before / after, round by round: 2 for 2, 2, 2, 2, 2, 50 to one."""
    after = np.array([1.0, 3.0, 1.0, 5.0, 1.0, 1.0])
    found = compare(after * np.array([2.0, 2.0, 2.0, 2.0, 2.0, 50.0]), after)
    assert_close(found.ratio, 2.0, "the ratio")
    assert found.low <= 2 + 1e-9 <= found.high, (
        f"the interval {found.low} to {found.high} does not hold the ratio"
    )


def test_the_middle_of_two_ratios_is_that_of_their_logarithms():
    """Of ratios 1 and 4 the middle is 2, and of 1 and 1/4 it is 1/2: compare(a, b) is one over compare(b, a)."""
    a, b = np.array([1.0, 1.0, 1.0, 4.0, 4.0, 4.0]), np.ones(6)
    one, other = compare(a, b), compare(b, a)
    assert_close(one.ratio, 2.0, "the ratio")
    assert_close(
        [1 / other.ratio, 1 / other.high, 1 / other.low],
        [one.ratio, one.low, one.high],
        "one over ratio, high and low of compare(b, a)",
    )


def test_rounds_belong_together():
    """What disturbs both halves of a round alike is not seen: with rounds from 1 to 50 s the ratio is still 1.1."""
    disturbed = np.linspace(1, 50, 20)
    found = compare(1.1 * disturbed, disturbed)
    assert_close([found.ratio, found.low, found.high], [1.1] * 3, "ratio, low and high", rtol=1e-6)


CASES = [
    (1.2, 1.1, 1.3, 0.0, "faster"),
    (1.2, 0.99, 1.3, 0.0, "no difference"),
    (1.0, 1.0, 1.0, 0.0, "no difference"),
    (0.8, 0.7, 0.9, 0.0, "slower"),
    (0.8, 0.7, 1.01, 0.0, "no difference"),
    (1.2, 1.1, 1.3, 0.15, "no difference"),
    (1.3, 1.2, 1.4, 0.15, "faster"),
    (0.9, 0.88, 0.93, 0.15, "no difference"),
    (0.8, 0.75, 0.86, 0.15, "slower"),
]


@pytest.mark.parametrize(("ratio", "low", "high", "margin", "verdict"), CASES)
def test_a_verdict_is_of_the_whole_interval(ratio, low, high, margin, verdict):
    """`verdict` is "faster" where low > 1 + margin, "slower" where high < 1 / (1 + margin), else "no difference"."""
    assert_equal(
        Comparison(ratio, low, high, margin).verdict,
        verdict,
        f"of {low} to {high}, margin {margin}, the verdict",
    )


def test_the_margin_is_given_to_the_verdict():
    """A difference below `margin`, by default 2 %, is "no difference", however sure it is."""
    times = np.linspace(1, 2, 20)
    assert_equal(compare(1.01 * times, times).verdict, "no difference", "of 1 % more time, the verdict")
    assert_equal(compare(1.01 * times, times, margin=0.005).verdict, "faster", "with a margin of 0.5 %")
    assert_equal(compare(1.03 * times, times).verdict, "faster", "of 3 % more time, the verdict")


def test_the_confidence_reaches_the_interval():
    """compare(..., confidence=0.5) has a narrower interval than one of 0.99, and a generator that is given draws."""
    times = noisy(np.random.default_rng(3), 0.05)
    wide, narrow = (compare(times[0], times[1], confidence) for confidence in (0.99, 0.5))
    assert narrow.high / narrow.low < wide.high / wide.low, (
        "the interval of 50 % is not narrower than that of 99 %"
    )
    generator = np.random.default_rng(5)
    one, other = (compare(times[0], times[1], generator=generator) for _ in range(2))
    assert one != other, f"two calls with one generator find the same: {one}"


def test_no_difference_is_seldom_called_one():
    """Of 400 comparisons of two that are equally fast, at most 10 % find a difference, even without a margin."""
    random = np.random.default_rng(10)
    before, after = noisy(random, 0.05), noisy(random, 0.05)
    verdicts = [compare(b, a, margin=0.0).verdict for b, a in zip(before, after, strict=True)]
    found = EXPERIMENTS - verdicts.count("no difference")
    assert found <= 40, f"{found} of 400 comparisons of equal programs find a difference, at most 40 should"


def test_a_tenth_is_found():
    """Where `before` takes 10 % more, at least 95 % of 400 comparisons say "faster", with one time in ten disturbed."""
    random = np.random.default_rng(11)
    before, after = 1.1 * noisy(random, 0.03), noisy(random, 0.03)
    verdicts = [compare(b, a).verdict for b, a in zip(before, after, strict=True)]
    assert verdicts.count("faster") >= 380, f"only {verdicts.count('faster')} of 400 find the 10 %"


@pytest.mark.parametrize(("one", "other"), [(7, 8), (5, 5), (0, 0)])
def test_rounds_are_equally_many_and_enough(one, other):
    """Unequal numbers of rounds, or fewer than 6, are a ValueError whose message names both numbers."""
    with raises(ValueError, one, other):
        compare([1.0] * one, [1.0] * other)


@pytest.mark.parametrize("time", [0.0, -1.0, math.nan])
def test_a_time_is_above_zero(time):
    """A time that is not above 0, as nan is not, is a ValueError whose message names it."""
    with raises(ValueError, time):
        compare([1.0] * 6, [1.0] * 5 + [time])
