"""Inputs on a grid too: observers, batch norm folded away, products of whole numbers.

You may leave this file for later: `make kata N=17 K="not calibration"` runs the others.
"""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from dojo.spec.strategies import arrays
from tinytorch.layers import Linear, Module, ReLU, Sequential
from tinytorch.precision import (
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    QuantizedLinear,
    StaticQuantizedLinear,
    convert,
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    load_model,
    prepare,
    save_model,
)
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor


def numbers(*values):
    return Tensor(np.array(values, np.float32))


# Observers


def test_an_observer_remembers_the_ends():
    """A MinMaxObserver gives x back. Its state, min_val and max_val, are the ends of all that it has seen."""
    observer = MinMaxObserver()
    x = numbers(0.5, 2)
    assert observer(x) is x, "it does not give x itself back"
    observer(numbers(-1, 0))
    observer(Tensor(np.zeros((0, 3), np.float32)))
    assert_close(observer.min_val, np.float32(-1), "min_val")
    assert_close(observer.max_val, np.float32(2), "max_val")
    assert_equal(sorted(observer.state_dict()), ["max_val", "min_val"], "the names of its state")


@given(batches=st.lists(arrays((2, 3)), min_size=1, max_size=4))
@example(batches=[np.ones((2, 3), np.float32)])
def test_an_observer_batch_by_batch(batches):
    """Whatever passes, the ends are the smallest and the largest entry of all batches."""
    observer = MinMaxObserver()
    for each in batches:
        observer(Tensor(each))
    assert_close(observer.min_val, np.min(batches), "min_val")
    assert_close(observer.max_val, np.max(batches), "max_val")


@pytest.mark.parametrize(
    ("options", "scale", "zero"),
    [({}, 0.02, -78), ({"symmetric": True}, 8.2 / 255, 0), ({"quant_min": 0, "quant_max": 255}, 0.02, 50)],
)
def test_the_grid_of_what_was_seen(options, scale, zero):
    """calculate_qparams() gives the grid from min_val to max_val, with the observer's options."""
    observer = MinMaxObserver(**options)
    observer(numbers(-1, 4.1))
    found = observer.calculate_qparams()
    assert_close(found[0], np.float32(scale), "the scale")
    assert_close(found[1], np.int32(zero), "the zero point")


def test_an_observer_that_saw_nothing():
    """calculate_qparams() before anything passed is a RuntimeError that says to run data through the model.

    One number, seen again and again, is data too.
    """
    observer = MinMaxObserver()
    with raises(RuntimeError, "data"):
        observer.calculate_qparams()
    observer(numbers(5.1, 5.1))
    assert_close(observer.calculate_qparams()[0], np.float32(0.02), "the scale of nothing but 5.1")


def test_a_moving_average_of_the_ends():
    """The first batch sets the ends, and each later one moves them by averaging_constant of the way to its own."""
    observer = MovingAverageMinMaxObserver(averaging_constant=0.25)
    observer(numbers(-1, 2))
    assert_close(observer.min_val, np.float32(-1), "min_val after the first batch")
    x = numbers(-5, 4)
    assert observer(x) is x, "it does not give x itself back"
    assert_close(observer.min_val, np.float32(-2), "min_val after the second batch")
    assert_close(observer.max_val, np.float32(2.5), "max_val after the second batch")
    observer(numbers())
    assert_close(observer.max_val, np.float32(2.5), "max_val after a batch of nothing")
    observer = MovingAverageMinMaxObserver(averaging_constant=0.25)
    observer(numbers(2, 2))
    observer(numbers(6, 6))
    assert_close(observer.min_val, np.float32(3), "min_val after batches of nothing but 2 and nothing but 6")


# Batch norm folded away


def pair(seed=0, **options):
    """A convolution and a batch norm in eval mode, as training might have left them."""
    manual_seed(seed)
    rng = np.random.default_rng(seed)
    conv, bn = Conv2d(2, 3, (3, 2), stride=(2, 1), padding=1, **options), BatchNorm2d(3, eps=0.1)
    bn.weight.data[...], bn.bias.data[...] = rng.standard_normal(3), rng.standard_normal(3)
    bn.running_mean.data[...], bn.running_var.data[...] = rng.standard_normal(3), rng.random(3) + 0.1
    return conv.eval(), bn.eval()


def test_the_weights_of_a_fused_convolution():
    """With s = bn_w / sqrt(variance + eps) the weight is conv_w * s and the bias (conv_b - mean) * s + bn_b."""
    conv_w = Tensor(np.array([[[[2.0]]], [[[4.0]]]], np.float32))
    weight, bias = fuse_conv_bn_weights(
        conv_w, numbers(1, 2), numbers(3, 0), numbers(3, 0), 1.0, numbers(2, 3), numbers(5, 6)
    )
    assert_close(weight, np.array([[[[2]]], [[[12]]]], np.float32), "the weight")
    assert_close(bias, np.array([3, 12], np.float32), "the bias")


def test_what_is_missing_does_nothing():
    """Without conv_b and bn_b they count as 0, and without bn_w it counts as 1."""
    weight, bias = fuse_conv_bn_weights(
        Tensor(np.full((2, 1, 1, 1), 4, np.float32)), None, numbers(3, 2), numbers(3, 0), 1.0, None, None
    )
    assert_close(weight.data.ravel(), np.array([2, 4], np.float32), "the weight")
    assert_close(bias, np.array([-1.5, -2], np.float32), "the bias")


@pytest.mark.parametrize("options", [{}, {"bias": False}], ids=["bias", "no bias"])
@given(x=arrays((2, 2, 5, 4)))
def test_one_convolution_does_what_two_modules_did(options, x):
    """fuse_conv_bn_eval(conv, bn) gives what bn(conv(x)) gives, also with stride and padding; both stay as they are."""
    conv, bn = pair(**options)
    before = bn(conv(Tensor(x))).data
    fused = fuse_conv_bn_eval(conv, bn)
    assert isinstance(fused, Conv2d), f"it is a {type(fused).__name__}"
    assert_close(fused(Tensor(x)), before, "the result", rtol=1e-4, atol=1e-5)
    assert_close(bn(conv(Tensor(x))), before, "the result of the two modules afterwards", rtol=0, atol=0)
    assert_equal(len(list(fused.parameters())), 2, "the number of parameters of the fused one")


@pytest.mark.parametrize("which", [0, 1])
def test_only_in_eval_mode(which):
    """A module in training mode is a ValueError that names eval; a batch norm without running statistics is one too."""
    modules = pair()
    modules[which].train()
    with raises(ValueError, "eval"):
        fuse_conv_bn_eval(*modules)
    with raises(ValueError, "running_mean"):
        fuse_conv_bn_eval(pair()[0], BatchNorm2d(3, track_running_stats=False).eval())


# Static calibration


def network():
    manual_seed(0)
    return Sequential(Linear(8, 16), ReLU(), Linear(16, 4, bias=False))


def inputs(n=64, seed=1):
    return Tensor(np.random.default_rng(seed).standard_normal((n, 8)).astype(np.float32))


def test_prepare_puts_an_observer_before_each_linear():
    """prepare(model) computes what the model computes, in a copy whose Linears stand behind a MinMaxObserver."""
    model = network()
    watched = prepare(model)
    x = inputs()
    assert_close(watched(x), model(x).data, "the result")
    kinds = {name: type(each).__name__ for name, each in watched.named_modules() if name}
    expected = {
        "0": "Sequential",
        "0.0": "MinMaxObserver",
        "0.1": "Linear",
        "1": "ReLU",
        "2": "Sequential",
        "2.0": "MinMaxObserver",
        "2.1": "Linear",
    }
    assert_equal(kinds, expected, "the modules")
    assert_close(watched[0][0].max_val, x.data.max(), "the largest entry that the first observer saw")
    assert_close(watched[2][0].min_val, np.float32(0), "the smallest entry that the second observer saw")
    watched[0][1].weight.data[...] = 0
    assert abs(model[0].weight.data).max() > 0, "the copy shares its weights with the model"


class Doubled(Linear):
    def forward(self, x):
        return super().forward(x) * 2


@pytest.mark.parametrize("training", [True, False])
def test_prepare_keeps_the_mode_the_ties_and_subclasses(training):
    """A prepared model is in the mode of the model, its tied weights are tied, and subclasses stay as they are."""
    model = Sequential(Linear(4, 4), Linear(4, 4), Doubled(4, 4)).train(training)
    model[1].weight = model[0].weight
    watched = prepare(model)
    assert_equal({each.training for each in watched.modules()}, {training}, "training of the modules")
    assert watched[0][1].weight is watched[1][1].weight, "the two Linears no longer share their weight"
    assert_equal(type(watched[2]).__name__, "Doubled", "the class of the subclass of Linear")


def test_a_product_of_whole_numbers():
    """A StaticQuantizedLinear puts x on its grid, multiplies whole numbers, and scales the result; then the bias."""
    manual_seed(0)
    linear = Linear(8, 3)
    layer = StaticQuantizedLinear.from_float(linear)
    layer.input_scale.fill_(0.05)
    layer.input_zero_point.fill_(-20)
    x = inputs(5).data
    whole = np.clip(np.rint(x / np.float32(0.05)) - 20, -128, 127).astype(np.int64) + 20
    product = whole @ layer.qweight.data.astype(np.int64).T
    expected = product * 0.05 * layer.scales.data[:, 0] + linear.bias.data
    assert_close(layer(Tensor(x)), expected.astype(np.float32), "the result", rtol=1e-5, atol=1e-5)


def test_convert_uses_what_was_seen():
    """convert(prepared) has a StaticQuantizedLinear for each watched Linear, with its observer's grid.

    It computes nearly what the model computes, and limits inputs to the range that was seen.
    """
    model, x = network(), inputs()
    watched = prepare(model)
    watched(x)
    found = convert(watched)
    assert_equal(
        [type(each).__name__ for each in found],
        ["StaticQuantizedLinear", "ReLU", "StaticQuantizedLinear"],
        "the modules",
    )
    scale, zero_point = watched[0][0].calculate_qparams()
    assert_close(found[0].input_scale, scale.data, "the scale of the first layer's input")
    assert_close(found[0].input_zero_point, zero_point.data, "its zero point")
    assert_close(found[0].qweight, QuantizedLinear.from_float(model[0]).qweight.data, "its weight")
    expected = model(x).data
    error = np.abs(found(x).data - expected).max() / np.abs(expected).max()
    assert error < 0.03, f"the results differ by {error:.1%} of the largest one, expected less than 3 %"
    far = Tensor(x.data * 100)
    assert np.abs(found(far).data).max() < 10 * np.abs(expected).max(), (
        "inputs beyond the range that was seen are not limited"
    )


class Halved(Module):
    """It has the children of a watched Linear, and computes something else."""

    def __init__(self):
        self.observer = MinMaxObserver()
        self.linear = Linear(8, 8)

    def forward(self, x):
        return self.linear(self.observer(x)) / 2


@pytest.mark.parametrize("training", [True, False])
def test_convert_keeps_the_mode_and_other_modules(training):
    """Every module stays in its mode. A watched subclass and other containers, which prepare never makes, stay."""
    model = Sequential(prepare(Linear(8, 8)), Sequential(MinMaxObserver(), Doubled(8, 8)), Halved())
    model.train(training)(inputs())
    found = convert(model)
    kinds = [type(each).__name__ for each in found]
    assert_equal(kinds, ["StaticQuantizedLinear", "Sequential", "Halved"], "the modules")
    assert_equal(type(found[1][1]).__name__, "Doubled", "the class of the watched subclass")
    assert_equal({each.training for each in found.modules()}, {training}, "training of the modules")


@pytest.mark.parametrize("limits", [(0, 255), (-8, 7)])
def test_an_observer_of_other_integers_is_refused(limits):
    """The input's integers are -128 to 127; other limits of an observer are a ValueError with the layer and both."""
    model = Sequential(ReLU(), Sequential(MinMaxObserver(*limits), Linear(8, 3)))
    model(inputs())
    with raises(ValueError, "1", *limits):
        convert(model)


def test_convert_before_any_data():
    """convert of a model that saw no data is a RuntimeError that names the layer."""
    with raises(RuntimeError, "0"):
        convert(prepare(network()))


def test_a_static_model_is_saved_and_loaded(tmp_path):
    """save_model and load_model keep the grids of the inputs too."""
    watched = prepare(network())
    watched(inputs())
    static = convert(watched)
    save_model(static, tmp_path / "static.safetensors")
    found = load_model(network(), tmp_path / "static.safetensors")
    assert_equal(type(found[2]).__name__, "StaticQuantizedLinear", "the class of the last layer")
    assert_close(found(inputs()), static(inputs()).data, "the result", rtol=0, atol=0)
