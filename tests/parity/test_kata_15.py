"""Kata 15 beside PyTorch: kernels, value and gradients; columns, the profiler, checkpoints, flat optimizers."""

import math
import resource

import numpy as np
import pytest
import torch
from torch.nn import functional as theirs
from torch.nn.grad import conv2d_input as their_conv2d_input, conv2d_weight as their_conv2d_weight
from torch.utils.checkpoint import checkpoint as their_checkpoint

from dojo.spec import channels_last
from tests.parity.beside import compare, drawn
from tinytorch import acceleration as ours, optimizers
from tinytorch.acceleration.convolution import Conv2dKernel, MaxPool2dKernel
from tinytorch.acceleration.kernels import (
    CHUNK,
    CrossEntropyKernel,
    GeluKernel,
    LayerNormKernel,
    LinearKernel,
    ReluKernel,
)
from tinytorch.attention import scaled_dot_product_attention
from tinytorch.autograd import Context, grad
from tinytorch.dispatch import Event
from tinytorch.layers import Parameter
from tinytorch.tensor import Tensor, tanh

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


# Looking ------------------------------------------------------------------------------------------------


def test_the_profiler_counts_the_same_calls():
    def chain(x, exp):
        return exp(x * x + x * x) + x

    x = np.ones((3, 4), np.float32)
    with torch.profiler.profile() as seen:
        chain(torch.tensor(x), torch.exp)
    expected = {each.key.removeprefix("aten::"): each.count for each in seen.key_averages()}
    with ours.profile() as mine:
        chain(Tensor(x), lambda a: a.exp())
    for name in ("mul", "add", "exp"):
        assert mine.costs[name].calls == expected[name]
    shown, theirs_shown = ours.table(mine.costs), seen.key_averages().table()
    for name in ("mul", "add", "exp"):
        assert f"aten::{name}" in theirs_shown and f"\n{name} " in shown


def test_inner_calls_count_for_themselves():
    """torch.profiler calls it self time: its sum over all operations is the time of the outermost ones."""
    with torch.profiler.profile() as seen:
        torch.nn.functional.linear(torch.ones(64, 64), torch.ones(64, 64)).relu()
    whole = sum(each.self_cpu_time_total for each in seen.key_averages())
    outermost = sum(each.cpu_time_total for each in seen.events() if each.cpu_parent is None)
    assert whole == pytest.approx(outermost, rel=0.02, abs=5)
    times = iter(range(100))
    observer = ours.Profile(lambda: float(next(times)))
    event = Event("primitive", "outer", (), {})
    observer(event, lambda: observer(event._replace(name="inner"), lambda: None))
    assert {name: cost.seconds for name, cost in observer.costs.items()} == {"outer": 2.0, "inner": 1.0}


def test_page_faults_of_the_process():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert before <= ours.page_faults() <= resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_new_arrays_are_those_with_storage_of_their_own():
    x = torch.ones(3, 4)
    array = np.ones((3, 4))
    for mine, other in ((array.T, x.T), (array * 2, x * 2), (array[1:], x[1:]), ((array + 1).T, (x + 1).T)):
        new = other.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
        assert len(ours.new_arrays(mine, [array])) == new


# Products and columns -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(3, 4, 5), (1, 7, 2), (4, 0, 3)])
def test_products(sizes):
    n, k, m = sizes
    a, b = drawn((n, k), (k, m))
    expected = (torch.tensor(a) @ torch.tensor(b)).numpy()
    for multiply in (ours.add_product, lambda a, b, out: ours.add_product_in_blocks(a, b, out, 2)):
        out = np.zeros((n, m))
        multiply(a, b, out)
        np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
def test_im2col_is_unfold_and_col2im_is_fold(padding, stride, last):
    (x,) = drawn((3, 6, 7))  # (C, H, W)
    kernel, positions = (2, 3), 6
    columns = ours.Columns((6, 7, 3), kernel, stride, padding, np.float64, last)
    matrix = columns.im2col(x.transpose(1, 2, 0))
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    expected = theirs.unfold(torch.tensor(x[None]), **options)[0].numpy()  # (C * positions, places)
    places = expected.shape[1]
    np.testing.assert_array_equal(
        matrix.reshape(places, positions, 3).transpose(2, 1, 0).reshape(3 * positions, places), expected
    )
    (m,) = drawn((places, positions * 3), seed=1)
    reordered = m.reshape(places, positions, 3).transpose(2, 1, 0).reshape(1, 3 * positions, places)
    folded = theirs.fold(torch.tensor(reordered), (6, 7), **options)[0].numpy()
    np.testing.assert_allclose(columns.col2im(m).transpose(2, 0, 1), folded, rtol=1e-12, atol=1e-14)


# Kernels ------------------------------------------------------------------------------------------------


def test_what_kernels_share():
    x = np.array([np.inf, -np.inf, np.nan, 2.0], np.float32)
    kept = np.array([True, False, False, True])
    assert ours.covered(x) and not ours.covered(x, x.astype(np.float64))
    expected = torch.where(torch.tensor(kept), torch.tensor(x), torch.zeros(())).numpy()
    np.testing.assert_array_equal(ours.where_kept(kept, x), expected)
    pieces = torch.arange(2 * CHUNK + 5).split(CHUNK)
    assert [len(np.arange(2 * CHUNK + 5)[part]) for part in ours.chunks(2 * CHUNK + 5)] == [
        len(p) for p in pieces
    ]
    z, out = np.linspace(-4, 4, 9), np.empty(9)
    ours.tanh_inside(z, out)
    gelu = theirs.gelu(torch.tensor(z), approximate="tanh").numpy()
    np.testing.assert_allclose(0.5 * z * (1 + out), gelu, rtol=1e-12, atol=1e-14)


@DTYPES
def test_elementwise_kernels(dtype):
    for shape in ((), (5,), (0, 3), (4, 3, 2)):
        (x,) = drawn(shape, dtype=dtype)
        compare(ReluKernel.apply, theirs.relu, x)
        compare(lambda x: GeluKernel.apply(x, "tanh"), lambda x: theirs.gelu(x, approximate="tanh"), x)
    special = np.array([np.inf, np.nan, 0.0, -np.inf, -0.0], dtype)
    compare(ReluKernel.apply, theirs.relu, special)


@DTYPES
@pytest.mark.parametrize("size", [(5, 3), (2, 4, 3), (3,), (0, 3), (2, 2, 2, 3)])
def test_linear(size, dtype):
    x, weight, bias = drawn(size, (4, 3), (4,), dtype=dtype)
    compare(LinearKernel.apply, theirs.linear, x, weight, bias)
    compare(lambda x, w: LinearKernel.apply(x, w, None), theirs.linear, x, weight)


@DTYPES
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy(reduction, dtype):
    for N, C in ((5, 3), (1, 1), (40, 100)):
        (x,) = drawn((N, C), dtype=dtype)
        target = np.arange(N) * 7 % C
        compare(
            lambda x, target=target: CrossEntropyKernel.apply(x, Tensor(target), None, -100, reduction, 0.0),
            lambda x, target=target: theirs.cross_entropy(x, torch.tensor(target), reduction=reduction),
            x * 5,
        )


@DTYPES
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)])
def test_layer_norm(shape, dtype):
    x, weight, bias = drawn(shape, (7,), (7,), dtype=dtype)
    compare(
        lambda x, w, b: LayerNormKernel.apply(x, (7,), w, b, 1e-5),
        lambda x, w, b: theirs.layer_norm(x, (7,), w, b),
        *(x, weight, bias),
        atol=1e-5 if dtype == np.float32 else None,
    )


SIZES = [((2, 3, 6, 7), (4, 3, 3, 2)), ((3, 1, 5, 5), (33, 1, 1, 1)), ((1, 33, 5, 5), (2, 33, 3, 3))]


@DTYPES
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 1), ((2, 3), (0, 2))])
def test_conv2d(sizes, stride, padding, dtype):
    x, weight, bias = drawn(*sizes, sizes[1][:1], dtype=dtype)
    for order in (np.array, channels_last):
        compare(
            lambda x, w, b: Conv2dKernel.apply(x, w, b, stride, padding, 1, 1),
            lambda x, w, b: theirs.conv2d(x, w, b, stride, padding),
            *(order(x), weight, bias),
            atol=2e-5 if dtype == np.float32 else None,
        )


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("stride", "padding"), [((1, 1), (0, 0)), ((2, 1), (0, 0)), ((1, 1), (1, 1))])
def test_the_gradients_of_conv2d(sizes, stride, padding):
    x, weight = drawn(*sizes)
    if padding >= sizes[1][2:]:
        padding = (0, 0)
    out = theirs.conv2d(torch.tensor(x), torch.tensor(weight), None, stride, padding).numpy()
    np.testing.assert_allclose(
        ours.conv2d_forward(x, weight, None, stride, padding), out, rtol=1e-10, atol=1e-12
    )
    (upstream,) = drawn(out.shape, seed=1)
    arrays = torch.tensor(upstream), stride, padding
    for_x = their_conv2d_input(x.shape, torch.tensor(weight), *arrays).numpy()
    for_weight = their_conv2d_weight(torch.tensor(x), weight.shape, *arrays).numpy()
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(
        ours.conv2d_input(upstream, weight, x.shape[2:], stride, padding), for_x, **close
    )
    np.testing.assert_allclose(
        ours.conv2d_weight(upstream, x, weight.shape[2:], stride, padding), for_weight, **close
    )
    if stride == (1, 1):
        both = ours.conv2d_gradients(upstream, x, weight, padding)
        np.testing.assert_allclose(both[0], for_x, **close)
        np.testing.assert_allclose(both[1], for_weight, **close)


@DTYPES
@pytest.mark.parametrize(("kernel", "stride"), [(2, None), (3, 1), ((1, 2), (2, 1)), (2, 3)])
def test_max_pool2d(kernel, stride, dtype):
    (x,) = drawn((2, 3, 7, 6), dtype=dtype)
    for each in (x, np.round(x), channels_last(x)):
        compare(
            lambda x: MaxPool2dKernel.apply(x, kernel, stride, 0, 1),
            lambda x: theirs.max_pool2d(x, kernel, stride),
            each,
        )


def test_what_a_kernel_is_called_with():
    """A Function's forward and backward work on arrays, with a ctx, as those of torch.autograd.Function do."""
    ctx = Context((True,))
    out = ReluKernel.forward(ctx, np.array([-1.0, 2.0]))
    np.testing.assert_array_equal(out, [0.0, 2.0])
    np.testing.assert_array_equal(ReluKernel.backward(ctx, np.array([3.0, 4.0])), [0.0, 4.0])


# Attention in tiles: TiledAttention, which scaled_dot_product_attention calls -----------------------------


def seen(L, S):
    mask = np.random.default_rng(2).random((L, S)) < 0.6
    mask[L // 2] = False  # a query that may look nowhere
    return mask


@pytest.mark.parametrize("kind", ["none", "causal", "boolean", "number"])
@pytest.mark.parametrize(("L", "S"), [(5, 5), (70, 130), (200, 64)])
@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, None), (np.float32, 0.3)])
def test_attention_in_tiles(L, S, kind, dtype, scale):
    mask = {"boolean": seen(L, S), "number": np.where(seen(L, S), dtype(0.5), -math.inf)}.get(kind)
    options = {"is_causal": kind == "causal", "scale": scale}
    compare(
        lambda q, k, v: scaled_dot_product_attention(
            q, k, v, None if mask is None else Tensor(mask), **options
        ),
        lambda q, k, v: theirs.scaled_dot_product_attention(
            q, k, v, None if mask is None else torch.tensor(mask), **options
        ),
        *drawn((2, 3, L, 8), (2, 3, S, 8), (2, 3, S, 4), dtype=dtype),
    )


# checkpoint


def test_checkpoint():
    def function(a, b, ours_):
        once = tanh if ours_ else torch.tanh
        return once(a * b) * a

    compare(
        lambda a, b: ours.checkpoint(lambda x, y: function(x, y, True), tanh(a), b),
        lambda a, b: their_checkpoint(
            lambda x, y: function(x, y, False), torch.tanh(a), b, use_reentrant=False
        ),
        *drawn((3, 4), (3, 4)),
    )


def test_checkpoint_of_what_is_not_an_input():
    x, w = drawn((3, 4), (4,))
    weight, their_weight = Parameter(w), torch.tensor(w, requires_grad=True)
    mine = ours.checkpoint(lambda x: tanh(x * weight), Tensor(x))
    other = their_checkpoint(lambda x: torch.tanh(x * their_weight), torch.tensor(x), use_reentrant=False)
    (found,) = grad(mine.sum(), weight)
    (expected,) = torch.autograd.grad(other.sum(), their_weight)
    np.testing.assert_allclose(found.data, expected.numpy(), rtol=1e-12)


# flatten: the same steps as PyTorch's, with the state loaded half-way


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
        ("AdamW", {"lr": 0.05}),
    ],
)
def test_flatten(name, options):
    arrays = drawn((3, 4), (4,), (2, 2, 2))
    params, others = (
        [Parameter(each.copy()) for each in arrays],
        [torch.tensor(each, requires_grad=True) for each in arrays],
    )
    mine, other = getattr(optimizers, name)(params, **options), getattr(torch.optim, name)(others, **options)
    ours.flatten(mine)
    for step in range(6):
        for p, q in zip(params, others, strict=True):
            g = np.random.default_rng(step).standard_normal(p.shape)
            p.grad, q.grad = Tensor(g), torch.tensor(g)
        mine.step()
        other.step()
        if step == 3:
            mine.load_state_dict(mine.state_dict())
    for p, q in zip(params, others, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11)


def test_empty_and_empty_cache():
    """torch.empty and torch.cuda.empty_cache: what they give has a shape and a dtype, and no values to compare."""
    mine, other = ours.empty((300, 70), np.float64), torch.empty(300, 70, dtype=torch.float64)
    assert mine.shape == tuple(other.shape) and str(other.dtype).endswith(mine.dtype.name)
    ours.empty_cache()
