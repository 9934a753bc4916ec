"""Positions as rotations: apply_rope."""

import cmath
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dojo.spec import assert_close, check_tape, raises, unchanged
from dojo.spec.strategies import arrays, strided
from tinytorch.embeddings import apply_rope
from tinytorch.tensor import Tensor

SHAPES = st.sampled_from([(1, 2), (3, 4), (2, 3, 6), (2, 1, 2, 4), (0, 4), (2, 3, 0), (0, 2, 2)])
PLACES = st.integers(-2, 40)


def turned(x, start=0, base=10000.0):
    """The oracle: feature i + D / 2 is the imaginary part of feature i, and turning is a product."""
    out, half = x.astype(np.float64), x.shape[-1] // 2
    for *lead, t, i in np.ndindex((*x.shape[:-1], half)):
        first, second = (*lead, t, i), (*lead, t, i + half)
        angle = (start + t) / math.pow(base, 2 * i / x.shape[-1])
        point = complex(x[first], x[second]) * cmath.exp(1j * angle)
        out[first], out[second] = point.real, point.imag
    return out.astype(x.dtype)


def test_a_row_turns_by_its_place():
    """Rows [1, 0] at places 0, 1 and 2 become [1, 0], [cos 1, sin 1] and [cos 2, sin 2]."""
    x = Tensor(np.array([[1, 0]] * 3, np.float32))
    expected = np.array([[1, 0], [math.cos(1), math.sin(1)], [math.cos(2), math.sin(2)]], np.float32)
    assert_close(apply_rope(x), expected, "the result")


def test_halves_are_paired():
    """At place 1 the features [1, 2, 3, 4] are two points: (1, 3) turned by 1, and (2, 4) turned by 0.01."""
    x = Tensor(np.array([[1, 2, 3, 4]], np.float32))
    c, s, d, r = math.cos(1), math.sin(1), math.cos(0.01), math.sin(0.01)
    expected = np.array([[c - 3 * s, 2 * d - 4 * r, s + 3 * c, 2 * r + 4 * d]], np.float32)
    assert_close(apply_rope(x, start=1), expected, "the row")


@given(
    x=st.one_of(arrays(SHAPES), strided(SHAPES)), start=PLACES, base=st.sampled_from([100.0, 10000.0, 5e5])
)
def test_rope_of_any_shape(x, start, base):
    """The result is right for any shape (..., T, D) with an even D, any start and any base; x does not change."""
    with unchanged(x):
        out = apply_rope(Tensor(x), start, base)
    assert_close(out, turned(x, start, base), "the result", atol=1e-5)


@given(x=arrays(st.sampled_from([(3, 2, 4), (3, 2, 2, 4)])), starts=st.tuples(PLACES, PLACES, PLACES))
def test_each_text_turns_from_its_own_place(x, starts):
    """With an array of starts, one for each text of a batch, text b is rotated as it is alone from starts[b] on."""
    expected = np.stack([turned(text, start) for text, start in zip(x, starts, strict=True)])
    assert_close(apply_rope(Tensor(x), np.array(starts)), expected, f"texts from {starts} on", atol=1e-5)


@given(x=arrays((2, 3, 6)))
def test_place_0_does_not_turn(x):
    """The row at place 0 does not change, bit for bit."""
    assert_close(apply_rope(Tensor(x)).data[:, 0], x[:, 0], "the row at place 0", rtol=0, atol=0)


@given(x=arrays((2, 4, 6)), start=PLACES)
def test_turning_keeps_the_length(x, start):
    """A rotated row keeps its length."""
    out = apply_rope(Tensor(x), start).data
    assert_close(
        np.linalg.norm(out, axis=-1), np.linalg.norm(x, axis=-1), "the length of each row", atol=1e-5
    )


@given(q=arrays((1, 8)), k=arrays((1, 8)), near=st.integers(0, 20), far=st.integers(0, 2000), gap=PLACES)
def test_only_the_distance_counts(q, k, near, far, gap):
    """The dot product of a row q at place s + gap and a row k at place s is the same for every s."""

    def product(start):
        return float((apply_rope(Tensor(q), start + gap).data * apply_rope(Tensor(k), start).data).sum())

    assert_close(product(far), product(near), f"q . k at places {far + gap} and {far}", rtol=0, atol=1e-4)


def test_the_distance_does_count():
    """The dot product of a row of ones with itself falls with the distance: 8 at 0, less at 1, 2 and 3."""
    ones = Tensor(np.ones((4, 8), np.float32))
    rows = apply_rope(ones).data
    products = rows @ rows[0]
    assert_close(float(products[0]), 8.0, "the product at distance 0", rtol=1e-6)
    falling = products[0] > products[1] > products[2] > products[3]
    assert falling, f"the products at distances 0 to 3 are {products}, expected falling ones"


def test_rope_can_come_in_pieces():
    """Rows 0 to 4, then row 5 with start=5, give the same as all six rows at once."""
    x = np.arange(48, dtype=np.float32).reshape(2, 6, 4) / 8
    pieces = [apply_rope(Tensor(x[:, :5])).data, apply_rope(Tensor(x[:, 5:]), start=5).data]
    assert_close(np.concatenate(pieces, 1), apply_rope(Tensor(x)).data, "the result in two pieces")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rope_keeps_the_dtype(dtype):
    """The result has the dtype of x, not float64."""
    x = np.linspace(-1, 1, 24).reshape(2, 3, 4).astype(dtype)
    assert_close(apply_rope(Tensor(x), 3), turned(x, 3), "the result", atol=2e-3)


def test_far_places_are_exact():
    """At place 99,991 a float32 row is still rotated to float32 accuracy: the angles are float64."""
    x = np.array([[1, -2, 0.5, 3, 1, 0.25, -1, 2]], np.float32)
    assert_close(apply_rope(Tensor(x), 99_991), turned(x, 99_991), "the row", rtol=0, atol=2e-6)


def test_far_places_are_exact_in_float16():
    """A float16 row at place 5001 is turned by that place: float16 itself counts only to 2048 without gaps."""
    x = np.array([[1, 0.5, -1, 2]], np.float16)
    assert_close(apply_rope(Tensor(x), start=5001), turned(x, 5001), "the row at place 5001", atol=4e-3)


def test_float64_is_turned_exactly():
    """A float64 row at place 7 is rotated to float64 accuracy: its sines and cosines are float64 too."""
    x = np.array([[1, -2, 0.5, 3, 1, 0.25, -1, 2]])
    assert_close(apply_rope(Tensor(x), 7), turned(x, 7), "the row", rtol=0, atol=1e-12)


@given(x=arrays(st.sampled_from([(3, 4), (2, 2, 6)]), np.float64), start=PLACES)
@settings(max_examples=10)
def test_the_gradient_of_rope(x, start):
    """The gradient is rotated back by the same angles; kata 07 finds it."""
    check_tape(Tensor, lambda x: apply_rope(x, start), x)


@pytest.mark.parametrize("shape", [(2, 3, 5), (3, 1), (4,), ()])
def test_rope_needs_pairs(shape):
    """An odd number of features, or fewer than two axes, is a ValueError with the shape of x."""
    with raises(ValueError, shape):
        apply_rope(Tensor(np.ones(shape, np.float32)))


def test_rope_needs_floating_point():
    """Integers are a TypeError with their dtype: the sines and cosines would be rounded to -1, 0 and 1."""
    with raises(TypeError, "int64"):
        apply_rope(Tensor(np.ones((3, 4), np.int64)))
