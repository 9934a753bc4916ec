"""A network of convolutions for a small machine: fewer layers, and weights of one byte.

Kata 17 folded one batch norm into one convolution, and put the matrices of Linear layers on a grid. Nearly all weights
of such a network are in its convolutions, and it has many of both.
"""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any, Self

from tinytorch.layers import Identity, Module, Parameter, Sequential
from tinytorch.precision import QuantizedRows, fuse_conv_bn_eval, quantize_dynamic
from tinytorch.spatial import BatchNorm2d, Conv2d, conv2d
from tinytorch.tensor import Tensor, zeros


def fold_batch_norms(model: Module) -> Module:
    """A copy of the model in which each batch norm right behind a convolution is folded into it.

    In every Sequential of the tree, a Conv2d and the BatchNorm2d behind it become the Conv2d of fuse_conv_bn_eval and
    an Identity (torch.ao.quantization.fuse_modules). Other batch norms stay: behind a relu or a pooling, they are no
    part of a convolution. A subclass of either is left alone. What the copy gives is what the model gives in eval mode;
    `model` stays as it is.

    Raises:
        ValueError: as fuse_conv_bn_eval; the model has to be in eval mode.
    """
    memo: dict[int, Any] = {}
    for each in model.modules():
        for conv, norm in pairwise(each) if isinstance(each, Sequential) else ():
            if type(conv) is Conv2d and type(norm) is BatchNorm2d:
                memo[id(conv)] = fuse_conv_bn_eval(conv, norm)
                memo[id(norm)] = Identity().eval()
    return copy.deepcopy(model, memo)


class QuantizedConv2d(Module):
    """A Conv2d whose weight is on a grid, with a scale for each output channel (torch.ao.nn.quantized.Conv2d).

    `rows` is a QuantizedRows (out_channels, in_channels / groups * kh * kw): a row has the weights of one output
    channel. The bias stays a Parameter of float32, or None. `shape` is that of the weight; `options` are stride,
    padding, dilation and groups.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        bias: bool = True,
        bits: int = 8,
        group_size: int | None = None,
        options: tuple[Any, ...] = (1, 0, 1, 1),
    ) -> None:  # given
        """A layer of zeros, into which a state can be loaded; errors as quantize_rows."""
        channels, *window = shape
        self.shape, self.options = shape, options
        self.rows = QuantizedRows(channels, math.prod(window), bits, group_size)
        self.bias = Parameter(zeros(channels)) if bias else None

    @classmethod
    def from_float(cls, conv: Conv2d, bits: int = 8, group_size: int | None = None) -> Self:
        """The layer with the weight of `conv` on a grid, a copy of its bias, its options, on its device.

        `conv` stays as it is.
        """
        options = conv.stride, conv.padding, conv.dilation, conv.groups
        layer = cls(conv.weight.shape, conv.bias is not None, bits, group_size, options)
        layer.rows.quantize_(conv.weight.detach().reshape(len(conv.weight), -1))
        layer.bias = copy.deepcopy(conv.bias)
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """conv2d of x, with the weight that the integers stand for, in its `shape`, the bias and the options."""
        return conv2d(x, self.rows.weight.reshape(self.shape), self.bias, *self.options)


def quantize_network(model: Module, bits: int = 8, group_size: int | None = None) -> Module:
    """A copy of the model with every Conv2d, Linear and Embedding on a grid, by from_float and quantize_dynamic.

    Only what is exactly a Conv2d is replaced, no subclass; a new layer is in training mode or not, as the old one.
    Fold its batch norms first: their scales then belong to the weights. `model` stays as it is.

    Raises:
        ValueError: as quantize_rows.
    """
    memo: dict[int, Any] = {
        id(each): QuantizedConv2d.from_float(each, bits, group_size).train(each.training)
        for each in model.modules()
        if type(each) is Conv2d
    }
    return quantize_dynamic(copy.deepcopy(model, memo), bits, group_size)
