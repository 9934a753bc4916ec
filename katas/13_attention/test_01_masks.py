"""Who may look where, and a softmax for those who may look nowhere."""

import math

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, no_warnings, unchanged
from dojo.spec.strategies import shapes, strided
from tinytorch.attention import causal_mask, safe_softmax
from tinytorch.tensor import Tensor

INF = math.inf
few = st.integers(0, 4)


def test_a_place_sees_itself_and_what_came_before():
    """causal_mask(3) holds the booleans [[T, F, F], [T, T, F], [T, T, T]]: row i is True up to place i."""
    assert_close(causal_mask(3), np.array([[True, False, False], [True, True, False], [True, True, True]]))


def test_keys_may_be_more_or_fewer_than_queries():
    """causal_mask(2, 4) is [[T, F, F, F], [T, T, F, F]]: both begin together. causal_mask(3, 1) is all True."""
    assert_close(causal_mask(2, 4), np.array([[1, 0, 0, 0], [1, 1, 0, 0]], bool), "causal_mask(2, 4)")
    assert_close(causal_mask(3, 1), np.ones((3, 1), bool), "causal_mask(3, 1)")


def test_queries_may_begin_later_than_the_keys():
    """causal_mask(2, 5, offset=3) is [[T, T, T, T, F], [T, T, T, T, T]]: the first query is at place 3 of the keys."""
    assert_close(causal_mask(2, 5, offset=3), np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], bool))


def test_an_offset_adds_no_keys():
    """causal_mask(2, offset=1) has 2 keys, as many as queries, and is all True; offset=-1 begins one row later."""
    assert_close(causal_mask(2, offset=1), np.ones((2, 2), bool), "causal_mask(2, offset=1)")
    assert_close(causal_mask(2, offset=-1), np.array([[0, 0], [1, 0]], bool), "causal_mask(2, offset=-1)")


def test_each_text_may_have_its_own_offset():
    """causal_mask(2, 3, array([0, 1])) is (2, 1, 2, 3): a mask for each text, with an axis of 1 for the heads."""
    for offsets in ([0, 1], [2, 0, 1], []):
        mask = causal_mask(2, 3, np.array(offsets, np.int64))
        expected = np.array([np.arange(3) <= np.arange(2)[:, None] + each for each in offsets], bool)
        assert_close(mask, expected.reshape(-1, 1, 2, 3), f"causal_mask(2, 3, array({offsets}))")


@given(queries=few, keys=few, offset=st.integers(-2, 4))
def test_a_causal_mask_entry_by_entry(queries, keys, offset):
    """Entry [i, j] of causal_mask(L, S, offset) is j <= i + offset, for every L and S, 0 too."""
    expected = np.zeros((queries, keys), bool)
    for i, j in np.ndindex(queries, keys):
        expected[i, j] = j <= i + offset
    assert_close(causal_mask(queries, keys, offset), expected, "causal_mask(L, S, offset)")


def test_safe_softmax_by_hand():
    """safe_softmax([0, log 3, -inf], dim=0) is [0.25, 0.75, 0]: an entry of -inf gets nothing."""
    x = Tensor(np.array([0.0, math.log(3), -INF]))
    assert_close(safe_softmax(x, 0), np.array([0.25, 0.75, 0.0]))


def test_a_row_of_nothing_but_minus_infinity_is_0():
    """Where every entry of a row is -inf its softmax is 0, not nan, and NumPy has nothing to warn of."""
    x = np.array([[-INF, -INF, -INF], [-INF, 0.0, 0.0]], np.float32)
    with no_warnings():
        out = safe_softmax(Tensor(x), -1)
    assert_close(out, np.array([[0, 0, 0], [0, 0.5, 0.5]], np.float32))


def test_a_very_low_score_is_still_a_score():
    """safe_softmax([-3e38, -3e38, -inf], 0) is [0.5, 0.5, 0]: only a row of nothing but -inf has nowhere to look."""
    x = Tensor(np.array([-3e38, -3e38, -INF], np.float32))
    with no_warnings():
        out = safe_softmax(x, 0)
    assert_close(out, np.array([0.5, 0.5, 0], np.float32))


def test_large_scores_do_not_overflow():
    """safe_softmax([90000, 89999, -90000], 0) is [0.731, 0.269, 0] in float32, without a warning."""
    x = Tensor(np.array([90000.0, 89999.0, -90000.0], np.float32))
    with no_warnings():
        out = safe_softmax(x, 0)
    share = 1 / (1 + math.exp(-1))
    assert_close(out, np.array([share, 1 - share, 0], np.float32))


def test_a_nan_is_not_hidden():
    """A row that holds nan is nan: only rows of -inf become 0, or a broken model would look healthy."""
    x = Tensor(np.array([[math.nan, 0.0], [math.nan, -INF], [0.0, 0.0]]))
    assert_close(safe_softmax(x, 1), np.array([[math.nan, math.nan], [math.nan, math.nan], [0.5, 0.5]]))


@given(
    x=strided(shapes(min_dims=1)),
    hidden=st.integers(0, 2**16 - 1),
    from_the_back=st.integers(-3, -1),
)
@example(np.zeros((2, 0), np.float32), 0, -1)
def test_safe_softmax_row_by_row(x, hidden, from_the_back):
    """For any shape, any axis, -inf anywhere: the exponentials of a row, divided by their sum where that is not 0."""
    dim = max(from_the_back, -x.ndim)
    x = np.where((hidden >> np.arange(x.size) % 16 & 1).reshape(x.shape) == 1, np.float32(-INF), x)
    rows = np.moveaxis(x, dim, -1)
    expected = np.zeros(rows.shape, np.float32)
    for place in np.ndindex(rows.shape[:-1]):
        exponentials = [math.exp(entry) for entry in rows[place]]
        total = math.fsum(exponentials)
        expected[place] = [e / total if total else 0.0 for e in exponentials]
    with no_warnings(), unchanged(x):
        out = safe_softmax(Tensor(x), dim)
    assert_close(out, np.moveaxis(expected, -1, dim), f"safe_softmax(x, {dim})")
