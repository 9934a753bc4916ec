"""Masks that hold, whatever the optimizer does."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.compression import (
    custom_from_mask,
    is_pruned,
    l1_unstructured,
    masked_forward,
    remove,
)
from tinytorch.layers import Linear, Module, Parameter, ReLU, Sequential
from tinytorch.losses import mse_loss
from tinytorch.optimizers import SGD, Adam
from tinytorch.setup import manual_seed
from tinytorch.spatial import Conv2d
from tinytorch.tensor import Tensor

MASK = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
X = np.array([[1, 2, 3], [-1, 0, 2], [4, 1, -2], [0, 1, 1]], np.float32)


def pruned(**options):
    manual_seed(0)
    return custom_from_mask(Linear(3, 2, **options), "weight", Tensor(MASK))


def test_a_pass_multiplies_by_the_mask():
    """masked_forward(layer, x) computes weight = weight_orig * weight_mask again, and then what Linear computes."""
    layer = pruned()
    layer.weight_orig.data[...] = 2.0
    out = masked_forward(layer, Tensor(X))
    assert_close(layer.weight, 2 * MASK, "the weight")
    assert_close(out, X @ (2 * MASK).T + layer.bias.data, "the output")


def test_the_mask_is_in_every_forward_pass():
    """A call of a pruned layer uses weight_orig as it is at that moment, times the mask."""
    layer = pruned(bias=False)
    for value in (1.0, 3.0):
        layer.weight_orig.data[...] = value
        assert_close(layer(Tensor(X)), value * (X @ MASK.T), f"the output with weights of {value}")


class Scaled(Module):
    def __init__(self):
        self.gain = Parameter(np.array([1.0, 2.0], np.float32))
        self.shift = Parameter(np.array([3.0, 4.0], np.float32))
        self.attn_mask = Tensor(np.zeros(2))

    def forward(self, x, power=1, *, sign=1):
        return x**power * self.gain * sign + self.shift


def test_any_module_and_any_parameter_has_masks():
    """Two parameters of a module of your own are masked together; its forward gets all that the call was given."""
    module = Scaled()
    custom_from_mask(module, "gain", Tensor(np.array([1, 0], np.float32)))
    custom_from_mask(module, "shift", Tensor(np.array([0, 1], np.float32)))
    x = Tensor(np.array([2.0, 3.0], np.float32))
    assert_close(module(x, 2, sign=-1), np.array([-4, 4], np.float32), "the output")


def test_what_is_masked_gets_no_gradient():
    """The gradient of weight_orig is that of the weight times the mask: exactly 0 where the mask is 0."""
    layer = pruned()
    upstream = np.array([[1, 2], [3, -1], [0, 1], [2, 2]], np.float32)
    layer(Tensor(X)).backward(Tensor(upstream))
    assert layer.weight_orig.grad is not None, "weight_orig got no gradient: is the product recorded?"
    assert_close(layer.weight_orig.grad, upstream.T @ X * MASK, "the gradient of weight_orig")
    assert_close(layer.bias.grad, upstream.sum(0), "the gradient of the bias")


OPTIMIZERS = {
    "SGD": lambda params: SGD(params, lr=0.05, momentum=0.9, weight_decay=0.1),
    "Adam": lambda params: Adam(params, lr=0.05, weight_decay=0.1),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_masks_hold_through_training(make):
    """An optimizer that was made, and has taken steps, before the pruning moves what is left, and nothing else.

    Momentum of earlier steps and weight decay pull at the masked weights as well.
    """
    manual_seed(1)
    model = Sequential(Linear(3, 2), ReLU(), Linear(2, 1))
    optimizer = make(model.parameters())

    def steps(n):
        for _ in range(n):
            optimizer.zero_grad()
            mse_loss(model(Tensor(X)), Tensor(X.sum(1, keepdims=True))).backward()
            optimizer.step()

    steps(5)
    custom_from_mask(model[0], "weight", Tensor(MASK))
    before = model[0].weight.data.copy()
    steps(20)
    model(Tensor(X))
    now = model[0].weight.data
    assert (now[MASK == 0] == 0).all(), f"masked weights have become {now[MASK == 0].tolist()}"
    assert (now[MASK == 1] != before[MASK == 1]).all(), (
        "weights that are left have not moved: is weight_orig the Parameter that the optimizer has?"
    )


def test_the_state_has_the_mask():
    """The state has weight_orig and weight_mask instead of weight; a model with other masks can load it."""
    one, two = pruned(), custom_from_mask(Linear(3, 2), "weight", Tensor(1 - MASK))
    state = one.state_dict()
    assert_equal(sorted(state), ["bias", "weight_mask", "weight_orig"], "the names of the state")
    two.load_state_dict(state)
    assert_close(two(Tensor(X)), one(Tensor(X)).data, "the output of the second model")


def test_a_model_moves_to_float64_with_its_mask():
    """After to(float64) the mask, the weights and the output are float64."""
    layer = pruned(bias=False).to(np.float64)
    assert_close(layer(Tensor(X.astype(np.float64))), X @ (layer.weight_orig.data * MASK).T, "the output")


def test_whether_anything_is_pruned():
    """is_pruned(model) is True if any module of the tree has a mask; an attribute called attn_mask is none."""
    model = Sequential(Linear(3, 2), Sequential(Conv2d(1, 1, 3), Scaled()))
    assert_equal(is_pruned(model), False, "is_pruned of a model without masks")
    l1_unstructured(model[1][0], "bias", 0)
    assert_equal(is_pruned(model), True, "is_pruned of a model with a mask deep inside")
    assert_equal(is_pruned(model[0]), False, "is_pruned of its first layer, which has none,")


def test_a_mask_becomes_permanent():
    """After remove, weight is the Parameter that it was, the same object, with zeros in it; the mask is forgotten."""
    layer = Linear(3, 2)
    parameter = layer.weight
    custom_from_mask(layer, "weight", Tensor(MASK))
    expected = layer.weight.data.copy()
    assert remove(layer, "weight") is layer, "remove returns the module"
    assert layer.weight is parameter, "weight is another object than before the pruning"
    assert_close(layer.weight, expected, "the weight")
    assert_equal(sorted(layer.state_dict()), ["bias", "weight"], "the names of the state")
    assert_equal(is_pruned(layer), False, "is_pruned afterwards")


def test_a_removed_mask_no_longer_holds():
    """After remove the layer computes with all its weights again, and an optimizer moves them all."""
    layer = remove(pruned(bias=False), "weight")
    layer.weight.data[...] = 1.0
    layer(Tensor(X)).sum().backward()
    assert_close(layer(Tensor(X)), X @ np.ones((3, 2), np.float32), "the output")
    assert_close(layer.weight.grad, np.tile(X.sum(0), (2, 1)), "the gradient of the weight")


def test_the_zeros_are_those_of_now():
    """What the optimizer did after the last forward pass is not lost: remove multiplies weight_orig by the mask."""
    layer = pruned()
    layer.weight_orig.data[...] = 7.0
    assert_close(remove(layer, "weight").weight, 7 * MASK, "the weight")


def test_one_of_two_masks_is_removed():
    """If the bias has a mask too, it still holds after remove(layer, "weight")."""
    layer = pruned()
    custom_from_mask(layer, "bias", Tensor(np.array([1, 0], np.float32)))
    remove(layer, "weight")
    layer.bias_orig.data[...] = 5.0
    out = layer(Tensor(np.zeros((1, 3), np.float32)))
    assert_close(out, np.array([[5, 0]], np.float32), "the output of a layer whose bias has a mask")


def test_no_mask_cannot_be_removed():
    """remove of a parameter without a mask is a ValueError that names it."""
    with raises(ValueError, "bias"):
        remove(pruned(), "bias")
