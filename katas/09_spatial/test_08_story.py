"""The same digits, the same Trainer: one model sees a list of pixels, the other sees a picture."""

import pytest

from dojo.datasets import strokes
from dojo.datasets.strokes import EASY
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.tensor import Tensor
from tinytorch.training import Trainer, accuracy

SIZE, BATCH = 16, 20


def batches(n, start, shift):
    """`n` digits, 10 pixels high on a canvas of 16, from number `start` on: in the middle, or with shift=1 anywhere."""
    pictures, labels = strokes.digits(n, 0, SIZE, height=10, difficulty=EASY, shift=shift, start=start)
    return [(Tensor(pictures[i : i + BATCH]), Tensor(labels[i : i + BATCH])) for i in range(0, n, BATCH)]


def list_of_pixels():
    """17098 weights: one for each pixel and each of 64 features."""
    return Sequential(Flatten(), Linear(SIZE * SIZE, 64), ReLU(), Linear(64, 10))


def picture():
    """5218 weights: 8 kernels, then 24, the same at every place. The last pool asks whether a feature is anywhere."""
    return Sequential(
        *(Conv2d(1, 8, 3, padding=1), BatchNorm2d(8), ReLU(), MaxPool2d(2)),
        *(Conv2d(8, 24, 5, padding=2), BatchNorm2d(24), ReLU(), MaxPool2d(SIZE // 2)),
        *(Flatten(), Linear(24, 10)),
    )


def trained(make_model, shift, epochs):
    """A trainer whose model was trained on 300 digits, and its accuracy on them at the end."""
    manual_seed(0)
    model = make_model()
    trainer = Trainer(model, cross_entropy, Adam(model.parameters(), lr=0.01), metrics={"accuracy": accuracy})
    history = trainer.fit(batches(300, 0, shift), epochs=epochs)
    return trainer, history["train_accuracy"][-1]


def score(trainer, shift):
    """The accuracy on 200 digits that it has not seen."""
    return trainer.evaluate(batches(200, 1000, shift))["accuracy"]


@pytest.mark.timeout(60)
def test_a_picture_is_known_wherever_it_stands():
    """Trained on centred digits, convolutions and pools know most digits elsewhere too; linear layers do not."""
    for make_model, name in ((picture, "convolutions"), (list_of_pixels, "linear layers")):
        trainer, _ = trained(make_model, shift=0, epochs=5)
        middle, moved = score(trainer, 0), score(trainer, 1)
        assert middle > 0.9, f"{name}: {middle:.0%} of the digits in the middle are right, expected over 90%"
        if make_model is picture:
            assert moved > 0.65, f"{name}: {moved:.0%} of the moved digits are right, expected over 65%"
        else:
            assert moved < 0.45, f"{name}: {moved:.0%} of the moved digits are right, expected below 45%"


@pytest.mark.timeout(60)
def test_a_list_of_pixels_hits_its_ceiling():
    """Trained on moved digits, convolutions get nearly all new ones right; linear layers get half of them wrong.

    The linear layers have three times the weights and four times the epochs, and learn the 300 digits by heart.
    """
    trainer, _ = trained(picture, shift=1, epochs=5)
    new = score(trainer, 1)
    assert new > 0.85, f"convolutions: {new:.0%} of the new digits are right, expected over 85%"
    trainer, seen = trained(list_of_pixels, shift=1, epochs=20)
    new = score(trainer, 1)
    assert seen > 0.9, f"linear layers: {seen:.0%} of the 300 digits are learned, expected over 90%"
    assert new < 0.7, f"linear layers: {new:.0%} of the new digits are right, expected below 70%"
