"""gradcheck: how to know that a gradient is right without knowing the answer."""

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises, unchanged
from tinytorch.autograd import Function, GradcheckError, gradcheck, is_grad_enabled, numerical_gradient
from tinytorch.tensor import Tensor, exp, matmul, sqrt, sum


def leaf(values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


class Wrong(Function):
    """x * x with a gradient that is not right: see each spec."""

    @staticmethod
    def forward(ctx, x, mistake):
        ctx.save_for_backward(x)
        ctx.mistake = mistake
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return ctx.mistake(grad, x), None


def test_a_slope_by_differences():
    """numerical_gradient(f, [x], 0, cotangent) of x * x at [1, 3], with a cotangent of [1, 10], is [2, 60]."""
    found = numerical_gradient(lambda x: x * x, [leaf([1.0, 3.0])], 0, np.array([1.0, 10.0]))
    assert_close(found, np.array([2.0, 60.0]), rtol=1e-6)


def test_differences_for_one_of_several_inputs():
    """`place` says for which input; every entry of it is moved, in any shape."""
    a, b = leaf(np.arange(6.0).reshape(2, 3)), leaf(np.arange(3.0).reshape(3, 1))
    found = numerical_gradient(matmul, [a, b], 1, np.array([[1.0], [10.0]]))
    assert_close(found, np.array([[30.0], [41.0], [52.0]]), rtol=1e-6)


def test_differences_leave_the_input_as_it_was():
    """Each entry is put back exactly: adding eps and subtracting it again would not do."""
    x = leaf([0.1, 1e9])
    with unchanged(x):
        numerical_gradient(exp, [leaf([0.0])], 0, np.ones(1))
        numerical_gradient(lambda a: a * 2.0, [x], 0, np.ones(2))


def test_differences_leave_the_input_as_it_was_after_an_error():
    """Where the function raises, the entry that was moved is put back all the same."""

    def broken(x):
        raise LookupError("the function is broken")

    x = leaf([0.1, 1e9])
    with unchanged(x), raises(LookupError):
        numerical_gradient(broken, [x], 0, np.ones(2))


def test_differences_of_a_view():
    """A function may give a view of its input: the value at x + eps must be used before x is moved to x - eps."""
    found = numerical_gradient(lambda x: x.reshape(2, 1), [leaf([1.0, 3.0])], 0, np.array([[1.0], [10.0]]))
    assert_close(found, np.array([1.0, 10.0]), rtol=1e-6)


def test_differences_are_not_recorded():
    """The function is called without recording: a thousand graphs that are not used would only cost time."""
    seen = []

    def function(x):
        seen.append(is_grad_enabled())
        return x * 1.0

    numerical_gradient(function, [leaf([1.0])], 0, np.ones(1))
    assert_equal(seen, [False, False], "is_grad_enabled() in the two calls")


def test_a_right_gradient_passes():
    """gradcheck(f, inputs) is True where gradients agree with differences; one Tensor may stand for a list of one."""
    assert_equal(gradcheck(lambda a, b: exp(a) * b, [leaf([1.0, 2.0]), leaf(3.0)]), True, "for two inputs")
    assert_equal(gradcheck(lambda x: x * x, leaf([[1.0], [2.0]])), True, "for one Tensor")


MISTAKES = {
    "twice too large": lambda grad, x: grad * 4 * x,
    "the upstream gradient forgotten": lambda grad, x: 2 * x,
    "wrong in one entry": lambda grad, x: grad * np.where(np.arange(x.size) == 1, 0, 2 * x),
    "zero": lambda grad, x: grad * 0,
    "nan in one entry": lambda grad, x: grad * np.where(x == 1, np.nan, 2 * x),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_gradient_does_not(mistake):
    """A gradient that does not agree is a GradcheckError with the place of its input, even if only grad is missing."""
    with raises(GradcheckError, 0):
        gradcheck(lambda x: Wrong.apply(x, MISTAKES[mistake]), leaf([1.0, 2.0, -3.0]))


def test_a_small_entry_counts_as_much_as_a_large_one():
    """Each entry is measured against itself: 20.0 and 0.21 for slopes of 20.0 and 0.2 do not agree."""
    with raises(GradcheckError, 0):
        gradcheck(lambda x: Wrong.apply(x, lambda grad, x: grad * [20.0, 0.21]), leaf([10.0, 0.1]))


def test_nan_agrees_with_nothing():
    """Where the differences are nan, too, nobody knows the gradient: sqrt at -1 is a GradcheckError."""
    with raises(GradcheckError, 0):
        gradcheck(sqrt, leaf([-1.0]))


def test_the_second_input_is_checked_too():
    """The error names the place of the input whose gradient is wrong: here 1."""
    with raises(GradcheckError, 1):
        gradcheck(lambda a, b: a * Wrong.apply(b, MISTAKES["zero"]), [leaf([1.0]), leaf([2.0])])


def test_false_instead_of_an_error():
    """With raise_exception=False gradcheck gives False."""
    right = gradcheck(lambda x: Wrong.apply(x, MISTAKES["zero"]), leaf([1.0]), raise_exception=False)
    assert_equal(right, False, "the answer for a wrong gradient")


def test_tolerances_and_steps_are_yours():
    """rtol says how far off a gradient may be, eps how far an entry is moved: with a step of 1, x**3 looks steeper."""

    def nearly(x):
        return Wrong.apply(x, lambda grad, x: grad * 2.02 * x)

    assert_equal(gradcheck(nearly, leaf([1.0, 2.0]), rtol=0.05), True, "1 % off, with rtol=0.05")
    assert_equal(
        gradcheck(nearly, leaf([1.0, 2.0]), raise_exception=False), False, "1 % off, with the usual rtol"
    )
    right = gradcheck(lambda x: x * x * x, leaf([1.0, 2.0]), eps=1.0, raise_exception=False)
    assert_equal(right, False, "x * x * x, with eps=1.0")


def test_atol_is_for_entries_near_0():
    """The slope of x * x at 0 is 0: a gradient of 0.5 agrees with atol=1, and with no rtol whatever."""

    def shifted(x):
        return Wrong.apply(x, lambda grad, x: grad * (2 * x + 0.5))

    for options, expected in (({"atol": 1.0}, True), ({"rtol": 1.0}, False)):
        found = gradcheck(shifted, leaf([0.0]), raise_exception=False, **options)
        assert_equal(found, expected, f"0.5 off, with {options}, the answer")


def test_inputs_without_a_gradient_are_left_out():
    """Only inputs that require grad are checked; one that the output does not depend on has gradient 0 and passes."""
    constant, unused = Tensor(np.array([3.0], np.float32)), leaf([5.0])
    assert_equal(gradcheck(lambda a, b, c: sum(a * b), [leaf([1.0]), constant, unused]), True, "the answer")


def test_a_path_that_was_cut_is_found():
    """An input that matters, but gets no gradient, is a GradcheckError: here the way to input 1 is detached."""
    with raises(GradcheckError, 1):
        gradcheck(lambda a, b: a * b.detach(), [leaf([1.0]), leaf([2.0])])


def test_differences_need_double_precision():
    """A float32 input is a ValueError with its dtype: rounding would lose a change of a millionth."""
    with raises(ValueError, "float32"):
        gradcheck(lambda x: x * x, leaf([1.0], np.float32))


def test_there_must_be_something_to_check():
    """Without an input that requires grad, gradcheck is a ValueError: it would be True for every function."""
    with raises(ValueError):
        gradcheck(lambda x: x * x, Tensor(np.ones(2)))
