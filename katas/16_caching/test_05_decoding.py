"""A kernel for one token a row: the same logits on arrays, without Modules and Tensors on the way."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays
from tinytorch import dispatch
from tinytorch.autograd import no_grad
from tinytorch.caching import KVCache, attended, can_decode, decode, gelu_tanh, normalized, projected
from tinytorch.layers import Linear
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, zeros
from tinytorch.transformers import GPT, GPTConfig, LayerNorm, next_logits

few = st.integers(1, 3)


def model_of(dtype=np.float32, **changes):
    """A model whose logits differ much, in eval mode or not."""
    manual_seed(1)
    options = {"vocab_size": 11, "block_size": 8, "n_layer": 2, "n_head": 2, "n_embd": 6} | changes
    model = GPT(GPTConfig(**options))
    rng = np.random.default_rng(2)
    for parameter in model.parameters():
        parameter.data[...] = rng.standard_normal(parameter.shape) / 2
    return model.to(dtype)


def cache_for(model, lengths, dtype=np.float32):
    """A cache whose rows have read texts of these lengths, and the ids with a new token for each."""
    cache = KVCache(model.config, len(lengths), dtype=dtype)
    ids = np.random.default_rng(3).integers(0, model.config.vocab_size, (len(lengths), max(lengths) + 1))
    for row, length in enumerate(lengths):
        if length:
            with no_grad():
                model.eval()(Tensor(ids[row : row + 1, -length - 1 : -1]), cache[row : row + 1])
    return cache, Tensor(ids)


# The parts, on arrays


@given(x=arrays(st.tuples(few, few)), weighted=st.booleans(), biased=st.booleans())
def test_normalized_is_layer_norm_of_an_array(x, weighted, biased):
    """normalized(x, norm) is what the LayerNorm makes of x (R, D), row by row, with weight and bias or without."""
    norm = LayerNorm(x.shape[1], eps=0.1, elementwise_affine=weighted, bias=biased)
    expected = np.zeros(x.shape)
    for row, out in zip(x.astype(np.float64), expected, strict=True):
        mean = sum(row) / len(row)
        variance = sum((each - mean) ** 2 for each in row) / len(row)
        out[:] = [(each - mean) / math.sqrt(variance + 0.1) for each in row]
    if norm.weight is not None:
        norm.weight.data[...] = np.arange(2, 2 + x.shape[1])
        expected *= norm.weight.data
    if norm.bias is not None:
        norm.bias.data[...] = np.arange(x.shape[1]) - 1
        expected += norm.bias.data
    with unchanged(x, *norm.parameters()):
        assert_close(normalized(x, norm), expected.astype(np.float32), "the result", atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_projected_is_linear_of_an_array(bias):
    """projected(x, layer) is x @ weight.T + bias, and no bias where the layer has none."""
    layer, x = Linear(2, 3, bias), np.array([[1, 2], [0, -1]], np.float32)
    layer.weight.data[...] = [[1, 0], [0, 1], [2, 3]]
    expected = np.array([[1, 2, 8], [0, -1, -3]], np.float32)
    if bias:
        layer.bias.data[...] = [10, 20, 30]
        expected += np.array([10, 20, 30], np.float32)
    with unchanged(x, *layer.parameters()):
        assert_close(projected(x, layer), expected, "the result")


@given(x=arrays(st.tuples(few, few)))
def test_gelu_of_an_array(x):
    """gelu_tanh(x) is x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2, in float32, and x does not change."""
    expected = [
        each * (1 + math.tanh(math.sqrt(2 / math.pi) * (each + 0.044715 * each**3))) / 2
        for each in x.ravel().tolist()
    ]
    with unchanged(x), no_warnings():
        assert_close(gelu_tanh(x), np.array(expected, np.float32).reshape(x.shape), "the result", atol=1e-5)


@pytest.mark.parametrize("lengths", [[3], [0], [2, 2], [4, 1, 0]], ids=str)
def test_attention_of_one_token(lengths):
    """attended(x, attn, cache, layer) is what the module gives for one new token a row, each at its own place.

    The new keys and values stand in the cache afterwards; the lengths do not change.
    """
    model = model_of()
    cache, _ = cache_for(model, lengths)
    other, _ = cache_for(model, lengths)
    x = np.random.default_rng(4).standard_normal((len(lengths), 6)).astype(np.float32)
    attn = model.h[0].attn.eval()
    with no_grad():
        expected = attn(Tensor(x[:, None]), is_causal=True, cache=other, layer=0).data[:, 0]
    with unchanged(x), no_warnings():
        out = attended(x, attn, cache, 0)
    assert_close(out, expected, "the result", atol=1e-5)
    for row, length in enumerate(lengths):
        for name in ("keys", "values"):
            now, right = (getattr(each, name)[:, row, :, : length + 1] for each in (cache, other))
            assert_close(now, right, f"the {name} of a row of {length} tokens", atol=1e-5)
    assert_close(cache.lengths, np.array(lengths), "the lengths")


def test_what_stands_behind_the_end_is_not_seen():
    """Large numbers behind the end of a shorter row change nothing in what attended gives."""
    model = model_of()
    cache, _ = cache_for(model, [4, 1])
    clean, _ = cache_for(model, [4, 1])
    cache.keys[:, 1, :, 2:] = 1e4
    cache.values[:, 1, :, 2:] = 1e4
    x, attn = np.random.default_rng(4).standard_normal((2, 6)).astype(np.float32), model.h[0].attn
    expected = attended(x, attn, clean, 0)
    assert_close(attended(x, attn, cache, 0), expected, "the result")


# Where it takes the place of next_logits


def test_it_knows_where_it_may_be_used():
    """can_decode is True for a GPT and a KVCache where each row has one new token."""
    for lengths in ([3], [2, 2], [4, 1, 0], [7]):
        model = model_of()
        cache, ids = cache_for(model, lengths)
        assert_equal(can_decode(model, ids, cache), True, f"can_decode, for texts of {lengths} tokens,")


class Mine(GPT):
    """Its forward could be another."""


class Doubled(Linear):
    def forward(self, x):
        return super().forward(x) * 2.0


def subclass(model, ids, cache):
    other = Mine(model.config)
    return other, ids, cache


def another_linear(model, ids, cache):
    model.h[1].mlp.c_proj = Doubled(24, 6)
    return model, ids, cache


def another_norm(model, ids, cache):
    model.h[1].ln_2 = Linear(6, 6)
    model.h[1].ln_2.__class__ = type("Norm", (LayerNorm,), {})
    return model, ids, cache


def another_mlp(model, ids, cache):
    model.h[1].mlp = Linear(6, 6)
    return model, ids, cache


def rope(model, ids, cache):
    model.h[0].attn.rope = True
    return model, ids, cache


def no_cache(model, ids, cache):
    return model, ids, None


def no_room(model, ids, cache):
    cache.truncate(0)
    small = KVCache(model.config, 2, max_length=3)
    for row in (0, 1):
        small.copy_row(row, cache_for(model, [3, 3])[0], row)
    return model, ids, small


def two_new(model, ids, cache):
    cache.truncate(2)
    return model, ids, cache


def other_rows(model, ids, cache):
    return model, ids[:1], cache


def bad_id(model, ids, cache):
    ids.data[1, -1] = 11
    return model, ids, cache


def negative_id(model, ids, cache):
    ids.data[0, -1] = -1
    return model, ids, cache


def other_dtype(model, ids, cache):
    return model.to(np.float64), ids, cache


def more_layers(model, ids, cache):
    return model_of(n_layer=3), ids, cache


def other_heads(model, ids, cache):
    return model_of(n_head=3), ids, cache


def more_features(model, ids, cache):
    return model_of(n_embd=8), ids, cache


def float_ids(model, ids, cache):
    return model, ids.to(np.float32), cache


CASES = [subclass, another_linear, another_norm, another_mlp, rope, no_cache, no_room, two_new, other_rows]
CASES += [bad_id, negative_id, float_ids, other_dtype, more_layers, other_heads, more_features]


@pytest.mark.parametrize("change", CASES, ids=lambda change: change.__name__)
def test_it_hands_back_what_it_does_not_know(change):
    """Another class, rope, no place left, two new tokens, an unknown id ...: decode gives NotImplemented at once.

    The cache is as it was.
    """
    model = model_of()
    model, ids, cache = change(model, *reversed(cache_for(model, [3, 3])))
    before = None if cache is None else (cache.keys.copy(), cache.lengths.copy())
    assert_equal(can_decode(model, ids, cache), False, "can_decode")
    assert decode(model, ids, cache) is NotImplemented, "decode has computed something"
    if cache is not None:
        assert_close(cache.keys, before[0], "the keys")
        assert_close(cache.lengths, before[1], "the lengths")


def test_every_module_is_looked_at():
    """If any module of the model, also the ModuleList or a Dropout, is of a subclass, can_decode is False."""
    model = model_of()
    cache, ids = cache_for(model, [3])
    for name, part in model.named_modules():
        kind = type(part)
        part.__class__ = type("Mine", (kind,), {})
        assert_equal(
            can_decode(model, ids, cache), False, f"can_decode, if {name or 'the model'} is a subclass,"
        )
        part.__class__ = kind
    assert_equal(can_decode(model, ids, cache), True, "can_decode, if none is,")


def test_the_last_place_of_the_model_is_the_last():
    """With 8 tokens of block_size 8 in a longer cache there is no place for another one: next_logits refuses it."""
    model = model_of()
    cache, ids = KVCache(model.config, max_length=20), zeros(1, 9, dtype=np.int64)
    with no_grad():
        model(ids[:, :8], cache)
    assert_equal(can_decode(model, ids, cache), False, "can_decode")
    with raises(ValueError, 9, 8):
        next_logits(model, ids, cache)


# The whole step


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"tie_weights": False, "n_head": 3}, {"n_layer": 1}], ids=str
)
@pytest.mark.parametrize("lengths", [[3], [0, 0], [5, 1, 0]], ids=str)
def test_decode_gives_the_logits_of_next_logits(lengths, options, dtype):
    """decode(model, ids, cache) and the uncached next_logits of each text agree; each row has one token more."""
    model = model_of(dtype, **options)
    cache, ids = cache_for(model, lengths, dtype)
    with unchanged(ids, *model.parameters()), no_warnings():
        logits = decode(model, ids, cache)
    with dispatch.disabled():
        expected = [
            next_logits(model, ids[row : row + 1, -length - 1 :]).data for row, length in enumerate(lengths)
        ]
    assert_close(logits, np.concatenate(expected), "the logits", atol=1e-4)
    assert_close(cache.lengths, np.array(lengths) + 1, "the lengths")


def test_it_goes_on_token_by_token():
    """Eight steps in a row give the logits of the whole text each time: keys and values are where they belong."""
    model, ids = model_of(), np.array([[1, 5, 2, 10, 0, 7, 3, 3], [4, 4, 9, 1, 6, 2, 8, 0]])
    cache = KVCache(model.config, 2)
    for end in range(1, 9):
        found = decode(model, Tensor(ids[:, :end]), cache)
        assert_close(
            found, next_logits(model, Tensor(ids[:, :end])).data, f"the logits after {end}", atol=1e-4
        )


def test_a_text_without_a_batch_can_be_decoded():
    """ids (T,) and a cache of one row give logits (V,); for no rows next_logits gives (0, V)."""
    model = model_of()
    cache, ids = cache_for(model, [3])
    expected = next_logits(model, ids).data[0]
    assert_close(decode(model, ids[0], cache), expected, "the logits", atol=1e-5)
    assert_equal(next_logits(model, ids[:0, :1], cache[:0]).shape, (0, 11), "the shape for no rows")


def test_next_logits_calls_it():
    """next_logits calls the kernel for one new token a row, not for a prompt, and never inside of disabled()."""
    model, seen = model_of(), []
    cache, ids = KVCache(model.config, 2), Tensor(np.array([[1, 5, 2, 3, 4], [4, 4, 9, 1, 0]]))

    def observer(event, run):
        seen.append(event.kind == "kernel" and event.name == "next_logits")
        return run()

    kernels = dispatch.kernels[next_logits]
    assert_equal(getattr(kernels, "__name__", ""), "decode", "the kernel of next_logits")
    next_logits(model, ids[:, :3], cache)
    four = ids[:, :4]
    dispatch.observers.append(observer)
    try:
        next_logits(model, four, cache)
        used = len(seen)
        with dispatch.disabled():
            next_logits(model, ids, cache)
    finally:
        dispatch.observers.remove(observer)
    assert_equal(seen[:used], [True], "the kernel, and not a primitive, was seen by the observer:")
    assert not any(seen[used:]), "inside of disabled() the kernel was called"
