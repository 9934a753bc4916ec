"""Training in float16: gradients that are too small for it."""

import math

import numpy as np
import pytest

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.optimizers import SGD
from tinytorch.precision import GradScaler
from tinytorch.tensor import Tensor, float16


def leaf(*values, dtype=np.float32):
    return Tensor(np.array(values, dtype), requires_grad=True)


def with_gradient(value, lr=1.0):
    """A parameter 1.0 whose gradient is `value`, and its optimizer."""
    parameter = leaf(1.0)
    parameter.grad = Tensor(np.array([value], np.float32))
    return parameter, SGD([parameter], lr=lr)


def step(scaler, *gradients):
    """One whole step for each gradient. The factor after each."""
    factors = []
    for value in gradients:
        _, optimizer = with_gradient(value)
        scaler.step(optimizer)
        scaler.update()
        factors.append(scaler.get_scale())
    return factors


def test_the_loss_is_multiplied():
    """scale(loss) is the loss times the factor, 2 ** 16 at first, and so the gradients are too."""
    scaler = GradScaler()
    assert_equal(scaler.get_scale(), 65536.0, "the first factor")
    x = leaf(3.0)
    loss = scaler.scale((x * x).sum())
    assert_close(loss, np.float32(9 * 65536), "the loss")
    loss.backward()
    assert_close(x.grad, np.array([6 * 65536], np.float32), "the gradient")


@pytest.mark.parametrize(
    ("options", "named"),
    [({"growth_factor": 1.0}, 1.0), ({"backoff_factor": 1.0}, 1.0), ({"backoff_factor": 0.0}, 0.0)],
)
def test_factors_that_go_the_wrong_way(options, named):
    """A growth_factor that is not above 1, or a backoff_factor not between 0 and 1, is a ValueError that names it."""
    with raises(ValueError, named):
        GradScaler(**options)


def test_gradients_are_divided():
    """unscale_(optimizer) divides every gradient by the factor, in place; a parameter without one does not count."""
    scaler = GradScaler(init_scale=8.0)
    first, second, third = leaf(1.0, 2.0), leaf(3.0), leaf(4.0)
    first.grad, second.grad = Tensor(np.array([16, -4], np.float32)), Tensor(np.array([8], np.float32))
    held = first.grad.data
    scaler.unscale_(SGD([{"params": [first, third]}, {"params": [second]}]))
    assert_close(first.grad, np.array([2, -0.5], np.float32), "the gradients of the first group")
    assert_close(second.grad, np.array([1], np.float32), "the gradient of the second group")
    assert_close(
        held, np.array([2, -0.5], np.float32), "the array that the first gradient was, changed in place,"
    )


def test_a_step_is_made_with_the_true_gradient():
    """step(optimizer) moves by the gradient divided by the factor, whether unscale_ was called before or not."""
    for before in (False, True):
        scaler = GradScaler(init_scale=8.0)
        parameter, optimizer = with_gradient(4.0)
        if before:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        assert_close(
            parameter, np.array([0.5], np.float32), f"the parameter (unscale_ called before: {before})"
        )


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_step_that_overflowed_is_left_out(bad):
    """With inf or nan in any gradient no parameter moves, and the factor is halved."""
    scaler = GradScaler(init_scale=8.0)
    parameter, other = leaf(1.0), leaf(2.0)
    parameter.grad, other.grad = Tensor(np.array([bad], np.float32)), Tensor(np.array([8], np.float32))
    scaler.step(SGD([parameter, other], lr=1.0))
    assert_close(parameter, np.array([1], np.float32), "the parameter")
    assert_close(other, np.array([2], np.float32), "the other parameter, whose gradient is finite,")
    scaler.update()
    assert_equal(scaler.get_scale(), 4.0, "the factor")


def test_the_factor_grows_when_nothing_overflows():
    """After growth_interval steps in a row without overflow the factor doubles; an overflow begins the count again."""
    scaler = GradScaler(init_scale=8.0, growth_interval=2)
    found = step(scaler, 1.0, 1.0, 1.0, math.inf, 1.0, 1.0)
    assert_equal(found, [8.0, 16.0, 16.0, 8.0, 8.0, 16.0], "the factor after each step")


def test_other_factors():
    """growth_factor and backoff_factor say by how much it grows and shrinks."""
    scaler = GradScaler(1.0, growth_factor=4.0, backoff_factor=0.25, growth_interval=1)
    assert_equal(step(scaler, 1.0, 1.0, math.inf), [4.0, 16.0, 4.0], "the factor after each step")


def test_one_overflow_among_two_optimizers():
    """Of two optimizers only the one whose gradients overflowed leaves out its step; the factor is halved once."""
    scaler = GradScaler(init_scale=8.0)
    (first, one), (second, two) = with_gradient(math.inf), with_gradient(4.0)
    scaler.step(one)
    scaler.step(two)
    scaler.update()
    assert_close(first, np.array([1], np.float32), "the parameter that overflowed")
    assert_close(second, np.array([0.5], np.float32), "the other one")
    assert_equal(scaler.get_scale(), 4.0, "the factor")


def test_the_order_of_calls_is_checked():
    """Twice unscale_, unscale_ after step, twice step, and update without a step are a RuntimeError."""
    scaler = GradScaler()
    _, optimizer = with_gradient(4.0)
    with raises(RuntimeError, "step"):
        scaler.update()
    scaler.unscale_(optimizer)
    with raises(RuntimeError, "update"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    for again in (scaler.step, scaler.unscale_):
        with raises(RuntimeError, "update"):
            again(optimizer)
    scaler.update()
    with raises(RuntimeError, "step"):
        scaler.update()
    scaler.unscale_(optimizer)


def test_gradients_of_float16_are_refused():
    """A float16 gradient is a ValueError that names float16: divided, it would be 0 again. No gradient changes."""
    parameter, other = leaf(1.0, dtype=np.float16), leaf(2.0)
    parameter.grad, other.grad = Tensor(np.ones(1, np.float16)), Tensor(np.ones(1, np.float32))
    for params in ([parameter, other], [other, parameter]):
        with raises(ValueError, "float16"):
            GradScaler().unscale_(SGD(params))
        assert_close(other.grad, np.ones(1, np.float32), "the other gradient")


def test_the_state_of_a_scaler():
    """A new scaler that loads the state goes on where the old one was: the factor, the count, the options."""
    scaler = GradScaler(8.0, 4.0, 0.25, growth_interval=3)
    step(scaler, math.inf, 1.0, 1.0)
    other = GradScaler()
    other.load_state_dict(scaler.state_dict())
    names = ["_growth_tracker", "backoff_factor", "growth_factor", "growth_interval", "scale"]
    assert_equal(sorted(scaler.state_dict()), names, "the names in the state")
    assert_equal(step(other, 1.0, math.inf), [8.0, 2.0], "the factor after each step")


def test_a_state_is_a_copy():
    """What state_dict gave does not change when training continues."""
    scaler = GradScaler(8.0)
    state = scaler.state_dict()
    step(scaler, math.inf, 1.0)
    scaler.state_dict()
    assert_equal(
        (state["scale"], state["_growth_tracker"]), (8.0, 0), "the factor and the count in the old state"
    )


SLOPE, SAMPLES = 5e-4, 2**16


def learn(scaler, steps=25):
    """Learn the slope of a line from many samples. The slope in float32, what is computed in float16.

    The loss is a mean, so the gradient of each sample's output is at most 2 * SLOPE / SAMPLES = 1.5e-8. In float16
    that is 0, though all together would move the slope by a lot.
    """
    x = Tensor(np.linspace(-1, 1, SAMPLES).astype(np.float16))
    slope = leaf(0.0)
    optimizer = SGD([slope], lr=0.5)
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            optimizer.zero_grad()
            miss = slope.to(float16) * x - SLOPE * x
            loss = (miss.to(np.float32) ** 2).mean()
            if scaler is None:
                loss.backward()
                optimizer.step()
            else:
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
            found.append(slope.item())
    return found


def test_scaling_lets_float16_learn():
    """Each sample's gradient is 0 in float16, so the slope never moves; with a GradScaler it is learned."""
    learned = learn(GradScaler())[-1]
    assert abs(learned - SLOPE) < 0.05 * SLOPE, f"the slope is {learned:.2e}, expected {SLOPE:.2e} within 5 %"
    alone = learn(None)[-1]
    assert alone == 0, f"without a scaler the slope became {alone:.2e}: the spec does not show what it should"


def test_an_overflow_is_seen_and_undone():
    """With a factor that is far too large, steps are left out until it fits, and then the slope is learned."""
    scaler = GradScaler(init_scale=2.0**34)
    found = learn(scaler, steps=40)
    assert found[0] == 0, f"the first step overflows, and yet it moved the slope to {found[0]}"
    assert abs(found[-1] - SLOPE) < 0.05 * SLOPE, (
        f"the slope is {found[-1]:.2e}, expected {SLOPE:.2e} within 5 %"
    )
    factor = scaler.get_scale()
    assert 2.0**16 <= factor < 2.0**34, f"the factor ended at 2 ** {math.log2(factor):.0f}"
