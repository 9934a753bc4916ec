"""A small model learns from a large one: not which class is right, but how much each of the others is like it."""

from __future__ import annotations

from collections.abc import Iterable

from tinytorch.activations import log_softmax
from tinytorch.layers import Module
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Optimizer
from tinytorch.tensor import Tensor, exp, where
from tinytorch.training import Mean, evaluating


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
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"logits of {student_logits.shape} cannot learn from {teacher_logits.shape}")
    if not (temperature > 0 and 0 <= alpha <= 1):
        raise ValueError(f"temperature is above 0 and alpha from 0 to 1, got {temperature} and {alpha}")
    if target is None and alpha < 1:
        raise ValueError(f"with alpha {alpha} the class numbers are needed, too: give target, or alpha=1")
    log_q = log_softmax(student_logits / temperature, -1)
    log_p = log_softmax(teacher_logits.detach() / temperature, -1)
    p = exp(log_p)
    divergence = (p * (where(p == 0, 0.0, log_p) - where(p == 0, 0.0, log_q))).sum(-1).mean()
    soft = divergence * (alpha * temperature**2)
    if target is None or alpha == 1:
        return soft
    return soft + cross_entropy(student_logits, target) * (1 - alpha)


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
    mean = Mean()
    student.train()
    for x, y in batches:
        with evaluating(teacher):
            teacher_logits = teacher(x)
        optimizer.zero_grad()
        loss = distillation_loss(student(x), teacher_logits, y, temperature, alpha)
        loss.backward()
        optimizer.step()
        mean.update(loss.item(), len(x))
    return mean.compute()
