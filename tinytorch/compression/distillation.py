"""A small model learns from a large one: not which class is right, but how much each of the others is like it."""

from __future__ import annotations

from collections.abc import Iterable

from tinytorch.layers import Module
from tinytorch.optimizers import Optimizer
from tinytorch.tensor import Tensor


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor | None = None,
    temperature: float = 4.0,
    alpha: float = 0.9,
) -> Tensor:
    """alpha * T**2 * KL(teacher, student at temperature T) + (1 - alpha) * cross_entropy (Hinton et al., 2015).

    Logits (N, C) and class numbers (N,) give the mean over the rows, 0-d. KL is the sum over the classes of
    p * (log p - log q), with p = softmax(teacher_logits / T) and q = softmax(student_logits / T). Dividing the logits
    by T divides the gradient by about T**2, and T**2 makes up for that. The teacher gets no gradient, and a class with
    p = 0 adds nothing, even if the student's logit is -inf, too. With alpha=1 the target is not needed.

    Raises:
        ValueError: the shapes of the logits differ (the message names both), the temperature is not positive or alpha
            not between 0 and 1 (it names the number), or the target is missing where alpha is below 1.
    """
    raise NotImplementedError("kata 18: distillation_loss")


def distill(
    student: Module,
    teacher: Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    temperature: float = 4.0,
    alpha: float = 0.9,
) -> float:
    """Train the student for one epoch on what the teacher says; returns the mean distillation_loss over all samples.

    `batches` are pairs of x and class numbers; with alpha=1 the class numbers are not used. The student is in train
    mode. The teacher is in eval mode, nothing of it is recorded, and afterwards each of its modules is in the mode that
    it had before.
    """
    raise NotImplementedError("kata 18: distill")
