"""What is really gone costs nothing. A zero would cost as much as any other number: `count_macs` says that."""

import numpy as np
import pytest

from dojo.spec import speedup
from tinytorch.autograd import no_grad
from tinytorch.compression import low_rank, remove_channels
from tinytorch.layers import Flatten, Linear, ReLU, Sequential
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.tensor import Tensor


def perceptron():
    return Sequential(Linear(512, 1024), ReLU(), Linear(1024, 1024), ReLU(), Linear(1024, 10)), (0, 2)


def convolutions():
    model = Sequential(
        *(Conv2d(3, 32, 3, padding=1), BatchNorm2d(32), ReLU()),
        *(Conv2d(32, 32, 3, padding=1), BatchNorm2d(32), ReLU(), MaxPool2d(2)),
        *(Flatten(), Linear(32 * 64, 10)),
    )
    return model, (0, 3)


MODELS = {"perceptron": (perceptron, (32, 512)), "convolutions": (convolutions, (32, 3, 16, 16))}


def output(model):
    def forward(x):
        with no_grad():
            return model(x)

    return forward


@pytest.mark.parametrize(("make", "shape"), MODELS.values(), ids=MODELS)
def test_half_the_channels(make, shape):
    """With half of the channels, a model takes at most 1 / 1.4 of the CPU time for a batch of 32."""
    manual_seed(0)
    large, small = make()[0].eval(), make()[0].eval()
    for index in make()[1]:
        remove_channels(small, index, 0.5)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    speedup(
        fast=output(small),
        slow=output(large),
        at_least=1.4,
        inputs=lambda: (Tensor(x),),
        check=lambda fast, slow: None,  # two models, each with answers of its own
        baseline="with all channels",
    )


def test_a_quarter_of_the_rank():
    """A Linear(1024, 1024) whose matrix has rank 256 takes, as two thin ones, at most 1 / 1.3 of the CPU time."""
    manual_seed(0)
    layer = Linear(1024, 1024)
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((1024, 256)), rng.standard_normal((256, 1024))
    layer.weight.data[...] = left @ right / 512
    thin = low_rank(layer, 256)
    x = rng.standard_normal((128, 1024)).astype(np.float32)
    speedup(
        fast=output(thin),
        slow=output(layer),
        at_least=1.3,
        inputs=lambda: (Tensor(x),),
        baseline="one matrix",
    )
