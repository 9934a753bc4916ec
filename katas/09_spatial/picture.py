"""Small kernels that learned to read digits, and what each of them sees in one."""

import matplotlib.figure
import numpy as np

from dojo.datasets import strokes
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.spatial import Conv2d, MaxPool2d
from tinytorch.tensor import Tensor
from tinytorch.training import Trainer, accuracy

KERNELS = 8
IMAGES, LABELS = strokes.digits(1100, size=20, shift=1.0)
DIGIT = 803


def draw() -> matplotlib.figure.Figure:
    manual_seed(0)
    model = Sequential(
        Conv2d(1, KERNELS, 5, padding=2), ReLU(), MaxPool2d(4), Flatten(), Linear(KERNELS * 25, 10)
    )
    x, y = Tensor(IMAGES), Tensor(LABELS)
    batches = [(x[i : i + 25], y[i : i + 25]) for i in range(0, 800, 25)]
    Trainer(model, cross_entropy, Adam(model.parameters(), 1e-2)).fit(batches, epochs=7)
    right = accuracy(model(x[800:]), y[800:])

    digit = x[DIGIT : DIGIT + 1]
    rows = {
        "a kernel": model[0].weight.data[:, 0],
        "its answer": model[1](model[0](digit)).data[0],
        "largest of 4 x 4": model[2](model[1](model[0](digit))).data[0],
    }
    figure = matplotlib.figure.Figure(figsize=(13, 5.6), layout="constrained")
    grid = figure.subplots(len(rows), KERNELS + 1)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
    for place, (line, (name, pictures)) in enumerate(zip(grid, rows.items(), strict=True)):
        line[1].set_ylabel(name)
        size = np.abs(pictures).max()
        low, colours = (-size, "RdBu_r") if place == 0 else (0, "magma")
        for axes, each in zip(line[1:], pictures, strict=True):
            drawn = axes.imshow(each, colours, vmin=low, vmax=size)
        figure.colorbar(drawn, ax=line.tolist(), label="weight" if place == 0 else "strength")
    grid[1, 0].imshow(digit.data[0, 0], "gray")
    grid[1, 0].set_title("the digit")
    grid[0, 0].axis("off")
    grid[2, 0].axis("off")
    figure.suptitle(
        f"{KERNELS} kernels, the same at every place: {right:.0%} of 300 new digits are read right"
    )
    return figure
