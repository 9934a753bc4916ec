"""Steps of one size, however steep the slope is: adam_update, on arrays."""

import math

import numpy as np
from hypothesis import given, strategies as st

from dojo.spec import assert_close, assert_equal, no_warnings, unchanged
from dojo.spec.strategies import arrays_of, shapes
from tinytorch.optimizers import adam_update

PLAIN = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "decoupled": False}
STEPS = shapes(max_dims=2, max_side=3).map(lambda shape: (shape,) * 4)  # a parameter and three gradients


def walk(p, grads, **options):
    """The oracle for one number: the averages written out as sums over all gradients so far."""
    lr, (beta1, beta2), w = options["lr"], options["betas"], options["weight_decay"]
    seen = []
    for g in grads:
        if options["decoupled"]:
            p = p - lr * w * p
        else:
            g = g + w * p
        seen.append(g)
        n = len(seen)
        m = math.fsum((1 - beta1) * beta1 ** (n - 1 - i) * seen[i] for i in range(n))
        v = math.fsum((1 - beta2) * beta2 ** (n - 1 - i) * seen[i] ** 2 for i in range(n))
        p = p - lr * (m / (1 - beta1**n)) / (math.sqrt(v / (1 - beta2**n)) + options["eps"])
    return p


def follow(p, grads, **options):
    """The student's steps from p along these gradients."""
    p = np.array(p, np.float64)
    m, v = np.zeros_like(p), np.zeros_like(p)
    for step, g in enumerate(grads, 1):
        adam_update([p], [np.array(g, np.float64)], [m], [v], [step], **(PLAIN | options))
    return p


def test_the_first_step_of_adam_has_the_size_lr():
    """The first step is lr against the sign of the gradient, whether that is 0.01 or 1000."""
    p = follow([1.0, 1.0, 1.0], [[0.01, -5.0, 1000.0]])
    assert_close(p, np.array([0.9, 1.1, 0.9]), "the parameter", rtol=1e-5)


def test_adam_update_writes_into_all_its_arrays():
    """The parameter and both averages are changed in place, in their dtype; the gradient is not; None is returned."""
    p, g, m, v = (np.full(2, value, np.float32) for value in (1.0, 4.0, 0.0, 0.0))
    with unchanged(g):
        result = adam_update([p], [g], [m], [v], [1], **(PLAIN | {"betas": (0.75, 0.5)}))
    assert_equal(result, None)
    for name, average in (("exp_avgs[0]", m), ("exp_avg_sqs[0]", v)):
        assert average.any(), (
            f"{name} did not change: was a new array put into the list instead of writing into the old one?"
        )
    assert_close(m, np.full(2, 1.0, np.float32), "the average of gradients, (1 - 0.75) * 4")
    assert_close(v, np.full(2, 8.0, np.float32), "the average of their squares, (1 - 0.5) * 16")
    assert_close(p, np.full(2, 0.9, np.float32), "the parameter")


def test_two_steps_by_hand():
    """Gradients 2 and -2, betas (0.5, 0.5): m is 1, then -0.5; corrected 2, then -2/3; v corrected is 4 both times."""
    p = follow([1.0], [[2.0]], betas=(0.5, 0.5))
    assert_close(p, np.array([0.9]), "the parameter after one step")
    p = follow([1.0], [[2.0], [-2.0]], betas=(0.5, 0.5))
    assert_close(p, np.array([0.9 + 0.1 / 3]), "the parameter after two steps")


def test_a_constant_gradient_makes_steps_of_one_size():
    """The corrected averages of a gradient that stays 3 are 3 and 9 at every step: 20 steps move by 20 * lr."""
    p = follow([5.0], [[3.0]] * 20)
    assert_close(p, np.array([3.0]), "the parameter after 20 steps", rtol=1e-6)


def test_a_parameter_of_adam_may_be_0d():
    """A parameter may be 0-d, and so are its averages: from 5, 20 gradients of 3 and lr 0.1 lead to 3."""
    assert_close(follow(5.0, [3.0] * 20), np.array(3.0), "the parameter after 20 steps", rtol=1e-6)


def test_every_parameter_has_its_own_count():
    """`steps` holds a count for each parameter: the correction is large at step 1, small at step 1000."""
    params, grads = [np.ones(2), np.ones((3, 1))], [np.full(2, 4.0), np.full((3, 1), 4.0)]
    averages, squares = [np.zeros(2), np.zeros((3, 1))], [np.zeros(2), np.zeros((3, 1))]
    adam_update(params, grads, averages, squares, [1, 1000], **PLAIN)
    assert_close(params[0], np.full(2, 0.9), "the parameter at step 1")
    late = 1 - 0.1 * 0.4 / math.sqrt(0.016 / (1 - 0.999**1000))
    assert_close(params[1], np.full((3, 1), late), "the parameter at step 1000", rtol=1e-6)


def test_eps_is_added_to_the_corrected_root():
    """eps is added after the correction and after the root: a gradient as small as eps makes a step of lr / 2."""
    p = follow([0.0], [[1e-8]])
    assert_close(p, np.array([-0.05]), "the parameter", rtol=1e-4)


def test_a_gradient_of_zero_moves_nothing():
    """With a gradient of 0 the step is 0 / (0 + eps), without a warning."""
    with no_warnings():
        p = follow([1.0, -1.0], [[0.0, 0.0]])
    assert_close(p, np.array([1.0, -1.0]), "the parameter")


def test_weight_decay_of_adam_joins_the_gradient():
    """Coupled weight decay adds w * p to the gradient: where that is 0, p moves by lr towards 0, whatever w is."""
    p = follow([10.0, -1.0], [[0.0, 0.0]], weight_decay=0.01)
    assert_close(p, np.array([9.9, -0.9]), "the parameter", rtol=1e-5)


def test_decoupled_weight_decay_shrinks_the_parameter():
    """With decoupled=True p is multiplied by 1 - lr * w before the step, and the averages never see the decay."""
    p = follow([10.0, -1.0], [[0.0, 0.0]], weight_decay=0.5, decoupled=True)
    assert_close(p, np.array([9.5, -0.95]), "the parameter, whose gradient is 0")
    p = follow([10.0], [[3.0]], weight_decay=0.5, decoupled=True)
    assert_close(p, np.array([9.4]), "the parameter, whose gradient is 3")


@given(
    start_and_grads=arrays_of(STEPS, np.float64),
    betas=st.sampled_from([(0.9, 0.999), (0.5, 0.75), (0.0, 0.5)]),
    eps=st.sampled_from([0.125, 1e-4]),
    weight_decay=st.sampled_from([0.0, 0.5]),
    decoupled=st.booleans(),
)
def test_three_steps_of_adam_with_any_options(start_and_grads, betas, eps, weight_decay, decoupled):
    """Three steps of an array of any shape are, entry by entry, the three steps of one number."""
    start, *grads = start_and_grads
    options = {"betas": betas, "eps": eps, "weight_decay": weight_decay, "decoupled": decoupled, "lr": 0.5}
    numbers = zip(start.flat, *(g.flat for g in grads), strict=True)
    expected = np.array([walk(float(p), map(float, gs), **options) for p, *gs in numbers])
    assert_close(follow(start, grads, **options), expected.reshape(start.shape), "the parameter", atol=1e-7)
