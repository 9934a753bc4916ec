"""A hidden layer of 20 on a picture of 7 by 7, in int8 with one scale for each layer."""

import numpy as np

from tinytorch.activations import relu
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.tensor import Tensor

EPOCHS, BATCH, HIDDEN = 60, 100, 20


def seen(images):
    small = images.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(-1, 49)
    return np.pad(small, ((0, 0), (0, 1)), constant_values=1)


def forward(x, a, b):
    return relu(x @ a) @ b


def build(model, given):
    random = np.random.default_rng(0)
    shapes = {"a": (50, HIDDEN), "b": (HIDDEN, 10)}
    a, b = (
        Tensor(random.normal(0, s[0] ** -0.5, s).astype(np.float32), requires_grad=True)
        for s in shapes.values()
    )
    images, labels = seen(given["images"]), given["labels"]
    optimizer = Adam([a, b])
    for epoch in range(EPOCHS):
        optimizer.lr = 0.01 * (1 - epoch / EPOCHS)
        for rows in np.split(random.permutation(len(labels)), len(labels) // BATCH):
            optimizer.zero_grad()
            cross_entropy(forward(Tensor(images[rows]), a, b), Tensor(labels[rows])).backward()
            optimizer.step()
    arrays = {"a": a.data, "b": b.data}
    return {name: np.round(127 * each / abs(each).max()).astype(np.int8) for name, each in arrays.items()}


def load(model, weights):
    a, b = (Tensor(weights[name].astype(np.float32)) for name in "ab")
    return lambda images: forward(Tensor(seen(images)), a, b).data.argmax(-1)
