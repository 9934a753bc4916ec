# PyTorch's losses; their gradients on arrays are what its autograd finds.

import numpy as np
import torch
from torch.nn import functional as F

from tinytorch.layers.module import module


def _named(function, *names):
    """PyTorch's function with the parameters that are left: its old ones stand between them."""

    def call(input, target, *args, **options):
        return function(input, target, **dict(zip(names, args, strict=False)), **options)

    return call


mse_loss = _named(F.mse_loss, "reduction")
l1_loss = _named(F.l1_loss, "reduction")
huber_loss = _named(F.huber_loss, "reduction", "delta")
binary_cross_entropy_with_logits = _named(
    F.binary_cross_entropy_with_logits, "weight", "reduction", "pos_weight"
)
nll_loss = _named(F.nll_loss, "weight", "ignore_index", "reduction")
cross_entropy = _named(F.cross_entropy, "weight", "ignore_index", "reduction", "label_smoothing")

for _name in ["MSELoss", "L1Loss", "HuberLoss", "BCEWithLogitsLoss", "NLLLoss", "CrossEntropyLoss"]:
    globals()[_name] = module(getattr(torch.nn, _name))


def _slope(function, grad, input, target, **options):
    """The gradient for `input`, on arrays."""
    from tinytorch.autograd import grad as gradients

    x = Tensor(input, True)
    return gradients(function(x, Tensor(np.asarray(target)), **options), x, Tensor(grad))[0].data


def _backward(function):
    return lambda grad, input, target, reduction="mean": _slope(
        function, grad, input, target, reduction=reduction
    )


mse_loss_backward = _backward(mse_loss)
l1_loss_backward = _backward(l1_loss)
binary_cross_entropy_with_logits_backward = _backward(binary_cross_entropy_with_logits)
nll_loss_backward = _backward(nll_loss)
cross_entropy_backward = _backward(cross_entropy)


def huber_loss_backward(grad, input, target, reduction="mean", delta=1.0):
    return _slope(huber_loss, grad, input, target, reduction=reduction, delta=delta)
