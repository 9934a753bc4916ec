"""The learning rate as a function of time: large steps first, small ones at the end.

A scheduler writes into the groups of an optimizer. Each rate follows from the number of the step alone, never from
the rate before it, so a run that is resumed later needs only one integer.
"""

from __future__ import annotations

import bisect
import copy
import itertools
import math
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
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f'no "initial_lr" in a group of the optimizer: last_epoch={last_epoch} needs it'
                )
        self.optimizer = optimizer
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`; each subclass writes its own.

        Raises:
            NotImplementedError: the subclass has no get_lr; the message names its class.
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_lr")

    def step(self) -> None:
        """One step further: `last_epoch` grows by 1, and each group gets the rate of that step.

        Raises:
            ValueError: the optimizer has another number of groups than when the scheduler was made; the message names
                both numbers. Nothing is changed.
        """
        groups = self.optimizer.param_groups
        if len(groups) != len(self.base_lrs):
            raise ValueError(
                f"the scheduler was made for {len(self.base_lrs)} groups, the optimizer has {len(groups)} now: make it "
                "after add_param_group"
            )
        self.last_epoch += 1
        for group, lr in zip(groups, self.get_lr(), strict=True):
            group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """The current rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """A copy of every attribute except the optimizer, by name: numbers, strings and lists of them."""
        return {name: copy.copy(value) for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load what `state_dict` gave. The rates in the optimizer belong to its own state, and stay."""
        vars(self).update({name: copy.copy(value) for name, value in state_dict.items()})


class StepLR(LRScheduler):
    """lr = base * gamma ** (step // step_size): a staircase (torch.optim.lr_scheduler.StepLR).

    Raises:
        ValueError: `step_size` is less than 1; the message names it.
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if step_size < 1:
            raise ValueError(f"step_size must be at least 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


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
        if not 0 < start_factor <= 1:
            raise ValueError(f"start_factor must be above 0 and at most 1, got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor must lie between 0 and 1, got {end_factor}")
        if total_iters < 1:
            raise ValueError(f"total_iters must be at least 1, got {total_iters}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        done = min(self.last_epoch, self.total_iters) / self.total_iters
        factor = self.start_factor + (self.end_factor - self.start_factor) * done
        return [base * factor for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine wave down in `T_max` steps, and up again after it (torch.optim.lr_scheduler.CosineAnnealingLR).

    lr = eta_min + (base - eta_min) * (1 + cos(pi * step / T_max)) / 2 (Loshchilov and Hutter, 2017).

    Raises:
        ValueError: `T_max` is less than 1; the message names it.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if T_max < 1:
            raise ValueError(f"T_max must be at least 1, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2  # from 1 to 0
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


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
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"{len(schedulers)} schedulers meet at {len(schedulers) - 1} milestones, got {len(milestones)}"
            )
        if any(late <= early for early, late in itertools.pairwise(milestones)):
            raise ValueError(f"the milestones must rise, got {list(milestones)}")
        if any(each.optimizer is not optimizer for each in schedulers):
            raise ValueError("every scheduler must be of the optimizer that SequentialLR is given")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def step(self) -> None:
        """One step of the scheduler whose turn it is.

        `last_epoch` counts all steps, that of each scheduler its own. A step that the scheduler refuses is not counted.
        """
        turn = bisect.bisect_right(self.milestones, self.last_epoch + 1)
        scheduler = self.schedulers[turn]
        start = self.milestones[turn - 1] if turn else 0
        scheduler.last_epoch = self.last_epoch - start
        scheduler.step()
        self.last_epoch += 1

    def state_dict(self) -> dict[str, Any]:
        """As LRScheduler.state_dict, with the state of each scheduler instead of the scheduler."""
        return {**super().state_dict(), "schedulers": [each.state_dict() for each in self.schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load the state, and give each scheduler its own.

        Raises:
            ValueError: the numbers of schedulers differ; the message names both. Nothing is changed then.
        """
        states = state_dict["schedulers"]
        if len(states) != len(self.schedulers):
            raise ValueError(f"the state is of {len(states)} schedulers, this one has {len(self.schedulers)}")
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "schedulers"})
        for scheduler, state in zip(self.schedulers, states, strict=True):
            scheduler.load_state_dict(state)


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
        counts = [epochs or 0, steps_per_epoch or 0] if total_steps is None else [total_steps]
        if min(counts) < 1:
            raise ValueError(
                f"OneCycleLR needs total_steps, or epochs and steps_per_epoch, of at least 1, got "
                f"{total_steps}, {epochs} and {steps_per_epoch}"
            )
        if not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start must lie between 0 and 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f'anneal_strategy must be "cos" or "linear", got {anneal_strategy!r}')
        groups = optimizer.param_groups
        peaks = list(max_lr) if isinstance(max_lr, Sequence) else [max_lr] * len(groups)
        if len(peaks) != len(groups):
            raise ValueError(f"max_lr has {len(peaks)} entries, the optimizer {len(groups)} groups")
        if cycle_momentum and not all("momentum" in group or "betas" in group for group in groups):
            raise ValueError('cycle_momentum needs an optimizer with "momentum" or "betas"')
        self.total_steps, self.pct_start, self.anneal_strategy = math.prod(counts), pct_start, anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        if last_epoch == -1:
            for group, peak in zip(groups, peaks, strict=True):
                group["initial_lr"] = peak / div_factor
        super().__init__(optimizer, last_epoch)

    def between(self, low: float, high: float, end: float) -> float:
        """The current value of what goes from `low` to `high` at the peak, and then to `end` at the last step.

        "linear" goes along straight lines. "cos" goes from a to b as b + (a - b) * (1 + cos(pi * share)) / 2, where
        share is how much of the way is done, from 0 to 1. After the last step the value stays at `end`.
        """
        peak, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        rising = self.last_epoch <= peak
        first, goal = (0.0, peak) if rising else (peak, float(last))
        a, b = (low, high) if rising else (high, end)
        share = min((self.last_epoch - first) / (goal - first), 1.0) if goal > first else 1.0
        if self.anneal_strategy == "linear":
            return a + (b - a) * share
        return b + (a - b) * (1 + math.cos(math.pi * share)) / 2

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`."""
        return [
            self.between(base, base * self.div_factor, base / self.final_div_factor) for base in self.base_lrs
        ]

    def step(self) -> None:
        """As LRScheduler.step; with `cycle_momentum`, also set the momentum of each group.

        Raises:
            ValueError: this would be more than `total_steps` steps; the message names that number. Nothing is changed.
        """
        if self.last_epoch >= self.total_steps:
            raise ValueError(f"OneCycleLR has {self.total_steps} steps in all, and this would be one more")
        super().step()
        momentum = self.between(self.max_momentum, self.base_momentum, self.max_momentum)
        for group in self.optimizer.param_groups if self.cycle_momentum else []:
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum
