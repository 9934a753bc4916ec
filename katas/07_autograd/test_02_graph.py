"""What was computed from what: switches, edges, and a Node for each operation."""

import gc
import threading
import weakref

import numpy as np
import pytest

from dojo.spec import assert_equal, raises
from tinytorch import dispatch
from tinytorch.autograd import Node, Tape, edges_to, enable_grad, is_grad_enabled, no_grad
from tinytorch.dispatch import primitives
from tinytorch.tensor import Tensor, add, argmax, div, mul, sum, zeros


def leaf(*values):
    """A float32 Tensor that requires grad."""
    return Tensor(np.array(values, np.float32), requires_grad=True)


def plain(*values):
    """A float32 Tensor that does not."""
    return Tensor(np.array(values, np.float32))


def recorded(operation, *inputs, **params):
    """The output of a primitive, put on a tape of its own by hand. (The installed one is closed meanwhile.)"""
    with dispatch.closed_above(6):
        output = operation(*inputs, **params)
    Tape().record(primitives[operation], inputs, params, output)
    return output


# Switches


def test_recording_is_on():
    """is_grad_enabled() says what the dispatcher's `mode.grad_enabled` says, which is True in the beginning."""
    assert_equal(is_grad_enabled(), True, "is_grad_enabled()")


def test_no_grad_is_off_inside_and_as_before_afterwards():
    """`with no_grad():` recording is off; afterwards it is as it was before, which may have been off."""
    with no_grad():
        assert_equal(is_grad_enabled(), False, "inside")
        with no_grad():
            pass
        assert_equal(is_grad_enabled(), False, "after the inner one of two")
    assert_equal(is_grad_enabled(), True, "afterwards")


def test_enable_grad_is_on_inside_of_no_grad():
    """`with enable_grad():` recording is on, and afterwards it is as it was before."""
    with no_grad():
        with enable_grad():
            assert_equal(is_grad_enabled(), True, "inside")
        assert_equal(is_grad_enabled(), False, "afterwards")


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("switch", [no_grad, enable_grad])
def test_a_switch_goes_back_after_an_error(switch, error):
    """An error inside the block, or Ctrl-C, passes through, and the switch is as it was before."""
    before = is_grad_enabled()
    with raises(error), switch():
        raise error("inside")
    assert_equal(is_grad_enabled(), before, "after the error")


def test_no_grad_is_a_decorator():
    """`@no_grad()` above a function switches recording off in each of its calls."""

    @no_grad()
    def inside():
        return is_grad_enabled()

    assert_equal(
        [inside(), inside(), is_grad_enabled()], [False, False, True], "inside, inside again, outside"
    )


def test_each_thread_has_its_own_switch():
    """no_grad in one thread does not switch off another one."""
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_grad_enabled()))
        thread.start()
        thread.join()
    assert_equal(seen, [True], "is_grad_enabled() in a thread that was started under no_grad")


# Edges


def test_an_edge_leads_to_a_leaf():
    """For an input that requires grad and was not computed, edges_to gives (place, the Tensor itself, shape, dtype)."""
    x = leaf(1.0, 2.0)
    edges = edges_to((x,))
    assert_equal(len(edges), 1, "the number of edges")
    place, to, shape, dtype = edges[0]
    assert to is x, f"the edge leads to {to!r}, expected the Tensor itself"
    assert_equal((place, shape, str(dtype)), (0, (2,), "float32"), "place, shape and dtype")


def test_an_edge_leads_to_the_node_of_what_was_computed():
    """For an input that has a grad_fn, the edge leads there, and not to the Tensor."""
    x = leaf(1.0)
    x.grad_fn = Node("made", None, [])
    assert edges_to((x,))[0][1] is x.grad_fn, "the edge does not lead to the grad_fn"


def test_no_edge_where_no_gradient_is_wanted():
    """Numbers, arrays and Tensors that do not require grad have no edge; the others keep their places."""
    x, y = leaf(1.0), leaf(2.0)
    edges = edges_to((3.0, x, plain(1.0), y, np.ones(2)))
    assert_equal([edge[0] for edge in edges], [1, 3], "the list of the places")


# Recording


def test_an_output_has_a_node_and_requires_grad():
    """Where an input requires grad, Tape.record gives the output a grad_fn, a Node, and lets it require grad."""
    x, y = leaf(2.0), plain(3.0)
    out = recorded(mul, x, y)
    assert isinstance(out.grad_fn, Node), f"grad_fn is {out.grad_fn!r}, expected a Node"
    assert_equal(out.grad_fn.name, "mul", "the name of the Node")
    assert_equal(out.requires_grad, True, "requires_grad of the output")
    assert_equal([edge[0] for edge in out.grad_fn.edges], [0], "the list of the places that have an edge")
    assert x.grad_fn is None, "the input got a grad_fn"


def test_nothing_is_recorded_for_inputs_without_gradients():
    """Where no input requires grad, the output has no grad_fn and does not require grad."""
    out = recorded(add, plain(1.0), 2.0)
    assert out.grad_fn is None, f"grad_fn is {out.grad_fn!r}, expected None"
    assert_equal(out.requires_grad, False, "requires_grad of the output")


def test_integers_are_never_recorded():
    """argmax and comparisons give integers and booleans: those have no grad_fn and never require grad."""
    out = recorded(argmax, leaf(1.0, 3.0))
    assert out.grad_fn is None, f"grad_fn is {out.grad_fn!r}, expected None"
    assert_equal(out.requires_grad, False, "requires_grad of an integer output")


def test_a_node_saves_what_its_rule_asks_for():
    """add's rule asks for nothing but grad, so its Node keeps no array; div's asks for b and out (`op.save` knows)."""
    expected = {add: [], div: ["b", "out"]}
    for operation, needed in expected.items():
        a, b = recorded(mul, leaf(3.0), 2.0), recorded(mul, leaf(1.0), 3.0)
        out = recorded(operation, a, b)
        arrays = {"a": weakref.ref(a.data), "b": weakref.ref(b.data), "out": weakref.ref(out.data)}
        node = out.grad_fn
        del a, b, out
        kept = [name for name, array in arrays.items() if array() is not None]
        assert_equal(kept, needed, f"the arrays of out = {node.name}(a, b) that its Node keeps in memory")


def test_a_node_keeps_the_versions_of_what_it_saved():
    """mul's Node keeps the version counters of both its inputs, which `op.save` gave, and their numbers then."""
    a, b = leaf(2.0), plain(3.0)
    b.add_(1.0)
    versions = sorted(then for _, then in recorded(mul, a, b).grad_fn.versions)
    assert_equal(versions, [0, 1], "the list of the versions that were kept")


def test_later_nodes_have_larger_numbers():
    """A Node is younger than those its edges lead to: its number is larger."""
    x = leaf(1.0)
    y = recorded(mul, x, 2.0)
    z = recorded(add, y, x)
    assert z.grad_fn.number > y.grad_fn.number, "the numbers do not rise"
    first, second = (edge[1] for edge in z.grad_fn.edges)
    assert first is y.grad_fn, "the first edge does not lead to y's Node"
    assert second is x, "the second edge does not lead to x"


def test_a_graph_is_no_ring():
    """A Node does not refer to the Tensor that it made: an unused Tensor is freed without the garbage collector."""
    x = leaf(1.0, 2.0)
    gc.collect()
    gc.disable()
    try:
        y = recorded(mul, x, x)
        z = recorded(sum, y)
        gone = weakref.ref(y)
        del y
        assert gone() is None, "y is still held, although only its Node is needed: what refers to the Tensor?"
        assert z.grad_fn is not None
    finally:
        gc.enable()


# Keeping a gradient


def test_retain_grad_leaves_a_weak_reference_with_the_node():
    """Tape().retain_grad(y) sets y.grad_fn.retained to weakref.ref(y): y itself there would make a cycle."""
    y = recorded(mul, leaf(1.0), 2.0)
    Tape().retain_grad(y)
    kept = y.grad_fn.retained
    assert isinstance(kept, weakref.ref), f"retained is {kept!r}, expected a weakref.ref"
    assert kept() is y, "the reference is not to y"


def test_retain_grad_of_a_leaf_changes_nothing():
    """A leaf keeps its gradient anyway: retain_grad changes nothing."""
    x = leaf(1.0)
    Tape().retain_grad(x)
    assert x.grad_fn is None


def test_retain_grad_needs_a_tensor_that_requires_grad():
    """A Tensor that does not require grad never gets a gradient: a RuntimeError with its shape."""
    with raises(RuntimeError, (2, 3)):
        Tape().retain_grad(zeros(2, 3))
