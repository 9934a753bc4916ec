"""Rows of unequal length: each text goes on at its own end, is cut at its own place, and can be moved."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.caching import KVCache
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPTConfig


def config():
    return GPTConfig(vocab_size=7, block_size=6, n_layer=2, n_head=3, n_embd=6)


def numbers(rows, tokens, first=1.0):
    """Keys or values (rows, 3, tokens, 2), all different, in float32."""
    shape = (rows, 3, tokens, 2)
    return (first + np.arange(np.prod(shape))).reshape(shape).astype(np.float32)


def filled(rows, tokens, first=1.0, **options):
    """A cache that has read `tokens` in every row; the values are the negative keys, layer 1 has 1000 more."""
    cache, keys = KVCache(config(), rows, **options), numbers(rows, tokens, first)
    for layer in (0, 1):
        cache.update(layer, Tensor(keys + 1000 * layer), Tensor(-keys - 1000 * layer))
    return cache, keys


# Cutting


def test_truncate_forgets_the_end():
    """After truncate(2) of 4 tokens the length is 2, and new keys stand at place 2."""
    cache, keys = filled(2, 4)
    cache.truncate(2)
    assert_equal(cache.length, 2, "the length")
    new = numbers(2, 1, 500)
    key, value = cache.update(0, Tensor(new), Tensor(-new))
    expected = np.concatenate([keys[:, :, :2], new], 2)
    assert_close(key, expected, "the keys")
    assert_close(value, -expected, "the values")


def test_each_row_may_be_cut_at_its_own_place():
    """truncate([1, 3]) makes `length` the array [1, 3]: a list or an array has a number for each row."""
    for lengths in ([1, 3], np.array([1, 3])):
        cache, _ = filled(2, 4)
        cache.truncate(lengths)
        assert_close(cache.length, np.array([1, 3]), "the length")


def test_equal_lengths_are_one_number():
    """When all rows are equally long again, after truncate([2, 2]), `length` is an int."""
    cache, _ = filled(2, 4)
    cache.truncate([1, 3])
    cache.truncate([1, 1])
    assert_equal((cache.length, type(cache.length).__name__), (1, "int"), "length, and its type")


@pytest.mark.parametrize("length", [5, -1, [2, 5], [-1, 2]], ids=str)
def test_what_is_not_there_cannot_be_cut(length):
    """A length that is negative, or larger than that of its row, is a ValueError with it; no row is cut."""
    cache, _ = filled(2, 4)
    with raises(ValueError, length if isinstance(length, int) else length[0]):
        cache.truncate(length)
    assert_equal(cache.length, 4, "the length")


@pytest.mark.parametrize("lengths", [[1], [1, 2], [[1, 1, 1]]], ids=str)
def test_each_row_needs_a_length(lengths):
    """Of 3 rows truncate([1]) is a ValueError, as truncate([1, 2]) is: a list has one length for each row."""
    cache, _ = filled(3, 4)
    with raises(ValueError, 4):  # the lengths that there are
        cache.truncate(lengths)
    assert_equal(cache.length, 4, "the length")


# Growing


def test_each_row_grows_at_its_own_end():
    """With rows of 1 and 3 tokens, 2 new ones stand at places 1 and 2 of the first row, at 3 and 4 of the second."""
    cache, keys = filled(2, 3)
    cache.truncate([1, 3])
    new = numbers(2, 2, 500)
    for layer in (0, 1):
        key, value = cache.update(layer, Tensor(new + 1000 * layer), Tensor(-new - 1000 * layer))
        assert_equal(key.shape, (2, 3, 5, 2), "the shape of the keys: up to the end of the longest text")
        first = np.concatenate([keys[0, :, :1], new[0]], 1) + 1000 * layer
        second = np.concatenate([keys[1], new[1]], 1) + 1000 * layer
        assert_close(key.data[0, :, :3], first, f"layer {layer}: the keys of the first row")
        assert_close(key.data[1], second, f"layer {layer}: the keys of the second row")
        assert_close(value.data[0, :, :3], -first, f"layer {layer}: the values of the first row")
        assert_close(value.data[1], -second, f"layer {layer}: the values of the second row")
    assert_close(cache.length, np.array([3, 5]), "the length")


def test_the_length_that_was_asked_for_stays():
    """`length` is a copy: whoever keeps it during a pass has the lengths of before, when the cache has grown."""
    cache, _ = filled(2, 3)
    cache.truncate([1, 3])
    before = cache.length
    for layer in (0, 1):
        cache.update(layer, Tensor(numbers(2, 1)), Tensor(numbers(2, 1)))
    assert_close(before, np.array([1, 3]), "the length of before")


def test_the_longest_row_decides_what_fits():
    """Rows of 1 and 5 tokens and 2 new ones do not fit into 6 places: a ValueError with 7 and 6; nothing changes."""
    cache, _ = filled(2, 5)
    cache.truncate([1, 5])
    before = cache.keys.copy()
    with raises(ValueError, 7, 6):
        cache.update(0, Tensor(numbers(2, 2, 500)), Tensor(numbers(2, 2, 500)))
    assert_close(cache.keys, before, "the keys")
    assert_close(cache.lengths, np.array([1, 5]), "the lengths")


# Moving


def test_a_row_can_be_copied():
    """copy_row(0, source, 1) lets row 0 hold what row 1 of the other cache holds, in every layer, and nothing else."""
    source, keys = filled(2, 3, 500)
    cache, old = filled(2, 4)
    cache.copy_row(0, source, 1)
    assert_close(cache.lengths, np.array([3, 4]), "the lengths")
    for layer in (0, 1):
        assert_close(cache.keys[layer, 0, :, :3], keys[1] + 1000 * layer, f"the keys of layer {layer}")
        assert_close(cache.values[layer, 0, :, :3], -keys[1] - 1000 * layer, f"the values of layer {layer}")
        assert_close(cache.keys[layer, 1, :, :4], old[1] + 1000 * layer, f"the other row, layer {layer}")


def test_the_beginning_of_a_row_can_be_copied():
    """copy_row(0, source, 1, 2) copies two tokens; the row holds two, whatever it held. 0 tokens may be copied too."""
    source, keys = filled(2, 3, 500)
    cache, _ = filled(2, 4)
    cache.copy_row(0, source, 1, 2)
    cache.copy_row(1, source, 0, 0)
    assert_close(cache.lengths, np.array([2, 0]), "the lengths")
    assert_close(cache.keys[0, 0, :, :2], keys[1, :, :2], "the keys")


def test_a_row_moves_within_a_cache():
    """copy_row(0, cache, 2) lets row 0 hold what row 2 of the same cache holds."""
    cache, keys = filled(3, 4)
    cache.truncate([4, 4, 3])
    cache.copy_row(0, cache, 2)
    assert_close(cache.lengths, np.array([3, 4, 3]), "the lengths")
    assert_close(cache.keys[0, 0, :, :3], keys[2, :, :3], "the keys")


def test_only_what_is_there_can_be_copied():
    """More tokens than the row of the source holds, or than there are places, are a ValueError with their number."""
    source, _ = filled(2, 5)
    cache = KVCache(config(), 2, max_length=4)
    for row, length, bad in ((0, 6, 6), (0, -1, -1), (0, None, 5)):
        with raises(ValueError, bad):
            cache.copy_row(row, source, 0, length)
    source.truncate(2)
    with raises(ValueError, 3):
        cache.copy_row(0, source, 0, 3)
    assert_equal(cache.length, 0, "the length")


def test_a_row_of_another_kind_is_not_copied():
    """A source of float64 is a TypeError with both dtypes, one with another number of layers or heads a ValueError."""
    cache, old = filled(2, 4)
    with raises(TypeError, "float32", "float64"):
        cache.copy_row(0, KVCache(config(), dtype=np.float64), 0)
    for n_layer, n_head in ((1, 3), (2, 1)):
        source = KVCache(
            GPTConfig(vocab_size=7, block_size=6, n_layer=n_layer, n_head=n_head, n_embd=n_head * 2)
        )
        with raises(ValueError):
            cache.copy_row(0, source, 0)
    assert_close(cache.keys[0, :, :, :4], old, "the keys")
    assert_equal(cache.length, 4, "the length")


def test_some_rows_are_a_cache_too():
    """cache[1:3] is a cache of rows 1 and 2, in the same memory: what is written there, the whole cache has."""
    cache, keys = filled(4, 2)
    part, new = cache[1:3], numbers(2, 1, 500)
    assert_equal(part.length, 2, "the length of the part")
    for layer in (0, 1):
        key, _ = part.update(layer, Tensor(new), Tensor(-new))
    assert_close(key, np.concatenate([keys[1:3] + 1000, new], 2), "the keys of layer 1 in the part")
    assert_close(cache.lengths, np.array([2, 3, 3, 2]), "the lengths of the whole")
    assert_close(cache.keys[0, 1:3, :, 2], new[:, :, 0], "the new keys in the whole")
    assert_equal(cache[2:2].length, 0, "the length of no rows")
    part.truncate([0, 1])
    assert_close(cache.lengths, np.array([2, 0, 1, 2]), "the lengths of the whole, after the part was cut,")


def test_rows_are_taken_by_a_slice():
    """cache[1] is a TypeError that names 1: an array would lose the axis of the rows."""
    with raises(TypeError, 1):
        filled(4, 2)[0][1]
