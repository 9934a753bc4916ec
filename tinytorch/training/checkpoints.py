"""Checkpoints: the run is saved after every epoch, and the file before the newest is kept in reserve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinytorch.training.callbacks import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinytorch.training.trainer import Trainer


def checkpoint_path(directory: str | os.PathLike[str], epoch: int) -> Path:
    """The path of the checkpoint after `epoch` epochs: directory/epoch-00012.safetensors, at least five digits."""
    raise NotImplementedError("kata 08: checkpoint_path")


def checkpoints(directory: str | os.PathLike[str]) -> dict[int, Path]:
    """The checkpoints in a directory by their epoch, in rising order; {} where there is no directory.

    Other files do not count, such as those that a killed run has left half written.
    """
    raise NotImplementedError("kata 08: checkpoints")


class ModelCheckpoint(Callback):
    """Save the run after every epoch, and keep the newest files (lightning's ModelCheckpoint).

    `best` is the best value of `monitor` so far.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        keep: int = 2,
        monitor: str | None = None,
        mode: str = "min",
    ) -> None:
        """Save to `checkpoint_path(directory, epoch)`, and keep the newest `keep` checkpoints.

        Two are kept by default, so that there is another one if the newest is damaged. With `monitor`, a name in the
        history, the run with the best value ("min" or "max") is kept as well, as directory/best.safetensors.

        Raises:
            ValueError: `keep` is less than 1, or `mode` not "min" or "max"; the message names the value.
        """
        raise NotImplementedError("kata 08: ModelCheckpoint.__init__")

    def on_fit_start(self, trainer: Trainer) -> None:
        """Make the directory. A run never overwrites the work of another run that came further.

        Raises:
            ValueError: the directory has a whole checkpoint of a later epoch than the trainer's; the message names the
                path of one. Either that run was to be resumed, or this one needs another directory. Nothing is written.
        """
        raise NotImplementedError("kata 08: ModelCheckpoint.on_fit_start")

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Find out whether the epoch is the best one so far.

        Raises:
            KeyError: the history has no `monitor`; see `latest`.
        """
        raise NotImplementedError("kata 08: ModelCheckpoint.on_epoch_end")

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Save, then delete old checkpoints: of those up to this epoch the newest `keep` stay.

        Checkpoints of later epochs are damaged, or `fit` would not have begun. They do not count, and stay until the
        run overwrites them.

        The best one is written first: if the run is killed between the two, it does the epoch again and writes both.
        """
        raise NotImplementedError("kata 08: ModelCheckpoint.on_checkpoint")

    def state_dict(self) -> dict[str, Any]:
        """{"best"}."""
        raise NotImplementedError("kata 08: ModelCheckpoint.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave."""
        raise NotImplementedError("kata 08: ModelCheckpoint.load_state_dict")
