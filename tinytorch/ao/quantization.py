"""Models with fewer bits, under the names that PyTorch users know (torch.ao.quantization).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face

if TYPE_CHECKING:
    from tinytorch.precision import (
        MinMaxObserver as MinMaxObserver,
        MovingAverageMinMaxObserver as MovingAverageMinMaxObserver,
        convert as convert,
        prepare as prepare,
        quantize_dynamic as quantize_dynamic,
    )

__getattr__, __dir__ = face(__name__)
