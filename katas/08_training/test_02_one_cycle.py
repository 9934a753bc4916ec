"""Up, and down to almost nothing, once: OneCycleLR."""

import math

from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.layers import Parameter
from tinytorch.optimizers import SGD, Adam, AdamW, Optimizer
from tinytorch.tensor import tensor
from tinytorch.training import OneCycleLR, SequentialLR, StepLR


def param():
    return Parameter(tensor([1.0]))


def sgd(**options):
    return SGD([param()], lr=7.0, **{"momentum": 0.5, **options})


def follow(scheduler, steps, name="lr"):
    """The option of the first group at step 0 and after each of the next steps."""
    seen = [scheduler.optimizer.param_groups[0][name]]
    for _ in range(steps):
        scheduler.step()
        seen.append(scheduler.optimizer.param_groups[0][name])
    return seen


def test_one_cycle_by_hand():
    """With "linear" the rate goes up to max_lr and down again along straight lines.

    For max_lr 1, 9 steps, pct_start 5/9, div_factor 5 and final_div_factor 2: up from 0.2 in steps of 0.2 to 1 at
    step 4, then down to 0.1 at step 8.
    """
    scheduler = OneCycleLR(
        sgd(), 1.0, 9, pct_start=5 / 9, anneal_strategy="linear", div_factor=5.0, final_div_factor=2.0
    )
    up, down = [0.2, 0.4, 0.6, 0.8, 1.0], [0.775, 0.55, 0.325, 0.1]
    assert_close(follow(scheduler, 8), up + down, "the rates")


def test_one_cycle_is_smooth():
    """By default both ways, up and down, are half a cosine wave.

    Over 9 steps with pct_start 5/9 it is half-way up at step 2 and half-way down at step 6. After a quarter of a way,
    (1 - cos(pi/4)) / 2 of the difference is done.
    """
    scheduler = OneCycleLR(sgd(), 1.0, 9, pct_start=5 / 9, div_factor=5.0, final_div_factor=2.0)
    rates = follow(scheduler, 8)
    share = (1 - math.cos(math.pi / 4)) / 2
    assert_close(rates[0], 0.2, "the rate at step 0")
    assert_close(rates[1], 0.2 + 0.8 * share, "the rate at step 1")
    assert_close(rates[2], 0.6, "the rate half-way up")
    assert_close(rates[4], 1.0, "the rate at the peak")
    assert_close(rates[5], 1.0 - 0.9 * share, "the rate at step 5")
    assert_close(rates[6], 0.55, "the rate half-way down")
    assert_close(rates[8], 0.1, "the last rate")


def test_one_cycle_by_default():
    """It begins at max_lr / 25, has its peak at step 0.3 * total_steps - 1, and ends at max_lr / 25 / 10000."""
    rates = follow(OneCycleLR(sgd(), 2.5, 100), 99)
    assert_close(rates[0], 0.1, "the first rate")
    assert_close(rates[29], 2.5, "the rate at step 29")
    assert_close(rates[99], 1e-5, "the rate at step 99")
    assert_equal(max(range(100), key=rates.__getitem__), 29, "the step with the largest rate")


def oracle(step, total, pct, low, high, end, strategy):
    """The oracle: the value at a step, from two ways between three steps."""
    peak = pct * total - 1
    if step <= peak:
        a, b, share = low, high, step / peak if peak > 0 else 1.0
    else:
        a, b, share = high, end, (step - peak) / (total - 1 - peak)
    if strategy == "cos":
        share = math.sin(math.pi * share / 2) ** 2
    return (1 - share) * a + share * b


@given(
    total=st.integers(2, 12),
    pct=st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 1.0]),
    strategy=st.sampled_from(["cos", "linear"]),
)
@example(total=10, pct=0.1, strategy="cos")
def test_one_cycle_with_any_number_of_steps(total, pct, strategy):
    """Any number of steps and any pct_start, where the peak may lie before step 0, at it, or at the very end."""
    scheduler = OneCycleLR(
        sgd(), 1.0, total, pct_start=pct, anneal_strategy=strategy, div_factor=4.0, final_div_factor=8.0
    )
    rates, expected = (
        follow(scheduler, total - 1),
        [oracle(step, total, pct, 0.25, 1.0, 0.03125, strategy) for step in range(total)],
    )
    assert_close(rates, expected, "the rates", rtol=1e-9)


def test_a_cycle_begins_with_a_rate_of_its_own():
    """The cycle begins at max_lr / 25, even if an earlier scheduler left an "initial_lr" of 7.

    Its peak is max_lr, and "initial_lr" becomes max_lr / 25.
    """
    optimizer = sgd()
    StepLR(optimizer, 1).step()
    rates = follow(OneCycleLR(optimizer, 2.5, 100), 99)
    assert_close([rates[0], rates[29]], [0.1, 2.5], "the rates at step 0 and at the peak, step 29")
    assert_close(optimizer.param_groups[0]["initial_lr"], 0.1, "initial_lr of the group")


def test_epochs_and_steps_make_the_total():
    """epochs=4 and steps_per_epoch=25 are 100 steps: the same rates as total_steps=100."""
    rates = follow(OneCycleLR(sgd(), 1.0, epochs=4, steps_per_epoch=25), 99)
    assert_close(rates, follow(OneCycleLR(sgd(), 1.0, 100), 99), "the rates")


def test_every_group_has_its_own_peak():
    """max_lr [1, 10] gives each of two groups its own peak; their "initial_lr" are 0.04 and 0.4."""
    optimizer = SGD([{"params": [param()]}, {"params": [param()]}], lr=7.0, momentum=0.5)
    scheduler = OneCycleLR(optimizer, [1.0, 10.0], 10)
    assert_close([g["initial_lr"] for g in optimizer.param_groups], [0.04, 0.4], "initial_lr of the groups")
    scheduler.step()
    scheduler.step()
    assert_close(scheduler.get_last_lr(), [1.0, 10.0], "the rates at step 2, the peak")


def test_the_momentum_goes_the_other_way():
    """The "momentum" of SGD goes from 0.95 down to 0.85 at the peak and up again; 0.9 half-way."""
    momenta = follow(OneCycleLR(sgd(), 1.0, 9, pct_start=5 / 9), 8, "momentum")
    assert_close(
        [momenta[i] for i in (0, 2, 4, 6, 8)],
        [0.95, 0.9, 0.85, 0.9, 0.95],
        "the momentum at steps 0, 2, 4, 6, 8",
    )


def test_the_first_beta_is_a_momentum():
    """The momentum of Adam is the first of its "betas"; the second stays."""
    for cls in (Adam, AdamW):
        scheduler = OneCycleLR(cls([param()], betas=(0.5, 0.75)), 1.0, 9, pct_start=5 / 9)
        betas = follow(scheduler, 4, "betas")
        for step, first in ((0, 0.95), (2, 0.9), (4, 0.85)):
            assert_close(betas[step], [first, 0.75], f"betas at step {step} of {cls.__name__}")


def test_the_momentum_has_bounds_of_its_own():
    """base_momentum and max_momentum are the lowest and highest momentum: with 0.5 and 0.7 it goes 0.7, 0.6, 0.5."""
    momenta = follow(
        OneCycleLR(sgd(), 1.0, 9, pct_start=5 / 9, base_momentum=0.5, max_momentum=0.7), 4, "momentum"
    )
    assert_close([momenta[0], momenta[2], momenta[4]], [0.7, 0.6, 0.5], "the momentum at steps 0, 2 and 4")


def test_the_momentum_can_be_left_alone():
    """With cycle_momentum=False the momentum stays 0.5."""
    momenta = follow(OneCycleLR(sgd(), 1.0, 9, cycle_momentum=False), 4, "momentum")
    assert_close(momenta, [0.5] * 5, "the momentum")


def test_without_a_momentum_there_is_nothing_to_cycle():
    """An optimizer with neither "momentum" nor "betas" is a ValueError that says momentum.

    With cycle_momentum=False it will do.
    """
    optimizer = Optimizer([param()], {"lr": 0.5})
    with raises(ValueError, "momentum"):
        OneCycleLR(optimizer, 1.0, 9)
    assert_close(optimizer.param_groups[0]["lr"], 0.5, "lr afterwards")
    scheduler = OneCycleLR(optimizer, 1.0, 9, pct_start=5 / 9, cycle_momentum=False)
    assert_close(follow(scheduler, 4)[4], 1.0, "the rate at step 4")


def test_one_cycle_refuses_what_makes_no_cycle():
    """Options that make no cycle are a ValueError.

    No number of steps, 0 of them, -1 epochs of -5, pct_start 1.5, a strategy "sine", and 3 max_lr for 1 group.
    """
    with raises(ValueError, "total_steps"):
        OneCycleLR(sgd(), 1.0)
    with raises(ValueError, "total_steps"):
        OneCycleLR(sgd(), 1.0, epochs=3)
    with raises(ValueError, "total_steps"):
        OneCycleLR(sgd(), 1.0, steps_per_epoch=3)
    with raises(ValueError, "total_steps", -1, -5):
        OneCycleLR(sgd(), 1.0, epochs=-1, steps_per_epoch=-5)
    with raises(ValueError, 0):
        OneCycleLR(sgd(), 1.0, 0)
    optimizer = sgd()
    OneCycleLR(optimizer, 1.0, 1)
    assert_close(optimizer.param_groups[0]["lr"], 1 / 25 / 1e4, "the rate of a cycle of one step")
    with raises(ValueError, 1.5):
        OneCycleLR(sgd(), 1.0, 9, pct_start=1.5)
    with raises(ValueError, "sine"):
        OneCycleLR(sgd(), 1.0, 9, anneal_strategy="sine")
    with raises(ValueError, 3, 1):
        OneCycleLR(sgd(), [1.0, 2.0, 3.0], 9)


def test_the_cycle_ends():
    """After total_steps steps, one more is a ValueError with that number, and changes nothing.

    A step after every batch makes total_steps steps, and the last of them leaves the rate as it is.
    """
    scheduler = OneCycleLR(sgd(), 1.0, 5, anneal_strategy="linear")
    rates = follow(scheduler, 5)
    assert_close(rates[5], rates[4], "the rate after the last step")
    with raises(ValueError, 5):
        scheduler.step()
    assert_equal(scheduler.last_epoch, 5, "last_epoch afterwards")
    assert_close(scheduler.get_last_lr(), rates[4:5], "the rate afterwards")


def test_a_cycle_goes_on_from_its_state():
    """Resumed after step 4 by a new scheduler with its state, it makes the rates and momenta of an unstopped one."""
    for name in ("lr", "momentum"):
        expected = follow(OneCycleLR(sgd(), 1.0, 9), 8, name)
        early, late = OneCycleLR(sgd(), 1.0, 9), OneCycleLR(sgd(), 1.0, 9)
        follow(early, 4)
        late.load_state_dict(early.state_dict())
        assert_close(follow(late, 4, name)[1:], expected[5:], f"{name} after the stop")


def test_a_cycle_goes_on_in_the_middle():
    """With last_epoch=3, on an optimizer that had the cycle before, the first rate is that of step 4."""
    optimizer = sgd()
    expected = follow(OneCycleLR(sgd(), 1.0, 9), 8)
    follow(OneCycleLR(optimizer, 1.0, 9), 3)
    scheduler = OneCycleLR(optimizer, 1.0, 9, last_epoch=3)
    assert_close(follow(scheduler, 4), expected[4:], "the rates from step 4 on")


def test_a_cycle_can_be_a_part():
    """In a SequentialLR the momentum of a OneCycleLR changes when it is its turn."""
    optimizer = sgd()
    flat = StepLR(optimizer, 100)
    scheduler = SequentialLR(
        optimizer, [flat, OneCycleLR(optimizer, 1.0, 9, pct_start=5 / 9)], milestones=[3]
    )
    assert_close(follow(scheduler, 7, "momentum")[7], 0.85, "the momentum at the peak, step 4 of the cycle")


def test_a_part_that_is_over_is_not_counted():
    """A step that a part of a SequentialLR refuses is a ValueError, and last_epoch does not count it.

    A cycle of 3 steps that begins at step 2 refuses step 6: last_epoch stays 5, that of the cycle 3.
    """
    optimizer = sgd()
    cycle = OneCycleLR(optimizer, 1.0, 3)
    scheduler = SequentialLR(optimizer, [StepLR(optimizer, 100), cycle], milestones=[2])
    last = follow(scheduler, 5)[5]
    for _ in range(2):
        with raises(ValueError, 3):
            scheduler.step()
        assert_equal((scheduler.last_epoch, cycle.last_epoch), (5, 3), "last_epoch of both, after the error")
    assert_close(optimizer.param_groups[0]["lr"], last, "the rate after the error")
