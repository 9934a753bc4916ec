"""Optimizers under the names that PyTorch users know (torch.optim).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face
from tinytorch.optim import lr_scheduler as lr_scheduler

if TYPE_CHECKING:
    from tinytorch.optimizers import (
        SGD as SGD,
        Adam as Adam,
        AdamW as AdamW,
        Optimizer as Optimizer,
        RMSprop as RMSprop,
    )

__getattr__, __dir__ = face(__name__)
