"""Fused kernels: what was a composition of many operations becomes one, with a gradient by hand.

A composition reads and writes all its numbers once for every operation in it, and memory is slower than arithmetic. A
kernel reads them once. It must give what the composition gives, value and gradient, nan and infinity included: the
composition is its specification, and `with disabled():` runs it.

Every kernel is a Function of kata 07 that @accelerates something. Where its `forward` returns NotImplemented, the
composition runs instead: for other dtypes and devices, for rare options, and for what is wrong, because the composition
knows the right error. The dispatcher calls no kernel whose `forward` or `backward` is still a stub.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch import activations, layers, losses, transformers
from tinytorch.acceleration import memory
from tinytorch.autograd import Function
from tinytorch.dispatch import Array, accelerates, is_stub
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
    raise NotImplementedError("kata 15: covered")


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
    raise NotImplementedError("kata 15: where_kept")


# relu ---------------------------------------------------------------------------------------------------


@accelerates(activations.relu)
class ReluKernel(Function):
    """relu without a branch: forwards and backwards, the same numbers are kept."""

    @staticmethod
    def forward(ctx: Any, x: Array) -> Array:
        """where_kept of x, with all that is not 0 or less: nan is kept. Save the booleans, a quarter of x's memory."""
        raise NotImplementedError("kata 15: ReluKernel.forward")

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        """where_kept of `grad`."""
        raise NotImplementedError("kata 15: ReluKernel.backward")


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
        raise NotImplementedError("kata 15: LinearKernel.forward")

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, Array | None, Array | None]:
        """The gradients for x, weight and bias, those that ctx.needs_input_grad asks for: two products and a sum.

        The sum is add_up's.
        """
        raise NotImplementedError("kata 15: LinearKernel.backward")


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
        raise NotImplementedError("kata 15: CrossEntropyKernel.forward")

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """What the model says minus what is true: softmax(input), minus 1 at the target, times what each loss counts.

        A loss counts `grad`, by N for a mean. Times and not plus: e * (grad / total) takes one multiplication a number.
        """
        raise NotImplementedError("kata 15: CrossEntropyKernel.backward")


# gelu ---------------------------------------------------------------------------------------------------


def chunks(size: int, step: int = CHUNK) -> Iterator[slice]:
    """The slices of `step` numbers, one after the other, that make up `size` numbers; the last one may be shorter."""
    raise NotImplementedError("kata 15: chunks")


def tanh_inside(x: Array, out: Array) -> None:
    """Write the tanh of gelu's formula, tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)), to `out`, of x's shape.

    Make no other array: every operation writes to `out`. x times (a * x * x + b) is the same polynomial, with one
    multiplication less.
    """
    raise NotImplementedError("kata 15: tanh_inside")


@accelerates(activations.gelu)
class GeluKernel(Function):
    """gelu with approximate="tanh", chunk by chunk and in place, so that what lies between stays in the cache."""

    @staticmethod
    @quiet
    def forward(ctx: Any, x: Array, approximate: str = "none") -> Array:
        """x * (0.5 * (1 + t)) with t from tanh_inside, one chunk after the other. approximate="none" is handed back."""
        raise NotImplementedError("kata 15: GeluKernel.forward")

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array, None]:
        """grad * 0.5 * (1 + t + x * (1 - t * t) * slope), with slope = sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x).

        t is computed again, which is cheaper than to keep it. Two pieces of memory of a chunk, for t and slope, are
        enough for all chunks.
        """
        raise NotImplementedError("kata 15: GeluKernel.backward")


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
        raise NotImplementedError("kata 15: LayerNormKernel.forward")

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """The gradients for x, weight and bias, with h = grad * weight, and `normal` the rows before the weight.

        For a row of x it is (h - mean(h) - normal * mean(h * normal)) * scale, where scale is 1 / sqrt(variance + eps):
        what would only shift or stretch the row changes nothing, and is taken out of h.
        """
        raise NotImplementedError("kata 15: LayerNormKernel.backward")
