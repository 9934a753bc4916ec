"""A map of characters that learned their places from their neighbours, and the clock hands of rotary positions."""

import matplotlib.figure
import numpy as np

from dojo.datasets import stdlib
from tinytorch.embeddings import Embedding, apply_rope
from tinytorch.layers import Linear
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.tokenization import CharTokenizer

KINDS = ("aeiou", "bcdfghjklmnpqrstvwxyz", "ABCDEFGHIJKLMNOPRSTUVW", "0123456789", "_.,:;()[]{}=+-*/\"'#")
NAMES = ("vowels", "other small letters", "capitals", "digits", "other signs")
STEPS, BATCH, FEATURES, PLACES, HANDS = 300, 512, 16, 12, 4


def trained():
    """A row for each character, from which the character before it and the one after it can be guessed."""
    text = stdlib.text(300_000)
    tokenizer = CharTokenizer.train(text)
    ids = np.array(tokenizer.encode(text))
    manual_seed(0)
    rng = np.random.default_rng(0)
    rows = Embedding(V := tokenizer.vocab_size, FEATURES)
    before, after = Linear(FEATURES, V), Linear(FEATURES, V)
    optimizer = Adam([each for part in (rows, before, after) for each in part.parameters()], lr=0.02)
    for _ in range(STEPS):
        places = rng.integers(1, len(ids) - 1, BATCH)
        x, left, right = rows(Tensor(ids[places])), Tensor(ids[places - 1]), Tensor(ids[places + 1])
        optimizer.zero_grad()
        (cross_entropy(before(x), left) + cross_entropy(after(x), right)).backward()
        optimizer.step()
    return tokenizer, rows.weight.data


def draw() -> matplotlib.figure.Figure:
    tokenizer, rows = trained()
    figure = matplotlib.figure.Figure(figsize=(15, 7), layout="constrained")
    left, right = figure.subplots(1, 2)
    points = rows[tokenizer.encode("".join(KINDS))]
    points = points - points.mean(0)
    x, y = (points @ np.linalg.svd(points, full_matrices=False)[2][:2].T).T
    numbers = np.repeat(range(len(KINDS)), [len(kind) for kind in KINDS])
    for place, character in enumerate("".join(KINDS)):
        left.plot(x[place], y[place], alpha=0)
        left.text(x[place], y[place], character, color=f"C{numbers[place]}", weight="bold", fontsize=14)
    left.legend([matplotlib.lines.Line2D([], [], marker="s", ls="", color=f"C{n}") for n in range(5)], NAMES)
    left.set(title="Used alike, they lie side by side", xlabel="first direction", ylabel="second direction")
    hands = np.repeat([[1.0, 0.0]], HANDS, 1).repeat(PLACES, 0)  # all point to the right
    turned = apply_rope(Tensor(hands)).data
    place, hand = np.meshgrid(range(PLACES), range(HANDS), indexing="ij")
    arrows = {"angles": "uv", "scale_units": "inches", "scale": 3.2, "width": 0.006}
    right.quiver(place, hand, turned[:, :HANDS], turned[:, HANDS:], hand, cmap="tab10", clim=(0, 9), **arrows)
    right.set(title="apply_rope turns one row at each place", xlabel="place", ylabel="pair of features")
    right.set(xlim=(-1, PLACES), ylim=(HANDS - 0.4, -0.6), xticks=range(PLACES), yticks=range(HANDS))
    return figure
