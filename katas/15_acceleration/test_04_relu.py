"""The first kernel, relu: what it must give, and what it hands back."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import (
    assert_close,
    assert_equal,
    channels_last,
    check_kernel,
    no_warnings,
    on_device,
    speedup,
    unchanged,
)
from dojo.spec.strategies import arrays, shapes
from tinytorch.acceleration.kernels import ReluKernel, covered, where_kept
from tinytorch.acceleration.observing import profile
from tinytorch.activations import relu
from tinytorch.dispatch import disabled
from tinytorch.tensor import Tensor

INF, NAN = np.inf, np.nan
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SPECIAL = [INF, -INF, NAN, -NAN, 0.0, -0.0, 1.0, -1.0, 1e30, -1e30]

# What kernels work on


def test_kernels_work_on_one_floating_point_dtype():
    """covered is True for arrays that are all float32, or all float64; None among them does not count."""
    for dtype in (np.float32, np.float64):
        x = np.ones((2, 3), dtype)
        for values in (
            (x,),
            (x, x[0], x.T),
            (x, None, x),
            (x, None),
            (np.ones((), dtype),),
            (np.ones((0, 3), dtype),),
        ):
            assert_equal(covered(*values), True, f"covered of {len(values)} values of {x.dtype}")


def test_other_dtypes_are_not_covered():
    """float16, integers, booleans and two dtypes together are left to the composition, which knows what to do."""
    x, double = np.ones(3, np.float32), np.ones(3)
    for dtype in (np.float16, np.int64, np.int32, bool, complex):
        other = np.ones(3, dtype)
        assert_equal(covered(other), False, f"covered of {other.dtype}")
        assert_equal(covered(x, other), False, f"covered of float32 and {other.dtype}")
    assert_equal(covered(x, double), False, "covered of float32 and float64")
    assert_equal(covered(double, None, x), False, "covered of float64, None and float32")


def test_other_things_are_not_covered():
    """Python's numbers, NumPy's numbers, lists and subclasses of ndarray are not covered."""
    x = np.ones(3, np.float32)
    for other in (1.0, np.float32(1), [1.0], np.ma.masked_array(x, [0, 1, 0])):
        assert_equal(covered(other), False, f"covered of {type(other).__name__}")
        assert_equal(covered(x, other), False, f"covered of an array and {type(other).__name__}")


def test_a_gpu_is_not_covered(device):
    """Arrays of a GPU are not covered: NumPy cannot work on them."""
    x = on_device(np.ones(3, np.float32), device)
    assert_equal(covered(x), device == "cpu", f"covered of an array on {device}")


# Without a branch


@both_dtypes
def test_what_is_kept_and_what_is_not(dtype):
    """where_kept gives x where `kept` is True, and exactly 0 elsewhere, whatever x is there: infinity and nan too."""
    x = np.array(SPECIAL, dtype)
    for kept in (np.arange(10) % 2 == 0, np.arange(10) % 2 == 1, np.ones(10, bool), np.zeros(10, bool)):
        with no_warnings(), unchanged(x, kept):
            result = where_kept(kept, x)
        assert_close(result, np.where(kept, x, 0), f"where_kept with {kept.sum()} of 10 kept", rtol=0, atol=0)


@given(data=st.data(), shape=shapes(max_dims=4), dtype=st.sampled_from([np.float32, np.float64]))
def test_kept_of_any_shape(data, shape, dtype):
    """Any shape, 0-d and empty too, float32 and float64: each entry is kept or 0."""
    x, kept = data.draw(arrays(shape, dtype)), data.draw(arrays(shape, bool))
    assert_close(where_kept(kept, x), np.where(kept, x, 0).astype(dtype), "where_kept", rtol=0, atol=0)


def test_kept_of_views():
    """x may be a view that cannot be written to, as a gradient in backward is, and in another order of memory."""
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x.flags.writeable = False
    kept = x % 3 != 1
    for view, chosen in ((x.T, kept.T), (x[:, ::2], kept[:, ::2]), (x.T, np.ascontiguousarray(kept.T))):
        assert_close(where_kept(chosen, view), np.where(chosen, view, 0), "where_kept of a view")


def test_keeping_is_faster_than_choosing():
    """where_kept takes less than a fifth of the time of np.where, which guesses wrong half of the time."""
    rng = np.random.default_rng(0)

    def inputs():
        x = rng.standard_normal((512, 512)).astype(np.float32)
        return x > 0, x

    speedup(
        fast=where_kept,
        slow=lambda kept, x: np.where(kept, x, 0),
        at_least=5,
        inputs=inputs,
        what="where_kept",
        baseline="np.where",
    )


# relu


@both_dtypes
def test_relu_by_hand(dtype):
    """ReluKernel gives max(x, 0), and hands the gradient on where x is positive; at 0 it is 0."""
    x = Tensor(np.array([-2.0, 0.0, 3.0], dtype), requires_grad=True)
    out = ReluKernel.apply(x)
    assert_close(out, np.array([0.0, 0.0, 3.0], dtype), "the result")
    out.backward(Tensor(np.array([5.0, 6.0, 7.0], dtype)))
    assert_close(x.grad, np.array([0.0, 0.0, 7.0], dtype), "the gradient")


@given(
    data=st.data(),
    shape=shapes(max_dims=4, max_side=5),
    dtype=st.sampled_from([np.float32, np.float64]),
    last=st.booleans(),
)
def test_relu_is_what_it_was(data, shape, dtype, last):
    """Value and gradient are those of the relu of kata 03: any shape, both dtypes, both orders of memory."""
    x = data.draw(arrays(shape, dtype))
    check_kernel(Tensor, disabled, ReluKernel, relu, channels_last(x) if last and x.ndim == 4 else x)


@both_dtypes
def test_relu_of_infinity_and_nan(dtype):
    """nan stays nan and lets its gradient pass, an infinite gradient is 0 where x is negative; nothing warns."""
    x = np.array(SPECIAL, dtype)
    check_kernel(Tensor, disabled, ReluKernel, relu, x)
    leaf = Tensor(x, requires_grad=True)
    with no_warnings():
        ReluKernel.apply(leaf).backward(Tensor(np.full(10, INF, dtype)))
    expected = np.array([INF, 0, INF, INF, 0, 0, INF, 0, INF, 0], dtype)
    assert_close(leaf.grad, expected, "the gradient for an infinite upstream gradient")


def order_of(array):
    """The axes from the one with the largest steps in memory to the one with the smallest."""
    return np.argsort([-abs(stride) for stride in array.strides], kind="stable").tolist()


def test_relu_keeps_the_order_of_memory():
    """Where the channels of x come last in memory, so do those of the result."""
    x = channels_last(np.arange(-60, 60, dtype=np.float32).reshape(2, 3, 4, 5))
    assert_equal(
        order_of(ReluKernel.apply(Tensor(x)).data), [0, 2, 3, 1], "the order of the axes of the result"
    )


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.int32])
def test_relu_hands_back(dtype):
    """For a dtype that is not covered, forward returns NotImplemented; relu then gives what it always gave."""
    x = Tensor(np.array([-2, 0, 3], dtype))
    assert ReluKernel.apply(x) is NotImplemented, f"the kernel computed relu of {x.dtype}: hand it back"
    assert_close(relu(x), np.array([0, 0, 3], dtype), f"relu of {x.dtype}")


def test_relu_runs_the_kernel():
    """relu of a Tensor runs the kernel, by itself; `with disabled():` it is the simple version again."""
    x = Tensor(np.array([-1.0, 2.0], np.float32))
    ReluKernel.apply(x)
    with profile() as seen:
        relu(x)
    assert "ReluKernel" in seen.costs, (
        f"relu called {sorted(seen.costs)}: is the kernel written, and not a stub?"
    )
    with disabled(), profile() as seen:
        relu(x)
    assert_equal(list(seen.costs), ["relu"], "what relu calls with kernels disabled")


def test_relu_stays_on_its_device(device):
    """On a GPU the kernel hands back, and relu stays there, forwards and backwards."""
    x = Tensor(on_device(np.array([-1.0, 2.0], np.float32), device), requires_grad=True)
    handed_back = ReluKernel.apply(x) is NotImplemented
    assert_equal(handed_back, device != "cpu", f"whether the kernel hands back an array on {device}")
    out = relu(x)
    out.sum().backward()
    for each, what in ((out, "the result"), (x.grad, "the gradient")):
        assert type(each.data) is type(x.data), f"{what} left the device"
    assert_close(x.grad, np.array([0.0, 1.0], np.float32), "the gradient")
