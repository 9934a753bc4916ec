"""Training with fewer bits, under the name that PyTorch users know (torch.amp).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face

if TYPE_CHECKING:
    from tinytorch.precision import (
        GradScaler as GradScaler,
    )

__getattr__, __dir__ = face(__name__)
