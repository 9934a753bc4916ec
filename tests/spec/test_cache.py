"""Remembered: a cache for attention, made of the student's own `cat`."""

from __future__ import annotations

from typing import Any

import numpy as np

from dojo.spec import Remembered, Together
from tinytorch.attention import Cache
from tinytorch.tensor import Tensor, cat


def concatenate(arrays: list[Any], dim: int) -> Any:
    return np.concatenate(arrays, dim)


def test_each_layer_gets_back_all_it_was_given() -> None:
    cache = Remembered(concatenate, 2)
    keys, values = np.arange(24.0).reshape(2, 1, 3, 4), np.arange(12.0).reshape(2, 1, 3, 2)
    for places in (slice(0, 2), slice(2, 3)):
        key, value = cache.update(1, keys[:, :, places], values[:, :, places])
    np.testing.assert_array_equal(key, keys)
    np.testing.assert_array_equal(value, values)
    assert [len(given) for given in cache.given] == [0, 2]


def test_its_length_grows_when_the_last_layer_is_told() -> None:
    cache, key = Remembered(concatenate, 2), np.zeros((1, 1, 3, 2))
    lengths = [cache.length]
    for layer in (0, 1, 0, 1):
        cache.update(layer, key, key)
        lengths.append(cache.length)
    assert lengths == [0, 0, 3, 3, 6]


def test_gradients_pass_and_it_is_kata_13s_cache() -> None:
    cache: Cache = Remembered(cat)
    key = Tensor(np.ones((1, 1, 2, 2), np.float32), requires_grad=True)
    cache.update(0, key, key)
    found, _ = cache.update(0, key * 2.0, key)
    found.sum().backward()
    assert key.grad is not None
    assert key.grad.tolist() == np.full((1, 1, 2, 2), 3.0).tolist()


def test_texts_of_unequal_lengths_stand_side_by_side() -> None:
    texts = [Remembered(cat), Remembered(cat)]
    first = Tensor(np.arange(4.0).reshape(1, 1, 2, 2))
    texts[1].update(0, first, first)
    cache: Cache = Together(texts)
    np.testing.assert_array_equal(cache.length, [0, 2])
    new = np.arange(10.0, 14.0).reshape(2, 1, 1, 2)
    key, value = cache.update(0, Tensor(new), Tensor(-new))
    np.testing.assert_array_equal(key.data[0], [[[10, 11], [1e3, 1e3], [1e3, 1e3]]])
    np.testing.assert_array_equal(value.data[1], [[[0, 1], [2, 3], [-12, -13]]])
    np.testing.assert_array_equal(cache.length, [1, 3])
