"""LayerNorm and RMSNorm: the same with parameters."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal
from tinytorch.tensor import Tensor
from tinytorch.transformers import LayerNorm, RMSNorm

X = np.arange(12, dtype=np.float32).reshape(2, 2, 3) ** 2


def names(module):
    return [name for name, _ in module.named_parameters()]


def test_layer_norm_begins_with_ones_and_zeros():
    """LayerNorm(3) has a weight of ones and a bias of zeros, both of shape (3,), float32, and learns them."""
    norm = LayerNorm(3)
    assert_equal(names(norm), ["weight", "bias"], "the parameters")
    assert_close(norm.weight, np.ones(3, np.float32), "the weight")
    assert_close(norm.bias, np.zeros(3, np.float32), "the bias")


@pytest.mark.parametrize("shape", [(2, 3), [2, 3]], ids=["tuple", "list"])
def test_a_norm_over_several_axes(shape):
    """LayerNorm((2, 3)) and RMSNorm((2, 3)) have weights of shape (2, 3); normalized_shape is a tuple, (3,) for 3."""
    for kind in (LayerNorm, RMSNorm):
        norm = kind(shape)
        assert_equal(norm.weight.shape, (2, 3), f"the shape of the weight of {kind.__name__}")
        assert_equal(norm.normalized_shape, (2, 3), f"normalized_shape of {kind.__name__}")
        assert_equal(kind(3).normalized_shape, (3,), f"normalized_shape of {kind.__name__}(3)")


def test_parameters_may_be_left_out():
    """Without `bias` a LayerNorm has a weight only; without `elementwise_affine` neither norm has parameters."""
    assert_equal(names(LayerNorm(3, bias=False)), ["weight"], "the parameters with bias=False")
    assert_equal(LayerNorm(3, bias=False).bias, None, "the bias with bias=False")
    assert_equal(names(LayerNorm(3, elementwise_affine=False)), [], "the parameters of a plain LayerNorm")
    assert_equal(names(RMSNorm(3, elementwise_affine=False)), [], "the parameters of a plain RMSNorm")
    assert_equal(names(RMSNorm(3)), ["weight"], "the parameters of an RMSNorm")


def test_layer_norm_uses_all_that_it_has():
    """LayerNorm(shape, eps)(x) normalizes the last axes with its eps, its weight and its bias."""
    norm = LayerNorm(3, eps=2.0)
    norm.weight.data[...], norm.bias.data[...] = [1, 2, 3], [10, 20, 30]
    deviation = X - X.mean(-1, keepdims=True)
    expected = deviation / np.sqrt((deviation**2).mean(-1, keepdims=True) + 2) * [1, 2, 3] + [10, 20, 30]
    assert_close(norm(Tensor(X)), expected.astype(np.float32))
    plain = LayerNorm((2, 3), elementwise_affine=False)(Tensor(X))
    assert_close(plain.data.mean((1, 2)), np.zeros(2, np.float32), "the means of a plain one", atol=1e-6)


def test_rms_norm_uses_all_that_it_has():
    """RMSNorm(shape, eps)(x) normalizes the last axes with its eps and its weight."""
    norm = RMSNorm(3, eps=2.0)
    norm.weight.data[...] = [1, 2, 3]
    expected = X / np.sqrt((X**2).mean(-1, keepdims=True) + 2) * [1, 2, 3]
    assert_close(norm(Tensor(X)), expected.astype(np.float32))
    assert_equal(RMSNorm(3).eps, None, "eps, where it is left out")
