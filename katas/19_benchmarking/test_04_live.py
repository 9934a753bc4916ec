"""Two programs in turns, beside a busy machine."""

import subprocess
import sys

import numpy as np
import pytest

from dojo.spec import Inconclusive, assert_close, assert_equal
from tinytorch.benchmarking import alternate, compare

BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


@pytest.fixture
def busy():
    """Another process, which does nothing but work, until the spec ends."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    yield
    process.kill()
    process.wait()


def programs(seconds):
    """Two functions and their clock; a call of each takes seconds(calls of both so far). And the order of the calls."""
    now, order = [100.0], []

    def call(name):
        now[0] += seconds(len(order))
        order.append(name)

    return lambda: call("before"), lambda: call("after"), lambda: now[0], order


def work(times):
    """A function that multiplies two matrices `times` times."""
    a = np.ones((32, 32), np.float32)
    return lambda: [a @ a for _ in range(times)]


def answer(right, before, after):
    """Ask up to three times which is faster. Three equal answers that are not right are wrong; else nobody knows."""
    found = []
    for _ in range(3):
        found.append(compare(*alternate(before, after, rounds=14), margin=0.05))
        if right(found[-1]):
            return
    shown = "; ".join(map(str, found))
    if len({each.verdict for each in found}) > 1:
        raise Inconclusive(f"inconclusive, run again: three tries do not agree with each other: {shown}")
    raise AssertionError(f"three tries agree on a wrong answer: {shown}")


def test_each_round_has_a_time_of_both():
    """alternate(before, after, rounds, min_block, timer) gives two arrays (rounds,): the seconds of a call of each."""
    now = [0.0]

    def before():
        now[0] += 0.5

    def after():
        now[0] += 0.25

    times = alternate(before, after, rounds=5, min_block=1.0, timer=lambda: now[0])
    assert_close(times[0], np.full(5, 0.5), "the times of before")
    assert_close(times[1], np.full(5, 0.25), "the times of after")


def test_the_rounds_alternate():
    """One after the other, not first all of one; and a block has at least min_block seconds."""
    before, after, timer, order = programs(lambda n: 0.5)
    alternate(before, after, rounds=4, min_block=1.0, timer=timer)
    blocks = order[-16:]  # four rounds of two blocks of two calls
    rounds = [blocks[i : i + 4] for i in range(0, 16, 4)]
    assert_equal(
        [sorted(each) for each in rounds],
        [["after"] * 2 + ["before"] * 2] * 4,
        "the calls of each of four rounds",
    )


def test_the_one_that_begins_takes_turns():
    """`before` begins in every other round: where every call is slower than the last one, none has an advantage."""
    before, after, timer, _ = programs(lambda n: 1.05**n)
    found = compare(*alternate(before, after, rounds=20, min_block=1.0, timer=timer))
    assert_equal(
        found.verdict,
        "no difference",
        f"of two equal programs on a machine that gets slower ({found}), the verdict",
    )
    before, after, timer, order = programs(lambda n: 1.0)
    alternate(before, after, rounds=6, min_block=1.0, timer=timer)
    first = order[-12::2]  # of six rounds of two calls
    assert first[::2] == [first[0]] * 3 and first[1::2] == [first[1]] * 3 != first[::2], (
        f"the first ones of six rounds are {first}"
    )


def test_twice_the_work_is_seen(busy):
    """Beside a busy process, half of the work is found to be faster: 1.5 to 2.7 times."""
    answer(lambda found: found.verdict == "faster" and 1.5 < found.ratio < 2.7, work(40), work(20))


def test_the_same_work_is_no_difference(busy):
    """Beside a busy process, a program is found to be as fast as itself: "no difference"."""
    answer(lambda found: found.verdict == "no difference", work(20), work(20))
