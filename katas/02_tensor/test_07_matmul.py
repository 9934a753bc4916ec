"""The matrix product, from two matrices to whole stacks of them."""

import numpy as np
import pytest
from hypothesis import example, given

from dojo.spec import ShapeError, assert_close, raises, unchanged
from dojo.spec.strategies import arrays_of, matmul_shapes
from tinytorch.tensor import Tensor, bmm, matmul


def by_hand(a, b):
    """(..., n, k) @ (..., k, m) by the definition: the sum over k of a[n, k] * b[k, m]."""
    n, k, m = a.shape[-2], a.shape[-1], b.shape[-1]
    front = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*front, n, k)), np.broadcast_to(b, (*front, k, m))
    out = np.zeros((*front, n, m), a.dtype)
    for *batch, i, j in np.ndindex(out.shape):
        for t in range(k):
            out[(*batch, i, j)] += a[(*batch, i, t)] * b[(*batch, t, j)]
    return out


def test_bmm_of_two_matrices():
    """(2, 3) times (3, 2): entry [i, j] is row i of the first times column j of the second."""
    a = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    b = np.array([[1, 0], [0, 1], [10, 100]], np.float32)
    assert_close(bmm(Tensor(a), Tensor(b)), np.array([[31, 302], [64, 605]], np.float32))


@given(arrays_of(matmul_shapes(min_dims=2)))
@example((np.ones((2, 1, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3, 1)))
def test_bmm_multiplies_each_pair_of_matrices(operands):
    """(..., n, k) times (..., k, m) is (..., n, m), and the axes in front broadcast."""
    a, b = operands
    with unchanged(a, b):
        assert_close(bmm(Tensor(a), Tensor(b)), by_hand(a, b), f"bmm of shapes {a.shape} and {b.shape}")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("int64", "int64", "int64"), ("int64", "float32", "float32"), ("float32", "float64", "float64")],
)
def test_bmm_promotes(first, second, expected):
    """Two dtypes meet as in every operation: integers and float32 give float32."""
    a, b = np.array([[1, 2]], first), np.array([[3], [4]], second)
    assert_close(bmm(Tensor(a), Tensor(b)), np.array([[11]], expected))


@pytest.mark.parametrize(
    ("first", "second"), [((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,)), ((), (2, 3))], ids=str
)
def test_bmm_refuses_vectors(first, second):
    """An operand with fewer than two axes is not a matrix: a ValueError that names both shapes."""
    with raises(ShapeError, first, second):
        bmm(Tensor(np.ones(first, np.float32)), Tensor(np.ones(second, np.float32)))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [4, 5, 6], 32),
        ([[1, 2], [3, 4], [5, 6]], [1, 10], [21, 43, 65]),
        ([1, 10], [[1, 2, 3], [4, 5, 6]], [41, 52, 63]),
        ([[1, 2]], [[3], [4]], [[11]]),
    ],
    ids=["vector @ vector", "matrix @ vector", "vector @ matrix", "matrix @ matrix"],
)
def test_matmul_lends_a_vector_an_axis(first, second, expected):
    """A 1-d operand counts as a row on the left and as a column on the right; the lent axis is removed again."""
    a, b = np.array(first, np.float32), np.array(second, np.float32)
    assert_close(matmul(Tensor(a), Tensor(b)), np.array(expected, np.float32))


@given(arrays_of(matmul_shapes()))
@example((np.arange(2, dtype=np.float32), np.arange(12, dtype=np.float32).reshape(3, 2, 2)))
@example((np.arange(2, dtype=np.float32), np.arange(4, dtype=np.float32).reshape(1, 2, 2)))
@example((np.arange(12, dtype=np.float32).reshape(2, 2, 3), np.arange(3, dtype=np.float32)))
def test_matmul_takes_one_axis_and_more(operands):
    """matmul of vectors, matrices and stacks of matrices, in every combination."""
    a, b = operands
    product = by_hand(a if a.ndim > 1 else a[None, :], b if b.ndim > 1 else b[:, None])
    if a.ndim == 1:
        product = product[..., 0, :]
    if b.ndim == 1:
        product = product[..., 0]
    assert_close(matmul(Tensor(a), Tensor(b)), product, f"matmul of shapes {a.shape} and {b.shape}")


def test_matmul_as_method_and_operator():
    """a.matmul(b) and a @ b are matmul(a, b)."""
    a, b = Tensor(np.array([[1, 2], [3, 4]], np.float32)), Tensor(np.array([[0, 1], [1, 1]], np.float32))
    expected = np.array([[2, 3], [4, 7]], np.float32)
    assert_close(a @ b, expected, "a @ b")
    assert_close(a.matmul(b), expected, "a.matmul(b)")


@pytest.mark.parametrize(
    ("first", "second", "wrong"),
    [
        ((2, 3), (4, 5), (3, 4)),
        ((3,), (4,), (3, 4)),
        ((2, 3), (2,), (3, 2)),
        ((3,), (2, 3), (3, 2)),
        ((), (3,), ((),)),
        ((2, 3), (), ((),)),
        ((2, 1, 3), (5, 3, 1), (2, 5)),
    ],
    ids=[
        "(2, 3) @ (4, 5)",
        "(3,) @ (4,)",
        "(2, 3) @ (2,)",
        "(3,) @ (2, 3)",
        "() @ (3,)",
        "(2, 3) @ ()",
        "stacks",
    ],
)
def test_matmul_refuses_shapes_that_do_not_fit(first, second, wrong):
    """Where the inner sides or the axes in front do not fit, an error names the sides that differ."""
    with raises(ShapeError, *wrong):
        matmul(Tensor(np.ones(first, np.float32)), Tensor(np.ones(second, np.float32)))


def test_matmul_refuses_a_number():
    """x @ 2 is a TypeError that names the type: a number has no rows, and x * 2 was probably meant."""
    with raises(TypeError, "int"):
        Tensor(np.ones((2, 2), np.float32)) @ 2
