"""Numbers on a grid: an integer q of 8 bits stands for scale * (q - zero_point).

The names and rules are those of PyTorch's quantize_per_tensor and its observers. There is no quantized Tensor here:
integers are a Tensor of int8 (or uint8), and scale and zero point are Tensors beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, float32, float64, int8, int32, reshape, uint8


def value_range(x: Tensor, axis: int | None = None) -> tuple[Tensor, Tensor]:
    """The smallest and the largest entry of x: two 0-d Tensors, in the dtype of x (torch.aminmax).

    With `axis`, those of each channel along that axis: two Tensors (C,), where C is the size of the axis, which may
    be counted from the end.

    Raises:
        ValueError: there is no entry to look at; the message names the shape of x.
    """
    if x.numel() == 0:
        raise ValueError(f"a Tensor of shape {x.shape} has no smallest entry")
    data = x.data
    if axis is None:
        return Tensor(data.min()), Tensor(data.max())
    others = tuple(each for each in range(x.ndim) if each != axis % x.ndim)
    return Tensor(data.min(axis=others)), Tensor(data.max(axis=others))


def calculate_qparams(
    low: Tensor, high: Tensor, quant_min: int = -128, quant_max: int = 127, symmetric: bool = False
) -> tuple[Tensor, Tensor]:
    """The grid for numbers from `low` to `high`: scale, float32, and zero_point, int32, both of the shape of `low`.

    It is MinMaxObserver's rule (torch.ao.quantization). The range is first widened so that it contains 0: the number 0
    (of padding, of relu) must stand on the grid exactly. Then

        affine       scale = (high - low) / (quant_max - quant_min), zero_point = quant_min - round(low / scale)
        symmetric    scale = max(-low, high) / ((quant_max - quant_min) / 2),
                     zero_point = (quant_min + quant_max + 1) // 2, which is 0, or 128 for uint8

    The scale is never 0, so that nobody divides by 0: a range of nothing but 0, or a tiny one, gets the smallest normal
    float32. It is never infinite either: high - low may be too large for float32, and is computed in float64.

    Raises:
        ValueError: low is above high, or one of them is nan or infinite; the message names both numbers.
    """
    smallest, largest = low.data.astype(float64), high.data.astype(float64)
    xp = get_array_module(smallest, largest)
    wrong = ~(xp.isfinite(smallest) & xp.isfinite(largest) & (smallest <= largest))
    if wrong.any():
        raise ValueError(
            f"no grid reaches from {float(smallest[wrong][0])} to {float(largest[wrong][0])}: both must be finite, "
            "the smaller one first"
        )
    smallest, largest = xp.minimum(smallest, 0), xp.maximum(largest, 0)
    span = 2 * xp.maximum(-smallest, largest) if symmetric else largest - smallest
    scale = xp.maximum(span / (quant_max - quant_min), np.finfo(float32).tiny).astype(float32)
    if symmetric:
        zero_point = xp.full(scale.shape, (quant_min + quant_max + 1) // 2)
    else:
        zero_point = quant_min - xp.rint(smallest / scale)
    return Tensor(scale), Tensor(zero_point.astype(int32))


def quantize_per_tensor(
    x: Tensor, scale: Any, zero_point: Any = 0, quant_min: int = -128, quant_max: int = 127
) -> Tensor:
    """round(x / scale) + zero_point, limited to quant_min ... quant_max (torch.quantize_per_tensor).

    The result has the shape of x and the dtype int8, or uint8 where quant_min is 0 or more. `scale` and `zero_point`
    are numbers or Tensors that broadcast to x. Halfway, round goes to the even integer. Infinity is limited too,
    and x / scale may become infinite without a warning.

    Raises:
        ValueError: x contains nan, which no integer stands for; the message names nan.
    """
    steps, zero = _array(scale), _array(zero_point)
    xp = get_array_module(x.data, steps, zero)
    if xp.isnan(x.data).any():
        raise ValueError("x contains nan, and no integer stands for nan")
    with np.errstate(over="ignore"):  # what is infinite is limited as all that is too large
        places = xp.rint(x.data / steps) + zero
    return Tensor(places.clip(quant_min, quant_max).astype(int8 if quant_min < 0 else uint8))


def dequantize_per_tensor(q: Tensor, scale: Any, zero_point: Any = 0) -> Tensor:
    """The numbers that the integers stand for: scale * (q - zero_point), float32 (torch.dequantize).

    Subtracted as float32: q - zero_point may need 9 bits.
    """
    return Tensor(((q.data.astype(float32) - _array(zero_point)) * _array(scale)).astype(float32))


def quantize_per_channel(
    x: Tensor, scales: Tensor, zero_points: Tensor, axis: int, quant_min: int = -128, quant_max: int = 127
) -> Tensor:
    """quantize_per_tensor with a grid for each channel along `axis` (torch.quantize_per_channel).

    Raises:
        ValueError: scales or zero_points is not (C,), where C is the size of that axis of x; the message names its
            shape and that of x. Also as quantize_per_tensor.
    """
    return quantize_per_tensor(x, _along(scales, axis, x), _along(zero_points, axis, x), quant_min, quant_max)


def dequantize_per_channel(q: Tensor, scales: Tensor, zero_points: Tensor, axis: int) -> Tensor:
    """dequantize_per_tensor with a grid for each channel along `axis`; errors as quantize_per_channel."""
    return dequantize_per_tensor(q, _along(scales, axis, q), _along(zero_points, axis, q))


def _along(values: Tensor, axis: int, x: Tensor) -> Tensor:
    """(C,) with further axes of size 1, so that it broadcasts along `axis` of x."""
    if values.shape != (x.shape[axis],):
        raise ValueError(
            f"axis {axis} of a Tensor of shape {x.shape} does not fit to grids of {values.shape}"
        )
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    return reshape(values, shape)


def _array(value: Any) -> Any:
    """The array of a Tensor; a number as it is."""
    return value.data if isinstance(value, Tensor) else value
