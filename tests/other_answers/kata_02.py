"""Index arithmetic by products and by Horner, einsum, loops for index_add and cumsum, arrays that are filled."""

from __future__ import annotations

import builtins
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch import dispatch
from tinytorch.dispatch import Array, primitive
from tinytorch.setup import get_array_module
from tinytorch.tensor import layout
from tinytorch.tensor.creation import tensor
from tinytorch.tensor.layout import Shape
from tinytorch.tensor.primitives import mean, reshape, sort, sum
from tinytorch.tensor.promotion import float32, float64, int64, promote, result_type
from tinytorch.tensor.sums import at_least_float32


def contiguous_strides(shape: Sequence[int]) -> Shape:
    """Each stride is the product of the sides behind it: no state, and as many products as pairs of axes."""
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {tuple(shape)} has a negative side")
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def flat_index(index: Sequence[int], shape: Sequence[int]) -> int:
    """Horner's rule: multiply by the side, add the index. No stride is ever computed."""
    if len(index) != len(shape):
        raise IndexError(f"shape {tuple(shape)} takes {len(shape)} indices, got {len(index)}")
    pairs = list(zip(index, shape, strict=True))
    for each, side in pairs:
        if each >= side or each < -side:
            raise IndexError(f"{each} is no index of a side of {side}")
    return functools.reduce(lambda place, pair: place * pair[1] + pair[0] % pair[1], pairs, 0)


def broadcast_shapes(*shapes: Sequence[int]) -> Shape:
    """Padded with ones to one length, and the columns read across: one line a rule, and a set for each axis."""
    columns = itertools.zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    result = []
    for column in columns:
        sides = set(column) - {1}
        if len(sides) > 1:
            raise ValueError("no common shape for " + " and ".join(str(tuple(shape)) for shape in shapes))
        result.append(sides.pop() if sides else 1)
    return tuple(result[::-1])


def arange(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """First how many, then start + step * i: PyTorch's way. No rounding error can add up, and one more
    product.
    """
    if end is None:
        start, end = 0, start
    if not step or (end < start if step > 0 else end > start):
        raise ValueError(f"no steps of {step} lead from {start} to {end}")
    whole = all(isinstance(each, (int, np.integer)) for each in (start, end, step))
    places = np.arange(math.ceil((end - start) / step))
    return tensor(
        start + step * places, dtype or (int64 if whole else float32), device, requires_grad=requires_grad
    )


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = float32,
    device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """A mixture of both ends, whose shares are i / (steps - 1): each end is exact, because its share is 1."""
    share = np.arange(steps) / max(steps - 1, 1)
    return tensor((1 - share) * start + share * end, dtype, device, requires_grad)


def eye(
    n: int, m: int | None = None, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """Where the number of the row is that of the column: the definition, and n * m comparisons."""
    columns = np.arange(n if m is None else m)
    return tensor(np.arange(n)[:, None] == columns, dtype, device, requires_grad)


@primitive
def cumsum(a: Array, dim: int) -> Array:
    """A loop that carries the sum along: the definition, and one NumPy call for each step instead of one
    for all.
    """
    xp = get_array_module(a)
    dtype = a.dtype if a.dtype.kind == "f" else int64
    if a.ndim == 0:
        if dim not in (0, -1):
            raise IndexError(f"a 0-d Tensor has no axis {dim}")
        return a.astype(dtype)
    rows = xp.moveaxis(a, dim, 0)
    out = xp.empty(rows.shape, dtype)
    total = xp.zeros(rows.shape[1:], float64 if a.dtype.kind == "f" else int64)
    with np.errstate(all="ignore"):
        for place in range(len(rows)):
            total = total + rows[place]
            out[place] = total
    return xp.moveaxis(out, 0, dim)


@primitive
def index_add(a: Array, dim: int, index: Array, source: Array) -> Array:
    """A loop over the indices: each adds its slice. Python is slow at it, and cannot lose an index that is
    there twice.
    """
    xp = get_array_module(a, index, source)
    if a.dtype != source.dtype:
        raise TypeError(f"{source.dtype} is added to {a.dtype}: make them alike")
    if index.dtype.kind not in "iu":
        raise TypeError(f"indices are integers, got {index.dtype}")
    out = a.copy()
    rows, slices = xp.moveaxis(out, dim, 0), xp.moveaxis(source, dim, 0)
    if index.ndim != 1 or len(index) != len(slices) or slices[:0].shape[1:] != rows.shape[1:]:
        raise ValueError(f"a source of shape {source.shape} does not fit {a.shape} and {index.shape} indices")
    for place in index.tolist():
        if not 0 <= place < len(rows):
            raise IndexError(f"there is no slice {place} among {len(rows)}")
    for place, each in zip(index.tolist(), slices, strict=True):
        rows[place] += each
    return out


def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """All of it is sorted, values and indices, and both are cut: two lines, and a gather of what is thrown
    away.
    """
    values, indices = sort(x, dim, descending=largest)
    side = x.shape[dim] if x.ndim else 1
    if k < 0 or k > side:
        raise ValueError(f"there are no {k} among {side} entries")
    if x.ndim == 0:
        raise ValueError("a 0-d Tensor has no axis")
    cut = (..., slice(k), *(slice(None),) * (-1 - dim if dim < 0 else x.ndim - 1 - dim))
    return values[cut], indices[cut]


@primitive
def sub(a: Array, b: Array) -> Array:
    """NumPy's function instead of its operator: what PyTorch's own dispatch table would name."""
    a, b = promote(a, b)
    return get_array_module(a, b).subtract(a, b)


@primitive
def where(condition: Array, a: Array, b: Array) -> Array:
    """One array of the result, filled with b and then with a where it is due: no second choice of a dtype."""
    if condition.dtype != bool:
        raise TypeError(f"the condition of where is {condition.dtype}, and must be bool")
    xp = get_array_module(condition, a, b)
    dtype = result_type(a, b)
    shape = layout.broadcast_shapes(condition.shape, getattr(a, "shape", ()), getattr(b, "shape", ()))
    out = xp.empty(shape, dtype)
    out[...] = b
    xp.copyto(out, a, where=xp.broadcast_to(condition, shape), casting="unsafe")
    return out


@primitive
def clamp(a: Array, min: float | None = None, max: float | None = None) -> Array:
    """A maximum and then a minimum: what a clamp is. Two passes, where clip has one."""
    if min is None and max is None:
        raise ValueError("clamp without bounds")
    xp = get_array_module(a)
    out = a.astype(result_type(a, *(each for each in (min, max) if each is not None)))
    if min is not None:
        out = xp.maximum(out, min)
    return out if max is None else xp.minimum(out, max)


@primitive
def argsort(a: Array, dim: int = -1, descending: bool = False) -> Array:
    """Downwards: the places that the values have among themselves are negated, and sorted stably. Two
    sorts, no flip.
    """
    xp = get_array_module(a)
    if a.ndim == 0:
        return xp.zeros((), xp.int64)
    if not descending:
        return a.argsort(axis=dim, kind="stable")
    upwards = a.argsort(axis=dim, kind="stable")
    ordered = xp.take_along_axis(a, upwards, axis=dim)
    moved = xp.moveaxis(ordered, dim, -1)
    new = xp.ones(
        moved.shape, bool
    )  # where a new value begins; equal ones share a rank, and nan is equal to nan
    same = (moved[..., 1:] == moved[..., :-1]) | (
        (moved[..., 1:] != moved[..., 1:]) & (moved[..., :-1] != moved[..., :-1])
    )
    new[..., 1:] = ~same
    ranks = xp.moveaxis(new.cumsum(axis=-1), -1, dim)
    back = xp.empty_like(upwards)
    xp.put_along_axis(back, upwards, ranks, axis=dim)
    return (-back).argsort(axis=dim, kind="stable")


@at_least_float32
def var(x: Tensor, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The mean of the squared deviations times n / (n - correction): n is what one sum of ones says."""
    squares = (x - mean(x, dim, keepdim=True)) ** 2
    n = x.numel() // math.prod(sum(squares, dim, keepdim).shape) if x.numel() else 0
    if n <= correction:
        return sum(squares, dim, keepdim) / 0
    return mean(squares, dim, keepdim) * (n / (n - correction))


@primitive
def bmm(a: Array, b: Array) -> Array:
    """Einstein's sum: the letters say what is multiplied and added. It is slower than BLAS for large
    matrices.
    """
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"matrices have two axes or more, got {a.shape} and {b.shape}")
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"inner sides {a.shape[-1]} and {b.shape[-2]} differ: {a.shape} @ {b.shape}")
    return get_array_module(a, b).einsum("...ik,...km->...im", *promote(a, b))


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Vectors become matrices by `reshape`, and the result gets the shape that is known from the start."""
    for each in (a, b):
        if isinstance(each, (int, float)) or not hasattr(each, "shape"):
            raise TypeError(f"a matrix product needs Tensors, got {type(each).__name__}")
        if each.ndim == 0:
            raise ValueError(f"a matrix product of shapes {a.shape} and {b.shape}")
    if a.ndim > 1 and b.ndim > 1:
        return bmm(a, b)
    rows = reshape(a, (1, -1)) if a.ndim == 1 else a
    columns = reshape(b, (-1, 1)) if b.ndim == 1 else b
    if a.shape[-1] != columns.shape[-2]:
        raise ValueError(f"{a.shape} @ {b.shape}: {a.shape[-1]} is not {columns.shape[-2]}")
    product = bmm(rows, columns)
    shape = (
        product.shape[:-2]
        + (product.shape[-2:-1] if a.ndim > 1 else ())
        + (product.shape[-1:] if b.ndim > 1 else ())
    )
    return reshape(product, shape)


@primitive(view=True)
def expand(a: Array, shape: Sequence[int]) -> Array:
    """Every rule is checked by hand, axis by axis from the right, and then the strides are set to zero."""
    if len(shape) < a.ndim:
        raise ValueError(f"shape {a.shape} has more axes than {tuple(shape)}")
    old = (1,) * (len(shape) - a.ndim) + a.shape
    new = []
    for place, (side, wanted) in enumerate(zip(old, shape, strict=True)):
        if wanted == -1 and place >= len(shape) - a.ndim:
            wanted = side
        if wanted < 0 or side not in (1, wanted):
            raise ValueError(f"shape {a.shape} does not expand to {tuple(shape)}")
        new.append(wanted)
    return get_array_module(a).broadcast_to(a, tuple(new))


@primitive
def concatenate(*arrays: Array, dim: int = 0) -> Array:
    """An empty array of the final size, and each piece written into its place: what a concatenation does in
    memory.
    """
    xp = get_array_module(*arrays)
    arrays = promote(*arrays)
    first = arrays[0]
    if not -first.ndim <= dim < first.ndim:
        raise IndexError(f"there is no axis {dim} in {first.shape}")
    axis = dim % first.ndim
    for each in arrays[1:]:
        for place, (mine, theirs) in enumerate(zip(first.shape, each.shape, strict=False)):
            if place != axis and mine != theirs:
                raise ValueError(f"side {theirs} of {each.shape} does not fit side {mine} of {first.shape}")
        if each.ndim != first.ndim:
            raise ValueError(f"shapes {first.shape} and {each.shape} have other numbers of axes")
    out = xp.empty(
        (*first.shape[:axis], builtins.sum(each.shape[axis] for each in arrays), *first.shape[axis + 1 :]),
        first.dtype,
    )
    start = 0
    for each in arrays:
        out[(slice(None),) * axis + (slice(start, start + each.shape[axis]),)] = each
        start += each.shape[axis]
    return out


@primitive
def pad(a: Array, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Array:
    """An array full of the value, with `a` written into its middle: no rule of NumPy's `pad` to remember."""
    if mode != "constant":
        raise ValueError(f"mode {mode!r} is not there, only 'constant'")
    if any(each < 0 for each in pad) or len(pad) % 2 == 1 or len(pad) // 2 > a.ndim:
        raise ValueError(f"pad {tuple(pad)} does not fit shape {a.shape}")
    begin, end = [0] * a.ndim, list(a.shape)
    shape = list(a.shape)
    for pair in range(len(pad) // 2):
        axis = a.ndim - 1 - pair
        begin[axis] = pad[2 * pair]
        end[axis] += pad[2 * pair]
        shape[axis] += pad[2 * pair] + pad[2 * pair + 1]
    out = get_array_module(a).full(shape, value).astype(a.dtype)
    out[tuple(map(slice, begin, end))] = a
    return out


@primitive
def tril(a: Array, diagonal: int = 0) -> Array:
    """A comparison of row and column numbers is the mask: it shows what a triangle is."""
    if a.ndim < 2:
        raise ValueError(f"shape {a.shape} is no matrix")
    xp = get_array_module(a)
    rows, columns = xp.arange(a.shape[-2])[:, None], xp.arange(a.shape[-1])
    return xp.where(columns <= rows + diagonal, a, a.dtype.type(0))


@primitive
def gather(a: Array, dim: int, index: Array) -> Array:
    """An index array for each axis, open as `ogrid` makes them: general, and one array more than
    take_along_axis.
    """
    if not -a.ndim <= dim < a.ndim:
        raise (IndexError if a.ndim else ValueError)(f"there is no axis {dim} in {a.shape}")
    dim %= a.ndim
    if len(index.shape) != len(a.shape):
        raise ValueError(f"index {index.shape} and {a.shape} have other numbers of axes")
    if any(index.shape[axis] > a.shape[axis] for axis in range(a.ndim) if axis != dim):
        raise ValueError(f"index of shape {index.shape} is larger than {a.shape}")
    if index.dtype.kind not in "iu":
        raise TypeError(f"indices are integers, got {index.dtype}")
    if index.size and not 0 <= index.min() <= index.max() < a.shape[dim]:
        worst = index.min() if index.min() < 0 else index.max()
        raise IndexError(f"there is no entry {int(worst)} on a side of {a.shape[dim]}")
    xp = get_array_module(a, index)
    places = [xp.arange(n).reshape((-1,) + (1,) * (a.ndim - 1 - axis)) for axis, n in enumerate(index.shape)]
    places[dim] = index
    return a[tuple(places)]


def split(x: Tensor, sizes: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """The cuts are running sums, and neighbours among them are the pieces: no counter is moved by hand."""
    if x.ndim == 0:
        raise ValueError("a 0-d Tensor cannot be cut")
    if not -x.ndim <= dim < x.ndim:
        raise IndexError(f"there is no axis {dim} in {x.shape}")
    dim %= x.ndim
    side = x.shape[dim]
    if isinstance(sizes, int):
        if sizes < 1:
            raise ValueError(f"pieces of size {sizes}")
        cuts = [*range(0, side, sizes), side] if side else [0, 0]
    else:
        cuts = [0, *itertools.accumulate(sizes)]
        if cuts[-1] != side or any(size < 0 for size in sizes):
            raise ValueError(f"sizes {list(sizes)} are not a division of the {side} of axis {dim}")
    before = (slice(None),) * dim
    return tuple(x[(*before, slice(*pair))] for pair in itertools.pairwise(cuts))


class Tensor:
    def stride(self) -> Shape:
        """NumPy's bytes divided by the size of an entry, where an empty Tensor asks one of ones for its
        strides.
        """
        shown = self.data if self.data.size else np.empty([side or 1 for side in self.shape], self.dtype)
        return tuple(np.floor_divide(shown.strides, shown.itemsize).tolist())

    def item(self) -> float:
        """The only entry is taken out of the flat Tensor; what has none or several does not unpack."""
        entries = self.data.reshape(-1).tolist() if self.data.size < 2 else [None, None]
        try:
            [only] = entries
        except ValueError:
            raise RuntimeError(f"item() of {self.data.size} entries, of shape {self.shape}") from None
        return only

    def __iter__(self) -> Any:
        """A generator: the error for a 0-d Tensor comes at once, because len() is asked before."""
        return map(self.__getitem__, range(len(self)))

    def add_(self, other: Any) -> Tensor:
        """NumPy's `add` with `out=`: what += does, written so that nobody takes it for a rebinding."""
        with dispatch.mutating(self, other):
            get_array_module(self.data).add(self.data, dispatch.unwrap(other, "add_"), out=self.data)
        return self

    def __bool__(self) -> bool:
        """The question is whether it is 0: nan is not."""
        return self.item() != 0

    @property
    def T(self) -> Tensor:
        """The first axis and the last change places, then those inside of them: one exchange after the
        other.
        """
        result = self
        for axis in range(self.ndim // 2):
            result = result.transpose(axis, -1 - axis)
        return result
