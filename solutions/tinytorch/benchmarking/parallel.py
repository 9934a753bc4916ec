"""Data parallelism: each process has the whole model and a part of each batch, and all take the same step.

The gradient of a mean over a batch is the mean of the gradients of its equal parts. So each process goes backward
through its own part, they average their gradients, and each makes the same step from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import numpy as np

from tinytorch.benchmarking.processes import ProcessGroup, spawn
from tinytorch.dataloader import DataLoader
from tinytorch.dispatch import Array, wrap
from tinytorch.layers import Module
from tinytorch.optimizers import Optimizer
from tinytorch.setup import manual_seed
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
        if not 0 <= rank < num_replicas:
            raise ValueError(f"a rank is from 0 to num_replicas - 1, got rank={rank} of {num_replicas}")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:  # given
        """Let the next iteration have the order of this epoch. Call it in every process, or all epochs are alike."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Every `num_replicas`th index of the order, from place `rank` on: Python integers.

        The order is 0, 1, 2, ..., or with `shuffle` a permutation drawn from seed and epoch alone, so that all
        processes have the same one. If num_replicas does not divide its length, its beginning is repeated behind its
        end until it does; or, with `drop_last`, what is too much is cut off its end.
        """
        n = len(self.dataset)
        order = (
            np.random.default_rng([self.seed, self.epoch]).permutation(n) if self.shuffle else np.arange(n)
        )
        return iter(np.resize(order, len(self) * self.num_replicas)[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        """How many indices this process has."""
        n = len(self.dataset)
        return n // self.num_replicas if self.drop_last else -(-n // self.num_replicas)


def average_gradients(parameters: Iterable[Tensor], group: ProcessGroup) -> None:
    """Replace each gradient by its mean over all processes, in one all_reduce of all gradients side by side.

    A missing gradient counts as 0, so that the arrays of all processes fit together, and becomes the mean too. A
    parameter that does not require grad is left out. Each gradient has the dtype of its parameter.
    """
    learned = [each for each in parameters if each.requires_grad]
    parts = [np.zeros_like(each.data) if each.grad is None else each.grad.data for each in learned]
    if not parts:
        return
    flat = np.concatenate([part.reshape(-1) for part in parts])
    group.all_reduce(flat)
    flat /= group.world_size
    ends = np.cumsum([part.size for part in parts])
    for each, mean in zip(learned, np.split(flat, ends[:-1]), strict=True):
        each.grad = wrap(mean.reshape(each.shape).astype(each.dtype))


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
    results = spawn(
        _train,
        world_size,
        *(model, optimizer, loss_fn, dataset, batch_size, epochs, seed),
        timeout=timeout,
        buffer_bytes=8 * sum(each.data.size for each in model.parameters()),  # float64 at most
    )
    _, model_state, optimizer_state = results[0]
    model.load_state_dict(model_state)
    optimizer.load_state_dict(optimizer_state)
    return np.array([losses for losses, _, _ in results])


def _train(
    group: ProcessGroup,
    model: Module,
    optimizer: Optimizer,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    dataset: Any,
    batch_size: int,
    epochs: int,
    seed: int,
) -> tuple[list[float], Any, Any]:
    """One process: its losses, and the states in the end, which only those of rank 0 are asked for."""
    manual_seed(seed + group.rank)
    sampler = DistributedSampler(dataset, group.world_size, group.rank, seed=seed)
    losses = []
    model.train()
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for x, y in DataLoader(dataset, batch_size, sampler=sampler):
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            average_gradients(model.parameters(), group)
            optimizer.step()
            losses.append(loss.item())
    return (losses, model.state_dict(), optimizer.state_dict()) if group.rank == 0 else (losses, None, None)


def ring_steps(rank: int, world_size: int) -> list[int]:
    """Which piece a process takes from its left neighbour, rank - 1, in each step of a ring all-reduce.

    The array is cut into `world_size` pieces. In the first world_size - 1 steps the process adds the neighbour's piece
    to its own: in step s = 0, 1, ... it is piece rank - 1 - s, and in the end it has the whole sum of one piece. In the
    next world_size - 1 steps it copies finished pieces: in step s of those it is piece rank - s. Numbers below 0 count
    from the end, as indices do; in the list they are from 0 on. In no step does one process read a piece that another
    one writes (Patarasuk and Yuan, 2009).
    """
    adding = [(rank - 1 - s) % world_size for s in range(world_size - 1)]
    taking = [(rank - s) % world_size for s in range(world_size - 1)]
    return adding + taking


def ring_all_reduce(group: ProcessGroup, array: Array) -> None:
    """As group.all_reduce, by ring_steps: of N processes each reads 2 * (N - 1) / N arrays, and not N.

    np.array_split cuts a row into pieces. Each process writes its row, and waits for all before each step, and once
    more at the end, before the next operation may write into the rows.
    """
    mine, left = (
        np.array_split(group.row(rank, array), group.world_size)
        for rank in (group.rank, (group.rank - 1) % group.world_size)
    )
    group.row(group.rank, array)[...] = array.reshape(-1)
    for step, piece in enumerate(ring_steps(group.rank, group.world_size)):
        group.barrier()
        if step < group.world_size - 1:
            mine[piece] += left[piece]
        else:
            mine[piece][...] = left[piece]
    array[...] = group.row(group.rank, array).reshape(array.shape)
    group.barrier()
