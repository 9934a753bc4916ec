"""Three evenings that this kata saves: a rate that is too large at the end, one bad batch, and a power cut."""

import numpy as np

from dojo.spec import Again, assert_close
from dojo.spec.child import die, in_child, killed
from tinytorch.layers import Linear, Module, Parameter
from tinytorch.losses import mse_loss
from tinytorch.optimizers import SGD, Adam
from tinytorch.setup import default_generator, manual_seed
from tinytorch.tensor import Tensor, tensor
from tinytorch.training import Callback, CosineAnnealingLR, ModelCheckpoint, Trainer

RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 1)).astype(np.float32)
Y = (3 * X + RNG.standard_normal((64, 1))).astype(np.float32)
WIDE = RNG.standard_normal((100, 6)).astype(np.float32)
SUMS = (WIDE.sum(axis=1, keepdims=True) + WIDE[:, :1] * WIDE[:, 1:2]).astype(np.float32)


def one_by_one():
    """A line with the slope 3, and noise: one sample a batch, in an order that the default generator draws."""
    return [(Tensor(X[[row]]), Tensor(Y[[row]])) for row in default_generator().permutation(64)]


def sums():
    """Sums plus a term that is not linear: batches of 16, and a last one of 4."""
    rows = default_generator().permutation(100)
    return [(Tensor(WIDE[part]), Tensor(SUMS[part])) for part in np.split(rows, range(16, 100, 16))]


class Slope(Module):
    def __init__(self):
        self.slope = Parameter(tensor([[0.0]]))

    def forward(self, x):
        return x @ self.slope


def distance(schedule):
    """The distance of the slope from the best one after ten epochs: the mean of four runs, each in another order."""
    best, distances = float((X * Y).sum() / (X * X).sum()), []
    for seed in range(4):
        manual_seed(seed)
        model = Slope()
        optimizer = SGD(model.parameters(), lr=0.2)
        scheduler = CosineAnnealingLR(optimizer, T_max=640) if schedule else None
        Trainer(model, mse_loss, optimizer, scheduler, "step").fit(Again(one_by_one), epochs=10)
        distances.append(abs(float(model.slope.data[0, 0]) - best))
    return sum(distances) / 4


def test_large_steps_never_settle():
    """With a rate that falls along a cosine the slope gets more than five times nearer to the best one.

    A fixed rate of 0.2 gets near it, and is then thrown about by the noise of each sample.
    """
    fixed, annealed = distance(schedule=False), distance(schedule=True)
    assert annealed < 0.05, f"with the schedule the slope is {annealed:.3g} away, expected less than 0.05"
    assert fixed > 5 * annealed, f"without it the slope is {fixed:.3g} away, with it {annealed:.3g}"


def weight_after(clip):
    """The weight after five good batches with a target of 1, and a bad one with a target of 1e6."""
    model = Slope()
    one = (tensor([[1.0]]), tensor([[1.0]]))
    trainer = Trainer(model, mse_loss, SGD(model.parameters(), lr=0.4), clip_grad_norm=clip)
    trainer.fit([*[one] * 5, (tensor([[1.0]]), tensor([[1e6]]))], epochs=1)
    return float(model.slope.data[0, 0])


def test_one_bad_batch_undoes_everything():
    """One bad batch throws the weight from 1 to 800,000; clipped to a norm of 1, it moves by only 0.4.

    Five batches bring the weight to 1, and the sixth has a target of 1e6.
    """
    lost, kept = weight_after(None), weight_after(1.0)
    assert abs(lost) > 1e5, f"without clipping the weight is {lost:.4g}"
    assert abs(kept - 1.4) < 0.1, f"with clipping the weight is {kept:.4g}, expected about 1.4"


class PowerCut(Callback):
    """A power cut in the middle of this epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_step_end(self, trainer, loss, samples):
        if trainer.epoch + 1 == self.epoch and samples < 16:
            die()


def night(directory, cut=0):
    """The whole program that is started in the evening, and again whenever the power is back."""
    manual_seed(3)
    model = Linear(6, 1)
    optimizer = Adam(model.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max=6)
    callbacks = [ModelCheckpoint(directory), PowerCut(cut)]
    trainer = Trainer(model, mse_loss, optimizer, scheduler, clip_grad_norm=5.0, callbacks=callbacks)
    trainer.resume(directory)
    history = trainer.fit(Again(sums), epochs=6)
    return {
        "weight": model.weight.data,
        "bias": model.bias.data,
        "train_loss": history["train_loss"],
        "lr": history["lr"],
    }


def test_a_night_with_three_power_cuts(tmp_path):
    """A program that is started again after each of three power cuts ends as it would have ended without them.

    Weights, losses and rates are the same in every bit.
    """
    quiet = in_child(lambda: night(tmp_path / "quiet"))
    for epoch in (2, 5, 6):
        assert killed(lambda epoch=epoch: night(tmp_path / "stormy", cut=epoch)), (
            f"no power cut in epoch {epoch}"
        )
    stormy = in_child(lambda: night(tmp_path / "stormy"))
    for name, value in quiet.items():
        assert_close(stormy[name], value, f"{name} after the stormy night", rtol=0, atol=0)
    assert quiet["train_loss"][-1] < quiet["train_loss"][0] / 2, f"the losses are {quiet['train_loss']}"
