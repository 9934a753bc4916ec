"""Datasets: samples by number, streams, subsets, and pictures in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch.dispatch import Array
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
        raise NotImplementedError("kata 10: TensorDataset.__init__")

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Row `index` of each Tensor."""
        raise NotImplementedError("kata 10: TensorDataset.__getitem__")

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """The rows at `indices` in one call: Tensors of shape (N, ...), on the device of the data."""
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
        """The samples at many indices: by `many_at_once(dataset)` if it is not None, else as a list of samples."""
        raise NotImplementedError("kata 10: Subset.__getitems__")

    def __len__(self) -> int:
        return len(self.indices)


def many_at_once(dataset: Any) -> Callable[[Sequence[int]], Any] | None:
    """The dataset's `__getitems__` if it has one that matches its `__getitem__`, else None.

    If a subclass overrides `__getitem__` but not `__getitems__`, the inherited `__getitems__` would silently ignore
    the change: then the result is None. (torch.utils.data.Subset refuses such a subclass.)
    """
    raise NotImplementedError("kata 10: many_at_once")


def random_split(
    dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None
) -> list[Subset]:
    """Subsets that share no sample and leave none out, in random order (torch.utils.data.random_split).

    Args:
        lengths: as `split_lengths` takes them.
        generator: where the order is drawn from; None is the default generator of the CPU.
    """
    raise NotImplementedError("kata 10: random_split")


def split_lengths(n: int, lengths: Sequence[float]) -> list[int]:
    """How many of `n` samples each part gets. `lengths` sum up to n, or are fractions that sum up to 1.

    A fraction gets floor(n * fraction). The samples that are left go one to each part, from the first part on.

    Raises:
        ValueError: a length is negative; the lengths are not whole and do not sum up to 1; they sum up to something
            other than n. The message names the lengths, their sum and n.
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
        """Keep the pictures and labels; a `transform` of None leaves pictures as they are.

        Raises:
            ValueError: `data` does not have four axes; the message names its shape. The numbers of targets and
                pictures differ; the message names both.
        """
        raise NotImplementedError("kata 10: ImageDataset.__init__")

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """(picture, label): what the transform makes of (C, H, W), and a Python integer."""
        raise NotImplementedError("kata 10: ImageDataset.__getitem__")

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, Array]:
        """(pictures, labels) in one call: the transform of the pictures (N, C, H, W), called once, and N labels.

        They are copies: writing into a batch does not change the dataset.
        """
        raise NotImplementedError("kata 10: ImageDataset.__getitems__")

    def __len__(self) -> int:
        return len(self.data)
