"""How wrong a model is, in one number, and the gradient of that number by hand.

Every loss takes first what the model said, then what is true. `reduction` says what becomes of the losses of the
single entries: their "mean", their "sum", or "none", which returns them all.
"""

from __future__ import annotations

from tinytorch.dispatch import Array, accelerable
from tinytorch.layers import Buffer, Module
from tinytorch.tensor import Tensor, at_least_float32

REDUCTIONS = ("mean", "sum", "none")


# Regression ---------------------------------------------------------------------------------------------


@accelerable
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target) squared; both have the same shape (torch.nn.functional.mse_loss).

    Raises:
        ValueError: the shapes differ, or `reduction` is unknown; the message names both shapes, or the reduction. The
            same for every loss below.
    """
    raise NotImplementedError("kata 05: mse_loss")


@accelerable
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """abs(input - target) (torch.nn.functional.l1_loss)."""
    raise NotImplementedError("kata 05: l1_loss")


@accelerable
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """The squared loss up to a distance of delta, and a straight line beyond (torch.nn.functional.huber_loss).

    With d = abs(input - target): d * d / 2 where d is below delta, delta * (d - delta / 2) above (Huber, 1964).
    With c = min(d, delta) both are c * (d - c / 2).

    Raises:
        ValueError: delta is not positive; the message names it.
    """
    raise NotImplementedError("kata 05: huber_loss")


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
    raise NotImplementedError("kata 05: binary_cross_entropy_with_logits")


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
    raise NotImplementedError("kata 05: nll_loss")


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
    raise NotImplementedError("kata 05: cross_entropy")


# Modules ------------------------------------------------------------------------------------------------


class MSELoss(Module):
    """mse_loss as a module (torch.nn.MSELoss)."""

    def __init__(self, reduction: str = "mean") -> None:  # given
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """mse_loss with the options given to the module."""
        raise NotImplementedError("kata 05: MSELoss.forward")


class L1Loss(Module):
    """l1_loss as a module (torch.nn.L1Loss)."""

    def __init__(self, reduction: str = "mean") -> None:  # given
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """l1_loss with the options given to the module."""
        raise NotImplementedError("kata 05: L1Loss.forward")


class HuberLoss(Module):
    """huber_loss as a module (torch.nn.HuberLoss)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:  # given
        self.reduction = reduction
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """huber_loss with the options given to the module."""
        raise NotImplementedError("kata 05: HuberLoss.forward")


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
        raise NotImplementedError("kata 05: BCEWithLogitsLoss.forward")


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
        raise NotImplementedError("kata 05: NLLLoss.forward")


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
        raise NotImplementedError("kata 05: CrossEntropyLoss.forward")


# Gradients by hand, on arrays ---------------------------------------------------------------------------
#
# `grad` is the gradient for the loss: 0-d for "mean" and "sum", of the shape of the losses for "none".


@at_least_float32
def mse_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient of mse_loss for input."""
    raise NotImplementedError("kata 05: mse_loss_backward")


@at_least_float32
def l1_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient of l1_loss for input; 0 where input equals target."""
    raise NotImplementedError("kata 05: l1_loss_backward")


@at_least_float32
def huber_loss_backward(
    grad: Array, input: Array, target: Array, reduction: str = "mean", delta: float = 1.0
) -> Array:
    """The gradient of huber_loss for input: never steeper than delta."""
    raise NotImplementedError("kata 05: huber_loss_backward")


@at_least_float32
def binary_cross_entropy_with_logits_backward(
    grad: Array, input: Array, target: Array, reduction: str = "mean"
) -> Array:
    """The gradient of binary_cross_entropy_with_logits for input, without weights."""
    raise NotImplementedError("kata 05: binary_cross_entropy_with_logits_backward")


@at_least_float32
def nll_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient of nll_loss for input: shapes (N, C) and (N,), without weights or ignored entries."""
    raise NotImplementedError("kata 05: nll_loss_backward")


@at_least_float32
def cross_entropy_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The gradient of cross_entropy for input: (N, C) and (N,), without weights, ignored entries or smoothing.

    It is what the model says minus what is true: softmax(input), minus 1 at the true class.
    """
    raise NotImplementedError("kata 05: cross_entropy_backward")


# Helpers ------------------------------------------------------------------------------------------------


def _buffer(weight: Tensor | None) -> Buffer | None:  # given
    return None if weight is None else Buffer(weight)
