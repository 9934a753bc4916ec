"""Joining Tensors, cutting them up, and putting a frame around them."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, assert_followed, raises
from dojo.spec.strategies import arrays, dims, shapes
from tinytorch import dispatch
from tinytorch.tensor import (
    Tensor,
    cat,
    concatenate,
    float64,
    matmul,
    pad,
    sort,
    split,
    squeeze,
    stack,
    topk,
    transpose,
    tril,
    triu,
    unsqueeze,
)

SIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_concatenate_joins_any_number():
    """concatenate(a, b, c, dim=0) lays them one after the other along an axis that they have."""
    a, b = Tensor(SIX), Tensor(SIX[:1] + 10)
    expected = np.array([[0, 1, 2], [3, 4, 5], [10, 11, 12], [0, 1, 2], [3, 4, 5]], np.float32)
    assert_close(concatenate(a, b, a, dim=0), expected, "along axis 0")
    assert_close(concatenate(a, a, dim=-1), np.array([[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]], np.float32))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), shapes(min_dims=1), st.data())
@example([1, 2], (2, 3), -1)
def test_cat_joins_a_list_along_an_axis(sides, shape, dim):
    """cat([a, b, ...], dim): the sides along dim add up, the others and the number of axes stay."""
    dim = dim if isinstance(dim, int) else dim.draw(dims(len(shape)), "dim")
    pieces = []
    for number, side in enumerate(sides):  # piece i is full of the number i
        own = list(shape)
        own[dim] = side
        pieces.append(np.full(own, number, np.float32))
    result = cat([Tensor(piece) for piece in pieces], dim)
    whole = list(shape)
    whole[dim] = sum(sides)
    expected = np.zeros(whole, np.float32)
    owner = [number for number, side in enumerate(sides) for _ in range(side)]
    for place in np.ndindex(*whole):
        expected[place] = owner[place[dim]]
    assert_close(result, expected, f"cat along {dim} of shapes {[piece.shape for piece in pieces]}")


def test_cat_promotes_and_copies():
    """Different dtypes meet as in every operation, a tuple is as good as a list, and the result is a copy."""
    joined = cat((Tensor(np.array([1, 2])), Tensor(np.array([0.5], np.float32))))
    assert_close(joined, np.array([1, 2, 0.5], np.float32))
    a = SIX.copy()
    assert not np.shares_memory(cat([Tensor(a)]).data, a), "cat of one Tensor is a view, expected a copy"


def test_cat_refuses_what_does_not_fit():
    """An empty list is a ValueError; another side that differs is an error that names both sides."""
    with raises(ShapeError):
        cat([])
    with raises(ShapeError, 3, 2):
        cat([Tensor(SIX), Tensor(SIX.T)])
    with raises(IndexError, 2):
        cat([Tensor(SIX), Tensor(SIX)], 2)


@pytest.mark.parametrize(
    ("dim", "expected"),
    [
        (0, [[[0, 1, 2], [3, 4, 5]], [[10, 11, 12], [13, 14, 15]]]),
        (1, [[[0, 1, 2], [10, 11, 12]], [[3, 4, 5], [13, 14, 15]]]),
        (-1, [[[0, 10], [1, 11], [2, 12]], [[3, 13], [4, 14], [5, 15]]]),
    ],
    ids=["0", "1", "-1"],
)
def test_stack_joins_along_a_new_axis(dim, expected):
    """stack([a, b], dim): the new axis has place dim in the result, and one entry for each Tensor."""
    assert_close(stack([Tensor(SIX), Tensor(SIX + 10)], dim), np.array(expected, np.float32))


def test_stack_makes_a_vector_of_numbers():
    """0-d Tensors, such as losses, stack to a vector."""
    numbers = [Tensor(np.array(n, np.float32)) for n in (3, 1, 2)]
    assert_close(stack(numbers), np.array([3, 1, 2], np.float32))


def test_stack_refuses_different_shapes():
    """Shapes that differ are an error that names the sides, even where they would broadcast; so is an empty list."""
    with raises(ShapeError, 2, 1):
        stack([Tensor(SIX), Tensor(SIX[:1])])
    with raises(ShapeError):
        stack([])


@pytest.mark.parametrize(
    ("side", "size", "expected"),
    [(6, 2, [2, 2, 2]), (5, 2, [2, 2, 1]), (3, 5, [3]), (3, 1, [1, 1, 1]), (0, 1, [0])],
    ids=["6 by 2", "5 by 2", "3 by 5", "3 by 1", "0 by 1"],
)
def test_split_into_pieces_of_one_size(side, size, expected):
    """split(x, size) is a tuple of pieces along axis 0; the last is smaller where the size does not fit."""
    a = np.arange(side * 2, dtype=np.float32).reshape(side, 2)
    pieces = split(Tensor(a), size)
    assert_equal(type(pieces), tuple, "the type of the result")
    assert_equal([piece.shape[0] for piece in pieces], expected, "the list of piece sizes")
    assert_close(np.concatenate([piece.data for piece in pieces]), a, "the pieces one after the other")


def test_split_into_pieces_of_listed_sizes():
    """split(x, [1, 0, 2], dim) gives pieces of those sizes along dim, which may be negative."""
    first, none, rest = split(Tensor(SIX), [1, 0, 2], -1)
    assert_close(first, np.array([[0], [3]], np.float32), "the first piece")
    assert_equal(none.shape, (2, 0), "the shape of the second piece")
    assert_close(rest, np.array([[1, 2], [4, 5]], np.float32), "the third piece")


def test_split_gives_views():
    """The pieces are views: no entry is copied. x.split(...) is the same as a method."""
    a = SIX.copy()
    left, right = Tensor(a).split((1, 2), dim=1)
    a[...] = 7
    assert_close(left, np.full((2, 1), 7, np.float32), "the left piece after a change of x")
    assert_close(right, np.full((2, 2), 7, np.float32), "the right piece after a change of x")


@pytest.mark.parametrize("sizes", [0, -1, [1, 1], [4, -1]], ids=str)
def test_split_refuses_sizes_that_do_not_fit(sizes):
    """A size below 1, and listed sizes that do not add up to the side, are an error that names them."""
    with raises(ShapeError, sizes):
        split(Tensor(SIX), sizes, 1)


@pytest.mark.parametrize(
    ("widths", "expected"),
    [
        ((1, 2), [[9, 0, 1, 2, 9, 9], [9, 3, 4, 5, 9, 9]]),
        ((0, 0, 1, 0), [[9, 9, 9], [0, 1, 2], [3, 4, 5]]),
        ((1, 0, 0, 1), [[9, 0, 1, 2], [9, 3, 4, 5], [9, 9, 9, 9]]),
        ((), [[0, 1, 2], [3, 4, 5]]),
    ],
    ids=["(1, 2)", "(0, 0, 1, 0)", "(1, 0, 0, 1)", "()"],
)
def test_pad_is_read_from_the_last_axis(widths, expected):
    """pad(x, (left, right, top, bottom), value=9.0): the first pair is for the last axis, then for the one before."""
    assert_close(pad(Tensor(SIX), widths, value=9.0), np.array(expected, np.float32), f"pad with {widths}")


def test_pad_is_zero_by_default_and_keeps_the_dtype():
    """Without a value the frame is 0, and an integer Tensor stays one."""
    assert_close(pad(Tensor(np.array([[1], [2]])), (1, 0)), np.array([[0, 1], [0, 2]]))


def test_pad_knows_one_mode():
    """The third argument is the mode, as in PyTorch: "constant", and any other is an error that holds it."""
    x = Tensor(np.array([True, False]))
    assert_close(
        pad(x, (1, 1), "constant"), np.array([False, True, False, False]), "pad(x, (1, 1), 'constant')"
    )
    with raises((ValueError, NotImplementedError), "mirror"):
        pad(x, (1, 1), "mirror")


@pytest.mark.parametrize("widths", [(1,), (1, 1, 1, 1, 1, 1)], ids=str)
def test_pad_refuses_what_is_not_pairs_of_sizes(widths):
    """The numbers come in pairs, at most one pair for each axis: anything else is an error that names them."""
    with raises(ShapeError, widths):
        pad(Tensor(SIX), widths)


@pytest.mark.parametrize(("function", "keeps"), [("tril", "lower"), ("triu", "upper")])
@given(arrays(shapes(min_dims=2)), st.integers(-4, 4))
@example(np.arange(1, 7, dtype=np.float32).reshape(2, 3), 0)
def test_triangles_keep_one_side_of_the_diagonal(function, keeps, a, diagonal):
    """tril keeps the entries [i, j] of each matrix with j - i <= diagonal, triu those with j - i >= diagonal."""
    expected = np.zeros(a.shape, np.float32)
    for *batch, i, j in np.ndindex(a.shape):
        if j - i <= diagonal if keeps == "lower" else j - i >= diagonal:
            expected[(*batch, i, j)] = a[(*batch, i, j)]
    result = {"tril": tril, "triu": triu}[function](Tensor(a), diagonal)
    assert_close(result, expected, f"{function} with diagonal {diagonal} of shape {a.shape}")


def test_triangles_erase_infinities():
    """What is cut off is 0, whatever stood there: an infinity times a mask of zeros would be nan."""
    x = Tensor(np.full((2, 2), -np.inf, np.float32))
    assert_close(triu(x, 1), np.array([[0, -np.inf], [0, 0]], np.float32), "triu")
    assert_close(tril(x, -1), np.array([[0, 0], [-np.inf, 0]], np.float32), "tril")


def test_triangles_need_a_matrix():
    """A vector has no triangle: an error that names its shape."""
    for triangle in (tril, triu):
        with raises(ShapeError, (3,)):
            triangle(Tensor(SIX[0]))


COMPOSITIONS = {
    "transpose": lambda x: transpose(x, 0, 1),
    "squeeze": lambda x: squeeze(x),
    "unsqueeze": lambda x: unsqueeze(x, 0),
    "x.T": lambda x: x.T,
    "x.reshape": lambda x: x.reshape(6),
    "x.permute": lambda x: x.permute(1, 0),
    "x.expand": lambda x: x.expand(4, 2, 3),
    "x[0]": lambda x: x[0],
    "x.to": lambda x: x.to(float64),
    "matmul": lambda x: matmul(x, Tensor(SIX[0])),
    "cat": lambda x: cat([x, x]),
    "stack": lambda x: stack([x, x]),
    "split": lambda x: split(x, 1),
    "sort": lambda x: sort(x),
    "topk": lambda x: topk(x, 2),
}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_other_compositions_are_made_of_primitives(name):
    """A function without @primitive calls functions that have it, on Tensors, so that kata 07 can follow it."""
    assert_followed(dispatch.observers, COMPOSITIONS[name], Tensor(SIX.copy()), what=f"the result of {name}")
