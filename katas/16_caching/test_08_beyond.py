"""Texts longer than the model can see: a row drops the first half of what it sees, and reads the rest again."""

import numpy as np
import pytest

from dojo.spec import assert_equal, raises
from tinytorch.caching import Batch, Request
from tinytorch.setup import manual_seed
from tinytorch.tensor import tensor
from tinytorch.transformers import GPT, GPTConfig, next_logits


class Counted(GPT):
    """A GPT in float64 that counts the tokens that its forward reads, call by call."""

    def __init__(self, block_size):
        manual_seed(3)
        super().__init__(GPTConfig(11, block_size, n_layer=2, n_head=2, n_embd=8, tie_weights=False))
        for parameter in self.parameters():
            parameter.data *= 50
        self.to(np.float64)
        self.read = []

    def forward(self, ids, cache=None):
        self.read.append(ids.shape)
        return super().forward(ids, cache)


def written(model, request, rows=1):
    batch = Batch(model, rows)
    batch.add(request)
    while batch.requests:
        batch.step()
    return request.written


def check(model, ids, text):
    """Every token is the model's choice after the last n tokens, for an n from half of block_size to all of it."""
    block_size, ids = model.config.block_size, list(ids)
    for place, token in enumerate(text):
        seen = range(min(len(ids), max(block_size // 2, 1)), min(len(ids), block_size) + 1)
        choices = {int(next_logits(model, tensor(ids[-n:])).data.argmax()) for n in seen}
        assert token in choices, (
            f"token {place} is {token}; after the last {seen[0]} to {seen[-1]} tokens the model chooses {choices}"
        )
        ids.append(token)


@pytest.mark.parametrize("block_size", [8, 7, 2, 1])
def test_a_text_goes_on_beyond_block_size(block_size):
    """20 tokens after a prompt of 3: each is the model's choice after at least the last block_size // 2 tokens."""
    model, request = Counted(block_size), Request([1, 5, 2], 20, temperature=0)
    text = written(model, request)
    assert_equal((len(text), request.finish_reason), (20, "length"), "how many tokens, and why it ended")
    check(model, request.ids, text)


def test_the_rest_is_read_again_once():
    """With block_size 8, a text of 9 tokens is cut to its last 4: 3 are read, one by the step; then it has 4 steps.

    A window is cut to its last max(block_size // 2, 1) tokens, no more and no fewer.
    """
    model = Counted(8)
    written(model, Request([1, 5, 2, 7], 14, temperature=0))
    lengths = [shape[-1] for shape in model.read]
    assert_equal(
        lengths,
        [3, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1],
        "the tokens that were read, call by call,",
    )


def test_of_a_long_prompt_the_end_is_read():
    """Of a prompt of 30 tokens the model sees the last 8 at first: the first token is its choice after them."""
    model, ids = Counted(8), [each % 11 for each in range(30)]
    request = Request(ids, 12, temperature=0)
    text = written(model, request)
    assert_equal(model.read[0][-1], 7, "how many tokens add read")
    assert_equal(text[0], int(next_logits(model, tensor(ids[-8:])).data.argmax()), "the first token")
    check(model, ids, text)


def test_reading_again_may_break_off():
    """If the pass that reads the rest again raises, the next step reads it: the text is the one it would have been."""
    model = Counted(8)
    expected = written(model, Request([1, 5, 2], 15, temperature=0))
    batch, request, forward = Batch(model, 1), Request([1, 5, 2], 15, temperature=0), model.forward
    batch.add(request)
    while batch.requests:
        if len(request.window()) == 9:
            model.forward = lambda *args: 1 // 0
            with raises(ZeroDivisionError):
                batch.step()
            model.forward = forward
        batch.step()
    assert_equal(request.written, expected, "the text")


def test_neighbours_do_not_notice():
    """A row that reads again changes nothing for the others, which are in the middle of their texts."""
    model, batch = Counted(8), Batch(Counted(8), 3)
    requests = [Request(ids, 15, temperature=0) for ids in ([1, 5, 2], [4], [7, 7, 7, 1, 0, 2])]
    for each in requests:
        batch.add(each)
    while batch.requests:
        batch.step()
    for each in requests:
        alone = written(model, Request(each.ids, 15, temperature=0))
        assert_equal(each.written, alone, f"the text after {each.ids}")
