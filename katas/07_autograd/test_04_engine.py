"""The whole engine, as it is used: y = f(x), then y.backward()."""

import gc
import weakref

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.activations import relu, softplus
from tinytorch.autograd import no_grad
from tinytorch.dispatch import observers
from tinytorch.tensor import Tensor, cat, exp, float32, float64, floor_divide, int64, maximum, mul, sum


def leaf(values, dtype=np.float32):
    return Tensor(np.array(values, dtype), requires_grad=True)


def plain(values, dtype=np.float32):
    return Tensor(np.array(values, dtype))


def counted(function):
    """What `function` gives, and the names of the rules that were called meanwhile."""
    names = []

    def observer(event, proceed):
        if event.kind == "rule":
            names.append(event.name)
        return proceed()

    observers.append(observer)
    try:
        function()
    finally:
        observers.remove(observer)
    return names


# Graphs of every shape


def test_a_line():
    """y = (3 * x)**2 at x = 2: the slope is 2 * 6 * 3 = 36."""
    x = leaf(2.0)
    y = (3.0 * x) ** 2.0
    y.backward()
    assert_close(x.grad, np.array(36.0, np.float32), "x.grad")


def test_fan_out():
    """x is used by three operations: its gradient is the sum of what comes back from each."""
    x = leaf([1.0, 2.0])
    sum(x * 2.0 + x * x + exp(x)).backward()
    assert_close(x.grad, (2 + 2 * x.data + np.exp(x.data)).astype(np.float32), "x.grad")


def test_a_tensor_twice_in_one_operation():
    """x * x: both places of the operation lead to x, and both gradients count."""
    x = leaf([3.0, -1.0])
    sum(x * x).backward()
    assert_close(x.grad, np.array([6.0, -2.0], np.float32), "x.grad")
    x.grad = None
    sum(cat([x, x, x])).backward()
    assert_close(x.grad, np.array([3.0, 3.0], np.float32), "x.grad after cat([x, x, x])")


def test_diamonds():
    """Ten diamonds in a row: y doubles each time, the slope is 2**10, and 20 rules are called, not 2,046."""
    x = leaf(1.0)

    def run():
        y = x
        for _ in range(10):
            y = y * 1.0 + y
        y.backward()

    names = counted(run)
    assert_close(x.grad, np.array(1024.0, np.float32), "x.grad")
    assert_equal(
        (names.count("mul"), names.count("add")), (10, 10), "how often the rules of mul and add were called"
    )


def test_a_late_use_of_an_early_result():
    """h is used at once and again much later: its rule must wait for the gradient from the later use."""
    x = leaf(2.0)
    h = x * 3.0
    y = h
    for _ in range(5):
        y = y * 1.0
    names = counted(lambda: (y + h).backward())
    assert_close(x.grad, np.array(6.0, np.float32), "x.grad")
    assert_equal(len(names), 7, "how many rules were called")


def test_what_was_not_used_gets_no_gradient():
    """`.grad` of a leaf that is not in the graph stays None, as does that of a Tensor that does not require grad."""
    x, other, constant = leaf(1.0), leaf(1.0), plain(5.0)
    (x * constant).backward()
    assert other.grad is None, "a Tensor that was not used has a gradient"
    assert constant.grad is None, "a Tensor that does not require grad has a gradient"


def test_integers_take_part_without_a_gradient():
    """An integer Tensor may be a factor: it gets no gradient, and that of the other factor stays float32."""
    x, n = leaf([1.0, 2.0]), plain([3, 4], np.int64)
    sum(x * n).backward()
    assert_close(x.grad, np.array([3.0, 4.0], np.float32), "x.grad")
    assert n.grad is None, "the integer Tensor has a gradient"


def test_broadcasting_is_undone():
    """A row of shape (3,) is added to a matrix (2, 3) and scaled by a 0-d Tensor: each gradient has its own shape."""
    matrix, row, scale = leaf(np.ones((2, 3))), leaf([1.0, 2.0, 3.0]), leaf(2.0)
    sum((matrix + row) * scale).backward()
    assert_close(matrix.grad, np.full((2, 3), 2.0, np.float32), "the gradient of the matrix")
    assert_close(row.grad, np.full(3, 4.0, np.float32), "the gradient of the row")
    assert_close(scale.grad, np.array(18.0, np.float32), "the gradient of the scale")


def test_a_given_gradient():
    """backward(gradient) starts with `gradient`: it gives the gradient of sum(gradient * y)."""
    x = leaf([1.0, 2.0, 3.0])
    (x * x).backward(plain([1.0, 0.0, -2.0]))
    assert_close(x.grad, np.array([2.0, 0.0, -12.0], np.float32), "x.grad")


def test_views_lead_back_to_what_they_show():
    """Rows, transposes and reshapes are views, and their gradients come back in the shape of the leaf."""
    x = leaf(np.arange(6.0).reshape(2, 3))
    sum(x.T[1:, 0].reshape(1, 2) * plain([[10.0, 20.0]])).backward()
    assert_close(x.grad, np.array([[0.0, 10.0, 20.0], [0.0, 0.0, 0.0]], np.float32), "x.grad")


# Gradients add up


def test_gradients_add_up_over_several_backwards():
    """A second backward adds to `.grad`. That is why optimizers have zero_grad."""
    x = leaf(3.0)
    (x * x).backward()
    (x * x).backward()
    assert_close(x.grad, np.array(12.0, np.float32), "x.grad after two times 6")


def test_a_gradient_is_memory_of_its_own():
    """`.grad` shares no memory with the gradient that was given, with that of another leaf, or with the data."""
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    given = plain([1.0, 1.0])
    (x + y).backward(given)
    for name, other in (
        ("the gradient that was given", given.data),
        ("y.grad", y.grad.data),
        ("x.data", x.data),
    ):
        assert not np.shares_memory(x.grad.data, other), f"x.grad shares memory with {name}"
    x.grad.data[...] = 100.0
    assert_close(y.grad, np.array([1.0, 1.0], np.float32), "y.grad after x.grad was changed")


def test_a_gradient_can_be_written_into():
    """The gradient of a sum is one number, repeated. `.grad` is still an array of its own, and can be written into."""
    x = leaf([1.0, 2.0])
    sum(x).backward()
    x.grad.data *= 2
    assert_close(x.grad, np.array([2.0, 2.0], np.float32), "x.grad, doubled")


def test_a_gradient_set_by_hand_is_added_to():
    """What kata 06 wrote into `.grad` by hand stays, and backward adds to it, in a new array."""
    x = leaf([1.0, 2.0])
    mine = np.array([10.0, 10.0], np.float32)
    x.grad = Tensor(mine)
    sum(x).backward()
    assert_close(x.grad, np.array([11.0, 11.0], np.float32), "x.grad")
    assert_close(mine, np.array([10.0, 10.0], np.float32), "the array that was set by hand")


def test_a_gradient_of_another_shape_is_not_broadcast():
    """A `.grad` of shape (1,) for a leaf of shape (2,) is a RuntimeError with both shapes, and no leaf has changed."""
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    for wrong, other in ((x, y), (y, x)):
        wrong.grad, other.grad = plain([10.0]), None
        with raises(RuntimeError, (1,), (2,)):
            sum(x * y).backward()
        assert_close(wrong.grad, np.array([10.0], np.float32), "the .grad of another shape afterwards")
        assert other.grad is None, "the .grad of the other leaf is set, though backward failed"


def test_every_gradient_has_the_dtype_of_its_input():
    """float32 inputs get float32 gradients, even beside float64 inputs, which get float64 gradients."""
    x, y = leaf([1.0, 2.0]), leaf([1.0, 2.0], np.float64)
    sum(x.to(float64) * y * plain(3.0, np.float64)).backward()
    assert_equal(
        (str(x.grad.dtype), str(y.grad.dtype)),
        ("float32", "float64"),
        "the list of the dtypes of x.grad and y.grad",
    )


def test_to_another_dtype_and_back():
    """x.to(float64) is differentiable: the gradient comes back as float32."""
    x = leaf([1.0, 2.0])
    (x.to(float64) * 2.0).backward(plain([1.0, 3.0], np.float64))
    assert_close(x.grad, np.array([2.0, 6.0], np.float32), "x.grad")


# Outside of the graph


def test_no_grad_makes_constants():
    """What is computed under no_grad has no grad_fn, does not require grad, and counts as a constant later."""
    x = leaf(3.0)
    with no_grad():
        with no_grad():
            pass
        constant = x * x  # an inner block does not switch recording on again
    assert constant.grad_fn is None and not constant.requires_grad, "no_grad did not stop the recording"
    (x * constant).backward()
    assert_close(x.grad, np.array(9.0, np.float32), "x.grad")


def test_detach_cuts():
    """x.detach() has the same entries and no graph: d/dx of x * x.detach() at 3 is 3, not 6."""
    x = leaf(3.0)
    (x * x.detach()).backward()
    assert_close(x.grad, np.array(3.0, np.float32), "x.grad")


def test_nothing_to_go_back_through():
    """backward from a Tensor that was computed from constants is a RuntimeError with its shape."""
    with raises(RuntimeError, "()"):
        sum(plain([1.0, 2.0])).backward()


def test_comparisons_and_indices_are_constants():
    """x > 1 and argmax of x have no gradient, and using them is no error."""
    x = leaf([1.0, 2.0])
    sum(x * (x > 1.0)).backward()
    assert_close(x.grad, np.array([0.0, 1.0], np.float32), "x.grad")
    assert_equal(str(x.argmax().dtype), str(int64), "the dtype of argmax")


# In place


def test_a_changed_input_is_noticed():
    """mul needs both inputs on the way back: if one was changed in place since, backward is a RuntimeError."""
    x, w = leaf([1.0, 2.0]), plain([3.0, 4.0])
    y = sum(x * w)
    w.mul_(2.0)
    with raises(RuntimeError, "mul", "in place"):
        y.backward()
    assert x.grad is None, "x.grad was filled all the same"


def test_a_changed_view_is_noticed():
    """Views share memory and version: a change through w[:1] is a change of w."""
    x, w = leaf([1.0, 2.0]), plain([3.0, 4.0])
    y = sum(x * w)
    w[:1].fill_(7.0)
    with raises(RuntimeError, "mul", "in place"):
        y.backward()


def test_a_changed_output_is_noticed():
    """exp needs its output on the way back: changing that in place, under no_grad, is noticed too."""
    x = leaf([0.0, 1.0])
    y = exp(x)
    z = sum(y)
    with no_grad():
        y.zero_()
    with raises(RuntimeError, "exp", "in place"):
        z.backward()


def test_a_change_that_no_rule_minds():
    """add needs neither input on the way back: changing one in place afterwards is no error."""
    x, w = leaf([1.0, 2.0]), plain([3.0, 4.0])
    y = sum(x + w)
    w.zero_()
    y.backward()
    assert_close(x.grad, np.array([1.0, 1.0], np.float32), "x.grad")


def test_a_change_before_the_use_is_none_after_it():
    """Only changes after an operation count: w was changed before it was used, which is no error."""
    x, w = leaf([1.0, 2.0]), plain([3.0, 4.0])
    w.add_(1.0)
    sum(x * w).backward()
    assert_close(x.grad, np.array([4.0, 5.0], np.float32), "x.grad")


@pytest.mark.parametrize(
    "write", [lambda x: x.add_(1.0), lambda x: x.__setitem__(0, 5.0), lambda x: x.zero_()]
)
def test_a_leaf_that_requires_grad_refuses_changes(write):
    """In-place operations are never recorded, so a Tensor that requires grad refuses them, except under no_grad."""
    x = leaf([1.0, 2.0])
    sum(x).backward()  # there is a tape
    with raises(RuntimeError, (2,)):
        write(x)
    assert_close(x, np.array([1.0, 2.0], np.float32), "x afterwards")
    with no_grad():
        write(x)


# Freed


def test_a_second_backward_is_a_clear_error():
    """The graph is freed on the way back: a second backward is a RuntimeError that says retain_graph."""
    x = leaf(3.0)
    y = x * x
    y.backward()
    with raises(RuntimeError, "retain_graph"):
        y.backward()
    assert_close(x.grad, np.array(6.0, np.float32), "x.grad after the error")


def test_retain_graph_keeps_it():
    """backward(retain_graph=True) leaves the whole graph as it is, for another backward."""
    x = leaf(3.0)
    y = x * x * x
    y.backward(retain_graph=True)
    y.backward()
    assert_close(x.grad, np.array(54.0, np.float32), "x.grad after two times 27")


def test_a_kept_graph_notices_changes():
    """What is changed in place between two backwards is noticed by the second one, too."""
    x, w = leaf([1.0, 2.0]), plain([3.0, 4.0])
    y = sum(x * w)
    y.backward(retain_graph=True)
    w.zero_()
    with raises(RuntimeError, "mul", "in place"):
        y.backward()


def test_what_was_saved_is_freed():
    """After backward the arrays that Nodes saved are freed at once, without waiting for the garbage collector."""
    x = leaf(np.ones(5))
    sum(x).backward()  # there is a tape
    gc.collect()
    gc.disable()
    try:
        out = exp(relu(x) * 2.0)
        saved, y = weakref.ref(out.data), sum(out)
        del out
        assert saved() is not None, "exp's output is gone, and its rule needs it"
        y.backward()
        assert saved() is None, "exp's output, which its Node saved, is still in memory after backward"
        left = gc.collect()
    finally:
        gc.enable()
    assert_equal(left, 0, "how many objects the collector found in cycles after a backward")


def test_a_graph_that_nobody_wants_is_freed():
    """A graph that is dropped without a backward leaves no reference cycles either."""
    x = leaf(np.ones(5))
    sum(x).backward()  # there is a tape
    gc.collect()
    gc.disable()
    try:
        y = softplus(maximum(x, plain([0.5])) * x)
        y.requires_grad_()
        gone = weakref.ref(y.grad_fn)
        del y
        assert gone() is None, "the Node of a Tensor that is gone is still alive"
    finally:
        gc.enable()


def test_retain_grad_keeps_the_gradient_in_between():
    """After y.retain_grad(), backward fills y.grad as it does for leaves; without it, y.grad stays None."""
    x = leaf([1.0, 2.0])
    y, z = x * 3.0, x * 5.0
    y.retain_grad()
    sum(y * y * z).backward()
    assert_close(y.grad, (2 * 3 * x.data * 5 * x.data).astype(np.float32), "y.grad")
    assert z.grad is None, "z.grad was filled, without z.retain_grad()"


def test_a_retained_gradient_adds_up_too():
    """A second backward adds to the gradient of a Tensor that keeps its own, as it does for leaves."""
    x = leaf(3.0)
    y = x * 2.0
    y.retain_grad()
    z = y * 5.0
    z.backward(retain_graph=True)
    z.backward()
    assert_close(y.grad, np.array(10.0, np.float32), "y.grad after two times 5")


def test_a_retained_tensor_that_is_gone_is_no_error():
    """The Tensor that was to keep its gradient may be gone before backward: the others get theirs."""
    x = leaf(2.0)
    y = x * 3.0
    y.retain_grad()
    z = y * 1.0
    del y
    z.backward()
    assert_close(x.grad, np.array(3.0, np.float32), "x.grad")


def test_a_primitive_without_a_derivative():
    """floor_divide jumps and has no rule: going back through it is a RuntimeError that names it."""
    x = leaf([5.0])
    y = floor_divide(x, 2.0)
    with raises(RuntimeError, "floor_divide"):
        y.backward()


# Deep


def test_a_hundred_thousand_operations():
    """A chain of 100,000 operations goes forward and back and is freed, without recursion or collector."""
    x = leaf([1.0])
    gc.collect()
    gc.disable()
    try:
        y = x
        for _ in range(100_000):
            y = y + 0.5
        y.backward(retain_graph=True)
        assert_close(x.grad, np.array([1.0], np.float32), "x.grad")
        del y  # the memory of a long chain that was not freed is released without deep recursion
    finally:
        gc.enable()


def test_every_rule_is_called_once():
    """A graph of 300 operations calls 300 rules, however often their results are used."""
    x = leaf(np.ones(3))

    def run():
        h = [x]
        for i in range(150):
            h.append(mul(h[-1], 0.5) + h[i // 2])
        sum(h[-1]).backward()

    assert_equal(len(counted(run)), 301, "how many rules were called")


def test_a_leaf_may_be_changed_between_steps():
    """Three steps of descent on (x - 3)**2, as an optimizer makes them: through `.data`, which changes no version."""
    x = leaf(0.0)
    for _ in range(3):
        x.grad = None
        ((x - 3.0) ** 2.0).backward()
        x.data -= 0.25 * x.grad.data
    assert_close(x, np.array(2.625, np.float32), "x after three steps")
    assert_equal(str(x.dtype), str(float32), "the dtype of x")
