"""Weights on the grid of each format, and how much each layer of a small GPT errs."""

import matplotlib.pyplot as plt
import numpy as np

from dojo.datasets import stdlib
from tinytorch import precision
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.tokenization import CharTokenizer
from tinytorch.transformers import GPT, GPTConfig

SETTINGS = {  # bits and group_size
    "8 bits,\na scale for each row": (8, None),
    "4 bits,\na scale for 32": (4, 32),
    "4 bits,\na scale for 64": (4, 64),
}


def trained(steps=80, length=32):
    """A GPT of 64 features that has read a little."""
    text = stdlib.text(200_000)
    tokenizer = CharTokenizer.train(text)
    ids = np.array(tokenizer.encode(text))
    manual_seed(0)
    rng = np.random.default_rng(0)
    model = GPT(GPTConfig(tokenizer.vocab_size, length, n_layer=2, n_head=2, n_embd=64))
    optimizer = AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        rows = ids[rng.integers(0, len(ids) - length, 8)[:, None] + np.arange(length + 1)]
        optimizer.zero_grad()
        model.loss(Tensor(rows[:, :-1]), Tensor(rows[:, 1:])).backward()
        optimizer.step()
    return model


def draw():
    """Left, the weights of one row in each format, one line for each; right, the error of each matrix."""
    model = trained()
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), width_ratios=(3, 2), layout="constrained")
    row = model.h[0].mlp.c_fc.weight.detach()[:1]
    rows = {"float32": row.data, "bfloat16": precision.from_bfloat16(precision.to_bfloat16(row.data))}
    floats = dict(model.named_modules())
    for color, (name, (bits, size)) in enumerate(SETTINGS.items(), len(rows)):
        rows[name] = precision.dequantize_rows(*precision.quantize_rows(row, bits, size), row.shape[1]).data
        errors = {}
        for path, layer in precision.quantize_dynamic(model, bits, size).named_modules():
            if isinstance(layer, precision.QuantizedRows):
                exact = floats[path].weight.data
                errors[path] = np.linalg.norm(layer.weight.data - exact) / np.linalg.norm(exact) * 100
        right.plot(list(errors.values()), list(errors), "o", color=f"C{color}", label=name.replace("\n", " "))
    for place, values in enumerate(rows.values()):
        left.plot(values.ravel(), np.full(row.shape[1], -place), "|", markersize=22)
    left.set_yticks(range(0, -len(rows), -1), list(rows))
    left.set(xlabel="weight (no unit)", title="one row of h.0.mlp.c_fc: fewer bits, fewer places")
    right.set(xlabel="|difference| / |matrix| (%)", title="Each layer errs by about as much", xlim=(0, None))
    right.invert_yaxis()
    figure.legend(loc="outside lower right", ncols=len(SETTINGS))
    return figure
