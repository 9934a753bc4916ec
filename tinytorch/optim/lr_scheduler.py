"""Schedulers under the names that PyTorch users know (torch.optim.lr_scheduler).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face

if TYPE_CHECKING:
    from tinytorch.training import (
        CosineAnnealingLR as CosineAnnealingLR,
        LinearLR as LinearLR,
        LRScheduler as LRScheduler,
        OneCycleLR as OneCycleLR,
        SequentialLR as SequentialLR,
        StepLR as StepLR,
    )

__getattr__, __dir__ = face(__name__)
