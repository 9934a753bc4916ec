"""Gradients by hand, on arrays. Most of them say: what the model said, minus what is true."""

import math

import numpy as np
from hypothesis import given, strategies as st

from dojo.spec import assert_close, gradcheck, no_warnings
from dojo.spec.strategies import arrays, off_kinks
from tinytorch.losses import (
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_backward,
    cross_entropy,
    cross_entropy_backward,
    huber_loss,
    huber_loss_backward,
    l1_loss,
    l1_loss_backward,
    mse_loss,
    mse_loss_backward,
    nll_loss,
    nll_loss_backward,
)
from tinytorch.tensor import Tensor

REDUCTIONS = st.sampled_from(["mean", "sum", "none"])
SHAPE = (2, 3)
ONE = np.array(1.0)


def check(loss, backward, x, target, *options):
    """`backward(grad, input, target, *options)` is the gradient of `loss(input, target, *options)` for input."""
    gradcheck(
        lambda input: loss(Tensor(input), Tensor(target), *options),
        lambda grad, input: backward(grad, input, target, *options),
        x,
    )


def test_mse_loss_backward_points_away_from_the_target():
    """mse_loss_backward(grad, input, target) for input [1, 2], target [0, 4] and grad 1 is [1, -2]."""
    out = mse_loss_backward(ONE, np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    assert_close(out, np.array([1.0, -2.0]))


@given(x=arrays(SHAPE), target=arrays(SHAPE, np.float64), reduction=REDUCTIONS)
def test_mse_loss_backward_is_the_slope_of_mse_loss(x, target, reduction):
    """Under "mean" every entry has a share of the gradient, under "sum" all of it, under "none" its own."""
    check(mse_loss, mse_loss_backward, x, target, reduction)


@given(x=off_kinks(SHAPE), target=arrays(SHAPE, np.float64), reduction=REDUCTIONS)
def test_l1_loss_backward_is_a_sign(x, target, reduction):
    """l1_loss_backward(grad, input, target, reduction): the sign of input - target, whatever its size."""
    check(l1_loss, l1_loss_backward, x, target, reduction)


def test_l1_loss_has_slope_zero_where_nothing_is_missed():
    """Where input equals target the gradient is 0, as in PyTorch."""
    assert_close(l1_loss_backward(ONE, np.array([2.0, 3.0]), np.array([2.0, 1.0])), np.array([0.0, 0.5]))


@given(
    x=off_kinks(SHAPE),
    target=arrays(SHAPE, np.float64),
    reduction=REDUCTIONS,
    delta=st.sampled_from([0.5, 1.0]),
)
def test_huber_loss_backward_is_never_steeper_than_delta(x, target, reduction, delta):
    """huber_loss_backward(grad, input, target, reduction, delta): input - target, clipped to delta."""
    check(huber_loss, huber_loss_backward, x, target, reduction, delta)


@given(x=arrays(SHAPE), target=arrays(SHAPE, np.float64, low=0, high=1), reduction=REDUCTIONS)
def test_bce_backward_is_probability_minus_truth(x, target, reduction):
    """binary_cross_entropy_with_logits_backward(grad, input, target, reduction): probability minus target."""

    def loss(input, target, reduction):
        return binary_cross_entropy_with_logits(input, target, reduction=reduction)

    check(loss, binary_cross_entropy_with_logits_backward, x, target, reduction)


@given(x=arrays(SHAPE), target=arrays((2,), np.int64, low=0, high=2), reduction=REDUCTIONS)
def test_nll_loss_backward_touches_the_true_class_only(x, target, reduction):
    """nll_loss_backward(grad, input, target, reduction) for (N, C) and (N,) is 0 except at the true classes."""

    def loss(input, target, reduction):
        return nll_loss(input, target, reduction=reduction)

    check(loss, nll_loss_backward, x, target, reduction)


def test_cross_entropy_backward_of_an_undecided_model():
    """For logits [0, 0] and true class 0, cross_entropy_backward(1, ...) is [-0.5, 0.5]: descent raises logit 0."""
    out = cross_entropy_backward(ONE, np.zeros((1, 2)), np.array([0]))
    assert_close(out, np.array([[-0.5, 0.5]]))


@given(x=arrays(SHAPE), target=arrays((2,), np.int64, low=0, high=2), reduction=REDUCTIONS)
def test_cross_entropy_backward_is_softmax_minus_truth(x, target, reduction):
    """cross_entropy_backward(grad, input, target, reduction) for (N, C) and (N,): softmax, minus 1 at the truth."""

    def loss(input, target, reduction):
        return cross_entropy(input, target, reduction=reduction)

    check(loss, cross_entropy_backward, x, target, reduction)


def test_gradients_of_a_model_that_is_sure():
    """Logits of 1000 give gradients of 0 and 1, without overflow, in float32."""
    x = np.array([[1000.0, -1000.0]], np.float32)
    with no_warnings():
        out = cross_entropy_backward(np.array(1.0, np.float32), x, np.array([1]))
        assert_close(out, np.array([[1.0, -1.0]], np.float32), "cross_entropy_backward")
        out = binary_cross_entropy_with_logits_backward(
            np.array(1.0, np.float32), x, np.array([[0.0, 0.0]], np.float32)
        )
        assert_close(out, np.array([[0.5, 0.0]], np.float32), "binary_cross_entropy_with_logits_backward")


def test_gradients_leave_the_target_alone():
    """The gradient of float32 logits is float32, and neither logits nor class numbers are changed."""
    x, target = np.zeros((2, 3), np.float32), np.array([2, 0])
    third = np.float32(1 / 6)
    expected = np.array([[third, third, third - 0.5], [third - 0.5, third, third]], np.float32)
    assert_close(cross_entropy_backward(np.array(1.0, np.float32), x, target), expected)
    assert_close(target, np.array([2, 0]), "the target afterwards")
    assert_close(x, np.zeros((2, 3), np.float32), "the logits afterwards")
    assert math.isclose(float(expected.sum()), 0.0, abs_tol=1e-6)
