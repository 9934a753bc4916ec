"""A first model learns: descent on a loss, with the gradient by hand."""

import numpy as np

from dojo.spec import assert_close
from tinytorch.layers import Linear, linear_backward
from tinytorch.losses import (
    cross_entropy,
    cross_entropy_backward,
    huber_loss_backward,
    mse_loss_backward,
)
from tinytorch.tensor import Tensor

ONE = np.array(1.0, np.float32)


def test_one_wild_number_pulls_the_mean_but_not_huber():
    """Guessing one number for [1, 1, 1, 1, 100]: the mse settles at the mean, 20.8, huber near the crowd, 1.25."""
    truth = np.array([1.0, 1.0, 1.0, 1.0, 100.0])
    settled = {}
    for name, backward in {"mse": mse_loss_backward, "huber": huber_loss_backward}.items():
        guess = 0.0
        for _ in range(400):
            guess -= 0.5 * backward(np.array(1.0), np.full(5, guess), truth).sum()
        settled[name] = guess
    assert_close(settled["mse"], 20.8, "the guess under mse_loss", rtol=1e-3)
    assert_close(settled["huber"], 1.25, "the guess under huber_loss", rtol=1e-3)


def test_a_linear_layer_learns_three_groups():
    """300 steps downhill on cross_entropy sort points around three corners of a triangle: at least 95 % right."""
    rng = np.random.default_rng(0)
    corners = np.array([[0.0, 2.0], [-2.0, -1.0], [2.0, -1.0]])
    labels = np.arange(90) % 3
    points = (corners[labels] + 0.6 * rng.standard_normal((90, 2))).astype(np.float32)
    layer = Linear(2, 3)
    first = float(cross_entropy(layer(Tensor(points)), Tensor(labels)).data)
    for _ in range(300):
        logits = layer(Tensor(points)).data
        grad = cross_entropy_backward(ONE, logits, labels)
        _, weight_grad, bias_grad = linear_backward(grad, points, layer.weight.data)
        layer.weight.data -= 0.5 * weight_grad
        layer.bias.data -= 0.5 * bias_grad
    last = float(cross_entropy(layer(Tensor(points)), Tensor(labels)).data)
    right = float((layer(Tensor(points)).data.argmax(1) == labels).mean())
    assert last < first / 2, f"the loss went from {first:.3f} to {last:.3f}, expected at most half"
    assert right >= 0.95, f"{right:.0%} of the points are right, expected at least 95 %"
