"""The loader: batches in the sampler's order, made ahead of time by threads that end when the loop ends.

Threads, and not processes as in PyTorch: NumPy, files and zlib release the interpreter lock while they work,
and a batch does not have to be copied from one process to another.
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
    raise NotImplementedError("kata 10: prefetch")


def fetch(dataset: Any, indices: Sequence[Any], stop: threading.Event | None = None) -> Any:
    """The samples at `indices`: read by `many_at_once(dataset)` if it is not None, else one by one into a list.

    An error is raised unchanged, with a note (BaseException.add_note), in your own words, that names
    the index of the sample (the list of all indices, if many are read at once) and the class of the dataset. Once
    `stop` is set, the result is no longer needed: no further sample is read, and concurrent.futures.CancelledError is
    raised.
    """
    raise NotImplementedError("kata 10: fetch")


def read_stream(dataset: IterableDataset, stop: threading.Event | None = None) -> Iterator[Any]:
    """The samples of a stream.

    iter(dataset) is called at once; each sample is read when it is asked for. After its end the stream is asked for
    nothing more.

    Errors and `stop` as in `fetch`: here the note names the number of the sample, counted from 0.
    """
    raise NotImplementedError("kata 10: read_stream")


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
        raise NotImplementedError("kata 10: DataLoader.__init__")

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
        raise NotImplementedError("kata 10: DataLoader.__iter__")

    def __len__(self) -> int:
        """How many batches an epoch has; a TypeError if the sampler, or the stream, has no length."""
        raise NotImplementedError("kata 10: DataLoader.__len__")
