"""conv2d and max_pool2d as kernels: products of columns, and the largest of whole windows at once.

Pictures have the shape (N, C, H, W), and yet their channels may come last in memory. The C numbers of a pixel are then
neighbours, and to copy a window means to copy a few long runs of numbers. Nobody sees it: shapes and results are
the same, and relu and pooling keep the order that they are given.
"""

from __future__ import annotations

from typing import Any

from tinytorch import spatial
from tinytorch.acceleration.kernels import empty
from tinytorch.autograd import Function
from tinytorch.dispatch import Array, accelerates
from tinytorch.spatial import Pair
from tinytorch.tensor.primitives import quiet

MEMORY = 1 << 18
"""So many numbers, 1 MiB of float32, are what pooling works on at a time."""

MANY = 32
"""From so many channels on, they come last in memory: shorter runs are not worth it."""


def pictures(N: int, H: int, W: int, C: int, dtype: Any) -> Array:  # given
    """Memory for N pictures, seen as (N, H, W, C). With MANY channels they are neighbours there, else columns are."""
    if C >= MANY:
        return empty((N, H, W, C), dtype)
    return empty((N, C, H, W), dtype).transpose(0, 2, 3, 1)


def channels_last(x: Array) -> Array:  # given
    """(N, C, H, W) seen as (N, H, W, C)."""
    return x.transpose(0, 2, 3, 1)


def channels_first(x: Array) -> Array:  # given
    """(N, H, W, C) seen as (N, C, H, W)."""
    return x.transpose(0, 3, 1, 2)


# Convolution --------------------------------------------------------------------------------------------


def conv2d_forward(
    x: Array, weight: Array, bias: Array | None, stride: tuple[int, int], padding: tuple[int, int]
) -> Array:
    """x (N, C, H, W) and weight (K, C, kh, kw) give (N, K, OH, OW): one product for each picture.

    The columns of a picture, (OH * OW, kh * kw * C), times the kernels as (kh * kw * C, K), written with matmul's `out`
    into a view (OH * OW, K) of the result. The bias is added while the product is still in the cache.
    """
    raise NotImplementedError("kata 15: conv2d_forward")


def conv2d_weight(
    grad: Array, x: Array, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Array:
    """The gradient for the weight (torch.nn.grad.conv2d_weight): transposed columns times `grad`, over all pictures.

    grad (N, K, OH, OW) and x (N, C, H, W) give (K, C, kh, kw).
    """
    raise NotImplementedError("kata 15: conv2d_weight")


def conv2d_input(
    grad: Array, weight: Array, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Array:
    """The gradient for x, of `size` (H, W) (torch.nn.grad.conv2d_input): col2im of `grad` times the kernels.

    grad (N, K, OH, OW) and weight (K, C, kh, kw) give (N, C, H, W).
    """
    raise NotImplementedError("kata 15: conv2d_input")


def conv2d_gradients(grad: Array, x: Array, weight: Array, padding: tuple[int, int]) -> tuple[Array, Array]:
    """The gradients for x and for weight, for a stride of 1 and less padding than the kernel has rows and columns.

    With a stride of 1, the gradient for x is a convolution too: of `grad`, with kernel - 1 - padding zeros on each
    side, with the weight turned by 180 degrees (its rows and columns from the last to the first), from K channels to C.
    The same columns of `grad`, transposed, times x are the gradient for the turned weight. So windows are copied once
    for both, and there is nothing to add up by col2im.
    """
    raise NotImplementedError("kata 15: conv2d_gradients")


@accelerates(spatial.conv2d)
class Conv2dKernel(Function):
    """conv2d, one picture at a time."""

    @staticmethod
    @quiet
    def forward(
        ctx: Any,
        x: Array,
        weight: Array,
        bias: Array | None = None,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
    ) -> Array:
        """conv2d_forward of what it can do.

        Handed back: dilation and groups other than 1, padding in words, one picture (C, H, W), a weight without
        entries, and shapes that do not fit. What does not fit into the picture is conv_output_size's error.
        """
        raise NotImplementedError("kata 15: Conv2dKernel.forward")

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """The gradients for x, weight and bias, those that ctx.needs_input_grad asks for.

        conv2d_gradients gives the first two together where it can. But the zeros around `grad` meet all of x and weight
        there, and 0 * inf is nan: unless weight and its gradient are finite, take the other two functions.
        The gradient for bias is the sum over pictures (first, because that is quickest) and places, with add_up.
        """
        raise NotImplementedError("kata 15: Conv2dKernel.backward")


# Pooling ------------------------------------------------------------------------------------------------


@accelerates(spatial.max_pool2d)
class MaxPool2dKernel(Function):
    """max_pool2d: the largest of whole windows at once, without a choice for each number."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Array,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
    ) -> Array:
        """The maximum of the windows of kata 09, each of them one view of x. Save x and the result.

        Handed back: padding and dilation, one picture (C, H, W), what max_pool2d refuses, and a result with nan in it:
        there a number equals the largest one and is not found by ==. The sum is nan then, and also for inf and -inf
        together; to hand back is never wrong.
        """
        raise NotImplementedError("kata 15: MaxPool2dKernel.forward")

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """A pixel that equals the largest of its window gets the gradient of the window, unless one before it got it.

        So go through the windows in order, and remember which gradients are still free. Where windows overlap, add;
        where they do not, where_kept writes into the view. A few pictures at a time, of MEMORY numbers or one, stay in
        the cache meanwhile.
        """
        raise NotImplementedError("kata 15: MaxPool2dKernel.backward")
