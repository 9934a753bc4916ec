"""The same on a GPU, or on its strict stand-in."""

import numpy as np
import pytest

from dojo.spec import assert_close, on_device
from tinytorch import losses
from tinytorch.tensor import Tensor

X = np.array([[-2.0, 0.5, 1.0], [3.0, -0.25, 0.0]], np.float32)
NUMBERS = np.array([[0.0, 0.25, 1.0], [1.0, 0.5, 0.0]], np.float32)
CLASSES = np.array([2, 0])

CASES = [
    ("mse_loss", NUMBERS),
    ("l1_loss", NUMBERS),
    ("huber_loss", NUMBERS),
    ("binary_cross_entropy_with_logits", NUMBERS),
    ("nll_loss", CLASSES),
    ("cross_entropy", CLASSES),
]


@pytest.mark.parametrize(("name", "target"), CASES, ids=[name for name, _ in CASES])
def test_losses_stay_on_the_device(device, name, target):
    """A loss of Tensors on a GPU is computed there, and equals the one on the CPU."""
    loss = getattr(losses, name)
    out = loss(Tensor(on_device(X, device)), Tensor(on_device(target, device)))
    assert type(out.data) is type(on_device(X, device)), f"{name} left the device"
    assert_close(out, loss(Tensor(X), Tensor(target)).data, f"{name} on the device")


def test_options_stay_on_the_device(device):
    """Weights, ignored samples and smoothing work on the device too."""
    weight = np.array([1.0, 2.0, 3.0], np.float32)

    def loss(place):
        x, classes, weights = (Tensor(on_device(a, place)) for a in (X, CLASSES, weight))
        return losses.cross_entropy(x, classes, weights, ignore_index=0, label_smoothing=0.1)

    out = loss(device)
    assert type(out.data) is type(on_device(X, device)), "cross_entropy with options left the device"
    assert_close(out, loss("cpu").data, "cross_entropy with options on the device")


@pytest.mark.parametrize(("name", "target"), CASES, ids=[name for name, _ in CASES])
def test_gradients_stay_on_the_device(device, name, target):
    """A gradient of arrays on a GPU is computed there, and equals the one on the CPU."""
    backward = getattr(losses, f"{name}_backward")
    one = np.array(1.0, np.float32)
    grad = backward(on_device(one, device), on_device(X, device), on_device(target, device))
    assert type(grad) is type(on_device(X, device)), f"{name}_backward left the device"
    assert_close(grad, backward(one, X, target), f"{name}_backward on the device")
