"""Timers under the names that PyTorch users know (torch.utils.benchmark).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face

if TYPE_CHECKING:
    from tinytorch.benchmarking import Measurement as Measurement, Timer as Timer

__getattr__, __dir__ = face(__name__)
