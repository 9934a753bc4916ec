"""What a computation has to do, counted and not measured: multiplications, additions, and bytes.

A count is exact, and the same on every machine. Products of matrices are counted as operations, because nothing else
comes near them; everything is counted as bytes. The dispatcher shows each operation to its observers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tinytorch.dispatch import Event

Observer = Callable[[Event, Callable[[], Any]], Any]
"""Called for each operation as observer(event, run); it calls run() and returns the result."""


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Inside `with observing(observer):` the dispatcher shows it each operation; after it, or an error, none."""
    raise NotImplementedError("kata 19: observing")


def flops(event: Event, result: Any) -> int:
    """The additions and multiplications of an operation; only products of matrices count (torch.utils.flop_counter).

    The primitive "bmm" multiplies event.args, (..., n, k) and (..., k, m), a pair for each of the leading axes of the
    result: matmul_flops(n, k, m) each. The rule of kind "rule" and name "bmm" has the arguments (gradient, a, b, ...)
    and gives a gradient or None for each of a and b; each gradient is a product of as many operations. All others
    have 0.
    """
    raise NotImplementedError("kata 19: flops")


def bytes_moved(event: Event, result: Any) -> int:
    """The bytes of the arrays that an operation reads and of those that it writes.

    It reads the arrays among event.args. It writes what it returns, an array or a tuple of arrays and None, except
    what shares memory with an argument: that is a view. If it writes nothing, it reads nothing either. A kernel has 0:
    what it calls is counted. An array is what has `nbytes`: a GPU's array and NumPy's single number too.
    """
    raise NotImplementedError("kata 19: bytes_moved")


class Counts(NamedTuple):
    """What `count` found."""

    flops: int
    bytes: int


def count(function: Callable[[], Any]) -> Counts:
    """The flops and the bytes of all operations in a call of `function` (torch.utils.flop_counter.FlopCounterMode).

    No kernels are called meanwhile (`disabled`): a kernel computes what its composition computes, and the composition
    is made of operations that can be counted.
    """
    raise NotImplementedError("kata 19: count")
