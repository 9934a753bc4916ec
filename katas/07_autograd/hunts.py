"""What mistakes in kata 07 look like from outside. `make hunt N=7` plants one of them in a copy of your code."""

import numpy as np

from tinytorch.autograd import grad, no_grad
from tinytorch.layers import Linear, Sequential, Tanh
from tinytorch.losses import binary_cross_entropy_with_logits
from tinytorch.optimizers import SGD
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor, tensor

POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TRUTH = np.array([[0], [1], [1], [0]], np.float32)


def xor() -> None:
    """The loss of a small network that learns XOR, every 100 steps."""
    manual_seed(0)
    model = Sequential(Linear(2, 8), Tanh(), Linear(8, 1))
    optimizer = SGD(model.parameters(), lr=0.2)
    for step in range(401):
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(model(Tensor(POINTS)), Tensor(TRUTH))
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step:3d}   loss {loss.item():.4f}")


def meeting() -> None:
    """Two numbers that pull each other nearer: both learn, and their distance is the loss."""
    a, b = tensor([5.0], requires_grad=True), tensor([-3.0], requires_grad=True)
    for step in range(5):
        loss = ((a - b) * (a - b)).sum()
        print(f"step {step}: {a.item():7.3f} {b.item():7.3f}   loss {loss.item():.3f}")
        a_grad, b_grad = grad(loss, [a, b])
        a, b = ((x.detach() - 0.1 * dx).requires_grad_() for x, dx in ((a, a_grad), (b, b_grad)))


def two_losses() -> None:
    """The slope of a weight that two losses share, each with a backward of its own: 2 from one, 3 from the other."""
    w = tensor([1.0], requires_grad=True)
    (w * 2).sum().backward()
    print("after the first: ", w.grad.tolist())
    (w * 3).sum().backward()
    print("after the second:", w.grad.tolist())


def used_twice() -> None:
    """The slopes of x * x + x at 0, 1, 2 and 3."""
    x = tensor([0.0, 1.0, 2.0, 3.0], requires_grad=True)
    (x * x + x).sum().backward()
    print(x.grad.tolist())


def often() -> None:
    """Which rows of a table of words get a gradient of 1 for each time that they stand in "0 2 2 1 2"."""
    table = tensor([[0.0], [0.0], [0.0], [0.0]], requires_grad=True)
    table[tensor([0, 2, 2, 1, 2])].sum().backward()
    print(table.grad.tolist())


def validation() -> None:
    """Whether a model that is looked at between two steps still learns afterwards."""
    w = tensor([1.0], requires_grad=True)
    with no_grad():
        with no_grad():
            w.sum()
        print("a result of the validation requires grad:", (w * 2).requires_grad)
    print("a result of the training requires grad:  ", (w * 2).requires_grad)


def running_total() -> None:
    """How much each of four payments counts in the sum of the four running totals."""
    payments = tensor([10.0, 20.0, 30.0, 40.0], requires_grad=True)
    payments.cumsum(0).sum().backward()
    print(payments.grad.tolist())


def polite() -> None:
    """The slope of a penalty that is asked for without touching .grad, and what .grad holds afterwards."""
    w = tensor([3.0], requires_grad=True)
    print("slope:", grad((w * w).sum(), w)[0].tolist())
    print(".grad:", w.grad)


HUNTS = {
    "sub_forgets_the_sign": meeting,
    "backward_replaces": two_losses,
    "backpropagate_keeps_the_last": used_twice,
    "getitem_counts_once": often,
    "no_grad_switches_on_afterwards": validation,
    "cumsum_forwards": running_total,
    "grad_by_backward": polite,
    "mul_forgets_grad": xor,  # the hardest: it still learns
}
