"""The learning rate as a function of time: large steps first, small ones at the end.

A scheduler writes into the groups of an optimizer. Each rate follows from the number of the step alone, never from
the rate before it, so a run that is resumed later needs only one integer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinytorch.optimizers import Optimizer


class LRScheduler:
    """Set "lr" in every group of an optimizer, step by step (torch.optim.lr_scheduler.LRScheduler).

    `last_epoch` counts the calls of `step`; the one in `__init__`, which sets the first rate, makes it 0. "Epoch"
    is PyTorch's word: if you step after every batch, it counts batches. `base_lrs` has the first rate of each group,
    which the group keeps as "initial_lr". Subclasses write `get_lr`.
    """

    optimizer: Optimizer
    base_lrs: list[float]
    last_epoch: int

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        """Remember the optimizer and its rates, and make the first step.

        A group's rate becomes its "initial_lr", unless it has one already, from an earlier scheduler. `base_lrs` has
        the "initial_lr" of each group. If `last_epoch` is not -1, the schedule continues after that step.

        Raises:
            KeyError: `last_epoch` is not -1, and a group has no "initial_lr"; the message has that name.
        """
        raise NotImplementedError("kata 08: LRScheduler.__init__")

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`; each subclass writes its own.

        Raises:
            NotImplementedError: the subclass has no get_lr; the message names its class.
        """
        raise NotImplementedError("kata 08: LRScheduler.get_lr")

    def step(self) -> None:
        """One step further: `last_epoch` grows by 1, and each group gets the rate of that step.

        Raises:
            ValueError: the optimizer has another number of groups than when the scheduler was made; the message names
                both numbers. Nothing is changed.
        """
        raise NotImplementedError("kata 08: LRScheduler.step")

    def get_last_lr(self) -> list[float]:
        """The current rate of each group."""
        raise NotImplementedError("kata 08: LRScheduler.get_last_lr")

    def state_dict(self) -> dict[str, Any]:
        """A copy of every attribute except the optimizer, by name: numbers, strings and lists of them."""
        raise NotImplementedError("kata 08: LRScheduler.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave. The rates in the optimizer belong to its own state, and stay."""
        raise NotImplementedError("kata 08: LRScheduler.load_state_dict")


class StepLR(LRScheduler):
    """lr = base * gamma ** (step // step_size): a staircase (torch.optim.lr_scheduler.StepLR).

    Raises:
        ValueError: `step_size` is less than 1; the message names it.
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        raise NotImplementedError("kata 08: StepLR.__init__")

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        raise NotImplementedError("kata 08: StepLR.get_lr")


class LinearLR(LRScheduler):
    """A straight line, and constant after it, for a warm-up (torch.optim.lr_scheduler.LinearLR).

    The rate goes from base * start_factor to base * end_factor in `total_iters` steps.

    Raises:
        ValueError: `start_factor` is not above 0 and at most 1, `end_factor` not between 0 and 1, or
            `total_iters` less than 1; the message names the value.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        raise NotImplementedError("kata 08: LinearLR.__init__")

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        raise NotImplementedError("kata 08: LinearLR.get_lr")


class CosineAnnealingLR(LRScheduler):
    """Half a cosine wave down in `T_max` steps, and up again after it (torch.optim.lr_scheduler.CosineAnnealingLR).

    lr = eta_min + (base - eta_min) * (1 + cos(pi * step / T_max)) / 2 (Loshchilov and Hutter, 2017).

    Raises:
        ValueError: `T_max` is less than 1; the message names it.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        raise NotImplementedError("kata 08: CosineAnnealingLR.__init__")

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        raise NotImplementedError("kata 08: CosineAnnealingLR.get_lr")


class SequentialLR(LRScheduler):
    """One scheduler after the other (torch.optim.lr_scheduler.SequentialLR).

    `schedulers[i]` begins at step `milestones[i - 1]`, at its own step 0.

    Raises:
        ValueError: the number of milestones is not one less than that of schedulers (the message names the number that
            is needed and the one that was given), a milestone is not above the one before it (the message names the
            milestones), or a scheduler belongs to another optimizer.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        raise NotImplementedError("kata 08: SequentialLR.__init__")

    def step(self) -> None:
        """One step of the scheduler whose turn it is.

        `last_epoch` counts all steps, that of each scheduler its own. A step that the scheduler refuses is not counted.
        """
        raise NotImplementedError("kata 08: SequentialLR.step")

    def state_dict(self) -> dict[str, Any]:
        """As LRScheduler.state_dict, with the state of each scheduler instead of the scheduler."""
        raise NotImplementedError("kata 08: SequentialLR.state_dict")

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load the state, and give each scheduler its own.

        Raises:
            ValueError: the numbers of schedulers differ; the message names both. Nothing is changed then.
        """
        raise NotImplementedError("kata 08: SequentialLR.load_state_dict")


class OneCycleLR(LRScheduler):
    """Up to `max_lr`, down to almost nothing; the momentum does the opposite (torch.optim.lr_scheduler.OneCycleLR).

    Step it after every batch. The rate begins at max_lr / div_factor, has its peak max_lr at step
    pct_start * total_steps - 1, and ends at step total_steps - 1 with max_lr / div_factor / final_div_factor. The
    momentum ("momentum" of a group, or the first of its "betas") goes from max_momentum to base_momentum and back at
    the same steps (Smith and Topin, 2018).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        last_epoch: int = -1,
    ) -> None:
        """Give `total_steps`, or `epochs` and `steps_per_epoch`, and one `max_lr` for all groups or one for each.

        The first rate of each group becomes its "initial_lr", even if it has one already.

        Raises:
            ValueError: no number of steps is given, or one of those given is less than 1 (the message says
                total_steps, and names the value); `pct_start` is not between 0 and 1, or `anneal_strategy` not "cos"
                or "linear" (it names the value); the number of `max_lr` is not that of the groups (it names both
                numbers); or there is a momentum to cycle, and a group has neither "momentum" nor "betas" (it says
                momentum). Nothing is changed then.
        """
        raise NotImplementedError("kata 08: OneCycleLR.__init__")

    def between(self, low: float, high: float, end: float) -> float:
        """The current value of what goes from `low` to `high` at the peak, and then to `end` at the last step.

        "linear" goes along straight lines. "cos" goes from a to b as b + (a - b) * (1 + cos(pi * share)) / 2, where
        share is how much of the way is done, from 0 to 1. After the last step the value stays at `end`.
        """
        raise NotImplementedError("kata 08: OneCycleLR.between")

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        raise NotImplementedError("kata 08: OneCycleLR.get_lr")

    def step(self) -> None:
        """As LRScheduler.step; with `cycle_momentum`, also set the momentum of each group.

        Raises:
            ValueError: this would be more than `total_steps` steps; the message names that number. Nothing is changed.
        """
        raise NotImplementedError("kata 08: OneCycleLR.step")
