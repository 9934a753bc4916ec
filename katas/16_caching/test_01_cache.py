"""KVCache: a memory of fixed size for the keys and values of every layer."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises, unchanged
from tinytorch.caching import KVCache
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPTConfig


def config():
    return GPTConfig(vocab_size=7, block_size=6, n_layer=2, n_head=3, n_embd=6)  # heads of 2 features


def numbers(rows, tokens, first=1.0):
    """Keys or values (rows, 3, tokens, 2), all different, in float32."""
    shape = (rows, 3, tokens, 2)
    return (first + np.arange(np.prod(shape))).reshape(shape).astype(np.float32)


def fill(cache, *passes):
    """Give each pass to all layers: keys as they are, values negative, and 1000 more for every layer."""
    for keys in passes:
        for layer in range(2):
            cache.update(layer, Tensor(keys + 1000 * layer), Tensor(-keys - 1000 * layer))


def test_a_cache_is_empty_at_first():
    """KVCache(config, rows=2) holds no tokens: lengths is the array [0, 0], and length is 0."""
    cache = KVCache(config(), rows=2)
    assert_close(cache.lengths, np.array([0, 0]), "the array of lengths")
    assert_equal((cache.length, type(cache.length).__name__), (0, "int"), "length, and its type")


def test_the_memory_is_zeros():
    """keys and values are float32 arrays of zeros, (n_layer, rows, n_head, max_length, features of a head)."""
    cache = KVCache(config(), rows=2)
    for name in ("keys", "values"):
        assert_close(getattr(cache, name), np.zeros((2, 2, 3, 6, 2), np.float32), f"the array {name}")
    assert not np.shares_memory(cache.keys, cache.values), "keys and values share their memory"


def test_max_length_and_dtype_may_be_given():
    """With max_length=4 there are 4 places and not block_size; with dtype=float64 the memory is float64; one row."""
    cache = KVCache(config(), max_length=4, dtype=np.float64)
    assert_close(cache.keys, np.zeros((2, 1, 3, 4, 2)), "the keys")


def test_what_is_given_comes_back():
    """update(layer, key, value) of an empty cache gives both back."""
    cache, keys = KVCache(config(), rows=2), numbers(2, 3)
    with unchanged(keys):
        key, value = cache.update(0, Tensor(keys), Tensor(-keys))
    assert_close(key, keys, "the keys")
    assert_close(value, -keys, "the values")


def test_new_keys_stand_behind_the_old_ones():
    """After passes of 3, 1 and 2 tokens each layer gives back all 6 that it was given, in order."""
    cache, keys = KVCache(config(), rows=2), numbers(2, 6)
    fill(cache, keys[:, :, :3], keys[:, :, 3:4])
    for layer in (0, 1):
        more = Tensor(keys[:, :, 4:] + 1000 * layer)
        key, value = cache.update(layer, more, more * -1.0)
        assert_close(key, keys + 1000 * layer, f"the keys of layer {layer}")
        assert_close(value, -keys - 1000 * layer, f"the values of layer {layer}")


def test_tokens_count_when_the_last_layer_has_them():
    """During a pass `length` stays what it was before: both layers begin at the same place."""
    cache, found = KVCache(config()), []
    for tokens in (3, 1):
        for layer in (0, 1):
            cache.update(layer, Tensor(numbers(1, tokens)), Tensor(numbers(1, tokens)))
            found.append(cache.length)
    assert_equal(found, [0, 3, 3, 4], "the list of lengths after each update")


def test_nothing_is_copied_but_what_is_new():
    """What update gives back are views of the cache's memory: a step must not copy the whole text."""
    cache = KVCache(config(), rows=2)
    fill(cache, numbers(2, 4))
    before = cache.keys
    key, value = cache.update(0, Tensor(numbers(2, 1)), Tensor(numbers(2, 1)))
    assert cache.keys is before, "the cache has taken new memory"
    assert np.shares_memory(key.data, cache.keys), "the keys are a copy"
    assert np.shares_memory(value.data, cache.values), "the values are a copy"


def test_texts_without_a_batch_are_one_row():
    """Keys (H, L, E), of a text without a batch, are one row and come back so; (2, 1, H, L, E) are two rows."""
    cache, keys = KVCache(config()), numbers(1, 2)
    key, _ = cache.update(0, Tensor(keys[0]), Tensor(keys[0]))
    assert_close(key, keys[0], "the keys of one text")
    keys = numbers(2, 2).reshape(2, 1, 3, 2, 2)
    key, _ = KVCache(config(), rows=2).update(0, Tensor(keys), Tensor(keys))
    assert_close(key, keys, "the keys of (2, 1) texts")


# What is refused changes nothing


def held(cache):
    """All that a cache remembers."""
    return [array.copy() for array in (cache.keys, cache.values, cache.lengths)]


def assert_held(cache, before):
    for name, array in zip(("keys", "values", "lengths"), before, strict=True):
        assert_close(getattr(cache, name), array, f"after a call that was refused, the array {name}")


@pytest.mark.parametrize("layer", [0, 1])
def test_a_text_that_is_too_long_is_refused(layer):
    """4 tokens and 3 more in a cache of 6 places are a ValueError with 7 and 6, before anything is written."""
    cache = KVCache(config(), rows=2)
    fill(cache, numbers(2, 4))
    before = held(cache)
    with raises(ValueError, 7, 6):
        cache.update(layer, Tensor(numbers(2, 3)), Tensor(numbers(2, 3)))
    assert_held(cache, before)
    fill(cache, numbers(2, 2))
    assert_equal(cache.length, 6, "the length after 2 more tokens, which fit,")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ((1, 3, 1, 2), (1, 3, 1, 2)),
        ((2, 3, 1, 2), (2, 3, 2, 2)),
        ((2, 1, 1, 2), (2, 1, 1, 2)),
        ((2, 3, 1, 4), (2, 3, 1, 4)),
        ((2, 3, 1, 2), (2, 3, 1, 1)),
        ((3, 2), (3, 2)),
        ((2,), (2,)),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(key, value):
    """Another number of rows, heads or features, or another shape for values than for keys: a ValueError with both."""
    cache = KVCache(config(), rows=2)
    fill(cache, numbers(2, 1))
    before = held(cache)
    with raises(ValueError, key, value):
        cache.update(0, Tensor(np.ones(key, np.float32)), Tensor(np.ones(value, np.float32)))
    assert_held(cache, before)


def test_another_dtype_is_refused():
    """float64 keys or values for a cache of float32 are a TypeError with both: they would be rounded in silence."""
    cache, right, wrong = KVCache(config()), Tensor(numbers(1, 1)), Tensor(numbers(1, 1).astype(np.float64))
    before = held(cache)
    for key, value in ((wrong, wrong), (right, wrong)):
        with raises(TypeError, "float32", "float64"):
            cache.update(0, key, value)
    assert_held(cache, before)


def test_gradients_end_at_a_cache():
    """Keys or values that require grad are a RuntimeError: their gradient would be lost without a word."""
    cache, keys = KVCache(config()), Tensor(numbers(1, 1))
    learning = Tensor(numbers(1, 1), requires_grad=True) * 2.0
    for key, value in ((learning, keys), (keys, learning)):
        with raises(RuntimeError, "grad"):
            cache.update(0, key, value)
    assert_close(cache.keys, np.zeros_like(cache.keys), "the keys")


def test_a_model_with_more_layers_is_refused():
    """There are layers 0 and 1. Layer 2 is a ValueError with 2, and its pass does not count in the others either."""
    cache = KVCache(config())
    with raises(ValueError, 2):
        cache.update(2, Tensor(numbers(1, 3)), Tensor(numbers(1, 3)))
    assert_equal(cache.length, 0, "the length of an empty cache after a call that was refused")
    fill(cache, numbers(1, 2))
    fill(cache, numbers(1, 3))
    with raises(ValueError, 2):
        cache.update(2, Tensor(numbers(1, 3)), Tensor(numbers(1, 3)))
    assert_equal(cache.length, 2, "the length after the pass that was refused")
    with raises(ValueError, -1):
        cache.update(-1, Tensor(numbers(1, 3)), Tensor(numbers(1, 3)))
    assert_equal(cache.length, 2, "the length after another call that was refused")


@pytest.mark.parametrize("rows", [slice(None), slice(0, 1)], ids=["the cache", "a part of it"])
def test_what_was_cut_is_not_taken_back(rows):
    """After a pass of 3 tokens and truncate(1), of the cache or of cache[0:1], layer 2 is refused as before.

    The lengths stay: the tokens of the pass are no longer there to be taken back.
    """
    cache = KVCache(config(), rows=2)
    fill(cache, numbers(2, 3))
    cache[rows].truncate(1) if rows.stop else cache.truncate(1)
    before = cache.lengths.copy()
    with raises(ValueError, 2):
        cache.update(2, Tensor(numbers(2, 3)), Tensor(numbers(2, 3)))
    assert_close(cache.lengths, before, "the lengths after the call that was refused")
    with raises(ValueError, 2):
        cache[0:1].update(2, Tensor(numbers(1, 3)), Tensor(numbers(1, 3)))
    assert_close(cache.lengths, before, "the lengths after a call of a part of it was refused")
