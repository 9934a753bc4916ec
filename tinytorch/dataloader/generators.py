"""Chance in threads: each batch has a generator of its own, made of the epoch's seed and the batch's number.

Threads that drew from one generator would get other numbers in every run, as they happen to take turns, and
dropout, which draws from it too, would never be the same again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class Current(threading.local):
    """What each thread draws from; None stands for the default generator of the CPU."""

    generator: np.random.Generator | None = None


current = Current()


def draw_seed(generator: np.random.Generator | None = None) -> int:
    """One draw, an integer from 0 to 2**63 - 1, from `generator` or, by default, from the CPU's default generator."""
    raise NotImplementedError("kata 10: draw_seed")


def batch_generator(seed: int, number: int) -> np.random.Generator:
    """The generator of batch `number` of the epoch that began with `seed`: independent of that of every other pair.

    `seed + number` would not do: batch 1 of one epoch would be batch 0 of another. np.random.default_rng takes a
    list of integers.
    """
    raise NotImplementedError("kata 10: batch_generator")


def current_generator() -> np.random.Generator:
    """What random transforms draw from, in this thread: inside `drawing_from` its generator, else the CPU's default.

    A transform asks each time it draws, and keeps none.
    """
    raise NotImplementedError("kata 10: current_generator")


@contextmanager
def drawing_from(generator: np.random.Generator) -> Iterator[None]:
    """In the block, and in this thread alone, `current_generator()` is `generator`; after it, what it was before.

    It is put back after an error too, and blocks may stand in each other.
    """
    raise NotImplementedError("kata 10: drawing_from")
