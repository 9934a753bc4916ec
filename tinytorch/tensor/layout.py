"""How an n-dimensional array lies in flat memory.

Memory has one dimension. An array of shape (2, 3) is six numbers in a row and a rule: entry [i, j] is number
3 * i + 1 * j. The factors (3, 1) are its strides. Broadcasting is the same rule with a stride of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Shape = tuple[int, ...]


def contiguous_strides(shape: Sequence[int]) -> Shape:
    """The strides of a row-major array, counted in elements, as `torch.Tensor.stride` counts them.

    The last axis moves by 1, and each axis before it by the size of everything behind it:
    (2, 3, 4) has strides (12, 4, 1), and () has ().

    Raises:
        ValueError: a side is negative; the message names the shape.
    """
    raise NotImplementedError("kata 02: contiguous_strides")


def flat_index(index: Sequence[int], shape: Sequence[int]) -> int:
    """The place of entry `index` in the flat memory of a row-major array of that shape: sum of index * stride.

    A negative index counts from the end of its axis, as in Python.

    Raises:
        IndexError: an index is outside its axis; the message names the index and the side. Or there are more or
            fewer indices than axes; the message names the shape.
    """
    raise NotImplementedError("kata 02: flat_index")


def broadcast_shapes(*shapes: Sequence[int]) -> Shape:
    """The shape that all `shapes` broadcast to (torch.broadcast_shapes).

    Shapes are aligned at the right. On each axis the sides must agree, or be 1, and a missing axis counts
    as 1: (2, 1) and (3,) give (2, 3). No shapes at all give ().

    Raises:
        ValueError: two sides differ and neither is 1. The message names the shapes.
    """
    raise NotImplementedError("kata 02: broadcast_shapes")


def sizes(args: tuple[Any, ...]) -> Shape:  # given
    """(2, 3) from both f(2, 3) and f((2, 3)), as PyTorch takes shapes."""
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
