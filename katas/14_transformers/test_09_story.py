"""A verse that is learnt by heart, and what one letter alone cannot know."""

import numpy as np

from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.tokenization import CharTokenizer
from tinytorch.transformers import GPT, GPTConfig, generate

VERSE = "the cat sat on the mat and the rat ate the oats. "


def learn(block_size, steps):
    """A GPT learns stretches of the verse. What it writes afterwards, and its last loss, in nats a letter."""
    manual_seed(0)
    rng = np.random.default_rng(0)
    tokenizer = CharTokenizer.train(VERSE)
    ids = np.array(tokenizer.encode(VERSE * 2))
    model = GPT(GPTConfig(tokenizer.vocab_size, block_size, n_layer=2, n_head=2, n_embd=32))
    optimizer = AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        starts = rng.integers(0, len(VERSE), 192 // block_size)
        rows = ids[starts[:, None] + np.arange(block_size + 1)]  # (B, T + 1)
        optimizer.zero_grad()
        loss = model.loss(Tensor(rows[:, :-1]), Tensor(rows[:, 1:]))
        loss.backward()
        optimizer.step()
    written = generate(model, Tensor(ids[:12]), 100, temperature=0)
    return tokenizer.decode(written), loss.item()


def share_of_the_verse(text):
    """How many of the stretches of five letters stand in the verse."""
    stretches = [text[i : i + 5] for i in range(12, len(text) - 4)]
    return sum(stretch in VERSE * 2 for stretch in stretches) / len(stretches)


def test_it_writes():
    """A GPT that sees 12 letters learns the verse in 160 steps.

    Its loss falls below half a nat, and what it writes by itself is mostly the verse.
    """
    text, loss = learn(block_size=12, steps=160)
    assert loss < 0.5, f"the loss is {loss:.2f} nats a letter after 160 steps, expected less than 0.5"
    share = share_of_the_verse(text)
    assert share > 0.6, f"only {share:.0%} of what it writes stands in the verse: {text!r}"


def test_one_letter_does_not_say_what_comes_next():
    """A GPT that sees one letter at a time keeps guessing: after "t" comes "h", " ", "e" or "s", and nobody can say."""
    text, loss = learn(block_size=1, steps=40)
    assert loss > 0.7, f"the loss is {loss:.2f} nats a letter: a model of one letter sees more than one"
    assert VERSE not in text, f"it writes the verse, and after each letter it can only write one: {text!r}"
