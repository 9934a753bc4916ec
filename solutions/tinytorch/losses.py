"""How wrong a model is, in one number, and the gradient of that number by hand.

Every loss takes first what the model said, then what is true. `reduction` says what becomes of the losses of the
single entries: their "mean", their "sum", or "none", which returns them all.
"""

from __future__ import annotations

from tinytorch.activations import log_softmax, sigmoid, softplus
from tinytorch.dispatch import Array, accelerable
from tinytorch.layers import Buffer, Module
from tinytorch.setup import get_array_module
from tinytorch.tensor import (
    Tensor,
    abs,
    at_least_float32,
    broadcast_shapes,
    clamp,
    gather,
    ones,
    sum,
    unsqueeze,
    where,
)

REDUCTIONS = ("mean", "sum", "none")


# Regression ---------------------------------------------------------------------------------------------


@accelerable
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target) squared; both have the same shape (torch.nn.functional.mse_loss).

    Raises:
        ValueError: the shapes differ, or `reduction` is unknown; the message names both shapes, or the reduction. The
            same for every loss below.
    """
    _check_shapes(input, target)
    difference = input - target
    return _reduce(difference * difference, reduction)


@accelerable
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """abs(input - target) (torch.nn.functional.l1_loss)."""
    _check_shapes(input, target)
    return _reduce(abs(input - target), reduction)


@accelerable
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """The squared loss up to a distance of delta, and a straight line beyond (torch.nn.functional.huber_loss).

    With d = abs(input - target): d * d / 2 where d is below delta, delta * (d - delta / 2) above (Huber, 1964).
    With c = min(d, delta) both are c * (d - c / 2).

    Raises:
        ValueError: delta is not positive; the message names it.
    """
    if delta <= 0:
        raise ValueError(f"delta must be positive, got {delta}")
    _check_shapes(input, target)
    d = abs(input - target)
    c = clamp(d, max=delta)
    return _reduce(c * (d - 0.5 * c), reduction)


# Classification -----------------------------------------------------------------------------------------


@accelerable
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The loss of yes-or-no decisions, from logits (torch.nn.functional.binary_cross_entropy_with_logits).

    `target` has the shape of `input`, values from 0 to 1. `weight` multiplies each loss, `pos_weight` the term
    of target 1; both broadcast to the shape of `input`, or it is a ValueError that holds both shapes.
    """
    _check_shapes(input, target)
    for name, each in (("weight", weight), ("pos_weight", pos_weight)):
        if each is not None and broadcast_shapes(each.shape, input.shape) != input.shape:
            raise ValueError(
                f"{name} of shape {each.shape} does not broadcast to input of shape {input.shape}"
            )
    yes, no = softplus(-input), softplus(input)  # -log(p) and -log(1 - p)
    if pos_weight is not None:
        yes = yes * pos_weight
    loss = target * yes + (1 - target) * no
    return _reduce(loss if weight is None else loss * weight, reduction)


@accelerable
@at_least_float32
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input[n, target[n]]: the negative log-likelihood of the true class (torch.nn.functional.nll_loss).

    `input` holds log-probabilities, (N, C) or (N, C, d1, ...) or (C,); `target` class numbers, (N,) or
    (N, d1, ...) or (). `weight` (C,) has a weight for each class. Entries whose target is `ignore_index` do not
    count: their loss is 0. "mean" divides by the sum of the weights that counted.

    Raises:
        ValueError: the shapes of input and target do not fit, or `weight` has not one entry for each class; the message
            names both shapes.
        TypeError: the target does not hold integers; the message names its dtype.
        IndexError: a class number is outside 0 to C - 1; the message names it.
    """
    weights = _target_weights(input, target, weight, ignore_index)
    losses = -_pick(input, _classes(target, ignore_index)) * weights
    losses = where(target == ignore_index, 0.0, losses)  # even where what was picked is infinite
    return _weighted(losses, weights, reduction)


@accelerable
@at_least_float32
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """nll_loss of log_softmax(input) (torch.nn.functional.cross_entropy).

    `input` holds logits, which may be any numbers; all else is as in nll_loss. `label_smoothing` e spreads the
    truth: the true class has 1 - e + e / C of it, every other class e / C (Szegedy et al., 2016). The part of each
    class is multiplied by the weight of that class; "mean" divides as nll_loss does.

    Raises:
        ValueError: label_smoothing is not between 0 and 1; the message names it. Otherwise as nll_loss.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
    dim = _class_dim(input)
    log_p = log_softmax(input, dim)
    true = nll_loss(log_p, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        return true
    weights = _target_weights(input, target, weight, ignore_index)
    each = -sum(log_p if weight is None else log_p * _along(weight, input), dim)
    each = where(target == ignore_index, 0.0, each)
    share = label_smoothing / input.shape[dim]
    return (1 - label_smoothing) * true + share * _weighted(each, weights, reduction)


# Modules ------------------------------------------------------------------------------------------------


class MSELoss(Module):
    """mse_loss as a module (torch.nn.MSELoss)."""

    def __init__(self, reduction: str = "mean") -> None:  # given
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """mse_loss with the options given to the module."""
        return mse_loss(input, target, self.reduction)


class L1Loss(Module):
    """l1_loss as a module (torch.nn.L1Loss)."""

    def __init__(self, reduction: str = "mean") -> None:  # given
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """l1_loss with the options given to the module."""
        return l1_loss(input, target, self.reduction)


class HuberLoss(Module):
    """huber_loss as a module (torch.nn.HuberLoss)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:  # given
        self.reduction = reduction
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """huber_loss with the options given to the module."""
        return huber_loss(input, target, self.reduction, self.delta)


class BCEWithLogitsLoss(Module):
    """binary_cross_entropy_with_logits as a module (torch.nn.BCEWithLogitsLoss). Its weights are buffers."""

    def __init__(
        self, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:  # given
        self.weight = _buffer(weight)
        self.pos_weight = _buffer(pos_weight)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """binary_cross_entropy_with_logits with the options given to the module."""
        return binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class NLLLoss(Module):
    """nll_loss as a module (torch.nn.NLLLoss). Its weight is a buffer."""

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:  # given
        self.weight = _buffer(weight)
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """nll_loss with the options given to the module."""
        return nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(Module):
    """cross_entropy as a module (torch.nn.CrossEntropyLoss). Its weight is a buffer."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:  # given
        self.weight = _buffer(weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """cross_entropy with the options given to the module."""
        return cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


# Gradients by hand, on arrays ---------------------------------------------------------------------------
#
# `grad` is the gradient for the loss: 0-d for "mean" and "sum", of the shape of the losses for "none".


@at_least_float32
def mse_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient of mse_loss for input."""
    return grad * 2 * (input - target) / _divisor(input, reduction)


@at_least_float32
def l1_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient of l1_loss for input; 0 where input equals target."""
    return grad * get_array_module(input).sign(input - target) / _divisor(input, reduction)


@at_least_float32
def huber_loss_backward(
    grad: Array, input: Array, target: Array, reduction: str = "mean", delta: float = 1.0
) -> Array:
    """The gradient of huber_loss for input: never steeper than delta."""
    return grad * (input - target).clip(-delta, delta) / _divisor(input, reduction)


@at_least_float32
def binary_cross_entropy_with_logits_backward(
    grad: Array, input: Array, target: Array, reduction: str = "mean"
) -> Array:
    """The gradient of binary_cross_entropy_with_logits for input, without weights."""
    return grad * (sigmoid(Tensor(input)).data - target) / _divisor(input, reduction)


@at_least_float32
def nll_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient of nll_loss for input: shapes (N, C) and (N,), without weights or ignored entries."""
    xp = get_array_module(input, target)
    result = xp.zeros_like(input)
    result[xp.arange(len(target)), target] = -grad / _divisor(target, reduction)
    return result


@at_least_float32
def cross_entropy_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient of cross_entropy for input: (N, C) and (N,), without weights, ignored entries or smoothing.

    It is what the model says minus what is true: softmax(input), minus 1 at the true class.
    """
    xp = get_array_module(input, target)
    p = xp.exp(log_softmax(Tensor(input), 1).data)
    p[xp.arange(len(target)), target] -= 1
    return p * (grad[:, None] if grad.ndim else grad) / _divisor(target, reduction)


# Helpers ------------------------------------------------------------------------------------------------


def _check_shapes(input: Tensor, target: Tensor) -> None:
    """Raise unless the shapes are equal: (4, 1) and (4,) would broadcast to (4, 4), which nobody means."""
    if input.shape != target.shape:
        raise ValueError(f"input has shape {input.shape} and target {target.shape}: a loss needs both alike")


def _reduce(losses: Tensor, reduction: str) -> Tensor:
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
    return losses if reduction == "none" else getattr(losses, reduction)()


def _divisor(losses: Array, reduction: str) -> int:
    """The number that "mean" divides by, 1 for the other reductions."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
    return losses.size if reduction == "mean" else 1


def _class_dim(input: Tensor) -> int:
    return 1 if input.ndim > 1 else 0


def _buffer(weight: Tensor | None) -> Buffer | None:  # given
    return None if weight is None else Buffer(weight)


def _along(weight: Tensor, input: Tensor) -> Tensor:
    """weight (C,) shaped to multiply `input` along its axis of classes."""
    return weight.reshape(-1, *[1] * (input.ndim - 1 - _class_dim(input)))


def _classes(target: Tensor, ignore_index: int) -> Tensor:
    """The class numbers, with 0 in place of ignored ones, so that all can be looked up."""
    return where(target == ignore_index, 0, target)


def _pick(input: Tensor, classes: Tensor) -> Tensor:
    """input[n, classes[n], ...]."""
    dim = _class_dim(input)
    return gather(input, dim, unsqueeze(classes, dim)).reshape(classes.shape)


def _target_weights(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> Tensor:
    """How much each target counts: the weight of its class, 0 where it is ignored."""
    dim = _class_dim(input)
    if input.shape[:dim] + input.shape[dim + 1 :] != target.shape:
        raise ValueError(
            f"input of shape {input.shape} needs a target of its shape without axis {dim}, got {target.shape}"
        )
    if target.dtype.kind not in "iu":
        raise TypeError(f"target holds class numbers, integers, got {target.dtype}")
    classes = input.shape[dim : dim + 1]
    if weight is None:
        weight = ones(classes, dtype=input.dtype, device=input.device)
    elif weight.shape != classes:
        raise ValueError(
            f"weight has shape {weight.shape}, input of shape {input.shape} needs one of {classes}"
        )
    else:
        weight = weight.to(input.dtype)
    return where(target == ignore_index, 0.0, weight[_classes(target, ignore_index)])


def _weighted(losses: Tensor, weights: Tensor, reduction: str) -> Tensor:
    """As _reduce, but "mean" divides by the sum of the weights."""
    return losses.sum() / weights.sum() if reduction == "mean" else _reduce(losses, reduction)
