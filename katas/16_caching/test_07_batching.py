"""Continuous batching: texts join and leave between two steps, and nobody notices the others."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.caching import Batch, PrefixCache, Request, generate_all
from tinytorch.setup import manual_seed
from tinytorch.tensor import tensor
from tinytorch.transformers import GPT, GPTConfig, generate, next_logits


def config():
    return GPTConfig(vocab_size=11, block_size=32, n_layer=2, n_head=2, n_embd=8, tie_weights=False)


class Counted(GPT):
    """A GPT in float64 whose logits differ much, and that counts the tokens that its forward reads, call by call."""

    def __init__(self):
        manual_seed(3)
        super().__init__(config())
        for parameter in self.parameters():
            parameter.data *= 50
        self.to(np.float64)
        self.read = []

    def forward(self, ids, cache=None):
        self.read.append(ids.shape)
        return super().forward(ids, cache)


MODEL = []  # made by the first spec that needs it


def model():
    if not MODEL:
        MODEL.append(Counted())
    MODEL[0].read = []
    return MODEL[0]


def alone(ids, tokens, **options):
    """What the model writes after `ids` without a cache and without company."""
    return generate(model(), tensor([ids]), tokens, **options).tolist()[0][len(ids) :]


# One row


def test_a_text_is_written_token_by_token():
    """A request that was added gets one token in each step; `written` is then what the model writes alone."""
    batch, request = Batch(model(), rows=2), Request([1, 5, 2], max_new_tokens=4, temperature=0)
    batch.add(request)
    for step in range(1, 5):
        assert_equal(len(request.written), step - 1, "how many tokens were written")
        found = batch.step()
        assert_equal(len(found), 1, "how many requests step() gives")
        assert found[0] is request, "step() gives another object than the request that was added"
    assert_equal(request.written, alone([1, 5, 2], 4, temperature=0), "what was written")


def test_the_prompt_is_read_once():
    """add reads all of the prompt but its last token; each step reads one token."""
    batch = Batch(model(), rows=2)
    batch.add(Request([1, 5, 2, 4], max_new_tokens=3, temperature=0))
    batch.step()
    batch.step()
    tokens = [shape[-1] for shape in batch.model.read]
    assert_equal(tokens, [3, 1, 1], "the list of how many tokens were read by add and by two steps")


def test_a_prompt_of_one_token_needs_no_reading():
    """add of [7] reads nothing: the first step reads the 7."""
    batch, request = Batch(model(), rows=1), Request([7], max_new_tokens=3, temperature=0)
    batch.add(request)
    assert_equal(batch.model.read, [], "what was read by add")
    while batch.requests:
        batch.step()
    assert_equal(request.written, alone([7], 3, temperature=0), "what was written")


def test_a_text_ends_with_its_stop_token_or_its_length():
    """finish_reason is None while it is written, "stop" after a stop token, which is written too, else "length".

    `stop` is one id or a list of ids.
    """
    text = alone([1, 5, 2], 12, temperature=0)
    stop = text[4]
    end = text.index(stop) + 1
    stopped = Request([1, 5, 2], 12, temperature=0, stop=stop)
    long = Request([1, 5, 2], end, temperature=0, stop=[stop])
    short = Request([1, 5, 2], 1, temperature=0)
    batch = Batch(model(), rows=3)
    for each in (stopped, long, short):
        batch.add(each)
    assert_equal(stopped.finish_reason, None, "finish_reason at first")
    while batch.requests:
        batch.step()
    assert_equal(
        (stopped.written, stopped.finish_reason), (text[:end], "stop"), "text and reason at a stop token"
    )
    assert_equal(long.finish_reason, "stop", "the reason if the last token that was allowed is a stop token")
    assert_equal(
        (short.written, short.finish_reason), (text[:1], "length"), "text and reason after one token"
    )


def test_the_logits_of_the_last_token_are_kept():
    """request.logits (V,) are those from which the last token was drawn, as the model gave them."""
    batch, request = Batch(model(), rows=2), Request([1, 5, 2], 3, temperature=0.5, top_k=2)
    batch.add(Request([4], 9, temperature=0))
    batch.add(request)
    batch.step()
    batch.step()
    expected = next_logits(model(), tensor([1, 5, 2, request.written[0]])).data
    assert_close(request.logits, expected, "the logits")


def test_without_texts_a_step_does_nothing():
    """step() of an empty batch gives no requests, and the model is not asked."""
    batch = Batch(model(), rows=2)
    assert_equal(list(batch.step()), [], "the list of requests")
    assert_equal(batch.model.read, [], "what was read")


# Several rows


def test_a_step_reads_all_rows_at_once():
    """With three texts of 3, 1 and 5 tokens a step is one call of the model, with one token for each."""
    batch = Batch(model(), rows=4)
    for ids in ([1, 5, 2], [7], [3, 3, 9, 2, 5]):
        batch.add(Request(ids, 5, temperature=0))
    batch.model.read.clear()
    assert_equal(len(batch.step()), 3, "how many requests got a token")
    assert_equal(batch.model.read, [(3, 1)], "the shapes of ids that the model was given")


def test_texts_join_and_leave_between_two_steps():
    """One joins after two steps and another when the first has left, in its row: each text is what it is alone."""
    batch = Batch(model(), rows=2)
    first, second, third = (Request([token, 5], n, temperature=0) for token, n in ((1, 3), (2, 9), (3, 4)))
    batch.add(first)
    batch.step()
    batch.step()
    batch.add(second)
    batch.step()
    assert_equal((first.finish_reason, batch.free), ("length", 1), "the first text's end, and the free rows")
    batch.add(third)
    while batch.requests:
        batch.step()
    for request in (first, second, third):
        expected = alone(list(request.ids), request.max_new_tokens, temperature=0)
        assert_equal(request.written, expected, f"what was written after {list(request.ids)}")


def test_the_rows_in_use_are_the_first_ones():
    """When the text in row 0 of three leaves, the one in the last row moves there: a step reads two rows."""
    batch = Batch(model(), rows=3)
    requests = [Request([token], n, temperature=0) for token, n in ((1, 1), (2, 6), (3, 6))]
    for each in requests:
        batch.add(each)
    batch.step()
    batch.model.read.clear()
    batch.step()
    assert_equal(batch.model.read, [(2, 1)], "the shape of ids that the model was given")
    assert_equal(sorted(each.ids[0] for each in batch.requests), [2, 3], "the list of texts in the batch")


def test_a_text_may_be_released_before_its_end():
    """release(request) frees its row between two steps: it gets no more tokens, and the others go on as if alone."""
    batch = Batch(model(), rows=3)
    requests = [Request([token, 4], 8, temperature=0) for token in (1, 2, 3)]
    for each in requests:
        batch.add(each)
    batch.step()
    batch.release(requests[0])
    batch.step()
    assert_equal(batch.free, 1, "the free rows")
    while batch.requests:
        batch.step()
    assert_equal(len(requests[0].written), 1, "how many tokens the released text has")
    assert_equal(requests[0].finish_reason, None, "its finish_reason")
    for each in requests[1:]:
        assert_equal(
            each.written, alone(list(each.ids), 8, temperature=0), f"the text after {list(each.ids)}"
        )


def test_who_is_not_there_cannot_be_released():
    """release of a request that has left, or never joined, is a ValueError, and the others stay."""
    batch, gone = Batch(model(), rows=2), Request([1], 1, temperature=0)
    batch.add(gone)
    batch.add(Request([1], 5, temperature=0))
    batch.step()
    for each in (gone, Request([1], 5, temperature=0)):
        with raises(ValueError):
            batch.release(each)
    assert_equal(len(batch.requests), 1, "how many texts are in the batch")


def test_every_row_has_options_of_its_own():
    """Temperature, top_k, top_p and the generator are the request's: each text is the one it writes alone."""
    options = [
        {"temperature": 0.0},
        {"temperature": 1.5, "top_k": 3},
        {"temperature": 0.8, "top_p": 0.9},
        {"temperature": 1.0, "top_k": 4, "top_p": 0.7},
    ]
    together = [
        Request([5, 2], 10, **each, generator=np.random.default_rng(row)) for row, each in enumerate(options)
    ]
    batch = Batch(model(), rows=4)
    for each in together:
        batch.add(each)
    while batch.requests:
        batch.step()
    for row, each in enumerate(options):
        expected = alone([5, 2], 10, **each, generator=np.random.default_rng(row))
        assert_equal(together[row].written, expected, f"the text of row {row}")


def test_a_model_that_trains_is_evaluated():
    """add and step use a model in training mode without its dropout; each module is in its own mode afterwards."""
    manual_seed(0)
    small = GPT(GPTConfig(11, block_size=32, n_layer=2, n_head=2, n_embd=8, dropout=0.5, tie_weights=False))
    for parameter in small.parameters():
        parameter.data *= 50
    small.to(np.float64)
    expected = generate(small, tensor([[1, 5, 2, 3]]), 8, temperature=0).tolist()[0][4:]
    small.train()
    small.h[0].eval()
    modes = [part.training for part in small.modules()]
    batch, request = Batch(small, rows=1), Request([1, 5, 2, 3], 8, temperature=0)
    batch.add(request)
    assert_equal([part.training for part in small.modules()], modes, "the list of modes after add")
    while batch.requests:
        batch.step()
    assert_equal([part.training for part in small.modules()], modes, "the list of modes after the steps")
    assert_equal(request.written, expected, "what was written")


# What is refused


def test_a_step_that_breaks_off_changes_nothing():
    """If one row has nan, step raises: no text and no length has changed, and it may be repeated."""
    batch = Batch(model(), rows=2)
    requests = [Request(ids, 6, temperature=0) for ids in ([1, 5, 2], [7, 7])]
    for each in requests:
        batch.add(each)
    batch.step()
    before = [list(each.written) for each in requests], batch.cache.lengths.copy()
    weight = batch.model.wte.weight.data
    row = weight[requests[1].written[-1]]
    right = row.copy()
    row[...] = np.nan
    try:
        with raises(ValueError, "nan"):
            batch.step()
    finally:
        row[...] = right
    assert_equal([each.written for each in requests], before[0], "what was written")
    assert_close(batch.cache.lengths, before[1], "the lengths of the cache")
    while batch.requests:
        batch.step()
    for each in requests:
        assert_equal(each.written, alone(list(each.ids), 6, temperature=0), f"the text after {each.ids}")


REFUSED = {
    "no token": (ValueError, ([], 5), {}, ()),
    "nothing to write": (ValueError, ([1], 0), {}, (0,)),
    "a stop that is no id": (TypeError, ([1], 5), {"stop": 2.5}, (2.5,)),
    "a temperature": (ValueError, ([1], 5), {"temperature": -2.0}, (-2.0,)),
    "a top_k": (ValueError, ([1], 5), {"top_k": 0}, (0,)),
    "a top_p": (ValueError, ([1], 5), {"top_p": 7.5}, (7.5,)),
    "an id": (IndexError, ([1, 2, 11], 5), {}, (11, 11)),
    "a negative id": (IndexError, ([-1, 2], 5), {}, (-1, 11)),
}


@pytest.mark.parametrize(("kind", "args", "options", "values"), REFUSED.values(), ids=REFUSED)
def test_a_bad_request_does_not_join(kind, args, options, values):
    """A request that makes no sense is refused by add, and not in the middle of a step: the others write on.

    No token, max_new_tokens of 0 or a bad option is a ValueError, an unknown id, the last one too, an IndexError, and
    a `stop` that is neither an int nor a collection a TypeError.
    """
    batch, other = Batch(model(), rows=2), Request([1, 5, 2], 6, temperature=0)
    batch.add(other)
    batch.step()
    with raises(kind, *values):
        batch.add(Request(*args, **options))
    while batch.requests:
        assert_equal(len(batch.step()), 1, "how many requests got a token")
    assert_equal(other.written, alone([1, 5, 2], 6, temperature=0), "what was written beside it")


def test_a_full_batch_takes_nobody():
    """With all 2 rows in use add is a RuntimeError that names 2; when one is free again, the request may join."""
    batch, late = Batch(model(), rows=2), Request([7], 2, temperature=0)
    for tokens in (1, 3):
        batch.add(Request([1], tokens, temperature=0))
    with raises(RuntimeError, 2):
        batch.add(late)
    batch.step()
    batch.add(late)
    assert_equal(batch.free, 0, "the free rows")


def test_a_batch_has_a_row():
    """rows=0 is a ValueError that names 0: nobody could ever join."""
    with raises(ValueError, 0):
        Batch(model(), rows=0)


def test_a_text_joins_once():
    """A request that is in a row, has ended, or has left with something written is refused by add: a ValueError."""
    batch = Batch(model(), rows=4)
    ended, inside, left = (Request([token, 5], n, temperature=0) for token, n in ((1, 1), (2, 4), (3, 4)))
    for each in (ended, inside, left):
        batch.add(each)
    with raises(ValueError):
        batch.add(inside)
    batch.step()
    batch.release(left)
    for each in (ended, inside, left):
        with raises(ValueError):
            batch.add(each)
    while batch.requests:
        batch.step()
    assert_equal(inside.written, alone([2, 5], 4, temperature=0), "what was written")


# Beginnings that are known


def test_a_known_beginning_is_not_read_again():
    """With a PrefixCache the second text that begins with the same 6 tokens reads only what follows them.

    Whether it was given to Batch or to generate_all.
    """
    shared = [1, 5, 2, 9, 4, 4]
    batch = Batch(model(), 2, PrefixCache(config(), 4, dtype=np.float64))
    requests = [Request([*shared, *rest], 4, temperature=0) for rest in ([3, 8], [7, 0, 2])]
    for each in requests:
        batch.add(each)
    tokens = [shape[-1] for shape in batch.model.read]
    assert_equal(tokens, [7, 2], "the list of how many tokens the model was given by each add")
    while batch.requests:
        batch.step()
    for each in requests:
        assert_equal(
            each.written, alone(list(each.ids), 4, temperature=0), f"the text after {list(each.ids)}"
        )
    again = [Request([*shared, *rest], 1, temperature=0) for rest in ([3, 8], [7, 0, 2])]
    generate_all(model(), again, 2, PrefixCache(config(), 4, dtype=np.float64))
    tokens = [shape[-1] for shape in MODEL[0].read]
    assert_equal(tokens, [7, 2, 1], "the list of how many tokens the model was given by generate_all")


# All of it


@given(st.data())
@settings(max_examples=15)
def test_any_crowd_writes_what_each_writes_alone(data):
    """Whatever their prompts, lengths, order and number of rows: every text is the one that is written alone."""
    prompts = data.draw(
        st.lists(st.lists(st.integers(0, 10), min_size=1, max_size=6), max_size=6), label="prompts"
    )
    rows = data.draw(st.integers(1, 3), label="rows")
    requests = [
        Request(ids, 1 + 3 * (place % 3), temperature=0, stop=[6]) for place, ids in enumerate(prompts)
    ]
    texts = generate_all(model(), requests, rows)
    for request, text in zip(requests, texts, strict=True):
        expected = alone(list(request.ids), request.max_new_tokens, temperature=0)
        expected = expected[: expected.index(6) + 1] if 6 in expected else expected
        assert_equal(text, expected, f"the text after {list(request.ids)}, in a crowd of {len(prompts)},")


def test_a_real_model_writes_the_same_in_a_crowd():
    """In float32, by the kernel and in a batch sums are rounded in another way.

    A text may differ from the one that is written alone, but only from a place on where the two largest logits lie
    within 1e-4.
    """
    manual_seed(0)
    config = GPTConfig(vocab_size=65, block_size=64, n_layer=2, n_head=4, n_embd=32, tie_weights=False)
    small, rng = GPT(config), np.random.default_rng(0)
    for parameter in small.parameters():
        parameter.data *= 10
    requests = [
        Request(rng.integers(0, 65, rng.integers(1, 9)).tolist(), 40, temperature=0) for _ in range(12)
    ]
    for request, text in zip(requests, generate_all(small, requests, rows=5), strict=True):
        ids = list(request.ids)
        for token in text:
            logits = next_logits(small, tensor(ids)).data
            if token != logits.argmax():
                apart = logits.max() - logits[token]
                assert apart < 1e-4, f"token {token} came, whose logit is {apart:.2g} below the largest"
            ids.append(token)


def test_first_come_first_served():
    """generate_all fills free rows in the order of the requests, and gives the texts in that order."""
    requests = [Request([token], n, temperature=0) for token, n in ((1, 6), (2, 2), (3, 6), (4, 1))]
    texts = generate_all(model(), requests, rows=2)
    assert_equal([len(text) for text in texts], [6, 2, 6, 1], "the lengths of the texts")
    shapes = [shape[0] for shape in MODEL[0].read]
    assert_equal(shapes, [2] * 7 + [1], "the number of rows of each step")
    assert_equal(generate_all(model(), [], rows=2), [], "the list of texts for no requests")


def test_a_bad_request_loses_no_text():
    """generate_all looks at all requests first: a bad id in the last one, or one request twice, and nothing is read."""
    good, bad = Request([1, 5], 3, temperature=0), Request([1, 11], 3, temperature=0)
    for requests, kind in (([good, bad], IndexError), ([good, good], ValueError)):
        with raises(kind):
            generate_all(model(), requests, rows=1)
        assert_equal(MODEL[0].read, [], "what the model has read")
    assert_equal(good.written, [], "what was written after the good one")
