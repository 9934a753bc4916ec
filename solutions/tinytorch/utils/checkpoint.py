"""Checkpoints under the name that PyTorch users know (torch.utils.checkpoint).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face

if TYPE_CHECKING:
    from tinytorch.acceleration import checkpoint as checkpoint

__getattr__, __dir__ = face(__name__)
