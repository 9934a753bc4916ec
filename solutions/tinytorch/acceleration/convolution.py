"""conv2d and max_pool2d as kernels: products of columns, and the largest of whole windows at once.

Pictures have the shape (N, C, H, W), and yet their channels may come last in memory. The C numbers of a pixel are then
neighbours, and to copy a window means to copy a few long runs of numbers. Nobody sees it: shapes and results are
the same, and relu and pooling keep the order that they are given.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch import spatial
from tinytorch.acceleration.columns import Columns
from tinytorch.acceleration.kernels import chunks, covered, empty, empty_like, in_order_of, where_kept
from tinytorch.autograd import Function
from tinytorch.dispatch import Array, accelerates
from tinytorch.spatial import Pair, pair, windows
from tinytorch.tensor import Tensor, add_up
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
    (N, C, H, W), (K, _, kh, kw) = x.shape, weight.shape
    columns = Columns((H, W, C), (kh, kw), stride, padding, x.dtype, last=K >= MANY)
    kernels = weight.transpose(2, 3, 1, 0).reshape(kh * kw * C, K)
    out = pictures(N, *columns.shape[:2], K, x.dtype)
    for picture, result in zip(channels_last(x), out, strict=True):
        places = result.reshape(-1, K)
        np.matmul(columns.im2col(picture), kernels, out=places)
        if bias is not None:
            places += bias
    return channels_first(out)


def conv2d_weight(
    grad: Array, x: Array, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Array:
    """The gradient for the weight (torch.nn.grad.conv2d_weight): transposed columns times `grad`, over all pictures.

    grad (N, K, OH, OW) and x (N, C, H, W) give (K, C, kh, kw).
    """
    (_, C, H, W), K, (kh, kw) = x.shape, grad.shape[1], kernel
    columns = Columns((H, W, C), kernel, stride, padding, x.dtype, last=K >= MANY)
    total = np.zeros((kh * kw * C, K), x.dtype)
    for picture, upstream in zip(channels_last(x), channels_last(grad), strict=True):
        total += columns.im2col(picture).T @ upstream.reshape(-1, K)
    return total.reshape(kh, kw, C, K).transpose(3, 2, 0, 1)


def conv2d_input(
    grad: Array, weight: Array, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Array:
    """The gradient for x, of `size` (H, W) (torch.nn.grad.conv2d_input): col2im of `grad` times the kernels.

    grad (N, K, OH, OW) and weight (K, C, kh, kw) give (N, C, H, W).
    """
    K, C, kh, kw = weight.shape
    columns = Columns((*size, C), (kh, kw), stride, padding, grad.dtype, last=C >= MANY)
    kernels = weight.transpose(0, 2, 3, 1).reshape(K, kh * kw * C)
    out = pictures(len(grad), *size, C, grad.dtype)
    for upstream, result in zip(channels_last(grad), out, strict=True):
        result[...] = columns.col2im(np.matmul(upstream.reshape(-1, K), kernels, out=columns.matrix))
    return channels_first(out)


def conv2d_gradients(grad: Array, x: Array, weight: Array, padding: tuple[int, int]) -> tuple[Array, Array]:
    """The gradients for x and for weight, for a stride of 1 and less padding than the kernel has rows and columns.

    With a stride of 1, the gradient for x is a convolution too: of `grad`, with kernel - 1 - padding zeros on each
    side, with the weight turned by 180 degrees (its rows and columns from the last to the first), from K channels to C.
    The same columns of `grad`, transposed, times x are the gradient for the turned weight. So windows are copied once
    for both, and there is nothing to add up by col2im.
    """
    (N, C, H, W), (K, _, kh, kw) = x.shape, weight.shape
    around = kh - 1 - padding[0], kw - 1 - padding[1]
    columns = Columns((*grad.shape[2:], K), (kh, kw), (1, 1), around, x.dtype, last=K >= MANY)
    turned = weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1).reshape(kh * kw * K, C)
    total = np.zeros_like(turned)
    out = pictures(N, H, W, C, x.dtype)
    for picture, upstream, result in zip(channels_last(x), channels_last(grad), out, strict=True):
        matrix = columns.im2col(upstream)
        np.matmul(matrix, turned, out=result.reshape(-1, C))
        total += matrix.T @ picture.reshape(-1, C)
    return channels_first(out), total.reshape(kh, kw, K, C).transpose(2, 3, 0, 1)[:, :, ::-1, ::-1]


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
        if not covered(x, weight, bias) or x.ndim != 4 or weight.ndim != 4 or x.shape[1] != weight.shape[1]:
            return NotImplemented
        if (
            groups != 1
            or pair(dilation, "dilation") != (1, 1)
            or isinstance(padding, str)
            or 0 in weight.shape
        ):
            return NotImplemented
        if bias is not None and bias.shape != weight.shape[:1]:
            return NotImplemented
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = pair(stride, "stride"), pair(padding, "padding")
        return conv2d_forward(x, weight, bias, ctx.stride, ctx.padding)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """The gradients for x, weight and bias, those that ctx.needs_input_grad asks for.

        conv2d_gradients gives the first two together where it can. But the zeros around `grad` meet all of x and weight
        there, and 0 * inf is nan: unless weight and its gradient are finite, take the other two functions.
        The gradient for bias is the sum over pictures (first, because that is quickest) and places, with add_up.
        """
        x, weight = ctx.saved_tensors
        wanted, kernel, options = ctx.needs_input_grad, weight.shape[2:], (ctx.stride, ctx.padding)
        for_bias = add_up(add_up(grad, 0), (1, 2)) if wanted[2] else None
        together = ctx.stride == (1, 1) and ctx.padding[0] < kernel[0] and ctx.padding[1] < kernel[1]
        if wanted[0] and wanted[1] and together and np.isfinite(weight).all():
            for_x, for_weight = conv2d_gradients(grad, x, weight, ctx.padding)
            if np.isfinite(for_weight).all():
                return for_x, for_weight, for_bias, None, None, None, None
        return (
            conv2d_input(grad, weight, x.shape[2:], *options) if wanted[0] else None,
            conv2d_weight(grad, x, kernel, *options) if wanted[1] else None,
            *(for_bias, None, None, None, None),
        )


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
        plain = pair(padding, "padding") == (0, 0) and pair(dilation, "dilation") == (1, 1)
        if not covered(x) or x.ndim != 4 or not plain:
            return NotImplemented
        kernel = pair(kernel_size, "kernel_size")
        ctx.options = kernel, kernel if stride is None else pair(stride, "stride")
        first, *others = _views(x, ctx.options)
        out = empty_like(first)
        out[...] = first
        for each in others:
            np.maximum(out, each, out=out)
        if np.isnan(out.sum()):
            return NotImplemented
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """A pixel that equals the largest of its window gets the gradient of the window, unless one before it got it.

        So go through the windows in order, and remember which gradients are still free. Where windows overlap, add;
        where they do not, where_kept writes into the view. A few pictures at a time, of MEMORY numbers or one, stay in
        the cache meanwhile.
        """
        x, out = ctx.saved_tensors
        grad, result = in_order_of(out, grad), empty_like(x)
        (kh, kw), (sh, sw) = ctx.options
        step = max(MEMORY // max(math.prod(x.shape[1:]), 1), 1)
        for part in chunks(len(x), step):
            result[part] = 0
            free = out[part] == out[part]
            for pixels, gradients in zip(
                _views(x[part], ctx.options), _views(result[part], ctx.options), strict=True
            ):
                largest = (pixels == out[part]) & free
                if sh < kh or sw < kw:
                    gradients += where_kept(largest, grad[part])
                else:
                    where_kept(largest, grad[part], gradients)
                free ^= largest
        return result, None, None, None, None


def _views(x: Array, options: tuple[tuple[int, int], tuple[int, int]]) -> list[Array]:
    """The windows of kata 09, as arrays."""
    return [each.data for each in windows(Tensor(x), *options)]
