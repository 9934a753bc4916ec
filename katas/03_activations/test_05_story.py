"""Without a bend between them, a hundred layers are one."""

import numpy as np
from hypothesis import given, strategies as st

from dojo.spec import assert_close
from dojo.spec.strategies import arrays
from tinytorch.activations import relu, softmax
from tinytorch.tensor import Tensor, ones


@given(weights=st.lists(arrays((3, 3)), min_size=2, max_size=5), x=arrays((4, 3)))
def test_layers_without_a_bend_are_one_layer(weights, x):
    """Whatever the weights, x @ w1 @ w2 @ ... is x @ w for a single w; a relu in between breaks that."""
    one = weights[0].astype(np.float64)
    deep = Tensor(x.astype(np.float64))
    for w in weights:
        deep = deep @ Tensor(w.astype(np.float64))
    for w in weights[1:]:
        one = one @ w
    assert_close(deep, x.astype(np.float64) @ one, "the deep network", atol=1e-9)
    bent = relu(
        Tensor(np.eye(3)) @ Tensor(-np.eye(3))
    )  # minus the identity, bent: no matrix does this to both
    assert_close(bent + relu(Tensor(np.eye(3))), np.eye(3), "relu(-x) + relu(x), the absolute value")


def test_one_bend_is_enough_for_xor():
    """relu(a + b) - 2 * relu(a + b - 1) is XOR, which no straight line separates; softmax makes it a decision."""
    inputs = Tensor(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32))
    hidden = relu(inputs @ ones(2, 2) + Tensor(np.array([0.0, -1.0], np.float32)))  # (4, 2)
    xor = hidden @ Tensor(np.array([[1.0], [-2.0]], np.float32))  # (4, 1)
    assert_close(xor, np.array([[0.0], [1.0], [1.0], [0.0]], np.float32), "the output of the network")
    logits = Tensor(np.concatenate([1 - xor.data, xor.data], axis=1) * 10)  # (4, 2): no and yes
    decisions = softmax(logits, 1).argmax(1)
    assert_close(decisions, np.array([0, 1, 1, 0]), "the decisions")
