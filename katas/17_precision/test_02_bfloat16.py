"""bfloat16 by hand: the left half of a float32, rounded."""

import struct

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, no_warnings, raises
from dojo.spec.strategies import strided
from tinytorch.precision import from_bfloat16, to_bfloat16

ALL = np.arange(2**16, dtype=np.uint16)
"""Every bfloat16 there is."""

IS_NAN = ((ALL >> 7) & 0xFF == 0xFF) & (ALL & 0x7F != 0)


def floats(*bits):
    return np.array(bits, np.uint32).view(np.float32)


def hexadecimal(bits):
    return [f"{int(each):#06x}" for each in np.ravel(bits)]


def nearest(bits):
    """The bfloat16 bits nearest to float32 bits, by exact distances in float64. No nan.

    Beyond the largest finite number the next one would be 2 ** 128, which stands for infinity.
    """
    down = bits.astype(np.int64) & 0x7FFF0000
    ends = []
    for each in (down, down + 0x10000):
        with np.errstate(invalid="ignore"):
            value = each.astype(np.uint32).view(np.float32).astype(np.float64)
        ends.append(np.where(np.isinf(value), 2.0**128, value))
    value = np.abs(bits.view(np.float32).astype(np.float64))
    below, above = value - ends[0], ends[1] - value
    left = down >> 16
    up = (above < below) | ((above == below) & (left % 2 == 1))
    finite = np.where(np.isinf(value), left, left + up)
    return (finite + ((bits >> 31).astype(np.int64) << 15)).astype(np.uint16)


def test_the_left_half_of_a_float32():
    """to_bfloat16 of 1, -2 and 3.140625, which need no rounding: 0x3F80, 0xC000 and 0x4049, as uint16."""
    found = to_bfloat16(np.array([1, -2, 3.140625], np.float32))
    assert_equal(found.dtype, np.dtype(np.uint16), "the dtype")
    assert_equal(hexadecimal(found), ["0x3f80", "0xc000", "0x4049"], "the bits")


def test_every_bfloat16_is_a_float32():
    """from_bfloat16 of each of the 65,536 bit patterns is the float32 with 16 more zero bits."""
    expected = [struct.unpack("<f", struct.pack("<I", bits << 16))[0] for bits in range(2**16)]
    found = from_bfloat16(ALL)
    assert_close(found, np.array(expected, np.float32), "all numbers", rtol=0, atol=0)
    assert_equal(np.signbit(found[[0, 0x8000]]).tolist(), [False, True], "the signs of 0x0000 and 0x8000")


def test_rounding_goes_to_the_nearest():
    """1 + 3/512 is nearer to 1 + 1/128 (0x3F81) than to 1 (0x3F80), and 1 + 1/512 is nearer to 1."""
    found = to_bfloat16(np.array([1 + 3 / 512, 1 + 1 / 512, -1 - 3 / 512], np.float32))
    assert_equal(hexadecimal(found), ["0x3f81", "0x3f80", "0xbf81"], "the bits")


def test_halfway_the_last_bit_becomes_0():
    """1 + 1/256 lies halfway between 0x3F80 and 0x3F81 and becomes 0x3F80; 1 + 3/256 becomes 0x3F82."""
    found = to_bfloat16(np.array([1 + 1 / 256, 1 + 3 / 256, -1 - 1 / 256], np.float32))
    assert_equal(hexadecimal(found), ["0x3f80", "0x3f82", "0xbf80"], "the bits")


@pytest.mark.parametrize("right", [0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0xFFFF], ids=hex)
def test_bit_by_bit_for_every_left_half(right):
    """For all 65,536 left halves with this right half, the bits are those of the nearest bfloat16.

    Among them are infinity, numbers that become infinite, and subnormal numbers. Only nan is left out.
    """
    bits = (ALL.astype(np.uint32) << 16) | np.uint32(right)
    bits = bits[~np.isnan(bits.view(np.float32))]
    with no_warnings():
        found = to_bfloat16(bits.view(np.float32))
    assert_close(found, nearest(bits), f"with the right half {right:#06x}, the bits")


@given(drawn=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8))
@example(drawn=[0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x7F7F7FFF, 0x00008000, 0x00018000])
def test_any_float32_becomes_the_nearest_bfloat16(drawn):
    """Whatever the 32 bits are, the result is the nearest bfloat16, and nan for nan."""
    bits = np.array(drawn, np.uint32)
    x = bits.view(np.float32)
    with no_warnings():
        back = from_bfloat16(to_bfloat16(x))
    number = ~np.isnan(x)
    shown = [f"{each:#010x}" for each in drawn]
    assert_equal(np.isnan(back).tolist(), (~number).tolist(), f"whether {shown} become nan")
    assert_close(to_bfloat16(x)[number], nearest(bits[number]), f"the bits of {shown}")


def test_nan_stays_nan():
    """Every nan stays nan: also one whose only fraction bits are cut off, and one that rounding up would carry away."""
    with no_warnings():
        back = from_bfloat16(to_bfloat16(floats(0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000)))
    assert_equal(np.isnan(back).tolist(), [True] * 5, "whether each is nan")


def test_what_is_too_large_becomes_infinite():
    """The largest float32 becomes infinite, and the largest bfloat16, 255 * 2 ** 120, stays."""
    with no_warnings():
        found = to_bfloat16(floats(0x7F7FFFFF, 0xFF7FFFFF, 0x7F7F0000))
    assert_equal(hexadecimal(found), ["0x7f80", "0xff80", "0x7f7f"], "the bits")


def test_there_and_back_is_the_same():
    """to_bfloat16(from_bfloat16(bits)) gives all bits back, but for those of nan."""
    numbers = ALL[~IS_NAN]
    assert_close(to_bfloat16(from_bfloat16(numbers)), numbers, "the bits")


@given(x=strided((2, 3), np.float32))
def test_any_memory_will_do(x):
    """The array may be a view of any strides: transposed, with gaps, repeated."""
    assert_close(from_bfloat16(to_bfloat16(x)), x, "quarters, which need no rounding,")


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 2)])
def test_the_shape_stays(shape):
    """The shape stays, also that of a 0-d array and of one without entries."""
    bits = to_bfloat16(np.full(shape, 0.5, np.float32))
    assert_equal(bits.shape, shape, "the shape of the bits")
    assert_close(from_bfloat16(bits), np.full(shape, 0.5, np.float32), "the numbers")


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64], ids=str)
def test_only_float32_is_rounded(dtype):
    """Another dtype than float32 is a TypeError that names it: two roundings in a row are not one."""
    with raises(TypeError, np.dtype(dtype).name):
        to_bfloat16(np.ones(2, dtype))
