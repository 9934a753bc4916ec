"""Draws at the ends of [0, 1)."""

from __future__ import annotations

import numpy as np

from dojo.spec import extreme


def test_draws_at_the_ends() -> None:
    assert extreme(0).random(4).tolist() == [0, 0, 0, 0]
    assert extreme(1).random(4).tolist() == [1 - 2**-53] * 4
    assert extreme(0).random(3, np.float32).tolist() == [0, 0, 0]
    assert 0 < extreme(0).random(5)[4] < 1, "the fifth is a draw like any other"
