"""Which weights say least: the smallest ones, of one layer or of all together."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises, unchanged
from dojo.spec.strategies import distinct, shapes
from tinytorch.compression import (
    custom_from_mask,
    global_unstructured,
    how_many,
    l1_unstructured,
    magnitude_mask,
    sparsity,
)
from tinytorch.layers import Buffer, Linear, Module, Parameter
from tinytorch.tensor import Tensor, ones


def linear(weight):
    """A Linear with this weight, and the bias 1, 2, ..."""
    weight = np.array(weight, np.float32)
    layer = Linear(weight.shape[1], weight.shape[0])
    layer.weight.data[...] = weight
    layer.bias.data[...] = np.arange(1, 1 + len(weight))
    return layer


AMOUNTS = [(0.3, 10, 3), (3, 10, 3), (1, 10, 1), (1.0, 10, 10), (0, 10, 0), (0.0, 10, 0), (0.26, 10, 3)]
AMOUNTS += [(10, 10, 10), (0.5, 0, 0), (np.int64(2), 10, 2), (np.float32(0.5), 10, 5)]


@pytest.mark.parametrize(("amount", "size", "expected"), AMOUNTS)
def test_an_amount_is_a_share_or_a_number(amount, size, expected):
    """Of 10 weights a float of 0.3 means 3 and 1.0 means all; an int of 3 means 3 and 1 means one."""
    assert_equal(how_many(amount, size), expected, f"how_many({amount!r}, {size})")


@pytest.mark.parametrize("amount", [-0.1, 1.5, -1, 11])
def test_an_amount_out_of_range_is_refused(amount):
    """A share below 0 or above 1, and a number below 0 or above the size, are a ValueError that names it."""
    with raises(ValueError, amount):
        how_many(amount, 10)


@pytest.mark.parametrize("amount", ["0.5", None, True])
def test_an_amount_is_a_number(amount):
    """A text, None and a boolean are a TypeError that names their type."""
    with raises(TypeError, type(amount).__name__):
        how_many(amount, 10)


def test_the_smallest_weights_go():
    """Of [[0.5, -0.1], [-2, 0.3]] half go: the mask is [[1, 0], [1, 0]], because the sign does not count."""
    weight = Tensor(np.array([[0.5, -0.1], [-2.0, 0.3]], np.float32))
    assert_close(magnitude_mask(weight, 0.5), np.array([[1, 0], [1, 0]], np.float32), "the mask")


def test_of_equal_weights_only_as_many_go():
    """Of [1, -1, 1, 2, 1] two go, though four are the smallest: any two of these four."""
    mask = magnitude_mask(Tensor(np.array([1.0, -1.0, 1.0, 2.0, 1.0])), 2)
    assert_equal(int((mask.data == 0).sum()), 2, "how many weights go")
    assert mask.data[3] == 1, "the largest weight goes"


def test_what_is_gone_stays_gone():
    """Of the weights 1 to 8, without 7 and 8 by an earlier mask, a half of the six others goes: 1, 2 and 3."""
    weight = Tensor(np.arange(1.0, 9.0))
    mask = Tensor(np.array([1.0, 1, 1, 1, 1, 1, 0, 0]))
    with unchanged(weight, mask):
        out = magnitude_mask(weight, 0.5, mask)
    assert_close(out, np.array([0.0, 0, 0, 1, 1, 1, 0, 0]), "the mask")


@given(
    x=distinct(shapes()),
    amount=st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]),
    earlier=st.sampled_from([None, 0.5]),
)
@example(np.zeros((0, 3), np.float32), 0.5, None)
@example(np.array([[3, 1], [2, 0]], np.float32).T, 0.5, None)
def test_a_mask_entry_by_entry(x, amount, earlier):
    """For any shape: as many zeros as the amount says, and no weight that goes is larger than one that stays."""
    x = x + np.float32(0.0625)  # so that no two have the same absolute value
    before = np.ones_like(x)
    if earlier:
        before[np.abs(x) > np.median(np.abs(x)) if x.size else x > 0] = 0
    with unchanged(x):
        mask = magnitude_mask(Tensor(x), amount, Tensor(before) if earlier else None)
    assert_close(mask, np.where(mask.data == 0, 0, 1).astype(x.dtype).reshape(x.shape), "the mask")
    left = before != 0
    assert not (mask.data[~left] != 0).any(), "a weight that an earlier mask has removed is back"
    size = int(left.sum())
    assert_equal(int((mask.data[left] == 0).sum()), round(amount * size), f"how many of {size} weights go")
    goes, stays = np.abs(x)[left & (mask.data == 0)], np.abs(x)[mask.data != 0]
    if goes.size and stays.size:
        assert goes.max() < stays.min(), f"a weight of {goes.max()} goes and one of {stays.min()} stays"


def test_a_mask_is_not_learned():
    """The mask of a Parameter is a plain Tensor, which does not require grad."""
    mask = magnitude_mask(Parameter(np.array([1.0, 2.0])), 0.5)
    assert mask.requires_grad is False, "the mask requires grad: take the weight's .detach()"


def test_a_masked_weight_is_three_things():
    """weight_orig is the very Parameter that `weight` was, weight_mask a Buffer, and weight their product."""
    layer = linear([[1, 2], [3, 4]])
    before = layer.weight
    out = custom_from_mask(layer, "weight", Tensor(np.array([[1, 0], [0, 1]], np.float32)))
    assert out is layer, "custom_from_mask returns the module"
    assert layer.weight_orig is before, "weight_orig is another object: the optimizer would not know it"
    assert_close(layer.weight_orig, np.array([[1, 2], [3, 4]], np.float32), "weight_orig")
    assert isinstance(layer.weight_mask, Buffer), "weight_mask is not a Buffer"
    assert_close(layer.weight_mask, np.array([[1, 0], [0, 1]], np.float32), "weight_mask")
    assert_close(layer.weight, np.array([[1, 0], [0, 4]], np.float32), "weight")
    names = sorted(name for name, _ in layer.named_parameters())
    assert_equal(names, ["bias", "weight_orig"], "the names of the parameters")


def test_the_given_mask_is_not_the_module_s():
    """The module has a mask of its own: a mask that is changed later, or given to two modules, changes nothing."""
    mask = Tensor(np.array([[1, 0]], np.float32))
    one, two = linear([[1, 2]]), linear([[3, 4]])
    for layer in (one, two):
        custom_from_mask(layer, "weight", mask)
    custom_from_mask(two, "weight", Tensor(np.array([[0, 1]], np.float32)))
    assert_close(mask, np.array([[1, 0]], np.float32), "the mask that was given")
    assert_close(one.weight_mask, np.array([[1, 0]], np.float32), "the mask of the first module")


def test_two_masks_hold_both():
    """A second mask is multiplied to the first: what is gone does not come back."""
    layer = linear([[1, 2, 3]])
    for mask in ([[0, 1, 1]], [[1, 1, 0]]):
        custom_from_mask(layer, "weight", Tensor(np.array(mask, np.float32)))
    assert_close(layer.weight_mask, np.array([[0, 1, 0]], np.float32), "the mask")
    assert_close(layer.weight, np.array([[0, 2, 0]], np.float32), "the weight")


def test_a_mask_of_another_shape_is_refused():
    """A mask (2,) for a weight (2, 2) is a ValueError with both shapes, although it would broadcast."""
    layer = linear([[1, 2], [3, 4]])
    with raises(ValueError, (2,), (2, 2)):
        custom_from_mask(layer, "weight", ones(2))
    assert_equal([name for name, _ in layer.named_parameters()], ["weight", "bias"], "the parameters")


@pytest.mark.parametrize("name", ["weigth", "bias", "in_features"])
def test_what_is_no_parameter_cannot_be_pruned(name):
    """A name that is misspelt, a bias of None, or a number: a KeyError with the name."""
    with raises(KeyError, name):
        l1_unstructured(Linear(3, 2, bias=False), name, 0.5)


def test_a_layer_is_pruned():
    """l1_unstructured(layer, "weight", 0.5) masks the two smallest of four weights, and returns the layer."""
    layer = linear([[1, -4], [-2, 3]])
    assert l1_unstructured(layer, "weight", 0.5) is layer, "l1_unstructured returns the module"
    assert_close(layer.weight_mask, np.array([[0, 1], [0, 1]], np.float32), "the mask")
    assert_close(layer.weight, np.array([[0, -4], [0, 3]], np.float32), "the weight")


def test_a_layer_is_pruned_again():
    """A second half is a half of what is left: of eight weights two stay, whatever happened to the others."""
    layer = linear([[1, 2, 3, 4], [5, 6, 7, 8]])
    l1_unstructured(layer, "weight", 0.5)
    layer.weight_orig.data[0] = 100  # what is masked may have moved
    l1_unstructured(layer, "weight", 0.5)
    assert_close(layer.weight_mask, np.array([[0, 0, 0, 0], [0, 0, 1, 1]], np.float32), "the mask")


def test_layers_are_pruned_together():
    """Of a layer of small weights and one of large ones, half of all go: three of the first and none of the second."""
    small, large = linear([[0.1, 0.2], [0.3, 0.9]]), linear([[1.0, -2.0]])
    global_unstructured([(small, "weight"), (large, "weight")], amount=0.5)
    assert_close(small.weight_mask, np.array([[0, 0], [0, 1]], np.float32), "the mask of the small weights")
    assert_close(large.weight_mask, np.array([[1, 1]], np.float32), "the mask of the large weights")


def test_layers_are_pruned_together_again():
    """Earlier masks count: the smallest two of the weights that are left in both layers go, 0.2 and 0.3 after 0.1."""
    small, large = linear([[0.1, 0.2, 0.3]]), linear([[1.0, 2.0, 3.0]])
    l1_unstructured(small, "weight", 1)
    global_unstructured(iter([(small, "weight"), (large, "weight")]), amount=2)
    assert_close(small.weight_mask, np.array([[0, 0, 0]], np.float32), "the mask of the small weights")
    assert_close(large.weight_mask, np.array([[1, 1, 1]], np.float32), "the mask of the large weights")


def test_a_refused_amount_changes_nothing():
    """After a ValueError for an amount of 1.5 no layer has a mask."""
    one, two = linear([[1, 2]]), linear([[3, 4]])
    for refused in (
        lambda: global_unstructured([(one, "weight"), (two, "weight")], 1.5),
        lambda: l1_unstructured(one, "weight", 1.5),
    ):
        with raises(ValueError, 1.5):
            refused()
    for layer in (one, two):
        assert_equal([name for name, _ in layer.named_parameters()], ["weight", "bias"], "the parameters")


def test_the_share_of_zeros():
    """sparsity counts the zeros of all parameters together: 5 of 10, a weight that is 0 by itself among them."""
    one, two = linear([[1, 2, 0], [4, 5, 6]]), linear([[5, 6], [7, 8]])
    l1_unstructured(two, "weight", 1.0)
    assert_close(sparsity([(one, "weight"), (two, "weight")]), 5 / 10, "the sparsity")


def test_the_share_of_zeros_is_that_of_now():
    """After load_state_dict, sparsity is that of the masks and weights that were loaded, before any forward pass."""
    one, other = (l1_unstructured(linear([[1, 2, 3, 4]]), "weight", amount) for amount in (1, 3))
    other.load_state_dict(one.state_dict())
    assert_close(sparsity([(other, "weight")]), 0.25, "the sparsity of the layer that was loaded")


def test_the_share_of_nothing():
    """The sparsity of no parameters, or of parameters without entries, is 0.0."""

    class Empty(Module):
        def __init__(self):
            self.weight = Parameter(np.zeros((0, 3)))

    assert_equal(sparsity([]), 0.0, "the sparsity of no parameters")
    assert_equal(sparsity([(Empty(), "weight")]), 0.0, "the sparsity of a parameter without entries")
