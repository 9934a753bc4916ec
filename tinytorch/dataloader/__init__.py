"""What feeds the trainer: datasets, the order of samples, batches made ahead of time, random transforms, real files.

A model learns no faster than its data arrive. So a batch is read whole where the data allow it, while the model
is busy with the one before, and the same seed gives the same batches however many threads make them.
"""

from __future__ import annotations

from tinytorch.dataloader.collate import default_collate, default_convert
from tinytorch.dataloader.datasets import (
    Dataset,
    ImageDataset,
    IterableDataset,
    Subset,
    TensorDataset,
    many_at_once,
    random_split,
    split_lengths,
)
from tinytorch.dataloader.files import (
    CIFAR10,
    MNIST,
    CifarUnpickler,
    DatasetError,
    PickledArray,
    PickledDtype,
    pickled_bytes,
    read_cifar10_bin,
    read_cifar10_py,
    read_idx,
)
from tinytorch.dataloader.generators import batch_generator, current_generator, draw_seed, drawing_from
from tinytorch.dataloader.loader import DataLoader, fetch, prefetch, read_stream
from tinytorch.dataloader.samplers import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    WeightedRandomSampler,
    batched,
)
from tinytorch.dataloader.transforms import (
    Compose,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    ToDtype,
    Transform,
)

__all__ = [
    "CIFAR10",
    "MNIST",
    "BatchSampler",
    "CifarUnpickler",
    "Compose",
    "DataLoader",
    "Dataset",
    "DatasetError",
    "ImageDataset",
    "IterableDataset",
    "Normalize",
    "PickledArray",
    "PickledDtype",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomSampler",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "ToDtype",
    "Transform",
    "WeightedRandomSampler",
    "batch_generator",
    "batched",
    "current_generator",
    "default_collate",
    "default_convert",
    "draw_seed",
    "drawing_from",
    "fetch",
    "many_at_once",
    "pickled_bytes",
    "prefetch",
    "random_split",
    "read_cifar10_bin",
    "read_cifar10_py",
    "read_idx",
    "read_stream",
    "split_lengths",
]
