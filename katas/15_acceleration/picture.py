"""Where the time of a GPT's training step goes, operation by operation: composed, and with kernels."""

import time

import matplotlib.pyplot as plt
import numpy as np

from tinytorch.acceleration import profile
from tinytorch.dispatch import disabled
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig

STEPS, SHOWN = 4, 11


def milliseconds(composed):
    """The milliseconds of each operation in one step, forwards and backwards together, by name."""
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=65, block_size=128, n_layer=4, n_head=4, n_embd=128))
    ids = Tensor(np.random.default_rng(0).integers(0, 65, (8, 129)))
    optimizer = AdamW(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        model.loss(ids[:, :-1], ids[:, 1:]).backward()
        optimizer.step()

    def steps(count):
        for _ in range(count):
            step()

    run = disabled()(steps) if composed else steps
    run(2)
    with profile(time.process_time) as seen:
        run(STEPS)
    times = {}
    for name, cost in seen.costs.items():
        operation = name.removesuffix("_backward")
        times[operation] = times.get(operation, 0.0) + cost.seconds / STEPS * 1e3
    return times


def draw():
    """Two columns of bars, the longest operation first, on one scale; the titles have the sums."""
    figure, both = plt.subplots(1, 2, figsize=(12, 5), sharex=True, layout="constrained")
    for axes, (title, composed) in zip(both, {"composed": True, "with kernels": False}.items(), strict=True):
        times = milliseconds(composed)
        longest = sorted(times, key=times.get, reverse=True)[:SHOWN]
        rest = sum(times.values()) - sum(times[name] for name in longest)
        names = [*longest, f"{len(times) - len(longest)} more"]
        axes.barh(names, [*(times[name] for name in longest), rest], color="C0" if composed else "C1")
        axes.invert_yaxis()
        axes.set(xlabel="time in one step (ms)", title=f"{title}: {sum(times.values()):.0f} ms in all")
    return figure
