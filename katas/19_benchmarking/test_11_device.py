"""On a GPU, or on its strict stand-in: operations are written down there, and processes share the CPU's memory only."""

import threading

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, on_device, raises
from tinytorch.benchmarking import ProcessGroup, average_gradients, profile, ring_all_reduce, shared_array
from tinytorch.layers import Parameter
from tinytorch.tensor import Tensor

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def alone():
    """The group of the only process."""
    return ProcessGroup(0, shared_array((1, 64), np.uint8), threading.Barrier(1), 1.0)


def test_operations_on_a_device_are_written_down(device):
    """profile writes down of a GPU what it writes down of the CPU: names, operations, bytes; the results stay there."""
    found = {}
    for place in ("cpu", device):
        x = Tensor(on_device(X, place), requires_grad=True)
        with profile() as p:
            out = (x @ x.T).sum()
            out.backward()
        assert type(x.grad.data) is type(x.data), "the gradient left the device"
        found[place] = [(r.name, r.kind, r.flops, r.bytes) for r in p.records]
    assert_equal(found[device], found["cpu"], "the list of records")


@pytest.mark.parametrize("reduce", [ProcessGroup.all_reduce, ring_all_reduce], ids=["all_reduce", "ring"])
def test_an_array_on_a_gpu_is_not_summed_up(device, reduce):
    """all_reduce and ring_all_reduce of an array on a GPU are a TypeError: nothing is copied to the CPU in secret."""
    array = on_device(X, device)
    if device == "cpu":
        reduce(alone(), array)
    else:
        with raises(TypeError):
            reduce(alone(), array)
    assert_close(Tensor(array), X, "the array")


def test_gradients_on_a_gpu_are_not_averaged(device):
    """average_gradients of a model on a GPU is a TypeError, and the gradients stay what they were."""
    p = Parameter(on_device(X, device))
    p.grad = Tensor(on_device(X + 1, device))
    if device == "cpu":
        average_gradients([p], alone())
    else:
        with raises(TypeError):
            average_gradients([p], alone())
    assert type(p.grad.data) is type(p.data), "the gradient left the device"
    assert_close(p.grad, X + 1, "the gradient")
