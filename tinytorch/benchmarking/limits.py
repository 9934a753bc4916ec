"""How good is a time? Beside what the machine could do: its arithmetic, its memory's speed, its memory's size."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinytorch.benchmarking.timer import Clock


def peak_memory(function: Callable[[], Any]) -> int:
    """The most bytes that a call of `function` had at one moment, above what was there before it began.

    `tracemalloc` knows what Python and NumPy have taken (torch.cuda.max_memory_allocated). It is stopped afterwards,
    also after an error, unless it was running before.
    """
    raise NotImplementedError("kata 19: peak_memory")


def bandwidth(nbytes: int = 2**26, repeats: int = 5, clock: Clock = time.perf_counter) -> float:
    """How many billions of bytes a second the memory moves: the fastest of several copies (McCalpin, 1995: STREAM).

    An array of `nbytes` bytes, more than the caches hold, is copied into another one, first unmeasured and then
    `repeats` times. A copy reads `nbytes` and writes `nbytes`. Fill the source first: memory that nobody has written
    is not there yet.

    Args:
        clock: gives the time in seconds; it is read only around copies that are timed.

    Raises:
        ValueError: `nbytes` or `repeats` is less than 1; the message names it. Or a copy took no time on the clock:
            the message says "clock".
    """
    raise NotImplementedError("kata 19: bandwidth")


@dataclass(frozen=True)
class Roofline:
    """What `roofline` found."""

    intensity: float
    """Operations for each byte."""
    bound: str
    """What limits it: "memory" or "compute"."""
    least: float
    """The seconds that it takes at least."""
    share: float
    """That, as a part of the seconds that it took."""


def roofline(flops: int, nbytes: int, seconds: float, peak_gflops: float, peak_bandwidth: float) -> Roofline:
    """How near to the machine's limits a computation came (Williams, Waterman and Patterson, 2009).

    Its flops take at least flops / peak_gflops, its bytes at least nbytes / peak_bandwidth (both peaks are in billions
    a second), and at best both happen at once: so the larger of the two is the least, and says what it is bound by. At
    a tie it is "compute".

    Raises:
        ValueError: seconds or a peak is not above 0, as nan is not, or nbytes is below 1; the message names all four.
    """
    raise NotImplementedError("kata 19: roofline")
