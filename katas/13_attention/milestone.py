"""A map of attention: one layer learns to copy what a text has said before, and shows on a sentence where it looks.

A passage of real text is shown twice. The second time, a model that can look back knows every next letter. ARGS= may
be a sentence of your own to draw; DATA= a folder with tinyshakespeare.txt, to learn from that.

Right predictions are counted on passages from a part of the text that training never got, and only for a layer that
does not see the next letter: when the end of a text is changed, the predictions before it must not change.
"""

import numpy as np

from dojo.datasets import downloads, stdlib
from dojo.student import verdicts
from tinytorch.attention import MultiHeadAttention
from tinytorch.autograd import no_grad
from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear, Module
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, arange, cat, zeros
from tinytorch.training import OneCycleLR

MARKED = "the letter that came next, after the same two letters"
SENTENCE = "how much wood would a woodchuck chuck"
LETTERS = " abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()[]{}<>=+-*/_#@\n"
PLACES, BATCH, FEATURES, HEADS = 48, 32, 64, 2
STEPS, LR, PASSED = 400, 0.005, 0.75
CHARACTERS = 500_000  # of Python's standard library


# The text -----------------------------------------------------------------------------------------------


def numbers(text):
    """Each letter as its place in LETTERS. Capitals count as small letters; other characters are left out."""
    known = {letter: number for number, letter in enumerate(LETTERS)}
    return np.array([known[letter] for letter in text.lower() if letter in known])


def said_twice(text, n, rng):
    """`n` rows of PLACES + 1 letters, each a passage of 16 to 24 letters repeated, and the lengths of the passages."""
    lengths = rng.integers(16, 25, n)
    starts = rng.integers(0, len(text) - 25, n)
    rows = [
        np.resize(text[start : start + length], PLACES + 1)
        for start, length in zip(starts, lengths, strict=True)
    ]
    return np.stack(rows), lengths


# The models ---------------------------------------------------------------------------------------------


class Bag(Module):
    """The mean of what all places so far have to say: each counts the same."""

    def __init__(self):
        self.v_proj, self.out_proj = Linear(FEATURES, FEATURES), Linear(FEATURES, FEATURES)

    def forward(self, x, is_causal):
        counts = arange(1, x.shape[1] + 1).unsqueeze(1)  # (T, 1)
        weights = (
            arange(1, x.shape[1] + 1) <= counts
        ) / counts  # (T, T): 1 / t for each of the first t places
        return self.out_proj(weights.to(x.dtype) @ self.v_proj(x))


class Reader(Module):
    """Predicts the next letter from this one, the two before it, and what `mix` brings from further back."""

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
    check(reader, text)  # a fault is found before the training
    before = verdicts.weights(reader)
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
    verdicts.moved(before, reader)
    check(reader, text)
    return reader


# The verdict --------------------------------------------------------------------------------------------


def asking(reader):
    """A function from texts (B, T) to the reader's logits (B, T, letters)."""

    def ask(rows):
        with no_grad():
            return reader(rows).data

    return ask


def check(reader, text):
    """Refuse a reader that sees the next letter, and a loss that is not what the dojo counts."""
    rows, _ = said_twice(text, 8, np.random.default_rng(2))
    logits, targets = verdicts.answers(asking(reader), rows[:, :-1], reader), rows[:, 1:]
    verdicts.causal(asking(reader), rows[:, :-1], len(LETTERS))
    yours = cross_entropy(Tensor(logits.reshape(-1, len(LETTERS))), Tensor(targets.reshape(-1)))
    verdicts.agrees(float(yours), verdicts.cross_entropy(logits, targets), "The loss", "cross_entropy")


def predicted(reader, text):
    """The shares of next letters that it predicts rightly: the first time a passage is said, and after that."""
    rows, lengths = said_twice(text, 400, np.random.default_rng(1))
    logits = verdicts.answers(asking(reader), rows[:, :-1], reader, batch=100)
    right = logits.argmax(-1) == rows[:, 1:]  # (400, PLACES)
    place = np.arange(PLACES)
    first, again = (
        place < lengths[:, None] - 1,
        place >= lengths[:, None] + 2,
    )  # three letters to recognise it by
    return right[first].mean(), right[again].mean()


# The map ------------------------------------------------------------------------------------------------


def followers(letters):
    """(T, T) booleans: True at [i, j] where letter j followed the two letters i - 1 and i earlier in the text."""
    same = np.zeros((len(letters), len(letters)), bool)
    for i in range(1, len(letters)):
        for j in range(2, i + 1):
            same[i, j] = letters[j - 1] == letters[i] and letters[j - 2] == letters[i - 1]
    return same


def check_map(mix, x, weights):
    """Refuse a map (1, H, T, T) that is not what the layer does with x: it gives the values, weighted by the map."""
    with no_grad():
        values, yours = mix.v_proj(x).data[0], mix(x, is_causal=True).data  # (T, D), (1, T, D)
        heads = [map_ @ part for map_, part in zip(weights[0], np.split(values, HEADS, -1), strict=True)]
        mapped = mix.out_proj(Tensor(np.concatenate(heads, -1)[None])).data
    if not np.allclose(yours, mapped, atol=1e-3 * np.abs(yours).max()):
        raise verdicts.Refused(
            "The map is not what the layer does: the values, weighted as attention_map says and sent through out_proj, "
            f"differ from the layer's result by up to {np.abs(yours - mapped).max():.2g}. Look at attention_map, "
            "attention_weights and split_heads."
        )


def in_words(weights, same):
    """A sentence: how much of a head's weight (T, T) is on what followed, where something did."""
    rows = np.flatnonzero(same.any(1))
    head = (weights * same)[rows].sum(1).mean()
    bag = (same.sum(1) / np.arange(1, len(same) + 1))[rows].mean()
    return f"{head:.0%} of its weight is on what followed the same two letters before (a bag has {bag:.0%} there)"


def draw(sentence, weights, same, path):
    """Draw a panel for each head: where each place looks. Framed: what followed the same two letters before."""
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
    text = (folder / "tinyshakespeare.txt").read_text(encoding="utf-8") if folder else stdlib.text(CHARACTERS)
    train, validation = map(numbers, stdlib.split(text))
    report.on = "Shakespeare" if folder else "Python's standard library"
    report.say(f"Passages of {report.on}, each repeated. Which model predicts the next letter?")

    with report.progress(STEPS, "a bag of all places so far") as step:
        bag = learn(Bag(), train, step)
    with report.progress(STEPS, "attention") as step:
        reader = learn(MultiHeadAttention(FEATURES, HEADS), train, step)
    for name, each in (("The bag", bag), ("Attention", reader)):
        first, again = predicted(each, validation)
        report.say(
            f"{name} predicts {first:.0%} the first time a passage is said, {again:.0%} when it is said again."
        )

    letters = numbers(" ".join(report.args))
    own = len(letters) >= 3
    if not own:
        letters = numbers(SENTENCE)
    sentence = "".join(LETTERS[number] for number in letters)
    with no_grad():
        x = reader.places(letters[None])
        weights = reader.mix.attention_map(x, is_causal=True).data
    check_map(reader.mix, x, weights)
    weights = weights[0]
    same = followers(letters)
    report.say(
        f"On {sentence!r}" + (":" if same.any() else " there is nothing to copy: no two letters come twice.")
    )
    for head in range(HEADS if same.any() else 0):
        report.say(f"  head {head + 1}: {in_words(weights[head], same)}")
    if same.any():
        report.say("  Only rows with a frame are counted.")
    draw(sentence, weights, same, report.figure("your_sentence" if own else "attention"))
    return report.verdict(
        again >= PASSED,
        f"{again:.0%} of what is said again is predicted, in text that it never saw ({PASSED:.0%} is needed)",
    )
