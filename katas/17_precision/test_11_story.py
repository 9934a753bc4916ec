"""A small GPT learns to read, and then loses three quarters of its bits, and five sixths."""

import copy

import numpy as np
import pytest

from dojo.datasets import stdlib
from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear
from tinytorch.optimizers import AdamW
from tinytorch.precision import (
    QuantizedRows,
    calculate_qparams,
    dequantize_per_tensor,
    quantize_dynamic,
    quantize_per_tensor,
    value_range,
)
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.tokenization import CharTokenizer
from tinytorch.training import evaluating
from tinytorch.transformers import GPT, GPTConfig

T, STEPS = 32, 80


@pytest.fixture(scope="module")
def reader():
    """A GPT of 64 features that has read some text, and a function that tells a model's loss on another part of it."""
    text = stdlib.text(200_000)
    tokenizer = CharTokenizer.train(text)
    ids = np.array(tokenizer.encode(text))
    learned, unseen = ids[:-20_000], ids[-20_000:]
    manual_seed(0)
    rng = np.random.default_rng(0)

    def rows_of(ids, n):
        rows = ids[rng.integers(0, len(ids) - T, n)[:, None] + np.arange(T + 1)]
        return Tensor(rows[:, :-1]), Tensor(rows[:, 1:])

    model = GPT(GPTConfig(tokenizer.vocab_size, T, n_layer=2, n_head=2, n_embd=64))
    optimizer = AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model.loss(*rows_of(learned, 8)).backward()
        optimizer.step()
    test = rows_of(unseen, 64)

    def loss(model):
        with evaluating(model):
            return model.loss(*test).item()

    return model, loss


def bytes_of_matrices(model):
    """The bytes of what a Linear multiplies and an Embedding looks up: scales counted, the tied weight once."""
    parts = {}
    for each in model.modules():
        if isinstance(each, (Linear, Embedding)):
            parts[id(each.weight)] = each.weight
        elif isinstance(each, QuantizedRows):
            parts[id(each.qweight)], parts[id(each.scales)] = each.qweight, each.scales
    return sum(each.data.nbytes for each in parts.values())


@pytest.mark.parametrize(("bits", "share", "worse"), [(8, 0.27, 0.002), (4, 0.17, 0.02)])
def test_most_of_the_bits_say_nothing(reader, bits, share, worse):
    """With 8 bits the matrices of a GPT take .27 of their bytes, and its loss on new text rises by .002 at most.

    With 4 bits, in groups of 32, they take .17, and the loss rises by .02 at most.
    """
    model, loss = reader
    before = loss(model)
    assert before < 3.3, f"the GPT has not learned: its loss is {before:.2f}, that of guessing 4.56"
    quantized = quantize_dynamic(model, bits)
    found = bytes_of_matrices(quantized) / bytes_of_matrices(model)
    assert found <= share, (
        f"with {bits} bits the matrices take {found:.3f} of their bytes, expected at most {share}"
    )
    rise = loss(quantized) - before
    assert rise <= worse, f"with {bits} bits the loss rises by {rise:.4f}, expected at most {worse}"


def test_two_bits_say_something(reader):
    """With 2 bits, and one scale for a whole matrix, the loss rises by more than .004: twice what 8 bits may cost."""
    model, loss = reader
    crushed = copy.deepcopy(model)
    for weight in crushed.parameters():
        if weight.ndim == 2:
            scale, zero = calculate_qparams(*value_range(weight.detach()), -2, 1, symmetric=True)
            q = quantize_per_tensor(weight.detach(), scale, zero, -2, 1)
            weight.data[...] = dequantize_per_tensor(q, scale, zero).data
    rise = loss(crushed) - loss(model)
    assert rise > 0.004, f"with 2 bits the loss rises by {rise:.4f} only: where are the 30 others?"
