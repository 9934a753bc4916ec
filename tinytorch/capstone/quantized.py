"""A network of convolutions for a small machine: fewer layers, and weights of one byte.

Kata 17 folded one batch norm into one convolution, and put the matrices of Linear layers on a grid. Nearly all weights
of such a network are in its convolutions, and it has many of both.
"""

from __future__ import annotations

import math
from typing import Any, Self

from tinytorch.layers import Module, Parameter
from tinytorch.precision import QuantizedRows
from tinytorch.spatial import Conv2d
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
    raise NotImplementedError("kata 20: fold_batch_norms")


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
        raise NotImplementedError("kata 20: QuantizedConv2d.from_float")

    def forward(self, x: Tensor) -> Tensor:
        """conv2d of x, with the weight that the integers stand for, in its `shape`, the bias and the options."""
        raise NotImplementedError("kata 20: QuantizedConv2d.forward")


def quantize_network(model: Module, bits: int = 8, group_size: int | None = None) -> Module:
    """A copy of the model with every Conv2d, Linear and Embedding on a grid, by from_float and quantize_dynamic.

    Only what is exactly a Conv2d is replaced, no subclass; a new layer is in training mode or not, as the old one.
    Fold its batch norms first: their scales then belong to the weights. `model` stays as it is.

    Raises:
        ValueError: as quantize_rows.
    """
    raise NotImplementedError("kata 20: quantize_network")
