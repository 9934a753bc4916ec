"""Losses for numbers: how far off, and how much a large miss counts."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, raises, unchanged
from dojo.spec.strategies import arrays_of, shapes
from tinytorch import losses
from tinytorch.losses import HuberLoss, L1Loss, MSELoss, huber_loss, l1_loss, mse_loss
from tinytorch.tensor import Tensor

PAIRS = arrays_of(shapes(min_side=1).map(lambda shape: (shape, shape)), low=-4, high=4)
GUESS = np.array([1.0, 2.0, 3.0], np.float32)
TRUTH = np.array([1.0, 4.0, 0.0], np.float32)


def each(loss, guess, truth):
    """The oracle: a loop over pairs, in Python's floats."""
    pairs = zip(guess.flat, truth.flat, strict=True)
    return np.array([loss(float(g), float(t)) for g, t in pairs]).reshape(guess.shape).astype(guess.dtype)


def square(g, t):
    return (g - t) ** 2


def huber(g, t, delta=1.0):
    d = abs(g - t)
    return d * d / 2 if d < delta else delta * (d - delta / 2)


def test_mse_loss_is_the_mean_of_the_squares():
    """mse_loss([1, 2, 3], [1, 4, 0]) is (0 + 4 + 9) / 3."""
    assert_close(mse_loss(Tensor(GUESS), Tensor(TRUTH)), np.array(13 / 3, np.float32), "mse_loss")


def test_reduction_sum_adds_the_losses_up():
    """mse_loss(..., reduction="sum") is 0 + 4 + 9."""
    loss = mse_loss(Tensor(GUESS), Tensor(TRUTH), reduction="sum")
    assert_close(loss, np.array(13.0, np.float32), "the sum")


def test_reduction_none_keeps_every_loss():
    """mse_loss(..., reduction="none") is [0, 4, 9]."""
    loss = mse_loss(Tensor(GUESS), Tensor(TRUTH), reduction="none")
    assert_close(loss, np.array([0.0, 4.0, 9.0], np.float32), "the losses")


@given(pair=PAIRS)
@example(pair=(np.array(1.5, np.float32), np.array(-0.5, np.float32)))
def test_mse_loss_takes_any_shape(pair):
    """mse_loss takes any shape, 0-d too, gives a 0-d Tensor, and leaves its inputs as they were."""
    guess, truth = pair
    with unchanged(guess, truth):
        loss = mse_loss(Tensor(guess), Tensor(truth))
    assert_close(loss, np.float32(each(square, guess, truth).mean(dtype=np.float64)), "mse_loss", rtol=1e-5)


def test_an_unknown_reduction_is_refused():
    """reduction="avg" is a ValueError that says what was given."""
    with raises(ValueError, "avg"):
        mse_loss(Tensor(GUESS), Tensor(TRUTH), reduction="avg")


def test_l1_loss_is_the_mean_distance():
    """l1_loss([1, 2, 3], [1, 4, 0]) is (0 + 2 + 3) / 3."""
    assert_close(l1_loss(Tensor(GUESS), Tensor(TRUTH)), np.array(5 / 3, np.float32), "l1_loss")


@given(pair=PAIRS, reduction=st.sampled_from(["mean", "sum", "none"]))
def test_l1_loss_reduces_as_mse_loss_does(pair, reduction):
    """l1_loss takes any shape and the same three reductions."""
    guess, truth = pair
    losses = each(lambda g, t: abs(g - t), guess, truth)
    expected = losses if reduction == "none" else getattr(losses, reduction)()
    assert_close(l1_loss(Tensor(guess), Tensor(truth), reduction), np.asarray(expected), "l1_loss", rtol=1e-5)


def test_huber_loss_is_a_parabola_that_becomes_a_line():
    """huber_loss with delta 1 of distances [0, 0.5, 3] is [0, 0.125, 2.5], their mean by default."""
    guess, truth = Tensor(np.array([0.0, 0.5, 3.0])), Tensor(np.zeros(3))
    assert_close(huber_loss(guess, truth, "none"), np.array([0.0, 0.125, 2.5]), "the losses")
    assert_close(huber_loss(guess, truth), np.array(0.875), "their mean")


@given(pair=PAIRS, delta=st.sampled_from([0.5, 1.0, 2.0]))
def test_huber_loss_bends_at_delta(pair, delta):
    """huber_loss(..., delta=d) is half the square of a distance below d, and d * (distance - d / 2) above."""
    guess, truth = pair
    expected = each(lambda g, t: huber(g, t, delta), guess, truth)
    assert_close(huber_loss(Tensor(guess), Tensor(truth), "none", delta), expected, "huber_loss")


@pytest.mark.parametrize("delta", [0.0, -1.0])
def test_huber_loss_refuses_a_delta_that_is_not_positive(delta):
    """huber_loss(..., delta=0) is a ValueError that says what was given."""
    with raises(ValueError, delta):
        huber_loss(Tensor(GUESS), Tensor(TRUTH), delta=delta)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_shapes_must_agree(name):
    """A loss of shapes (4, 1) and (4,) is a ValueError with both: broadcasting would compare every pair."""
    column, row = Tensor(np.zeros((4, 1), np.float32)), Tensor(np.zeros(4, np.float32))
    with raises(ShapeError, (4, 1), (4,)):
        getattr(losses, name)(column, row)


def test_modules_pass_their_options_on():
    """MSELoss(), L1Loss(reduction="sum") and HuberLoss(delta=2) are the functions, with those options."""
    guess, truth = Tensor(GUESS), Tensor(TRUTH)
    assert_close(MSELoss()(guess, truth), np.array(13 / 3, np.float32), "MSELoss()")
    assert_close(MSELoss(reduction="sum")(guess, truth), np.array(13.0, np.float32), "MSELoss('sum')")
    assert_close(L1Loss(reduction="sum")(guess, truth), np.array(5.0, np.float32), "L1Loss('sum')")
    sums = HuberLoss(reduction="sum", delta=2.0)(guess, truth)
    assert_close(sums, np.array(6.0, np.float32), "HuberLoss('sum', delta=2)")
