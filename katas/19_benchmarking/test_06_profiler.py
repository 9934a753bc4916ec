"""Where the time goes: a table, and a trace to look at."""

import json
import os
import threading

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch import dispatch
from tinytorch.benchmarking import profile
from tinytorch.dispatch import observed
from tinytorch.tensor import Tensor


@pytest.fixture(autouse=True)
def nobody_observes():
    """Whatever a spec leaves among the dispatcher's observers is gone for the next one."""
    yield
    dispatch.observers.clear()


def slow_machine():
    """A clock, and a function that spends seconds on it as an operation of some name: spend(name, seconds, *inner)."""
    now = [100.0]

    def spend(name, seconds, *inner):
        def run():
            now[0] += seconds / 2
            for each in inner:
                each()
            now[0] += seconds / 2
            return np.ones(1)

        return lambda: observed("function", name, run)

    return lambda: now[0], spend


def ones(*shape, **options):
    return Tensor(np.ones(shape, np.float32), **options)


def nested():
    """A profile of "outer" (1 s of its own), which calls "inner" (2 s) twice, then "last" (4 s)."""
    timer, spend = slow_machine()
    with profile(timer) as p:
        spend("outer", 1.0, spend("inner", 2.0), spend("inner", 2.0))()
        spend("last", 4.0)()
    return p


def test_every_operation_is_written_down():
    """`with profile() as p:` gives records of name and kind, in the order in which the operations ended."""
    x = ones(2, 3, requires_grad=True)
    with profile() as p:
        (x * x).sum().backward()
    x + x
    assert_equal([r.name for r in p.records], ["mul", "sum", "sum", "mul"], "the names")
    assert_equal([r.kind for r in p.records], ["primitive", "primitive", "rule", "rule"], "the kinds")


def test_results_come_through():
    """An operation gives under a profile what it gives without."""
    x = ones(2, 3)
    with profile():
        y = x + x
    assert_close(y, np.full((2, 3), 2, np.float32))


def test_start_and_seconds_of_an_operation():
    """`start` is what the timer says before run(), and `seconds` is how much later it is afterwards."""
    timer, spend = slow_machine()
    with profile(timer) as p:
        spend("one", 2.0)()
        spend("two", 3.0)()
    assert_equal([(r.start, r.seconds) for r in p.records], [(100.0, 2.0), (102.0, 3.0)], "start and seconds")


def test_own_time_is_without_what_was_called():
    """`seconds` of an operation has the time of operations inside it, `own` has not."""
    found = [(r.name, r.seconds, r.own) for r in nested().records]
    expected = [("inner", 2.0, 2.0), ("inner", 2.0, 2.0), ("outer", 5.0, 1.0), ("last", 4.0, 4.0)]
    assert_equal(found, expected, "name, seconds and own")


def test_three_deep():
    """Own time is without the operations directly inside, which have their own inner ones already in their seconds."""
    timer, spend = slow_machine()
    with profile(timer) as p:
        spend("a", 1.0, spend("b", 2.0, spend("c", 4.0)), spend("d", 8.0))()
    assert_equal(
        {r.name: r.own for r in p.records}, {"a": 1.0, "b": 2.0, "c": 4.0, "d": 8.0}, "own time by name"
    )


def test_an_operation_that_raises_spends_time_too():
    """An operation that raises has no record, and its time does not belong to the operation that called it."""
    timer, spend = slow_machine()

    def fails():
        with raises(ZeroDivisionError):
            spend("broken", 2.0, lambda: 1 // 0)()

    with profile(timer) as p:
        spend("outer", 4.0, fails)()
    assert_equal([(r.name, r.own) for r in p.records], [("outer", 4.0)], "name and own")


def test_threads_do_not_mix():
    """An operation in another thread is not inside of one in this thread, and has another `thread`."""
    timer, spend = slow_machine()

    def elsewhere():
        worker = threading.Thread(target=spend("other", 2.0))
        worker.start()
        worker.join()

    with profile(timer) as p:
        spend("outer", 1.0, elsewhere)()
    own = {r.name: r.own for r in p.records}
    assert_equal(own, {"other": 2.0, "outer": 3.0}, "own time by name")
    assert p.records[0].thread != p.records[1].thread, f"both have thread {p.records[0].thread}"


def test_records_have_counts():
    """Each record has the flops and bytes of its operation."""
    x, w = ones(2, 3), ones(3, 4)
    with profile() as p:
        (x @ w).exp()
    found = {r.name: (r.flops, r.bytes) for r in p.records if r.bytes}
    assert_equal(found, {"bmm": (48, 104), "exp": (0, 64)}, "flops and bytes by name")


def test_rows_add_up():
    """key_averages() has a row for each name and kind: calls, own time, seconds, flops and bytes added up."""
    x, w = ones(2, 3, requires_grad=True), ones(3, 4)
    with profile() as p:
        for _ in range(3):
            (x @ w).sum().backward()
    rows = {(row.name, row.kind): row for row in p.key_averages()}
    for kind in ("primitive", "rule"):
        row, records = rows["bmm", kind], [r for r in p.records if (r.name, r.kind) == ("bmm", kind)]
        assert_equal((row.calls, row.flops), (3, 3 * 48), f"calls and flops of the {kind} bmm")
        assert_equal(row.bytes, sum(r.bytes for r in records), f"the bytes of the {kind} bmm")
        assert_close(row.seconds, sum(r.seconds for r in records), "seconds", atol=0)
        assert_close(row.own, sum(r.own for r in records), "own time", atol=0)


def test_the_row_with_the_most_own_time_is_first():
    """key_averages() is sorted by own time: two "inner" of 2 s and "last" of 4 s come before "outer" of 1 s."""
    rows = nested().key_averages()
    assert_equal(rows[-1].name, "outer", "the last row")
    assert_equal([row.own for row in rows], [4.0, 4.0, 1.0], "own times, row by row")
    timer, spend = slow_machine()
    with profile(timer) as p:
        for name, seconds in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
            spend(name, seconds)()
    assert_equal([row.name for row in p.key_averages()], ["b", "c", "a"], "the names, row by row")


def test_the_table():
    """table() has a headline, and in each line name, kind, calls, own time, its share in percent, GFLOP and MB.

    Where no operation took any time, each has a share of 0 %.
    """
    lines = nested().table().splitlines()
    words = ["name", "kind", "calls", "own", "time", "share", "GFLOP", "MB"]
    assert_equal(lines[0].split(), words, "the words of the headline")
    assert_equal(len(lines), 4, "the number of lines")
    assert_equal(
        lines[-1].split()[:7], ["outer", "function", "1", "1", "s", "11", "%"], "the words of the last line"
    )
    inner = next(line for line in lines if "inner" in line)
    assert_equal(inner.split()[:7], ["inner", "function", "2", "4", "s", "44", "%"], "the words of its line")
    timer, spend = slow_machine()
    with profile(timer) as p:
        spend("nothing", 0.0)()
    share = p.table().splitlines()[-1].split()[5:7]
    assert_equal(share, ["0", "%"], "the share of an operation that took no time")


def test_the_table_has_counts():
    """GFLOP and MB are millions of thousands, and millions: a product of (200, 500) and (500, 1000) has 0.2 and 3.2."""
    x, w = ones(200, 500), ones(500, 1000)
    with profile() as p:
        x @ w
    line = next(line for line in p.table().splitlines() if "bmm" in line)
    assert_equal(line.split()[-2:], ["0.2", "3.2"], "GFLOP and MB")


def test_a_long_table_is_cut():
    """table(row_limit=2) has a headline and the two rows with the most own time; an empty one has its headline."""
    lines = nested().table(row_limit=2).splitlines()
    assert_equal(len(lines), 3, "the number of lines")
    assert not any("outer" in line for line in lines), "the row with the least own time is in the table"
    with profile() as nothing:
        pass
    assert_equal(len(nothing.table().splitlines()), 1, "the number of lines, if nothing happened")


def test_a_trace_opens_in_perfetto(tmp_path):
    """export_chrome_trace(path) writes {"traceEvents": [...]}: name, cat, ph "X", ts and dur in us, pid, tid, args."""
    p = nested()
    p.export_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    found = {(e["name"], e["cat"], e["ph"], round(e["ts"]), round(e["dur"]), e["pid"]) for e in events}
    pid = os.getpid()
    expected = {
        ("outer", "function", "X", 0, 5_000_000, pid),
        ("inner", "function", "X", 500_000, 2_000_000, pid),
        ("inner", "function", "X", 2_500_000, 2_000_000, pid),
        ("last", "function", "X", 5_000_000, 4_000_000, pid),
    }
    assert_equal(sorted(found), sorted(expected), "name, cat, ph, ts, dur and pid of the events")
    assert_equal({e["tid"] for e in events}, {threading.get_native_id()}, "the set of tids")
    assert all(set(e["args"]) == {"flops", "bytes"} for e in events), f"args are {events[0]['args']}"


def test_a_trace_of_nothing(tmp_path):
    """A profile without records writes a trace without events."""
    with profile() as p:
        pass
    p.export_chrome_trace(tmp_path / "trace.json")
    assert_equal(
        json.loads((tmp_path / "trace.json").read_text(encoding="utf-8")), {"traceEvents": []}, "the trace"
    )
