"""Moving arrays to a device and back, and getting the array out of what the student's code returned."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pytest

Array = NDArray[Any]


def on_device(array: Any, device: str) -> Any:
    """A copy of the array on "cpu" (NumPy's) or on "cuda" (CuPy's, or its strict stand-in)."""
    if device == "cpu":
        return np.array(array)
    if device.startswith("cuda"):
        import cupy

        return cupy.array(array)
    raise ValueError(f"there is no device {device!r}: it is 'cpu' or 'cuda'")


def hide_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the spec ends, importing cupy fails, as where it is not installed."""
    for name in ["cupy", *(name for name in sys.modules if name.startswith("cupy."))]:
        monkeypatch.setitem(sys.modules, name, None)


def to_numpy(value: Any) -> Array:
    """The NumPy array in `value`: an array, a Tensor, an array on a device, a number, or a list of those.

    A NumPy array is returned as it is, not copied. Text, None and other objects are a TypeError.
    """
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        return np.asarray([to_numpy(each) for each in value]) if value else np.asarray(value)
    array: Any = value if _lives_on_device(value) else getattr(value, "data", None)  # a Tensor's array
    if isinstance(array, np.ndarray):
        return array
    if _lives_on_device(array):
        return np.asarray(array.get())
    raise TypeError(f"{type(value).__name__} is not an array")


def _lives_on_device(value: Any) -> bool:
    return hasattr(value, "get") and hasattr(value, "dtype")
