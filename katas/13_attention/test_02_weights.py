"""How much each query takes of each value."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, broadcastable_shapes
from tinytorch.attention import attention_weights
from tinytorch.tensor import Tensor, zeros

INF = math.inf
LOG3 = math.log(3)
few = st.integers(0, 3)


def by_loops(query, key, mask=None, scale=None):
    """The weights, one query and one key at a time. `mask` has the scores' shape, and -inf where a query is blind."""
    features = query.shape[-1]
    scale = 1 / math.sqrt(features) if scale is None and features else scale or 0.0
    batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2])
    query = np.broadcast_to(query, (*batch, *query.shape[-2:])).astype(np.float64)
    key = np.broadcast_to(key, (*batch, *key.shape[-2:])).astype(np.float64)
    weights = np.zeros((*batch, query.shape[-2], key.shape[-2]))
    for place in np.ndindex(weights.shape[:-1]):
        *which, i = place
        scores = []
        for j in range(key.shape[-2]):
            q, k = query[(*which, i)], key[(*which, j)]
            scores.append(scale * sum(q[f] * k[f] for f in range(features)))
            if mask is not None:
                scores[j] += mask[(*place, j)]
        largest = max(scores, default=-INF)
        if largest > -INF:
            exponentials = [math.exp(score - largest) for score in scores]
            weights[place] = [e / math.fsum(exponentials) for e in exponentials]
    return weights


def test_weights_by_hand():
    """For the query [2 log 3, 0, 0, 0], the keys [1, 0, 0, 0] and [0, 5, 0, 0] weigh [0.75, 0.25]."""
    query = Tensor(np.array([[2 * LOG3, 0.0, 0.0, 0.0]]))  # E is 4, so the scores are halved: log 3 and 0
    key = Tensor(np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 5.0, 0.0, 0.0]]))
    assert_close(attention_weights(query, key), np.array([[0.75, 0.25]]))


def test_the_scale_may_be_given():
    """With scale=0.5 the query [2 log 3] weighs the keys [1] and [0] with [0.75, 0.25]; scale=0 makes all equal."""
    query, key = Tensor(np.array([[2 * LOG3]])), Tensor(np.array([[1.0], [0.0]]))
    assert_close(attention_weights(query, key, scale=0.5), np.array([[0.75, 0.25]]), "with scale=0.5")
    assert_close(attention_weights(query, key, scale=0.0), np.array([[0.5, 0.5]]), "with scale=0")


@given(batch=broadcastable_shapes(2, max_dims=2, max_side=2), L=few, S=few, E=few, data=st.data())
@example(((2, 1), (3,)), 2, 3, 2, None)
def test_weights_query_by_query(batch, L, S, E, data):
    """Any leading axes that broadcast, L queries, S keys and E features, 0 too: the softmax of each query's scores."""
    query_shape, key_shape = (*batch[0], L, E), (*batch[1], S, E)
    if data is None:
        query = np.arange(math.prod(query_shape), dtype=np.float32).reshape(query_shape) / 8
        key = 1 - np.arange(math.prod(key_shape), dtype=np.float32).reshape(key_shape) / 4
    else:
        query = data.draw(arrays(query_shape), label="query")
        key = data.draw(arrays(key_shape), label="key")
    with unchanged(query, key), no_warnings():
        weights = attention_weights(Tensor(query), Tensor(key))
    assert_close(weights, by_loops(query, key).astype(np.float32), "the weights")


def test_a_boolean_mask_is_true_where_a_query_may_look():
    """With equal keys and the mask [T, F, T, T], three keys weigh a third each and the second one 0."""
    query, key = Tensor(np.ones((1, 2))), Tensor(np.ones((4, 2)))
    mask = Tensor(np.array([[True, False, True, True]]))
    assert_close(attention_weights(query, key, mask), np.array([[1 / 3, 0, 1 / 3, 1 / 3]]))


def test_a_floating_point_mask_is_added_to_the_scores():
    """With equal keys and the mask [log 3, 0, -inf] the weights are [0.75, 0.25, 0]; the scale does not touch it."""
    query, key = Tensor(np.ones((1, 4))), Tensor(np.ones((3, 4)))
    mask = Tensor(np.array([[LOG3, 0.0, -INF]]))
    assert_close(attention_weights(query, key, mask), np.array([[0.75, 0.25, 0.0]]))


MASKS = [(), (3,), (2, 1), (2, 3), (4, 1, 3), (4, 2, 1), (1, 1, 1)]


@given(shape=st.sampled_from(MASKS), boolean=st.booleans(), data=st.data())
def test_a_mask_broadcasts_to_the_scores(shape, boolean, data):
    """Masks of shape (), (S,), (L, 1), (L, S), (B, 1, S) ... of both kinds mask the scores (B, L, S)."""
    query = data.draw(arrays((4, 2, 2)), label="query")
    key = data.draw(arrays((4, 3, 2)), label="key")
    mask = data.draw(arrays(shape, bool if boolean else np.float32), label="mask")
    added = np.where(mask, 0.0, -INF) if boolean else mask
    expected = by_loops(query, key, np.broadcast_to(added, (4, 2, 3)))
    with unchanged(mask):
        weights = attention_weights(Tensor(query), Tensor(key), Tensor(mask))
    assert_close(weights, expected.astype(np.float32), "the weights")


def test_a_query_that_may_look_nowhere_takes_nothing():
    """A row of the mask that is all False, or all -inf, gives weights of 0 and no warning; other rows are as ever."""
    query, key = Tensor(np.ones((2, 2), np.float32)), Tensor(np.ones((4, 2), np.float32))
    seen = np.array([[False] * 4, [True] * 4])
    expected = np.array([[0] * 4, [0.25] * 4], np.float32)
    for kind, mask in (("boolean", seen), ("floating-point", np.where(seen, 0, -INF).astype(np.float32))):
        with no_warnings():
            weights = attention_weights(query, key, Tensor(mask))
        assert_close(weights, expected, f"with a {kind} mask, the weights")


def test_a_hidden_key_weighs_0_however_well_it_fits():
    """A key that is masked gets exactly 0, though its score is 0 and the only visible one's is -10^12."""
    query, key = Tensor(np.array([[1e6]])), Tensor(np.array([[0.0], [-1e6]]))
    mask = Tensor(np.array([False, True]))
    assert_close(attention_weights(query, key, mask), np.array([[0.0, 1.0]]))


@pytest.mark.parametrize(("L", "S"), [(3, 3), (2, 4), (4, 2)])
def test_is_causal_hides_the_future(L, S):
    """is_causal=True hides key j from query i where j > i; both begin at the same place, as in PyTorch."""
    query, key = np.ones((2, L, 3)), np.ones((2, S, 3))
    expected = np.zeros((2, L, S))
    for i, j in itertools.product(range(L), range(S)):
        expected[:, i, j] = 1 / min(i + 1, S) if j <= i else 0
    assert_close(attention_weights(Tensor(query), Tensor(key), is_causal=True), expected, "the weights")


def test_large_queries_and_keys_do_not_overflow():
    """Queries and keys of 10^5 have scores of 10^10 and more: no warning, no nan, and the better key wins."""
    query = Tensor(np.full((1, 4), 1e5, np.float32))
    key = Tensor(np.array([[1e5] * 4, [-1e5] * 4, [9e4] * 4], np.float32))
    with no_warnings():
        weights = attention_weights(query, key)
    assert_close(weights, np.array([[1, 0, 0]], np.float32))


def test_both_a_mask_and_is_causal_are_refused():
    """attn_mask together with is_causal=True is a ValueError with both names, as PyTorch refuses it."""
    with raises(ShapeError, "attn_mask", "is_causal"):
        attention_weights(zeros(3, 2), zeros(3, 2), Tensor(np.ones((3, 3), bool)), is_causal=True)


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint8])
def test_a_mask_of_another_dtype_is_refused(dtype):
    """A mask of integers, or of float64 for float32 scores, is a TypeError with both dtypes."""
    with raises(TypeError, np.dtype(dtype), "float32"):
        attention_weights(zeros(3, 2), zeros(3, 2), Tensor(np.ones((3, 3), dtype)))


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 4), (5, 1, 3, 4)])
def test_a_mask_that_does_not_fit_the_scores_is_refused(shape):
    """A mask that does not broadcast to the scores is a ValueError with both shapes; one with more axes, too."""
    with raises(ShapeError, shape, (3, 4)):
        attention_weights(zeros(3, 2), zeros(4, 2), Tensor(np.ones(shape, bool)))


@pytest.mark.parametrize("shapes", [((3, 2), (4, 5)), ((2,), (4, 2)), ((3, 2), (2,))])
def test_queries_and_keys_of_another_size_are_refused(shapes):
    """Queries and keys with another number of features, or with one axis only, are a ValueError with both shapes."""
    with raises(ShapeError, *shapes):
        attention_weights(zeros(*shapes[0]), zeros(*shapes[1]))
