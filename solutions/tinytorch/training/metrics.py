"""How good a model is, in numbers for people. Nothing here is recorded: metrics work on arrays."""

from __future__ import annotations

from tinytorch.tensor import Tensor


def accuracy(logits: Tensor, target: Tensor) -> float:
    """The share of rows whose largest logit is the target's (torchmetrics.functional.accuracy).

    Logits (..., C) and integers (...) give a float from 0 to 1, or nan if there are no rows.

    Raises:
        ValueError: the target's shape is not that of the logits without their last axis; the message names both.
    """
    _check(logits, target)
    if target.numel() == 0:
        return float("nan")
    return float((logits.detach().argmax(-1).data == target.data).mean())


def top_k_accuracy(logits: Tensor, target: Tensor, k: int = 5) -> float:
    """The share of rows where the target is among the `k` largest logits.

    Of equal logits the first counts as the largest, as in argmax, so a model that says the same of every class is not
    called right. The same holds for nan: a row of only nan is right if the target is among the first `k` classes.

    Raises:
        ValueError: the shapes do not fit, as in `accuracy`; or k is not between 1 and C (the message names k and C).
    """
    _check(logits, target)
    if not 1 <= k <= logits.shape[-1]:
        raise ValueError(f"k must lie between 1 and the number of classes, {logits.shape[-1]}, got {k}")
    if target.numel() == 0:
        return float("nan")
    best = logits.detach().argsort(dim=-1, descending=True).data[..., :k]  # (..., k)
    return float((best == target.data[..., None]).any(axis=-1).mean())


def _check(logits: Tensor, target: Tensor) -> None:
    if logits.ndim == 0 or logits.shape[:-1] != target.shape:
        raise ValueError(f"logits of shape {logits.shape} do not fit targets of shape {target.shape}")


class Mean:
    """The weighted mean of the values so far (torchmetrics.MeanMetric).

    A loss is a mean over a batch, so a plain mean of losses is right only where all batches have the same size, and
    the last one is often smaller. Give each loss the size of its batch as weight. The attribute `weight` is the sum of
    the weights so far.
    """

    def __init__(self) -> None:
        """Begin without any values."""
        self.total, self.weight = 0.0, 0.0

    def update(self, value: float, weight: float = 1.0) -> None:
        """Add one value, such as a batch's loss, with a weight, such as the number of its samples.

        A value of weight 0 changes nothing, even if it is nan.

        Raises:
            ValueError: the weight is negative; the message names it.
        """
        if weight < 0:
            raise ValueError(f"a weight must not be negative, got {weight}")
        if weight:
            self.total += float(value) * weight
            self.weight += weight

    def compute(self) -> float:
        """The weighted mean, a float; nan if there are no values yet."""
        return self.total / self.weight if self.weight else float("nan")
