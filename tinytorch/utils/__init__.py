"""Data loading and checkpoints, under the names that PyTorch users know (torch.utils).

Given: a face, which only re-exports.
"""

from tinytorch.utils import checkpoint as checkpoint, data as data
