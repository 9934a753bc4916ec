"""What mistakes in kata 16 look like from outside. `make hunt N=16` plants one of them in a copy of your code."""

import numpy as np

from tinytorch.caching import KVCache, common_prefix, decode, decoding, sample_rows
from tinytorch.dispatch import disabled
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor
from tinytorch.transformers import GPT, GPTConfig, next_logits

CONFIG = GPTConfig(vocab_size=6, block_size=12, n_layer=2, n_head=2, n_embd=16)


def model() -> GPT:
    manual_seed(0)
    made = GPT(CONFIG)
    for each in made.parameters():
        each.data[...] = each.data * 8 + 0.05  # so that a fresh model has something to say
    return made.eval()


def row(x) -> None:
    print([round(float(each), 3) + 0.0 for each in np.ravel(x)])


def one_by_one() -> None:
    """The logits after 1 4 2 0 3: read at once, and token by token with a cache and `decode`."""
    gpt, cache = model(), KVCache(CONFIG)
    ids = tensor([[1, 4, 2, 0, 3]])
    with disabled():
        row(next_logits(gpt, ids).data)
        next_logits(gpt, ids[:, :2], cache)
    for place in range(2, 5):
        logits = decode(gpt, ids[:, : place + 1], cache)
    row(logits.data)


def beginnings() -> None:
    """How many tokens a cache that has read 4 4 9 1 0 can give to the text 4 4 9 2 0."""
    print(common_prefix([4, 4, 9, 1, 0], [4, 4, 9, 2, 0]))


def formula() -> None:
    """gelu of -1 and 2, and the array that was given, afterwards."""
    x = np.array([-1.0, 2.0], np.float32)
    row(decoding.gelu_tanh(x))
    row(x)


def draws() -> None:
    """How often two rows draw each of three tokens, with the shares 60, 30 and 10 %: at random, and without choice."""
    generators = [np.random.default_rng(seed) for seed in (1, 2)]
    counts = np.zeros((2, 3), int)
    logits = Tensor(np.log(np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1]], np.float32)))
    for _ in range(1000):
        ids = sample_rows(logits, [1.0, 0.0], [None, None], [None, None], generators).data
        counts[[0, 1], ids] += 1
    print(counts.tolist())


def own_dice() -> None:
    """The first draws of a text whose generator has the seed 2: alone, and beside another text."""
    logits = np.zeros((2, 50), np.float32)
    for seeds in ([2], [1, 2]):
        generators = [np.random.default_rng(seed) for seed in seeds]
        rows = len(seeds)
        options = [1.0] * rows, [None] * rows, [None] * rows, generators
        print([int(sample_rows(Tensor(logits[:rows]), *options).data[-1]) for _ in range(6)])


def few() -> None:
    """The tokens that are drawn in 300 draws with top_k=2 in one row and top_p=0.5 in the other, of four."""
    generators = [np.random.default_rng(seed) for seed in (1, 2)]
    shares = np.array([[0.1, 0.4, 0.2, 0.3], [0.1, 0.45, 0.15, 0.3]], np.float32)
    drawn: list[set[int]] = [set(), set()]
    for _ in range(300):
        ids = sample_rows(Tensor(np.log(shares)), [1.0, 1.0], [2, None], [None, 0.5], generators).data
        for each, found in zip(ids.tolist(), drawn, strict=True):
            found.add(each)
    print([sorted(each) for each in drawn])


HUNTS = {
    "all_that_is_equal_counts": beginnings,
    "the_other_variance": one_by_one,
    "no_bias": one_by_one,
    "scores_are_not_scaled": one_by_one,
    "decode_forgets_the_last_norm": one_by_one,
    "gelu_writes_into_x": formula,
    "favourites_are_favoured": draws,
    "one_generator_for_all": own_dice,
    "the_nucleus_ends_too_early": few,
}
