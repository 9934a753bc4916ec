"""grad(outputs, inputs): gradients as a result, and not as something left in `.grad`."""

import numpy as np
import pytest

from dojo.spec import ShapeError, assert_close, assert_equal, raises
from tinytorch.autograd import grad
from tinytorch.tensor import Tensor, exp, sum


def leaf(*values):
    return Tensor(np.array(values, np.float32), requires_grad=True)


def test_grad_of_one_input():
    """grad(y, x) gives a tuple with the gradient of y for x, a Tensor, and leaves x.grad alone."""
    x = leaf(3.0)
    found = grad(x * x, x)
    assert isinstance(found, tuple) and len(found) == 1, (
        f"grad gave {found!r}, expected a tuple of one Tensor"
    )
    assert_close(found[0], np.array([6.0], np.float32), "the gradient")
    assert x.grad is None, "x.grad was filled"


def test_grad_of_several_inputs():
    """grad(y, [x, w]) gives one gradient for each, in that order."""
    x, w = leaf(3.0), leaf(5.0)
    found = grad(x * w * w, [w, x])
    assert_close(found[0], np.array([30.0], np.float32), "the gradient for w")
    assert_close(found[1], np.array([25.0], np.float32), "the gradient for x")


def test_grad_for_what_is_not_a_leaf():
    """An input need not be a leaf: the gradient for h = 3 * x of h * h at x = 2 is 12."""
    x = leaf(2.0)
    h = x * 3.0
    found = grad(h * h, [h, x])
    assert_close(found[0], np.array([12.0], np.float32), "the gradient for h")
    assert_close(found[1], np.array([36.0], np.float32), "the gradient for x")


def test_grad_of_the_input_itself():
    """grad(x, x) is 1, for a leaf and for what was computed."""
    x = leaf(2.0)
    assert_close(grad(x, x)[0], np.array([1.0], np.float32), "the gradient of a leaf for itself")
    y = x * 1.0
    assert_close(grad(y, y)[0], np.array([1.0], np.float32), "the gradient of a result for itself")


def test_grad_of_several_outputs():
    """grad([y, z], x) is the gradient of their sum, even if the same output is given twice."""
    x = leaf(3.0)
    assert_close(grad([x * x, x * 5.0], x)[0], np.array([11.0], np.float32), "the gradient of two outputs")
    y = x * 5.0
    assert_close(grad([y, y], x)[0], np.array([10.0], np.float32), "the gradient of one output, twice")


def test_grad_outputs_are_what_it_begins_with():
    """grad_outputs holds a gradient for each output, None for a single number; for one output it may be one Tensor."""
    x = leaf(1.0, 2.0)
    weights = Tensor(np.array([10.0, 100.0], np.float32))
    assert_close(grad(x * x, x, weights)[0], np.array([20.0, 400.0], np.float32), "for one output")
    found = grad([x * x, sum(x)], x, [weights, None])
    assert_close(found[0], np.array([21.0, 401.0], np.float32), "for two outputs")


def test_grad_outputs_have_the_shapes_of_the_outputs():
    """A grad_output of another shape is refused with both shapes; there must be as many as outputs."""
    x = leaf(1.0, 2.0)
    with raises(ShapeError, (3,), (2,)):
        grad(x * x, x, Tensor(np.ones(3, np.float32)))
    with raises(ValueError, 1, 2):
        grad([x * x, x * 2.0], x, [Tensor(np.ones(2, np.float32))])
    with raises(ValueError, 1, 2):
        grad([x * x, x * 2.0], x, Tensor(np.ones(2, np.float32)))


def test_an_input_that_was_not_used():
    """An input that the outputs do not depend on is a RuntimeError with its place and shape."""
    x, other = leaf(1.0), leaf(1.0, 2.0, 3.0)
    with raises(RuntimeError, 1, (3,), "allow_unused"):
        grad(x * x, [x, other])


def test_allow_unused_gives_none():
    """With allow_unused=True the gradient for an input that was not used is None."""
    x, other = leaf(3.0), leaf(1.0)
    first, second = grad(x * x, [x, other], allow_unused=True)
    assert_close(first, np.array([6.0], np.float32), "the gradient for x")
    assert second is None, f"the gradient for the other is {second!r}, expected None"


def test_an_input_that_requires_no_gradient():
    """An input that does not require grad is a RuntimeError with its place and shape, with allow_unused too."""
    x, constant = leaf(1.0), Tensor(np.ones((2, 1), np.float32))
    with raises(RuntimeError, 1, (2, 1)):
        grad(sum(x * constant), [x, constant], allow_unused=True)


@pytest.mark.parametrize("keep", [True, False])
def test_grad_frees_the_graph_like_backward(keep):
    """After grad the graph is freed, unless retain_graph=True."""
    x = leaf(3.0)
    y = exp(x)
    grad(y, x, retain_graph=keep)
    if keep:
        y.backward()
        assert_close(x.grad, np.exp(x.data), "x.grad", rtol=1e-5)
    else:
        with raises(RuntimeError, "retain_graph"):
            y.backward()


def test_grad_touches_no_grad_at_all():
    """Neither leaves that were not asked for nor a Tensor that retains its gradient get a `.grad` from grad()."""
    x, other = leaf(3.0), leaf(2.0)
    h = x * other
    h.retain_grad()
    grad(h * 5.0, x)
    assert (x.grad, other.grad, h.grad) == (None, None, None), "a .grad was filled by grad()"


def test_grad_gives_memory_of_its_own():
    """What grad gives shares no memory with what was given, or with the other gradients, and can be written to."""
    x, y = leaf(1.0, 2.0), leaf(1.0, 2.0)
    given = Tensor(np.ones(2, np.float32))
    first, second = grad(x + y, [x, y], given)
    first.data[...] = 5.0
    assert_equal(
        (given.tolist(), second.tolist()), ([1.0, 1.0], [1.0, 1.0]), "the given and the other gradient"
    )
