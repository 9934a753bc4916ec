"""Size against accuracy: what katas 17 and 18 make of one network that reads digits, and the best of it."""

import copy
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from dojo.datasets import strokes
from tinytorch import compression as smaller
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.precision import quantize_dynamic
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.training import Trainer, accuracy

X, Y = map(Tensor, strokes.digits(2500, size=16))


def trained(model, *callbacks):
    batches = [(X[i : i + 50], Y[i : i + 50]) for i in range(0, 1500, 50)]
    Trainer(model, cross_entropy, Adam(model.parameters(), 3e-3), callbacks=callbacks).fit(batches, epochs=4)
    return model


def variants():
    manual_seed(0)
    whole = trained(Sequential(Flatten(), Linear(256, 128), ReLU(), Linear(128, 10)))
    yield "as it was trained", whole
    yield from (("8 and 4 bits (kata 17)", quantize_dynamic(whole, *each)) for each in ((8,), (4, 32)))
    for share in (0.8, 0.95, 0.98):
        weights = smaller.prunable(pruned := copy.deepcopy(whole))
        trained(pruned, smaller.GradualPruning(weights, share, begin=1, end=90, every=5))
        for module, name in weights:
            smaller.remove(module, name)
        yield "80, 95 and 98 % zeros", pruned
        yield "80, 95 and 98 % zeros, and 8 bits", quantize_dynamic(pruned)
    for left in (64, 32, 16):
        smaller.remove_channels(cut := copy.deepcopy(whole), 1, 128 - left)
        yield "64, 32 and 16 of 128 channels", trained(cut)
        thin = Sequential(Flatten(), smaller.low_rank(whole[1], left // 2), ReLU(), whole[3])
        yield "rank 32, 16 and 8", thin


def draw():
    every = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, model in variants():
            smaller.save_sparse(model.state_dict(), path := Path(folder) / "model")
            every.append((path.stat().st_size / 1000, accuracy(model(X[1500:]), Y[1500:]) * 100, kind))
    front = sorted(each for each in every if not any(o[0] < each[0] and o[1] >= each[1] for o in every))
    figure, axes = plt.subplots(figsize=(9, 6))
    axes.plot(*list(zip(*front, strict=True))[:2], "0.75", linewidth=6, label="best for its size")
    for kind, marker in zip(dict.fromkeys(each[2] for each in every), "*sovD^", strict=True):
        axes.plot(*zip(*[each[:2] for each in every if each[2] == kind], strict=True), marker, label=kind)
    axes.set(xscale="log", xlabel="size of the file (kB)", ylabel="digits read right (% of 1000 new ones)")
    axes.legend(title="One network, made smaller")
    return figure
