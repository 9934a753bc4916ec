"""The story: XOR again, the same network as at the end of kata 06, and no gradient by hand."""

import numpy as np

from dojo.spec import assert_close
from tinytorch.activations import tanh_backward
from tinytorch.layers import Linear, Sequential, Tanh, linear_backward
from tinytorch.losses import binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_backward
from tinytorch.optimizers import Adam
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor

POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TRUTH = np.array([[0], [1], [1], [0]], np.float32)


def test_the_same_gradients_as_by_hand():
    """For the network of the milestone of kata 06, loss.backward() fills in what four lines by hand did."""
    manual_seed(0)
    first, second = Linear(2, 8), Linear(8, 1)
    hidden = first(Tensor(POINTS)).tanh()
    logits = second(hidden)
    binary_cross_entropy_with_logits(logits, Tensor(TRUTH)).backward()

    d_logits = binary_cross_entropy_with_logits_backward(np.array(1, np.float32), logits.data, TRUTH)
    d_hidden, *second_by_hand = linear_backward(d_logits, hidden.data, second.weight.data)
    d_hidden = tanh_backward(d_hidden, hidden.data)
    _, *first_by_hand = linear_backward(d_hidden, POINTS, first.weight.data)
    for name, layer, by_hand in (("first", first, first_by_hand), ("second", second, second_by_hand)):
        assert_close(layer.weight.grad, by_hand[0], f"the gradient of the {name} weight", atol=1e-7)
        assert_close(layer.bias.grad, by_hand[1], f"the gradient of the {name} bias", atol=1e-7)


def test_xor_without_a_gradient_by_hand():
    """zero_grad, loss, backward, step: 300 times, and XOR is learned. With twenty layers it would be the same lines."""
    manual_seed(0)
    model = Sequential(Linear(2, 8), Tanh(), Linear(8, 8), Tanh(), Linear(8, 1))
    optimizer = Adam(model.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(model(Tensor(POINTS)), Tensor(TRUTH))
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05, f"the loss after 300 steps is {loss.item():.4f}, expected less than 0.05"
    right = (model(Tensor(POINTS)).data > 0) == (TRUTH > 0)
    assert right.all(), f"{right.sum()} of 4 points are right"
