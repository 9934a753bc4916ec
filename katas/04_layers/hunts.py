"""What mistakes in kata 04 look like from outside. `make hunt N=4` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import layers
from tinytorch.activations import relu
from tinytorch.layers import init
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, ones, randn, tensor


def turn() -> None:
    """A layer whose rows pick the entries 1, 2 and 0 of (10, 20, 30)."""
    weight = tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    print(layers.linear(tensor([[10.0, 20.0, 30.0]]), weight).tolist())


def tied() -> None:
    """How many numbers a model learns whose two layers share one weight of 10 times 10, without a bias."""
    model = layers.Sequential(*(layers.Linear(10, 10, bias=False) for _ in range(2)))
    model[1].weight = model[0].weight
    print(sum(each.numel() for each in model.parameters()))


def in_use() -> None:
    """How many of 1000 entries a model drops that is no longer trained."""
    manual_seed(0)
    model = layers.Sequential(layers.Identity(), layers.Dropout(0.5)).eval()
    print(int((model(ones(1000)) == 0).sum()))


def average() -> None:
    """The mean of 10,000 ones after dropout."""
    manual_seed(0)
    print(f"{layers.dropout(ones(10_000), 0.5).mean().item():.1f}")


def holes() -> None:
    """Which entries of a table dropout has left."""
    manual_seed(0)
    for row in layers.dropout(ones(5, 24), 0.5):
        print("".join("#" if entry > 0 else "." for entry in row.tolist()))


def depth() -> None:
    """The standard deviation of a signal on its way through 12 layers with relu."""
    manual_seed(0)
    x = randn(100, 200)
    for layer in range(13):
        if layer % 3 == 0:
            print(f"layer {layer:2d}: {float(x.data.std()):.4f}")
        weight = init.kaiming_uniform_(randn(200, 200), nonlinearity="relu")
        x = relu(layers.linear(x, weight))


def follows() -> None:
    """The state of a layer, before and after its bias was set to 7."""
    manual_seed(0)
    layer = layers.Linear(2, 1)
    state = layer.state_dict()
    layers.init.constant_(layer.bias, 7.0)
    print(state["bias"].tolist())


def intercept() -> None:
    """A layer that is fitted to y = 3, by hand: its bias."""
    x, weight, bias = np.zeros((4, 1)), np.zeros((1, 1)), np.zeros(1)
    for step in range(13):
        if step % 4 == 0:
            print(f"step {step:2d}: bias {bias[0]:.4f}")
        out = layers.linear(Tensor(x), Tensor(weight), Tensor(bias)).data
        _, _, d_bias = layers.linear_backward(2 * (out - 3) / 4, x, weight)
        bias = bias - 0.2 * d_bias


def some_axes() -> None:
    """The shape of (2, 3, 4, 5) when the axes 1 and 2 become one."""
    print(layers.Flatten(1, 2)(ones(2, 3, 4, 5)).shape)


HUNTS = {
    "linear_without_transpose": turn,
    "named_parameters_repeats_tied_ones": tied,
    "train_stays_at_the_top": in_use,
    "dropout_without_scaling": average,
    "dropout_of_whole_columns": holes,
    "kaiming_uniform_without_root_three": depth,
    "state_dict_copies": follows,
    "linear_backward_takes_the_mean": intercept,
    "flatten_ignores_the_end": some_axes,
}
