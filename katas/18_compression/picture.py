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

X, Y = map(Tensor, strokes.digits(3000, size=16))
BATCHES = [(X[i : i + 50], Y[i : i + 50]) for i in range(0, 1500, 50)]


def network(hidden):
    return Sequential(Flatten(), Linear(256, hidden), ReLU(), Linear(hidden, 10))


def trained(model, *callbacks):
    optimizer = Adam(model.parameters(), lr=3e-3)
    Trainer(model, cross_entropy, optimizer, callbacks=callbacks).fit(BATCHES, epochs=4)
    return model


def variants(whole):
    """(kind, model) of everything that is drawn."""
    yield "as it was trained", whole
    for bits, size in ((8, None), (4, 32)):
        yield "8 and 4 bits (kata 17)", quantize_dynamic(whole, bits, size)
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
        student = network(left)
        optimizer = Adam(student.parameters(), lr=3e-3)
        for _ in range(6):
            smaller.distill(student, whole, BATCHES, optimizer)
        yield "students of 64, 32 and 16", student
        yield (
            "rank 32, 16 and 8",
            Sequential(Flatten(), smaller.low_rank(whole[1], left // 2), *list(whole)[2:]),
        )


def draw():
    """A point for each model, and a line through those that no other one beats in both."""
    manual_seed(0)
    figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
    points = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, model in variants(trained(network(128))):
            smaller.save_sparse(model.state_dict(), path := Path(folder) / "model")
            right = accuracy(model(X[2000:]), Y[2000:])
            points.setdefault(kind, []).append((path.stat().st_size / 1000, right * 100))
    every = sorted(point for some in points.values() for point in some)
    front = [point for i, point in enumerate(every) if all(point[1] > other[1] for other in every[:i])]
    axes.plot(*zip(*front, strict=True), color="0.75", linewidth=6, label="nothing is smaller and better")
    for (kind, some), marker in zip(points.items(), "*sovDP^", strict=True):
        axes.plot(*zip(*some, strict=True), marker, markersize=9, label=kind)
    axes.set(xscale="log", xlabel="size of the file (kB)", ylabel="digits read right (% of 1000 new ones)")
    axes.set_xticks([5, 10, 20, 50, 100, 150], ["5", "10", "20", "50", "100", "150"], minor=False)
    axes.legend(title="One network, made smaller")
    return figure
