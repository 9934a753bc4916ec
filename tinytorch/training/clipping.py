"""One batch in a thousand has a gradient a thousand times too large, and one step of it undoes an hour."""

from __future__ import annotations

from collections.abc import Iterable

from tinytorch.tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients together, in place, so that their norm is at most `max_norm`
    (torch.nn.utils.clip_grad_norm_; Pascanu et al., 2013). Returns the norm before that, a 0-d Tensor.

    The norm is that of all entries of all gradients as one vector: (sum |g| ** p) ** (1 / p), or the largest |g|
    for p = inf, where p is `norm_type`. It is added up in float64, because squares overflow in float32, and
    returned in the gradients' dtype. Each gradient is multiplied by min(1, max_norm / (norm + 1e-6)). One common
    factor: the direction stays. Parameters without a gradient do not count; with none at all the norm is 0. Where the
    norm is infinite the factor is 0, and where it is nan the factor is nan, and so is every gradient afterwards.
    An iterator that gives no parameter, such as a generator that is used up, is worth a UserWarning.

    Raises:
        ValueError: `max_norm` is negative, or `norm_type` not positive; the message holds it.
        RuntimeError: the norm is nan or infinite, under `error_if_nonfinite`; the message holds it. No gradient is
            changed then.
    """
    raise NotImplementedError("kata 08: clip_grad_norm_")


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Move every entry of every gradient, in place, to between -clip_value and clip_value
    (torch.nn.utils.clip_grad_value_). The direction changes. A used-up iterator is a UserWarning, as above.

    Raises:
        ValueError: `clip_value` is negative; the message holds it.
    """
    raise NotImplementedError("kata 08: clip_grad_value_")
