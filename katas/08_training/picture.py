"""Learning rates that change with time, and a reader of digits that is trained with each of them."""

import matplotlib.figure
import numpy as np

from dojo.datasets import strokes
from tinytorch import training as t
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

RATE, EPOCHS, BATCHES, SIZE = 0.5, 8, 20, 50
STEPS = EPOCHS * BATCHES
IMAGES, LABELS = strokes.digits(BATCHES * SIZE + 1000, size=14, shift=1.0)


def warm_up_and_cosine(optimizer: SGD) -> t.LRScheduler:
    parts = [t.LinearLR(optimizer, 0.05, total_iters=20), t.CosineAnnealingLR(optimizer, STEPS - 20)]
    return t.SequentialLR(optimizer, parts, milestones=[20])


SCHEDULES = {
    "no schedule": lambda optimizer: None,
    "StepLR": lambda optimizer: t.StepLR(optimizer, STEPS // 4, gamma=0.3),
    "warm-up, then cosine": warm_up_and_cosine,
    "OneCycleLR": lambda optimizer: t.OneCycleLR(optimizer, RATE, total_steps=STEPS + 1),
}


class Rates(t.Callback):
    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_step_end(self, trainer: t.Trainer, loss: float, samples: int) -> None:
        self.seen.append(trainer.optimizer.param_groups[0]["lr"])


def draw() -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(12, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    x, y = Tensor(IMAGES), Tensor(LABELS)
    train = [(x[i : i + SIZE], y[i : i + SIZE]) for i in range(0, BATCHES * SIZE, SIZE)]
    new = [(x[BATCHES * SIZE :], y[BATCHES * SIZE :])]
    for name, schedule in SCHEDULES.items():
        manual_seed(0)
        model = Sequential(Flatten(), Linear(196, 64), ReLU(), Linear(64, 10))
        optimizer = SGD(model.parameters(), RATE, momentum=0.9)
        rates = Rates()
        trainer = t.Trainer(model, cross_entropy, optimizer, schedule(optimizer), "step", callbacks=[rates])
        losses = trainer.fit(train, new, epochs=EPOCHS)["val_loss"]
        left.plot(np.arange(STEPS) + 1, rates.seen, label=name)
        right.plot(np.arange(EPOCHS) + 1, losses, ".-", label=f"{name}: {losses[-1]:.2f}")
    left.set(title="the learning rate", xlabel="step", ylabel="learning rate (no unit)")
    right.set(title="what it does to one network", xlabel="epoch")
    right.set_ylabel("loss on 1000 new digits (nats)")
    right.legend(title="at the end")
    return figure
