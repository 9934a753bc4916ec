"""assert_close, assert_equal, unchanged: each trips on every kind of difference, and says which."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, unchanged

F32 = np.float32
NAN, INF = float("nan"), float("inf")


def tensor(data: Any) -> SimpleNamespace:
    """What a student's Tensor is to the specs: something with `.data`."""
    return SimpleNamespace(data=np.asarray(data))


def says(function: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (np.ones((2, 3), F32), np.ones((2, 3), F32)),
        (np.zeros((0, 3), F32), np.zeros((0, 3), F32)),
        (np.array(1.5), 1.5),
        (1.5, np.float64(1.5)),
        ([1, 2], np.array([1, 2])),
        ((1.0, 2.0), [1, 2]),
        ([], []),
        (tensor([1.0]), np.array([1.0])),
        ([tensor(1.0), tensor(2.0)], [1.0, 2.0]),
        (np.array([NAN, INF, -INF]), np.array([NAN, INF, -INF])),
        (np.array([True]), [True]),
        (F32(1) + F32(1e-6), F32(1)),
        (np.float16(1.0), [1.0][0]),
    ],
)
def test_close_things_pass(actual: Any, expected: Any) -> None:
    assert_close(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "the sum has shape (2, 3), expected (3, 2)"),
        (np.zeros((2, 3), F32), np.zeros((3, 2)), "the sum has shape (2, 3), expected (3, 2)"),
        (np.zeros((0, 3)), np.zeros((0, 2)), "the sum has shape (0, 3), expected (0, 2)"),
        (np.zeros(1), 0.0, "the sum has shape (1,), expected ()"),
        (np.zeros(2), np.ones(2, F32), "the sum has dtype float64, expected float32"),
        (np.zeros(2, int), np.zeros(2), "the sum has dtype int64, expected float64"),
        (0.0, F32(0), "the sum has dtype float64, expected float32"),
        (1.3, -3.0, "the sum is 1.3, expected -3.0"),
        (np.array([1, 2, 3]), [1, 2, 4], "the sum: 1 of 3 entries wrong, at [2]: yours 3, expected 4"),
        (
            np.array([[1, 1.3], [2, 0]]),
            [[1, -3.0], [2, 5]],
            "the sum: 2 of 4 entries wrong, first at [0, 1]: yours 1.3, expected -3.0",
        ),
        (np.array([NAN, 1.0]), [0.0, 1.0], "the sum: 1 of 2 entries wrong, at [0]: yours nan, expected 0.0"),
        (np.array([0.0, 1]), [NAN, 1], "yours 0.0, expected nan"),
        (np.array([INF]), [-INF], "the sum is inf, expected -inf"),
        (np.array([1e30]), [INF], "the sum is 1e+30, expected inf"),
        (np.array(True), False, "the sum is True, expected False"),
        (F32(1.00003), F32(1), "the sum is 1.00003, expected 1.0"),
        (None, 1.0, "the sum is None: is a `return` missing?"),
        ("one", 1.0, "the sum is 'one' (a str), expected an array"),
        ({}, 1.0, "the sum is {} (a dict), expected an array"),
        (np.array([None]), 1.0, "the sum is an array of Python objects"),
        (tensor([1.0]), [2.0], "the sum is 1.0, expected 2.0"),
    ],
)
def test_what_differs_is_said_the_shape_first(actual: Any, expected: Any, message: str) -> None:
    assert message in says(assert_close, actual, expected, "the sum")


def test_small_arrays_are_shown_whole_and_large_ones_are_not() -> None:
    text = says(assert_close, np.array([[1, 2.5], [3, 4]]), [[1, 2], [3, 4]])
    assert "yours:    [[1. , 2.5],\n             [3. , 4. ]]" in text
    assert "expected: [[1, 2],\n             [3, 4]]" in text
    assert "\n" not in says(assert_close, np.zeros(100), np.ones(100))


def test_numbers_that_look_alike_are_shown_with_more_digits() -> None:
    text = says(assert_close, np.array([1.00000001, 2]), np.array([1.0, 2]), rtol=0, atol=1e-12)
    assert "yours 1.00000001, expected 1.0" in text
    assert "[1.00000001," in text


def test_tolerances_follow_the_dtype_and_can_be_given() -> None:
    assert_close(F32(1.000009), F32(1))
    assert "expected" in says(assert_close, 1.000009, 1.0)
    assert_close(np.float16(1.001), np.float16(1))
    assert_close(1.01, 1.0, rtol=0.1)
    assert_close(1e-8, 0.0, atol=1e-7)
    assert "expected 1e-20" in says(assert_close, F32(0), F32(1e-20), atol=0)
    assert "expected 2" in says(assert_close, 1, 2, "the count")


def test_an_unwritten_function_passes_through() -> None:
    class Unwritten:
        @property
        def data(self) -> Any:
            raise NotImplementedError("kata 02: Tensor.data")

    with pytest.raises(NotImplementedError, match="kata 02"):
        assert_close(Unwritten(), 1.0)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ((2, 3), (2, 3)),
        ([1.0, NAN], [1.0, NAN]),
        ({"a": (1, True)}, {"a": (1, True)}),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (None, None),
        ("a\nb", "a\nb"),
    ],
)
def test_equal_things_pass(actual: Any, expected: Any) -> None:
    assert_equal(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "message"),
    [
        ((2, 3), (3, 2), "the shape is (2, 3), expected (3, 2)"),
        ([2, 3], (2, 3), "the shape is [2, 3] (a list), expected (2, 3) (a tuple)"),
        (1, True, "the shape is 1 (an int), expected True (a bool)"),
        ((True,), (1,), "the shape is (True,), expected (1,)"),
        (None, (), "the shape is None (a NoneType), expected () (a tuple)"),
        ([1], [1, 2], "the shape is [1], expected [1, 2]"),
        ({"a": 1}, {"a": 2}, "the shape is {'a': 1}, expected {'a': 2}"),
        (np.ones(2), 1, "the shape is array([1., 1.]) (a ndarray), expected 1 (an int)"),
        (["x" * 50], ["y" * 50], f"not what was expected\n  yours:    ['{'x' * 50}']\n"),
        ("a\nb\nc", "a\nB\nc", "the shape differs first in line 2\n  yours:    'b'\n  expected: 'B'"),
        ("a", "a\nb", "line 2\n  yours:    the text ends\n  expected: 'b'"),
        ("a\n", "a", "the shape differs only in the end of its last line"),
    ],
)
def test_unequal_things_are_shown(actual: Any, expected: Any, message: str) -> None:
    assert message in says(assert_equal, actual, expected, "the shape")


def test_an_object_whose_repr_is_unwritten_can_be_shown() -> None:
    class Unwritten:
        def __repr__(self) -> str:
            raise NotImplementedError("kata 02: Tensor.__repr__")

    assert "Unwritten object" in says(assert_equal, Unwritten(), 1)


def change_in_place(x: Any) -> None:
    x.data[0] = 7


def replace_data(x: Any) -> None:
    x.data = x.data * 2


def change_the_shape(x: Any) -> None:
    x.data = x.data[None]


def change_the_dtype(x: Any) -> None:
    x.data = x.data.astype(F32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_in_place, "the input was changed; work on a copy\n  before: [1., 2.]\n  after:  [7., 2.]"),
        (replace_data, "the input was changed"),
        (change_the_shape, "its shape was (2,), now it is (1, 2)"),
        (change_the_dtype, "its dtype was float64, now it is float32"),
    ],
)
def test_a_change_is_seen(change: Any, message: str) -> None:
    x = tensor([1.0, 2.0])

    def block() -> None:
        with unchanged(x):
            change(x)

    assert message in says(block)


def test_no_change_passes_even_nan_and_one_of_many_is_named() -> None:
    x, y = np.array([NAN, -0.0]), np.zeros(2)
    with unchanged(x, y):
        x.sum()

    def block() -> None:
        with unchanged(x, y):
            y[0] = -0.0  # equal, but not the same bits

    assert "input 1 was changed" in says(block)


def test_an_error_in_the_block_is_not_replaced() -> None:
    x = np.zeros(2)
    with pytest.raises(KeyError), unchanged(x):
        x[0] = 1
        raise KeyError


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("float32", np.dtype(np.float32)),
        (np.float32, np.dtype(np.float32)),
        (np.array(3), 3),
        ([np.array(3)], [3]),
    ],
    ids=["a name", "a class", "0-d", "0-d in a list"],
)
def test_a_dtype_and_an_array_are_not_what_they_equal(actual: object, expected: object) -> None:
    with pytest.raises(AssertionError):
        assert_equal(actual, expected)
