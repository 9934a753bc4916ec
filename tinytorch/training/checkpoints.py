"""A run saved after every epoch, and found again: the newest file that is whole, and the one before it in reserve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinytorch.training.callbacks import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinytorch.training.trainer import Trainer


def checkpoint_path(directory: str | os.PathLike[str], epoch: int) -> Path:
    """Where the checkpoint after so many epochs stands: directory/epoch-00012.safetensors, five digits at least."""
    raise NotImplementedError("kata 08: checkpoint_path")


def checkpoints(directory: str | os.PathLike[str]) -> dict[int, Path]:
    """The checkpoints in a directory by their epoch, in rising order. Other files do not count, such as what a killed
    run has left half written; where there is no directory there are none."""
    raise NotImplementedError("kata 08: checkpoints")


class ModelCheckpoint(Callback):
    """Saves the run after every epoch, and keeps the newest files (lightning's ModelCheckpoint).

    `best` is the best value of `monitor` so far.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        keep: int = 2,
        monitor: str | None = None,
        mode: str = "min",
    ) -> None:
        """Checkpoints go to `checkpoint_path(directory, epoch)`, and the newest `keep` of them stay: two by default, so
        that there is another one if the newest is damaged. With `monitor`, a name in the history, the run with the
        best value ("min" or "max") is kept as well, as directory/best.safetensors.

        Raises:
            ValueError: `keep` is less than 1, or `mode` not "min" or "max"; the message holds it.
        """
        raise NotImplementedError("kata 08: ModelCheckpoint.__init__")

    def on_fit_start(self, trainer: Trainer) -> None:
        """Make the directory. A run never writes over the work of another that came further.

        Raises:
            ValueError: the directory has a whole checkpoint of a later epoch than the trainer's; the message holds the
                path of one. The run was meant to be gone on with, or needs a directory of its own. Nothing is written.
        """
        raise NotImplementedError("kata 08: ModelCheckpoint.on_fit_start")

    def on_epoch_end(self, trainer: Trainer) -> None:
        """See whether the epoch is the best one so far.

        Raises:
            KeyError: the history has no `monitor`; see `latest`.
        """
        raise NotImplementedError("kata 08: ModelCheckpoint.on_epoch_end")

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Save, then delete the checkpoints that are too many: of those up to this epoch the newest `keep` stay.

        Those of later epochs are damaged, or `fit` would not have begun: they do not count, and stay until the run
        writes over them.

        The best one is written first: killed between the two, the run does the epoch again, and writes both.
        """
        raise NotImplementedError("kata 08: ModelCheckpoint.on_checkpoint")

    def state_dict(self) -> dict[str, Any]:
        """{"best"}."""
        raise NotImplementedError("kata 08: ModelCheckpoint.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what a `state_dict` holds."""
        raise NotImplementedError("kata 08: ModelCheckpoint.load_state_dict")
