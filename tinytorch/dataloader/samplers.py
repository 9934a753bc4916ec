"""Samplers: in which order samples come. A sampler is an iterable that gives the indices of one epoch.

Every sampler draws all it needs in `iter(sampler)`. So the draws do not depend on how far ahead somebody reads, nor
on what else draws from the same generator during the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np


class SequentialSampler:
    """0, 1, 2, ... (torch.utils.data.SequentialSampler)."""

    def __init__(self, data_source: Sized) -> None:  # given
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        """Each index of `data_source` once, in order."""
        raise NotImplementedError("kata 10: SequentialSampler.__iter__")

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
        raise NotImplementedError("kata 10: RandomSampler.__init__")

    @property
    def num_samples(self) -> int:
        """How many indices an epoch has: the number that was given, or as many samples as `data_source` has now."""
        raise NotImplementedError("kata 10: RandomSampler.num_samples")

    def __iter__(self) -> Iterator[int]:
        """The indices of one epoch, Python integers, all drawn now.

        Without replacement, if num_samples is larger than the data, several permutations follow one another.
        """
        raise NotImplementedError("kata 10: RandomSampler.__iter__")

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
        raise NotImplementedError("kata 10: WeightedRandomSampler.__init__")

    def __iter__(self) -> Iterator[int]:
        """The indices of one epoch, Python integers, all drawn now."""
        raise NotImplementedError("kata 10: WeightedRandomSampler.__iter__")

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
        raise NotImplementedError("kata 10: BatchSampler.__init__")

    def __iter__(self) -> Iterator[list[Any]]:
        """The batches of one epoch. `iter(sampler)` is called now; its indices are taken as batches are asked for."""
        raise NotImplementedError("kata 10: BatchSampler.__iter__")

    def __len__(self) -> int:
        """How many batches an epoch has. The sampler needs a length."""
        raise NotImplementedError("kata 10: BatchSampler.__len__")


def batched(items: Iterator[Any], batch_size: int, drop_last: bool) -> Iterator[list[Any]]:
    """Lists of `batch_size` items, a shorter last one kept or left out; items are taken as batches are asked for."""
    raise NotImplementedError("kata 10: batched")
