"""Checking the backward rule of a primitive without a tape: it gets what its parameter names ask for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from dojo.spec.close import assert_close
from dojo.spec.device import Array, to_numpy
from dojo.spec.gradients import fitted, gradcheck


def check_rule(op: Any, rule: Callable[..., Any], *inputs: Any, **params: Any) -> None:
    """Check with gradcheck that `rule` is the gradient of `op`, a Primitive of the dispatcher, at `inputs`.

    The rule may name what the dispatcher offers, and may leave broadcasting to the tape. For arrays whose memory is
    not in order it must give the same.
    """
    __tracebackhide__ = True

    def forward(*arrays: Array) -> Any:
        return op.compute(*arrays, **params)

    def backward(grad: Array, *arrays: Array) -> Any:
        result = rule(grad, *_asked_for(op, rule, arrays, params))
        if isinstance(result, tuple) and len(result) == len(arrays):
            return tuple(map(_fitted, result, arrays))
        return result if isinstance(result, tuple) or len(arrays) > 1 else _fitted(result, arrays[0])

    gradcheck(forward, backward, *inputs, names=None if op.variadic else op.inputs)

    arrays = [to_numpy(each) for each in inputs]
    upstream = np.random.default_rng(1).standard_normal(np.shape(forward(*arrays)))
    orderly, gaps = (backward(*map(lie, (np.asarray(upstream), *arrays))) for lie in (np.array, _with_gaps))
    for each, other in zip(_several(orderly), _several(gaps), strict=True):
        if each is not None:
            assert_close(
                other, to_numpy(each), "where the arrays are views with gaps in memory, the gradient"
            )


def _asked_for(
    op: Any, rule: Callable[..., Any], arrays: tuple[Array, ...], params: dict[str, Any]
) -> list[Any]:
    """The values that the parameters of `rule` after the gradient ask for."""
    known: dict[str, Any] = {**op.defaults, **params}
    known["output_mask"] = [each.dtype.kind == "f" for each in arrays]
    known["out"] = np.asarray(op.compute(*arrays, **params))
    if op.variadic:
        known[f"{op.inputs[0]}_shape"] = [each.shape for each in arrays]
    else:
        known |= dict(zip(op.inputs, arrays, strict=True))
        known |= {f"{name}_shape": each.shape for name, each in zip(op.inputs, arrays, strict=True)}
    return [known[name] for name in list(inspect.signature(rule).parameters)[1:]]


def _fitted(gradient: Any, like: Array) -> Any:
    return None if gradient is None else fitted(gradient, like.shape)


def _with_gaps(array: Array) -> Array:
    return np.repeat(array[..., None], 2, axis=-1)[..., 0]


def _several(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)
