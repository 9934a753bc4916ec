"""Bits by remainders, rounding by half a step, grids in whole arrays, two integers in a byte by arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch.dispatch import Array
from tinytorch.precision.floats import FloatFormat, FloatInfo
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, float32, float64, int8, int32, uint8


def float_fields(bits: Array, form: FloatFormat) -> tuple[Array, Array, Array]:
    """By division with remainder, as one takes a number apart on paper: no shift and no mask."""
    kind = bits.dtype.type
    rest, fraction = bits // kind(2**form.fraction_bits), bits % kind(2**form.fraction_bits)
    return rest // kind(2**form.exponent_bits), rest % kind(2**form.exponent_bits), fraction


def float_value(sign: Array, exponent: Array, fraction: Array, form: FloatFormat) -> Array:
    """One case after the other into one array, each with a mask: normal, subnormal, infinite, nan."""
    xp = get_array_module(exponent)
    sign, exponent, fraction = (xp.asarray(each).astype(xp.int64) for each in (sign, exponent, fraction))
    sign, exponent, fraction = xp.broadcast_arrays(sign, exponent, fraction)
    part = fraction.astype(float64) / 2**form.fraction_bits
    size = part * 2.0 ** (1 - form.bias)
    normal = (exponent > 0) & (exponent < 2**form.exponent_bits - 1)
    power = xp.where(normal, exponent - form.bias, 0).astype(int32)
    size = xp.where(normal, xp.ldexp(1 + part, power), size)
    top = exponent == 2**form.exponent_bits - 1
    size = xp.where(top & (fraction == 0), math.inf, xp.where(top & (fraction != 0), math.nan, size))
    return xp.copysign(size, xp.where(sign == 1, -1.0, 1.0))


def finfo(form: FloatFormat) -> FloatInfo:
    """Asked of `float_value`: each limit is a number with bits of its own."""
    top, ones = 2**form.exponent_bits - 2, 2**form.fraction_bits - 1

    def value(exponent: int, fraction: int) -> float:
        zero, e, f = (np.asarray(each) for each in (0, exponent, fraction))
        return float(float_value(zero, e, f, form))

    return FloatInfo(value(top, ones), value(1, 0), value(0, 1), value(form.bias, 1) - value(form.bias, 0))


def to_bfloat16(x: Array) -> Array:
    """Rounded by what is cut off: more than a half goes up, less goes down, and a half goes to the even one."""
    if x.dtype != float32:
        raise TypeError(f"float32 is rounded, not {x.dtype}")
    xp = get_array_module(x)
    bits = x.view(xp.uint32)
    kept, cut = bits >> 16, bits & 0xFFFF
    up = (cut > 0x8000) | ((cut == 0x8000) & (kept % 2 == 1))
    nearest = kept + up
    return xp.where(x != x, kept | 0x7FC0, nearest).astype(xp.uint16)


def from_bfloat16(bits: Array) -> Array:
    """Two halves of 16 bits side by side, of which the lower one is 0, read as float32: no shift, for
    little-endian machines.
    """
    xp = get_array_module(bits)
    halves = xp.zeros((*bits.shape, 2), xp.uint16)
    halves[..., 1] = bits
    return halves.view(float32)[..., 0]


def value_range(x: Tensor, axis: int | None = None) -> tuple[Tensor, Tensor]:
    """Rows of channels first, and then one axis: the transposed copy makes both cases one."""
    if 0 in x.shape:
        raise ValueError(f"nothing to look at: {x.shape}")
    xp = get_array_module(x.data)
    rows = x.data.reshape(1, -1) if axis is None else xp.moveaxis(x.data, axis, 0).reshape(x.shape[axis], -1)
    low, high = rows.min(axis=1), rows.max(axis=1)
    return (Tensor(low[0]), Tensor(high[0])) if axis is None else (Tensor(low), Tensor(high))


def calculate_qparams(
    low: Tensor, high: Tensor, quant_min: int = -128, quant_max: int = 127, symmetric: bool = False
) -> tuple[Tensor, Tensor]:
    """PyTorch's own steps: negative and positive part, then a rule for each kind of grid."""
    a, b = low.data.astype(float64), high.data.astype(float64)
    xp = get_array_module(a, b)
    for x, y in zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True):
        if not (math.isfinite(x) and math.isfinite(y) and x <= y):
            raise ValueError(f"a range from {x} to {y}")
    negative, positive = xp.where(a < 0, a, 0.0), xp.where(b > 0, b, 0.0)
    tiny = float(np.finfo(float32).tiny)
    steps = float(quant_max - quant_min)
    if symmetric:
        scale = xp.maximum(-negative, positive) / (steps / 2)
        zero = xp.zeros(scale.shape, int32) + (quant_min + quant_max + 1) // 2
    else:
        scale = (positive - negative) / steps
        zero = quant_min - xp.round(negative / xp.where(scale < tiny, tiny, scale))
    scale = xp.where(scale < tiny, tiny, scale)
    return Tensor(scale.astype(float32)), Tensor(xp.asarray(zero).astype(int32))


def quantize_per_tensor(
    x: Tensor, scale: Any, zero_point: Any = 0, quant_min: int = -128, quant_max: int = 127
) -> Tensor:
    """The limits are moved by the zero point, and the numbers are cut to them before they are moved
    themselves.
    """
    step, zero = (each.data if isinstance(each, Tensor) else each for each in (scale, zero_point))
    xp = get_array_module(x.data, step, zero)
    if bool((x.data != x.data).any()):
        raise ValueError("nan stands for no integer")
    with np.errstate(over="ignore"):
        nearest = xp.round(x.data / step)
    low, high = xp.asarray(quant_min - zero), xp.asarray(quant_max - zero)
    moved = xp.minimum(xp.maximum(nearest, low), high) + zero
    return Tensor(moved.astype(uint8 if quant_min >= 0 else int8))


def dequantize_per_tensor(q: Tensor, scale: Any, zero_point: Any = 0) -> Tensor:
    """Subtracted as integers of 32 bits, exactly, and multiplied once."""
    step, zero = (each.data if isinstance(each, Tensor) else each for each in (scale, zero_point))
    whole = q.data.astype(int32) - zero
    return Tensor((whole.astype(float32) * step).astype(float32))


def pack_int4(q: Tensor) -> Tensor:
    """Arithmetic: the remainder by 16 is two's complement of 4 bits, and 16 times it is the upper half."""
    if q.dtype != int8:
        raise TypeError(f"int8 is packed, not {q.dtype}")
    if q.ndim < 1 or q.shape[-1] % 2 == 1:
        raise ValueError(f"an odd number of entries in {q.shape}")
    flat = (
        q.data.reshape(-1).tolist() if isinstance(q.data, np.ndarray) else q.data.get().reshape(-1).tolist()
    )
    wrong = [each for each in flat if not -8 <= each <= 7]
    if wrong:
        raise ValueError(f"{wrong[0]} needs more than 4 bits")
    pairs = q.data.reshape(*q.shape[:-1], q.shape[-1] // 2, 2).astype(int32) % 16
    return Tensor((pairs[..., 0] + 16 * pairs[..., 1]).astype(uint8))


def unpack_int4(packed: Tensor) -> Tensor:
    """A table of the sixteen values is looked up by each half."""
    if packed.dtype != uint8:
        raise TypeError(f"uint8 is unpacked, not {packed.dtype}")
    xp = get_array_module(packed.data)
    table = xp.asarray([*range(8), *range(-8, 0)], dtype=int8)
    out = xp.empty((*packed.shape[:-1], 2 * packed.shape[-1]), int8)
    out[..., 0::2] = table[packed.data % 16]
    out[..., 1::2] = table[packed.data // 16]
    return Tensor(out)


class GradScaler:
    def update(self) -> None:
        """The factor is decided first, then written, and the counts are new objects: nothing is cleared in
        place.
        """
        if not self._overflowed:
            raise RuntimeError("update without a step: nothing was looked at")
        bad = True in self._overflowed.values()
        count = 0 if bad else self._steps_without_overflow + 1
        factor = self.backoff_factor if bad else self.growth_factor if count == self.growth_interval else 1.0
        self._scale = self._scale * factor
        self._steps_without_overflow = 0 if bad or count == self.growth_interval else count
        self._overflowed, self._stepped = {}, set()

    def unscale_(self, optimizer: Any) -> None:
        """Divided in place, in the gradient's own dtype, and looked at one by one: no product with 1 /
        scale is rounded.
        """
        if optimizer in self._overflowed:
            raise RuntimeError("unscaled already: update() comes first")
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        for grad in grads:
            if grad.dtype.itemsize == 2:
                raise ValueError("a gradient of float16")
        found = False
        for grad in grads:
            grad.data /= grad.dtype.type(self._scale)
            xp = get_array_module(grad.data)
            found |= bool((~xp.isfinite(grad.data)).any())
        self._overflowed[optimizer] = found


class MovingAverageMinMaxObserver:
    def forward(self, x: Tensor) -> Tensor:
        """Both ends are mixed with shares that add up to 1; the first range has all of it."""
        if not x.numel():
            return x
        share = self.averaging_constant if self.min_val.item() <= self.max_val.item() else 1.0
        for held, seen in ((self.min_val, x.data.min()), (self.max_val, x.data.max())):
            old = held.item() * (1 - share) if share < 1 else 0.0
            held.fill_(old + share * seen.item())
        return x
