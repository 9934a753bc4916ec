"""The whole of it on digits: two processes, a power cut, and in the end less than half of the bytes."""

import os
import signal

import numpy as np

from dojo.datasets import strokes
from dojo.spec import assert_close, assert_equal
from dojo.spec.child import in_child, killed
from tinytorch.capstone import ParallelTrainer, WeightAveraging, fold_batch_norms, quantize_network
from tinytorch.dataloader import Compose, DataLoader, ImageDataset, Normalize, RandomCrop
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.training import Callback, ModelCheckpoint, OneCycleLR, accuracy, checkpoints

EPOCHS, BATCH, SAMPLES, SIDE = 3, 20, 600, 20
PATIENCE = 20.0


def digits(n, start=0):
    return strokes.digits(n, size=SIDE, difficulty=strokes.EASY, start=start)


def run_of(folder, *callbacks, samples=SAMPLES):
    """A run with everything: random crops, batch norm, a schedule, averaged weights, checkpoints."""
    manual_seed(0)
    model = Sequential(
        *(Conv2d(1, 8, 3, padding=1, bias=False), BatchNorm2d(8), ReLU(), MaxPool2d(2)),
        *(Conv2d(8, 16, 3, padding=1, bias=False), BatchNorm2d(16), ReLU(), MaxPool2d(5)),
        *(Flatten(), Linear(16 * 4, 10)),
    )
    moved = Compose([RandomCrop(SIDE, padding=1), Normalize([0.15], [0.3])])
    loader = DataLoader(ImageDataset(*digits(samples), moved), BATCH, shuffle=True)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = OneCycleLR(optimizer, max_lr=0.1, total_steps=EPOCHS * len(loader))
    average = WeightAveraging(0.95)
    trainer = ParallelTrainer(
        model,
        cross_entropy,
        optimizer,
        scheduler,
        "step",
        {"accuracy": accuracy},
        callbacks=[average, ModelCheckpoint(folder), *callbacks],
        timeout=PATIENCE,
    )
    return trainer, loader, average


class PowerCut(Callback):
    """The end of the second epoch is not reached."""

    def on_epoch_start(self, trainer):
        if trainer.epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_run_survives_a_power_cut(tmp_path):
    """A run in two processes that was killed after an epoch and resumed has the weights of one that was not."""

    def whole():
        trainer, loader, average = run_of(tmp_path / "whole", samples=100)
        trainer.fit(loader, None, EPOCHS)
        return {name: each.data for name, each in average.weights.items()}

    def cut():
        trainer, loader, _ = run_of(tmp_path / "cut", PowerCut(), samples=100)
        trainer.fit(loader, None, EPOCHS)

    def resumed():
        trainer, loader, average = run_of(tmp_path / "cut", samples=100)
        trainer.resume(tmp_path / "cut")
        trainer.fit(loader, None, EPOCHS)
        return {name: each.data for name, each in average.weights.items()}

    expected = in_child(whole)
    assert_equal(killed(cut), True, "whether the run was killed")
    assert_equal(list(checkpoints(tmp_path / "cut")), [1], "the checkpoints that it left")
    found = in_child(resumed)
    for name in expected:
        assert_close(found[name], expected[name], f"averaged, {name}", rtol=0, atol=0)


def test_small_in_the_end(tmp_path):
    """Trained by two, averaged, folded and quantized, the network names 9 of 10 new digits, with 0.4 of the bytes."""

    def run():
        trainer, loader, average = run_of(tmp_path)
        trainer.fit(loader, None, EPOCHS)
        trainer.model.load_state_dict(average.weights)
        small = quantize_network(fold_batch_norms(trainer.model.eval()))
        sizes = [sum(e.data.nbytes for e in m.state_dict().values()) for m in (trainer.model, small)]
        trainer.model = small
        images, labels = digits(200, start=10_000)
        test = ImageDataset(images, labels, Normalize([0.15], [0.3]))
        logits = trainer.predict(DataLoader(test, 100)).data
        return {"right": (np.argmax(logits, 1) == labels).mean(), "sizes": sizes}

    found = in_child(run)
    assert found["right"] >= 0.9, f"of 200 new digits {found['right']:.0%} are named rightly"
    before, after = found["sizes"]
    assert after < before / 2.5, f"{before} bytes became {after}"
