"""Memory is time: a pool that lends the memory of arrays that nobody uses any more.

A large array that dies gives its memory back to the operating system. The next one gets fresh pages, and for each of
them the processor stops: a page fault. A training step makes and drops the same arrays again and again, so the faults
of one step can cost more than any of its operations. The pool keeps the memory and lends it again.

It must never lend what somebody still reads. Python knows who that is: a view refers to the array that it was taken
from, so an array dies when neither it nor a view of it can be reached. `weakref.finalize` tells the pool, and no
earlier: then the memory is free.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import defaultdict
from typing import Any

import numpy as np

from tinytorch.dispatch import Array

SMALL = 1 << 16
"""Arrays of fewer bytes come from NumPy: its own heap serves them without page faults, and quicker than a pool."""

IDLE = 1 << 28
"""Before a new block is made, blocks that nobody uses are given up if they have more bytes than this in all."""


class Pool(threading.local):  # given
    """The blocks of this thread that nobody uses, by their size in bytes. Each thread has a pool of its own.

    Only its own thread takes blocks out. Any thread may drop an array, and so put its block back: appending to a list
    is safe between threads.
    """

    def __init__(self) -> None:  # given
        self.free: defaultdict[int, list[bytearray]] = defaultdict(list)


pool = Pool()


def rounded(nbytes: int) -> int:
    """The size of the block for an array of `nbytes` bytes: the next larger one of eight sizes in each doubling.

    With b the number of bits of nbytes, it is the next multiple of 2 ** (b - 4): 100,000 gives 106,496, and 65,536 is
    one of the sizes itself. So at most an eighth is wasted, and arrays of nearly the same size can share a block.
    """
    step = 1 << (nbytes.bit_length() - 4)
    return -(-nbytes // step) * step


def empty_cache() -> None:
    """Give up every block of this thread's pool that nobody uses (torch.cuda.empty_cache)."""
    for blocks in pool.free.values():
        blocks.clear()


def empty(shape: int | tuple[int, ...], dtype: Any = np.float32) -> Array:
    """An array of `shape` and `dtype` with arbitrary entries, as numpy.empty: its memory is lent by the pool.

    Of fewer bytes than SMALL, it is numpy.empty itself. Otherwise its memory is a free block of `rounded` size, or a
    new bytearray. When the array and all its views are gone, weakref.finalize(array, ...) puts the block back, but not
    when the program ends, as it may still be read then: its `atexit` is False. Before a new block is made, the free
    ones are given up if they hold more than IDLE bytes.
    """
    dtype = np.dtype(dtype)
    nbytes = dtype.itemsize * (shape if isinstance(shape, int) else math.prod(shape))
    if nbytes < SMALL:
        return np.empty(shape, dtype)
    size = rounded(nbytes)
    blocks = pool.free[size]
    if not blocks and sum(each * len(free) for each, free in pool.free.items()) > IDLE:
        empty_cache()
    block = blocks.pop() if blocks else bytearray(size)
    array: Array = np.ndarray(shape, dtype, buffer=block)
    weakref.finalize(array, blocks.append, block).atexit = False
    return array
