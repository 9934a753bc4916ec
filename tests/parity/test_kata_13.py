"""Kata 13 beside PyTorch: values and gradients with every kind of mask, blind queries, and layers of one weight."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as theirs

from tests.parity.beside import compare, drawn
from tinytorch import attention as ours
from tinytorch.tensor import Tensor

INF = math.inf


SHAPES = [
    ((3, 4), (5, 4), (5, 6)),
    ((2, 3, 4), (2, 5, 4), (2, 5, 6)),
    ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4)),
    ((2, 1, 3, 4), (2, 2, 5, 4), (1, 2, 5, 1)),
    ((0, 3, 4), (0, 5, 4), (0, 5, 2)),
    ((2, 3, 4), (2, 0, 4), (2, 0, 6)),
    ((2, 0, 4), (2, 5, 4), (2, 5, 6)),
    ((2, 3, 0), (2, 5, 0), (2, 5, 6)),
]


def seen(L, S):
    mask = np.random.default_rng(2).random((L, S)) < 0.6
    mask[L // 2 : L // 2 + 1] = False  # a query that may look nowhere
    return mask


@pytest.mark.parametrize("kind", ["none", "causal", "boolean", "float", "-inf"])
@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("shapes", SHAPES)
def test_attention(shapes, scale, kind):
    mask = seen(shapes[0][-2], shapes[1][-2])
    if kind == "float":
        mask = drawn(mask.shape)[0]
    elif kind == "-inf":
        mask = np.where(mask, 0.5, -INF)
    options = {"is_causal": kind == "causal", "scale": scale}
    masked = kind not in ("none", "causal")
    compare(
        lambda q, k, v: ours.scaled_dot_product_attention(
            q, k, v, Tensor(mask) if masked else None, **options
        ),
        lambda q, k, v: theirs.scaled_dot_product_attention(
            q, k, v, torch.tensor(mask) if masked else None, **options
        ),
        *drawn(*shapes),
    )


@pytest.mark.parametrize("shape", [(), (5,), (3, 1), (2, 1, 5), (1, 1, 1)])
def test_masks_that_broadcast_and_learn(shape):
    compare(
        ours.scaled_dot_product_attention,
        theirs.scaled_dot_product_attention,
        *drawn((2, 3, 4), (2, 5, 4), (2, 5, 6), shape),
    )


def test_attention_in_float32():
    compare(
        lambda q, k, v: ours.scaled_dot_product_attention(q, k, v, is_causal=True),
        lambda q, k, v: theirs.scaled_dot_product_attention(q, k, v, is_causal=True),
        *drawn((2, 4, 32, 16), (2, 4, 32, 16), (2, 4, 32, 16), dtype=np.float32),
    )


def test_dropping_all():
    arrays = drawn((2, 3, 4), (2, 5, 4), (2, 5, 6))
    out = ours.scaled_dot_product_attention(*map(Tensor, arrays), dropout_p=1.0)
    expected = theirs.scaled_dot_product_attention(*map(torch.tensor, arrays), dropout_p=1.0)
    np.testing.assert_array_equal(out.data, expected.numpy())


REFUSED = [
    ((3, 4), (5, 3), (5, 6), {}),
    ((3, 4), (5, 4), (4, 6), {}),
    ((4,), (5, 4), (5, 6), {}),
    ((3, 4), (5, 4), (5, 6), {"attn_mask": np.ones((3, 5), np.int64)}),
    ((3, 4), (5, 4), (5, 6), {"attn_mask": np.ones((3, 5), np.float16)}),
    ((3, 4), (5, 4), (5, 6), {"attn_mask": np.ones((5, 3), bool)}),
    ((3, 4), (5, 4), (5, 6), {"attn_mask": np.ones((2, 3, 5), bool)}),
    ((3, 4), (5, 4), (5, 6), {"attn_mask": np.ones((3, 5), bool), "is_causal": True}),
    ((3, 4), (5, 4), (5, 6), {"dropout_p": 1.5}),
]


@pytest.mark.parametrize(("query", "key", "value", "options"), REFUSED)
def test_the_same_is_refused(query, key, value, options):
    arrays = drawn(query, key, value)
    for function, make in (
        (theirs.scaled_dot_product_attention, torch.tensor),
        (ours.scaled_dot_product_attention, Tensor),
    ):
        given = {name: make(each) if isinstance(each, np.ndarray) else each for name, each in options.items()}
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            function(*map(make, arrays), **given)


def test_safe_softmax():
    x = drawn((4, 5))[0]
    x[1], x[2, 3] = -INF, -INF
    compare(
        lambda x: ours.safe_softmax(x, -1),
        lambda x: torch.ops.aten._safe_softmax(x, -1),
        x,
    )


@pytest.mark.parametrize(("L", "S"), list(itertools.product((1, 3, 5), repeat=2)))
def test_causal_mask(L, S):
    biases = pytest.importorskip("torch.nn.attention.bias")
    ones = torch.ones(L, S, dtype=torch.bool)
    np.testing.assert_array_equal(ours.causal_mask(L, S).data, torch.tril(ones).numpy())
    if S >= L:  # where it is less, their last queries see all
        lower = biases.causal_lower_right(L, S)._materialize().numpy()
        np.testing.assert_array_equal(ours.causal_mask(L, S, S - L).data, lower)


def same_weights(features, heads, bias=True):
    """A layer of theirs, and one of ours with its weights."""
    torch.manual_seed(0)
    other = torch.nn.MultiheadAttention(features, heads, bias=bias, batch_first=True).double()
    mine = ours.MultiHeadAttention(features, heads, bias=bias)
    mine.to(np.float64)
    state = {}
    for name, value in other.state_dict().items():
        if name.startswith("in_proj_"):
            for part, piece in zip("qkv", value.chunk(3), strict=True):
                state[f"{part}_proj.{name.removeprefix('in_proj_')}"] = Tensor(piece.numpy().copy())
        else:
            state[name] = Tensor(value.numpy().copy())
    mine.load_state_dict(state)
    return mine, other


@pytest.mark.parametrize("heads", [1, 2, 6])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer(heads, bias):
    mine, other = same_weights(6, heads, bias)
    compare(
        mine,
        lambda q, k, v: other(q, k, v)[0],
        *drawn((2, 3, 6), (2, 5, 6), (2, 5, 6)),
    )
    for name, parameter in mine.named_parameters():
        if name.startswith("out_proj"):
            expected = other.get_parameter(name).grad
        else:
            part, kind = name[0], name.rpartition(".")[2]
            expected = other.get_parameter(f"in_proj_{kind}").grad.chunk(3)["qkv".index(part)]
        np.testing.assert_allclose(parameter.grad.data, expected.numpy(), rtol=1e-9, atol=1e-12)


def test_masks_and_maps_of_a_layer():
    mine, other = same_weights(6, 2)
    x = drawn((2, 4, 6))[0]
    mask = np.random.default_rng(3).random((4, 4)) < 0.5
    mask[:, 0] = True
    out, weights = other(
        *[torch.tensor(x)] * 3, attn_mask=torch.tensor(~mask), average_attn_weights=False
    )  # theirs is True where a query may not look
    np.testing.assert_allclose(mine(Tensor(x), attn_mask=Tensor(mask)).data, out.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(
        mine.attention_map(Tensor(x), attn_mask=Tensor(mask)).data, weights.detach().numpy(), rtol=1e-10
    )
    causal = torch.nn.Transformer.generate_square_subsequent_mask(4).double()
    expected = other(*[torch.tensor(x)] * 3, attn_mask=causal, is_causal=True)[0]
    np.testing.assert_allclose(mine(Tensor(x), is_causal=True).data, expected.detach().numpy(), rtol=1e-10)


def test_padding_of_a_layer():
    mine, other = same_weights(6, 2)
    x = drawn((2, 4, 6))[0]
    padding = np.array([[False, False, True, True], [False, False, False, True]])
    expected = other(*[torch.tensor(x)] * 3, key_padding_mask=torch.tensor(padding))[0]
    out = mine(Tensor(x), attn_mask=Tensor(~padding[:, None, None]))
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-10)
