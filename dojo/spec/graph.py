"""Whether a function on Tensors is made of primitives, so that a tape could follow it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def assert_followed(
    observers: list[Callable[..., Any]], function: Callable[..., Any], *tensors: Any, what: str
) -> None:
    """Check that each result of `function(*tensors)` is computed from `tensors` by primitives alone.

    `observers` is the list of the dispatcher. Results of 0 dimensions are scalars to it: choose inputs that
    give at least one axis.
    """
    __tracebackhide__ = True
    met = [tensor.data for tensor in tensors]  # held here, so that no id comes twice
    reached = {id(array) for array in met}

    def follow(event: Any, proceed: Callable[[], Any]) -> Any:
        result = proceed()
        met.append(result)
        if any(id(array) in reached for array in event.args):
            reached.add(id(result))
        return result

    observers.append(follow)
    try:
        results = function(*tensors)
    finally:
        observers.remove(follow)
    for result in results if isinstance(results, tuple) else (results,):
        if id(result.data) not in reached:
            raise AssertionError(
                f"the way from x to {what} leaves the primitives: somewhere an array is computed by hand and "
                "wrapped, Tensor(...), which no gradient can follow; call functions on Tensors instead"
            )
