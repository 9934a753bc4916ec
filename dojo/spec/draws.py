"""Draws that come once in 10**16 times, now."""

from __future__ import annotations

import numpy as np

ALL_ONES = 0x12DD9BB3
"""The word of MT19937's state that it gives out, after mixing its bits, as 32 ones. Of 0 it makes 0."""


def extreme(end: float) -> np.random.Generator:
    """A generator whose next four draws from [0, 1) are exactly 0 (`end` 0), or the largest there are (`end` 1)."""
    bits = np.random.MT19937(0)
    state = bits.state
    state["state"]["key"][:8] = 0 if end == 0 else ALL_ONES  # a draw takes two words
    state["state"]["pos"] = 0
    bits.state = state
    return np.random.Generator(bits)
