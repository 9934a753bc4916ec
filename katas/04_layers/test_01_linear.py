"""The linear layer: many weighted sums at once."""

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, gradcheck, raises, unchanged
from dojo.spec.strategies import arrays
from tinytorch.layers import Buffer, Parameter, linear, linear_backward
from tinytorch.tensor import Tensor, zeros


def test_linear_by_hand():
    """linear([[1, 2]], weight=[[3, 4], [5, 6], [7, 8]], bias=[0, 10, 100]) is [[11, 27, 123]]."""
    x = Tensor(np.array([[1.0, 2.0]]))
    weight = Tensor(np.array([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]))
    bias = Tensor(np.array([0.0, 10.0, 100.0]))
    assert_close(linear(x, weight, bias), np.array([[11.0, 27.0, 123.0]]))


def test_linear_without_bias():
    """linear(x, weight) is x @ weight.T alone."""
    x, weight = Tensor(np.array([[1.0, 2.0]])), Tensor(np.array([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]))
    assert_close(linear(x, weight), np.array([[11.0, 17.0, 23.0]]))


@given(lead=st.lists(st.integers(0, 3), max_size=2).map(tuple), data=st.data())
def test_linear_keeps_the_leading_axes(lead, data):
    """x of shape (*, in) gives (*, out), for any axes in front: one sample, a batch, a batch of sentences."""
    x = data.draw(arrays((*lead, 3)), label="x")
    weight, bias = data.draw(arrays((2, 3)), label="weight"), data.draw(arrays((2,)), label="bias")
    expected = np.zeros((*lead, 2), np.float32)
    for place in np.ndindex(*lead):
        for o in range(2):
            expected[(*place, o)] = bias[o] + sum(x[(*place, i)] * weight[o, i] for i in range(3))
    with unchanged(x, weight, bias):
        out = linear(Tensor(x), Tensor(weight), Tensor(bias))
    assert_close(out, expected, "linear(x, weight, bias)")


def test_linear_refuses_another_number_of_features():
    """x of shape (4, 2) with a weight of shape (5, 3) is a ValueError that names both shapes."""
    with raises(ShapeError, (4, 2), (5, 3)):
        linear(zeros(4, 2), zeros(5, 3))


def test_linear_refuses_a_bias_of_another_shape():
    """A bias of shape (5, 1, 3) would make five outputs of one: it is a ValueError with its shape and the weight's."""
    with raises(ShapeError, (3, 2), (5, 1, 3)):
        linear(zeros(4, 2), zeros(3, 2), zeros(5, 1, 3))


def test_linear_backward_by_hand():
    """For grad [[1, 10]], x [[2, 3]] and weight [[4, 5], [6, 7]] it is [[64, 75]], [[2, 3], [20, 30]], [1, 10]."""
    grad, x = np.array([[1.0, 10.0]]), np.array([[2.0, 3.0]])
    weight = np.array([[4.0, 5.0], [6.0, 7.0]])
    x_grad, weight_grad, bias_grad = linear_backward(grad, x, weight)
    assert_close(x_grad, np.array([[64.0, 75.0]]), "the gradient for x")
    assert_close(weight_grad, np.array([[2.0, 3.0], [20.0, 30.0]]), "the gradient for weight")
    assert_close(bias_grad, np.array([1.0, 10.0]), "the gradient for bias")


@given(lead=st.sampled_from([(), (4,), (2, 3), (0,)]), data=st.data())
@example(lead=(2,), data=None)
def test_linear_backward_sums_over_the_leading_axes(lead, data):
    """linear_backward(grad, x, weight) gives the gradients for x, weight and bias; every sample uses the weight."""
    if data is None:
        x, weight = (
            np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]]),
            np.array([[1.0, 0.5, -1.0], [2.0, 0.0, 3.0]]),
        )
    else:
        x, weight = data.draw(arrays((*lead, 3)), label="x"), data.draw(arrays((2, 3)), label="weight")
    gradcheck(
        lambda x, weight, bias: linear(Tensor(x), Tensor(weight), Tensor(bias)),
        lambda grad, x, weight, bias: linear_backward(grad, x, weight),
        x,
        weight,
        np.array([0.5, -1.0]),
    )


def test_the_gradient_of_a_bias_keeps_its_digits():
    """Every sample uses the bias: 100,000 gradients of 0.1 add up to 10,000 for it, right to 1e-6."""
    grad = np.full((100_000, 2), 0.1, np.float32)
    x, weight = np.zeros((100_000, 1), np.float32), np.zeros((2, 1), np.float32)
    assert_close(
        linear_backward(grad, x, weight)[2],
        np.full(2, 10_000, np.float32),
        "the gradient for bias",
        rtol=1e-6,
    )


def test_a_parameter_wants_a_gradient():
    """Parameter(x) is a Tensor over the memory of x that requires grad; a Buffer is one that does not. Given."""
    x = zeros(2)
    parameter, buffer = Parameter(x), Buffer(x)
    assert parameter.requires_grad
    assert not buffer.requires_grad
    parameter.data[0] = 5.0
    assert_close(linear(parameter, Parameter(np.ones((1, 2), np.float32))), np.array([5.0], np.float32))
    assert_close(buffer, np.array([5.0, 0.0], np.float32), "the buffer over the same memory")
