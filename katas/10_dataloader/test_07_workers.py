"""The loader with workers: the same batches, made ahead of time; no thread is left, however the loop ends.

Nothing here waits for ever: after three seconds a spec fails and says what did not happen.
"""

import gc
import signal
import threading
import time
import traceback

import numpy as np
import pytest

from dojo.spec import assert_equal, no_thread_left, raises_with_note
from tinytorch.dataloader import DataLoader, Dataset, IterableDataset, current_generator
from tinytorch.setup import default_generator, manual_seed

PATIENCE = 3.0


class Noisy(Dataset):
    """Sample i is i and a random number from the current generator; every other sample takes a little longer."""

    def __getitem__(self, index):
        time.sleep(0.0002 * (index % 2))
        return index, current_generator().integers(2**62)

    def __len__(self):
        return 24


class Watched(Dataset):
    """100 samples; `begun[i]` is set when sample i is read, and `read` lists what was read."""

    def __init__(self):
        self.begun = [threading.Event() for _ in range(100)]
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        self.begun[index].set()
        return index

    def __len__(self):
        return 100


class Slow(Watched, Dataset):
    """Sample 2 waits until the loop ends, and every one after it takes 10 ms: a batch of all of them takes a second."""

    def __init__(self):
        super().__init__()
        self.loop_ends = threading.Event()

    def __getitem__(self, index):
        if index > 2:
            time.sleep(0.01)
        sample = super().__getitem__(index)
        if index == 2:
            self.loop_ends.wait(PATIENCE)
        return sample


class SlowStream(IterableDataset):
    """0 to 99. Sample 51 waits until the loop ends, and each one after it takes 10 ms. `read` lists what was read."""

    def __init__(self):
        self.begun, self.loop_ends, self.read = threading.Event(), threading.Event(), []

    def __iter__(self):
        for i in range(100):
            if i > 51:
                time.sleep(0.01)
            self.read.append(i)
            if i == 51:
                self.begun.set()
                self.loop_ends.wait(PATIENCE)
            yield i


class Stream(IterableDataset):
    """0 to 19, read by one thread at a time or it is an error. Sample `broken` is an error too."""

    def __init__(self, broken=None):
        self.broken, self.lock = broken, threading.Lock()

    def __iter__(self):
        for i in range(20):
            assert self.lock.acquire(blocking=False), "two threads read the stream at once"
            time.sleep(0.0005)
            self.lock.release()
            if i == self.broken:
                raise OSError("the line is dead")
            yield i


def numbers(loader):
    return [np.asarray([part.data for part in batch]).tolist() for batch in loader]


# The same batches


def test_workers_change_nothing():
    """With the same generator, 0, 1 and 3 workers give the same batches: the same order and the same random numbers."""
    expected = None
    for num_workers in (0, 1, 3):
        loader = DataLoader(
            Noisy(), 4, shuffle=True, num_workers=num_workers, generator=np.random.default_rng(5)
        )
        with no_thread_left():
            found = [numbers(loader) for _ in range(2)]
        expected = expected or found
        assert_equal(found, expected, f"the list of two epochs with {num_workers} workers")


def test_workers_leave_the_callers_chance_alone():
    """Draws of the loop from the default generator (dropout) and draws of the workers do not affect each other."""
    expected = None
    for num_workers in (0, 1, 3):
        manual_seed(3)
        found, dropped = [], []
        for batch in DataLoader(Noisy(), 4, shuffle=True, num_workers=num_workers):
            found.append(batch[1].tolist())
            dropped.append(int(default_generator("cpu").integers(2**62)))
        expected = expected or (found, dropped)
        assert_equal(dropped, expected[1], f"what the loop drew, with {num_workers} workers")
        assert_equal(found, expected[0], f"what the batches drew, with {num_workers} workers")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_run_can_be_resumed_exactly(num_workers):
    """A new loader with the generator's state from the end of an epoch gives the same next epoch."""
    generator = np.random.default_rng(5)
    loader = DataLoader(Noisy(), 4, shuffle=True, num_workers=num_workers, generator=generator)
    numbers(loader)
    saved = generator.bit_generator.state
    expected = numbers(loader)
    resumed = np.random.default_rng()
    resumed.bit_generator.state = saved
    loader = DataLoader(Noisy(), 4, shuffle=True, num_workers=num_workers, generator=resumed)
    assert_equal(numbers(loader), expected, "the epoch after the one that was saved")


def test_order_is_the_callers_business():
    """Samplers are iterated over in the caller's thread, so they may draw from the default generator."""
    threads = set()

    class Sampler:
        def __iter__(self):
            for i in range(20):
                threads.add(threading.current_thread())
                yield i

    with no_thread_left():
        batches = [batch.tolist() for batch in DataLoader(Watched(), 5, sampler=Sampler(), num_workers=2)]
    assert_equal([i for batch in batches for i in batch], list(range(20)), "the list of samples")
    assert_equal(threads, {threading.current_thread()}, "the set of threads in which the sampler was read")


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_stream_has_one_reader(num_workers):
    """A stream is read in order, by one thread, however many workers there are."""
    loader = DataLoader(Stream(), 3, num_workers=num_workers)
    with no_thread_left():
        found = [batch.tolist() for batch in loader]
    assert_equal([i for batch in found for i in batch], list(range(20)), "the list of samples")
    assert_equal(len(found), 7, "the number of batches")


def test_two_loops_over_one_loader():
    """Two loops over the same loader do not disturb each other."""
    loader = DataLoader(Watched(), 10, num_workers=2)
    with no_thread_left():
        pairs = [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)]
    assert_equal(len(pairs), 10, "the number of pairs of batches")
    assert all(a == b for a, b in pairs), "the two loops got different batches"


# Ahead of time


def test_the_next_batch_is_read_while_the_model_learns():
    """While the caller has batch 0, a worker reads batch 1, also of a stream."""
    dataset = Watched()
    with no_thread_left():
        for _ in DataLoader(dataset, 10, num_workers=1):
            assert dataset.begun[10].wait(PATIENCE), "batch 1 was not begun while the caller had batch 0"
            break
    begun = threading.Event()

    class Told(IterableDataset):
        def __iter__(self):
            yield from range(10)
            begun.set()
            yield from range(10)

    with no_thread_left():
        for _ in DataLoader(Told(), 5, num_workers=1):
            assert begun.wait(PATIENCE), "batch 2 of a stream was not begun while the caller had batch 0"
            break


LOOK_AHEAD = [(1, None, 2), (2, None, 4), (2, 1, 2)]


@pytest.mark.parametrize(("num_workers", "prefetch_factor", "ahead"), LOOK_AHEAD)
def test_the_look_ahead_has_a_bound(num_workers, prefetch_factor, ahead):
    """While the caller has batch 0, exactly prefetch_factor * num_workers further batches are read."""
    dataset = Watched()
    with no_thread_left():
        for _ in DataLoader(dataset, 5, num_workers=num_workers, prefetch_factor=prefetch_factor):
            assert dataset.begun[5 * ahead].wait(PATIENCE), (
                f"batch {ahead} was not read while the caller had batch 0"
            )
            time.sleep(0.02)  # for what should not happen
            assert not dataset.begun[5 * ahead + 5].is_set(), (
                f"batch {ahead + 1} was read too: the bound is {ahead}"
            )
            break


@pytest.mark.parametrize(("num_workers", "prefetch_factor", "ahead"), LOOK_AHEAD)
def test_the_look_ahead_of_a_stream_has_the_same_bound(num_workers, prefetch_factor, ahead):
    """The one reader of a stream reads exactly prefetch_factor * num_workers further batches too."""
    read, enough = [], threading.Event()

    class Counted(IterableDataset):
        def __iter__(self):
            for i in range(100):
                read.append(i)
                if i == 5 * ahead + 4:
                    enough.set()
                yield i

    with no_thread_left():
        for _ in DataLoader(Counted(), 5, num_workers=num_workers, prefetch_factor=prefetch_factor):
            assert enough.wait(PATIENCE), f"batch {ahead} was not read while the caller had batch 0"
            time.sleep(0.02)  # for what should not happen
            assert_equal(len(read), 5 * ahead + 5, "the number of samples read while the caller had batch 0")
            break


# Errors


def test_an_error_of_a_worker_reaches_the_caller():
    """A broken sample's error is raised to the caller, after the batches before it, with a note of its index."""

    class Broken(Watched):
        def __getitem__(self, index):
            if index == 13:
                raise LookupError("no such picture")
            return super().__getitem__(index)

    taken, places = [], []
    with no_thread_left(), raises_with_note(LookupError, "no such picture", 13, "Broken"):
        try:
            for batch in DataLoader(Broken(), 5, num_workers=2):
                taken.append(batch.tolist())
        except LookupError as error:
            places = [place.name for place in traceback.extract_tb(error.__traceback__)]
            raise
    assert_equal(taken, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], "the list of batches before it")
    assert "__getitem__" in places, f"the line in the dataset is lost: the error comes from {places}"


def test_an_error_of_a_stream_reaches_the_caller():
    """A broken sample of a stream is named with workers too, after the batches before it."""
    taken = []
    with no_thread_left(), raises_with_note(OSError, "the line is dead", 7, "Stream"):
        for batch in DataLoader(Stream(broken=7), 2, num_workers=2):
            taken.append(batch.tolist())
    assert_equal(taken, [[0, 1], [2, 3], [4, 5]], "the list of batches before it")


# The end of a loop


@pytest.mark.parametrize("end", ["break", "an error", "KeyboardInterrupt", "the last batch"])
def test_no_thread_survives_its_loop(end):
    """A loop that ends by break, by an error, by Ctrl-C or by itself leaves no thread behind."""
    errors = {"an error": LookupError, "KeyboardInterrupt": KeyboardInterrupt}
    with no_thread_left():
        try:
            for n, _ in enumerate(DataLoader(Watched(), 10, num_workers=3)):
                if n == 2 and end == "break":
                    break
                if n == 2 and end in errors:
                    raise errors[end]
        except (LookupError, KeyboardInterrupt):
            pass


def test_no_thread_survives_a_forgotten_iterator():
    """An iterator that nothing refers to any more, after its first batch or before it, leaves no thread behind."""
    with no_thread_left():
        batches = iter(DataLoader(Watched(), 10, num_workers=2))
        next(batches)
        del batches
        gc.collect()
    with no_thread_left():
        batches = iter(DataLoader(Watched(), 10, num_workers=2))
        del batches
        gc.collect()


def test_no_thread_survives_the_last_batch():
    """After the last batch the threads have ended, even if the iterator is still referred to, also for a stream."""
    for dataset in (Watched(), Stream()):
        with no_thread_left():
            batches = iter(DataLoader(dataset, 10, num_workers=2))
            for _ in batches:
                pass
        assert_equal(list(batches), [], "what an iterator gives after its end")


def test_an_abandoned_batch_is_not_read_to_its_end():
    """After break a worker finishes its current sample only: of a batch of 98 slow samples it reads few."""
    dataset = Slow()
    with no_thread_left():
        for _ in DataLoader(dataset, batch_sampler=[[0, 1], list(range(2, 100))], num_workers=1):
            assert dataset.begun[2].wait(PATIENCE), "batch 1 was not begun while the caller had batch 0"
            dataset.loop_ends.set()
            break
    assert len(dataset.read) < 50, (
        f"{len(dataset.read)} of 100 samples were read, though the loop ended at the third"
    )


def test_an_abandoned_batch_of_a_stream_is_not_read_to_its_end():
    """After break the reader of a stream finishes its current sample only, the second of 50 slow ones."""
    dataset = SlowStream()
    with no_thread_left():
        for _ in DataLoader(dataset, 50, num_workers=1):
            assert dataset.begun.wait(PATIENCE), "batch 1 was not begun while the caller had batch 0"
            dataset.loop_ends.set()
            break
    assert len(dataset.read) < 75, (
        f"{len(dataset.read)} of 100 samples were read, though the loop ended at sample 51"
    )


@pytest.mark.parametrize("stream", [False, True], ids=["samples", "a stream"])
def test_ctrl_c_while_waiting(stream):
    """Ctrl-C while the caller waits for a batch raises KeyboardInterrupt, and leaves no thread behind."""

    def interrupt():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.05)  # the caller still waits for this sample

    class Interrupting(Dataset):
        def __getitem__(self, index):
            if index == 13:
                interrupt()
            return index

        def __len__(self):
            return 100

    class InterruptingStream(IterableDataset):
        def __iter__(self):
            for i in range(100):
                if i == 13:
                    interrupt()
                yield i

    taken, before = [], signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with no_thread_left():
            try:
                dataset = InterruptingStream() if stream else Interrupting()
                for batch in DataLoader(dataset, 10, num_workers=1, prefetch_factor=1):
                    taken.append(batch.tolist())
            except KeyboardInterrupt:
                interrupted = True
            else:
                interrupted = False
        assert interrupted, "KeyboardInterrupt did not come out of the loop"
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(taken) <= 1, f"{len(taken)} batches came, though Ctrl-C came in the middle of the second"
