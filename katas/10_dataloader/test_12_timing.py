"""A batch at a time against one sample at a time: the same work in a fraction of the time."""

import numpy as np
import pytest

from dojo.spec import assert_equal, speedup
from tinytorch.dataloader import (
    Compose,
    DataLoader,
    Dataset,
    ImageDataset,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    TensorDataset,
    ToDtype,
)
from tinytorch.tensor import Tensor


class OneByOne(Dataset):
    """The same samples as another dataset, without `__getitems__`."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getitem__(self, index):
        return self.dataset[index]

    def __len__(self):
        return len(self.dataset)


def epoch(loader):
    """The batches of an epoch, as arrays."""
    return tuple(part.data for batch in loader for part in batch)


def pictures():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (256, 1, 28, 28), dtype=np.uint8), np.arange(256) % 10


def test_pictures_a_batch_at_a_time():
    """A loader over an ImageDataset takes at most a quarter of the CPU time of one that reads one picture at a time."""
    transform = Compose([ToDtype(np.float32, scale=True), Normalize([0.5], [0.25])])
    dataset = ImageDataset(*pictures(), transform)
    speedup(
        fast=lambda: epoch(DataLoader(dataset, 64)),
        slow=lambda: epoch(DataLoader(OneByOne(dataset), 64)),
        at_least=4,
        baseline="one picture at a time",
    )


def test_tensors_a_batch_at_a_time():
    """A loader over a TensorDataset takes at most an eighth of the CPU time of one that reads one row at a time."""
    x, y = pictures()
    dataset = TensorDataset(Tensor(x.reshape(256, 784).astype(np.float32)), Tensor(y))
    speedup(
        fast=lambda: epoch(DataLoader(dataset, 64)),
        slow=lambda: epoch(DataLoader(OneByOne(dataset), 64)),
        at_least=8,
        baseline="one row at a time",
    )


def same_shape(fast, slow):
    assert_equal(fast.shape, slow.shape, "the shape of the pictures")


CASES = [("RandomCrop", {"size": 28, "padding": 4}, 4), ("RandomHorizontalFlip", {}, 4)]


@pytest.mark.parametrize(("name", "options", "at_least"), CASES, ids=["RandomCrop", "RandomHorizontalFlip"])
def test_many_random_pictures_at_once(name, options, at_least):
    """A random transform of 256 pictures at once takes at most a quarter of the CPU time of 256 calls."""
    transform = {"RandomCrop": RandomCrop, "RandomHorizontalFlip": RandomHorizontalFlip}[name](**options)
    data, _ = pictures()
    speedup(
        fast=lambda: transform(data),
        slow=lambda: np.stack([transform(picture) for picture in data]),
        at_least=at_least,
        check=same_shape,
        baseline="one picture at a time",
    )
