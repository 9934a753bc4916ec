"""The story: the same learning, with fewer operations and less memory."""

import numpy as np
import pytest

from dojo.spec import assert_close, peak
from tinytorch.acceleration.memory import empty_cache
from tinytorch.acceleration.observing import profile, table
from tinytorch.dispatch import disabled
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.spatial import Conv2d, MaxPool2d
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, GPTConfig


def gpt_step():
    """A small GPT and a text, ready to train: a function that makes one step, and gives the loss."""
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=65, block_size=128, n_layer=2, n_head=4, n_embd=64))
    ids = Tensor(np.random.default_rng(0).integers(0, 65, (4, 129)))
    optimizer = SGD(model.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        loss = model.loss(ids[:, :-1], ids[:, 1:])
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def cnn_step():
    """A small CNN and some pictures, ready to train."""
    manual_seed(0)
    model = Sequential(
        *(Conv2d(3, 32, 3, padding=1), ReLU(), Conv2d(32, 32, 3, padding=1), ReLU(), MaxPool2d(2)),
        *(Flatten(), Linear(32 * 8 * 8, 10)),
    )
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((16, 3, 16, 16)).astype(np.float32))
    y = Tensor(rng.integers(0, 10, 16))
    optimizer = SGD(model.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


KERNELS = {
    "GPT": ("Linear", "LayerNorm", "Gelu", "CrossEntropy"),
    "CNN": ("Conv2d", "Relu", "MaxPool2d", "Linear"),
}
each_model = pytest.mark.parametrize(
    ("name", "make"), [("GPT", gpt_step), ("CNN", cnn_step)], ids=["GPT", "CNN"]
)


@each_model
def test_it_learns_the_same(name, make):
    """Four steps with kernels and four without have the same losses, up to rounding, and they fall."""
    step = make()
    with profile() as seen:
        fast = [step() for _ in range(4)]
    for kernel in KERNELS[name]:
        assert f"{kernel}Kernel" in seen.costs, (
            f"no {kernel}Kernel in the step of the {name}:\n{table(seen.costs, 40)}"
        )
    simple = make()
    with disabled():
        expected = [simple() for _ in range(4)]
    assert_close(fast, expected, f"the losses of the {name}", rtol=1e-4)
    assert fast[-1] < fast[0], f"the loss does not fall: {fast}"


@each_model
def test_fewer_operations_do_it(name, make):
    """A step of each model is made of at most two thirds as many calls as before, and none of them makes float64."""
    counts = {}
    for way in ("fast", "simple"):
        step = make()
        step()
        with profile() as seen:
            if way == "fast":
                step()
            else:
                with disabled():
                    step()
        counts[way] = sum(cost.calls for cost in seen.costs.values())
        double = [operation for operation, cost in seen.costs.items() if "float64" in cost.dtypes]
        assert not double, f"{double} make float64 in the {way} step of the {name}"
    assert counts["fast"] * 3 <= counts["simple"] * 2, (
        f"{counts['fast']} calls, before there were {counts['simple']}"
    )


@pytest.mark.parametrize(
    ("name", "make", "share"), [("GPT", gpt_step, 1 / 1.6), ("CNN", cnn_step, 1 / 2)], ids=["GPT", "CNN"]
)
def test_it_needs_less_memory(name, make, share):
    """A step of the GPT needs at most 5/8 of the memory that it needed, one of the CNN half."""
    step = make()
    step()
    empty_cache()
    fast = peak(step)
    with disabled():
        step()
        simple = peak(step)
    assert fast <= simple * share, (
        f"a step of the {name} needs {fast / 1e6:.1f} MB, before it was {simple / 1e6:.1f}"
    )
