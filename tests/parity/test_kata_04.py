"""Kata 04 beside PyTorch: names, state, printing, values, gradients and variances."""

import math

import numpy as np
import pytest
import torch

from tinytorch import layers as ours
from tinytorch.tensor import tensor, zeros


def pair():
    """The same model in both."""

    def model(nn):
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(12, 8),
            nn.GELU(),
            nn.Sequential(nn.Linear(8, 8, bias=False), nn.Dropout(0.1), nn.Tanh()),
            nn.Softmax(dim=1),
        )

    mine, theirs = model(ours), model(torch.nn)
    mine.load_state_dict({name: tensor(value.numpy()) for name, value in theirs.state_dict().items()})
    return mine.eval(), theirs.eval()


def test_names_and_state_are_pytorchs():
    mine, theirs = pair()
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in mine.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert list(mine.state_dict()) == list(theirs.state_dict())


def test_values_are_pytorchs():
    mine, theirs = pair()
    x = np.random.default_rng(0).standard_normal((5, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(
        mine(tensor(x)).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize(
    "module", ["Linear(3, 2)", "Linear(3, 2, bias=False)", "ReLU()", "Dropout(0.1)", "Tanh()"]
)
def test_modules_print_as_pytorchs(module):
    printed = repr(eval(f"nn.Sequential(nn.{module})", {"nn": ours}))
    expected = repr(eval(f"nn.Sequential(nn.{module})", {"nn": torch.nn}))
    assert printed == expected.replace(", inplace=False", "")


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
def test_linear_backward_is_pytorchs(shape):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal(shape).astype(np.float32), rng.standard_normal((2, 3)).astype(np.float32)
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, weight, np.zeros(2, np.float32))]
    out = torch.nn.functional.linear(*inputs)
    grad = rng.standard_normal(tuple(out.shape)).astype(np.float32)
    out.backward(torch.tensor(grad))
    for mine, theirs in zip(ours.linear_backward(grad, x, weight), inputs, strict=True):
        np.testing.assert_allclose(mine, theirs.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(300, 200), (60, 40, 5, 3)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("xavier_uniform_", {}),
        ("xavier_normal_", {"gain": 2.0}),
        ("kaiming_uniform_", {"a": math.sqrt(5)}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ],
)
def test_initialisers_have_pytorchs_variance(name, options, shape):
    torch.manual_seed(0)
    mine = getattr(ours.init, name)(zeros(shape), **options).data
    theirs = getattr(torch.nn.init, name)(torch.zeros(shape), **options)
    assert mine.std() == pytest.approx(float(theirs.std()), rel=0.03)
    assert np.abs(mine).max() == pytest.approx(float(theirs.abs().max()), rel=0.35)


@pytest.mark.parametrize("nonlinearity", ["linear", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_gains_are_pytorchs(nonlinearity):
    assert ours.init.calculate_gain(nonlinearity) == pytest.approx(torch.nn.init.calculate_gain(nonlinearity))
