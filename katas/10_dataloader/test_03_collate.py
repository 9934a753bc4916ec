"""How samples become a batch: with one new axis in front."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises, strategies, unchanged
from tinytorch.dataloader import default_collate, default_convert
from tinytorch.tensor import Tensor

Point = namedtuple("Point", "x y")


def f32(*values):
    return np.array(values, np.float32)


def test_tensors_are_stacked():
    """Three Tensors of shape (2,) become one Tensor of shape (3, 2)."""
    batch = default_collate([Tensor(f32(1, 2)), Tensor(f32(3, 4)), Tensor(f32(5, 6))])
    assert isinstance(batch, Tensor), f"the batch is a {type(batch).__name__}"
    assert_close(batch, f32([1, 2], [3, 4], [5, 6]), "the batch")


@given(array=strategies.arrays(strategies.shapes(min_dims=1, min_side=1)))
def test_arrays_become_one_tensor(array):
    """Arrays of any shape, 0-d and empty ones too, become a Tensor with one more axis in front; they are copied."""
    with unchanged(array):
        batch = default_collate(list(array))
        assert isinstance(batch, Tensor), f"the batch is a {type(batch).__name__}"
        assert_close(batch, array, "the batch")
        batch.data[...] = 9


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64", "bool"])
def test_arrays_keep_their_dtype(dtype):
    """Arrays and NumPy's numbers keep their dtype in the batch: float32 pictures would be four times as large."""
    assert_close(default_collate([np.ones(2, dtype), np.zeros(2, dtype)]), np.array([[1, 1], [0, 0]], dtype))
    scalars = [np.dtype(dtype).type(1), np.dtype(dtype).type(0)]
    assert_close(default_collate(scalars), np.array([1, 0], dtype), "the batch of NumPy's numbers")


@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [([1, 2, 3], "int64"), ([0.5, 1.5], "float32"), ([True, False], "bool"), ([1, 2.5], "float32")],
)
def test_python_numbers_become_a_tensor(numbers, dtype):
    """Integers become int64, floats float32, booleans bool."""
    assert_close(default_collate(numbers), np.array(numbers, dtype), f"the batch of {numbers}")


def test_texts_stay_texts():
    """str and bytes become a list of them, unchanged."""
    assert_equal(default_collate(["cat", "dog"]), ["cat", "dog"], "a batch of texts")
    assert_equal(default_collate([b"cat", b"dog"]), [b"cat", b"dog"], "a batch of bytes")


@pytest.mark.parametrize("kind", [tuple, list])
def test_pairs_become_a_list_of_batches(kind):
    """Samples (picture, label) become the list [pictures, labels]."""
    batch = default_collate([kind([f32(1, 2), 7]), kind([f32(3, 4), 8])])
    assert_equal(type(batch), list, "the type of the batch")
    assert_equal(len(batch), 2, "the number of its parts")
    assert_close(batch[0], f32([1, 2], [3, 4]), "the array of pictures")
    assert_close(batch[1], np.array([7, 8]), "the array of labels")


def test_dicts_become_a_dict():
    """Dicts become a dict of batches; their values may be dicts, pairs or texts again."""
    samples = [
        {"x": 0.5, "more": {"name": "a", "pair": (1, 2)}},
        {"x": 1.5, "more": {"name": "b", "pair": (3, 4)}},
    ]
    batch = default_collate(samples)
    assert_equal(list(batch), ["x", "more"], "the list of keys")
    assert_close(batch["x"], f32(0.5, 1.5), 'the batch of "x"')
    assert_equal(batch["more"]["name"], ["a", "b"], 'the batch of "name" inside "more"')
    assert_close(batch["more"]["pair"][1], np.array([2, 4]), 'the second part of "pair" inside "more"')


def test_named_tuples_keep_their_names():
    """Samples of a namedtuple become one of the same class."""
    batch = default_collate([Point(1, 0.5), Point(2, 1.5)])
    assert_equal(type(batch), Point, "the type of the batch")
    assert_close(batch.x, np.array([1, 2]), "its x")
    assert_close(batch.y, f32(0.5, 1.5), "its y")


@given(n=st.integers(1, 5))
def test_a_batch_of_any_size(n):
    """One sample is a batch too: the first axis is the number of samples in every part."""
    batch = default_collate([(f32(i, i, i), i) for i in range(n)])
    assert_equal((batch[0].shape, batch[1].shape), ((n, 3), (n,)), "the pair of shapes")


# What does not fit


@pytest.mark.parametrize("wrap", [np.asarray, Tensor], ids=["arrays", "Tensors"])
def test_samples_of_a_batch_have_one_shape(wrap):
    """Samples of the shapes (2,) and (1, 3) are a ValueError with both."""
    with raises(ValueError, (2,), (1, 3)):
        default_collate([wrap(f32(1, 2)), wrap(f32(1, 2)), wrap(f32([1, 2, 3]))])


def test_samples_of_a_batch_have_as_many_parts():
    """Tuples of 2 and of 3 parts are a ValueError with both numbers; no part is dropped silently."""
    with raises(ValueError, 2, 3):
        default_collate([(1, 4), (1, 4, 5)])


@pytest.mark.parametrize("second", [{"a": 1}, {"a": 1, "b": 2, "c": 3}])
def test_samples_of_a_batch_have_the_same_keys(second):
    """A dict with one key less or more than the first is a ValueError with the key."""
    with raises(ValueError, "b" if len(second) == 1 else "c"):
        default_collate([{"a": 1, "b": 2}, second])


@pytest.mark.parametrize("thing", [None, object(), {1, 2}], ids=["None", "object", "set"])
def test_what_cannot_be_put_together(thing):
    """None, or any other object, is a TypeError with its type; so is an array of texts, with its dtype."""
    with raises(TypeError, type(thing).__name__):
        default_collate([thing, thing])
    with raises(TypeError, "<U3"):
        default_collate([np.array(["cat"]), np.array(["dog"])])


def test_a_batch_of_nothing():
    """No sample at all is a ValueError: there is no shape to take."""
    with raises(ValueError):
        default_collate([])


# What is a batch already


def test_convert_only_makes_tensors():
    """default_convert makes Tensors of the arrays in dicts, tuples and lists, without a new axis and without a copy."""
    pixels = f32([1, 2], [3, 4])
    found = default_convert({"pair": (pixels, np.float32(0.5)), "name": "cat", "number": 3})
    assert_equal(list(found), ["pair", "name", "number"], "the list of keys")
    assert_equal((type(found["pair"]), found["name"], found["number"]), (list, "cat", 3), "the rest")
    assert isinstance(found["pair"][0], Tensor), f"the array became a {type(found['pair'][0]).__name__}"
    assert_close(found["pair"][0], pixels, "the Tensor")
    assert_close(found["pair"][1], np.array(0.5, np.float32), "NumPy's number")
    found["pair"][0].data[0, 0] = 9
    assert_equal(float(pixels[0, 0]), 9.0, "the array's first entry after it was written through the Tensor")


def test_convert_leaves_the_rest_alone():
    """default_convert gives Tensors, numbers, texts and None back as they are; namedtuples stay namedtuples."""
    x = Tensor(f32(1, 2))
    for thing in (x, 3, 0.5, "cat", b"dog", None):
        assert default_convert(thing) is thing, f"{thing!r} was changed"
    found = default_convert(Point(f32(1), "cat"))
    assert_equal((type(found), found.y), (Point, "cat"), "a namedtuple")
    assert_close(found.x, f32(1), "its array")
    with raises(TypeError, "<U3"):
        default_convert(np.array(["cat"]))
