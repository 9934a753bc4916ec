"""Digits, and how little of a model it takes to read them."""

import numpy as np
import pytest

from dojo.datasets import strokes
from tinytorch.compression import (
    GradualPruning,
    count_macs,
    distill,
    global_unstructured,
    load_sparse,
    prunable,
    remove,
    remove_channels,
    save_sparse,
)
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.tensor import Tensor
from tinytorch.training import Trainer, accuracy, save

SIZE = 16


def digits(n, start=0):
    """Pictures (n, 1, 16, 16) and their digits, from number `start` on."""
    return strokes.digits(n, 0, SIZE, start=start)


def batches(pictures, labels, size=50):
    return [
        (Tensor(pictures[i : i + size]), Tensor(labels[i : i + size])) for i in range(0, len(labels), size)
    ]


def perceptron(hidden):
    return Sequential(Flatten(), Linear(SIZE * SIZE, hidden), ReLU(), Linear(hidden, 10))


def convolutions():
    return Sequential(
        *(Conv2d(1, 16, 3, padding=1), BatchNorm2d(16), ReLU(), MaxPool2d(2)),
        *(Conv2d(16, 24, 3, padding=1), BatchNorm2d(24), ReLU(), MaxPool2d(2)),
        *(Flatten(), Linear(24 * 16, 10)),
    )


def trainer_of(model, callbacks=()):
    return Trainer(
        model,
        cross_entropy,
        Adam(model.parameters(), lr=3e-3),
        metrics={"accuracy": accuracy},
        callbacks=callbacks,
    )


def trained(model, train, epochs):
    trainer_of(model).fit(train, epochs=epochs)
    return model


def share_right(model, pictures, labels):
    return trainer_of(model).evaluate(batches(pictures, labels, 500))["accuracy"]


@pytest.mark.timeout(60)
def test_most_weights_say_little(tmp_path):
    """Nineteen of twenty weights are taken from a trained model at once, and it is wrong more often.

    Taken a few at a time, while the others learn, they are hardly missed; and the file is a tenth.
    """
    manual_seed(0)
    train, test = batches(*digits(1000)), digits(500, 50_000)
    model = trained(perceptron(128), train, epochs=4)
    save(model.state_dict(), tmp_path / "model")
    whole = share_right(model, *test)

    at_once = perceptron(128)
    at_once.load_state_dict(model.state_dict())
    global_unstructured(prunable(at_once), 0.95)
    crude = share_right(at_once, *test)

    pruning = GradualPruning(prunable(model), 0.95, begin=1, end=100, every=5)
    trainer_of(model, [pruning]).fit(train, epochs=7)
    for module, name in prunable(model):
        remove(module, name)
    save_sparse(model.state_dict(), tmp_path / "sparse")
    model.load_state_dict(load_sparse(tmp_path / "sparse"))
    gentle = share_right(model, *test)
    size = (tmp_path / "sparse").stat().st_size / (tmp_path / "model").stat().st_size

    assert crude < whole - 0.02, (
        f"{whole:.1%} were right, and {crude:.1%} after losing 95 % of the weights at once"
    )
    assert gentle > whole - 0.02, (
        f"{whole:.1%} were right, and {gentle:.1%} after losing 95 % little by little"
    )
    assert size < 0.11, f"the file has {size:.1%} of the bytes, expected less than 11 %"


@pytest.mark.timeout(60)
def test_half_the_channels_are_enough():
    """Without half of the channels of both convolutions the model reads badly, and well again after five more epochs.

    It has less than a third of the multiply-adds, and went on with the same trainer and optimizer.
    """
    manual_seed(0)
    (pictures, labels), test = digits(500), digits(500, 50_000)
    model = convolutions()
    trainer = trainer_of(model)
    trainer.fit(batches(pictures, labels, 25), epochs=3)
    whole, macs = share_right(model, *test), count_macs(model, Tensor(pictures[:1]))
    for index in (0, 4):
        remove_channels(model, index, 0.5, optimizer=trainer.optimizer)
    cut = share_right(model, *test)
    trainer.fit(batches(pictures, labels, 25), epochs=8)
    healed = share_right(model, *test)
    assert cut < whole - 0.05, f"{whole:.1%} were right, and {cut:.1%} with half of the channels"
    assert healed > whole - 0.05, f"{whole:.1%} were right, and {healed:.1%} after more training"
    left = count_macs(model, Tensor(pictures[:1])) / macs
    assert left < 1 / 3, f"{left:.1%} of the multiply-adds are left, expected less than a third"


@pytest.mark.timeout(60)
def test_a_digit_that_the_student_has_never_seen():
    """A student that never saw a 3 names threes, because its teacher says of each 8, 2 and 5 how much of a 3 it is.

    It learns from soft targets alone, at a temperature of 8. Without the teacher it cannot name a single one.
    """
    manual_seed(0)
    (pictures, labels), (others, truth) = digits(1500), digits(500, 50_000)
    teacher = trained(perceptron(64), batches(pictures, labels), epochs=6)
    without = batches(pictures[labels != 3], labels[labels != 3])
    student = perceptron(32)
    optimizer = Adam(student.parameters(), lr=3e-3)
    for _ in range(6):
        distill(student, teacher, without, optimizer, temperature=8.0, alpha=1.0)
    alone = trained(perceptron(32), without, epochs=6)
    threes = others[truth == 3], truth[truth == 3]
    named, guessed = share_right(student, *threes), share_right(alone, *threes)
    assert guessed == 0, f"alone, a model names {guessed:.0%} of the threes, which it has never seen"
    assert named >= 0.15, f"the student names {named:.0%} of the threes, expected at least 15 %"


@pytest.mark.timeout(60)
def test_few_labels_go_further_with_a_teacher():
    """300 labelled digits teach a student more if a teacher, who has seen 8300, says what else they look like.

    In the mean of three students, at a temperature of 4 and with an alpha of 0.9.
    """
    manual_seed(0)
    (pictures, labels), test = digits(8300), digits(1000, 50_000)
    teacher = trained(perceptron(128), batches(pictures, labels, 100), epochs=2)
    few, taught, alone = batches(pictures[:300], labels[:300], 20), [], []
    for seed in range(3):
        manual_seed(seed)
        student = perceptron(64)
        optimizer = Adam(student.parameters(), lr=3e-3)
        for _ in range(15):
            distill(student, teacher, few, optimizer, temperature=4.0, alpha=0.9)
        taught.append(share_right(student, *test))
        alone.append(share_right(trained(perceptron(64), few, epochs=15), *test))
    gain = float(np.mean(taught) - np.mean(alone))
    assert gain > 0.005, f"with the teacher {np.mean(taught):.1%} are right, alone {np.mean(alone):.1%}"
