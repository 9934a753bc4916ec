"""The operations on Tensors, each written once as a function on arrays.

`@primitive` lifts a function on arrays to one on Tensors; `a: Array` is an input, the rest are params. A
function without it is a composition: it calls primitives, and kata 07 gives its gradient for free. Write
`promote(a, b)` where two inputs meet, so that dtypes follow PyTorch, and ask `get_array_module(a)` for the
array library instead of naming NumPy, so that the same code runs on a GPU. `@at_least_float32` above a composition lets
it work in float32 where it is called with float16: see sums.py.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch import dispatch
from tinytorch.dispatch import Array, primitive
from tinytorch.setup import Device, get_array_module
from tinytorch.tensor.promotion import float64, floating, int64, promote, result_type
from tinytorch.tensor.sums import add_up, at_least_float32

if TYPE_CHECKING:
    from tinytorch.tensor.tensor import Tensor

Dims = int | Sequence[int] | None
"""One axis, several, or None for all of them."""

quiet = np.errstate(all="ignore")
"""As in PyTorch, log(0) is -inf and 0 / 0 is nan, and neither is worth a warning."""


# Arithmetic ---------------------------------------------------------------------------------------------


@primitive
def add(a: Array, b: Array) -> Array:
    """a + b, entry by entry, with broadcasting (torch.add).

    Raises:
        ValueError: the shapes do not broadcast; the message names both. The same for every operation on two.
    """
    a, b = promote(a, b)
    return a + b


@primitive
def sub(a: Array, b: Array) -> Array:
    """a - b, entry by entry, with broadcasting (torch.sub)."""
    a, b = promote(a, b)
    return a - b


@primitive
def mul(a: Array, b: Array) -> Array:
    """a * b, entry by entry, with broadcasting (torch.mul)."""
    a, b = promote(a, b)
    return a * b


@primitive
@quiet
def div(a: Array, b: Array) -> Array:
    """a / b, entry by entry, with broadcasting (torch.div). Integers divide to float32, x / 0 is inf or nan."""
    a, b = promote(a, b)
    return floating(a) / floating(b)


@primitive
@quiet
def floor_divide(a: Array, b: Array) -> Array:
    """The largest integer not above a / b, in the dtype of the operands (torch.floor_divide)."""
    a, b = promote(a, b)
    return a // b


@primitive
@quiet
def remainder(a: Array, b: Array) -> Array:
    """a - floor_divide(a, b) * b: it has the sign of b, as Python's % (torch.remainder)."""
    a, b = promote(a, b)
    return a % b


@primitive
@quiet
def pow(a: Array, b: Array) -> Array:
    """a to the power b, entry by entry, with broadcasting (torch.pow)."""
    a, b = promote(a, b)
    return a**b


@primitive
def neg(a: Array) -> Array:
    """-a (torch.neg)."""
    return -a


# Functions of one entry ---------------------------------------------------------------------------------


@primitive
@quiet
def exp(a: Array) -> Array:
    """e to the power a; float32 for integers (torch.exp)."""
    return get_array_module(a).exp(floating(a))


@primitive
@quiet
def log(a: Array) -> Array:
    """The natural logarithm; log(0) is -inf, and of a negative number nan (torch.log)."""
    return get_array_module(a).log(floating(a))


@primitive
@quiet
def log1p(a: Array) -> Array:
    """log(1 + a), exact even where a is so small that 1 + a rounds to 1 (torch.log1p)."""
    return get_array_module(a).log1p(floating(a))


@primitive
@quiet
def sqrt(a: Array) -> Array:
    """The square root; nan for negative numbers (torch.sqrt)."""
    return get_array_module(a).sqrt(floating(a))


@primitive
@quiet
def sin(a: Array) -> Array:
    """The sine of an angle in radians (torch.sin)."""
    return get_array_module(a).sin(floating(a))


@primitive
@quiet
def cos(a: Array) -> Array:
    """The cosine of an angle in radians (torch.cos)."""
    return get_array_module(a).cos(floating(a))


@primitive
def tanh(a: Array) -> Array:
    """The hyperbolic tangent, between -1 and 1 (torch.tanh)."""
    return get_array_module(a).tanh(floating(a))


@primitive
def erf(a: Array) -> Array:
    """The error function 2 / sqrt(pi) * integral of exp(-t * t) from 0 to a (torch.erf).

    NumPy has none. Take `scipy.special.erf`, and for a CuPy array `cupyx.scipy.special.erf`; import them
    inside the function, because SciPy takes a while to load.
    """
    if get_array_module(a) is np:
        from scipy import special
    else:
        from cupyx.scipy import special
    a = floating(a)
    return special.erf(a).astype(a.dtype, copy=False)  # SciPy answers float16 in float64


@primitive
def abs(a: Array) -> Array:
    """The absolute value (torch.abs)."""
    return builtins.abs(a)


@primitive
def sign(a: Array) -> Array:
    """-1, 0 or 1, in the dtype of `a`; a boolean is its own sign (torch.sign). NumPy's sign refuses booleans."""
    return a.copy() if a.dtype.kind == "b" else get_array_module(a).sign(a)


@primitive
def isnan(a: Array) -> Array:
    """True where an entry is not a number (torch.isnan)."""
    return get_array_module(a).isnan(a)


# Choosing -----------------------------------------------------------------------------------------------


@primitive
def maximum(a: Array, b: Array) -> Array:
    """The larger of two entries, with broadcasting; nan if one of them is (torch.maximum)."""
    a, b = promote(a, b)
    return get_array_module(a, b).maximum(a, b)


@primitive
def minimum(a: Array, b: Array) -> Array:
    """The smaller of two entries, with broadcasting; nan if one of them is (torch.minimum)."""
    a, b = promote(a, b)
    return get_array_module(a, b).minimum(a, b)


@primitive
def clamp(a: Array, min: float | None = None, max: float | None = None) -> Array:
    """`a`, moved to `min` where it is smaller and to `max` where it is larger (torch.clamp).

    Raises:
        ValueError: neither bound is given.
    """
    bounds = [bound for bound in (min, max) if bound is not None]
    if not bounds:
        raise ValueError("clamp needs min, max or both, got neither")
    return get_array_module(a).clip(a.astype(result_type(a, *bounds), copy=False), min, max)


@primitive
def where(condition: Array, a: Array, b: Array) -> Array:
    """`a` where `condition` is True, else `b`; all three broadcast (torch.where).

    Raises:
        TypeError: the condition is not boolean; the message names its dtype.
    """
    if condition.dtype.kind != "b":
        raise TypeError(f"where needs a boolean condition, got {condition.dtype}: write a comparison")
    xp = get_array_module(condition, a, b)
    return xp.where(condition, *promote(a, b)).astype(result_type(a, b), copy=False)


def masked_fill(x: Tensor, mask: Tensor, value: Tensor | float) -> Tensor:
    """`value` where the boolean `mask` is True, else `x` (torch.masked_fill). A new Tensor, in the dtype of `x`.

    `value` is a number, or a 0-d Tensor, and then a gradient flows to it too.

    Raises:
        ValueError: `value` is a Tensor with axes; the message names its shape.
    """
    if not isinstance(value, dispatch.tensor_type):
        return where(mask, x.dtype.type(value).item(), x)
    if value.ndim > 0:
        raise ValueError(f"masked_fill takes a number or a 0-d Tensor, got one of shape {value.shape}")
    return where(mask, value.to(x.dtype), x)


# Comparisons --------------------------------------------------------------------------------------------


@primitive
def eq(a: Array, b: Array) -> Array:
    """Where a == b, as booleans (torch.eq)."""
    a, b = promote(a, b)
    return a == b


@primitive
def ne(a: Array, b: Array) -> Array:
    """Where a != b, as booleans (torch.ne)."""
    a, b = promote(a, b)
    return a != b


@primitive
def lt(a: Array, b: Array) -> Array:
    """Where a < b, as booleans (torch.lt)."""
    a, b = promote(a, b)
    return a < b


@primitive
def le(a: Array, b: Array) -> Array:
    """Where a <= b, as booleans (torch.le)."""
    a, b = promote(a, b)
    return a <= b


@primitive
def gt(a: Array, b: Array) -> Array:
    """Where a > b, as booleans (torch.gt)."""
    a, b = promote(a, b)
    return a > b


@primitive
def ge(a: Array, b: Array) -> Array:
    """Where a >= b, as booleans (torch.ge)."""
    a, b = promote(a, b)
    return a >= b


@primitive
def bitwise_not(a: Array) -> Array:
    """Not a, for booleans; every bit flipped, for integers (torch.bitwise_not)."""
    return ~a


@primitive
def bitwise_and(a: Array, b: Array) -> Array:
    """a and b, entry by entry, for booleans and integers (torch.bitwise_and)."""
    a, b = promote(a, b)
    return a & b


@primitive
def bitwise_or(a: Array, b: Array) -> Array:
    """a or b, entry by entry, for booleans and integers (torch.bitwise_or)."""
    a, b = promote(a, b)
    return a | b


# Reductions ---------------------------------------------------------------------------------------------


@primitive
def sum(a: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    """The sum over the axes `dim`, over all of them by default (torch.sum).

    A reduced axis vanishes, or stays with size 1 under `keepdim`. Integers and booleans add up in int64. As in all
    reductions, an empty `dim` means all axes, and a 0-d Tensor has the axes 0 and -1.

    The float32 sum of a million rows is exact to 1e-6 of the sum of their absolute values, and float16 adds up in
    float32. NumPy's `a.sum()` is not so good; `add_up(a, axis, keepdims)` of sums.py, which is given, is.

    Raises:
        IndexError: there is no such axis; the message names it. The same for every function below that takes `dim`.
    """
    return add_up(a, _axes(dim, a.ndim), keepdim)


@primitive
def amax(a: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    """The largest entry along the axes `dim`; nan if one is (torch.amax)."""
    return a.max(axis=_axes(dim, a.ndim), keepdims=keepdim)


@primitive
def amin(a: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    """The smallest entry along the axes `dim`; nan if one is (torch.amin)."""
    return a.min(axis=_axes(dim, a.ndim), keepdims=keepdim)


@primitive
def argmax(a: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """Where the largest entry is along `dim`, int64; the first one at a tie (torch.argmax).

    Without `dim`, the place in the flattened Tensor.
    """
    return a.argmax(axis=dim, keepdims=keepdim)  # type: ignore[arg-type]


@primitive
def argsort(a: Array, dim: int = -1, descending: bool = False) -> Array:
    """The indices that sort `a` along `dim`, int64; equal entries keep their order (torch.argsort, stable)."""
    if not descending or a.ndim == 0:
        return a.argsort(axis=dim, kind="stable").reshape(a.shape)  # NumPy gives a 0-d array an axis
    # Reversed twice: once to sort downwards, once so that equal entries keep their order.
    xp = get_array_module(a)
    backwards = xp.flip(xp.flip(a, dim).argsort(axis=dim, kind="stable"), dim)
    return a.shape[dim] - 1 - backwards


@primitive
@quiet
def cumsum(a: Array, dim: int) -> Array:
    """The running sum along `dim`: entry i is the sum of entries 0 to i (torch.cumsum).

    Floating point adds up in float64, and is cast back to its own dtype. Integers and booleans add up in int64.
    """
    floats = a.dtype.kind == "f"
    sums = a.cumsum(axis=dim, dtype=float64 if floats else int64).reshape(a.shape)
    return sums.astype(a.dtype, copy=False) if floats else sums


@at_least_float32
def mean(x: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The mean over the axes `dim` (torch.mean).

    Raises:
        TypeError: `x` is not floating point; the message names its dtype.
    """
    if x.dtype.kind != "f":
        raise TypeError(f"mean needs a floating point Tensor, got {x.dtype}: convert it with x.to(float32)")
    return sum(x, dim=dim, keepdim=keepdim) / _count(x, dim)


@at_least_float32
def var(x: Tensor, dim: Dims = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The variance over the axes `dim`: the sum of (x - mean)**2, divided by n - correction (torch.var).

    With no degree of freedom left (n <= correction) it is nan or inf, as in PyTorch.
    """
    deviation = x - mean(x, dim, keepdim=True)
    return sum(deviation * deviation, dim, keepdim) / builtins.max(_count(x, dim) - correction, 0)


def _axes(dim: Dims, ndim: int) -> int | tuple[int, ...] | None:
    """What NumPy calls the axes `dim` of a reduction: several of them are a tuple, and () would be none at all."""
    if dim is None or dim == () or isinstance(dim, int):
        return dim if isinstance(dim, int) else None
    return tuple(dim) if ndim else tuple(each for each in dim if each not in (0, -1))


def _count(x: Tensor, dim: Dims) -> int:
    """How many entries are reduced to one."""
    if x.ndim == 0:  # its only entry, even with dim=0
        return 1
    if dim is None or dim == ():
        return x.numel()
    return math.prod(x.shape[axis] for axis in ([dim] if isinstance(dim, int) else dim))


# Matrix multiplication ----------------------------------------------------------------------------------


@primitive
def bmm(a: Array, b: Array) -> Array:
    """(..., n, k) @ (..., k, m) -> (..., n, m), a product for each pair of matrices (torch.bmm, broadcasting).

    Raises:
        ValueError: an operand has fewer than two axes; the message names both shapes. Or the inner sides differ,
            or the axes in front do not broadcast; the message names the sides that differ.
    """
    get_array_module(a, b)  # refuses a mix of devices
    if a.ndim < 2 or b.ndim < 2:  # a @ b would take vectors, whose gradients have rules of their own
        raise ValueError(f"bmm needs two matrices or stacks of them, got shapes {a.shape} and {b.shape}")
    a, b = promote(a, b)
    return a @ b


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The matrix product of operands with one axis or more (torch.matmul).

    A 1-d `a` counts as a row and a 1-d `b` as a column; the axis that it was lent is removed again:
    (k,) @ (k,) -> (), (n, k) @ (k,) -> (n,), (k,) @ (..., k, m) -> (..., m).

    Raises:
        ValueError: an operand is 0-d, or the shapes do not fit; the message names the sides that differ.
        TypeError: an operand is not a Tensor; the message names its type.
    """
    for each in (a, b):
        if not hasattr(each, "ndim"):
            raise TypeError(f"matmul takes Tensors, not {type(each).__name__}")
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(
            f"matmul of shapes {a.shape} and {b.shape}: the last axis of one must meet the other's rows"
        )
    product = bmm(unsqueeze(a, 0) if a.ndim == 1 else a, unsqueeze(b, 1) if b.ndim == 1 else b)
    if b.ndim == 1:
        product = squeeze(product, -1)
    return squeeze(product, -1 if b.ndim == 1 else -2) if a.ndim == 1 else product


# Shapes -------------------------------------------------------------------------------------------------


@primitive(view=True)
def reshape(a: Array, shape: Sequence[int]) -> Array:
    """The same entries in the same order, in another shape; one side may be -1 (torch.reshape).

    A view wherever the memory allows it.

    Raises:
        ValueError: the number of entries differs. NumPy's own message will do.
    """
    return a.reshape(shape)


@primitive(view=True)
def permute(a: Array, dims: Sequence[int]) -> Array:
    """The axes in the order of `dims`: axis i of the result is axis dims[i] of `a`; a view (torch.permute).

    Raises:
        ValueError: `dims` does not name each axis once. NumPy's own message will do.
    """
    return a.transpose(dims)


@primitive(view=True)
def expand(a: Array, shape: Sequence[int]) -> Array:
    """Axes of size 1 stretched to `shape` without a copy, by a stride of zero (torch.Tensor.expand).

    A side of -1 keeps the size that it has. New axes may come in front.

    Raises:
        ValueError: an axis that is not of size 1 would change; the message names both shapes.
    """
    front = len(shape) - a.ndim
    target = tuple(a.shape[i - front] if side == -1 and i >= front else side for i, side in enumerate(shape))
    try:
        return get_array_module(a).broadcast_to(a, target)
    except ValueError as error:
        raise ValueError(
            f"cannot expand shape {a.shape} to {tuple(shape)}: only axes of size 1 stretch"
        ) from error


@primitive
def flip(a: Array, dims: int | Sequence[int]) -> Array:
    """The order of the entries reversed along `dims`; a copy, as in PyTorch (torch.flip)."""
    return get_array_module(a).flip(a, dims if isinstance(dims, int) else tuple(dims)).copy()


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged; a view (torch.transpose).

    Raises:
        IndexError: there is no such axis; the message names it.
    """
    dim0, dim1 = _axis(dim0, x.ndim), _axis(dim1, x.ndim)
    dims = list(range(x.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return permute(x, dims)


def squeeze(x: Tensor, dim: Dims = None) -> Tensor:
    """`x` without its axes of size 1, or only without those of them that `dim` names; a view (torch.squeeze).

    Raises:
        IndexError: there is no such axis; the message names it.
    """
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = [_axis(each, x.ndim) for each in dims]
    return reshape(x, [side for axis, side in enumerate(x.shape) if side != 1 or axis not in axes])


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """`x` with a new axis of size 1 at `dim`, from -ndim - 1 to ndim; a view (torch.unsqueeze).

    Raises:
        IndexError: `dim` is outside that range; the message names it.
    """
    place = _axis(dim, x.ndim + 1)
    return reshape(x, (*x.shape[:place], 1, *x.shape[place:]))


def _side(a: Array | Tensor, dim: int) -> int:
    """The size of the axis `dim`, of what has axes at all."""
    if a.ndim == 0:
        raise ValueError("a 0-d Tensor has no axis to sort, split or pick from: give it one, x.reshape(1)")
    return a.shape[_axis(dim, a.ndim)]


def _axis(dim: int, ndim: int) -> int:
    """`dim`, perhaps negative, as an axis from 0 to ndim - 1; a 0-d Tensor allows 0 and -1."""
    ndim = builtins.max(ndim, 1)
    if not -ndim <= dim < ndim:
        raise IndexError(f"dim {dim} is outside [{-ndim}, {ndim - 1}]")
    return dim % ndim


# Joining and cutting ------------------------------------------------------------------------------------


@primitive
def concatenate(*arrays: Array, dim: int = 0) -> Array:
    """Arrays joined along the axis `dim`; their other sides must agree. Users call `cat`."""
    return get_array_module(*arrays).concatenate(promote(*arrays), axis=dim)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along an axis that they have (torch.cat).

    Raises:
        ValueError: there is none to join, or another side differs; the message names both sides.
        IndexError: there is no such axis; the message names it.
    """
    if not tensors:
        raise ValueError("cat needs at least one Tensor, got an empty list")
    return concatenate(*tensors, dim=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis (torch.stack).

    Raises:
        ValueError: there is no Tensor, or the shapes differ; the message names two sides that differ.
    """
    return cat([unsqueeze(each, dim) for each in tensors], dim)


def split(x: Tensor, sizes: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut `x` along `dim` into pieces, which are views (torch.split).

    `sizes` is one size for all pieces (the last may be smaller), or a list with the size of each.

    Raises:
        ValueError: the size is not positive, or the listed ones are negative or do not add up to the side; the
            message shows what was given.
    """
    side, dim = _side(x, dim), _axis(dim, x.ndim)
    if isinstance(sizes, int):
        if sizes <= 0:
            raise ValueError(f"split needs a positive size, got {sizes}")
        sizes = [builtins.min(sizes, side - start) for start in range(0, side or 1, sizes)]
    if builtins.sum(sizes) != side or builtins.min(sizes, default=0) < 0:
        raise ValueError(
            f"sizes {list(sizes)} must be 0 or more and add up to the {side} entries of axis {dim}"
        )
    pieces, start = [], 0
    for size in sizes:
        pieces.append(x[(slice(None),) * dim + (slice(start, start + size),)])
        start += size
    return tuple(pieces)


@primitive
def pad(a: Array, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Array:
    """`value` added around the last axes (torch.nn.functional.pad). The `mode` is "constant", there is no other.

    `pad` is read from the last axis backwards, two numbers each: (left, right, top, bottom).

    Raises:
        ValueError: the numbers do not come in pairs, one is negative, or there are more pairs than axes; the
            message names them. Or `mode` is another one; it holds that.
    """
    if mode != "constant":
        raise ValueError(f'the mode of pad must be "constant", got {mode!r}')
    if len(pad) % 2 or len(pad) > 2 * a.ndim or builtins.min(pad, default=0) < 0:
        raise ValueError(
            f"pad {tuple(pad)} must be pairs of sizes, at most one pair for each axis of {a.shape}"
        )
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    widths = [(0, 0)] * (a.ndim - len(pairs)) + pairs[::-1]
    return get_array_module(a).pad(a, widths, constant_values=value)


@primitive
def tril(a: Array, diagonal: int = 0) -> Array:
    """The lower triangle of each matrix, zero above the diagonal numbered `diagonal` (torch.tril).

    Raises:
        ValueError: there are fewer than two axes; the message names the shape.
    """
    _check_matrix(a)
    return get_array_module(a).tril(a, diagonal)


@primitive
def triu(a: Array, diagonal: int = 0) -> Array:
    """The upper triangle of each matrix, zero below the diagonal numbered `diagonal` (torch.triu).

    Raises:
        ValueError: there are fewer than two axes; the message names the shape.
    """
    _check_matrix(a)
    return get_array_module(a).triu(a, diagonal)


def _check_matrix(a: Array) -> None:
    """Refuse a vector, as PyTorch does; NumPy would make a matrix of it."""
    if a.ndim < 2:
        raise ValueError(f"a triangle needs a matrix, two axes or more, got shape {a.shape}")


# Indexing -----------------------------------------------------------------------------------------------


@primitive(view=True)
def getitem(a: Array, index: Any) -> Array:
    """a[index]: a view for integers, slices, None and Ellipsis, a copy for index arrays (`x[index]` in PyTorch)."""
    return a[index]


@primitive
def gather(a: Array, dim: int, index: Array) -> Array:
    """Entries picked along `dim`: out[i][j] = a[index[i][j]][j] for dim 0 (torch.gather).

    `index` has as many axes as `a`, and on all of them but `dim` it may be shorter, not longer.

    Raises:
        IndexError: an index is negative or too large; the message names it.
        ValueError: the shapes do not fit; the message names both.
        TypeError: the indices are not integers.
    """
    side, dim = _side(a, dim), _axis(dim, a.ndim)
    if index.ndim != a.ndim or any(
        n > m for d, (n, m) in enumerate(zip(index.shape, a.shape, strict=True)) if d != dim
    ):
        raise ValueError(f"gather with an index of shape {index.shape} from shape {a.shape} along axis {dim}")
    _check_index(index, side)
    corner = a[tuple(slice(None) if d == dim else slice(n) for d, n in enumerate(index.shape))]
    return get_array_module(a, index).take_along_axis(corner, index, axis=dim)


@primitive
def index_add(a: Array, dim: int, index: Array, source: Array) -> Array:
    """A copy of `a` in which slice i of `source` is added to slice index[i], along `dim` (torch.index_add).

    An index that appears twice adds twice.

    Raises:
        IndexError: an index is negative or too large; the message names it.
        ValueError: there are not as many indices as slices, or the slices have another shape; the message names
            the shape of `source`.
        TypeError: `source` has another dtype than `a`; the message names both. Or the indices are not integers.
    """
    xp = get_array_module(a, index, source)
    if source.dtype != a.dtype:  # add.at would cut what does not fit
        raise TypeError(
            f"index_add of a source of {source.dtype} to {a.dtype}: convert one of them with .to(...)"
        )
    out, rows = xp.moveaxis(a.copy(), dim, 0), xp.moveaxis(source, dim, 0)
    if index.shape != rows.shape[:1] or rows.shape[1:] != out.shape[1:]:
        raise ValueError(
            f"index_add of {index.shape} indices and a source of shape {source.shape} to shape {a.shape} along {dim}"
        )
    _check_index(index, len(out))
    if (
        xp is not np and out.dtype.kind in "biu"
    ):  # a GPU adds no int64 there; modulo 2**64 the sums are the same
        out, rows = out.astype(xp.uint64), rows.astype(xp.uint64)
    xp.add.at(out, index, rows)
    return xp.moveaxis(out, 0, dim).astype(a.dtype, copy=False)


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """The entries in order along `dim`, and the indices they came from; equal entries keep their order (torch.sort)."""
    indices = argsort(x, dim, descending)
    return gather(x, dim, indices), indices


def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest entries along `dim`, the largest first, and their indices (torch.topk).

    With largest=False they are the `k` smallest, the smallest first.

    Raises:
        ValueError: `k` is negative or larger than the side; the message names it.
    """
    if not 0 <= k <= _side(x, dim):
        raise ValueError(f"topk with k = {k} of {_side(x, dim)} entries (shape {x.shape}, dim {dim})")
    order = argsort(x, dim, descending=largest)
    indices = order[(slice(None),) * _axis(dim, x.ndim) + (slice(k),)]
    return gather(x, dim, indices), indices


def _check_index(index: Array, side: int) -> None:
    """NumPy counts negative indices from the end, and booleans are a mask; here both are a mistake, as in PyTorch."""
    if index.dtype.kind not in "iu":
        raise TypeError(f"an index holds integers, got {index.dtype}")
    bad = index[(index < 0) | (index >= side)]
    if bad.size:
        raise IndexError(f"index {int(bad[0])} is outside an axis of size {side}")


# Copies -------------------------------------------------------------------------------------------------


@primitive
def clone(a: Array) -> Array:
    """A copy with its own memory, through which gradients flow (torch.clone)."""
    return a.copy()


@primitive
@quiet
def convert(a: Array, dtype: Any = None, device: Device | None = None) -> Array:
    """`a` in another dtype, on another device, or both. Users call `Tensor.to`."""
    if dtype is not None:
        a = a.astype(dtype)
    if device is None or str(device) == ("cpu" if isinstance(a, np.ndarray) else f"cuda:{a.device.id}"):
        return a
    if device.type == "cpu":
        return get_array_module(a).asnumpy(a)
    xp = device.array_module
    with xp.cuda.Device(device.index):
        return xp.array(a)  # asarray would leave an array of another GPU there
