"""The loader: batches in the sampler's order, made ahead of time by threads that end with it.

Threads, and not processes as in PyTorch: NumPy, files and zlib let go of the interpreter lock while they work,
and a batch need not be copied from one process to another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from tinytorch.dataloader.datasets import IterableDataset

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
    raise NotImplementedError("kata 10: prefetch")


def fetch(dataset: Any, indices: Sequence[Any], stop: threading.Event | None = None) -> Any:
    """The samples at `indices`: what `many_at_once(dataset)` gives, where there is one, else a list, one by one.

    An error goes on as it is, with a note (BaseException.add_note) that holds, in words of yours, the index of the
    sample (where many are read at once, the list of all of them) and the class of the dataset. Once `stop` is set no
    further sample is read: the result is not wanted, and CancelledError says so.
    """
    raise NotImplementedError("kata 10: fetch")


def read_stream(dataset: IterableDataset, stop: threading.Event | None = None) -> Iterator[Any]:
    """The samples of iter(dataset), which is called at once; each is read when it is asked for. After its
    end the stream is asked for nothing more.

    Errors as in `fetch`: the note holds the number of the sample, counted from 0.
    """
    raise NotImplementedError("kata 10: read_stream")


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
        raise NotImplementedError("kata 10: DataLoader.__init__")

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
        raise NotImplementedError("kata 10: DataLoader.__iter__")

    def __len__(self) -> int:
        """How many batches an epoch has; a TypeError where the sampler, or the stream, has no length."""
        raise NotImplementedError("kata 10: DataLoader.__len__")
