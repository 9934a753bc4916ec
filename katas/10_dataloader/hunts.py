"""What mistakes in kata 10 look like from outside. `make hunt N=10` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import dataloader as d
from tinytorch.setup import manual_seed
from tinytorch.tensor import arange

PICTURE = np.arange(16, dtype=np.float32).reshape(1, 4, 4)


def orders() -> None:
    """The orders of 8 samples in three epochs."""
    manual_seed(0)
    sampler = d.RandomSampler(range(8))
    for epoch in range(3):
        print(f"epoch {epoch}:", list(sampler))


def split() -> None:
    """The first part of 20 sorted samples after a random split in halves."""
    manual_seed(0)
    print([int(sample[0]) for sample in d.random_split(d.TensorDataset(arange(20)), [0.5, 0.5])[0]])


def validation() -> None:
    """The samples of a Subset of the numbers 100 to 109 that has the indices 7, 8 and 9."""
    subset = d.Subset(list(range(100, 110)), [7, 8, 9])
    print([subset[place] for place in range(3)])


def rare() -> None:
    """How often each of three classes is drawn, where the weights are 1, 1 and 8, in two epochs of 100."""
    manual_seed(0)
    sampler = d.WeightedRandomSampler([1, 1, 8], 100)
    for _ in range(2):
        print(np.bincount(list(sampler), minlength=3).tolist())


def batches() -> None:
    """The batches of 10 samples, four at a time, without an incomplete one."""
    print(list(d.BatchSampler(range(10), 4, drop_last=True)))


def length() -> None:
    """How many batches of 10 samples, four at a time, are promised, and how many come."""
    loader = d.DataLoader(d.TensorDataset(arange(10)), batch_size=4)
    print(len(loader), "promised,", sum(1 for _ in loader), "came")


def mirror() -> None:
    """A picture of the numbers 0 to 15, mirrored left and right."""
    manual_seed(0)
    print(d.RandomHorizontalFlip(1.0)(PICTURE)[0])


def pipeline() -> None:
    """What Compose makes of the pixels 1, 2 and 3 by x - 1 and then x * 10."""
    print(d.Compose([lambda x: x - 1, lambda x: x * 10])(np.array([1, 2, 3])).tolist())


def bytes_to_shares() -> None:
    """Bytes as shares of the brightest one: 0, 51 and 255."""
    print(d.ToDtype(np.float32, scale=True)(np.array([[[0, 51, 255]]], np.uint8)).ravel().tolist())


def twice() -> None:
    """The mean of a data set after its pictures were read twice: nobody should have changed it."""
    data = np.full((4, 1, 2, 2), 5.0, np.float32)
    pictures = d.ImageDataset(data, np.zeros(4, np.int64), d.Normalize([4.0], [0.5]))
    for _ in range(2):
        [pictures[place] for place in range(4)]
        print(data.mean())


HUNTS = {
    "one_order_for_all_epochs": orders,
    "split_cuts": split,
    "subset_counts_as_the_dataset": validation,
    "weighed_once_for_all_epochs": rare,
    "short_groups_are_kept": batches,
    "the_last_batch_is_not_counted": length,
    "upside_down": mirror,
    "composed_backwards": pipeline,
    "scaled_by_256": bytes_to_shares,
    "normalized_in_place": twice,
}
