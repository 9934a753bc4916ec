"""Datasets and loaders under the names that PyTorch users know (torch.utils.data).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face

if TYPE_CHECKING:
    from tinytorch.benchmarking import DistributedSampler as DistributedSampler
    from tinytorch.dataloader import (
        BatchSampler as BatchSampler,
        DataLoader as DataLoader,
        Dataset as Dataset,
        IterableDataset as IterableDataset,
        RandomSampler as RandomSampler,
        SequentialSampler as SequentialSampler,
        Subset as Subset,
        TensorDataset as TensorDataset,
        WeightedRandomSampler as WeightedRandomSampler,
        default_collate as default_collate,
        default_convert as default_convert,
        random_split as random_split,
    )

__getattr__, __dir__ = face(__name__)
