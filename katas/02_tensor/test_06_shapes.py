"""Another shape over the same memory: nothing is moved, only the strides change."""

import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, raises, unchanged
from dojo.spec.strategies import arrays, dims, shapes, strided
from tinytorch.tensor import Tensor, expand, flip, permute, reshape, squeeze, transpose, unsqueeze

SIX = np.arange(6, dtype=np.float32).reshape(2, 3)
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def assert_view(result, array):
    """A number written into `array` is seen through `result`."""
    array[...] = np.arange(100, 100 + array.size).reshape(array.shape)
    assert np.shares_memory(result.data, array), "the result is a copy, expected a view of the same memory"


@pytest.mark.parametrize(("shape", "strides"), [((0, 3), (3, 1)), ((2, 0), (1, 1)), ((), ())], ids=str)
def test_stride_without_entries(shape, strides):
    """An empty Tensor has the strides that it would have if every side of 0 were 1; a 0-d Tensor has none."""
    assert_equal(Tensor(np.zeros(shape, np.float32)).stride(), strides)


@given(strided(shapes(max_side=4)))
@example(SIX)
@example(SIX.T)
def test_reshape_keeps_the_order_of_the_entries(a):
    """reshape(x, shape) has the entries of x in the same row-major order."""
    with unchanged(a):
        flat = reshape(Tensor(a), (a.size,))
        back = reshape(flat, a.shape[::-1])
    assert_close(flat, np.array(list(a.flat), np.float32), "reshape to one axis")
    assert_close(
        back,
        np.array(list(a.flat), np.float32).reshape(a.shape[::-1]),
        f"reshape to {a.shape[::-1]}",
    )


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((-1,), (24,)), ((4, -1), (4, 6)), ((2, -1, 3), (2, 4, 3)), ((24, -1), (24, 1))],
    ids=str,
)
def test_reshape_infers_a_side_of_minus_one(shape, expected):
    """One side may be -1: it becomes what is left of the number of entries."""
    assert_close(reshape(Tensor(CUBE), shape), np.arange(24, dtype=np.float32).reshape(expected))


def test_reshape_as_a_method():
    """x.reshape(3, 2), x.reshape((3, 2)) and x.reshape([3, 2]) are all reshape(x, (3, 2))."""
    expected = np.array([[0, 1], [2, 3], [4, 5]], np.float32)
    for result in (
        Tensor(SIX).reshape(3, 2),
        Tensor(SIX).reshape((3, 2)),
        Tensor(SIX).reshape([3, 2]),
        Tensor(SIX).reshape(-1, 2),
    ):
        assert_close(result, expected)


def test_reshape_is_a_view_where_memory_allows():
    """reshape copies only where it must: of a contiguous array it is a view, and so is a 1 in the shape."""
    a = SIX.copy()
    assert_view(reshape(Tensor(a), (3, 2)), a)
    assert_view(reshape(Tensor(a), (2, 1, 3)), a)
    turned = SIX.copy().T  # its rows are not in order in memory, so this one is a copy
    assert_close(reshape(Tensor(turned), (6,)), np.array([0, 3, 1, 4, 2, 5], np.float32))


@pytest.mark.parametrize("shape", [(4, 2), (7,), (4, -1), (-1, -1), ()], ids=str)
def test_reshape_refuses_another_number_of_entries(shape):
    """A shape that cannot hold the entries is an error; NumPy's own will do."""
    with raises(ShapeError):
        reshape(Tensor(SIX), shape)


@given(arrays(shapes(max_dims=4)), st.data())
@example(CUBE, (2, 0, 1))
def test_permute_puts_the_axes_in_order(a, order):
    """permute(x, dims): axis i of the result is axis dims[i] of x."""
    order = order if isinstance(order, tuple) else order.draw(st.permutations(range(a.ndim)), "dims")
    result = permute(Tensor(a), order)
    expected = np.zeros([a.shape[d] for d in order], np.float32)
    for place in np.ndindex(a.shape):
        expected[tuple(place[d] for d in order)] = a[place]
    assert_close(result, expected, f"permute with dims {tuple(order)} of shape {a.shape}")


def test_permute_takes_negative_axes_and_is_a_view():
    """A negative axis counts from the end, and nothing is copied."""
    a = CUBE.copy()
    result = permute(Tensor(a), (-1, 0, 1))
    assert_equal(result.shape, (4, 2, 3))
    assert_equal(result.stride(), (1, 12, 4), "the stride")
    assert_view(result, a)


@pytest.mark.parametrize("order", [(0, 1), (0, 0, 1), (0, -3, 1)], ids=str)
def test_permute_refuses_what_is_not_a_permutation(order):
    """Every axis must be named exactly once; otherwise it is an error; NumPy's own will do."""
    with raises(ShapeError):
        permute(Tensor(CUBE), order)


def test_permute_as_a_method():
    """x.permute(2, 0, 1) and x.permute((2, 0, 1)) are permute(x, (2, 0, 1))."""
    assert_equal(Tensor(CUBE).permute(2, 0, 1).shape, (4, 2, 3))
    assert_close(Tensor(CUBE).permute((2, 0, 1)), CUBE.transpose(2, 0, 1))


@given(arrays(shapes(min_dims=1, max_dims=4)), st.data())
@example(CUBE, (0, 1))
def test_transpose_exchanges_two_axes(a, axes):
    """transpose(x, i, j) exchanges the axes i and j, which may be negative; the others stay."""
    i, j = axes if isinstance(axes, tuple) else (axes.draw(dims(a.ndim), "i"), axes.draw(dims(a.ndim), "j"))
    result = transpose(Tensor(a), i, j)
    assert_close(result, np.swapaxes(a, i, j), f"transpose({i}, {j}) of shape {a.shape}")
    assert a.size == 0 or np.shares_memory(result.data, a), "transpose copies, expected a view"


def test_T_reverses_all_axes():
    """x.T is the transpose of a matrix; with more axes their order is reversed. It is a view."""
    a = SIX.copy()
    assert_close(Tensor(a).T, np.array([[0, 3], [1, 4], [2, 5]], np.float32))
    assert_equal(Tensor(CUBE).T.shape, (4, 3, 2))
    assert_view(Tensor(a).T, a)


@pytest.mark.parametrize(
    ("dim", "expected"),
    [(None, (2, 3)), (0, (2, 1, 3)), (2, (1, 2, 3)), (-2, (1, 2, 3)), (1, (1, 2, 1, 3)), ((0, 2), (2, 3))],
    ids=str,
)
def test_squeeze_takes_axes_of_size_one_away(dim, expected):
    """squeeze(x) drops all axes of size 1; squeeze(x, dim) only those named, and only if their size is 1."""
    a = np.arange(6, dtype=np.float32).reshape(1, 2, 1, 3)
    result = squeeze(Tensor(a)) if dim is None else squeeze(Tensor(a), dim)
    assert_close(result, np.arange(6, dtype=np.float32).reshape(expected), f"squeeze with dim {dim}")
    assert_view(result, a)


@pytest.mark.parametrize(
    ("dim", "expected"),
    [(0, (1, 2, 3)), (1, (2, 1, 3)), (2, (2, 3, 1)), (-1, (2, 3, 1)), (-3, (1, 2, 3))],
    ids=str,
)
def test_unsqueeze_puts_an_axis_of_size_one_in(dim, expected):
    """unsqueeze(x, dim): the new axis has place dim in the result; -1 is its last."""
    a = SIX.copy()
    result = unsqueeze(Tensor(a), dim)
    assert_close(result, np.arange(6, dtype=np.float32).reshape(expected), f"unsqueeze at {dim}")
    assert_view(result, a)


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ((1, 3), (4, 3), (4, 3)),
        ((2, 1), (-1, 3), (2, 3)),
        ((3,), (2, 3), (2, 3)),
        ((3, 1), (2, -1, 4), (2, 3, 4)),
        ((), (2, 2), (2, 2)),
        ((1, 3), (0, -1), (0, 3)),
        ((2, 3), (2, 3), (2, 3)),
    ],
    ids=str,
)
def test_expand_stretches_axes_of_size_one(shape, target, expected):
    """expand(x, shape) repeats axes of size 1; -1 keeps a side, and new axes may come in front."""
    a = np.arange(1, 1 + math.prod(shape), dtype=np.float32).reshape(shape)
    result = expand(Tensor(a), target)
    assert_equal(result.shape, expected)
    for place in np.ndindex(expected):
        own = [0 if side == 1 else i for i, side in zip(place[len(place) - a.ndim :], shape, strict=True)]
        assert_equal(float(result.data[place]), float(a[tuple(own)]), f"the entry at {list(place)}")


def test_expand_takes_no_memory():
    """expand copies nothing: the stride of a stretched axis is 0, and every row is the same memory."""
    a = np.array([[1, 2, 3]], np.float32)
    result = expand(Tensor(a), (1000, 3))
    assert_equal(result.stride(), (0, 1), "the stride")
    assert_view(result, a)


@pytest.mark.parametrize("shape", [(4, 3), (2, 1), (3,), (-1, 2, 3)], ids=str)
def test_expand_refuses_to_change_any_other_side(shape):
    """Only axes of size 1 stretch: anything else is an error that names both shapes."""
    with raises(ShapeError, (2, 3), shape):
        expand(Tensor(SIX), shape)


def test_expand_as_a_method():
    """x.expand(2, -1) and x.expand((2, -1)) are expand(x, (2, -1))."""
    row = Tensor(np.array([[1, 2]], np.float32))
    assert_close(row.expand(2, -1), np.array([[1, 2], [1, 2]], np.float32))
    assert_close(row.expand((2, -1)), np.array([[1, 2], [1, 2]], np.float32))


@pytest.mark.parametrize(
    ("dims", "expected"),
    [
        (0, [[3, 4, 5], [0, 1, 2]]),
        (-1, [[2, 1, 0], [5, 4, 3]]),
        ((0, 1), [[5, 4, 3], [2, 1, 0]]),
        ((), [[0, 1, 2], [3, 4, 5]]),
    ],
    ids=["0", "-1", "(0, 1)", "()"],
)
def test_flip_reverses_the_order_along_axes(dims, expected):
    """flip(x, dims) reverses the order along one axis or several. It is a copy, as in PyTorch."""
    a = SIX.copy()
    result = flip(Tensor(a), dims)
    assert_close(result, np.array(expected, np.float32), f"flip along {dims}")
    assert not np.shares_memory(result.data, a), "flip gives a view, expected a copy"


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        ("transpose", (0, 2)),
        ("transpose", (-3, 1)),
        ("squeeze", (2,)),
        ("squeeze", (-3,)),
        ("unsqueeze", (3,)),
    ],
    ids=str,
)
def test_axes_that_are_not_there(name, dims):
    """An axis outside the Tensor is an IndexError that names it, for transpose, squeeze and unsqueeze alike."""
    function = {"transpose": transpose, "squeeze": squeeze, "unsqueeze": unsqueeze}[name]
    with raises(IndexError, next(dim for dim in dims if not -2 <= dim < 2)):
        function(Tensor(SIX), *dims)


def test_views_of_views_still_share_one_memory():
    """A chain of views ends in the memory it began with."""
    a = CUBE.copy()
    chain = transpose(unsqueeze(permute(Tensor(a), (2, 0, 1)), 0), 1, 3)
    assert_equal(chain.shape, (1, 3, 2, 4))
    assert_view(chain, a)
    assert_equal(float(chain.data[0, 2, 1, 3]), float(a[1, 2, 3]), "the entry [0, 2, 1, 3]")
