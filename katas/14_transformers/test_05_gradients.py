"""Gradients, which kata 07 finds: all of it is made of its primitives."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, check_tape, no_warnings, settled
from dojo.spec.strategies import arrays, shapes
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, FeedForward, GPTConfig, TransformerBlock, layer_norm, rms_norm


@given(shape=shapes(min_dims=1, max_dims=3, min_side=1, max_side=3), data=st.data())
def test_the_gradients_of_layer_norm(shape, data):
    """The gradients for x, weight and bias; each entry of a row moves the mean and the variance of all."""
    axes = data.draw(st.integers(1, len(shape)), label="how many axes are normalized")
    inner = shape[len(shape) - axes :]
    x = data.draw(arrays(shape, np.float64), label="x")
    weight = data.draw(arrays(inner, np.float64), label="weight")
    bias = data.draw(arrays(inner, np.float64), label="bias")
    with no_warnings():
        check_tape(
            Tensor,
            lambda x, weight, bias: layer_norm(x, inner, weight, bias, 0.25),
            *(x, weight, bias),
        )


@given(shape=shapes(min_dims=1, max_dims=3, min_side=1, max_side=3), data=st.data())
def test_the_gradients_of_rms_norm(shape, data):
    """The gradients for x and weight."""
    x = data.draw(arrays(shape, np.float64), label="x")
    weight = data.draw(arrays(shape[-1:], np.float64), label="weight")
    with no_warnings():
        check_tape(Tensor, lambda x, weight: rms_norm(x, shape[-1:], weight, 0.25), x, weight)


KINDS = {
    "FeedForward": lambda: FeedForward(4),
    "TransformerBlock": lambda: TransformerBlock(GPTConfig(n_head=2, n_embd=4)),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_gradients_reach_what_comes_in_and_every_parameter(make):
    """The gradient for x is that of finite differences, and every parameter gets one, too."""
    module = settled(make())
    x = np.random.default_rng(1).integers(-4, 5, (1, 3, 4)) / 4
    with no_warnings():
        check_tape(Tensor, module, x, names=["x"])
    without = [name for name, parameter in module.named_parameters() if parameter.grad is None]
    assert not without, f"no gradient reached {', '.join(without)}"


@pytest.mark.parametrize("tie", [True, False], ids=["tied", "apart"])
def test_the_gradients_of_a_gpt(tie):
    """The gradient of the loss for every parameter is that of finite differences.

    A tied weight gets the sum of the gradients of its two places, the first layer and the last.
    """
    config = GPTConfig(vocab_size=5, block_size=4, n_layer=1, n_head=2, n_embd=4, tie_weights=tie)
    model = settled(GPT(config))
    ids, targets = Tensor(np.array([[1, 4, 4]])), Tensor(np.array([[4, 0, 2]]))
    model.loss(ids, targets).backward()
    rng, step = np.random.default_rng(0), 2.0**-17
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"no gradient reached {name}"
        way = rng.standard_normal(parameter.shape)
        start, losses = parameter.data.copy(), []
        for sign in (1, -1):
            parameter.data[...] = start + sign * step * way
            losses.append(model.loss(ids, targets).item())
        parameter.data[...] = start
        slope = (losses[0] - losses[1]) / (2 * step)
        found = (parameter.grad.data * way).sum()
        assert_close(found, np.float64(slope), f"the slope along {name}", rtol=1e-5, atol=1e-8)
