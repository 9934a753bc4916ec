"""Clipping of gradients, fusion of modules and pruning, under the names that PyTorch users know (torch.nn.utils).

Given: a face, which only says in which kata each name is written.
"""

from typing import TYPE_CHECKING

from tinytorch.faces import face
from tinytorch.nn.utils import prune as prune

if TYPE_CHECKING:
    from tinytorch.precision import (
        fuse_conv_bn_eval as fuse_conv_bn_eval,
        fuse_conv_bn_weights as fuse_conv_bn_weights,
    )
    from tinytorch.training import (
        clip_grad_norm_ as clip_grad_norm_,
        clip_grad_value_ as clip_grad_value_,
    )

__getattr__, __dir__ = face(__name__)
