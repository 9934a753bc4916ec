"""What a float is, bit by bit."""

import struct

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, no_warnings
from tinytorch.precision import BFLOAT16, FLOAT16, FLOAT32, FloatFormat, finfo, float_fields, float_value

FORMATS = [(FLOAT32, np.uint32, 32), (FLOAT16, np.uint16, 16), (BFLOAT16, np.uint16, 16)]
NAMES = ["float32", "float16", "bfloat16"]
formats = pytest.mark.parametrize(("form", "dtype", "width"), FORMATS, ids=NAMES)

patterns = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8)


def test_one_in_float32():
    """1.0 in float32 has the fields 0, 127 and 0; -0.15625 has 1, 124 and 2 ** 21."""
    bits = np.array([1.0, -0.15625], np.float32).view(np.uint32)
    sign, exponent, fraction = float_fields(bits, FLOAT32)
    assert_close(sign, [0, 1], "the signs of 1.0 and -0.15625")
    assert_close(exponent, [127, 124], "their exponents")
    assert_close(fraction, [0, 2**21], "their fractions")


@formats
@given(drawn=patterns)
@example(drawn=[0xFFFFFFFF, 0x80000000, 0x00000001])
def test_fields_are_pieces_of_the_bits(form, dtype, width, drawn):
    """Written in binary, the bits are the sign, then the exponent bits, then the fraction bits.

    The fields have the dtype and the shape of the bits.
    """
    bits = np.array([each % 2**width for each in drawn], dtype)
    texts = [format(int(each), f"0{width}b") for each in bits]
    cut = 1 + form.exponent_bits
    expected = [(t[0], t[1:cut], t[cut:]) for t in texts]
    for place, name in enumerate(("sign", "exponent", "fraction")):
        right = np.array([int(each[place], 2) for each in expected], dtype)
        assert_close(float_fields(bits, form)[place], right, f"the {name} of {texts}")


def test_a_number_from_its_fields():
    """The fields 0, 130 and 2 ** 22 of float32 are (1 + 1/2) * 2 ** 3 = 12; with the sign 1 they are -12."""
    found = float_value(np.array([0, 1]), np.array([130, 130]), np.array([2**22, 2**22]), FLOAT32)
    assert_close(found, np.array([12.0, -12.0]), "the two numbers")


def test_an_exponent_of_0_has_no_leading_one():
    """With the exponent 0 a float16 is fraction / 2 ** 10 * 2 ** -14: 0, 2 ** -24 for a fraction of 1, and -0."""
    with no_warnings():
        found = float_value(np.array([0, 0, 1]), np.array([0, 0, 0]), np.array([0, 1, 0]), FLOAT16)
    assert_close(found, np.array([0, 2.0**-24, 0]), "the numbers", rtol=0, atol=0)
    assert_equal(np.signbit(found).tolist(), [False, False, True], "whether each has a minus sign")


def test_an_exponent_of_ones_is_infinity_or_nan():
    """With an exponent of nothing but ones it is infinity where the fraction is 0, with its sign, and else nan.

    In a format as wide as float64, FloatFormat(11, 52), too, without a warning.
    """
    for form, ones in ((FLOAT16, 31), (FloatFormat(11, 52), 2047)):
        with no_warnings():
            found = float_value(np.array([0, 1, 0]), np.full(3, ones), np.array([0, 0, 1]), form)
        assert_close(found, np.array([np.inf, -np.inf, np.nan]), f"the numbers of {form}")


def as_float64(form, bits):
    """What Python's struct reads from these bits. A bfloat16 is the left half of a float32."""
    if form == FLOAT16:
        return [struct.unpack("<e", struct.pack("<H", int(each)))[0] for each in bits]
    left = 16 if form == BFLOAT16 else 0
    return [struct.unpack("<f", struct.pack("<I", int(each) << left))[0] for each in bits]


@formats
@given(drawn=patterns)
@example(drawn=[0x7F800000, 0x00000001, 0x7F7FFFFF, 0x807FFFFF, 0xFFC00000])
@example(drawn=[0x7C00, 0x0001, 0x7BFF, 0x83FF, 0xFE00, 0x7F80])
def test_any_bits_are_read_as_the_machine_reads_them(form, dtype, width, drawn):
    """float_value(*float_fields(bits)) is the very number that these bits are in the machine, as float64."""
    bits = np.array([each % 2**width for each in drawn], dtype)
    with no_warnings():
        found = float_value(*float_fields(bits, form), form)
    shown = [f"{int(each):#x}" for each in bits]
    assert_close(found, np.array(as_float64(form, bits)), f"what {shown} stand for", rtol=0, atol=0)


@pytest.mark.parametrize(("form", "dtype"), [(FLOAT32, np.float32), (FLOAT16, np.float16)], ids=NAMES[:2])
def test_the_limits_of_a_format(form, dtype):
    """finfo(FLOAT16) knows that the largest number is 65504; its four limits are those that NumPy tells.

    They are Python's floats.
    """
    known, found = np.finfo(dtype), finfo(form)
    for name in ("max", "smallest_normal", "smallest_subnormal", "eps"):
        assert_equal(getattr(found, name), float(getattr(known, name)), f"{name} of {np.dtype(dtype)}")
        assert_equal(type(getattr(found, name)).__name__, "float", f"the type of {name}")


def test_bfloat16_reaches_as_far_as_float32_and_is_coarse():
    """finfo(BFLOAT16): smallest_normal is that of float32, eps is 1/128, and max is 255 * 2 ** 120."""
    found = finfo(BFLOAT16)
    assert_equal(found.smallest_normal, 2.0**-126, "the smallest normal number")
    assert_equal(found.eps, 1 / 128, "eps")
    assert_equal(found.max, 255 * 2.0**120, "the largest number")
