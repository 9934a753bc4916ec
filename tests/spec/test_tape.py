"""check_tape: the gradients that backward finds, beside finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dojo.spec import check_tape, through_the_tape
from tinytorch import dispatch
from tinytorch.tensor import Tensor, exp, gather

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])


def test_right_gradients_pass_and_integers_have_none() -> None:
    check_tape(Tensor, lambda x, y: exp(x) * y, X, X + 1)
    check_tape(Tensor, lambda x, index: gather(x, 1, index), X, np.array([[0, 2], [1, 1]]))


def test_gradients_come_one_an_input() -> None:
    x, index = through_the_tape(Tensor, lambda x, index: gather(x, 1, index))(
        np.ones((2, 1)), X, np.array([[2], [0]])
    )
    assert x.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    assert index is None


def test_a_wrong_gradient_is_named_by_its_parameter() -> None:
    def half(x: Any, scale: Any) -> Any:
        return exp(x) * scale.detach() + scale * 0.0

    with pytest.raises(AssertionError, match="the gradient of scale is all zeros"):
        check_tape(Tensor, half, X, X + 3)
    with pytest.raises(AssertionError, match="the gradient of b is all zeros"):
        check_tape(Tensor, half, X, X + 3, names=["a", "b"])


def test_an_array_that_was_wrapped_by_hand_is_told_of() -> None:
    with pytest.raises(AssertionError, match="the result is not recorded: was an array computed by hand"):
        check_tape(Tensor, lambda x: Tensor(x.data * 2), X)


def test_an_unwritten_tape_asks_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "tape", None)
    monkeypatch.setattr(dispatch, "unwritten", "Tape.record")
    with pytest.raises(NotImplementedError, match=r"kata 07: Tape\.record"):
        check_tape(Tensor, exp, X)
