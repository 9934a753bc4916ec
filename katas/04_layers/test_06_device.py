"""The same on a GPU, or on its strict stand-in."""

import numpy as np

from dojo.spec import assert_close, on_device, to_numpy
from tinytorch.layers import Buffer, Dropout, Flatten, Linear, ReLU, Sequential, init, linear_backward
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

X = np.array([[-2.0, 0.5, 1.0], [3.0, -0.25, 0.0]], np.float32)
WEIGHT = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, 1.0]], np.float32)


def test_a_model_moves_to_the_device(device):
    """model.to(device) moves parameters and buffers, and the model computes there what it computes on the CPU."""
    manual_seed(0)
    model = Sequential(Flatten(), Linear(3, 4), ReLU(), Linear(4, 2))
    expected = model(Tensor(X)).data.copy()
    model.steps = Buffer(np.array([3]))
    model.to(device)
    assert type(model.steps.data) is type(on_device(X, device)), "a buffer of integers did not move"
    out = model(Tensor(on_device(X, device)))
    assert type(out.data) is type(on_device(X, device)), "the output left the device"
    assert_close(out, expected, "the model's output on the device", atol=1e-6)


def test_a_state_comes_from_any_device(device):
    """load_state_dict copies a state of the CPU into a model on a GPU, and the other way round; no model moves."""
    here, there = Linear(3, 2), Linear(3, 2).to(device)
    for source, target in ((here, there), (there, here)):
        init.uniform_(source.weight)
        place = type(target.weight.data)
        target.load_state_dict(source.state_dict())
        assert type(target.weight.data) is place, "the weight left its device"
        assert_close(target.weight, to_numpy(source.weight), "the weight that was loaded")


def test_linear_backward_stays_on_the_device(device):
    """linear_backward of arrays on a GPU is computed there."""
    gradients = linear_backward(on_device(X[:, :2], device), on_device(X, device), on_device(WEIGHT, device))
    for gradient, expected in zip(gradients, linear_backward(X[:, :2], X, WEIGHT), strict=True):
        assert type(gradient) is type(on_device(X, device)), "a gradient left the device"
        assert_close(gradient, expected, "a gradient on the device", atol=1e-6)


def test_random_modules_draw_on_the_device(device):
    """Dropout and the init functions draw on the device of their Tensor."""
    manual_seed(0)
    x = Tensor(on_device(np.ones((100, 100), np.float32), device))
    dropped = Dropout(0.5)(x)
    assert type(dropped.data) is type(x.data), "dropout left the device"
    assert_close(float((dropped == 0).to(np.float32).mean()), 0.5, "the share that became 0", atol=0.05)
    init.uniform_(x)
    assert type(x.data) is type(on_device(X, device)), "uniform_ left the device"
    init.normal_(x)
    assert type(x.data) is type(on_device(X, device)), "normal_ left the device"
    assert_close(float(x.var()), 1.0, "the variance of the draws", atol=0.1)
