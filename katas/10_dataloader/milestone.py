"""A convolutional network on CIFAR-10, through the student's own pipeline: reader, transforms, loader, trainer.

Without data it runs on drawn digits in colour, in the layout of CIFAR-10's files. ARGS= may contain a seed, and
"fresh", which starts an interrupted run again from its beginning.

After each epoch the accuracy on some test pictures is shown. The verdict is on others, which your code gets only after
the training, and without their labels: digits are drawn only then; of CIFAR-10's test pictures, four in five are kept
for it.
"""

import numpy as np

from dojo.datasets import downloads, strokes
from dojo.student import verdicts
from tinytorch.dataloader import (
    CIFAR10,
    Compose,
    DataLoader,
    ImageDataset,
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
from tinytorch.tensor import Tensor, float32
from tinytorch.training import Callback, ModelCheckpoint, OneCycleLR, Trainer, accuracy, save

# Of the channels of CIFAR-10's training pictures.
MEAN = 0.4914, 0.4822, 0.4465
STD = 0.2470, 0.2435, 0.2616
BATCH, LR = 64, 0.1
CHANNELS = 24, 48, 96
PHOTOS = {"epochs": 8, "passed": 0.75}
DIGITS = {"epochs": 4, "passed": 0.90, "train": 12_000, "test": 2_000}


# The pictures -------------------------------------------------------------------------------------------


def plain():
    """From bytes to what the network sees."""
    return Compose([ToDtype(float32, scale=True), Normalize(MEAN, STD)])


def moved(photos):
    """What a picture goes through before it is learned from. A digit in a mirror is none."""
    return Compose([RandomCrop(32, padding=4), RandomHorizontalFlip(0.5 if photos else 0.0), plain()])


def pictures(path):
    """The pictures (N, 3, 32, 32) and labels (N,) in a CIFAR-10 file, read without the student's code."""
    records = np.fromfile(path, np.uint8).reshape(-1, 1 + 3 * 32 * 32)  # label, red, green, blue
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def shown_and_hidden(root, photos, seed):
    """The test pictures for the accuracy after each epoch, and a function that gives those for the verdict."""
    images, labels = pictures(root / "cifar-10-batches-bin" / "test_batch.bin")
    if photos:
        shown = np.arange(len(labels)) % 5 == 0
        return (images[shown], labels[shown]), lambda: (images[~shown], labels[~shown])

    def draw_new_ones():
        drawn, labels = strokes.colour(DIGITS["test"], seed + 1_000_000)
        return strokes.to_uint8(drawn), labels

    return (images, labels), draw_new_ones


# The network --------------------------------------------------------------------------------------------


def network():
    """Three times convolution, batch norm, relu and pooling; then one linear layer. 68,194 parameters."""
    a, b, c = CHANNELS
    return Sequential(
        *(Conv2d(3, a, 3, padding=1, bias=False), BatchNorm2d(a), ReLU(), MaxPool2d(2)),  # (N, 24, 16, 16)
        *(Conv2d(a, b, 3, padding=1, bias=False), BatchNorm2d(b), ReLU(), MaxPool2d(2)),  # (N, 48, 8, 8)
        *(Conv2d(b, c, 3, padding=1, bias=False), BatchNorm2d(c), ReLU(), MaxPool2d(2)),  # (N, 96, 4, 4)
        Flatten(),
        Linear(c * 4 * 4, 10),
    )


def trainer_for(model, steps):
    """A trainer with this milestone's optimizer and schedule, for that many steps."""
    optimizer = SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=5e-4, nesterov=True)
    scheduler = OneCycleLR(optimizer, max_lr=LR, total_steps=steps, pct_start=0.25)
    return Trainer(model, cross_entropy, optimizer, scheduler, "step", metrics={"accuracy": accuracy})


def logits_for(trainer, images):
    """The network's logits for pictures (N, 3, 32, 32). It does not get the true labels: all labels are 0."""

    def ask(part):
        nothing = np.zeros(len(part), np.int64)
        return trainer.predict([(Tensor(plain()(part)), Tensor(nothing))]).data

    return verdicts.answers(ask, images, trainer.model)


def check(trainer, images, labels):
    """Refuse a trainer whose loss or accuracy on these pictures differs from what the dojo computes."""
    logits = logits_for(trainer, images)
    yours = trainer.evaluate(DataLoader(ImageDataset(images, labels, plain()), 500))
    counted = {
        "loss": verdicts.cross_entropy(logits, labels),
        "accuracy": verdicts.accuracy(logits, labels),
    }
    for name, function in (("loss", "cross_entropy"), ("accuracy", "accuracy")):
        look = f"{function}, Trainer.evaluate and Trainer.predict"
        verdicts.agrees(yours[name], counted[name], f"The {name} on {len(labels)} test pictures", look)


# Training -----------------------------------------------------------------------------------------------


class Watched(Callback):
    """Updates the progress bar after every batch, and prints a line after every epoch."""

    def __init__(self, step, say):
        self.step, self.say, self.loss = step, say, 0.0

    def on_step_end(self, trainer, loss, samples):
        self.loss = 0.98 * self.loss + 0.02 * loss if self.loss else loss
        self.step(f"epoch {trainer.epoch + 1}, loss {self.loss:.3f}", samples)

    def on_epoch_end(self, trainer):
        last = {name: values[-1] for name, values in trainer.history.items()}
        self.say(
            f"epoch {trainer.epoch}: loss {last['train_loss']:.3f}, accuracy {last['train_accuracy']:.1%} while "
            f"learning, {last['val_accuracy']:.1%} on test pictures, {last['seconds']:.0f} s"
        )


def seconds_a_step(report, images, labels):
    """The seconds that one training step takes on this machine."""
    trainer = trainer_for(network(), 1_000_000)
    x, y = Tensor(plain()(images[:BATCH])), Tensor(labels[:BATCH])
    return report.measure(lambda: trainer.train_step(x, y))


def learn(train, shown, epochs, pace, report, run, fresh):
    """Train for that many epochs, or resume a run that was interrupted. Returns the trainer."""
    trainer = trainer_for(network(), epochs * len(train))
    before = verdicts.weights(trainer.model)
    images, labels = shown
    check(trainer, images[:200], labels[:200])  # a fault is found before the training
    folder = report.checkpoints(run, fresh)
    if trainer.resume(folder):
        report.say(f"Going on after epoch {trainer.epoch}; ARGS=fresh would start again from the beginning.")

    left = epochs - trainer.epoch
    report.foretell(pace * left * (len(train) + len(labels) / BATCH / 3))  # test pictures need no backward

    test = verdicts.Untouched(DataLoader(ImageDataset(images, labels, plain()), 500), trainer.model)
    samples = BATCH * len(train)
    with report.progress(samples * epochs, "training", "images", samples * trainer.epoch) as step:
        trainer.callbacks += [Watched(step, report.say), ModelCheckpoint(folder)]
        trainer.fit(train, test, epochs)
    verdicts.moved(before, trainer.model)
    return trainer


# The verdict --------------------------------------------------------------------------------------------


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
    """Twenty-four test pictures with the network's answers, green if right."""
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
    """Find the data, train, draw, and give the accuracy on pictures that were never shown."""
    words = list(report.args)
    seed = int(next((word for word in words if word.isdecimal()), 0))
    root = downloads.find("cifar10", report.data)
    photos = root is not None
    plan, name = (PHOTOS, "cifar10") if photos else (DIGITS, "strokes")
    report.on = "CIFAR-10" if photos else "drawn digits"
    if not photos:
        report.say(
            "No CIFAR-10 here (`make data NAME=cifar10` brings it, DATA= says where it is): these are drawn digits in "
            "colour, 32x32, in CIFAR-10's format. What they show is the pipeline, not CIFAR-10."
        )
        root = report.folder("strokes_data")
        strokes.write_cifar10(root, train=plan["train"], test=plan["test"], seed=seed)
    shown, hidden = shown_and_hidden(root, photos, seed)
    dataset = CIFAR10(root, train=True, transform=moved(photos))
    train = DataLoader(dataset, BATCH, shuffle=True, num_workers=1, drop_last=True)
    pace = seconds_a_step(report, *shown)
    manual_seed(seed)
    trainer = learn(train, shown, plan["epochs"], pace, report, f"{name}_seed{seed}", fresh="fresh" in words)

    draw_curves(trainer.history, plan["passed"], report.figure("curves"))
    save(trainer.model.state_dict(), report.folder("models") / f"{name}.safetensors")
    check(trainer, *shown)
    images, labels = hidden()
    logits = logits_for(trainer, images)
    classes = dataset.classes if photos else [str(digit) for digit in range(10)]
    draw_predictions(images, labels, logits, classes, report.figure("predictions"))

    right, mark = verdicts.accuracy(logits, labels), plan["passed"]
    minutes = sum(trainer.history["seconds"]) / 60
    what = "of CIFAR-10's test pictures" if photos else "drawn digits (this is not CIFAR-10)"
    learning = trainer.history["train_accuracy"][-1]
    return report.verdict(
        right >= mark,
        f"{right:.1%} of {len(labels):,} {what} that it was never shown are named rightly, {mark:.0%} is the mark "
        f"({learning:.1%} while learning); {len(trainer.history['seconds'])} epochs in {minutes:.1f} minutes",
    )
