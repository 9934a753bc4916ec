"""The way back: the order of the Nodes, gradients that fit, and what happens at each Node."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import ShapeError, assert_close, assert_equal, no_warnings, raises, unchanged
from dojo.spec.strategies import arrays, broadcastable_shapes
from tinytorch import dispatch
from tinytorch.autograd import Node, Tape, backpropagate, first_gradient, fit, youngest_first
from tinytorch.dispatch import observers
from tinytorch.tensor import Tensor, float16, float32

F64 = np.dtype(np.float64)


def leaf(*values):
    return Tensor(np.array(values, np.float32), requires_grad=True)


def node(*parents, rule=None, name="made"):
    """A Node over others and over leaves, all of shape (1,)."""
    return Node(name, rule, [(place, each, (1,), float32) for place, each in enumerate(parents)])


def one():
    return np.ones(1, np.float32)


def same(grad):
    return grad


# The order


def test_the_youngest_node_comes_first():
    """youngest_first gives every Node that can be reached, those with the larger numbers first."""
    a = node()
    b = node(a)
    c = node(b, a)
    assert_equal(
        [each.number for each in youngest_first([c])],
        [c.number, b.number, a.number],
        "the list of the numbers",
    )


def test_leaves_are_no_nodes():
    """Edges may lead to leaf Tensors, and a start may be a leaf: leaves are not in the list."""
    x = leaf(1.0)
    assert_equal(youngest_first([x, node(x)])[0].name, "made", "the only Node")
    assert_equal(len(youngest_first([x])), 0, "the number of Nodes from a leaf")


@pytest.mark.timeout(2)  # whoever follows paths would never come to the end
def test_each_node_comes_once():
    """Forty diamonds in a row have 2**40 paths and 121 Nodes: follow Nodes not seen yet, not paths."""
    bottom = node()
    for _ in range(40):
        left, right = node(bottom), node(bottom)
        bottom = node(left, right)
    assert_equal(len(youngest_first([bottom])), 121, "the number of Nodes")


def test_a_chain_may_be_longer_than_the_stack_is_deep():
    """100,000 Nodes in a row: Python's recursion ends at 1,000; use a list of what is still to be done."""
    last = node()
    for _ in range(100_000):
        last = node(last)
    assert_equal(len(youngest_first([last])), 100_001, "the number of Nodes")


# Fitting


def test_a_gradient_that_fits_stays():
    """fit(gradient, shape, dtype) returns a gradient that has that shape and dtype already."""
    assert_close(fit(np.ones((2, 3)), (2, 3), F64), np.ones((2, 3)))


def test_fit_sums_over_axes_that_were_added():
    """An input of shape (3,) that was broadcast to (2, 3) was used twice: its gradient is the sum over the rows."""
    assert_close(
        fit(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), (3,), F64), np.array([11.0, 22.0, 33.0])
    )


def test_fit_sums_over_axes_that_were_stretched():
    """An input of shape (2, 1) that was broadcast to (2, 3): the sum over each row, in shape (2, 1)."""
    assert_close(fit(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), (2, 1), F64), np.array([[6.0], [60.0]]))


@given(sides=broadcastable_shapes(2), data=st.data())
def test_fit_undoes_any_broadcasting(sides, data):
    """Whatever NumPy broadcasts, fit sums back, to exactly the shape before."""
    shape = sides[0]
    gradient = data.draw(arrays(np.broadcast_shapes(*sides), np.float64), "gradient")
    expected = np.zeros(shape)
    places = np.broadcast_to(np.arange(expected.size).reshape(shape), gradient.shape)
    np.add.at(expected.reshape(-1), places.reshape(-1), gradient.reshape(-1))
    with unchanged(gradient):
        assert_close(fit(gradient, shape, F64), expected)


def test_fit_casts_to_the_dtype_of_the_input():
    """A float64 gradient for a float32 input becomes float32."""
    assert_close(fit(np.ones(2), (2,), float32), np.ones(2, np.float32))


def test_fit_keeps_the_digits():
    """The sum over 100,000 rows is right to 1e-6, whether they were added or stretched; float16 adds up in float32."""
    tenths, ones = np.full((100_000, 2), 0.1, np.float32), np.ones((5000, 2), np.float16)
    assert_close(fit(tenths, (2,), float32), np.full(2, 10_000, np.float32), "of an axis added", rtol=1e-6)
    assert_close(
        fit(tenths, (1, 2), float32), np.full((1, 2), 10_000, np.float32), "of one stretched", rtol=1e-6
    )
    assert_close(fit(ones, (2,), float16), np.full(2, 5000, np.float16), "the sum of 5,000 ones of float16")


@pytest.mark.parametrize("wrong", [(3, 2), (6,), (3,), (1, 2, 3, 1)])
def test_fit_refuses_what_does_not_fit(wrong):
    """A gradient that does not come from broadcasting is a RuntimeError with both shapes. It is not reshaped."""
    with raises(ShapeError, wrong, (2, 3)):
        fit(np.ones(wrong), (2, 3), F64)


# One Node


def test_a_node_calls_its_rule_with_what_it_saved():
    """Node.backward(gradient) is rule(gradient, *saved), and several gradients stay a tuple."""
    made = Node("made", lambda grad, a, b: (grad * a, grad * b), [], [np.array([2.0]), 5.0])
    first, second = made.backward(np.array([10.0]))
    assert_close(first, np.array([20.0]), "the first gradient")
    assert_close(second, np.array([50.0]), "the second gradient")


def test_a_single_gradient_becomes_a_tuple():
    """A rule of one input gives its gradient alone; Node.backward gives a tuple of one."""
    results = node(leaf(1.0), rule=same).backward(one())
    assert isinstance(results, tuple), f"it gave a {type(results).__name__}, expected a tuple"
    assert_equal(len(results), 1, "the number of gradients")


def test_observers_see_the_rule():
    """The rule is called through the dispatcher's `observed("rule", name, ...)`, so that a profiler can watch it."""
    seen = []

    def observer(event, proceed):
        seen.append((event.kind, event.name))
        return proceed()

    observers.append(observer)
    try:
        node(leaf(1.0), rule=same, name="watched").backward(one())
    finally:
        observers.remove(observer)
    assert_equal(seen, [("rule", "watched")], "what an observer saw")


@pytest.mark.parametrize("write", ["*=", "[...] =", "out="])
def test_a_rule_must_not_write_into_its_gradient(write):
    """The rule gets a view of the gradient that is read-only. To write into it is a RuntimeError that names the Node.

    The gradient stays writable for those who have it.
    """

    def doubles(grad):
        if write == "*=":
            grad *= 2
        elif write == "out=":
            np.multiply(grad, 2, out=grad)
        else:
            grad[...] = 2 * grad
        return grad

    gradient = one()
    with raises(RuntimeError, "doubled", "read-only"):
        node(leaf(1.0), rule=doubles, name="doubled").backward(gradient)
    assert_close(gradient, one(), "the gradient, after the rule has tried to write into it")
    assert gradient.flags.writeable, "the gradient itself was made read-only: hand the rule a view of it"


def test_an_error_of_a_rule_stays_as_it_is():
    """Any other error of a rule reaches the caller as it was raised: a ValueError about shapes, for example."""
    with raises(ValueError, "(3,)", "(4,)"):
        node(leaf(1.0), rule=lambda grad: np.ones(3) + np.ones(4)).backward(one())


def test_a_node_notices_a_change_in_place():
    """If a version has changed since it was saved, Node.backward is a RuntimeError that names the Node.

    The rule would compute with other numbers than were used.
    """
    x = leaf(1.0)
    made = Node("made_of_x", lambda grad, a: grad * a, [], [x.data], [x])
    with dispatch.closed_above(6):
        x.add_(1.0)
    with raises(RuntimeError, "made_of_x", "in place"):
        made.backward(one())


def test_a_node_without_a_rule_says_so():
    """floor_divide has no derivative. Going back through a Node without a rule is a RuntimeError that names it."""
    with raises(RuntimeError, "floor_divide", "derivative"):
        node(leaf(1.0), name="floor_divide").backward(one())


def test_a_freed_node_holds_nothing():
    """After free(), `rule` and `saved` are None, and `edges` and `versions` are empty."""
    x = leaf(1.0)
    made = Node("made", same, [(0, x, (1,), float32)], [x.data], [x])
    made.free()
    assert made.rule is None and made.saved is None, (
        f"rule is {made.rule}, saved is {made.saved}, expected None"
    )
    assert_equal(
        (len(made.edges), len(made.versions)), (0, 0), "the pair of how many edges and versions are left"
    )


# The whole way


def test_gradients_go_from_node_to_leaf():
    """backpropagate({node: gradient}, retain_graph) gives the gradients of the leaves: here 3 times 2."""
    x = leaf(1.0)
    twice = node(x, rule=lambda grad: grad * 2)
    top = node(twice, rule=lambda grad: grad * 3)
    found = backpropagate({top: one()}, False)
    assert_equal(len(found), 1, "how many gradients were found")
    assert_close(found[x], np.array([6.0], np.float32), "the gradient of x")


def test_gradients_that_meet_add_up():
    """What is used twice gets the sum of both gradients: 2 from one side, 5 from the other."""
    x = leaf(1.0)
    below = node(x, rule=same)
    left, right = node(below, rule=lambda grad: grad * 2), node(below, rule=lambda grad: grad * 5)
    found = backpropagate({node(left, right, rule=lambda grad: (grad, grad)): one()}, False)
    assert_close(found[x], np.array([7.0], np.float32), "the gradient of x")


def test_gradients_that_meet_are_not_written_into():
    """A rule may give one array to both its inputs: adding to it in place would change the other's gradient."""
    x, y = leaf(1.0), leaf(2.0)
    found = backpropagate({node(x, y, x, rule=lambda grad: (grad, grad, grad)): one()}, False)
    assert_close(found[x], np.array([2.0], np.float32), "the gradient of x")
    assert_close(found[y], np.array([1.0], np.float32), "the gradient of y")


def test_none_stops_there():
    """A rule that gives None for an input passes nothing on: the Nodes below it are not called, all others are."""
    x, y = leaf(1.0), leaf(2.0)

    def never(grad):
        raise AssertionError("the Node below a gradient of None was called")

    older, younger = node(y, rule=lambda grad: grad * 2), node(x, rule=never)
    found = backpropagate({node(younger, older, rule=lambda grad: (None, grad)): one()}, False)
    assert x not in found, "x has a gradient"
    assert_equal(y in found, True, "whether y has a gradient")
    assert_close(found[y], 2 * one(), "the gradient of y")


def test_every_gradient_is_fitted_on_its_way():
    """What a rule gives is fitted to its input, by the shape and dtype of the edge, before it is passed on."""
    x = Tensor(np.ones((), np.float32), requires_grad=True)
    broadcast = Node("made", lambda grad: np.ones((2, 3)), [(0, x, (), float32)])
    found = backpropagate({broadcast: np.ones((2, 3), np.float32)}, False)
    assert_close(found[x], np.array(6.0, np.float32), "the gradient of x")


def test_recording_is_off_on_the_way():
    """Rules run without recording: what they compute with Tensors must not make a graph. Afterwards it is on again."""
    seen = []

    def rule(grad):
        seen.append(dispatch.mode.grad_enabled)
        return grad

    backpropagate({node(leaf(1.0), rule=rule): one()}, False)
    assert_equal(
        (seen, dispatch.mode.grad_enabled), ([False], True), "recording inside a rule, and afterwards"
    )


def test_a_slope_may_be_infinite_without_a_warning():
    """The slope of a square root at 0 is infinite: as in PyTorch the gradient is inf, without a NumPy warning."""
    x = leaf(0.0)
    with no_warnings():
        found = backpropagate({node(x, rule=lambda grad: grad / 0.0): one()}, False)
    assert_close(found[x], np.array([np.inf], np.float32), "the gradient of x")


def test_nodes_are_freed_behind_it():
    """Without retain_graph every Node that was used is freed; with it none is."""
    x = leaf(1.0)
    below = node(x, rule=same)
    top = node(below, rule=same)
    backpropagate({top: one()}, True)
    assert below.saved is not None and top.saved is not None, "retain_graph=True freed a Node"
    backpropagate({top: one()}, False)
    assert below.saved is None and top.saved is None, "a Node was not freed"


def test_a_freed_graph_is_refused_before_anything_is_called():
    """A freed Node is a RuntimeError that says retain_graph, and no rule runs, not even of Nodes above it."""
    x, calls = leaf(1.0), []

    def rule(grad):
        calls.append(1)
        return grad

    below = node(x, rule=same)
    above = node(below, rule=rule)
    backpropagate({below: one()}, False)
    with raises(RuntimeError, "retain_graph"):
        backpropagate({above: one()}, False)
    assert_equal(len(calls), 0, "how many rules were called")


def test_wanted_nodes_are_in_the_result():
    """The gradients of Nodes in `wanted`, and of those whose output is retained, are in the result too."""
    x, y = leaf(1.0), leaf(1.0)
    below = node(x, rule=same)
    middle = node(below, rule=lambda grad: grad * 2)
    middle.retained = lambda: y
    top = node(middle, rule=lambda grad: grad * 3)
    found = backpropagate({top: one()}, False, {below})
    assert_equal(len(found), 3, "how many gradients were found: of x, of the wanted and of the retained one")
    assert_close(found[below], np.array([6.0], np.float32), "the gradient of the wanted Node")
    assert_close(found[middle], np.array([3.0], np.float32), "the gradient of the retained Node")


# Where it begins


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_the_gradient_of_one_number_begins_with_one(shape):
    """first_gradient(output, None) of a Tensor with one entry is 1, in its shape and dtype."""
    output = Tensor(np.full(shape, 5.0, np.float32), requires_grad=True)
    assert_close(first_gradient(output, None), np.ones(shape, np.float32))


def test_the_gradient_of_several_numbers_must_be_given():
    """Without a gradient, a Tensor of several entries is a RuntimeError with its shape."""
    with raises(RuntimeError, (2, 3), "gradient"):
        first_gradient(Tensor(np.ones((2, 3), np.float32), requires_grad=True), None)


def test_a_given_gradient_has_the_shape_of_the_output():
    """A gradient of another shape is refused with both shapes, even if it would broadcast."""
    with raises(ShapeError, (3,), (2, 3)):
        first_gradient(
            Tensor(np.ones((2, 3), np.float32), requires_grad=True), Tensor(np.ones(3, np.float32))
        )


def test_a_given_gradient_is_cast():
    """A float64 gradient for a float32 output becomes float32."""
    output = Tensor(np.ones(2, np.float32), requires_grad=True)
    assert_close(first_gradient(output, Tensor(np.array([3.0, 4.0]))), np.array([3.0, 4.0], np.float32))


def test_there_must_be_a_graph():
    """backward from a Tensor that does not require grad is a RuntimeError with its shape."""
    with raises(RuntimeError, (2, 1)):
        first_gradient(Tensor(np.ones((2, 1), np.float32)), None)


def test_tape_backward_fills_grad():
    """Tape().backward(tensor) adds the gradients to `.grad` of the leaves, as Tensors: here 5 and 2."""
    x, y = leaf(2.0), leaf(5.0)
    out = Tensor(np.array([10.0], np.float32), requires_grad=True)
    out.grad_fn = node(x, y, rule=lambda grad: (grad * 5, grad * 2))
    Tape().backward(out)
    assert isinstance(x.grad, Tensor), f"x.grad is {x.grad!r}, expected a Tensor"
    assert_close(x.grad, np.array([5.0], np.float32), "x.grad")
    assert_close(y.grad, np.array([2.0], np.float32), "y.grad")


def test_a_leaf_is_its_own_graph():
    """backward from a leaf of one entry gives it a gradient of 1."""
    x = leaf(3.0)
    x.backward()
    assert_close(x.grad, one(), "x.grad")
