"""MultiHeadAttention: queries, keys and values are learned."""

import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, raises, settled
from dojo.spec.strategies import arrays
from tinytorch.attention import MultiHeadAttention, causal_mask
from tinytorch.embeddings import apply_rope
from tinytorch.layers import Linear
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, zeros

INF = math.inf
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
sequences = arrays((2, 4, 6), np.float64)


def layer(heads=2, **options):
    """Attention of 6 features in float64, with weights that do not depend on the seed; bias too."""
    return settled(MultiHeadAttention(6, heads, **options))


def weights_of(attention):
    """The eight arrays: {"q_proj": (weight, bias), ...}."""
    return {
        name: (getattr(attention, name).weight.data, getattr(attention, name).bias.data)
        for name in PROJECTIONS
    }


def by_loops(arrays_of, heads, query, key, value, mask, rope=False):
    """The weights (heads, L, S) and the result (L, D) for one sequence.

    `mask` has the shape of the weights, and -inf where a head is blind. With rope, each head's queries and keys are
    rotated, and its values are not.
    """
    q, k, v = (
        x @ arrays_of[name][0].T + arrays_of[name][1]
        for x, name in zip((query, key, value), PROJECTIONS, strict=False)
    )
    L, S, E = len(q), len(k), q.shape[1] // heads
    weights, merged = np.zeros((heads, L, S)), np.zeros((L, heads * E))
    for h in range(heads):
        own = slice(h * E, (h + 1) * E)
        if rope:
            q[:, own], k[:, own] = (apply_rope(Tensor(x[:, own])).data for x in (q, k))
        for i in range(L):
            scores = [q[i, own] @ k[j, own] / math.sqrt(E) + mask[h, i, j] for j in range(S)]
            exponentials = [math.exp(score) for score in scores]
            if total := math.fsum(exponentials):
                weights[h, i] = [e / total for e in exponentials]
            merged[i, own] = sum(weights[h, i, j] * v[j, own] for j in range(S))
    weight, bias = arrays_of["out_proj"]
    return weights, merged @ weight.T + bias


def test_attention_has_four_projections():
    """q_proj, k_proj, v_proj and out_proj are Linear(6, 6), in this order; with bias=False none has a bias."""
    shapes = {
        f"{name}.{kind}": (6, 6) if kind == "weight" else (6,)
        for name in PROJECTIONS
        for kind in ("weight", "bias")
    }
    state = MultiHeadAttention(6, 2).state_dict()
    assert_equal(
        {name: value.shape for name, value in state.items()}, shapes, "the table of shapes in the state_dict"
    )
    state = MultiHeadAttention(6, 2, bias=False).state_dict()
    assert_equal(
        list(state),
        [f"{name}.weight" for name in PROJECTIONS],
        "without bias, the list of names in the state_dict",
    )
    for name in PROJECTIONS:
        assert isinstance(getattr(MultiHeadAttention(6, 2), name), Linear), f"{name} is no Linear"


@pytest.mark.parametrize(("features", "heads"), [(6, 4), (6, 0)])
def test_every_head_needs_as_many_features(features, heads):
    """MultiHeadAttention(6, 4) and (6, 0) are a ValueError with both numbers."""
    with raises(ShapeError, features, heads):
        MultiHeadAttention(features, heads)


@pytest.mark.parametrize(("features", "heads"), [(6, 2), (4, 4)])
def test_rope_needs_features_in_pairs(features, heads):
    """MultiHeadAttention(6, 2, rope=True) is a ValueError with both numbers: rope needs heads of an even size."""
    with raises(ShapeError, features, heads):
        MultiHeadAttention(features, heads, rope=True)


def test_a_layer_refuses_a_dropout_out_of_range():
    """MultiHeadAttention(6, 2, dropout=1.5) is a ValueError with 1.5."""
    with raises(ValueError, 1.5):
        MultiHeadAttention(6, 2, dropout=1.5)


def test_queries_and_keys_by_head():
    """queries_and_keys(query, key) projects with q_proj and k_proj, and splits both into heads."""
    attention = layer()
    query, key = np.arange(12.0).reshape(2, 6), 1 - np.arange(18.0).reshape(3, 6)
    for name, x, found in zip(
        PROJECTIONS, (query, key), attention.queries_and_keys(Tensor(query), Tensor(key)), strict=False
    ):
        weight, bias = weights_of(attention)[name]
        both = x @ weight.T + bias
        assert_close(found, np.stack([both[:, :3], both[:, 3:]]), f"what {name} makes of it, by head,")


@pytest.mark.parametrize("start", [0, 3])
def test_rope_turns_queries_and_keys(start):
    """With rope=True queries and keys are rotated by apply_rope(..., start), after the split into heads, not before."""
    plain, turned = layer(3), layer(3, rope=True)
    query, key = np.arange(12.0).reshape(2, 6), 1 - np.arange(18.0).reshape(3, 6)
    q, k = plain.queries_and_keys(Tensor(query), Tensor(key), start)
    found_q, found_k = turned.queries_and_keys(Tensor(query), Tensor(key), start)
    assert_close(found_q, apply_rope(q, start).data, "the queries")
    assert_close(found_k, apply_rope(k, start).data, "the keys")


KINDS = [(1, False), (2, False), (3, False), (6, False), (1, True), (3, True)]  # heads, rope


@given(x=sequences, kind=st.sampled_from(KINDS), causal=st.booleans())
@example(np.arange(48.0).reshape(2, 4, 6) % 7 - 3, (3, True), False)
def test_self_attention_head_by_head(x, kind, causal):
    """attention(x): project, split, attend in each head with 1 / sqrt(D / H), merge, project.

    With rope=True each head's queries and keys are rotated, and its values are not.
    """
    heads, rope = kind
    attention = layer(heads, rope=rope)
    mask = np.zeros((heads, 4, 4))
    if causal:
        mask[:, np.arange(4)[:, None] < np.arange(4)] = -INF
    expected = [by_loops(weights_of(attention), heads, each, each, each, mask, rope)[1] for each in x]
    out = attention(Tensor(x), is_causal=causal)
    assert_close(out, np.stack(expected), f"with {heads} heads and rope={rope}, the result")


@given(query=arrays((3, 6), np.float64), key=arrays((4, 6), np.float64), value=arrays((4, 6), np.float64))
def test_attention_to_another_sequence(query, key, value):
    """attention(query, key, value) looks at another sequence; by default the value is the key.

    One sequence (T, D) needs no batch.
    """
    attention, mask = layer(), np.zeros((2, 3, 4))
    expected = by_loops(weights_of(attention), 2, query, key, value, mask)[1]
    assert_close(
        attention(Tensor(query), Tensor(key), Tensor(value)), expected, "attention(query, key, value)"
    )
    expected = by_loops(weights_of(attention), 2, query, key, key, mask)[1]
    assert_close(attention(Tensor(query), Tensor(key)), expected, "attention(query, key)")


@given(x=sequences, padding=arrays((2, 1, 1, 4), bool), head=arrays((2, 1, 1), bool))
def test_a_mask_may_differ_by_sequence_and_by_head(x, padding, head):
    """attn_mask broadcasts to (B, H, L, S) and is True where a head may look.

    (B, 1, 1, S) hides the padding of each sequence, and with (B, H, 1, S) some heads may see it.
    """
    attention, seen = layer(), padding | head  # (B, H, 1, S)
    added = np.where(np.broadcast_to(seen, (2, 2, 4, 4)), 0, -INF)
    expected = [
        by_loops(weights_of(attention), 2, each, each, each, mask)[1]
        for each, mask in zip(x, added, strict=True)
    ]
    assert_close(attention(Tensor(x), attn_mask=Tensor(seen)), np.stack(expected), "with a mask, the result")


def test_a_layer_refuses_a_mask_with_is_causal():
    """attn_mask and is_causal=True together are refused by the layer too: a ValueError with both names."""
    with raises(ShapeError, "attn_mask", "is_causal"):
        MultiHeadAttention(6, 2)(zeros(1, 4, 6), attn_mask=causal_mask(4), is_causal=True)


@given(x=sequences, order=st.permutations(range(3)))
def test_heads_have_no_order(x, order):
    """Heads dealt in another order, their outputs too, give the same: no head knows its number."""
    attention, shuffled = layer(3), layer(3)
    rows = np.arange(6).reshape(3, 2)[list(order)].reshape(-1)
    for name in PROJECTIONS[:3]:
        for kind in ("weight", "bias"):
            getattr(getattr(shuffled, name), kind).data[...] = getattr(getattr(attention, name), kind).data[
                rows
            ]
    shuffled.out_proj.weight.data[...] = attention.out_proj.weight.data[:, rows]
    assert_close(
        shuffled(Tensor(x)), attention(Tensor(x)).data, f"with the heads in the order {order}, the result"
    )


@given(x=sequences)
def test_heads_do_not_hear_each_other(x):
    """The result of head 0 does not depend on the queries, keys and values of head 1."""
    attention, other = layer(2), layer(2)
    for each in (attention, other):
        each.out_proj.weight.data[...] = np.eye(6)
    for name in PROJECTIONS[:3]:
        getattr(other, name).weight.data[3:] = 1 - getattr(other, name).weight.data[3:]
    assert_close(
        other(Tensor(x)).data[..., :3],
        attention(Tensor(x)).data[..., :3],
        "the part of head 0, three features,",
    )


@given(x=sequences, order=st.permutations(range(4)))
def test_a_layer_does_not_know_the_order(x, order):
    """Places in another order get the same as before, in that order (with rope they would not)."""
    attention = layer()
    expected = attention(Tensor(x)).data[:, order]
    assert_close(attention(Tensor(x[:, order])), expected, f"in the order {order}, what each place gets")


def test_rope_tells_the_order():
    """With rope=True, the places in reverse order do not give the same results in reverse order."""
    x = np.arange(24.0).reshape(4, 6) % 7 - 3
    attention = layer(1, rope=True)
    there, back = attention(Tensor(x)).data, attention(Tensor(x[::-1].copy())).data[::-1]
    assert np.abs(there - back).max() > 0.01, (
        "rope=True changes nothing: are queries and keys rotated in forward?"
    )


def test_dropout_only_while_training():
    """With dropout=1 a layer that trains drops every weight and gives out_proj's bias; in eval mode it drops none."""
    attention, reference = layer(dropout=1.0), layer()
    x = Tensor(np.arange(12.0).reshape(1, 2, 6))
    bias = np.broadcast_to(attention.out_proj.bias.data, (1, 2, 6))
    assert_close(attention(x), bias, "while training, with dropout=1, the result")
    assert_close(attention.eval()(x), reference(x).data, "in eval mode, the result")


def test_eval_mode_changes_nothing_but_dropout():
    """Without dropout, a layer gives in eval mode what it gives while training, with rope=True too."""
    attention, x = layer(3, rope=True), Tensor(np.arange(24.0).reshape(4, 6) % 7 - 3)
    expected = attention(x).data
    assert_close(attention.eval()(x), expected, "in eval mode, the result")


def test_dropout_has_its_probability():
    """With dropout=0.25 about a quarter of the weights is dropped, and what is left grows by 4/3."""
    manual_seed(0)
    attention = MultiHeadAttention(4, 1, dropout=0.25, bias=False)
    for name in PROJECTIONS:
        getattr(attention, name).weight.data[...] = np.eye(4)
    out = attention(
        Tensor(np.zeros((2000, 1, 4), np.float32)), Tensor(np.ones((2000, 1, 4), np.float32))
    ).data
    kept = out[:, 0, 0] > 0
    assert_close(out[kept], np.full((kept.sum(), 1, 4), 4 / 3, np.float32), "what is left")
    assert abs(kept.mean() - 0.75) < 0.04, f"{kept.mean():.1%} of 2000 weights were kept, expected about 75%"


@given(x=sequences, causal=st.booleans(), rope=st.booleans())
@example(np.arange(48.0).reshape(2, 4, 6) % 7 - 3, False, True)
def test_a_map_shows_what_forward_does(x, causal, rope):
    """attention_map(x) gives the weights (B, H, L, S) of every head as forward uses them, also with rope."""
    attention, mask = layer(3, rope=rope), np.zeros((3, 4, 4))
    if causal:
        mask[:, np.arange(4)[:, None] < np.arange(4)] = -INF
    expected = [by_loops(weights_of(attention), 3, each, each, each, mask, rope)[0] for each in x]
    found = attention.attention_map(Tensor(x), is_causal=causal)
    assert_close(found, np.stack(expected), f"with rope={rope}, attention_map(x)")


def test_a_map_of_another_sequence_with_a_mask():
    """attention_map(query, key, attn_mask) shows who looks at which key, without dropout, also while training."""
    attention = layer(dropout=1.0)
    query, key = np.arange(12.0).reshape(2, 6) % 5 - 2, np.arange(18.0).reshape(3, 6) % 4 - 1
    seen = np.array([[True, True, False], [False, False, False]])
    added = np.broadcast_to(np.where(seen, 0, -INF), (2, 2, 3))
    expected, _ = by_loops(weights_of(attention), 2, query, key, key, added)
    assert_close(attention.attention_map(Tensor(query), Tensor(key), Tensor(seen)), expected, "the map")


def test_a_map_of_another_sequence_may_be_causal():
    """attention_map(query, key, is_causal=True) hides key j from query i where j > i, as forward does."""
    attention = layer()
    query, key = np.arange(12.0).reshape(2, 6) % 5 - 2, np.arange(18.0).reshape(3, 6) % 4 - 1
    hidden = np.broadcast_to(np.where(np.arange(2)[:, None] < np.arange(3), -INF, 0), (2, 2, 3))
    expected, _ = by_loops(weights_of(attention), 2, query, key, key, hidden)
    assert_close(attention.attention_map(Tensor(query), Tensor(key), is_causal=True), expected, "the map")


@pytest.mark.parametrize("mode", [True, False])
def test_a_map_leaves_the_mode_alone(mode):
    """attention_map leaves the mode of the layer, training or eval, as it is."""
    attention = layer(dropout=0.5).train(mode)
    attention.attention_map(Tensor(np.ones((2, 6))))
    for name, module in (("the layer", attention), ("its q_proj", attention.q_proj)):
        assert_equal(module.training, mode, f"after attention_map, `training` of {name}")
