"""Kata 03 beside PyTorch: values and gradients, far out too."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tinytorch import activations as ours
from tinytorch.tensor import Tensor, tanh

X = np.concatenate([np.linspace(-6, 6, 49), [-1e4, -90, -20, 20, 90, 1e4]]).astype(np.float32).reshape(5, 11)
GRAD = np.random.default_rng(0).standard_normal(X.shape).astype(np.float32)

CASES = {
    "relu": (ours.relu, F.relu, lambda x, out: ours.relu_backward(GRAD, x)),
    "leaky_relu": (
        lambda x: ours.leaky_relu(x, 0.2),
        lambda x: F.leaky_relu(x, 0.2),
        lambda x, out: ours.leaky_relu_backward(GRAD, x, 0.2),
    ),
    "sigmoid": (ours.sigmoid, torch.sigmoid, lambda x, out: ours.sigmoid_backward(GRAD, out)),
    "tanh": (tanh, torch.tanh, lambda x, out: ours.tanh_backward(GRAD, out)),
    "silu": (ours.silu, F.silu, lambda x, out: ours.silu_backward(GRAD, x)),
    "softplus": (
        lambda x: ours.softplus(x, 2.0),
        lambda x: F.softplus(x, 2.0),
        lambda x, out: ours.softplus_backward(GRAD, x, 2.0),
    ),
    "gelu": (ours.gelu, F.gelu, lambda x, out: ours.gelu_backward(GRAD, x)),
    "gelu_tanh": (
        lambda x: ours.gelu(x, "tanh"),
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x, out: ours.gelu_backward(GRAD, x, "tanh"),
    ),
    "softmax": (
        lambda x: ours.softmax(x, 1),
        lambda x: F.softmax(x, 1),
        lambda x, out: ours.softmax_backward(GRAD, out, 1),
    ),
    "log_softmax": (
        lambda x: ours.log_softmax(x, 0),
        lambda x: F.log_softmax(x, 0),
        lambda x, out: ours.log_softmax_backward(GRAD, out, 0),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_pytorchs(name):
    function, theirs, backward = CASES[name]
    x = torch.tensor(X, requires_grad=True)
    expected = theirs(x)
    expected.backward(torch.tensor(GRAD))
    out = function(Tensor(X)).data
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, expected.detach().numpy(), rtol=2e-6, atol=1e-6)
    gradient = backward(X, out)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("row", [[1000.0, 1000.0], [-np.inf, -np.inf], [np.inf, 0.0], [0.0, 1.0]])
def test_logsumexp_is_pytorchs(row):
    expected = torch.logsumexp(torch.tensor(row), 0)
    np.testing.assert_allclose(
        ours.logsumexp(Tensor(np.array(row, np.float32)), 0).data, expected.numpy(), rtol=1e-6
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -0.0])
@pytest.mark.parametrize("name", ["relu", "sigmoid", "silu", "leaky_relu", "softplus", "gelu"])
def test_special_values_are_pytorchs(name, value):
    theirs = getattr(F, name)
    ours_function = getattr(ours, name)
    with np.errstate(invalid="ignore"):
        out = ours_function(Tensor(np.array([value], np.float32))).data
    np.testing.assert_allclose(out, theirs(torch.tensor([value], dtype=torch.float32)).numpy())
