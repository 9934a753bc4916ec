"""What hypothesis draws: shapes, and arrays of small readable numbers that shrink to smaller ones.

Values are multiples of 1/4, exact in every dtype, so sums come out without rounding and reports read well.
An array is one draw of bytes, however large it is: quick to draw, and it shrinks towards the first value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dojo.spec.device import Array

Shape = tuple[int, ...]
ShapeLike = Shape | int | SearchStrategy[Shape]


# Shapes -------------------------------------------------------------------------------------------------


def shapes(
    min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[Shape]:
    """One shape. A side of 0 is drawn now and then, not often: little can be wrong in an empty array."""
    side = _sides(min_side, max_side)
    return _integers(min_dims, max_dims).flatmap(lambda ndim: st.tuples(*[side] * ndim))


def broadcastable_shapes(
    n: int = 2, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[tuple[Shape, ...]]:
    """`n` shapes that broadcast together: one may lack the leading axes, and along each axis one may be 1."""

    def drawn(common: Shape) -> SearchStrategy[tuple[Shape, ...]]:
        stretched = st.tuples(*[_integers(0, n)] * len(common))  # by axis: which shape is 1 there; 0 is none
        short, missing = _integers(0, n), _integers(0, len(common) - min_dims)
        return st.tuples(stretched, short, missing).map(lambda choice: _stretched(common, n, *choice))

    return shapes(min_dims, max_dims, min_side, max_side).flatmap(drawn)


def _stretched(common: Shape, n: int, stretched: Shape, short: int, missing: int) -> tuple[Shape, ...]:
    found = []
    for k in range(1, n + 1):
        shape = tuple(1 if k == which else side for side, which in zip(common, stretched, strict=True))
        found.append(shape[missing:] if k == short else shape)
    return tuple(found)


def matmul_shapes(
    min_dims: int = 1, max_dims: int = 4, min_side: int = 0, max_side: int = 4
) -> SearchStrategy[tuple[Shape, Shape]]:
    """Two shapes that matmul takes: (..., m, k) and (..., k, n) whose leading axes broadcast.

    A vector, (k,), may stand for either; `min_dims=2` leaves vectors out.
    """

    def shaped(choice: tuple[Shape, tuple[Shape, ...], str]) -> tuple[Shape, Shape]:
        (m, k, n), (batch_a, batch_b), vectors = choice
        return (k,) if "a" in vectors else (*batch_a, m, k), (k,) if "b" in vectors else (*batch_b, k, n)

    sides = shapes(3, 3, min_side, max_side)
    batches = broadcastable_shapes(2, 0, max_dims - 2, min_side, max_side)
    vectors = st.sampled_from(["", "", "", "a", "b", "ab"] if min_dims < 2 else [""])
    return st.tuples(sides, batches, vectors).map(shaped)


# Arrays -------------------------------------------------------------------------------------------------


def arrays(
    shape: ShapeLike = (), dtype: Any = np.float32, low: float = -2, high: float = 2
) -> SearchStrategy[Array]:
    """An array of multiples of 1/4 from `low` to `high`, both included; of whole numbers, or of booleans,
    where the dtype is one of those. `shape` is a shape or a strategy that draws one."""
    values = _grid(np.dtype(dtype), low, high)
    return _shape(shape).flatmap(lambda drawn: _filled(drawn, values))


def arrays_of(
    shapes: SearchStrategy[tuple[Shape, ...]], dtype: Any = np.float32, low: float = -2, high: float = 2
) -> SearchStrategy[tuple[Array, ...]]:
    """One array for each of several shapes: `a, b` of `arrays_of(broadcastable_shapes(2))`."""
    values = _grid(np.dtype(dtype), low, high)
    return shapes.flatmap(lambda drawn: st.tuples(*[_filled(shape, values) for shape in drawn]))


def off_kinks(
    shape: ShapeLike = (), dtype: Any = np.float32, low: float = -2, high: float = 2
) -> SearchStrategy[Array]:
    """As `arrays`, but halfway between: 0.125, 0.375 and so on. None is on a kink at a multiple of 1/4, such
    as that of relu at 0 or of clamp at a bound, nor so near that a finite difference would step over it."""
    values = _simplest_first(np.arange(round(low * 4), round(high * 4)) / 4 + 0.125).astype(dtype)
    return _shape(shape).flatmap(lambda drawn: _filled(drawn, values))


def distinct(shape: ShapeLike = (), dtype: Any = np.float32) -> SearchStrategy[Array]:
    """An array without ties: a permutation of multiples of 1/4 about 0 (of whole numbers, for integers). For
    max, argmax and sort. Shrinks towards rising order."""
    step = 0.25 if np.dtype(dtype).kind == "f" else 1

    def permuted(drawn: Shape) -> SearchStrategy[Array]:
        size = math.prod(drawn)

        def array(raw: bytes) -> Array:
            rank = np.frombuffer(raw, ">u2").argsort(kind="stable").argsort()
            return ((rank - size // 2) * step).astype(dtype).reshape(drawn)

        return _bytes(2 * size).map(array)

    return _shape(shape).flatmap(permuted)


def strided(
    shape: ShapeLike = (), dtype: Any = np.float32, low: float = -2, high: float = 2
) -> SearchStrategy[Array]:
    """As `arrays`, but a view whose memory is not in order: with gaps, transposed, reversed, or repeated (and
    read-only) as `broadcast_to` makes it. A note in the report says which."""

    def view(drawn: tuple[Array, str]) -> Array:
        array, layout = LAYOUTS[drawn[1]](drawn[0]), drawn[1]
        note(f"An array of shape {array.shape} is {layout}, with strides {array.strides}.")
        return array

    return st.tuples(arrays(shape, dtype, low, high), st.sampled_from(list(LAYOUTS))).map(view)


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


def _shape(shape: ShapeLike) -> SearchStrategy[Shape]:
    if isinstance(shape, SearchStrategy):
        return shape
    return st.just((shape,) if isinstance(shape, int) else tuple(shape))


def _grid(dtype: np.dtype[Any], low: float, high: float) -> Array:
    """The values that an array may hold."""
    if dtype.kind == "b":
        return np.array([False, True])
    steps = 4 if dtype.kind == "f" else 1
    return _simplest_first(np.arange(round(low * steps), round(high * steps) + 1) / steps).astype(dtype)


def _simplest_first(values: Array) -> Array:
    """0, 0.25, -0.25, 0.5 ...: hypothesis shrinks towards the first."""
    return np.array(sorted(values, key=lambda v: (abs(v), v < 0)))


def _filled(shape: Shape, values: Array) -> SearchStrategy[Array]:
    """An array of `shape` of some of the `values`."""
    width = 1 if len(values) <= 256 else 2

    def array(raw: bytes) -> Array:
        index = np.frombuffer(raw, f">u{width}")
        return np.asarray(values[index % len(values)]).reshape(shape)

    return _bytes(width * math.prod(shape)).map(array)


@cache
def _bytes(n: int) -> SearchStrategy[bytes]:
    return st.binary(min_size=n, max_size=n)


@cache
def _integers(low: int, high: int) -> SearchStrategy[int]:
    return st.integers(low, high)


@cache
def _sides(low: int, high: int) -> SearchStrategy[int]:
    if low > 0 or high == 0:
        return st.integers(low, high)
    return st.sampled_from([*range(1, high + 1)] * 3 + [0])
