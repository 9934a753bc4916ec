"""Losses for decisions: minus the logarithm of the probability that the truth was given."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import ShapeError, assert_close, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays
from tinytorch import losses
from tinytorch.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    NLLLoss,
    binary_cross_entropy_with_logits,
    cross_entropy,
    nll_loss,
)
from tinytorch.tensor import Tensor

LOG2 = math.log(2)


def t(values, dtype=np.float64):
    return Tensor(np.array(values, dtype))


def log_probabilities(row):
    """The oracle of a softmax's logarithm, in Python's floats."""
    total = math.log(math.fsum(math.exp(v - max(row)) for v in row)) + max(row)
    return [v - total for v in row]


# Yes or no


def test_bce_of_an_undecided_model_is_log_2():
    """binary_cross_entropy_with_logits of the logit 0, probability one half, is log(2), whatever the target."""
    assert_close(binary_cross_entropy_with_logits(t([0.0, 0.0]), t([0.0, 1.0])), np.array(LOG2))


@given(x=arrays((2, 3), np.float64, low=-6, high=6), y=arrays((2, 3), np.float64, low=0, high=1))
def test_bce_is_the_cross_entropy_of_two_outcomes(x, y):
    """It is -(y * log(p) + (1 - y) * log(1 - p)) with p = sigmoid(x), for targets y anywhere from 0 to 1."""
    p = 1 / (1 + np.exp(-x))
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    with unchanged(x, y):
        out = binary_cross_entropy_with_logits(Tensor(x), Tensor(y), reduction="none")
    assert_close(out, expected, "the losses", atol=1e-9)


def test_bce_is_exact_for_a_model_that_is_sure():
    """A logit of 1000 costs 1000 if it is wrong and 0 if it is right; at 20 and right it costs exp(-20)."""
    logits, targets = t([1000.0, -1000.0, 1000.0, 20.0]), t([0.0, 1.0, 1.0, 1.0])
    with no_warnings():
        out = binary_cross_entropy_with_logits(logits, targets, reduction="none")
    assert_close(out, np.array([1000.0, 1000.0, 0.0, math.log1p(math.exp(-20))]), "the losses")


def test_bce_takes_weights():
    """`weight` multiplies each loss, and `pos_weight` only the loss of targets of 1; both broadcast."""
    logits, targets = t([[0.0, 0.0], [0.0, 0.0]]), t([[0.0, 1.0], [1.0, 0.0]])
    plain = {"input": logits, "target": targets, "reduction": "none"}
    out = binary_cross_entropy_with_logits(**plain, weight=t([1.0, 10.0]))
    assert_close(out, np.array([[1.0, 10.0], [1.0, 10.0]]) * LOG2, "with weight")
    mean = binary_cross_entropy_with_logits(logits, targets, weight=t([1.0, 10.0]))
    assert_close(mean, np.array(5.5 * LOG2), "the mean with weight, which divides by the number of losses")
    out = binary_cross_entropy_with_logits(**plain, pos_weight=t([3.0, 5.0]))
    assert_close(out, np.array([[1.0, 5.0], [3.0, 1.0]]) * LOG2, "with pos_weight")


def test_bce_refuses_weights_that_would_make_it_larger():
    """Weights of shape (2, 3) for an input of shape (3,) would make six losses of three: a ValueError with both."""
    for name in ("weight", "pos_weight"):
        with raises(ShapeError, (2, 3), (3,)):
            binary_cross_entropy_with_logits(t(np.zeros(3)), t(np.zeros(3)), **{name: t(np.ones((2, 3)))})


def test_bce_is_exact_with_pos_weight():
    """With pos_weight=2 a wrong logit of -1000 costs 2000, and a right one of 1000 nothing."""
    with no_warnings():
        out = binary_cross_entropy_with_logits(
            t([-1000.0, 1000.0]), t([1.0, 1.0]), reduction="none", pos_weight=t([2.0])
        )
    assert_close(out, np.array([2000.0, 0.0]), "the losses")


def test_bce_needs_a_target_of_its_shape():
    """Logits of shape (4, 1) and targets of shape (4,) are a ValueError with both shapes."""
    with raises(ShapeError, (4, 1), (4,)):
        binary_cross_entropy_with_logits(t(np.zeros((4, 1))), t(np.zeros(4)))


# One of many: from log-probabilities


def test_nll_loss_picks_the_true_class():
    """nll_loss of log-probabilities [[-1, -2], [-3, -4]] with true classes [0, 1] is (1 + 4) / 2."""
    loss = nll_loss(t([[-1.0, -2.0], [-3.0, -4.0]]), t([0, 1], np.int64))
    assert_close(loss, np.array(2.5))


@pytest.mark.parametrize(("reduction", "expected"), [("sum", 5.0), ("none", [1.0, 4.0])])
def test_nll_loss_reduces(reduction, expected):
    """nll_loss takes the reductions "sum" and "none" too."""
    loss = nll_loss(t([[-1.0, -2.0], [-3.0, -4.0]]), t([0, 1], np.int64), reduction=reduction)
    assert_close(loss, np.array(expected), f"nll_loss(..., reduction={reduction!r})")


def test_nll_loss_takes_one_sample():
    """Log-probabilities of shape (3,) go with a 0-d target."""
    assert_close(nll_loss(t([-1.0, -2.0, -3.0]), t(2, np.int64)), np.array(3.0))


def test_nll_loss_takes_pictures():
    """Log-probabilities (N, C, H, W) go with targets (N, H, W): a class for each pixel, on axis 1."""
    log_p = -np.arange(2 * 3 * 2 * 2, dtype=np.float64).reshape(2, 3, 2, 2)
    target = np.array([[[0, 1], [2, 0]], [[1, 1], [0, 2]]])
    expected = [[[-log_p[n, target[n, i, j], i, j] for j in range(2)] for i in range(2)] for n in range(2)]
    assert_close(nll_loss(Tensor(log_p), Tensor(target), reduction="none"), np.array(expected))


def test_nll_loss_ignores_what_is_marked():
    """A target of -100, or of ignore_index, costs nothing, and the mean is over the others."""
    log_p = t([[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]])
    assert_close(nll_loss(log_p, t([0, -100, 1], np.int64)), np.array(3.5), "the mean of 1 and 6")
    loss = nll_loss(log_p, t([0, 1, 1], np.int64), ignore_index=1, reduction="none")
    assert_close(loss, np.array([1.0, 0.0, 0.0]), "the losses with ignore_index=1")
    assert_close(
        nll_loss(t([[-1.0], [-2.0]]), t([0, -100], np.int64)), np.array(1.0), "the mean with one class"
    )


def test_nll_loss_ignores_what_is_infinite():
    """An ignored sample costs 0 even where every log-probability of it is -inf."""
    log_p = t([[-1.0, -2.0], [-math.inf, -math.inf]])
    assert_close(nll_loss(log_p, t([0, -100], np.int64)), np.array(1.0))


def test_nll_loss_weighs_classes():
    """With weight=[1, 3] the mean is a weighted one: (1 * 1 + 3 * 4) / (1 + 3)."""
    log_p, target, weight = t([[-1.0, -2.0], [-3.0, -4.0]]), t([0, 1], np.int64), t([1.0, 3.0])
    assert_close(nll_loss(log_p, target, weight), np.array(13 / 4), "the weighted mean")
    assert_close(nll_loss(log_p, target, weight, reduction="sum"), np.array(13.0), "the weighted sum")


def test_nll_loss_needs_a_weight_for_each_class():
    """5 weights for 3 classes are a ValueError with both shapes, though the first 3 could be looked up."""
    with raises(ShapeError, (5,), (2, 3)):
        nll_loss(t(np.zeros((2, 3))), t([0, 1], np.int64), t(np.ones(5)))


@pytest.mark.parametrize("wrong", [3, -1])
def test_a_class_that_does_not_exist_is_refused(wrong):
    """A target of 3, or of -1, among 3 classes is an IndexError that names it, never counted from the end."""
    with raises(IndexError, wrong):
        nll_loss(t(np.zeros((2, 3))), t([0, wrong], np.int64))


def test_nll_loss_refuses_shapes_that_do_not_fit():
    """Log-probabilities (2, 3) with 4 targets are a ValueError with both shapes."""
    with raises(ShapeError, (2, 3), (4,)):
        nll_loss(t(np.zeros((2, 3))), t([0, 1, 2, 0], np.int64))


def test_nll_loss_refuses_targets_that_are_not_classes():
    """Targets of floats are a TypeError that names their dtype."""
    with raises((TypeError, RuntimeError), "float64"):
        nll_loss(t(np.zeros((2, 3))), t([0.0, 1.0]))


# One of many: from logits


def test_cross_entropy_of_an_undecided_model():
    """cross_entropy of equal logits for C classes is log(C)."""
    loss = cross_entropy(Tensor(np.zeros((2, 4), np.float32)), t([0, 3], np.int64))
    assert_close(loss, np.array(math.log(4), np.float32))


@given(
    x=arrays((3, 4), np.float64, low=-6, high=6),
    target=arrays((3,), np.int64, low=0, high=3),
    reduction=st.sampled_from(["mean", "sum", "none"]),
)
def test_cross_entropy_takes_logits(x, target, reduction):
    """cross_entropy(logits, target) is nll_loss of the logarithm of softmax(logits)."""
    losses = np.array([-log_probabilities(row)[k] for row, k in zip(x.tolist(), target, strict=True)])
    expected = losses if reduction == "none" else np.asarray(getattr(losses, reduction)())
    out = cross_entropy(Tensor(x), Tensor(target), reduction=reduction)
    assert_close(out, expected, "cross_entropy", atol=1e-9)


def test_cross_entropy_finds_the_classes():
    """The classes are on axis 1 of pictures (N, C, H, W), and on axis 0 of one sample (C,), as in nll_loss."""
    rows = [[0.0, 1.0, 3.0], [2.0, 0.0, 0.0]]
    expected = [-log_probabilities(rows[0])[2], -log_probabilities(rows[1])[0]]
    pictures = np.array(rows).T.reshape(1, 3, 1, 2)  # one picture, 3 classes, 1 x 2 pixels
    out = cross_entropy(Tensor(pictures), t([[[2, 0]]], np.int64), reduction="none")
    assert_close(out, np.array([[expected]]), "the losses of pictures")
    assert_close(cross_entropy(t(rows[0]), t(2, np.int64)), np.array(expected[0]), "the loss of one sample")


def test_cross_entropy_does_not_overflow():
    """Logits of 1000 and 0 cost 1000 if the second is true and 0 if the first is, without a warning."""
    logits = Tensor(np.array([[1000.0, 0.0], [1000.0, 0.0]], np.float32))
    with no_warnings():
        out = cross_entropy(logits, t([0, 1], np.int64), reduction="none")
    assert_close(out, np.array([0.0, 1000.0], np.float32), "the losses")


def test_cross_entropy_weighs_and_ignores():
    """weight and ignore_index mean what they mean in nll_loss."""
    logits, target = t(np.zeros((3, 2))), t([0, 1, -100], np.int64)
    out = cross_entropy(logits, target, weight=t([1.0, 3.0]), reduction="none")
    assert_close(out, np.array([1.0, 3.0, 0.0]) * LOG2, "the losses")
    out = cross_entropy(logits, t([0, 1, 5], np.int64), ignore_index=5)
    assert_close(out, np.array(LOG2), "the mean of the two that count")


def test_label_smoothing_spreads_the_truth():
    """label_smoothing=0.3 of 3 classes asks for 0.8 of the true class and 0.1 of each other, 1 for a third of each."""
    logits = [0.0, 1.0, 3.0]
    log_p = log_probabilities(logits)
    expected = -(0.1 * log_p[0] + 0.8 * log_p[1] + 0.1 * log_p[2])
    loss = cross_entropy(t([logits]), t([1], np.int64), label_smoothing=0.3)
    assert_close(loss, np.array(expected), "with label_smoothing=0.3")
    loss = cross_entropy(t([logits]), t([1], np.int64), label_smoothing=1)
    assert_close(loss, np.array(-sum(log_p) / 3), "with label_smoothing=1")


def test_label_smoothing_weighs_and_ignores():
    """With weights every class's part is weighted, "mean" divides as without smoothing, ignored samples cost 0."""
    rows = [[0.0, 1.0, 3.0], [2.0, 0.0, 0.0], [5.0, 5.0, 0.0]]
    classes, weight = [1, 0, -100], [1.0, 2.0, 4.0]
    losses = [0.0, 0.0, 0.0]
    for n in (0, 1):
        for c, log_p in enumerate(log_probabilities(rows[n])):
            losses[n] -= weight[c] * log_p * (0.7 * (c == classes[n]) + 0.1)
    options = {"weight": t(weight), "label_smoothing": 0.3}
    out = cross_entropy(t(rows), t(classes, np.int64), reduction="none", **options)
    assert_close(out, np.array(losses), "the losses")
    out = cross_entropy(t(rows), t(classes, np.int64), **options)
    assert_close(out, np.array(sum(losses) / (weight[1] + weight[0])), "the mean")


def test_label_smoothing_of_several_places():
    """Logits (N, C, d) are smoothed along the classes, place by place, with weights too."""
    logits = np.array([[[0.0, 2.0], [1.0, 0.0], [3.0, 0.0]], [[5.0, 1.0], [5.0, 1.0], [0.0, 4.0]]])
    classes, weight = np.array([[1, 0], [2, 1]]), [1.0, 2.0, 4.0]
    losses = np.zeros((2, 2))
    for n, place in np.ndindex(2, 2):
        for c, log_p in enumerate(log_probabilities(logits[n, :, place])):
            losses[n, place] -= weight[c] * log_p * (0.7 * (c == classes[n, place]) + 0.1)
    options = {"weight": t(weight), "label_smoothing": 0.3}
    out = cross_entropy(t(logits), t(classes, np.int64), reduction="none", **options)
    assert_close(out, losses, "the losses")
    out = cross_entropy(t(logits), t(classes, np.int64), **options)
    assert_close(out, np.array(losses.sum() / (2 + 1 + 4 + 2)), "the mean")


@pytest.mark.parametrize("share", [1.5, -0.5])
def test_label_smoothing_is_a_share(share):
    """label_smoothing=1.5 is a ValueError that says what was given."""
    with raises((ValueError, RuntimeError), share):
        cross_entropy(t(np.zeros((1, 2))), t([0], np.int64), label_smoothing=share)


@pytest.mark.parametrize("name", ["binary_cross_entropy_with_logits", "nll_loss", "cross_entropy"])
def test_losses_of_decisions_refuse_an_unknown_reduction(name):
    """reduction="avg" is a ValueError that says what was given."""
    target = t([[1.0, 0.0]]) if name.startswith("binary") else t([0], np.int64)
    with raises(ValueError, "avg"):
        getattr(losses, name)(t([[0.0, 0.0]]), target, reduction="avg")


def test_modules_of_decisions_pass_their_options_on():
    """BCEWithLogitsLoss, NLLLoss and CrossEntropyLoss are the functions, with the options they were made with."""
    zeros, ones = t([0.0]), t([1.0])
    assert_close(BCEWithLogitsLoss()(zeros, ones), np.array(LOG2), "BCEWithLogitsLoss()")
    loss = BCEWithLogitsLoss(weight=t([3.0]), reduction="none", pos_weight=t([2.0]))(zeros, ones)
    assert_close(loss, np.array([6 * LOG2]), "BCEWithLogitsLoss with options")
    log_p, target = t([[-1.0, -2.0], [-3.0, -4.0]]), t([0, 1], np.int64)
    assert_close(NLLLoss()(log_p, target), np.array(2.5), "NLLLoss()")
    loss = NLLLoss(weight=t([1.0, 3.0]), ignore_index=0, reduction="sum")(log_p, target)
    assert_close(loss, np.array(12.0), "NLLLoss with options")
    logits = t(np.zeros((2, 2)))
    assert_close(CrossEntropyLoss()(logits, target), np.array(LOG2), "CrossEntropyLoss()")
    loss = CrossEntropyLoss(weight=t([1.0, 3.0]), ignore_index=0, reduction="none", label_smoothing=0.5)(
        logits, target
    )
    assert_close(loss, np.array([0.0, (3 * 0.75 + 1 * 0.25) * LOG2]), "CrossEntropyLoss with options")
