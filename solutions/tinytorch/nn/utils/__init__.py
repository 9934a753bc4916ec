"""Clipping of gradients, and pruning, under the names that PyTorch users know (torch.nn.utils).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face
from tinytorch.nn.utils import prune as prune

if TYPE_CHECKING:
    from tinytorch.training import (
        clip_grad_norm_ as clip_grad_norm_,
        clip_grad_value_ as clip_grad_value_,
    )

__getattr__, __dir__ = face(__name__)
