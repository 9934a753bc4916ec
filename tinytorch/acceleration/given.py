"""Three more kernels, for mean squared error, batch norm and embeddings. Given: read them when yours are written.

They are registered once the eight kernels of this kata are written, so that what you measure until then is your own.
Each follows the same plan as yours: one pass where the composition has several, and the derivative by hand.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# They register their kernels first.
from tinytorch.acceleration import convolution as convolution, tiles as tiles
from tinytorch.acceleration.kernels import covered, empty_like
from tinytorch.activations import gelu, relu
from tinytorch.attention import scaled_dot_product_attention
from tinytorch.autograd import Context, Function
from tinytorch.dispatch import Array, accelerates, kernels
from tinytorch.embeddings import embedding, row_number
from tinytorch.layers import linear
from tinytorch.losses import cross_entropy, mse_loss
from tinytorch.spatial import batch_norm, conv2d, max_pool2d
from tinytorch.tensor import add_up
from tinytorch.transformers import layer_norm

EIGHT = (relu, linear, cross_entropy, gelu, layer_norm, conv2d, max_pool2d, scaled_dot_product_attention)


class MseKernel(Function):
    """mse_loss: one difference, from which the gradient follows, too."""

    @staticmethod
    def forward(ctx: Context, input: Array, target: Array, reduction: str) -> Array:  # given
        if not covered(input, target) or input.shape != target.shape or input.size == 0:
            return NotImplemented
        if reduction not in ("mean", "sum", "none"):
            return NotImplemented
        difference = input - target
        ctx.save_for_backward(difference)
        ctx.share = 2 / difference.size if reduction == "mean" else 2  # type: ignore[attr-defined]
        squares = difference * difference
        if reduction == "none":
            return squares
        total = add_up(squares)
        return total / difference.size if reduction == "mean" else total

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, Array | None, None]:  # given
        gradient = (grad * ctx.share) * ctx.saved_tensors[0]
        return gradient, -gradient if ctx.needs_input_grad[1] else None, None


class BatchNormKernel(Function):
    """batch_norm while training: the normalised x and one number a channel are all that is kept for backward."""

    @staticmethod
    def forward(
        ctx: Context,
        x: Array,
        running_mean: Array | None,
        running_var: Array | None,
        weight: Array | None,
        bias: Array | None,
        training: bool,
        momentum: float,
        eps: float,
    ) -> Array:  # given
        vectors = (running_mean, running_var, weight, bias)
        if not training or not covered(x, *vectors) or x.ndim < 2:
            return NotImplemented
        C, n = x.shape[1], x.size // max(x.shape[1], 1)
        if n < 2 or any(each is not None and each.shape != (C,) for each in vectors):
            return NotImplemented
        axes = (0, *range(2, x.ndim))
        ctx.axes, channels = axes, (C, *[1] * (x.ndim - 2))  # type: ignore[attr-defined]
        mean = add_up(x, axes, keepdims=True) / n
        normal = np.subtract(x, mean, out=empty_like(x))
        squares = np.multiply(normal, normal, out=empty_like(x))
        var = add_up(squares, axes, keepdims=True) / n
        deviation = np.sqrt(var + eps)
        normal /= deviation
        ctx.scale = (1 if weight is None else weight.reshape(channels)) / deviation  # type: ignore[attr-defined]
        ctx.save_for_backward(normal)
        out = np.multiply(normal, 1 if weight is None else weight.reshape(channels), out=squares)
        if bias is not None:
            out += bias.reshape(channels)
        for running, batch in ((running_mean, mean), (running_var, var * (n / (n - 1)))):
            if running is not None:
                running[...] = (1 - momentum) * running + momentum * batch.reshape(C)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:  # given
        (normal,) = ctx.saved_tensors
        n = math.prod(normal.shape[axis] for axis in ctx.axes)
        product = np.multiply(grad, normal, out=empty_like(normal))
        along = add_up(product, ctx.axes, keepdims=True)  # the gradient for weight
        total = add_up(grad, ctx.axes, keepdims=True)  # the gradient for bias
        np.multiply(normal, along / n, out=product)
        dx = np.subtract(grad, product, out=product)
        dx -= total / n
        dx *= ctx.scale
        return dx, None, None, along.reshape(-1), total.reshape(-1), None, None, None


class EmbeddingKernel(Function):
    """embedding: the gradients of one row are added up side by side, after a sort by id."""

    @staticmethod
    def forward(ctx: Context, input: Array, weight: Array, padding_idx: int | None) -> Array:  # given
        if not covered(weight) or type(input) is not np.ndarray or input.dtype.kind not in "iu":
            return NotImplemented
        if weight.ndim != 2 or not weight.size or not input.size:
            return NotImplemented
        if input.min() < 0 or input.max() >= len(weight):
            return NotImplemented
        ctx.ids, ctx.shape = input.reshape(-1), weight.shape  # type: ignore[attr-defined]
        ctx.padding = None if padding_idx is None else row_number(padding_idx, len(weight))  # type: ignore[attr-defined]
        ctx.save_for_backward(input)
        return weight[input]

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[None, Array, None]:  # given
        order = np.argsort(ctx.ids, kind="stable")
        ids = ctx.ids[order]
        begins = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
        rows = grad.reshape(len(ids), -1)
        gradient = np.zeros(ctx.shape, grad.dtype)
        gradient[ids[begins]] = np.add.reduceat(rows[order], begins, axis=0)
        if ctx.padding is not None:
            gradient[ctx.padding] = 0
        return None, gradient, None


if all(each in kernels for each in EIGHT):
    accelerates(mse_loss)(MseKernel)
    accelerates(batch_norm)(BatchNormKernel)
    accelerates(embedding)(EmbeddingKernel)
