"""Writing: what may come next, asked again and again."""

from itertools import islice

import numpy as np
import pytest

from dojo.spec import Remembered, Together, assert_close, assert_equal, raises, unchanged
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, cat, tensor, zeros
from tinytorch.transformers import GPT, GPTConfig, generate, next_logits, stream

TINY = {"vocab_size": 7, "block_size": 4, "n_layer": 1, "n_head": 1, "n_embd": 4}


class Counts(GPT):
    """A model that is sure: after token i comes i + 1, and after 6 comes 0. It remembers what it was asked."""

    def __init__(self, spread=0.0):
        super().__init__(GPTConfig(**TINY))
        self.asked, self.spread = [], spread

    def forward(self, ids, cache=None):
        self.asked.append(ids.data.tolist())
        sure = np.eye(self.config.vocab_size)[(ids.data + 1) % self.config.vocab_size]
        return Tensor(sure * 50 * (1 - self.spread))


def small():
    """A real model, whose logits differ enough from token to token."""
    model = GPT(GPTConfig(vocab_size=7, block_size=12, n_layer=2, n_head=2, n_embd=8))
    for name, parameter in model.named_parameters():
        parameter.data[...] = np.random.default_rng([1, *name.encode()]).standard_normal(parameter.shape) / 2
    return model


# The next token


def test_next_logits_are_the_last_row():
    """(B, T) gives the logits of the last place, (B, V), and (T,) gives (V,)."""
    model, ids = small(), np.array([[1, 2, 3], [6, 0, 1]])
    logits = model(Tensor(ids)).data
    assert_close(next_logits(model, Tensor(ids)), logits[:, -1], atol=1e-5)
    assert_close(next_logits(model, Tensor(ids[1])), logits[1, -1], "for one text alone", atol=1e-5)


def test_next_logits_are_of_a_model_at_rest():
    """Dropout is off, nothing is recorded, and the model goes back to training."""
    model = GPT(GPTConfig(7, 4, 1, 1, 4, dropout=0.5))
    first, second = (next_logits(model, tensor([1, 2])) for _ in range(2))
    assert_close(second, first.data, "the second time")
    assert_equal((first.requires_grad, model.training), (False, True), "requires_grad, and the model's mode")


def test_of_a_long_text_the_end_is_read():
    """With block_size 4, of 6 tokens the model reads the last four."""
    model = Counts()
    next_logits(model, tensor([[0, 1, 2, 3, 4, 5]]))
    assert_equal(model.asked, [[[2, 3, 4, 5]]], "what the model was asked")


def test_there_must_be_something_to_read():
    """A text without tokens is a ValueError that names the number 0."""
    with raises(ValueError, 0):
        next_logits(GPT(GPTConfig(**TINY)), zeros(2, 0, dtype=np.int64))


# Generating


def test_generate_gives_the_text_and_what_follows():
    """The model that counts continues [[2, 3], [6, 0]]: three more tokens make (2, 5), int64."""
    ids = np.array([[2, 3], [6, 0]])
    with unchanged(ids):
        out = generate(Counts(), Tensor(ids), 3, temperature=0)
    assert_close(out, np.array([[2, 3, 4, 5, 6], [6, 0, 1, 2, 3]]), "the text")


def test_generate_takes_one_text_alone():
    """ids (T,) give (T + n,): [2] and two more tokens are [2, 3, 4]."""
    assert_close(generate(Counts(), tensor([2]), 2, temperature=0), np.array([2, 3, 4]))


def test_nothing_may_be_asked_for():
    """max_new_tokens=0 gives ids back, and the model is not asked."""
    model = Counts()
    assert_close(generate(model, tensor([[2, 3]]), 0), np.array([[2, 3]]))
    assert_equal(model.asked, [], "what the model was asked")


def test_the_text_may_grow_beyond_block_size():
    """Of a text that grows the last block_size tokens are read, at every step; all of it is given."""
    model = Counts()
    out = generate(model, tensor([1]), 6, temperature=0)
    assert_close(out, np.array([1, 2, 3, 4, 5, 6, 0]), "the text")
    assert_equal(
        model.asked[-2:], [[2, 3, 4, 5], [3, 4, 5, 6]], "what the model was asked in the last two steps"
    )


def test_each_step_reads_what_was_written_before():
    """A real model, greedy: each token is the largest logit after all tokens before it."""
    model = small()
    out = generate(model, tensor([[1, 2], [5, 0]]), 8, temperature=0).data
    for t in range(2, 10):
        expected = model(Tensor(out[:, :t])).data[:, -1].argmax(-1)
        assert_close(out[:, t], expected, f"the tokens at place {t}")


def test_generate_hands_its_options_on():
    """Logits of no preference: top_k and top_p narrow them down, and the first of the equal ones are left for top_p."""
    model, ids = Counts(spread=1.0), tensor([[0]] * 30)
    found = generate(model, ids, 5, top_p=0.4, generator=np.random.default_rng(0)).data[:, 1:]
    assert_equal(
        sorted(set(found.ravel().tolist())), [0, 1, 2], "the list of ids that top_p=0.4 leaves of seven"
    )
    model = Counts(spread=0.98)  # the next one has a logit of 1, the others 0
    found = generate(model, ids, 5, top_k=1, generator=np.random.default_rng(0)).data
    assert_close(found[0], np.array([0, 1, 2, 3, 4, 5]), "with top_k=1")
    hot = generate(model, ids, 5, 100.0, generator=np.random.default_rng(0)).data
    share = (hot[:, 1] == 1).mean()
    assert share < 0.5, (
        f"at temperature 100 the favourite comes in {share:.0%} of the texts, expected about 1 in 7"
    )


def test_the_same_seed_writes_the_same():
    """Generators with one seed write the same text, with another seed another; by default manual_seed decides."""
    model, ids = small(), tensor([[1, 2]] * 4)
    texts = [generate(model, ids, 10, generator=np.random.default_rng(seed)).data for seed in (1, 1, 2)]
    assert_close(texts[1], texts[0], "the text of the same seed")
    assert (texts[2] != texts[0]).any(), "another seed writes the same text"
    manual_seed(5)
    first = generate(model, ids, 10).data
    manual_seed(5)
    assert_close(generate(model, ids, 10), first, "the text after the same manual_seed")


# Stopping


def test_a_stop_token_ends_the_text():
    """stop=5: the text ends after the first 5 that is written, with it; the 5 in the prompt does not count."""
    out = generate(Counts(), tensor([[5, 2]]), 20, temperature=0, stop=5)
    assert_close(out, np.array([[5, 2, 3, 4, 5]]))


def test_a_prompt_may_end_with_a_stop_token():
    """stop=5 after a prompt [4, 5]: what was written before does not count, and the text goes on to the next 5."""
    out = generate(Counts(), tensor([4, 5]), 20, temperature=0, stop=5)
    assert_close(out, np.array([4, 5, 6, 0, 1, 2, 3, 4, 5]))


def test_there_may_be_several_stop_tokens():
    """stop=[0, 6]: whichever comes first ends the text. 0 is a token like any other."""
    assert_close(generate(Counts(), tensor([4]), 20, temperature=0, stop=[0, 6]), np.array([4, 5, 6]))
    assert_close(
        generate(Counts(), tensor([5]), 20, temperature=0, stop=0), np.array([5, 6, 0]), "with stop=0"
    )


def test_a_row_that_is_ready_waits_for_the_others():
    """A row that has stopped repeats its stop token until every row has stopped."""
    out = generate(Counts(), tensor([[4], [2], [5]]), 20, temperature=0, stop={5, 6})
    assert_close(out, np.array([[4, 5, 5, 5], [2, 3, 4, 5], [5, 6, 6, 6]]))


# Streaming


def test_tokens_come_as_they_are_written():
    """stream gives (B,) ids a step, at once: after two steps the model was asked twice, and no more."""
    model = Counts()
    steps = stream(model, tensor([[2], [6]]), 5, temperature=0)
    assert_equal(model.asked, [], "what was asked before the first step")
    assert_close(next(steps), np.array([3, 0]), "the first step")
    assert_close(next(steps), np.array([4, 1]), "the second step")
    assert_equal(len(model.asked), 2, "how often the model was asked")
    assert_equal(len(list(steps)), 3, "how many steps are left of 5")


def test_a_stream_of_one_text_gives_one_id_a_step():
    """Of ids (T,) each step is 0-d, so that int() takes it."""
    assert_equal(
        [each.item() for each in stream(Counts(), tensor([2]), 3, temperature=0)],
        [3, 4, 5],
        "the list of steps",
    )


def test_the_stop_token_is_streamed_too():
    """The stop token is the last step, and rows that wait repeat theirs."""
    steps = [each.data.tolist() for each in stream(Counts(), tensor([[4], [3]]), 9, temperature=0, stop=5)]
    assert_equal(steps, [[5, 4], [5, 5]], "the list of steps")


def test_a_stream_is_what_generate_gives():
    """With the same generator the steps are the columns that generate adds."""
    model, ids = small(), tensor([[1, 2], [3, 4]])
    steps = [each.data for each in stream(model, ids, 6, generator=np.random.default_rng(4))]
    whole = generate(model, ids, 6, generator=np.random.default_rng(4)).data
    assert_close(np.stack(steps, 1), whole[:, 2:])


def test_a_stream_stays_at_its_end():
    """After the last step there is none, however often next() is called, and the model is not asked again."""
    model = Counts()
    steps = stream(model, tensor([2]), 2, temperature=0)
    assert_equal(len(list(steps)), 2, "the number of steps")
    more = sum(1 for _ in range(3) for _ in islice(steps, 1))
    assert_equal(
        (more, len(model.asked)), (0, 2), "the steps after the end, and how often the model was asked,"
    )


def test_between_two_steps_the_model_may_learn():
    """A stream that pauses leaves nothing behind: the model is in its own mode, and gradients are recorded."""
    model = GPT(GPTConfig(7, 4, 1, 1, 4, dropout=0.5))
    steps = stream(model, tensor([1]), 5)
    next(steps)
    assert_equal(model.training, True, "whether the model is in training mode between two steps")
    assert_equal(model(tensor([1])).requires_grad, True, "whether gradients are recorded between two steps")
    model.eval()
    next(steps)
    assert_equal(model.training, False, "whether a model in eval mode is put into training mode")


@pytest.mark.parametrize("write", [stream, generate], ids=["stream", "generate"])
@pytest.mark.parametrize(
    ("ids", "options", "bad"),
    [
        ([1], {"max_new_tokens": -1}, -1),
        ([1], {"max_new_tokens": 1, "temperature": -2.0}, -2.0),
        ([1], {"max_new_tokens": 1, "top_k": 0}, 0),
        ([1], {"max_new_tokens": 1, "top_p": 7.5}, 7.5),
        ([[], []], {"max_new_tokens": 1}, (2, 0)),
        (3, {"max_new_tokens": 1}, ()),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_before_the_first_step(write, ids, options, bad):
    """A bad option, or ids without a token, is a ValueError as soon as stream is called, not at its first step."""
    model = Counts()
    with raises(ValueError, bad):
        write(model, Tensor(np.array(ids, np.int64)), **options)
    assert_equal(model.asked, [], "what the model was asked")


# With a cache


def test_with_a_cache_only_new_tokens_are_read():
    """A cache that holds the first two tokens is given what follows them, and the text is the same as without."""
    model, ids = small(), tensor([[1, 2, 3], [6, 0, 5]])
    cache = Remembered(cat, 2)
    model(ids[:, :2], cache)
    out = generate(model, ids, 6, generator=np.random.default_rng(0), cache=cache)
    sizes = [key.shape[-2] for key, _ in cache.given[0]]
    assert_equal(sizes, [2, 1, 1, 1, 1, 1, 1], "the number of tokens that the cache was given, call by call,")
    assert_close(out, generate(model, ids, 6, generator=np.random.default_rng(0)).data, "the text")


def test_a_cache_is_given_the_whole_prompt():
    """An empty cache is given all tokens, and later what is new since, be it several: the logits are as without one."""
    model, ids = small(), tensor([[1, 2, 3, 4, 5], [6, 0, 5, 2, 1]])
    cache = Remembered(cat, 2)
    for length in (3, 5):
        expected = next_logits(model, ids[:, :length]).data
        assert_close(next_logits(model, ids[:, :length], cache), expected, f"{length} tokens", atol=1e-4)
    sizes = [key.shape[-2] for key, _ in cache.given[0]]
    assert_equal(sizes, [3, 2], "the tokens that the cache was given, call by call,")


def test_with_an_empty_cache_a_long_text_is_an_error_too():
    """13 tokens for an empty cache do not fit into block_size 12: a ValueError with both, and not the end alone."""
    with raises(ValueError, 13, 12):
        next_logits(small(), zeros(1, 13, dtype=np.int64), Remembered(cat, 2))


def test_with_a_cache_a_long_text_is_an_error():
    """10 tokens in the cache and 3 more do not fit into block_size 12: a ValueError with 13 and 12."""
    model, cache = small(), Remembered(cat, 2)
    ids = zeros(1, 13, dtype=np.int64)
    model(ids[:, :10], cache)
    with raises(ValueError, 13, 12):
        next_logits(model, ids, cache)


def test_unequal_texts_end_together():
    """Texts of 2 and 5 tokens in the cache: of ids (2, 7) the last 2 columns are new, and each text is as alone."""
    model, ids = small(), np.array([[9, 9, 9, 1, 2, 3, 4], [6, 0, 5, 2, 1, 0, 3]])
    texts = [Remembered(cat, 2), Remembered(cat, 2)]
    expected = []
    for row, text, length in zip(ids, texts, (2, 5), strict=True):
        alone = row[-length - 2 :]
        model(Tensor(alone[None, :length]), text)
        expected.append(next_logits(model, Tensor(alone)).data)
    found = next_logits(model, Tensor(ids), Together(texts))
    assert_close(found, np.stack(expected), "the logits after each text", atol=1e-4)


def test_a_cache_may_not_hold_the_whole_text():
    """Where the cache holds all 3 tokens there is nothing to read, and no logits: a ValueError that names 3."""
    model, ids, cache = small(), tensor([[1, 2, 3]]), Remembered(cat, 2)
    model(ids, cache)
    with raises(ValueError, 3):
        next_logits(model, ids, cache)
