"""On a GPU, or on its strict stand-in, with every kernel on: they hand back, and the compositions run there."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, on_device, to_numpy
from tinytorch.acceleration import flat, tiles
from tinytorch.acceleration.flat import flatten
from tinytorch.acceleration.kernels import covered
from tinytorch.attention import scaled_dot_product_attention
from tinytorch.dispatch import disabled
from tinytorch.layers import Flatten, Linear, Parameter, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import SGD, Adam
from tinytorch.setup import manual_seed
from tinytorch.spatial import Conv2d, MaxPool2d
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig

X = np.random.default_rng(0).standard_normal((2, 3, 5, 4)).astype(np.float32)
IDS = np.array([[1, 5, 0, 3], [2, 2, 4, 1]])
PICTURES = np.random.default_rng(1).standard_normal((2, 3, 6, 6)).astype(np.float32)


def stays(value, device, what):
    assert type(value) is type(on_device(X, device)), f"{what} left the device"


@pytest.mark.parametrize("masked", [False, True], ids=["causal", "masked"])
def test_attention_on_a_gpu_needs_no_tiles(device, masked):
    """On a GPU attention_in_tiles hands back, so scaled_dot_product_attention is that of kata 13 there."""
    options = {"is_causal": not masked}
    results = {}
    for place in ("cpu", device):
        x = Tensor(on_device(X, place), requires_grad=True)
        mask = Tensor(on_device(np.tri(5, dtype=bool), place)) if masked else None
        if place != "cpu":
            handed = tiles.attention_in_tiles(x, x, x, mask, **options)
            assert handed is NotImplemented, "attention_in_tiles computed arrays of a GPU: hand them back"
        out = scaled_dot_product_attention(x, x, x, mask, **options)
        (out * out).sum().backward()
        stays(out.data, place, "the result")
        stays(x.grad.data, place, "the gradient")
        results[place] = out, x.grad
    for what, found, right in zip(("result", "gradient"), results[device], results["cpu"], strict=True):
        assert_close(found, to_numpy(right), f"the {what} on the device", rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [SGD, Adam], ids=["SGD", "Adam"])
def test_a_flattened_optimizer_steps_on_a_gpu(device, kind):
    """flatten leaves parameters and state on a GPU where they are, and the steps are those of the CPU."""
    options = {"lr": 0.1, "weight_decay": 0.1} | ({"momentum": 0.9} if kind is SGD else {})
    walked = {}
    for place in ("cpu", device):
        params = [Parameter(on_device(np.full(shape, 2.0, np.float32), place)) for shape in ((2, 3), (4,))]
        optimizer = kind(params, **options)
        for step in range(4):
            for p in params:
                gradient = np.cos(step + np.arange(p.data.size, dtype=np.float32)).reshape(p.shape)
                p.grad = Tensor(on_device(gradient, place))
            optimizer.step()
            if step == 1:
                flatten(optimizer)
        for p in params:
            stays(p.data, place, "a parameter")
        walked[place] = params
    for number, (found, right) in enumerate(zip(walked[device], walked["cpu"], strict=True)):
        assert_close(found, to_numpy(right), f"parameter {number} after four steps", rtol=1e-5, atol=1e-6)


def test_zeros_on_a_gpu_are_not_laid_side_by_side(device):
    """zeros_side_by_side hands back arrays of a GPU: a Buffer is the CPU's memory."""
    arrays = [on_device(X, device), on_device(X, device)]
    handed = flat.zeros_side_by_side(arrays)
    if device == "cpu":
        assert handed is not NotImplemented, "arrays of the CPU were handed back"
    else:
        assert handed is NotImplemented, "arrays of a GPU were laid side by side on the CPU"


def gpt():
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=6, block_size=5, n_layer=1, n_head=2, n_embd=8))
    return model, lambda put: model.loss(put(IDS), put(IDS[:, ::-1].copy()))


def cnn():
    manual_seed(0)
    model = Sequential(Conv2d(3, 4, 3, padding=1), ReLU(), MaxPool2d(2), Flatten(), Linear(36, 5))
    return model, lambda put: cross_entropy(model(put(PICTURES)), put(np.array([1, 4])))


@pytest.mark.parametrize("make", [gpt, cnn], ids=["GPT", "CNN"])
def test_a_model_trains_on_a_gpu_as_on_the_cpu(device, make):
    """With kernels on, loss and gradients on a GPU are those of the CPU without kernels, and stay on the GPU."""
    assert_equal(covered(on_device(X, device)), device == "cpu", f"covered of an array on {device}")
    model, loss_of = make()
    with disabled():
        expected = loss_of(Tensor)
        expected.backward()
    gradients = {name: to_numpy(p.grad).copy() for name, p in model.named_parameters()}
    model.to(device)
    model.zero_grad()
    loss = loss_of(lambda array: Tensor(on_device(array, device)))
    loss.backward()
    stays(loss.data, device, "the loss")
    assert_close(loss, to_numpy(expected), "the loss on the device", rtol=1e-5, atol=1e-5)
    for name, p in model.named_parameters():
        stays(p.grad.data, device, f"the gradient of {name}")
        assert_close(p.grad, gradients[name], f"the gradient of {name}", rtol=1e-3, atol=1e-5)
