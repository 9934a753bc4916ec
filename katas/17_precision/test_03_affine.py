"""Numbers on a grid of 8 bits."""

import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, no_warnings, raises, unchanged
from dojo.spec.strategies import shapes, strided
from tinytorch.precision import (
    calculate_qparams,
    dequantize_per_tensor,
    quantize_per_tensor,
    value_range,
)
from tinytorch.tensor import Tensor

numbers = st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=10)
ranges = st.sampled_from([(-128, 127), (0, 255), (-8, 7), (0, 127)])


def numbers_of(*values):
    return Tensor(np.array(values, np.float32))


def one(value):
    return Tensor(np.array(value, np.float32))


def test_the_smallest_and_the_largest_entry():
    """value_range(x) gives both as 0-d Tensors."""
    low, high = value_range(numbers_of(0.5, -3, 2))
    assert_close(low, np.float32(-3), "the smallest entry")
    assert_close(high, np.float32(2), "the largest entry")


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8], ids=["float16", "float64", "int8"])
def test_a_range_has_the_dtype_of_x(dtype):
    """Both ends have the dtype of x, float64 and integers too, with an axis and without."""
    x = Tensor(np.array([[1, -3], [2, 0]], dtype))
    for axis in (None, 0):
        for end, name in zip(value_range(x, axis), ("smallest", "largest"), strict=True):
            assert_equal(end.dtype, np.dtype(dtype), f"with axis={axis}, the dtype of the {name} entry")


def test_nothing_has_no_range():
    """The range of a Tensor without entries is a ValueError that names its shape."""
    with raises(ValueError, (2, 0)):
        value_range(Tensor(np.zeros((2, 0), np.float32)))


def test_a_grid_by_hand():
    """From -1 to 4.1 in 255 steps: the scale is 0.02, and 0 stands at -128 + 50 = -78. They are float32 and int32."""
    scale, zero_point = calculate_qparams(one(-1), one(4.1))
    assert_close(scale, np.float32(0.02), "the scale")
    assert_close(zero_point, np.int32(-78), "the zero point")


@pytest.mark.parametrize(("low", "high", "zero"), [(2, 5.1, -128), (-5.1, -2, 127)])
def test_the_range_always_contains_0(low, high, zero):
    """A range without 0 is widened up to 0, so that 0 is one of the steps: the scale of 2 to 5.1 is 5.1 / 255."""
    scale, zero_point = calculate_qparams(one(low), one(high))
    assert_close(scale, np.float32(0.02), "the scale")
    assert_close(zero_point, np.int32(zero), "the zero point")


@pytest.mark.parametrize(
    ("quant_min", "quant_max", "steps", "zero"),
    [(-128, 127, 255, 0), (0, 255, 255, 128), (-8, 7, 15, 0), (-127, 127, 254, 0), (-8, 6, 14, -1)],
)
def test_a_symmetric_grid(quant_min, quant_max, steps, zero):
    """With symmetric=True the larger of -low and high is half of the steps, and the zero point stands in the middle."""
    for low, high in ((-1, 2), (-2, 1)):
        scale, zero_point = calculate_qparams(one(low), one(high), quant_min, quant_max, symmetric=True)
        assert_close(scale, np.float32(4 / steps), f"the scale from {low} to {high}")
        assert_close(zero_point, np.int32(zero), f"the zero point from {low} to {high}")


def test_many_grids_at_once():
    """Tensors of bounds give Tensors of scales and zero points, each for itself."""
    scale, zero_point = calculate_qparams(numbers_of(-1, 0, -5.1), numbers_of(4.1, 5.1, 0))
    assert_close(scale, np.full(3, 0.02, np.float32), "the scales")
    assert_close(zero_point, np.array([-78, -128, 127], np.int32), "the zero points")


@pytest.mark.parametrize("symmetric", [False, True])
def test_nothing_but_zeros_has_a_scale(symmetric):
    """The range from 0 to 0 has a scale above 0, and 0 stays 0."""
    with no_warnings():
        scale, zero_point = calculate_qparams(one(0), one(0), symmetric=symmetric)
        assert 0 < scale.item() < math.inf, f"the scale is {scale.item()}"
        back = dequantize_per_tensor(quantize_per_tensor(one(0), scale, zero_point), scale, zero_point)
    assert_close(back, np.float32(0), "what 0 becomes")


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_tiny_range_has_a_scale(symmetric):
    """The scale of a range from 0 to 1e-44, of which 1/255 is 0 in float32, is above 0."""
    with no_warnings():
        scale, _ = calculate_qparams(one(0), one(1e-44), symmetric=symmetric)
    assert 0 < scale.item() < 1e-30, f"the scale is {scale.item()}"


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_range_that_is_wider_than_float32(symmetric):
    """The scale from -3e38 to 3e38 is 6e38 / 255, without a warning, though 6e38 is no float32."""
    with no_warnings():
        scale, _ = calculate_qparams(one(-3e38), one(3e38), symmetric=symmetric)
    assert_close(scale, np.float32(2 * float(np.float32(3e38)) / 255), "the scale")


@pytest.mark.parametrize(("low", "high"), [(2.0, -3.0), (-math.inf, 1.0), (0.0, math.nan)])
def test_a_range_that_is_none_is_refused(low, high):
    """A lower bound above the upper one, infinity and nan are a ValueError that names both bounds."""
    with raises(ValueError, low, high):
        calculate_qparams(numbers_of(0, low), numbers_of(1, high))


def test_quantize_by_hand():
    """round(x / scale) + zero_point: with scale 0.5 and zero point 10, -1, 0, 0.8 and 2 become 8, 10, 12 and 14."""
    found = quantize_per_tensor(numbers_of(-1, 0, 0.8, 2), 0.5, 10)
    assert_close(found, np.array([8, 10, 12, 14], np.int8), "the integers")


def test_halfway_goes_to_the_even_integer():
    """-1.5, -0.5, 0.5, 1.5 and 2.5 are rounded to -2, 0, 0, 2 and 2."""
    found = quantize_per_tensor(numbers_of(-1.5, -0.5, 0.5, 1.5, 2.5), 1.0)
    assert_close(found, np.array([-2, 0, 0, 2, 2], np.int8), "the integers")


def test_what_is_too_large_stops_at_the_end():
    """What lies outside the grid, infinity too, becomes its first or last integer: no wrapping around, no warning."""
    x = numbers_of(127, 128, 1e6, 3e38, math.inf, -129, -math.inf)
    with no_warnings():
        found = quantize_per_tensor(x, 1.0)
        small = quantize_per_tensor(x, 1e-3, 3, -8, 7)
    assert_close(found, np.array([127, 127, 127, 127, 127, -128, -128], np.int8), "the integers")
    assert_close(small, np.array([7, 7, 7, 7, 7, -8, -8], np.int8), "with 4 bits, the integers")


def test_without_negative_integers_it_is_uint8():
    """From 0 to 255 the integers are uint8."""
    found = quantize_per_tensor(numbers_of(-1, 0, 3), 0.02, 50, 0, 255)
    assert_close(found, np.array([0, 50, 200], np.uint8), "the integers")


def test_nan_is_refused():
    """No integer stands for nan: a ValueError that names nan."""
    with raises(ValueError, "nan"):
        quantize_per_tensor(numbers_of(1, math.nan), 1.0)


def test_dequantize_by_hand():
    """scale * (q - zero_point), as float32: with the scale 0.5 and the zero point 10, 8, 10 and 14 are -1, 0 and 2."""
    found = dequantize_per_tensor(Tensor(np.array([8, 10, 14], np.int8)), 0.5, 10)
    assert_close(found, np.array([-1, 0, 2], np.float32), "the numbers")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8], ids=["int8", "uint8"])
def test_the_difference_needs_9_bits(dtype):
    """The smallest integer less the largest zero point is -255, which is no integer of 8 bits: subtract as float32."""
    limits = np.iinfo(dtype)
    q = Tensor(np.array([limits.min, limits.max], dtype))
    for zero in (
        int(limits.max),
        Tensor(np.array(limits.max, np.int32)),
        Tensor(np.array(limits.max, dtype)),
    ):
        with no_warnings():
            found = dequantize_per_tensor(q, 2.0, zero)
        assert_close(found, np.array([-510, 0], np.float32), "the numbers")


@given(values=numbers, limits=ranges, symmetric=st.booleans())
@example(values=[-1, 4.1, 0.013], limits=(-128, 127), symmetric=False)
@example(values=[-2, 1, 0.5], limits=(-128, 127), symmetric=True)
def test_nothing_moves_by_more_than_half_a_step(values, limits, symmetric):
    """On the grid of its own range, each number moves by at most half of the scale, symmetric or not.

    (Plus 1/5000 of a step: float32 rounds too.)
    """
    x = np.array(values, np.float32)
    grid = calculate_qparams(*value_range(Tensor(x)), *limits, symmetric=symmetric)
    with no_warnings():
        back = dequantize_per_tensor(quantize_per_tensor(Tensor(x), *grid, *limits), *grid)
    steps = np.abs(back.data.astype(np.float64) - x) / grid[0].item()
    worst = int(steps.argmax())
    assert steps[worst] <= 0.5002, (
        f"{x[worst]} became {back.data[worst]}: it moved by {steps[worst]:.4f} of the scale {grid[0].item():.6g}, "
        "at most 0.5 is allowed"
    )


@given(values=numbers, limits=ranges, symmetric=st.booleans())
def test_0_stays_exactly_0(values, limits, symmetric):
    """Whatever the range, 0 is one of the steps: there and back it is exactly 0."""
    grid = calculate_qparams(*value_range(numbers_of(*values)), *limits, symmetric=symmetric)
    back = dequantize_per_tensor(quantize_per_tensor(one(0), *grid, *limits), *grid)
    assert_equal(
        back.item(), 0.0, f"with scale and zero point {[each.item() for each in grid]}, what 0 becomes"
    )


@pytest.mark.parametrize(("scale", "zero"), [(0.02, -78), (1e-6, 0), (3.7, 127)])
def test_the_steps_themselves_do_not_move(scale, zero):
    """Each of the 256 integers, as a number and back, is the same integer."""
    q = np.arange(-128, 128).astype(np.int8)
    found = quantize_per_tensor(dequantize_per_tensor(Tensor(q), scale, zero), scale, zero)
    assert_close(found, q, "the integers")


@given(x=strided(shapes(), np.float32))
def test_any_shape_and_memory(x):
    """x may have any shape, also () and without entries, and any memory; it stays as it is."""
    with unchanged(x):
        q = quantize_per_tensor(Tensor(x), Tensor(np.array(0.25, np.float32)), Tensor(np.array(3, np.int32)))
    assert_close(q, (x * 4 + 3).astype(np.int8), "the integers of quarters")
    assert_close(dequantize_per_tensor(q, 0.25, 3), x, "the numbers")


@pytest.mark.parametrize("dtype", [np.float16, np.float64], ids=["float16", "float64"])
def test_other_floats_are_put_on_the_grid_too(dtype):
    """float16 and float64 are quantized as accurately as float32, and what comes back is float32."""
    x = (np.arange(-60, 60) / 64).astype(dtype)
    scale = Tensor(np.array(1 / 129.3, np.float32))
    found = quantize_per_tensor(Tensor(x), scale)
    assert_close(found, np.rint(x.astype(np.float64) * 129.3).astype(np.int8), "the integers")
    assert_equal(
        dequantize_per_tensor(found, scale).dtype, np.dtype(np.float32), "the dtype of what comes back"
    )
