"""What is made of slices, sums and maxima gets its gradient from kata 07."""

import numpy as np
from hypothesis import given, settings, strategies as st

from dojo.spec import assert_close, check_tape
from dojo.spec.strategies import arrays, distinct
from tinytorch.layers import Buffer
from tinytorch.spatial import adaptive_avg_pool2d, avg_pool2d, batch_norm, conv2d, max_pool2d, windows
from tinytorch.tensor import Tensor, stack

X = arrays((2, 2, 4, 5), np.float64)
few = settings(max_examples=10)


@given(x=X)
@few
def test_gradients_flow_through_windows(x):
    """A pixel gets the gradients of all windows that hold it."""
    check_tape(Tensor, lambda x: stack(windows(x, (2, 3), (1, 2))), x)


@given(x=X, weight=arrays((3, 2, 2, 3), np.float64), bias=arrays((3,), np.float64))
@few
def test_the_gradient_of_conv2d(x, weight, bias):
    """Pixels, kernels and bias get their gradients."""
    check_tape(Tensor, conv2d, x, weight, bias)


@given(
    x=X,
    weight=arrays((4, 1, 2, 2), np.float64),
    stride=st.sampled_from([1, (2, 1), (1, 2)]),
    padding=st.sampled_from([0, (1, 0), (2, 1)]),
    dilation=st.sampled_from([(1, 2), (2, 1)]),
)
@few
def test_the_gradient_of_conv2d_with_options(x, weight, stride, padding, dilation):
    """Pixels and kernels get their gradients with stride, padding, dilation and two groups too."""
    check_tape(
        Tensor,
        lambda x, weight: conv2d(x, weight, None, stride, padding, dilation, 2),
        x,
        weight,
    )


@given(x=distinct((2, 1, 4, 5), np.float64), stride=st.sampled_from([None, 1, (1, 2)]))
@few
def test_the_gradient_of_max_pool2d_goes_to_the_largest(x, stride):
    """The largest pixel of a window gets its gradient, the others 0; overlapping windows add up."""
    check_tape(Tensor, lambda x: max_pool2d(x, (2, 3), stride, (1, 1)), x)


def test_where_two_are_largest_the_first_gets_the_gradient():
    """In a window of equal pixels the gradient goes to the first one, row by row, and all of it, as in PyTorch."""
    for row, expected in (
        ([[2.0, 2.0], [2.0, 2.0]], [[1.0, 0.0], [0.0, 0.0]]),
        ([[1.0, 2.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]),
        ([[0.0, 1.0], [2.0, 2.0]], [[0.0, 0.0], [1.0, 0.0]]),
    ):
        x = Tensor(np.array([[row]]), requires_grad=True)
        max_pool2d(x, 2).sum().backward()
        assert_close(x.grad, np.array([[expected]]), f"the gradient of {row}")


@given(x=X, counted=st.booleans(), stride=st.sampled_from([None, 1, (2, 1)]))
@few
def test_the_gradient_of_avg_pool2d_is_shared(x, counted, stride):
    """Every pixel of a window gets an equal share, with padding counted or not."""
    check_tape(Tensor, lambda x: avg_pool2d(x, (2, 3), stride, (1, 1), count_include_pad=counted), x)


@given(x=X, size=st.sampled_from([1, (2, 3), (3, 2), (5, 7)]))
@few
def test_the_gradient_of_adaptive_avg_pool2d(x, size):
    """Every pixel gets its share of every part that holds it."""
    check_tape(Tensor, lambda x: adaptive_avg_pool2d(x, size), x)


@given(x=distinct((3, 2, 2, 2), np.float64), weight=arrays((2,), np.float64), bias=arrays((2,), np.float64))
@few
def test_the_gradient_of_batch_norm_in_training(x, weight, bias):
    """A pixel changes the mean and the variance of its channel, and so every other output of the channel."""
    check_tape(
        Tensor,
        lambda x, weight, bias: batch_norm(x, None, None, weight, bias, training=True),
        x,
        weight,
        bias,
    )


@given(x=distinct((2, 2, 2, 3), np.float64), weight=arrays((2,), np.float64), bias=arrays((2,), np.float64))
@few
def test_the_gradient_of_batch_norm_afterwards(x, weight, bias):
    """When not training, the statistics are constants, and each pixel changes only its own output."""
    mean, var = Buffer(np.array([1.0, -1.0])), Buffer(np.array([0.5, 2.0]))
    check_tape(
        Tensor,
        lambda x, weight, bias: batch_norm(x, mean, var, weight, bias),
        x,
        weight,
        bias,
    )
