"""Function: an operation whose gradient is written by hand, because a composition would not do."""

import gc
import weakref

import numpy as np

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.autograd import Context, Function, no_grad
from tinytorch.dispatch import observers
from tinytorch.tensor import Tensor, sum


class Cube(Function):
    """x**3, with three times x squared written by hand."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 3 * x * x


class Scale(Function):
    """a * x * y, with a plain number a."""

    @staticmethod
    def forward(ctx, x, y, a):
        ctx.save_for_backward(x, y)
        ctx.a = a
        return a * x * y

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        wants_x, wants_y, _ = ctx.needs_input_grad
        return (grad * ctx.a * y if wants_x else None), (grad * ctx.a * x if wants_y else None), None


class Identity(Function):
    @staticmethod
    def forward(ctx, x):
        return x.copy()

    @staticmethod
    def backward(ctx, grad):
        return grad


def leaf(*values):
    return Tensor(np.array(values, np.float32), requires_grad=True)


def test_a_context_keeps_arrays():
    """ctx.save_for_backward(x, y) keeps the arrays as ctx.saved_tensors, a tuple that was empty before."""
    ctx = Context((True, False))
    assert_equal(ctx.saved_tensors, (), "saved_tensors of a new Context")
    x, y = np.ones(2), np.zeros(3)
    ctx.save_for_backward(x, y)
    assert isinstance(ctx.saved_tensors, tuple), f"saved_tensors is a {type(ctx.saved_tensors).__name__}"
    assert ctx.saved_tensors[0] is x and ctx.saved_tensors[1] is y, "they are not the arrays that were given"


def test_apply_calls_forward_on_arrays():
    """Cube.apply(x) gives forward a Context and the array of x, and wraps the array that it returns."""
    out = Cube.apply(Tensor(np.array([2.0, -1.0], np.float32)))
    assert isinstance(out, Tensor), f"apply gave a {type(out).__name__}, expected a Tensor"
    assert_close(out, np.array([8.0, -1.0], np.float32))
    assert out.grad_fn is None and not out.requires_grad, "it was recorded, and no input requires grad"


def test_apply_is_recorded_as_one_node():
    """Where an input requires grad the output has one Node, named as the class, and backward gives its gradient."""
    x = leaf(2.0)
    out = Cube.apply(x)
    assert_equal(out.grad_fn.name, "Cube", "the name of the Node")
    out.backward()
    assert_close(x.grad, np.array([12.0], np.float32), "x.grad")


def test_a_function_stands_among_primitives():
    """What comes before and after a Function is recorded as usual: d/dx of (2 * x)**3 * 5 at 1 is 120."""
    x = leaf(1.0)
    (Cube.apply(x * 2.0) * 5.0).backward()
    assert_close(x.grad, np.array([120.0], np.float32), "x.grad")


def test_a_function_of_several_arguments():
    """Arguments that are not Tensors reach forward as they are. backward gives None for them."""
    x, y = leaf(2.0), leaf(5.0)
    Scale.apply(x, y, 10.0).backward()
    assert_close(x.grad, np.array([50.0], np.float32), "x.grad")
    assert_close(y.grad, np.array([20.0], np.float32), "y.grad")


def test_backward_gives_one_gradient_an_argument():
    """A backward that gives two gradients for three arguments is a RuntimeError with both numbers."""

    class Forgets(Scale):
        @staticmethod
        def backward(ctx, grad):
            return Scale.backward(ctx, grad)[:2]

    out = Forgets.apply(leaf(2.0), leaf(5.0), 10.0)
    with raises(RuntimeError, 2, 3):
        out.backward()


def test_needs_input_grad_says_what_is_wanted():
    """ctx.needs_input_grad has one bool for each argument: True for Tensors that require grad."""
    seen = []

    class Looks(Scale):
        @staticmethod
        def backward(ctx, grad):
            seen.append(ctx.needs_input_grad)
            return Scale.backward(ctx, grad)

    x = leaf(2.0)
    Looks.apply(x, Tensor(np.array([5.0], np.float32)), 10.0).backward()
    assert_equal(seen, [(True, False, False)], "needs_input_grad")
    assert_close(x.grad, np.array([50.0], np.float32), "x.grad")


def test_a_gradient_of_a_function_is_fitted():
    """What backward gives is summed and cast like any other gradient: it may leave broadcasting to the tape."""
    x = leaf(2.0)
    sum(Scale.apply(x, Tensor(np.array([1.0, 2.0, 3.0])), 10.0)).backward()
    assert_close(x.grad, np.array([60.0], np.float32), "x.grad")


def test_no_grad_is_for_functions_too():
    """Under no_grad a Function is not recorded."""
    x = leaf(2.0)
    with no_grad():
        out = Cube.apply(x)
    assert out.grad_fn is None and not out.requires_grad, "it was recorded under no_grad"


def test_a_change_in_place_is_noticed_in_functions_too():
    """What was given to save_for_backward must not change in place before backward: a RuntimeError names the class."""
    x = Tensor(np.array([2.0], np.float32))
    y = leaf(3.0)
    out = Scale.apply(x, y, 1.0)
    x.copy_(x + 1.0)
    with raises(RuntimeError, "Scale", "in place"):
        out.backward()


def test_a_view_that_was_saved_is_watched_too():
    """A forward may save a view of its input, x[:1]: it shares memory with x, and so a change of x is noticed."""

    class First(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x[:1])
            return x[:1] * y

        @staticmethod
        def backward(ctx, grad):
            return None, grad * ctx.saved_tensors[0]

    x = Tensor(np.array([2.0, 3.0], np.float32))
    out = First.apply(x, leaf(3.0))
    x.copy_(x + 1.0)
    with raises(RuntimeError, "First", "in place"):
        out.backward()


def test_a_saved_output_is_watched_too():
    """A forward may save its output, as the exponential does: a change of the output in place is noticed."""

    class Exponential(Function):
        @staticmethod
        def forward(ctx, x):
            out = np.exp(x)
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.saved_tensors[0]

    out = Exponential.apply(leaf(1.0))
    with no_grad():
        out.copy_(out + 1.0)
    with raises(RuntimeError, "Exponential", "in place"):
        out.backward()


def test_a_function_of_one_number():
    """NumPy makes a scalar, not an array, of x * x for a 0-d x: such a scalar is a valid output."""
    x = Tensor(np.array(2.0, np.float32), requires_grad=True)
    out = Cube.apply(x)
    assert_close(out, np.array(8.0, np.float32), "the output")
    out.backward()
    assert_close(x.grad, np.array(12.0, np.float32), "x.grad")


def test_what_was_not_saved_may_change():
    """Identity saves nothing, so its input may change in place afterwards, be it a view or not."""
    for view in (False, True):
        x = leaf(2.0)
        h = (x * 1.0)[:] if view else x * 1.0
        out = Identity.apply(h)
        with no_grad():
            h.zero_()
        out.backward()
        assert_close(x.grad, np.array([1.0], np.float32), f"x.grad, {view=}")


def test_an_input_that_is_given_back_keeps_its_version():
    """A forward may return its input or a view of it: then a change of the output in place is a change of the input."""

    class Same(Identity):
        @staticmethod
        def forward(ctx, x):
            return x

    class First(Identity):
        @staticmethod
        def forward(ctx, x):
            return x[:1]

    for kind in (Same, First):
        x, w = leaf(3.0, 4.0), Tensor(np.array([2.0, 5.0], np.float32))
        y = sum(x * w)
        kind.apply(w).add_(1.0)
        with raises(RuntimeError, "mul", "in place"):
            y.backward()


def test_an_output_with_memory_of_its_own_changes_alone():
    """Cube's output is new: to change it in place does not change the input, be that a view or not."""
    for view in (False, True):
        x, w = leaf(3.0, 4.0), Tensor(np.array([2.0, 5.0], np.float32))
        h = w[:] if view else w
        y = sum(x * h)
        Cube.apply(h).add_(1.0)
        y.backward()
        assert_close(x.grad, np.array([2.0, 5.0], np.float32), f"x.grad, {view=}")


def test_forward_gives_an_array():
    """A forward that returns a Tensor is a TypeError that says so: it works on arrays."""

    class Wraps(Function):
        @staticmethod
        def forward(ctx, x):
            return Tensor(x)

    with raises(TypeError, "Tensor"):
        Wraps.apply(leaf(1.0))


def test_a_backward_must_not_write_into_its_gradient():
    """A backward that says grad *= 2 is a RuntimeError with the class: another path, and the caller, need grad too."""

    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, grad):
            grad *= 2
            return grad

    x, given = leaf(1.0), Tensor(np.array([1.0], np.float32))
    h = x * 1.0
    with raises(RuntimeError, "Double", "read-only"):
        (Double.apply(h) + h).backward(given)
    assert_close(given, np.array([1.0], np.float32), "the gradient that was given to backward")


def test_a_forward_may_decline():
    """If forward returns NotImplemented, so does apply: a kernel of kata 15 will refuse a call in this way."""

    class Declines(Identity):
        @staticmethod
        def forward(ctx, x):
            return NotImplemented

    result = Declines.apply(leaf(1.0))
    assert result is NotImplemented, f"apply gave a {type(result).__name__}, expected NotImplemented"


def test_integers_from_a_function_are_not_recorded():
    """A Function whose output is not floating point is not recorded."""

    class Rounds(Identity):
        @staticmethod
        def forward(ctx, x):
            return x.astype(np.int64)

    out = Rounds.apply(leaf(1.5))
    assert out.grad_fn is None and not out.requires_grad, "an integer output was recorded"


def test_a_function_leaves_no_ring():
    """After backward a Function's saved arrays are freed, without the garbage collector."""
    x = leaf(*range(4))
    gc.collect()
    gc.disable()
    try:
        h = x * 2.0
        gone = weakref.ref(h.data)
        out = sum(Cube.apply(h))
        del h
        out.backward()
        assert gone() is None, "what Cube saved is still alive after backward"
        left = gc.collect()
    finally:
        gc.enable()
    assert_equal(left, 0, "how many objects the collector found in cycles")


def test_observers_see_functions():
    """forward is called through `observed("function", name, ...)`, and backward as the rule of the Node."""
    seen = []

    def observer(event, proceed):
        seen.append((event.kind, event.name))
        return proceed()

    x = leaf(2.0)
    observers.append(observer)
    try:
        Cube.apply(x).backward()
    finally:
        observers.remove(observer)
    assert_equal(seen, [("function", "Cube"), ("rule", "Cube")], "what an observer saw")
