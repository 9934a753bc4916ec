"""75 % on CIFAR-10 with less: kata 10's milestone beside what katas 15 to 20 have made of it, in one run.

First comes kata 10's own pipeline, as you wrote it: one process, compositions. Then the same network, batches and
epochs with kernels and in two processes. Then a better network: residual blocks, label smoothing, averaged weights,
and on photos the mean over a picture and its mirror image. In the end the second one is made small: batch norms folded
away, half of the channels, one byte for a weight.

Without data it runs on drawn digits in colour, as kata 10's milestone does. ARGS= may contain a seed, "fresh", which
starts an interrupted run again from its beginning, and "long": then the better network learns for twice as many epochs.
"""

import copy
import importlib.util
import os
import time
from contextlib import nullcontext
from functools import partial

import numpy as np

from dojo.catalogue import KATAS
from dojo.datasets import downloads, strokes
from dojo.student import verdicts
from tinytorch.acceleration import empty_cache, flatten
from tinytorch.autograd import no_grad
from tinytorch.benchmarking import Timer
from tinytorch.capstone import ParallelTrainer, WeightAveraging, fold_batch_norms, quantize_network
from tinytorch.compression import remove_channels
from tinytorch.dataloader import CIFAR10, DataLoader, ImageDataset
from tinytorch.dispatch import disabled
from tinytorch.layers import Flatten, Linear, Module, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.tensor import Tensor
from tinytorch.training import Callback, ModelCheckpoint, OneCycleLR, Trainer, accuracy, save

PHOTOS = {"epochs": 8, "batch": 128, "passed": 0.75}
DIGITS = {"epochs": 4, "batch": 64, "passed": 0.90, "train": 12_000, "test": 4_000}
WIDTHS = 32, 48, 96, 192  # channels of the better network
BETTER_LR, SMOOTHING, DECAY = 0.1, 0.1, 0.995
MEASURED = 12  # batches, in each of three rounds
FASTER, SMALLER, WORSE = 3.0, 0.5, 0.015  # at least, at most, at most
PICTURES = 1, 64  # at a time, when answers are timed


def imported(path):
    spec = importlib.util.spec_from_file_location(f"kata_{path.parent.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kata10 = imported(KATAS[9].folder / "milestone.py")


# The versions -------------------------------------------------------------------------------------------


class Timed(Trainer):
    """A Trainer whose history has the CPU seconds too."""

    def train_epoch(self, batches):
        began = time.process_time()
        numbers = super().train_epoch(batches)
        return numbers | {"cpu_seconds": time.process_time() - began}


def as_before(model, steps, kind=Timed):
    """Kata 10's trainer, of another class."""
    made = kata10.trainer_for(model, steps)
    return kind(model, made.loss_fn, made.optimizer, made.scheduler, "step", made.metrics)


def in_two(model, steps):
    """The same with one flat buffer for the optimizer, in two processes."""
    trainer = as_before(model, steps, ParallelTrainer)
    flatten(trainer.optimizer)
    return trainer


class Residual(Module):
    """x plus what the layers make of it."""

    def __init__(self, *layers):
        super().__init__()
        self.body = Sequential(*layers)

    def forward(self, x):
        return x + self.body(x)


class Mirrored(Module):
    """The mean of what a model says to a picture and to its mirror image."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return (self.model(x) + self.model(Tensor(x.data[..., ::-1]))) / 2


def layers(inputs, outputs, pool=False):
    """A convolution, its pooling, batch norm and relu. Pooling comes first, because then the others have less to do."""
    return (
        Conv2d(inputs, outputs, 3, padding=1, bias=False),
        *([MaxPool2d(2)] if pool else []),
        *(BatchNorm2d(outputs), ReLU()),
    )


def better_network():
    """Seven convolutions, three of them in residual blocks. 660,842 parameters."""
    a, b, c, d = WIDTHS
    return Sequential(
        *layers(3, a, pool=True),  # (N, 32, 16, 16)
        *(*layers(a, b), Residual(*layers(b, b))),  # (N, 48, 16, 16)
        *(*layers(b, c, pool=True), Residual(*layers(c, c))),  # (N, 96, 8, 8)
        *(*layers(c, d, pool=True), Residual(*layers(d, d))),  # (N, 192, 4, 4)
        *(MaxPool2d(4), Flatten(), Linear(d, 10)),
    )


def better(model, steps):
    """Its trainer, in two processes; the last of its callbacks has the averaged weights."""
    optimizer = SGD(model.parameters(), lr=BETTER_LR, momentum=0.9, weight_decay=5e-4, nesterov=True)
    flatten(optimizer)
    scheduler = OneCycleLR(optimizer, max_lr=BETTER_LR, total_steps=steps, pct_start=0.25)
    loss = partial(cross_entropy, label_smoothing=SMOOTHING)
    average = WeightAveraging(DECAY)
    return ParallelTrainer(
        model, loss, optimizer, scheduler, "step", {"accuracy": accuracy}, callbacks=[average]
    )


# What they cost -----------------------------------------------------------------------------------------


def children():
    """The CPU seconds of all processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def seconds_an_image(images, labels):
    """The CPU seconds for an image, as before, and in the slower of two processes, by the dojo's clock: two medians."""
    size = kata10.BATCH
    x, y = Tensor(kata10.plain()(images[:size])), Tensor(labels[:size])
    batches = [(x, y)] * MEASURED
    one, two = (make(kata10.network(), 1_000_000) for make in (as_before, in_two))
    before, after = [], []
    for _ in range(3):
        with disabled():
            before.append(one.train_epoch(batches)["cpu_seconds"])
        start = children()
        said = two.train_epoch(batches)["cpu_seconds"]
        after.append(max(said, (children() - start) / two.world_size))
    return np.median(before) / (size * MEASURED), np.median(after) / (size * MEASURED)


def peak(trainer, images, labels):
    """The most bytes of a training step at one moment."""
    x, y = Tensor(kata10.plain()(images)), Tensor(labels)
    trainer.train_step(x, y)
    empty_cache()
    found = verdicts.peak(lambda: trainer.train_step(x, y))
    empty_cache()
    return found


def images_a_second(model, images, size):
    """How many pictures a model names in a CPU second, `size` at a time."""
    x = Tensor(kata10.plain()(images[:size]))
    with no_grad():
        return size / Timer(lambda: model(x)).blocked_autorange(0.3).median


# Training -----------------------------------------------------------------------------------------------


class Told(Callback):
    """Prints a line after every epoch."""

    def __init__(self, name, say):
        self.name, self.say = name, say

    def on_epoch_end(self, trainer):
        last = {name: values[-1] for name, values in trainer.history.items()}
        self.say(
            f"{self.name}, epoch {trainer.epoch}: loss {last['train_loss']:.3f}, {last['val_accuracy']:.1%} of the "
            f"test pictures; {sum(trainer.history['train_cpu_seconds']):.0f} CPU s"
        )


def learn(name, make, model, train, shown, epochs, report, run, fresh):
    """Train a version for that many epochs, or resume its run. Returns the trainer."""
    trainer = make(model, epochs * len(train))
    before = verdicts.weights(model)
    images, labels = shown
    if trainer.loss_fn is cross_entropy:
        kata10.check(trainer, images[:200], labels[:200])  # a fault is found before the training
    folder = report.checkpoints(f"{run}_{name.replace(' ', '_')}", fresh)
    trainer.callbacks += [Told(name, report.say), ModelCheckpoint(folder)]
    trainer.resume(folder)
    test = DataLoader(ImageDataset(images, labels, kata10.plain()), 500)
    trainer.fit(train, verdicts.Untouched(test, model), epochs)
    verdicts.moved(before, model)
    return trainer


def narrower(trainer, train):
    """A copy of kata 10's network with half of its channels, after one further epoch."""
    model = copy.deepcopy(trainer.model)
    for place, layer in enumerate(list(model)):
        if isinstance(layer, Conv2d):
            remove_channels(model, place, 0.5)
    in_two(model, len(train)).fit(train, None, 1)
    return model


# The verdict --------------------------------------------------------------------------------------------


def named(model, images, labels):
    """The share of pictures that a model names rightly. It gets the pictures only."""
    model.eval()

    def ask(part):
        with no_grad():
            return model(Tensor(kata10.plain()(part))).data

    return verdicts.accuracy(verdicts.answers(ask, images, model), labels)


def draw(runs, small, path):
    """Two panels: accuracy against CPU seconds for each run, and against bytes for what was made small."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, history, final in runs:
        seconds = np.cumsum(history["train_cpu_seconds"])
        (line,) = left.plot(seconds, history["val_accuracy"], "o-", markersize=3, label=name)
        left.plot(seconds[-1], final, "*", color=line.get_color(), markersize=11)
    left.set(title="How fast they learn (star: in the end)", ylabel="share named rightly", xscale="log")
    left.set(xlabel="CPU seconds of the slower process")
    left.legend()
    for place, (name, nbytes, share, *_) in enumerate(small):
        right.plot(nbytes / 1e3, share, "o")
        offset = 0, 8 if place % 2 else -16  # above and below in turns, where two lie together
        right.annotate(name, (nbytes / 1e3, share), offset, textcoords="offset points", ha="center")
    right.margins(0.2)
    right.set(title="Made small", xlabel="kB", ylabel="share named rightly")
    figure.savefig(path, dpi=120)


def main(report):
    """Train three versions, make one small, draw, and compare on pictures that were never shown."""
    words = list(report.args)
    seed, fresh = int(next((word for word in words if word.isdecimal()), 0)), "fresh" in words
    root = downloads.find("cifar10", report.data)
    photos = root is not None
    plan, run = (PHOTOS, f"cifar10_seed{seed}") if photos else (DIGITS, f"strokes_seed{seed}")
    report.on = "CIFAR-10" if photos else "drawn digits"
    if not photos:
        report.say(
            "No CIFAR-10 here (`make data NAME=cifar10` brings it, DATA= says where it is): these are drawn digits in "
            "colour. What they show is the pipeline, not CIFAR-10."
        )
        root = report.folder("strokes_data")
        strokes.write_cifar10(root, train=plan["train"], test=plan["test"], seed=seed)
    kata10.DIGITS = kata10.DIGITS | {"test": plan.get("test")}
    shown, hidden = kata10.shown_and_hidden(root, photos, seed)
    dataset = CIFAR10(root, train=True, transform=kata10.moved(photos))
    train, larger = (
        DataLoader(dataset, size, shuffle=True, num_workers=1, drop_last=True)
        for size in (kata10.BATCH, plan["batch"])
    )

    slow, fast = seconds_an_image(*shown)
    half = kata10.BATCH // 2
    with disabled():
        most = peak(as_before(kata10.network(), 1_000), *(each[: kata10.BATCH] for each in shown))
    least = peak(in_two(kata10.network(), 1_000), *(each[:half] for each in shown))
    report.say(
        f"Images a CPU second: {1 / slow:,.0f} as before, {1 / fast:,.0f} in two processes, {slow / fast:.2f} times as "
        f"many. Peak of a step in a process: {most / 1e6:.1f} MB and {least / 1e6:.1f} MB."
    )
    epochs = plan["epochs"]
    more = epochs * (2 if "long" in words else 1)
    report.foretell(len(dataset) * (epochs * (slow + fast) + 6 * more * fast))

    runs = []
    for name, make, network, batches, count in (
        ("as before", as_before, kata10.network, train, epochs),
        ("in two", in_two, kata10.network, train, epochs),
        ("better", better, better_network, larger, more),
    ):
        manual_seed(seed)
        with disabled() if make is as_before else nullcontext():
            runs.append((name, learn(name, make, network(), batches, shown, count, report, run, fresh)))
    _, two, best = (trainer for _, trainer in runs)

    images, labels = hidden()
    finals = {name: named(trainer.model, images, labels) for name, trainer in runs}
    average = best.callbacks[0]
    with average.averaged(best.model):
        finals["better, averaged"] = named(best.model, images, labels)
        if photos:
            finals["better, averaged and mirrored"] = named(Mirrored(best.model), images, labels)
    for name, right in finals.items():
        report.say(f"{name:<30}{right:7.2%} of {len(labels):,} new pictures")

    folded = fold_batch_norms(two.model.eval())
    narrow = fold_batch_norms(narrower(two, train).eval())
    versions = {
        "as trained": two.model,
        "folded": folded,
        "int8": quantize_network(folded),
        "half the channels": narrow,
        "both": quantize_network(narrow),
    }
    small = [
        (
            name,
            verdicts.nbytes(model),
            named(model, images, labels),
            *(images_a_second(model, images, size) for size in PICTURES),
        )
        for name, model in versions.items()
    ]
    for name, nbytes, right, *paces in small:
        speeds = ", ".join(
            f"{size} at a time {pace:6,.0f}/s" for size, pace in zip(PICTURES, paces, strict=True)
        )
        report.say(f"{name:<18}{nbytes / 1e3:6.1f} kB {right:7.2%}   {speeds}")
    save(versions["int8"].state_dict(), report.folder("models") / f"{run}_int8.safetensors")

    *_, last = finals.values()
    ends = (finals["as before"], finals["in two"], last)
    draw(
        [(name, trainer.history, end) for (name, trainer), end in zip(runs, ends, strict=True)],
        small,
        report.figure("accuracy"),
    )
    (cheap,) = (right for name, _, right, *_ in small if name == "int8")
    reached = finals["in two"]
    passed = (
        reached >= plan["passed"]
        and slow / fast >= FASTER
        and least <= SMALLER * most
        and min(reached - finals["as before"], cheap - reached) >= -WORSE
    )
    return report.verdict(
        passed,
        f"kata 10's network names {reached:.1%} of {len(labels):,} new pictures rightly ({plan['passed']:.0%} is the "
        f"mark, {finals['as before']:.1%} as before), with {slow / fast:.2g} times the images a second ({FASTER:g} are "
        f"needed) and {least / most:.2g} of the memory ({SMALLER:g} at most); with one byte for a weight {cheap:.1%}; "
        f"the better network {last:.1%}",
    )
