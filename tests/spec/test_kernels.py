"""`check_kernel` finds what differs between a fast version and the simple one; `peak` weighs what a call allocates."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from dojo.spec import channels_last, check_kernel, peak
from tinytorch.autograd import Function
from tinytorch.tensor import Tensor


def double(x: Tensor, factor: float = 2.0) -> Tensor:
    """The simple version."""
    return x * factor


def kernel(value: Any, slope: Any = lambda grad, factor: grad * factor) -> Any:
    """A fast version of `double` whose forward is value(x, factor), and whose backward is slope(grad, factor)."""

    class Kernel(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, factor: float) -> Any:
            ctx.factor = factor
            return value(x, factor)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return slope(grad, ctx.factor), None

    return Kernel


X = np.arange(6.0).reshape(2, 3)


def check(fast: Any, *inputs: Any) -> None:
    check_kernel(Tensor, nullcontext, fast, double, *inputs)


def test_a_right_kernel_passes_with_its_defaults_and_without() -> None:
    check(kernel(lambda x, factor: x * factor), X)
    check(kernel(lambda x, factor: x * factor), X, 3.0)


WRONG = {
    "the result": kernel(lambda x, factor: x * factor + 1),
    "shape": kernel(lambda x, factor: x[:1] * factor, lambda grad, factor: np.zeros((2, 3))),
    "dtype": kernel(lambda x, factor: (x * factor).astype(np.float32)),
    "gradient of x": kernel(lambda x, factor: x * factor, lambda grad, factor: grad),
    "handed this back": kernel(lambda x, factor: NotImplemented),
    "was changed": kernel(lambda x, factor: np.multiply(x, factor, out=x).copy()),
    "warning": kernel(lambda x, factor: x * factor + 0 * (1 / x).clip(0, 1)),
}


@pytest.mark.parametrize(("says", "fast"), WRONG.items(), ids=WRONG)
def test_a_wrong_kernel_is_found(says: str, fast: Any) -> None:
    with pytest.raises(AssertionError, match=says):
        check(fast, X.copy())


def test_channels_last_keeps_the_numbers() -> None:
    x = np.arange(120.0).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(channels_last(x), x)
    assert channels_last(x).strides == (480, 8, 120, 24)


def test_peak_counts_what_is_there_at_once() -> None:
    def allocate() -> None:
        for _ in range(3):
            np.ones(1 << 17).sum()  # 1 MiB, and gone again

    assert 1 << 20 <= peak(allocate) < 1.2 * (1 << 20)
