"""Gradients, which kata 07 finds: attention is a composition."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import Remembered, assert_close, check_tape, gradcheck, no_warnings
from dojo.spec.strategies import arrays, broadcastable_shapes
from tinytorch.attention import MultiHeadAttention, safe_softmax, scaled_dot_product_attention
from tinytorch.autograd import grad
from tinytorch.tensor import Tensor, cat

INF = math.inf


@given(x=arrays((3, 4), np.float64), dim=st.sampled_from([0, 1, -1]), hidden=arrays((3, 4), bool))
def test_the_gradient_of_safe_softmax(x, dim, hidden):
    """The gradient of safe_softmax is that of softmax, and 0 for what is hidden and along rows of only -inf."""

    def masked(x):
        return safe_softmax(x + Tensor(np.where(hidden, -INF, 0.0)), dim)

    with no_warnings():
        check_tape(Tensor, masked, x)


SEEN = np.array([[True, False, True], [False, False, False]])


@given(
    batch=broadcastable_shapes(3, max_dims=1, max_side=2),
    kind=st.sampled_from(["none", "causal", "boolean"]),
    scale=st.sampled_from([None, -0.75]),
    data=st.data(),
)
def test_the_gradients_of_attention(batch, kind, scale, data):
    """The gradients for query, key and value, with broadcast axes, a mask, a query that may look nowhere, a scale."""
    query = data.draw(arrays((*batch[0], 2, 2), np.float64), label="query")
    key = data.draw(arrays((*batch[1], 3, 2), np.float64), label="key")
    value = data.draw(arrays((*batch[2], 3, 1), np.float64), label="value")

    def attend(query, key, value):
        mask = Tensor(SEEN) if kind == "boolean" else None
        return scaled_dot_product_attention(query, key, value, mask, is_causal=kind == "causal", scale=scale)

    with no_warnings():
        check_tape(Tensor, attend, query, key, value)


@given(mask=arrays((2, 3), np.float64), key=arrays((2, 3, 2), np.float64))
def test_a_mask_can_be_learned(mask, key):
    """A floating-point mask gets a gradient, summed where it was broadcast: a model may learn where to look."""
    query, value = Tensor(np.array([[1.0, 0.5], [-1.0, 2.0]])), Tensor(np.array([[1.0], [-2.0], [0.5]]))
    check_tape(
        Tensor, lambda attn_mask: scaled_dot_product_attention(query, Tensor(key), value, attn_mask), mask
    )


def test_a_blind_query_gets_no_gradient():
    """Where a query may look nowhere, its gradient is 0, not nan, and it adds nothing to those of keys and values.

    With a boolean mask and with a floating-point one.
    """
    seen = np.array([[True, True, False], [False, False, False]])
    inputs = [np.arange(n * 2.0).reshape(n, 2) / 4 for n in (2, 3, 3)]
    for kind, mask in (("boolean", seen), ("floating-point", np.where(seen, 0, -INF))):
        leaves = [Tensor(array, requires_grad=True) for array in inputs]
        with no_warnings():
            scaled_dot_product_attention(*leaves, Tensor(mask)).backward(Tensor(np.ones((2, 2))))
        assert_close(leaves[0].grad.data[1], np.zeros(2), f"with a {kind} mask, the blind query's gradient")
        alone = [Tensor(array, requires_grad=True) for array in (inputs[0][:1], *inputs[1:])]
        scaled_dot_product_attention(*alone, Tensor(mask[:1])).backward(Tensor(np.ones((1, 2))))
        for name, leaf, other in zip(("keys", "values"), leaves[1:], alone[1:], strict=True):
            assert_close(leaf.grad, other.grad.data, f"with a {kind} mask, the gradient of the {name}")


def test_the_past_owes_nothing_to_the_future():
    """With is_causal the gradient of place 1 for places 2 and 3 is exactly 0, in queries, keys and values."""
    x = Tensor(np.arange(8.0).reshape(4, 2) % 5, requires_grad=True)
    out = scaled_dot_product_attention(x, x, x, is_causal=True)
    out[1].sum().backward()
    assert_close(x.grad.data[2:], np.zeros((2, 2)), "the gradient of the future")
    assert (x.grad.data[:2] != 0).all(), "no gradient reaches the past"


@pytest.mark.parametrize("rope", [False, True])
def test_every_projection_learns(rope):
    """The gradients of x and of all eight parameters of MultiHeadAttention are those of finite differences."""
    attention = MultiHeadAttention(4, 2, rope=rope)
    attention.to(np.float64)
    rng = np.random.default_rng(0)
    parameters = dict(attention.named_parameters())
    shapes = [(3, 4), *(parameter.shape for parameter in parameters.values())]
    inputs = [rng.integers(-4, 5, shape) / 4 for shape in shapes]

    def load(arrays):
        for parameter, array in zip(parameters.values(), arrays, strict=True):
            parameter.data[...] = array

    def forward(x, *arrays):
        load(arrays)
        return attention(Tensor(x), is_causal=True)

    def backward(upstream, x, *arrays):
        load(arrays)
        leaf = Tensor(x, requires_grad=True)
        out = attention(leaf, is_causal=True)
        return tuple(each.data for each in grad(out, [leaf, *parameters.values()], Tensor(upstream)))

    gradcheck(forward, backward, *inputs, names=["x", *parameters])


def test_gradients_pass_through_a_cache():
    """What a later piece looks up in the cache sends its gradient back to the keys and values of the earlier one."""
    attention, cache = MultiHeadAttention(4, 2, rope=True), Remembered(cat)
    attention.to(np.float64)
    x = np.arange(20.0).reshape(1, 5, 4) * 7 % 11 / 4 - 1
    leaves = [Tensor(x, requires_grad=True), *attention.parameters()]
    names = ["x", *(name for name, _ in attention.named_parameters())]
    upstream = Tensor(np.arange(8.0).reshape(1, 2, 4) - 3)
    attention(leaves[0][:, :3], is_causal=True, cache=cache)
    out = attention(leaves[0][:, 3:], is_causal=True, cache=cache)
    out.backward(upstream)
    for name, leaf in zip(names, leaves, strict=True):
        assert leaf.grad is not None, f"{name} got no gradient through the cache"
    whole = attention(leaves[0], is_causal=True)[:, 3:]
    for name, leaf, expected in zip(names, leaves, grad(whole, leaves, upstream), strict=True):
        assert_close(leaf.grad, expected.data, f"through the cache, the gradient of {name}")
