"""Following a composition through its primitives."""

from __future__ import annotations

import numpy as np
import pytest

from dojo.spec import assert_followed
from tinytorch import dispatch
from tinytorch.tensor import Tensor, exp, mul


def test_a_composition_of_primitives_is_followed() -> None:
    x = Tensor(np.ones(3, np.float32))
    assert_followed(dispatch.observers, lambda x: (exp(x) * 2, mul(x, x)), x, what="both")
    assert not dispatch.observers


@pytest.mark.parametrize(
    "function",
    [
        lambda x: Tensor(x.data * 2),
        lambda x: Tensor(exp(x).data * 2),
        lambda x: exp(Tensor(x.data * 2)),
        lambda x: (exp(x), Tensor(x.data + 1)[1:]),
    ],
    ids=["raw", "raw at the end", "raw at the start", "raw in one result"],
)
def test_a_gap_is_found(function) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AssertionError, match="leaves the primitives"):
        assert_followed(dispatch.observers, function, Tensor(np.ones(3, np.float32)), what="the result")
    assert not dispatch.observers
