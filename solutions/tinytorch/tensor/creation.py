"""Functions that make Tensors: filled with one value, from numbers, and at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch.dispatch import Array
from tinytorch.setup import Device, default_generator
from tinytorch.tensor.layout import sizes
from tinytorch.tensor.promotion import bool_, float16, float32, int64
from tinytorch.tensor.tensor import Tensor


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new Tensor from a number, nested lists, an array or a Tensor. Always a copy (torch.tensor).

    Python floats become float32, integers int64, booleans bool; arrays and Tensors keep their dtype and device.

    Raises:
        ValueError: nested lists of unequal lengths.
        TypeError: something that is not a number; the message shows what was given.
    """
    if isinstance(data, Tensor):
        data = data.data
    known = hasattr(data, "dtype")
    array = np.array(data) if not known or isinstance(data, np.generic) else data.copy()
    if array.dtype.kind not in "buif":
        raise TypeError(f"a Tensor holds numbers, got {type(data).__name__} of {array.dtype}: {data!r:.60}")
    if dtype is None:
        dtype = float32 if array.dtype.kind == "f" and not known else array.dtype
    return _finish(array, dtype, device, requires_grad)


def from_numpy(array: Array) -> Tensor:
    """A Tensor that shares the memory of a NumPy array: a change of one is seen in the other (torch.from_numpy).

    Raises:
        TypeError: it is not a NumPy array; the message names the type that was given.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy takes a NumPy array, got {type(array).__name__}")
    return Tensor(array)


def full(
    shape: Any, fill_value: float, dtype: Any = None, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """Every entry is `fill_value`, whose kind decides the dtype: int64, float32 or bool (torch.full)."""
    if dtype is None:
        dtype = {"b": bool_, "i": int64}.get(np.asarray(fill_value).dtype.kind, float32)
    return _finish(np.full(shape, fill_value, dtype), dtype, device, requires_grad)


def zeros(*shape: Any, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False) -> Tensor:
    """zeros(2, 3) or zeros((2, 3)): all 0 (torch.zeros)."""
    return full(sizes(shape), 0, dtype, device, requires_grad)


def ones(*shape: Any, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False) -> Tensor:
    """ones(2, 3) or ones((2, 3)): all 1 (torch.ones)."""
    return full(sizes(shape), 1, dtype, device, requires_grad)


def arange(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """arange(end), arange(start, end) or arange(start, end, step): start, start + step, ... below end (torch.arange).

    int64 if every bound is an integer, else float32.

    Raises:
        ValueError: the step is 0, or leads away from end; the message names it.
    """
    if end is None:
        start, end = 0, start
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange: steps of {step} do not lead from {start} to {end}")
    array = np.arange(start, end, step)
    if dtype is None:
        dtype = float32 if array.dtype.kind == "f" else int64
    return _finish(array, dtype, device, requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = float32,
    device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers at equal distances, from `start` to `end`, both included (torch.linspace)."""
    return _finish(np.linspace(start, end, steps), dtype, device, requires_grad)


def eye(
    n: int, m: int | None = None, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """A matrix (n, m), square by default: 1 on the diagonal, 0 elsewhere (torch.eye)."""
    return _finish(np.eye(n, m), dtype, device, requires_grad)


def zeros_like(x: Tensor, dtype: Any = None) -> Tensor:
    """All 0, in the shape, dtype and device of `x` (torch.zeros_like)."""
    return full(x.shape, 0, dtype or x.dtype, x.device)


def ones_like(x: Tensor, dtype: Any = None) -> Tensor:
    """All 1, in the shape, dtype and device of `x` (torch.ones_like)."""
    return full(x.shape, 1, dtype or x.dtype, x.device)


def full_like(x: Tensor, fill_value: float, dtype: Any = None) -> Tensor:
    """All `fill_value`, in the shape, dtype and device of `x` (torch.full_like)."""
    return full(x.shape, fill_value, dtype or x.dtype, x.device)


def rand(
    *shape: Any, generator: Any = None, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """Independent draws from the uniform distribution on [0, 1) (torch.rand).

    They come from `generator`, or from the default generator of the device, which `manual_seed` seeds. Generators draw
    float32 and float64 only: float16 is drawn in float32 and rounded down, so that it never becomes 1.
    """
    generator = generator or default_generator(Device(str(device)))
    array = generator.random(sizes(shape), dtype=_drawn(dtype))
    if dtype == float16:
        array -= array % 2**-11  # float16 has 11 binary digits
    return _finish(array, dtype, device, requires_grad)


def randn(
    *shape: Any, generator: Any = None, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """Independent draws from the normal distribution with mean 0 and variance 1 (torch.randn); generator as in rand."""
    generator = generator or default_generator(Device(str(device)))
    return _finish(generator.standard_normal(sizes(shape), dtype=_drawn(dtype)), dtype, device, requires_grad)


def randint(
    low: int, high: Any, shape: Any = None, generator: Any = None, dtype: Any = int64, device: Any = "cpu"
) -> Tensor:
    """Independent draws from the integers low, ..., high - 1 (torch.randint); generator as in rand.

    randint(10, (2, 3)) is randint(0, 10, (2, 3)).

    Raises:
        ValueError: the range is empty; the message names both bounds.
    """
    if shape is None:
        low, high, shape = 0, low, high
    if low >= high:
        raise ValueError(f"randint needs low < high, got {low} and {high}")
    generator = generator or default_generator(Device(str(device)))
    return _finish(generator.integers(low, high, size=shape), dtype, device, False)


def _drawn(dtype: Any) -> Any:
    return float32 if dtype == float16 else dtype


def _finish(array: Array, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """The last step of every function above."""
    return Tensor(array).to(dtype, device=device).requires_grad_(requires_grad)
