"""The same on a GPU: rules, the way back, and gradients that stay where their inputs are."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, on_device, refuses_to_mix
from tinytorch.activations import sigmoid, softplus
from tinytorch.autograd import Function, grad
from tinytorch.losses import cross_entropy
from tinytorch.tensor import (
    Tensor,
    abs,
    cat,
    clamp,
    cos,
    cumsum,
    erf,
    exp,
    flip,
    gather,
    index_add,
    log,
    log1p,
    maximum,
    minimum,
    pad,
    sign,
    sin,
    sqrt,
    sum,
    tanh,
    where,
)

X = np.array([[0.5, 1.5, 0.25], [2.0, 0.75, 1.25]], np.float32)
INDEX = np.array([[0, 2], [1, 1]])
ROWS = np.array([1, 1])

FUNCTIONS = {
    "arithmetic": lambda x, place: (x * 2.0 - x / (x + 1.0)) ** 2.0 + (-x) + 2.0**x + x % 0.4,
    "functions": lambda x, place: (
        exp(x) + log(x) + log1p(x) + sqrt(x) + sin(x) + cos(x) + tanh(x) + erf(x) + abs(x)
    ),
    "activations": lambda x, place: sigmoid(x) + softplus(x) + sign(x),
    "choosing": lambda x, place: (
        maximum(x, 1.0) * minimum(x, 1.0) + clamp(x, 0.6, 1.4) + where(x > 1.0, x, x * x)
    ),
    "reductions": lambda x, place: (
        x.amax(1) * x.amin(0, keepdim=True).sum() + x.mean(1) + x.var(1) + cumsum(x, 1)[:, 1]
    ),
    "products": lambda x, place: x @ x.T,
    "shapes": lambda x, place: flip(x.T.reshape(2, 3), (0, 1)) * x.unsqueeze(0).expand(2, 2, 3),
    "joining": lambda x, place: pad(cat([x, x * 2.0], 1), (1, 0)).tril() + pad(x, (4, 0)).triu(),
    "places": lambda x, place: gather(x, 1, place(INDEX)) * x[:, [0, 0]] + x[x > 1.0].sum(),
    "a place twice": lambda x, place: x[place(ROWS)] * 3.0,
    "adding at places": lambda x, place: index_add(x, 0, place(ROWS), x * 3.0).clone(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_on_the_device(name, device):
    """The gradients on the device are those on the CPU, and stay on the device."""
    found = {}
    for where_to in ("cpu", device):
        x = Tensor(on_device(X, where_to), requires_grad=True)
        out = FUNCTIONS[name](x, lambda array, where_to=where_to: Tensor(on_device(array, where_to)))
        upstream = np.linspace(0.5, 1.5, out.numel(), dtype=np.float32).reshape(out.shape)
        out.backward(Tensor(on_device(upstream, where_to)))
        assert_equal(str(x.grad.device), str(x.device), "the device of the gradient")
        found[where_to] = x.grad
    assert_close(found[device], found["cpu"].data, f"the gradient on {device}", rtol=1e-5)


def test_a_number_begins_with_one_on_the_device(device):
    """backward from a single number on the device needs no gradient, and cross_entropy works there."""
    x = Tensor(on_device(X, device), requires_grad=True)
    cross_entropy(x, Tensor(on_device(np.array([2, 0]), device))).backward()
    assert_equal(str(x.grad.device), str(x.device), "the device of the gradient")


def test_moving_to_a_device_and_back_is_differentiable(device):
    """x.to(device) is recorded, and its gradient comes back: x.grad is on the CPU, where x is."""
    x = Tensor(X, requires_grad=True)
    sum(x.to(device) * 3.0).backward()
    assert_close(x.grad, np.full_like(X, 3.0), "x.grad")
    assert_equal(str(x.grad.device), "cpu", "the device of x.grad")


def test_a_gradient_from_another_device_is_refused(device):
    """A given gradient must be on the device of the output: nothing is moved without being asked for."""
    x = Tensor(on_device(X, device), requires_grad=True)
    with refuses_to_mix(device):
        (x * x).backward(Tensor(X))


def test_a_function_on_the_device(device):
    """A Function gets the arrays of the device, and grad() gives Tensors there."""

    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = Tensor(on_device(X, device), requires_grad=True)
    (found,) = grad(sum(Double.apply(x)), x)
    assert_close(found, np.full_like(X, 2.0), "the gradient")
    assert_equal(str(found.device), str(x.device), "its device")
