"""The place for a cache: the keys and values of earlier tokens need not be computed again."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import Remembered, ShapeError, Together, assert_close, assert_equal, raises, settled
from dojo.spec.strategies import arrays
from tinytorch.attention import MultiHeadAttention, causal_mask
from tinytorch.tensor import Tensor, cat

sequences = arrays((2, 6, 4), np.float64)
cuts = st.sets(st.integers(1, 5)).map(sorted)


def layer(**options):
    """Attention of 4 features and 2 heads in float64, with weights that do not depend on the seed."""
    return settled(MultiHeadAttention(4, 2, **options))


def test_a_cache_is_given_the_new_keys_and_values():
    """cache.update(layer, key, value) gets what k_proj and v_proj made of the new tokens, by head: (B, H, L, D / H)."""
    attention, cache = layer(), Remembered(cat, 3)
    x = np.arange(24.0).reshape(2, 3, 4) % 7 - 3
    attention(Tensor(x[:, :2]), cache=cache, layer=1)
    attention(Tensor(x[:, 2:]), cache=cache, layer=1)
    assert_equal(
        [len(given) for given in cache.given], [0, 2, 0], "with layer=1, the count of update calls by layer"
    )
    for number, name in enumerate(("k_proj", "v_proj")):
        made = getattr(attention, name)(Tensor(x)).data.reshape(2, 3, 2, 2).swapaxes(1, 2)
        for call, places in enumerate((slice(0, 2), slice(2, 3))):
            assert_close(
                cache.given[1][call][number], made[:, :, places], f"call {call}: what came from {name}"
            )


@pytest.mark.parametrize("rope", [False, True])
def test_a_query_meets_the_keys_of_earlier_calls(rope):
    """Without is_causal a new token looks at all that the cache gives back, and at itself.

    With rope it is rotated by its place in the text.
    """
    attention, cache = layer(rope=rope), Remembered(cat)
    x = np.arange(24.0).reshape(2, 3, 4) % 7 - 3
    attention(Tensor(x[:, :2]), cache=cache)
    out = attention(Tensor(x[:, 2:]), cache=cache)
    assert_close(out, attention(Tensor(x)).data[:, 2:], "what the third token gets")


@pytest.mark.parametrize("rope", [False, True])
@given(x=sequences, cuts=cuts)
@example(np.arange(48.0).reshape(2, 6, 4) % 7 - 3, [1, 2, 3, 4, 5])
@example(np.arange(48.0).reshape(2, 6, 4) % 7 - 3, [2])
def test_piece_by_piece_is_all_at_once(rope, x, cuts):
    """With is_causal, a text in pieces, each with the cache of those before it, gives what the whole text gives.

    Query i sees the keys up to place cache.length + i, and with rope it is rotated by its place in the text.
    """
    attention, cache = layer(rope=rope), Remembered(cat)
    pieces = [
        attention(Tensor(piece), is_causal=True, cache=cache).data for piece in np.split(x, cuts, axis=1)
    ]
    expected = attention(Tensor(x), is_causal=True)
    assert_close(np.concatenate(pieces, axis=1), expected.data, f"cut at {cuts}, the result")


def test_the_layers_of_a_model_share_a_cache():
    """In the second layer, too, cache.length is that of earlier passes: each layer begins at the same place."""
    first, second = layer(rope=True), layer(rope=True)
    second.q_proj.weight.data[...] = 1 - second.q_proj.weight.data
    x = np.arange(48.0).reshape(2, 6, 4) % 7 - 3
    cache, pieces = Remembered(cat, 2), []
    for piece in np.split(x, [2, 3], axis=1):
        hidden = first(Tensor(piece), is_causal=True, cache=cache, layer=0)
        pieces.append(second(hidden, is_causal=True, cache=cache, layer=1).data)
    expected = second(first(Tensor(x), is_causal=True), is_causal=True)
    assert_close(np.concatenate(pieces, axis=1), expected.data, "what two layers make of it, piece by piece,")


@pytest.mark.parametrize("earlier", [0, 2])
def test_new_keys_may_be_more_than_queries(earlier):
    """With a cache, is_causal lets query i see the keys up to place cache.length + i, however many keys are new."""
    attention, cache = layer(), Remembered(cat)
    x = np.arange(40.0).reshape(2, 5, 4) % 7 - 3
    if earlier:
        attention(Tensor(x[:, :earlier]), cache=cache)
    query, key = Tensor(x[:, :2] + 1), Tensor(x[:, earlier:])
    out = attention(query, key, is_causal=True, cache=cache)
    seen = np.arange(5) <= earlier + np.arange(2)[:, None]
    expected = attention(query, Tensor(x), attn_mask=Tensor(seen))
    assert_close(
        out, expected.data, f"with {earlier} earlier keys and {5 - earlier} new ones, what two queries get"
    )


@pytest.mark.parametrize("rope", [False, True])
@given(lengths=st.lists(st.integers(0, 4), min_size=1, max_size=3), new=st.integers(1, 3))
@example([1, 4, 0], 2)
@example([0, 0], 2)
def test_texts_may_have_unequal_lengths(rope, lengths, new):
    """Where cache.length is an array, one number for each text, each text of the batch gets what it gets alone.

    Its new tokens begin at the place of its own length, for is_causal and for rope; those behind its end are not seen.
    """
    attention, x = layer(rope=rope), np.arange(84.0).reshape(3, 7, 4) % 7 - 3
    texts, expected, pieces = [], [], []
    for text, length in zip(x, lengths, strict=False):
        texts.append(Remembered(cat))
        if length:
            attention(Tensor(text[None, :length]), is_causal=True, cache=texts[-1])
        whole = attention(Tensor(text[None, : length + new]), is_causal=True).data
        expected.append(whole[:, length:])
        pieces.append(text[None, length : length + new])
    out = attention(Tensor(np.concatenate(pieces)), is_causal=True, cache=Together(texts))
    assert_close(out, np.concatenate(expected), f"texts of {lengths} tokens, and {new} new ones each:")


REFUSED = {
    "a mask with is_causal": (ValueError, {"attn_mask": np.ones((2, 4), bool), "is_causal": True}),
    "a mask over the new keys only": (ValueError, {"attn_mask": np.ones((2, 2), bool)}),
    "a mask of integers": (TypeError, {"attn_mask": np.ones((2, 4), np.int64)}),
    "a value too few": (ValueError, {"value": np.ones((2, 1, 4))}),
}


@pytest.mark.parametrize(("kind", "options"), REFUSED.values(), ids=REFUSED)
def test_a_call_that_is_refused_leaves_the_cache_alone(kind, options):
    """Whatever is refused is refused before cache.update: the same call, made right, then gives the right result."""
    attention, cache = layer(), Remembered(cat)
    x = np.arange(32.0).reshape(2, 4, 4) % 7 - 3
    attention(Tensor(x[:, :2]), is_causal=True, cache=cache)
    options = {name: Tensor(each) if isinstance(each, np.ndarray) else each for name, each in options.items()}
    with raises(kind):
        new = Tensor(x[:, 2:])
        attention(new, new, **options, cache=cache)
    assert_equal(len(cache.given[0]), 1, "the count of update calls, one of which was refused,")


@pytest.mark.parametrize("earlier", [0, 2])
def test_a_cache_does_not_let_a_mask_with_is_causal_pass(earlier):
    """attn_mask and is_causal=True together are a ValueError with both names, also with a cache, empty or not."""
    attention, cache = layer(), Remembered(cat)
    x = Tensor(np.arange(40.0).reshape(2, 5, 4) % 7 - 3)
    if earlier:
        attention(x[:, :earlier], cache=cache)
    mask = Tensor(np.ones((5 - earlier, 5), bool))
    with raises(ShapeError, "attn_mask", "is_causal"):
        attention(x[:, earlier:], attn_mask=mask, is_causal=True, cache=cache)


def test_a_mask_covers_cached_keys_too():
    """With a cache, attn_mask (..., L, S) is over all keys, old and new, and is used as it is, boolean or not."""
    attention = layer()
    x = np.arange(24.0).reshape(2, 3, 4) % 7 - 3
    seen = np.array([[False, True, False], [True, False, True]])  # of the second and the third token
    for mask in (seen, np.where(seen, [0.5, 0.0, -0.5], -np.inf)):
        cache = Remembered(cat)
        attention(Tensor(x[:, :1]), cache=cache)
        out = attention(Tensor(x[:, 1:]), attn_mask=Tensor(mask), cache=cache)
        expected = attention(Tensor(x[:, 1:]), Tensor(x), attn_mask=Tensor(mask))
        assert_close(out, expected.data, f"what the last two tokens get, with a mask of {mask.dtype}")


@pytest.mark.parametrize("way", ["alone", "a mask", "is_causal", "a cache", "a cache and is_causal"])
def test_dropout_acts_in_every_way(way):
    """With dropout=1 every weight is dropped while training, with a mask, is_causal or a cache too.

    What is left is the bias of out_proj. In eval mode nothing is dropped.
    """
    attention, x = layer(dropout=1.0), Tensor(np.arange(24.0).reshape(2, 3, 4) % 7 - 3)

    def last_token():
        options = {"is_causal": True} if "is_causal" in way else {}
        if way == "a mask":
            options["attn_mask"] = causal_mask(1, 3, 2)
        if "cache" not in way:
            return attention(x[:, 2:], x, **options | ({"is_causal": False} if options else {}))
        cache = Remembered(cat)
        attention(x[:, :2], cache=cache, **options)
        return attention(x[:, 2:], cache=cache, **options)

    bias = np.broadcast_to(attention.out_proj.bias.data, (2, 1, 4))
    assert_close(last_token(), bias, f"{way}, while training, the result")
    attention.eval()
    assert_close(last_token(), layer()(x).data[:, 2:], f"{way}, in eval mode, the result")


def test_values_of_their_own_join_the_cache():
    """Where a value is given beside the key, the cache gets what v_proj makes of it."""
    attention, cache = layer(), Remembered(cat)
    key, value = (np.arange(24.0).reshape(2, 3, 4) % n - 3 for n in (7, 5))
    attention(Tensor(key[:, :1]), Tensor(key), Tensor(value), cache=cache)
    made = attention.v_proj(Tensor(value)).data.reshape(2, 3, 2, 2).swapaxes(1, 2)
    assert_close(cache.given[0][0][1], made, "the values that the cache was given")


def test_without_a_cache_nothing_is_remembered():
    """Two calls without a cache know nothing of each other."""
    attention, x = layer(), Tensor(np.arange(24.0).reshape(2, 3, 4) % 7 - 3)
    mask = causal_mask(3)
    first = attention(x, attn_mask=mask).data
    attention(Tensor(np.ones((2, 5, 4))), is_causal=True)
    assert_close(attention(x, attn_mask=mask), first, "the same call again")
