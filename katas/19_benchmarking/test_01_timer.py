"""How long a call takes: many calls between two looks at the clock."""

import gc
import itertools
import time

import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.benchmarking import Timer, calls_per_block, time_calls


def machine(*seconds):
    """A function whose calls take these seconds, the last of them for ever; its clock; and the list of its calls."""
    now, calls = [100.0], []

    def function():
        now[0] += seconds[min(len(calls), len(seconds) - 1)]
        calls.append(now[0])

    return function, lambda: now[0], calls


@pytest.fixture(autouse=True)
def collector():
    """Whatever a spec does to the garbage collector, it is on again for the next one."""
    yield
    gc.enable()


@pytest.mark.parametrize("number", [1, 4])
def test_calls_are_timed_together(number):
    """time_calls(function, number, timer) calls the function `number` times and gives the seconds of all together."""
    function, timer, calls = machine(0.5)
    assert_close(time_calls(function, number, timer), 0.5 * number, f"the seconds of {number} calls of 0.5 s")
    assert_equal(len(calls), number, "the number of calls")


def test_the_clock_is_read_twice():
    """The clock is read once before all calls and once after them: reading it takes time as well."""
    reads = itertools.count()
    time_calls(int, 10, lambda: float(next(reads)))
    assert_equal(next(reads), 2, "how often the clock was read for 10 calls")


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_the_collector_is_off_meanwhile(on):
    """While the calls run the garbage collector is off; afterwards it is on if it was on before."""
    (gc.enable if on else gc.disable)()
    seen = []
    time_calls(lambda: seen.append(gc.isenabled()), 2)
    assert_equal(seen, [False, False], "whether the collector was on in the calls")
    assert_equal(gc.isenabled(), on, "whether it is on afterwards")


def test_the_collector_comes_back_after_an_error():
    """If the function raises, the garbage collector is on again, if it was on before."""
    with raises(ZeroDivisionError):
        time_calls(lambda: 1 // 0, 1)
    assert gc.isenabled(), "after an error the garbage collector stays off"


@pytest.mark.parametrize(("seconds", "number"), [(1.0, 1), (0.3, 4), (0.25, 4), (0.01, 128)])
def test_a_block_is_long_enough(seconds, number):
    """calls_per_block(function, 1.0, timer) is the first of 1, 2, 4, 8, ... calls that take 1 s together."""
    function, timer, _ = machine(seconds)
    assert_equal(calls_per_block(function, 1.0, timer), number, f"the calls of {seconds} s in a block of 1 s")


def test_the_first_call_of_all_does_not_count():
    """calls_per_block calls the function once before it measures: the first call is slower than all others."""
    function, timer, _ = machine(50.0, 0.25)
    assert_equal(
        calls_per_block(function, 1.0, timer), 4, "if the first call takes 50 s, the calls in a block"
    )


def test_a_clock_that_does_not_count_is_an_error():
    """If no block is long enough after 1 s + 100 * min_block on the wall, ValueError says "clock" and "perf_counter".

    A function sleeps for a tenth of a second, and the clock that is given stands still, as CPU time does meanwhile.
    """
    calls = []

    def sleep():
        assert len(calls) < 20, "after 20 calls of 0.1 s, calls_per_block goes on for a block of 1 ms"
        calls.append(time.sleep(0.1))

    with raises(ValueError, "clock", "perf_counter"):
        calls_per_block(sleep, 0.001, lambda: 7.0)


def test_timeit_is_one_block():
    """Timer(function).timeit(8) is a Measurement with number_per_run 8 and the seconds of one block in raw_times."""
    function, timer, _ = machine(0.5)
    found = Timer(function, "half", timer).timeit(8)
    assert_equal(found.number_per_run, 8, "number_per_run")
    assert_equal(found.raw_times, (4.0,), "raw_times")
    assert_equal(found.label, "half", "the label")


def test_timeit_warms_up():
    """timeit calls the function once before the block, unmeasured."""
    function, timer, calls = machine(50.0, 0.5)
    found = Timer(function, timer=timer).timeit(2)
    assert_equal(
        found.raw_times, (1.0,), "if the first call takes 50 s and the others half a second, raw_times"
    )
    assert_equal(len(calls), 3, "the number of calls")


def test_blocks_until_the_time_is_over():
    """blocked_autorange(min_run_time=2.0) measures block after block until their times add up to 2 s."""
    function, timer, _ = machine(0.5)
    found = Timer(function, "half", timer).blocked_autorange(2.0)
    assert_equal(found.number_per_run, 1, "the calls of half a second in a block")
    assert_equal(found.raw_times, (0.5,) * 4, "raw_times")
    assert_equal(found.label, "half", "the label")


def test_a_block_is_a_twentieth_of_the_time():
    """A block of blocked_autorange takes at least a twentieth of min_run_time, as calls_per_block finds out."""
    function, timer, _ = machine(50.0, 0.0245)
    found = Timer(function, timer=timer).blocked_autorange(2.0)
    assert_equal(found.number_per_run, 8, "the calls of 24.5 ms in a block of at least 0.1 s, for 2 s in all")
    assert_close(found.raw_times, [8 * 0.0245] * 11, "raw_times", rtol=1e-6)


def test_cpu_time_does_not_count_waiting():
    """By default a Timer measures CPU time: a function that sleeps takes none. timer=time.perf_counter is wall time."""

    def sleep():
        time.sleep(0.02)

    wall = Timer(sleep, timer=time.perf_counter).timeit(2).raw_times[0]
    cpu = Timer(sleep).timeit(2).raw_times[0]
    assert wall >= 0.03, f"by the wall clock, two naps of 20 ms took {wall:.3g} s"
    assert cpu < wall / 2, f"two naps took {cpu:.3g} s of CPU time, and {wall:.3g} s on the wall"
