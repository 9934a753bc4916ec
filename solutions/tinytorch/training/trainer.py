"""The training loop, written once, and everything that a run needs to be resumed after a power cut."""

from __future__ import annotations

import operator
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch import setup
from tinytorch.autograd import no_grad
from tinytorch.layers import Module
from tinytorch.optimizers import Optimizer
from tinytorch.setup import default_generator
from tinytorch.tensor import Tensor, cat
from tinytorch.training.callbacks import Callback
from tinytorch.training.checkpoints import checkpoints
from tinytorch.training.clipping import clip_grad_norm_
from tinytorch.training.files import CheckpointError, load_with_metadata, pack, save, unpack
from tinytorch.training.metrics import Mean
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
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


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
        if scheduler_interval not in ("epoch", "step"):
            raise ValueError(f'scheduler_interval must be "epoch" or "step", got {scheduler_interval!r}')
        self.model, self.loss_fn, self.optimizer = model, loss_fn, optimizer
        self.scheduler, self.scheduler_interval = scheduler, scheduler_interval
        self.metrics, self.clip_grad_norm = dict(metrics or {}), clip_grad_norm
        self.callbacks, self.generators = list(callbacks), list(generators)
        self.epoch = 0
        self.history: dict[str, list[float]] = {}
        self.stopped = False
        self.steps_per_epoch: int | None = None

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
        for batches in (train, val):
            if isinstance(batches, Iterator):
                raise TypeError(
                    f"a {type(batches).__name__} is used up after one epoch: give a list, or whatever gives a new "
                    "iterator each time"
                )
        self.steps_per_epoch = operator.length_hint(train) or None
        self._tell("on_fit_start")
        while self.epoch < epochs and not self.stopped:
            self._tell("on_epoch_start")
            began = time.monotonic()
            numbers = {"lr": float(self.optimizer.param_groups[0]["lr"])}
            numbers |= {f"train_{name}": value for name, value in self.train_epoch(train).items()}
            if val is not None:
                numbers |= {f"val_{name}": value for name, value in self.evaluate(val).items()}
            if self.scheduler is not None and self.scheduler_interval == "epoch":
                self.scheduler.step()
            for name, value in {**numbers, "seconds": time.monotonic() - began}.items():
                self.history.setdefault(name, []).append(value)
            self.epoch += 1
            self._tell("on_epoch_end")
            self._tell("on_checkpoint")
        self._tell("on_fit_end")
        return self.history

    def train_epoch(self, batches: Batches) -> dict[str, float]:
        """A train_step for every batch, in train mode, each followed by on_step_end of every callback.

        Returns the mean loss and metrics, computed from the output of each train_step: {"loss": ..., "accuracy": ...}.

        The state of a GPU's default generator cannot be read. So that a run can be resumed, each epoch makes a new
        default generator for the model's device, from a seed that the CPU's default generator draws.

        Raises:
            ValueError: there are no batches.
        """
        self._begin_generators()
        self.model.train()
        means = self._means()
        for x, y in batches:
            loss, output = self.train_step(x, y)
            self._update(means, loss, output, y)
            self._tell("on_step_end", loss.item(), len(y))
        return _computed(means)

    def train_step(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Train on one batch; returns the loss and the model's output.

        In this order: forget the gradients, forward, loss, backward, clip, a step of the optimizer, and a step of the
        scheduler if its interval is "step".
        """
        self.optimizer.zero_grad()
        output = self.model(x)
        loss = self.loss_fn(output, y)
        loss.backward()
        if self.clip_grad_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
        self.optimizer.step()
        if self.scheduler is not None and self.scheduler_interval == "step":
            self.scheduler.step()
        return loss, output

    def evaluate(self, batches: Batches) -> dict[str, float]:
        """The mean loss and metrics over all samples: {"loss": ..., ...}, in eval mode and without recording.

        Nothing is learned, and afterwards the model is in the mode that it had before, even after an error.

        Raises:
            ValueError: there are no batches.
        """
        means = self._means()
        with evaluating(self.model):
            for x, y in batches:
                output = self.model(x)
                self._update(means, self.loss_fn(output, y), output, y)
        return _computed(means)

    def predict(self, batches: Batches) -> Tensor:
        """The model's outputs for all x, concatenated, in eval mode and without recording; all else as in evaluate."""
        with evaluating(self.model):
            outputs = [self.model(x) for x, _ in batches]
        if not outputs:
            raise ValueError("there are no batches")
        return cat(outputs)

    def _means(self) -> dict[str, Mean]:
        return {name: Mean() for name in ("loss", *self.metrics)}

    def _update(self, means: dict[str, Mean], loss: Tensor, output: Tensor, y: Tensor) -> None:
        means["loss"].update(loss.item(), len(y))
        with no_grad():
            for name, metric in self.metrics.items():
                means[name].update(metric(output, y), len(y))

    def _tell(self, hook: str, *args: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *args)

    def _begin_generators(self) -> None:
        for device in sorted({each.device for each in self.model.parameters()}, key=str):
            if device.type == "cuda":
                xp = device.array_module
                seed = int(default_generator("cpu").integers(2**63))
                with xp.cuda.Device(device.index):
                    setup.generators[device] = xp.random.default_rng(seed)

    # Its state

    def state_dict(self) -> dict[str, Any]:
        """The whole run, as a state for `pack`.

        Its keys are "model", "optimizer", "scheduler", "callbacks", "generators", "epoch", "history", "stopped" and
        "classes". "callbacks" has the state of each by the name of its class, followed by ".1", ".2" for the second and
        third of one class. "generators" has `bit_generator.state` of the CPU's default generator, and of each in
        `generators`. "classes" has the names of the classes of "optimizer" and "scheduler". Without a scheduler its
        state is {}, and its class "NoneType".
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict() if self.scheduler is not None else {},
            "callbacks": {name: each.state_dict() for name, each in self._named_callbacks().items()},
            "generators": [each.bit_generator.state for each in self._generators()],
            "epoch": self.epoch,
            "history": {name: list(values) for name, values in self.history.items()},
            "stopped": self.stopped,
            "classes": self._classes(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load the whole run, or nothing: after an error everything is as it was before.

        A callback that has no state in `state_dict` is left alone. A state whose callback is missing is ignored.

        Raises:
            ValueError: the class of optimizer or scheduler or the number of generators differs (the message names
                both), or one of the parts refuses its state: model, optimizer, scheduler or a callback (the message
                repeats that error).
        """
        if state_dict["classes"] != self._classes():
            raise ValueError(f"the state is of {state_dict['classes']}, this run has {self._classes()}")
        if len(state_dict["generators"]) != len(self._generators()):
            raise ValueError(
                f"the state has {len(state_dict['generators'])} generators, this run {len(self._generators())}"
            )
        before = pack(self.state_dict())
        try:
            self._load(state_dict)
        except Exception as error:
            self._load(unpack(*before))
            raise ValueError(f"the state does not fit this run: {error}") from error

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file with `save`; the text of `pack` is in its metadata under RUN."""
        tensors, text = pack(self.state_dict())
        save(tensors, path, {RUN: text})

    def load_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Load the run that was saved in a file, or nothing.

        Raises:
            CheckpointError: the file is damaged, see `load_with_metadata`.
            ValueError: the file has Tensors but no run, or a run that does not fit; the message names the path.
        """
        tensors, metadata = load_with_metadata(path)
        if RUN not in metadata:
            raise ValueError(
                f"{path} holds Tensors, but no run: load them with model.load_state_dict(load(path))"
            )
        try:
            self.load_state_dict(unpack(tensors, metadata[RUN]))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def resume(self, directory: str | os.PathLike[str]) -> Path | None:
        """Load the newest of `checkpoints(directory)` that is not damaged; returns its path, None without any.

        Call it before `fit`: then the same program starts a run and resumes it. A damaged checkpoint is skipped, with a
        warning that names its path.

        Raises:
            CheckpointError: there are checkpoints, and all are damaged: the user has to decide whether to begin again.
                The message names the directory.
            ValueError: the newest checkpoint that is not damaged does not fit this run.
        """
        found = checkpoints(directory)
        for path in reversed(found.values()):
            try:
                self.load_checkpoint(path)
                return path
            except CheckpointError as error:
                warnings.warn(f"{error}. Going back to the checkpoint before it.", stacklevel=2)
        if found:
            raise CheckpointError(f"all checkpoints in {directory} are damaged: delete them to begin again")
        return None

    def _load(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        for name, callback in self._named_callbacks().items():
            if name in state["callbacks"]:
                callback.load_state_dict(state["callbacks"][name])
        for generator, saved in zip(self._generators(), state["generators"], strict=True):
            generator.bit_generator.state = saved
        self.epoch, self.stopped = state["epoch"], state["stopped"]
        self.history = {name: list(values) for name, values in state["history"].items()}

    def _named_callbacks(self) -> dict[str, Callback]:
        named: dict[str, Callback] = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            same = sum(type(each).__name__ == name for each in named.values())
            named[f"{name}.{same}" if same else name] = callback
        return named

    def _generators(self) -> list[np.random.Generator]:
        return [default_generator("cpu"), *self.generators]

    def _classes(self) -> dict[str, str]:
        return {"optimizer": type(self.optimizer).__name__, "scheduler": type(self.scheduler).__name__}


def _computed(means: Mapping[str, Mean]) -> dict[str, float]:
    if not means["loss"].weight:
        raise ValueError("there are no batches")
    return {name: mean.compute() for name, mean in means.items()}
