"""Why a library multiplies matrices faster than three loops do, though it does the same additions.

A processor computes faster than memory answers. Between the two lies the cache. It keeps what was used last, in lines
of neighbours: who asks for a number gets the whole line, and what has fallen out of the cache is fetched again. How
many lines are fetched depends on the order of the loops alone, and it decides how fast a product can be.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol

from tinytorch.dispatch import Array


class Matrix(Protocol):
    """What the loops need of a matrix: an array, or a Counted one. A slice of it is a view."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # given

    def __getitem__(self, index: Any) -> Any: ...  # given

    def __setitem__(self, index: Any, value: Any) -> None: ...  # given


class Cache:  # given
    """A toy cache: it keeps the `lines` lines that were used last, and counts those that had to be fetched."""

    def __init__(self, lines: int = 64, line: int = 8) -> None:  # given
        self.lines = lines
        self.line = line  # numbers in a line
        self.kept: OrderedDict[tuple[int, int], None] = OrderedDict()
        self.fetched = 0

    def touch(self, memory: int, place: int) -> None:  # given
        """Somebody reads or writes the number at a place of a memory."""
        key = memory, place // self.line
        if key in self.kept:
            self.kept.move_to_end(key)
            return
        self.fetched += 1
        self.kept[key] = None
        if len(self.kept) > self.lines:
            self.kept.popitem(last=False)


class Counted:  # given
    """A matrix whose numbers go through a Cache: m[i, j], m[i, j] = x, and views m[i0:i1, j0:j1]."""

    def __init__(
        self, array: Array, cache: Cache, corner: tuple[int, int] = (0, 0), width: int = 0
    ) -> None:  # given
        self.array = array
        self.cache = cache
        self.corner = corner
        self.width = width or array.shape[1]  # of the whole matrix, whose rows lie one after the other
        self.memory = id(array if array.base is None else array.base)

    @property
    def shape(self) -> tuple[int, ...]:  # given
        return self.array.shape

    def _touch(self, index: tuple[int, int]) -> None:  # given
        row, column = self.corner[0] + index[0], self.corner[1] + index[1]
        self.cache.touch(self.memory, row * self.width + column)

    def __getitem__(self, index: Any) -> Any:  # given
        if isinstance(index[0], slice):
            rows, columns = index
            corner = self.corner[0] + (rows.start or 0), self.corner[1] + (columns.start or 0)
            return Counted(self.array[index], self.cache, corner, self.width)
        self._touch(index)
        return self.array[index]

    def __setitem__(self, index: tuple[int, int], value: Any) -> None:  # given
        self._touch(index)
        self.array[index] = value


def add_product(a: Matrix, b: Matrix, out: Matrix) -> None:
    """Add a @ b to `out`: (n, k), (k, m), (n, m). Three loops, one multiplication at a time, as on paper.

    Read and write single numbers only, `a[i, k]`: they are counted. Keep the sum of products of one entry in a
    variable, and write each entry of `out` once.
    """
    raise NotImplementedError("kata 15: add_product")


def add_product_in_blocks(a: Matrix, b: Matrix, out: Matrix, block: int) -> None:
    """Add a @ b to `out`, block by block: what three blocks of block * block numbers need fits into the cache.

    A product of matrices of blocks is a product as any other: block (i, j) of `out` gets the sum over k of block (i, k)
    of a times block (k, j) of b, and add_product multiplies two blocks. Slices, a[i0:i1, k0:k1], are views. The last
    blocks may be smaller.

    Raises:
        ValueError: block is below 1; the message names it.
    """
    raise NotImplementedError("kata 15: add_product_in_blocks")
