"""Look first: an observer adds up what each operation takes."""

import sys
import time

import numpy as np
import pytest

from dojo.spec import assert_equal, raises
from tinytorch.acceleration.observing import Cost, Profile, new_arrays, page_faults, profile, table
from tinytorch.dispatch import Event, disabled, observers
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig


def new_clock():
    """A clock that stands still until something takes time, and `work(seconds, result)`, a call that takes time."""
    now = [100.0]

    def work(seconds, result=None):
        def run():
            now[0] += seconds
            return result

        return run

    return lambda: now[0], work


def event(name, *args, kind="primitive"):
    return Event(kind, name, args, {})


# Memory


def test_page_faults_are_what_the_system_counted():
    """page_faults gives ru_minflt of this process."""
    resource = pytest.importorskip("resource", reason="Windows does not tell")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    mine = page_faults()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert isinstance(mine, int), f"page_faults() is {mine!r}, expected a number"
    assert before <= mine <= after, f"page_faults() is {mine}, expected {before} to {after}"


def test_where_the_system_does_not_tell_there_are_none(monkeypatch):
    """Where there is no module resource, page_faults gives None."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert_equal(page_faults(), None, "page_faults() without the module resource")


def names_of(arrays, **known):
    return [name for each in arrays for name, array in known.items() if each is array]


def test_a_new_array_has_memory_of_its_own():
    """new_arrays gives the arrays of a result whose memory is new: no views of what was given to the call."""
    x, y = np.ones((2, 3)), np.ones(4)
    view = x[0]
    assert_equal(names_of(new_arrays(y, [x]), y=y), ["y"], "new_arrays(y, [x])")
    assert_equal(names_of(new_arrays(view, [x]), view=view), [], "new_arrays of a view of x, which was given")
    assert_equal(names_of(new_arrays(x, [x, y]), x=x), [], "new_arrays of x itself, which was given")


def test_a_view_of_something_new_is_new():
    """A view of an array that nobody gave to the call counts; so does one of a view."""
    x, fresh = np.ones(3), np.ones((2, 3)).T[1:]
    assert_equal(
        names_of(new_arrays(fresh, [x]), fresh=fresh), ["fresh"], "new_arrays of a view of a new array"
    )
    view = x[1:][1:]
    assert_equal(
        names_of(new_arrays(view, [x[:1]]), view=view), [], "new_arrays of a view of what x[:1] views"
    )


def test_results_are_arrays_tensors_and_tuples():
    """A Tensor counts as its array, and a tuple as its parts; None and numbers have no memory."""
    x, y = np.ones(2), np.ones(3)
    found = new_arrays((x, None, y), [2.5])
    assert_equal(names_of(found, x=x, y=y), ["x", "y"], "new_arrays((x, None, y), [2.5])")
    assert_equal(names_of(new_arrays(Tensor(x), []), x=x), ["x"], "new_arrays(Tensor(x), [])")
    assert_equal(names_of(new_arrays(x, [Tensor(x)]), x=x), [], "new_arrays(x, [Tensor(x)])")
    for nothing in (None, NotImplemented, 2.5):
        assert_equal(new_arrays(nothing, [x]), [], f"new_arrays({nothing})")


# The observer


def test_a_profile_adds_up_calls_and_seconds():
    """A Profile runs the call, returns its result, and adds its seconds to the Cost of its name."""
    clock, work = new_clock()
    seen = Profile(clock)
    assert_equal(seen(event("add"), work(2.0, "the sum")), "the sum", "what the observer returns")
    seen(event("add"), work(0.5))
    seen(event("mul"), work(4.0))
    assert_equal(list(seen.costs), ["add", "mul"], "the names of the operations")
    assert_equal((seen.costs["add"].calls, seen.costs["add"].seconds), (2, 2.5), "calls and seconds of add")
    assert_equal((seen.costs["mul"].calls, seen.costs["mul"].seconds), (1, 4.0), "calls and seconds of mul")


def test_the_way_back_is_an_operation_of_its_own():
    """The rule of mul is counted as "mul_backward"; kernels and Functions have their own names."""
    clock, work = new_clock()
    seen = Profile(clock)
    seen(event("mul", kind="primitive"), work(1.0))
    seen(event("mul", kind="rule"), work(3.0))
    seen(event("relu", kind="kernel"), work(1.0))
    assert_equal(list(seen.costs), ["mul", "mul_backward", "relu"], "the names")
    assert_equal(seen.costs["mul_backward"].seconds, 3.0, "the seconds of the rule")


def test_each_second_counts_once():
    """The seconds of a call inside of another one belong to the inner one alone, however deep."""
    clock, work = new_clock()
    seen = Profile(clock)

    def middle():
        work(1.0)()
        seen(event("inner"), work(5.0))
        seen(event("inner"), work(2.0))
        work(0.5)()

    def outer():
        work(0.25)()
        seen(event("middle"), middle)

    seen(event("outer"), outer)
    seconds = {name: cost.seconds for name, cost in seen.costs.items()}
    assert_equal(seconds, {"outer": 0.25, "middle": 1.5, "inner": 7.0}, "the seconds of each")


def test_a_call_that_raises_took_time_too():
    """An error passes through, its call is counted, and the next one is measured as usual."""
    clock, work = new_clock()
    seen = Profile(clock)

    def broken():
        work(3.0)()
        raise ZeroDivisionError("of the operation")

    def outer():
        with raises(ZeroDivisionError):
            seen(event("div"), broken)
        work(1.0)()

    seen(event("outer"), outer)
    seconds = {name: cost.seconds for name, cost in seen.costs.items()}
    assert_equal(seconds, {"outer": 1.0, "div": 3.0}, "the seconds of each")
    assert_equal(seen.costs["div"].calls, 1, "the calls of div")


def test_new_memory_and_its_dtypes_are_added_up():
    """nbytes adds up the sizes of new_arrays, and dtypes collects the names of their dtypes."""
    clock, work = new_clock()
    seen = Profile(clock)
    x = np.ones((4, 5), np.float32)
    seen(event("mul", x, x), work(1.0, x * x))
    seen(event("mul", x, x), work(1.0, x.astype(np.float64)))
    seen(event("reshape", x), work(1.0, x.reshape(20)))
    seen(event("add", x, x, kind="rule"), work(1.0, (x + 1, None, x)))
    assert_equal(seen.costs["mul"].nbytes, 80 + 160, "the bytes of mul")
    assert_equal(seen.costs["mul"].dtypes, {"float32", "float64"}, "the dtypes of mul")
    assert_equal(seen.costs["reshape"].nbytes, 0, "the bytes of a view")
    assert_equal(seen.costs["add_backward"].nbytes, 80, "the bytes of the rule of add")


def test_profile_watches_a_block():
    """`with profile() as seen:` watches every primitive and rule in its block, and nothing after it."""
    x = Tensor(np.ones((3, 4), np.float32), requires_grad=True)
    before = list(observers)
    with profile() as seen:
        (x * x).sum().backward()
    x * x
    assert_equal(seen.costs["mul"].calls, 1, "the calls of mul in the block")
    assert_equal(seen.costs["mul"].nbytes, 48, "the bytes of mul in the block")
    assert "mul_backward" in seen.costs, f"no mul_backward among {sorted(seen.costs)}"
    assert_equal(observers, before, "the observers after the block")


def test_profile_ends_with_an_error():
    """An error leaves no observer behind. Of two blocks, one in the other, both see what is in the inner one."""
    x = Tensor(np.ones(3, np.float32))
    before = list(observers)
    with raises(ZeroDivisionError), profile(), profile():
        raise ZeroDivisionError
    assert_equal(observers, before, "the observers after an error")
    with profile() as outer:
        with profile() as inner:
            x + x
        x + x
    calls = outer.costs["add"].calls, inner.costs["add"].calls
    assert_equal(calls, (2, 1), "the additions that the outer and the inner block saw")


def test_a_table_of_what_took_longest():
    """table gives a line for the names, one for each operation, the longest first, and one for the total."""
    costs = {
        "add": Cost(30, 0.002, 40_000_000_000, {"float32"}),
        "bmm": Cost(2, 0.1234, 1_500_000, {"float64", "float32"}),
        "reshape": Cost(7, 0.0001, 0, set()),
    }
    head, *lines = table(costs).splitlines()
    assert_equal([line.split()[0] for line in lines], ["bmm", "add", "reshape", "total"], "the first words")
    assert_equal(lines[0].split(), ["bmm", "2", "123.40", "1.50", "float32,", "float64"], "the line of bmm")
    assert_equal(lines[2].split(), ["reshape", "7", "0.10", "0.00"], "the line of reshape")
    assert_equal(lines[3].split(), ["total", "39", "125.50", "40001.50", "float32,", "float64"], "the total")
    assert_equal(head.split(), ["operation", "calls", "ms", "MB", "dtypes"], "the names of the columns")


def test_a_table_shows_only_so_many_rows():
    """table(costs, rows) shows the `rows` that took longest; the total counts all."""
    costs = {f"op{i}": Cost(1, i / 1000, 0, set()) for i in range(20)}
    lines = table(costs, 3).splitlines()
    assert_equal(
        [line.split()[0] for line in lines[1:]], ["op19", "op18", "op17", "total"], "the first words"
    )
    assert_equal(lines[-1].split()[1:3], ["20", "190.00"], "calls and ms of the total")
    assert_equal(len(table({}).splitlines()), 2, "the lines of a table of nothing")


# What it shows


def test_the_observer_finds_a_power():
    """In a gelu that says x**3 instead of x * x * x, the power takes most of the time."""
    x = Tensor(np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32))
    with profile(time.process_time) as seen:  # what other programs do does not count
        inner = x + 0.044715 * x**3
        x * (0.5 * (1 + inner.tanh()))
    longest = max(seen.costs, key=lambda name: seen.costs[name].seconds)
    assert_equal(longest, "pow", "the operation that took longest")


def test_the_observer_finds_float64():
    """A Tensor of float64 that leaked in makes all that follows twice as large, and the dtypes say where."""
    x = Tensor(np.ones((8, 8), np.float32))
    with profile() as seen:
        (x / Tensor(np.sqrt(np.full((1, 1), 64.0)))).exp()
    assert_equal(seen.costs["div"].dtypes, {"float64"}, "the dtypes of div")
    assert_equal(seen.costs["exp"].nbytes, 512, "the bytes of exp")


def test_a_step_of_your_gpt():
    """A training step of a GPT of yours computes in float32 from beginning to end, and the table says what it costs."""
    model = GPT(GPTConfig(vocab_size=65, block_size=16, n_layer=2, n_head=2, n_embd=32))
    ids = Tensor(np.arange(34).reshape(2, 17) % 65)
    with disabled(), profile() as seen:
        model.loss(ids[:, :-1], ids[:, 1:]).backward()
    floats = {name: cost.dtypes for name, cost in seen.costs.items() if "float64" in cost.dtypes}
    assert not floats, f"float64 in {sorted(floats)}\n{table(seen.costs, 40)}"
    for name in ("bmm", "bmm_backward", "tanh", "getitem"):
        assert name in seen.costs, f"no {name} among {sorted(seen.costs)}"
    print(table(seen.costs))
