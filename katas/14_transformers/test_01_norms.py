"""A row of numbers, shifted and scaled to a known size: layer_norm and rms_norm."""

import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, no_warnings, raises, unchanged
from dojo.spec.strategies import shapes, strided
from tinytorch.tensor import Tensor, ones, tensor, zeros
from tinytorch.transformers import layer_norm, normalized_axes, rms_norm

F32 = np.float32


def test_the_last_axes_are_counted_from_the_end():
    """x of shape (2, 3, 4) is normalized over 4, the axis (-1,), or over (3, 4), the axes (-2, -1)."""
    x = zeros(2, 3, 4)
    assert_equal(normalized_axes(x, 4), (-1,), "the axes for 4")
    assert_equal(normalized_axes(x, (4,)), (-1,), "the axes for (4,)")
    assert_equal(normalized_axes(x, [3, 4]), (-2, -1), "the axes for [3, 4]")
    assert_equal(normalized_axes(x, (2, 3, 4)), (-3, -2, -1), "the axes for (2, 3, 4)")


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 3), (1, 2, 3, 4), ()], ids=str)
def test_x_must_end_in_the_normalized_shape(shape):
    """x of shape (2, 3, 4) ends in (4,), (3, 4) or (2, 3, 4); any other shape is a ValueError with both shapes."""
    with raises(ShapeError, (2, 3, 4), shape):
        normalized_axes(zeros(2, 3, 4), shape)


def test_layer_norm_by_hand():
    """[1, 3] has the mean 2 and the deviations -1 and 1, whose squares have the mean 1: with eps=0 it is [-1, 1]."""
    out = layer_norm(tensor([[1.0, 3.0], [-4.0, 4.0]]), 2, eps=0.0)
    assert_close(out, np.array([[-1, 1], [-1, 1]], F32))


def test_the_variance_is_divided_by_n():
    """[-1, 0, 1] has the variance 2/3, not 2/2: with eps=0 layer_norm gives -1.2247, 0, 1.2247."""
    assert_close(layer_norm(tensor([-1.0, 0.0, 1.0]), 3, eps=0.0), np.array([-1, 0, 1], F32) * F32(1.2247449))


def test_eps_is_added_to_the_variance():
    """eps is under the root: [-1, 1] has the variance 1, and with eps=3 it becomes [-1/2, 1/2]."""
    assert_close(layer_norm(tensor([-1.0, 1.0]), 2, eps=3.0), np.array([-0.5, 0.5], F32))


def test_eps_is_a_hundred_thousandth():
    """By default eps is 1e-5: [-0.01, 0.01], whose variance is 1e-4, becomes 0.01 / sqrt(1.1e-4) = 0.9535."""
    assert_close(layer_norm(tensor([-0.01, 0.01]), 2), np.array([-0.953463, 0.953463], F32))


def test_the_weight_multiplies_and_then_the_bias_is_added():
    """[-1, 1] times the weight [2, 3] plus the bias [10, 20] is [8, 23]; each of the two may be left out."""
    x, weight, bias = tensor([[1.0, 3.0]]), tensor([2.0, 3.0]), tensor([10.0, 20.0])
    assert_close(layer_norm(x, (2,), weight, bias, 0.0), np.array([[8, 23]], F32), "with both")
    assert_close(layer_norm(x, (2,), weight, eps=0.0), np.array([[-2, 3]], F32), "with a weight")
    assert_close(layer_norm(x, (2,), None, bias, 0.0), np.array([[9, 21]], F32), "with a bias")


def test_weight_and_bias_have_the_normalized_shape():
    """A weight (1,) or (2, 3) for x (2, 3) over 3 would broadcast: it is a ValueError with its shape and that of x."""
    x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
    for shape in ((1,), (2, 3)):
        for norm, name in ((layer_norm, "weight"), (layer_norm, "bias"), (rms_norm, "weight")):
            with raises(ShapeError, shape, (2, 3)):
                norm(x, 3, **{name: ones(*shape)})


def by_loops(x, axes, eps, centred):
    """Each row by itself, with Python's own sums in float64."""
    out = np.empty(x.shape)
    leading = x.shape[: x.ndim - axes]
    for place in np.ndindex(leading):
        row = x[place].astype(np.float64).ravel().tolist()
        mean = math.fsum(row) / len(row) if centred else 0.0
        variance = math.fsum((each - mean) ** 2 for each in row) / len(row)
        out[place] = ((x[place] - mean) / math.sqrt(variance + eps)).reshape(x[place].shape)
    return out


@pytest.mark.parametrize("norm", [layer_norm, rms_norm], ids=["layer_norm", "rms_norm"])
@given(x=strided(shapes(min_dims=1, min_side=1)), at_most=st.integers(1, 4))
@example(x=np.arange(12, dtype=F32).reshape(2, 3, 2), at_most=2)
def test_every_row_by_itself(norm, x, at_most):
    """Rows are normalized one by one, over one axis or several, whatever stands before them; x stays as it is."""
    axes = min(at_most, x.ndim)
    with unchanged(x), no_warnings():
        out = norm(Tensor(x), x.shape[x.ndim - axes :], eps=0.25)
    expected = by_loops(x, axes, 0.25, norm is layer_norm)
    assert_close(out, expected.astype(F32), "the result", rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("norm", [layer_norm, rms_norm], ids=["layer_norm", "rms_norm"])
def test_nothing_to_normalize(norm):
    """No rows, and rows without entries, give a result of the same shape, without a warning."""
    for shape in [(0, 3), (2, 0), (0,)]:
        with no_warnings():
            out = norm(zeros(shape), shape[-1])
        assert_close(out, np.zeros(shape, F32), f"the result for shape {shape}")


def test_a_constant_row_gives_the_bias():
    """Where all entries are alike the deviations are 0, and the bias is left; eps keeps the division from 0 / 0."""
    with no_warnings():
        out = layer_norm(tensor([[5.0, 5.0, 5.0], [0.0, 0.0, 0.0]]), 3, ones(3), tensor([1.0, 2.0, 3.0]))
    assert_close(out, np.array([[1, 2, 3], [1, 2, 3]], F32))


def test_far_from_zero_the_deviations_count():
    """10,000 plus small deviations gives in float32 what float64 gives to two digits: the mean is taken away first.

    The mean of the squares less the square of the mean is the difference of two numbers near 100,000,000.
    """
    rng = np.random.default_rng(0)
    x = (1e4 + rng.standard_normal((4, 64))).astype(F32)
    assert_close(layer_norm(Tensor(x), 64), by_loops(x, 1, 1e-5, True).astype(F32), rtol=1e-2, atol=1e-2)


def test_rms_norm_by_hand():
    """[3, 4] has the mean square 12.5: rms_norm divides by sqrt(12.5) and subtracts no mean; [1, 1] stays as it is."""
    out = rms_norm(tensor([[3.0, 4.0], [1.0, 1.0]]), 2, eps=0.0)
    assert_close(out, np.array([[0.84852814, 1.1313709], [1, 1]], F32))
    out = rms_norm(tensor([[1.0, 1.0]]), (2,), tensor([2.0, -3.0]), 3.0)
    assert_close(out, np.array([[1, -1.5]], F32), "with the weight [2, -3] and eps=3")


@pytest.mark.parametrize(("dtype", "eps"), [(np.float32, 2.0**-23), (np.float64, 2.0**-52)], ids=str)
def test_the_eps_of_rms_norm_is_that_of_the_dtype(dtype, eps):
    """By default eps is that of the dtype of x: a row of sqrt(eps) becomes 1 / sqrt(2)."""
    x = np.full((1, 4), math.sqrt(eps), dtype)
    assert_close(rms_norm(Tensor(x), 4), np.full((1, 4), math.sqrt(0.5), dtype), rtol=1e-5)
