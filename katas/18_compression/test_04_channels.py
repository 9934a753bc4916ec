"""Channels that are really gone: through the batch norm, the next layer, and what the optimizer remembers."""

import copy

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.compression import (
    channel_scores,
    keep_entries,
    keep_inputs,
    keep_outputs,
    l1_unstructured,
    remove_channels,
)
from tinytorch.layers import Buffer, Flatten, Linear, Module, Parameter, ReLU, Sequential
from tinytorch.optimizers import SGD, Adam
from tinytorch.setup import manual_seed
from tinytorch.spatial import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.tensor import Tensor, tensor
from tinytorch.transformers import LayerNorm

X = np.random.default_rng(0).standard_normal((5, 2, 6, 6)).astype(np.float32)


def test_scores_of_a_linear_layer():
    """The rows [3, 4] and [0, -1] have the scores 5 and 1, and with n=1 they have 7 and 1."""
    layer = Linear(2, 2)
    layer.weight.data[...] = [[3, 4], [0, -1]]
    assert_close(channel_scores(layer), np.array([5, 1], np.float32), "the scores")
    assert_close(channel_scores(layer, n=1), np.array([7, 1], np.float32), "the scores with n=1")


def test_scores_of_a_convolution():
    """A kernel counts with all its entries: the score of an output channel is the norm of its weights (in, kh, kw)."""
    layer = Conv2d(3, 4, (2, 5))
    expected = [np.linalg.norm(layer.weight.data[o].ravel()) for o in range(4)]
    scores = channel_scores(layer)
    assert_close(scores, np.array(expected, np.float32), "the scores")
    assert scores.requires_grad is False, "the scores are recorded"


def test_entries_of_a_parameter_are_kept():
    """keep_entries(p, 1, [2, 0]) leaves the columns 2 and 0, in that order; p stays the same Parameter."""
    p = Parameter(np.arange(6.0).reshape(2, 3))
    keep_entries(p, 1, tensor([2, 0]))
    assert isinstance(p, Parameter) and p.requires_grad, "it is no Parameter any more"
    assert_close(p, np.array([[2.0, 0.0], [5.0, 3.0]]), "the parameter")
    buffer = Buffer(np.arange(3.0))
    keep_entries(buffer, 0, tensor([1]))
    assert_close(buffer, np.array([1.0]), "the buffer")


def test_the_gradient_is_kept_with_its_entries():
    """A gradient that is waiting for a step loses the same entries; None stays None."""
    p, q = Parameter(np.arange(4.0)), Parameter(np.arange(4.0))
    p.grad = Tensor(np.arange(4.0) * 10)
    for each in (p, q):
        keep_entries(each, 0, tensor([1, 3]))
    assert_close(p.grad, np.array([10.0, 30.0]), "the gradient")
    assert q.grad is None, "a gradient has come from nowhere"


def test_the_optimizer_forgets_the_same_entries():
    """Both averages of Adam lose the entries; the number of steps stays, and so does the state of other parameters."""
    p, other = Parameter(np.arange(6.0).reshape(2, 3)), Parameter(np.ones((2, 3)))
    optimizer = Adam([p, other])
    p.grad, other.grad = Tensor(np.arange(6.0).reshape(2, 3)), Tensor(np.ones((2, 3)))
    optimizer.step()
    before = {name: np.copy(value) for name, value in optimizer.state[p].items()}
    keep_entries(p, 1, tensor([0, 2]), optimizer)
    for name in ("exp_avg", "exp_avg_sq"):
        assert_close(optimizer.state[p][name], before[name][:, [0, 2]], f"{name} of the parameter")
    assert_equal(optimizer.state[p]["step"], 1, "the number of steps")
    assert_equal(optimizer.state[other]["exp_avg"].shape, (2, 3), "the shape of exp_avg of another parameter")


def test_an_optimizer_without_a_state():
    """Before its first step an optimizer remembers nothing, and nothing is made up for it."""
    p = Parameter(np.arange(3.0))
    optimizer = Adam([p])
    keep_entries(p, 0, tensor([0]), optimizer)
    p.grad = Tensor(np.ones(1))
    optimizer.step()
    assert_equal(optimizer.state[p]["exp_avg"].shape, (1,), "the shape of exp_avg after a step")


def test_outputs_of_a_linear_layer_are_kept():
    """Weight and bias lose rows, out_features is their number, and the layer gives the outputs that are kept."""
    layer, x = Linear(3, 4), Tensor(X[0, 0, :, :3].copy())
    before = layer(x).data
    keep_outputs(layer, tensor([0, 3]))
    assert_equal(layer.out_features, 2, "out_features")
    assert_close(layer(x), before[:, [0, 3]], "the output")


def test_outputs_of_a_convolution_are_kept():
    """With or without a bias; out_channels is the number of kernels that are left."""
    for bias in (True, False):
        layer = Conv2d(2, 4, 3, bias=bias)
        before = layer(Tensor(X)).data
        keep_outputs(layer, tensor([1, 2, 3]))
        assert_equal(layer.out_channels, 3, "out_channels")
        assert_close(layer(Tensor(X)), before[:, 1:], f"the output with bias={bias}", atol=1e-5)


def test_channels_of_a_batch_norm_are_kept():
    """Weight, bias and both running statistics lose entries; num_batches_tracked and num_features are right."""
    norm = BatchNorm2d(2)
    norm.weight.data[...] = [2, 3]
    norm(Tensor(X))
    norm.eval()
    before = norm(Tensor(X)).data
    keep_outputs(norm, tensor([1]))
    assert_equal(norm.num_features, 1, "num_features")
    assert_equal(norm.num_batches_tracked.item(), 1, "num_batches_tracked")
    assert_close(norm(Tensor(X[:, 1:])), before[:, 1:], "the output of the channel that is kept", atol=1e-5)


def test_inputs_are_kept():
    """A Linear reads the features 0 and 2 of 3, a Conv2d the channel 1 of 2; in_features and in_channels say so."""
    layer, x = Linear(3, 2), X[0, 0, :, :3]
    keep_inputs(layer, tensor([0, 2]), 3)
    assert_equal(layer.in_features, 2, "in_features")
    expected = x[:, [0, 2]] @ layer.weight.data.T + layer.bias.data
    assert_close(layer(Tensor(x[:, [0, 2]])), expected, "the output of the Linear", atol=1e-5)
    conv, whole = Conv2d(2, 3, 3, bias=False), X * np.array([0, 1], np.float32)[:, None, None]
    before = conv(Tensor(whole)).data
    keep_inputs(conv, tensor([1]), 2)
    assert_equal(conv.in_channels, 1, "in_channels")
    assert_close(conv(Tensor(X[:, 1:])), before, "the output of the Conv2d", atol=1e-5)


def test_inputs_behind_a_flatten_are_kept():
    """Of 12 features of 3 channels, four of each, the channels 0 and 2 leave the features 0 to 3 and 8 to 11."""
    layer = Linear(12, 2)
    before = layer.weight.data.copy()
    keep_inputs(layer, tensor([0, 2]), 3)
    assert_close(layer.weight, before[:, [0, 1, 2, 3, 8, 9, 10, 11]], "the weight")
    assert_equal(layer.in_features, 8, "in_features")


def test_inputs_that_are_no_multiple_of_the_channels_are_refused():
    """A Linear of 10 features cannot read 3 channels: a ValueError with both numbers."""
    with raises(ValueError, 10, 3):
        keep_inputs(Linear(10, 2), tensor([0]), 3)


def test_the_smallest_channels_go():
    """Of rows with the scores 2, 9, 1 and 5 half go; the result is the tensor [1, 3], in the old order."""
    model = Sequential(Linear(1, 4, bias=False), ReLU(), Linear(4, 1))
    model[0].weight.data[:, 0] = [-2, 9, 1, -5]
    keep = remove_channels(model, 0, 0.5)
    assert_close(keep, np.array([1, 3]), "the channels that are kept")
    assert_close(model[0].weight, np.array([[9], [-5]], np.float32), "the weight of the first layer")
    assert_equal(model[2].weight.shape, (1, 2), "the shape of the weight of the layer that reads them")


def test_the_order_of_the_norm_is_given():
    """With n=1 the rows [3, 3] and [5, 0] have the scores 6 and 5, with n=2 4.2 and 5: another one goes."""
    for n, expected in ((1, 0), (2, 1)):
        model = Sequential(Linear(2, 2), Linear(2, 1))
        model[0].weight.data[...] = [[3, 3], [5, 0]]
        assert_close(remove_channels(model, 0, 1, n=n), np.array([expected]), f"with n={n}, what is kept")


def perceptron():
    return Sequential(Flatten(), Linear(72, 8), ReLU(), Linear(8, 6), ReLU(), Linear(6, 3)), 1, 3


def convolutions():
    return (
        Sequential(Conv2d(2, 8, 3, bias=False), BatchNorm2d(8), ReLU(), MaxPool2d(2), Conv2d(8, 3, 2)),
        0,
        4,
    )


def with_a_flatten():
    return (
        Sequential(
            Conv2d(2, 8, 3, bias=False), BatchNorm2d(8), ReLU(), MaxPool2d(2), Flatten(), Linear(32, 3)
        ),
        0,
        5,
    )


def with_two_norms():
    norms = BatchNorm2d(8), ReLU(), BatchNorm2d(8)
    return Sequential(Conv2d(2, 8, 3, bias=False), *norms, MaxPool2d(2), Conv2d(8, 3, 2)), 0, 5


MODELS = {each.__name__: each for each in (perceptron, convolutions, with_a_flatten, with_two_norms)}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def two(make, seed=0):
    """A model with a place to prune at, and a copy of it whose reader of the channels is given by its place."""
    manual_seed(seed)
    model, index, reader = make()
    return model, copy.deepcopy(model), index, reader


def blind(large, reader, keep):
    """Make the reader of the large model blind for the channels that are not kept: its weights for them are 0."""
    weight = large[reader].weight.data
    by_channel = weight.reshape(weight.shape[0], 8, -1)
    by_channel[:, np.setdiff1d(np.arange(8), keep.data)] = 0
    weight[...] = by_channel.reshape(weight.shape)


@each_model
@given(amount=st.sampled_from([0, 1, 0.5, 7]), seed=st.integers(0, 5))
def test_nothing_else_has_changed(make, amount, seed):
    """The smaller model gives what the large one gives once its next layer does not look at those channels.

    In train mode as well, with the statistics of the batch.
    """
    small, large, index, reader = two(make, seed)
    keep = remove_channels(small, index, amount)
    assert_equal(small[index].weight.shape[0], len(keep.data), "the number of channels")
    blind(large, reader, keep)
    for training in (True, False):
        small.train(training), large.train(training)
        assert_close(
            small(Tensor(X)), large(Tensor(X)).data, f"with training={training}, the output", atol=1e-5
        )


@each_model
@pytest.mark.parametrize("kind", [SGD, Adam])
def test_training_goes_on(make, kind):
    """With the optimizer, the next step moves what is left as it would have moved in the large model.

    What it remembers of each weight, momentum or averages, went with the channel.
    """
    small, large, index, reader = two(make)
    options = {"momentum": 0.9} if kind is SGD else {}
    optimizers = [kind(model.parameters(), lr=0.01, **options) for model in (small, large)]

    def step(model, optimizer):
        optimizer.zero_grad()
        out = model(Tensor(X))
        (out * out).sum().backward()
        optimizer.step()

    for model, optimizer in zip((small, large), optimizers, strict=True):
        for _ in range(3):
            step(model, optimizer)
    keep = remove_channels(small, index, 0.5, optimizer=optimizers[0])
    blind(large, reader, keep)
    step(small, optimizers[0])
    step(large, optimizers[1])
    for place in range(index, reader):
        for name, parameter in small[place].named_parameters():
            expected = dict(large[place].named_parameters())[name].data[keep.data]
            assert_close(parameter, expected, f"{name} of layer {place} after a step", rtol=1e-3, atol=1e-5)
    weight = large[reader].weight.data
    expected = weight.reshape(weight.shape[0], 8, -1)[:, keep.data].reshape(weight.shape[0], -1)
    mine = small[reader].weight.data.reshape(weight.shape[0], -1)
    assert_close(mine, expected, "the weight of the layer that reads them", rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("index", [1, -3])
def test_places_count_from_either_end(index):
    """model[-3] is the Linear(3, 4) too."""
    model = Sequential(Linear(2, 3), Linear(3, 4), ReLU(), Linear(4, 1))
    remove_channels(model, index, 0.5)
    assert_equal([each.weight.shape for each in (model[0], model[1], model[3])], [(3, 2), (2, 3), (1, 2)])


class Scaled(Module):
    """Has a buffer with an entry for each of four features, and no parameter."""

    def __init__(self):
        self.scale = Buffer(np.ones(4, np.float32))

    def forward(self, x):
        return x * self.scale


def refused():
    masked = Sequential(Linear(2, 4), Linear(4, 2))
    l1_unstructured(masked[1], "weight", 0.5)
    yield "all", Sequential(Linear(2, 4), Linear(4, 2)), 0, 1.0, (ValueError, 4)
    yield "too many", Sequential(Linear(2, 4), Linear(4, 2)), 0, 5, (ValueError, 5)
    yield "the last layer", Sequential(Linear(2, 4), Linear(4, 2)), 1, 1, (ValueError,)
    yield "a mask", masked, 0, 1, (ValueError, "mask")
    yield "groups", Sequential(Conv2d(2, 4, 1, groups=2), Conv2d(4, 2, 1)), 0, 1, (ValueError, "groups")
    yield "a reader with groups", Sequential(Conv2d(2, 4, 1), Conv2d(4, 2, 1, groups=2)), 0, 1, (ValueError,)
    yield "a relu", Sequential(Linear(2, 4), ReLU(), Linear(4, 2)), 1, 1, (TypeError, "ReLU")
    yield "a layer norm", Sequential(Linear(2, 4), LayerNorm(4), Linear(4, 2)), 0, 1, (TypeError, "LayerNorm")
    yield "a buffer", Sequential(Linear(2, 4), Scaled(), Linear(4, 2)), 0, 1, (TypeError, "Scaled")
    flat = Sequential(Linear(2, 4), Flatten(), Linear(12, 2))  # of (N, 3, 2): three times four features
    yield "a flatten behind a linear", flat, 0, 1, (ValueError, 4, 12)


CASES = [
    "all",
    "too many",
    "the last layer",
    "a mask",
    "groups",
    "a reader with groups",
    "a relu",
    "a layer norm",
    "a buffer",
    "a flatten behind a linear",
]


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_removed_is_refused(case):
    """All channels, those of the last layer, and layers that are not understood: an error, and nothing has changed."""
    _, model, index, amount, (kind, *values) = next(each for each in refused() if each[0] == case)
    shapes = {name: each.shape for name, each in model.state_dict().items()}
    with raises(kind, *values):
        remove_channels(model, index, amount)
    assert_equal(
        {name: each.shape for name, each in model.state_dict().items()}, shapes, "the shapes afterwards"
    )
