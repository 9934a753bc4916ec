"""One-hot targets instead of lookups, both cases of a loss side by side, one formula for smoothed targets."""

from __future__ import annotations

import numpy as np

from tinytorch.activations import logsumexp, sigmoid, softmax
from tinytorch.dispatch import Array, accelerable
from tinytorch.setup import get_array_module
from tinytorch.tensor import (
    Tensor,
    abs,
    at_least_float32,
    broadcast_shapes,
    exp,
    log1p,
    maximum,
    ones,
    reshape,
    sum,
    where,
)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    """A table of what becomes of the losses."""
    how = {"mean": lambda: losses.mean(), "sum": lambda: losses.sum(), "none": lambda: losses}
    if reduction not in how:
        raise ValueError(f"unknown reduction {reduction}")
    return how[reduction]()


def _alike(input: Tensor, target: Tensor) -> None:
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(f"shapes {input.shape} and {target.shape} differ")


@accelerable
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """A power of 2: as it is on paper, and as fast only where the power knows the square."""
    _alike(input, target)
    return _reduced((target - input) ** 2, reduction)


@accelerable
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The larger of a difference and its negative: the derivative at 0 is 0, half of each."""
    _alike(input, target)
    return _reduced(maximum(input - target, target - input), reduction)


@accelerable
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Both cases are computed, and one is chosen: PyTorch's way. What was not chosen may overflow, and does
    no harm.
    """
    if not delta > 0:
        raise ValueError(f"huber_loss with delta = {delta}")
    _alike(input, target)
    d = abs(input - target)
    return _reduced(where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction)


@accelerable
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """PyTorch's formula: (1 - y) * x + (1 + (w - 1) * y) * (log(1 + exp(-abs(x))) + max(-x, 0)), one
    exponential.
    """
    _alike(input, target)
    for each in (weight, pos_weight):
        if each is not None:
            try:
                fits = broadcast_shapes(each.shape, input.shape) == input.shape
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(f"a weight of shape {each.shape} for input of shape {input.shape}")
    tail = log1p(exp(-abs(input))) + maximum(-input, 0.0)
    share = 1.0 if pos_weight is None else 1 + (pos_weight - 1) * target
    losses = (1 - target) * input + share * tail
    return _reduced(losses if weight is None else weight * losses, reduction)


def _checked(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """(N, C, M) of the input and (N, M) of the target, whatever their axes are."""
    if input.ndim == 1:
        n, classes, rest = 1, input.shape[0], ()
        fits = target.shape == ()
    else:
        n, classes, *rest = input.shape
        fits = target.shape == (n, *rest)
    if not fits:
        raise ValueError(f"target {target.shape} does not fit input {input.shape}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"class numbers are integers, not {target.dtype}")
    if weight is not None and weight.shape != (classes,):
        raise ValueError(f"weight of shape {weight.shape} for {classes} classes, input {input.shape}")
    flat = target.data.reshape(-1)
    wrong = flat[(flat != ignore_index) & ((flat < 0) | (flat >= classes))]
    if wrong.size:
        raise IndexError(f"there is no class {int(wrong[0])} among {classes}")
    many = int(np.prod(rest, dtype=int))
    return reshape(input, (n, classes, many)), reshape(target, (n, many))


@accelerable
@at_least_float32
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Everything is brought to (N, C, M) and one-hot first: C times the memory, and no lookup that could go
    wrong.
    """
    logs, classes = _checked(input, target, weight, ignore_index)
    numbers = get_array_module(classes.data).arange(logs.shape[1])[:, None]
    hot = Tensor(
        classes.data[:, None, :] == numbers
    )  # (N, C, M); nothing where a target is ignored by its number
    hot = where(Tensor(classes.data == ignore_index).unsqueeze(1), False, hot)
    each = (
        reshape(weight.to(input.dtype), (1, -1, 1))
        if weight is not None
        else ones(1, 1, 1, dtype=input.dtype, device=input.device)
    )
    losses = sum(where(hot, -logs * each, 0.0), 1)
    if reduction == "mean":
        return losses.sum() / where(hot, each, 0.0).sum()
    return _reduced(reshape(losses, target.shape), reduction)


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
    """The truth is a distribution, and the loss its product with logsumexp(x) - x: one formula, smoothed or
    not.
    """
    if label_smoothing < 0 or label_smoothing > 1:
        raise ValueError(f"label_smoothing = {label_smoothing}")
    logits, classes = _checked(input, target, weight, ignore_index)
    count = logits.shape[1]
    hot = classes.data[:, None, :] == get_array_module(classes.data).arange(count)[:, None]
    counts = (classes.data != ignore_index)[:, None, :]
    off = label_smoothing / count if count else 0.0
    truth = (hot * (1 - label_smoothing) + off).astype(input.dtype)  # (N, C, M)
    weights = (
        ones(count, dtype=input.dtype, device=input.device) if weight is None else weight.to(input.dtype)
    )
    weights = reshape(weights, (1, -1, 1))
    cost = logsumexp(logits, 1, keepdim=True) - logits
    losses = sum(where(Tensor((truth != 0) & counts), cost * weights * Tensor(truth), 0.0), 1)
    if reduction == "mean":
        return losses.sum() / where(Tensor(hot & counts), weights, 0.0).sum()
    return _reduced(reshape(losses, target.shape), reduction)


def _share(count: int, reduction: str) -> float:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"unknown reduction {reduction}")
    return count if reduction == "mean" else 1


@at_least_float32
def mse_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """The difference is counted twice by adding it to itself: exact, and no constant has a dtype."""
    difference = input - target
    return (difference + difference) * (grad / _share(input.size, reduction))


@at_least_float32
def l1_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """Two comparisons and their difference: 1, -1, or 0 at a tie."""
    slope = (input > target).astype(input.dtype) - (input < target)
    return (grad / _share(input.size, reduction)) * slope


@at_least_float32
def huber_loss_backward(
    grad: Array, input: Array, target: Array, reduction: str = "mean", delta: float = 1.0
) -> Array:
    """The two slopes side by side, and one chosen: as the loss is written on paper."""
    xp = get_array_module(input)
    d = input - target
    slope = xp.where(xp.abs(d) <= delta, d, delta * xp.sign(d))
    return (grad * slope / _share(input.size, reduction)).astype(input.dtype)


@at_least_float32
def nll_loss_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """-1 where the number of the column is the target, times grad: a comparison with every class."""
    xp = get_array_module(input, target)
    hot = target[:, None] == xp.arange(input.shape[1])
    each = xp.broadcast_to(grad, target.shape)[:, None] / _share(len(target), reduction)
    return xp.where(hot, -each, 0).astype(input.dtype)


@at_least_float32
def cross_entropy_backward(grad: Array, input: Array, target: Array, reduction: str = "mean") -> Array:
    """softmax minus a one-hot matrix: the formula as it is on paper, and a second matrix."""
    xp = get_array_module(input, target)
    hot = xp.equal(target[:, None], xp.arange(input.shape[1])).astype(input.dtype)
    each = xp.broadcast_to(grad, target.shape).reshape(-1, 1)
    return (softmax(Tensor(input), 1).data - hot) * each / _share(len(target), reduction)


@at_least_float32
def binary_cross_entropy_with_logits_backward(
    grad: Array, input: Array, target: Array, reduction: str = "mean"
) -> Array:
    """p for a target of 0 and p - 1 for a target of 1, mixed: (1 - y) * p - y * (1 - p), where 1 - p is
    sigmoid(-x).
    """
    p, q = sigmoid(Tensor(input)).data, sigmoid(Tensor(-input)).data
    return ((1 - target) * p - target * q) * (grad / _share(input.size, reduction))
