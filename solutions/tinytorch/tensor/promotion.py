"""Which dtype the result of an operation has. Given, because PyTorch's rules differ from NumPy's.

NumPy makes int64 + float32 a float64; in PyTorch it is a float32. A Python number or a 0-d Tensor never
widens a Tensor of its own kind: float32 + 2.5 stays float32.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinytorch.dispatch import Array
from tinytorch.setup import get_array_module

bool_ = np.dtype(np.bool_)
uint8 = np.dtype(np.uint8)
int8 = np.dtype(np.int8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
float16 = np.dtype(np.float16)
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)

_DEFAULTS = {bool: bool_, int: int64, float: float32}
_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}


@functools.cache
def promote_types(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:  # given
    """The narrowest dtype that holds both; between an integer and a float, the float (torch.promote_types)."""
    if _KINDS[a.kind] != _KINDS[b.kind]:
        return max(a, b, key=_kind)
    return np.promote_types(a, b)


def _kind(dtype: np.dtype[Any]) -> int:  # given
    return _KINDS[dtype.kind]


def result_type(*values: Array | float) -> np.dtype[Any]:  # given
    """The dtype of an operation on arrays and Python numbers (torch.result_type).

    The highest kind among bool, integer and float wins. Within it, arrays with dimensions decide before 0-d
    arrays, and those before Python numbers. NumPy's numbers, such as np.float64(2), count as Python's.
    """
    ranks: dict[int, np.dtype[Any]] = {}  # 2: arrays with dimensions, 1: 0-d arrays, 0: Python numbers
    for value in values:
        if isinstance(value, (bool, int, float, np.generic)):
            rank, dtype = 0, _DEFAULTS[type(python_number(value))]
        else:
            rank, dtype = 1 + (value.ndim > 0), value.dtype
        ranks[rank] = promote_types(ranks[rank], dtype) if rank in ranks else dtype
    highest = max(map(_kind, ranks.values()))
    return next(ranks[rank] for rank in (2, 1, 0) if rank in ranks and _kind(ranks[rank]) == highest)


def promote(*values: Array | float) -> tuple[Any, ...]:  # given
    """The same values, with every array cast to their `result_type`. Python numbers stay as they are.

    Arrays of two devices are a RuntimeError.
    """
    if len(values) == 2:  # the common cases: two arrays of one dtype, and an array of floats with a number
        a, b = values if type(values[0]) is np.ndarray else values[::-1]
        if type(a) is np.ndarray:
            if type(b) is np.ndarray and a.dtype == b.dtype:
                return values
            if a.dtype.kind == "f" and type(b) in _DEFAULTS:
                return values
    get_array_module(*values)
    dtype = result_type(*values)
    return tuple(
        python_number(v) if isinstance(v, (bool, int, float, np.generic)) else v.astype(dtype, copy=False)
        for v in values
    )


def python_number(value: Any) -> Any:  # given
    """NumPy's numbers as Python's; arrays and Python's numbers stay as they are."""
    return value.item() if isinstance(value, np.generic) else value


def floating(value: Array | float) -> Any:  # given
    """An array of integers or booleans as float32; anything that is floating point already stays as it is."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    return value if value.dtype.kind == "f" else value.astype(float32)
