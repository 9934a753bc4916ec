"""Functions of one entry: the bends."""

import math

import numpy as np
from hypothesis import example, given

from dojo.spec import assert_close, assert_equal, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, shapes, strided
from tinytorch.activations import gelu, leaky_relu, relu, sigmoid, silu, softplus
from tinytorch.tensor import Tensor


def each(function, x):
    """The oracle: a loop over the entries, in Python's floats, rounded at the end to the dtype of x."""
    return np.array([function(float(v)) for v in x.flat], np.float64).reshape(x.shape).astype(x.dtype)


EXTREMES = np.array([-1e30, -200.0, -90.0, -20.0, -1e-30, 0.0, 1e-30, 20.0, 90.0, 200.0, 1e30], np.float32)


def test_relu_keeps_what_is_positive():
    """relu([-2, 0, 3]) is [0, 0, 3]."""
    assert_close(relu(Tensor(np.array([-2.0, 0.0, 3.0], np.float32))), np.array([0.0, 0.0, 3.0], np.float32))


@given(x=strided(shapes()))
def test_relu_works_entry_by_entry_on_any_shape(x):
    """relu takes any shape, in any memory order, and leaves its input as it was."""
    with unchanged(x):
        out = relu(Tensor(x))
    assert_close(out, each(lambda v: max(v, 0.0), x), "relu(x)")


def test_relu_keeps_nan():
    """relu(nan) is nan: a broken number must stay visible."""
    assert_close(relu(Tensor(np.array([math.nan, -1.0]))), np.array([math.nan, 0.0]))


@given(x=arrays(shapes(), low=-4, high=4))
@example(x=np.array([-3.0, 0.0, 5.0], np.float32))
def test_leaky_relu_lets_a_little_through(x):
    """leaky_relu(x) is x where x > 0, and 0.01 * x elsewhere."""
    assert_close(leaky_relu(Tensor(x)), each(lambda v: v if v > 0 else 0.01 * v, x), "leaky_relu(x)")


def test_leaky_relu_takes_its_slope():
    """leaky_relu(x, negative_slope=0.5) halves what is negative; a slope above 1 works too."""
    x = Tensor(np.array([-4.0, 2.0], np.float32))
    assert_close(leaky_relu(x, negative_slope=0.5), np.array([-2.0, 2.0], np.float32), "with slope 0.5")
    assert_close(leaky_relu(x, negative_slope=3.0), np.array([-12.0, 2.0], np.float32), "with slope 3")


@given(x=arrays(shapes(), low=-4, high=4))
@example(x=np.array([0.0], np.float32))
def test_sigmoid_is_the_logistic_function(x):
    """sigmoid(x) is 1 / (1 + exp(-x)): 0.5 at 0."""
    assert_close(sigmoid(Tensor(x)), each(lambda v: 1 / (1 + math.exp(-v)), x), "sigmoid(x)")


def test_sigmoid_is_exact_far_out():
    """sigmoid(-90) is exp(-90), not 0, sigmoid(-1e30) is 0, and no input gives a warning."""

    def exact(v):
        return 1 / (1 + math.exp(-v)) if v > -700 else 0.0

    with no_warnings():
        out = sigmoid(Tensor(EXTREMES))
    # Below float32's smallest normal number (1e-38) digits are lost to the format itself.
    assert_close(out, each(exact, EXTREMES), "sigmoid(x)", rtol=1e-5, atol=1e-38)


def test_sigmoid_of_integers_is_float32():
    """sigmoid of an integer Tensor is float32, as in PyTorch."""
    assert_close(sigmoid(Tensor(np.array([0, 0]))), np.array([0.5, 0.5], np.float32))


@given(x=arrays(shapes(), low=-4, high=4))
@example(x=np.array([0.0, 1.0], np.float32))
def test_silu_is_x_times_its_sigmoid(x):
    """silu(x) is x * sigmoid(x)."""
    assert_close(silu(Tensor(x)), each(lambda v: v / (1 + math.exp(-v)), x), "silu(x)")


@given(x=arrays(shapes(), low=-4, high=4))
@example(x=np.array([0.0], np.float32))
def test_softplus_is_a_smooth_relu(x):
    """softplus(x) is log(1 + exp(x)): log(2) at 0."""
    assert_close(softplus(Tensor(x)), each(lambda v: math.log1p(math.exp(v)), x), "softplus(x)")


def test_softplus_takes_its_sharpness():
    """softplus(x, beta) is log(1 + exp(beta * x)) / beta."""
    x = np.array([-1.0, 0.5, 2.0], np.float32)
    expected = each(lambda v: math.log1p(math.exp(3 * v)) / 3, x)
    assert_close(softplus(Tensor(x), beta=3.0), expected, "softplus(x, beta=3)")


def test_softplus_is_exact_far_out():
    """softplus(200) is 200 and softplus(-90) is exp(-90), without overflow and without a warning."""

    def exact(v):
        return max(v, 0.0) + math.log1p(math.exp(-abs(v)))

    with no_warnings():
        out = softplus(Tensor(EXTREMES))
    assert_close(out, each(exact, EXTREMES), "softplus(x)", rtol=1e-5, atol=1e-38)


def phi(v):
    """The distribution function of the normal distribution, exact in the tail."""
    return math.erfc(-v / math.sqrt(2)) / 2


@given(x=arrays(shapes(), low=-3, high=3))
@example(x=np.array([-1.0, 0.0, 1.0], np.float32))
def test_gelu_weighs_x_by_the_normal_distribution(x):
    """gelu(x) is x * (1 + erf(x / sqrt(2))) / 2: it keeps about 84 % of 1, and lets about 16 % of -1 through."""
    assert_close(gelu(Tensor(x)), each(lambda v: v * phi(v), x), "gelu(x)")


@given(x=arrays(shapes(), low=-3, high=3))
@example(x=np.array([-1.0, 0.0, 1.0], np.float32))
def test_gelu_has_a_cheaper_formula_with_tanh(x):
    """gelu(x, approximate="tanh") is x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2."""

    def approximate(v):
        return v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) / 2

    assert_close(gelu(Tensor(x), approximate="tanh"), each(approximate, x), "gelu(x, approximate='tanh')")


def test_gelu_refuses_an_unknown_formula():
    """gelu(x, approximate="erf") is a ValueError that says what was given."""
    with raises(ValueError, "erf"):
        gelu(Tensor(np.zeros(2, np.float32)), approximate="erf")


def test_functions_keep_float32():
    """Every activation of a float32 Tensor is float32: a float64 constant would double the memory of a model."""
    x = Tensor(np.array([-1.0, 0.5], np.float32))
    outputs = {
        "relu": relu(x),
        "leaky_relu": leaky_relu(x),
        "sigmoid": sigmoid(x),
        "silu": silu(x),
        "softplus": softplus(x),
        "gelu": gelu(x),
    }
    assert_equal(
        {name: str(out.data.dtype) for name, out in outputs.items()}, dict.fromkeys(outputs, "float32")
    )
