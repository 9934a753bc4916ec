"""Train on all cores with what is there: kata 08's loop, kata 15's kernels, kata 19's processes.

Kata 19 trained in several processes, without a schedule, without an evaluation, and a power cut lost everything. Kata
08 has all of that, in one process. Here is the one in the other: an epoch runs in forks, and everything between two
epochs in this process, as before. What a fork has learned comes back in the way in which a run comes back after a power
cut: by its state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tinytorch.benchmarking import ProcessGroup
from tinytorch.layers import Module
from tinytorch.tensor import Tensor
from tinytorch.training import Batches, Callback, Trainer


def shares(batches: Batches, rank: int, world_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each batch (x, y), the samples rank, rank + world_size, rank + 2 * world_size, ... as a pair.

    The batches are asked for one at a time.

    All processes go through the same batches, drawn from the same generators. So together they see what one process
    would see, and it does not matter how many they are.

    Raises:
        ValueError: a batch cannot be cut into equal shares, and the mean of the shares' gradients would not be that of
            the batch. The message names its size and `world_size`.
    """
    raise NotImplementedError("kata 20: shares")


def average_buffers(model: Module, group: ProcessGroup) -> None:
    """Replace each floating-point buffer by its mean over all processes, in place. Integers stay as they are.

    These are the running statistics of batch norm: each process has those of its own shares.
    """
    raise NotImplementedError("kata 20: average_buffers")


def train_share(
    group: ProcessGroup, trainer: ParallelTrainer, batches: Batches
) -> tuple[dict[str, float], dict[str, Any]]:
    """What a fork does in an epoch: Trainer.train_epoch on its `shares`, then average_buffers.

    Returns the numbers of the epoch, among them "cpu_seconds", which this process has computed for it, and the state of
    the trainer. Meanwhile trainer.group is `group`.
    """
    raise NotImplementedError("kata 20: train_share")


class ParallelTrainer(Trainer):
    """A Trainer whose epochs run in several processes (lightning.Trainer with strategy="ddp_fork").

    It learns what a Trainer learns from the same batches, to rounding, unless the model mixes the samples of a batch,
    as batch norm does, or draws numbers, as dropout does. All else is inherited: schedule, history, checkpoints. The
    history has "train_cpu_seconds" as well, those of the slowest process.

    The callbacks' on_step_end is called in each process, with the loss of its own share. What it changes in the
    trainer's state comes back from rank 0; what it prints is printed by all.
    """

    def __init__(
        self, *args: Any, world_size: int = 2, timeout: float = 600.0, **options: Any
    ) -> None:  # given
        super().__init__(*args, **options)
        self.world_size, self.timeout = world_size, timeout
        self.group: ProcessGroup | None = None
        """The group of a fork; None in the process that it was forked from."""

    def train_step(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """As Trainer.train_step, with average_gradients right behind backward, where there is a group.

        Before the clipping: the norm that is clipped is that of the whole batch's gradient, in all processes the same.
        """
        raise NotImplementedError("kata 20: ParallelTrainer.train_step")

    def train_epoch(self, batches: Batches) -> dict[str, float]:
        """An epoch in `world_size` forks that each run train_share; then this trainer has the state of rank 0.

        Returns the means of their numbers, and of "cpu_seconds" the largest. The rows of `spawn` hold all parameters
        and buffers, and its timeout is self.timeout. After an error in a fork everything here is as it was before.

        Raises:
            RuntimeError: as spawn.
        """
        raise NotImplementedError("kata 20: ParallelTrainer.train_epoch")


class WeightAveraging(Callback):
    """The mean of the weights of all steps, the newest counting most (lightning's WeightAveraging).

    A step goes where its batch says, and the next one corrects it. The mean of many has less of that noise than any of
    them, also while the learning rate is still large (Polyak and Juditsky, 1992). `weights` is a state of the model,
    {} before the first step, and `steps` counts.
    """

    def __init__(self, decay: float = 0.999) -> None:  # given
        self.decay = decay
        self.steps = 0
        self.weights: dict[str, Tensor] = {}

    def on_step_end(self, trainer: Trainer, loss: float, samples: int) -> None:
        """Move `weights` towards the model's state, by 1 - decay of the way; integers are copied.

        In the first steps the way is longer, or the weights of the beginning, which know nothing, would count for long:
        with n steps before, decay is min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage. The
        first step sets them. The arrays of `weights` are its own.
        """
        raise NotImplementedError("kata 20: WeightAveraging.on_step_end")

    @contextmanager
    def averaged(self, model: Module) -> Iterator[None]:
        """In this block the model has the averaged weights; afterwards, and after an error, its own again."""
        raise NotImplementedError("kata 20: WeightAveraging.averaged")

    def state_dict(self) -> dict[str, Any]:  # given
        return {"steps": self.steps, "weights": dict(self.weights)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # given
        self.steps, self.weights = state_dict["steps"], dict(state_dict["weights"])
