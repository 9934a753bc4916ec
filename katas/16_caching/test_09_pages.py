"""Pages that several texts share, by counting who uses each. Not needed for what comes later."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.caching import PagedCache, PagePool
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor
from tinytorch.transformers import GPT, GPTConfig, generate


def config():
    return GPTConfig(vocab_size=7, block_size=32, n_layer=2, n_head=3, n_embd=6)


def numbers(tokens, first=1.0):
    """Keys or values (1, 3, tokens, 2), all different, in float32."""
    return (first + np.arange(6.0 * tokens)).reshape(1, 3, tokens, 2).astype(np.float32)


def read(cache, *passes):
    """Give each pass to both layers; the values are the negative keys. What layer 1 gave back the last time."""
    for keys in passes:
        for layer in (0, 1):
            found = cache.update(layer, Tensor(keys + 1000 * layer), Tensor(-keys - 1000 * layer))
    return found


# The pool


def test_a_pool_is_pages_that_nobody_uses():
    """PagePool(config, 5, page_size=4): keys and values are zeros (n_layer, 5, n_head, 4, E), and counts are five 0.

    They are float32, or of the dtype that is given.
    """
    pool = PagePool(config(), 5, page_size=4)
    assert_close(pool.keys, np.zeros((2, 5, 3, 4, 2), np.float32), "the keys")
    assert_close(pool.values, np.zeros((2, 5, 3, 4, 2), np.float32), "the values")
    assert_equal(list(pool.counts), [0] * 5, "the list of counts")
    pool = PagePool(config(), 5, dtype=np.float64)
    for array in (pool.keys, pool.values):
        assert_close(
            array, np.zeros((2, 5, 3, 16, 2)), "with dtype=float64, and without a page_size, the array"
        )


def test_a_page_that_is_taken_is_in_use():
    """allocate(2) gives two different pages and counts each once; the next call gives others."""
    pool = PagePool(config(), 3, page_size=4)
    first = pool.allocate(2)
    assert_equal(sum(pool.counts), 2, "the sum of the counts")
    assert_equal(sorted(first + pool.allocate(1)), [0, 1, 2], "the list of pages that were taken")
    assert_equal(pool.allocate(0), [], "the list of no pages")


def test_more_pages_than_there_are():
    """allocate(3) with 2 free pages is a MemoryError with 3 and 2, and no page is taken."""
    pool = PagePool(config(), 4, page_size=4)
    pool.allocate(2)
    with raises(MemoryError, 3, 2):
        pool.allocate(3)
    assert_equal(len(pool.allocate(2)), 2, "how many pages are free afterwards")


# One text


@given(cuts=st.lists(st.integers(0, 5), min_size=1, max_size=5), size=st.integers(1, 4))
@example(cuts=[0, 3, 0], size=2)
def test_a_text_in_pages_is_given_back_whole(cuts, size):
    """Whatever the size of the pages, and in whatever pieces a text comes, also of no token: update gives all of it."""
    cache, keys = PagedCache(PagePool(config(), 30, size)), numbers(sum(cuts))
    pieces = np.split(keys, np.cumsum(cuts)[:-1], axis=2)
    key, value = read(cache, *pieces)
    assert_close(key, keys + 1000, "the keys of layer 1")
    assert_close(value, -keys - 1000, "the values of layer 1")
    assert_equal(cache.length, sum(cuts), "the length")
    used = sum(cache.pool.counts)
    assert_equal(used, -(-sum(cuts) // size), f"the pages in use for {sum(cuts)} tokens, {size} a page,")


def test_the_length_grows_with_the_last_layer():
    """During a pass `length` is that of before; both layers write into the same pages."""
    cache = PagedCache(PagePool(config(), 4, 4))
    cache.update(0, Tensor(numbers(3)), Tensor(numbers(3)))
    assert_equal((cache.length, sum(cache.pool.counts)), (0, 1), "length and pages after the first layer")
    cache.update(1, Tensor(numbers(3)), Tensor(numbers(3)))
    assert_equal((cache.length, sum(cache.pool.counts)), (3, 1), "length and pages after the second layer")


def test_a_pass_that_breaks_off_loses_no_page():
    """A pass that ends after the first layer keeps its pages for the next one: none is lost."""
    cache = PagedCache(PagePool(config(), 3, 2))
    read(cache, numbers(2))
    cache.update(0, Tensor(numbers(4)), Tensor(numbers(4)))
    key, _ = read(cache, numbers(1, 500))
    assert_close(key.data[:, :, 2:], numbers(1, 500) + 1000, "the keys of the next pass")
    cache.release()
    assert_equal(list(cache.pool.counts), [0] * 3, "the list of counts when the text has been released")


def test_a_full_pool_refuses_a_text_whole():
    """9 tokens in pages of 4 need a third page, and there are two: a MemoryError, and the text is as it was."""
    cache = PagedCache(PagePool(config(), 2, 4))
    read(cache, numbers(6))
    before = cache.pool.keys.copy()
    with raises(MemoryError):
        cache.update(0, Tensor(numbers(3, 500)), Tensor(numbers(3, 500)))
    assert_close(cache.pool.keys, before, "the keys in the pool")
    key, _ = read(cache, numbers(2, 500))
    assert_close(key.data[:, :, :6], numbers(6) + 1000, "the keys of the first 6 tokens")
    assert_equal(cache.length, 8, "the length")


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        (ValueError, numbers(1)[:, :1], numbers(1)[:, :1]),
        (ValueError, np.concatenate([numbers(1)] * 2), np.concatenate([numbers(1)] * 2)),
        (ValueError, numbers(2), numbers(1)),
        (TypeError, numbers(1).astype(np.float64), numbers(1)),
        (TypeError, numbers(1), numbers(1).astype(np.float64)),
        (RuntimeError, numbers(1), numbers(1)),
    ],
    ids=["heads", "rows", "lengths", "keys of float64", "values of float64", "gradients"],
)
def test_what_does_not_fit_into_pages_is_refused(kind, key, value):
    """Shape, dtype and gradients are looked at as by KVCache.update, before a page is taken or written."""
    cache = PagedCache(PagePool(config(), 3, 2))
    read(cache, numbers(2))
    before = cache.pool.keys.copy(), cache.pool.values.copy()
    with raises(kind):
        cache.update(0, Tensor(key, requires_grad=kind is RuntimeError), Tensor(value))
    assert_close(cache.pool.keys, before[0], "the keys in the pool")
    assert_close(cache.pool.values, before[1], "the values in the pool")
    assert_equal(sum(cache.pool.counts), 1, "how many pages are in use")


def test_pages_are_given_back():
    """release() frees all pages of a text, and it is empty."""
    cache = PagedCache(PagePool(config(), 2, 4))
    read(cache, numbers(6))
    cache.release()
    assert_equal((cache.length, list(cache.pool.counts)), (0, [0, 0]), "the length and the counts")
    read(cache, numbers(5))
    assert_equal(cache.length, 5, "the length of a new text in the same cache")


# Texts that share


def test_a_fork_takes_no_pages():
    """fork() gives a text with the same beginning: no page more is in use, and each is used twice."""
    cache = PagedCache(PagePool(config(), 4, 4))
    read(cache, numbers(6))
    other = cache.fork()
    assert_equal(other.length, 6, "the length of the fork")
    assert_equal(sorted(cache.pool.counts), [0, 0, 2, 2], "the list of counts, sorted,")


def test_two_texts_go_on_apart():
    """Of three texts that share, two go on: the page that they write into is copied for each, and the third keeps it.

    Full pages stay shared.
    """
    cache = PagedCache(PagePool(config(), 4, 4))
    read(cache, numbers(6))
    other, third = cache.fork(), cache.fork()
    theirs, _ = read(other, numbers(1, 900))
    mine, _ = read(cache, numbers(2, 500))
    assert_close(theirs, np.concatenate([numbers(6), numbers(1, 900)], 2) + 1000, "the keys of the fork")
    assert_close(mine, np.concatenate([numbers(6), numbers(2, 500)], 2) + 1000, "the keys of the first")
    assert_equal(sorted(cache.pool.counts), [1, 1, 1, 3], "the list of counts, sorted,")
    kept, _ = read(third, numbers(1, 700))
    assert_close(kept.data[:, :, :6], numbers(6) + 1000, "the keys of the third one, which it kept,")


def test_a_fork_shares_what_holds_tokens():
    """After a pass that broke off, a fork shares no page without a token: both go on apart."""
    cache = PagedCache(PagePool(config(), 8, 2))
    read(cache, numbers(3))
    cache.update(0, Tensor(numbers(4)), Tensor(numbers(4)))
    other = cache.fork()
    read(other, numbers(3, 900))
    read(cache, numbers(3, 500))
    for each, first in ((other, 900), (cache, 500)):
        key, value = read(each, numbers(1, first + 50))
        expected = np.concatenate([numbers(3), numbers(3, first), numbers(1, first + 50)], 2) + 1000
        assert_close(key, expected, f"the keys of the text that goes on with {first}")
        assert_close(value, -expected, f"the values of the text that goes on with {first}")
        each.release()
    assert_equal(sum(cache.pool.counts), 0, "how many pages are in use when both have been released")


def test_a_full_page_is_never_copied():
    """A text of 8 tokens in pages of 4 goes on in a new page: nothing of a shared page changes, nothing is copied."""
    cache = PagedCache(PagePool(config(), 3, 4))
    read(cache, numbers(8))
    other = cache.fork()
    read(other, numbers(1, 900))
    assert_equal(sorted(cache.pool.counts), [1, 2, 2], "the list of counts, sorted,")


def test_the_last_who_leaves_frees_a_page():
    """A page that two texts use is in use until both have released it."""
    cache = PagedCache(PagePool(config(), 2, 4))
    read(cache, numbers(6))
    other = cache.fork()
    cache.release()
    assert_equal(list(cache.pool.counts), [1, 1], "the list of counts when one has left")
    key, _ = read(other, numbers(1, 900))
    assert_close(key.data[:, :, :6], numbers(6) + 1000, "the keys of the one that stays")
    other.release()
    assert_equal(list(cache.pool.counts), [0, 0], "the list of counts when both have left")


def test_a_model_writes_from_pages():
    """A PagedCache is a cache as any other: a GPT writes the same text, and two ends after one beginning.

    A text without a batch, ids (T,), too.
    """
    manual_seed(0)
    model = GPT(config())
    for parameter in model.parameters():
        parameter.data *= 25
    cache = PagedCache(PagePool(config(), 12, 4))
    ids = tensor([[1, 5, 2, 3, 3]])
    generate(model, ids, 2, temperature=0, cache=cache)
    other = cache.fork()
    for end, each in (([4, 4], cache), ([0, 6], other)):
        longer = tensor([[*generate(model, ids, 2, temperature=0).tolist()[0], *end]])
        found = generate(model, longer, 6, temperature=0, cache=each)
        assert_close(
            found, generate(model, longer, 6, temperature=0).data, f"the text that goes on with {end}"
        )
    text = generate(model, ids[0], 6, temperature=0, cache=PagedCache(PagePool(config(), 3, 4)))
    assert_close(text, generate(model, ids[0], 6, temperature=0).data, "the text without a batch")
