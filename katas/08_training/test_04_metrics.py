"""Numbers that a person reads: accuracy, top_k_accuracy, Mean."""

import math

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, no_warnings, raises, unchanged
from dojo.spec.strategies import distinct
from tinytorch.tensor import Tensor, tensor
from tinytorch.training import Mean, accuracy, top_k_accuracy


def test_accuracy_by_hand():
    """Logits [[1, 3], [5, 2], [0, 4]] say 1, 0, 1; of the targets 1, 0, 0 two of three are right: a float, 2/3."""
    logits, target = tensor([[1.0, 3.0], [5.0, 2.0], [0.0, 4.0]]), tensor([1, 0, 0])
    with unchanged(logits, target):
        share = accuracy(logits, target)
    assert_equal(type(share), float, "the type of the accuracy")
    assert_close(share, 2 / 3, "the accuracy")


def test_top_k_accuracy_by_hand():
    """Of [[1, 3, 2], [5, 2, 4]] the two largest are {1, 2} and {0, 2}; targets 2 and 1 make 1/2 for k=2, 0 for k=1."""
    logits, target = tensor([[1.0, 3.0, 2.0], [5.0, 2.0, 4.0]]), tensor([2, 1])
    assert_close(top_k_accuracy(logits, target, k=2), 0.5, "the accuracy for k=2")
    assert_close(top_k_accuracy(logits, target, k=1), 0.0, "the accuracy for k=1")
    assert_close(top_k_accuracy(logits, target, k=3), 1.0, "the accuracy for k=3, which is all of them")
    assert_close(top_k_accuracy(tensor([1.0, 3.0, 2.0]), tensor(1), k=1), 1.0, "the accuracy of one row")
    with no_warnings():
        share = top_k_accuracy(logits[:0], target[:0], k=1)
    assert math.isnan(share), f"the accuracy of no rows is {share}, expected nan"


@given(
    logits=distinct((4, 3)), target=st.lists(st.integers(0, 2), min_size=4, max_size=4), k=st.integers(1, 3)
)
@example(logits=np.arange(12, dtype=np.float32).reshape(4, 3), target=[2, 2, 0, 1], k=2)
def test_top_k_accuracy_counts(logits, target, k):
    """A row is right where fewer than k logits are larger than that of its target."""
    right = [sum(x > row[t] for x in row) < k for row, t in zip(logits, target, strict=True)]
    assert_close(top_k_accuracy(Tensor(logits), tensor(target), k), sum(right) / 4, "the accuracy")


def test_k_is_5_by_default():
    """Of 7 classes the fifth largest logit is still right, the sixth is not."""
    logits = tensor([[7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]] * 2)
    assert_close(top_k_accuracy(logits, tensor([4, 5])), 0.5, "the accuracy")


def test_the_classes_stand_along_the_last_axis():
    """Logits of shape (2, 3, 4), such as those of a text, fit targets of shape (2, 3), and all 6 places count."""
    logits = np.zeros((2, 3, 4), np.float32)
    logits[..., 2] = 1.0
    target = tensor([[2, 2, 0], [2, 1, 2]])
    assert_close(accuracy(Tensor(logits), target), 4 / 6, "the accuracy")
    assert_close(top_k_accuracy(Tensor(logits), target, 1), 4 / 6, "the accuracy for k=1")


def test_equal_logits_are_no_answer():
    """A model that says 0 of every class is right only where the first class is the target: 1/3 here, and not 1."""
    logits, target = Tensor(np.zeros((3, 4), np.float32)), tensor([0, 1, 3])
    assert_close(accuracy(logits, target), 1 / 3, "the accuracy")
    assert_close(
        top_k_accuracy(logits, target, k=2), 2 / 3, "the accuracy for k=2: the first two classes count"
    )


def test_logits_of_nan_are_no_answer():
    """A model that has become nan says the same of every class too: of the targets 0, 1, 3 one is right, not all."""
    logits, target = Tensor(np.full((3, 4), np.nan, np.float32)), tensor([0, 1, 3])
    assert_close(accuracy(logits, target), 1 / 3, "the accuracy")
    assert_close(top_k_accuracy(logits, target, k=2), 2 / 3, "the accuracy for k=2")


def test_a_model_that_requires_grad_is_looked_at():
    """Logits may require grad."""
    logits = tensor([[1.0, 3.0], [5.0, 2.0]], requires_grad=True)
    assert_close(accuracy(logits, tensor([1, 1])), 0.5, "the accuracy")


def test_an_empty_batch_has_no_accuracy():
    """The accuracy of no rows is nan, without a warning, that of one row is not."""
    with no_warnings():
        share = accuracy(Tensor(np.zeros((0, 3), np.float32)), Tensor(np.zeros(0, np.int64)))
    assert math.isnan(share), f"the accuracy is {share}, expected nan"
    assert_close(accuracy(tensor([1.0, 3.0, 2.0]), tensor(1)), 1.0, "the accuracy of one row")


def test_targets_have_to_fit():
    """Targets of shape (3, 1) for logits (3, 2) are a ValueError with both shapes: they would broadcast to (3, 3)."""
    for metric in (accuracy, top_k_accuracy):
        with raises(ValueError, (3, 2), (3, 1)):
            metric(Tensor(np.zeros((3, 2), np.float32)), Tensor(np.zeros((3, 1), np.int64)))


def test_k_is_a_number_of_classes():
    """k=0 and k=4 for 3 classes are ValueErrors that name k and 3."""
    for k in (0, 4):
        with raises(ValueError, k, 3):
            top_k_accuracy(Tensor(np.zeros((2, 3), np.float32)), tensor([0, 1]), k)


def test_mean_by_hand():
    """The mean of 1, 2 and 6 is 3."""
    mean = Mean()
    for value in (1, 2, 6):
        mean.update(value)
    assert_close(mean.compute(), 3.0, "the mean")


def test_mean_weighs():
    """A loss of 2 over 8 samples and one of 7 over 2 make 3, and not 4.5: the last batch is often a small one."""
    mean = Mean()
    mean.update(2.0, 8)
    mean.update(7.0, 2)
    assert_close(mean.compute(), 3.0, "the mean")


def test_mean_can_be_asked_at_any_time():
    """compute changes nothing: asked after each value and asked twice, it gives the mean so far."""
    mean, seen = Mean(), []
    for value in (4.0, 2.0, 3.0):
        mean.update(value)
        seen += [mean.compute(), mean.compute()]
    assert_close(seen, [4.0, 4.0, 3.0, 3.0, 3.0, 3.0], "the means")


def test_two_means_are_two():
    """Values of one Mean do not count in another."""
    one, other = Mean(), Mean()
    one.update(5.0)
    other.update(1.0)
    assert_close(one.compute(), 5.0, "the first mean")


def test_mean_of_nothing():
    """Before any value the mean is nan; a value of weight 0 does not count, even if it is nan."""
    mean = Mean()
    assert math.isnan(mean.compute()), f"the mean of nothing is {mean.compute()}, expected nan"
    mean.update(3.0)
    mean.update(math.nan, 0)
    assert_close(mean.compute(), 3.0, "the mean after a value that weighs nothing")


def test_a_mean_does_not_hide_nan():
    """A value of nan that has a weight makes the mean nan: a run that went wrong must be seen."""
    mean = Mean()
    for value in (3.0, math.nan, 3.0):
        mean.update(value)
    assert math.isnan(mean.compute()), f"the mean of 3, nan and 3 is {mean.compute()}, expected nan"


def test_a_weight_is_not_negative():
    """A weight of -2 is a ValueError that names it, and nothing is added."""
    mean = Mean()
    mean.update(3.0)
    with raises(ValueError, -2):
        mean.update(9.0, -2)
    assert_close(mean.compute(), 3.0, "the mean afterwards")
