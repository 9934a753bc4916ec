"""Five places hold a letter and a digit each, and the last one asks: which digit stood by this letter?"""

import numpy as np

from dojo.spec import assert_close
from tinytorch.attention import MultiHeadAttention
from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear, Module
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

LETTERS, DIGITS, PLACES, FEATURES = 8, 10, 5, 32


def questions(n, rng):
    """Letters (n, 6), digits (n, 6) and answers (n,).

    Five different letters with their digits, then one of the letters again, with a question mark (number 10) as digit.
    """
    letters = rng.permuted(np.tile(np.arange(LETTERS), (n, 1)), axis=1)[:, :PLACES]
    digits = rng.integers(0, DIGITS, (n, PLACES))
    asked = rng.integers(0, PLACES, n)
    rows = np.arange(n)
    return (
        np.column_stack([letters, letters[rows, asked]]),
        np.column_stack([digits, np.full(n, DIGITS)]),
        digits[rows, asked],
    )


class Reader(Module):
    """A place is the sum of its letter and its digit. The last place either attends to all, or all are added up."""

    def __init__(self, attends):
        self.letter, self.digit = Embedding(LETTERS, FEATURES), Embedding(DIGITS + 1, FEATURES)
        self.mix = MultiHeadAttention(FEATURES, 1) if attends else Linear(FEATURES, FEATURES)
        self.attends = attends
        self.answer = Linear(FEATURES, DIGITS)

    def forward(self, letters, digits):
        x = self.letter(Tensor(letters)) + self.digit(Tensor(digits))  # (n, 6, FEATURES)
        mixed = self.mix(x[:, -1:], x)[:, 0] if self.attends else self.mix(x.sum(1))
        return self.answer(mixed + x[:, -1])


def share_right(attends, steps=100, seed=0):
    """What a reader has learnt after some steps: the share of 500 new questions that it answers."""
    manual_seed(seed)
    rng = np.random.default_rng(seed)
    reader = Reader(attends)
    optimizer = Adam(reader.parameters(), lr=0.01)
    for _ in range(steps):
        letters, digits, answers = questions(64, rng)
        optimizer.zero_grad()
        cross_entropy(reader(letters, digits), Tensor(answers)).backward()
        optimizer.step()
    letters, digits, answers = questions(500, rng)
    return (reader(letters, digits).data.argmax(1) == answers).mean()


def test_a_sum_does_not_know_who_had_what():
    """The sum of the places is the same when two letters exchange their digits; what a query gets is not."""
    manual_seed(0)
    letters, digits = np.array([[0, 1, 0]]), np.array([[7, 3, DIGITS]])
    exchanged = np.array([[3, 7, DIGITS]])
    summing, attending = Reader(False), Reader(True)
    expected = summing(letters, digits).data
    assert_close(summing(letters, exchanged), expected, "what the sum says after the exchange", atol=1e-5)
    change = np.abs(attending(letters, digits).data - attending(letters, exchanged).data).max()
    assert change > 1e-3, f"the exchange moves what attention says by {change:.1e} only"


def test_attention_learns_to_look_up():
    """After 100 steps attention answers over 90 % of new questions, where adding up answers less than half."""
    found = share_right(attends=True)
    assert found > 0.9, f"attention answers {found:.0%} of the new questions, expected over 90%"
    guessed = share_right(attends=False)
    assert guessed < 0.5, f"adding up answers {guessed:.0%} of the new questions, expected below 50%"
