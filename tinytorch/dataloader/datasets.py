"""Samples by number, samples one after the other, parts of them, and pictures in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch.dispatch import Array
from tinytorch.tensor import Tensor


class Dataset:
    """Samples by number (torch.utils.data.Dataset). A subclass writes `__getitem__(index)` and `__len__()`.

    It may write `__getitems__(indices)` too, many samples at once: a list of samples, as in PyTorch, or, here, the
    batch itself: a tuple of Tensors or arrays, or one, with a row for each index.
    """

    def __getitem__(self, index: Any) -> Any:  # given
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")


class IterableDataset(Dataset):
    """Samples one after the other, without numbers: a stream (torch.utils.data.IterableDataset).

    A subclass writes `__iter__()`, which begins anew for each epoch, and `__len__()` if it knows.
    """

    def __iter__(self) -> Iterator[Any]:  # given
        raise NotImplementedError(f"{type(self).__name__} has no __iter__")


class TensorDataset(Dataset):
    """Sample i is the tuple of row i of each Tensor (torch.utils.data.TensorDataset)."""

    def __init__(self, *tensors: Tensor) -> None:
        """`tensors`: at least one, with the same number of rows.

        Raises:
            ValueError: there is none, or the numbers of rows differ; the message holds two that do.
        """
        raise NotImplementedError("kata 10: TensorDataset.__init__")

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Row `index` of each Tensor."""
        raise NotImplementedError("kata 10: TensorDataset.__getitem__")

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """The rows at `indices`, at once: Tensors with the shape (N, ...), on their device."""
        raise NotImplementedError("kata 10: TensorDataset.__getitems__")

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order (torch.utils.data.Subset)."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:  # given
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        """Sample `indices[index]` of the dataset."""
        raise NotImplementedError("kata 10: Subset.__getitem__")

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """The same for many: what `many_at_once(dataset)` gives, where there is one, else a list of samples."""
        raise NotImplementedError("kata 10: Subset.__getitems__")

    def __len__(self) -> int:
        return len(self.indices)


def many_at_once(dataset: Any) -> Callable[[Sequence[int]], Any] | None:
    """The dataset's `__getitems__`, if it has one that can be trusted, else None.

    Where a subclass has written `__getitem__` anew and not `__getitems__`, the one that it inherits would pass over
    the change in silence: then it is None. (torch.utils.data.Subset refuses such a subclass.)
    """
    raise NotImplementedError("kata 10: many_at_once")


def random_split(
    dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None
) -> list[Subset]:
    """Subsets that share no sample and leave none out, in random order (torch.utils.data.random_split).

    Args:
        lengths: as `split_lengths` takes them.
        generator: None draws from the default generator of the CPU.
    """
    raise NotImplementedError("kata 10: random_split")


def split_lengths(n: int, lengths: Sequence[float]) -> list[int]:
    """How many of `n` samples each part gets. `lengths` sum up to n, or are fractions that sum up to 1.

    A fraction gets floor(n * fraction); what is left is dealt out one by one, from the first part on.

    Raises:
        ValueError: one is negative; they are not whole and do not sum up to 1; they sum up to something other
            than n. The message holds the lengths, their sum and n.
    """
    raise NotImplementedError("kata 10: split_lengths")


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
        """`transform`: None leaves pictures as they are.

        Raises:
            ValueError: `data` has not four axes; the message holds its shape. There are not as many targets as
                pictures; the message holds both numbers.
        """
        raise NotImplementedError("kata 10: ImageDataset.__init__")

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """(picture, label): what the transform makes of (C, H, W), and a Python integer."""
        raise NotImplementedError("kata 10: ImageDataset.__getitem__")

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, Array]:
        """(pictures, labels) at once: what one call of the transform makes of (N, C, H, W), and N labels.

        They are copies: whoever writes into a batch does not write into the dataset.
        """
        raise NotImplementedError("kata 10: ImageDataset.__getitems__")

    def __len__(self) -> int:
        return len(self.data)
