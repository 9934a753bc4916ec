"""How long each token of a text takes, against its place, with a cache and without.

Without a cache a step reads the whole text, so it takes longer and longer. With one it reads a single token.
"""

import time

import matplotlib.figure
import numpy as np

from tinytorch.caching import KVCache
from tinytorch.dispatch import disabled
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig, next_logits

PLACES = np.arange(16, 512, 16)


def seconds(model: GPT, ids: Tensor, cache: KVCache | None) -> float:
    """The CPU time of the best of some steps that read ids[:, -1], the new token."""
    times = []
    for _ in range(3):
        if cache is not None:
            cache.truncate(ids.shape[-1] - 1)
        start = time.process_time()
        next_logits(model, ids, cache)
        times.append(time.process_time() - start)
    return min(times)


def draw() -> matplotlib.figure.Figure:
    manual_seed(0)
    model = GPT(GPTConfig(65, block_size=512, n_layer=2, n_head=4, n_embd=64))
    text = Tensor(np.random.default_rng(0).integers(0, 65, (1, 512)))
    cache = KVCache(model.config)
    next_logits(model, text[:, :-1], cache)  # read once; then truncate goes back, place by place
    rows = []
    for place in PLACES[::-1]:
        ids = text[:, : place + 1]
        with disabled():
            composed = [seconds(model, ids, None), seconds(model, ids, cache)]
        rows.append([*composed, seconds(model, ids, cache)])
    uncached, cached, kernel = np.array(rows[::-1]).T * 1000

    figure = matplotlib.figure.Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    lines = {"without a cache": uncached, "with a cache": cached, "and with the kernel": kernel}
    for label, times in lines.items():
        axes.plot(PLACES, times, marker=".", label=label)
    axes.set(
        title=f"A token at place 500 takes {uncached[-1] / kernel[-1]:.0f} times as long without a cache",
        xlabel="place of the token in the text",
        ylabel="CPU time of its step (ms)",
        yscale="log",
    )
    axes.legend()
    return figure
