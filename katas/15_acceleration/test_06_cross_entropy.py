"""cross_entropy with one exponential of each logit, and its gradient: what the model says minus what is true."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, check_kernel, peak, raises, speedup
from dojo.spec.strategies import arrays
from tinytorch.acceleration.kernels import CrossEntropyKernel
from tinytorch.acceleration.observing import profile
from tinytorch.dispatch import disabled
from tinytorch.losses import cross_entropy
from tinytorch.tensor import Tensor

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
REST = (None, -100, "mean", 0.0)
"""The arguments after input and target."""


@both_dtypes
def test_cross_entropy_by_hand(dtype):
    """Logits 0 and log(3) are probabilities of 1/4 and 3/4: losses of log(4) and log(4 / 3), gradients p - truth."""
    input = Tensor(np.log(np.array([[1.0, 3.0], [1.0, 3.0]], dtype)), requires_grad=True)
    loss = CrossEntropyKernel.apply(input, Tensor(np.array([0, 1])), None, -100, "sum", 0.0)
    assert_close(loss, np.array(np.log(4) + np.log(4 / 3), dtype), "the sum of the losses")
    loss.backward()
    assert_close(input.grad, np.array([[-0.75, 0.75], [0.25, -0.25]], dtype), "the gradient")


@given(
    data=st.data(),
    N=st.integers(1, 6),
    C=st.integers(1, 5),
    dtype=st.sampled_from([np.float32, np.float64]),
    reduction=st.sampled_from(["mean", "sum", "none"]),
)
def test_cross_entropy_is_what_it_was(data, N, C, dtype, reduction):
    """Value and gradient are those of kata 05, for every reduction, one row and one class too."""
    input = data.draw(arrays((N, C), dtype))
    target = data.draw(arrays((N,), np.int64, 0, 4)) % C
    check_kernel(Tensor, disabled, CrossEntropyKernel, cross_entropy, input, target, reduction=reduction)


@reductions
@both_dtypes
def test_large_logits_do_not_overflow(dtype, reduction):
    """Logits of 1000 and -1000: the largest of the row is subtracted first, as it was, and nothing warns."""
    input = np.array([[1000.0, 0.0, -1000.0], [-1000.0, -999.0, -1001.0], [3e4, 3e4, 1.0]], dtype)
    check_kernel(
        Tensor, disabled, CrossEntropyKernel, cross_entropy, input, np.array([0, 1, 2]), reduction=reduction
    )


@reductions
@both_dtypes
def test_logits_of_infinity_and_nan(dtype, reduction):
    """nan, inf and -inf among the logits, at the target and elsewhere, and a row of -inf: all as it was."""
    inf, nan = np.inf, np.nan
    rows = [[nan, 1, 2], [inf, 1, 2], [1, -inf, 2], [-inf, 1, 2], [-inf, -inf, -inf], [1, 2, 3]]
    target = np.array([1, 0, 0, 0, 2, 1])
    input = np.array(rows, dtype)
    check_kernel(Tensor, disabled, CrossEntropyKernel, cross_entropy, input, target, reduction=reduction)


def test_a_gradient_for_each_loss():
    """With reduction="none" each loss has a gradient of its own, and each row is multiplied by its own."""
    input = Tensor(np.zeros((2, 2)), requires_grad=True)
    CrossEntropyKernel.apply(input, Tensor(np.array([0, 1])), None, -100, "none", 0.0).backward(
        Tensor(np.array([2.0, -4.0]))
    )
    assert_close(input.grad, np.array([[-1.0, 1.0], [-2.0, 2.0]]), "the gradient")


def test_the_gradient_is_in_float32():
    """A float32 loss has a float32 gradient: no number of float64 takes part, which would double the time."""
    input = Tensor(np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32), requires_grad=True)
    loss = CrossEntropyKernel.apply(input, Tensor(np.zeros(8, np.int64)), *REST)
    with profile() as seen:
        loss.backward()
    dtypes = seen.costs["CrossEntropyKernel_backward"].dtypes
    assert_equal(dtypes, {"float32"}, "the dtypes of what backward computes")


X, T = np.zeros((4, 3), np.float32), np.array([0, 1, 2, 1])
HANDED_BACK = {
    "more axes": (np.zeros((4, 3, 2), np.float32), np.zeros((4, 2), np.int64), *REST),
    "one axis": (np.zeros(3, np.float32), np.array(1), *REST),
    "no rows": (np.zeros((0, 3), np.float32), np.zeros(0, np.int64), *REST),
    "a weight for each class": (X, T, np.ones(3, np.float32), -100, "mean", 0.0),
    "an ignored target": (X, np.array([0, -100, 2, 1]), *REST),
    "an ignored class": (X, T, None, 1, "mean", 0.0),
    "the first class ignored": (X, T, None, 0, "mean", 0.0),
    "label smoothing": (X, T, None, -100, "mean", 0.1),
    "float16": (X.astype(np.float16), T, *REST),
    "targets of int32": (X, T.astype(np.int32), *REST),
}


@pytest.mark.parametrize("args", HANDED_BACK.values(), ids=HANDED_BACK)
def test_cross_entropy_hands_back(args):
    """Rare options and other shapes and dtypes are handed back, and come out as they did."""
    given = [Tensor(each) if isinstance(each, np.ndarray) else each for each in args]
    assert CrossEntropyKernel.apply(*given) is NotImplemented, "the kernel computed this: hand it back"
    with disabled():
        expected = cross_entropy(*given)
    assert_close(cross_entropy(*given), expected.data, "cross_entropy")


REFUSED = {
    "a class too many": ((X, np.array([0, 3, 0, 0]), *REST), IndexError),
    "a negative class": ((X, np.array([0, -1, 0, 0]), *REST), IndexError),
    "targets of another length": ((X, T[:3], *REST), ValueError),
    "no integers": ((X, T.astype(np.float32), *REST), TypeError),
    "an unknown reduction": ((X, T, None, -100, "median", 0.0), ValueError),
}


@pytest.mark.parametrize(("args", "error"), REFUSED.values(), ids=REFUSED)
def test_cross_entropy_refuses_as_before(args, error):
    """What cross_entropy refuses the kernel hands back, and the error is the one of kata 05."""
    given = [Tensor(each) if isinstance(each, np.ndarray) else each for each in args]
    assert CrossEntropyKernel.apply(*given) is NotImplemented, "the kernel took this: hand it back"
    with raises(error):
        cross_entropy(*given)


def step(size):
    """A function that computes a loss of (N, C) logits and its gradient, and one that makes such logits and targets."""
    rng = np.random.default_rng(0)

    def inputs():
        input = rng.standard_normal(size).astype(np.float32)
        return Tensor(input, requires_grad=True), Tensor(rng.integers(0, size[1], size[0]))

    def loss(input, target):
        input.grad = None
        value = cross_entropy(input, target)
        value.backward()
        return value, input.grad

    return loss, inputs


def test_cross_entropy_runs_the_kernel():
    """cross_entropy with its defaults runs the kernel."""
    CrossEntropyKernel.apply(Tensor(X), Tensor(T), *REST)
    with profile() as seen:
        cross_entropy(Tensor(X), target=Tensor(T))
    assert "CrossEntropyKernel" in seen.costs, f"cross_entropy called {sorted(seen.costs)}"


def test_cross_entropy_needs_less_memory():
    """A loss and its gradient need at most half of the memory that the composition needs."""
    loss, inputs = step((256, 1000))
    args = inputs()
    CrossEntropyKernel.apply(*args, *REST)
    fused = peak(lambda: loss(*args))
    with disabled():
        composed = peak(lambda: loss(*args))
    assert fused * 2 <= composed, (
        f"the kernel needs {fused / 1e6:.1f} MB and the composition {composed / 1e6:.1f}"
    )


def test_cross_entropy_is_faster():
    """A loss and its gradient take at most five sixths of the composition's time."""
    loss, inputs = step((256, 1000))
    CrossEntropyKernel.apply(*inputs(), *REST)
    speedup(
        fast=loss,
        slow=disabled()(loss),
        at_least=1.2,
        inputs=inputs,
        what="cross_entropy with its kernel",
        baseline="the composition",
    )
