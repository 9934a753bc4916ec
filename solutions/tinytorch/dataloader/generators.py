"""Chance in threads: each batch has a generator of its own, made of the epoch's seed and the batch's number.

Threads that drew from one generator would get other numbers in every run, as they happen to take turns, and
dropout, which draws from it too, would never be the same again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tinytorch.setup import default_generator


class Current(threading.local):
    """What each thread draws from; None stands for the default generator of the CPU."""

    generator: np.random.Generator | None = None


current = Current()


def draw_seed(generator: np.random.Generator | None = None) -> int:
    """One draw, an integer from 0 to 2**63 - 1, from `generator` or, by default, from the CPU's default generator."""
    return int((generator or default_generator("cpu")).integers(2**63 - 1, endpoint=True))


def batch_generator(seed: int, number: int) -> np.random.Generator:
    """The generator of batch `number` of the epoch that began with `seed`: independent of that of every other pair.

    `seed + number` would not do: batch 1 of one epoch would be batch 0 of another. np.random.default_rng takes a
    list of integers.
    """
    return np.random.default_rng([seed, number])


def current_generator() -> np.random.Generator:
    """What random transforms draw from, in this thread: inside `drawing_from` its generator, else the CPU's default.

    A transform asks each time it draws, and keeps none.
    """
    return current.generator or default_generator("cpu")


@contextmanager
def drawing_from(generator: np.random.Generator) -> Iterator[None]:
    """In the block, and in this thread alone, `current_generator()` is `generator`; after it, what it was before.

    It is put back after an error too, and blocks may stand in each other.
    """
    before, current.generator = current.generator, generator
    try:
        yield
    finally:
        current.generator = before
