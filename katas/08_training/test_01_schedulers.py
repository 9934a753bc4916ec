"""The learning rate as a function of time: schedulers over one step after the other."""

import math

from hypothesis import example, given, strategies as st

from dojo.spec import assert_close, assert_equal, raises
from tinytorch.layers import Parameter
from tinytorch.optimizers import SGD, Adam
from tinytorch.tensor import tensor
from tinytorch.training import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR, StepLR

RATES = st.sampled_from([0.1, 1.0, 0.003])


def sgd(*rates):
    """An optimizer with a group for each rate."""
    return SGD([{"params": [Parameter(tensor([1.0]))], "lr": lr} for lr in rates or (0.5,)])


def rates_of(scheduler, steps):
    """The rate of the first group at step 0 and after each of the next steps."""
    seen = [scheduler.optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        scheduler.step()
        seen.append(scheduler.optimizer.param_groups[0]["lr"])
    return seen


class Halving(LRScheduler):
    """A scheduler as a user would write one: base / (step + 1)."""

    def get_lr(self):
        return [base / (self.last_epoch + 1) for base in self.base_lrs]


# What all have in common


def test_a_new_scheduler_stands_at_step_0():
    """A new scheduler has last_epoch 0 and the rate of step 0: with get_lr base / (step + 1), 0.5 stays 0.5."""
    optimizer = sgd(0.5)
    scheduler = Halving(optimizer)
    assert scheduler.optimizer is optimizer, "scheduler.optimizer is another optimizer"
    assert_equal(scheduler.last_epoch, 0, "last_epoch of a new scheduler")
    assert_close(optimizer.param_groups[0]["lr"], 0.5, "lr of the group")


def test_the_first_rate_is_written_at_once():
    """The rate of step 0 is in the group before step is called: a scheduler that always says 0.25 makes it 0.25."""

    class Quarter(LRScheduler):
        def get_lr(self):
            return [0.25 for _ in self.base_lrs]

    optimizer = sgd(0.5)
    Quarter(optimizer)
    assert_close(optimizer.param_groups[0]["lr"], 0.25, "lr of the group")


def test_a_step_counts_and_writes():
    """step makes last_epoch 1, 2, 3, ... and writes the rates that get_lr gives into the groups: 1/2, 1/3, 1/4."""
    scheduler = Halving(sgd(1.0))
    assert_close(rates_of(scheduler, 3), [1.0, 1 / 2, 1 / 3, 1 / 4], "the rates")
    assert_equal(scheduler.last_epoch, 3, "last_epoch")


def test_every_group_has_its_own_rate():
    """Groups that begin at 0.5 and 0.1 are each scheduled from their own rate, and base_lrs is [0.5, 0.1]."""
    optimizer = sgd(0.5, 0.1)
    scheduler = Halving(optimizer)
    scheduler.step()
    assert_close(scheduler.base_lrs, [0.5, 0.1], "base_lrs")
    assert_close([group["lr"] for group in optimizer.param_groups], [0.25, 0.05], "the rates")


def test_a_group_that_came_later_is_refused():
    """After add_param_group a step is a ValueError with both numbers of groups, and changes nothing."""
    optimizer = SGD([Parameter(tensor([1.0]))], lr=1.0)
    scheduler = StepLR(optimizer, 1)
    optimizer.add_param_group({"params": Parameter(tensor([2.0])), "lr": 0.5})
    with raises(ValueError, 1, 2):
        scheduler.step()
    assert_equal([group["lr"] for group in optimizer.param_groups], [1.0, 0.5], "the rates afterwards")
    assert_equal(scheduler.last_epoch, 0, "last_epoch afterwards")


def test_get_last_lr_is_the_rate_now():
    """get_last_lr gives the rate of each group as it is now."""
    scheduler = Halving(sgd(0.5, 0.1))
    assert_close(scheduler.get_last_lr(), [0.5, 0.1], "get_last_lr of a new scheduler")
    scheduler.step()
    assert_close(scheduler.get_last_lr(), [0.25, 0.05], "get_last_lr after a step")


def test_a_group_remembers_its_initial_lr():
    """Each group keeps its first rate as "initial_lr"; a second scheduler begins there, whatever lr is by then."""
    optimizer = sgd(0.5)
    first = Halving(optimizer)
    first.step()
    assert_close(optimizer.param_groups[0].get("initial_lr", math.nan), 0.5, "initial_lr of the group")
    second = Halving(optimizer)
    assert_close(second.base_lrs, [0.5], "base_lrs of a second scheduler")


def test_a_schedule_can_go_on_in_the_middle():
    """With last_epoch=3 the schedule continues after step 3, from the "initial_lr" of the group: 1.0 becomes 1/5."""
    optimizer = sgd(0.7)
    optimizer.param_groups[0]["initial_lr"] = 1.0
    scheduler = Halving(optimizer, last_epoch=3)
    assert_equal(scheduler.last_epoch, 4, "last_epoch")
    assert_close(scheduler.get_last_lr(), [1 / 5], "the rate at step 4")


def test_going_on_needs_the_initial_lr():
    """last_epoch=3 and a group without "initial_lr" is a KeyError with that name: its first rate is not known."""
    optimizer = sgd(0.5)
    with raises(KeyError, "initial_lr"):
        Halving(optimizer, last_epoch=3)
    assert_close(optimizer.param_groups[0]["lr"], 0.5, "lr afterwards")


def test_a_scheduler_without_a_formula():
    """LRScheduler itself has no get_lr: that is a NotImplementedError with the name of the class."""

    class Nothing(LRScheduler):
        pass

    with raises(NotImplementedError, "Nothing"):
        Nothing(sgd())


def test_the_state_of_a_scheduler():
    """state_dict holds last_epoch and base_lrs, and not the optimizer; later steps do not show in it."""
    scheduler = Halving(sgd(0.5))
    scheduler.step()
    state = scheduler.state_dict()
    scheduler.step()
    scheduler.base_lrs[0] = 9.0
    assert_equal(state.get("last_epoch"), 1, "last_epoch in the state")
    assert_equal(state.get("base_lrs"), [0.5], "base_lrs in the state")
    assert "optimizer" not in state, (
        "the optimizer is in the state of the scheduler: it has a state of its own"
    )


def test_a_state_is_taken_over():
    """After load_state_dict a scheduler continues where the other one was: at step 2, and the next rate is 1/4."""
    old, new = Halving(sgd(1.0)), Halving(sgd(8.0))
    rates_of(old, 2)
    state = old.state_dict()
    new.load_state_dict(state)
    new.base_lrs[0] += 0.0
    assert_equal(new.last_epoch, 2, "last_epoch after load_state_dict")
    assert_close(rates_of(new, 1)[1], 1 / 4, "the rate of the next step")
    new.base_lrs[0] = 9.0
    assert_equal(state["base_lrs"], [1.0], "base_lrs of the state, after the scheduler changed its own")


# Formulas


def test_step_lr_by_hand():
    """StepLR with step_size=2 and gamma=0.5: a rate of 1 is 1, 1, 0.5, 0.5, 0.25 at steps 0 to 4."""
    scheduler = StepLR(sgd(1.0), step_size=2, gamma=0.5)
    assert_close(rates_of(scheduler, 4), [1.0, 1.0, 0.5, 0.5, 0.25], "the rates")


@given(rate=RATES, size=st.integers(1, 4), gamma=st.sampled_from([0.5, 0.1, 2.0]))
@example(rate=1.0, size=3, gamma=0.1)
def test_step_lr_is_a_staircase(rate, size, gamma):
    """StepLR multiplies by gamma at every step that is a multiple of step_size, over ten steps."""
    expected, now = [], rate
    for step in range(11):
        if step and step % size == 0:
            now *= gamma
        expected.append(now)
    assert_close(rates_of(StepLR(sgd(rate), size, gamma), 10), expected, "the rates")


def test_step_lr_goes_down_by_ten_by_default():
    """gamma is 0.1 by default."""
    assert_close(rates_of(StepLR(sgd(1.0), 1), 2), [1.0, 0.1, 0.01], "the rates")


def test_step_lr_needs_steps():
    """A step_size of 0 is a ValueError that names it."""
    with raises(ValueError, 0):
        StepLR(sgd(), step_size=0)


def test_linear_lr_by_hand():
    """LinearLR from 0.2 to 1 in 4 steps: a rate of 10 is 2, 4, 6, 8, 10, and stays 10."""
    scheduler = LinearLR(sgd(10.0), start_factor=0.2, total_iters=4)
    assert_close(rates_of(scheduler, 6), [2.0, 4.0, 6.0, 8.0, 10.0, 10.0, 10.0], "the rates")


def test_linear_lr_by_default():
    """By default it goes from a third of the rate to the whole of it in 5 steps."""
    expected = [1 / 3 + 2 / 3 * step / 5 for step in range(6)]
    assert_close(rates_of(LinearLR(sgd(1.0)), 5), expected, "the rates")


def test_linear_lr_goes_down_too():
    """With end_factor=0 it goes down to 0: from 1 in 2 steps 1, 0.5, 0, 0."""
    scheduler = LinearLR(sgd(1.0), start_factor=1.0, end_factor=0.0, total_iters=2)
    assert_close(rates_of(scheduler, 3), [1.0, 0.5, 0.0, 0.0], "the rates")


def test_linear_lr_refuses_what_is_no_share():
    """A start_factor of 0 or 1.5, an end_factor of -0.5 or 2, and total_iters of 0 are ValueErrors that name them."""
    for options, value in (
        ({"start_factor": 0.0}, 0.0),
        ({"start_factor": 1.5}, 1.5),
        ({"end_factor": -0.5}, -0.5),
        ({"end_factor": 2.0}, 2.0),
        ({"total_iters": 0}, 0),
    ):
        with raises(ValueError, value):
            LinearLR(sgd(), **options)
    assert_close(
        rates_of(LinearLR(sgd(1.0), 0.5, total_iters=1), 1), [0.5, 1.0], "the rates with total_iters=1"
    )


def test_cosine_by_hand():
    """CosineAnnealingLR with T_max=4: a rate of 2 is 2, 1.7071, 1, 0.2929, 0 at steps 0 to 4."""
    root = math.sqrt(0.5)
    scheduler = CosineAnnealingLR(sgd(2.0), T_max=4)
    assert_close(rates_of(scheduler, 4), [2.0, 1 + root, 1.0, 1 - root, 0.0], "the rates", atol=1e-12)


def test_cosine_ends_at_eta_min():
    """With eta_min=0.5 a rate of 2.5 goes down to 0.5: half-way, at step 2 of 4, it is 1.5."""
    rates = rates_of(CosineAnnealingLR(sgd(2.5), T_max=4, eta_min=0.5), 4)
    assert_close(rates[2], 1.5, "the rate half-way")
    assert_close(rates[4], 0.5, "the last rate")


def test_cosine_goes_up_again():
    """After T_max steps the rate goes up again: it is symmetrical about step T_max, and at its top at 2 * T_max."""
    rates = rates_of(CosineAnnealingLR(sgd(1.0), T_max=3, eta_min=0.1), 6)
    assert_close(rates[4:], rates[2::-1][:3], "the rates after T_max", rtol=1e-9)
    assert_close(rates[6], 1.0, "the rate at 2 * T_max")


def test_cosine_needs_steps():
    """A T_max of 0 is a ValueError that names it; 1 is enough."""
    with raises(ValueError, 0):
        CosineAnnealingLR(sgd(), T_max=0)
    assert_close(rates_of(CosineAnnealingLR(sgd(1.0), T_max=1), 1), [1.0, 0.0], "the rates with T_max=1")


# One after the other


def warm_up_and_fall(optimizer):
    """Three steps of warm-up from a tenth, then a cosine over four."""
    parts = [LinearLR(optimizer, start_factor=0.1, total_iters=3), CosineAnnealingLR(optimizer, T_max=4)]
    return SequentialLR(optimizer, parts, milestones=[3])


def test_sequential_lr_by_hand():
    """A warm-up of 3 steps, then a cosine of 4: a rate of 1 is 0.1, 0.4, 0.7, then 1, 0.8536, 0.5, 0.1464, 0."""
    low, high = (1 - math.sqrt(0.5)) / 2, (1 + math.sqrt(0.5)) / 2
    expected = [0.1, 0.4, 0.7, 1.0, high, 0.5, low, 0.0]
    assert_close(rates_of(warm_up_and_fall(sgd(1.0)), 7), expected, "the rates", atol=1e-12)


def test_sequential_lr_has_many_parts():
    """Three schedulers that meet at steps 2 and 5 each begin at their own step 0."""
    optimizer = sgd(8.0)
    parts = [StepLR(optimizer, 1, 0.5), StepLR(optimizer, 2, 0.5), StepLR(optimizer, 1, 0.25)]
    scheduler = SequentialLR(optimizer, parts, milestones=[2, 5])
    expected = [8.0, 4.0, 8.0, 8.0, 4.0, 8.0, 2.0, 0.5]
    assert_close(rates_of(scheduler, 7), expected, "the rates")
    assert_equal(scheduler.last_epoch, 7, "last_epoch, which counts all steps")
    assert_equal(parts[2].last_epoch, 2, "last_epoch of the third part, which counts its own")


def test_sequential_lr_refuses_what_does_not_fit():
    """Schedulers that do not fit are a ValueError.

    Two schedulers with two milestones, milestones 5 and 2 or 2 and 2, and a scheduler of another optimizer.
    """
    optimizer, other = sgd(), sgd()
    parts = [StepLR(optimizer, 1), StepLR(optimizer, 1), StepLR(optimizer, 1)]
    with raises(ValueError, 1, 2):
        SequentialLR(optimizer, parts[:2], milestones=[1, 2])
    for milestones in ([5, 2], [2, 2]):
        with raises(ValueError, milestones):
            SequentialLR(optimizer, parts, milestones=milestones)
    with raises(ValueError):
        SequentialLR(other, parts[:2], milestones=[1])


def test_the_state_of_a_sequential_lr():
    """Resumed after any step, by a new scheduler with its state, it makes the rates of an unstopped one."""
    expected = rates_of(warm_up_and_fall(sgd(1.0)), 7)
    for stop in (0, 1, 2, 3, 5):
        early, late = warm_up_and_fall(sgd(1.0)), warm_up_and_fall(sgd(1.0))
        rates_of(early, stop)
        state = early.state_dict()
        early.step()
        late.load_state_dict(state)
        rest = rates_of(late, 7 - stop)[1:]
        assert_close(rest, expected[stop + 1 :], f"the rates after a stop at step {stop}", atol=1e-12)


def test_each_part_of_a_sequential_lr_takes_its_own_state():
    """After load_state_dict every part has the options of the state, whatever it was made with."""

    def a_scheduler(gammas, milestone):
        optimizer = sgd(8.0)
        return SequentialLR(optimizer, [StepLR(optimizer, 1, gamma) for gamma in gammas], [milestone])

    source, target = a_scheduler([0.5, 0.25], 2), a_scheduler([0.9, 0.8], 3)
    expected = rates_of(a_scheduler([0.5, 0.25], 2), 5)
    rates_of(source, 1)
    target.load_state_dict(source.state_dict())
    assert_close(rates_of(target, 4)[1:], expected[2:], "the rates afterwards")


def test_a_state_of_other_parts_is_refused():
    """The state of two schedulers for one of three is a ValueError with both numbers, and nothing is changed."""
    optimizer = sgd(8.0)
    three = SequentialLR(optimizer, [StepLR(optimizer, 1) for _ in range(3)], milestones=[2, 4])
    two = warm_up_and_fall(sgd(1.0))
    rates_of(two, 4)
    with raises(ValueError, 2, 3):
        three.load_state_dict(two.state_dict())
    assert_equal(three.last_epoch, 0, "last_epoch afterwards")


def test_any_optimizer_is_scheduled():
    """A scheduler works on Adam as on SGD: all that it uses of an optimizer is param_groups."""
    scheduler = StepLR(Adam([Parameter(tensor([1.0]))], lr=0.1), step_size=1, gamma=0.5)
    assert_close(rates_of(scheduler, 1), [0.1, 0.05], "the rates")


def test_every_schedule_can_go_on_in_the_middle():
    """StepLR, LinearLR and CosineAnnealingLR take last_epoch: with last_epoch=1 the first rate is that of step 2."""
    for kind, steps in ((StepLR, 2), (LinearLR, 0.25), (CosineAnnealingLR, 5)):
        optimizer = sgd(0.7)
        optimizer.param_groups[0]["initial_lr"] = 1.0
        rates = rates_of(kind(optimizer, steps, last_epoch=1), 1)
        assert_close(rates, rates_of(kind(sgd(1.0), steps), 3)[2:], f"the rates of {kind.__name__}")
