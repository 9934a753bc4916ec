"""What a computation has to do, counted and not measured: multiplications, additions, and bytes.

A count is exact, and the same on every machine. Products of matrices are counted as operations, because nothing else
comes near them; everything is counted as bytes. The dispatcher shows each operation to its observers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tinytorch.dispatch import Event, disabled, observers
from tinytorch.setup import get_array_module, matmul_flops

Observer = Callable[[Event, Callable[[], Any]], Any]
"""Called for each operation as observer(event, run); it calls run() and returns the result."""


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Inside `with observing(observer):` the dispatcher shows it each operation; after it, or an error, none."""
    observers.append(observer)
    try:
        yield
    finally:
        observers.remove(observer)


def flops(event: Event, result: Any) -> int:
    """The additions and multiplications of an operation; only products of matrices count (torch.utils.flop_counter).

    The primitive "bmm" multiplies event.args, (..., n, k) and (..., k, m), a pair for each of the leading axes of the
    result: matmul_flops(n, k, m) each. The rule of kind "rule" and name "bmm" has the arguments (gradient, a, b, ...)
    and gives a gradient or None for each of a and b; each gradient is a product of as many operations. All others
    have 0.
    """
    if event.name != "bmm" or event.kind not in ("primitive", "rule"):
        return 0
    a, b = event.args if event.kind == "primitive" else event.args[1:3]
    out = result if event.kind == "primitive" else event.args[0]
    products = 1 if event.kind == "primitive" else sum(each is not None for each in result)
    return products * math.prod(out.shape[:-2]) * matmul_flops(a.shape[-2], a.shape[-1], b.shape[-1])


def bytes_moved(event: Event, result: Any) -> int:
    """The bytes of the arrays that an operation reads and of those that it writes.

    It reads the arrays among event.args. It writes what it returns, an array or a tuple of arrays and None, except
    what shares memory with an argument: that is a view. If it writes nothing, it reads nothing either. A kernel has 0:
    what it calls is counted. An array is what has `nbytes`: a GPU's array and NumPy's single number too.
    """
    if event.kind == "kernel":
        return 0
    read = [each for each in event.args if hasattr(each, "nbytes")]
    results = [each for each in (result if isinstance(result, tuple) else (result,)) if each is not None]
    share = get_array_module(*read).may_share_memory
    written = [each for each in results if not any(share(each, given) for given in read)]
    return sum(each.nbytes for each in (*read, *written)) if written else 0


class Counts(NamedTuple):
    """What `count` found."""

    flops: int
    bytes: int


def count(function: Callable[[], Any]) -> Counts:
    """The flops and the bytes of all operations in a call of `function` (torch.utils.flop_counter.FlopCounterMode).

    No kernels are called meanwhile (`disabled`): a kernel computes what its composition computes, and the composition
    is made of operations that can be counted.
    """
    total = {"flops": 0, "bytes": 0}

    def add(event: Event, run: Callable[[], Any]) -> Any:
        result = run()
        total["flops"] += flops(event, result)
        total["bytes"] += bytes_moved(event, result)
        return result

    with disabled(), observing(add):
        function()
    return Counts(**total)
