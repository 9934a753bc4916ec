"""The same on a GPU, or on its strict stand-in."""

import numpy as np
import pytest

from dojo.spec import Remembered, assert_close, on_device
from tinytorch.attention import (
    MultiHeadAttention,
    causal_mask,
    safe_softmax,
    scaled_dot_product_attention,
)
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, cat

X = (np.arange(48, dtype=np.float32).reshape(2, 6, 4) * 7 % 11 - 5) / 4
SEEN = np.arange(36).reshape(6, 6) % 5 > 1
SEEN[2] = False


def test_masks_are_made_on_the_device(device):
    """causal_mask(..., device="cuda") lies on the GPU; a softmax there stays there."""
    mask = causal_mask(2, 4, 1, device)
    assert type(mask.data) is type(on_device(X, device)), "the mask is on another device"
    assert_close(mask, np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool), "the mask")
    mask = causal_mask(1, 3, on_device(np.array([0, 1]), device), device)
    assert type(mask.data) is type(on_device(X, device)), "the mask of two texts is on another device"
    assert_close(mask, np.array([[[[1, 0, 0]]], [[[1, 1, 0]]]], bool), "the mask of two texts")
    row = np.array([-np.inf, 0, 0], np.float32)
    out = safe_softmax(Tensor(on_device(row, device)), 0)
    assert type(out.data) is type(on_device(X, device)), "the softmax left the device"
    assert_close(out, np.array([0, 0.5, 0.5], np.float32), "the softmax")


CASES = {
    "causal": lambda x, put: scaled_dot_product_attention(x, x, x, is_causal=True),
    "boolean": lambda x, put: scaled_dot_product_attention(x, x, x, put(SEEN)),
    "float": lambda x, put: scaled_dot_product_attention(x, x, x, put(SEEN.astype(np.float32))),
}


@pytest.mark.parametrize("compute", CASES.values(), ids=CASES)
def test_attention_stays_on_the_device(device, compute):
    """Queries, keys, values and masks on a GPU are attended to there, and give what they give on the CPU."""
    out = compute(Tensor(on_device(X, device)), lambda array: Tensor(on_device(array, device)))
    assert type(out.data) is type(on_device(X, device)), "the result left the device"
    assert_close(out, compute(Tensor(X), Tensor).data, "the result on the device", atol=1e-5)


def test_dropout_stays_on_the_device(device):
    """Dropped on a GPU, the weights stay there."""
    x = Tensor(on_device(X, device))
    out = scaled_dot_product_attention(x, x, x, dropout_p=0.5)
    assert type(out.data) is type(on_device(X, device)), "the result left the device"


def test_a_layer_trains_on_the_device(device):
    """MultiHeadAttention moves to a GPU, and gives there, forwards and backwards, what it gives on the CPU."""
    manual_seed(0)
    attention = MultiHeadAttention(4, 2, rope=True)
    gradients, results = {}, {}
    for place in ("cpu", device):
        attention.to(place)
        attention.zero_grad()
        cache = Remembered(cat)
        pieces = [
            attention(Tensor(on_device(piece, place)), is_causal=True, cache=cache)
            for piece in (X[:, :4], X[:, 4:])
        ]
        out = cat(pieces, 1)
        (out * out).sum().backward()
        results[place] = out
        for name, p in attention.named_parameters():
            assert p.grad is not None, f"{name} got no gradient through the cache"
        gradients[place] = {name: p.grad for name, p in attention.named_parameters()}
    assert type(results[device].data) is type(on_device(X, device)), "the result left the device"
    assert_close(results[device], results["cpu"].data, "the result on the device", atol=1e-5)
    for name, gradient in gradients[device].items():
        assert type(gradient.data) is type(on_device(X, device)), f"the gradient of {name} left the device"
        assert_close(gradient, gradients["cpu"][name].data, f"the gradient of {name}", atol=1e-4)
