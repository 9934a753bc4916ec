"""Data loading, timers and checkpoints, under the names that PyTorch users know (torch.utils).

Given: a face, which only re-exports.
"""

from tinytorch.utils import benchmark as benchmark, checkpoint as checkpoint, data as data
