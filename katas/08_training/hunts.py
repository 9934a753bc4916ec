"""What mistakes in kata 08 look like from outside. `make hunt N=8` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import training as t
from tinytorch.layers import Dropout, Linear, Sequential
from tinytorch.losses import mse_loss
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, ones, tensor

X = np.linspace(-1, 1, 24, dtype=np.float32)[:, None]
BATCHES = [(Tensor(X[i::3]), Tensor(2 * X[i::3] + 1)) for i in range(3)]


def rates(make, momentum: bool = False) -> None:
    optimizer = SGD([tensor([1.0], requires_grad=True)], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    for step in range(12):
        group = optimizer.param_groups[0]
        print(f"step {step:2d}: lr {group['lr']:.4f}", f"  momentum {group['momentum']:.3f}" * momentum)
        optimizer.step()
        scheduler.step()


def line() -> None:
    """The loss of y = 2 * x + 1, epoch by epoch."""
    manual_seed(0)
    model = Linear(1, 1)
    trainer = t.Trainer(model, mse_loss, SGD(model.parameters(), lr=0.2))
    history = trainer.fit(BATCHES, epochs=8)
    print([round(each, 4) for each in history["train_loss"]])


def one_cycle() -> None:
    """The rate and the momentum of OneCycleLR: when one is high, the other is low."""
    rates(lambda optimizer: t.OneCycleLR(optimizer, 1.0, total_steps=13), momentum=True)


def cosine() -> None:
    """The rate of CosineAnnealingLR from 1.0 down to eta_min=0.2 in 11 steps."""
    rates(lambda optimizer: t.CosineAnnealingLR(optimizer, 11, eta_min=0.2))


def warm_up() -> None:
    """The rate of LinearLR: a warm-up of 4 steps to the rate of 1.0."""
    rates(lambda optimizer: t.LinearLR(optimizer, 0.25, total_iters=4))


def relay() -> None:
    """The rate of a warm-up of 3 steps, and then of StepLR, which halves it every 4 steps of its own."""
    rates(
        lambda optimizer: t.SequentialLR(
            optimizer, [t.LinearLR(optimizer, 0.25, total_iters=3), t.StepLR(optimizer, 4, 0.5)], [3]
        )
    )


def uneven() -> None:
    """The mean loss of 10 samples: eight with a loss of 1 in one batch, two with a loss of 6 in the other."""
    mean = t.Mean()
    mean.update(1.0, 8)
    mean.update(6.0, 2)
    print(mean.compute())


def small() -> None:
    """A gradient of (0.3, 0.4) that is clipped to a norm of at most 1, and one of (3, 4)."""
    for scale in (1, 10):
        x = tensor([1.0, 1.0], requires_grad=True)
        x.grad = tensor([0.3 * scale, 0.4 * scale])
        t.clip_grad_norm_(x, 1.0)
        print([round(each, 4) for each in x.grad.tolist()])


def looking() -> None:
    """The loss of a model with dropout that gives back its input, evaluated three times: nothing is wrong."""
    manual_seed(0)
    model = Sequential(Dropout(0.5))
    parameter = tensor([1.0], requires_grad=True)
    trainer = t.Trainer(model, mse_loss, SGD([parameter], lr=0.1))
    print([trainer.evaluate([(ones(4, 1), ones(4, 1))])["loss"] for _ in range(3)])


def patience() -> None:
    """The epochs of a run with patience 3, whose loss is 5, 4, 4, 3, 3, 2, 2, 1, 1, and then stays at 1."""
    losses = iter([5.0, 4.0, 4.0, 3.0, 3.0, 2.0, 2.0, 1.0, 1.0, *[1.0] * 20])

    def next_loss(output: Tensor, target: Tensor) -> Tensor:
        return (output * 0).sum() + next(losses)

    manual_seed(0)
    model = Linear(1, 1)
    stopping = t.EarlyStopping("train_loss", patience=3)
    trainer = t.Trainer(model, next_loss, SGD(model.parameters(), lr=0.1), callbacks=[stopping])
    print(trainer.fit([BATCHES[0]], epochs=20)["train_loss"])


HUNTS = {
    "step_adds_up_gradients": line,
    "one_cycle_moves_the_momentum_along": one_cycle,
    "cosine_adds_eta_min": cosine,
    "linear_lr_never_stops": warm_up,
    "sequential_goes_on_counting": relay,
    "mean_of_means": uneven,
    "clip_always_scales": small,
    "evaluate_in_train_mode": looking,
    "stopping_never_forgives": patience,
}
