"""Modules to build with."""

import math

import numpy as np
import pytest
from hypothesis import given

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.strategies import arrays
from tinytorch import activations
from tinytorch.layers import (
    GELU,
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Module,
    ModuleList,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    dropout,
)
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, ones, tanh, zeros


def test_linear_has_a_weight_and_a_bias():
    """Linear(3, 2) has a weight of shape (2, 3) and a bias of shape (2,), both float32 parameters."""
    layer = Linear(3, 2)
    assert_equal({name: p.shape for name, p in layer.named_parameters()}, {"weight": (2, 3), "bias": (2,)})
    assert_equal({str(p.dtype) for p in layer.parameters()}, {"float32"})


def test_linear_can_go_without_a_bias():
    """Linear(3, 2, bias=False) has bias None and one parameter."""
    layer = Linear(3, 2, bias=False)
    assert layer.bias is None
    assert_equal([name for name, _ in layer.named_parameters()], ["weight"])
    assert_equal(repr(layer), "Linear(in_features=3, out_features=2, bias=False)")


def test_linear_starts_small():
    """Weight and bias are drawn evenly from -1 / sqrt(in) to 1 / sqrt(in), again by reset_parameters(); 0 for no in."""
    manual_seed(0)
    layer = Linear(100, 400)
    for values in (layer.weight.data, layer.bias.data):
        assert np.abs(values).max() <= 0.1
        assert_close(float(values.mean()), 0.0, "the mean of the draws", atol=0.012)
        assert_close(float(values.std()), 0.1 / math.sqrt(3), "the deviation of the draws", rtol=0.08)
    weight, before = layer.weight, layer.weight.data.copy()
    layer.reset_parameters()
    assert layer.weight is weight, "the weight is another object: an optimizer would lose it"
    assert not np.array_equal(before, layer.weight.data), "reset_parameters() drew the same numbers"
    assert_close(Linear(0, 3).bias, np.zeros(3, np.float32), "the bias of Linear(0, 3)")


@given(x=arrays((2, 3)))
def test_linear_computes(x):
    """Linear(3, 2)(x) is x @ weight.T + bias."""
    layer = Linear(3, 2)
    expected = [
        [
            layer.bias.data[o] + sum(float(x[n, i]) * layer.weight.data[o, i] for i in range(3))
            for o in range(2)
        ]
        for n in range(2)
    ]
    assert_close(layer(Tensor(x)), np.array(expected, np.float32), "Linear(3, 2)(x)", atol=1e-6)
    layer.bias = None
    assert_close(layer(Tensor(np.zeros((1, 3), np.float32))), np.zeros((1, 2), np.float32), "without a bias")


def test_module_list_finds_its_modules():
    """ModuleList([a, b]) names its modules "0", "1", ..., as in "0.weight"; append adds one and returns the list."""
    modules = ModuleList([Linear(1, 2), Linear(2, 3)])
    assert modules.append(Linear(3, 4)) is modules
    names = [name for name, _ in modules.named_parameters()]
    assert_equal(names, ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"])


def test_module_list_is_a_list():
    """len, [i], also with a negative i, and iteration work as on a list; an IndexError names the place."""
    parts = [Identity(), ReLU(), Identity()]
    modules = ModuleList(parts)
    assert_equal(len(modules), 3)
    assert modules[1] is parts[1]
    assert modules[-1] is parts[2] and modules[-3] is parts[0]
    assert list(modules) == parts
    for place in (3, -4):
        with raises(IndexError, place):
            modules[place]


def test_module_list_takes_modules_only_into_account():
    """After eval() a list of two still has two modules: `training` is an attribute, but not a module."""
    modules = ModuleList([Identity(), Identity()]).eval()
    assert_equal(len(modules), 2)
    assert_equal(len(list(modules.append(Identity()))), 3)


def test_module_list_takes_modules_only():
    """append(3) is a TypeError that says what was given."""
    with raises(TypeError, "int"):
        ModuleList().append(3)


def test_identity_changes_nothing():
    """Identity()(x) is x itself."""
    x = ones(2)
    assert Identity()(x) is x


def test_sequential_chains_its_modules():
    """Sequential(a, b)(x) is b(a(x)); without modules it gives x back."""

    class Step(Module):
        def __init__(self, word):
            self.word = word

        def forward(self, x):
            return [*x, self.word]

    assert_equal(Sequential(Step("a"), Step("b"), Step("c"))(["x"]), ["x", "a", "b", "c"])
    assert_equal(Sequential()(["x"]), ["x"])


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (ReLU, activations.relu),
        (lambda: LeakyReLU(0.5), lambda x: activations.leaky_relu(x, 0.5)),
        (Sigmoid, activations.sigmoid),
        (Tanh, tanh),
        (lambda: GELU("tanh"), lambda x: activations.gelu(x, "tanh")),
        (SiLU, activations.silu),
        (lambda: Softplus(2.0), lambda x: activations.softplus(x, 2.0)),
        (lambda: Softmax(1), lambda x: activations.softmax(x, 1)),
        (lambda: LogSoftmax(1), lambda x: activations.log_softmax(x, 1)),
    ],
    ids=["ReLU", "LeakyReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "Softplus", "Softmax", "LogSoftmax"],
)
def test_activations_are_modules_too(module, function):
    """The activation modules, which are given, work in your Sequential."""
    x = Tensor(np.array([[-1.0, 0.5, 2.0]]))
    assert_close(Sequential(module())(x), function(x).data)


def test_dropout_zeroes_a_share_of_the_entries():
    """dropout(x, 0.25) makes a quarter of the entries 0, at random places, and multiplies the others by 4 / 3."""
    manual_seed(0)
    out = dropout(ones(200, 100), 0.25).data
    dropped = out == 0
    assert_close(float(dropped.mean()), 0.25, "the share that became 0", atol=0.02)
    assert_close(out[~dropped], np.full((~dropped).sum(), 4 / 3, np.float32), "the entries that stayed")
    assert_close(dropped.mean(axis=0), np.full(100, 0.25), "the share in each column", atol=0.15)


def test_dropout_does_nothing_in_use():
    """dropout(x, p, training=False) is x itself."""
    x = ones(3)
    assert dropout(x, 0.5, training=False) is x


@pytest.mark.parametrize(("p", "value"), [(0.0, 2.0), (1.0, 0.0)])
def test_dropout_of_nothing_and_of_everything(p, value):
    """With p = 0 everything stays as it is, with p = 1 everything is 0."""
    assert_close(dropout(ones(4) * 2, p), np.full(4, value, np.float32))
    assert_close(Dropout(p)(ones(4) * 2), np.full(4, value, np.float32), "what Dropout(p) gives")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dropout_keeps_the_dtype(dtype):
    """The result has the dtype of x: neither the draws nor the factor may widen float16."""
    manual_seed(0)
    assert_close(dropout(Tensor(np.full(50, 3, dtype)), 0.5).amax(), np.array(6, dtype), "what stays of 3")


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_dropout_needs_a_probability(p):
    """p below 0 or above 1 is a ValueError that says what was given, in the function and in the module."""
    with raises(ValueError, p):
        dropout(ones(2), p)
    with raises(ValueError, p):
        Dropout(p)


def test_dropout_module_does_nothing_in_use():
    """In eval mode Dropout(p) gives what it gets."""
    x = ones(3)
    assert_close(Dropout(0.5).eval()(x), np.ones(3, np.float32), "in eval mode")


def test_dropout_module_obeys_the_mode():
    """Dropout(p) drops while training and does nothing in eval mode; every call draws again."""
    manual_seed(0)
    module, x = Dropout(0.5), ones(100)
    first, second = module(x).data, module(x).data
    assert 20 < (first == 0).sum() < 80
    assert not np.array_equal(first, second), "two calls dropped the same entries"
    assert_close(module.eval()(x), np.ones(100, np.float32), "in eval mode")


def test_flatten_merges_all_but_the_batch():
    """Flatten()(x) of shape (2, 3, 4) has shape (2, 12), the same entries in the same order."""
    x = np.arange(24.0).reshape(2, 3, 4)
    assert_close(Flatten()(Tensor(x)), np.array([list(range(12)), list(range(12, 24))], np.float64))


@pytest.mark.parametrize(
    ("start", "end", "shape"),
    [(0, -1, (24,)), (0, 1, (6, 4)), (0, -2, (6, 4)), (1, 1, (2, 3, 4)), (-2, -1, (2, 12))],
)
def test_flatten_merges_a_range_of_axes(start, end, shape):
    """Flatten(start_dim, end_dim) merges the axes from start_dim to end_dim, both included."""
    assert_equal(Flatten(start, end)(zeros(2, 3, 4)).shape, shape)


def test_flatten_of_an_empty_batch():
    """Flatten()(x) of shape (0, 3, 4) has shape (0, 12)."""
    assert_equal(Flatten()(zeros(0, 3, 4)).shape, (0, 12))
