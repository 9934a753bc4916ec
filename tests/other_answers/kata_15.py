"""Loops in another order, columns written position by position, kernels as plain formulas, sizes by shifts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch import activations, layers, losses, transformers
from tinytorch.acceleration.blas import Matrix, add_product
from tinytorch.autograd import Function
from tinytorch.dispatch import Array, accelerates
from tinytorch.tensor import Tensor
from tinytorch.tensor.primitives import quiet


def add_product_in_blocks(a: Matrix, b: Matrix, out: Matrix, block: int) -> None:
    """The blocks of the inner axis come outermost: each pass adds a part of every entry. Those of `out` are
    fetched more often.
    """
    if block <= 0:
        raise ValueError(f"blocks of {block} rows")
    rows, inner, columns = (range(0, side, block) for side in (out.shape[0], a.shape[1], out.shape[1]))
    for i in rows:
        for k in inner:
            left = a[i : i + block, k : k + block]
            for j in columns:
                add_product(left, b[k : k + block, j : j + block], out[i : i + block, j : j + block])


class Columns:
    def im2col(self, x: Array) -> Array:
        """One copy for each position of the kernel, of all places at once: no view of five axes is needed."""
        self.inside[:] = x
        OH, OW, kh, kw, _ = self.shape
        down, right = self.stride
        for i, j in np.ndindex(kh, kw):
            last = i + down * (OH - 1) + 1, j + right * (OW - 1) + 1
            self.columns[:, :, i, j] = self.padded[i : last[0] : down, j : last[1] : right]
        return self.matrix

    def col2im(self, matrix: Array) -> Array:
        """One addition for each place, of its whole window: the loop is over places, where the kernel is
        the larger one.
        """
        OH, OW, kh, kw, channels = self.shape
        windows = matrix.reshape(OH * OW, kh, kw, channels)
        self.total.fill(0)
        for place, (r, c) in enumerate(np.ndindex(OH, OW)):
            top, left = r * self.stride[0], c * self.stride[1]
            self.total[top : top + kh, left : left + kw] += windows[place]
        return self.middle


def covered(*values: Any) -> bool:
    """The kinds of all are a set, and there must be one in it, of two that are good."""
    kinds = {each.dtype.char if type(each) is np.ndarray else "?" for each in values if each is not None}
    return kinds in ({"f"}, {"d"})


def where_kept(kept: Array, x: Array, out: Array | None = None) -> Array:
    """Zeros, and what is kept is copied over them: `copyto` branches where a product of bits does not."""
    result = np.zeros_like(x) if out is None else out
    if out is not None and out is x:
        np.copyto(result, 0, where=~kept)
        return result
    result[...] = 0
    np.copyto(result, x, where=kept)
    return result


@accelerates(activations.relu)
class ReluKernel(Function):
    @staticmethod
    def forward(ctx: Any, x: Array) -> Array:
        """`maximum`, and whether the result is positive or nan is asked of the result."""
        if not covered(x):
            return NotImplemented
        out = np.maximum(x, 0)
        ctx.save_for_backward((out > 0) | (out != out))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Array:
        """`where` on the booleans that were saved."""
        return np.where(ctx.saved_tensors[0], grad, grad.dtype.type(0))


@accelerates(layers.linear)
class LinearKernel(Function):
    @staticmethod
    @quiet
    def forward(ctx: Any, x: Array, weight: Array, bias: Array | None = None) -> Array:
        """The rows are made by one reshape, and the operator multiplies: memory is NumPy's, and not the
        pool's.
        """
        good = covered(x, weight, bias) and weight.ndim == 2 and x.ndim > 0 and x.shape[-1] == weight.shape[1]
        if not good or (bias is not None and bias.shape != (weight.shape[0],)):
            return NotImplemented
        ctx.save_for_backward(x, weight)
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        out = rows @ weight.T
        if bias is not None:
            np.add(out, bias, out=out)
        return out.reshape(*x.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, Array | None, Array | None]:
        """Contractions that name their axes; the bias adds up in float64."""
        x, weight = ctx.saved_tensors
        leading = tuple(range(grad.ndim - 1))
        wanted = ctx.needs_input_grad
        return (
            np.matmul(grad, weight) if wanted[0] else None,
            np.tensordot(grad, x, (leading, leading)) if wanted[1] else None,
            grad.sum(axis=leading, dtype=np.float64).astype(grad.dtype) if wanted[2] else None,
        )


@accelerates(losses.cross_entropy)
class CrossEntropyKernel(Function):
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
        """The probabilities are kept, and not the exponentials: one division a number more, and backward is
        shorter.
        """
        plain = weight is None and not label_smoothing and reduction in losses.REDUCTIONS and ignore_index < 0
        if not plain or not covered(input) or input.ndim != 2 or not input.size:
            return NotImplemented
        good = type(target) is np.ndarray and target.dtype == np.int64 and target.shape == input.shape[:1]
        if not good or ((target < 0) | (target >= input.shape[1])).any():
            return NotImplemented
        z = input - input.max(axis=1, keepdims=True)
        p = np.exp(z)
        total = p.sum(axis=1, dtype=np.float64).astype(input.dtype)
        p /= total[:, None]
        ctx.save_for_backward(p, target)
        ctx.count = len(target) if reduction == "mean" else 1
        each = np.log(total) - np.take_along_axis(z, target[:, None], 1)[:, 0]
        return each if reduction == "none" else (each.sum(dtype=np.float64) / ctx.count).astype(input.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """A copy of the probabilities, 1 taken off, and one product at the end."""
        p, target = ctx.saved_tensors
        result = p.copy()
        result[np.arange(len(target)), target] -= 1
        result *= np.broadcast_to(grad / ctx.count, target.shape)[:, None]
        return result.astype(p.dtype, copy=False), None, None, None, None, None


def chunks(size: int, step: int = 32768) -> Iterator[slice]:
    """The ends are worked out, too: each slice says exactly what it holds."""
    start = 0
    while start < size:
        end = min(start + step, size)
        yield slice(start, end)
        start = end


@accelerates(transformers.layer_norm)
class LayerNormKernel(Function):
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
        """All the axes are normalized where they are, by NumPy's sums over several axes: nothing is
        reshaped.
        """
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        if not covered(x, weight, bias) or not x.size or not shape or x.shape[-len(shape) :] != shape:
            return NotImplemented
        if any(each is not None and each.shape != shape for each in (weight, bias)):
            return NotImplemented
        axes, n = tuple(range(x.ndim - len(shape), x.ndim)), math.prod(shape)
        ctx.axes, ctx.n = axes, n
        middle = (x.sum(axes, keepdims=True, dtype=np.float64) / n).astype(x.dtype)
        normal = x - middle
        variance = np.square(normal).sum(axes, keepdims=True, dtype=np.float64) / n
        ctx.scale = (1 / np.sqrt(variance + eps)).astype(x.dtype)
        normal *= ctx.scale
        ctx.save_for_backward(normal, weight)
        out = normal * (1 if weight is None else weight)
        return out if bias is None else out + bias

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """The two means of the formula by name, over the axes themselves, added up in float64."""
        normal, weight = ctx.saved_tensors
        leading = tuple(range(grad.ndim - len(ctx.axes)))

        def mean(values: Array) -> Array:
            return (values.sum(ctx.axes, keepdims=True, dtype=np.float64) / ctx.n).astype(grad.dtype)

        def total(values: Array) -> Array:
            return values.sum(leading, dtype=np.float64).astype(grad.dtype)

        h = grad if weight is None else grad * weight
        for_x = (h - mean(h) - normal * mean(h * normal)) * ctx.scale
        wanted = ctx.needs_input_grad
        for_weight = total(grad * normal) if wanted[2] else None
        return for_x, None, for_weight, total(grad) if wanted[3] else None, None


def rounded(nbytes: int) -> int:
    """Shifted down to four bits, up to the next number if anything is lost, and shifted back: no division."""
    shift = nbytes.bit_length() - 4
    top = nbytes >> shift
    if top << shift < nbytes:
        top += 1
    return top << shift


def gathered(grads: list[Array], params: list[Array]) -> Array | None:
    """An empty array, and each gradient written into its place: the loop that `concatenate` hides."""
    for gradient, parameter in zip(grads, params, strict=True):
        if gradient.shape != parameter.shape or gradient.dtype != params[0].dtype:
            return None
    flat = np.empty(sum(each.size for each in params), params[0].dtype)
    start = 0
    for gradient in grads:
        flat[start : start + gradient.size] = gradient.reshape(-1)
        start += gradient.size
    return flat


def leaves_below(output: Tensor, older: int = -1) -> list[Tensor]:
    """A walk with a stack of its own, depth first, that refuses a Node when it meets it: no list of Nodes
    is sorted.
    """
    if output.grad_fn is None:
        return [output]
    found: dict[Tensor, None] = {}
    waiting = [output.grad_fn]
    seen = {output.grad_fn}
    while waiting:
        node = waiting.pop()
        if node.number <= older:
            raise RuntimeError(f"{node} made a Tensor outside of the part: give it as one of the inputs")
        for _, to, _, _ in node.edges:
            if isinstance(to, Tensor):
                found[to] = None
            elif to not in seen:
                seen.add(to)
                waiting.append(to)
    return list(found)
