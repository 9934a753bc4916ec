"""add_up and at_least_float32: exact for any layout of memory, on any device, and float16 does not overflow halfway."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dojo.fake_cupy.modules import installed
from dojo.spec import on_device, to_numpy
from tinytorch.tensor import Tensor, add_up, at_least_float32, mean

RNG = np.random.default_rng(0)
PICTURES = RNG.random((300, 6, 20, 17), dtype=np.float32)
AXES = [None, *(axes for n in (1, 2, 3, 4) for axes in itertools.combinations(range(4), n))]


def exact_to_1e_6(actual: Any, a: Any, axis: Any, keepdims: bool = False) -> None:
    expected = a.astype(np.float64).sum(axis=axis, keepdims=keepdims)
    assert actual.dtype == np.float32
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_any_axes_of_any_layout(axis: Any) -> None:
    for order in itertools.permutations(range(4)):
        a = PICTURES.transpose(order)
        exact_to_1e_6(add_up(a, axis), a, axis)
    for a in (PICTURES[::-1, :, ::2, ::-1], PICTURES[:, :1], PICTURES[:, 2], np.asfortranarray(PICTURES)):
        inside = None if axis is None else tuple(each for each in axis if each < a.ndim)
        exact_to_1e_6(add_up(a, inside, keepdims=True), a, inside, keepdims=True)


def test_one_axis_from_the_back() -> None:
    exact_to_1e_6(add_up(PICTURES, -4), PICTURES, 0)
    with pytest.raises(IndexError, match="4"):
        add_up(PICTURES, 4)


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 127, 128, 129, 4096, 1_000_003])
@pytest.mark.parametrize("value", [0.1, 1.37, -1.93])
def test_many_rows_of_one_number(rows: int, value: float) -> None:
    a = np.full((rows, 2), value, np.float32)
    exact_to_1e_6(add_up(a, 0), a, 0)
    exact_to_1e_6(add_up(a.T, 1), a.T, 1)
    exact_to_1e_6(add_up(np.broadcast_to(a[:1], a.shape), 0), a, 0)
    exact_to_1e_6(add_up(np.broadcast_to(a[:, :1], a.shape), 0), a, 0)


def test_other_dtypes() -> None:
    flags = np.ones((300, 300), np.bool_)
    assert add_up(flags).dtype == np.int64
    assert add_up(flags) == 90_000
    assert add_up(flags.astype(np.int8), 0).tolist() == [300] * 300
    assert add_up(flags.astype(np.float64), (0, 1)).dtype == np.float64
    half = add_up(flags.astype(np.float16), 1, keepdims=True)
    assert (half.dtype, half.shape, float(half[0, 0])) == (np.float16, (300, 1), 300.0)


def test_nothing_to_add() -> None:
    none = np.zeros((0, 300), np.float32)
    assert add_up(none, 0).tolist() == [0.0] * 300
    assert add_up(none, 1).shape == (0,)
    np.testing.assert_array_equal(add_up(PICTURES, ()), PICTURES)


@pytest.mark.filterwarnings("error")
def test_what_is_too_large_for_float16_is_infinite_without_a_warning() -> None:
    assert np.isposinf(add_up(np.ones(70_000, np.float16)))
    assert np.isposinf(mean(Tensor(np.full(3, np.inf, np.float16))).data)


@pytest.mark.filterwarnings("error")
def test_infinite_and_missing_numbers_stay() -> None:
    a = np.ones((1000, 20), np.float32)
    a[5, 0], a[999, 1] = np.inf, np.nan
    assert add_up(a, 0)[:3].tolist() == pytest.approx([np.inf, np.nan, 1000.0], nan_ok=True)


def test_on_the_strict_device() -> None:
    with installed() as cupy:
        for axis in (None, 0, (0, 2), (1, 3)):
            out = add_up(on_device(PICTURES, "cuda"), axis)
            assert isinstance(out, cupy.ndarray)
            exact_to_1e_6(to_numpy(out), PICTURES, axis)
        assert to_numpy(add_up(on_device(np.ones((5000, 2), np.float16), "cuda"), 0)).tolist() == [5000.0] * 2


@at_least_float32
def doubled(x: Any, other: Any = 1.0) -> Any:
    """The dtype that it works in is in the result."""
    assert x.dtype == np.float32
    return x * 2 * other


@pytest.mark.parametrize("wrap", [np.asarray, Tensor], ids=["array", "Tensor"])
def test_a_function_works_in_float32(wrap: Any) -> None:
    for dtype in (np.float16, np.float32):
        x = wrap(np.array([60_000, 1], dtype))
        for result in (
            doubled(x, 0.5),
            doubled(x=x, other=0.5),
            doubled(x, other=wrap(np.full(2, 0.5, dtype))),
        ):
            assert isinstance(result, type(x))
            assert result.dtype == dtype
            assert to_numpy(result).tolist() == [60_000.0, 1.0]


def test_a_function_says_itself_which_argument_is_missing() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        doubled()
