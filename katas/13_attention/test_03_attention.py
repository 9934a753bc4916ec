"""scaled_dot_product_attention: the values, mixed by the weights."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import ShapeError, assert_close, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, broadcastable_shapes, strided
from tinytorch.attention import scaled_dot_product_attention
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, ones, zeros

INF = math.inf
LOG3 = math.log(3)
few = st.integers(0, 3)


def by_loops(query, key, value, mask, scale):
    """Attention, one query at a time. `mask` has the scores' shape, and -inf where a query is blind."""
    batch = mask.shape[:-2]
    query, key, value = (
        np.broadcast_to(each, (*batch, *each.shape[-2:])).astype(np.float64) for each in (query, key, value)
    )
    out = np.zeros((*batch, query.shape[-2], value.shape[-1]))
    for place in np.ndindex(out.shape[:-1]):
        *which, i = place
        total, mixed = 0.0, np.zeros(value.shape[-1])
        for j in range(key.shape[-2]):
            score = scale * math.fsum(query[(*which, i)] * key[(*which, j)]) + mask[(*place, j)]
            total += math.exp(score)
            mixed += math.exp(score) * value[(*which, j)]
        out[place] = mixed / total if total else 0.0
    return out


def test_attention_by_hand():
    """Weights of 0.75 and 0.25 mix the values [4, 0, 1] and [0, 8, 1] to [3, 2, 1]."""
    query = Tensor(np.array([[2 * LOG3, 0.0, 0.0, 0.0]]))
    key = Tensor(np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 5.0, 0.0, 0.0]]))
    value = Tensor(np.array([[4.0, 0.0, 1.0], [0.0, 8.0, 1.0]]))
    out = scaled_dot_product_attention(query, key, value)
    assert_close(out, np.array([[3.0, 2.0, 1.0]]))


def test_attention_is_a_lookup():
    """With keys that are rows of 10 * eye(3), the query 10 * eye(3)[1] gets the value of key 1, and of no other."""
    rows = (np.eye(3) * 10).astype(np.float32)
    values = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    out = scaled_dot_product_attention(Tensor(rows[1:2]), Tensor(rows), Tensor(values))
    assert_close(out, values[1:2])


def test_arguments_come_in_pytorchs_order():
    """The arguments are query, key, value, attn_mask, dropout_p, is_causal and scale, in PyTorch's order.

    A mask hides the second of three values, and a scale of 0 makes the others equal.
    """
    query, key = Tensor(np.array([[1.0]])), Tensor(np.array([[1.0], [2.0], [3.0]]))
    value = Tensor(np.array([[2.0], [100.0], [4.0]]))
    mask = Tensor(np.array([True, False, True]))
    out = scaled_dot_product_attention(query, key, value, mask, 0.0, False, 0.0)
    assert_close(out, np.array([[3.0]]), "with a mask and a scale")
    out = scaled_dot_product_attention(query, key, value, None, 0.0, True)
    assert_close(out, np.array([[2.0]]), "with is_causal")


@given(
    batch=broadcastable_shapes(3, max_dims=2, max_side=2),
    L=few,
    S=few,
    kind=st.sampled_from(["none", "boolean", "float", "causal"]),
    scale=st.sampled_from([None, 0.5, -1.0]),
    data=st.data(),
)
def test_attention_query_by_query(batch, L, S, kind, scale, data):
    """Query i gets the sum of exp(score) * value over the sum of exp(score), and 0 where it may look nowhere.

    For any leading axes, sizes, masks and scales. Values may have another number of features than keys.
    """
    query = data.draw(strided((*batch[0], L, 2)), label="query")
    key = data.draw(strided((*batch[1], S, 2)), label="key")
    value = data.draw(strided((*batch[2], S, 3)), label="value")
    scores = (*np.broadcast_shapes(*batch), L, S)
    added, mask = np.zeros(scores), None
    if kind == "causal":
        added = np.where(np.arange(S) <= np.arange(L)[:, None], added, -INF)
    elif kind != "none":
        array = data.draw(arrays((L, S), bool if kind == "boolean" else np.float32), label="mask")
        added, mask = added + (np.where(array, 0, -INF) if kind == "boolean" else array), Tensor(array)
    with unchanged(query, key, value), no_warnings():
        out = scaled_dot_product_attention(
            Tensor(query), Tensor(key), Tensor(value), mask, is_causal=kind == "causal", scale=scale
        )
    expected = by_loops(query, key, value, added, math.sqrt(1 / 2) if scale is None else scale)
    assert_close(out, expected.astype(np.float32), "the result")


def test_a_hidden_value_does_not_matter():
    """A value of 10^30 that no query may look at leaves no trace, and a query that may look nowhere gets 0."""
    value = np.array([[1, 2], [3, 4], [1e30, -1e30]], np.float32)
    mask = np.array([[True, True, False], [False, False, False]])
    with no_warnings():
        out = scaled_dot_product_attention(ones(2, 4), ones(3, 4), Tensor(value), Tensor(mask))
    assert_close(out, np.array([[2, 3], [0, 0]], np.float32))


def test_dropout_drops_weights():
    """With dropout_p=0.25 a weight is dropped with probability 1/4, each for itself, and the others grow by 4/3.

    A weight that is dropped is lost to all features of its value.
    """
    manual_seed(0)
    one = np.eye(50, dtype=np.float32)  # so that the result is the weights, 1/50 each, and the weights again
    both = scaled_dot_product_attention(
        ones(80, 2), ones(50, 2), Tensor(np.hstack([one, one])), dropout_p=0.25
    )
    weights, again = both.data[:, :50], both.data[:, 50:]
    assert (weights == again).all(), (
        "a weight was dropped for one feature of its value and kept for another: drop before they mix the values"
    )
    kept = weights > 0
    for axis, name in ((0, "key"), (1, "query")):
        share = kept.mean(axis)
        assert share.max() < 1, f"some {name} lost no weight at all, with 4000 of them and dropout_p=0.25"
        assert share.min() > 0.4, (
            f"some {name} has {share.min():.0%} of its weights left: drop each for itself"
        )
    assert abs(kept.mean() - 0.75) < 0.03, f"{kept.mean():.1%} of 4000 weights were kept, expected about 75%"
    assert_close(weights[kept], np.full(kept.sum(), 4 / 3 / 50, np.float32), "a weight that was kept")


def test_dropout_can_be_repeated():
    """After manual_seed(1) the same weights are dropped again. Without a seed it is not the same twice."""
    query, key, value = ones(6, 2), ones(5, 2), Tensor(np.eye(5, dtype=np.float32))
    outs = []
    for seed in (1, 1, None):
        if seed:
            manual_seed(seed)
        outs.append(scaled_dot_product_attention(query, key, value, dropout_p=0.5).data)
    assert_close(outs[1], outs[0], "the result after the same seed")
    assert (outs[2] != outs[1]).any(), "30 weights were dropped in the same way twice"


@pytest.mark.parametrize("p", [-0.5, 1.5])
def test_a_dropout_out_of_range_is_refused(p):
    """A dropout_p that is not between 0 and 1 is a ValueError with the number."""
    with raises(ShapeError, p):
        scaled_dot_product_attention(zeros(3, 2), zeros(3, 2), zeros(3, 2), dropout_p=p)


@pytest.mark.parametrize("shapes", [((4, 2), (3, 2)), ((4, 2), (4,)), ((2, 4, 2), (2, 1, 2))])
def test_every_key_needs_a_value(shapes):
    """Keys (..., S, E) and values of another S, or with one axis only, are a ValueError with both shapes."""
    with raises(ShapeError, *shapes):
        scaled_dot_product_attention(zeros(3, 2), zeros(*shapes[0]), zeros(*shapes[1]))
