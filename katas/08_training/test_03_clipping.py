"""Gradients that are too large: clip_grad_norm_ and clip_grad_value_."""

import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays_of, shapes
from tinytorch.layers import Linear, Parameter
from tinytorch.tensor import Tensor
from tinytorch.training import clip_grad_norm_, clip_grad_value_

TWO_SHAPES = st.tuples(shapes(max_dims=2, max_side=3), shapes(max_dims=2, max_side=3))


def params_with(*grads, dtype=np.float32):
    """A parameter for each gradient; None is a parameter without one."""
    params = []
    for grad in grads:
        array = None if grad is None else np.array(grad, dtype)
        params.append(Parameter(np.zeros_like(array if grad is not None else np.zeros(1, dtype))))
        params[-1].grad = None if grad is None else Tensor(array)
    return params


def norm_of(grads, p):
    """The oracle: the norm of all entries as one long list of Python numbers."""
    numbers = [abs(float(x)) for grad in grads for x in np.asarray(grad, np.float64).flat]
    return max(numbers, default=0.0) if p == math.inf else math.fsum(x**p for x in numbers) ** (1 / p)


def test_clip_grad_norm_by_hand():
    """Gradients [3] and [4] have the norm 5 together, which is returned; clipped to 1 they are [0.6] and [0.8]."""
    a, b = params_with([3.0], [4.0])
    norm = clip_grad_norm_([a, b], 1.0)
    assert isinstance(norm, Tensor), f"the norm is a {type(norm).__name__}, expected a Tensor"
    assert_close(norm, np.array(5.0, np.float32), "the norm")
    assert_close(a.grad, np.array([0.6], np.float32), "the first gradient")
    assert_close(b.grad, np.array([0.8], np.float32), "the second gradient")


def test_small_gradients_stay():
    """Gradients whose norm is 5 stay bit for bit as they are when 7 is allowed, and are not scaled up."""
    a, b = params_with([3.0], [4.0])
    with unchanged(a.grad, b.grad):
        norm = clip_grad_norm_([a, b], 7.0)
    assert_close(norm, np.array(5.0, np.float32), "the norm")


def test_clipping_writes_into_the_gradients_themselves():
    """The arrays of the gradients are written into, in their dtype; the parameters are not."""
    (p,) = params_with([3.0, 4.0])
    array = p.grad.data
    with unchanged(p):
        clip_grad_norm_([p], 1.0)
    assert_close(array, np.array([0.6, 0.8], np.float32), "the array that was the gradient's before")


@given(
    grads=arrays_of(TWO_SHAPES),
    p=st.sampled_from([1.0, 2.0, 3.0, math.inf]),
    most=st.sampled_from([0.5, 2.0]),
)
@example(grads=(np.array([1.0, -2.0], np.float32), np.array(3.0, np.float32)), p=1.0, most=0.5)
def test_clip_grad_norm_of_any_kind(grads, p, most):
    """norm_type says which norm: 1 adds up |g|, inf takes the largest; afterwards that norm is at most max_norm."""
    params = params_with(*grads)
    before = norm_of(grads, p)
    with no_warnings():
        norm = clip_grad_norm_(params, most, norm_type=p)
    assert_close(norm, np.array(before, np.float32), "the norm before")
    factor = min(1.0, most / before) if before else 1.0
    for param, grad in zip(params, grads, strict=True):
        assert_close(param.grad, np.asarray(grad * factor, np.float32), "a gradient", rtol=1e-5, atol=1e-5)


def test_parameters_may_come_from_a_generator():
    """model.parameters() is a generator, and can be iterated over only once."""
    layer = Linear(1, 1)
    layer.weight.grad, layer.bias.grad = (
        Tensor(np.array([[3.0]], np.float32)),
        Tensor(np.array([4.0], np.float32)),
    )
    norm = clip_grad_norm_(layer.parameters(), 1.0)
    assert_close(norm, np.array(5.0, np.float32), "the norm")
    assert_close(layer.bias.grad, np.array([0.8], np.float32), "the gradient of the bias")


def test_a_used_up_generator_is_worth_a_warning():
    """A generator that gives no parameter is a UserWarning; an empty list is none, nor is a missing gradient."""
    with pytest.warns(UserWarning):
        clip_grad_norm_((parameter for parameter in ()), 1.0)
    with no_warnings():
        clip_grad_norm_([], 1.0)
        clip_grad_norm_(iter(params_with(None)), 1.0)


def test_one_parameter_will_do():
    """A single Tensor counts as a list of one, and is not taken apart row by row."""
    (p,) = params_with([3.0, 4.0])
    clip_grad_norm_(p, 1.0)
    assert_close(p.grad, np.array([0.6, 0.8], np.float32), "the gradient")


def test_parameters_without_a_gradient_do_not_count():
    """A parameter whose .grad is None is skipped, and without any gradient the norm is 0."""
    a, b = params_with(None, [3.0, 4.0])
    assert_close(clip_grad_norm_([a, b], 1.0), np.array(5.0, np.float32), "the norm")
    assert a.grad is None, "the parameter without a gradient has one now"
    assert_close(clip_grad_norm_([a], 1.0), np.array(0.0, np.float32), "the norm of no gradient")


def test_gradients_of_zero_stay_zero():
    """Gradients of zeros stay zero: no division by 0, no nan, no warning."""
    (p,) = params_with([0.0, 0.0])
    with no_warnings():
        norm = clip_grad_norm_([p], 1.0)
    assert_close(norm, np.array(0.0, np.float32), "the norm")
    assert_close(p.grad, np.zeros(2, np.float32), "the gradient")


def test_large_gradients_do_not_overflow():
    """The squares of 3e25 and 4e25 are beyond float32, their norm 5e25 is not."""
    (p,) = params_with([3e25, 4e25])
    with no_warnings():
        norm = clip_grad_norm_([p], 1.0)
    assert_close(norm, np.array(5e25, np.float32), "the norm")
    assert_close(p.grad, np.array([0.6, 0.8], np.float32), "the gradient")


def test_a_norm_that_is_no_number_can_be_an_error():
    """With error_if_nonfinite, gradients with inf or nan are a RuntimeError that says so, and stay as they are."""
    for bad in (math.inf, math.nan):
        a, b = params_with([bad, 1.0], [3.0])
        with unchanged(a.grad, b.grad), raises(RuntimeError, bad):
            clip_grad_norm_([a, b], 1.0, error_if_nonfinite=True)


def test_a_norm_that_is_no_number_is_given_back():
    """Without error_if_nonfinite an infinite norm is returned, and the finite gradients are scaled to 0."""
    a, b = params_with([math.inf], [3.0])
    with np.errstate(invalid="ignore"):
        norm = clip_grad_norm_([a, b], 1.0)
    assert_close(norm, np.array(math.inf, np.float32), "the norm")
    assert_close(b.grad, np.array([0.0], np.float32), "the finite gradient")


def test_a_norm_of_nan_is_seen_in_every_gradient():
    """Without error_if_nonfinite, a nan in one gradient makes the norm nan and every gradient nan, as in PyTorch.

    Ignoring the nan would hide it.
    """
    a, b = params_with([math.nan], [3.0])
    norm = clip_grad_norm_([a, b], 1.0)
    assert_close(norm, np.array(math.nan, np.float32), "the norm")
    assert_close(b.grad, np.array([math.nan], np.float32), "the gradient without a nan of its own")


def test_clip_grad_norm_refuses_what_is_no_norm():
    """A max_norm of -1 and a norm_type of 0 are ValueErrors that name them, and change nothing."""
    (p,) = params_with([3.0, 4.0])
    with unchanged(p.grad):
        with raises(ValueError, -1.0):
            clip_grad_norm_([p], -1.0)
        with raises(ValueError, 0):
            clip_grad_norm_([p], 1.0, norm_type=0)


def test_clip_grad_value_by_hand():
    """clip_grad_value_ with 1 makes [-3, 0.5, 2] and [[1.5]] to [-1, 0.5, 1] and [[1]], in place, and gives None."""
    a, b, c = params_with([-3.0, 0.5, 2.0], [[1.5]], None)
    array = a.grad.data
    result = clip_grad_value_(iter([a, b, c]), 1.0)
    assert result is None, f"clip_grad_value_ gave {result!r}, expected None"
    assert_close(array, np.array([-1.0, 0.5, 1.0], np.float32), "the array that was the gradient's before")
    assert_close(b.grad, np.array([[1.0]], np.float32), "the second gradient")


def test_clip_grad_value_needs_a_bound():
    """A clip_value of -1 is a ValueError that names it; 0 leaves nothing."""
    (p,) = params_with([3.0])
    with unchanged(p.grad), raises(ValueError, -1.0):
        clip_grad_value_(p, -1.0)
    clip_grad_value_(p, 0.0)
    assert_close(p.grad, np.zeros(1, np.float32), "the gradient after clip_grad_value_(p, 0)")
