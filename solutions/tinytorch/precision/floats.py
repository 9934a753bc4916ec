"""What a float is, bit by bit, and one with 16 bits that NumPy does not have: bfloat16.

A float is a number in scientific notation, with the base 2: a sign, an exponent, and the digits after the point.
Formats differ only in how many bits each part gets. More exponent bits reach further, more fraction bits lie closer.
Everything here works on arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinytorch.dispatch import Array
from tinytorch.setup import get_array_module
from tinytorch.tensor import float32


class FloatFormat(NamedTuple):
    """How the bits after the sign are shared out (IEEE 754). Bits are read from the left: sign, exponent, fraction."""

    exponent_bits: int
    fraction_bits: int

    @property
    def bias(self) -> int:  # given
        """What is subtracted from the exponent bits, so that exponents can be negative: 127 for float32."""
        return 2 ** (self.exponent_bits - 1) - 1


FLOAT32 = FloatFormat(exponent_bits=8, fraction_bits=23)
FLOAT16 = FloatFormat(exponent_bits=5, fraction_bits=10)
BFLOAT16 = FloatFormat(exponent_bits=8, fraction_bits=7)


class FloatInfo(NamedTuple):
    """The limits of a format (torch.finfo)."""

    max: float
    """The largest finite number."""
    smallest_normal: float
    """The smallest positive number with all of its fraction bits."""
    smallest_subnormal: float
    """The smallest positive number."""
    eps: float
    """The distance from 1 to the next larger number."""


def float_fields(bits: Array, form: FloatFormat) -> tuple[Array, Array, Array]:
    """Cut the bits of floats into (sign, exponent, fraction), as they stand there: three arrays of integers.

    `bits` are unsigned integers of any width, such as np.float32(x).view(np.uint32). For 1.0 in float32 the fields are
    0, 127 and 0. All three have the shape and the dtype of `bits`.
    """
    sign = bits >> (form.exponent_bits + form.fraction_bits)
    exponent = (bits >> form.fraction_bits) & (2**form.exponent_bits - 1)
    return sign, exponent, bits & (2**form.fraction_bits - 1)


def float_value(sign: Array, exponent: Array, fraction: Array, form: FloatFormat) -> Array:
    """The numbers that the three fields stand for, as float64, which holds all of them exactly.

        normal        (-1)**sign * (1 + fraction / 2**fraction_bits) * 2**(exponent - bias)
        exponent 0    (-1)**sign * fraction / 2**fraction_bits * 2**(1 - bias)           (0, and subnormal numbers)
        exponent of nothing but ones: (-1)**sign * inf if the fraction is 0, else nan

    The fields are arrays of integers, of any dtype, signed or not.
    """
    xp = get_array_module(exponent)
    sign, exponent, fraction = (xp.asarray(each).astype(np.int64) for each in (sign, exponent, fraction))
    top, one = 2**form.exponent_bits - 1, 2**form.fraction_bits
    digits = xp.where(exponent == 0, fraction, fraction + one)
    power = (xp.maximum(exponent, 1) - form.bias).astype(np.int32)
    with np.errstate(over="ignore"):  # where the exponent is `top`, in a format as wide as float64
        size = xp.ldexp(digits / one, power)
    size = xp.where(exponent == top, xp.where(fraction == 0, xp.inf, xp.nan), size)
    return xp.where(sign == 1, -size, size)


def finfo(form: FloatFormat) -> FloatInfo:
    """The limits of a format, as Python's floats (torch.finfo)."""
    smallest_normal, eps = 2.0 ** (1 - form.bias), 2.0**-form.fraction_bits
    return FloatInfo((2 - eps) * 2.0**form.bias, smallest_normal, smallest_normal * eps, eps)


def to_bfloat16(x: Array) -> Array:
    """float32 rounded to bfloat16, given as its bits, an array of uint16: x.to(torch.bfloat16).

    bfloat16 is the left half of a float32: the same sign and exponent, and 7 of the 23 fraction bits. What is cut off
    decides on the rounding: to the nearest, and halfway to the one whose last bit is 0. What is too large becomes
    infinite, infinity stays, and nan stays nan (with fraction bits in its left half).

    Raises:
        TypeError: x is not float32; the message names its dtype. Two roundings in a row are not one.
    """
    if x.dtype != float32:
        raise TypeError(f"to_bfloat16 takes float32, got {x.dtype}")
    xp = get_array_module(x)
    bits = x.view(np.uint32).astype(np.uint64)  # 64 bits: the carry must not get lost
    kept = bits >> 16
    rounded = (bits + 0x7FFF + (kept & 1)) >> 16
    return xp.where(xp.isnan(x), kept | 0x40, rounded).astype(np.uint16)


def from_bfloat16(bits: Array) -> Array:
    """The numbers whose bfloat16 bits these are, as float32, exactly: undoes to_bfloat16, but for its rounding."""
    return (bits.astype(np.uint32) << 16).view(float32)
