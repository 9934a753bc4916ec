"""Operations whose backward is written by hand (torch.autograd.Function)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinytorch.autograd.tape import Node, edges_to
from tinytorch.dispatch import Array, observed, observers, recording, wrap
from tinytorch.tensor import Tensor


class Context:
    """What a Function's forward leaves for its backward; attributes of any name may be set on it.

    `needs_input_grad` says for each argument of `apply` whether a gradient is wanted. `saved_tensors` holds the
    arrays that forward gave to `save_for_backward`.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:  # given
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Array, ...] = ()

    def save_for_backward(self, *arrays: Array) -> None:
        """Keep arrays (inputs, the output, or views) as `saved_tensors`; later changes in place are noticed."""
        self.saved_tensors = arrays


class Function:
    """An operation whose gradient is written by hand (torch.autograd.Function).

    A subclass writes two static methods, both on arrays; `MyFunction.apply(...)` calls it on Tensors.
    """

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Array:  # given
        """The output for the arguments of `apply`, with arrays instead of Tensors. Each subclass writes it."""
        raise NotImplementedError("a Function needs a forward(ctx, ...): write it in your subclass")

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:  # given
        """A gradient for each argument of `apply`, None where it has none. Each subclass writes it."""
        raise NotImplementedError("a Function needs a backward(ctx, grad): write it in your subclass")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """Call forward, through `observed("function", name, forward, ctx, ...)`, and record the call as one Node.

        The Node has the name of the class. Its rule is backward, with ctx. Where forward returns an input, or a view
        of it, the output shares the `_version` of that input. Where it returns NotImplemented, so does apply.

        Raises:
            TypeError: forward returned a Tensor, or something without a dtype; the message names its type. NumPy's
                scalars, which NumPy makes of 0-d arrays, are allowed.
            RuntimeError (when the rule is called): the number of gradients that backward returned is not the number
                of arguments of apply; the message names both numbers.
        """
        edges = edges_to(args) if recording() else []
        wanted = [place for place, *_ in edges]
        ctx = Context(tuple([place in wanted for place in range(len(args))]))
        arrays = [each.data if isinstance(each, Tensor) else each for each in args]
        if observers:
            result = observed("function", cls.__name__, cls.forward, ctx, *arrays)
        else:
            result = cls.forward(ctx, *arrays)
        if result is NotImplemented:
            return NotImplemented
        if isinstance(result, Tensor) or not hasattr(result, "dtype"):
            raise TypeError(
                f"the forward of {cls.__name__} works on arrays, and gave a {type(result).__name__}"
            )
        output = wrap(result)
        tensors = [each for each in args if isinstance(each, Tensor)]
        for each in tensors:
            if _share_memory(each.data, output.data):
                output._version = each._version  # forward gave an input back, or a view of it
        if edges and output.data.dtype.kind == "f":
            saved = [
                each
                for each in (*tensors, output)
                for array in ctx.saved_tensors
                if _share_memory(each.data, array)
            ]
            rule = partial(_gradients, cls, ctx, len(args))
            output.grad_fn = Node(cls.__name__, rule, edges, tensors=saved)
            output.requires_grad = True
        return output


def _share_memory(a: Array, b: Any) -> bool:
    """Whether two arrays may share memory. NumPy's own question takes ten times as long; only views need it."""
    return a is b or (
        (a.base is not None or getattr(b, "base", None) is not None) and np.may_share_memory(a, b)
    )


def _gradients(cls: type[Function], ctx: Context, count: int, grad: Array) -> tuple[Array | None, ...]:
    result = cls.backward(ctx, grad)
    gradients = result if isinstance(result, tuple) else (result,)
    if len(gradients) != count:
        raise RuntimeError(
            f"the backward of {cls.__name__} gave {len(gradients)} gradients, and apply had {count} arguments: give "
            "None where there is no gradient"
        )
    return gradients
