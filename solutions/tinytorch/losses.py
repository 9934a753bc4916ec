"""How wrong a model is, in one number, and the gradient of that number by hand.

Every loss takes what the model said first and what is true second, and reduces the losses of the single entries
by `reduction`: "mean", "sum", or "none" for all of them.
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
    """(input - target) squared; both of one shape (torch.nn.functional.mse_loss).

    Raises:
        ValueError: the shapes differ, or `reduction` is unknown. The same for every loss below.
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
    """d * d / 2 where d = abs(input - target) is below delta, delta * (d - delta / 2) above (Huber, 1964;
    torch.nn.functional.huber_loss). With c = min(d, delta) both are c * (d - c / 2).

    Raises:
        ValueError: delta is not positive.
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
    """-(target * log(p) + (1 - target) * log(1 - p)) with p = sigmoid(input), without overflow, and exact where
    p rounds to 0 or 1 (torch.nn.functional.binary_cross_entropy_with_logits).

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
    (N, d1, ...) or (). `weight` (C,) counts some classes more. Entries whose target is `ignore_index` count
    nothing. "mean" divides by the weights that counted.

    Raises:
        ValueError: the shapes of input and target do not fit, or `weight` has not one entry for each class; the message
            holds both shapes.
        TypeError: the target does not hold integers; the message names its dtype.
        IndexError: a class number is outside 0 to C - 1; the message holds it.
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
    """nll_loss of log_softmax(input): `input` holds logits, any numbers; the rest as nll_loss
    (torch.nn.functional.cross_entropy).

    `label_smoothing` e spreads the truth: the true class has 1 - e + e / C of it, every other class e / C
    (Szegedy et al., 2016). Each class's part is weighted by that class; "mean" divides as nll_loss does.

    Raises:
        ValueError: label_smoothing is not between 0 and 1; otherwise as nll_loss.
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
    """The gradient for input of mse_loss."""
    return grad * 2 * (input - target) / _divisor(input, reduction)


@at_least_float32
def l1_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient for input of l1_loss; 0 where input equals target."""
    return grad * get_array_module(input).sign(input - target) / _divisor(input, reduction)


@at_least_float32
def huber_loss_backward(
    grad: Array, input: Array, target: Array, reduction: str = "mean", delta: float = 1.0
) -> Array:
    """The gradient for input of huber_loss: never steeper than delta."""
    return grad * (input - target).clip(-delta, delta) / _divisor(input, reduction)


@at_least_float32
def binary_cross_entropy_with_logits_backward(
    grad: Array, input: Array, target: Array, reduction: str = "mean"
) -> Array:
    """The gradient for input of binary_cross_entropy_with_logits, without weights."""
    return grad * (sigmoid(Tensor(input)).data - target) / _divisor(input, reduction)


@at_least_float32
def nll_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient for input of nll_loss for (N, C) and (N,), without weights or ignored entries."""
    xp = get_array_module(input, target)
    result = xp.zeros_like(input)
    result[xp.arange(len(target)), target] = -grad / _divisor(target, reduction)
    return result


@at_least_float32
def cross_entropy_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient for input of cross_entropy for (N, C) and (N,), without weights, ignored entries or smoothing.

    What the model says minus what is true: softmax(input), less 1 at the true class.
    """
    xp = get_array_module(input, target)
    p = xp.exp(log_softmax(Tensor(input), 1).data)
    p[xp.arange(len(target)), target] -= 1
    return p * (grad[:, None] if grad.ndim else grad) / _divisor(target, reduction)


# Helpers ------------------------------------------------------------------------------------------------


def _check_shapes(input: Tensor, target: Tensor) -> None:
    """(4, 1) and (4,) would broadcast to (4, 4), which is never what was meant."""
    if input.shape != target.shape:
        raise ValueError(f"input has shape {input.shape} and target {target.shape}: a loss needs both alike")


def _reduce(losses: Tensor, reduction: str) -> Tensor:
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
    return losses if reduction == "none" else getattr(losses, reduction)()


def _divisor(losses: Array, reduction: str) -> int:
    """How many losses "mean" shares the gradient among."""
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
    """The class numbers, 0 where they are ignored, so that they can be looked up."""
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
    """As _reduce, where "mean" divides by the weights' sum."""
    return losses.sum() / weights.sum() if reduction == "mean" else _reduce(losses, reduction)
