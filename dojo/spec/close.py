"""Comparing values, and saying what differs: the shape first, then the dtype, then the values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dojo.spec.device import Array, to_numpy

WHOLE = 24
"""Arrays of at most this many entries are printed whole."""

TOLERANCES = {"float16": (1e-3, 1e-3), "float32": (1e-5, 1e-6), "float64": (1e-7, 1e-9)}
"""By dtype: relative to the expected value, and absolute."""


def assert_close(
    actual: Any, expected: Any, what: str = "the result", rtol: float | None = None, atol: float | None = None
) -> None:
    """Check that `actual` has the shape, the dtype and the values of `expected`.

    Both may be Tensors, arrays on any device, numbers or lists of them. The dtype is compared only where
    `expected` has one. Integers and booleans must be equal; floats lie within atol + rtol * |expected|, by
    default as the coarser of the two dtypes allows. nan equals nan. For values far below 1, pass `atol=0`:
    an absolute tolerance larger than what is expected accepts anything.
    """
    __tracebackhide__ = True
    yours, right = array_of(actual, what), to_numpy(expected)
    if yours.shape != right.shape:
        raise AssertionError(
            f"{what} has shape {yours.shape}, expected {right.shape}{both(yours=yours, expected=right)}"
        )
    if hasattr(expected, "dtype") and yours.dtype != right.dtype:
        raise AssertionError(f"{what} has dtype {yours.dtype}, expected {right.dtype}")
    wrong = ~close(yours, right, *tolerances(yours, right, rtol, atol))
    if wrong.any():
        raise AssertionError(f"{difference(wrong, yours, right, what)}{both(yours=yours, expected=right)}")


def assert_equal(actual: Any, expected: Any, what: str = "the result") -> None:
    """Check `actual == expected` for plain Python values: shapes, names, counts, flags.

    Here True is not 1, a 0-d array is not its number, and the name of a dtype is not the dtype.
    """
    __tracebackhide__ = True
    if _same(actual, expected):
        return
    if isinstance(actual, str) and isinstance(expected, str) and "\n" in actual + expected:
        raise AssertionError(f"{what} {_first_line_that_differs(actual, expected)}")
    yours, right = _shown(actual), repr(expected)
    if type(actual) is not type(expected):
        yours, right = f"{yours} ({_kind(actual)})", f"{right} ({_kind(expected)})"
    if len(yours) + len(right) > 70:
        raise AssertionError(f"{what} is not what was expected\n  yours:    {yours}\n  expected: {right}")
    raise AssertionError(f"{what} is {yours}, expected {right}")


@contextmanager
def unchanged(*values: Any) -> Iterator[None]:
    """Check that the arrays or Tensors are, bit for bit, the same at the end of the block."""
    __tracebackhide__ = True
    before = [to_numpy(value).copy() for value in values]
    yield
    for i, (value, old) in enumerate(zip(values, before, strict=True)):
        new = to_numpy(value)
        what = "the input" if len(values) == 1 else f"input {i}"
        if new.shape != old.shape:
            raise AssertionError(f"{what} was changed: its shape was {old.shape}, now it is {new.shape}")
        if new.dtype != old.dtype:
            raise AssertionError(f"{what} was changed: its dtype was {old.dtype}, now it is {new.dtype}")
        if new.tobytes() != old.tobytes():
            raise AssertionError(f"{what} was changed; work on a copy{both(before=old, after=new)}")


# Arrays -------------------------------------------------------------------------------------------------


def array_of(value: Any, what: str) -> Array:
    """What the student's code returned, as a NumPy array; an AssertionError says what else it was."""
    __tracebackhide__ = True
    if value is None:
        raise AssertionError(f"{what} is None: is a `return` missing?")
    try:
        array = to_numpy(value)
    except TypeError:
        raise AssertionError(f"{what} is {_shown(value)} ({_kind(value)}), expected an array") from None
    if array.dtype == object:
        raise AssertionError(f"{what} is an array of Python objects, expected one of numbers")
    return array


def tolerances(a: Array, b: Array, rtol: float | None, atol: float | None) -> tuple[float, float]:
    """The given tolerances, and for the others those of the coarser of the two dtypes; (0, 0) is equality."""
    usual = [TOLERANCES.get(str(x.dtype), (0.0, 0.0)) for x in (a, b)]
    return (
        max(r for r, _ in usual) if rtol is None else rtol,
        max(t for _, t in usual) if atol is None else atol,
    )


def close(a: Array, b: Array, rtol: float, atol: float) -> Array:
    """Where |a - b| <= atol + rtol * |b|, or both are nan, or both the same infinity."""
    if rtol == atol == 0:
        return np.asarray((a == b) | ((a != a) & (b != b)))
    with np.errstate(all="ignore"):
        return np.isclose(a.astype(np.float64), b.astype(np.float64), rtol, atol, equal_nan=True)


def difference(wrong: Array, yours: Array, right: Array, what: str, expected: str = "expected") -> str:
    """A sentence such as "the result: 2 of 6 entries wrong, first at [0, 1]: yours 1.3, expected -3.0"."""
    first = tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.ndim else ()
    mine, theirs = numbers(yours[first], right[first])
    if wrong.size == 1:
        return f"{what} is {mine}, {expected} {theirs}"
    at = f"first at {list(first)}" if wrong.sum() > 1 else f"at {list(first)}"
    return f"{what}: {wrong.sum()} of {wrong.size} entries wrong, {at}: yours {mine}, {expected} {theirs}"


def numbers(a: Any, b: Any) -> tuple[str, str]:
    """Two numbers, with as many digits as it takes to tell them apart."""
    for digits in (4, 6, 9, 17):
        texts = _number(a, digits), _number(b, digits)
        if texts[0] != texts[1]:
            break
    return texts


def _number(x: Any, digits: int) -> str:
    if np.asarray(x).dtype.kind != "f":
        return str(x)
    text = f"{float(x):.{digits}g}"
    return text if set(text) & set(".einf") else f"{text}.0"


def both(**arrays: Array) -> str:
    """The arrays, one below the other, if they are small; else nothing.

    Two single numbers would say no more than the sentence above them.
    """
    sizes = [a.size for a in arrays.values()]
    if max(sizes) > WHOLE or max(sizes) == 1:
        return ""
    texts = [""]
    for digits in (4, 8):
        texts = [np.array2string(a, precision=digits, separator=", ") for a in arrays.values()]
        if len(set(texts)) == len(texts):
            break
    width = max(map(len, arrays)) + 4
    lines = []
    for name, text in zip(arrays, texts, strict=True):
        lines.append(f"\n  {name + ':':<{width - 3}} " + text.replace("\n", "\n" + " " * width))
    return "".join(lines)


# Plain values -------------------------------------------------------------------------------------------


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in b)
    for kinds in (
        (bool, np.bool_),
        np.dtype,
        np.ndarray,
    ):  # a dtype equals its name, and a 0-d array its number
        if isinstance(a, kinds) != isinstance(b, kinds):
            return False
    if isinstance(a, float) and isinstance(b, float) and math.isnan(b):
        return math.isnan(a)
    equal = a == b  # an array, or a Tensor, where `a` is one
    return isinstance(equal, (bool, np.bool_)) and bool(equal)


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _shown(value: Any) -> str:
    """`repr`, or the class if the student's own `__repr__` is not written yet."""
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= 500 else text[:500] + " ..."


def _first_line_that_differs(actual: str, expected: str) -> str:
    yours, right = actual.splitlines(), expected.splitlines()
    for i in range(max(len(yours), len(right))):
        mine = repr(yours[i]) if i < len(yours) else "the text ends"
        theirs = repr(right[i]) if i < len(right) else "the text ends"
        if mine != theirs:
            return f"differs first in line {i + 1}\n  yours:    {mine}\n  expected: {theirs}"
    return "differs only in the end of its last line"
