"""gelu piece by piece, and layer_norm with one gradient for all its parts."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, check_kernel, peak, raises, unchanged
from dojo.spec.strategies import arrays, shapes
from tinytorch.acceleration.kernels import CHUNK, GeluKernel, LayerNormKernel, chunks, tanh_inside
from tinytorch.acceleration.observing import profile
from tinytorch.activations import gelu
from tinytorch.autograd import Context
from tinytorch.dispatch import disabled
from tinytorch.tensor import Tensor
from tinytorch.transformers import layer_norm

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
INF, NAN = np.inf, np.nan

# gelu


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_chunks_cover_everything_once(size):
    """The slices of chunks(size) follow each other, without gap and overlap, and none is longer than CHUNK."""
    numbers = np.arange(size)
    parts = [numbers[part] for part in chunks(size)]
    assert_equal(
        [each for part in parts for each in part.tolist()], numbers.tolist(), "all numbers, part by part"
    )
    for part in parts:
        assert 0 < len(part) <= CHUNK, f"a part of {len(part)} numbers, expected 1 to {CHUNK}"
    assert_equal(len(parts), -(-size // CHUNK), f"the number of parts of {size}")
    sevens = [np.arange(7)[part].tolist() for part in chunks(7, 3)]
    assert_equal(sevens, [[0, 1, 2], [3, 4, 5], [6]], "what the slices of chunks(7, 3) take")


@both_dtypes
def test_the_tanh_of_gelu_in_place(dtype):
    """tanh_inside writes tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)) to `out`, and leaves x as it is."""
    x, out = np.array([0.0, 1.0, -2.0, 30.0], dtype), np.full(4, 7, dtype)
    with unchanged(x):
        tanh_inside(x, out)
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    assert_close(out, np.tanh(inner).astype(dtype), "out")


def test_the_tanh_of_gelu_makes_no_other_array():
    """tanh_inside needs no memory besides `out`."""
    x, out = np.ones(100_000, np.float32), np.empty(100_000, np.float32)
    needed = peak(lambda: tanh_inside(x, out))
    assert needed < x.nbytes // 2, (
        f"{needed} bytes were allocated besides x and out: write to `out`, out *= x"
    )


@both_dtypes
def test_gelu_by_hand(dtype):
    """GeluKernel of 0 is 0 with slope 1/2; far to the right it is x, far to the left 0."""
    x = Tensor(np.array([0.0, 10.0, -10.0, 1.0], dtype), requires_grad=True)
    out = GeluKernel.apply(x, "tanh")
    assert_close(out, np.array([0.0, 10.0, 0.0, 0.841192], dtype), "the result", rtol=1e-5, atol=1e-6)
    out.backward(Tensor(np.array([2.0, 2.0, 2.0, 2.0], dtype)))
    assert_close(x.grad, np.array([1.0, 2.0, 0.0, 2.165928], dtype), "the gradient", rtol=1e-5, atol=1e-6)


@given(data=st.data(), shape=shapes(max_dims=4, max_side=5), dtype=st.sampled_from([np.float32, np.float64]))
def test_gelu_is_what_it_was(data, shape, dtype):
    """Value and gradient are those of kata 03, for any shape, and for a transposed view."""
    x = data.draw(arrays(shape, dtype))
    check_kernel(Tensor, disabled, GeluKernel, gelu, x, "tanh")
    check_kernel(Tensor, disabled, GeluKernel, gelu, x.T, "tanh")


@both_dtypes
def test_gelu_of_many_numbers(dtype):
    """More numbers than a chunk has: every one is computed, the last ones too."""
    x = np.random.default_rng(0).standard_normal((2, CHUNK + 3)).astype(dtype)
    check_kernel(Tensor, disabled, GeluKernel, gelu, x, "tanh")


@both_dtypes
def test_gelu_of_infinity_and_nan(dtype):
    """Infinity and nan give what they gave, without a warning."""
    check_kernel(Tensor, disabled, GeluKernel, gelu, np.array([INF, -INF, NAN, 50.0, -50.0], dtype), "tanh")


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_hands_back(approximate):
    """The exact gelu, and float16, are handed back, and come out as they did; an unknown word is an error of gelu's."""
    x = Tensor(np.array([-1.0, 0.5], np.float16 if approximate == "tanh" else np.float32))
    assert GeluKernel.apply(x, approximate) is NotImplemented, "the kernel computed this: hand it back"
    with disabled():
        expected = gelu(x, approximate)
    assert_close(gelu(x, approximate), expected.data, "gelu")
    with raises(ValueError, "sigmoid"):
        gelu(x, "sigmoid")


def gelu_step(x):
    x.grad = None
    out = gelu(x, approximate="tanh")
    out.backward(out.detach())
    return out, x.grad


def test_gelu_needs_less_memory():
    """gelu and its gradient need at most half of the memory that the composition needs: only results are kept."""
    x = Tensor(np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32), requires_grad=True)
    GeluKernel.apply(x, "tanh")
    fused = peak(lambda: gelu_step(x))
    with disabled():
        composed = peak(lambda: gelu_step(x))
    assert fused * 2 <= composed, (
        f"the kernel needs {fused / 1e6:.1f} MB and the composition {composed / 1e6:.1f}"
    )


# layer norm


@both_dtypes
def test_layer_norm_by_hand(dtype):
    """The row 1, 3 has mean 2 and variance 1: it becomes -1, 1, then times weight plus bias."""
    x = Tensor(np.array([[1.0, 3.0]], dtype), requires_grad=True)
    weight, bias = Tensor(np.array([10.0, 20.0], dtype)), Tensor(np.array([1.0, 2.0], dtype))
    out = LayerNormKernel.apply(x, (2,), weight, bias, 0.0)
    assert_close(out, np.array([[-9.0, 22.0]], dtype), "the result")


@given(
    data=st.data(),
    shape=st.sampled_from([(4,), (3, 4), (1, 1), (2, 3, 4), (2, 1, 3, 5)]),
    axes=st.integers(1, 4),
    dtype=st.sampled_from([np.float32, np.float64]),
    affine=st.sampled_from(["both", "weight", "bias", "none"]),
)
def test_layer_norm_is_what_it_was(data, shape, axes, dtype, affine):
    """Value and gradients are those of kata 14, over one axis or several, with weight and bias, one of them, or none.

    eps is .1 here, because some rows that are drawn have no variance at all.
    """
    last = shape[-axes:]
    x = data.draw(arrays(shape, dtype))
    weight = data.draw(arrays(last, dtype)) if affine in ("both", "weight") else None
    bias = data.draw(arrays(last, dtype)) if affine in ("both", "bias") else None
    check_kernel(Tensor, disabled, LayerNormKernel, layer_norm, x, last, weight, bias, eps=0.1)


@both_dtypes
def test_layer_norm_of_random_rows(dtype):
    """Rows of random numbers with the usual eps, views too; an int is the size of the last axis."""
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(s).astype(dtype) for s in ((5, 33, 4), 33, 33))
    check_kernel(Tensor, disabled, LayerNormKernel, layer_norm, x.transpose(0, 2, 1), 33, weight, bias)


@both_dtypes
def test_layer_norm_of_infinity_and_nan(dtype):
    """A row with infinity or nan becomes nan, the others stay as they were; nothing warns."""
    x = np.array([[INF, 1, 2], [NAN, 1, 2], [-INF, INF, 0], [1, 2, 3]], dtype)
    check_kernel(
        Tensor, disabled, LayerNormKernel, layer_norm, x, (3,), np.ones(3, dtype), np.zeros(3, dtype)
    )


def test_layer_norm_computes_the_gradients_that_are_wanted():
    """The gradients for weight and bias are sums over all rows, and only computed where ctx asks for them."""
    rng = np.random.default_rng(0)
    for wanted in (
        (True, False, True, True, False),
        (True, False, False, True, False),
        (True, False, False, False, False),
    ):
        ctx = Context(wanted)
        LayerNormKernel.forward(ctx, rng.standard_normal((4, 3)), (3,), np.ones(3), np.zeros(3), 1e-5)
        gradients = LayerNormKernel.backward(ctx, np.ones((4, 3)))
        there = tuple(each is not None for each in gradients)
        assert_equal(there, wanted, "which gradients were computed")


REFUSED = {
    "x ends in another shape": ((2, 3), (4,), None, None),
    "more axes than x has": ((3,), (2, 3), None, None),
    "no axes": ((2, 3), (), None, None),
    "weight has another shape": ((2, 3), (3,), (2,), None),
    "weight would broadcast": ((2, 3), (3,), (1,), None),
    "bias has another shape": ((2, 3), (2, 3), (2, 3), (3,)),
}


@pytest.mark.parametrize("shapes", REFUSED.values(), ids=REFUSED)
def test_layer_norm_refuses_as_before(shapes):
    """What layer_norm refuses the kernel hands back, and the error is layer_norm's own."""
    x, weight, bias = (
        None if shape is None else Tensor(np.ones(shape, np.float32)) for shape in (shapes[0], *shapes[2:])
    )
    args = x, shapes[1], weight, bias, 1e-5
    assert LayerNormKernel.apply(*args) is NotImplemented, f"the kernel took {shapes}: hand them back"
    with raises(ValueError):
        layer_norm(*args)


X = np.arange(6, dtype=np.float32).reshape(2, 3)
HANDED_BACK = {
    "float16": (X.astype(np.float16), None, None),
    "no rows": (X[:0], None, None),
    "rows without entries": (X[:, :0], None, None),
    "a weight in float64": (X, np.ones(3), None),
    "a bias in float64": (X, np.ones(3, np.float32), np.ones(3)),
}


@pytest.mark.parametrize("arrays", HANDED_BACK.values(), ids=HANDED_BACK)
def test_layer_norm_hands_back(arrays):
    """float16, an x without entries, and two dtypes are handed back, and come out as they did."""
    x, weight, bias = (None if each is None else Tensor(each) for each in arrays)
    args = x, x.shape[1:], weight, bias, 1e-5
    assert LayerNormKernel.apply(*args) is NotImplemented, "the kernel computed this: hand it back"
    with disabled():
        expected = layer_norm(*args)
    assert_close(layer_norm(*args), expected.data, "layer_norm")


def test_gelu_and_layer_norm_run_their_kernels():
    """gelu(x, "tanh") and layer_norm run their kernels."""
    x = Tensor(np.ones((2, 3), np.float32))
    GeluKernel.apply(x, "tanh")
    LayerNormKernel.apply(x, 3, None, None, 1e-5)
    with profile() as seen:
        gelu(x, approximate="tanh")
        layer_norm(x, 3)
    for name in ("GeluKernel", "LayerNormKernel"):
        assert name in seen.costs, f"no {name} among {sorted(seen.costs)}"
