"""Is it faster? An answer that says how sure it is, and that may be no.

Two programs are measured in turns, round by round. What disturbs a round, a busy machine or a slower clock, disturbs
both alike and is not seen in their ratio. How far the middle of these ratios may be from the truth is found by drawing
new experiments from the one that was made: the bootstrap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch.benchmarking.timer import Call, Clock
from tinytorch.dispatch import Array

MIN_ROUNDS = 6
"""With fewer rounds, luck alone puts all ratios on one side more often than once in twenty times."""


def bootstrap(
    sample: Sequence[float] | Array,
    statistic: Callable[..., Any] = np.median,
    confidence: float = 0.95,
    resamples: int = 1000,
    generator: np.random.Generator | None = None,
) -> tuple[float, float]:
    """An interval for `statistic`, by the percentiles of resampled experiments (scipy.stats.bootstrap).

    A resampled experiment has as many entries as `sample` (n,), drawn from it with replacement. Of the statistic of
    `resamples` such experiments, the middle part of size `confidence` is the interval (Efron, 1979).

    Args:
        statistic: called once, as statistic(drawn, axis=1), with the experiments (resamples, n).
        generator: what draws; None draws as np.random.default_rng(0) does, so that the same sample has the same
            interval each time.

    Raises:
        ValueError: the sample is empty, or confidence is not between 0 and 1; the message names it.
    """
    raise NotImplementedError("kata 19: bootstrap")


@dataclass(frozen=True)
class Comparison:
    """What `compare` found: `ratio` times faster, and between `low` and `high` times."""

    ratio: float
    low: float
    high: float
    margin: float = 0.0

    @property
    def verdict(self) -> str:
        """ "faster" if the whole interval lies above 1 + margin, "slower" if below 1 / (1 + margin).

        Otherwise "no difference".
        """
        raise NotImplementedError("kata 19: Comparison.verdict")

    def __str__(self) -> str:  # given
        return f"{self.ratio:.3g} times as fast ({self.low:.3g} to {self.high:.3g}): {self.verdict}"


def compare(
    before: Sequence[float] | Array,
    after: Sequence[float] | Array,
    confidence: float = 0.95,
    margin: float = 0.02,
    generator: np.random.Generator | None = None,
) -> Comparison:
    """How many times faster `after` is, from the times of both, round by round.

    The ratio is the median of before[i] / after[i] over the rounds i, and (low, high) its bootstrap interval. Median
    and interval are taken of log(before / after), and then exp of them: so compare(b, a) is one over compare(a, b).

    Args:
        margin: a difference of less than this share counts as none: where code and arrays happen to lie in the
            memory makes as much.

    Raises:
        ValueError: the two have not equally many rounds, or fewer than MIN_ROUNDS (the message names the numbers), or
            a time is not above 0, as nan is not (it names the time).
    """
    raise NotImplementedError("kata 19: compare")


def alternate(
    before: Call,
    after: Call,
    rounds: int = 20,
    min_block: float = 0.002,
    timer: Clock = time.process_time,
) -> tuple[Array, Array]:
    """The seconds of one call of `before` and of `after`, round by round: two arrays (rounds,), for `compare`.

    In each round a block of one is timed, and then a block of the other, blocks as `calls_per_block` makes them. The
    order alternates: what grows slowly, such as the machine's temperature, would otherwise always hit the same one.
    """
    raise NotImplementedError("kata 19: alternate")
