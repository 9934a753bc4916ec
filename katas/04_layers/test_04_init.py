"""Where the numbers of a new layer come from."""

import math

import numpy as np
import pytest

from dojo.spec import ShapeError, assert_close, assert_equal, raises
from tinytorch.layers import Parameter, init
from tinytorch.setup import manual_seed
from tinytorch.tensor import zeros

BIG = (200, 300)  # 60,000 draws: their mean and deviation are known to about 1 %


def filled(function, *args, shape=BIG, **kwargs):
    """A Parameter filled by `function`, which must return the very Tensor it was given."""
    manual_seed(0)
    parameter = Parameter(zeros(shape))
    array = parameter.data
    returned = function(parameter, *args, **kwargs)
    assert returned is parameter, "an init function returns the Tensor it was given"
    assert parameter.data is array, "an init function writes into the Tensor's array, it makes no new one"
    return array


def assert_uniform(values, low, high):
    assert values.min() >= low
    assert values.max() <= high
    width = high - low
    assert_close(
        np.sort(values.astype(np.float64), axis=None)[:: values.size // 4][:4],
        low + width * np.arange(4) / 4,
        "the quartiles",
        atol=0.02 * width,
    )


def assert_normal(values, mean, std):
    assert_close(float(values.mean()), mean, "the mean of the draws", atol=0.03 * std)
    assert_close(float(values.std()), std, "the standard deviation of the draws", rtol=0.03)
    inside = float((np.abs(values - mean) < std).mean())
    assert_close(inside, 0.6827, "the share of draws within one standard deviation", atol=0.02)


def test_constants():
    """constant_(tensor, value), zeros_(tensor) and ones_(tensor) fill the Tensor in place and return it."""
    assert_close(filled(init.constant_, 2.5, shape=(2, 3)), np.full((2, 3), 2.5, np.float32), "constant_")
    assert_close(filled(init.ones_, shape=(2,)), np.ones(2, np.float32), "ones_")
    parameter = Parameter(np.ones(3, np.float32))
    assert init.zeros_(parameter) is parameter
    assert_close(parameter, np.zeros(3, np.float32), "zeros_")


def test_uniform_draws_between_two_bounds():
    """uniform_(tensor, a, b) draws evenly from [a, b), by default from [0, 1)."""
    assert_uniform(filled(init.uniform_, -2.0, 3.0), -2.0, 3.0)
    assert_uniform(filled(init.uniform_), 0.0, 1.0)


def test_normal_draws_around_a_mean():
    """normal_(tensor, mean, std) draws from the normal distribution, by default with mean 0 and deviation 1."""
    assert_normal(filled(init.normal_, 5.0, 0.5), 5.0, 0.5)
    assert_normal(filled(init.normal_), 0.0, 1.0)


@pytest.mark.parametrize("draw", ["uniform_", "normal_"])
def test_draws_follow_the_seed(draw):
    """After the same manual_seed the draws are the same, and without a new seed they continue."""
    function = getattr(init, draw)
    first, second = filled(function, shape=(5,)), filled(function, shape=(5,))
    assert_close(first, second, "draws after the same seed")
    assert not np.array_equal(second, function(zeros(5)).data), (
        "without a new seed the same numbers came again"
    )


@pytest.mark.parametrize("draw", ["uniform_", "normal_"])
def test_filling_keeps_the_dtype(draw):
    """A float64 Tensor that is filled stays float64."""
    assert_equal(str(getattr(init, draw)(zeros(3, dtype=np.float64)).data.dtype), "float64", "the dtype")


def test_fans_count_inputs_and_outputs():
    """calculate_fan of a weight (out, in) is (in, out); further axes, those of a kernel, multiply both."""
    assert_equal(init.calculate_fan(zeros(5, 3)), (3, 5))
    assert_equal(init.calculate_fan(zeros(8, 2, 3, 5)), (30, 120))


def test_fans_need_two_axes():
    """calculate_fan of a bias, shape (5,), is a ValueError with the shape."""
    with raises(ShapeError, (5,)):
        init.calculate_fan(zeros(5))


@pytest.mark.parametrize(
    ("nonlinearity", "param", "gain"),
    [
        ("linear", None, 1.0),
        ("sigmoid", None, 1.0),
        ("tanh", None, 5 / 3),
        ("relu", None, math.sqrt(2)),
        ("leaky_relu", None, math.sqrt(2 / 1.0001)),
        ("leaky_relu", 0.0, math.sqrt(2)),
        ("leaky_relu", 0.5, math.sqrt(1.6)),
    ],
)
def test_gains_make_up_for_the_nonlinearity(nonlinearity, param, gain):
    """calculate_gain(nonlinearity, param) is the number in PyTorch's table."""
    assert_close(init.calculate_gain(nonlinearity, param), gain, rtol=1e-12)


def test_an_unknown_gain_is_refused():
    """calculate_gain("cube") is a ValueError that says what was given."""
    with raises(ValueError, "cube"):
        init.calculate_gain("cube")


def test_xavier_balances_both_fans():
    """xavier_* have the deviation gain * sqrt(2 / (fan_in + fan_out)); the uniform bound is sqrt(3) times it."""
    std = math.sqrt(2 / 500)
    assert_normal(filled(init.xavier_normal_), 0.0, std)
    assert_normal(filled(init.xavier_normal_, gain=2.0), 0.0, 2 * std)
    assert_uniform(filled(init.xavier_uniform_), -math.sqrt(3) * std, math.sqrt(3) * std)
    assert_uniform(filled(init.xavier_uniform_, gain=2.0), -2 * math.sqrt(3) * std, 2 * math.sqrt(3) * std)


def test_kaiming_keeps_the_variance_of_one_fan():
    """kaiming_* have the deviation gain / sqrt(fan), by default sqrt(2 / fan_in); the bound is sqrt(3) times it."""
    std = math.sqrt(2 / 300)
    assert_normal(filled(init.kaiming_normal_), 0.0, std)
    assert_normal(
        filled(init.kaiming_normal_, mode="fan_out", nonlinearity="linear"), 0.0, math.sqrt(1 / 200)
    )
    assert_normal(filled(init.kaiming_normal_, a=math.sqrt(5)), 0.0, math.sqrt(1 / 900))
    assert_uniform(filled(init.kaiming_uniform_), -math.sqrt(3) * std, math.sqrt(3) * std)
    assert_uniform(filled(init.kaiming_uniform_, a=math.sqrt(5)), -math.sqrt(1 / 300), math.sqrt(1 / 300))


def test_kaiming_refuses_an_unknown_fan():
    """mode="fan" is a ValueError that says what was given, for kaiming_normal_ and kaiming_uniform_."""
    with raises(ValueError, "fan"):
        init.kaiming_normal_(zeros(2, 3), mode="fan")
    with raises(ValueError, "fan"):
        init.kaiming_uniform_(zeros(2, 3), mode="fan")
