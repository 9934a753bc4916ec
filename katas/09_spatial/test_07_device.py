"""The same on a GPU, or on its strict stand-in."""

import numpy as np
import pytest

from dojo.spec import assert_close, on_device
from tinytorch.autograd import no_grad
from tinytorch.layers import Buffer, Module, Sequential
from tinytorch.setup import manual_seed
from tinytorch.spatial import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    MaxPool2d,
    adaptive_avg_pool2d,
    avg_pool2d,
    batch_norm,
    conv2d,
    max_pool2d,
)
from tinytorch.tensor import Tensor

X = (np.arange(120, dtype=np.float32).reshape(2, 2, 5, 6) * 7 % 11) - 5
WEIGHT = np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3) % 5 - 2
BIAS = np.array([1, 0, -1, 0.5], np.float32)

CASES = {
    "conv2d": lambda x, put: conv2d(x, put(WEIGHT), put(BIAS), (2, 1), 1, (1, 2), 2),
    "conv2d_same": lambda x, put: conv2d(x, put(WEIGHT), padding="same", groups=2),
    "max_pool2d": lambda x, put: max_pool2d(x, 3, 2, 1),
    "avg_pool2d": lambda x, put: avg_pool2d(x, 3, 2, 1),
    "avg_pool2d_uncounted": lambda x, put: avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "adaptive_avg_pool2d": lambda x, put: adaptive_avg_pool2d(x, (2, 4)),
    "batch_norm": lambda x, put: batch_norm(x, None, None, put(BIAS[:2]), put(BIAS[2:]), True),
}
every_function = pytest.mark.parametrize("compute", CASES.values(), ids=CASES)


@every_function
def test_pictures_stay_on_the_device(device, compute):
    """A function of pictures on a GPU is computed there, and gives the same result as on the CPU."""
    with no_grad():
        out = compute(Tensor(on_device(X, device)), lambda array: Tensor(on_device(array, device)))
        expected = compute(Tensor(X), Tensor)
    assert type(out.data) is type(on_device(X, device)), "the result left the device"
    assert_close(out, expected.data, "the result on the device", atol=1e-5)


def test_running_statistics_stay_on_the_device(device):
    """The running statistics of pictures on a GPU are updated there."""
    mean, var = (Buffer(on_device(np.ones(2, np.float32), device)) for _ in range(2))
    batch_norm(Tensor(on_device(X, device)), mean, var, training=True)
    for name, running, batch in (
        ("running_mean", mean, X.mean((0, 2, 3), dtype=np.float64)),
        ("running_var", var, X.var((0, 2, 3), ddof=1, dtype=np.float64)),
    ):
        assert type(running.data) is type(on_device(X, device)), f"{name} left the device"
        assert_close(running, (0.9 + 0.1 * batch).astype(np.float32), name, atol=1e-5)


class Block(Module):
    """One step of a network for pictures."""

    def __init__(self):
        self.layers = Sequential(
            Conv2d(2, 3, 3, padding=1), BatchNorm2d(3), MaxPool2d(2), AdaptiveAvgPool2d(1)
        )

    def forward(self, x):
        return self.layers(x)


def test_a_network_trains_on_the_device(device):
    """A model of this kata's layers moves to a GPU, and gives the gradients there that it gives on the CPU."""
    manual_seed(0)
    model = Block()
    gradients = {}
    for place in ("cpu", device):
        model.to(place)
        model.zero_grad()
        out = model(Tensor(on_device(X, place)))
        (out * out).sum().backward()
        gradients[place] = {name: p.grad for name, p in model.named_parameters()}
    for name, gradient in gradients[device].items():
        assert type(gradient.data) is type(on_device(X, device)), f"the gradient of {name} left the device"
        assert_close(gradient, gradients["cpu"][name].data, f"the gradient of {name}", atol=1e-4)
    assert_close(model.layers[1].num_batches_tracked, np.array(2), "num_batches_tracked")
