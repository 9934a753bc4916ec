"""max_pool2d without a choice for each number, and its gradient without an index."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dojo.spec import (
    assert_close,
    assert_equal,
    channels_last,
    check_kernel,
    on_device,
    peak,
    raises,
    speedup,
)
from dojo.spec.strategies import arrays
from tinytorch.acceleration.convolution import Conv2dKernel, MaxPool2dKernel
from tinytorch.acceleration.kernels import CrossEntropyKernel, GeluKernel, LayerNormKernel, LinearKernel
from tinytorch.acceleration.observing import profile
from tinytorch.dispatch import disabled
from tinytorch.spatial import max_pool2d
from tinytorch.tensor import Tensor

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
few = settings(max_examples=40)
INF, NAN = np.inf, np.nan
REST = (None, 0, 1)
"""The arguments after kernel_size: a stride of kernel_size, no padding, no dilation."""


@both_dtypes
def test_max_pool2d_by_hand(dtype):
    """MaxPool2dKernel gives the largest of each window, and hands the gradient to where it was."""
    x = Tensor(np.array([[[[1.0, 5.0, 2.0, 3.0], [4.0, 0.0, 9.0, 3.0]]]], dtype), requires_grad=True)
    out = MaxPool2dKernel.apply(x, 2, *REST)
    assert_close(out, np.array([[[[5.0, 9.0]]]], dtype), "the result")
    out.backward(Tensor(np.array([[[[10.0, 20.0]]]], dtype)))
    assert_close(x.grad, np.array([[[[0, 10.0, 0, 0], [0, 0, 20.0, 0]]]], dtype), "the gradient")


def test_the_first_of_equal_ones_gets_the_gradient():
    """In a window of equal pixels, the gradient goes to the first one, row by row, and only to that one."""
    for row, expected in (
        ([[2.0, 2.0], [2.0, 2.0]], [[7.0, 0.0], [0.0, 0.0]]),
        ([[1.0, 2.0], [2.0, 2.0]], [[0.0, 7.0], [0.0, 0.0]]),
        ([[0.0, 1.0], [2.0, 2.0]], [[0.0, 0.0], [7.0, 0.0]]),
    ):
        x = Tensor(np.array([[row]]), requires_grad=True)
        MaxPool2dKernel.apply(x, 2, *REST).backward(Tensor(np.array([[[[7.0]]]])))
        assert_close(x.grad, np.array([[expected]]), f"the gradient of {row}")


def test_windows_that_overlap_add_up():
    """A pixel that is the largest of several windows gets the gradients of all of them."""
    x = Tensor(np.array([[[[0.0, 9.0, 1.0, 2.0]]]]), requires_grad=True)
    MaxPool2dKernel.apply(x, (1, 2), 1, 0, 1).backward(Tensor(np.array([[[[1.0, 10.0, 100.0]]]])))
    assert_close(x.grad, np.array([[[[0.0, 11.0, 0.0, 100.0]]]]), "the gradient")


@given(
    data=st.data(),
    size=st.sampled_from([(2, 3, 4, 6), (1, 1, 5, 5), (0, 2, 4, 4), (2, 0, 4, 4), (3, 2, 7, 4)]),
    kernel=st.sampled_from([1, 2, (2, 3), (3, 2)]),
    stride=st.sampled_from([None, 1, 2, (1, 2), 3]),
    dtype=st.sampled_from([np.float32, np.float64]),
    last=st.booleans(),
)
@few
def test_max_pool2d_is_what_it_was(data, size, kernel, stride, dtype, last):
    """Value and gradient are those of kata 09: rows that are left over, overlaps, ties, both orders of memory."""
    x = data.draw(arrays(size, dtype))
    x = channels_last(x) if last else x
    check_kernel(Tensor, disabled, MaxPool2dKernel, max_pool2d, x, kernel, stride)


def test_max_pool2d_of_many_pictures():
    """More pictures than are worked on at a time: the last ones get their gradients too."""
    x = np.random.default_rng(0).standard_normal((33_000, 2, 2, 2)).astype(np.float32)
    check_kernel(Tensor, disabled, MaxPool2dKernel, max_pool2d, x, 2)


@both_dtypes
def test_max_pool2d_of_infinity(dtype):
    """Infinite pixels are numbers like others; an infinite gradient reaches no other pixel of its window."""
    x = np.array([[[[-INF, -INF, 1.0, 2.0], [-INF, -INF, 2.0, -INF]]]], dtype)
    check_kernel(Tensor, disabled, MaxPool2dKernel, max_pool2d, x, 2)
    leaf = Tensor(x, requires_grad=True)
    MaxPool2dKernel.apply(leaf, 2, *REST).backward(Tensor(np.array([[[[INF, NAN]]]], dtype)))
    expected = np.array([[[[INF, 0, 0, NAN], [0, 0, 0, 0]]]], dtype)
    assert_close(leaf.grad, expected, "the gradient for an infinite and a nan upstream gradient")


@both_dtypes
def test_nan_is_handed_back(dtype):
    """nan is the largest of its window and equals nothing, so == does not find it: hand it back."""
    x = np.array([[[[1.0, NAN, 2.0, 3.0], [4.0, NAN, 2.0, 1.0]]]], dtype)
    leaf = Tensor(x, requires_grad=True)
    assert MaxPool2dKernel.apply(leaf, 2, *REST) is NotImplemented, "the kernel pooled nan: hand it back"
    out = max_pool2d(leaf, 2)
    out.sum().backward()
    assert_close(out, np.array([[[[NAN, 3.0]]]], dtype), "max_pool2d with nan")
    expected = np.array([[[[0, 0, 0, 1.0], [0, 1.0, 0, 0]]]], dtype)
    assert_close(leaf.grad, expected, "the gradient with nan")


def order_of(array):
    """The axes from the one with the largest steps in memory to the one with the smallest."""
    return np.argsort([-abs(stride) for stride in array.strides], kind="stable").tolist()


def test_max_pool2d_keeps_the_order_of_memory():
    """Where channels come last in memory, they do in the result and in the gradient."""
    x = Tensor(channels_last(np.random.default_rng(0).standard_normal((2, 3, 4, 6))), requires_grad=True)
    out = MaxPool2dKernel.apply(x, 2, *REST)
    assert_equal(order_of(out.data), [0, 2, 3, 1], "the order of the axes of the result")


X = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
HANDED_BACK = {
    "padding": (X, 2, None, 1, 1),
    "dilation": (X, 2, None, 0, 2),
    "one picture": (X[0], 2, None, 0, 1),
    "float16": (X.astype("f2"), 2, None, 0, 1),
}


@pytest.mark.parametrize("args", HANDED_BACK.values(), ids=HANDED_BACK)
def test_max_pool2d_hands_back(args):
    """Padding, dilation, one picture, other dtypes: handed back, and they come out as they did."""
    x, *rest = args
    assert MaxPool2dKernel.apply(Tensor(x), *rest) is NotImplemented, "the kernel computed this: hand it back"
    with disabled():
        expected = max_pool2d(Tensor(x), *rest)
    assert_close(max_pool2d(Tensor(x), *rest), expected.data, "max_pool2d")


REFUSED = {
    "integers": ((X.astype("i8"), 2, None, 0, 1), TypeError),
    "two axes": ((X[0, 0], 2, None, 0, 1), ValueError),
    "a window that does not fit": ((X, 5, None, 0, 1), ValueError),
    "a stride of 0": ((X, 2, 0, 0, 1), ValueError),
    "three numbers for the kernel": ((X, (2, 2, 2), None, 0, 1), ValueError),
}


@pytest.mark.parametrize(("args", "error"), REFUSED.values(), ids=REFUSED)
def test_max_pool2d_refuses_as_before(args, error):
    """What max_pool2d refuses stays refused, with its own words: hand it back, or leave it to `windows` of kata 09."""
    x, *rest = args
    with raises(error):
        if MaxPool2dKernel.apply(Tensor(x), *rest) is NotImplemented:
            max_pool2d(Tensor(x), *rest)


def pool_step(x):
    x.grad = None
    out = max_pool2d(x, 2)
    out.backward(out.detach())
    return out, x.grad


def pictures():
    rng = np.random.default_rng(0)
    return [Tensor(rng.standard_normal((16, 32, 32, 32)).astype(np.float32), requires_grad=True)]


def test_max_pool2d_runs_the_kernel():
    """max_pool2d runs the kernel, with keywords too."""
    MaxPool2dKernel.apply(Tensor(X), 2, *REST)
    with profile() as seen:
        max_pool2d(Tensor(X), kernel_size=2)
    assert "MaxPool2dKernel" in seen.costs, f"max_pool2d called {sorted(seen.costs)}"


def test_max_pool2d_needs_less_memory():
    """Pooling and its gradient need at most three quarters of the memory that the composition needs."""
    (x,) = pictures()
    MaxPool2dKernel.apply(x, 2, *REST)
    fused = peak(lambda: pool_step(x))
    with disabled():
        composed = peak(lambda: pool_step(x))
    assert fused * 4 <= composed * 3, (
        f"the kernel needs {fused / 1e6:.1f} MB, the composition {composed / 1e6:.1f}"
    )


def test_max_pool2d_is_faster():
    """Pooling and its gradient take less than half of the composition's time."""
    MaxPool2dKernel.apply(Tensor(X), 2, *REST)
    speedup(
        fast=pool_step,
        slow=disabled()(pool_step),
        at_least=2,
        inputs=pictures,
        what="max_pool2d with its kernel",
        baseline="the composition",
    )


KERNELS = {
    "linear": (LinearKernel, lambda x: (x, x, None)),
    "cross_entropy": (CrossEntropyKernel, lambda x: (x, x[0], None, -100, "mean", 0.0)),
    "gelu": (GeluKernel, lambda x: (x, "tanh")),
    "layer_norm": (LayerNormKernel, lambda x: (x, 4, None, None, 1e-5)),
    "conv2d": (Conv2dKernel, lambda x: (x.reshape(1, 1, 4, 4), x.reshape(1, 1, 4, 4), None, 1, 0, 1, 1)),
    "max_pool2d": (MaxPool2dKernel, lambda x: (x.reshape(1, 1, 4, 4), 2, None, 0, 1)),
}


@pytest.mark.parametrize(("kernel", "arguments"), KERNELS.values(), ids=KERNELS)
def test_kernels_leave_a_gpu_alone(device, kernel, arguments):
    """A kernel hands back what lies on a GPU: the composition runs there."""
    x = Tensor(on_device(np.ones((4, 4), np.float32), device))
    result = kernel.apply(*arguments(x))
    if device != "cpu":
        assert result is NotImplemented, "the kernel computed an array of a GPU: hand it back"
    else:
        assert result is NotImplemented or type(result.data) is np.ndarray, (
            f"the result is {type(result.data)}"
        )
