"""The loop, written once, and everything that has to be remembered for it to go on after a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch.layers import Module
from tinytorch.optimizers import Optimizer
from tinytorch.tensor import Tensor
from tinytorch.training.callbacks import Callback
from tinytorch.training.schedulers import LRScheduler

Batches = Iterable[tuple[Tensor, Tensor]]
"""What training reads: pairs (x, y), y for every sample of x. A list, or anything that can be gone through again."""

Metric = Callable[[Tensor, Tensor], float]
"""What a metric is: a function of the model's output and of y."""

RUN = "run"
"""The name in a checkpoint's metadata under which the text of `pack` stands."""


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Inside `with evaluating(model):` the model is in eval mode, and nothing is recorded. Afterwards, also where the
    block raises, each of its modules is in the mode in which it was: a part that was in eval mode stays in it.
    """
    raise NotImplementedError("kata 08: evaluating")


class Trainer:
    """Trains a model, epoch by epoch, and can be stopped and gone on with at every one (keras.Model.fit, lightning's
    Trainer).

    `epoch` counts finished epochs. `history` has one list for each name, with one number for each epoch: "lr" (of the
    first group, as the epoch began), "seconds", "train_loss" and "train_" with each metric's name, and with a
    validation set "val_loss" and so on. `stopped` says that no epoch shall follow. `steps_per_epoch` is the length of
    the training set in batches, None where it has none. The arguments of `__init__` are attributes under their own
    names: `metrics` is a dict, `callbacks` and `generators` are lists, to which more may be added before `fit`.
    """

    def __init__(
        self,
        model: Module,
        loss_fn: Callable[[Tensor, Tensor], Tensor],
        optimizer: Optimizer,
        scheduler: LRScheduler | None = None,
        scheduler_interval: str = "epoch",
        metrics: Mapping[str, Metric] | None = None,
        clip_grad_norm: float | None = None,
        callbacks: Sequence[Callback] = (),
        generators: Sequence[np.random.Generator] = (),
    ) -> None:
        """`loss_fn` takes the model's output and y, and gives the mean over the batch. The scheduler steps after each
        "epoch", or after each "step" of the optimizer. Gradients are clipped to `clip_grad_norm`, unless it is None.
        `generators` are those besides the default one that the run draws from: a DataLoader's own, for one.

        Raises:
            ValueError: another `scheduler_interval`; the message holds it.
        """
        raise NotImplementedError("kata 08: Trainer.__init__")

    # The loop

    def fit(self, train: Batches, val: Batches | None = None, epochs: int = 1) -> dict[str, list[float]]:
        """Train until `epochs` epochs are finished in all, those of an earlier `fit` or of a checkpoint counted; gives
        the history. A run that was `stopped` makes no further epoch.

        Each epoch: train_epoch; evaluate on `val`, if given; a step of the scheduler, if its interval is "epoch"; the
        numbers into the history; `epoch` grows; every callback's on_epoch_end, and then every one's on_checkpoint.

        Raises:
            TypeError: `train` or `val` is an iterator, which would be used up after one epoch; the message holds its
                type.
            ValueError: `train` or `val` has no batches.
        """
        raise NotImplementedError("kata 08: Trainer.fit")

    def train_epoch(self, batches: Batches) -> dict[str, float]:
        """A train_step for every batch, in train mode, and after each every callback's on_step_end. Gives the mean loss
        and metrics, as the model was when it saw each batch: {"loss": ..., "accuracy": ...}.

        A GPU's default generator cannot be asked for its state. So that a run can be gone on with, each epoch begins
        that of the model's device anew, from a seed that the CPU's default generator draws.

        Raises:
            ValueError: there are no batches.
        """
        raise NotImplementedError("kata 08: Trainer.train_epoch")

    def train_step(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """One batch: forget the gradients, forward, loss, backward, clip, a step of the optimizer, and one of the
        scheduler if its interval is "step". Gives the loss, and the model's output."""
        raise NotImplementedError("kata 08: Trainer.train_step")

    def evaluate(self, batches: Batches) -> dict[str, float]:
        """The mean loss and metrics over all samples, in eval mode and without recording: {"loss": ..., ...}. Nothing
        is learned, and the model is in the mode in which it was before, whatever happens.

        Raises:
            ValueError: there are no batches.
        """
        raise NotImplementedError("kata 08: Trainer.evaluate")

    def predict(self, batches: Batches) -> Tensor:
        """The model's outputs for all x, one below the other, in eval mode and without recording; else as evaluate."""
        raise NotImplementedError("kata 08: Trainer.predict")

    # Its state

    def state_dict(self) -> dict[str, Any]:
        """All that a run is, as a state for `pack`: {"model", "optimizer", "scheduler", "callbacks", "generators",
        "epoch", "history", "stopped", "classes"}.

        "callbacks" has the state of each by the name of its class, with ".1", ".2" behind for the second and third of
        one class. "generators" has `bit_generator.state` of the CPU's default generator, and of each in `generators`.
        "classes" has the names of the classes of optimizer and scheduler. Without a scheduler its state is {}, and its
        class "NoneType".
        """
        raise NotImplementedError("kata 08: Trainer.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Be the run that `state_dict` is of, all or nothing: after an error everything is as it was before.

        A callback of which the state knows nothing is left alone, and so is the state of one that is not here.

        Raises:
            ValueError: it is of another class of optimizer or scheduler, or has another number of generators (the
                message holds both), or one of the parts refuses its state: model, optimizer, scheduler or a callback
                (it holds what that says).
        """
        raise NotImplementedError("kata 08: Trainer.load_state_dict")

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file with `save`, the text of `pack` in its metadata under RUN."""
        raise NotImplementedError("kata 08: Trainer.save_checkpoint")

    def load_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Be the run that was saved there, all or nothing.

        Raises:
            CheckpointError: the file is damaged, see `load_with_metadata`.
            ValueError: it holds Tensors but no run, or one that does not fit; the message holds the path.
        """
        raise NotImplementedError("kata 08: Trainer.load_checkpoint")

    def resume(self, directory: str | os.PathLike[str]) -> Path | None:
        """Load the newest of the `checkpoints` in a directory that is whole; gives its path, None where there is none
        at all. Call it before `fit`, and the same program starts a run and goes on with it.

        A damaged checkpoint is passed over, with a warning that holds its path.

        Raises:
            CheckpointError: there are checkpoints, and all are damaged: to begin anew is not for the program to decide.
                The message holds the directory.
            ValueError: the newest whole one does not fit this run.
        """
        raise NotImplementedError("kata 08: Trainer.resume")
