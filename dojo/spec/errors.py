"""Errors and warnings.

The skeleton's NotImplementedError is a RuntimeError, so `pytest.raises` would take an unwritten function for one that
refuses bad input; `raises` does not.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dojo.spec.close import assert_equal

ShapeError = (ValueError, RuntimeError)
"""What shapes that do not fit may raise: NumPy's choice or PyTorch's."""

Kind = type[BaseException] | tuple[type[BaseException], ...]


@contextmanager
def raises(kind: Kind, *values: Any) -> Iterator[None]:
    """Check that the block raises `kind`, with a message that names each of `values`.

    White space does not count, nor which brackets a shape is written in: (2, 3) is found in "(2,3)" and in
    "[2, 3]". A number is found as a number: 3 is not in "13". KeyboardInterrupt, Ctrl-C, is a kind like any other. Any
    other error passes through unchanged, the skeleton's own (`kata NN: ...`) among them.
    """
    __tracebackhide__ = True
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if not _meant(error, kind):
            error.add_note(f"Expected {_names(kind, values)}.")
            raise
        missing = [value for value in values if not _holds(str(error), value)]
        if missing:
            raise AssertionError(
                f"the message of the {type(error).__name__} should hold {_listed(missing)}; it says: {error}"
            ).with_traceback(error.__traceback__) from None
    else:
        raise AssertionError(f"nothing was raised, expected {_names(kind, values)}")


@contextmanager
def raises_with_note(kind: type[Exception], message: str, *values: Any) -> Iterator[None]:
    """Check that the block raises `kind` with exactly this message, and notes that name each of `values`."""
    __tracebackhide__ = True
    with raises(kind, *values):
        try:
            yield
        except kind as error:
            assert_equal(str(error), message, "the error's message")
            notes = "; ".join(getattr(error, "__notes__", ["none"]))
            raise kind(f"{message}, with the notes: {notes}") from None


@contextmanager
def refuses_to_mix(device: str) -> Iterator[None]:
    """Check that the block, which mixes arrays of the CPU and of `device`, raises RuntimeError with both names.

    On "cpu" there is nothing to mix, and the block must pass.
    """
    __tracebackhide__ = True
    if device == "cpu":
        yield
    else:
        with raises(RuntimeError, "cpu", "cuda:0"):
            yield


@contextmanager
def no_warnings() -> Iterator[None]:
    """Check that the block gives no warning, such as NumPy's of overflow or division by zero."""
    __tracebackhide__ = True
    with warnings.catch_warnings(), np.errstate(divide="warn", over="warn", invalid="warn"):
        warnings.simplefilter("error")
        try:
            yield
        except Warning as warning:
            raise AssertionError(
                f"a warning was given, expected none: {type(warning).__name__}: {warning}"
            ).with_traceback(warning.__traceback__) from None


def _meant(error: BaseException, kind: Kind) -> bool:
    """Whether `error` is of the kind. Two subclasses of RuntimeError never mean that an input was refused."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if isinstance(error, NotImplementedError) and re.match(r"kata \d\d: ", str(error)):
        return False
    if isinstance(error, (NotImplementedError, RecursionError)):
        return type(error) in kinds
    return isinstance(error, kinds)


def _holds(message: str, value: Any) -> bool:
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return re.search(rf"(?<![\w.-]){re.escape(str(value))}(?!\w|\.\d)", message) is not None
    return _squashed(str(value)) in _squashed(message)


def _squashed(text: str) -> str:
    text = re.sub(r"\s", "", text)
    return text.replace("[", "(").replace("]", ")").replace(",)", ")")


def _names(kind: Kind, values: tuple[Any, ...]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    names = " or ".join(k.__name__ for k in kinds)
    return f"{names} with a message that holds {_listed(values)}" if values else names


def _listed(values: Any) -> str:
    return " and ".join(str(value) for value in values)
