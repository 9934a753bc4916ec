"""The same as modules, with weights to learn and statistics to remember."""

import math

import numpy as np
from hypothesis import given

from dojo.spec import ShapeError, assert_close, assert_equal, raises, unchanged
from dojo.spec.strategies import arrays
from tinytorch.setup import manual_seed
from tinytorch.spatial import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    MaxPool2d,
    adaptive_avg_pool2d,
    avg_pool2d,
    conv2d,
    max_pool2d,
)
from tinytorch.tensor import Tensor


def shapes(layer):
    return {name: p.shape for name, p in layer.named_parameters()}


def buffers(layer):
    return {name: b.data.copy() for name, b in layer.named_buffers()}


def test_conv2d_layer_has_kernels_and_a_bias():
    """Conv2d(3, 8, (2, 5)) has a weight (8, 3, 2, 5) and a bias (8,), both float32 parameters, drawn at random."""
    layer = Conv2d(3, 8, (2, 5))
    assert_equal(shapes(layer), {"weight": (8, 3, 2, 5), "bias": (8,)})
    assert_equal({str(p.dtype) for p in layer.parameters()}, {"float32"})
    assert all(p.data.any() for p in layer.parameters()), "weight and bias are drawn at random, not zeros"


def test_conv2d_layer_can_go_without_a_bias():
    """Conv2d(3, 8, 2, bias=False) has bias None and one parameter."""
    layer = Conv2d(3, 8, 2, bias=False)
    assert_equal(layer.bias, None)
    assert_equal(shapes(layer), {"weight": (8, 3, 2, 2)})


def test_kernels_of_groups_are_thin():
    """Conv2d(4, 6, 3, groups=2) has a weight (6, 2, 3, 3): each kernel sees the channels of its group."""
    assert_equal(shapes(Conv2d(4, 6, 3, groups=2)), {"weight": (6, 2, 3, 3), "bias": (6,)})


def test_kernels_may_see_no_channels():
    """Conv2d(0, 2, 3) has no weights to draw, and a bias of zeros: every pixel of its output is 0."""
    layer = Conv2d(0, 2, 3)
    assert_equal(shapes(layer), {"weight": (2, 0, 3, 3), "bias": (2,)})
    out = layer(Tensor(np.zeros((1, 0, 4, 5), np.float32)))
    assert_close(out, np.zeros((1, 2, 2, 3), np.float32))


def test_kernels_start_small():
    """Weight and bias are drawn uniformly from -1 / sqrt(fan_in) to 1 / sqrt(fan_in).

    fan_in is in_channels / groups * kh * kw. reset_parameters() draws them again.
    """
    manual_seed(0)
    layer = Conv2d(32, 400, (2, 5), groups=4)  # fan_in is 8 * 2 * 5
    bound = 1 / math.sqrt(80)
    for values in (layer.weight.data, layer.bias.data):
        assert np.abs(values).max() <= bound, (
            f"a draw of {np.abs(values).max():.3g}, the bound is {bound:.3g}"
        )
        assert_close(float(values.mean()), 0.0, "the mean of the draws", atol=0.015)
        assert_close(float(values.std()), bound / math.sqrt(3), "the deviation of the draws", rtol=0.08)
    weight, before = layer.weight, layer.weight.data.copy()
    layer.reset_parameters()
    assert layer.weight is weight, "the weight is another object: an optimizer would lose it"
    assert not np.array_equal(before, layer.weight.data), "reset_parameters() drew the same numbers"


def test_kernels_follow_the_seed():
    """After the same manual_seed a layer draws the same weight and bias, and after another seed other ones."""

    def drawn(seed):
        manual_seed(seed)
        layer = Conv2d(2, 3, 2)
        return layer.weight.data, layer.bias.data

    for name, first, again, other in zip(("weight", "bias"), drawn(1), drawn(1), drawn(2), strict=True):
        assert_close(again, first, f"the {name} after the same seed")
        assert not np.array_equal(other, first), f"after another seed the {name} is the same"


@given(x=arrays((2, 4, 6, 7)))
def test_conv2d_layer_computes(x):
    """Conv2d(...)(x) is conv2d of x with its weight, bias, stride, padding, dilation and groups."""
    for options in ({}, {"stride": (2, 1)}, {"padding": (0, 1)}, {"dilation": (1, 2)}, {"padding": "same"}):
        layer = Conv2d(4, 2, (2, 3), groups=2, **options)
        expected = conv2d(Tensor(x), layer.weight, layer.bias, groups=2, **options)
        assert_close(layer(Tensor(x)), expected.data, f"the layer with {options}")


def test_a_layer_tells_what_it_is():
    """Every argument is an attribute (sizes as pairs, a word for padding as it is); it prints as PyTorch's."""
    layer = Conv2d(3, 8, 5, stride=2, padding=1, bias=False)
    for name, expected in {
        "in_channels": 3,
        "out_channels": 8,
        "kernel_size": (5, 5),
        "stride": (2, 2),
        "padding": (1, 1),
        "dilation": (1, 1),
        "groups": 1,
        "padding_mode": "zeros",
    }.items():
        assert hasattr(layer, name), f"the layer has no attribute {name}"
        assert_equal(getattr(layer, name), expected, name)
    assert_equal(
        repr(layer),
        "Conv2d(3, 8, kernel_size=(5, 5), stride=(2, 2), padding=(1, 1), bias=False)",
        "repr(layer)",
    )
    layer = Conv2d(4, 8, (2, 3), padding="same", dilation=2, groups=4)
    assert_equal(
        repr(layer),
        "Conv2d(4, 8, kernel_size=(2, 3), stride=(1, 1), padding=same, dilation=(2, 2), groups=4)",
        "repr(layer)",
    )


def test_a_conv2d_layer_refuses_what_cannot_be():
    """groups must divide both numbers of channels (else a ValueError with all three); padding_mode must be "zeros"."""
    for into, out, groups in ((5, 6, 3), (6, 5, 3), (4, 4, 0)):
        with raises(ValueError, into, out, groups):
            Conv2d(into, out, 2, groups=groups)
    with raises(ValueError, "reflect"):
        Conv2d(1, 1, 2, padding_mode="reflect")


@given(x=arrays((1, 2, 5, 6)))
def test_pools_are_modules_too(x):
    """MaxPool2d, AvgPool2d and AdaptiveAvgPool2d are max_pool2d, avg_pool2d and adaptive_avg_pool2d."""
    t = Tensor(x)
    assert_close(MaxPool2d((2, 3))(t), max_pool2d(t, (2, 3)).data, "MaxPool2d((2, 3))(x)")
    assert_close(MaxPool2d(3, 1, 1)(t), max_pool2d(t, 3, 1, 1).data, "MaxPool2d(3, 1, 1)(x)")
    expected = avg_pool2d(t, 2, 1, 1, count_include_pad=False).data
    assert_close(AvgPool2d(2, 1, 1, count_include_pad=False)(t), expected, "AvgPool2d(2, 1, 1, ...)(x)")
    assert_close(
        AdaptiveAvgPool2d((2, 1))(t), adaptive_avg_pool2d(t, (2, 1)).data, "AdaptiveAvgPool2d((2, 1))(x)"
    )


def test_batch_norm_layer_begins_with_no_opinion():
    """BatchNorm2d(3) starts with weight 1, bias 0, running_mean 0, running_var 1, num_batches_tracked 0.

    Its eps is 1e-5 and its momentum 0.1. Every argument but bias is an attribute.
    """
    layer = BatchNorm2d(3)
    for name, expected in {
        "num_features": 3,
        "eps": 1e-5,
        "momentum": 0.1,
        "affine": True,
        "track_running_stats": True,
    }.items():
        assert_equal(getattr(layer, name), expected, name)
    zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    expected = {
        "weight": ones,
        "bias": zeros,
        "running_mean": zeros,
        "running_var": ones,
        "num_batches_tracked": np.array(0, np.int64),
    }
    state = layer.state_dict()
    assert_equal(sorted(state), sorted(expected), "the list of names in state_dict()")
    assert_equal(sorted(shapes(layer)), ["bias", "weight"], "the list of names of the parameters")
    for name, value in expected.items():
        assert_close(state[name], value, name)


@given(x=arrays((3, 2, 2, 3)), y=arrays((2, 2, 3, 1)))
def test_batch_norm_layer_learns_and_then_remembers(x, y):
    """In training it normalises by the batch and updates its statistics; in eval mode it uses them, unchanged."""
    layer = BatchNorm2d(2, eps=0.5, momentum=0.25)
    layer.weight.data[:], layer.bias.data[:] = [2.0, 3.0], [-1.0, 1.0]
    rows = np.moveaxis(x.astype(np.float64), 1, 0).reshape(2, -1)
    means, variances = rows.mean(1), rows.var(1)
    places = (1, 2, 1, 1)

    def expected(pictures, mean, var):
        out = (pictures - mean.reshape(places)) / np.sqrt(var.reshape(places) + 0.5)
        return (out * np.reshape([2.0, 3.0], places) + np.reshape([-1.0, 1.0], places)).astype(np.float32)

    assert_close(layer(Tensor(x)), expected(x, means, variances), "in training", atol=1e-5)
    mean, var = 0.25 * means, 0.75 + 0.25 * rows.var(1, ddof=1)
    assert_close(layer.running_mean, mean.astype(np.float32), "running_mean", atol=1e-5)
    assert_close(layer.running_var, var.astype(np.float32), "running_var", atol=1e-5)
    assert_close(layer.num_batches_tracked, np.array(1), "num_batches_tracked")
    layer.eval()
    with unchanged(*layer.buffers()):
        assert_close(layer(Tensor(y)), expected(y, mean, var), "in eval mode", atol=1e-5)


def test_without_momentum_all_batches_count_alike():
    """With momentum=None the running mean is the mean of all batches: after batches of mean 2, 4 and 9 it is 5."""
    layer = BatchNorm2d(1, momentum=None)
    for mean in (2.0, 4.0, 9.0):
        layer(Tensor(np.array([mean - 1, mean + 1], np.float32).reshape(2, 1, 1, 1)))
    assert_close(layer.running_mean, np.array([5], np.float32), "running_mean")
    assert_close(layer.running_var, np.array([2], np.float32), "running_var")
    assert_close(layer.num_batches_tracked, np.array(3), "num_batches_tracked")


def test_a_fresh_layer_can_be_looked_at():
    """A new BatchNorm2d(1, eps=0.0) in eval mode leaves pixels as they are, also with momentum=None."""
    x = np.array([[[[5.0, -2.0]]]], np.float32)
    for momentum in (0.1, None):
        layer = BatchNorm2d(1, eps=0.0, momentum=momentum).eval()
        assert_close(layer(Tensor(x)), x, f"in eval mode with momentum={momentum}")


def test_a_momentum_of_zero_is_a_number():
    """With momentum=0.0 the running statistics stay 0 and 1, whatever the batches: 0.0 is not None."""
    layer = BatchNorm2d(1, momentum=0.0)
    for _ in range(2):
        layer(Tensor(np.array([4.0, 8.0], np.float32).reshape(2, 1, 1, 1)))
    assert_close(layer.running_mean, np.array([0], np.float32), "running_mean")
    assert_close(layer.running_var, np.array([1], np.float32), "running_var")


def test_the_count_stays_a_buffer():
    """After two batches state_dict() still has its five names, and num_batches_tracked is an int64 2 in it."""
    layer = BatchNorm2d(2)
    before = sorted(layer.state_dict())
    for _ in range(2):
        layer(Tensor(np.arange(4, dtype=np.float32).reshape(1, 2, 1, 2)))
    state = layer.state_dict()
    assert_equal(sorted(state), before, "the list of names in state_dict() after training")
    assert_close(state["num_batches_tracked"], np.array(2, np.int64), "num_batches_tracked")


def test_batch_norm_layer_without_parameters():
    """With affine=False weight and bias are None; with bias=False only the bias is."""
    plain, unmoved = BatchNorm2d(2, affine=False), BatchNorm2d(2, bias=False)
    assert_equal(shapes(plain), {}, "the dict of parameters with affine=False")
    assert_equal((plain.weight, plain.bias), (None, None), "weight and bias with affine=False")
    assert_equal(shapes(unmoved), {"weight": (2,)}, "the dict of parameters with bias=False")
    x = np.array([[[[1.0]], [[0.0]]], [[[3.0]], [[4.0]]]], np.float32)
    ones = np.array([[[[-1.0]], [[-1.0]]], [[[1.0]], [[1.0]]]], np.float32)
    for layer in (plain, unmoved):
        assert_close(layer(Tensor(x)), ones, "the normalised batch", atol=1e-4)


def test_batch_norm_layer_without_memory():
    """With track_running_stats=False there are no buffers, and eval mode uses the batch's own statistics."""
    x = np.array([10.0, 30.0], np.float32).reshape(2, 1, 1, 1)
    for mode, momentum in ((True, 0.1), (False, 0.1), (True, None), (False, None)):
        layer = BatchNorm2d(1, momentum=momentum, track_running_stats=False)
        assert_equal(buffers(layer), {}, "the dict of buffers")
        out = layer.train(mode)(Tensor(x))
        assert_close(
            out, np.array([-1.0, 1.0], np.float32).reshape(2, 1, 1, 1), f"training={mode}", atol=1e-4
        )


def test_batch_norm_layer_that_stops_to_track():
    """With track_running_stats set to False later, training leaves the three buffers alone, and eval mode uses them."""
    layer = BatchNorm2d(2)
    layer.track_running_stats = False
    x = Tensor(np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2))
    with unchanged(layer.running_mean, layer.running_var, layer.num_batches_tracked):
        layer(x)
    assert_close(layer.eval()(x), x.data / np.sqrt(np.float32(1 + 1e-5)), "the output in eval mode")


def test_a_refused_batch_is_not_remembered():
    """x without 4 axes, or one value a channel in training, is a ValueError with its shape, and is not counted."""
    layer = BatchNorm2d(2)
    before = buffers(layer)
    for shape in ((2, 3, 3), (2, 2)):
        with raises(ShapeError, shape):
            layer(Tensor(np.ones(shape, np.float32)))
    with raises(ValueError, (1, 2, 1, 1)):
        layer(Tensor(np.ones((1, 2, 1, 1), np.float32)))
    for name, value in buffers(layer).items():
        assert_close(value, before[name], f"{name} after refused batches")
