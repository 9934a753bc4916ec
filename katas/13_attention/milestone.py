"""A map of attention: one layer learns to copy what a text has said before, and shows on a sentence where it looks.

A passage of real text is shown twice. The second time, whoever can look back knows every next letter. ARGS= may hold
a sentence of your own to draw; DATA= a folder with tinyshakespeare.txt, to learn from that.
"""

import numpy as np

from dojo.datasets import downloads, stdlib
from tinytorch.attention import MultiHeadAttention
from tinytorch.autograd import no_grad
from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear, Module
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, arange, cat, cumsum, zeros
from tinytorch.training import OneCycleLR

MARKED = "followed the same two letters before"
SENTENCE = "how much wood would a woodchuck chuck"
LETTERS = " abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()[]{}<>=+-*/_#@\n"
PLACES, BATCH, FEATURES, HEADS = 48, 32, 64, 2
STEPS, LR, PASSED = 400, 0.005, 0.75


# The text -----------------------------------------------------------------------------------------------


def numbers(text):
    """Each letter as its place in LETTERS; small ones for capitals, and nothing for those that are not there."""
    known = {letter: number for number, letter in enumerate(LETTERS)}
    return np.array([known[letter] for letter in text.lower() if letter in known])


def said_twice(text, n, rng):
    """`n` rows of PLACES + 1 letters: a passage of 16 to 24 letters again and again. And each passage's length."""
    lengths = rng.integers(16, 25, n)
    starts = rng.integers(0, len(text) - 25, n)
    rows = [
        np.resize(text[start : start + length], PLACES + 1)
        for start, length in zip(starts, lengths, strict=True)
    ]
    return np.stack(rows), lengths


# The models ---------------------------------------------------------------------------------------------


class Bag(Module):
    """What all places so far have to say, added up: each counts the same."""

    def __init__(self):
        self.v_proj, self.out_proj = Linear(FEATURES, FEATURES), Linear(FEATURES, FEATURES)

    def forward(self, x, is_causal):
        counts = arange(1, x.shape[1] + 1).unsqueeze(1)
        return self.out_proj(cumsum(self.v_proj(x), 1) / counts)


class Reader(Module):
    """The next letter, from this one, the two before it, and what `mix` brings from further back."""

    def __init__(self, mix):
        self.this, self.one_before, self.two_before = (Embedding(len(LETTERS), FEATURES) for _ in range(3))
        self.mix = mix
        self.next = Linear(FEATURES, len(LETTERS))

    def places(self, text):
        """What each place knows by itself: (B, T) -> (B, T, FEATURES)."""
        known = self.this(Tensor(text))
        for back, embedding in ((1, self.one_before), (2, self.two_before)):
            nothing = zeros(len(text), back, FEATURES)
            known = known + cat([nothing, embedding(Tensor(text[:, :-back]))], 1)
        return known

    def forward(self, text):
        x = self.places(text)
        return self.next(x + self.mix(x, is_causal=True))  # (B, T, letters)


def learn(mix, text, step):
    """A Reader that has read STEPS batches."""
    rng = np.random.default_rng(0)
    reader = Reader(mix)
    optimizer = AdamW(reader.parameters(), lr=LR)
    schedule = OneCycleLR(optimizer, LR, STEPS)
    for _ in range(STEPS):
        rows, _ = said_twice(text, BATCH, rng)
        optimizer.zero_grad()
        loss = cross_entropy(reader(rows[:, :-1]).reshape(-1, len(LETTERS)), Tensor(rows[:, 1:].reshape(-1)))
        loss.backward()
        optimizer.step()
        schedule.step()
        step(f"loss {float(loss):.2f}")
    return reader


def foretold(reader, text):
    """The shares of next letters that it gets right, the first time that a passage is said, and after that."""
    rows, lengths = said_twice(text, 400, np.random.default_rng(1))
    with no_grad():
        right = reader(rows[:, :-1]).data.argmax(-1) == rows[:, 1:]  # (400, PLACES)
    place = np.arange(PLACES)
    first, again = (
        place < lengths[:, None] - 1,
        place >= lengths[:, None] + 2,
    )  # three letters to recognise it by
    return right[first].mean(), right[again].mean()


# The map ------------------------------------------------------------------------------------------------


def followers(letters):
    """(T, T) booleans: True at [i, j] where letters j - 2 and j - 1 are letters i - 1 and i: j followed them then."""
    same = np.zeros((len(letters), len(letters)), bool)
    for i in range(1, len(letters)):
        for j in range(2, i + 1):
            same[i, j] = letters[j - 1] == letters[i] and letters[j - 2] == letters[i - 1]
    return same


def in_words(weights, same):
    """How much of a head's weight (T, T) is on what followed, over the places where there is something to follow."""
    rows = np.flatnonzero(same.any(1))
    head = (weights * same)[rows].sum(1).mean()
    bag = (same.sum(1) / np.arange(1, len(same) + 1))[rows].mean()
    return f"{head:.0%} of its weight is on what followed the same two letters before (a bag has {bag:.0%} there)"


def draw(sentence, weights, same, path):
    """A panel for each head: row by row, where that place looks. Framed: what followed the same two letters before."""
    import matplotlib.pyplot as plt

    side = 0.2 * max(len(sentence), 25)  # inches
    figure, axes = plt.subplots(1, HEADS, figsize=(side * HEADS, side), layout="constrained")
    letters = [{" ": "\u2423", "\n": "\u21b5"}.get(letter, letter) for letter in sentence]
    for head, (panel, map_) in enumerate(zip(axes, weights, strict=True)):
        image = panel.imshow(map_, cmap="Blues", vmin=0, vmax=1)
        i, j = np.nonzero(same)
        panel.scatter(j, i, s=110, marker="s", facecolors="none", edgecolors="tab:red", label=MARKED)
        panel.set_xticks(range(len(letters)), letters, family="monospace")
        panel.set_yticks(range(len(letters)), letters, family="monospace")
        panel.tick_params(length=0, labeltop=True)
        panel.set(title=f"head {head + 1}", xlabel="is looked at", ylabel="looks, and says the next letter")
    axes[0].legend(loc="upper right")
    figure.colorbar(image, ax=axes, label="weight", shrink=0.7)
    figure.savefig(path, dpi=110)


def main(report):
    manual_seed(0)
    folder = downloads.find("shakespeare", report.data)
    text = (folder / "tinyshakespeare.txt").read_text(encoding="utf-8") if folder else stdlib.text(500_000)
    train, validation = map(numbers, stdlib.split(text))
    source = "tiny Shakespeare" if folder else "the source of Python's standard library"
    report.say(f"Passages of {source}, each said again and again. Who knows what comes next?")

    with report.progress(STEPS, "a bag of all places so far") as step:
        bag = learn(Bag(), train, step)
    first, bagged = foretold(bag, validation)
    report.say(
        f"The bag foretells {first:.0%} of the letters at first, and {bagged:.0%} of those said again."
    )
    with report.progress(STEPS, "attention") as step:
        reader = learn(MultiHeadAttention(FEATURES, HEADS), train, step)
    first, again = foretold(reader, validation)
    report.say(f"Attention foretells {first:.0%} at first, and {again:.0%} of those said again.")

    letters = numbers(" ".join(report.args))
    if len(letters) < 3:
        letters = numbers(SENTENCE)
    sentence = "".join(LETTERS[number] for number in letters)
    with no_grad():
        weights = reader.mix.attention_map(reader.places(letters[None]), is_causal=True).data[0]
    same = followers(letters)
    report.say(
        f"On {sentence!r}" + (":" if same.any() else " there is nothing to copy: no two letters come twice.")
    )
    for head in range(HEADS if same.any() else 0):
        report.say(f"  head {head + 1}: {in_words(weights[head], same)}")
    draw(sentence, weights, same, report.figure("attention"))
    return report.verdict(
        again >= PASSED,
        f"{again:.0%} of what is said again is foretold ({PASSED:.0%} are asked for; the bag has {bagged:.0%})",
    )
