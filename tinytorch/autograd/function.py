"""Operations whose backward is written by hand (torch.autograd.Function)."""

from __future__ import annotations

from typing import Any

from tinytorch.dispatch import Array
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
        raise NotImplementedError("kata 07: Context.save_for_backward")


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
        raise NotImplementedError("kata 07: Function.apply")
