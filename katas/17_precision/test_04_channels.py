"""A grid for each channel."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, raises
from dojo.spec.strategies import arrays, dims
from tinytorch.precision import (
    calculate_qparams,
    dequantize_per_channel,
    dequantize_per_tensor,
    quantize_per_channel,
    quantize_per_tensor,
    value_range,
)
from tinytorch.tensor import Tensor

X = np.array([[0.5, -3, 2], [10, 40, -20]], np.float32)


def channel(array, axis, number):
    return np.take(array, [number], axis)


def test_the_range_of_each_channel():
    """value_range(x, 0) of a matrix gives the ends of each row, and value_range(x, 1) those of each column."""
    low, high = value_range(Tensor(X), 0)
    assert_close(low, np.array([-3, -20], np.float32), "the smallest entry of each row")
    assert_close(high, np.array([2, 40], np.float32), "the largest entry of each row")
    low, high = value_range(Tensor(X), 1)
    assert_close(low, np.array([0.5, -3, -20], np.float32), "the smallest entry of each column")


@given(x=arrays((2, 3, 4)), axis=dims(3))
def test_the_range_of_each_channel_entry_by_entry(x, axis):
    """The axis may be any of three, and may be counted from the end."""
    low, high = value_range(Tensor(x), axis)
    every = [channel(x, axis, i) for i in range(x.shape[axis])]
    assert_close(low, np.array([each.min() for each in every]), f"along axis {axis}, the smallest entries")
    assert_close(high, np.array([each.max() for each in every]), f"along axis {axis}, the largest entries")


def test_a_channel_without_entries_has_no_range():
    """The ranges of rows without entries are a ValueError that names the shape."""
    with raises(ValueError, (2, 0)):
        value_range(Tensor(np.zeros((2, 0), np.float32)), 0)


def test_per_channel_by_hand():
    """Row 0 has the scale 0.5 and the zero point 1, row 1 has 10 and 0."""
    grids = Tensor(np.array([0.5, 10], np.float32)), Tensor(np.array([1, 0], np.int32))
    q = quantize_per_channel(Tensor(X), *grids, 0)
    assert_close(q, np.array([[2, -5, 5], [1, 4, -2]], np.int8), "the integers")
    assert_close(dequantize_per_channel(q, *grids, 0), X, "the numbers")


@given(x=arrays((2, 3, 4)), axis=dims(3), symmetric=st.booleans(), four=st.booleans())
def test_each_channel_is_quantized_by_itself(x, axis, symmetric, four):
    """Channel by channel it is quantize_per_tensor with that channel's scale and zero point, and back."""
    limits = (-8, 7) if four else (-128, 127)
    scales, zeros = calculate_qparams(*value_range(Tensor(x), axis), *limits, symmetric=symmetric)
    q = quantize_per_channel(Tensor(x), scales, zeros, axis, *limits)
    back = dequantize_per_channel(q, scales, zeros, axis)
    for i in range(x.shape[axis]):
        grid = scales.data[i].item(), zeros.data[i].item()
        alone = quantize_per_tensor(Tensor(channel(x, axis, i)), *grid, *limits)
        where = f"along axis {axis}, channel {i}:"
        assert_close(channel(q.data, axis, i), alone.data, f"{where} the integers")
        assert_close(
            channel(back.data, axis, i), dequantize_per_tensor(alone, *grid).data, f"{where} the numbers"
        )


def test_a_small_row_beside_a_large_one():
    """With one grid for all, a row of hundredths beside one of hundreds becomes 0; with a grid of its own it stays."""
    x = Tensor(np.array([[0.01, -0.03, 0.02], [100, -300, 200]], np.float32))
    scale, zero = calculate_qparams(*value_range(x), symmetric=True)
    lost = dequantize_per_tensor(quantize_per_tensor(x, scale, zero), scale, zero)
    assert_close(lost.data[0], np.zeros(3, np.float32), "with one grid for all, the small row")
    grids = calculate_qparams(*value_range(x, 0), symmetric=True)
    kept = dequantize_per_channel(quantize_per_channel(x, *grids, 0), *grids, 0)
    assert_close(kept, x.data, "with a grid for each row, both rows", rtol=0.02)


@given(x=arrays((3, 4), low=-100, high=100), axis=dims(2), symmetric=st.booleans())
@example(np.array([[0.01] * 4, [300] * 4, [-1] * 4], np.float32), 0, True)
def test_per_channel_is_never_worse(x, axis, symmetric):
    """No channel's steps are larger than the steps of one grid for all, and nothing moves by more than half a step."""
    whole, _ = calculate_qparams(*value_range(Tensor(x)), symmetric=symmetric)
    grids = calculate_qparams(*value_range(Tensor(x), axis), symmetric=symmetric)
    assert (grids[0].data <= whole.item()).all(), (
        f"the scales are {grids[0].data}, and one for all is {whole.item()}: a channel got coarser"
    )
    back = dequantize_per_channel(quantize_per_channel(Tensor(x), *grids, axis), *grids, axis)
    moved = np.abs(back.data - x).max()
    assert moved <= 0.5002 * whole.item(), (
        f"an entry moved by {moved}, half a step of one for all is {whole.item() / 2}"
    )


@pytest.mark.parametrize("shape", [(3,), (1,), (), (2, 1)])
def test_grids_that_do_not_fit_the_axis_are_refused(shape):
    """An axis of size 2 needs two scales and two zero points; another shape is a ValueError with it and x's shape."""
    right, wrong = Tensor(np.ones(2, np.float32)), Tensor(np.ones(shape, np.float32))
    for grids in ((wrong, right), (right, wrong)):
        with raises(ShapeError, shape, (2, 3)):
            quantize_per_channel(Tensor(X), *grids, 0)
        with raises(ShapeError, shape, (2, 3)):
            dequantize_per_channel(Tensor(X.astype(np.int8)), *grids, 0)
