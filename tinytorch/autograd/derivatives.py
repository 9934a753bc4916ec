"""A rule for each primitive: from the gradient for its output to the gradients for its inputs.

A rule works on arrays. Its parameters name what it gets: `grad`, of the shape of the output, and then an input, the
output (`out`), a param, an input's shape (`a_shape`), or `output_mask`. Nothing else is saved for it. It returns one
gradient for each input: the array itself for one input, a tuple for several, None for an input that has no gradient.

A rule need not undo broadcasting or keep the dtype: the tape sums and casts what it returns. As in kata 02, ask
`get_array_module(grad)` for the array library: rules run on a GPU too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch import activations
from tinytorch.dispatch import Array, derivative
from tinytorch.setup import Device
from tinytorch.tensor import Dims, Shape, primitives as t

# Four rules are written already: kata 03 did them by hand.
derivative(t.tanh)(activations.tanh_backward)
derivative(activations.relu)(activations.relu_backward)
derivative(activations.sigmoid)(activations.sigmoid_backward)
derivative(activations.softplus)(activations.softplus_backward)


# Arithmetic ---------------------------------------------------------------------------------------------


@derivative(t.add)
def add_backward(grad: Array) -> tuple[Array, Array]:
    """out = a + b."""
    raise NotImplementedError("kata 07: add_backward")


@derivative(t.sub)
def sub_backward(grad: Array) -> tuple[Array, Array]:
    """out = a - b."""
    raise NotImplementedError("kata 07: sub_backward")


@derivative(t.mul)
def mul_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """out = a * b."""
    raise NotImplementedError("kata 07: mul_backward")


@derivative(t.div)
def div_backward(grad: Array, b: Array, out: Array) -> tuple[Array, Array]:
    """out = a / b. Since `out` is saved, `a` is not needed."""
    raise NotImplementedError("kata 07: div_backward")


@derivative(t.remainder)
def remainder_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """out = a - floor(a / b) * b. Between its jumps floor is constant."""
    raise NotImplementedError("kata 07: remainder_backward")


@derivative(t.pow)
def pow_backward(
    grad: Array, a: Array, b: Array, out: Array, output_mask: Sequence[bool]
) -> tuple[Array | None, Array | None]:
    """out = a**b. The gradient for a is 0 where b is 0, the one for b is 0 where a is 0 and b is not negative.

    The gradient for b needs a logarithm, and a negative `a` has none: compute only what `output_mask` asks for.
    """
    raise NotImplementedError("kata 07: pow_backward")


@derivative(t.neg)
def neg_backward(grad: Array) -> Array:
    """out = -a."""
    raise NotImplementedError("kata 07: neg_backward")


# Functions of one entry ---------------------------------------------------------------------------------


@derivative(t.exp)
def exp_backward(grad: Array, out: Array) -> Array:
    """out = exp(a)."""
    raise NotImplementedError("kata 07: exp_backward")


@derivative(t.log)
def log_backward(grad: Array, a: Array) -> Array:
    """out = log(a)."""
    raise NotImplementedError("kata 07: log_backward")


@derivative(t.log1p)
def log1p_backward(grad: Array, a: Array) -> Array:
    """out = log(1 + a)."""
    raise NotImplementedError("kata 07: log1p_backward")


@derivative(t.sqrt)
def sqrt_backward(grad: Array, out: Array) -> Array:
    """out = sqrt(a)."""
    raise NotImplementedError("kata 07: sqrt_backward")


@derivative(t.sin)
def sin_backward(grad: Array, a: Array) -> Array:
    """out = sin(a)."""
    raise NotImplementedError("kata 07: sin_backward")


@derivative(t.cos)
def cos_backward(grad: Array, a: Array) -> Array:
    """out = cos(a)."""
    raise NotImplementedError("kata 07: cos_backward")


@derivative(t.erf)
def erf_backward(grad: Array, a: Array) -> Array:
    """out = erf(a), 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to a."""
    raise NotImplementedError("kata 07: erf_backward")


@derivative(t.abs)
def abs_backward(grad: Array, a: Array) -> Array:
    """out = abs(a). At 0 the gradient is 0."""
    raise NotImplementedError("kata 07: abs_backward")


@derivative(t.sign)
def sign_backward(grad: Array) -> Array:
    """out = sign(a), which is constant except where it jumps."""
    raise NotImplementedError("kata 07: sign_backward")


# Choosing -----------------------------------------------------------------------------------------------


@derivative(t.maximum)
def maximum_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """out = maximum(a, b). At a tie each gets half."""
    raise NotImplementedError("kata 07: maximum_backward")


@derivative(t.minimum)
def minimum_backward(grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """out = minimum(a, b). At a tie each gets half."""
    raise NotImplementedError("kata 07: minimum_backward")


@derivative(t.clamp)
def clamp_backward(grad: Array, a: Array, min: float | None, max: float | None) -> Array:
    """out = a, limited to `min` and `max`, each of which may be None.

    Outside the bounds the gradient is 0, even if `grad` is infinite. At a bound it is `grad`.
    """
    raise NotImplementedError("kata 07: clamp_backward")


@derivative(t.where)
def where_backward(grad: Array, condition: Array) -> tuple[None, Array, Array]:
    """out = a where `condition` is True, else b. The condition is the first input and has no gradient.

    What was not chosen gets 0, even where `grad` is infinite.
    """
    raise NotImplementedError("kata 07: where_backward")


# Reductions ---------------------------------------------------------------------------------------------


@derivative(t.sum)
def sum_backward(grad: Array, a_shape: Shape, dim: Dims, keepdim: bool) -> Array:
    """out = sum(a, dim, keepdim).

    `dim` is an axis, several, or None or () for all; a 0-d Tensor has dim 0 and -1. The same holds for all reductions.
    """
    raise NotImplementedError("kata 07: sum_backward")


@derivative(t.amax)
def amax_backward(grad: Array, a: Array, out: Array, dim: Dims, keepdim: bool) -> Array:
    """out = amax(a, dim, keepdim). Entries that tie for the largest share the gradient evenly."""
    raise NotImplementedError("kata 07: amax_backward")


@derivative(t.amin)
def amin_backward(grad: Array, a: Array, out: Array, dim: Dims, keepdim: bool) -> Array:
    """out = amin(a, dim, keepdim). Entries that tie for the smallest share the gradient evenly."""
    raise NotImplementedError("kata 07: amin_backward")


@derivative(t.cumsum)
def cumsum_backward(grad: Array, dim: int) -> Array:
    """out = cumsum(a, dim): entry i of a is part of the sums i, i + 1, ... to the last.

    The rule adds up in float64. `dim` may be 0 for a 0-d Tensor.
    """
    raise NotImplementedError("kata 07: cumsum_backward")


# Matrix multiplication ----------------------------------------------------------------------------------


@derivative(t.bmm)
def bmm_backward(
    grad: Array, a: Array, b: Array, output_mask: Sequence[bool]
) -> tuple[Array | None, Array | None]:
    """out = a @ b, (..., n, k) @ (..., k, m) -> (..., n, m). Compute only the products that `output_mask` asks for."""
    raise NotImplementedError("kata 07: bmm_backward")


# Shapes -------------------------------------------------------------------------------------------------


@derivative(t.reshape)
def reshape_backward(grad: Array, a_shape: Shape) -> Array:
    """out = a in another shape."""
    raise NotImplementedError("kata 07: reshape_backward")


@derivative(t.permute)
def permute_backward(grad: Array, dims: Sequence[int]) -> Array:
    """out = a with its axes in another order: axis i of out is axis dims[i] of a. A dim may be negative."""
    raise NotImplementedError("kata 07: permute_backward")


@derivative(t.expand)
def expand_backward(grad: Array) -> Array:
    """out = a with axes of size 1 stretched. The tape sums over them, as it does after broadcasting."""
    raise NotImplementedError("kata 07: expand_backward")


@derivative(t.flip)
def flip_backward(grad: Array, dims: int | Sequence[int]) -> Array:
    """out = a, reversed along `dims`."""
    raise NotImplementedError("kata 07: flip_backward")


# Joining and cutting ------------------------------------------------------------------------------------


@derivative(t.concatenate)
def concatenate_backward(grad: Array, arrays_shape: Sequence[Shape], dim: int) -> tuple[Array, ...]:
    """out = arrays joined along `dim`. `arrays_shape` holds the shape of each; each gets its piece."""
    raise NotImplementedError("kata 07: concatenate_backward")


@derivative(t.pad)
def pad_backward(grad: Array, a_shape: Shape, pad: Sequence[int]) -> Array:
    """out = a with a margin. `pad` begins with the last axis: (left, right, top, bottom)."""
    raise NotImplementedError("kata 07: pad_backward")


@derivative(t.tril)
def tril_backward(grad: Array, diagonal: int) -> Array:
    """out = the lower triangle of a."""
    raise NotImplementedError("kata 07: tril_backward")


@derivative(t.triu)
def triu_backward(grad: Array, diagonal: int) -> Array:
    """out = the upper triangle of a."""
    raise NotImplementedError("kata 07: triu_backward")


# Indexing -----------------------------------------------------------------------------------------------


@derivative(t.getitem)
def getitem_backward(grad: Array, a_shape: Shape, index: Any) -> Array:
    """out = a[index]. An index array may name an entry twice: then both gradients count.

    `x[index] += grad` counts one of them. `add.at(x, index, grad)` counts all, and is slow: use it only where the
    index may contain an array.
    """
    raise NotImplementedError("kata 07: getitem_backward")


@derivative(t.gather)
def gather_backward(grad: Array, a_shape: Shape, dim: int, index: Array) -> tuple[Array, None]:
    """out[i][j] = a[index[i][j]][j] for dim 0. `index` may name an entry twice, and has no gradient."""
    raise NotImplementedError("kata 07: gather_backward")


@derivative(t.index_add)
def index_add_backward(grad: Array, dim: int, index: Array) -> tuple[Array, None, Array]:
    """out = a, with slice i of source added to slice index[i] along `dim`. The inputs are a, index and source."""
    raise NotImplementedError("kata 07: index_add_backward")


# Copies -------------------------------------------------------------------------------------------------


@derivative(t.clone)
def clone_backward(grad: Array) -> Array:
    """out = a copy of a."""
    raise NotImplementedError("kata 07: clone_backward")


@derivative(t.convert)
def convert_backward(grad: Array, a_device: Device) -> Array:
    """out = a in another dtype or on another device. The tape casts; `Tensor(grad).to(...)` moves the gradient back."""
    raise NotImplementedError("kata 07: convert_backward")
