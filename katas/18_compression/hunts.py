"""What mistakes in kata 18 look like from outside. `make hunt N=18` plants one of them in a copy of your code."""

import numpy as np

from tinytorch import compression as c
from tinytorch.layers import Linear, Sequential
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, randn, tensor


def fixed(*shape: int) -> Tensor:
    manual_seed(0)
    return randn(*shape)


def survivors() -> None:
    """The weights 3, -5, 0.1, -0.2, 1 and -1 when half of them go: the ones that stay are marked with 1."""
    print(c.magnitude_mask(tensor([3.0, -5.0, 0.1, -0.2, 1.0, -1.0]), 0.5).tolist())


def two_rounds() -> None:
    """How many of 8 weights are left when half of them go, and then half of what is left."""
    weight = tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    mask = c.magnitude_mask(weight, 0.5)
    print(int(mask.sum().item()), int(c.magnitude_mask(weight, 0.5, mask).sum().item()))


def layers_apart() -> None:
    """Two layers, one with weights around 1 and one around 0.01, when half of all go: the share of zeros in each."""
    model = Sequential(Linear(10, 10, bias=False), Linear(10, 10, bias=False))
    for layer, size in zip(model, (1.0, 0.01), strict=True):
        layer.weight.data[...] = fixed(10, 10).data * 0.1 * size + size
    weights = c.prunable(model)
    c.global_unstructured(weights, 0.5)
    model(fixed(1, 10))
    print([round(c.sparsity([each]), 2) for each in weights])


def small_and_large() -> None:
    """The share of zeros in a matrix of 90 numbers of which 9 are 0, and one of 10, of which all are 0."""
    large, small = Linear(9, 10, bias=False), Linear(5, 2, bias=False)
    large.weight.data[...] = np.arange(90).reshape(10, 9) >= 9
    small.weight.data[...] = 0
    print(round(c.sparsity([(large, "weight"), (small, "weight")]), 3))


def training_goes_on() -> None:
    """A pruned layer that is trained on: how many of its 16 weights are 0 after each step."""
    manual_seed(0)
    layer = c.l1_unstructured(Linear(4, 4, bias=False), "weight", 0.5)
    optimizer = SGD(layer.parameters(), lr=0.1)
    counts = []
    for _ in range(4):
        optimizer.zero_grad()
        out = layer(fixed(8, 4))
        counts.append(int((layer.weight.data == 0).sum()))
        (out * out).mean().backward()
        optimizer.step()
    print(counts)


def schedule() -> None:
    """The share of zeros in a schedule up to 90 % in ten steps."""
    print([round(c.cubic_sparsity(step, 0.9, 0, 10), 2) for step in range(11)])


def thin() -> None:
    """A matrix of rank 2 as the product of two thin ones: the largest error."""
    weight = fixed(6, 2) @ fixed(2, 5)
    first, second = c.factorize(weight, 2)
    print(f"{np.abs((first @ second).data - weight.data).max():.3f}")


def energy() -> None:
    """How many of the singular values 10, 3, 2 and 1 hold 90 % of the energy."""
    print(c.rank_for_energy(Tensor(np.diag([10.0, 3.0, 2.0, 1.0]).astype(np.float32)), 0.9))


def merged() -> None:
    """What an adapted layer gives before and after its difference was merged into the weight."""
    manual_seed(0)
    layer = c.LoRALinear(Linear(3, 2), r=2, alpha=8)
    layer.lora_B.weight.data[...] = 0.5
    x = fixed(1, 3)
    print(layer(x).data.round(3).tolist())
    layer.merge()
    print(layer(x).data.round(3).tolist())


def fresh() -> None:
    """How much a fresh adapter changes what a layer gives."""
    manual_seed(0)
    base = Linear(3, 2)
    before = base(fixed(4, 3)).data
    print(f"{np.abs(c.LoRALinear(base, r=2)(fixed(4, 3)).data - before).max():.3f}")


HUNTS = {
    "negative_weights_go": survivors,
    "largest_weights_go": survivors,
    "amount_of_all_weights": two_rounds,
    "each_layer_its_share": layers_apart,
    "mean_of_the_shares": small_and_large,
    "zeros_without_a_mask": training_goes_on,
    "linear_schedule": schedule,
    "smallest_values_are_kept": thin,
    "energy_without_squares": energy,
    "merge_without_scaling": merged,
    "noise_at_first": fresh,
}
