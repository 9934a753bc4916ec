"""Kata 06 beside PyTorch: ten steps of every optimizer with every option, and what its state_dict holds."""

import itertools

import numpy as np
import pytest
import torch

from tinytorch import optimizers as ours
from tinytorch.layers import Parameter
from tinytorch.tensor import Tensor

SHAPES = [(3, 4), (4,), ()]
STEPS = 10


def combined(**options):
    return [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]


SGD = combined(momentum=[0.0, 0.9], dampening=[0.0, 0.3], nesterov=[False, True], weight_decay=[0.0, 0.1])
CASES = [("SGD", o) for o in SGD if not (o["nesterov"] and (o["dampening"] or not o["momentum"]))]
for name in ("Adam", "AdamW"):
    CASES += [
        (name, {}),
        *((name, o) for o in combined(betas=[(0.9, 0.999), (0.5, 0.75)], weight_decay=[0.0, 0.1])),
    ]
    CASES += [(name, {"eps": 0.1})]
CASES += [("RMSprop", o) for o in combined(momentum=[0.0, 0.9], alpha=[0.99, 0.5], weight_decay=[0.0, 0.1])]
CASES += [("RMSprop", {"eps": 0.1})]
each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{o}" for n, o in CASES])


def both(name, options, dtype):
    """The optimizer here and PyTorch's, over two groups of parameters that begin alike."""
    rng = np.random.default_rng(0)
    starts = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
    params = [Parameter(start.copy()) for start in starts]
    others = [torch.tensor(start, requires_grad=True) for start in starts]
    made = []
    for cls, ps in ((getattr(ours, name), params), (getattr(torch.optim, name), others)):
        made.append(cls([{"params": ps[:2]}, {"params": ps[2:], "lr": 0.02}], lr=0.05, **options))
    return params, others, *made


def walk(params, others, movers, dtype, steps=range(STEPS)):
    """The same gradients for all; now and then a parameter has none, and lr changes half-way."""
    for step in steps:
        rng = np.random.default_rng(step)
        for i, (p, q) in enumerate(zip(params, others, strict=True)):
            g = np.asarray(rng.standard_normal(p.shape) * 10.0 ** (i - 1), dtype)
            missing = (step + i) % 4 == 3
            p.grad, q.grad = (None, None) if missing else (Tensor(g), torch.tensor(g))
        if step == STEPS // 2:
            for optimizer in movers:
                optimizer.param_groups[0]["lr"] = 0.01
        for optimizer in movers:
            optimizer.step()


@pytest.mark.parametrize(
    ("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-5)], ids=["float64", "float32"]
)
@each_case
def test_ten_steps_are_pytorchs(name, options, dtype, rtol):
    params, others, mine, theirs = both(name, options, dtype)
    walk(params, others, [mine, theirs], dtype)
    for p, q in zip(params, others, strict=True):
        assert p.dtype == dtype
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=rtol, atol=rtol / 10)


@each_case
def test_the_state_dict_is_laid_out_as_pytorchs(name, options):
    params, others, mine, theirs = both(name, options, np.float64)
    walk(params, others, [mine, theirs], np.float64)
    ours_, pytorchs = mine.state_dict(), theirs.state_dict()
    assert [group["params"] for group in ours_["param_groups"]] == [[0, 1], [2]]
    for group, expected in zip(ours_["param_groups"], pytorchs["param_groups"], strict=True):
        assert group == {key: expected[key] for key in group}
    assert list(ours_["state"]) == list(pytorchs["state"])
    for number, state in ours_["state"].items():
        expected = {key: value for key, value in pytorchs["state"][number].items() if value is not None}
        if name == "RMSprop":
            del expected["step"]  # it counts steps, which its formula does not need
        assert state.keys() == expected.keys()
        for key, value in state.items():
            np.testing.assert_allclose(value, expected[key].numpy(), rtol=1e-12)


@each_case
def test_a_state_of_pytorchs_can_be_gone_on_from(name, options):
    """Its state_dict, with arrays for tensors, is loaded here, and both continue alike."""
    params, others, mine, theirs = both(name, options, np.float64)
    walk(params, others, [theirs], np.float64, range(5))
    for p, q in zip(params, others, strict=True):
        p.data[...] = q.detach().numpy()
    saved = theirs.state_dict()
    saved["state"] = {
        number: {
            key: int(value) if key == "step" else value.numpy()
            for key, value in state.items()
            if value is not None
        }
        for number, state in saved["state"].items()
    }
    mine.load_state_dict(saved)
    walk(params, others, [mine, theirs], np.float64, range(5, STEPS))
    for p, q in zip(params, others, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_defaults_are_pytorchs(name):
    theirs = getattr(torch.optim, name)([torch.zeros(1, requires_grad=True)]).defaults
    defaults = getattr(ours, name)([Parameter(np.zeros(1))]).defaults
    assert defaults == {key: theirs[key] for key in defaults}


def test_zeros_like_all():
    arrays = [np.ones((2, 3), np.float32), np.ones(())]
    for mine, array in zip(ours.zeros_like_all(arrays), arrays, strict=True):
        theirs = torch.zeros_like(torch.tensor(array)).numpy()
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
