"""Matrices on a grid: a scale for each row, or for each group of neighbours in a row, and two integers in a byte.

A scale has to reach the largest number that shares it. The fewer share it, the finer the steps; but each scale
takes four bytes of its own. With 4 bits there are only 16 steps, so 32 neighbours share one.
"""

from __future__ import annotations

from tinytorch.tensor import Tensor


def pack_int4(q: Tensor) -> Tensor:
    """Two integers of 4 bits in each byte: int8 (..., K), K even, -> uint8 (..., K / 2).

    Byte k holds entry 2 * k in its lower four bits and entry 2 * k + 1 in its upper four, in two's complement:
    pack_int4([1, -1]) is [0xF1].

    Raises:
        ValueError: K is odd (the message names the shape), or an entry is outside -8 ... 7 (it names the entry).
        TypeError: q is not int8; the message names its dtype.
    """
    raise NotImplementedError("kata 17: pack_int4")


def unpack_int4(packed: Tensor) -> Tensor:
    """Undo pack_int4: uint8 (..., K / 2) -> int8 (..., K).

    Raises:
        TypeError: it is not uint8; the message names its dtype.
    """
    raise NotImplementedError("kata 17: unpack_int4")


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
    raise NotImplementedError("kata 17: quantize_rows")


def dequantize_rows(q: Tensor, scales: Tensor, features: int) -> Tensor:
    """The numbers of quantize_rows' integers: (..., K'), scales (..., G) -> (..., features), in the dtype of scales.

    uint8 is unpacked first. What padded the last group is cut off. Some of the rows may be given alone, also
    none: any leading axes will do.
    """
    raise NotImplementedError("kata 17: dequantize_rows")
