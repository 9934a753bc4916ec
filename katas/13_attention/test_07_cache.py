"""The place for a cache: what earlier tokens offered need not be computed again."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal
from dojo.spec.strategies import arrays
from tinytorch.attention import Cache, MultiHeadAttention, causal_mask
from tinytorch.tensor import Tensor, cat

sequences = arrays((2, 6, 4), np.float64)
cuts = st.sets(st.integers(1, 5)).map(sorted)


class Remembered(Cache):
    """The simplest cache that does what its docstring says: a list of what it was given, for each layer."""

    def __init__(self, layers=1):
        self.given = [[] for _ in range(layers)]

    @property
    def length(self):
        """Of the last layer: it is the last to be told."""
        return sum(key.shape[-2] for key, _ in self.given[-1])

    def update(self, layer, key, value):
        self.given[layer].append((key, value))
        keys, values = zip(*self.given[layer], strict=True)
        return cat(keys, dim=-2), cat(values, dim=-2)


def layer(**options):
    """Attention of 4 features and 2 heads in float64, with weights that do not depend on the seed."""
    attention = MultiHeadAttention(4, 2, **options)
    attention.to(np.float64)
    rng = np.random.default_rng(5)
    for parameter in attention.parameters():
        parameter.data[...] = rng.integers(-4, 5, parameter.shape) / 4
    return attention


def test_a_cache_is_given_the_new_keys_and_values():
    """cache.update(layer, key, value) gets what k_proj and v_proj made of the new tokens, by head: (B, H, L, D / H)."""
    attention, cache = layer(), Remembered(3)
    x = np.arange(24.0).reshape(2, 3, 4) % 7 - 3
    attention(Tensor(x[:, :2]), cache=cache, layer=1)
    attention(Tensor(x[:, 2:]), cache=cache, layer=1)
    assert_equal(
        [len(given) for given in cache.given], [0, 2, 0], "with layer=1, the calls of update by layer"
    )
    for number, name in enumerate(("k_proj", "v_proj")):
        made = getattr(attention, name)(Tensor(x)).data.reshape(2, 3, 2, 2).swapaxes(1, 2)
        for call, places in enumerate((slice(0, 2), slice(2, 3))):
            assert_close(
                cache.given[1][call][number], made[:, :, places], f"call {call}: what came from {name}"
            )


def test_a_query_meets_the_keys_of_earlier_calls():
    """Without is_causal a new token looks at all that the cache gives back, and at itself."""
    attention, cache = layer(), Remembered()
    x = np.arange(24.0).reshape(2, 3, 4) % 7 - 3
    attention(Tensor(x[:, :2]), cache=cache)
    out = attention(Tensor(x[:, 2:]), cache=cache)
    assert_close(out, attention(Tensor(x)).data[:, 2:], "what the third token gets")


@pytest.mark.parametrize("rope", [False, True])
@given(x=sequences, cuts=cuts)
@example(np.arange(48.0).reshape(2, 6, 4) % 7 - 3, [1, 2, 3, 4, 5])
@example(np.arange(48.0).reshape(2, 6, 4) % 7 - 3, [2])
def test_piece_by_piece_is_all_at_once(rope, x, cuts):
    """With is_causal, a text cut anywhere, each piece attending with the cache of those before, gives what the whole
    text gives: query i sees the keys up to place cache.length + i, and with rope it is turned by its place in the text.
    """
    attention, cache = layer(rope=rope), Remembered()
    pieces = [
        attention(Tensor(piece), is_causal=True, cache=cache).data for piece in np.split(x, cuts, axis=1)
    ]
    expected = attention(Tensor(x), is_causal=True)
    assert_close(np.concatenate(pieces, axis=1), expected.data, f"cut at {cuts}, the result")


def test_the_layers_of_a_model_share_a_cache():
    """In the second layer, too, cache.length is that of earlier passes: each layer begins at the place where the first
    one did.
    """
    first, second = layer(rope=True), layer(rope=True)
    second.q_proj.weight.data[...] = 1 - second.q_proj.weight.data
    x = np.arange(48.0).reshape(2, 6, 4) % 7 - 3
    cache, pieces = Remembered(2), []
    for piece in np.split(x, [2, 3], axis=1):
        hidden = first(Tensor(piece), is_causal=True, cache=cache, layer=0)
        pieces.append(second(hidden, is_causal=True, cache=cache, layer=1).data)
    expected = second(first(Tensor(x), is_causal=True), is_causal=True)
    assert_close(np.concatenate(pieces, axis=1), expected.data, "what two layers make of it, piece by piece,")


def test_a_mask_covers_cached_keys_too():
    """With a cache, attn_mask (..., L, S) is over all keys, old and new, and is used as it is."""
    attention, cache = layer(), Remembered()
    x = np.arange(24.0).reshape(2, 3, 4) % 7 - 3
    attention(Tensor(x[:, :1]), cache=cache)
    seen = np.array([[False, True, False], [True, False, True]])  # of the second and the third token
    out = attention(Tensor(x[:, 1:]), attn_mask=Tensor(seen), cache=cache)
    expected = attention(Tensor(x[:, 1:]), Tensor(x), attn_mask=Tensor(seen))
    assert_close(out, expected.data, "what the last two tokens get")


def test_without_a_cache_nothing_is_remembered():
    """Two calls without a cache know nothing of each other."""
    attention, x = layer(), Tensor(np.arange(24.0).reshape(2, 3, 4) % 7 - 3)
    mask = causal_mask(3)
    first = attention(x, attn_mask=mask).data
    attention(Tensor(np.ones((2, 5, 4))), is_causal=True)
    assert_close(attention(x, attn_mask=mask), first, "the same call again")
