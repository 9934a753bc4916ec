"""Functions of a row: many numbers become shares of 1."""

import math

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, no_warnings, unchanged
from dojo.spec.strategies import arrays, shapes
from tinytorch.activations import log_softmax, logsumexp, softmax
from tinytorch.tensor import Tensor


def each_row(function, x, dim):
    """The oracle: `function` on the list of entries of each row along `dim`, in Python's floats."""
    return np.apply_along_axis(lambda row: function(row.tolist()), dim, x.astype(np.float64)).astype(x.dtype)


def shares(row):
    powers = [math.exp(v - max(row)) for v in row]
    return [p / math.fsum(powers) for p in powers]


def logarithm_of_sum(row):
    return max(row) + math.log(math.fsum(math.exp(v - max(row)) for v in row))


MATRICES = arrays(shapes(min_dims=2, max_dims=3, min_side=1), low=-4, high=4)


def test_softmax_makes_shares_of_one():
    """softmax([0, log(3)]) is [0.25, 0.75]: exp makes 1 and 3, and 4 shares them out."""
    x = Tensor(np.array([0.0, math.log(3.0)]))
    assert_close(softmax(x, dim=0), np.array([0.25, 0.75]))


@given(x=MATRICES, dim=st.integers(-2, 1))
@example(x=np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]], np.float32), dim=1)
def test_softmax_works_along_any_axis(x, dim):
    """softmax(x, dim) makes every row along `dim` add up to 1, and leaves x as it was."""
    with unchanged(x):
        out = softmax(Tensor(x), dim)
    assert_close(out, each_row(shares, x, dim), f"softmax(x, {dim})")


def test_softmax_does_not_overflow():
    """softmax([1000, 1000]) is [0.5, 0.5]: only the differences matter, so take the largest away first."""
    with no_warnings():
        out = softmax(Tensor(np.array([[1000.0, 1000.0], [-1000.0, 0.0]], np.float32)), 1)
    assert_close(out, np.array([[0.5, 0.5], [0.0, 1.0]], np.float32), "softmax(x, 1)")


def test_softmax_gives_nothing_to_minus_infinity():
    """An entry of -inf gets the share 0, without a warning: this is how attention will ignore a position."""
    with no_warnings():
        out = softmax(Tensor(np.array([0.0, -math.inf, 0.0])), 0)
    assert_close(out, np.array([0.5, 0.0, 0.5]))


@given(x=MATRICES, dim=st.integers(-2, 1))
@example(x=np.array([[0.0, 0.0]], np.float32), dim=1)
def test_log_softmax_is_the_logarithm_of_softmax(x, dim):
    """log_softmax(x, dim) is log(softmax(x, dim)): [-log(2), -log(2)] for a row of two equal entries."""
    expected = each_row(lambda row: [math.log(p) for p in shares(row)], x, dim)
    assert_close(log_softmax(Tensor(x), dim), expected, f"log_softmax(x, {dim})", atol=1e-6)


def test_log_softmax_is_exact_where_softmax_is_zero():
    """log_softmax([0, 1000]) is [-1000, 0], though softmax gives [0, 1] and log(0) is -inf; each row by itself."""
    with no_warnings():
        out = log_softmax(Tensor(np.array([[0.0, 1000.0], [0.0, 0.0]], np.float32)), 1)
    expected = np.array([[-1000.0, 0.0], [-math.log(2), -math.log(2)]], np.float32)
    assert_close(out, expected, "log_softmax(x, 1)")


@given(x=MATRICES, dim=st.integers(-2, 1))
@example(x=np.array([[0.0, 0.0]], np.float32), dim=1)
def test_logsumexp_takes_a_row_to_one_number(x, dim):
    """logsumexp(x, dim) is log(sum(exp(x))) along `dim`, which vanishes."""
    assert_close(
        logsumexp(Tensor(x), dim), each_row(logarithm_of_sum, x, dim), "logsumexp(x, dim)", atol=1e-6
    )


def test_logsumexp_can_keep_the_axis():
    """logsumexp(x, 1, keepdim=True) of shape (2, 3) has shape (2, 1)."""
    x = Tensor(np.zeros((2, 3)))
    assert_close(logsumexp(x, 1, keepdim=True), np.full((2, 1), math.log(3)), "logsumexp(x, 1, keepdim=True)")


def test_logsumexp_takes_several_axes():
    """logsumexp(x, (0, 2)) of zeros of shape (2, 3, 4) is log(8) for each of the 3."""
    x = Tensor(np.zeros((2, 3, 4)))
    assert_close(logsumexp(x, (0, 2)), np.full(3, math.log(8)), "logsumexp(x, (0, 2))")


def test_logsumexp_is_exact_far_out():
    """logsumexp gives 1000 + log(2) for [1000, 1000], -inf for nothing but -inf, and inf where one entry is."""
    x = np.array([[1000.0, 1000.0], [-math.inf, -math.inf], [math.inf, 0.0]])
    with no_warnings():
        out = logsumexp(Tensor(x), 1)
    assert_close(out, np.array([1000.0 + math.log(2), -math.inf, math.inf]), "logsumexp(x, 1)")
