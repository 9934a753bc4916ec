"""Functions of one entry, and functions that choose between two."""

import builtins
import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_followed, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, arrays_of, broadcastable_shapes, numbers, shapes
from tinytorch import dispatch
from tinytorch.tensor import (
    Tensor,
    abs,
    clamp,
    cos,
    erf,
    exp,
    isnan,
    log,
    log1p,
    masked_fill,
    maximum,
    minimum,
    sign,
    sin,
    sqrt,
    tanh,
    where,
)

INF, NAN = float("inf"), float("nan")
FUNCTIONS = {
    "exp": (exp, math.exp),
    "log": (log, math.log),
    "log1p": (log1p, math.log1p),
    "sqrt": (sqrt, math.sqrt),
    "sin": (sin, math.sin),
    "cos": (cos, math.cos),
    "tanh": (tanh, math.tanh),
    "erf": (erf, math.erf),
}
LOWEST = {log: 0.25, log1p: -0.75, sqrt: 0.0}

# One entry


@pytest.mark.parametrize("function, oracle", FUNCTIONS.values(), ids=FUNCTIONS)
def test_function_of_every_entry(function, oracle):
    """exp(x), and so x.exp(), is what Python's math.exp gives for each entry, in the dtype of x; so do the others."""
    row = np.arange(LOWEST.get(function, -2.0), 2.25, 0.25)
    for x in (
        row[:3].astype(np.float32),
        row,
        row[:3].astype(np.float16),
        row[-8:].astype(np.float32).reshape(4, 2).T,  # not contiguous
        row[1].astype(np.float32).reshape(()),
        np.zeros((0, 2), np.float32),
    ):
        expected = np.array([oracle(v) for v in x.ravel().tolist()], x.dtype).reshape(x.shape)
        with unchanged(x):
            what = f"{function.__name__}(x) for x of {x.dtype} and shape {x.shape}"
            assert_close(function(Tensor(x)), expected, what)
            assert_close(getattr(Tensor(x), function.__name__)(), expected, f"x.{function.__name__}()")


@pytest.mark.parametrize("function, oracle", FUNCTIONS.values(), ids=FUNCTIONS)
def test_function_of_integers_is_float32(function, oracle):
    """Integers and booleans become float32 before a function such as exp (NumPy would say float64 or float16)."""
    expected = np.array([oracle(1), oracle(2)], np.float32)
    assert_close(function(Tensor(np.array([1, 2]))), expected, f"{function.__name__}(int64)")
    assert_close(function(Tensor(np.array([1, 2], np.uint8))), expected, f"{function.__name__}(uint8)")
    assert_close(function(Tensor(np.array(True))), expected[0], f"{function.__name__}(True)")


@pytest.mark.parametrize(
    "function, entries, expected",
    [
        (exp, [1000, -1000, INF, -INF, NAN], [INF, 0, INF, 0, NAN]),
        (log, [0, -1, INF, NAN], [-INF, NAN, INF, NAN]),
        (log1p, [-1, -2, INF], [-INF, NAN, INF]),
        (sqrt, [-1, INF, NAN], [NAN, INF, NAN]),
        (sin, [INF, NAN], [NAN, NAN]),
        (cos, [INF, NAN], [NAN, NAN]),
        (tanh, [1000, -1000, INF, NAN], [1, -1, 1, NAN]),
        (erf, [1000, -1000, INF, NAN], [1, -1, 1, NAN]),
    ],
    ids=FUNCTIONS,
)
def test_function_at_the_ends_of_its_domain(function, entries, expected):
    """Where there is no finite value, a function gives inf or nan, without an error or a warning."""
    x = Tensor(np.array(entries, np.float32))
    with no_warnings():
        assert_close(function(x), np.array(expected, np.float32), f"{function.__name__}({entries})")


def test_log1p_of_tiny_numbers():
    """log1p(x) is exact for x so small that 1 + x rounds to 1 in float32."""
    tiny = np.array([1e-10, -3e-12], np.float32)
    assert_close(log1p(Tensor(tiny)), tiny, "log1p(x), which is x for tiny x", atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8"])
def test_abs_loses_the_sign(dtype):
    """abs(x), x.abs() and Python's own abs(x) have every entry without its sign, in the dtype of x."""
    a = np.array([[-2.5, 0, 2.5], [-1, 1, 7]]).astype(dtype)
    expected = np.array([[-v if v < 0 else v for v in row] for row in a.tolist()], dtype)
    assert_close(abs(Tensor(a)), expected, "abs(x)")
    assert_close(builtins.abs(Tensor(a)), expected, "Python's abs(x)")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8"])
def test_sign_is_all_that_stays(dtype):
    """sign(x) is -1, 0 or 1 for each entry, in the dtype of x; True and False are their own signs."""
    a = np.array([[-2.5, 0, 2.5], [-1, 1, 7]]).astype(dtype)
    assert_close(sign(Tensor(a)), np.array([[-1, 0, 1], [-1, 1, 1]], dtype), "sign(x)")
    assert_close(sign(Tensor(np.array([True, False]))), np.array([True, False]), "sign of booleans")


def test_isnan_finds_what_is_not_a_number():
    """isnan(x) is True exactly where an entry is nan; infinity is a number here, and integers always are."""
    x = Tensor(np.array([[1.0, NAN], [INF, -INF]], np.float32))
    assert_close(isnan(x), np.array([[False, True], [False, False]]), "isnan(x)")
    assert_close(isnan(Tensor(np.array([1, 2]))), np.array([False, False]), "isnan(integers)")


# One of two


@pytest.mark.parametrize("function, oracle", [(maximum, max), (minimum, min)], ids=["maximum", "minimum"])
@given(pair=arrays_of(broadcastable_shapes(2)))
@example(pair=(np.array([1.0, 5.0], np.float32), np.array([3.0, 2.0], np.float32)))
def test_maximum_and_minimum_of_two(function, oracle, pair):
    """maximum(a, b) has the larger of each pair of entries, minimum(a, b) the smaller; both broadcast."""
    a, b = pair
    wide_a, wide_b = np.broadcast_arrays(a, b)
    chosen = [oracle(x, y) for x, y in zip(wide_a.ravel().tolist(), wide_b.ravel().tolist(), strict=True)]
    expected = np.array(chosen, np.float32).reshape(wide_a.shape)
    assert_close(function(Tensor(a), Tensor(b)), expected, f"{function.__name__}(a, b)")


@pytest.mark.parametrize("function, oracle", [(maximum, max), (minimum, min)], ids=["maximum", "minimum"])
def test_maximum_and_minimum_keep_nan_and_promote(function, oracle):
    """One nan makes the result nan; dtypes promote as in arithmetic; a Python number may take the place of a Tensor."""
    a, b = Tensor(np.array([NAN, 1.0], np.float32)), Tensor(np.array([1.0, NAN], np.float32))
    assert_close(function(a, b), np.array([NAN, NAN], np.float32), "with nan")
    whole, half = Tensor(np.array([1, 2])), Tensor(np.array([1.5, 1.5], np.float32))
    expected = np.array([oracle(1, 1.5), oracle(2, 1.5)], np.float32)
    assert_close(function(whole, half), expected, f"{function.__name__}(int64, float32)")
    assert_close(function(half, 1), np.array([oracle(1.5, 1)] * 2, np.float32), f"{function.__name__}(x, 1)")


@given(x=arrays(shapes()), low=st.none() | numbers(-1, 0), high=st.none() | numbers(0, 1))
@example(x=np.array([-2.0, 0.5, 2.0], np.float32), low=-1.0, high=1.0)
@example(x=np.array([-2.0, 0.5, 2.0], np.float32), low=0, high=None)
@example(x=np.array([-2.0, 0.5, 2.0], np.float32), low=None, high=0)
def test_clamp_moves_entries_to_its_bounds(x, low, high):
    """clamp(x, min, max) moves what is below min up to it and what is above max down to it; either may be missing."""
    if low is None and high is None:
        with raises(ValueError):
            clamp(Tensor(x))
        return
    expected = []
    for v in x.ravel().tolist():
        if low is not None and v < low:
            v = low
        if high is not None and v > high:
            v = high
        expected.append(v)
    with unchanged(x):
        out = clamp(Tensor(x), min=low, max=high)
    assert_close(out, np.array(expected, np.float32).reshape(x.shape), f"clamp(x, min={low}, max={high})")


def test_clamp_of_nan_and_of_integers():
    """clamp keeps nan; integers stay integers unless a bound is a float."""
    with_nan = Tensor(np.array([NAN, 3.0], np.float32))
    assert_close(clamp(with_nan, -1, 1), np.array([NAN, 1.0], np.float32), "clamp with nan")
    whole = Tensor(np.array([-2, 0, 2]))
    assert_close(whole.clamp(-1, 1), np.array([-1, 0, 1]), "x.clamp(-1, 1) of integers")
    assert_close(whole.clamp(max=1.5), np.array([-2, 0, 1.5], np.float32), "x.clamp(max=1.5) of integers")


@given(data=st.data(), three=broadcastable_shapes(3))
def test_where_chooses_between_two(data, three):
    """where(condition, a, b) has a's entry where the condition is True and b's where not; all three broadcast."""
    condition = data.draw(arrays(three[0], np.bool_), label="condition")
    a, b = data.draw(arrays(three[1]), label="a"), data.draw(arrays(three[2]), label="b")
    wide = np.broadcast_arrays(condition, a, b)
    chosen = [x if c else y for c, x, y in zip(*(w.ravel().tolist() for w in wide), strict=True)]
    expected = np.array(chosen, np.float32).reshape(wide[0].shape)
    assert_close(where(Tensor(condition), Tensor(a), Tensor(b)), expected, "where(condition, a, b)")


def test_where_takes_numbers_and_promotes():
    """where() takes Python numbers too, and its dtype is that of arithmetic: two floats give float32."""
    mask = Tensor(np.array([True, False]))
    assert_close(where(mask, 1.5, 0.0), np.array([1.5, 0.0], np.float32), "where(mask, 1.5, 0.0)")
    assert_close(where(mask, 1, 0), np.array([1, 0], np.int64), "where(mask, 1, 0)")
    half = Tensor(np.array([0.5, 0.5], np.float32))
    assert_close(where(mask, half, 0), np.array([0.5, 0.0], np.float32), "where(mask, float32, 0)")
    whole = Tensor(np.array([3, 4]))
    assert_close(where(mask, half, whole), np.array([0.5, 4.0], np.float32), "where(mask, float32, int64)")
    assert_close(where(mask, whole, half), np.array([3.0, 0.5], np.float32), "where(mask, int64, float32)")


def test_where_needs_booleans():
    """A condition that is not boolean is a TypeError that names its dtype."""
    a = Tensor(np.array([1.0, 2.0]))
    assert_close(where(Tensor(np.array([True, False])), a, a), np.array([1.0, 2.0]), "where(mask, a, a)")
    with raises(TypeError, "int64"):
        where(Tensor(np.array([1, 0])), a, a)


def test_masked_fill_replaces_what_the_mask_marks():
    """masked_fill(x, mask, value) is a new Tensor with value where the mask is True, in the dtype of x."""
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    mask = Tensor(np.array([False, True, False]))
    with unchanged(x):
        out = masked_fill(Tensor(x), mask, -INF)
    assert_close(out, np.array([[1, -INF, 3], [4, -INF, 6]], np.float32), "masked_fill(x, mask, -inf)")
    whole = Tensor(np.array([2**40 + 1, 2, 3]))
    assert_close(
        whole.masked_fill(mask, 0.0), np.array([2**40 + 1, 0, 3]), "x.masked_fill(mask, 0.0) of integers"
    )


def test_masked_fill_takes_a_tensor_for_its_value():
    """The value may be a 0-d Tensor. No number is made of it, and kata 07 can follow it. One with axes is refused."""
    x, mask = Tensor(np.array([1, 2, 3], np.float32)), Tensor(np.array([True, False, True]))
    value = Tensor(np.array(9, np.float32))
    assert_close(masked_fill(x, mask, value), np.array([9, 2, 9], np.float32), "masked_fill(x, mask, value)")
    assert_followed(
        dispatch.observers, lambda value: masked_fill(x, mask, value), value, what="the result of masked_fill"
    )
    whole = Tensor(np.array([1, 2, 3]))
    assert_close(
        masked_fill(whole, mask, value), np.array([9, 2, 9]), "masked_fill(x, mask, value) of integers"
    )
    with raises(ShapeError, (3,)):
        masked_fill(x, mask, x)
