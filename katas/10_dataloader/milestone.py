"""A convolutional network on CIFAR-10, through the student's own pipeline: reader, transforms, loader, trainer.

Without data it runs on drawn digits in colour, in the layout of CIFAR-10's files. ARGS= may hold a seed, and "fresh",
which begins a run anew that was interrupted.
"""

import shutil

import numpy as np

from dojo.datasets import downloads, strokes
from tinytorch.dataloader import (
    CIFAR10,
    Compose,
    DataLoader,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    ToDtype,
)
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.tensor import float32
from tinytorch.training import Callback, ModelCheckpoint, OneCycleLR, Trainer, accuracy, save

MEAN, STD = (
    (0.4914, 0.4822, 0.4465),
    (0.2470, 0.2435, 0.2616),
)  # of the channels of CIFAR-10's training pictures
BATCH, LR = 64, 0.1
PHOTOS = {"epochs": 8, "passed": 0.75}
DIGITS = {"epochs": 4, "passed": 0.90, "train": 12_000, "test": 2_000}


def network():
    """Three times convolution, batch norm, relu and pooling; then one linear layer. 68,194 parameters."""
    return Sequential(
        *(Conv2d(3, 24, 3, padding=1, bias=False), BatchNorm2d(24), ReLU(), MaxPool2d(2)),  # (N, 24, 16, 16)
        *(Conv2d(24, 48, 3, padding=1, bias=False), BatchNorm2d(48), ReLU(), MaxPool2d(2)),  # (N, 48, 8, 8)
        *(Conv2d(48, 96, 3, padding=1, bias=False), BatchNorm2d(96), ReLU(), MaxPool2d(2)),  # (N, 96, 4, 4)
        Flatten(),
        Linear(96 * 4 * 4, 10),
    )


def loaders(root, flip):
    """Batches to train on, moved about and perhaps mirrored, and batches to test on, as they are."""
    plain = [ToDtype(float32, scale=True), Normalize(MEAN, STD)]
    moved = [RandomCrop(32, padding=4), *([RandomHorizontalFlip()] if flip else []), *plain]
    train = CIFAR10(root, train=True, transform=Compose(moved))
    test = CIFAR10(root, train=False, transform=Compose(plain))
    return DataLoader(train, BATCH, shuffle=True, num_workers=1, drop_last=True), DataLoader(test, 500)


class Watched(Callback):
    """Tells the progress bar of every batch, and the person who watches of every epoch."""

    def __init__(self, step, say):
        self.step, self.say, self.loss = step, say, 0.0

    def on_step_end(self, trainer, loss, samples):
        self.loss = 0.98 * self.loss + 0.02 * loss if self.loss else loss
        self.step(f"epoch {trainer.epoch + 1}, loss {self.loss:.3f}", samples)

    def on_epoch_end(self, trainer):
        last = {name: values[-1] for name, values in trainer.history.items()}
        self.say(
            f"epoch {trainer.epoch}: loss {last['train_loss']:.3f}, accuracy {last['train_accuracy']:.1%} while "
            f"learning, {last['val_accuracy']:.1%} on the test pictures, {last['seconds']:.0f} s"
        )


def learn(root, epochs, flip, report, folder):
    """Train for that many epochs, or go on with a run that was interrupted. Gives the trainer and the test batches."""
    train, test = loaders(root, flip)
    model = network()
    optimizer = SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=5e-4, nesterov=True)
    scheduler = OneCycleLR(optimizer, max_lr=LR, total_steps=epochs * len(train), pct_start=0.25)
    trainer = Trainer(
        model,
        cross_entropy,
        optimizer,
        scheduler,
        scheduler_interval="step",
        metrics={"accuracy": accuracy},
    )
    if trainer.resume(folder):
        report.say(f"Going on after epoch {trainer.epoch}; ARGS=fresh would begin anew.")
    samples = BATCH * len(train)
    with report.progress(samples * epochs, "training", "images", samples * trainer.epoch) as step:
        trainer.callbacks += [Watched(step, report.say), ModelCheckpoint(folder)]
        trainer.fit(train, test, epochs)
    return trainer, test


def draw_curves(history, reached, path):
    """Loss and accuracy, epoch by epoch."""
    import matplotlib.pyplot as plt

    epochs = range(1, len(history["train_loss"]) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axes, name in ((left, "loss"), (right, "accuracy")):
        axes.plot(epochs, history[f"train_{name}"], "o-", label="while learning")
        axes.plot(epochs, history[f"val_{name}"], "o-", label="test pictures")
        axes.set(title=f"The {name}", xlabel="epoch", xticks=epochs)
    right.axhline(reached, color="grey", linestyle="--", label=f"{reached:.0%}")
    left.legend()
    right.legend()
    figure.savefig(path, dpi=120)


def draw_predictions(images, truth, logits, classes, path):
    """Twenty-four test pictures, with what the network says; green where it is right."""
    import matplotlib.pyplot as plt

    said = logits.argmax(1)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    odds = odds.max(1) / odds.sum(1)
    figure, axes = plt.subplots(4, 6, figsize=(9, 7), layout="constrained")
    for place, axis in enumerate(axes.flat):
        right = said[place] == truth[place]
        axis.imshow(images[place].transpose(1, 2, 0))  # (3, 32, 32) -> (32, 32, 3)
        says = f"{classes[said[place]]} {odds[place]:.0%}"
        axis.set_title(
            says if right else f"{says}\n(a {classes[truth[place]]})",
            fontsize=8,
            color="green" if right else "firebrick",
        )
        axis.axis("off")
    figure.savefig(path, dpi=120)


def main(report):
    """Find the data, train, draw, and say how many test pictures are named rightly."""
    words = list(report.args)
    seed = int(next((word for word in words if word.isdecimal()), 0))
    root = downloads.find("cifar10", report.data)
    plan, name = (PHOTOS, "cifar10") if root else (DIGITS, "strokes")
    folder = report.folder(f"{name}_seed{seed}")
    if "fresh" in words:
        shutil.rmtree(folder)
        folder.mkdir()
    if root is None:
        report.say(
            "No CIFAR-10 here (`make data NAME=cifar10` brings it, DATA= says where it is): these are drawn digits in "
            "colour, 32x32, in CIFAR-10's format. What they show is the pipeline, not CIFAR-10."
        )
        root = report.folder("strokes_data")
        strokes.write_cifar10(root, train=plan["train"], test=plan["test"], seed=seed)
    manual_seed(seed)
    trainer, test = learn(root, plan["epochs"], name == "cifar10", report, folder)

    dataset = test.dataset
    classes = dataset.classes if name == "cifar10" else [str(digit) for digit in range(10)]
    draw_curves(trainer.history, plan["passed"], report.figure("curves"))
    logits = trainer.predict(test).data
    draw_predictions(dataset.data, dataset.targets, logits, classes, report.figure("predictions"))
    save(trainer.model.state_dict(), report.folder("models") / f"{name}.safetensors")
    shutil.rmtree(folder)  # the run is over; the next one begins anew

    right = float((logits.argmax(1) == dataset.targets).mean())
    minutes = sum(trainer.history["seconds"]) / 60
    what = "CIFAR-10's test pictures" if name == "cifar10" else "drawn test digits (this is not CIFAR-10)"
    return report.verdict(
        right >= plan["passed"],
        f"{right:.1%} of {len(logits):,} {what} are named rightly, {plan['passed']:.0%} is the mark; "
        f"{len(trainer.history['seconds'])} epochs in {minutes:.1f} minutes",
    )
