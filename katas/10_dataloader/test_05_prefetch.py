"""prefetch: work is done ahead of time, in order, up to a bound, and ends with the reader.

Nothing here waits for ever: after three seconds a spec fails and says what did not happen.
"""

import gc
import itertools
import threading
import time
from contextlib import suppress

import pytest

from dojo.spec import assert_equal, no_thread_left, raises
from tinytorch.dataloader import prefetch

PATIENCE = 3.0


def double(job):
    return 2 * job


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_jobs(num_workers):
    """list(prefetch(work, jobs, num_workers, ahead)) is [work(job) for job in jobs], with any number of workers."""
    with no_thread_left():
        assert_equal(
            list(prefetch(double, range(20), num_workers, 4)),
            [2 * i for i in range(20)],
            "the list of results",
        )
        assert_equal(list(prefetch(double, [], num_workers, 4)), [], "the list of results of no job")
        assert_equal(list(prefetch(double, iter([1, 2]), num_workers, 10)), [2, 4], "fewer jobs than `ahead`")


def test_without_workers_a_job_is_done_when_it_is_asked_for():
    """With num_workers=0 there is no thread: the first next() does only job 0, in the caller's thread."""
    done = []

    def work(job):
        done.append((job, threading.current_thread()))

    results = prefetch(work, range(5), 0, 0)
    assert_equal(done, [], "the list of jobs done before anybody asked")
    next(results)
    assert_equal(
        done, [(0, threading.current_thread())], "the list of jobs done after one next(), and their threads"
    )


def test_the_next_job_is_done_while_the_caller_is_busy():
    """While the caller has the result of job 0, a worker does job 1, in a thread of its own."""
    begun = [threading.Event() for _ in range(5)]
    threads = set()

    def work(job):
        threads.add(threading.current_thread())
        begun[job].set()

    with no_thread_left():
        results = prefetch(work, range(5), 1, 2)
        next(results)
        assert begun[1].wait(PATIENCE), "job 1 was not begun while the caller had the result of job 0"
        assert threading.current_thread() not in threads, "a job was done in the caller's own thread"
        list(results)
        assert_equal(len(threads), 1, "the number of threads that worked, with num_workers=1")


def test_workers_work_side_by_side():
    """Two workers work at the same time: job 0 can wait for jobs 1 to 7, and its result still comes first."""
    finished = threading.Event()

    def work(job):
        if job == 0:
            if not finished.wait(PATIENCE):
                return "waited in vain for job 7"
            time.sleep(0.02)
        if job == 7:
            finished.set()
        return job

    with no_thread_left():
        assert_equal(list(prefetch(work, range(8), 2, 8)), list(range(8)), "the list of results")


@pytest.mark.parametrize(("num_workers", "ahead"), [(1, 1), (2, 4), (3, 3)])
def test_not_more_than_asked_for_is_done_ahead(num_workers, ahead):
    """While the caller has one result, exactly `ahead` further jobs are started: memory use is bounded."""
    begun = []

    with no_thread_left():
        results = prefetch(begun.append, range(50), num_workers, ahead)
        for taken in range(1, 4):
            next(results)
            deadline = time.monotonic() + PATIENCE
            while len(begun) < taken + ahead and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.01)  # for what should not happen
            assert_equal(
                len(begun),
                taken + ahead,
                f"the number of jobs begun when {taken} results were taken, ahead={ahead}",
            )
        results.close()


def test_jobs_are_taken_in_the_callers_thread():
    """`jobs` is iterated over in the caller's thread, as results are asked for: it may be endless."""
    threads = set()

    def jobs():
        for job in itertools.count():
            threads.add(threading.current_thread())
            yield job

    with no_thread_left():
        results = prefetch(double, jobs(), 2, 4)
        assert_equal([next(results) for _ in range(3)], [0, 2, 4], "the list of the first three results")
        results.close()
    assert_equal(threads, {threading.current_thread()}, "the set of threads in which jobs were taken")


# Errors


def broken_at_3(job):
    if job == 3:
        raise LookupError("job 3 is broken")
    return job


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_error_comes_in_its_place(num_workers):
    """An error of job 3 is raised unchanged after the results of jobs 0, 1 and 2; then nothing more comes."""
    taken = []
    with no_thread_left():
        results = prefetch(broken_at_3, range(10), num_workers, 6)
        try:
            for result in results:
                taken.append(result)
        except LookupError as error:
            assert_equal(str(error), "job 3 is broken", "the error's message")
        else:
            raise AssertionError(f"the error of job 3 was not raised; the results were {taken}")
        assert_equal(taken, [0, 1, 2], "the list of results before the error")
        assert_equal(list(results), [], "what comes after the error")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_stop_iteration_is_an_error_like_any_other(num_workers):
    """A StopIteration out of job 3 is not the end of the jobs: it is a RuntimeError, as out of any generator."""
    taken = []

    def broken(job):
        return job if job < 3 else next(iter([]))

    with raises(RuntimeError), no_thread_left():
        for result in prefetch(broken, range(10), num_workers, 6):
            taken.append(result)
    assert_equal(taken, [0, 1, 2], "the results before the error")


# The end


def begin(num_workers=1, ahead=3):
    """A prefetch of ten jobs. All except the first run until they are told to stop. One result is taken."""
    stop, second, begun, told = threading.Event(), threading.Event(), [], []

    def work(job):
        begun.append(job)
        if job > 0:
            second.set()
            told.append(stop.wait(PATIENCE))
        return job

    results = prefetch(work, range(10), num_workers, ahead, stop)
    next(results)
    assert second.wait(PATIENCE), "job 1 was not begun while the caller had the result of job 0"
    return results, stop, begun, told


def test_closing_ends_the_threads():
    """results.close() sets `stop`, so that a running job can give up, drops waiting jobs, and leaves no thread."""
    with no_thread_left():
        results, stop, begun, told = begin()
        results.close()
    assert stop.is_set(), "`stop` is not set after close()"
    assert_equal(begun, [0, 1], "the list of jobs that were begun")
    assert_equal(told, [True], "whether job 1 was told to stop while it worked")


@pytest.mark.parametrize("end", ["closed", "forgotten", "an error"])
def test_the_job_in_hand_is_waited_for(end):
    """However the results end, they wait for a running job, even if it takes 50 ms to give up."""
    stop, second, given_up = threading.Event(), threading.Event(), []

    def work(job):
        if job == 1:
            second.set()
            stop.wait(PATIENCE)
            time.sleep(0.05)
            given_up.append(job)
            return
        second.wait(PATIENCE)
        if end == "an error":
            raise LookupError("job 0 is broken")

    with no_thread_left():
        results = prefetch(work, range(2), 2, 2, stop)
        with suppress(LookupError):
            next(results)
        if end == "closed":
            results.close()
        elif end == "forgotten":
            del results
            gc.collect()
        assert_equal(
            given_up, [1], f"the list of jobs that had given up when the results were at their end ({end})"
        )


def test_all_workers_end():
    """Three workers in the middle of their jobs all end."""
    with no_thread_left():
        results, _, begun, told = begin(num_workers=3, ahead=6)
        results.close()
    assert all(told), "a job was not told to stop while it worked"
    assert len(begun) <= 4, f"jobs {begun} were begun: jobs that wait should be dropped"


def test_forgetting_ends_the_threads():
    """Results that nothing refers to any more end their threads, as if they were closed."""
    with no_thread_left():
        results, stop, _, told = begin()
        del results
        gc.collect()
    assert stop.is_set(), "`stop` is not set after the results were forgotten"
    assert_equal(told, [True], "whether job 1 was told to stop while it worked")


def test_an_error_ends_the_threads():
    """After an error of one job the others are told to stop, and no thread is left, even if the error is kept."""
    stop, told = threading.Event(), []

    def work(job):
        if job == 0:
            raise LookupError("job 0 is broken")
        told.append(stop.wait(PATIENCE))

    with no_thread_left():
        results = prefetch(work, range(10), 2, 4, stop)
        try:
            next(results)
        except LookupError as error:
            held = error
        assert stop.is_set(), "`stop` is not set after an error"
    assert all(told), f"after {held!r} a job was not told to stop while it worked"
    del results


def test_the_last_result_ends_the_threads():
    """When all results are taken, `stop` is set and no thread is left, even if the generator is still referred to."""
    stop = threading.Event()
    with no_thread_left():
        results = prefetch(double, range(5), 2, 4, stop)
        assert_equal(list(results), [0, 2, 4, 6, 8], "the list of results")
    assert stop.is_set(), "`stop` is not set after the last result"
    del results
