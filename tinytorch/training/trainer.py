"""The training loop, written once, and everything that a run needs to be resumed after a power cut."""

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
"""Training data: pairs (x, y), y for every sample of x, in a list or any object that can be iterated over again."""

Metric = Callable[[Tensor, Tensor], float]
"""A metric: a function of the model's output and of y."""

RUN = "run"
"""The name of the text of `pack` in the metadata of a checkpoint."""


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Inside `with evaluating(model):` the model is in eval mode, and nothing is recorded.

    Afterwards, also if the block raises, each of its modules is in the mode that it had before: a part that was in
    eval mode stays in it.
    """
    raise NotImplementedError("kata 08: evaluating")


class Trainer:
    """Train a model, epoch by epoch (keras.Model.fit, lightning's Trainer).

    A run can be stopped after any epoch and resumed. `epoch` counts finished epochs. `history` has one list for each
    name, with one number for each epoch: "lr" (of the first group, at the beginning of the epoch), "seconds",
    "train_loss", "train_" with each metric's name, and with a validation set "val_loss" and so on. `stopped` says that
    no epoch is to follow. `steps_per_epoch` is the length of the training set in batches, None if it has no length.
    The arguments of `__init__` are attributes of the same names: `metrics` is a dict, `callbacks` and `generators` are
    lists, to which more may be added before `fit`.
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
        """`loss_fn` takes the model's output and y, and gives the mean over the batch.

        The scheduler steps after each "epoch", or after each "step" of the optimizer. Gradients are clipped to
        `clip_grad_norm`, unless it is None. `generators` are the generators that the run draws from besides the
        default one, for example that of a DataLoader.

        Raises:
            ValueError: another `scheduler_interval`; the message names it.
        """
        raise NotImplementedError("kata 08: Trainer.__init__")

    # The loop

    def fit(self, train: Batches, val: Batches | None = None, epochs: int = 1) -> dict[str, list[float]]:
        """Train until `epochs` epochs are finished in all, and return the history.

        Epochs of an earlier `fit` or of a checkpoint count. A run that was `stopped` makes no further epoch.

        Each epoch: train_epoch; evaluate on `val`, if given; a step of the scheduler, if its interval is "epoch"; the
        numbers go into the history; `epoch` grows; on_epoch_end of every callback, then on_checkpoint of every one.

        Raises:
            TypeError: `train` or `val` is an iterator, which would be used up after one epoch; the message names its
                type.
            ValueError: `train` or `val` has no batches.
        """
        raise NotImplementedError("kata 08: Trainer.fit")

    def train_epoch(self, batches: Batches) -> dict[str, float]:
        """A train_step for every batch, in train mode, each followed by on_step_end of every callback.

        Returns the mean loss and metrics, computed from the output of each train_step: {"loss": ..., "accuracy": ...}.

        The state of a GPU's default generator cannot be read. So that a run can be resumed, each epoch makes a new
        default generator for the model's device, from a seed that the CPU's default generator draws.

        Raises:
            ValueError: there are no batches.
        """
        raise NotImplementedError("kata 08: Trainer.train_epoch")

    def train_step(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Train on one batch; returns the loss and the model's output.

        In this order: forget the gradients, forward, loss, backward, clip, a step of the optimizer, and a step of the
        scheduler if its interval is "step".
        """
        raise NotImplementedError("kata 08: Trainer.train_step")

    def evaluate(self, batches: Batches) -> dict[str, float]:
        """The mean loss and metrics over all samples: {"loss": ..., ...}, in eval mode and without recording.

        Nothing is learned, and afterwards the model is in the mode that it had before, even after an error.

        Raises:
            ValueError: there are no batches.
        """
        raise NotImplementedError("kata 08: Trainer.evaluate")

    def predict(self, batches: Batches) -> Tensor:
        """The model's outputs for all x, concatenated, in eval mode and without recording; all else as in evaluate."""
        raise NotImplementedError("kata 08: Trainer.predict")

    # Its state

    def state_dict(self) -> dict[str, Any]:
        """The whole run, as a state for `pack`.

        Its keys are "model", "optimizer", "scheduler", "callbacks", "generators", "epoch", "history", "stopped" and
        "classes". "callbacks" has the state of each by the name of its class, followed by ".1", ".2" for the second and
        third of one class. "generators" has `bit_generator.state` of the CPU's default generator, and of each in
        `generators`. "classes" has the names of the classes of "optimizer" and "scheduler". Without a scheduler its
        state is {}, and its class "NoneType".
        """
        raise NotImplementedError("kata 08: Trainer.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load the whole run, or nothing: after an error everything is as it was before.

        A callback that has no state in `state_dict` is left alone. A state whose callback is missing is ignored.

        Raises:
            ValueError: the class of optimizer or scheduler or the number of generators differs (the message names
                both), or one of the parts refuses its state: model, optimizer, scheduler or a callback (the message
                repeats that error).
        """
        raise NotImplementedError("kata 08: Trainer.load_state_dict")

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file with `save`; the text of `pack` is in its metadata under RUN."""
        raise NotImplementedError("kata 08: Trainer.save_checkpoint")

    def load_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Load the run that was saved in a file, or nothing.

        Raises:
            CheckpointError: the file is damaged, see `load_with_metadata`.
            ValueError: the file has Tensors but no run, or a run that does not fit; the message names the path.
        """
        raise NotImplementedError("kata 08: Trainer.load_checkpoint")

    def resume(self, directory: str | os.PathLike[str]) -> Path | None:
        """Load the newest of `checkpoints(directory)` that is not damaged; returns its path, None without any.

        Call it before `fit`: then the same program starts a run and resumes it. A damaged checkpoint is skipped, with a
        warning that names its path.

        Raises:
            CheckpointError: there are checkpoints, and all are damaged: the user has to decide whether to begin again.
                The message names the directory.
            ValueError: the newest checkpoint that is not damaged does not fit this run.
        """
        raise NotImplementedError("kata 08: Trainer.resume")
