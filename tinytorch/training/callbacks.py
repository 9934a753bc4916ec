"""What happens beside the training: stopping in time, and telling how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tinytorch.training.trainer import Trainer


class Callback:
    """What a Trainer calls as it goes. A subclass writes the hooks that it needs; each may read the trainer."""

    def on_fit_start(self, trainer: Trainer) -> None:
        """`fit` begins."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """The epoch after `trainer.epoch` finished ones begins; it has `trainer.steps_per_epoch` steps, or None where
        nobody can tell."""

    def on_step_end(self, trainer: Trainer, loss: float, samples: int) -> None:
        """One batch is done; these are its loss and its size."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """The epoch is over and counted; `trainer.history` has its numbers. Set `trainer.stopped` to end the run."""

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Every callback has heard of the end of the epoch: now the state is complete, and may be saved."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """`fit` ends."""

    def state_dict(self) -> dict[str, Any]:  # given
        """What has to be remembered for a run that goes on tomorrow: nothing, unless a subclass says so."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what a `state_dict` holds."""


def improves(value: float, best: float, mode: str, min_delta: float = 0.0) -> bool:
    """Whether `value` is below `best` by more than `min_delta` ("min"), or above it ("max"). nan never improves.

    Raises:
        ValueError: another mode; the message holds it.
    """
    raise NotImplementedError("kata 08: improves")


def latest(trainer: Trainer, monitor: str) -> float:
    """The newest number called `monitor` in the trainer's history.

    Raises:
        KeyError: there is none; the message holds the name, and the names that there are.
    """
    raise NotImplementedError("kata 08: latest")


class EarlyStopping(Callback):
    """Ends a run that no longer improves (keras.callbacks.EarlyStopping, lightning's EarlyStopping).

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
        """Stop after `patience` epochs in a row in which `monitor`, a name in the history, has not improved by more
        than `min_delta`. `restore_best` leaves the weights of the best epoch in the model when `fit` ends, whether
        it was stopped or not; they are kept in memory as a copy, buffers among them.

        Raises:
            ValueError: `patience` is less than 1, or `mode` not "min" or "max"; the message holds it.
        """
        raise NotImplementedError("kata 08: EarlyStopping.__init__")

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Compare, count, and set `trainer.stopped` when it was too long.

        Raises:
            KeyError: the history has no `monitor`; see `latest`.
        """
        raise NotImplementedError("kata 08: EarlyStopping.on_epoch_end")

    def on_fit_end(self, trainer: Trainer) -> None:
        """Put the best weights back, under `restore_best`."""
        raise NotImplementedError("kata 08: EarlyStopping.on_fit_end")

    def state_dict(self) -> dict[str, Any]:
        """{"best", "wait", "weights"}: the weights are copies by name, {} without `restore_best` or before the best."""
        raise NotImplementedError("kata 08: EarlyStopping.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what a `state_dict` holds."""
        raise NotImplementedError("kata 08: EarlyStopping.load_state_dict")


class ProgressBar(Callback):
    """One line for each epoch, and on a terminal one that grows while it runs."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, width: int = 24
    ) -> None:
        """Writes to `stream`, sys.stderr by default. `clock` gives seconds; `width` is that of the bar."""
        raise NotImplementedError("kata 08: ProgressBar.__init__")

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Count from 0 again."""
        raise NotImplementedError("kata 08: ProgressBar.on_epoch_start")

    def on_step_end(self, trainer: Trainer, loss: float, samples: int) -> None:
        """Count, and on a terminal write the line anew, over the one before, of which nothing stays where it was
        longer: blanks do it, or the escape sequence "\\x1b[K", which clears the rest of a line."""
        raise NotImplementedError("kata 08: ProgressBar.on_step_end")

    def line(self, trainer: Trainer) -> str:
        """How far the epoch is: "epoch 3 [======      ] 12/24 loss 0.1234 1200 samples/s 0:05 left".

        The loss is that of the last batch. Without `trainer.steps_per_epoch` there is neither bar nor time:
        "epoch 3 12 steps loss 0.1234 1200 samples/s".
        A bar is `width` wide; of its "=" there are as many, rounded down, as the share of the steps that are done.
        """
        raise NotImplementedError("kata 08: ProgressBar.line")

    def on_epoch_end(self, trainer: Trainer) -> None:
        """A line with every number of the epoch: "epoch 3: train_loss 0.1234, val_loss 0.2345, ..."; each with 4
        significant digits. On a terminal it takes the place of the bar, and nothing of that stays."""
        raise NotImplementedError("kata 08: ProgressBar.on_epoch_end")
