"""A pool of threads written by hand, samplers by sorting and by running sums, pictures moved by index arrays."""

from __future__ import annotations

import bisect
import itertools
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

import numpy as np

from tinytorch.dataloader import datasets
from tinytorch.dataloader.datasets import Subset, split_lengths
from tinytorch.dataloader.generators import current_generator
from tinytorch.dispatch import Array
from tinytorch.setup import default_generator, get_array_module
from tinytorch.tensor import Tensor, tensor


def prefetch(
    work: Callable[[Any], Any],
    jobs: Iterable[Any],
    num_workers: int,
    ahead: int,
    stop: threading.Event | None = None,
) -> Generator[Any, None, None]:
    """Threads and two queues, as PyTorch's workers have: results come back with numbers, and wait until it
    is their turn.
    """
    if num_workers < 1:
        for job in jobs:
            yield work(job)
        return
    todo: queue.SimpleQueue[Any] = queue.SimpleQueue()
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    given_up = threading.Event()

    def run() -> None:
        while (task := todo.get()) is not None:
            number, job = task
            if given_up.is_set():
                continue
            try:
                done.put((number, work(job), None))
            except BaseException as error:
                done.put((number, None, error))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(num_workers)]
    for thread in threads:
        thread.start()
    early: dict[int, tuple[Any, BaseException | None]] = {}

    def result(number: int) -> Any:
        while number not in early:
            place, value, error = done.get()
            early[place] = (value, error)
        value, error = early.pop(number)
        if error is not None:
            raise error
        return value

    sent = taken = 0
    try:
        for sent, job in enumerate(jobs, 1):
            todo.put((sent - 1, job))
            if sent - taken > ahead:
                value = result(taken)
                taken += 1
                yield value
        while taken < sent:
            value = result(taken)
            taken += 1
            yield value
    finally:
        given_up.set()
        if stop is not None:
            stop.set()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join()


def fetch(dataset: Any, indices: Sequence[Any], stop: threading.Event | None = None) -> Any:
    """The note is added where the error is caught, and what it says is worked out only then."""
    name = type(dataset).__name__
    many = datasets.many_at_once(dataset)
    at: Any = list(indices)
    try:
        if many is not None:
            return many(indices)
        samples = []
        for at in indices:
            if stop is not None and stop.is_set():
                raise CancelledError
            samples.append(dataset[at])
        return samples
    except CancelledError:
        raise
    except Exception as error:
        error.add_note(f"(reading {name} at {at})")
        raise


class RandomSampler:
    def __iter__(self) -> Iterator[int]:
        """Numbers are drawn for all places and sorted: the order that sorts them is a permutation. n log n,
        and no shuffle.
        """
        n, wanted = len(self.data_source), self.num_samples
        generator = default_generator("cpu") if self.generator is None else self.generator
        if not n:
            return iter(())
        if self.replacement:
            return iter([int(n * each) for each in generator.random(wanted)])
        order: list[int] = []
        while len(order) < wanted:
            order += generator.random(n).argsort().tolist()
        return iter(order[:wanted])


class WeightedRandomSampler:
    def __iter__(self) -> Iterator[int]:
        """With replacement, a draw is looked up among the running sums; without, the largest of log(u) / w
        win (Efraimidis).
        """
        generator = default_generator("cpu") if self.generator is None else self.generator
        if self.replacement:
            sums = list(itertools.accumulate(self.weights.tolist()))
            last = max(place for place, weight in enumerate(self.weights.tolist()) if weight > 0)
            draws = generator.random(self.num_samples) * sums[-1]
            return iter([min(bisect.bisect_right(sums, draw), last) for draw in draws.tolist()])
        chances = np.full(len(self.weights), -np.inf)
        possible = self.weights > 0
        chances[possible] = np.log(1 - generator.random(int(possible.sum()))) / self.weights[possible]
        return iter(np.argsort(-chances)[: self.num_samples].tolist())


def batched(items: Iterator[Any], batch_size: int, drop_last: bool) -> Iterator[list[Any]]:
    """One list is filled and given away when it is full: a loop that anybody can follow, and slower than
    islice.
    """
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch and not drop_last:
        yield batch


class TensorDataset:
    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """`take` along the first axis, and a new Tensor over the result."""
        taken = []
        for each in self.tensors:
            xp = get_array_module(each.data)
            taken.append(Tensor(xp.take(each.data, xp.asarray(indices, dtype=xp.int64), axis=0)))
        return tuple(taken)


def many_at_once(dataset: Any) -> Callable[[Sequence[int]], Any] | None:
    """The class of each of the two methods, and which of them is the nearer one: two searches, and a
    comparison.
    """
    classes = type(dataset).__mro__
    many = next((i for i, each in enumerate(classes) if "__getitems__" in each.__dict__), len(classes))
    one = next((i for i, each in enumerate(classes) if "__getitem__" in each.__dict__), len(classes))
    return dataset.__getitems__ if many <= one and many < len(classes) else None


def random_split(
    dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None
) -> list[Subset]:
    """The order is one iterator, and each part takes as many as it gets: nothing is counted twice."""
    sizes = split_lengths(len(dataset), lengths)
    source = generator if generator is not None else default_generator("cpu")
    order = iter(source.permutation(len(dataset)).tolist())
    return [Subset(dataset, list(itertools.islice(order, size))) for size in sizes]


def default_collate(batch: Sequence[Any]) -> Any:
    """`match` over the kinds of samples, where arrays become Tensors by one new array: what is what stands
    in one column.
    """

    def alike(of: Callable[[Any], Any]) -> Any:
        first = of(batch[0])
        for each in batch:
            if of(each) != first:
                raise ValueError(f"samples that do not fit together: {first} and {of(each)}")
        return first

    if not len(batch):
        raise ValueError("an empty batch")
    match batch[0]:
        case Tensor() as first:
            alike(lambda each: each.shape)
            xp = get_array_module(first.data)
            return Tensor(xp.stack([each.data for each in batch]))
        case bool() | int() | float() if not hasattr(batch[0], "dtype"):
            return tensor(list(batch))
        case str() | bytes():
            return list(batch)
        case dict() as first:
            alike(lambda each: each.keys())
            return dict(
                zip(first, (default_collate([each[key] for each in batch]) for key in first), strict=True)
            )
        case tuple() | list() as first:
            columns = [[each[i] for each in batch] for i in range(alike(len))]
            parts = list(map(default_collate, columns))
            return first._make(parts) if hasattr(first, "_make") else parts
        case first if hasattr(first, "dtype"):
            if first.dtype.kind not in "buif":
                raise TypeError(f"arrays of {first.dtype}")
            alike(lambda each: each.shape)
            return Tensor(get_array_module(first).stack(list(batch)))
        case other:
            raise TypeError(f"no batch of {type(other).__name__}")


class RandomCrop:
    def transform(self, pictures: Array) -> Array:
        """One index array for rows and one for columns, for all pictures at once: no loop, and no window is
        cut by hand.
        """
        if pictures.ndim < 3:
            raise ValueError(f"no pictures: {pictures.shape}")
        xp = get_array_module(pictures)
        (height, width), p = self.size, self.padding
        margins = [(0, 0)] * (pictures.ndim - 2) + [(p, p)] * 2
        padded = xp.pad(pictures, margins)
        padded = (
            padded.reshape(-1, *padded.shape[-3:]) if padded.size else padded.reshape(0, *padded.shape[-3:])
        )
        n, channels, h, w = padded.shape
        if height > h or width > w:
            raise ValueError(f"{(height, width)} is more than {(h, w)}")
        draw = current_generator()
        rows = xp.asarray(draw.integers(0, h - height, n, endpoint=True)[:, None] + np.arange(height))
        columns = xp.asarray(draw.integers(0, w - width, n, endpoint=True)[:, None] + np.arange(width))
        each = xp.arange(n)[:, None, None, None]
        every = xp.arange(channels)[None, :, None, None]
        out = padded[each, every, rows[:, None, :, None], columns[:, None, None, :]]
        return out.reshape(*pictures.shape[:-2], height, width)


class RandomHorizontalFlip:
    def transform(self, pictures: Array) -> Array:
        """Both are made, and `where` chooses: no index array, and a mirror image of every picture."""
        xp = get_array_module(pictures)
        draws = xp.asarray(current_generator().random(pictures.shape[:-3]) < self.p)
        return xp.where(draws[..., None, None, None], xp.flip(pictures, -1), pictures)
