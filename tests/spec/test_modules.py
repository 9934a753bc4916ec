"""settled: weights that a spec has chosen."""

from __future__ import annotations

import numpy as np

from dojo.spec import settled
from tinytorch.layers import Linear, Module


class Pair(Module):
    def __init__(self, first: str, second: str) -> None:
        for name in (first, second):
            setattr(self, name, Linear(2, 3))


def test_weights_depend_on_the_name_and_the_seed_alone() -> None:
    one, other, third = settled(Pair("a", "b")), settled(Pair("b", "a")), settled(Pair("a", "b"), seed=4)
    for name, weight in one.state_dict().items():
        assert weight.dtype == np.float64
        np.testing.assert_array_equal(weight.data, other.state_dict()[name].data)
        np.testing.assert_array_equal(weight.data * 8 % 1, 0)
    assert (one.a.weight.data != one.b.weight.data).any()
    assert (one.a.weight.data != third.a.weight.data).any()
