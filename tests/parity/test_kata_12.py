"""Kata 12 beside PyTorch: the lookup and its gradient, the module, and positions as models write them in PyTorch."""

import math

import numpy as np
import pytest
import torch

from tests.parity.beside import compare, drawn
from tinytorch.embeddings import (
    Embedding,
    LearnedPositions,
    SinusoidalPositions,
    apply_rope,
    embedding,
    places_of,
    rows_for,
)
from tinytorch.tensor import Tensor

RNG = np.random.default_rng(0)
IDS = [np.array(3), np.array([1, 1, 4, 1]), RNG.integers(0, 5, (2, 3, 4)), np.zeros((2, 0), np.int64)]


@pytest.mark.parametrize("padding_idx", [None, 0, 1, 4, -1, -5])
@pytest.mark.parametrize("ids", IDS, ids=lambda ids: str(ids.shape))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_and_gradients_are_pytorchs(ids, padding_idx, dtype):
    rows = RNG.standard_normal((5, 3)).astype(dtype)
    grad = RNG.standard_normal((*ids.shape, 3)).astype(dtype)
    mine, theirs = Tensor(rows, requires_grad=True), torch.tensor(rows, requires_grad=True)
    out = embedding(Tensor(ids), mine, padding_idx)
    expected = torch.nn.functional.embedding(torch.tensor(ids), theirs, padding_idx)
    np.testing.assert_array_equal(out.data, expected.detach().numpy())
    assert out.dtype == dtype
    out.backward(Tensor(grad))
    expected.backward(torch.tensor(grad))
    np.testing.assert_allclose(mine.grad.data, theirs.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [-1, 5])
def test_ids_outside_are_refused_by_both(bad):
    with pytest.raises(IndexError):
        torch.nn.functional.embedding(torch.tensor([bad]), torch.ones(5, 3))
    with pytest.raises(IndexError):
        embedding(Tensor(np.array([bad])), Tensor(np.ones((5, 3), np.float32)))


@pytest.mark.parametrize("bad", [5, -6])
def test_padding_outside_is_refused_by_both(bad):
    for layer in (torch.nn.Embedding, Embedding):
        with pytest.raises((AssertionError, IndexError)):
            layer(5, 3, bad)


@pytest.mark.parametrize("padding_idx", [None, 0, -2])
def test_the_module_is_pytorchs(padding_idx):
    mine, theirs = Embedding(7, 4, padding_idx), torch.nn.Embedding(7, 4, padding_idx)
    assert repr(mine) == repr(theirs)
    assert mine.padding_idx == theirs.padding_idx
    assert list(mine.state_dict()) == list(theirs.state_dict())
    zero = [not row.any() for row in mine.weight.data]
    assert zero == [not row.any().item() for row in theirs.weight.detach()]


@pytest.mark.parametrize("freeze", [True, False])
def test_pretrained_rows_are_pytorchs(freeze):
    rows = RNG.standard_normal((5, 3)).astype(np.float32)
    mine = Embedding.from_pretrained(Tensor(rows), freeze, padding_idx=1)
    tensor = torch.tensor(rows)
    theirs = torch.nn.Embedding.from_pretrained(tensor, freeze, padding_idx=1)
    assert mine.weight.requires_grad == theirs.weight.requires_grad
    np.testing.assert_array_equal(mine.weight.data, theirs.weight.detach().numpy())
    assert np.may_share_memory(mine.weight.data, rows)
    assert theirs.weight.data_ptr() == tensor.data_ptr()
    assert repr(mine) == repr(theirs)


def test_sinusoidal_positions_are_those_of_pytorchs_tutorial():
    """PositionalEncoding of PyTorch's tutorial on transformers, which computes the power by exp and log."""
    d_model, max_len = 16, 50
    position = torch.arange(max_len).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    pe = torch.zeros(max_len, d_model)
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    np.testing.assert_allclose(SinusoidalPositions(max_len, d_model).table.data, pe.numpy(), atol=5e-6)


def test_learned_positions_are_an_embedding_of_places():
    layer, x = LearnedPositions(8, 4), RNG.standard_normal((2, 3, 4)).astype(np.float32)
    theirs = torch.nn.Embedding.from_pretrained(torch.tensor(layer.weight.data))
    expected = torch.tensor(x) + theirs(torch.arange(2, 5))
    np.testing.assert_allclose(layer(Tensor(x), 2).data, expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize(("base", "start"), [(10000.0, 0), (10000.0, 7), (500000.0, 100)])
def test_rope_is_that_of_llama(base, start):
    """As in the Llama of `transformers`: rotate_half, and each cosine twice."""
    inv_freq = 1.0 / (base ** (torch.arange(0, 8, 2, dtype=torch.float64) / 8))
    freqs = torch.outer(torch.arange(start, start + 6, dtype=torch.float64), inv_freq)
    emb = torch.cat((freqs, freqs), dim=-1)

    def llama(q):
        rotate_half = torch.cat((-q[..., 4:], q[..., :4]), dim=-1)
        return q * emb.cos() + rotate_half * emb.sin()

    compare(lambda q: apply_rope(q, start, base), llama, *drawn((2, 4, 6, 8)), atol=1e-12)


def test_rope_pairs_halves_where_the_paper_pairs_neighbours():
    """With the features in the order 0, 2, 4, 6, 1, 3, 5, 7, both give the same."""
    x = RNG.standard_normal((5, 8))
    pairs = torch.view_as_complex(torch.tensor(x).reshape(5, 4, 2))
    angles = torch.outer(
        torch.arange(5.0, dtype=torch.float64), 10000.0 ** -(torch.arange(0, 8, 2) / 8).double()
    )
    paper = torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).reshape(5, 8).numpy()
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    np.testing.assert_allclose(apply_rope(Tensor(x[:, order])).data, paper[:, order], rtol=1e-6, atol=1e-7)


def test_places_of_each_text_are_the_position_ids_of_models():
    """Models in PyTorch add position_ids = past[:, None] + arange(T), and look the positions up."""
    past, table = np.array([3, 0, 5]), RNG.standard_normal((8, 4))
    x = Tensor(np.zeros((3, 2, 4)))
    position_ids = torch.tensor(past)[:, None] + torch.arange(2)
    np.testing.assert_array_equal(places_of(x, past), position_ids.numpy())
    expected = torch.nn.functional.embedding(position_ids, torch.tensor(table))
    np.testing.assert_array_equal(rows_for(Tensor(table), x, past).data, expected.numpy())
