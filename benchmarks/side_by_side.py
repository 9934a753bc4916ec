"""What all benchmarks share: the reference instead of the student's package, and a fair clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dojo.tree import overlay

ROUNDS = 7
BATCH = 0.05  # seconds that a batch of calls takes, at least


def use_the_reference() -> None:
    """Let `tinytorch` be the reference."""
    overlay.install(overlay.plan_for("solutions", None))


def prepare() -> None:
    """Use the reference, and PyTorch with one thread."""
    use_the_reference()
    import torch

    torch.set_num_threads(1)


def interleaved(functions: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Seconds of CPU time for a call of each function: the best of several rounds, in which they take turns."""
    calls = [_calls(function) for function in functions]
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for place, (function, count) in enumerate(zip(functions, calls, strict=True)):
            best[place] = min(best[place], _batch(function, count) / count)
    return best


def _calls(function: Callable[[], object]) -> int:
    count = 1
    while _batch(function, count) < BATCH:
        count *= 2
    return count


def _batch(function: Callable[[], object], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        function()
    return time.process_time() - start
