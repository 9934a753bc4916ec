"""Draws that come once in 10**16 times, now."""

from __future__ import annotations

import numpy as np


def extreme(end: float) -> np.random.Generator:
    """A generator whose next four draws from [0, 1) are exactly 0 (`end` 0), or the largest there are (`end` 1)."""
    bits = np.random.Philox(0)
    word = np.uint64(0 if end == 0 else 2**64 - 1)
    bits.state = {**bits.state, "buffer": np.full(4, word), "buffer_pos": 0}
    return np.random.Generator(bits)
