"""What hypothesis draws: shapes, and arrays of small readable numbers that shrink to smaller ones.

Values are multiples of 1/4, exact in every dtype, so sums come out without rounding and reports read well.
An array is one draw of bytes, however large it is: quick to draw, and it shrinks towards the first value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from hypothesis import note, strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from dojo.spec.device import Array

T = TypeVar("T")
Shape = tuple[int, ...]
ShapeLike = Shape | int | SearchStrategy[Shape]


# Shapes -------------------------------------------------------------------------------------------------


def shapes(
    min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[Shape]:
    """One shape. A side of 0 is drawn only now and then: little can be wrong in an empty array."""
    return _drawn(lambda draw: _a_shape(draw, min_dims, max_dims, min_side, max_side))


def broadcastable_shapes(
    n: int = 2, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[tuple[Shape, ...]]:
    """`n` shapes that broadcast together: one may lack the leading axes, and along each axis one may be 1."""

    def some(draw: DrawFn) -> tuple[Shape, ...]:
        common = _a_shape(draw, min_dims, max_dims, min_side, max_side)
        return _stretched(draw, common, n, len(common) - min_dims)

    return _drawn(some)


def matmul_shapes(
    min_dims: int = 1, max_dims: int = 4, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[tuple[Shape, Shape]]:
    """Two shapes that matmul takes: (..., m, k) and (..., k, n) whose leading axes broadcast.

    A vector, (k,), may stand for either; `min_dims=2` leaves vectors out.
    """
    kinds = ["matrices"] if min_dims > 1 else ["matrices"] * 3 + ["a vector", "b vector", "both vectors"]

    def some(draw: DrawFn) -> tuple[Shape, Shape]:
        m, k, n = _a_shape(draw, 3, 3, min_side, max_side)
        batch = _a_shape(draw, 0, max_dims - 2, min_side, max_side)
        batch_a, batch_b = _stretched(draw, batch, 2, len(batch))
        kind = draw(_one_of(*kinds))
        a = (k,) if kind in ("a vector", "both vectors") else (*batch_a, m, k)
        b = (k,) if kind in ("b vector", "both vectors") else (*batch_b, k, n)
        return a, b

    return _drawn(some)


def _a_shape(draw: DrawFn, min_dims: int, max_dims: int, min_side: int, max_side: int) -> Shape:
    sides = [*range(1, max_side + 1)] * 3 + [0] if min_side == 0 else range(min_side, max_side + 1)
    return tuple(draw(_one_of(*sides)) for _ in range(draw(_integers(min_dims, max_dims))))


def _stretched(draw: DrawFn, common: Shape, n: int, most_dropped: int) -> tuple[Shape, ...]:
    """`n` shapes that broadcast to `common`. Two draws in all: many would be slow.

    The digits of the first, in base n + 1, say which shape is 1 along each axis, and 0 is none. The second
    says which shape lacks how many axes; half of its values say none.
    """
    if n == 0:
        return ()
    found = [list(common) for _ in range(n)]
    digits = draw(_integers(0, (n + 1) ** len(common) - 1))
    for axis in range(len(common)):
        digits, which = divmod(digits, n + 1)
        if which:
            found[which - 1][axis] = 1
    dropped, short = divmod(draw(_integers(0, 2 * n * most_dropped)) + n - 1, n)
    if dropped <= most_dropped:
        found[short] = found[short][dropped:]
    return tuple(map(tuple, found))


# Arrays -------------------------------------------------------------------------------------------------


def arrays(
    shape: ShapeLike = (), dtype: Any = np.float32, low: float = -2, high: float = 2
) -> SearchStrategy[Array]:
    """An array of multiples of 1/4 from `low` to `high`, both included.

    For integer dtypes they are whole numbers, for bool booleans. `shape` is a shape or a strategy that draws one.
    """
    values = _grid(np.dtype(dtype), low, high)
    return _drawn(lambda draw: _filled(draw, shape, values))


def arrays_of(
    shapes: SearchStrategy[tuple[Shape, ...]], dtype: Any = np.float32, low: float = -2, high: float = 2
) -> SearchStrategy[tuple[Array, ...]]:
    """One array for each of several shapes: `a, b` of `arrays_of(broadcastable_shapes(2))`."""
    values = _grid(np.dtype(dtype), low, high)
    return _drawn(lambda draw: tuple(_filled(draw, shape, values) for shape in draw(shapes)))


def off_kinks(
    shape: ShapeLike = (), dtype: Any = np.float32, low: float = -2, high: float = 2
) -> SearchStrategy[Array]:
    """As `arrays`, but with values halfway between: 0.125, 0.375 and so on.

    No value is at a kink at a multiple of 1/4, such as that of relu at 0 or of clamp at a bound, nor so near that a
    finite difference would step over it.
    """
    values = _simplest_first(np.arange(round(low * 4), round(high * 4)) / 4 + 0.125).astype(dtype)
    return _drawn(lambda draw: _filled(draw, shape, values))


def distinct(shape: ShapeLike = (), dtype: Any = np.float32) -> SearchStrategy[Array]:
    """An array without ties, for max, argmax and sort. It shrinks towards ascending order.

    It is a permutation of multiples of 1/4 around 0 (for integers, of whole numbers).
    """
    step = 0.25 if np.dtype(dtype).kind == "f" else 1

    def permuted(draw: DrawFn) -> Array:
        sides = _shape(draw, shape)
        size = math.prod(sides)
        rank = np.frombuffer(draw(_bytes(2 * size)), ">u2").argsort(kind="stable").argsort()
        return ((rank - size // 2) * step).astype(dtype).reshape(sides)

    return _drawn(permuted)


def strided(
    shape: ShapeLike = (), dtype: Any = np.float32, low: float = -2, high: float = 2
) -> SearchStrategy[Array]:
    """As `arrays`, but a view whose memory is not in order. A note in the report says how.

    It has gaps, is transposed or reversed, or is repeated (and read-only) as by `broadcast_to`.
    """
    values = _grid(np.dtype(dtype), low, high)

    def view(draw: DrawFn) -> Array:
        layout = draw(_one_of(*LAYOUTS))
        array = LAYOUTS[layout](_filled(draw, shape, values))
        note(f"An array of shape {array.shape} is {layout}, with strides {array.strides}.")
        return array

    return _drawn(view)


def _with_gaps(a: Array) -> Array:
    return np.repeat(a[..., None], 2, axis=-1)[..., 0]


def _transposed(a: Array) -> Array:
    return np.asfortranarray(a) if a.ndim > 1 else _with_gaps(a)


def _reversed(a: Array) -> Array:
    return np.flip(np.flip(a).copy())


def _repeated(a: Array) -> Array:
    return np.broadcast_to(a[:1], a.shape) if a.ndim and a.shape[0] else _with_gaps(a)


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "a view with gaps": _with_gaps,
    "a transposed view": _transposed,
    "a reversed view": _reversed,
    "a repeated, read-only view": _repeated,
}


# Numbers ------------------------------------------------------------------------------------------------


def numbers(low: float = -2, high: float = 2) -> SearchStrategy[float]:
    """A Python float: a multiple of 1/4 from `low` to `high`."""
    return _integers(round(low * 4), round(high * 4)).map(lambda k: k / 4)


def dims(ndim: int) -> SearchStrategy[int]:
    """An axis of an array of `ndim` axes, counted from the front or, negative, from the back."""
    return st.sampled_from([*range(ndim), *range(-ndim, 0)])


# Drawing ------------------------------------------------------------------------------------------------


@st.composite
def _drawn(draw: DrawFn, function: Callable[[DrawFn], T]) -> T:
    """The strategy of what `function` makes of its draws. Defined once: a composite takes 0.5 ms to define."""
    return function(draw)


def _shape(draw: DrawFn, shape: ShapeLike) -> Shape:
    if isinstance(shape, SearchStrategy):
        return draw(shape)
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _grid(dtype: np.dtype[Any], low: float, high: float) -> Array:
    """The values that an array may hold."""
    if dtype.kind == "b":
        return np.array([False, True])
    steps = 4 if dtype.kind == "f" else 1
    return _simplest_first(np.arange(round(low * steps), round(high * steps) + 1) / steps).astype(dtype)


def _simplest_first(values: Array) -> Array:
    """0, 0.25, -0.25, 0.5 ...: hypothesis shrinks towards the first."""
    return np.array(sorted(values, key=lambda v: (abs(v), v < 0)))


def _filled(draw: DrawFn, shape: ShapeLike, values: Array) -> Array:
    """An array of `shape` of some of the `values`."""
    sides = _shape(draw, shape)
    width = 1 if len(values) <= 256 else 2
    index = np.frombuffer(draw(_bytes(width * math.prod(sides))), f">u{width}").astype(np.intp)
    return np.asarray(values[index % len(values)]).reshape(sides)


@cache
def _bytes(n: int) -> SearchStrategy[bytes]:
    return st.binary(min_size=n, max_size=n)


@cache
def _integers(low: int, high: int) -> SearchStrategy[int]:
    return st.integers(low, high)


@cache
def _one_of(*values: T) -> SearchStrategy[T]:
    return st.sampled_from(values)
