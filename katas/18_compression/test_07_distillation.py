"""A small model learns from a large one, which knows more than the right answer."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import Again, assert_close, assert_equal, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays
from tinytorch.compression import distill, distillation_loss
from tinytorch.layers import Dropout, Linear, Module, Sequential
from tinytorch.optimizers import SGD, Adam
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, zeros

LOG3 = math.log(3)


def by_loops(student, teacher, temperature):
    """T**2 times the mean over the rows of sum p log(p / q), one class at a time."""
    total = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        p = [math.exp(each / temperature) for each in t]
        q = [math.exp(each / temperature) for each in s]
        p, q = [each / sum(p) for each in p], [each / sum(q) for each in q]
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return temperature**2 * total / len(student)


def test_the_soft_loss_by_hand():
    """At T 1, a teacher of [0.75, 0.25] and a student of [0.5, 0.5]: 0.75 log 1.5 + 0.25 log 0.5, or 0.1308."""
    loss = distillation_loss(
        zeros(1, 2), Tensor(np.array([[LOG3, 0]], np.float32)), temperature=1.0, alpha=1.0
    )
    assert_close(loss, np.float32(0.75 * math.log(1.5) + 0.25 * math.log(0.5)), "the loss")


def test_a_student_that_agrees_has_nothing_to_learn():
    """Where both say the same the loss is 0; the same number more for every class is the same answer."""
    logits = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 0.0]])
    loss = distillation_loss(Tensor(logits + 7), Tensor(logits), alpha=1.0)
    assert_close(loss, 0.0, "the loss", atol=1e-9)


@given(
    student=arrays((3, 4), np.float64),
    teacher=arrays((3, 4), np.float64),
    temperature=st.sampled_from([0.5, 1.0, 4.0, 8.0]),
)
def test_the_soft_loss_class_by_class(student, teacher, temperature):
    """T**2 * the mean over the rows of sum p log(p / q), with the softmax of logits / T, for every temperature."""
    with unchanged(student, teacher), no_warnings():
        loss = distillation_loss(Tensor(student), Tensor(teacher), temperature=temperature, alpha=1.0)
    assert_close(loss, by_loops(student, teacher, temperature), "the loss", atol=1e-9)


def test_both_losses_are_mixed():
    """alpha of the soft loss and 1 - alpha of the cross entropy, whose temperature is 1, with the class numbers.

    With alpha=0 the cross entropy is all, and with alpha=1 the class numbers are not looked at, whatever they are.
    """
    student, teacher = np.array([[0.0, LOG3], [2.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 3.0]])
    right = [-math.log(0.25), -math.log(0.5)]
    expected = 0.7 * by_loops(student, teacher, 2.0) + 0.3 * sum(right) / 2
    logits, target = (Tensor(student), Tensor(teacher)), Tensor(np.array([0, 1]))
    assert_close(distillation_loss(*logits, target, 2.0, 0.7), expected, "the loss")
    assert_close(distillation_loss(*logits, target, 2.0, 0), sum(right) / 2, "the loss with alpha=0")
    soft = distillation_loss(*logits, Tensor(np.array([99, -5])), 2.0, 1)
    assert_close(soft, by_loops(student, teacher, 2.0), "the loss with alpha=1")


def test_the_gradient_keeps_its_size_at_every_temperature():
    """For small logits, the gradient at T 1 is about that at T 20: T**2 makes up for dividing by T twice."""
    rng = np.random.default_rng(0)
    logits, teacher = rng.standard_normal((6, 5)) / 10, Tensor(rng.standard_normal((6, 5)) / 10)
    gradients = []
    for temperature in (1.0, 20.0):
        student = Tensor(logits, requires_grad=True)
        distillation_loss(student, teacher, temperature=temperature, alpha=1.0).backward()
        gradients.append(student.grad.data)
    assert_close(gradients[1], gradients[0], "the gradient at T 20, beside that at T 1,", rtol=0.2, atol=1e-3)


def test_the_gradient_is_the_difference_of_the_two():
    """The gradient for the student is T * (q - p) / N: each class moves from what it says to what the teacher says."""
    student, teacher, T = np.array([[0.0, 1.0, 2.0]] * 2), np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 4.0]]), 3.0
    x = Tensor(student, requires_grad=True)
    distillation_loss(x, Tensor(teacher), temperature=T, alpha=1.0).backward()
    q, p = (np.exp(each / T) / np.exp(each / T).sum(1, keepdims=True) for each in (student, teacher))
    assert_close(x.grad, T * (q - p) / 2, "the gradient")


def test_the_teacher_does_not_learn():
    """Logits of a teacher that require grad get no gradient."""
    teacher = Tensor(np.ones((2, 3)), requires_grad=True)
    distillation_loss(Tensor(np.zeros((2, 3)), requires_grad=True), teacher, alpha=1.0).backward()
    assert teacher.grad is None, "the teacher got a gradient"


def test_a_class_that_the_teacher_rules_out():
    """A teacher's logit of -inf is a p of 0, which adds nothing: the loss is finite, without a warning.

    So it is if the student rules it out, too, and then the gradient is finite as well.
    """
    teacher = Tensor(np.array([[0.0, 0.0, -math.inf]]))
    with no_warnings():
        loss = distillation_loss(Tensor(np.zeros((1, 3))), teacher, temperature=1.0, alpha=1.0)
        student = Tensor(np.array([[0.0, 0.0, -math.inf]]), requires_grad=True)
        agreed = distillation_loss(student, teacher, temperature=1.0, alpha=1.0)
        agreed.backward()
    assert_close(loss, math.log(1.5), "the loss")
    assert_close(agreed, 0.0, "the loss of a student with a logit of -inf")
    assert_close(student.grad, np.zeros((1, 3)), "its gradient")


def test_a_very_sure_teacher_does_not_overflow():
    """Logits of 90,000 in float32 give a finite loss, without a warning."""
    teacher = Tensor(np.array([[9e4, 0, -9e4]], np.float32))
    with no_warnings():
        loss = distillation_loss(zeros(1, 3), teacher, temperature=1.0, alpha=1.0)
    assert_close(loss, np.float32(math.log(3)), "the loss")


def test_logits_of_two_shapes_are_refused():
    """Logits (2, 3) and (1, 3) would broadcast: they are a ValueError with both shapes."""
    with raises(ValueError, (2, 3), (1, 3)):
        distillation_loss(zeros(2, 3), zeros(1, 3), alpha=1.0)


@pytest.mark.parametrize(("options", "value"), [({"temperature": 0.0}, 0.0), ({"alpha": 1.5}, 1.5)])
def test_temperature_and_alpha_have_a_range(options, value):
    """A temperature that is not above 0 and an alpha that is not from 0 to 1 are a ValueError with the number."""
    with raises(ValueError, value):
        distillation_loss(zeros(2, 3), zeros(2, 3), Tensor(np.array([0, 1])), **options)


def test_class_numbers_may_be_left_out_only_with_alpha_1():
    """With an alpha below 1 and no target it is a ValueError that asks for the target."""
    with raises(ValueError, "target"):
        distillation_loss(zeros(2, 3), zeros(2, 3), alpha=0.9)


RNG = np.random.default_rng(4)
X = RNG.standard_normal((12, 3)).astype(np.float32)
Y = np.arange(12) % 4


def batches():
    """12 samples in batches of 5, 5 and 2."""
    return [(Tensor(X[i : i + 5]), Tensor(Y[i : i + 5])) for i in (0, 5, 10)]


def test_an_epoch_of_distillation():
    """distill trains on every batch once, and returns the mean loss over all samples, not over the batches."""
    manual_seed(0)
    student, teacher = Linear(3, 4), Linear(3, 4)
    for alpha in (1.0, 0.6):
        expected = []
        for x, y in batches():
            logits, answers = student(x).data.astype(np.float64), teacher(x).data.astype(np.float64)
            picked = np.exp(logits)[np.arange(len(y.data)), y.data] / np.exp(logits).sum(1)
            loss = alpha * by_loops(logits, answers, 2.0) - (1 - alpha) * np.log(picked).mean()
            expected.append(len(y.data) * loss)
        mean = distill(student, teacher, batches(), SGD(student.parameters(), lr=0.0), 2.0, alpha)
        assert isinstance(mean, float), f"the mean loss is {type(mean).__name__}, expected a float"
        assert_close(mean, sum(expected) / 12, f"with alpha={alpha}, the mean loss", rtol=1e-4)


def test_a_student_comes_near_its_teacher():
    """After 60 epochs a Linear says nearly what its teacher says, and the teacher is what it was."""
    manual_seed(1)
    student, teacher = Linear(3, 4), Linear(3, 4)
    optimizer = Adam(student.parameters(), lr=0.1)
    with unchanged(*teacher.parameters()):
        losses = [distill(student, teacher, batches(), optimizer, alpha=1.0) for _ in range(60)]
    assert losses[-1] < losses[0] / 100, f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g}"
    assert all(p.grad is None for p in teacher.parameters()), "the teacher got gradients"


def test_batches_may_come_from_any_iterable():
    """Batches are gone through once: an iterable without a length will do."""
    student, teacher = Linear(3, 4), Linear(3, 4)
    optimizer = SGD(student.parameters(), lr=0.0)
    one = distill(student, teacher, batches(), optimizer)
    assert_close(distill(student, teacher, Again(lambda: iter(batches())), optimizer), one, "the mean loss")


class Modes(Module):
    """Notes in which mode it is called."""

    def __init__(self):
        self.inner, self.dropout, self.seen = Linear(3, 4), Dropout(0.5), []

    def forward(self, x):
        out = self.inner(x)
        self.seen.append((self.training, out.requires_grad))
        return out


def test_the_teacher_is_in_eval_mode_and_the_student_learns():
    """The teacher answers in eval mode and is not recorded; the student is in train mode.

    Afterwards each module of the teacher is in the mode that it had before: a part in eval mode stays in it.
    """
    student, teacher = Modes().eval(), Modes()
    teacher.inner.eval()
    distill(student, teacher, batches(), SGD(student.parameters(), lr=0.1))
    assert_equal(
        teacher.seen, [(False, False)] * 3, "for each batch, whether the teacher trains and is recorded,"
    )
    assert_equal(
        student.seen, [(True, True)] * 3, "for each batch, whether the student trains and is recorded,"
    )
    assert teacher.training and teacher.dropout.training, "the teacher is not back in the mode it had"
    assert not teacher.inner.training, "a part of the teacher that was in eval mode is in train mode"


def test_a_teacher_without_dropout():
    """A teacher with a Dropout says the same each time, because it is in eval mode."""
    manual_seed(3)
    student, teacher = Linear(3, 4), Sequential(Linear(3, 4), Dropout(0.5))
    losses = [distill(student, teacher, batches(), SGD(student.parameters(), lr=0.0)) for _ in range(2)]
    assert_equal(
        losses[0], losses[1], "the second mean loss beside the first one, of a student that does not move,"
    )
