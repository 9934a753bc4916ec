"""The loader: batches in the sampler's order, made ahead of time by threads that end with it.

Threads, and not processes as in PyTorch: NumPy, files and zlib let go of the interpreter lock while they work,
and a batch need not be copied from one process to another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import count, repeat
from typing import Any, TypeVar

import numpy as np

from tinytorch.dataloader.collate import default_collate, default_convert
from tinytorch.dataloader.datasets import IterableDataset, many_at_once
from tinytorch.dataloader.generators import batch_generator, draw_seed, drawing_from
from tinytorch.dataloader.samplers import BatchSampler, RandomSampler, SequentialSampler, batched

Job = TypeVar("Job")
Result = TypeVar("Result")

NO_MORE = object()
"""What stands for the batch after the last one of a stream."""


def prefetch(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    num_workers: int,
    ahead: int,
    stop: threading.Event | None = None,
) -> Generator[Result, None, None]:
    """work(job) for each job, in the order of the jobs, done by `num_workers` threads before it is asked for.

    While the caller has one result, at most `ahead` further jobs are begun or done. Jobs are taken from `jobs` in
    the caller's thread. Without workers each is done when it is asked for.

    An error of `work` is raised in the place of its result, after the good ones before it. When the generator ends,
    for whatever reason (used up, an error, closed, forgotten), `stop` is set, so that long work can look at it and
    give up; jobs that are not begun are dropped, and all threads have ended.
    """
    if num_workers == 0:
        for job in jobs:
            yield work(job)  # not map: it would end where `work` raises StopIteration
        return
    pool = ThreadPoolExecutor(num_workers, "dataloader")
    waiting: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        if stop:
            stop.set()
        pool.shutdown(cancel_futures=True)


def fetch(dataset: Any, indices: Sequence[Any], stop: threading.Event | None = None) -> Any:
    """The samples at `indices`: what `many_at_once(dataset)` gives, where there is one, else a list, one by one.

    An error goes on as it is, with a note (BaseException.add_note) that holds, in words of yours, the index of the
    sample (where many are read at once, the list of all of them) and the class of the dataset. Once `stop` is set no
    further sample is read: the result is not wanted, and CancelledError says so.
    """
    if many := many_at_once(dataset):
        with _noting(f"while samples {list(indices)} of {type(dataset).__name__} were read"):
            return many(indices)
    samples = []
    for index in indices:
        _go_on(stop)
        samples.append(_sample(dataset, index))
    return samples


def read_stream(dataset: IterableDataset, stop: threading.Event | None = None) -> Iterator[Any]:
    """The samples of iter(dataset), which is called at once; each is read when it is asked for. After its
    end the stream is asked for nothing more.

    Errors as in `fetch`: the note holds the number of the sample, counted from 0.
    """
    source = iter(dataset)
    return _samples(source, type(dataset).__name__, stop)


class DataLoader:
    """Batches of a dataset, an epoch for each `iter(loader)` (torch.utils.data.DataLoader).

    Batches come in the order of the sampler, and with one seed they are the same for any `num_workers`, random
    transforms included. They hold Tensors where the dataset has its arrays, as a rule on the CPU: to move them is the
    trainer's business.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Sequence[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        *,
        drop_last: bool = False,
        generator: np.random.Generator | None = None,
        prefetch_factor: int | None = None,
    ) -> None:
        """Who decides what a batch is: batch_size, with the order of shuffle or of `sampler`, or else `batch_sampler`.

        Args:
            dataset: anything with `[index]` and `len()`, or an IterableDataset.
            batch_size: None gives samples as they are, arrays as Tensors, not put together.
            sampler: the indices of an epoch; by default a RandomSampler with shuffle, else a SequentialSampler.
            batch_sampler: the lists of indices of an epoch.
            num_workers: how many threads make batches ahead. 0: none does. A stream is read by one thread at most.
            collate_fn: makes a batch of a list of samples; default_collate, or default_convert with batch_size=None.
            generator: what the epoch's seed and the order are drawn from; None is the CPU's default generator.
            prefetch_factor: how many batches ahead for each worker, 2 by default. In all they are prefetch_factor *
                num_workers, for a stream too, though it has one reader: num_workers=3 reads 6 batches of it ahead.

        All are attributes. `sampler` is the one that is used; a stream is its own. `batch_sampler` is the one that was
        given, and then batch_size is None; or a BatchSampler over `sampler`; or None where batch_size is None.

        Raises:
            ValueError: options contradict each other; the message holds their names: batch_sampler with batch_size,
                shuffle=True, sampler or drop_last=True; sampler with shuffle=True; shuffle=True, sampler or
                batch_sampler with an IterableDataset; batch_size=None with drop_last=True; prefetch_factor without
                num_workers. What is False asks for nothing, and contradicts nothing. Or batch_size, num_workers or
                prefetch_factor has a bad value (too small, no integer, True): the message holds its name and value.
        """
        streams, shuffled, whole = (
            isinstance(dataset, IterableDataset),
            bool(shuffle),
            batch_sampler is not None,
        )
        conflicts = {
            ("batch_sampler", "batch_size"): whole and batch_size != 1,
            ("batch_sampler", "shuffle"): whole and shuffled,
            ("batch_sampler", "sampler"): whole and sampler is not None,
            ("batch_sampler", "drop_last"): whole and drop_last,
            ("sampler", "shuffle"): sampler is not None and shuffled,
            ("an IterableDataset", "shuffle"): streams and shuffled,
            ("an IterableDataset", "sampler"): streams and sampler is not None,
            ("an IterableDataset", "batch_sampler"): streams and whole,
            ("batch_size=None", "drop_last"): batch_size is None and drop_last,
            ("num_workers=0", "prefetch_factor"): num_workers == 0 and prefetch_factor is not None,
        }
        for (one, other), both in conflicts.items():
            if both:
                raise ValueError(f"{one} and {other} exclude each other")
        _count("num_workers", num_workers, 0)
        if prefetch_factor is not None:
            _count("prefetch_factor", prefetch_factor, 1)
        if streams:
            sampler = dataset  # its samples come in its own order
        elif sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if whole:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.drop_last = drop_last
        self.generator = generator
        self.prefetch_factor = prefetch_factor or (2 if num_workers else None)

    def __iter__(self) -> Iterator[Any]:
        """The batches of one epoch.

        Now, in this thread, the epoch's seed is drawn from the generator (one draw_seed), and the sampler begins; what
        is drawn from the generator later is nobody's business here. Batch n is read and put together while
        batch_generator(seed, n) is the current generator of its thread.

        A batch of samples goes to `collate_fn` as a list. Where `__getitems__` of the dataset gave the batch itself,
        default_collate is passed over: its arrays only become Tensors (default_convert); any other collate_fn gets
        the list of samples all the same.

        An error goes on as it is, after the good batches before it, with a note that says which sample was read
        (`fetch`, `read_stream`), or, if it is collate_fn's, the number of the batch and the class of the dataset. When
        the iterator ends, for whatever reason, no thread of it is left; a sample that is being read is waited for.
        """
        seed, stop = draw_seed(self.generator), threading.Event()
        if isinstance(self.dataset, IterableDataset):
            samples = read_stream(self.dataset, stop)
            jobs: Iterator[Any] = repeat(samples if self.batch_size is None else self._groups(samples))
            workers = min(self.num_workers, 1)  # what is read one after the other has one reader
        else:
            jobs = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
            workers = self.num_workers
        make = partial(self._make, seed=seed, stop=stop)
        ahead = self.num_workers * (self.prefetch_factor or 0)
        return _until_no_more(prefetch(make, enumerate(jobs), workers, ahead, stop))

    def __len__(self) -> int:
        """How many batches an epoch has; a TypeError where the sampler, or the stream, has no length."""
        batches: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
        return len(batches)

    def _groups(self, samples: Iterator[Any]) -> Iterator[list[Any]]:
        assert self.batch_size is not None
        return batched(samples, self.batch_size, self.drop_last)

    def _make(self, job: tuple[int, Any], seed: int, stop: threading.Event) -> Any:
        """Batch `number`, or NO_MORE."""
        number, indices = job
        with drawing_from(batch_generator(seed, number)):
            if isinstance(self.dataset, IterableDataset):
                data = next(indices, NO_MORE)
            elif self.batch_sampler is None:
                data = _sample(self.dataset, indices)
            else:
                data = fetch(self.dataset, indices, stop)
            if data is NO_MORE:
                return NO_MORE
            with _noting(f"while batch {number} of {type(self.dataset).__name__} was put together"):
                return self._collated(data)

    def _collated(self, data: Any) -> Any:
        if self.batch_sampler is None or isinstance(data, list):
            return self.collate_fn(data)
        if self.collate_fn is default_collate:
            return default_convert(data)
        return self.collate_fn(list(zip(*data, strict=True)) if isinstance(data, tuple) else list(data))


def _until_no_more(batches: Generator[Any, None, None]) -> Iterator[Any]:
    with closing(batches):
        for batch in batches:
            if batch is NO_MORE:
                return
            yield batch


def _sample(dataset: Any, index: Any) -> Any:
    with _noting(f"while sample {index} of {type(dataset).__name__} was read"):
        return dataset[index]


def _samples(source: Iterator[Any], name: str, stop: threading.Event | None) -> Iterator[Any]:
    for number in count():
        _go_on(stop)
        with _noting(f"while sample {number} of {name} was read"):
            sample = next(source, NO_MORE)
        if sample is NO_MORE:
            return
        yield sample


def _go_on(stop: threading.Event | None) -> None:
    if stop and stop.is_set():
        raise CancelledError("nobody waits for this batch any more")


@contextmanager
def _noting(what: str) -> Iterator[None]:
    """An error on its way out of the block takes a note along: what was going on."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


def _count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is an integer from {least} on, got {value!r}")
