"""What mistakes in kata 17 look like from outside. `make hunt N=17` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import precision as p
from tinytorch.precision import FloatFormat, float_fields, float_value
from tinytorch.tensor import Tensor, tensor


def there_and_back() -> None:
    """Five numbers, and what their bits as float32 say, read by hand."""
    numbers = np.array([1.0, -2.5, 0.1, 0.0, 1e-40], np.float32)
    form = FloatFormat(8, 23)
    print([float(f"{each:.6g}") for each in float_value(*float_fields(numbers.view(np.uint32), form), form)])


def halves() -> None:
    """Four numbers as bfloat16, which has a number at every 1/128 between 1 and 2."""
    x = np.array([1.0, 1 + 1 / 256 + 1e-4, 1 + 3 / 256, -1.999], np.float32)
    print(p.from_bfloat16(p.to_bfloat16(x)).tolist())


def grid() -> None:
    """The numbers 0, 0.499, 0.511 and 1 on a grid with the step 0.02, there and back: each moves by 0.01 at most."""
    x = tensor([0.0, 0.499, 0.511, 1.0])
    q = p.quantize_per_tensor(x, 0.02)
    print(p.dequantize_per_tensor(q, 0.02).data.round(3).tolist())


def too_large() -> None:
    """The numbers 1, 100 and 1000 on a grid of 8 bits with the step 1."""
    print(p.quantize_per_tensor(tensor([1.0, 100.0, 1000.0]), 1.0).tolist())


def padding() -> None:
    """Pixels from 5 to 10 on a grid of 8 bits, and a padding of 0 on the same grid, there and back."""
    x = tensor([5.0, 7.5, 10.0, 0.0])
    scale, zero = p.calculate_qparams(tensor(5.0), tensor(10.0))
    q = p.quantize_per_tensor(x, scale, zero)
    print(p.dequantize_per_tensor(q, scale, zero).data.round(1).tolist())


def far_from_zero() -> None:
    """The numbers that the integers -128, 0 and 127 stand for, with the zero point 100 and the scale 1."""
    print(p.dequantize_per_tensor(tensor([-128, 0, 127], dtype=np.int8), 1.0, 100).tolist())


def four_bits() -> None:
    """Eight integers from -8 to 7 in four bytes, there and back."""
    q = Tensor(np.array([[-8, -1, 0, 1, 7, 3, -5, 2]], np.int8))
    print(p.unpack_int4(p.pack_int4(q)).tolist())


def small_beside_large() -> None:
    """64 small weights and 64 large ones in a row with 4 bits, there and back: the largest error of a small one."""
    row = np.concatenate([np.linspace(-0.01, 0.01, 64), np.linspace(-1, 1, 64)])[None].astype(np.float32)
    q, scales = p.quantize_rows(Tensor(row), bits=4)
    print(f"{np.abs(p.dequantize_rows(q, scales, 128).data - row)[0, :64].max():.5f}")


def odd_length() -> None:
    """The shape of a matrix of 2 times 70 with 4 bits, there and back."""
    q, scales = p.quantize_rows(Tensor(np.ones((2, 70), np.float32)), bits=4)
    print(p.dequantize_rows(q, scales, 70).shape)


HUNTS = {
    "value_without_the_leading_one": there_and_back,
    "value_without_subnormals": there_and_back,
    "bfloat16_cut_off": halves,
    "quantize_cuts_off": grid,
    "quantize_wraps_around": too_large,
    "grid_without_0": padding,
    "dequantize_wraps_around": far_from_zero,
    "unpacked_without_sign": four_bits,
    "packed_the_other_way": four_bits,
    "rows_without_groups": small_beside_large,
    "rows_come_back_longer": odd_length,
}
