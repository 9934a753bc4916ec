"""How to add up without losing digits. Given, because NumPy's own sum loses them.

Along a leading axis NumPy adds one row after the other. Each addition rounds, and a large total swallows small rows: of
ones(20_000_000, 2) the float32 sum along axis 0 is 16,777,216. float16 gets no further than 2048. PyTorch adds in
blocks, and float16 in float32, and so does everything here.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinytorch import dispatch
from tinytorch.dispatch import Array
from tinytorch.tensor.promotion import float16, float32, float64, int64

F = TypeVar("F", bound=Callable[..., Any])

BLOCK = 64
"""How many rows are added one after the other: up to here the rounding of float32 stays below 1e-6."""

SMALL = 8192
"""Up to this many entries, float64 costs almost nothing."""


def add_up(a: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:  # given
    """The sum over one axis, several, or all of them, as `a.sum(axis, keepdims=keepdims)`, but accurate.

    float32 and float16 give their own dtype, exact to 1e-6 and 1e-3 of the sum of the absolute values, however many
    there are. Integers and booleans add up in int64.
    """
    if a.dtype.kind != "f":
        return a.sum(axis=axis, keepdims=keepdims, dtype=int64)
    if a.itemsize == 2:
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            return add_up(a.astype(float32), axis, keepdims).astype(float16)
    if a.size <= BLOCK or a.itemsize >= 8:
        return a.sum(axis=axis, keepdims=keepdims)
    on_cpu = isinstance(a, np.ndarray)
    if (
        on_cpu and axis in (None, -1, a.ndim - 1) and a.flags.c_contiguous
    ):  # dense rows: NumPy adds them in pairs
        return a.sum(axis=axis, keepdims=keepdims)
    if a.size <= SMALL or not on_cpu:  # a GPU adds in float64 as fast as it reads
        return a.sum(axis=axis, keepdims=keepdims, dtype=float64).astype(float32)
    axes = range(a.ndim) if axis is None else normalize_axis_tuple(axis, a.ndim)
    if math.prod([a.shape[each] for each in axes]) <= BLOCK:
        return a.sum(axis=axis, keepdims=keepdims)
    kept = [side for each, side in enumerate(a.shape) if each not in axes]
    shape = [1 if each in axes else side for each, side in enumerate(a.shape)] if keepdims else kept
    return _add_up_axes(a, axes).reshape(shape)


def _add_up_axes(a: Array, axes: Collection[int]) -> Array:  # given
    """The sum over `axes`. Axes that are neighbours are summed as one."""
    sides: list[int] = []
    places: list[int] = []  # of the axes to reduce, among `sides`
    for axis, side in enumerate(a.shape):
        if axis in axes and places and places[-1] == len(sides) - 1:
            sides[-1] *= side
        else:
            places += [len(sides)] if axis in axes else []
            sides.append(side)
    total = a.reshape(sides)
    for place in reversed(places):
        total = _add_up_axis(total, place)
    return total


def _add_up_axis(a: Array, axis: int) -> Array:  # given
    """The sum over one axis: blocks of rows in the dtype of `a`, and the blocks in float64."""
    n = a.shape[axis]
    dense = 0 < abs(a.strides[axis]) == min(map(abs, a.strides))
    if n <= BLOCK or dense:  # the entries are neighbours in memory: NumPy adds them in pairs
        return a.sum(axis=axis)
    before, whole = (slice(None),) * axis, n - n % BLOCK
    rows = a[(*before, slice(whole))].reshape(*a.shape[:axis], -1, BLOCK, *a.shape[axis + 1 :])
    rest = a[(*before, slice(whole, None))]
    blocks = rows.sum(axis=axis + 1).astype(float64)
    return (blocks.sum(axis=axis) + rest.sum(axis=axis)).astype(a.dtype)


def at_least_float32(function: F) -> F:  # given
    """Let a function work in float32 where its first argument is float16; the result is float16 again.

    That argument is a Tensor or an array. What the function squares, adds up and divides by a count then neither
    overflows nor rounds to 0.
    """
    first = next(iter(inspect.signature(function).parameters))

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        x = args[0] if args else kwargs.get(first)
        if getattr(x, "dtype", None) != float16:
            return function(*args, **kwargs)
        if args:
            return _cast(function(_cast(x, float32), *args[1:], **kwargs), float16)
        return _cast(function(**{**kwargs, first: _cast(x, float32)}), float16)

    return call  # type: ignore[return-value]


@np.errstate(over="ignore")
def _cast(x: Any, dtype: Any) -> Any:  # given
    return x.to(dtype) if isinstance(x, dispatch.tensor_type) else x.astype(dtype)
