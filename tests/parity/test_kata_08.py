"""Kata 08 beside PyTorch: whole schedules, clipping, files both ways, and a training loop."""

import itertools
import math

import numpy as np
import pytest
import safetensors.torch
import torch

from tinytorch import optimizers, training as ours
from tinytorch.layers import Linear, Parameter, Sequential, Tanh
from tinytorch.losses import mse_loss
from tinytorch.tensor import Tensor

theirs = torch.optim.lr_scheduler
STEPS = 30


def two(name, **options):
    """An optimizer here and PyTorch's, over two groups with rates of their own."""
    mine = [Parameter(np.zeros(1, np.float32)) for _ in range(2)]
    other = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    return [
        cls([{"params": [a]}, {"params": [b], "lr": 0.3}], lr=0.1, **options)
        for cls, (a, b) in ((getattr(optimizers, name), mine), (getattr(torch.optim, name), other))
    ]


def follow(optimizer, scheduler, steps, names=("lr",)):
    seen = []
    for _ in range(steps):
        seen.append([[group[name] for name in names] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return np.array([*seen, [[group[name] for name in names] for group in optimizer.param_groups]], float)


CASES = [("StepLR", {"step_size": s, "gamma": g}) for s, g in itertools.product((1, 3, 7), (0.1, 0.9))]
CASES += [("LinearLR", o) for o in ({}, {"start_factor": 0.1, "total_iters": 12})]
CASES += [("LinearLR", {"start_factor": 1.0, "end_factor": 0.25, "total_iters": 7})]
CASES += [
    ("CosineAnnealingLR", {"T_max": t, "eta_min": e}) for t, e in itertools.product((5, 12, 40), (0.0, 0.01))
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{o}" for n, o in CASES])
def test_a_whole_schedule(name, options):
    mine, other = two("SGD")
    rates = follow(mine, getattr(ours, name)(mine, **options), STEPS)
    expected = follow(other, getattr(theirs, name)(other, **options), STEPS)
    np.testing.assert_allclose(rates, expected, rtol=1e-9, atol=1e-12)


def sequence(library, optimizer):
    parts = [
        library.LinearLR(optimizer, 0.1, total_iters=4),
        library.CosineAnnealingLR(optimizer, T_max=9),
        library.StepLR(optimizer, 3, 0.5),
    ]
    return library.SequentialLR(optimizer, parts, milestones=[4, 13])


def test_schedules_one_after_the_other():
    mine, other = two("SGD")
    rates, expected = follow(mine, sequence(ours, mine), STEPS), follow(other, sequence(theirs, other), STEPS)
    np.testing.assert_allclose(rates, expected, rtol=1e-9, atol=1e-12)


ONE_CYCLES = [
    {"anneal_strategy": strategy, "pct_start": pct}
    for strategy, pct in itertools.product(("cos", "linear"), (0.0, 0.25, 0.3, 0.9))
]
ONE_CYCLES += [{"div_factor": 10.0, "final_div_factor": 100.0}, {"base_momentum": 0.5, "max_momentum": 0.7}]
ONE_CYCLES += [{"cycle_momentum": False}]


@pytest.mark.parametrize("options", ONE_CYCLES, ids=str)
@pytest.mark.parametrize(
    ("name", "momentum", "extra"),
    [("SGD", "momentum", {"momentum": 0.9}), ("Adam", "betas", {}), ("AdamW", "betas", {})],
)
def test_one_cycle(name, momentum, extra, options):
    mine, other = two(name, **extra)
    expected = theirs.OneCycleLR(other, max_lr=[1.0, 2.0], total_steps=STEPS, **options)
    scheduler = ours.OneCycleLR(mine, max_lr=[1.0, 2.0], total_steps=STEPS, **options)
    for _ in range(STEPS - 1):
        for group, right in zip(mine.param_groups, other.param_groups, strict=True):
            np.testing.assert_allclose(group["lr"], right["lr"], rtol=1e-9)
            np.testing.assert_allclose(group[momentum], right[momentum], rtol=1e-9)
            np.testing.assert_allclose(group["initial_lr"], right["initial_lr"], rtol=1e-9)
        other.step()
        expected.step()
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx(expected.get_last_lr())


def test_one_cycle_has_as_many_steps_as_pytorch_s():
    for library, optimizer in zip((ours, theirs), two("SGD", momentum=0.9), strict=True):
        scheduler = library.OneCycleLR(optimizer, max_lr=1.0, total_steps=5)
        optimizer.step()
        for _ in range(5):
            scheduler.step()
        with pytest.raises(ValueError):
            scheduler.step()


@pytest.mark.parametrize("name", ["StepLR", "OneCycleLR"])
def test_going_on_in_the_middle(name):
    """With last_epoch, over groups that have an "initial_lr", the first rate is that of the step after it.

    PyTorch's LinearLR and CosineAnnealingLR leave the rate as it is until the next step.
    """
    options = {"StepLR": {"step_size": 3}, "OneCycleLR": {"max_lr": 1.0, "total_steps": 20}}
    mine, other = two("SGD", momentum=0.9)
    for library, optimizer in ((ours, mine), (theirs, other)):
        first = getattr(library, name)(optimizer, **options[name])
        optimizer.step()
        for _ in range(4):
            first.step()
        getattr(library, name)(optimizer, **options[name], last_epoch=4)
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in (mine, other)]
    np.testing.assert_allclose(*rates, rtol=1e-9)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 100.0])
def test_clipping(norm_type, max_norm):
    rng = np.random.default_rng(0)
    grads = [rng.standard_normal(shape).astype(np.float32) for shape in ((3, 4), (5,), ())]
    params, others = [], []
    for grad in grads:
        params.append(Parameter(np.zeros_like(grad)))
        params[-1].grad = Tensor(np.array(grad))
        others.append(torch.zeros(grad.shape, requires_grad=True))
        others[-1].grad = torch.tensor(grad)
    norm = ours.clip_grad_norm_(params, max_norm, norm_type)
    right = torch.nn.utils.clip_grad_norm_(others, max_norm, norm_type)
    np.testing.assert_allclose(norm.data, right.numpy(), rtol=1e-6)
    assert norm.dtype == np.float32
    for p, q in zip(params, others, strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-5, atol=1e-7)
    ours.clip_grad_value_(params, 0.1)
    torch.nn.utils.clip_grad_value_(others, 0.1)
    for p, q in zip(params, others, strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_clipping_to_a_norm_that_is_no_number(bad):
    p, q = Parameter(np.zeros(2, np.float32)), torch.zeros(2, requires_grad=True)
    p.grad, q.grad = Tensor(np.array([bad, 3.0], np.float32)), torch.tensor([bad, 3.0])
    with np.errstate(invalid="ignore"):
        norm = ours.clip_grad_norm_(p, 1.0)
    np.testing.assert_array_equal(norm.data, torch.nn.utils.clip_grad_norm_(q, 1.0).numpy())
    np.testing.assert_array_equal(p.grad.data, q.grad.numpy())


def test_pytorch_reads_our_files(tmp_path):
    model = Sequential(Linear(3, 4), Tanh(), Linear(4, 2))
    ours.save(model.state_dict(), tmp_path / "model.safetensors", {"epoch": "3"})
    state = safetensors.torch.load_file(tmp_path / "model.safetensors")
    other = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    other.load_state_dict(state)
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        model(Tensor(x)).data, other(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6
    )


def test_we_read_pytorch_s_files(tmp_path):
    other = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    safetensors.torch.save_file(other.state_dict(), tmp_path / "model.safetensors", {"format": "pt"})
    model = Sequential(Linear(3, 4), Tanh(), Linear(4, 2))
    state, metadata = ours.load_with_metadata(tmp_path / "model.safetensors")
    model.load_state_dict(state)
    assert metadata == {"format": "pt"}
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name].data, value.numpy())


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_a_run_is_pytorch_s_loop(interval):
    """Three epochs over uneven batches, clipped, with Adam and a schedule."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)).astype(np.float32), rng.standard_normal((20, 1)).astype(np.float32)
    parts = [slice(0, 8), slice(8, 16), slice(16, 20)]
    model = Sequential(Linear(3, 4), Tanh(), Linear(4, 1))
    other = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    other.load_state_dict(
        {name: torch.tensor(value.data.copy()) for name, value in model.state_dict().items()}
    )

    optimizer = optimizers.Adam(model.parameters(), lr=0.05)
    scheduler = ours.CosineAnnealingLR(optimizer, T_max=9)
    trainer = ours.Trainer(model, mse_loss, optimizer, scheduler, interval, clip_grad_norm=0.5)
    history = trainer.fit([(Tensor(x[p]), Tensor(y[p])) for p in parts], epochs=3)

    theirs_ = torch.optim.Adam(other.parameters(), lr=0.05)
    schedule = theirs.CosineAnnealingLR(theirs_, T_max=9)
    losses = []
    for _ in range(3):
        total = 0.0
        for p in parts:
            theirs_.zero_grad()
            loss = torch.nn.functional.mse_loss(other(torch.tensor(x[p])), torch.tensor(y[p]))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(other.parameters(), 0.5)
            theirs_.step()
            if interval == "step":
                schedule.step()
            total += loss.item() * len(x[p])
        if interval == "epoch":
            schedule.step()
        losses.append(total / len(x))
    np.testing.assert_allclose(history["train_loss"], losses, rtol=1e-5)
    for name, value in other.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name].data, value.numpy(), rtol=1e-4, atol=1e-6)
