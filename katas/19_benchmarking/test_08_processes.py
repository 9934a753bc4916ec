"""Two processes and one memory. Each spec runs in a copy of its process, which ends with it, whatever is left there."""

import os
import signal
import sys
import threading
import time
from multiprocessing import Pipe
from os import _exit as leave

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, no_warnings, raises
from dojo.spec.child import in_child
from tinytorch.benchmarking import ProcessGroup, shared_array, spawn, work

PATIENCE = 10.0  # seconds that no spec should ever wait


def rank_and_size(group):
    return group.rank, group.world_size


def test_a_shared_array_is_an_array_of_zeros():
    """shared_array((2, 3), float64) is a NumPy array of zeros of that shape and dtype, which can be written."""
    array = shared_array((2, 3), np.float64)
    assert_close(array, np.zeros((2, 3)), "the array")
    array[1, 2] = 5
    assert_equal(array.sum(), np.float64(5), "its sum, after one entry was set to 5")
    assert_equal(shared_array((0, 3)).shape, (0, 3), "the shape of an array without entries")
    assert_equal(shared_array(()).shape, (), "the shape of a single number")


def test_what_a_fork_writes_is_seen_here():
    """What a fork writes into a shared array is there in this process too; into any other array it is not."""
    shared, other, second = shared_array((3,)), np.zeros(3, np.float32), shared_array((3,))

    def write():
        shared[1], other[1] = 7, 7

    in_child(write)
    assert_close(shared, np.array([0, 7, 0], np.float32), "the shared array")
    assert_close(other, np.zeros(3, np.float32), "an array of NumPy's own")
    assert_close(second, np.zeros(3, np.float32), "another shared array")


def test_a_worker_sends_its_result():
    """work(pipe, function, group, args) sends (True, function(group, *args)) through the pipe."""
    ours, theirs = Pipe(duplex=False)
    group = ProcessGroup(1, np.zeros((2, 8), np.uint8), None, 1.0)
    work(theirs, lambda group, a, b: (group.rank, a - b), group, (7, 3))
    assert_equal(ours.recv(), (True, (1, 4)), "what was sent")


@pytest.mark.parametrize("error", [ZeroDivisionError("broken here"), SystemExit("broken here")])
def test_a_worker_sends_its_error(error):
    """If the function raises, even SystemExit, work raises nothing and sends (False, the traceback as text)."""
    ours, theirs = Pipe(duplex=False)

    def function(group):
        raise error

    work(theirs, function, ProcessGroup(0, np.zeros((1, 8), np.uint8), None, 1.0), ())
    fine, told = ours.recv()
    assert_equal(fine, False, "the first part of what was sent")
    for part in (type(error).__name__, "broken here", "in function"):
        assert part in told, f"{part!r} is missing in the traceback: {told}"


def test_a_result_that_cannot_be_sent_is_an_error():
    """A result that pickle cannot write, such as a function inside a function, is an error like any other."""
    ours, theirs = Pipe(duplex=False)
    work(theirs, lambda group: lambda: 1, ProcessGroup(0, np.zeros((1, 8), np.uint8), None, 1.0), ())
    assert_equal(ours.recv()[0], False, "the first part of what was sent")


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_results_come_by_rank(world_size):
    """spawn(function, world_size) gives what function(group) returned in each process, in the order of the ranks."""

    def run():
        return {"found": spawn(rank_and_size, world_size)}

    assert_close(
        in_child(run)["found"], [[rank, world_size] for rank in range(world_size)], "rank and world_size"
    )


def test_results_come_by_rank_although_the_first_is_last():
    """The order of the results is that of the ranks, also if rank 0 is the last to finish."""

    def late(group):
        if group.rank == 0:
            time.sleep(0.3)
        return group.rank

    assert_close(in_child(lambda: {"found": spawn(late, 3)})["found"], [0, 1, 2], "the results")


@pytest.mark.timeout(5)
def test_a_result_may_be_larger_than_a_pipe():
    """A pipe holds 64 KiB, and who sends more waits for a reader: a result of 2.4 MB comes back all the same."""
    found = in_child(lambda: {"found": spawn(lambda group: np.ones(300_000))})["found"]
    assert_close(found, np.ones((2, 300_000)), "the results of two processes")


def test_each_rank_has_a_process_of_its_own():
    """Every rank runs in a process of its own, and none in the one that calls spawn."""

    def run():
        return {"found": [*spawn(lambda group: os.getpid()), os.getpid()]}

    pids = in_child(run)["found"].tolist()
    assert_equal(len(set(pids)), 3, "the number of different processes, the caller's too")


def test_arguments_are_handed_on():
    """spawn(function, 2, a, b) calls function(group, a, b)."""

    def run():
        return {"found": spawn(lambda group, a, b: a * group.rank + b, 2, 10, 1)}

    assert_close(in_child(run)["found"], [1, 11], "the results")


def test_nobody_passes_a_barrier_alone():
    """group.barrier() waits until all processes have called it: what was written before it is there after it."""

    def run():
        written = shared_array((2,))

        def function(group):
            time.sleep(0.1 * group.rank)
            written[group.rank] = 1
            group.barrier()
            return written.copy()

        return {"found": spawn(function, timeout=PATIENCE)}

    assert_close(in_child(run)["found"], np.ones((2, 2), np.float32), "what each sees behind the barrier")


def test_a_barrier_has_a_time_limit():
    """If not all come within `timeout` seconds, barrier is a RuntimeError whose message names the rank and the time.

    If this never ends, look at what you give gate.wait.
    """

    def run():
        def function(group):
            if group.rank == 0:
                with raises(RuntimeError, 0, 0.2):
                    group.barrier()
            else:
                time.sleep(0.5)

        spawn(function, timeout=0.2)

    in_child(run)


def test_all_reduce_of_two():
    """group.all_reduce(array) replaces the array in every process by the sum: 1, 2, 3 and 10, 20, 30 are 11, 22, 33."""

    def run():
        def function(group):
            array = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]][group.rank])
            assert_equal(group.all_reduce(array), None, "what all_reduce returns")
            return array

        return {"found": spawn(function, timeout=PATIENCE)}

    assert_close(in_child(run)["found"], np.array([[11.0, 22.0, 33.0]] * 2), "the arrays of both")


@pytest.mark.parametrize("kind", ["integers", "a matrix", "not contiguous", "a number", "nothing", "float16"])
def test_all_reduce_of_any_array(kind):
    """Shape and dtype stay what they are; the array may be a view with gaps, a 0-d array, or empty."""
    arrays = {
        "integers": np.arange(5),
        "a matrix": np.arange(6.0, dtype=np.float32).reshape(2, 3),
        "not contiguous": np.arange(12.0).reshape(3, 4).T[::2],
        "a number": np.array(3.0),
        "nothing": np.zeros((0, 2), np.float32),
        "float16": np.arange(4, dtype=np.float16),
    }
    array = arrays[kind]

    def run():
        def function(group):
            mine = array  # a copy, since this is a fork
            mine += 1
            group.all_reduce(mine)
            return mine

        return {"found": np.stack(spawn(function, 3, timeout=PATIENCE))}

    assert_close(
        in_child(run)["found"], np.stack([3 * (array + 1).astype(array.dtype)] * 3), f"of {kind}, the sums"
    )


def test_all_have_the_same_sum_bit_for_bit():
    """All processes add up in the same order: the sums of 3 processes are equal, bit for bit."""

    def run():
        def function(group):
            array = np.random.default_rng(group.rank).standard_normal(1000).astype(np.float32)
            group.all_reduce(array)
            return array

        return {"found": spawn(function, 3, timeout=PATIENCE)}

    first, *others = in_child(run)["found"]
    for rank, other in enumerate(others, 1):
        assert_close(other, first, f"the sum of rank {rank}, beside that of rank 0,", rtol=0, atol=0)


def test_one_after_the_other():
    """Nobody writes the next array while another one still reads the last: 300 sums in a row are all right."""

    def run():
        def function(group):
            wrong = 0
            for turn in range(300):
                array = np.full(20_000, turn + group.rank, np.float32)
                group.all_reduce(array)
                wrong += bool((array != 2 * turn + 1).any())
            return wrong

        return {"found": spawn(function, timeout=PATIENCE)}

    assert_close(
        in_child(run)["found"], [0, 0], "of 300 sums in each of two processes, the number of wrong ones"
    )


def test_an_array_must_fit():
    """An array of more bytes than buffer_bytes is a ValueError whose message names both numbers."""

    def run():
        def function(group):
            group.all_reduce(np.zeros(4, np.float32))  # this one just fits
            with raises(ValueError, 20, 16):
                group.all_reduce(np.zeros(5, np.float32))

        spawn(function, buffer_bytes=16, timeout=PATIENCE)

    in_child(run)


def nobody_left():
    """Check that this process has no child any more, not even a dead one that nobody has waited for."""
    try:
        left = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    raise AssertionError(f"a process is left: os.waitpid gives {left}")


def fails(how, *values):
    """Let rank 1 end in this way, while rank 0 waits for it: spawn must say so at once, before rank 0 gives up."""

    def run():
        def function(group):
            if group.rank == 1:
                how()
            group.barrier()

        with raises(RuntimeError, *values):
            spawn(function, timeout=PATIENCE / 5)
        nobody_left()

    in_child(run)


def test_nothing_is_left_when_all_is_well():
    """When spawn returns, its processes have ended, and were waited for."""

    def run():
        spawn(rank_and_size)
        nobody_left()

    in_child(run)


def test_an_exception_reaches_the_parent():
    """If a process raises, spawn is a RuntimeError with its rank, its error and its line, and the others are ended."""

    def how():
        raise LookupError("the seventh sample is missing")

    fails(how, "process 1", "LookupError", "the seventh sample is missing", "in how")


def test_the_others_are_ended():
    """If a process raises, spawn kills those that are still at work, and does not wait until they are done."""

    def run():
        done = shared_array((1,))

        def function(group):
            if group.rank == 1:
                raise LookupError("the seventh sample is missing")
            time.sleep(PATIENCE / 2)
            done[0] = 1

        with raises(RuntimeError, "process 1", "LookupError"):
            spawn(function)
        assert not done[0], "rank 1 has raised, and spawn waited until rank 0 was done with its work"
        nobody_left()

    in_child(run)


def test_a_killed_process_is_an_error():
    """If a process is killed, spawn is a RuntimeError with its rank and "SIGKILL", at once, although another waits."""
    fails(lambda: os.kill(os.getpid(), signal.SIGKILL), "process 1", "SIGKILL")


def test_a_process_that_goes_is_an_error():
    """If a process ends without a result, spawn is a RuntimeError with its rank and its exit status, also 0."""
    fails(lambda: leave(7), "process 1", 7)
    fails(lambda: leave(0), "process 1", 0)


def test_exit_is_an_error_like_any_other():
    """If a process calls sys.exit, spawn is a RuntimeError with its rank and "SystemExit"."""
    fails(lambda: sys.exit(3), "process 1", "SystemExit")


def test_without_fork_it_says_so(monkeypatch):
    """On a system without os.fork, as Windows, spawn is a RuntimeError that says "fork"."""
    monkeypatch.delattr(os, "fork", raising=False)
    with raises(RuntimeError, "fork"):
        spawn(rank_and_size)


def test_threads_come_after_the_fork():
    """While another thread runs that is no daemon, spawn is a RuntimeError whose message names it."""

    def run():
        end = threading.Event()
        thread = threading.Thread(target=end.wait, name="reader of files")
        thread.start()
        try:
            with raises(RuntimeError, "reader of files"):
                spawn(rank_and_size)
        finally:
            end.set()
            thread.join()

    in_child(run)


def test_there_is_no_warning():
    """spawn gives no warning, whatever Python thinks of a fork beside the threads of the BLAS."""

    def run():
        end = threading.Event()
        thread = threading.Thread(target=end.wait, daemon=True)
        thread.start()
        with no_warnings():
            spawn(rank_and_size)
        end.set()

    in_child(run)


@pytest.mark.parametrize("world_size", [0, -1])
def test_at_least_one_process(world_size):
    """A world_size below 1 is a ValueError whose message names it."""
    with raises(ValueError, world_size):
        spawn(rank_and_size, world_size)
