"""Data parallelism: each process has the whole model and a part of each batch, and all take the same step.

The gradient of a mean over a batch is the mean of the gradients of its equal parts. So each process goes backward
through its own part, they average their gradients, and each makes the same step from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

from tinytorch.benchmarking.processes import ProcessGroup
from tinytorch.dispatch import Array
from tinytorch.layers import Module
from tinytorch.optimizers import Optimizer
from tinytorch.tensor import Tensor


class DistributedSampler:
    """The indices of one of several processes (torch.utils.data.DistributedSampler).

    Together the `num_replicas` processes have every index in an epoch, and each has equally many. The arguments of
    `__init__` are attributes, and so is `epoch`, at first 0.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int,
        rank: int,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        """Keep the options.

        Raises:
            ValueError: rank is not one of 0 to num_replicas - 1; the message names both.
        """
        raise NotImplementedError("kata 19: DistributedSampler.__init__")

    def set_epoch(self, epoch: int) -> None:  # given
        """Let the next iteration have the order of this epoch. Call it in every process, or all epochs are alike."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Every `num_replicas`th index of the order, from place `rank` on: Python integers.

        The order is 0, 1, 2, ..., or with `shuffle` a permutation drawn from seed and epoch alone, so that all
        processes have the same one. If num_replicas does not divide its length, its beginning is repeated behind its
        end until it does; or, with `drop_last`, what is too much is cut off its end.
        """
        raise NotImplementedError("kata 19: DistributedSampler.__iter__")

    def __len__(self) -> int:
        """How many indices this process has."""
        raise NotImplementedError("kata 19: DistributedSampler.__len__")


def average_gradients(parameters: Iterable[Tensor], group: ProcessGroup) -> None:
    """Replace each gradient by its mean over all processes, in one all_reduce of all gradients side by side.

    A missing gradient counts as 0, so that the arrays of all processes fit together, and becomes the mean too. A
    parameter that does not require grad is left out. Each gradient has the dtype of its parameter.
    """
    raise NotImplementedError("kata 19: average_gradients")


def fit_parallel(
    model: Module,
    optimizer: Optimizer,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    dataset: Any,
    batch_size: int,
    epochs: int = 1,
    world_size: int = 2,
    seed: int = 0,
    timeout: float = 60.0,
) -> Array:
    """Train in `world_size` processes, and give their losses (world_size, steps): a row for each process.

    Each has a DistributedSampler of its rank with `seed`, the epoch set, in a DataLoader with this batch_size: so
    a step sees world_size * batch_size samples. What is left at the end of an epoch makes a smaller batch. A step is:
    forget the gradients, forward in train mode, loss, backward, average_gradients, a step of the optimizer. Before all,
    a process calls manual_seed(seed + rank): dropout draws other numbers in each.

    Afterwards the model and the optimizer of this process have the state of those of rank 0, as a script saves rank 0's
    under PyTorch's DistributedDataParallel. The parameters are the same in all. Running statistics of batch norm are
    not: each process has seen its own samples. All gradients fit into a row of `spawn`, however large the model is.
    """
    raise NotImplementedError("kata 19: fit_parallel")


def ring_steps(rank: int, world_size: int) -> list[int]:
    """Which piece a process takes from its left neighbour, rank - 1, in each step of a ring all-reduce.

    The array is cut into `world_size` pieces. In the first world_size - 1 steps the process adds the neighbour's piece
    to its own: in step s = 0, 1, ... it is piece rank - 1 - s, and in the end it has the whole sum of one piece. In the
    next world_size - 1 steps it copies finished pieces: in step s of those it is piece rank - s. Numbers below 0 count
    from the end, as indices do; in the list they are from 0 on. In no step does one process read a piece that another
    one writes (Patarasuk and Yuan, 2009).
    """
    raise NotImplementedError("kata 19: ring_steps")


def ring_all_reduce(group: ProcessGroup, array: Array) -> None:
    """As group.all_reduce, by ring_steps: of N processes each reads 2 * (N - 1) / N arrays, and not N.

    np.array_split cuts a row into pieces. Each process writes its row, and waits for all before each step, and once
    more at the end, before the next operation may write into the rows.
    """
    raise NotImplementedError("kata 19: ring_all_reduce")
