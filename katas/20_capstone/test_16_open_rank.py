"""Who is first, and of whom can nobody say it?"""

import numpy as np

from dojo.spec import assert_close, assert_equal
from dojo.spec.competition import TASK
from tinytorch.capstone import Result, Task, rank

WOBBLE = np.array([1.0, 1.01, 0.99, 1.02, 0.98, 1.0])


def a_task(**changes):
    return Task(**{**TASK, **changes})


def timed(name, seconds):
    return Result(name, 10, list(seconds * WOBBLE))


def test_fewer_seconds_are_better():
    """rank gives a Row for each entry, the fastest first, with its place and the median of its seconds."""
    rows = rank(a_task(), [timed("simple", 4.0), timed("fast", 1.0), timed("middle", 2.0)])
    assert_equal(
        [(row.place, row.name) for row in rows], [(1, "fast"), (2, "middle"), (3, "simple")], "the places"
    )
    assert_close([row.value for row in rows], [1.0, 2.0, 4.0], "the values")


def test_the_median_decides():
    """One disturbed round does not cost a place: the value is the median of the rounds, not their mean."""
    disturbed = Result("disturbed", 10, [1.0, 1.0, 1.0, 1.0, 1.0, 60.0])
    rows = rank(a_task(), [timed("simple", 2.0), disturbed])
    assert_equal(rows[0].name, "disturbed", "the first")
    assert_close(rows[0].value, 1.0, "its value")


def test_a_rate_is_work_for_each_second():
    """With the metric "rate" the value is work / seconds, and the largest is the first."""
    rows = rank(a_task(metric="rate", work=60), [timed("simple", 4.0), timed("fast", 2.0)])
    assert_equal([row.name for row in rows], ["fast", "simple"], "the order")
    assert_close([row.value for row in rows], [30.0, 15.0], "the values")


def test_every_row_is_compared_with_the_first_entry():
    """`times` says how many times better an entry is than the first of the results, `low` and `high` from and to."""
    rows = rank(a_task(), [timed("simple", 4.0), timed("fast", 1.0), timed("slow", 8.0)])
    assert_close([row.times for row in rows], [4.0, 1.0, 0.5], "how many times better", rtol=0.02)
    for row in rows:
        assert row.low <= row.times <= row.high, f"{row.times} is not between {row.low} and {row.high}"
    before, after = [4.0, 4.0, 4.0, 8.0, 8.0, 8.0, 8.0], [1.0, 1.0, 1.0, 1.0, 4.0, 4.0, 4.0]
    rows = rank(a_task(), [Result("simple", 10, before), Result("fast", 10, after)])
    assert_close(rows[0].times, 4.0, "the median of the ratios 4, 4, 4, 8, 2, 2, 2; of the medians it is 8")
    noisy = Result("noisy", 10, [0.5, 1.5, 1.0, 0.7, 1.3, 1.0])
    row = rank(a_task(), [timed("simple", 4.0), noisy])[0]
    assert row.low < 3.5 and row.high > 4.5, (
        f"noisy seconds give a wide interval, not {row.low} to {row.high}"
    )


def test_those_who_cannot_be_told_apart_share_a_place():
    """An entry shares the place of the best of that place if kata 19's compare finds no difference; the next is 3rd."""
    seconds = [1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.15, 0.85]
    a, b = Result("a", 10, seconds), Result("b", 10, [1.01 * each for each in reversed(seconds)])
    rows = rank(a_task(), [Result("simple", 10, [4.0] * 8), a, b])
    assert_equal([row.place for row in rows], [1, 1, 3], "the places")
    assert_equal([row.name for row in rows], ["a", "b", "simple"], "the order")


def test_a_place_is_shared_with_its_best():
    """Who is worse than the best of a place does not share it, though nobody can tell them from the one between."""
    best, between, worse = [1.0] * 8, [0.9] * 4 + [1.3] * 4, [1.2] * 8
    rows = rank(
        a_task(), [Result(name, 10, each) for name, each in (("c", worse), ("b", between), ("a", best))]
    )
    assert_equal([(row.place, row.name) for row in rows], [(1, "a"), (1, "b"), (3, "c")], "the places")


def test_bytes_are_exact():
    """With the metric "bytes" the fewest are first, one byte is a difference, and equal ones share a place."""
    results = [
        Result(name, size, [1.0] * 6) for name, size in [("simple", 100), ("b", 41), ("c", 40), ("d", 40)]
    ]
    rows = rank(a_task(metric="bytes"), results)
    assert_equal(
        [(row.place, row.name) for row in rows], [(1, "c"), (1, "d"), (3, "b"), (4, "simple")], "the places"
    )
    assert_close([row.value for row in rows], [40, 40, 41, 100], "the values")
    assert_equal((rows[0].times, rows[0].low, rows[0].high), (2.5, 2.5, 2.5), "times, low and high")


def test_rejected_entries_are_last():
    """A rejected entry stands behind all others, with place 0, nan for all numbers, and its reason."""
    gone = Result("gone", 1, [], rejected="a wrong sum")
    rows = rank(a_task(), [gone, timed("simple", 2.0), timed("fast", 1.0)])
    assert_equal([row.name for row in rows], ["fast", "simple", "gone"], "the order")
    assert_equal([row.rejected for row in rows[:2]], ["", ""], "why the others are rejected")
    last = rows[-1]
    assert_equal((last.place, last.rejected), (0, "a wrong sum"), "place and reason")
    assert_equal(
        np.isnan([last.value, last.times, last.low, last.high]).all(), np.True_, "whether all numbers are nan"
    )
    assert_close(rows[0].times, 2.0, "how many times better than the first that is not rejected", rtol=0.02)


def test_nobody_is_left():
    """If all entries are rejected, the scoreboard has their reasons only."""
    rows = rank(a_task(), [Result("a", rejected="one"), Result("b", rejected="two")])
    assert_equal([row.rejected for row in rows], ["one", "two"], "the reasons")
    assert_equal(rank(a_task(), []), [], "the scoreboard of nobody")
