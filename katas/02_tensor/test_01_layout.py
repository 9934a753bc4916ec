"""Memory is flat: strides, the place of an entry, and the shape that two shapes share."""

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, raises
from dojo.spec.strategies import broadcastable_shapes, shapes
from tinytorch.tensor import broadcast_shapes, contiguous_strides, flat_index


def test_strides_of_a_matrix():
    """In a row-major matrix of shape (2, 3), one row further is 3 entries further, one column is 1."""
    assert_equal(contiguous_strides((2, 3)), (3, 1), "contiguous_strides((2, 3))")
    assert_equal(contiguous_strides((4,)), (1,), "contiguous_strides((4,))")


@given(shape=shapes(max_dims=4, min_side=1))
@example(shape=(2, 3, 4))
@example(shape=())
def test_strides_of_any_shape(shape):
    """The last axis moves by 1, each axis before it by the product of all sides behind it; () has no strides."""
    counted_in_bytes = np.zeros(shape, np.int8).strides  # an int8 is one byte
    assert_equal(contiguous_strides(shape), counted_in_bytes, f"contiguous_strides({shape})")


def test_strides_refuse_a_negative_side():
    """A shape with a negative side is a ValueError that shows the shape; a side may be 0."""
    assert_equal(contiguous_strides((0, 3)), (3, 1), "contiguous_strides((0, 3))")
    with raises(ValueError, (2, -1)):
        contiguous_strides((2, -1))


def test_flat_index_of_a_matrix():
    """Entry [1, 2] of shape (2, 3) is number 5 in memory: 1 * 3 + 2 * 1."""
    assert_equal(flat_index((1, 2), (2, 3)), 5, "the place of entry [1, 2] of shape (2, 3)")
    assert_equal(flat_index((0, 1), (2, 3)), 1, "the place of entry [0, 1] of shape (2, 3)")
    assert_equal(flat_index((), ()), 0, "the place of the only entry of shape ()")


def test_flat_index_counts_back_from_the_end():
    """A negative index counts from the end of its own axis: [-1, -3] of shape (2, 3) is [1, 0]."""
    assert_equal(flat_index((-1, -3), (2, 3)), 3, "the place of entry [-1, -3] of shape (2, 3)")
    assert_equal(flat_index((-2, -1), (2, 3)), 2, "the place of entry [-2, -1] of shape (2, 3)")


@given(shape=shapes(max_dims=4, min_side=1))
@example(shape=(2, 3, 2))
def test_flat_index_finds_every_entry(shape):
    """Walked in row-major order, the entries of any shape lie at places 0, 1, 2, ... of memory."""
    for place, index in enumerate(np.ndindex(shape)):
        assert_equal(flat_index(index, shape), place, f"the place of entry {index} of shape {shape}")


def test_flat_index_refuses_an_index_outside():
    """An index outside its axis is an IndexError that shows the index and the side; so are too few indices."""
    assert_equal(flat_index((1, 2), (2, 3)), 5, "the place of entry [1, 2] of shape (2, 3)")
    with raises(IndexError, 7, 3):
        flat_index((1, 7), (2, 3))
    with raises(IndexError, 2):
        flat_index((2, 0), (2, 3))
    with raises(IndexError, -5, 2):
        flat_index((-5, 0), (2, 3))
    with raises(IndexError, (2, 3)):
        flat_index((1,), (2, 3))


def test_broadcast_shapes_of_a_column_and_a_row():
    """A side of 1 stretches to the other's side, and a missing axis counts as 1, in front."""
    assert_equal(broadcast_shapes((2, 1), (3,)), (2, 3), "the shape of (2, 1) with (3,)")
    assert_equal(broadcast_shapes((3,), (2, 3)), (2, 3), "the shape of (3,) with (2, 3)")
    assert_equal(broadcast_shapes((4, 1, 2), ()), (4, 1, 2), "the shape of (4, 1, 2) with ()")


@given(several=st.integers(1, 4).flatmap(broadcastable_shapes))
@example(several=((1,), (0,)))
@example(several=())
def test_broadcast_shapes_of_any_number(several):
    """Any number of shapes: on each axis, counted from the right, the side that is not 1; no shapes give ()."""
    expected = np.broadcast_shapes(*several)
    assert_equal(
        broadcast_shapes(*several), expected, f"the shape of {', '.join(map(str, several))} together"
    )


def test_broadcast_shapes_refuse_what_does_not_fit():
    """Two different sides, neither of them 1, are a ValueError that shows the shapes."""
    with raises(ValueError, (2, 3), (2,)):
        broadcast_shapes((2, 3), (2,))
    with raises(ValueError, (0,), (2,)):
        broadcast_shapes((0,), (2,))
    with raises(ValueError, (3, 1), (4, 1, 2), (5, 2)):
        broadcast_shapes((3, 1), (4, 1, 2), (5, 2))
