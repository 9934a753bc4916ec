"""Checkpoints: the run is saved after every epoch, and the file before the newest is kept in reserve."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinytorch.training.callbacks import Callback, improves, latest
from tinytorch.training.files import CheckpointError, load_with_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinytorch.training.trainer import Trainer


def checkpoint_path(directory: str | os.PathLike[str], epoch: int) -> Path:
    """The path of the checkpoint after `epoch` epochs: directory/epoch-00012.safetensors, at least five digits."""
    return Path(directory) / f"epoch-{epoch:05d}.safetensors"


def checkpoints(directory: str | os.PathLike[str]) -> dict[int, Path]:
    """The checkpoints in a directory by their epoch, in rising order; {} where there is no directory.

    Other files do not count, such as those that a killed run has left half written.
    """
    found = {
        int(match[1]): path
        for path in Path(directory).glob("epoch-*")
        if (match := re.fullmatch(r"epoch-([0-9]{5,})\.safetensors", path.name))
    }
    return dict(sorted(found.items()))


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
        if keep < 1:
            raise ValueError(f"keep must be at least 1, got {keep}")
        self.best = math.inf if mode == "min" else -math.inf
        improves(0.0, self.best, mode)  # refuses another mode
        self.directory, self.keep, self.monitor, self.mode = Path(directory), keep, monitor, mode
        self.is_best = False

    def on_fit_start(self, trainer: Trainer) -> None:
        """Make the directory. A run never overwrites the work of another run that came further.

        Raises:
            ValueError: the directory has a whole checkpoint of a later epoch than the trainer's; the message names the
                path of one. Either that run was to be resumed, or this one needs another directory. Nothing is written.
        """
        for epoch, path in checkpoints(self.directory).items():
            if epoch > trainer.epoch and _is_whole(path):
                raise ValueError(
                    f"{path} is of a run that came further than this one, which has {trainer.epoch} epochs: call "
                    "trainer.resume(directory) before fit, or take another directory"
                )
        self.directory.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Find out whether the epoch is the best one so far.

        Raises:
            KeyError: the history has no `monitor`; see `latest`.
        """
        if self.monitor is not None:
            value = latest(trainer, self.monitor)
            self.is_best = improves(value, self.best, self.mode)
            if self.is_best:
                self.best = value

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Save, then delete old checkpoints: of those up to this epoch the newest `keep` stay.

        Checkpoints of later epochs are damaged, or `fit` would not have begun. They do not count, and stay until the
        run overwrites them.

        The best one is written first: if the run is killed between the two, it does the epoch again and writes both.
        """
        if self.is_best:
            trainer.save_checkpoint(self.directory / "best.safetensors")
        trainer.save_checkpoint(checkpoint_path(self.directory, trainer.epoch))
        so_far = [path for epoch, path in checkpoints(self.directory).items() if epoch <= trainer.epoch]
        for path in so_far[: -self.keep]:
            path.unlink()

    def state_dict(self) -> dict[str, Any]:
        """{"best"}."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave."""
        self.best = state_dict["best"]


def _is_whole(path: Path) -> bool:
    try:
        load_with_metadata(path)
    except CheckpointError:
        return False
    return True
