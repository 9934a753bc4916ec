"""conv2d as products of columns: forwards, for the weight, for the input, and for both at once."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dojo.spec import (
    assert_close,
    assert_equal,
    channels_last,
    check_kernel,
    peak,
    raises,
    speedup,
    unchanged,
)
from dojo.spec.strategies import arrays
from tinytorch.acceleration.convolution import (
    Conv2dKernel,
    conv2d_forward,
    conv2d_gradients,
    conv2d_input,
    conv2d_weight,
)
from tinytorch.acceleration.observing import profile
from tinytorch.autograd import Context
from tinytorch.dispatch import disabled
from tinytorch.spatial import conv2d
from tinytorch.tensor import Tensor

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
few = settings(max_examples=25)


def seven_loops(x, weight, bias, stride, padding):
    """The definition, number by number."""
    (N, C, H, W), (K, _, kh, kw) = x.shape, weight.shape
    padded = np.pad(x, [(0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2])
    OH, OW = (H + 2 * padding[0] - kh) // stride[0] + 1, (W + 2 * padding[1] - kw) // stride[1] + 1
    out = np.zeros((N, K, OH, OW), x.dtype)
    for n in range(N):
        for o in range(K):
            for r in range(OH):
                for c in range(OW):
                    total = 0.0 if bias is None else bias[o]
                    for k in range(C):
                        for i in range(kh):
                            for j in range(kw):
                                total += (
                                    weight[o, k, i, j] * padded[n, k, r * stride[0] + i, c * stride[1] + j]
                                )
                    out[n, o, r, c] = total
    return out


def drawn(*shapes, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.integers(-8, 9, shape) / 4).astype(dtype) for shape in shapes]


# Forwards


def test_a_convolution_by_hand():
    """conv2d_forward of one picture and one kernel: the sum of products at each place, plus the bias."""
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    out = conv2d_forward(x, np.array([[[[1.0, 10.0]]]]), np.array([0.5]), (1, 1), (0, 0))
    assert_close(out, np.array([[[[21.5, 32.5], [54.5, 65.5]]]]), "the result")


CASES = [
    ((2, 3, 4, 5), (4, 3, 2, 3), (1, 1), (0, 0)),
    ((2, 3, 4, 5), (4, 3, 3, 2), (2, 1), (1, 2)),
    ((1, 1, 5, 5), (33, 1, 3, 3), (2, 3), (1, 1)),
    ((0, 2, 4, 4), (3, 2, 2, 2), (1, 1), (1, 0)),
    ((3, 2, 4, 4), (1, 2, 4, 4), (1, 1), (0, 0)),
    ((2, 2, 3, 4), (3, 2, 1, 1), (1, 1), (0, 0)),
]
cases = pytest.mark.parametrize(("size", "kernels", "stride", "padding"), CASES)


@cases
@both_dtypes
def test_a_convolution_number_by_number(size, kernels, stride, padding, dtype):
    """Strides, padding, one place, one picture or none: conv2d_forward gives what seven loops give, with its dtype."""
    x, weight, bias = drawn(size, kernels, kernels[:1], dtype=dtype)
    expected = seven_loops(x, weight, bias, stride, padding)
    with unchanged(x, weight, bias):
        assert_close(conv2d_forward(x, weight, bias, stride, padding), expected, "with a bias")
    expected = seven_loops(x, weight, None, stride, padding)
    assert_close(
        conv2d_forward(channels_last(x), weight, None, stride, padding), expected, "without, channels last"
    )


def order_of(array):
    """The axes from the one with the largest steps in memory to the one with the smallest."""
    return np.argsort([-abs(stride) for stride in array.strides], kind="stable").tolist()


def test_many_channels_come_last_in_memory():
    """With 32 kernels, channels come last in the memory of the result, with 3 first: `pictures` gives it."""
    for K, expected in ((32, [0, 2, 3, 1]), (3, [0, 1, 2, 3])):
        x, weight = drawn((2, 3, 6, 7), (K, 3, 3, 3))
        out = conv2d_forward(x, weight, None, (1, 1), (1, 1))
        assert_equal(order_of(out), expected, f"the order of the axes in memory, with {K} kernels")


# Backwards


def test_the_gradient_for_the_weight_by_hand():
    """conv2d_weight: each number of a kernel gets the sum of upstream gradient times what it saw."""
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    grad = np.array([[[[1.0, 0.0], [0.0, 10.0]]]])
    result = conv2d_weight(grad, x, (1, 2), (1, 1), (0, 0))
    assert_close(result, np.array([[[[51.0, 62.0]]]]), "the gradient for the weight")


def test_the_gradient_for_the_input_by_hand():
    """conv2d_input: each pixel gets, from every place that saw it, its gradient times the number of the kernel."""
    grad = np.array([[[[1.0, 10.0]]]])
    result = conv2d_input(grad, np.array([[[[2.0, 3.0]]]]), (1, 3), (1, 1), (0, 0))
    assert_close(result, np.array([[[[2.0, 23.0, 30.0]]]]), "the gradient for the input")


@cases
@both_dtypes
def test_both_gradients_belong_to_the_convolution(size, kernels, stride, padding, dtype):
    """A convolution is linear in x and in weight: sum(grad * out) equals sum(gradient * x), and likewise for weight."""
    x, weight, dx, dw = drawn(size, kernels, size, kernels, dtype=dtype)
    out = seven_loops(x, weight, None, stride, padding)
    (grad,) = drawn(out.shape, dtype=dtype, seed=1)
    for order in (np.array, channels_last):
        given = order(grad)
        with unchanged(given, x, weight):
            for_weight = conv2d_weight(given, order(x), kernels[2:], stride, padding)
            for_x = conv2d_input(given, weight, size[2:], stride, padding)
        assert_equal((for_x.shape, for_x.dtype), (size, x.dtype), "shape and dtype of the gradient for x")
        assert_equal(
            (for_weight.shape, for_weight.dtype), (kernels, x.dtype), "those of the gradient for weight"
        )
        moved = (grad * seven_loops(x, dw, None, stride, padding)).sum()
        assert_close(
            (for_weight * dw).sum(), moved, "sum(gradient for weight * a change of weight)", rtol=1e-5
        )
        moved = (grad * seven_loops(dx, weight, None, stride, padding)).sum()
        assert_close((for_x * dx).sum(), moved, "sum(gradient for x * a change of x)", rtol=1e-5)


@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (0, 1), (2, 1)])
@pytest.mark.parametrize("C", [1, 3, 32])
def test_both_gradients_at_once(C, padding):
    """With a stride of 1, conv2d_gradients gives what conv2d_input and conv2d_weight give."""
    x, weight = drawn((2, C, 5, 6), (4, C, 3, 2))
    (grad,) = drawn((2, 4, 5 + 2 * padding[0] - 2, 6 + 2 * padding[1] - 1), seed=1)
    for order in (np.array, channels_last):
        with unchanged(grad, x, weight):
            for_x, for_weight = conv2d_gradients(order(grad), order(x), weight, padding)
        expected = conv2d_input(grad, weight, (5, 6), (1, 1), padding)
        assert_close(for_x, expected, "the gradient for x")
        expected = conv2d_weight(grad, x, (3, 2), (1, 1), padding)
        assert_close(for_weight, expected, "the gradient for weight")


# The kernel


@given(
    data=st.data(),
    N=st.sampled_from([0, 1, 3]),
    channels=st.sampled_from([(1, 1), (3, 2), (2, 33), (33, 1)]),
    kernel=st.sampled_from([(1, 1), (2, 3), (3, 2)]),
    stride=st.sampled_from([1, 2, (1, 2)]),
    padding=st.sampled_from([0, 1, (2, 1)]),
    dtype=st.sampled_from([np.float32, np.float64]),
    biased=st.booleans(),
    last=st.booleans(),
)
@few
def test_conv2d_is_what_it_was(data, N, channels, kernel, stride, padding, dtype, biased, last):
    """Value and all gradients are those of kata 09, in both orders of memory."""
    C, K = channels
    x = data.draw(arrays((N, C, 4, 5), dtype))
    weight = data.draw(arrays((K, C, *kernel), dtype))
    bias = data.draw(arrays((K,), dtype)) if biased else None
    x = channels_last(x) if last else x
    check_kernel(Tensor, disabled, Conv2dKernel, conv2d, x, weight, bias, stride, padding)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("where", ["x", "weight"])
@both_dtypes
def test_conv2d_of_infinity_and_nan(dtype, where, stride):
    """Infinity and nan, in x or in weight, reach what they reached, and nothing else: 0 * inf is nan."""
    x, weight, bias = drawn((2, 3, 5, 5), (4, 3, 3, 3), (4,), dtype=dtype)
    spoiled = {"x": x, "weight": weight}[where]
    spoiled[0, 0, 0, :3] = [np.inf, -np.inf, np.nan]
    check_kernel(Tensor, disabled, Conv2dKernel, conv2d, x, weight, bias, stride, 1)


ELSEWHERE = {
    "every second column": ((3, 3), (1, 2), 1),
    "every second row": ((3, 3), (2, 1), 1),
    "as much padding as the kernel has rows": ((1, 3), 1, 1),
    "as much padding as the kernel has columns": ((3, 1), 1, 1),
}


@pytest.mark.parametrize(("kernel", "stride", "padding"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_where_the_gradients_do_not_come_together(kernel, stride, padding):
    """Where conv2d_gradients does not apply, in one direction alone too, the gradients are right: it is not called."""
    x, weight = drawn((2, 3, 5, 5), (4, 3, *kernel))
    check_kernel(Tensor, disabled, Conv2dKernel, conv2d, x, weight, None, stride, padding)


def test_the_first_layer_needs_no_gradient_for_pictures():
    """The first layer of a model needs no gradient for its pictures, and with weights that are frozen only for them."""
    x, weight, bias = drawn((2, 3, 5, 5), (4, 3, 3, 3), (4,))
    for wanted in ((False, True, True), (True, False, True), (False, False, True), (True, True, False)):
        ctx = Context((*wanted, False, False, False, False))
        out = Conv2dKernel.forward(ctx, x, weight, bias, 1, 1, 1, 1)
        gradients = Conv2dKernel.backward(ctx, np.ones_like(out))[:3]
        there = tuple(each is not None for each in gradients)
        assert_equal(there, wanted, "which gradients were computed")
    with profile() as seen:
        Conv2dKernel.apply(Tensor(x), Tensor(weight, requires_grad=True), None, 1, 1, 1, 1).sum().backward()
    nbytes = seen.costs["Conv2dKernel_backward"].nbytes
    assert nbytes <= weight.nbytes, f"backward made arrays of {nbytes} bytes for a weight of {weight.nbytes}"


X, W = np.ones((2, 4, 5, 5), np.float32), np.ones((4, 4, 3, 3), np.float32)
HANDED_BACK = {
    "dilation": (X, W, None, 1, 1, 2, 1),
    "groups": (X, W[:, :2], None, 1, 1, 1, 2),
    '"same"': (X, W, None, 1, "same", 1, 1),
    '"valid"': (X, W, None, 1, "valid", 1, 1),
    "one picture": (X[0, :, :4], W, None, 1, 1, 1, 1),
    "float16": (X.astype("f2"), W.astype("f2"), None, 1, 1, 1, 1),
    "two dtypes": (X, W.astype("f8"), None, 1, 1, 1, 1),
    "a bias in float64": (X, W, np.ones(4), 1, 1, 1, 1),
}


@pytest.mark.parametrize("args", HANDED_BACK.values(), ids=HANDED_BACK)
def test_conv2d_hands_back(args):
    """Dilation, groups, padding in words, one picture, other dtypes: handed back, and they come out as they did."""
    given = [Tensor(each) if isinstance(each, np.ndarray) else each for each in args]
    assert Conv2dKernel.apply(*given) is NotImplemented, "the kernel computed this: hand it back"
    with disabled():
        expected = conv2d(*given)
    assert_close(conv2d(*given), expected.data, "conv2d")


MISFITS = {
    "other channels": (W[:, :3], None),
    "a weight of three axes": (W[:, :, 0], None),
    "a bias that would broadcast": (W, W[0, 0, 0, :1]),
}


@pytest.mark.parametrize("given", MISFITS.values(), ids=MISFITS)
def test_conv2d_hands_back_shapes_that_do_not_fit(given):
    """A weight or a bias of a shape that does not fit is handed back, and the error is conv2d's own."""
    args = [None if each is None else Tensor(each) for each in (X, *given)]
    assert Conv2dKernel.apply(*args, 1, 1, 1, 1) is NotImplemented, "the kernel took this: hand it back"
    with raises(ValueError):
        conv2d(*args, padding=1)


REFUSED = {
    "the kernel is too large": (X[:, :, :2], W, None, 1, 0, 1, 1),
    "a stride of 0": (X, W, None, 0, 1, 1, 1),
    "padding below 0": (X, W, None, 1, (0, -1), 1, 1),
    "no groups": (X, W, None, 1, 1, 1, 0),
    "three numbers for the stride": (X, W, None, (1, 1, 1), 1, 1, 1),
}


@pytest.mark.parametrize("args", REFUSED.values(), ids=REFUSED)
def test_conv2d_refuses_as_before(args):
    """What conv2d refuses stays a ValueError, with the words of kata 09: hand it back."""
    given = [Tensor(each) if isinstance(each, np.ndarray) else each for each in args]
    with raises(ValueError):
        if Conv2dKernel.apply(*given) is NotImplemented:
            conv2d(*given)


def conv_step(x, weight):
    x.grad = weight.grad = None
    out = conv2d(x, weight, padding=1)
    out.backward(out.detach())
    return out, x.grad, weight.grad


def pictures():
    rng = np.random.default_rng(0)
    return [
        Tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True)
        for shape in ((16, 8, 16, 16), (8, 8, 3, 3))
    ]


def test_conv2d_runs_the_kernel():
    """conv2d runs the kernel, with keywords too."""
    Conv2dKernel.apply(Tensor(X), Tensor(W), None, 1, 0, 1, 1)
    with profile() as seen:
        conv2d(Tensor(X), weight=Tensor(W), padding=1)
    assert "Conv2dKernel" in seen.costs, f"conv2d called {sorted(seen.costs)}"


def test_conv2d_needs_less_memory():
    """The columns of one picture at a time: a step needs at most a quarter of the memory of the composition."""
    x, weight = pictures()
    Conv2dKernel.apply(x, weight, None, 1, 1, 1, 1)
    fused = peak(lambda: conv_step(x, weight))
    with disabled():
        composed = peak(lambda: conv_step(x, weight))
    assert fused * 4 <= composed, (
        f"the kernel needs {fused / 1e6:.1f} MB and the composition {composed / 1e6:.1f}"
    )


def test_conv2d_is_faster_than_seven_loops():
    """conv2d takes at most a two-hundredth of the time of seven loops."""
    rng = np.random.default_rng(0)
    Conv2dKernel.apply(Tensor(X), Tensor(W), None, 1, 1, 1, 1)
    speedup(
        fast=lambda x, weight: conv2d(Tensor(x), Tensor(weight), padding=1).data,
        slow=lambda x, weight: seven_loops(x, weight, None, (1, 1), (1, 1)),
        at_least=200,
        inputs=lambda: [
            rng.standard_normal(shape).astype(np.float32) for shape in ((1, 8, 12, 12), (8, 8, 3, 3))
        ],
        what="conv2d",
        baseline="seven loops",
    )
