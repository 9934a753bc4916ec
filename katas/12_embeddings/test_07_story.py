"""An id is only a name: its row learns its meaning from neighbouring words, and its place has to be added."""

import numpy as np
import pytest

from dojo.spec import assert_close
from tinytorch.embeddings import Embedding, LearnedPositions, SinusoidalPositions, apply_rope
from tinytorch.layers import Linear, Module, ReLU, Sequential
from tinytorch.losses import binary_cross_entropy_with_logits, cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, mean

SENTENCE = {
    "article": ["the", "a", "every"],
    "adjective": ["small", "old", "red", "quick"],
    "noun": ["dog", "man", "child", "bird"],
    "verb": ["sings", "sleeps", "runs", "waits"],
    "adverb": ["well", "today", "alone"],
}
WORDS = [(word, kind) for kind, words in SENTENCE.items() for word in words]


def a_text(sentences):
    """Sentences such as "the old bird sings alone" as ids in one row, and the kind of each id.

    Ids are given out at random, so they say nothing about kinds.
    """
    rng = np.random.default_rng(0)
    deal = rng.permutation(len(WORDS))
    ids = {WORDS[n][0]: i for i, n in enumerate(deal)}
    text = [ids[rng.choice(words)] for _ in range(sentences) for words in SENTENCE.values()]
    return np.array(text), np.array([WORDS[n][1] for n in deal])


def nearness(rows, kinds):
    """The mean cosine of rows of one kind, of two kinds, and the share of rows whose nearest row is of their kind."""
    rows = rows.astype(np.float64)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    alike = kinds[:, None] == kinds
    itself = np.eye(len(kinds), dtype=bool)
    nearest = np.where(itself, -2, cosines).argmax(1)
    return cosines[alike & ~itself].mean(), cosines[~alike].mean(), (kinds[nearest] == kinds).mean()


def test_words_that_are_used_alike_come_near():
    """Trained only to guess the next word, an Embedding and a Linear move words of the same kind near each other.

    All nouns come to one place, all verbs to another.
    """
    text, kinds = a_text(sentences=100)
    manual_seed(0)
    rows = Embedding(len(kinds), 8)
    model = Sequential(rows, Linear(8, len(kinds)))
    optimizer = Adam(model.parameters(), lr=0.2)
    alike, apart, _ = nearness(rows.weight.data, kinds)
    assert abs(alike - apart) < 0.3, (
        f"before training, cosines of one kind are {alike:.2f}, of two kinds {apart:.2f}, expected no difference"
    )
    for _ in range(100):
        optimizer.zero_grad()
        cross_entropy(model(Tensor(text[:-1])), Tensor(text[1:])).backward()
        optimizer.step()
    alike, apart, own = nearness(rows.weight.data, kinds)
    assert alike > 0.7, f"cosines of one kind are {alike:.2f} in the mean, expected over 0.7"
    assert apart < 0.1, f"cosines of two kinds are {apart:.2f} in the mean, expected below 0.1"
    assert own > 0.9, f"{own:.0%} of the words have one of their own kind next to them, expected over 90%"


class Turned(Module):
    """apply_rope as a layer."""

    def forward(self, x):
        return apply_rope(x)


class Bag(Module):
    """Look up each word, add its place or not, process each word alone, then average all."""

    def __init__(self, places):
        self.look_up = Embedding(6, 8)
        self.places = places
        self.think = Sequential(Linear(8, 16), ReLU())
        self.answer = Linear(16, 1)

    def forward(self, ids):
        words = self.look_up(ids)  # (N, T, 8)
        if self.places is not None:
            words = self.places(words)
        return self.answer(mean(self.think(words), 1)).reshape(-1)


PLACES = {
    "nothing": lambda: None,
    "sinusoidal": lambda: SinusoidalPositions(3, 8),
    "learned": lambda: LearnedPositions(3, 8),
    "rope": lambda: Turned(),
}


@pytest.mark.parametrize("places", PLACES)
def test_dog_bites_man_is_news_only_with_places(places):
    """A model without places cannot tell "dog bites man" from "man bites dog"; with places, of three kinds, it can.

    Without places it gives the same answer for both, whatever its weights: its loss stays that of a coin, log 2.
    """
    beings = range(1, 6)  # 0 is "bites"
    bites = np.array([[one, 0, other] for one in beings for other in beings if one != other])
    news = Tensor((bites[:, 0] < bites[:, 2]).astype(np.float32))
    manual_seed(0)
    model = Bag(PLACES[places]())
    optimizer = Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(model(Tensor(bites)), news)
        loss.backward()
        optimizer.step()
    if places == "nothing":
        forwards, backwards = model(Tensor(bites)).data, model(Tensor(bites[:, ::-1].copy())).data
        assert_close(backwards, forwards, "the array of answers for the sentences read backwards", atol=1e-5)
        assert loss.item() > 0.69, f"the loss is {loss.item():.3f}, expected that of a coin, log 2 = 0.693"
    else:
        assert loss.item() < 0.1, f"the loss is {loss.item():.3f}, expected below 0.1"
