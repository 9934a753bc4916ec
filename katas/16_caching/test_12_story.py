"""A waiting room: many readers, one model, and nobody waits for the longest."""

import numpy as np

from dojo.spec import assert_equal
from tinytorch.caching import Batch, PrefixCache, Request
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.tokenization import CharTokenizer
from tinytorch.transformers import GPT, GPTConfig, generate

VERSE = "the cat sat on the mat and the rat ate the oats. "


def learned():
    """A GPT that has learned the verse, and its tokenizer."""
    manual_seed(0)
    rng, tokenizer = np.random.default_rng(0), CharTokenizer.train(VERSE)
    ids = np.array(tokenizer.encode(VERSE * 2))
    model = GPT(GPTConfig(tokenizer.vocab_size, block_size=24, n_layer=2, n_head=2, n_embd=32))
    optimizer = AdamW(model.parameters(), lr=1e-2)
    for step in range(120):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 120)
        rows = ids[rng.integers(0, len(VERSE), 8)[:, None] + np.arange(25)]  # (8, 25)
        optimizer.zero_grad()
        model.loss(Tensor(rows[:, :-1]), Tensor(rows[:, 1:])).backward()
        optimizer.step()
    return model, tokenizer


def test_nobody_waits_for_the_longest():
    """Twelve readers come one at each step, and four rows are there: all get their text, and the model makes few steps.

    One after the other they would need as many steps as there are tokens. Each text is the one that the model writes
    for that reader alone.
    """
    model, tokenizer = learned()
    beginnings = ["the cat sat", "the cat sat on", "and the rat"]
    readers = [
        Request(tokenizer.encode(beginnings[number % 3]), 4 + 5 * (number % 4), temperature=0)
        for number in range(12)
    ]
    batch = Batch(model, 4, PrefixCache(model.config, 4))
    arriving, waiting, steps = list(readers), [], 0
    while arriving or waiting or batch.requests:
        waiting += arriving[:1]
        del arriving[:1]
        while waiting and batch.free:
            batch.add(waiting.pop(0))
        batch.step()
        steps += 1
    tokens = sum(len(reader.written) for reader in readers)
    assert_equal(tokens, sum(reader.max_new_tokens for reader in readers), "the number of tokens")
    assert steps < tokens / 2.5, f"{steps} steps for {tokens} tokens: the rows were hardly used"
    for reader in readers[:6]:
        ids = list(reader.ids)
        if len(ids) + len(reader.written) <= 24:
            text = generate(model, Tensor(np.array([ids])), len(reader.written), temperature=0).tolist()[0]
            assert_equal(
                tokenizer.decode(ids + reader.written), tokenizer.decode(text), "the text of a reader"
            )
    written = [tokenizer.decode([*reader.ids, *reader.written]) for reader in readers]
    stretches = [text[place : place + 5] for text in written for place in range(len(text) - 4)]
    share = sum(stretch in VERSE * 2 for stretch in stretches) / len(stretches)
    assert share > 0.6, f"only {share:.0%} of what was written stands in the verse: {written}"
