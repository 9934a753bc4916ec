"""How good is a time? Beside what the machine could do: its arithmetic, its memory's speed, its memory's size."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch.benchmarking.timer import Clock


def peak_memory(function: Callable[[], Any]) -> int:
    """The most bytes that a call of `function` had at one moment, above what was there before it began.

    `tracemalloc` knows what Python and NumPy have taken (torch.cuda.max_memory_allocated). It is stopped afterwards,
    also after an error, unless it was running before.
    """
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not running:
            tracemalloc.stop()


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
    if nbytes < 1 or repeats < 1:
        raise ValueError(
            f"bandwidth needs nbytes and repeats of at least 1, got nbytes={nbytes} and repeats={repeats}"
        )
    source, target = np.ones(nbytes, np.uint8), np.empty(nbytes, np.uint8)
    np.copyto(target, source)
    fastest = float("inf")
    for _ in range(repeats):
        start = clock()
        np.copyto(target, source)
        fastest = min(fastest, clock() - start)
    if not fastest > 0:
        raise ValueError(
            f"a copy took {fastest:g} s: the clock is too coarse for {nbytes} bytes; give more bytes or a finer clock"
        )
    return 2 * nbytes / fastest / 1e9


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
    if not all(each > 0 for each in (seconds, peak_gflops, peak_bandwidth)) or nbytes < 1:
        raise ValueError(
            "roofline needs seconds and peaks above 0 and at least one byte, got "
            f"seconds={seconds}, peak_gflops={peak_gflops}, peak_bandwidth={peak_bandwidth} and nbytes={nbytes}"
        )
    computing, moving = flops / (peak_gflops * 1e9), nbytes / (peak_bandwidth * 1e9)
    least = max(computing, moving)
    return Roofline(flops / nbytes, "compute" if computing >= moving else "memory", least, least / seconds)
