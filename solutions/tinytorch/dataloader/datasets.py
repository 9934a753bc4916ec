"""Datasets: samples by number, streams, subsets, and pictures in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from tinytorch.dispatch import Array
from tinytorch.setup import default_generator, get_array_module
from tinytorch.tensor import Tensor


class Dataset:
    """Samples by number (torch.utils.data.Dataset). A subclass writes `__getitem__(index)` and `__len__()`.

    It may also write `__getitems__(indices)`, which reads many samples at once. It returns a list of samples, as in
    PyTorch, or the whole batch: one Tensor or array with a row for each index, or a tuple of those.
    """

    def __getitem__(self, index: Any) -> Any:  # given
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")


class IterableDataset(Dataset):
    """Samples one after the other, without numbers: a stream (torch.utils.data.IterableDataset).

    A subclass writes `__iter__()`, which starts again for each epoch, and `__len__()` if its length is known.
    """

    def __iter__(self) -> Iterator[Any]:  # given
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")


class TensorDataset(Dataset):
    """Sample i is the tuple of row i of each Tensor (torch.utils.data.TensorDataset)."""

    def __init__(self, *tensors: Tensor) -> None:
        """Keep `tensors`: at least one, all with the same number of rows.

        Raises:
            ValueError: there is none, or the numbers of rows differ; the message names two numbers that differ.
        """
        if not tensors:
            raise ValueError("a TensorDataset needs at least one Tensor")
        for each in tensors:
            if len(each) != len(tensors[0]):
                raise ValueError(f"the Tensors have {len(tensors[0])} and {len(each)} rows")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Row `index` of each Tensor."""
        return tuple(each[index] for each in self.tensors)

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """The rows at `indices` in one call: Tensors of shape (N, ...), on the device of the data."""
        return tuple(
            each[get_array_module(each.data).asarray(indices, dtype=np.int64)] for each in self.tensors
        )

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order (torch.utils.data.Subset)."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:  # given
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        """Sample `indices[index]` of the dataset."""
        place = self.indices[index]
        return self.dataset[place]

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """The samples at many indices: by `many_at_once(dataset)` if it is not None, else as a list of samples."""
        places = [self.indices[index] for index in indices]
        many = many_at_once(self.dataset)
        return many(places) if many else [self.dataset[place] for place in places]

    def __len__(self) -> int:
        return len(self.indices)


def many_at_once(dataset: Any) -> Callable[[Sequence[int]], Any] | None:
    """The dataset's `__getitems__` if it has one that matches its `__getitem__`, else None.

    If a subclass overrides `__getitem__` but not `__getitems__`, the inherited `__getitems__` would silently ignore
    the change: then the result is None. (torch.utils.data.Subset refuses such a subclass.)
    """
    for cls in type(dataset).__mro__:
        if "__getitems__" in vars(cls):
            return dataset.__getitems__
        if "__getitem__" in vars(cls):
            return None
    return None


def random_split(
    dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None
) -> list[Subset]:
    """Subsets that share no sample and leave none out, in random order (torch.utils.data.random_split).

    Args:
        lengths: as `split_lengths` takes them.
        generator: where the order is drawn from; None is the default generator of the CPU.
    """
    sizes = split_lengths(len(dataset), lengths)
    order = (generator or default_generator("cpu")).permutation(len(dataset)).tolist()
    return [
        Subset(dataset, order[end - size : end]) for end, size in zip(accumulate(sizes), sizes, strict=True)
    ]


def split_lengths(n: int, lengths: Sequence[float]) -> list[int]:
    """How many of `n` samples each part gets. `lengths` sum up to n, or are fractions that sum up to 1.

    A fraction gets floor(n * fraction). The samples that are left go one to each part, from the first part on.

    Raises:
        ValueError: a length is negative; the lengths are not whole and do not sum up to 1; they sum up to something
            other than n. The message names the lengths, their sum and n.
    """
    total = sum(lengths)
    fractions = math.isclose(total, 1)
    if any(each < 0 for each in lengths) or not (fractions or total == n):
        raise ValueError(
            f"the lengths {list(lengths)} sum up to {total}: they should be positive and sum up to {n}, or to 1"
        )
    if not fractions and any(each != int(each) for each in lengths):
        raise ValueError(f"the lengths {list(lengths)} are neither whole nor fractions: of {n}, {total}")
    sizes = [math.floor(n * each) if fractions else int(each) for each in lengths]
    for i in range(n - sum(sizes)):
        sizes[i % len(sizes)] += 1
    return sizes


class ImageDataset(Dataset):
    """Pictures in memory, with their labels (as torchvision's datasets: `data`, `targets`, `classes`, `transform`).

    `data` is an array (N, C, H, W), `targets` one of N integers, `classes` the names of the labels. The transform
    is called with the picture, (C, H, W), or with all pictures of a batch at once, (N, C, H, W).
    """

    def __init__(
        self,
        data: Array,
        targets: Array,
        transform: Callable[[Any], Any] | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        """Keep the pictures and labels; a `transform` of None leaves pictures as they are.

        Raises:
            ValueError: `data` does not have four axes; the message names its shape. The numbers of targets and
                pictures differ; the message names both.
        """
        if data.ndim != 4:
            raise ValueError(f"pictures have the shape (N, C, H, W), got {data.shape}")
        if len(targets) != len(data):
            raise ValueError(f"there are {len(data)} pictures and {len(targets)} targets")
        self.data = data
        self.targets = targets
        self.transform = transform
        self.classes = tuple(classes)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """(picture, label): what the transform makes of (C, H, W), and a Python integer."""
        picture = self.data[index]
        return self.transform(picture) if self.transform else picture, int(self.targets[index])

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, Array]:
        """(pictures, labels) in one call: the transform of the pictures (N, C, H, W), called once, and N labels.

        They are copies: writing into a batch does not change the dataset.
        """
        places = get_array_module(self.data).asarray(indices, dtype=np.int64)
        pictures = self.data[places]
        return self.transform(pictures) if self.transform else pictures, self.targets[places]

    def __len__(self) -> int:
        return len(self.data)
