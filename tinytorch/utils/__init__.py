"""What stands beside models and training, under the names that PyTorch users know (torch.utils).

Given: a face.
"""

from tinytorch.utils import data as data
