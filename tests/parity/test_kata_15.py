"""Kata 15 beside PyTorch: attention in tiles, checkpoints, and optimizers over one flat buffer."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as theirs
from torch.utils.checkpoint import checkpoint as their_checkpoint

from tests.parity.beside import compare, drawn
from tinytorch import acceleration as ours, optimizers
from tinytorch.attention import scaled_dot_product_attention
from tinytorch.autograd import grad
from tinytorch.layers import Parameter
from tinytorch.tensor import Tensor, tanh

# Attention: TiledAttention, which scaled_dot_product_attention calls


def seen(L, S):
    mask = np.random.default_rng(2).random((L, S)) < 0.6
    mask[L // 2] = False  # a query that may look nowhere
    return mask


@pytest.mark.parametrize("kind", ["none", "causal", "boolean", "number"])
@pytest.mark.parametrize(("L", "S"), [(5, 5), (70, 130), (200, 64)])
@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, None), (np.float32, 0.3)])
def test_attention_in_tiles(L, S, kind, dtype, scale):
    mask = {"boolean": seen(L, S), "number": np.where(seen(L, S), dtype(0.5), -math.inf)}.get(kind)
    options = {"is_causal": kind == "causal", "scale": scale}
    compare(
        lambda q, k, v: scaled_dot_product_attention(
            q, k, v, None if mask is None else Tensor(mask), **options
        ),
        lambda q, k, v: theirs.scaled_dot_product_attention(
            q, k, v, None if mask is None else torch.tensor(mask), **options
        ),
        *drawn((2, 3, L, 8), (2, 3, S, 8), (2, 3, S, 4), dtype=dtype),
    )


# checkpoint


def test_checkpoint():
    def function(a, b, ours_):
        once = tanh if ours_ else torch.tanh
        return once(a * b) * a

    compare(
        lambda a, b: ours.checkpoint(lambda x, y: function(x, y, True), tanh(a), b),
        lambda a, b: their_checkpoint(
            lambda x, y: function(x, y, False), torch.tanh(a), b, use_reentrant=False
        ),
        *drawn((3, 4), (3, 4)),
    )


def test_checkpoint_of_what_is_not_an_input():
    x, w = drawn((3, 4), (4,))
    weight, their_weight = Parameter(w), torch.tensor(w, requires_grad=True)
    mine = ours.checkpoint(lambda x: tanh(x * weight), Tensor(x))
    other = their_checkpoint(lambda x: torch.tanh(x * their_weight), torch.tensor(x), use_reentrant=False)
    (found,) = grad(mine.sum(), weight)
    (expected,) = torch.autograd.grad(other.sum(), their_weight)
    np.testing.assert_allclose(found.data, expected.numpy(), rtol=1e-12)


# flatten: the same steps as PyTorch's, with the state loaded half-way


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
        ("AdamW", {"lr": 0.05}),
    ],
)
def test_flatten(name, options):
    arrays = drawn((3, 4), (4,), (2, 2, 2))
    params, others = (
        [Parameter(each.copy()) for each in arrays],
        [torch.tensor(each, requires_grad=True) for each in arrays],
    )
    mine, other = getattr(optimizers, name)(params, **options), getattr(torch.optim, name)(others, **options)
    ours.flatten(mine)
    for step in range(6):
        for p, q in zip(params, others, strict=True):
            g = np.random.default_rng(step).standard_normal(p.shape)
            p.grad, q.grad = Tensor(g), torch.tensor(g)
        mine.step()
        other.step()
        if step == 3:
            mine.load_state_dict(mine.state_dict())
    for p, q in zip(params, others, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11)


def test_empty_and_empty_cache():
    """torch.empty and torch.cuda.empty_cache: what they give has a shape and a dtype, and no values to compare."""
    mine, other = ours.empty((300, 70), np.float64), torch.empty(300, 70, dtype=torch.float64)
    assert mine.shape == tuple(other.shape) and str(other.dtype).endswith(mine.dtype.name)
    ours.empty_cache()
