"""Texts that begin alike: what one has read, the other need not read."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.autograd import no_grad
from tinytorch.caching import KVCache, PrefixCache, common_prefix
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor
from tinytorch.transformers import GPT, GPTConfig, next_logits


def config():
    return GPTConfig(vocab_size=11, block_size=16, n_layer=2, n_head=2, n_embd=4)


texts = st.lists(st.integers(0, 2), max_size=6)


def holding(*rows):
    """A cache with these texts in its rows. The key of a token at a place is 100 * token + place, in all layers."""
    cache = KVCache(config(), len(rows))
    for row, ids in enumerate(rows):
        marks = np.array([100 * token + place for place, token in enumerate(ids)], np.float32)
        new = np.broadcast_to(marks[:, None], (1, 2, len(ids), 2))
        for layer in (0, 1):
            cache[row : row + 1].update(layer, Tensor(new), Tensor(new))
    return cache


def remembering(*ids, entries=3):
    """A prefix cache that was told of these texts, one after the other."""
    known = PrefixCache(config(), entries)
    for text in ids:
        known.store(text, holding(text), 0)
    return known


def fetched(known, ids):
    """How many tokens of `ids` are known; that the row holds just these is checked."""
    cache = holding([8], [9, 9, 9], [8])
    number = known.fetch(ids, cache, 1)
    assert_close(
        cache.lengths, np.array([1, number, 1]), "what was returned, and the lengths of the other rows,"
    )
    marks = [100 * token + place for place, token in enumerate(ids[:number])]
    assert_close(cache.keys[1, 1, 1, :number, 0], np.array(marks, np.float32), "the keys of the row")
    return number


# Two texts


def test_the_common_beginning_of_two_texts():
    """common_prefix([5, 7, 1, 3], [5, 7, 2, 3]) is 2: what comes after the first difference does not count."""
    assert_equal(common_prefix([5, 7, 1, 3], [5, 7, 2, 3]), 2, "the number of common tokens")
    assert_equal(
        common_prefix([5, 7], (5, 7, 2)), 2, "the number of common tokens, where one text is the other's,"
    )
    assert_equal(common_prefix([], [5]), 0, "the number of common tokens with no text")


@given(texts, texts)
def test_what_is_common_is_the_same_in_both(a, b):
    """The first n tokens are equal, for n = common_prefix(a, b), and the next ones, if both have one, differ."""
    n = common_prefix(a, b)
    assert a[:n] == b[:n] and len(a[:n]) == n, f"{n} tokens of {a} and {b} are not common"
    assert n in (len(a), len(b)) or a[n] != b[n], f"{a} and {b} have more in common than {n} tokens"


# A memory of beginnings


def test_nothing_is_known_at_first():
    """fetch gives 0, and the row is empty."""
    assert_equal(fetched(PrefixCache(config(), 2), [1, 2, 3]), 0, "what is known")


def test_at_least_one_text_is_remembered():
    """entries=0 is a ValueError that names 0; one entry is enough."""
    with raises(ValueError, 0):
        PrefixCache(config(), 0)
    assert_equal(len(PrefixCache(config(), 1).cache.lengths), 1, "how many rows the cache of one entry has")


def test_a_known_beginning_is_copied():
    """After store([1, 2, 3, 4]), fetch([1, 2, 5]) gives 2, and the row holds the keys of [1, 2]."""
    known = remembering([1, 2, 3, 4])
    assert_equal(fetched(known, [1, 2, 5]), 2, "what is known of [1, 2, 5]")
    assert_equal(fetched(known, [3, 2]), 0, "what is known of [3, 2]")


def test_the_last_token_is_always_read():
    """Of a text that is known to its end the last token is left: keys are kept, and logits are not."""
    known = remembering([1, 2, 3, 4])
    assert_equal(fetched(known, [1, 2, 3, 4]), 3, "what is known of the same text")
    assert_equal(fetched(known, [1, 2]), 1, "what is known of its beginning")
    assert_equal(fetched(known, [1]), 0, "what is known of its first token")


def test_the_longest_beginning_counts():
    """Of several known texts the one that agrees longest is taken, wherever it stands."""
    known = remembering([1, 2, 0], [1, 2, 3, 4], [1, 5])
    assert_equal(fetched(known, [1, 2, 3, 7]), 3, "what is known of [1, 2, 3, 7]")
    assert_equal(fetched(known, [1, 5, 3]), 2, "what is known of [1, 5, 3]")


def test_what_was_stored_stays():
    """The prefix cache keeps a copy: what happens to the row afterwards does not change it."""
    cache, known = holding([1, 2, 3]), PrefixCache(config(), 2)
    known.store([1, 2, 3], cache, 0)
    cache.keys[...] = 0
    cache.truncate(0)
    assert_equal(fetched(known, [1, 2, 3, 4]), 3, "what is known")


# It is bounded


def test_what_was_used_longest_ago_is_forgotten():
    """With 2 entries a third text takes the place of the oldest, and a fourth one that of the second."""
    known = remembering([1, 1, 1], [2, 2, 2], [3, 3, 3], entries=2)
    found = [fetched(known, [token] * 4) for token in (1, 2, 3)]
    assert_equal(found, [0, 3, 3], "the list of what is known of the three texts")
    known = remembering([1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4], entries=2)
    found = [fetched(known, [token] * 4) for token in (1, 2, 3, 4)]
    assert_equal(found, [0, 0, 3, 3], "the list of what is known of the four texts")


def test_a_text_that_is_used_is_young_again():
    """fetch makes a text the youngest: then the other one is forgotten."""
    known = remembering([1, 1, 1], [2, 2, 2], entries=2)
    fetched(known, [1, 1, 0])
    known.store([3, 3, 3], holding([3, 3, 3]), 0)
    found = [fetched(known, [token] * 4) for token in (1, 2, 3)]
    assert_equal(found, [3, 0, 3], "the list of what is known of the three texts")


def test_a_text_that_was_not_used_stays_old():
    """A fetch that finds nothing makes no text younger."""
    known = remembering([1, 1, 1], [2, 2, 2], entries=2)
    fetched(known, [7, 7])
    known.store([3, 3, 3], holding([3, 3, 3]), 0)
    assert_equal(fetched(known, [1, 1, 1, 1]), 0, "what is known of the oldest text")


def test_the_beginning_of_a_known_text_needs_no_entry():
    """[1, 1] after [1, 1, 1] takes no room, and makes the longer one young; the third text finds room for itself."""
    known = remembering([1, 1, 1], [2, 2, 2], [1, 1], entries=2)
    assert_equal(len(known.texts), 2, "how many texts are remembered")
    known.store([3, 3, 3], holding([3, 3, 3]), 0)
    found = [fetched(known, [token] * 4) for token in (1, 2, 3)]
    assert_equal(found, [3, 0, 3], "the list of what is known of the three texts")


def test_a_text_that_grew_takes_the_place_of_its_beginning():
    """[1, 1, 1, 1] after [1, 1] replaces it: both would say the same twice."""
    known = remembering([2, 2, 2], [1, 1], [1, 1, 1, 1], entries=2)
    found = [fetched(known, [token] * 5) for token in (1, 2)]
    assert_equal(found, [4, 3], "the list of what is known of two texts")


def test_a_text_is_what_the_row_holds():
    """Three tokens for a row that holds two are a ValueError with both numbers, and nothing is remembered."""
    known = PrefixCache(config(), 2)
    with raises(ValueError, 3, 2):
        known.store([1, 2, 3], holding([1, 2]), 0)
    assert_equal(len(known.texts), 0, "how many texts are remembered")


def test_no_text_takes_no_entry():
    """store([]) does nothing: no entry is taken, and no text is made younger."""
    known = PrefixCache(config(), 2)
    known.store([], holding([]), 0)
    assert_equal(len(known.texts), 0, "how many texts are remembered")
    known = remembering([1, 1, 1], [2, 2, 2], entries=2)
    known.store([], holding([]), 0)
    known.store([3, 3, 3], holding([3, 3, 3]), 0)
    found = [fetched(known, [token] * 4) for token in (1, 2, 3)]
    assert_equal(found, [0, 3, 3], "the list of what is known of the three texts")


# With a model


@pytest.mark.parametrize("ids", [[1, 2, 3, 9], [1, 2, 3, 4], [7, 2], [1]], ids=str)
def test_the_logits_are_the_same(ids):
    """After fetch a model reads the rest alone, and its logits are those of the whole text."""
    manual_seed(0)
    model, known, cache = GPT(config()), PrefixCache(config()), KVCache(config())
    for parameter in model.parameters():
        parameter.data *= 25
    with no_grad():
        model(tensor([[1, 2, 3, 4]]), cache)
    known.store([1, 2, 3, 4], cache, 0)
    other = KVCache(config())
    known.fetch(ids, other, 0)
    expected = next_logits(model, tensor([ids])).data
    assert_close(next_logits(model, tensor([ids]), other), expected, "the logits", atol=1e-4, rtol=1e-4)
