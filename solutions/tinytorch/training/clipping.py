"""Clipping: one batch in a thousand has a gradient a thousand times too large, and one such step undoes an hour."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator

import numpy as np

from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients together, in place, to a norm of at most `max_norm` (torch.nn.utils.clip_grad_norm_).

    Returns the norm before that, a 0-d Tensor. It is the norm of all entries of all gradients as one vector:
    (sum |g| ** p) ** (1 / p), or the largest |g| for p = inf, where p is `norm_type`. It is added up in float64,
    because squares overflow in float32, and returned in the gradients' dtype. Each gradient is multiplied by
    min(1, max_norm / (norm + 1e-6)): with one common factor the direction stays (Pascanu et al., 2013).

    Parameters without a gradient do not count; if no gradient exists, the norm is 0. Where the norm is infinite the
    factor is 0. Where it is nan the factor is nan, and every gradient becomes nan. An iterator that gives no
    parameter, such as a generator that is used up, gives a UserWarning.

    Raises:
        ValueError: `max_norm` is negative, or `norm_type` not positive; the message names the value.
        RuntimeError: the norm is nan or infinite, with `error_if_nonfinite`; the message names it. No gradient is
            changed then.
    """
    if not max_norm >= 0:
        raise ValueError(f"max_norm must not be negative, got {max_norm}")
    if not norm_type > 0:
        raise ValueError(f"norm_type must be positive, got {norm_type}")
    grads = _gradients(parameters)
    if not grads:
        return Tensor(np.zeros((), np.float32))
    xp = get_array_module(*(grad.data for grad in grads))
    entries = xp.concatenate(
        [xp.zeros(1), *(abs(grad.data).ravel() for grad in grads)]
    )  # float64, never empty
    norm = entries.max() if norm_type == np.inf else (entries**norm_type).sum() ** (1 / norm_type)
    if error_if_nonfinite and not np.isfinite(float(norm)):
        raise RuntimeError(f"the norm of the gradients is {float(norm)}: they cannot be clipped")
    factor = xp.minimum(max_norm / (norm + 1e-6), 1.0)
    for grad in grads:
        grad.data *= factor
    return Tensor(xp.asarray(norm)).to(grads[0].dtype)  # which may be too narrow: infinite, without a warning


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every entry of every gradient, in place, to -clip_value ... clip_value (torch.nn.utils.clip_grad_value_).

    The direction of the gradient may change. A used-up iterator gives a UserWarning, as in clip_grad_norm_.

    Raises:
        ValueError: `clip_value` is negative; the message names it.
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_value must not be negative, got {clip_value}")
    for grad in _gradients(parameters):
        grad.copy_(grad.detach().clamp(-clip_value, clip_value))


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    params = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if isinstance(parameters, Iterator) and not params:
        warnings.warn(
            "no parameter was given, so nothing is clipped: is the generator used up?", stacklevel=3
        )
    return [each.grad for each in params if each.grad is not None]
