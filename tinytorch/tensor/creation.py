"""Functions that make Tensors: filled with one value, from numbers, and at random."""

from __future__ import annotations

from typing import Any

from tinytorch.dispatch import Array
from tinytorch.tensor.promotion import float32, int64
from tinytorch.tensor.tensor import Tensor


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new Tensor from a number, nested lists, an array or a Tensor. Always a copy (torch.tensor).

    Python floats become float32, integers int64, booleans bool; arrays and Tensors keep their dtype and device.

    Raises:
        ValueError: nested lists of unequal lengths.
        TypeError: something that is not a number; the message shows what was given.
    """
    raise NotImplementedError("kata 02: tensor")


def from_numpy(array: Array) -> Tensor:
    """A Tensor that shares the memory of a NumPy array: a change of one is seen in the other (torch.from_numpy).

    Raises:
        TypeError: it is not a NumPy array; the message names the type that was given.
    """
    raise NotImplementedError("kata 02: from_numpy")


def full(
    shape: Any, fill_value: float, dtype: Any = None, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """Every entry is `fill_value`, whose kind decides the dtype: int64, float32 or bool (torch.full)."""
    raise NotImplementedError("kata 02: full")


def zeros(*shape: Any, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False) -> Tensor:
    """zeros(2, 3) or zeros((2, 3)): all 0 (torch.zeros)."""
    raise NotImplementedError("kata 02: zeros")


def ones(*shape: Any, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False) -> Tensor:
    """ones(2, 3) or ones((2, 3)): all 1 (torch.ones)."""
    raise NotImplementedError("kata 02: ones")


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
    raise NotImplementedError("kata 02: arange")


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = float32,
    device: Any = "cpu",
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers at equal distances, from `start` to `end`, both included (torch.linspace)."""
    raise NotImplementedError("kata 02: linspace")


def eye(
    n: int, m: int | None = None, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """A matrix (n, m), square by default: 1 on the diagonal, 0 elsewhere (torch.eye)."""
    raise NotImplementedError("kata 02: eye")


def zeros_like(x: Tensor, dtype: Any = None) -> Tensor:
    """All 0, in the shape, dtype and device of `x` (torch.zeros_like)."""
    raise NotImplementedError("kata 02: zeros_like")


def ones_like(x: Tensor, dtype: Any = None) -> Tensor:
    """All 1, in the shape, dtype and device of `x` (torch.ones_like)."""
    raise NotImplementedError("kata 02: ones_like")


def full_like(x: Tensor, fill_value: float, dtype: Any = None) -> Tensor:
    """All `fill_value`, in the shape, dtype and device of `x` (torch.full_like)."""
    raise NotImplementedError("kata 02: full_like")


def rand(
    *shape: Any, generator: Any = None, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """Independent draws from the uniform distribution on [0, 1) (torch.rand).

    They come from `generator`, or from the default generator of the device, which `manual_seed` seeds. Generators draw
    float32 and float64 only: float16 is drawn in float32 and rounded down, so that it never becomes 1.
    """
    raise NotImplementedError("kata 02: rand")


def randn(
    *shape: Any, generator: Any = None, dtype: Any = float32, device: Any = "cpu", requires_grad: bool = False
) -> Tensor:
    """Independent draws from the normal distribution with mean 0 and variance 1 (torch.randn); generator as in rand."""
    raise NotImplementedError("kata 02: randn")


def randint(
    low: int, high: Any, shape: Any = None, generator: Any = None, dtype: Any = int64, device: Any = "cpu"
) -> Tensor:
    """Independent draws from the integers low, ..., high - 1 (torch.randint); generator as in rand.

    randint(10, (2, 3)) is randint(0, 10, (2, 3)).

    Raises:
        ValueError: the range is empty; the message names both bounds.
    """
    raise NotImplementedError("kata 02: randint")
