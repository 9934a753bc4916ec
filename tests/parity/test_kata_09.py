"""Kata 09 beside PyTorch: values and gradients with every option, ties, statistics, state_dict and what is printed."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as theirs

from tests.parity.beside import compare, drawn
from tinytorch import spatial as ours
from tinytorch.tensor import Tensor

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")


CONV = itertools.product(
    [1, (2, 3)], [0, 1, (2, 0), "valid", "same"], [1, (1, 2)], [1, 2], [(1, 1), (2, 3), (3, 2)]
)
CONV = [case for case in CONV if not (case[1] == "same" and case[0] != 1)]


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups", "kernel"), CONV)
def test_conv2d(stride, padding, dilation, groups, kernel):
    arrays = drawn((2, 4, 7, 8), (6, 4 // groups, *kernel), (6,))
    options = (stride, padding, dilation, groups)
    compare(
        lambda x, w, b: ours.conv2d(x, w, b, *options),
        lambda x, w, b: theirs.conv2d(x, w, b, *options),
        *arrays,
    )


@pytest.mark.parametrize("shape", [(4, 7, 8), (0, 4, 7, 8)])
def test_conv2d_of_one_picture_and_of_none(shape):
    compare(ours.conv2d, theirs.conv2d, *drawn(shape, (6, 4, 2, 3), (6,)))


def test_conv2d_in_float32():
    compare(
        ours.conv2d, theirs.conv2d, *drawn((4, 16, 12, 12), (8, 16, 5, 5), (8,), dtype=np.float32), atol=2e-5
    )


POOLS = [
    (2, None, 0, 1),
    (3, 2, 1, 1),
    ((2, 3), (1, 2), (1, 1), 1),
    (2, 1, 0, (2, 1)),
    (2, 2, 1, 2),
    (1, 2, 0, 1),
]


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), POOLS)
@pytest.mark.parametrize("shape", [(2, 3, 7, 8), (3, 7, 8), (0, 3, 7, 8)])
def test_max_pool2d(shape, kernel, stride, padding, dilation):
    compare(
        lambda x: ours.max_pool2d(x, kernel, stride, padding, dilation),
        lambda x: theirs.max_pool2d(x, kernel, stride, padding, dilation),
        *drawn(shape),
    )


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), POOLS)
def test_ties_of_max_pool2d(kernel, stride, padding, dilation):
    """Few values, so that nearly every window has a tie."""
    x = np.random.default_rng(0).integers(0, 3, (4, 3, 7, 8)).astype(np.float64)
    compare(
        lambda x: ours.max_pool2d(x, kernel, stride, padding, dilation),
        lambda x: theirs.max_pool2d(x, kernel, stride, padding, dilation),
        x,
    )


def test_nan_in_max_pool2d():
    x = drawn((3, 2, 6, 6))[0]
    x[x > 1] = np.nan
    compare(lambda x: ours.max_pool2d(x, 3, 1, 1), lambda x: theirs.max_pool2d(x, 3, 1, 1), x)


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [each[:3] for each in POOLS])
def test_avg_pool2d(kernel, stride, padding, counted):
    compare(
        lambda x: ours.avg_pool2d(x, kernel, stride, padding, count_include_pad=counted),
        lambda x: theirs.avg_pool2d(x, kernel, stride, padding, count_include_pad=counted),
        *drawn((2, 3, 7, 8)),
    )


@pytest.mark.parametrize("size", [1, (1, 3), (5, 2), (7, 8), (9, 11)])
@pytest.mark.parametrize("shape", [(2, 3, 7, 8), (3, 7, 8), (0, 3, 7, 8)])
def test_adaptive_avg_pool2d(shape, size):
    compare(
        lambda x: ours.adaptive_avg_pool2d(x, size),
        lambda x: theirs.adaptive_avg_pool2d(x, size),
        *drawn(shape),
    )


@pytest.mark.parametrize(
    "options", [(2, 1, 2), (2, 1, 2, 3), (3, 1, (0, 2)), (3, 0, 0), (9, 1, 0), (2, 1, -1)]
)
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_pools_refuse_the_same(name, options):
    if name == "avg_pool2d":
        options = options[:3]
    answers = []
    for module, x in ((ours, Tensor(np.ones((1, 1, 6, 6)))), (theirs, torch.ones(1, 1, 6, 6))):
        try:
            answers.append(tuple(getattr(module, name)(x, *options).shape))
        except (ValueError, RuntimeError):
            answers.append("refused")
    if options[1] == 0:  # PyTorch takes a stride of 0 of avg_pool2d for none given
        answers[1] = "refused"
    assert answers[0] == answers[1]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 3, 2, 5), (4, 3), (2, 3, 6)])
def test_batch_norm(shape, training):
    mean, var = drawn((3,), (3,))
    running = [[Tensor(mean.copy()), Tensor(var**2)], [torch.tensor(mean), torch.tensor(var**2)]]
    compare(
        lambda x, w, b: ours.batch_norm(x, *running[0], w, b, training, 0.3, 1e-3),
        lambda x, w, b: theirs.batch_norm(x, *running[1], w, b, training, 0.3, 1e-3),
        *drawn(shape, (3,), (3,)),
    )
    for mine, other in zip(*running, strict=True):
        np.testing.assert_allclose(mine.data, other.numpy(), rtol=1e-12)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_life_of_batch_norm2d(affine, tracked, momentum):
    mine, other = (
        nn.BatchNorm2d(3, eps=1e-3, momentum=momentum, affine=affine, track_running_stats=tracked)
        for nn in (ours, torch.nn)
    )
    assert repr(mine) == repr(other)
    rng = np.random.default_rng(0)
    for step in range(6):
        x = (rng.standard_normal((4, 3, 2, 2)) * (step + 1) + step).astype(np.float32)
        if step == 3:
            mine.eval()
            other.eval()
        if step == 5:
            mine.train()
            other.train()
        out, expected = mine(Tensor(x)), other(torch.tensor(x))
        np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    state, reference = mine.state_dict(), other.state_dict()
    assert list(state) == list(reference)
    for name, value in state.items():
        assert value.data.dtype == reference[name].numpy().dtype
        np.testing.assert_allclose(value.data, reference[name].numpy(), rtol=1e-5, atol=1e-6)


LAYERS = [
    ("Conv2d", (4, 6, 3), {}),
    (
        "Conv2d",
        (4, 6, (2, 3)),
        {"stride": 2, "padding": (1, 0), "dilation": (1, 2), "groups": 2, "bias": False},
    ),
    ("Conv2d", (4, 6, 3), {"padding": "same"}),
    ("Conv2d", (4, 6, 3), {"padding": "valid"}),
    ("MaxPool2d", (2,), {}),
    ("MaxPool2d", ((2, 3), 1, (1, 0), 2), {}),
    ("AvgPool2d", (3, None, 1), {}),
    ("AvgPool2d", (3,), {"count_include_pad": False}),
    ("AdaptiveAvgPool2d", (1,), {}),
    ("AdaptiveAvgPool2d", ((2, 3),), {}),
    ("BatchNorm2d", (4,), {}),
    ("BatchNorm2d", (4, 1e-3, None, False, False), {}),
    ("BatchNorm2d", (4,), {"bias": False}),
]


@pytest.mark.parametrize(("name", "args", "options"), LAYERS)
def test_layers_print_hold_and_compute_the_same(name, args, options):
    mine, other = getattr(ours, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    assert repr(mine) == repr(other)
    assert [(n, p.shape) for n, p in mine.named_parameters()] == [
        (n, tuple(p.shape)) for n, p in other.named_parameters()
    ]
    mine.load_state_dict({n: Tensor(each.numpy().copy()) for n, each in other.state_dict().items()})
    x = drawn((2, 4, 8, 9), dtype=np.float32)[0]
    expected = other(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(mine(Tensor(x)).data, expected, rtol=1e-4, atol=1e-5)


def test_kernels_are_drawn_alike():
    mine, other = ours.Conv2d(32, 400, (2, 5), groups=4), torch.nn.Conv2d(32, 400, (2, 5), groups=4)
    for (_, p), (_, q) in zip(mine.named_parameters(), other.named_parameters(), strict=True):
        values = q.detach().numpy()
        np.testing.assert_allclose(np.abs(p.data).max(), np.abs(values).max(), rtol=0.02)
        np.testing.assert_allclose(p.data.std(), values.std(), rtol=0.08)
