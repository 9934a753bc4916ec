"""Forget and compute again: a checkpoint keeps what goes in, and computes the rest once more when backward arrives."""

import gc
import math
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, on_device, raises, to_numpy
from tinytorch.acceleration.recompute import checkpoint, drawing_from_again, generator_again, leaves_below
from tinytorch.autograd import Node, grad, no_grad
from tinytorch.layers import Dropout, Linear, Module, Parameter, Sequential, Tanh
from tinytorch.setup import Device, default_generator, manual_seed
from tinytorch.tensor import Tensor, cat, rand, tanh


def leaf(*shape, seed=0, dtype=np.float64):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def check(function, *inputs, parameters=()):
    """Compare value and gradients of function(*inputs) with those of checkpoint(function, *inputs)."""
    found = []
    for call in (lambda *args: checkpoint(function, *args), function):
        manual_seed(3)
        leaves = [each for each in (*inputs, *parameters) if isinstance(each, Tensor) and each.requires_grad]
        for each in leaves:
            each.grad = None
        out = call(*inputs)
        out.backward(Tensor(np.cos(np.arange(out.numel())).reshape(out.shape)))
        found.append([out, *(each.grad for each in leaves)])
    for number, (one, other) in enumerate(zip(*found, strict=True)):
        what = f"the gradient of input or parameter {number - 1}" if number else "the value"
        assert (one is None) == (other is None), f"{what} is {one}, expected {other}"
        if other is not None:
            assert_close(one, other.data, what)


# Random numbers again


def test_a_generator_can_draw_again():
    """generator_again(device) gives a function that makes generators, each drawing what the default one draws next."""
    manual_seed(0)
    again = generator_again(Device("cpu"))
    expected = default_generator("cpu").random(5)
    for which in ("first", "second"):
        assert_close(again().random(5), expected, f"the draws of the {which} generator")
    assert_close(
        default_generator("cpu").random(5), np.random.default_rng(0).random(10)[5:], "the draws after it"
    )


def test_generators_are_exchanged_for_a_while():
    """In drawing_from_again(generators) they are the default ones; afterwards, and after an error, the old ones are."""
    manual_seed(1)
    again = generator_again(Device("cpu"))
    mine = default_generator("cpu")
    expected = rand(4)
    with drawing_from_again({Device("cpu"): again()}):
        assert_close(rand(4), expected.data, "the draws inside")
    assert default_generator("cpu") is mine, "the default generator is another one afterwards"
    with raises(ZeroDivisionError), drawing_from_again({Device("cpu"): again()}):
        manual_seed(7)
        math.floor(1 / 0)
    assert default_generator("cpu") is mine, "the default generator is another one after an error"


# What a part needs


def test_the_leaves_below_an_output():
    """leaves_below gives the leaves that require grad and that an output was computed from, each once."""
    a, b, c = leaf(2), leaf(2), Tensor(np.ones(2))
    found = leaves_below(tanh(a * b + c) * a)
    assert_equal({id(each) for each in found}, {id(a), id(b)}, "the set of the ids of the leaves")
    assert_equal(len(found), 2, "their number")
    assert leaves_below(a) == [a], "the leaf below a leaf is itself"


def test_a_long_chain_has_a_leaf():
    """leaves_below follows 20,000 operations without recursion."""
    a = leaf(1)
    out = a
    for _ in range(20_000):
        out = -out
    assert_equal([id(each) for each in leaves_below(out)], [id(a)], "the ids of the leaves")


def test_what_is_older_is_not_below():
    """A Node whose number is not above `older` is a RuntimeError that names it: it was computed outside."""
    a = leaf(2)
    before = tanh(a)
    older = Node("begin", None, []).number
    for number in (before.grad_fn.number, older):
        with raises(RuntimeError, "tanh"):
            leaves_below(before * a, number)
    assert_equal(len(leaves_below(tanh(a), older)), 1, "the number of leaves of what is newer")


# A checkpoint


def test_a_checkpoint_by_hand():
    """checkpoint(function, x) is function(x): for x * x at 3, the value 9 and the gradient 6."""
    x = Tensor(np.array(3.0), requires_grad=True)
    y = checkpoint(lambda x: x * x, x)
    assert_close(y, np.array(9.0), "the value")
    y.backward()
    assert_close(x.grad, np.array(6.0), "the gradient")


def test_several_inputs_and_numbers():
    """Inputs may be several Tensors, with gradient or without, and anything else; one may be given twice."""
    a, b, c = leaf(2, 3), leaf(2, 3, seed=1), Tensor(np.ones((2, 3)))
    check(lambda a, b, c, power, name: tanh(a * b + c) ** power, a, b, c, 2, "anything")
    check(lambda a, again: a * again * again, a, a)
    check(lambda a: a, a)
    check(lambda a, b: b, a, b)


def test_parameters_get_their_gradients():
    """Parameters that the function uses are no inputs, and get their gradients too, even if no input requires one."""
    layer = Linear(3, 2)
    layer.to(np.float64)
    check(layer, leaf(4, 3), parameters=list(layer.parameters()))
    check(layer, Tensor(np.ones((4, 3))), parameters=list(layer.parameters()))


def test_inputs_may_be_computed():
    """Gradients flow on to what the inputs were computed from, and what is computed from the result goes on."""
    a = leaf(3)
    check(lambda a: tanh(checkpoint(lambda x: x * x, tanh(a))) * a, a)


def test_gradients_are_asked_for_in_any_way():
    """`grad` gives what backward gives, for inputs and parameters, and .grad stays as it was."""
    layer, x = Linear(3, 2), leaf(4, 3, dtype=np.float32)
    inputs = [x, layer.weight, layer.bias]
    expected = grad((layer(x) * layer(x)).sum(), inputs)
    out = checkpoint(layer, x)
    found = grad((out * out).sum(), inputs)
    for name, one, other in zip(("x", "weight", "bias"), found, expected, strict=True):
        assert_close(one, other.data, f"the gradient of {name}")
    assert_equal([each.grad for each in inputs], [None] * 3, "the list of the .grad")


def test_gradients_are_added_up():
    """A second backward adds to `.grad`, and with retain_graph the same graph may be gone through twice."""
    x = Tensor(np.array(3.0), requires_grad=True)
    y = checkpoint(lambda x: x * x, x)
    y.backward(retain_graph=True)
    y.backward()
    assert_close(x.grad, np.array(12.0), "the gradient after two passes")
    with raises(RuntimeError, "retain_graph"):
        y.backward()


def test_the_function_is_called_twice():
    """It is called at once and again in backward; once only without recording, or where no gradient is needed."""
    calls = []

    def function(x):
        calls.append(1)
        return x * x

    x = leaf(2)
    y = checkpoint(function, x)
    assert_equal(len(calls), 1, "the calls before backward")
    y.sum().backward()
    assert_equal(len(calls), 2, "the calls after backward")
    with no_grad():
        assert not checkpoint(function, x).requires_grad, "the result requires grad under no_grad"
    assert not checkpoint(function, Tensor(np.ones(2))).requires_grad, (
        "the result of a constant requires grad"
    )
    assert_equal(len(calls), 4, "the calls after two without gradient")


def test_dropout_drops_the_same_again():
    """The second time the function draws the same numbers, so gradients fit the value. Draws go on as before."""
    manual_seed(0)
    x = Tensor(np.ones(1000), requires_grad=True)
    y = checkpoint(Dropout(0.5), x)
    after = rand(3)
    y.sum().backward()
    assert_close(x.grad, y.data, "the gradient, where 0 or 2 is the value")
    later = rand(3)
    manual_seed(0)
    Dropout(0.5)(x)
    assert_close(after, rand(3).data, "the draws after the checkpoint")
    assert_close(later, rand(3).data, "the draws after backward")


class Block(Module):
    def __init__(self):
        self.inside = Sequential(Linear(4, 4), Tanh(), Dropout(0.3), Linear(4, 4))

    def forward(self, x):
        return x + self.inside(x)


@given(depth=st.integers(1, 4), groups=st.integers(1, 3), inner=st.booleans())
def test_checkpoints_may_be_nested(depth, groups, inner):
    """A model in checkpoints, which may hold checkpoints, has the gradients that it has without, with dropout."""
    blocks = [Block() for _ in range(depth)]
    for each in blocks:
        each.to(np.float64)

    def part(x, *some):
        for each in some:
            x = checkpoint(each, x) if inner else each(x)
        return x

    def through(x):
        size = -(-depth // groups)
        for begin in range(0, depth, size):
            x = checkpoint(part, x, *blocks[begin : begin + size])
        return x

    parameters = [p for each in blocks for p in each.parameters()]
    x = leaf(2, 4)
    found = []
    for function in (through, Sequential(*blocks)):
        manual_seed(5)
        for each in (x, *parameters):
            each.grad = None
        out = function(x)
        (out * out).sum().backward()
        found.append([out.data, *(each.grad.data for each in (x, *parameters))])
    for one, other in zip(*found, strict=True):
        assert_close(one, other, "the value or a gradient")


def test_a_computed_tensor_must_be_an_input():
    """A Tensor that was computed outside and is used by the function is a RuntimeError: it would get no gradient."""
    x = leaf(2)
    outside = tanh(x)
    with raises(RuntimeError, "tanh", "inputs"):
        checkpoint(lambda x: x * outside, x)
    check(lambda x, y: x * y, x, x)
    assert_close(checkpoint(lambda x: x * outside.detach(), x), (x * outside).data, "with a detached one")


def test_changes_in_place_are_noticed():
    """A parameter or any input, even a constant one, changed in place is a RuntimeError: its values are lost."""
    x, constant, weight = leaf(2), Tensor(np.ones(2)), Parameter(np.ones(2))
    for changed in (x, constant, weight):
        y = checkpoint(lambda x, constant: x * constant * weight, x, constant)
        with no_grad():
            changed.fill_(5.0)
        with raises(RuntimeError, "in place"):
            y.sum().backward()


def test_the_function_gives_a_tensor():
    """A function that gives something else is a TypeError that names its type."""
    with raises(TypeError, "tuple"):
        checkpoint(lambda x: (x, x), leaf(2))


def test_an_error_leaves_everything_as_it_was():
    """An error when the function is called again comes through, and the draws afterwards are as without."""
    x, calls = leaf(2), []

    def fails(x):
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError
        return x * rand(2, dtype=np.float64)

    manual_seed(0)
    y = checkpoint(fails, x)
    with raises(ZeroDivisionError):
        y.sum().backward()
    found = rand(2)
    manual_seed(0)
    rand(2, dtype=np.float64)
    assert_close(found, rand(2).data, "the draws after the error")
    assert x.grad is None, "the input got a gradient"


def test_what_was_computed_is_forgotten():
    """After the checkpoint nothing that the function computed is in memory but its result; no collector is needed."""
    kept = []

    def function(x):
        middle = tanh(x)
        kept.append(weakref.ref(middle))
        kept.append(weakref.ref(middle.data))
        return middle * middle

    gc.disable()
    try:
        x = leaf(3)
        y = checkpoint(function, x)
        alive = [each() is not None for each in kept]
        assert_equal(alive, [False, False], "whether the Tensor in the middle and its array are alive")
        y.sum().backward()
        result = weakref.ref(y)
        del y
        assert result() is None, "the result is in a cycle"
    finally:
        gc.enable()


def test_less_memory():
    """Of 36 layers in 6 checkpoints, forward and backward take at most half of the memory."""
    layers = [Sequential(Linear(16, 16), Tanh()) for _ in range(36)]
    parts = [Sequential(*layers[i : i + 6]) for i in range(0, 36, 6)]
    x = leaf(2000, 16, dtype=np.float32)

    def plain(x):
        for each in parts:
            x = each(x)
        return x

    def in_parts(x):
        for each in parts:
            x = checkpoint(each, x)
        return x

    most = []
    for function in (in_parts, plain):
        tracemalloc.start()
        try:
            function(x).sum().backward()
            most.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        x.grad = None
    assert most[0] * 2 <= most[1], f"{most[0] / 1e6:.1f} MB in checkpoints, {most[1] / 1e6:.1f} MB without"


# On a GPU


def test_dropout_on_a_device(device):
    """On a GPU the same random numbers are drawn again, and the gradient fits the value."""
    manual_seed(0)
    x = Tensor(on_device(np.ones(100, np.float32), device), requires_grad=True)
    y = checkpoint(Dropout(0.5), x)
    drawn = rand(3, device=device)
    cat([y, y]).sum().backward()
    assert_close(to_numpy(x.grad.data), 2 * to_numpy(y.data), "the gradient")
    assert x.grad.device == x.device, f"the gradient is on {x.grad.device}"
    assert (to_numpy(rand(3, device=device).data) != to_numpy(drawn.data)).any(), (
        "the same numbers came again after backward"
    )


@pytest.mark.parametrize("p", [0.1, 0.9])
def test_other_draws_each_time(p):
    """Two checkpoints of one function draw different numbers."""
    x = Tensor(np.ones(1000, np.float32), requires_grad=True)
    one, two = checkpoint(Dropout(p), x), checkpoint(Dropout(p), x)
    assert (one.data != two.data).any(), "the same entries were dropped twice"
