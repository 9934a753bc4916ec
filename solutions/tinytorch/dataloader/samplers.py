"""Samplers: in which order samples come. A sampler is an iterable that gives the indices of one epoch.

Every sampler draws all it needs in `iter(sampler)`. So the draws do not depend on how far ahead somebody reads, nor
on what else draws from the same generator during the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np

from tinytorch.setup import default_generator


class SequentialSampler:
    """0, 1, 2, ... (torch.utils.data.SequentialSampler)."""

    def __init__(self, data_source: Sized) -> None:  # given
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        """Each index of `data_source` once, in order."""
        n = len(self.data_source)
        return iter(range(n))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler:
    """Indices in random order (torch.utils.data.RandomSampler).

    An epoch has `num_samples` indices, by default one for each sample. Without replacement each index comes once
    before any comes again. With replacement each is drawn from all indices.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        """Keep the options; a `generator` of None means the default generator of the CPU.

        Raises:
            TypeError: replacement is not a bool; the message names its name and what was given.
            ValueError: num_samples is given and not a positive integer; as above.
        """
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement is True or False, got {replacement!r}")
        if num_samples is not None:
            _positive_integer("num_samples", num_samples)
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many indices an epoch has: the number that was given, or as many samples as `data_source` has now."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        """The indices of one epoch, Python integers, all drawn now.

        Without replacement, if num_samples is larger than the data, several permutations follow one another.
        """
        n, wanted = len(self.data_source), self.num_samples
        if n == 0:
            return iter([])
        generator = self.generator or default_generator("cpu")
        if self.replacement:
            return iter(generator.integers(n, size=wanted).tolist())
        rounds = [generator.permutation(n) for _ in range(-(-wanted // n))]
        return iter(np.concatenate(rounds)[:wanted].tolist())

    def __len__(self) -> int:
        return self.num_samples


class WeightedRandomSampler:
    """Index i is drawn with a probability proportional to weights[i] (torch.utils.data.WeightedRandomSampler)."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: np.random.Generator | None = None,
    ) -> None:
        """Keep the options. `weights` need not sum up to 1. Without replacement no index comes twice.

        Raises:
            TypeError: replacement is not a bool; the message names its name and what was given.
            ValueError: num_samples is not a positive integer; as above. The weights have not one axis (the message
                names their shape), one is negative, infinite or nan (it holds that), or all are 0. Or, without
                replacement, more are asked for than have a weight above 0 (it holds both numbers).
        """
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement is True or False, got {replacement!r}")
        _positive_integer("num_samples", num_samples)
        self.weights = np.asarray(weights, np.float64)
        if self.weights.ndim != 1:
            raise ValueError(f"weights are a list of numbers, got the shape {self.weights.shape}")
        for weight in self.weights:
            if not 0 <= weight < math.inf:
                raise ValueError(f"a weight is a number from 0 on, got {weight}")
        possible = np.count_nonzero(self.weights)
        if possible < (1 if replacement else num_samples):
            raise ValueError(f"{num_samples} samples cannot be drawn: {possible} weights are above 0")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        """The indices of one epoch, Python integers, all drawn now."""
        generator = self.generator or default_generator("cpu")
        p = self.weights / self.weights.sum()
        return iter(generator.choice(len(p), self.num_samples, self.replacement, p).tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler:
    """Lists of `batch_size` indices of another sampler (torch.utils.data.BatchSampler).

    The last one may be shorter; with `drop_last` a shorter one is left out.
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        """Keep the options; `sampler` is any iterable.

        Raises:
            ValueError: batch_size is not a positive integer, or drop_last is not a bool; the message gives its name
                and its value.
        """
        _positive_integer("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last is True or False, got {drop_last!r}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        """The batches of one epoch. `iter(sampler)` is called now; its indices are taken as batches are asked for."""
        return batched(iter(self.sampler), self.batch_size, self.drop_last)

    def __len__(self) -> int:
        """How many batches an epoch has. The sampler needs a length."""
        n: int = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def batched(items: Iterator[Any], batch_size: int, drop_last: bool) -> Iterator[list[Any]]:
    """Lists of `batch_size` items, a shorter last one kept or left out; items are taken as batches are asked for."""
    while batch := list(islice(items, batch_size)):
        if len(batch) == batch_size or not drop_last:
            yield batch


def _positive_integer(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is an integer from 1 on, got {value!r}")
