"""One step downhill, and a memory of the steps before: sgd_update, on arrays."""

import numpy as np
from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, unchanged
from dojo.spec.strategies import arrays, arrays_of, shapes
from tinytorch.optimizers import sgd_update

PLAIN = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0}
STEPS = shapes(max_dims=2, max_side=3).map(lambda shape: (shape,) * 4)  # a parameter and three gradients


def walk(p, grads, **options):
    """The oracle for one number: the steps in Python's floats."""
    lr, m = options["lr"], options["momentum"]
    buffer = None
    for g in grads:
        g = g + options["weight_decay"] * p
        if m:
            buffer = g if buffer is None else m * buffer + (1 - options["dampening"]) * g
            g = g + m * buffer if options["nesterov"] else buffer
        p = p - lr * g
    return p


def follow(p, grads, **options):
    """The student's steps from p along these gradients, one number or array after the other."""
    params, buffers = [np.array(p, np.float64)], [None]
    for g in grads:
        sgd_update(params, [np.array(g, np.float64)], buffers, **(PLAIN | options))
    return params[0]


def test_sgd_update_goes_against_the_gradient():
    """sgd_update of the parameter [1, 1] with gradient [2, -4] and lr 0.1 makes it [0.8, 1.4]: p - lr * grad."""
    p = np.array([1.0, 1.0])
    sgd_update([p], [np.array([2.0, -4.0])], [None], **PLAIN)
    assert_close(p, np.array([0.8, 1.4]), "the parameter")


def test_sgd_update_writes_into_the_arrays_themselves():
    """Every array in `params` is changed in place, in its dtype; `grads` stay as they are, and None is returned."""
    whole, column = np.ones((2, 3), np.float32), np.ones((2, 1), np.float32)
    params, grads = [whole[:, 1:], column], [np.ones((2, 2), np.float32), np.full((2, 1), 5, np.float32)]
    with unchanged(*grads):
        result = sgd_update(params, grads, [None, None], **PLAIN)
    assert_equal(result, None)
    assert_close(whole, np.array([[1, 0.9, 0.9]] * 2, np.float32), "the memory of the first parameter")
    assert_close(column, np.full((2, 1), 0.5, np.float32), "the second parameter")


@given(pair=arrays_of(shapes().map(lambda shape: (shape, shape))), lr=st.sampled_from([0.0, 0.5, 2.0]))
def test_sgd_update_takes_any_shape(pair, lr):
    """Parameters may have any shape, and be empty or 0-d."""
    start, g = pair
    p = start.copy()
    sgd_update([p], [g], [None], **(PLAIN | {"lr": lr}))
    assert_close(p, start - np.float32(lr) * g, "the parameter")


def test_weight_decay_pulls_towards_zero():
    """weight_decay w adds w * p to the gradient: with gradient 0, lr 0.5 and w 0.2, p = [10, -5] becomes [9, -4.5]."""
    p, g = np.array([10.0, -5.0]), np.zeros(2)
    with unchanged(g):
        sgd_update([p], [g], [None], **(PLAIN | {"lr": 0.5, "weight_decay": 0.2}))
    assert_close(p, np.array([9.0, -4.5]), "the parameter")


def test_the_first_momentum_buffer_is_the_gradient():
    """With momentum, a None in `momentum_buffers` becomes a copy of the gradient, and the step is a plain one."""
    p, g, buffers = np.array([1.0]), np.array([2.0]), [None]
    sgd_update([p], [g], buffers, **(PLAIN | {"momentum": 0.9}))
    assert_close(p, np.array([0.8]), "the parameter after the first step")
    assert buffers[0] is not None, "nothing was put into momentum_buffers[0]"
    assert_close(buffers[0], np.array([2.0]), "the momentum buffer after the first step")
    g[:] = 100.0
    assert_close(
        buffers[0], np.array([2.0]), "the momentum buffer, after the gradient's array was used again"
    )


def test_momentum_remembers_earlier_gradients():
    """buf = momentum * buf + grad: three gradients of 1 with momentum 0.5 and lr 1 move by 1, 1.5 and 1.75."""
    assert_close(
        follow([10.0], [[1], [1]], lr=1.0, momentum=0.5), np.array([7.5]), "the parameter after two steps"
    )
    assert_close(
        follow([10.0], [[1], [1], [1]], lr=1.0, momentum=0.5), np.array([5.75]), "the parameter after three"
    )


def test_weight_decay_goes_into_the_momentum():
    """The weight decay is part of the buffer.

    From 8, with gradients 0, lr 1, momentum 0.5 and weight_decay 0.5, the parameter goes to 4, then to 0.
    """
    p = follow([8.0], [[0], [0]], lr=1.0, momentum=0.5, weight_decay=0.5)
    assert_close(p, np.array([0.0]), "the parameter after two steps")


def test_dampening_weakens_all_gradients_but_the_first():
    """Every gradient but the first is multiplied by 1 - dampening before it joins the buffer.

    From 10, with gradients 4 and 4, lr 1, momentum 0.5 and dampening 0.75, the parameter goes to 6, then to 3.
    """
    options = {"lr": 1.0, "momentum": 0.5, "dampening": 0.75}
    assert_close(follow([10.0], [[4]], **options), np.array([6.0]), "the parameter after one step")
    assert_close(follow([10.0], [[4], [4]], **options), np.array([3.0]), "the parameter after two steps")


def test_nesterov_looks_ahead():
    """The step is lr * (grad + momentum * new buf), where new buf counts this gradient already.

    From 10, with gradients 1 and 1, lr 1 and momentum 0.5, the parameter goes to 8.5, then to 6.75.
    """
    options = {"lr": 1.0, "momentum": 0.5, "nesterov": True}
    assert_close(follow([10.0], [[1]], **options), np.array([8.5]), "the parameter after one step")
    assert_close(follow([10.0], [[1], [1]], **options), np.array([6.75]), "the parameter after two steps")


def test_a_parameter_may_be_0d():
    """The buffer of a 0-d parameter is a 0-d array (a NumPy number could not be written into): from 8 to 4, then 0."""
    p, buffers = np.array(8.0), [None]
    for _ in range(2):
        options = {"lr": 1.0, "momentum": 0.5, "weight_decay": 0.5}
        sgd_update([p], [np.array(0.0)], buffers, **(PLAIN | options))
        kind = type(buffers[0]).__name__
        assert isinstance(buffers[0], np.ndarray), f"momentum_buffers[0] is a {kind}, expected an array"
    assert_close(p, np.array(0.0), "the parameter after two steps")


def test_the_buffer_has_the_parameters_dtype():
    """A float32 parameter has a float32 buffer, even if its gradients are float64."""
    p, buffers = np.array([10.0], np.float32), [None]
    for _ in range(2):
        sgd_update([p], [np.array([1.0])], buffers, **(PLAIN | {"lr": 1.0, "momentum": 0.5}))
        assert_equal(str(buffers[0].dtype), "float32", "the dtype of the buffer")
    assert_close(p, np.array([7.5], np.float32), "the parameter after two steps")


@given(
    start_and_grads=arrays_of(STEPS, np.float64),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    dampening=st.sampled_from([0.0, 0.25]),
    nesterov=st.booleans(),
    weight_decay=st.sampled_from([0.0, 0.5]),
)
@example((np.array(1.0), np.array(1.0), np.array(0.0), np.array(-2.0)), 0.5, 0.25, True, 0.5)
def test_three_steps_with_any_options(start_and_grads, momentum, dampening, nesterov, weight_decay):
    """Three steps of an array of any shape are, entry by entry, the three steps of one number."""
    start, *grads = start_and_grads
    options = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
    options |= {"weight_decay": weight_decay, "lr": 0.5}
    numbers = zip(start.flat, *(g.flat for g in grads), strict=True)
    expected = np.array([walk(float(p), map(float, gs), **options) for p, *gs in numbers])
    assert_close(follow(start, grads, **options), expected.reshape(start.shape), "the parameter")


@given(first=arrays((2,), np.float32), second=arrays((3, 1), np.float32))
def test_every_parameter_has_a_buffer_of_its_own(first, second):
    """Two parameters updated together move as each would alone, and their buffers keep shape and dtype."""
    params, buffers = [np.zeros((2,), np.float32), np.zeros((3, 1), np.float32)], [None, None]
    for _ in range(2):
        sgd_update(params, [first, second], buffers, **(PLAIN | {"lr": 1.0, "momentum": 0.5}))
    for p, buffer, g in zip(params, buffers, [first, second], strict=True):
        assert_close(p, np.float32(-2.5) * g, "a parameter after two steps")
        assert_close(buffer, np.float32(1.5) * g, "its buffer")
