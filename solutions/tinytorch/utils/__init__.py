"""Data loading and timers, under the names that PyTorch users know (torch.utils).

Given: a face, which only re-exports.
"""

from tinytorch.utils import benchmark as benchmark, data as data
