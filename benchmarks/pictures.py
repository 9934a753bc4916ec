"""An MLP and a CNN on the same digits with the same Trainer: digits in the middle, shifted digits, and MNIST.

.venv/bin/python -m benchmarks.pictures
.venv/bin/python -m benchmarks.pictures DIR     # a folder with MNIST's four files
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.in_tinytorch import use_the_reference
from dojo.datasets import strokes

EPOCHS, BATCH = 4, 64
Pictures = tuple[Any, Any]
"""(N, 1, 28, 28) float32 and N labels."""


def mlp() -> Any:
    """784 - 256 - 10, 203,530 parameters."""
    from tinytorch.layers import Flatten, Linear, ReLU, Sequential

    return Sequential(Flatten(), Linear(28 * 28, 256), ReLU(), Linear(256, 10))


def cnn() -> Any:
    """Two 3x3 convolutions of 16 and 32 channels, each with relu and pooling, and a linear layer; 20,490 parameters."""
    from tinytorch.layers import Flatten, Linear, ReLU, Sequential
    from tinytorch.spatial import Conv2d, MaxPool2d

    return Sequential(
        *(Conv2d(1, 16, 3, padding=1), ReLU(), MaxPool2d(2)),  # (N, 16, 14, 14)
        *(Conv2d(16, 32, 3, padding=1), ReLU(), MaxPool2d(2)),  # (N, 32, 7, 7)
        Flatten(),
        Linear(32 * 7 * 7, 10),
    )


def accuracy_of(make: Callable[[], Any], train: Pictures, test: Pictures) -> tuple[float, float]:
    """Test accuracy after EPOCHS epochs of Adam, and how many seconds they took."""
    from tinytorch.dataloader import DataLoader, TensorDataset
    from tinytorch.losses import cross_entropy
    from tinytorch.optimizers import Adam
    from tinytorch.setup import manual_seed
    from tinytorch.tensor import Tensor
    from tinytorch.training import Trainer, accuracy

    manual_seed(0)
    model = make()
    trainer = Trainer(model, cross_entropy, Adam(model.parameters(), lr=1e-3), metrics={"accuracy": accuracy})
    loaders = [
        DataLoader(TensorDataset(*map(Tensor, each)), size, shuffle=shuffle)
        for each, size, shuffle in ((train, BATCH, True), (test, 500, False))
    ]
    history = trainer.fit(loaders[0], loaders[1], EPOCHS)
    return history["val_accuracy"][-1], sum(history["seconds"])


def mnist(folder: str) -> tuple[Pictures, Pictures]:
    from tinytorch.dataloader import MNIST

    def read(train: bool) -> Pictures:
        found = MNIST(folder, train=train)
        return found.data.astype(np.float32) / 255, found.targets

    return read(True), read(False)


def main() -> None:
    use_the_reference()
    tasks = {
        "strokes in the middle": (strokes.digits(10_000), strokes.digits(2_000, start=10_000)),
        "strokes moved about": (
            strokes.digits(10_000, height=14, shift=1.0),
            strokes.digits(2_000, height=14, shift=1.0, start=10_000),
        ),
    }
    if len(sys.argv) > 1:
        tasks["MNIST"] = mnist(sys.argv[1])
    for name, (train, test) in tasks.items():
        for make in (mlp, cnn):
            share, seconds = accuracy_of(make, train, test)
            print(f"{name}: {make.__name__} {share:.1%} of the test digits, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
