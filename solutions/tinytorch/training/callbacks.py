"""What happens beside the training: stopping in time, and showing the progress."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from tinytorch.tensor import Tensor

if TYPE_CHECKING:
    from tinytorch.training.trainer import Trainer


class Callback:
    """Hooks that a Trainer calls. A subclass writes those that it needs; each may read the trainer."""

    def on_fit_start(self, trainer: Trainer) -> None:
        """`fit` begins."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """An epoch begins; `trainer.epoch` epochs are finished.

        It has `trainer.steps_per_epoch` steps, which is None where the number is not known.
        """

    def on_step_end(self, trainer: Trainer, loss: float, samples: int) -> None:
        """One batch is done; these are its loss and its size."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """The epoch is over and counted; `trainer.history` has its numbers. Set `trainer.stopped` to end the run."""

    def on_checkpoint(self, trainer: Trainer) -> None:
        """`on_epoch_end` of every callback is done: now the state is complete, and may be saved."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """`fit` ends."""

    def state_dict(self) -> dict[str, Any]:  # given
        """What a resumed run needs: nothing, unless a subclass says so."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave."""


def improves(value: float, best: float, mode: str, min_delta: float = 0.0) -> bool:
    """Whether `value` is below `best` by more than `min_delta` ("min"), or above it ("max"). nan never improves.

    Raises:
        ValueError: another mode; the message names it.
    """
    if mode not in ("min", "max"):
        raise ValueError(f'mode must be "min" or "max", got {mode!r}')
    return value < best - min_delta if mode == "min" else value > best + min_delta


def latest(trainer: Trainer, monitor: str) -> float:
    """The newest number called `monitor` in the trainer's history.

    Raises:
        KeyError: there is none; the message names `monitor` and the names that the history has.
    """
    if monitor not in trainer.history:
        raise KeyError(f"no {monitor!r} in the history, which has {', '.join(trainer.history)}")
    return trainer.history[monitor][-1]


class EarlyStopping(Callback):
    """End a run that no longer improves (keras.callbacks.EarlyStopping, lightning's EarlyStopping).

    `best` is the best value so far, `wait` the number of epochs since.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 3,
        min_delta: float = 0.0,
        mode: str = "min",
        restore_best: bool = False,
    ) -> None:
        """Stop after `patience` epochs in a row without an improvement of `monitor`, a name in the history.

        An improvement is one by more than `min_delta`. With `restore_best` the model has the weights of the best
        epoch when `fit` ends, whether it was stopped or not; a copy of them, with the buffers, is kept in memory.

        Raises:
            ValueError: `patience` is less than 1, or `mode` not "min" or "max"; the message names the value.
        """
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.best = math.inf if mode == "min" else -math.inf
        improves(0.0, self.best, mode)  # refuses another mode
        self.monitor, self.patience, self.min_delta, self.mode = monitor, patience, min_delta, mode
        self.restore_best = restore_best
        self.wait = 0
        self.weights: dict[str, Tensor] = {}

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Compare, count, and set `trainer.stopped` after `patience` epochs without improvement.

        Raises:
            KeyError: the history has no `monitor`; see `latest`.
        """
        value = latest(trainer, self.monitor)
        if improves(value, self.best, self.mode, self.min_delta):
            self.best, self.wait = value, 0
            if self.restore_best:
                self.weights = {
                    name: each.detach().clone() for name, each in trainer.model.state_dict().items()
                }
        else:
            self.wait += 1
            trainer.stopped |= self.wait >= self.patience

    def on_fit_end(self, trainer: Trainer) -> None:
        """Put the best weights back, with `restore_best`."""
        if self.weights:
            trainer.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """{"best", "wait", "weights"}; the weights are copies by name, {} without `restore_best` or before any best."""
        return {"best": self.best, "wait": self.wait, "weights": dict(self.weights)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave."""
        self.best, self.wait = state_dict["best"], state_dict["wait"]
        self.weights = dict(state_dict["weights"])


class ProgressBar(Callback):
    """Print one line for each epoch; on a terminal, the line grows while the epoch runs."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, width: int = 24
    ) -> None:
        """Write to `stream`, sys.stderr by default. `clock` gives seconds; `width` is the width of the bar."""
        self.stream = stream if stream is not None else sys.stderr
        self.clock, self.width = clock, width
        self.started, self.steps, self.samples, self.loss = 0.0, 0, 0, 0.0

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Count from 0 again."""
        self.started, self.steps, self.samples = self.clock(), 0, 0

    def on_step_end(self, trainer: Trainer, loss: float, samples: int) -> None:
        """Count, and on a terminal write the line again, over the one before.

        Nothing may remain of a longer line before: write blanks over it, or the escape sequence "\\x1b[K", which
        clears the rest of a line.
        """
        self.steps += 1
        self.samples += samples
        self.loss = loss
        if self.stream.isatty():
            self.stream.write(f"\r{self.line(trainer)}\x1b[K")  # the last: clear what a longer line has left
            self.stream.flush()

    def line(self, trainer: Trainer) -> str:
        """How far the epoch is: "epoch 3 [======      ] 12/24 loss 0.1234 1200 samples/s 0:05 left".

        The loss is that of the last batch. Without `trainer.steps_per_epoch` there is neither bar nor time:
        "epoch 3 12 steps loss 0.1234 1200 samples/s".
        The bar is `width` characters wide; width * steps done / all steps of them, rounded down, are "=".
        """
        seconds = max(self.clock() - self.started, 1e-9)
        speed = f"loss {self.loss:.4f} {self.samples / seconds:.0f} samples/s"
        total = trainer.steps_per_epoch
        if not total:
            return f"epoch {trainer.epoch + 1} {self.steps} steps {speed}"
        bar = "=" * min(self.width * self.steps // total, self.width)
        left = round(seconds / max(self.steps, 1) * max(total - self.steps, 0))
        return (
            f"epoch {trainer.epoch + 1} [{bar:<{self.width}}] {self.steps}/{total} {speed} "
            f"{left // 60}:{left % 60:02d} left"
        )

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write a line with every number of the epoch: "epoch 3: train_loss 0.1234, val_loss 0.2345, ...".

        Each number has 4 significant digits. On a terminal the line replaces the bar completely.
        """
        numbers = ", ".join(f"{name} {values[-1]:.4g}" for name, values in trainer.history.items())
        start, end = ("\r", "\x1b[K\n") if self.stream.isatty() else ("", "\n")
        self.stream.write(f"{start}epoch {trainer.epoch}: {numbers}{end}")
        self.stream.flush()
