"""Random numbers in threads: each batch has its own generator, made of the epoch's seed and the batch's number.

Threads that share one generator draw in a different order in every run, so each gets other numbers. Dropout, which
draws from it too, would also change from run to run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tinytorch.setup import default_generator


class Current(threading.local):
    """What each thread draws from; None means the default generator of the CPU."""

    generator: np.random.Generator | None = None


current = Current()


def draw_seed(generator: np.random.Generator | None = None) -> int:
    """One draw, an integer from 0 to 2**63 - 1, from `generator` or, by default, from the CPU's default generator."""
    return int((generator or default_generator("cpu")).integers(2**63))


def batch_generator(seed: int, number: int) -> np.random.Generator:
    """The generator of batch `number` in the epoch with this `seed`: each pair has its own, independent generator.

    `seed + number` is not enough: batch 1 of one epoch would be batch 0 of another. np.random.default_rng takes a
    list of integers.
    """
    return np.random.default_rng([seed, number])


def current_generator() -> np.random.Generator:
    """What random transforms draw from in this thread: the generator of `drawing_from`, else the CPU's default one.

    A transform calls this each time it draws, and does not keep the result.
    """
    return current.generator or default_generator("cpu")


@contextmanager
def drawing_from(generator: np.random.Generator) -> Iterator[None]:
    """In this block, in this thread only, `current_generator()` is `generator`; after it, what it was before.

    It is restored after an error too, and blocks may be nested.
    """
    before, current.generator = current.generator, generator
    try:
        yield
    finally:
        current.generator = before
