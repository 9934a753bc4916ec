"""The loader: batches in the sampler's order, made ahead of time by threads that end when the loop ends.

Threads, and not processes as in PyTorch: NumPy, files and zlib release the interpreter lock while they work,
and a batch does not have to be copied from one process to another.
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
"""The end of a stream, in the place of a batch."""


def prefetch(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    num_workers: int,
    ahead: int,
    stop: threading.Event | None = None,
) -> Generator[Result, None, None]:
    """Yield work(job) for each job, in the order of the jobs, done ahead of time by `num_workers` threads.

    While the caller has one result, at most `ahead` further jobs are started or done. Jobs are taken from `jobs` in
    the caller's thread. With num_workers=0 each job is done in that thread, when its result is asked for.

    An error of `work` is raised in the place of its result, after the results before it. When the generator ends,
    for whatever reason (used up, an error, closed, no longer referenced), `stop` is set, so that long work can check
    it and give up; jobs that were not started are dropped, and all threads have ended.
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
    """The samples at `indices`: read by `many_at_once(dataset)` if it is not None, else one by one into a list.

    An error is raised unchanged, with a note (BaseException.add_note), in your own words, that names
    the index of the sample (the list of all indices, if many are read at once) and the class of the dataset. Once
    `stop` is set, the result is no longer needed: no further sample is read, and concurrent.futures.CancelledError is
    raised.
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
    """The samples of a stream.

    iter(dataset) is called at once; each sample is read when it is asked for. After its end the stream is asked for
    nothing more.

    Errors and `stop` as in `fetch`: here the note names the number of the sample, counted from 0.
    """
    source = iter(dataset)
    return _samples(source, type(dataset).__name__, stop)


class DataLoader:
    """Batches of a dataset, one epoch for each `iter(loader)` (torch.utils.data.DataLoader).

    Batches come in the order of the sampler, and with one seed they are the same for any `num_workers`, random
    transforms included. Their Tensors are on the device of the dataset's arrays, usually the CPU; the trainer moves
    them.
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
        """Set how samples become batches: by `batch_sampler`, or by batch_size with shuffle or `sampler`.

        Args:
            dataset: anything with `[index]` and `len()`, or an IterableDataset.
            batch_size: None gives single samples, not collated, with their arrays as Tensors.
            sampler: the indices of an epoch; by default a RandomSampler with shuffle, else a SequentialSampler.
            batch_sampler: the lists of indices of an epoch.
            num_workers: how many threads make batches ahead of time; 0 for none. A stream uses one thread at most.
            collate_fn: makes a batch of a list of samples; default_collate, or default_convert with batch_size=None.
            generator: where the epoch's seed and the order are drawn from; None is the CPU's default generator.
            prefetch_factor: how many batches ahead for each worker, 2 by default: prefetch_factor * num_workers in
                all. A stream, which has one reader, is read as far ahead: 6 batches with num_workers=3.

        All become attributes. `sampler` is the one that is used; for a stream it is the dataset. `batch_sampler` is the
        one that was given, and then batch_size is None; or a BatchSampler over `sampler`; or None if batch_size=None.

        Raises:
            ValueError: options contradict each other; the message names them: batch_sampler with batch_size,
                shuffle=True, sampler or drop_last=True; sampler with shuffle=True; shuffle=True, sampler or
                batch_sampler with an IterableDataset; batch_size=None with drop_last=True; prefetch_factor without
                num_workers. An option that is False contradicts nothing. Or batch_size, num_workers or prefetch_factor
                has a bad value (too small, not an integer, True): the message gives its name and value.
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

        The call itself, in this thread, draws the epoch's seed from the generator (one draw_seed) and calls iter of
        the sampler; later draws by others from the generator change nothing. Batch n is read and collated while
        batch_generator(seed, n) is the current generator of its thread.

        A batch of samples goes to `collate_fn` as a list. If `__getitems__` of the dataset gave the whole batch,
        default_collate is not called: the arrays only become Tensors (default_convert). Any other collate_fn gets
        a list of samples then too.

        An error is raised unchanged, after the batches before it, with a note that names the sample (`fetch`,
        `read_stream`), or, for an error of collate_fn, the number of the batch and the class of the dataset. When the
        iterator ends, for whatever reason, none of its threads is left; a sample that is being read is waited for.
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
        """How many batches an epoch has; a TypeError if the sampler, or the stream, has no length."""
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
    """Add a note to an error that leaves the block: what was being done."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


def _count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is an integer from {least} on, got {value!r}")
