"""An id picks its row: embedding."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, shapes, strided
from tinytorch.embeddings import embedding
from tinytorch.tensor import Tensor

WEIGHT = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]], np.float32)
INTEGERS = st.sampled_from([np.int64, np.int32, np.uint8])


def row_by_row(ids, weight):
    """The oracle: a loop."""
    out = np.zeros((*ids.shape, weight.shape[1]), weight.dtype)
    for place in np.ndindex(ids.shape):
        out[place] = weight[int(ids[place])]
    return out


def test_an_id_picks_its_row():
    """The ids [2, 0, 2] pick rows 2, 0 and 2 of the weight [[0, 1], [2, 3], [4, 5], [6, 7]]."""
    out = embedding(Tensor(np.array([2, 0, 2])), Tensor(WEIGHT))
    assert_close(out, np.array([[4, 5], [0, 1], [4, 5]], np.float32), "the result")


@given(ids=st.one_of(arrays(shapes(), np.int64, 0, 3), strided(shapes(), np.int64, 0, 3)), dtype=INTEGERS)
@example(ids=np.zeros((2, 0), np.int64), dtype=np.int64)
def test_ids_have_any_shape(ids, dtype):
    """Ids of shape (...) give (..., 2): one id, a batch of sentences, or no ids; any integer dtype is allowed."""
    ids = ids.astype(dtype)
    with unchanged(ids, WEIGHT):
        out = embedding(Tensor(ids), Tensor(WEIGHT))
    assert_close(out, row_by_row(ids, WEIGHT), "the result")


@given(
    weight=st.one_of(
        arrays(st.sampled_from([(3, 2), (3, 1), (3, 0)])), strided(st.sampled_from([(3, 4), (3, 1)]))
    ),
    ids=arrays((2, 3), np.int64, 0, 2),
    dtype=st.sampled_from([np.float32, np.float64, np.float16]),
)
def test_rows_keep_their_length_and_dtype(weight, ids, dtype):
    """Rows may have any length, also 0, and any strides in memory; the result has the dtype of the weight."""
    weight = weight.astype(dtype)
    assert_close(embedding(Tensor(ids), Tensor(weight)), row_by_row(ids, weight), "the result")


def test_other_rows_do_not_matter():
    """Rows that no id picks do not change the result: infinity and nan in row 2 do not affect the ids [0, 1]."""
    weight = WEIGHT.copy()
    weight[2] = np.inf, np.nan
    with no_warnings():
        out = embedding(Tensor(np.array([0, 1])), Tensor(weight))
    assert_close(out, WEIGHT[:2], "the result")


@pytest.mark.parametrize("ids", [2, [2], [[0, 2]]], ids=["one id", "a sentence", "a batch"])
def test_the_rows_are_copies(ids):
    """Writing into the result does not change the weight, also for a single id of shape ()."""
    weight = Tensor(WEIGHT.copy())
    out = embedding(Tensor(np.array(ids)), weight)
    with unchanged(weight):
        out.data[...] = 100.0


@pytest.mark.parametrize("bad", [-1, -4, 4, 1000])
def test_an_id_outside_is_refused(bad):
    """An id that is negative or not below V is an IndexError with the id and V; NumPy would use row 3 for -1."""
    for ids in ([[0, bad], [3, 1]], [bad], bad):
        with raises(IndexError, bad, 4):
            embedding(Tensor(np.array(ids)), Tensor(WEIGHT))


def test_the_first_id_outside_is_named():
    """If several ids are outside, the message names the first one, row by row; with no rows, every id is outside."""
    with raises(IndexError, 7, 4):
        embedding(Tensor(np.array([[0, 7], [-1, 9]])), Tensor(WEIGHT))
    with raises(IndexError, 0):
        embedding(Tensor(np.array([0])), Tensor(np.zeros((0, 2), np.float32)))
    out = embedding(Tensor(np.zeros((2, 0), np.int64)), Tensor(np.zeros((0, 2), np.float32)))
    assert_close(out, np.zeros((2, 0, 2), np.float32), "the lookup of no ids in no rows")


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_ids_are_integers(dtype):
    """Floats and booleans are a TypeError with their dtype: NumPy would use four booleans as a mask."""
    with raises(TypeError, dtype):
        embedding(Tensor(np.array([1, 0, 0, 1]).astype(dtype)), Tensor(WEIGHT))


def test_ids_are_a_tensor():
    """A list, an array or a number in place of a Tensor of ids is a TypeError with its type."""
    for ids, name in (([1, 2], "list"), (np.array([1, 2]), "ndarray"), (1, "int")):
        with raises(TypeError, name):
            embedding(ids, Tensor(WEIGHT))


@pytest.mark.parametrize("shape", [(4,), (2, 4, 3)])
def test_the_weight_is_a_matrix(shape):
    """A weight with one axis or three is a ValueError with its shape."""
    with raises(ValueError, shape):
        embedding(Tensor(np.array([1])), Tensor(np.ones(shape, np.float32)))
