"""Small for a small machine: batch norms folded away, and weights of one byte."""

import copy

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.autograd import no_grad
from tinytorch.capstone import QuantizedConv2d, fold_batch_norms, quantize_network
from tinytorch.layers import Flatten, Linear, Module, ReLU, Sequential
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.tensor import Tensor


class Residual(Module):
    """x plus what the layers make of it."""

    def __init__(self, *layers):
        super().__init__()
        self.body = Sequential(*layers)

    def forward(self, x):
        return x + self.body(x)


class Doubled(Conv2d):
    """A convolution that does something else."""

    def forward(self, x):
        return super().forward(x) * 2


def network(seed=0):
    """Convolutions with a batch norm behind them, behind a pooling, in a block; all with statistics of some use."""
    manual_seed(seed)
    model = Sequential(
        *(Conv2d(3, 6, 3, padding=1, bias=False), BatchNorm2d(6), ReLU()),
        *(Conv2d(6, 8, 3, padding=1), MaxPool2d(2), BatchNorm2d(8), ReLU()),
        Residual(Conv2d(8, 8, 3, padding=1, bias=False), BatchNorm2d(8), ReLU()),
        *(Flatten(), Linear(8 * 4 * 4, 10)),
    )
    random = np.random.default_rng(seed)
    for each in model.modules():
        if isinstance(each, BatchNorm2d):
            for name in ("running_mean", "bias"):
                getattr(each, name).data[...] = random.standard_normal(each.num_features)
            for name in ("running_var", "weight"):
                getattr(each, name).data[...] = random.uniform(0.5, 2, each.num_features)
    return model.eval()


def pictures(n=4):
    return Tensor(np.random.default_rng(3).standard_normal((n, 3, 8, 8)).astype(np.float32))


def kinds(model):
    return [type(each).__name__ for each in model.modules()]


def answer(model, x=None):
    with no_grad():
        return model(pictures() if x is None else x).data


def error(found, expected):
    """How far off the numbers are, as a share of their own size, in the root of the mean square."""
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


# Fewer layers


def test_folded_says_the_same():
    """The folded network gives what the network gives in eval mode."""
    model = network()
    assert_close(answer(fold_batch_norms(model)), answer(model), "the answer", rtol=1e-4, atol=1e-4)


def test_batch_norms_behind_a_convolution_go():
    """The two behind a convolution are gone, also the one in the block; the one behind the pooling stays."""
    found = kinds(fold_batch_norms(network()))
    assert_equal(found.count("BatchNorm2d"), 1, "how many batch norms are left")
    assert_equal(found.count("Conv2d"), 3, "how many convolutions there are")
    assert_equal(found.count("Identity"), 2, "how many modules stand where a batch norm was, and do nothing")


def test_folding_leaves_the_model_alone():
    """The model itself has its three batch norms and its weights afterwards, and shares no memory with the copy."""
    model = network()
    before = {name: each.data.copy() for name, each in model.state_dict().items()}
    folded = fold_batch_norms(model)
    for each in folded.parameters():
        each.data[...] = 0
    assert_equal(kinds(model).count("BatchNorm2d"), 3, "how many batch norms the model has")
    for name, each in model.state_dict().items():
        assert_close(each, before[name], f"of the model, {name}", rtol=0, atol=0)


def test_only_in_eval_mode():
    """In training mode a batch norm depends on the batch, so folding is a ValueError that says eval."""
    with raises(ValueError, "eval"):
        fold_batch_norms(network().train())


def test_folding_leaves_a_subclass_alone():
    """A subclass of Conv2d may do something else: its batch norm stays."""
    manual_seed(0)
    model = Sequential(Doubled(3, 4, 3), BatchNorm2d(4)).eval()
    model[1].running_mean.data[...] = 3.0
    folded = fold_batch_norms(model)
    assert_equal(kinds(folded), kinds(model), "the layers")
    assert_close(answer(folded), answer(model), "the answer", rtol=1e-5, atol=1e-5)


# One byte for a weight


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": 1},
        {"stride": 2, "padding": (2, 0)},
        {"groups": 2},
        {"dilation": 2, "bias": False},
        {"padding": "same"},
    ],
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()) or "plain",
)
def test_a_quantized_convolution(options):
    """QuantizedConv2d.from_float(conv) gives what conv gives, with all of its options, to 1 %."""
    manual_seed(0)
    conv = Conv2d(4, 6, 3, **options)
    x = Tensor(np.random.default_rng(1).standard_normal((2, 4, 9, 7)).astype(np.float32))
    found, expected = answer(QuantizedConv2d.from_float(conv), x), answer(conv, x)
    assert_equal(found.shape, expected.shape, "the shape of the answer")
    assert error(found, expected) < 0.01, f"the answer is off by {error(found, expected):.2%}"


def test_each_channel_has_its_scale():
    """A channel with small weights beside one with large ones is off by 1 % of its own size at the most."""
    manual_seed(0)
    conv = Conv2d(3, 4, 3, bias=False)
    conv.weight.data[1] *= 1e-3
    found, expected = answer(QuantizedConv2d.from_float(conv)), answer(conv)
    off = error(found[:, 1], expected[:, 1])
    assert off < 0.01, f"the channel with small weights is off by {off:.1%}"


@pytest.mark.parametrize(("bits", "most"), [(8, 0.3), (4, 0.2)])
def test_it_is_small(bits, most):
    """With 8 bits a layer has less than 0.3 of the bytes, with 4 bits less than 0.2, counted over its state."""
    conv = Conv2d(32, 16, 3)
    small = QuantizedConv2d.from_float(conv, bits)
    before, after = (sum(e.data.nbytes for e in m.state_dict().values()) for m in (conv, small))
    assert after < most * before, f"{before} bytes became {after}"


def test_the_convolution_stays_as_it_is():
    """from_float changes nothing in conv, and what happens to conv afterwards changes nothing in the new layer."""
    manual_seed(0)
    conv = Conv2d(3, 4, 3)
    weight, bias = conv.weight.data.copy(), conv.bias.data.copy()
    layer = QuantizedConv2d.from_float(conv)
    before = answer(layer)
    assert_close(conv.weight, weight, "the weight of conv", rtol=0, atol=0)
    assert_close(conv.bias, bias, "the bias of conv", rtol=0, atol=0)
    for each in conv.parameters():
        each.data[...] = 0
    assert_close(answer(layer), before, "the answer after conv was set to 0", rtol=0, atol=0)


def test_its_state_can_be_loaded():
    """A new QuantizedConv2d of the same shape and options that loads the state gives the same answer."""
    manual_seed(0)
    layer = QuantizedConv2d.from_float(Conv2d(3, 4, 3, padding=1))
    fresh = QuantizedConv2d((4, 3, 3, 3), options=(1, 1, 1, 1))
    fresh.load_state_dict(copy.deepcopy(layer.state_dict()))
    assert_close(answer(fresh), answer(layer), "the answer of the new layer", rtol=0, atol=0)


# The whole network


def test_a_quantized_network():
    """quantize_network replaces every convolution and Linear, also in a block; the answer is off by 3 % at most."""
    model = fold_batch_norms(network())
    small = quantize_network(model)
    found = kinds(small)
    assert_equal((found.count("Conv2d"), found.count("Linear")), (0, 0), "convolutions and Linears left")
    assert_equal(found.count("QuantizedConv2d"), 3, "quantized convolutions")
    assert_equal(found.count("QuantizedLinear"), 1, "quantized Linears")
    off = error(answer(small), answer(model))
    assert off < 0.03, f"the answer is off by {off:.1%}"


def test_with_four_bits():
    """bits and group_size are passed on: with 4 bits and groups of 8, every QuantizedRows says so."""
    small = quantize_network(network(), 4, 8)
    said = {(each.bits, each.group_size) for each in small.modules() if hasattr(each, "bits")}
    assert_equal(said, {(4, 8)}, "bits and group_size of all layers")
    assert error(answer(small), answer(network())) < 0.5, "the answer is far off"


def test_quantizing_leaves_the_model_alone():
    """The model keeps its convolutions, and its answer."""
    model = network()
    before = answer(model)
    for each in quantize_network(model).parameters():
        each.data[...] = 0
    assert_equal(kinds(model).count("Conv2d"), 3, "how many convolutions the model has")
    assert_close(answer(model), before, "the answer of the model", rtol=0, atol=0)


def test_quantized_layers_keep_their_mode():
    """A layer in training mode becomes one in training mode, and one in eval mode stays in it."""
    for mode in (True, False):
        modes = {each.training for each in quantize_network(network().train(mode)).modules()}
        assert_equal(modes, {mode}, "the modes of all modules")


def test_quantizing_leaves_a_subclass_alone():
    """A subclass of Conv2d stays what it is."""
    found = kinds(quantize_network(Sequential(Doubled(3, 4, 3), ReLU())))
    assert_equal(found, ["Sequential", "Doubled", "ReLU"], "the modules")
