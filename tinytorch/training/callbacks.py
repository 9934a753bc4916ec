"""What happens beside the training: stopping in time, and showing the progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

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
    raise NotImplementedError("kata 08: improves")


def latest(trainer: Trainer, monitor: str) -> float:
    """The newest number called `monitor` in the trainer's history.

    Raises:
        KeyError: there is none; the message names `monitor` and the names that the history has.
    """
    raise NotImplementedError("kata 08: latest")


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
        raise NotImplementedError("kata 08: EarlyStopping.__init__")

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Compare, count, and set `trainer.stopped` after `patience` epochs without improvement.

        Raises:
            KeyError: the history has no `monitor`; see `latest`.
        """
        raise NotImplementedError("kata 08: EarlyStopping.on_epoch_end")

    def on_fit_end(self, trainer: Trainer) -> None:
        """Put the best weights back, with `restore_best`."""
        raise NotImplementedError("kata 08: EarlyStopping.on_fit_end")

    def state_dict(self) -> dict[str, Any]:
        """{"best", "wait", "weights"}; the weights are copies by name, {} without `restore_best` or before any best."""
        raise NotImplementedError("kata 08: EarlyStopping.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave."""
        raise NotImplementedError("kata 08: EarlyStopping.load_state_dict")


class ProgressBar(Callback):
    """Print one line for each epoch; on a terminal, the line grows while the epoch runs."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, width: int = 24
    ) -> None:
        """Write to `stream`, sys.stderr by default. `clock` gives seconds; `width` is the width of the bar."""
        raise NotImplementedError("kata 08: ProgressBar.__init__")

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Count from 0 again."""
        raise NotImplementedError("kata 08: ProgressBar.on_epoch_start")

    def on_step_end(self, trainer: Trainer, loss: float, samples: int) -> None:
        """Count, and on a terminal write the line again, over the one before.

        Nothing may remain of a longer line before: write blanks over it, or the escape sequence "\\x1b[K", which
        clears the rest of a line.
        """
        raise NotImplementedError("kata 08: ProgressBar.on_step_end")

    def line(self, trainer: Trainer) -> str:
        """How far the epoch is: "epoch 3 [======      ] 12/24 loss 0.1234 1200 samples/s 0:05 left".

        The loss is that of the last batch. Without `trainer.steps_per_epoch` there is neither bar nor time:
        "epoch 3 12 steps loss 0.1234 1200 samples/s".
        The bar is `width` characters wide; width * steps done / all steps of them, rounded down, are "=".
        """
        raise NotImplementedError("kata 08: ProgressBar.line")

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write a line with every number of the epoch: "epoch 3: train_loss 0.1234, val_loss 0.2345, ...".

        Each number has 4 significant digits. On a terminal the line replaces the bar completely.
        """
        raise NotImplementedError("kata 08: ProgressBar.on_epoch_end")
