"""What feeds the trainer: datasets, the order of samples, batches made ahead of time, random transforms, real files.

A model learns no faster than its data arrive. So a batch is read in one call if the dataset can do that, and while
the model is busy with the batch before. The same seed gives the same batches for any number of threads.
"""

from tinytorch.dataloader.collate import (
    default_collate as default_collate,
    default_convert as default_convert,
)
from tinytorch.dataloader.datasets import (
    Dataset as Dataset,
    ImageDataset as ImageDataset,
    IterableDataset as IterableDataset,
    Subset as Subset,
    TensorDataset as TensorDataset,
    many_at_once as many_at_once,
    random_split as random_split,
    split_lengths as split_lengths,
)
from tinytorch.dataloader.files import (
    CIFAR10 as CIFAR10,
    MNIST as MNIST,
    CifarUnpickler as CifarUnpickler,
    DatasetError as DatasetError,
    PickledArray as PickledArray,
    PickledDtype as PickledDtype,
    pickled_bytes as pickled_bytes,
    read_cifar10_bin as read_cifar10_bin,
    read_cifar10_py as read_cifar10_py,
    read_idx as read_idx,
)
from tinytorch.dataloader.generators import (
    batch_generator as batch_generator,
    current_generator as current_generator,
    draw_seed as draw_seed,
    drawing_from as drawing_from,
)
from tinytorch.dataloader.loader import (
    DataLoader as DataLoader,
    fetch as fetch,
    prefetch as prefetch,
    read_stream as read_stream,
)
from tinytorch.dataloader.samplers import (
    BatchSampler as BatchSampler,
    RandomSampler as RandomSampler,
    SequentialSampler as SequentialSampler,
    WeightedRandomSampler as WeightedRandomSampler,
    batched as batched,
)
from tinytorch.dataloader.transforms import (
    Compose as Compose,
    Normalize as Normalize,
    RandomCrop as RandomCrop,
    RandomHorizontalFlip as RandomHorizontalFlip,
    ToDtype as ToDtype,
    Transform as Transform,
)
