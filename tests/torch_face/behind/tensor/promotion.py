# PyTorch's, on NumPy's dtypes.

import torch

from tinytorch.tensor.tensor import NUMPY, TORCH


def promote_types(a, b):
    return NUMPY[torch.promote_types(TORCH[np.dtype(a)], TORCH[np.dtype(b)])]
