"""How good, in numbers that a person reads. Nothing here is recorded: metrics look at arrays."""

from __future__ import annotations

from tinytorch.tensor import Tensor


def accuracy(logits: Tensor, target: Tensor) -> float:
    """The share of rows whose largest logit is the target's: (..., C) and integers (...) give a float from 0 to 1
    (torchmetrics.functional.accuracy). Of no rows at all it is nan.

    Raises:
        ValueError: the target's shape is not that of the logits without their last axis; the message holds both.
    """
    return top_k_accuracy(logits, target, k=1)


def top_k_accuracy(logits: Tensor, target: Tensor, k: int = 5) -> float:
    """The share of rows where the target is among the `k` largest logits. Of equal logits the first counts as the
    largest, as argmax has it: so a model that says the same of every class is not called right. That holds for nan too:
    a row of nothing but nan is right where the target is among the first `k` classes.

    Raises:
        ValueError: the shapes do not fit, as in `accuracy`; or k is not between 1 and C (the message holds k and C).
    """
    if logits.ndim == 0 or logits.shape[:-1] != target.shape:
        raise ValueError(f"logits of shape {logits.shape} do not fit targets of shape {target.shape}")
    if not 1 <= k <= logits.shape[-1]:
        raise ValueError(f"k must lie between 1 and the number of classes, {logits.shape[-1]}, got {k}")
    if target.numel() == 0:
        return float("nan")
    best = logits.detach().argsort(dim=-1, descending=True).data[..., :k]  # (..., k)
    return float((best == target.data[..., None]).any(axis=-1).mean())


class Mean:
    """The mean of what was seen so far, each value with its weight (torchmetrics.MeanMetric).

    A loss is a mean over a batch, so the mean of losses over batches is right only where all batches have one size,
    and the last one is often smaller: weigh each with its size.
    """

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.total, self.weight = 0.0, 0.0

    def update(self, value: float, weight: float = 1.0) -> None:
        """Add one value, such as a batch's loss, with a weight, such as the number of its samples. What weighs
        nothing is not looked at, be it nan.

        Raises:
            ValueError: the weight is negative; the message holds it.
        """
        if weight < 0:
            raise ValueError(f"a weight must not be negative, got {weight}")
        if weight:
            self.total += float(value) * weight
            self.weight += weight

    def compute(self) -> float:
        """The weighted mean, a float; nan before anything was seen."""
        return self.total / self.weight if self.weight else float("nan")
