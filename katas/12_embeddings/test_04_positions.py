"""Positions that are added to x: clock hands, and rows to learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dojo.spec import assert_close, assert_equal, check_tape, gradcheck, raises, unchanged
from dojo.spec.strategies import arrays
from tinytorch.autograd import no_grad
from tinytorch.embeddings import (
    LearnedPositions,
    SinusoidalPositions,
    places_of,
    position_angles,
    rows_for,
)
from tinytorch.layers import Buffer
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

WIDTHS = st.integers(0, 7)


def clock(places, d_model, base=10000.0):
    """The oracle: the angle of each hand, one number after the other."""
    hands = range((d_model + 1) // 2)
    angles = [[place / math.pow(base, 2 * i / d_model) for i in hands] for place in places]
    return np.array(angles, np.float64).reshape(len(places), len(hands))


def sines_and_cosines(places, d_model):
    """The oracle for the rows of the table."""
    rows = [[f(angle) for angle in hands for f in (math.sin, math.cos)] for hands in clock(places, d_model)]
    return (
        np.array(rows, np.float64).reshape(len(places), d_model + d_model % 2)[:, :d_model].astype(np.float32)
    )


# Clock hands


def test_hands_turn_at_different_speeds():
    """For places 0, 1, 2 and 4 features, hand 0 turns by 1 a place, and hand 1 by 10000 ** -(2 / 4)."""
    angles = position_angles(np.array([0, 1, 2]), 4)
    assert_close(angles, np.array([[0.0, 0.0], [1.0, 0.01], [2.0, 0.02]]), "the array of angles")


@given(
    places=arrays(st.integers(0, 4).map(lambda n: (n,)), np.int64, -2, 100),
    d_model=WIDTHS,
    base=st.sampled_from([1.0, 100.0, 10000.0, 500000.0]),
)
def test_angles_of_any_places(places, d_model, base):
    """For any places, features (an odd last one has its own hand) and base, the angles are right and float64."""
    with unchanged(places):
        angles = position_angles(places, d_model, base)
    assert_close(angles, clock(places.tolist(), d_model, base), "the array of angles", rtol=1e-12)


def test_places_may_have_any_axes():
    """Places of shape (2, 1, 3) give angles of shape (2, 1, 3, 2) for 4 features: each place its own."""
    places = np.array([[[0, 1, 2]], [[7, 8, 9]]])
    expected = clock(places.ravel().tolist(), 4).reshape(2, 1, 3, 2)
    assert_close(position_angles(places, 4), expected, "the array of angles")


# The rows for x


def test_places_count_from_the_start():
    """places_of(x, 5) for x of shape (2, 3, 4) is the array [5, 6, 7]: one place for each of the 3 rows."""
    for shape in ((2, 3, 4), (3, 4), (1, 2, 3, 4)):
        places = places_of(Tensor(np.ones(shape, np.float32)), 5)
        assert_close(places, np.array([5, 6, 7]), f"the array of places for x of shape {shape}")
    assert_close(places_of(Tensor(np.ones((0, 4), np.float32)), 5), np.zeros(0, np.int64), "without rows")


def test_each_text_has_places_of_its_own():
    """places_of(x, array([0, 5, 2])) for 3 texts of 2 rows is [[0, 1], [5, 6], [2, 3]]; with heads it is (3, 1, 2)."""
    starts, expected = np.array([0, 5, 2]), np.array([[0, 1], [5, 6], [2, 3]])
    with unchanged(starts):
        places = places_of(Tensor(np.ones((3, 2, 4), np.float32)), starts)
        assert_close(places, expected, "the array of places")
        places = places_of(Tensor(np.ones((3, 7, 2, 4), np.float32)), starts)
        assert_close(places, expected.reshape(3, 1, 2), "the array of places for x with 7 heads")


def test_there_is_a_start_for_each_text():
    """An array of starts that has not one number for each text of x is a ValueError with both shapes."""
    for starts, shape in (((3,), (2, 3, 4)), ((2,), (2, 4)), ((2, 1), (2, 3, 4)), ((1,), (2, 3, 4))):
        with raises(ValueError, starts, shape):
            places_of(Tensor(np.ones(shape, np.float32)), np.zeros(starts, np.int64))


def test_rows_are_a_slice_of_the_table():
    """rows_for(table, x, start) for x (2, 3, 4) gives the rows start, start + 1 and start + 2, as a view."""
    table = Tensor(np.arange(24, dtype=np.float32).reshape(6, 4))
    for shape, start in (((2, 3, 4), 0), ((2, 3, 4), 3), ((3, 4), 2), ((0, 4), 6), ((2, 1, 6, 4), 0)):
        x = Tensor(np.ones(shape, np.float32))
        rows = rows_for(table, x, start)
        expected = table.data[start : start + shape[-2]]
        assert_close(rows, expected, f"the slice for x of shape {shape} from place {start} on")
        assert expected.size == 0 or np.may_share_memory(rows.data, table.data), "the rows are a copy"


def test_each_text_has_rows_of_its_own():
    """rows_for(table, x, array([3, 0])) for two texts of 2 rows is the rows 3, 4 and the rows 0, 1: (2, 2, 4)."""
    table = np.arange(24, dtype=np.float32).reshape(6, 4)
    rows = rows_for(Tensor(table), Tensor(np.ones((2, 2, 4), np.float32)), np.array([3, 0]))
    assert_close(rows, np.stack([table[3:5], table[0:2]]), "the rows")
    none = rows_for(Tensor(table), Tensor(np.ones((0, 2, 4), np.float32)), np.zeros(0, np.int64))
    assert_equal(none.shape, (0, 2, 4), "the shape of the rows for no texts")


def test_too_long_is_refused():
    """If x ends beyond the table, that is a ValueError with both: 5 rows from place 4 on end at 9, max_len is 8."""
    table = Tensor(np.ones((8, 2), np.float32))
    for length, start, stop in ((5, 4, 9), (9, 0, 9), (0, 10, 10), (1, 8, 9)):
        with raises(ValueError, stop, 8):
            rows_for(table, Tensor(np.ones((length, 2), np.float32)), start)


def test_a_negative_start_is_refused():
    """A start below 0 is a ValueError that names it: a slice would count it from the end."""
    with raises(ValueError, -3):
        rows_for(Tensor(np.ones((8, 2), np.float32)), Tensor(np.ones((2, 2), np.float32)), -3)


def test_no_text_may_be_outside():
    """Of several starts none may be negative, and no text may end beyond the table: a ValueError as for one."""
    table, x = Tensor(np.ones((8, 2), np.float32)), Tensor(np.ones((3, 4, 2), np.float32))
    with raises(ValueError, 9, 8):
        rows_for(table, x, np.array([1, 5, 2]))
    with raises(ValueError, -2):
        rows_for(table, x, np.array([1, 4, -2]))


def test_x_has_the_features_of_the_table():
    """x with fewer than two axes or other features than the table is a ValueError with its shape and the table's D."""
    table = Tensor(np.ones((8, 4), np.float32))
    for shape in ((4,), (2, 3), (2, 3, 1), ()):
        with raises(ValueError, shape, 4):
            rows_for(table, Tensor(np.ones(shape, np.float32)), 0)


# Sinusoidal positions


def test_sine_and_cosine_of_each_hand():
    """SinusoidalPositions(3, 4).table: row t is sin(t), cos(t), sin(t / 100), cos(t / 100)."""
    expected = [[0, 1, 0, 1], [0.841471, 0.540302, 0.01, 0.99995], [0.909297, -0.416147, 0.019999, 0.9998]]
    assert_close(SinusoidalPositions(3, 4).table, np.array(expected, np.float32), "the table", atol=1e-5)


@given(max_len=st.integers(0, 5), d_model=WIDTHS)
def test_tables_of_any_size(max_len, d_model):
    """The table is right for any max_len and d_model, in float32; an odd d_model ends with a sine."""
    expected = sines_and_cosines(range(max_len), d_model)
    assert_close(SinusoidalPositions(max_len, d_model).table, expected, "the table")


def test_the_table_is_not_learned():
    """The table is a buffer: it is in state_dict(), but not among the parameters."""
    layer = SinusoidalPositions(3, 4)
    assert_equal(list(layer.parameters()), [], "the list of parameters")
    assert_equal([name for name, _ in layer.named_buffers()], ["table"], "the list of buffers")
    assert_equal(list(layer.state_dict()), ["table"], "the list of names in state_dict()")
    assert isinstance(layer.table, Buffer), f"the table is a {type(layer.table).__name__}, expected a Buffer"


def test_late_places_are_exact():
    """Row 40,000 of a long table is exact to float32: the angle must not be rounded to float32."""
    table = SinusoidalPositions(40_001, 6).table
    assert_close(table.data[40_000:], sines_and_cosines([40_000], 6), "row 40,000", rtol=0, atol=1e-6)


def test_places_know_their_distance():
    """The dot product of rows s and s + 5 is the same for every s: it only depends on the distance."""
    table = SinusoidalPositions(40, 8).table.data
    products = (table[:-5] * table[5:]).sum(1)
    assert_close(products, np.full(35, products[0]), "the product of rows that are 5 apart", atol=1e-5)
    assert abs((table[:-5] * table[:-5]).sum(1)[0] - products[0]) > 0.1, (
        "as large as that of a row with itself"
    )


@given(x=arrays(st.sampled_from([(2, 3, 4), (3, 4), (1, 2, 0, 4), (2, 1, 1, 4)])), start=st.integers(0, 3))
def test_positions_are_added(x, start):
    """SinusoidalPositions(6, 4)(x, start) is x plus the row of each place, from `start` on; x does not change."""
    expected = x + sines_and_cosines(range(start, start + x.shape[-2]), 4)
    with unchanged(x):
        assert_close(SinusoidalPositions(6, 4)(Tensor(x), start), expected, "x with positions")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_sinusoidal_positions_keep_the_dtype(dtype):
    """The result has the dtype of x, not float64."""
    x = Tensor(np.zeros((2, 3, 4), dtype))
    expected = np.stack([sines_and_cosines(range(3), 4)] * 2).astype(dtype)
    assert_close(SinusoidalPositions(6, 4)(x), expected, "x with positions", atol=1e-3)


@given(x=arrays((2, 2, 4), np.float64), start=st.integers(0, 2))
@settings(max_examples=10)
def test_gradients_pass_the_table(x, start):
    """The gradient of the result is passed on to x, so that the layers before it learn."""
    layer = SinusoidalPositions(4, 4)
    check_tape(Tensor, lambda x: layer(x, start), x)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_sinusoidal_positions_need_floating_point(dtype):
    """Integers and booleans are a TypeError with their dtype: sines and cosines would be rounded to -1, 0 and 1."""
    with raises(TypeError, dtype):
        SinusoidalPositions(6, 4)(Tensor(np.ones((3, 4), dtype)))


# Learned positions


def test_learned_positions_have_a_row_for_each_place():
    """LearnedPositions(200, 50) has a float32 parameter weight (200, 50), normal with mean 0 and deviation 1.

    reset_parameters() draws it again.
    """
    manual_seed(0)
    layer = LearnedPositions(200, 50)
    assert_equal({name: p.shape for name, p in layer.named_parameters()}, {"weight": (200, 50)})
    assert_equal(str(layer.weight.dtype), "float32", "the dtype")
    weight, before = layer.weight, layer.weight.data.copy()
    for _ in range(2):
        assert_close(float(weight.data.mean()), 0.0, "the mean", atol=0.04)
        assert_close(float(weight.data.std()), 1.0, "the deviation", atol=0.04)
        layer.reset_parameters()
    assert layer.weight is weight, "the weight is another object: an optimizer would lose it"
    assert not np.array_equal(before, weight.data), "reset_parameters() drew the same numbers"


@given(x=arrays(st.sampled_from([(2, 3, 4), (3, 4), (1, 2, 0, 4), (2, 1, 1, 4)])), start=st.integers(0, 3))
def test_learned_positions_are_added(x, start):
    """LearnedPositions(6, 4)(x, start) is x plus the row of each place, from `start` on; x does not change."""
    layer = LearnedPositions(6, 4)
    expected = x + layer.weight.data[start : start + x.shape[-2]]
    with unchanged(x, layer.weight):
        assert_close(layer(Tensor(x), start), expected, "x with positions")


def test_learned_positions_are_not_rounded():
    """A float16 x gets the rows as they are, and the result is float32, as x + weight is."""
    layer, x = LearnedPositions(6, 4), np.ones((3, 4), np.float16)
    assert_close(layer(Tensor(x)), x + layer.weight.data[:3], "x with positions", rtol=0, atol=0)


@given(x=arrays((2, 2, 3), np.float64), weight=arrays((4, 3), np.float64), start=st.integers(0, 2))
@settings(max_examples=10)
def test_places_learn_from_every_sentence(x, weight, start):
    """A row gets the sum of the gradients for its place over the batch; rows that were not used get 0."""

    def layer_of(weight):
        layer = LearnedPositions(*weight.shape)
        layer.weight.data = weight
        return layer

    def forward(x, weight):
        with no_grad():
            return layer_of(weight)(Tensor(x), start)

    def backward(grad, x, weight):
        leaf, layer = Tensor(x, requires_grad=True), layer_of(weight)
        layer(leaf, start).backward(Tensor(grad))
        return leaf.grad, layer.weight.grad

    gradcheck(forward, backward, x, weight)


# Both


@pytest.mark.parametrize("kind", [SinusoidalPositions, LearnedPositions])
def test_a_sentence_can_come_in_pieces(kind):
    """Rows 0 to 4, then row 5 with start=5, give the same as all six rows at once."""
    layer = kind(6, 4)
    x = np.arange(48, dtype=np.float32).reshape(2, 6, 4)
    first, last = layer(Tensor(x[:, :5])), layer(Tensor(x[:, 5:]), start=5)
    pieces = np.concatenate([first.data, last.data], 1)
    assert_close(pieces, layer(Tensor(x)).data, "the result in two pieces")


@pytest.mark.parametrize("kind", [SinusoidalPositions, LearnedPositions])
@given(starts=st.lists(st.integers(0, 4), min_size=1, max_size=3), length=st.integers(0, 2))
def test_each_text_continues_at_its_own_place(kind, starts, length):
    """With an array of starts, each text of a batch gets what it gets alone with its start."""
    layer = kind(6, 4)
    x = np.arange(len(starts) * length * 4, dtype=np.float32).reshape(len(starts), length, 4)
    alone = [layer(Tensor(x[b : b + 1]), start).data for b, start in enumerate(starts)]
    out = layer(Tensor(x), np.array(starts))
    assert_close(out, np.concatenate(alone), f"the texts that begin at {starts}")


def test_a_place_learns_from_every_text_that_has_it():
    """With starts [1, 0] for two texts of 2 rows, row 1 of the weight gets both gradients, and row 3 none."""
    layer, x = LearnedPositions(4, 3), Tensor(np.ones((2, 2, 3), np.float32))
    grad = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    layer(x, np.array([1, 0])).backward(Tensor(grad))
    expected = np.stack([grad[1, 0], grad[0, 0] + grad[1, 1], grad[0, 1], np.zeros(3, np.float32)])
    assert_close(layer.weight.grad, expected, "the gradient of the weight")


@pytest.mark.parametrize("kind", [SinusoidalPositions, LearnedPositions])
def test_positions_end(kind):
    """x that ends at place 7 with max_len 6 is a ValueError with both; so are a negative start and other features."""
    layer = kind(6, 4)
    assert_equal(repr(layer), f"{kind.__name__}(6, 4)", "repr(layer)")
    with raises(ValueError, 7, 6):
        layer(Tensor(np.ones((2, 3, 4), np.float32)), 4)
    with raises(ValueError, -1):
        layer(Tensor(np.ones((2, 3, 4), np.float32)), -1)
    with raises(ValueError, (2, 3, 1), 4):
        layer(Tensor(np.ones((2, 3, 1), np.float32)))
