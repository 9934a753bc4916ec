"""Four bits: two integers in a byte, and a scale for every 32 neighbours."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises, unchanged
from dojo.spec.strategies import arrays
from tinytorch.precision import dequantize_rows, pack_int4, quantize_rows, unpack_int4
from tinytorch.tensor import Tensor

EVERY = np.arange(-8, 8).astype(np.int8)


def gaussian(rows, features, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, features)).astype(np.float32)


def test_two_integers_fill_a_byte():
    """pack_int4([1, -1, -8, 7]) is [0xF1, 0x78]: the first of two in the lower four bits, in two's complement."""
    found = pack_int4(Tensor(np.array([1, -1, -8, 7], np.int8)))
    assert_close(found, np.array([0xF1, 0x78], np.uint8), "the bytes")


def test_unpacking_by_hand():
    """unpack_int4([0xF1, 0x78]) is [1, -1, -8, 7], int8."""
    found = unpack_int4(Tensor(np.array([0xF1, 0x78], np.uint8)))
    assert_close(found, np.array([1, -1, -8, 7], np.int8), "the integers")


SHAPES = st.sampled_from([(2,), (0,), (3, 4), (2, 0, 2), (2, 3, 2)])


@given(q=SHAPES.flatmap(lambda shape: arrays(shape, np.int8, -8, 7)))
@example(q=np.zeros((2, 0, 2), np.int8))
def test_packed_and_unpacked_it_is_the_same(q):
    """Any integers from -8 to 7, in any shape with an even last axis, come back, from half as many bytes."""
    with unchanged(q):
        packed = pack_int4(Tensor(q))
    assert_equal(packed.shape, (*q.shape[:-1], q.shape[-1] // 2), "the shape of the bytes")
    assert_close(unpack_int4(packed), q, "the integers")


def test_a_view_is_packed_as_it_looks():
    """A transposed matrix is packed in the order in which its rows are seen."""
    q = EVERY.reshape(2, 8).T
    assert_close(unpack_int4(pack_int4(Tensor(q))), q, "the integers")


@pytest.mark.parametrize("shape", [(3,), (2, 1), ()])
def test_an_odd_number_of_integers_fills_no_bytes(shape):
    """A last axis of odd size, or no axis, is a ValueError that names the shape."""
    with raises(ValueError, shape):
        pack_int4(Tensor(np.zeros(shape, np.int8)))


@pytest.mark.parametrize("entry", [8, -9])
def test_integers_of_more_than_4_bits_are_refused(entry):
    """8 and -9 do not fit into four bits: a ValueError that names the entry."""
    with raises(ValueError, entry):
        pack_int4(Tensor(np.array([0, entry], np.int8)))


def test_the_dtypes_are_checked():
    """pack_int4 takes int8 and unpack_int4 takes uint8; any other dtype is a TypeError that names it."""
    with raises(TypeError, "float32"):
        pack_int4(Tensor(np.zeros(2, np.float32)))
    with raises(TypeError, "int8"):
        unpack_int4(Tensor(np.zeros(2, np.int8)))


def test_a_scale_for_each_row():
    """quantize_rows(w), 8 bits: int8 of w's shape, and a scale for each row, its largest |entry| / 127.5."""
    w = np.array([[0.5, -2.55, 1], [25.5, 10, 0]], np.float32)
    q, scales = quantize_rows(Tensor(w))
    assert_close(scales, np.array([[0.02], [0.2]], np.float32), "the scales (N, 1)")
    assert_close(q, np.array([[25, -128, 50], [127, 50, 0]], np.int8), "the integers")
    assert_close(dequantize_rows(q, scales, 3), w, "the matrix that comes back", rtol=0, atol=0.1001)


def test_a_scale_for_each_group():
    """quantize_rows(w, bits=4, group_size=2): each pair has a scale, its largest |entry| / 7.5, and fills one byte."""
    w = np.array([[0.75, -0.1, 15, 4]], np.float32)
    q, scales = quantize_rows(Tensor(w), bits=4, group_size=2)
    assert_close(scales, np.array([[0.1, 2]], np.float32), "the scales (N, G)")
    assert_close(unpack_int4(q), np.array([[7, -1, 7, 2]], np.int8), "the integers")
    assert_close(
        dequantize_rows(q, scales, 4),
        np.array([[0.7, -0.1, 14, 4]], np.float32),
        "the matrix that comes back",
    )


@pytest.mark.parametrize(
    ("features", "bits", "group_size", "width", "groups"),
    [
        (64, 8, None, 64, 1),
        (64, 4, None, 32, 2),
        (64, 4, 16, 32, 4),
        (40, 4, None, 32, 2),
        (5, 8, 2, 6, 3),
        (3, 4, 2, 2, 2),
        (3, 8, 1, 3, 3),
    ],
)
def test_how_many_bytes_and_scales(features, bits, group_size, width, groups):
    """By default a group is the whole row with 8 bits, and 32 entries with 4; the last group is filled up with 0."""
    w = gaussian(3, features)
    q, scales = quantize_rows(Tensor(w), bits, group_size)
    assert_equal(q.shape, (3, width), "the shape of the integers")
    assert_equal(q.dtype, np.dtype(np.int8 if bits == 8 else np.uint8), "their dtype")
    assert_equal(scales.shape, (3, groups), "the shape of the scales")
    assert_equal(scales.dtype, np.dtype(np.float32), "the dtype of the scales")
    assert_equal(dequantize_rows(q, scales, features).shape, (3, features), "the shape of what comes back")


@given(
    bits=st.sampled_from([4, 8]),
    features=st.integers(6, 13),
    group_size=st.sampled_from([None, 2, 4, 6]),
    data=st.data(),
)
@example(bits=4, features=9, group_size=4, data=None)
def test_no_entry_moves_by_more_than_half_a_step_of_its_group(bits, features, group_size, data):
    """Group by group, an entry moves by at most half of largest |entry| / 127.5 (8 bits) or / 7.5 (4 bits)."""
    w = (
        gaussian(2, features)
        if data is None
        else data.draw(arrays((2, features), low=-50, high=50), label="w")
    )
    q, scales = quantize_rows(Tensor(w), bits, group_size)
    back = dequantize_rows(q, scales, features).data
    size = group_size or (32 if bits == 4 else features)
    for start in range(0, features, size):
        part = slice(start, start + size)
        step = np.abs(w[:, part]).max(1, keepdims=True) / (7.5 if bits == 4 else 127.5)
        moved = np.abs(back[:, part] - w[:, part])
        assert (moved <= 0.5002 * step + 1e-7).all(), (
            f"in the group from {start} on, entries moved by up to {moved.max(1)}, the steps are {step[:, 0]}"
        )


def test_some_of_the_rows_alone():
    """dequantize_rows takes any rows, in any order and shape, also none: an embedding looks up a few of many."""
    q, scales = quantize_rows(Tensor(gaussian(6, 40)), bits=4)
    whole = dequantize_rows(q, scales, 40).data
    for ids in (np.array([4, 1]), np.array([[0, 5, 5], [2, 2, 1]]), np.array(3), np.zeros((0,), int)):
        found = dequantize_rows(Tensor(q.data[ids]), Tensor(scales.data[ids]), 40)
        assert_close(found, whole[ids], f"rows {ids.tolist()}")


@pytest.mark.parametrize("dtype", [np.float16, np.float64], ids=["float16", "float64"])
def test_rows_come_back_in_the_dtype_of_the_scales(dtype):
    """With scales of float64 the numbers are float64: with a third as the scale, 3 stands for exactly 3 * (1 / 3)."""
    scales = np.array([[1 / 3]], dtype)
    found = dequantize_rows(Tensor(np.array([[3, -7]], np.int8)), Tensor(scales), 2)
    assert_close(found, np.array([[3, -7]], dtype) * scales, "the numbers", rtol=0, atol=0)


@pytest.mark.parametrize(("bits", "share"), [(8, 0.27), (4, 0.17)])
def test_how_much_smaller(bits, share):
    """With its scales, a matrix of 64 columns takes at most .27 of its bytes with 8 bits, and .17 with 4."""
    w = Tensor(gaussian(10, 64))
    found = sum(each.data.nbytes for each in quantize_rows(w, bits)) / w.data.nbytes
    assert found <= share, f"{bits} bits take {found:.3f} of the bytes, at most {share} is expected"


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 3), (2, 0)])
def test_only_a_matrix_has_rows(shape):
    """Another number of axes than two, or a matrix without entries, is a ValueError that names the shape."""
    with raises(ValueError, shape):
        quantize_rows(Tensor(np.ones(shape, np.float32)))


@pytest.mark.parametrize(
    ("bits", "group_size", "named"),
    [(3, None, 3), (16, None, 16), (8, 0, 0), (4, 3, 3), (4, -2, -2), (8, 7, 7), (4, 2**40, 2**40)],
)
def test_bits_and_groups_that_do_not_exist(bits, group_size, named):
    """bits other than 4 and 8 are a ValueError that names them; so is a group_size below 1, or odd with 4 bits.

    A group_size above the length of a row is refused too, before any memory is taken for it.
    """
    with raises(ValueError, named):
        quantize_rows(Tensor(gaussian(2, 6)), bits, group_size)
