"""Check a gradient: compare it with finite differences (torch.autograd.gradcheck)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinytorch.autograd.tape import grad, no_grad
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
    x = inputs[place].data
    result = np.zeros(x.shape)
    with no_grad():
        for index in np.ndindex(x.shape):
            before = x[index].copy()
            values = []
            try:
                for step in (eps, -eps):
                    x[index] = before + step
                    values.append((cotangent * function(*inputs).data).sum().item())
            finally:
                x[index] = before
            result[index] = (values[0] - values[1]) / (2 * eps)
    return result


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
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    places = [i for i, each in enumerate(inputs) if isinstance(each, Tensor) and each.requires_grad]
    if not places:
        raise ValueError("gradcheck needs an input that requires grad")
    for place in places:
        if inputs[place].dtype != np.float64:
            raise ValueError(f"gradcheck needs float64 inputs, input {place} is {inputs[place].dtype}")
    output = function(*inputs)
    cotangent = np.random.default_rng(0).uniform(0.5, 1.5, output.shape)
    analytic = grad(output, [inputs[i] for i in places], Tensor(cotangent), allow_unused=True)
    for place, gradient in zip(places, analytic, strict=True):
        numeric = numerical_gradient(function, inputs, place, cotangent, eps)
        mine = np.zeros_like(numeric) if gradient is None else gradient.data
        if not np.allclose(mine, numeric, rtol, atol):
            if not raise_exception:
                return False
            worst = np.abs(mine - numeric).max()
            raise GradcheckError(f"the gradient for input {place} is off by up to {worst:.3g}")
    return True
