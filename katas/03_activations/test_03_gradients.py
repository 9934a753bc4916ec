"""Gradients by hand, on arrays: how the loss changes with the input, once we know how it changes with the output."""

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, gradcheck, no_warnings, raises
from dojo.spec.strategies import arrays, off_kinks, shapes
from tinytorch.activations import (
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    log_softmax,
    log_softmax_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    softmax,
    softmax_backward,
    softplus,
    softplus_backward,
    tanh_backward,
)
from tinytorch.tensor import Tensor, tanh

ROWS = arrays(shapes(min_dims=2, max_dims=2, min_side=1))


def test_relu_backward_passes_the_gradient_where_x_is_positive():
    """relu_backward(grad, x) is grad where x > 0, else 0: for x = [-1, 2] and grad = [5, 7] it is [0, 7]."""
    assert_close(relu_backward(np.array([5.0, 7.0]), np.array([-1.0, 2.0])), np.array([0.0, 7.0]))


@given(x=off_kinks(shapes()))
def test_relu_backward_is_the_slope_of_relu(x):
    """relu_backward agrees with a finite difference of relu at any x but 0."""
    gradcheck(lambda x: relu(Tensor(x)), relu_backward, x)


def test_relu_has_slope_zero_at_zero():
    """At the kink itself the gradient is 0, as in PyTorch."""
    assert_close(relu_backward(np.array([3.0]), np.array([0.0])), np.array([0.0]))


def test_relu_backward_of_infinite_gradients():
    """Where x is not positive the gradient is 0, even if grad is inf or nan; elsewhere it is grad. No warning."""
    wild = np.array([np.inf, -np.inf, np.nan])
    with no_warnings():
        below = relu_backward(wild, np.array([-1.0, 0.0, -2.0]))
        above = relu_backward(wild, np.array([1.0, 2.0, 3.0]))
    assert_close(below, np.zeros(3), "where x is not positive")
    assert_close(above, wild, "where x is positive")


@given(x=off_kinks(shapes()), slope=st.sampled_from([0.01, 0.5]))
def test_leaky_relu_backward_is_the_slope_of_leaky_relu(x, slope):
    """leaky_relu_backward(grad, x, negative_slope) is grad where x > 0, else negative_slope * grad."""
    gradcheck(lambda x: leaky_relu(Tensor(x), slope), lambda grad, x: leaky_relu_backward(grad, x, slope), x)


def test_leaky_relu_backward_has_the_default_slope():
    """leaky_relu_backward(grad, x) uses 0.01, and at x = 0 too."""
    grad = leaky_relu_backward(np.array([1.0, 1.0, 1.0]), np.array([-2.0, 0.0, 2.0]))
    assert_close(grad, np.array([0.01, 0.01, 1.0]))


@given(x=arrays(shapes()))
@example(x=np.array([0.0]))
def test_sigmoid_backward_needs_only_the_output(x):
    """sigmoid_backward(grad, out) is the gradient for x, from out = sigmoid(x): a quarter of grad at x = 0."""
    gradcheck(
        lambda x: sigmoid(Tensor(x)), lambda grad, x: sigmoid_backward(grad, sigmoid(Tensor(x)).data), x
    )


@given(x=arrays(shapes()))
@example(x=np.array([0.0]))
def test_tanh_backward_needs_only_the_output(x):
    """tanh_backward(grad, out) is the gradient for x, from out = tanh(x): all of grad at x = 0."""
    gradcheck(lambda x: tanh(Tensor(x)), lambda grad, x: tanh_backward(grad, tanh(Tensor(x)).data), x)


@given(x=arrays(shapes()))
@example(x=np.array([0.0, 1.0]))
def test_silu_backward_is_the_slope_of_silu(x):
    """silu_backward(grad, x) is the gradient for x of x * sigmoid(x): by the product rule, half of grad at 0."""
    gradcheck(lambda x: silu(Tensor(x)), silu_backward, x)


@given(x=arrays(shapes()), beta=st.sampled_from([1.0, 3.0]))
@example(x=np.array([0.0]), beta=1.0)
def test_softplus_backward_is_a_sigmoid(x, beta):
    """softplus_backward(grad, x, beta) is the gradient for x: half of grad at x = 0."""
    gradcheck(lambda x: softplus(Tensor(x), beta), lambda grad, x: softplus_backward(grad, x, beta), x)


@given(x=arrays(shapes()), approximate=st.sampled_from(["none", "tanh"]))
@example(x=np.array([0.0, 1.0]), approximate="none")
def test_gelu_backward_knows_both_formulas(x, approximate):
    """gelu_backward(grad, x, approximate) is the gradient for x of gelu(x, approximate)."""
    gradcheck(lambda x: gelu(Tensor(x), approximate), lambda grad, x: gelu_backward(grad, x, approximate), x)


def test_gelu_backward_refuses_an_unknown_formula():
    """gelu_backward(grad, x, approximate="erf") is a ValueError that says what was given, as in gelu."""
    with raises(ValueError, "erf"):
        gelu_backward(np.ones(2), np.zeros(2), approximate="erf")


def test_gradients_keep_float32():
    """Gradients of float32 arrays are float32."""
    x, grad = np.array([[-1.0, 0.5]], np.float32), np.array([[1.0, -2.0]], np.float32)
    gradients = {
        "relu_backward": relu_backward(grad, x),
        "leaky_relu_backward": leaky_relu_backward(grad, x),
        "sigmoid_backward": sigmoid_backward(grad, x),
        "tanh_backward": tanh_backward(grad, x),
        "silu_backward": silu_backward(grad, x),
        "softplus_backward": softplus_backward(grad, x),
        "gelu_backward": gelu_backward(grad, x),
        "gelu_backward with tanh": gelu_backward(grad, x, "tanh"),
    }
    assert_equal(
        {name: str(each.dtype) for name, each in gradients.items()}, dict.fromkeys(gradients, "float32")
    )


def test_gradients_far_out_are_finite():
    """At x = -90 and 90 every gradient is finite, and there is no warning."""
    x, grad = np.array([-90.0, 90.0], np.float32), np.ones(2, np.float32)
    ends = np.array([0.0, 1.0], np.float32)
    with no_warnings():
        assert_close(silu_backward(grad, x), ends, "silu_backward(grad, x)", atol=1e-6)
        assert_close(softplus_backward(grad, x), ends, "softplus_backward(grad, x)", atol=1e-6)
        assert_close(gelu_backward(grad, x), ends, "gelu_backward(grad, x)", atol=1e-6)
        assert_close(gelu_backward(grad, x, "tanh"), ends, "gelu_backward(grad, x, 'tanh')", atol=1e-6)


def test_softmax_backward_of_two_equal_entries():
    """softmax_backward(grad, out, dim) for out = [0.5, 0.5] and grad = [1, 0] is [0.25, -0.25]."""
    out, grad = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    assert_close(softmax_backward(grad, out, 0), np.array([0.25, -0.25]))


@given(x=ROWS, dim=st.integers(-2, 1))
def test_softmax_backward_mixes_the_row(x, dim):
    """softmax_backward(grad, out, dim): every output depends on every input of its row along `dim`."""
    gradcheck(
        lambda x: softmax(Tensor(x), dim),
        lambda grad, x: softmax_backward(grad, softmax(Tensor(x), dim).data, dim),
        x,
    )


@given(x=ROWS, dim=st.integers(-2, 1))
@example(x=np.array([[0.0, 0.0]]), dim=1)
def test_log_softmax_backward_mixes_the_row(x, dim):
    """log_softmax_backward(grad, out, dim) is the gradient for x, from out = log_softmax(x, dim)."""
    gradcheck(
        lambda x: log_softmax(Tensor(x), dim),
        lambda grad, x: log_softmax_backward(grad, log_softmax(Tensor(x), dim).data, dim),
        x,
    )


def test_softmax_gradients_keep_their_digits():
    """Over 100,000 entries along dim 0, where NumPy adds row after row, both gradients are right to 2e-6."""
    share = np.full((100_000, 2), 5e-6, np.float32)
    share[0] = 0.5  # the other half is shared by all the rest
    grad = np.full((100_000, 2), 0.1, np.float32)
    grad[0] = 1.0
    exact_share, exact_grad = share.astype(np.float64), grad.astype(np.float64)
    of_softmax = exact_share * (exact_grad - (exact_grad * exact_share).sum(0))
    of_log = exact_grad - exact_share * exact_grad.sum(0)
    mine = softmax_backward(grad, share, 0)[0], log_softmax_backward(grad, np.log(share), 0)[0]
    assert_close(mine[0], of_softmax[0].astype(np.float32), "the first row of softmax_backward", rtol=2e-6)
    assert_close(mine[1], of_log[0].astype(np.float32), "the first row of log_softmax_backward", rtol=2e-6)
