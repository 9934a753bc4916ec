"""A rule for each primitive: from the gradient for its output to the gradients for its inputs.

A rule works on arrays. Its parameters name what it gets: `grad`, of the shape of the output, and then an input, the
output (`out`), a param, an input's shape (`a_shape`), or `output_mask`. Nothing else is saved for it. It returns one
gradient for each input: the array itself for one input, a tuple for several, None for an input that has no gradient.

A rule need not undo broadcasting or keep the dtype: the tape sums and casts what it returns. As in kata 02, ask
`get_array_module(grad)` for the array library: rules run on a GPU too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch import activations
from tinytorch.dispatch import Array, derivative
from tinytorch.setup import Device, get_array_module
from tinytorch.tensor import Dims, Shape, Tensor, add_up, primitives as t

# Four rules are written already: kata 03 did them by hand.
derivative(t.tanh)(activations.tanh_backward)
derivative(activations.relu)(activations.relu_backward)
derivative(activations.sigmoid)(activations.sigmoid_backward)
derivative(activations.softplus)(activations.softplus_backward)


# Arithmetic ---------------------------------------------------------------------------------------------


@derivative(t.add)
def add_backward(grad: Array) -> tuple[Array, Array]:
    """out = a + b."""
    return grad, grad


@derivative(t.sub)
def sub_backward(grad: Array) -> tuple[Array, Array]:
    """out = a - b."""
    return grad, -grad


@derivative(t.mul)
def mul_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """out = a * b."""
    return grad * b, grad * a


@derivative(t.div)
def div_backward(grad: Array, b: Array, out: Array) -> tuple[Array, Array]:
    """out = a / b. Since `out` is saved, `a` is not needed."""
    return grad / b, -grad * (out / b)


@derivative(t.remainder)
def remainder_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """out = a - floor(a / b) * b. Between its jumps floor is constant."""
    return grad, -grad * (a // b)


@derivative(t.pow)
def pow_backward(
    grad: Array, a: Array, b: Array, out: Array, output_mask: Sequence[bool]
) -> tuple[Array | None, Array | None]:
    """out = a**b. The gradient for a is 0 where b is 0, the one for b is 0 where a is 0 and b is not negative.

    The gradient for b needs a logarithm, and a negative `a` has none: compute only what `output_mask` asks for.
    """
    grad_a = grad_b = None
    if output_mask[0]:
        grad_a = grad * (b * a ** (b - 1 + (b == 0)))
    if output_mask[1]:
        grad_b = grad * (out * get_array_module(grad).log(a + ((a == 0) & (b >= 0))))
    return grad_a, grad_b


@derivative(t.neg)
def neg_backward(grad: Array) -> Array:
    """out = -a."""
    return -grad


# Functions of one entry ---------------------------------------------------------------------------------


@derivative(t.exp)
def exp_backward(grad: Array, out: Array) -> Array:
    """out = exp(a)."""
    return grad * out


@derivative(t.log)
def log_backward(grad: Array, a: Array) -> Array:
    """out = log(a)."""
    return grad / a


@derivative(t.log1p)
def log1p_backward(grad: Array, a: Array) -> Array:
    """out = log(1 + a)."""
    return grad / (1 + a)


@derivative(t.sqrt)
def sqrt_backward(grad: Array, out: Array) -> Array:
    """out = sqrt(a)."""
    return grad / (2 * out)


@derivative(t.sin)
def sin_backward(grad: Array, a: Array) -> Array:
    """out = sin(a)."""
    return grad * get_array_module(a).cos(a)


@derivative(t.cos)
def cos_backward(grad: Array, a: Array) -> Array:
    """out = cos(a)."""
    return -grad * get_array_module(a).sin(a)


@derivative(t.erf)
def erf_backward(grad: Array, a: Array) -> Array:
    """out = erf(a), 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to a."""
    return grad * (2 / math.sqrt(math.pi) * get_array_module(a).exp(-a * a))


@derivative(t.abs)
def abs_backward(grad: Array, a: Array) -> Array:
    """out = abs(a). At 0 the gradient is 0."""
    return grad * get_array_module(a).sign(a)


@derivative(t.sign)
def sign_backward(grad: Array) -> Array:
    """out = sign(a), which is constant except where it jumps."""
    return get_array_module(grad).zeros_like(grad)


# Choosing -----------------------------------------------------------------------------------------------


@derivative(t.maximum)
def maximum_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """out = maximum(a, b). At a tie each gets half."""
    xp = get_array_module(grad)
    shared = xp.where(a == b, grad / 2, grad)
    return xp.where(a < b, 0, shared), xp.where(a > b, 0, shared)


@derivative(t.minimum)
def minimum_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """out = minimum(a, b). At a tie each gets half."""
    xp = get_array_module(grad)
    shared = xp.where(a == b, grad / 2, grad)
    return xp.where(a > b, 0, shared), xp.where(a < b, 0, shared)


@derivative(t.clamp)
def clamp_backward(grad: Array, a: Array, min: float | None, max: float | None) -> Array:
    """out = a, limited to `min` and `max`, each of which may be None.

    Outside the bounds the gradient is 0, even if `grad` is infinite. At a bound it is `grad`.
    """
    inside = (a >= (-math.inf if min is None else min)) & (a <= (math.inf if max is None else max))
    return get_array_module(grad).where(inside, grad, 0)


@derivative(t.where)
def where_backward(grad: Array, condition: Array) -> tuple[None, Array, Array]:
    """out = a where `condition` is True, else b. The condition is the first input and has no gradient.

    What was not chosen gets 0, even where `grad` is infinite.
    """
    xp = get_array_module(grad)
    return None, xp.where(condition, grad, 0), xp.where(condition, 0, grad)


# Reductions ---------------------------------------------------------------------------------------------


@derivative(t.sum)
def sum_backward(grad: Array, a_shape: Shape, dim: Dims, keepdim: bool) -> Array:
    """out = sum(a, dim, keepdim).

    `dim` is an axis, several, or None or () for all; a 0-d Tensor has dim 0 and -1. The same holds for all reductions.
    """
    result = get_array_module(grad).empty(a_shape, grad.dtype)
    result[...] = _with_reduced_axes(grad, a_shape, dim)
    return result


@derivative(t.amax)
def amax_backward(grad: Array, a: Array, out: Array, dim: Dims, keepdim: bool) -> Array:
    """out = amax(a, dim, keepdim). Entries that tie for the largest share the gradient evenly."""
    return _extreme_backward(grad, a, out, dim)


@derivative(t.amin)
def amin_backward(grad: Array, a: Array, out: Array, dim: Dims, keepdim: bool) -> Array:
    """out = amin(a, dim, keepdim). Entries that tie for the smallest share the gradient evenly."""
    return _extreme_backward(grad, a, out, dim)


@derivative(t.cumsum)
def cumsum_backward(grad: Array, dim: int) -> Array:
    """out = cumsum(a, dim): entry i of a is part of the sums i, i + 1, ... to the last.

    The rule adds up in float64. `dim` may be 0 for a 0-d Tensor.
    """
    if grad.ndim == 0:
        return grad
    xp = get_array_module(grad)
    return xp.flip(xp.flip(grad, dim).cumsum(axis=dim, dtype=np.float64), dim)


def _extreme_backward(grad: Array, a: Array, out: Array, dim: Dims) -> Array:
    chosen = a == _with_reduced_axes(out, a.shape, dim)
    axes = tuple(i for i, side in enumerate(_reduced_shape(a.shape, dim)) if side == 1)
    share = _with_reduced_axes(grad, a.shape, dim) / add_up(chosen, axes, keepdims=True)
    return chosen * share.astype(grad.dtype)


def _with_reduced_axes(reduced: Array, shape: Shape, dim: Dims) -> Array:
    """The result of a reduction of `shape`, with every reduced axis back, of size 1."""
    return reduced.reshape(_reduced_shape(shape, dim))


def _reduced_shape(shape: Shape, dim: Dims) -> Shape:
    if dim is None or dim == ():
        return (1,) * len(shape)
    axes = {each % len(shape) for each in ([dim] if isinstance(dim, int) else dim) if shape}
    return tuple(1 if axis in axes else side for axis, side in enumerate(shape))


# Matrix multiplication ----------------------------------------------------------------------------------


@derivative(t.bmm)
def bmm_backward(
    grad: Array, a: Array, b: Array, output_mask: Sequence[bool]
) -> tuple[Array | None, Array | None]:
    """out = a @ b, (..., n, k) @ (..., k, m) -> (..., n, m). Compute only the products that `output_mask` asks for."""
    return (
        grad @ b.swapaxes(-1, -2) if output_mask[0] else None,
        a.swapaxes(-1, -2) @ grad if output_mask[1] else None,
    )


# Shapes -------------------------------------------------------------------------------------------------


@derivative(t.reshape)
def reshape_backward(grad: Array, a_shape: Shape) -> Array:
    """out = a in another shape."""
    return grad.reshape(a_shape)


@derivative(t.permute)
def permute_backward(grad: Array, dims: Sequence[int]) -> Array:
    """out = a with its axes in another order: axis i of out is axis dims[i] of a. A dim may be negative."""
    inverse = [0] * grad.ndim
    for axis, dim in enumerate(dims):
        inverse[dim] = axis
    return grad.transpose(inverse)


@derivative(t.expand)
def expand_backward(grad: Array) -> Array:
    """out = a with axes of size 1 stretched. The tape sums over them, as it does after broadcasting."""
    return grad


@derivative(t.flip)
def flip_backward(grad: Array, dims: int | Sequence[int]) -> Array:
    """out = a, reversed along `dims`."""
    return get_array_module(grad).flip(grad, dims if isinstance(dims, int) else tuple(dims))


# Joining and cutting ------------------------------------------------------------------------------------


@derivative(t.concatenate)
def concatenate_backward(grad: Array, arrays_shape: Sequence[Shape], dim: int) -> tuple[Array, ...]:
    """out = arrays joined along `dim`. `arrays_shape` holds the shape of each; each gets its piece."""
    ends = np.cumsum([shape[dim] for shape in arrays_shape]).tolist()
    return tuple(get_array_module(grad).split(grad, ends[:-1], axis=dim))


@derivative(t.pad)
def pad_backward(grad: Array, a_shape: Shape, pad: Sequence[int]) -> Array:
    """out = a with a margin. `pad` begins with the last axis: (left, right, top, bottom)."""
    begins = [0] * (len(a_shape) - len(pad) // 2) + list(pad[::2])[::-1]
    return grad[tuple(slice(begin, begin + side) for begin, side in zip(begins, a_shape, strict=True))]


@derivative(t.tril)
def tril_backward(grad: Array, diagonal: int) -> Array:
    """out = the lower triangle of a."""
    return get_array_module(grad).tril(grad, diagonal)


@derivative(t.triu)
def triu_backward(grad: Array, diagonal: int) -> Array:
    """out = the upper triangle of a."""
    return get_array_module(grad).triu(grad, diagonal)


# Indexing -----------------------------------------------------------------------------------------------


@derivative(t.getitem)
def getitem_backward(grad: Array, a_shape: Shape, index: Any) -> Array:
    """out = a[index]. An index array may name an entry twice: then both gradients count.

    `x[index] += grad` counts one of them. `add.at(x, index, grad)` counts all, and is slow: use it only where the
    index may contain an array.
    """
    xp = get_array_module(grad)
    result = xp.zeros(a_shape, grad.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if all(part is None or part is ... or isinstance(part, (int, slice)) for part in parts):
        result[index] = grad
    else:
        xp.add.at(result, index, grad)
    return result


@derivative(t.gather)
def gather_backward(grad: Array, a_shape: Shape, dim: int, index: Array) -> tuple[Array, None]:
    """out[i][j] = a[index[i][j]][j] for dim 0. `index` may name an entry twice, and has no gradient."""
    xp = get_array_module(grad)
    places = [
        xp.arange(side).reshape([-1 if axis == d else 1 for d in range(index.ndim)])
        for axis, side in enumerate(index.shape)
    ]
    places[dim] = index
    result = xp.zeros(a_shape, grad.dtype)
    xp.add.at(result, tuple(places), grad)
    return result, None


@derivative(t.index_add)
def index_add_backward(grad: Array, dim: int, index: Array) -> tuple[Array, None, Array]:
    """out = a, with slice i of source added to slice index[i] along `dim`. The inputs are a, index and source."""
    return grad, None, get_array_module(grad).take(grad, index, axis=dim)


# Copies -------------------------------------------------------------------------------------------------


@derivative(t.clone)
def clone_backward(grad: Array) -> Array:
    """out = a copy of a."""
    return grad


@derivative(t.convert)
def convert_backward(grad: Array, a_device: Device) -> Array:
    """out = a in another dtype or on another device. The tape casts; `Tensor(grad).to(...)` moves the gradient back."""
    return Tensor(grad).to(device=a_device).data
