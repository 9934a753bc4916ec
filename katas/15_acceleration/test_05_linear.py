"""linear as one product of two matrices."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, check_kernel, no_warnings, peak, raises
from dojo.spec.strategies import arrays
from tinytorch.acceleration.kernels import LinearKernel
from tinytorch.acceleration.observing import profile
from tinytorch.autograd import Context
from tinytorch.dispatch import disabled
from tinytorch.layers import linear
from tinytorch.tensor import Tensor

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


@both_dtypes
def test_linear_by_hand(dtype):
    """LinearKernel gives x @ weight.T + bias and its three gradients."""
    x = Tensor(np.array([[1.0, 2.0]], dtype), requires_grad=True)
    weight = Tensor(np.array([[3.0, 4.0], [5.0, 6.0], [0.0, 1.0]], dtype), requires_grad=True)
    bias = Tensor(np.array([0.5, 0.0, -1.0], dtype), requires_grad=True)
    out = LinearKernel.apply(x, weight, bias)
    assert_close(out, np.array([[11.5, 17.0, 1.0]], dtype), "the result")
    out.backward(Tensor(np.array([[1.0, 2.0, 10.0]], dtype)))
    assert_close(x.grad, np.array([[13.0, 26.0]], dtype), "the gradient for x")
    assert_close(
        weight.grad, np.array([[1.0, 2.0], [2.0, 4.0], [10.0, 20.0]], dtype), "the gradient for weight"
    )
    assert_close(bias.grad, np.array([1.0, 2.0, 10.0], dtype), "the gradient for bias")


@given(
    data=st.data(),
    leading=st.sampled_from([(), (1,), (3,), (0,), (2, 3), (2, 0), (2, 1, 3)]),
    sizes=st.tuples(st.integers(0, 4), st.integers(0, 5)),
    dtype=st.sampled_from([np.float32, np.float64]),
    biased=st.booleans(),
)
def test_linear_is_what_it_was(data, leading, sizes, dtype, biased):
    """Value and gradients are those of kata 04: any number of axes, sizes of 0, with and without a bias."""
    inputs, outputs = sizes
    x = data.draw(arrays((*leading, inputs), dtype))
    weight = data.draw(arrays((outputs, inputs), dtype))
    bias = data.draw(arrays((outputs,), dtype)) if biased else None
    check_kernel(Tensor, disabled, LinearKernel, linear, x, weight, bias)


@both_dtypes
def test_linear_of_views(dtype):
    """x may be a view whose memory is not in order, and so may weight."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((4, 5, 3)).astype(dtype), rng.standard_normal((4, 7)).astype(dtype)
    check_kernel(Tensor, disabled, LinearKernel, linear, x.transpose(2, 1, 0), weight.T)


@both_dtypes
def test_linear_of_infinity_and_nan(dtype):
    """Infinity and nan go through as they did, without a warning."""
    x = np.array([[np.inf, 1.0], [np.nan, 0.0], [2.0, -np.inf], [1.0, 2.0]], dtype)
    check_kernel(Tensor, disabled, LinearKernel, linear, x, np.array([[0.0, 1.0], [1.0, -1.0]], dtype))


def test_only_the_gradients_that_are_wanted():
    """backward computes what ctx.needs_input_grad asks for: the first layer of a model needs no gradient for x."""
    x, weight, bias = np.ones((4, 3)), np.ones((2, 3)), np.ones(2)
    for wanted in ((False, True, True), (True, False, True), (True, True, False), (False, True, False)):
        ctx = Context(wanted)
        LinearKernel.forward(ctx, x, weight, bias)
        gradients = LinearKernel.backward(ctx, np.ones((4, 2)))
        there = tuple(each is not None for each in gradients)
        assert_equal(there, wanted, f"which gradients were computed, of {wanted}")


def test_a_million_rows_keep_their_digits():
    """The gradient for bias is added up with add_up: of 200,000 rows of .1, the float32 sum is right to 1e-6."""
    ctx = Context((False, False, True))
    LinearKernel.forward(
        ctx, np.zeros((200_000, 1), np.float32), np.zeros((2, 1), np.float32), np.zeros(2, np.float32)
    )
    *_, gradient = LinearKernel.backward(ctx, np.full((200_000, 2), 0.1, np.float32))
    assert_close(gradient, np.full(2, 20_000.0, np.float32), "the gradient for bias", rtol=1e-6)


def test_one_product_for_all_rows():
    """However many axes x has, no second array of the size of the result is made, with a bias neither."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((64, 32, 48)).astype(np.float32), np.ones((40, 48), np.float32)
    inputs = Tensor(x), Tensor(weight), Tensor(np.ones(40, np.float32))
    needed, size = peak(lambda: LinearKernel.apply(*inputs)), 64 * 32 * 40 * 4  # before memory is lent again
    with profile() as seen:
        LinearKernel.apply(*inputs)
    assert_equal(seen.costs["LinearKernel"].nbytes, 64 * 32 * 40 * 4, "the bytes of the result")
    names = set(seen.costs)
    assert_equal(names, {"LinearKernel"}, "what the kernel called")
    assert needed < 1.5 * size, f"{needed} bytes for a result of {size}: add the bias in place"


REFUSED = {
    "the last axis of x is not that of weight": ((2, 3), (4, 5), (4,)),
    "weight has three axes": ((2, 3), (1, 4, 3), (4,)),
    "weight has one axis": ((2, 3), (3,), None),
    "bias has another size": ((2, 3), (4, 3), (3,)),
    "bias would broadcast": ((2, 3), (4, 3), (1,)),
    "x has no axis": ((), (4, 3), None),
}


@pytest.mark.parametrize("sizes", REFUSED.values(), ids=REFUSED)
def test_linear_refuses_as_before(sizes):
    """What linear refuses the kernel hands back, and the error is linear's own."""
    x, weight, bias = (None if size is None else Tensor(np.ones(size, np.float32)) for size in sizes)
    assert LinearKernel.apply(x, weight, bias) is NotImplemented, (
        f"the kernel took shapes {sizes}: hand them back"
    )
    with raises(ValueError):
        linear(x, weight, bias)


MIXED = [("f2", "f2"), ("f4", "f8"), ("f8", "f4"), ("i8", "f4"), ("f4", "f4", "f8")]


@pytest.mark.parametrize("dtypes", MIXED, ids="-".join)
def test_linear_hands_back_other_dtypes(dtypes):
    """float16, integers and a mix of dtypes, also with the bias, are handed back, and come out as they did."""
    given = [Tensor(np.ones(shape, dtype)) for shape, dtype in zip(((2, 2), (2, 2), 2), dtypes, strict=False)]
    assert LinearKernel.apply(*given) is NotImplemented, f"the kernel took {dtypes}: hand them back"
    with disabled():
        expected = linear(*given)
    assert_close(linear(*given), expected.data, f"linear of {dtypes}")


def test_linear_runs_the_kernel():
    """linear runs the kernel, with keywords and without a bias too."""
    x, weight = Tensor(np.ones((2, 3), np.float32)), Tensor(np.ones((4, 3), np.float32))
    LinearKernel.apply(x, weight, None)
    with no_warnings(), profile() as seen:
        linear(x, weight=weight)
        linear(x, weight, bias=None)
    names = sorted(seen.costs)
    assert "LinearKernel" in names, f"linear called {names}"
    assert_equal(seen.costs["LinearKernel"].calls, 2, "the calls of the kernel")
