"""Writing with a cache: the same text, and each token goes through the model once. All that is needed is written."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.autograd import no_grad
from tinytorch.caching import KVCache
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor
from tinytorch.transformers import GPT, GPTConfig, generate, next_logits

IDS = np.array([[1, 10, 0, 7, 7], [3, 3, 9, 2, 5]])


class Counted(GPT):
    """A GPT in float64 whose logits differ much, and that counts the tokens it is given, call by call."""

    def __init__(self):
        manual_seed(3)
        super().__init__(GPTConfig(11, block_size=32, n_layer=2, n_head=2, n_embd=8, tie_weights=False))
        for parameter in self.parameters():
            parameter.data *= 50
        self.to(np.float64)
        self.read = []

    def forward(self, ids, cache=None):
        self.read.append(ids.shape[-1])
        return super().forward(ids, cache)


def cache_for(model, rows=2):
    return KVCache(model.config, rows, dtype=np.float64)


def test_each_token_is_read_once():
    """A prompt of 5 tokens is read at once, and then one token for each that is written. Without a cache it is all."""
    model = Counted()
    generate(model, Tensor(IDS), 6, temperature=0, cache=cache_for(model))
    assert_equal(model.read, [5, 1, 1, 1, 1, 1], "the tokens that the model was given, call by call,")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_text_is_the_same(temperature):
    """Greedy or drawn with one seed, the text with a cache is the text without: 25 tokens after a prompt of 5."""
    model = Counted()
    texts = [
        generate(model, Tensor(IDS), 25, temperature, generator=np.random.default_rng(0), cache=cache)
        for cache in (None, cache_for(model))
    ]
    assert_close(texts[1], texts[0].data, "the text with a cache")
    assert len(set(texts[0].data[:, 5:].ravel().tolist())) > 3, "the model writes hardly more than one letter"


def test_one_text_alone_needs_no_batch():
    """ids of shape (T,) go with a cache of one row."""
    model = Counted()
    text = generate(model, Tensor(IDS[0]), 10, temperature=0, cache=cache_for(model, 1))
    assert_close(text, generate(model, Tensor(IDS[0]), 10, temperature=0).data, "the text")


def test_the_cache_may_be_filled_to_its_last_place():
    """A prompt of 31 tokens and one new one fill 32 places; one more is a ValueError with 33 and 32."""
    model = Counted()
    cache, ids = cache_for(model), np.resize(IDS, (2, 31))
    text = generate(model, Tensor(ids), 2, temperature=0, cache=cache)
    assert_close(text, generate(model, Tensor(ids), 2, temperature=0).data, "the text")
    assert_equal(cache.length, 32, "the length of the cache")
    with raises(ValueError, 33, 32):
        next_logits(model, text, cache)
    assert_equal(cache.length, 32, "the length of the cache after the call that was refused")


def test_a_text_can_be_taken_back():
    """After truncate(4) the model goes on from the fourth token, on another way, as if it had never gone further."""
    model = Counted()
    cache = cache_for(model)
    generate(model, Tensor(IDS), 8, temperature=0, cache=cache)
    cache.truncate(4)
    other = np.concatenate([IDS[:, :4], [[6, 2], [0, 1]]], 1)
    text = generate(model, Tensor(other), 8, temperature=0, cache=cache)
    assert_close(text, generate(model, Tensor(other), 8, temperature=0).data, "the text on the other way")


def test_prompts_of_unequal_length_go_together():
    """Padded on the right, read at once, and cut by truncate([2, 5]): each row has the logits it has alone."""
    model = Counted()
    cache, padded = cache_for(model), np.array([[1, 10, 0, 0, 0], [3, 3, 9, 2, 5]])
    with no_grad():
        model(Tensor(padded), cache)
    cache.truncate([2, 5])
    ids = np.array([[0, 0, 0, 1, 10, 4], [3, 3, 9, 2, 5, 8]])  # texts end together
    found = next_logits(model, Tensor(ids), cache)
    expected = [next_logits(model, tensor(text)).data for text in ([1, 10, 4], [3, 3, 9, 2, 5, 8])]
    assert_close(found, np.stack(expected), "the logits after each text")


def test_a_pass_that_breaks_off_does_not_count():
    """An error in the second layer, when the first has its keys: the same call again gives the right logits."""
    model = Counted()
    cache = cache_for(model)
    next_logits(model, Tensor(IDS[:, :3]), cache)
    forward = model.h[1].forward
    model.h[1].forward = lambda *args: 1 // 0
    with raises(ZeroDivisionError):
        next_logits(model, Tensor(IDS), cache)
    model.h[1].forward = forward
    assert_equal(cache.length, 3, "the length")
    assert_close(next_logits(model, Tensor(IDS), cache), next_logits(model, Tensor(IDS)).data, "the logits")
