"""How good, in numbers that a person reads. Nothing here is recorded: metrics look at arrays."""

from __future__ import annotations

from tinytorch.tensor import Tensor


def accuracy(logits: Tensor, target: Tensor) -> float:
    """The share of rows whose largest logit is the target's: (..., C) and integers (...) give a float from 0 to 1
    (torchmetrics.functional.accuracy). Of no rows at all it is nan.

    Raises:
        ValueError: the target's shape is not that of the logits without their last axis; the message holds both.
    """
    raise NotImplementedError("kata 08: accuracy")


def top_k_accuracy(logits: Tensor, target: Tensor, k: int = 5) -> float:
    """The share of rows where the target is among the `k` largest logits. Of equal logits the first counts as the
    largest, as argmax has it: so a model that says the same of every class is not called right. That holds for nan too:
    a row of nothing but nan is right where the target is among the first `k` classes.

    Raises:
        ValueError: the shapes do not fit, as in `accuracy`; or k is not between 1 and C (the message holds k and C).
    """
    raise NotImplementedError("kata 08: top_k_accuracy")


class Mean:
    """The mean of what was seen so far, each value with its weight (torchmetrics.MeanMetric).

    A loss is a mean over a batch, so the mean of losses over batches is right only where all batches have one size,
    and the last one is often smaller: weigh each with its size.
    """

    def __init__(self) -> None:
        """Nothing seen yet."""
        raise NotImplementedError("kata 08: Mean.__init__")

    def update(self, value: float, weight: float = 1.0) -> None:
        """Add one value, such as a batch's loss, with a weight, such as the number of its samples. What weighs
        nothing is not looked at, be it nan.

        Raises:
            ValueError: the weight is negative; the message holds it.
        """
        raise NotImplementedError("kata 08: Mean.update")

    def compute(self) -> float:
        """The weighted mean, a float; nan before anything was seen."""
        raise NotImplementedError("kata 08: Mean.compute")
