"""A fast version beside the simple one that it takes the place of: values, gradients, warnings, and memory."""

from __future__ import annotations

import inspect
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from dojo.spec.close import assert_close, unchanged
from dojo.spec.device import Array
from dojo.spec.errors import no_warnings

ROUNDING = {"float32": 2e-5, "float64": 1e-11}
"""What two orders of adding up may differ by, relative to the largest entry."""


def channels_last(array: Array) -> Array:
    """(N, C, H, W) with the same entries, whose C channels are neighbours in memory."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def check_kernel(
    tensor: Callable[..., Any],
    disabled: Callable[[], AbstractContextManager[None]],
    kernel: Any,
    function: Callable[..., Any],
    *inputs: Any,
    **options: Any,
) -> None:
    """Check that `kernel.apply` gives what `function` gives `with disabled():`, and the same gradients.

    Arrays among `inputs` become Tensors in the order of memory that they have; the upstream gradient, random, has that
    of the result. The kernel gets every argument by position, gives no warning, and changes no input.
    """
    __tracebackhide__ = True
    bound = inspect.signature(function).bind(*inputs, **options)
    bound.apply_defaults()
    arrays = [each for each in bound.args if isinstance(each, np.ndarray)]
    with disabled(), np.errstate(all="ignore"):
        expected = _with_gradients(tensor, function, bound.args)
    with unchanged(*arrays), no_warnings():
        actual = _with_gradients(tensor, kernel.apply, bound.args)
    names = [name for name, each in bound.arguments.items() if isinstance(each, np.ndarray)]
    for name, mine, right in zip(["the result", *names], actual, expected, strict=True):
        what = name if name == "the result" else f"the gradient of {name}"
        if right is None:
            assert mine is None, f"{what} is there, and the simple version has none"
        else:
            largest = np.abs(right, where=np.isfinite(right), out=np.zeros(right.shape)).max(initial=0.0)
            rounding = ROUNDING[str(right.dtype)]
            assert_close(mine, right, what, rtol=rounding, atol=rounding * largest)


def _with_gradients(
    tensor: Callable[..., Any], function: Callable[..., Any], args: tuple[Any, ...]
) -> list[Array | None]:
    """The result, and the gradient of each array among `args`, None for those that are not floating point."""
    __tracebackhide__ = True
    given = [
        tensor(each, requires_grad=each.dtype.kind == "f") if isinstance(each, np.ndarray) else each
        for each in args
    ]
    out = function(*given)
    if out is NotImplemented:
        raise AssertionError(
            "the kernel handed this back, and should compute it: forward returned NotImplemented"
        )
    upstream = np.empty_like(out.data)
    upstream[...] = np.random.default_rng(0).standard_normal(out.shape)
    out.backward(tensor(upstream))
    leaves = [each for each, arg in zip(given, args, strict=True) if isinstance(arg, np.ndarray)]
    return [out.data, *(None if each.grad is None else each.grad.data for each in leaves)]


def peak(function: Callable[[], Any]) -> int:
    """The most bytes that were allocated at any time while `function()` ran, beyond those at its start."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
