"""What the machine could do: its memory, and the roof over every time."""

import itertools
import math
import sys
import tracemalloc

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.child import in_child
from tinytorch.benchmarking import bandwidth, peak_memory, roofline

MB = 2**20


@pytest.fixture(autouse=True)
def nobody_traces():
    """Whatever a spec leaves running, tracemalloc is off for the next one."""
    yield
    tracemalloc.stop()


def near(found, expected, what):
    assert_close(found, expected, what, rtol=0, atol=MB / 8)


def test_the_most_at_one_moment():
    """peak_memory(function) is how many bytes it had at most at one moment: 3 MB and 2 MB one after the other are 3."""

    def function():
        np.ones(3 * MB, np.uint8)
        np.ones(2 * MB, np.uint8)

    near(peak_memory(function), 3 * MB, "the peak of 3 MB and then 2 MB")


def test_together_they_add_up():
    """3 MB and 2 MB at the same time are 5 MB, although 3 MB were given back before the end."""

    def function():
        kept = np.ones(3 * MB, np.uint8)
        other = np.ones(2 * MB, np.uint8)
        del kept
        return other

    near(peak_memory(function), 5 * MB, "the peak of 3 MB and 2 MB together")


def test_what_was_there_before_does_not_count():
    """Only what is above the memory at the beginning counts, also while tracemalloc is running, which it stays."""
    tracemalloc.start()
    before = np.ones(5 * MB, np.uint8)
    np.ones(9 * MB, np.uint8)  # an earlier peak
    near(peak_memory(lambda: np.ones(2 * MB, np.uint8)), 2 * MB, "the peak of 2 MB above 5 MB")
    assert tracemalloc.is_tracing(), "tracemalloc was running before, and is stopped"
    del before


@pytest.mark.parametrize("fails", [False, True])
def test_tracing_ends(fails):
    """Afterwards tracemalloc is off again, after an error too: while it is on, everything is slower."""
    if fails:
        with raises(ZeroDivisionError):
            peak_memory(lambda: 1 // 0)
    else:
        peak_memory(lambda: None)
    assert not tracemalloc.is_tracing(), "tracemalloc is still running"


@pytest.mark.parametrize("nbytes", [100, 1000])
def test_a_copy_reads_and_writes(nbytes):
    """bandwidth(nbytes) is 2 * nbytes, divided by the seconds of a copy on the clock, in billions."""
    ticks = itertools.count()
    found = bandwidth(nbytes, 3, lambda: next(ticks) * 0.5)  # it is half a second later each time
    assert_close(found, 2 * nbytes / 0.5 / 1e9, f"bandwidth({nbytes}), if a copy takes 0.5 s", atol=0)


def test_the_fastest_copy_counts():
    """Each copy is timed on its own, and the fastest counts."""
    waits = itertools.chain([5.0, 5.0, 1.0, 1.0], itertools.repeat(3.0))
    clock = itertools.accumulate(waits, initial=100.0)
    found = bandwidth(100, 4, lambda: next(clock))
    assert_close(found, 2 * 100 / 1.0 / 1e9, "bandwidth, if the fastest copy takes 1 s", atol=0)


def test_bandwidth_is_a_speed():
    """By the real clock, bandwidth is a float above 0."""
    found = bandwidth(MB, 2)
    assert_equal(type(found), float, "the type")
    assert 0 < found < math.inf, f"bandwidth is {found}"


@pytest.mark.parametrize(("nbytes", "repeats"), [(0, 5), (-3, 5), (8, 0)])
def test_bandwidth_needs_something_to_copy(nbytes, repeats):
    """A number of bytes or repeats below 1 is a ValueError whose message names it."""
    with raises(ValueError, nbytes if nbytes < 1 else repeats):
        bandwidth(nbytes, repeats)


def test_the_source_is_filled():
    """The source is written before it is copied: memory that nobody has written is not there, and is not read."""
    resource = pytest.importorskip("resource", reason="Windows does not tell how much memory there is")
    nbytes, unit = 32 * MB, 1 if sys.platform == "darwin" else 1024

    def run():
        def there():
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
            return float(len(peaks))

        peaks, kept = [], []
        more = 0
        while more < 0.9 * nbytes:  # what other specs have left free is used up first
            before = there()
            kept.append(np.ones(nbytes, np.uint8))
            more = there() - before
        before = there()
        bandwidth(nbytes, 1, there)
        return {"more": peaks[-1] - before}

    more = in_child(run)["more"]
    assert more > 1.5 * nbytes, f"two arrays of {nbytes} bytes take {more} bytes of memory"


def test_a_copy_takes_time_on_the_clock():
    """If the clock says that a copy took no time, bandwidth is a ValueError that says "clock"."""
    with raises(ValueError, "clock"):
        bandwidth(100, 2, lambda: 7.0)


def test_under_the_roof_of_the_memory():
    """2e9 flops on 4e9 bytes, at peaks of 100 GFLOP/s and 10 GB/s, take at least 0.4 s: they are bound by "memory"."""
    found = roofline(2 * 10**9, 4 * 10**9, 0.8, 100.0, 10.0)
    assert_close(found.intensity, 0.5, "flops for each byte")
    assert_equal(found.bound, "memory", "what bounds it")
    assert_close(found.least, 0.4, "the least seconds")
    assert_close(found.share, 0.5, "the share of 0.8 s")


def test_under_the_roof_of_the_arithmetic():
    """50e9 flops on 1e9 bytes, at the same peaks, take at least 0.5 s: they are bound by "compute"."""
    found = roofline(50 * 10**9, 10**9, 2.0, 100.0, 10.0)
    assert_close(found.intensity, 50.0, "flops for each byte")
    assert_equal(found.bound, "compute", "what bounds it")
    assert_close(found.least, 0.5, "the least seconds")
    assert_close(found.share, 0.25, "the share of 2 s")


def test_the_edge_of_the_roof():
    """Where both take equally long, at 10 flops a byte here, it is "compute"; without any flops it is "memory"."""
    assert_equal(roofline(10 * 10**9, 10**9, 1.0, 100.0, 10.0).bound, "compute", "at the edge, the bound")
    found = roofline(0, 10**9, 0.2, 100.0, 10.0)
    assert_equal(found.bound, "memory", "without flops, the bound")
    assert_close([found.intensity, found.least, found.share], [0.0, 0.1, 0.5], "intensity, least and share")


@pytest.mark.parametrize(
    "given",
    [
        (0, 2.0, 3.0, 4.0),
        (7, 0.0, 3.0, 4.0),
        (7, 2.0, -3.0, 4.0),
        (7, math.nan, 3.0, 4.0),
        (7, 2.0, 3.0, math.nan),
    ],
)
def test_a_roof_needs_bytes_and_times(given):
    """No bytes, or a time or peak that is not above 0 (nan is not), is a ValueError whose message names all four."""
    with raises(ValueError, *given):
        roofline(1, *given)


def test_a_peak_of_memory_speed_above_zero():
    """A peak bandwidth of 0 is a ValueError, too."""
    with raises(ValueError, 0.0):
        roofline(1, 7, 1.0, 1.0, 0.0)
