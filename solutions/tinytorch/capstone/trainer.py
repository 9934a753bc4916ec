"""Train on all cores with what is there: kata 08's loop, kata 15's kernels, kata 19's processes.

Kata 19 trained in several processes, without a schedule, without an evaluation, and a power cut lost everything. Kata
08 has all of that, in one process. Here is the one in the other: an epoch runs in forks, and everything between two
epochs in this process, as before. What a fork has learned comes back in the way in which a run comes back after a power
cut: by its state.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import fmean
from typing import Any

from tinytorch.benchmarking import ProcessGroup, average_gradients, spawn
from tinytorch.layers import Module
from tinytorch.tensor import Tensor
from tinytorch.training import Batches, Callback, Trainer, clip_grad_norm_


def shares(batches: Batches, rank: int, world_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each batch (x, y), the samples rank, rank + world_size, rank + 2 * world_size, ... as a pair.

    The batches are asked for one at a time.

    All processes go through the same batches, drawn from the same generators. So together they see what one process
    would see, and it does not matter how many they are.

    Raises:
        ValueError: a batch cannot be cut into equal shares, and the mean of the shares' gradients would not be that of
            the batch. The message names its size and `world_size`.
    """
    for x, y in batches:
        if len(y) % world_size:
            raise ValueError(
                f"{world_size} processes cannot share a batch of {len(y)} samples equally: take a batch_size that is "
                f"a multiple of {world_size}, and drop_last=True"
            )
        yield x[rank::world_size], y[rank::world_size]


def average_buffers(model: Module, group: ProcessGroup) -> None:
    """Replace each floating-point buffer by its mean over all processes, in place. Integers stay as they are.

    These are the running statistics of batch norm: each process has those of its own shares.
    """
    for each in model.buffers():
        if each.data.dtype.kind == "f":
            group.all_reduce(each.data)
            each.data /= group.world_size


def train_share(
    group: ProcessGroup, trainer: ParallelTrainer, batches: Batches
) -> tuple[dict[str, float], dict[str, Any]]:
    """What a fork does in an epoch: Trainer.train_epoch on its `shares`, then average_buffers.

    Returns the numbers of the epoch, among them "cpu_seconds", which this process has computed for it, and the state of
    the trainer. Meanwhile trainer.group is `group`.
    """
    began = time.process_time()
    trainer.group = group
    numbers = Trainer.train_epoch(trainer, shares(batches, group.rank, group.world_size))
    average_buffers(trainer.model, group)
    return {**numbers, "cpu_seconds": time.process_time() - began}, trainer.state_dict()


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
        self.optimizer.zero_grad()
        output = self.model(x)
        loss = self.loss_fn(output, y)
        loss.backward()
        if self.group is not None:
            average_gradients(self.model.parameters(), self.group)
        if self.clip_grad_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
        self.optimizer.step()
        if self.scheduler is not None and self.scheduler_interval == "step":
            self.scheduler.step()
        return loss, output

    def train_epoch(self, batches: Batches) -> dict[str, float]:
        """An epoch in `world_size` forks that each run train_share; then this trainer has the state of rank 0.

        Returns the means of their numbers, and of "cpu_seconds" the largest. The rows of `spawn` hold all parameters
        and buffers, and its timeout is self.timeout. After an error in a fork everything here is as it was before.

        Raises:
            RuntimeError: as spawn.
        """
        room = 8 * sum(each.data.size for each in self.model.state_dict().values())  # float64 at most
        results = spawn(train_share, self.world_size, self, batches, timeout=self.timeout, buffer_bytes=room)
        self.load_state_dict(results[0][1])
        numbers = [each for each, _ in results]
        means = {name: fmean(each[name] for each in numbers) for name in numbers[0]}
        return means | {"cpu_seconds": max(each["cpu_seconds"] for each in numbers)}


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
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for name, now in trainer.model.state_dict().items():
            if name not in self.weights or now.data.dtype.kind != "f":
                self.weights[name] = now.detach().clone()
            else:
                self.weights[name] = self.weights[name].to(now.device)  # what a file holds is on the CPU
                mean = self.weights[name].data
                mean += (1 - decay) * (now.data - mean)

    @contextmanager
    def averaged(self, model: Module) -> Iterator[None]:
        """In this block the model has the averaged weights; afterwards, and after an error, its own again."""
        own = {name: each.detach().clone() for name, each in model.state_dict().items()}
        model.load_state_dict(self.weights)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:  # given
        return {"steps": self.steps, "weights": dict(self.weights)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # given
        self.steps, self.weights = state_dict["steps"], dict(state_dict["weights"])
