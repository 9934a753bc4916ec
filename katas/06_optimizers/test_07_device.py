"""The same on a GPU, or on its strict stand-in."""

import numpy as np
import pytest

from dojo.spec import assert_close, on_device
from tinytorch import optimizers
from tinytorch.layers import Parameter
from tinytorch.tensor import Tensor

START = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, -0.25]], np.float32)
GRADS = [np.full((2, 3), 0.5, np.float32), np.arange(6, dtype=np.float32).reshape(2, 3) - 2]

CASES = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.5}),
]
every_optimizer = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=["SGD", "nesterov", "Adam", "AdamW", "RMSprop"]
)


def walk(name, options, device):
    """Two steps on the device: the optimizer and its parameter."""
    p = Parameter(on_device(START.copy(), device))
    optimizer = getattr(optimizers, name)([p], **options)
    for g in GRADS:
        p.grad = Tensor(on_device(g, device))
        optimizer.step()
    return optimizer, p


@every_optimizer
def test_steps_stay_on_the_device(device, name, options):
    """Parameters on a GPU move there as on the CPU, and so does their state."""
    optimizer, p = walk(name, options, device)
    _, expected = walk(name, options, "cpu")
    kind = type(on_device(START, device))
    assert type(p.data) is kind, "the parameter left the device"
    assert_close(p, expected.data, "the parameter on the device")
    left = [
        key
        for key, value in optimizer.state[p].items()
        if hasattr(value, "shape") and type(value) is not kind
    ]
    assert not left, f"{', '.join(left)} of the state left the device"


@every_optimizer
def test_a_state_from_the_cpu_is_loaded_to_the_device(device, name, options):
    """load_state_dict moves arrays to the device of their parameter, and back to the CPU: one more step works."""
    on_cpu, p = walk(name, options, "cpu")
    moved, q = walk(name, options, device)
    moved.load_state_dict(on_cpu.state_dict())
    on_cpu.load_state_dict(moved.state_dict())
    p.grad, q.grad = Tensor(GRADS[0]), Tensor(on_device(GRADS[0], device))
    on_cpu.step()
    moved.step()
    assert type(q.data) is type(on_device(START, device)), "the parameter left the device"
    assert_close(q, p.data, "the parameter on the device after one more step")
