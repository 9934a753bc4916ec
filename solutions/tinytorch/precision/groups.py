"""Matrices on a grid: a scale for each row, or for each group of neighbours in a row, and two integers in a byte.

A scale has to reach the largest number that shares it. The fewer share it, the finer the steps; but each scale
takes four bytes of its own. With 4 bits there are only 16 steps, so 32 neighbours share one.
"""

from __future__ import annotations

from tinytorch.precision.affine import calculate_qparams, quantize_per_channel, value_range
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, int8, pad, uint8


def pack_int4(q: Tensor) -> Tensor:
    """Two integers of 4 bits in each byte: int8 (..., K), K even, -> uint8 (..., K / 2).

    Byte k holds entry 2 * k in its lower four bits and entry 2 * k + 1 in its upper four, in two's complement:
    pack_int4([1, -1]) is [0xF1].

    Raises:
        ValueError: K is odd (the message names the shape), or an entry is outside -8 ... 7 (it names the entry).
        TypeError: q is not int8; the message names its dtype.
    """
    if q.dtype != int8:
        raise TypeError(f"pack_int4 takes int8, got {q.dtype}")
    if q.ndim == 0 or q.shape[-1] % 2:
        raise ValueError(f"two integers fill a byte: the last axis must be even, got {q.shape}")
    outside = q.data[(q.data < -8) | (q.data > 7)]
    if outside.size:
        raise ValueError(f"{int(outside[0])} does not fit into 4 bits, which hold -8 to 7")
    halves = q.data.view(uint8) & 15
    return Tensor(halves[..., 0::2] | halves[..., 1::2] << 4)


def unpack_int4(packed: Tensor) -> Tensor:
    """Undo pack_int4: uint8 (..., K / 2) -> int8 (..., K).

    Raises:
        TypeError: it is not uint8; the message names its dtype.
    """
    if packed.dtype != uint8:
        raise TypeError(f"unpack_int4 takes uint8, got {packed.dtype}")
    data = packed.data
    halves = get_array_module(data).stack([data & 15, data >> 4], axis=-1)  # (..., K / 2, 2)
    signed = (halves ^ 8).astype(int8) - int8.type(8)  # 0 to 7, and then 8 to 15, which stand for -8 to -1
    return Tensor(signed.reshape(*packed.shape[:-1], 2 * packed.shape[-1]))


def quantize_rows(weight: Tensor, bits: int = 8, group_size: int | None = None) -> tuple[Tensor, Tensor]:
    """A matrix (N, K) on symmetric grids, one for each group of neighbours in a row: (integers, scales (N, G)).

    A group is `group_size` entries of a row; by default the whole row with 8 bits, and 32 with 4. Where the last
    group of a row is not full, it is padded with 0. So there are G = ceil(K / group_size) groups. The integers are int8
    (N, G * group_size) with 8 bits, and with 4 bits they are packed, uint8 (N, G * group_size / 2). The
    scales are float32, those of calculate_qparams with symmetric=True, from -128 to 127 or from -8 to 7.

    Raises:
        ValueError: weight is no matrix with entries (the message names its shape), bits is neither 4 nor 8 (it names
            bits), or group_size is given and is below 1, above K, or odd with 4 bits (it names group_size).
    """
    if weight.ndim != 2 or weight.numel() == 0:
        raise ValueError(f"a matrix (N, K) is quantized, got shape {weight.shape}")
    if bits not in (4, 8):
        raise ValueError(f"bits must be 4 or 8, got {bits}")
    rows, features = weight.shape
    if group_size is None:
        group_size = 32 if bits == 4 else features
    elif not 1 <= group_size <= features or (bits == 4 and group_size % 2):
        raise ValueError(
            f"group_size must be from 1 to {features}, the length of a row, and even with 4 bits, got {group_size}"
        )
    padded = pad(weight.detach(), (0, -features % group_size))  # (N, G * group_size)
    groups = padded.reshape(-1, group_size)  # (N * G, group_size)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    scales, zeros = calculate_qparams(*value_range(groups, 0), low, high, symmetric=True)
    q = quantize_per_channel(groups, scales, zeros, 0, low, high).reshape(padded.shape)
    return (pack_int4(q) if bits == 4 else q), scales.reshape(rows, -1)


def dequantize_rows(q: Tensor, scales: Tensor, features: int) -> Tensor:
    """The numbers of quantize_rows' integers: (..., K'), scales (..., G) -> (..., features), in the dtype of scales.

    uint8 is unpacked first. What padded the last group is cut off. Some of the rows may be given alone, also
    none: any leading axes will do.
    """
    if q.dtype == uint8:
        q = unpack_int4(q)
    *leading, groups = scales.shape
    grouped = q.data.reshape(*leading, groups, q.shape[-1] // groups)  # (..., G, group_size)
    values = grouped * scales.data[..., None]
    return Tensor(values.reshape(q.shape)[..., :features])
