"""What it is for: the end of a long text takes no longer than its beginning, and eight texts about twice one."""

import numpy as np

from dojo.spec import assert_equal, speedup
from tinytorch import dispatch
from tinytorch.caching import KVCache, Request, generate_all
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig, generate, next_logits


def model_of(block_size, n_embd, n_layer):
    manual_seed(0)
    model = GPT(GPTConfig(65, block_size, n_layer, n_head=4, n_embd=n_embd))
    return model.eval()


def test_the_last_tokens_of_a_long_text():
    """The tokens 501 to 512 of a text are written in at most a third of the CPU time that they take without a cache.

    That the first 500 are read into the cache counts too. The kernel of one token is off: the cache alone does it.
    """
    model = model_of(512, 64, 1)
    ids = Tensor(np.arange(500).reshape(1, 500) % 65)

    def write(cache):
        with dispatch.disabled():
            return generate(model, ids, 12, temperature=0, cache=cache).data

    speedup(
        fast=lambda: write(KVCache(model.config)),
        slow=lambda: write(None),
        at_least=3,
        check=lambda fast, slow: assert_equal(fast.shape, slow.shape, "the shape of the text"),
        what="writing with a cache",
        baseline="writing without one",
    )


def test_one_token_a_row_on_arrays():
    """One step of the kernel takes at most a third of the CPU time that next_logits takes with the same cache."""
    model = model_of(64, 128, 4)
    cache = KVCache(model.config)
    ids = Tensor(np.arange(33).reshape(1, 33))
    next_logits(model, ids[:, :32], cache)

    def step():
        cache.truncate(32)
        return next_logits(model, ids, cache)

    def composed():
        with dispatch.disabled():
            return step()

    speedup(fast=step, slow=composed, at_least=3, what="the kernel", baseline="the model")


def test_eight_texts_at_once():
    """Eight texts of 12 tokens are written together in at most 1 / 2.2 of the CPU time of one after the other."""
    model = model_of(64, 128, 4)

    def write(rows):
        requests = [Request([row], 12, temperature=0) for row in range(8)]
        return [len(text) for text in generate_all(model, requests, rows)]

    speedup(
        fast=lambda: write(8),
        slow=lambda: write(1),
        at_least=2.2,
        what="eight at once",
        baseline="one after the other",
    )
