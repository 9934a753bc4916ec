"""Operations with a backward of your own (torch.autograd.Function)."""

from __future__ import annotations

from typing import Any

from tinytorch.dispatch import Array
from tinytorch.tensor import Tensor


class Context:
    """What a Function's forward leaves for its backward; attributes of any name may be set on it.

    `needs_input_grad` says of each argument of `apply` whether a gradient is wanted. `saved_tensors` holds the arrays
    that forward gave to `save_for_backward`.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:  # given
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Array, ...] = ()

    def save_for_backward(self, *arrays: Array) -> None:
        """Keep inputs, the output, or views of them, as `saved_tensors`: backward will notice changes in place."""
        raise NotImplementedError("kata 07: Context.save_for_backward")


class Function:
    """An operation whose gradient is written by hand (torch.autograd.Function).

    A subclass writes two static methods, both on arrays; `MyFunction.apply(...)` calls it on Tensors.
    """

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Array:  # given
        """The output from the arguments of `apply`, with arrays in the place of Tensors. Each subclass writes it."""
        raise NotImplementedError("a Function needs a forward(ctx, ...): write it in your subclass")

    @staticmethod
    def backward(ctx: Context, grad: Array) -> Any:  # given
        """A gradient for each argument of `apply`, None where there is none to give. Each subclass writes it."""
        raise NotImplementedError("a Function needs a backward(ctx, grad): write it in your subclass")

    @classmethod
    def apply(cls, *args: Any) -> Tensor:
        """Call forward, through `observed("function", name, forward, ctx, ...)`, and record the call as one Node.

        The Node is called as the class is. Its rule is backward, with ctx. Where forward gives an input back, or a
        view of it, the output shares its `_version`.

        Raises:
            TypeError: forward gave a Tensor, or something without a dtype; the message holds its type. NumPy's scalars,
                which it makes of 0-d arrays, are welcome.
            RuntimeError (when the rule is called): backward gave another number of gradients than apply was given
                arguments; the message holds both numbers.
        """
        raise NotImplementedError("kata 07: Function.apply")
