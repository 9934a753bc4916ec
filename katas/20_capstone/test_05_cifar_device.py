"""On a GPU, or on its strict stand-in: averaged weights, and networks with fewer layers and weights of one byte."""

from types import SimpleNamespace

import numpy as np

from dojo.spec import assert_close, on_device, to_numpy
from tinytorch.autograd import no_grad
from tinytorch.capstone import WeightAveraging, fold_batch_norms, quantize_network
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor

PICTURES = np.random.default_rng(0).standard_normal((2, 3, 5, 5)).astype(np.float32)


def network():
    manual_seed(0)
    return Sequential(Conv2d(3, 4, 3), BatchNorm2d(4), ReLU(), Flatten(), Linear(36, 5))


def stays(value, device, what):
    assert type(value.data) is type(on_device(PICTURES, device)), f"{what} left the device"


def averaged(device, values, callback):
    """The callback has seen Linear(2, 1) on the device with each of these values as its weights."""
    model = Linear(2, 1).to(device)
    for value in values:
        for parameter in model.parameters():
            parameter.data[...] = value
        callback.on_step_end(SimpleNamespace(model=model), 0.0, 1)
    return model


def test_weights_are_averaged_on_the_device(device):
    """The averaged weights of a model on a GPU are there too, are those of the CPU, and can be lent to the model."""
    callback, on_cpu = WeightAveraging(), WeightAveraging()
    model = averaged(device, [1.0, 12.0, 3.0], callback)
    averaged("cpu", [1.0, 12.0, 3.0], on_cpu)
    for name, value in callback.weights.items():
        stays(value, device, name)
        assert_close(value, to_numpy(on_cpu.weights[name]), name)
    with callback.averaged(model):
        stays(model.weight, device, "the weight")
        assert_close(model.weight, to_numpy(on_cpu.weights["weight"]), "the weight in the block")
    assert_close(model.weight, np.full((1, 2), 3, np.float32), "the weight after the block")


def test_an_average_from_a_file_goes_on_on_the_device(device):
    """What a checkpoint brings back is on the CPU: the next step on a GPU moves it there, and goes on from it."""
    before, callback, unbroken = WeightAveraging(), WeightAveraging(), WeightAveraging()
    averaged("cpu", [1.0, 12.0], before)
    callback.load_state_dict(before.state_dict())
    averaged(device, [3.0], callback)
    averaged("cpu", [1.0, 12.0, 3.0], unbroken)
    stays(callback.weights["weight"], device, "the averaged weight")
    assert_close(callback.weights["weight"], to_numpy(unbroken.weights["weight"]), "the averaged weight")


def test_a_small_network_on_the_device(device):
    """Folded and quantized on a GPU, or moved there afterwards, a network says what it says on the CPU.

    Saved from there it can be loaded on the CPU.
    """
    with no_grad():
        on_cpu = quantize_network(fold_batch_norms(network().eval()))
        expected = to_numpy(on_cpu(Tensor(PICTURES)))
        made_there = quantize_network(fold_batch_norms(network().to(device).eval()))
        moved = quantize_network(fold_batch_norms(network().eval())).to(device)
        for what, model in (("made there", made_there), ("moved there", moved)):
            out = model(Tensor(on_device(PICTURES, device)))
            stays(out, device, f"the result of the network that was {what}")
            assert_close(out, expected, f"the result of the network that was {what}", rtol=1e-3, atol=1e-3)
        state = {name: to_numpy(value) for name, value in made_there.state_dict().items()}
    on_cpu.load_state_dict({name: Tensor(value) for name, value in state.items()})
    with no_grad():
        found = on_cpu(Tensor(PICTURES))
    assert_close(found, expected, "the result on the CPU of the state that came back", rtol=1e-3, atol=1e-3)
