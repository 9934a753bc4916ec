"""Every channel with mean 0 and variance 1: over the batch while training, over everything seen afterwards."""

import numpy as np
from hypothesis import given, strategies as st

from dojo.spec import ShapeError, assert_close, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, strided
from tinytorch.layers import Buffer, Parameter
from tinytorch.spatial import batch_norm
from tinytorch.tensor import Tensor

SHAPES = st.sampled_from([(2, 3, 2, 4), (4, 1, 1, 1), (3, 2), (2, 2, 5), (1, 2, 3, 3)])


def column(values, ndim):
    """One value for each channel, in the shape that broadcasts over an x of `ndim` axes."""
    return np.reshape(np.asarray(values, np.float64), (-1, *[1] * (ndim - 2)))


def statistics(x, correction):
    """Mean and variance of each channel, in float64."""
    rows = np.moveaxis(x.astype(np.float64), 1, 0).reshape(x.shape[1], -1)
    return rows.mean(axis=1), rows.var(axis=1, ddof=correction)


def normalised(x, mean, var, eps=1e-5):
    return (x.astype(np.float64) - column(mean, x.ndim)) / np.sqrt(column(var, x.ndim) + eps)


def train(x, *args, **options):
    return batch_norm(Tensor(x), *args, training=True, **options)


def test_batch_norm_by_hand():
    """A channel 1 3 has mean 2 and variance 1, so with a tiny eps it becomes -1 1; a channel 10 50 does too."""
    x = np.array([[1.0, 10.0], [3.0, 50.0]])
    assert_close(train(x, None, None, eps=1e-12), np.array([[-1.0, -1.0], [1.0, 1.0]]))


@given(x=strided(SHAPES))
def test_every_channel_is_normalised_alone(x):
    """In training: (x - mean) / sqrt(var + 1e-5), over all axes but axis 1, with the variance divided by n."""
    mean, var = statistics(x, 0)
    with unchanged(x):
        out = train(x, None, None)
    assert_close(out, normalised(x, mean, var).astype(np.float32), "batch_norm(x)", atol=1e-4)


def test_eps_is_added_to_the_variance():
    """A channel 0 2 has variance 1: with eps 3 it becomes -1/2 1/2."""
    assert_close(train(np.array([[0.0], [2.0]]), None, None, eps=3.0), np.array([[-0.5], [0.5]]))


@given(x=arrays(SHAPES, np.float64), data=st.data())
def test_weight_and_bias_belong_to_channels(x, data):
    """The normalised channel c is multiplied by weight[c], and bias[c] is added; either may be None."""
    weight, bias = data.draw(arrays((x.shape[1],), np.float64)), data.draw(arrays((x.shape[1],), np.float64))
    plain = normalised(x, *statistics(x, 0))
    scaled, moved = plain * column(weight, x.ndim), column(bias, x.ndim)
    assert_close(train(x, None, None, Tensor(weight), Tensor(bias)), scaled + moved, "with weight and bias")
    assert_close(train(x, None, None, weight=Tensor(weight)), scaled, "with a weight")
    assert_close(train(x, None, None, bias=Tensor(bias)), plain + moved, "with a bias")


def test_running_statistics_take_a_step():
    """With momentum 0.1, a batch 1 3 moves the running mean from 10 to 9.2 and the running variance from 1 to 1.1.

    The mean of the batch is 2, and its variance, divided by n - 1, is 2 too.
    """
    mean, var = Buffer(np.array([10.0])), Buffer(np.array([1.0]))
    train(np.array([[1.0], [3.0]]), mean, var)
    assert_close(mean, np.array([9.2]), "running_mean")
    assert_close(var, np.array([1.1]), "running_var")


@given(x=arrays(SHAPES), momentum=st.sampled_from([0.0, 0.25, 1.0]))
def test_running_statistics_of_every_channel(x, momentum):
    """running becomes (1 - momentum) * running + momentum * batch, written into the arrays that were given."""
    C = x.shape[1]
    mean, var = Buffer(np.arange(C, dtype=np.float32)), Buffer(np.full(C, 2, np.float32))
    arrays_before, expected = (mean.data, var.data), []
    for running, batch in zip((mean, var), statistics(x, 1), strict=True):
        expected.append(((1 - momentum) * running.data + momentum * batch).astype(np.float32))
    train(x, mean, var, momentum=momentum)
    assert_close(arrays_before[0], expected[0], "the array of running_mean", atol=1e-5)
    assert_close(arrays_before[1], expected[1], "the array of running_var", atol=1e-5)


def test_one_running_statistic_may_be_missing():
    """In training with only running_mean, or only running_var, that one is updated; None is skipped."""
    x = np.array([[1.0], [3.0]])
    mean, var = Buffer(np.array([10.0])), Buffer(np.array([1.0]))
    train(x, mean, None)
    assert_close(mean, np.array([9.2]), "running_mean without running_var")
    train(x, None, var)
    assert_close(var, np.array([1.1]), "running_var without running_mean")


def test_the_batch_is_normalised_by_its_own_statistics():
    """In training neither the running statistics nor momentum change the result."""
    x = np.array([[1.0], [3.0]])
    out = train(x, Buffer(np.array([100.0])), Buffer(np.array([9.0])), momentum=0.5, eps=1e-12)
    assert_close(out, np.array([[-1.0], [1.0]]))


def test_running_statistics_are_not_recorded():
    """When x and weight require grad, the running statistics still do not, even after training."""
    mean, var = Buffer(np.zeros(1, np.float32)), Buffer(np.ones(1, np.float32))
    x = Tensor(np.array([[1.0], [3.0]], np.float32), requires_grad=True)
    batch_norm(x, mean, var, Parameter(np.ones(1, np.float32)), training=True)
    for name, running in (("running_mean", mean), ("running_var", var)):
        assert not running.requires_grad, (
            f"{name} requires grad: it would keep the graph of every batch before"
        )
        assert running.dtype == np.float32, f"{name} is {running.dtype} now, it was float32"


@given(x=arrays(SHAPES))
def test_afterwards_the_running_statistics_count(x):
    """When not training, the result is (x - running_mean) / sqrt(running_var + eps), and both stay as they are."""
    C = x.shape[1]
    mean, var = np.arange(C, dtype=np.float32), np.arange(1, C + 1, dtype=np.float32)
    with unchanged(mean, var):
        out = batch_norm(Tensor(x), Buffer(mean), Buffer(var), eps=0.25)
    assert_close(
        out, normalised(x, mean, var, 0.25).astype(np.float32), "batch_norm(x, mean, var)", atol=1e-5
    )


def test_one_picture_can_be_looked_at():
    """When not training, one value a channel is enough: 7 with running mean 3, variance 4 and eps 0 becomes 2."""
    out = batch_norm(Tensor(np.array([[7.0]])), Buffer(np.array([3.0])), Buffer(np.array([4.0])), eps=0.0)
    assert_close(out, np.array([[2.0]]))


def test_statistics_in_float16_lose_nothing():
    """A float16 picture is computed in float32, with its running variance: 0 plus an eps of 1e-7 is 1e-7."""
    x, zero = Tensor(np.array([[0.5]], np.float16)), Buffer(np.zeros(1, np.float16))
    assert_close(batch_norm(x, zero, zero, eps=1e-7), np.array([[1581]], np.float16))


def test_a_constant_channel_becomes_zero():
    """A channel with variance 0 becomes 0: eps keeps it from a division by 0."""
    with no_warnings():
        out = train(np.full((2, 1, 3, 3), 5, np.float32), None, None)
    assert_close(out, np.zeros((2, 1, 3, 3), np.float32), atol=1e-3)


def test_a_large_mean_does_not_hide_the_variance():
    """3000 - 1.5, 3000 - 0.25, 3000 + 0.25 and so on, in float32: take the mean away before you square it."""
    x = (3000 + np.array([-1.5, -0.25, 0.25, 0.5, 1], np.float32)).reshape(5, 1, 1, 1)
    expected = normalised(x, *statistics(x, 0)).astype(np.float32)
    assert_close(train(x, None, None), expected, rtol=1e-3, atol=2e-3)


def test_training_needs_two_values_a_channel():
    """One value a channel, or none, is a ValueError with the shape of x; the running statistics stay as they are."""
    mean, var = np.zeros(3, np.float32), np.ones(3, np.float32)
    for shape in ((1, 3, 1, 1), (0, 3, 2, 2)):
        with unchanged(mean, var), raises(ValueError, shape):
            train(np.ones(shape, np.float32), Buffer(mean), Buffer(var))


def test_batch_norm_refuses_what_does_not_fit():
    """A statistic, weight or bias that is not (C,) is a ValueError with its shape, and nothing has changed."""
    x, mean, var = np.ones((2, 3, 2, 2), np.float32), np.zeros(3, np.float32), np.ones(3, np.float32)
    for place in range(4):
        args = [Buffer(mean), Buffer(var), Parameter(np.ones(3)), Parameter(np.ones(3))]
        for shape in ((1,), (4,), (3, 1)):
            args[place] = Buffer(np.ones(shape, np.float32))
            with unchanged(mean, var), raises(ShapeError, shape):
                train(x, *args)


def test_batch_norm_refuses_what_has_no_channels():
    """x of fewer than two axes is a ValueError with its shape, whole numbers are a TypeError with their dtype."""
    with raises(ShapeError, (3,)):
        train(np.ones(3, np.float32), None, None)
    with raises(TypeError, "int64"):
        train(np.ones((2, 3), np.int64), None, None)


def test_afterwards_needs_running_statistics():
    """When not training, a missing running_mean or running_var is a ValueError that names it."""
    x, one = Tensor(np.ones((2, 1), np.float32)), Buffer(np.ones(1, np.float32))
    for mean, var, missing in (
        (None, one, "running_mean"),
        (one, None, "running_var"),
        (None, None, "running_"),  # naming either is right
    ):
        with raises(ValueError, missing):
            batch_norm(x, mean, var)
