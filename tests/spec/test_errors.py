"""raises and no_warnings: what they let through, and what they do not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from dojo.spec import ShapeError, no_warnings, raises, raises_with_note, refuses_to_mix


def raised(error: BaseException, kind: Any, *values: Any) -> None:
    with raises(kind, *values):
        raise error


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("shapes (2, 3) and (4,) do not fit", [(2, 3), (4,)]),
        ("shapes (2,3) and (4,) do not fit", [(2, 3), (4,)]),
        ("shapes [2, 3] and torch.Size([4]) do not fit", [(2, 3), (4,)]),
        ("dim -1 of 3", [-1, 3]),
        ("got 0.5.", [0.5]),
        ("got 3.", [3]),
        ("dim=3", [3]),
        ("mode 'fan' unknown", ["fan", "'fan'"]),
        ("anything", []),
    ],
)
def test_the_right_error_with_the_values_passes(message: str, values: list[Any]) -> None:
    raised(ValueError(message), ValueError, *values)


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("index 13", 3),
        ("got 3.5", 3),
        ("got -3", 3),
        ("got 3", -3),
        ("x3", 3),
        ("(2, 3)", (3, 2)),
        ("", "fan"),
    ],
)
def test_a_message_without_the_value_is_not_enough(message: str, value: Any) -> None:
    with pytest.raises(AssertionError, match="the message of the ValueError should hold") as caught:
        raised(ValueError(message), ValueError, value)
    assert str(value) in str(caught.value)
    assert str(caught.value).endswith(f"it says: {message}")


def test_nothing_raised_is_a_failure_that_says_what_was_expected() -> None:
    message = (
        "nothing was raised, expected ValueError or RuntimeError with a message that holds \\(2, 3\\) and 4"
    )
    with pytest.raises(AssertionError, match=message), raises(ShapeError, (2, 3), 4):
        pass
    with pytest.raises(AssertionError, match=r"nothing was raised, expected IndexError$"), raises(IndexError):
        pass


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, NotImplementedError, ShapeError, Exception])
def test_an_unwritten_function_is_never_taken_for_one_that_refuses(kind: Any) -> None:
    error = NotImplementedError("kata 02: Tensor.reshape")
    with pytest.raises(NotImplementedError) as caught:
        raised(error, kind)
    assert caught.value is error


@pytest.mark.parametrize("error", [KeyError("a"), RecursionError("too deep"), NotImplementedError("forward")])
def test_another_error_passes_through_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        raised(error, ShapeError, (2, 3))
    assert caught.value is error
    assert caught.value.__notes__ == ["Expected ValueError or RuntimeError with a message that holds (2, 3)."]


def test_a_plain_not_implemented_error_can_be_meant() -> None:
    raised(NotImplementedError("forward"), NotImplementedError)


def test_what_is_no_exception_passes_through() -> None:
    with pytest.raises(SystemExit):
        raised(SystemExit(), (ValueError, SystemExit))


def test_the_students_line_stays_in_the_traceback() -> None:
    def student() -> None:
        raise ValueError("no")

    with pytest.raises(AssertionError) as caught, raises(ValueError, 3):
        student()
    assert "student" in [entry.name for entry in caught.traceback]


def overflow() -> Any:
    return np.exp(np.float32([1000.0]))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (overflow, "RuntimeWarning: overflow encountered in exp"),
        (lambda: np.log(np.zeros(1)), "RuntimeWarning: divide by zero encountered in log"),
        (lambda: np.zeros(1) / np.zeros(1), "RuntimeWarning: invalid value encountered"),
        (lambda: warnings.warn("old", DeprecationWarning), "DeprecationWarning: old"),
        (lambda: np.mean(np.zeros(0)), "RuntimeWarning: Mean of empty slice"),
    ],
)
def test_each_warning_is_a_failure(block: Any, message: str) -> None:
    with np.errstate(all="ignore"), pytest.raises(AssertionError) as caught, no_warnings():
        block()
    assert f"a warning was given, expected none: {message}" in str(caught.value)


def test_a_warning_points_at_its_line() -> None:
    with pytest.raises(AssertionError) as caught, no_warnings():
        overflow()
    assert caught.traceback[-1].name == "overflow"


def test_no_warning_passes_and_underflow_is_none() -> None:
    with no_warnings():
        np.exp(np.float32([-1000.0]))


def test_errors_pass_through_no_warnings() -> None:
    with pytest.raises(KeyError), no_warnings():
        raise KeyError


# Notes --------------------------------------------------------------------------------------------------


def noted(message: str, *notes: str) -> OSError:
    error = OSError(message)
    for note in notes:
        error.add_note(note)
    return error


def test_a_note_holds_the_values_and_the_message_is_as_it_was() -> None:
    with raises_with_note(OSError, "no such disk", 13, "Squares"):
        raise noted("no such disk", "sample 13", "of Squares")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            noted("no such disk", "sample 14"),
            "should hold 13; it says: no such disk, with the notes: sample 14",
        ),
        (noted("no such disk"), "should hold 13; it says: no such disk, with the notes: none"),
        (noted("sample 13: no such disk", "sample 13"), "the error's message"),
    ],
    ids=["another note", "no note", "another message"],
)
def test_a_note_that_is_missing_or_in_the_message_is_told_of(error: OSError, says: str) -> None:
    with pytest.raises(AssertionError) as caught, raises_with_note(OSError, "no such disk", 13):
        raise error
    assert says in str(caught.value)


def test_ctrl_c_is_a_kind_like_any_other() -> None:
    raised(KeyboardInterrupt("stop"), KeyboardInterrupt, "stop")
    with pytest.raises(KeyboardInterrupt):
        raised(KeyboardInterrupt(), ValueError)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_only_two_devices_can_be_mixed(device: str) -> None:
    with refuses_to_mix(device):
        if device == "cuda":
            raise RuntimeError("arrays on cpu and cuda:0")
    if device == "cuda":
        with pytest.raises(AssertionError, match="nothing was raised"), refuses_to_mix(device):
            pass
    else:
        with pytest.raises(RuntimeError), refuses_to_mix(device):
            raise RuntimeError("arrays on cpu and cuda:0")
