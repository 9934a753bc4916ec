"""The gradient divided by its usual size: rmsprop_update, on arrays."""

import math

import numpy as np
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, no_warnings, unchanged
from dojo.spec.strategies import arrays_of, shapes
from tinytorch.optimizers import rmsprop_update

PLAIN = {"lr": 0.1, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0}
STEPS = shapes(max_dims=2, max_side=3).map(lambda shape: (shape,) * 4)  # a parameter and three gradients


def walk(p, grads, **options):
    """The oracle for one number: the average of squares written out as a sum over all gradients so far."""
    alpha, seen, moves = options["alpha"], [], []
    for g in grads:
        seen.append(g + options["weight_decay"] * p)
        n = len(seen)
        v = math.fsum((1 - alpha) * alpha ** (n - 1 - i) * seen[i] ** 2 for i in range(n))
        moves.append(seen[-1] / (math.sqrt(v) + options["eps"]))
        p = p - options["lr"] * math.fsum(options["momentum"] ** (n - 1 - i) * moves[i] for i in range(n))
    return p


def follow(p, grads, **options):
    """The student's steps from p along these gradients; without momentum there is no buffer."""
    p = np.array(p, np.float64)
    v, buffer = np.zeros_like(p), np.zeros_like(p) if options.get("momentum") else None
    for g in grads:
        rmsprop_update([p], [np.array(g, np.float64)], [v], [buffer], **(PLAIN | options))
    return p


def test_rmsprop_divides_by_the_root_of_the_average_square():
    """v = alpha * v + (1 - alpha) * g * g, and p moves by lr * g / sqrt(v): with alpha 0.75 first by 2 * lr."""
    p = follow([1.0, 1.0], [[0.5, -300.0]], alpha=0.75)
    assert_close(p, np.array([0.8, 1.2]), "the parameter", rtol=1e-6)


def test_rmsprop_update_writes_into_all_its_arrays():
    """The parameter, the average and the buffer are changed in place, in their dtype; None is returned."""
    p, g, v, buffer = (np.full(2, value, np.float32) for value in (1.0, 4.0, 0.0, 0.0))
    with unchanged(g):
        result = rmsprop_update([p], [g], [v], [buffer], **(PLAIN | {"alpha": 0.75, "momentum": 0.5}))
    assert_equal(result, None)
    for name, kept in (("square_avgs[0]", v), ("momentum_buffers[0]", buffer)):
        assert kept.any(), (
            f"{name} did not change: was a new array put into the list instead of writing into the old one?"
        )
    assert_close(v, np.full(2, 4.0, np.float32), "the average of squares, (1 - 0.75) * 16")
    assert_close(buffer, np.full(2, 2.0, np.float32), "the momentum buffer, 4 / sqrt(4)")
    assert_close(p, np.full(2, 0.8, np.float32), "the parameter")


def test_rmsprop_adds_eps_outside_the_root():
    """A gradient whose root of v is as small as eps makes half the step, and a gradient of 0 none."""
    p = follow([0.0], [[2e-8]], alpha=0.75)  # the root of v is 1e-8
    assert_close(p, np.array([-0.1]), "the parameter", rtol=1e-4)
    with no_warnings():
        assert_close(follow([1.0], [[0.0]]), np.array([1.0]), "the parameter, whose gradient is 0")


def test_rmsprop_adds_weight_decay_to_the_gradient():
    """weight_decay adds w * p to the gradient, so that with alpha 0.75 a gradient of 0 moves p by 2 * lr towards 0."""
    p = follow([10.0, -10.0], [[0.0, 0.0]], alpha=0.75, weight_decay=0.1)
    assert_close(p, np.array([9.8, -9.8]), "the parameter", rtol=1e-6)


def test_rmsprop_has_momentum():
    """buf = momentum * buf + g / (sqrt(v) + eps), from a buffer of 0; with alpha 0 the quotient is the sign of g."""
    p = follow([10.0], [[3.0], [5.0], [7.0]], lr=1.0, alpha=0.0, momentum=0.5)
    assert_close(p, np.array([10 - 1 - 1.5 - 1.75]), "the parameter after three steps", rtol=1e-6)


@given(
    start_and_grads=arrays_of(STEPS, np.float64),
    alpha=st.sampled_from([0.99, 0.5]),
    eps=st.sampled_from([0.125, 1e-4]),
    weight_decay=st.sampled_from([0.0, 0.5]),
    momentum=st.sampled_from([0.0, 0.5]),
)
def test_three_steps_of_rmsprop_with_any_options(start_and_grads, alpha, eps, weight_decay, momentum):
    """Three steps of an array of any shape are, entry by entry, the three steps of one number."""
    start, *grads = start_and_grads
    options = {"alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum, "lr": 0.5}
    numbers = zip(start.flat, *(g.flat for g in grads), strict=True)
    expected = np.array([walk(float(p), map(float, gs), **options) for p, *gs in numbers])
    assert_close(follow(start, grads, **options), expected.reshape(start.shape), "the parameter", atol=1e-7)
