"""The same on a GPU, or on its strict stand-in: nothing is copied to NumPy on the way."""

import numpy as np
import pytest

from dojo.spec import assert_close, on_device
from tinytorch import activations
from tinytorch.tensor import Tensor

X = np.array([[-2.0, 0.5, 1.0], [3.0, -0.25, 0.0]], np.float32)
GRAD = np.array([[1.0, -2.0, 0.5], [0.25, 4.0, -1.0]], np.float32)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("relu", ()),
        ("leaky_relu", ()),
        ("sigmoid", ()),
        ("silu", ()),
        ("softplus", ()),
        ("gelu", ()),
        ("gelu", ("tanh",)),
        ("softmax", (1,)),
        ("log_softmax", (0,)),
        ("logsumexp", (1,)),
    ],
)
def test_activations_stay_on_the_device(device, name, params):
    """An activation of a Tensor on a GPU is computed there, and equals the one on the CPU."""
    function = getattr(activations, name)
    out = function(Tensor(on_device(X, device)), *params)
    assert type(out.data) is type(on_device(X, device)), f"{name} left the device"
    assert_close(out, function(Tensor(X), *params).data, f"{name} on the device")


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("relu_backward", ()),
        ("leaky_relu_backward", ()),
        ("sigmoid_backward", ()),
        ("tanh_backward", ()),
        ("silu_backward", ()),
        ("softplus_backward", ()),
        ("gelu_backward", ()),
        ("gelu_backward", ("tanh",)),
        ("softmax_backward", (1,)),
        ("log_softmax_backward", (0,)),
    ],
)
def test_gradients_stay_on_the_device(device, name, params):
    """A gradient of arrays on a GPU is computed there, and equals the one on the CPU."""
    function = getattr(activations, name)
    grad = function(on_device(GRAD, device), on_device(X, device), *params)
    assert type(grad) is type(on_device(X, device)), f"{name} left the device"
    assert_close(grad, function(GRAD, X, *params), f"{name} on the device")
