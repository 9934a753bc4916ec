"""What the strategies draw: every case they promise, evenly enough, and shrunk to something small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

from dojo.spec.strategies import (
    LAYOUTS,
    arrays,
    arrays_of,
    broadcastable_shapes,
    dims,
    distinct,
    matmul_shapes,
    numbers,
    off_kinks,
    shapes,
    strided,
)

F32 = np.float32


def sample(strategy: SearchStrategy[Any], size: int = 100) -> list[Any]:
    drawn: list[Any] = []

    @settings(max_examples=size, derandomize=True, database=None)
    @given(strategy)
    def collect(value: Any) -> None:
        drawn.append(value)

    collect()
    return drawn


def smallest(strategy: SearchStrategy[Any], condition: Callable[[Any], Any]) -> Any:
    return find(strategy, condition, settings=settings(derandomize=True, database=None, max_examples=500))


def never(strategy: SearchStrategy[Any], condition: Callable[[Any], Any]) -> None:
    with pytest.raises(NoSuchExample):
        find(strategy, condition, settings=settings(derandomize=True, database=None, max_examples=100))


# Shapes -------------------------------------------------------------------------------------------------


def test_shapes_hold_to_their_limits() -> None:
    drawn = sample(shapes(1, 2, 2, 5))
    assert {len(shape) for shape in drawn} == {1, 2}
    assert {side for shape in drawn for side in shape} == {2, 3, 4, 5}


def test_shapes_are_now_and_then_empty_or_0d() -> None:
    drawn = sample(shapes())
    assert () in drawn
    assert 0.02 < np.mean([0 in shape for shape in drawn]) < 0.3


def test_broadcastable_shapes_broadcast_in_every_way() -> None:
    drawn = sample(broadcastable_shapes(2))
    common = [np.broadcast_shapes(a, b) for a, b in drawn]
    assert any(a == b for a, b in drawn)
    assert any(len(a) < len(b) for a, b in drawn) and any(len(a) > len(b) for a, b in drawn)
    assert np.mean([c not in pair for c, pair in zip(common, drawn, strict=True)]) > 0.05, (
        "both are stretched"
    )
    assert any(0 in c for c in common)


def test_three_shapes_broadcast_too() -> None:
    for triple in sample(broadcastable_shapes(3, min_dims=1)):
        assert len(triple) == 3
        assert min(map(len, triple)) >= 1
        np.broadcast_shapes(*triple)
    assert set(sample(broadcastable_shapes(0))) == {()}


def test_matmul_shapes_fit_in_every_way() -> None:
    drawn = sample(matmul_shapes(), 200)
    for a, b in drawn:
        np.matmul(np.zeros(a), np.zeros(b))
    kinds = {(min(len(a), 3), min(len(b), 3)) for a, b in drawn}
    assert kinds >= {(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3)}
    assert any(a[-1] == 0 for a, b in drawn)
    assert all(min(len(a), len(b)) >= 2 for a, b in sample(matmul_shapes(min_dims=2)))
    assert all(len(a) == len(b) == 2 for a, b in sample(matmul_shapes(min_dims=2, max_dims=2)))


# Arrays -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, F32, np.float64])
def test_arrays_hold_every_quarter_between_their_bounds(dtype: Any) -> None:
    drawn = sample(arrays((2, 3), dtype, low=-1, high=0.5))
    assert all(x.dtype == dtype and x.shape == (2, 3) and x.flags.writeable for x in drawn)
    assert set(np.concatenate(drawn).ravel().tolist()) == {-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5}


def test_arrays_of_integers_and_booleans() -> None:
    assert set(np.concatenate(sample(arrays(3, np.int64, low=-1, high=2))).tolist()) == {-1, 0, 1, 2}
    drawn = sample(arrays((4,), bool))
    assert drawn[0].dtype == bool
    assert set(np.concatenate(drawn).tolist()) == {True, False}


def test_a_wide_range_is_reached_to_its_ends() -> None:
    drawn = np.concatenate(sample(arrays(20, np.int64, low=-300, high=300)))
    assert drawn.min() < -250 and drawn.max() > 250


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.uint8, 0, 255), (np.int64, -300, 65235)])
def test_as_many_values_as_the_bytes_of_an_index_can_count(dtype: Any, low: int, high: int) -> None:
    drawn = np.concatenate(sample(arrays(20, dtype, low=low, high=high)))
    assert drawn.dtype == dtype
    assert low <= drawn.min() and drawn.max() <= high
    assert len(np.unique(drawn)) > 200


def test_most_arrays_have_no_two_entries_alike_for_no_reason() -> None:
    assert np.mean([len(np.unique(x)) for x in sample(arrays((2, 3)))]) > 4


def test_off_kinks_stays_off_the_quarters() -> None:
    drawn = np.concatenate(sample(off_kinks((8,), low=-1, high=1))).ravel()
    assert set(drawn.tolist()) == {-0.875, -0.625, -0.375, -0.125, 0.125, 0.375, 0.625, 0.875}
    assert drawn.dtype == F32


@pytest.mark.parametrize("dtype", [F32, np.int64])
def test_distinct_arrays_have_no_ties_and_come_in_many_orders(dtype: Any) -> None:
    drawn = sample(distinct((2, 3), dtype))
    assert all(len(np.unique(x)) == 6 and x.dtype == dtype for x in drawn)
    assert len({x.tobytes() for x in drawn}) > 70
    assert sample(distinct(()), 1) == [0]


def test_strided_arrays_come_in_every_layout() -> None:
    drawn = sample(strided((3, 4)))
    assert sum(x.flags.c_contiguous for x in drawn) == 0
    assert any(x.flags.f_contiguous for x in drawn)
    assert any(min(x.strides) < 0 for x in drawn)
    assert any(0 in x.strides and not x.flags.writeable for x in drawn)
    assert any(x.strides == (32, 8) for x in drawn)
    assert {x.dtype for x in drawn} == {np.dtype(F32)}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 3), (2, 0, 3), (2, 3, 4)])
def test_a_layout_keeps_the_shape_and_is_a_view(layout: str, shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=F32).reshape(shape)
    view = LAYOUTS[layout](x)
    assert view.shape == shape
    if "repeated" not in layout:
        np.testing.assert_array_equal(view, x)


def test_the_report_says_how_an_array_lies_in_memory() -> None:
    @settings(derandomize=True, database=None)
    @given(strided((2, 3)))
    def fails(x: Any) -> None:
        raise AssertionError

    with pytest.raises(AssertionError) as caught:
        fails()
    assert any("An array of shape (2, 3) is a view with gaps" in note for note in caught.value.__notes__)


def test_arrays_of_draws_one_array_a_shape() -> None:
    for a, b in sample(arrays_of(broadcastable_shapes(2), np.float64, low=1, high=2)):
        assert a.dtype == b.dtype == np.float64
        assert (a + b >= 2).all()


def test_a_shape_may_itself_be_drawn() -> None:
    assert {x.ndim for x in sample(arrays(shapes()))} == {0, 1, 2, 3}


# Numbers ------------------------------------------------------------------------------------------------


def test_numbers_are_python_floats() -> None:
    drawn = sample(numbers(-1, 1))
    assert set(drawn) == {k / 4 for k in range(-4, 5)}
    assert all(type(x) is float for x in drawn)


def test_dims_count_from_both_ends() -> None:
    assert set(sample(dims(2))) == {0, 1, -2, -1}


# Shrinking ----------------------------------------------------------------------------------------------


def test_failures_shrink_to_small_numbers_in_small_arrays() -> None:
    found = smallest(arrays(shapes()), lambda x: x.sum() > 1)
    assert found.size <= 2 and 1.25 <= found.sum() <= 2  # an older hypothesis keeps a 0 beside it
    assert smallest(arrays(shapes(2, 2)), lambda x: x.size >= 4 and (x != 0).all()).size == 4
    assert smallest(shapes(), lambda shape: len(shape) == 2) == (1, 1)
    assert smallest(broadcastable_shapes(2), lambda ab: ab[0] != ab[1] and len(ab[0]) == len(ab[1])) in (
        ((1,), (0,)),
        ((0,), (1,)),
        ((1,), (2,)),
        ((2,), (1,)),
    )
    assert smallest(numbers(), lambda x: x > 0.3) == 0.5
    assert smallest(off_kinks((1,)), lambda x: x[0] < 0).tolist() == [-0.125]
    assert smallest(distinct((3,)), lambda x: True).tolist() == [-0.25, 0, 0.25]


def test_nothing_is_out_of_bounds() -> None:
    never(arrays(shapes(), low=0.25, high=4), lambda x: (x < 0.25).any() or (x > 4).any())
    never(off_kinks(shapes()), lambda x: (np.abs(x) > 2).any() or (x * 4 % 1 == 0).any())
