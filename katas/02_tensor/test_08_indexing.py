"""Picking entries out and putting entries in: by place, by slice, by a list of places, by a condition."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, raises, unchanged
from dojo.spec.strategies import arrays, dims, shapes
from tinytorch.tensor import Tensor, argsort, gather, getitem, index_add, sort, tensor, topk

SIX = np.arange(6, dtype=np.float32).reshape(2, 3)
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

PLACES = [0, -1, slice(1), slice(None, None, 2), (1, 2), (0, slice(1, 3)), (slice(None), 1, slice(2))]
FRAMES = [None, Ellipsis, (Ellipsis, 0), (0, Ellipsis, 1), (slice(None), None), (None, 1, Ellipsis, None), ()]
LISTS = [
    [1, 0, 0],
    [True, False],
    ([0, 1], [2, 0]),
    (slice(None), [2, 0]),
    (0, [1, 2], slice(3)),
    ([[0], [1]], [0, 2]),
]


@pytest.mark.parametrize("index", [0, (1, slice(2))], ids=str)
def test_getitem_is_a_function_too(index):
    """getitem(x, index) is x[index] as a primitive."""
    assert_close(getitem(Tensor(CUBE), index), CUBE[index])


@pytest.mark.parametrize("index", PLACES + FRAMES + LISTS, ids=str)
def test_index_as_numpy_does(index):
    """x[index] takes integers, slices, None, Ellipsis and lists, alone and together; even one entry is a Tensor."""
    result = Tensor(CUBE)[index]
    assert isinstance(result, Tensor), f"x[{index}] is a {type(result).__name__}, expected a Tensor"
    assert_close(result, CUBE[index], f"x[{index}]")


def test_index_by_tensors():
    """A Tensor of integers picks places, and a boolean one picks where it is True, also beside slices."""
    x = Tensor(CUBE)
    rows, mask = np.array([1, 1, 0]), CUBE[:, 0, 0] > 5
    assert_close(x[Tensor(rows)], CUBE[[1, 1, 0]], "x[rows]")
    assert_close(x[:, Tensor(rows)], CUBE[:, [1, 1, 0]], "x[:, rows]")
    assert_close(x[Tensor(rows), :, Tensor(rows)], CUBE[[1, 1, 0], :, [1, 1, 0]], "x[rows, :, rows]")
    assert_close(x[Tensor(mask), 1:], CUBE[mask, 1:], "x[mask, 1:]")
    assert_close(x[Tensor(CUBE % 5 == 0)], np.array([0, 5, 10, 15, 20], np.float32), "x[x % 5 == 0]")


def test_slices_are_views_and_lists_copy():
    """Integers, slices, None and Ellipsis give a view of the memory; places and masks give a copy."""
    a = CUBE.copy()
    for index in PLACES + FRAMES:
        assert np.shares_memory(Tensor(a)[index].data, a), f"x[{index}] is a copy, expected a view"
    for index in LISTS:
        assert not np.shares_memory(Tensor(a)[index].data, a), f"x[{index}] is a view, expected a copy"


@pytest.mark.parametrize(
    ("index", "wrong"), [(2, 2), (-3, -3), ((0, 3), 3), ((0, 0, 0), 3), ([0, 7], 7)], ids=str
)
def test_index_outside_is_an_error(index, wrong):
    """A place outside its axis, and more places than axes, are an IndexError that names the number."""
    with raises(IndexError, wrong):
        Tensor(SIX)[index]


def test_iter_gives_the_slices():
    """A loop over x meets x[0], x[1], ..., which are views; over a 0-d Tensor there is no loop: TypeError."""
    a = SIX.copy()
    rows = list(Tensor(a))
    assert_equal(len(rows), 2, "the number of rows")
    assert_close(rows[1], np.array([3, 4, 5], np.float32), "row 1")
    assert np.shares_memory(rows[1].data, a), "row 1 is a copy, expected a view"
    with raises(TypeError):
        iter(Tensor(np.array(1.0)))


def test_slices_take_tensors_of_one_integer():
    """A Tensor of one integer can stand in an index and in a slice."""
    two = Tensor(np.array(2))
    assert_close(Tensor(np.arange(4))[two], np.array(2), "x[two]")
    assert_close(Tensor(np.arange(4))[two:], np.array([2, 3]), "x[two:]")


def test_float_and_int_of_one_entry():
    """float(x) and int(x) give Python numbers; int cuts off towards zero."""
    assert_equal(float(Tensor(np.array([2.5], np.float32))), 2.5, "float(x)")
    assert_equal(float(Tensor(np.array(3))), 3.0, "float(x)")
    assert_equal(int(Tensor(np.array([[-2.75]]))), -2, "int(x)")


@pytest.mark.parametrize("index", PLACES + FRAMES + LISTS, ids=str)
def test_setitem_writes_where_getitem_reads(index):
    """x[index] = number changes exactly the entries that x[index] picks."""
    x, expected = Tensor(CUBE.copy()), CUBE.copy()
    x[index] = -1
    expected[index] = -1
    assert_close(x, expected, f"x after x[{index}] = -1")


def test_setitem_takes_tensors():
    """The value may be a Tensor: it broadcasts and is cast to the dtype of x. So may the index."""
    x = Tensor(np.zeros((2, 3), np.float32))
    x[:, 1:] = tensor([1, 2])
    assert_close(x, np.array([[0, 1, 2], [0, 1, 2]], np.float32), "x after x[:, 1:] = [1, 2]")
    x[Tensor(np.array([[True, False, False], [False, True, True]]))] = tensor([7, 8, 9])
    assert_close(x, np.array([[7, 1, 2], [0, 8, 9]], np.float32), "x after x[mask] = [7, 8, 9]")
    whole = Tensor(np.zeros(2, np.int64))
    whole[0] = 2.75
    assert_close(whole, np.array([2, 0]), "an integer Tensor after x[0] = 2.75")


def test_setitem_refuses_and_leaves_x_alone():
    """Lists are a TypeError, shapes that do not fit and places outside are errors; x stays as it was."""
    x = Tensor(SIX.copy())
    with unchanged(x):
        with raises(TypeError, "list"):
            x[0] = [1, 2, 3]
        with raises(ShapeError):
            x[0] = tensor([1.0, 2.0])
        with raises(IndexError, 5):
            x[5] = 0


def test_argsort_of_unsigned_integers():
    """Descending order is right where -x would wrap around, and for booleans."""
    assert_close(argsort(Tensor(np.array([3, 0, 255], np.uint8)), descending=True), np.array([2, 0, 1]))
    assert_close(argsort(Tensor(np.array([False, True])), descending=True), np.array([1, 0]))


def test_gather_picks_along_a_row():
    """gather(x, 1, index): out[i][j] = x[i][index[i][j]]; out has the shape of index."""
    index = np.array([[2, 0], [1, 1]])
    assert_close(gather(Tensor(SIX), 1, Tensor(index)), np.array([[2, 0], [4, 4]], np.float32))


@given(arrays(shapes(min_dims=1, min_side=1)), st.data())
@example(SIX, (0, np.array([[1, 0]])))
def test_gather_picks_along_any_axis(a, draw):
    """out[place] = x[place, with the index on axis dim]; on the other axes index may be shorter than x."""
    if isinstance(draw, tuple):
        dim, index = draw
    else:
        dim = draw.draw(dims(a.ndim), "dim")
        sides = [
            draw.draw(st.integers(1, 4 if axis == dim % a.ndim else side))
            for axis, side in enumerate(a.shape)
        ]
        index = draw.draw(arrays(tuple(sides), dtype=np.int64, low=0, high=a.shape[dim] - 1), "index")
    expected = np.zeros(index.shape, np.float32)
    for place in np.ndindex(index.shape):
        source = list(place)
        source[dim] = int(index[place])
        expected[place] = a[tuple(source)]
    assert_close(gather(Tensor(a), dim, Tensor(index)), expected, f"gather along {dim} of shape {a.shape}")


@pytest.mark.parametrize("wrong", [3, -1])
def test_gather_refuses_an_index_outside(wrong):
    """An index that is too large or negative is an error that names it: here nothing counts from the end."""
    with raises((IndexError, RuntimeError), wrong):
        gather(Tensor(SIX), 1, Tensor(np.array([[0, wrong]])))


@pytest.mark.parametrize("shape", [(2,), (3, 1), (1, 2, 3)], ids=str)
def test_gather_refuses_shapes_that_do_not_fit(shape):
    """index has as many axes as x, and only axis dim may be longer: all else is an error that names both shapes."""
    with raises(ShapeError, shape, (2, 3)):
        gather(Tensor(SIX), 1, Tensor(np.zeros(shape, np.int64)))


def test_index_add_adds_slices():
    """index_add(x, 0, index, source) is a copy of x with row i of source added to row index[i]."""
    x, source = Tensor(SIX.copy()), Tensor(np.array([[10, 20, 30]], np.float32))
    with unchanged(x, source):
        result = index_add(x, 0, Tensor(np.array([1])), source)
    assert_close(result, np.array([[0, 1, 2], [13, 24, 35]], np.float32))


@given(arrays(shapes(min_dims=1, min_side=1)), st.data())
@example(np.zeros(2, np.float32), (0, np.array([1, 1]), np.array([1, 2], np.float32)))
def test_index_add_adds_twice_for_an_index_that_stands_twice(a, draw):
    """Along any axis, every slice of source is added, even where several have the same index."""
    if isinstance(draw, tuple):
        dim, index, source = draw
    else:
        dim = draw.draw(dims(a.ndim), "dim")
        index = draw.draw(arrays(shapes(1, 1), dtype=np.int64, low=0, high=a.shape[dim] - 1), "index")
        sides = [len(index) if axis == dim % a.ndim else side for axis, side in enumerate(a.shape)]
        source = draw.draw(arrays(tuple(sides)), "source")
    expected = a.copy()
    for i, place in enumerate(index):
        np.moveaxis(expected, dim, 0)[place] += np.moveaxis(source, dim, 0)[i]
    assert_close(index_add(Tensor(a), dim, Tensor(index), Tensor(source)), expected, f"index_add along {dim}")


@pytest.mark.parametrize("wrong", [2, -1])
def test_index_add_refuses_an_index_outside(wrong):
    """An index that is too large or negative is an error that names it."""
    with raises((IndexError, RuntimeError), wrong):
        index_add(Tensor(SIX), 0, Tensor(np.array([wrong])), Tensor(np.ones((1, 3), np.float32)))


@pytest.mark.parametrize(("count", "shape"), [(2, (1, 3)), (1, (1, 2)), (2, (2, 1))], ids=str)
def test_index_add_refuses_shapes_that_do_not_fit(count, shape):
    """There are as many indices as slices, and a slice has the shape of those of x: nothing broadcasts here."""
    with raises(ShapeError, shape):
        index_add(Tensor(SIX), 0, Tensor(np.zeros(count, np.int64)), Tensor(np.ones(shape, np.float32)))


def test_index_add_refuses_a_source_of_another_dtype():
    """A float source for integers is a TypeError with both dtypes, and not 0.9 cut to 0."""
    with raises((TypeError, RuntimeError), "int64", "float32"):
        index_add(
            Tensor(np.zeros(2, np.int64)), 0, Tensor(np.array([1])), Tensor(np.array([0.9], np.float32))
        )


@given(arrays(shapes(min_dims=1)), st.data())
@example(np.array([[3, 1, 2], [0, 2, 1]], np.float32), (1, True))
def test_sort_gives_values_and_places(a, draw):
    """sort(x, dim, descending) is two Tensors: the entries in order, and the places they came from."""
    dim, descending = draw if isinstance(draw, tuple) else draw.draw(st.tuples(dims(a.ndim), st.booleans()))
    values, places = sort(Tensor(a), dim, descending)
    expected = np.sort(a, axis=dim)
    assert_close(values, np.flip(expected, dim) if descending else expected, "the values")
    assert_close(np.take_along_axis(a, places.data, dim), values.data, "x at the places")


def test_topk_gives_the_largest_first():
    """topk(x, k, dim) is two Tensors: the k largest entries along dim, the largest first, and their places."""
    x = Tensor(np.array([[3, 1, 4, 2], [0, 5, -1, 6]], np.float32))
    values, places = topk(x, 2)
    assert_close(values, np.array([[4, 3], [6, 5]], np.float32), "the values")
    assert_close(places, np.array([[2, 0], [3, 1]]), "the places")
    values, places = topk(x, 1, dim=0)
    assert_close(values, np.array([[3, 5, 4, 6]], np.float32), "the values along dim 0")
    assert_close(places, np.array([[0, 1, 0, 1]]), "the places along dim 0")
    assert_equal(topk(x, 0)[0].shape, (2, 0), "the shape for k = 0")
    assert_close(topk(x, 4)[1], np.array([[2, 0, 3, 1], [3, 1, 0, 2]]), "the places for k = 4")


def test_topk_gives_the_smallest_too():
    """With largest=False topk gives the k smallest entries, the smallest first, and their places."""
    values, places = topk(Tensor(np.array([3, 1, 4, 2], np.float32)), 2, largest=False)
    assert_close(values, np.array([1, 2], np.float32), "the values")
    assert_close(places, np.array([1, 3]), "the places")


@pytest.mark.parametrize("k", [4, -1])
def test_topk_refuses_more_than_there_are(k):
    """A k that is negative or larger than the side is an error that names it."""
    with raises(ShapeError, k):
        topk(Tensor(SIX), k)
