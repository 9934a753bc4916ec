"""The gradient of the rows: the gradients for an id add up in its row, and padding gets none."""

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from dojo.spec import assert_close, assert_equal, check_tape, no_warnings, raises
from dojo.spec.strategies import arrays, shapes
from tinytorch.embeddings import embedding, row_number
from tinytorch.tensor import Tensor

IDS = arrays(shapes(max_dims=2, max_side=3), np.int64, 0, 3)


def looked_up(ids, weight, padding_idx=None):
    """The weight as a leaf, and the rows of `ids`."""
    leaf = Tensor(weight, requires_grad=True)
    return leaf, embedding(Tensor(ids), leaf, padding_idx)


def test_an_id_that_stands_twice_learns_twice():
    """With ids [1, 1, 0] and gradients [1, 2], [10, 20], [5, 6], row 1 gets [11, 22], row 0 [5, 6] and row 2 zeros."""
    weight, out = looked_up(np.array([1, 1, 0]), np.ones((3, 2), np.float32))
    out.backward(Tensor(np.array([[1, 2], [10, 20], [5, 6]], np.float32)))
    assert weight.grad is not None, "the weight has no gradient: was an array looked up by hand and wrapped?"
    assert_close(weight.grad, np.array([[5, 6], [11, 22], [0, 0]], np.float32), "the gradient of the weight")


@given(weight=arrays((4, 3), np.float64), ids=IDS)
@settings(max_examples=20)
def test_the_gradient_of_embedding(weight, ids):
    """Every row gets the sum of the gradients for its id, in any batch."""
    check_tape(Tensor, lambda weight: embedding(Tensor(ids), weight), weight)


@given(weight=arrays((4, 3)), ids=arrays((5,), np.int64, 0, 3), grad=arrays((5, 3)))
def test_a_lookup_is_a_product_without_the_zeros(weight, ids, grad):
    """A lookup is a linear layer that skips the zeros: one_hot @ weight, where a row of one_hot has a 1 at its id.

    The gradient of the weight is one_hot.T @ the gradient of the result.
    """
    one_hot = np.array([[float(row == i) for row in range(4)] for i in ids], np.float32)
    leaf, out = looked_up(ids, weight)
    assert_close(out, one_hot @ weight, "the lookup")
    out.backward(Tensor(grad))
    assert_close(leaf.grad, one_hot.T @ grad, "the gradient of the weight")


# Padding


def test_padding_is_counted_from_the_front():
    """row_number(padding_idx, num_embeddings): 0 of 5 is 0, 4 is 4, -1 is 4 and -5 is 0."""
    for padding_idx, expected in ((0, 0), (4, 4), (-1, 4), (-5, 0)):
        assert_equal(row_number(padding_idx, 5), expected, f"row_number({padding_idx}, 5)")


@pytest.mark.parametrize("bad", [5, -6])
def test_padding_is_a_row(bad):
    """With 5 rows, a padding_idx outside [-5, 4] is an IndexError with both numbers, also in embedding."""
    with raises(IndexError, bad, 5):
        row_number(bad, 5)
    with raises(IndexError, bad, 5):
        embedding(Tensor(np.array([0])), Tensor(np.ones((5, 2), np.float32)), bad)


def test_padding_keeps_its_value_and_gets_no_gradient():
    """With padding_idx=1 the ids [1, 0, 1] still give rows 1, 0 and 1, but row 1 gets the gradient 0."""
    rows = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    weight, out = looked_up(np.array([1, 0, 1]), rows, 1)
    assert_close(out, rows[[1, 0, 1]], "the result")
    out.backward(Tensor(np.array([[7, 8], [9, 10], [11, 12]], np.float32)))
    assert_close(weight.grad, np.array([[9, 10], [0, 0], [0, 0]], np.float32), "the gradient of the weight")


@given(weight=arrays((4, 3)), ids=IDS, padding=st.integers(-4, 3), data=st.data())
@example(weight=np.arange(12, dtype=np.float32).reshape(4, 3), ids=np.array([1, 3, 3]), padding=-1, data=None)
def test_only_padding_gets_no_gradient(weight, ids, padding, data):
    """Any row can be the padding, counted from the front or the back; all others get their usual gradient."""
    grad = data.draw(arrays((*ids.shape, 3)), label="the gradient of the result") if data else weight[ids]
    leaf, out = looked_up(ids, weight, padding)
    assert_close(out, weight[ids], "the result")
    out.backward(Tensor(grad))
    expected = np.zeros_like(weight)
    for place in np.ndindex(ids.shape):
        if int(ids[place]) != padding % 4:
            expected[int(ids[place])] += grad[place]
    assert_close(leaf.grad, expected, f"the gradient of the weight with padding_idx {padding}")


def test_nothing_comes_through_padding():
    """Padding gets the gradient 0 without a warning, even if the gradient for it is infinity or nan."""
    weight, out = looked_up(np.array([0, 1, 0]), np.ones((2, 2), np.float32), 0)
    with no_warnings():
        out.backward(Tensor(np.array([[np.inf, np.nan], [1, 2], [-np.inf, 0]], np.float32)))
    assert_close(weight.grad, np.array([[0, 0], [1, 2]], np.float32), "the gradient of the weight")
