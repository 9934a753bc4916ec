"""Comparing the gradients that a tape finds with finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dojo.spec.device import Array
from dojo.spec.gradients import gradcheck, parameter_names


def check_tape(
    tensor: Callable[..., Any], function: Callable[..., Any], *inputs: Any, names: Sequence[str] | None = None
) -> None:
    """Check with gradcheck the gradients that `backward` finds for `function`, on Tensors, at `inputs`.

    `tensor` is the student's class Tensor. `names` are by default those of the function's parameters.
    """
    __tracebackhide__ = True
    gradcheck(
        lambda *arrays: function(*map(tensor, arrays)),
        through_the_tape(tensor, function),
        *inputs,
        names=names or parameter_names(function, len(inputs)),
    )


def through_the_tape(tensor: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """`backward(grad, *inputs)` of `function`, on arrays: the gradient of each floating-point input, else None."""

    def backward(grad: Array, *inputs: Array) -> tuple[Any, ...]:
        __tracebackhide__ = True
        leaves = [tensor(each, requires_grad=each.dtype.kind == "f") for each in inputs]
        out = function(*leaves)
        try:
            out.backward(tensor(grad))
        except RuntimeError as error:
            if out.requires_grad or isinstance(error, NotImplementedError):  # the skeleton's: no tape yet
                raise
            raise AssertionError(
                "the result is not recorded: was an array computed by hand and wrapped?"
            ) from error
        return tuple(leaf.grad for leaf in leaves)

    return backward
