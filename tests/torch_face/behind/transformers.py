# PyTorch's norms. The GPT is the reference's.

import torch
from torch.nn import functional as F

from tinytorch.layers.module import module


def _shape(normalized_shape):
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    return F.layer_norm(x, _shape(normalized_shape), weight, bias, eps)


def rms_norm(x, normalized_shape, weight=None, eps=None):
    return F.rms_norm(x, _shape(normalized_shape), weight, eps)


LayerNorm = module(torch.nn.LayerNorm)
RMSNorm = module(torch.nn.RMSNorm)


def argmax(x, dim):
    """The code above takes the first True; PyTorch has no argmax of booleans."""
    return torch.argmax(x.to(torch.uint8) if x.dtype == bool_ else x, dim)
