"""Attention in tiles: the same values and gradients, and memory that grows with the length, not with its square."""

import math
import tracemalloc
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from dojo.spec import assert_close, assert_equal, gradcheck, no_warnings, raises, speedup, unchanged
from dojo.spec.strategies import strided
from tinytorch.acceleration import tiles
from tinytorch.acceleration.memory import empty_cache
from tinytorch.acceleration.tiles import (
    TILE,
    TiledAttention,
    attend,
    attend_backward,
    attention_in_tiles,
    fits_tiles,
    like_heads,
    tile_scores,
)
from tinytorch.attention import merge_heads, scaled_dot_product_attention, split_heads
from tinytorch.dispatch import disabled
from tinytorch.tensor import Tensor

INF = math.inf


def drawn(*shapes, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def softmax(scores):
    """The softmax along the rows; 0 where a row is nothing but -inf."""
    largest = scores.max(-1, keepdims=True)
    e = np.exp(scores - np.where(np.isinf(largest), 0, largest))
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


def seen(L, S, share=0.6):
    """A boolean mask with a query that may look nowhere."""
    mask = np.random.default_rng(L * S).random((L, S)) < share
    mask[L // 2] = False
    return mask


# One tile


def test_the_scores_of_a_tile():
    """A tile has the queries from `start` on, at most TILE: their products with all keys, given transposed."""
    q, k = drawn((TILE + 6, 3), (5, 3))
    with unchanged(q, k):
        assert_close(tile_scores(q, k.T, 0, None, False), q[:TILE] @ k.T, "the scores of the first tile")
        assert_close(
            tile_scores(q, k.T, TILE, None, False), q[TILE:] @ k.T, "the scores of the last six queries"
        )


def test_a_causal_tile_leaves_its_future_out():
    """With is_causal query i sees the keys 0 to i: later keys of the tile are -inf, those behind it are left out."""
    q, k = drawn((3, 2), (5, 2))
    scores = q @ k.T
    expected = np.where(np.tri(3, 5, dtype=bool), scores, -INF)[:, :3]
    assert_close(tile_scores(q, k.T, 0, None, True), expected, "the scores of queries 0, 1 and 2")
    q, k = drawn((TILE + 2, 2), (TILE + 4, 2))
    allowed = np.tri(TILE + 2, TILE + 4, dtype=bool)
    expected = np.where(allowed, q @ k.T, -INF)[TILE:, : TILE + 2]
    assert_close(tile_scores(q, k.T, TILE, None, True), expected, "the scores of the second tile")
    q, k = drawn((TILE + 2, 2), (TILE - 3, 2))
    assert_close(
        tile_scores(q, k.T, TILE, None, True), q[TILE:] @ k.T, "a tile that begins behind the last key"
    )


@pytest.mark.parametrize("start", [0, TILE])
def test_a_mask_of_a_tile(start):
    """A boolean mask hides with -inf what is False, a mask of numbers is added: the tile's own rows of it."""
    q, k = drawn((TILE + 6, 3), (5, 3))
    mask, numbers = seen(TILE + 6, 5), drawn((TILE + 6, 5), seed=1)[0]
    rows = slice(start, start + TILE)
    with unchanged(mask, numbers):
        hidden = tile_scores(q, k.T, start, mask, False)
        added = tile_scores(q, k.T, start, numbers, False)
    assert_close(hidden, np.where(mask, q @ k.T, -INF)[rows], "the scores with a boolean mask")
    assert_close(added, (q @ k.T + numbers)[rows], "the scores with a mask of numbers")


# All tiles


def check_attend(q, k, v, mask, is_causal, scores):
    out = np.full((*q.shape[:-1], v.shape[-1]), np.nan)
    with unchanged(q, k, v), no_warnings():
        largest, total = attend(q, k, v, out, mask, is_causal)
    assert_close(out, softmax(scores) @ v, "the result")
    top = scores.max(-1, keepdims=True)
    blind = np.isinf(top)
    assert_close(largest, np.where(blind, 0, top), "the largest scores")
    sums = np.exp(scores - np.where(blind, 0, top)).sum(-1, keepdims=True)
    assert_close(total, np.where(blind, 1, sums), "the sums of exp(score - largest)")


@pytest.mark.parametrize("L", [1, 5, TILE, TILE + 1, 2 * TILE + 3])
def test_attend_goes_through_all_tiles(L):
    """attend writes softmax(scores) @ v into `out`, and returns the largest score and the sum for each query."""
    q, k, v = drawn((L, 3), (7, 3), (7, 2))
    check_attend(q, k, v, None, False, q @ k.T)


def test_attend_takes_leading_axes():
    """Leading axes are heads, computed together."""
    q, k, v = drawn((4, TILE + 3, 3), (4, 70, 3), (4, 70, 2))
    scores = q @ k.swapaxes(-1, -2)
    check_attend(q, k, v, None, True, np.where(np.tri(TILE + 3, 70, dtype=bool), scores, -INF))


def test_a_blind_query_gets_0():
    """A query that may look nowhere gets 0, without a warning; its largest score is 0 and its sum 1."""
    q, k, v = drawn((4, 3), (5, 3), (5, 2))
    mask = seen(4, 5)
    check_attend(q, k, v, mask, False, np.where(mask, q @ k.T, -INF))


def test_large_scores_do_not_overflow():
    """Scores of 100,000 are no trouble: the largest is subtracted first, and saved apart from the sum."""
    q, k = np.array([[1000.0]], np.float32), np.array([[100.0], [99.999]], np.float32)
    out = np.empty((1, 2), np.float32)
    with no_warnings():
        largest, total = attend(q, k, np.eye(2, dtype=np.float32), out, None, False)
    second = math.exp(float(q[0, 0]) * (float(k[1, 0]) - 100))
    assert_close(out, np.array([[1, second]], np.float32) / np.float32(1 + second), "the weights", rtol=1e-2)
    assert_close(largest, np.array([[100_000]], np.float32), "the largest score")
    assert_close(total, np.array([[1 + second]], np.float32), "the sum of exp(score - largest)", rtol=1e-2)


def masked_cases():
    yield "no mask", None, False
    yield "is_causal", None, True
    yield "a boolean mask", seen, False
    yield "a mask of numbers", lambda L, S: drawn((L, S), seed=2)[0], False


@pytest.mark.parametrize(
    ("kind", "mask", "is_causal"), [*masked_cases()], ids=lambda x: x if isinstance(x, str) else ""
)
@pytest.mark.parametrize("shape", [(3, 4), (2, 5, 3)])
def test_gradients_of_attend(kind, mask, is_causal, shape, monkeypatch):
    """attend_backward gives the gradients for the scaled q, for k and for v: here in tiles of two queries."""
    monkeypatch.setattr(tiles, "TILE", 2)
    *lead, L, E = shape
    S, Ev = 4, 2
    mask = None if mask is None else np.broadcast_to(mask(L, S), (*lead, L, S))

    def forward(q, k, v):
        out = np.empty((*lead, L, Ev))
        attend(q, k, v, out, mask, is_causal)
        return out

    def backward(grad, q, k, v):
        sums = attend(q, k, v, np.empty((*lead, L, Ev)), mask, is_causal)
        gradients = [np.full_like(each, np.nan) for each in (q, k, v)]
        attend_backward(grad, q, k, v, sums, mask, is_causal, tuple(gradients))
        return tuple(gradients)

    gradcheck(forward, backward, *drawn(shape, (*lead, S, E), (*lead, S, Ev)), names=("q", "k", "v"))


# The kernel


def test_memory_lies_as_merge_heads_reads_it():
    """like_heads((..., H, T, E), dtype) has that shape, and memory in the order (..., T, H, E), if there is an H."""
    out = like_heads((2, 3, 5, 4), np.float64)
    assert_equal((out.shape, out.dtype), ((2, 3, 5, 4), np.dtype(np.float64)), "shape and dtype")
    assert out.swapaxes(-3, -2).flags.c_contiguous, f"the strides are {out.strides}"
    out = like_heads((3, 5, 4), np.float64)
    assert out.swapaxes(0, 1).flags.c_contiguous, f"of one sample, the strides are {out.strides}"
    assert_equal(like_heads((5, 4), np.float32).shape, (5, 4), "the shape of like_heads((5, 4), float32)")


def tensors():
    return [Tensor(each) for each in drawn((2, 3, 4), (2, 5, 4), (2, 5, 6))]


def test_what_fits_the_tiles():
    """fits_tiles refuses all but finite float32 or float64 of NumPy, one shape in front, and masks that learn."""
    q, k, v = tensors()
    learns = Tensor(np.zeros((3, 5)), requires_grad=True)
    huge = Tensor(np.where(np.arange(5)[:, None] == 4, 1e308, v.data))
    refused = {
        "a mask that learns": (q, k, v, learns),
        "a mask of integers": (q, k, v, Tensor(np.ones((3, 5), np.int64))),
        "a mask of another size": (q, k, v, Tensor(np.ones((5, 3), bool))),
        "a mask with a query too many": (q, k, v, Tensor(np.ones((4, 5), bool))),
        "a mask of two queries": (q, k, v, Tensor(np.ones((2, 5), bool))),
        "an array": (q.data, k, v, None),
        "a mask that is an array": (q, k, v, seen(3, 5)),
        "leading axes that broadcast": (q[:1], k, v, None),
        "another number of features": (q, k[..., :3], v, None),
        "a key of one axis": (q[0], k[0, 0], v[0], None),
        "no keys": (q, k[:, :0], v[:, :0], None),
        "no queries": (q[:, :0], k, v, None),
        "no features": (q[..., :0], k[..., :0], v, None),
        "values without entries": (q, k, v[..., :0], None),
        "no sequence": (q[:0], k[:0], v[:0], None),
        "float16": (*(Tensor(each.data.astype(np.float16)) for each in (q, k, v)), None),
        "two dtypes": (q, k, Tensor(v.data.astype(np.float32)), None),
        "an infinite key": (q, Tensor(np.where(np.arange(5)[:, None] == 4, INF, k.data)), v, None),
        "a nan in a value": (q, k, Tensor(np.where(np.arange(5)[:, None] == 4, np.nan, v.data)), None),
        "scores that overflow": (q * 1e160, k * 1e160, v, None),
        "negative ones that do": (abs(q) * -1e160, abs(k) * -1e160, v, None),
        "float32 scores that overflow": (
            *(Tensor(each.data.astype("f4")) for each in (q * 1e30, k * 1e30, v)),
            None,
        ),
        "a sum of features that overflows": (
            *(Tensor(np.full((1, 1, 100), 2e153)),) * 2,
            Tensor(np.ones((1, 1, 1))),
            None,
        ),
        "a sum of values that overflows": (q, k, huge, None),
    }
    with no_warnings():
        for name, args in refused.items():
            assert fits_tiles(*args) is False, f"{name} fits"
        forbids = Tensor(np.where(seen(3, 5), 0.0, -INF))
        for mask in (None, Tensor(seen(3, 5)), forbids, Tensor(seen(1, 5)), Tensor(seen(3, 1))):
            assert fits_tiles(q, k, v, mask) is True, "what fits is refused"
        assert fits_tiles(q * 1e150, k * 1e150, v, None) is True, "scores of 1e300 are refused"
        assert fits_tiles(q * 1e150, k * 1e150, v, None, 1e10) is False, "a scale of 1e10 makes them overflow"
        large, small = Tensor(np.array([[1e308]])), Tensor(np.array([[0.5]]))
        assert fits_tiles(large, small, small, None, 0.5) is True, "a factor below 1 counts as more than 1"


@pytest.mark.parametrize("masked", [False, True], ids=["is_causal", "mask"])
def test_the_function_has_the_gradients_of_the_composition(masked):
    """TiledAttention goes through the samples one by one; its result and gradients are those of the composition."""
    mask = Tensor(seen(3, 5)) if masked else None
    arrays = [each.data for each in tensors()]
    found = []
    for function in (
        lambda *inputs: TiledAttention.apply(*inputs, mask, mask is None, 0.7),
        disabled()(partial(scaled_dot_product_attention, attn_mask=mask, is_causal=mask is None, scale=0.7)),
    ):
        inputs = [Tensor(each, requires_grad=True) for each in arrays]
        out = function(*inputs)
        out.backward(Tensor(np.cos(np.arange(36.0)).reshape(2, 3, 6)))
        found.append([out, *(each.grad for each in inputs)])
    for name, one, other in zip(("result", "query", "key", "value"), *found, strict=True):
        assert_close(one, other.data, name if name == "result" else f"the gradient of {name}")


def test_merging_the_heads_copies_nothing():
    """What the kernel gives for split heads lies in memory as merge_heads wants it: the merged array is a view."""
    x = Tensor(drawn((2, 6, 8))[0])
    heads = attention_in_tiles(*[split_heads(x, 4)] * 3, is_causal=True)
    assert np.shares_memory(merge_heads(heads).data, heads.data), f"the strides are {heads.data.strides}"


def both(arrays, cotangent, kernel=attention_in_tiles, **options):
    """The result and the gradients of the kernel, and of the composition."""
    found = []
    for function in (kernel, scaled_dot_product_attention):
        inputs = [Tensor(each, requires_grad=True) for each in arrays]
        with disabled(), no_warnings():
            out = function(*inputs, **options)
            assert out is not NotImplemented, "the kernel hands back"
            out.backward(Tensor(cotangent))
        found.append([out.data, *(each.grad.data for each in inputs)])
    return found


def check(arrays, tolerance, **options):
    """Compare the kernel with the composition: values and gradients, each measured by its largest entry.

    A gradient may be 0 because large terms cancel, and how they are rounded is open. So the terms count, too.
    """
    query, key, value = arrays
    cotangent = np.random.default_rng(1).standard_normal((*query.shape[:-1], value.shape[-1]))
    with unchanged(*arrays):
        mine, expected = both(arrays, cotangent.astype(query.dtype), **options)
    names = ("the result", "the gradient of query", "the gradient of key", "the gradient of value")
    terms = np.prod([np.abs(each).max() for each in (cotangent, value, np.append(query, key))])
    for name, one, other in zip(names, mine, expected, strict=True):
        largest = max(np.abs(other).max(), terms / 100, 1e-3)
        assert_close(one, other, name, rtol=tolerance, atol=tolerance * largest)


TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


@settings(max_examples=50)
@given(
    lead=st.lists(st.integers(1, 3), max_size=3),
    L=st.integers(1, 5),
    S=st.integers(1, 5),
    E=st.integers(1, 4),
    kind=st.sampled_from(["none", "boolean", "number", "one axis", "causal"]),
    scale=st.sampled_from([None, 0.5, -1.0, 0.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
    data=st.data(),
)
def test_the_kernel_is_the_composition(lead, L, S, E, kind, scale, dtype, data):
    """Values and gradients are those of the composition, for all leading axes, sizes, masks, scales and strides."""
    arrays = [
        data.draw(strided((*lead, *sides), dtype=dtype), label=name)
        for name, sides in (("query", (L, E)), ("key", (S, E)), ("value", (S, 2)))
    ]
    assume(all(np.abs(each).max() < 100 for each in arrays))
    mask = {"boolean": seen(L, S), "number": drawn((L, S), dtype=dtype)[0], "one axis": seen(1, S)[0]}.get(
        kind
    )
    check(
        arrays,
        10 * TOLERANCE[dtype],
        attn_mask=None if mask is None else Tensor(mask),
        is_causal=kind == "causal",
        scale=scale,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["none", "boolean", "causal"])
@pytest.mark.parametrize(("L", "S"), [(TILE, TILE), (150, 150), (130, 3), (3, 130), (129, 64)])
def test_longer_than_a_tile(L, S, kind, dtype):
    """The same with several tiles, as many keys as queries, more or fewer; a mask may broadcast over the heads."""
    mask = Tensor(seen(L, S)) if kind == "boolean" else None
    arrays = drawn((2, 3, L, 4), (2, 3, S, 4), (2, 3, S, 5), dtype=dtype)
    check(arrays, TOLERANCE[dtype], attn_mask=mask, is_causal=kind == "causal")


@pytest.mark.parametrize("size", [12, 100])
def test_gradients_of_large_scores(size):
    """Scores of hundreds and more lose no more than composed: beside float64 the error is at most twice as large."""
    arrays = [each * size for each in drawn((1, 2, 80, 16), (1, 2, 80, 16), (1, 2, 80, 16), dtype=np.float32)]
    cotangent = drawn((1, 2, 80, 16), dtype=np.float32, seed=3)[0]
    mine, composed = both(arrays, cotangent)
    _, exact = both([each.astype(np.float64) for each in arrays], cotangent.astype(np.float64))
    for name, one, other, right in zip(
        ("result", "query", "key", "value"), mine, composed, exact, strict=True
    ):
        error, usual = (np.abs(each - right).max() for each in (one, other))
        assert error <= 2 * usual + 1e-6 * np.abs(right).max(), (
            f"{name}: off by {error:.1e}, composed {usual:.1e}"
        )


def test_what_the_kernel_leaves_to_the_composition():
    """It returns NotImplemented with dropout, and for what fits_tiles refuses: the composition computes it."""
    q, k, v = tensors()
    assert attention_in_tiles(q, k, v, dropout_p=0.5) is NotImplemented, "dropout"
    both_masks = attention_in_tiles(q, k, v, attn_mask=Tensor(seen(3, 5)), is_causal=True)
    assert both_masks is NotImplemented, "both a mask and is_causal"
    large = q * 1e150, k * 1e150, v
    assert attention_in_tiles(*large) is not NotImplemented, "scores of 1e300 fit"
    largest = Tensor(np.array([[1e308]])), Tensor(np.array([[1.0]])), Tensor(np.array([[1.0]]))
    assert attention_in_tiles(*largest) is not NotImplemented, "scores of 1e308 fit, without a scale"
    assert attention_in_tiles(*large, scale=1e10) is NotImplemented, "scores that overflow by their scale"
    assert attention_in_tiles(q[:1], k, v) is NotImplemented, "leading axes that broadcast"


def test_scores_that_overflow():
    """What overflows has the composition's gradients: where a query may not look they are 0, and not 0 * inf."""
    query, key = np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32)
    query[0] = key[0] = 1e30
    assert attention_in_tiles(Tensor(query), Tensor(key), Tensor(key)) is NotImplemented, "scores of 1e60"
    grads = []
    for context in (nullcontext(), disabled()):
        inputs = [Tensor(each, requires_grad=True) for each in (query, key, np.ones((2, 1), np.float32))]
        with context:
            scaled_dot_product_attention(*inputs, is_causal=True).sum().backward()
        grads.append([each.grad for each in inputs])
    for name, one, other in zip(("query", "key", "value"), *grads, strict=True):
        assert_close(one, other.data, f"the gradient of {name}")


def test_errors_are_those_of_the_composition():
    """What the composition refuses is refused in its words: the kernel hands it back."""
    q, k, v = (Tensor(each) for each in drawn((3, 4), (5, 4), (5, 6)))
    bad = [
        (q, k, v[:4], None),
        (q, k[:, :3], v, None),
        (q, k, v, Tensor(np.ones((5, 3), bool))),
        (q[0], k, v, None),
    ]
    for inputs in bad:
        assert attention_in_tiles(*inputs) is NotImplemented, [
            each.shape for each in inputs if each is not None
        ]
        with raises(ValueError):
            scaled_dot_product_attention(*inputs)
    with raises(TypeError):
        scaled_dot_product_attention(q, k, v, Tensor(np.ones((3, 5), np.int64)))


def test_attention_calls_the_kernel(monkeypatch):
    """scaled_dot_product_attention is computed in tiles, unless kernels are disabled."""
    calls = []
    forward = TiledAttention.forward
    monkeypatch.setattr(
        TiledAttention, "forward", staticmethod(lambda *args: calls.append(1) or forward(*args))
    )
    q, k, v = (Tensor(each) for each in drawn((3, 4), (5, 4), (5, 6)))
    attention_in_tiles(q, k, v)
    assert_equal(len(calls), 1, "the number of calls of TiledAttention")
    scaled_dot_product_attention(q, k, v)
    assert_equal(
        len(calls), 2, "the number of calls of TiledAttention, with one of scaled_dot_product_attention"
    )
    with disabled():
        scaled_dot_product_attention(q, k, v)
    assert_equal(len(calls), 2, "the number of calls of TiledAttention, after one that is disabled")


# Memory and time


def step(arrays, function):
    inputs = [Tensor(each, requires_grad=True) for each in arrays]
    out = function(*inputs, is_causal=True)
    out.backward(Tensor(arrays[0]))
    return (out.data, *(each.grad.data for each in inputs))


def most_memory(T, function):
    """The largest number of bytes in use at any time of a forward and a backward pass, beyond what was there before."""
    arrays = drawn((1, 4, T, 32), (1, 4, T, 32), (1, 4, T, 32), dtype=np.float32)
    empty_cache()
    with disabled():
        tracemalloc.start()
        try:
            step(arrays, function)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_a_quarter_of_the_memory():
    """With 1024 queries and keys, forward and backward take at most a quarter of the composition's memory."""
    mine, composed = most_memory(1024, attention_in_tiles), most_memory(1024, scaled_dot_product_attention)
    assert mine * 4 <= composed, f"{mine / 1e6:.1f} MB in tiles, {composed / 1e6:.1f} MB composed"


def test_memory_grows_with_the_length():
    """Twice the length takes at most 2.2 times the memory: nothing of size L * S is kept or made."""
    short, long = most_memory(1024, attention_in_tiles), most_memory(2048, attention_in_tiles)
    assert long <= 2.2 * short, f"{short / 1e6:.1f} MB for 1024, {long / 1e6:.1f} MB for 2048"


def test_tiles_are_faster():
    """At 512 queries and keys, forward and backward are at least 1.3 times faster than the composition."""
    arrays = drawn((1, 4, 512, 32), (1, 4, 512, 32), (1, 4, 512, 32), dtype=np.float32)

    def composed():
        with disabled():
            return step(arrays, scaled_dot_product_attention)

    speedup(
        lambda: step(arrays, attention_in_tiles),
        composed,
        1.3,
        what="attention in tiles",
        baseline="the composition",
    )
