"""Check a gradient: compare it with finite differences (torch.autograd.gradcheck)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinytorch.dispatch import Array
from tinytorch.tensor import Tensor


class GradcheckError(RuntimeError):
    """A gradient does not agree with finite differences (torch.autograd.gradcheck.GradcheckError)."""


def numerical_gradient(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], place: int, cotangent: Array, eps: float = 1e-6
) -> Array:
    """The gradient of sum(cotangent * function(*inputs)) for inputs[place], by central differences.

    Each entry is moved by eps and by -eps, in place and without recording, and put back exactly as it was, after an
    error of `function` too: (f(x + eps) - f(x - eps)) / (2 * eps).
    """
    raise NotImplementedError("kata 07: numerical_gradient")


def gradcheck(
    function: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the gradients of `function(*inputs)` agree with finite differences (torch.autograd.gradcheck).

    The gradient for the output is random, so that every entry of it matters: ones would miss a rule that forgets it.
    An entry agrees if it differs by at most atol + rtol * its size; nan agrees with nothing. An input that gets no
    gradient has the gradient 0.

    Raises:
        ValueError: no input requires grad, or one that does is not float64 (other dtypes are too coarse for
            differences); the message names its dtype.
        GradcheckError: a gradient does not agree; the message names the place among the inputs, and the largest
            difference. With `raise_exception=False`, False is returned instead.
    """
    raise NotImplementedError("kata 07: gradcheck")
