"""Several heads: the features of a place, dealt out and put together again."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import ShapeError, assert_close, raises
from dojo.spec.strategies import shapes, strided
from tinytorch.attention import merge_heads, split_heads
from tinytorch.tensor import Tensor, zeros


def test_split_heads_by_hand():
    """Two heads share the places [0, 1, 2, 3] and [4, 5, 6, 7]: to head 0 go [[0, 1], [4, 5]], to head 1 the rest."""
    x = Tensor(np.array([[0, 1, 2, 3], [4, 5, 6, 7]]))
    assert_close(split_heads(x, 2), np.array([[[0, 1], [4, 5]], [[2, 3], [6, 7]]]))


def test_merge_heads_by_hand():
    """Head 0 with the places [0], [1], [2] and head 1 with [3], [4], [5] give the places [0, 3], [1, 4] and [2, 5]."""
    x = Tensor(np.array([[[0], [1], [2]], [[3], [4], [5]]]))
    assert_close(merge_heads(x), np.array([[0, 3], [1, 4], [2, 5]]))


@given(
    leading=shapes(max_dims=2, max_side=3),
    T=st.integers(0, 3),
    H=st.integers(1, 3),
    E=st.integers(1, 2),
    data=st.data(),
)
def test_heads_entry_by_entry(leading, T, H, E, data):
    """(..., T, D) becomes (..., H, T, D / H), for any axes in front: feature e of head h is feature h * D / H + e."""
    x = data.draw(strided((*leading, T, H * E)), label="x")
    expected = np.zeros((*leading, H, T, E), np.float32)
    for *place, h, t, e in np.ndindex(expected.shape):
        expected[(*place, h, t, e)] = x[(*place, t, h * E + e)]
    assert_close(split_heads(Tensor(x), H), expected, f"split_heads(x, {H})")
    assert_close(merge_heads(Tensor(expected)), x, "merge_heads of these heads")


@pytest.mark.parametrize("heads", [4, 0, -2])
def test_features_are_dealt_out_evenly(heads):
    """6 features cannot be divided among 4 heads, nor among 0 or -2: a ValueError with both numbers."""
    with raises(ShapeError, 6, heads):
        split_heads(zeros(5, 6), heads)
