"""Fused kernels: what was a composition of many operations becomes one, with a gradient by hand.

A composition reads and writes all its numbers once for every operation in it, and memory is slower than arithmetic. A
kernel reads them once. It must give what the composition gives, value and gradient, nan and infinity included: the
composition is its specification, and `with disabled():` runs it.

Every kernel is a Function of kata 07 that @accelerates something. Where its `forward` returns NotImplemented, the
composition runs instead: for other dtypes and devices, for rare options, and for what is wrong, because the composition
knows the right error. The dispatcher calls no kernel whose `forward` or `backward` is still a stub.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch import activations, layers, losses, transformers
from tinytorch.acceleration import memory
from tinytorch.activations import SQRT_2_OVER_PI
from tinytorch.autograd import Function
from tinytorch.dispatch import Array, accelerates, is_stub
from tinytorch.tensor import add_up, float32, float64
from tinytorch.tensor.primitives import quiet

CHUNK = 32768
"""So many numbers, 128 KiB of float32, stay in the cache while one operation after the other works on them."""

empty = np.empty if is_stub(memory.empty) else memory.empty
"""Memory for a result: from the pool of memory.py, once that is written."""

# What they share ----------------------------------------------------------------------------------------


def empty_like(x: Array, dtype: Any = None) -> Array:  # given
    """Memory for an array of the shape of `x`, whose axes have the order in memory that those of x have."""
    dtype = x.dtype if dtype is None else dtype
    if x.flags.c_contiguous:
        return empty(x.shape, dtype)
    order = sorted(range(x.ndim), key=x.strides.__getitem__, reverse=True)
    places = sorted(range(x.ndim), key=order.__getitem__)
    return empty(tuple([x.shape[axis] for axis in order]), dtype).transpose(places)


def covered(*values: Any) -> bool:
    """Whether kernels work on these: arrays of NumPy, all float32 or all float64. None does not count.

    A kernel asks this first. Arrays on a GPU, other dtypes, two dtypes together and Python numbers are not covered;
    nor is nothing at all.
    """
    dtype = None
    for each in values:
        if each is None:
            continue
        if type(each) is not np.ndarray or (dtype is not None and each.dtype != dtype):
            return False
        dtype = each.dtype
    return dtype in (float32, float64)


def in_order_of(like: Array, x: Array) -> Array:  # given
    """x, or a copy of it whose memory is in the order of `like`, an array of the same shape: mixed orders are slow."""
    if x.strides == like.strides:
        return x
    copy = empty_like(like)
    copy[...] = x
    return copy


def where_kept(kept: Array, x: Array, out: Array | None = None) -> Array:
    """x where the booleans `kept` are True, and 0 elsewhere, even where x is infinite or nan.

    A processor guesses the outcome of every `if`, and in np.where it guesses wrong half of the time. A product does not
    branch, but inf * 0 is nan. So multiply bits: x.view("i4") (or "i8") is the same memory read as integers, and
    times 1 a number stays what it is, times 0 it is 0. The result is `out`, if it is given, else new memory.
    """
    integers = f"i{x.itemsize}"
    out = empty_like(kept, x.dtype) if out is None else out
    np.multiply(x.view(integers), kept, out=out.view(integers))
    return out


# relu ---------------------------------------------------------------------------------------------------


@accelerates(activations.relu)
class ReluKernel(Function):
    """relu without a branch: forwards and backwards, the same numbers are kept."""

    @staticmethod
    def forward(ctx: Any, x: Array) -> Array:
        """where_kept of x, with all that is not 0 or less: nan is kept. Save the booleans, a quarter of x's memory."""
        if not covered(x):
            return NotImplemented
        kept = ~(x <= 0)
        ctx.save_for_backward(kept)
        return where_kept(kept, x)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        """where_kept of `grad`."""
        (kept,) = ctx.saved_tensors
        return where_kept(kept, grad)


# linear -------------------------------------------------------------------------------------------------


@accelerates(layers.linear)
class LinearKernel(Function):
    """linear as one product of two matrices, however many axes x has."""

    @staticmethod
    @quiet
    def forward(ctx: Any, x: Array, weight: Array, bias: Array | None = None) -> Array:
        """x @ weight.T + bias: (*, in) is (N, in) for BLAS. The bias is added in place.

        What linear refuses is handed back to it.
        """
        if not covered(x, weight, bias) or weight.ndim != 2 or x.shape[-1:] != weight.shape[1:]:
            return NotImplemented
        if bias is not None and bias.shape != weight.shape[:1]:
            return NotImplemented
        ctx.save_for_backward(x, weight)
        out = empty((*x.shape[:-1], len(weight)), x.dtype)
        np.matmul(_rows(x), weight.T, out=_rows(out))
        if bias is not None:
            out += bias
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, Array | None, Array | None]:
        """The gradients for x, weight and bias, those that ctx.needs_input_grad asks for: two products and a sum.

        The sum is add_up's.
        """
        x, weight = ctx.saved_tensors
        rows = _rows(grad)
        for_x = for_weight = for_bias = None
        if ctx.needs_input_grad[0]:
            for_x = empty(x.shape, x.dtype)
            np.matmul(rows, weight, out=_rows(for_x))
        if ctx.needs_input_grad[1]:
            for_weight = np.matmul(rows.T, _rows(x), out=empty(weight.shape, weight.dtype))
        if ctx.needs_input_grad[2]:
            for_bias = add_up(rows, 0)
        return for_x, for_weight, for_bias


def _rows(x: Array) -> Array:
    """(*, n) as (N, n)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


# cross entropy ------------------------------------------------------------------------------------------


@accelerates(losses.cross_entropy)
class CrossEntropyKernel(Function):
    """cross_entropy of (N, C) and (N,), from one exponential of each logit."""

    @staticmethod
    @quiet
    def forward(
        ctx: Any,
        input: Array,
        target: Array,
        weight: Array | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> Array:
        """log(sum of exp(z)) - z[target], with z = input - the largest of the row; then their mean, sum or all.

        Handed back: other shapes, also empty ones; targets that are no class numbers of int64, outside 0 to C - 1, or
        equal to ignore_index, also where that is a class; weights, label smoothing and unknown reductions.
        """
        if not covered(input) or input.ndim != 2 or input.size == 0 or weight is not None or label_smoothing:
            return NotImplemented
        N, C = input.shape
        if type(target) is not np.ndarray or target.shape != (N,) or target.dtype != np.int64:
            return NotImplemented
        if reduction not in losses.REDUCTIONS or ignore_index >= 0 or target.min() < 0 or target.max() >= C:
            return NotImplemented
        rows = np.arange(N)
        e = np.subtract(input, input[rows, input.argmax(1), None], out=empty(input.shape, input.dtype))
        picked = e[rows, target]
        np.exp(e, out=e)
        total = add_up(e, 1)
        ctx.save_for_backward(e, target)
        ctx.total, ctx.share = total, 1 / N if reduction == "mean" else 1.0
        each = np.log(total) - picked
        return each if reduction == "none" else add_up(each) * ctx.share

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """What the model says minus what is true: softmax(input), minus 1 at the target, times what each loss counts.

        A loss counts `grad`, by N for a mean. Times and not plus: e * (grad / total) takes one multiplication a number.
        """
        e, target = ctx.saved_tensors
        share = np.broadcast_to(grad * ctx.share, target.shape)
        result = np.multiply(e, (share / ctx.total)[:, None], out=empty(e.shape, e.dtype))
        result[np.arange(len(target)), target] -= share
        return result, None, None, None, None, None


# gelu ---------------------------------------------------------------------------------------------------


def chunks(size: int, step: int = CHUNK) -> Iterator[slice]:
    """The slices of `step` numbers, one after the other, that make up `size` numbers; the last one may be shorter."""
    for start in range(0, size, step):
        yield slice(start, start + step)


def tanh_inside(x: Array, out: Array) -> None:
    """Write the tanh of gelu's formula, tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)), to `out`, of x's shape.

    Make no other array: every operation writes to `out`. x times (a * x * x + b) is the same polynomial, with one
    multiplication less.
    """
    np.multiply(x, x, out=out)
    out *= SQRT_2_OVER_PI * 0.044715
    out += SQRT_2_OVER_PI
    out *= x
    np.tanh(out, out=out)


@accelerates(activations.gelu)
class GeluKernel(Function):
    """gelu with approximate="tanh", chunk by chunk and in place, so that what lies between stays in the cache."""

    @staticmethod
    @quiet
    def forward(ctx: Any, x: Array, approximate: str = "none") -> Array:
        """x * (0.5 * (1 + t)) with t from tanh_inside, one chunk after the other. approximate="none" is handed back."""
        if not covered(x) or approximate != "tanh":
            return NotImplemented
        ctx.save_for_backward(x)
        out = empty(x.shape, x.dtype)
        numbers, results = x.reshape(-1), out.reshape(-1)
        for part in chunks(x.size):
            t = results[part]
            tanh_inside(numbers[part], t)
            t += 1
            t *= 0.5
            t *= numbers[part]
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array, None]:
        """grad * 0.5 * (1 + t + x * (1 - t * t) * slope), with slope = sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x).

        t is computed again, which is cheaper than to keep it. Two pieces of memory of a chunk, for t and slope, are
        enough for all chunks.
        """
        (x,) = ctx.saved_tensors
        result, buffers = empty(x.shape, x.dtype), np.empty((2, min(CHUNK, x.size)), x.dtype)
        numbers, upstream, results = x.reshape(-1), grad.reshape(-1), result.reshape(-1)
        for part in chunks(x.size):
            z, out = numbers[part], results[part]
            t, slope = buffers[:, : len(z)]
            tanh_inside(z, t)
            np.multiply(z, z, out=slope)
            slope *= SQRT_2_OVER_PI * 3 * 0.044715
            slope += SQRT_2_OVER_PI
            np.multiply(t, t, out=out)
            np.subtract(1, out, out=out)
            out *= slope
            out *= z
            out += t
            out += 1
            out *= 0.5
            out *= upstream[part]
        return result, None


# layer norm ---------------------------------------------------------------------------------------------


@accelerates(transformers.layer_norm)
class LayerNormKernel(Function):
    """layer_norm of the rows of a matrix, with one gradient for mean, variance and division together."""

    @staticmethod
    @quiet
    def forward(
        ctx: Any,
        x: Array,
        normalized_shape: int | Sequence[int],
        weight: Array | None = None,
        bias: Array | None = None,
        eps: float = 1e-5,
    ) -> Array:
        """(x - mean) / sqrt(variance + eps) * weight + bias, for the rows of x as (N, n).

        Handed back: an x without entries, and the shapes that layer_norm refuses.
        """
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        shapes = {x.shape[x.ndim - len(shape) :], *(a.shape for a in (weight, bias) if a is not None)}
        if not covered(x, weight, bias) or x.size == 0 or not shape or shapes != {shape}:
            return NotImplemented
        n = math.prod(shape)
        rows = x.reshape(-1, n)
        normal = np.subtract(rows, add_up(rows, 1, keepdims=True) / n, out=empty(rows.shape, x.dtype))
        ctx.scale = 1 / np.sqrt(np.vecdot(normal, normal) / n + eps)[:, None]
        normal *= ctx.scale
        ctx.save_for_backward(normal, weight)
        ctx.shape = shape
        out = normal
        if weight is not None:
            out = np.multiply(normal, weight.reshape(n), out=empty(rows.shape, x.dtype))
        if bias is not None:
            out = np.add(out, bias.reshape(n), out=empty(rows.shape, x.dtype) if weight is None else out)
        return out.reshape(x.shape)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """The gradients for x, weight and bias, with h = grad * weight, and `normal` the rows before the weight.

        For a row of x it is (h - mean(h) - normal * mean(h * normal)) * scale, where scale is 1 / sqrt(variance + eps):
        what would only shift or stretch the row changes nothing, and is taken out of h.
        """
        normal, weight = ctx.saved_tensors
        N, n = normal.shape
        h = rows = grad.reshape(N, n)
        for_weight = for_bias = None
        if ctx.needs_input_grad[2]:
            for_weight = add_up(rows * normal, 0).reshape(ctx.shape)
        if ctx.needs_input_grad[3]:
            for_bias = add_up(rows, 0).reshape(ctx.shape)
        if weight is not None:
            h = np.multiply(rows, weight.reshape(n), out=empty(rows.shape, rows.dtype))
        result = np.multiply(normal, np.vecdot(h, normal)[:, None] / n, out=empty(rows.shape, rows.dtype))
        np.subtract(h, result, out=result)
        result -= add_up(h, 1, keepdims=True) / n
        result *= ctx.scale
        return result.reshape(grad.shape), None, for_weight, for_bias, None
