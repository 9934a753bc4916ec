"""What mistakes in kata 03 look like from outside. `make hunt N=3` plants one of them in a copy of your code."""

import math

import numpy as np

from tinytorch import activations as a
from tinytorch.tensor import Tensor, tensor

X = np.linspace(-2, 2, 41)


def certain() -> None:
    """The shares of three scores of which two are very large."""
    print(a.softmax(tensor([1000.0, 999.0, 0.0]), dim=0).tolist())


def rows() -> None:
    """What the shares of each row add up to."""
    print(a.softmax(tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), dim=1).sum(1).tolist())


def surprise() -> None:
    """How surprising, in nats, is the class that the model holds for nearly impossible."""
    print(-a.log_softmax(tensor([0.0, -200.0]), dim=0)[1].item())


def hinge() -> None:
    """A weight w that is learned so that relu(w * x) becomes relu(1.5 * x), by hand."""
    w = 0.2
    for step in range(6):
        error = a.relu(Tensor(w * X)).data - np.maximum(1.5 * X, 0)
        print(f"step {step}: w {w:8.4f}   loss {np.mean(error**2):.5f}")
        w -= 0.4 * np.mean(a.relu_backward(2 * error, w * X) * X)


def leak() -> None:
    """leaky_relu of -4 and 4 for four slopes."""
    for slope in (0.0, 0.01, 0.1, 0.5):
        print(f"slope {slope}:", a.leaky_relu(tensor([-4.0, 4.0]), slope).tolist())


def smooth() -> None:
    """softplus(2, beta), which comes nearer to relu(2) as beta grows."""
    for beta in (1.0, 2.0, 8.0):
        print(f"beta {beta:g}: {a.softplus(tensor(2.0), beta).item():.4f}")


def shares() -> None:
    """How much one share of three changes with each logit: nothing in all, as a push on all three changes nothing."""
    out = a.softmax(tensor([0.0, 1.0, 2.0]), 0).data
    slopes = a.softmax_backward(np.array([0.0, 0.0, 1.0], out.dtype), out, 0)
    print(slopes.round(4).tolist(), "in all", round(float(slopes.sum()), 4) + 0.0)


def bend() -> None:
    """A weight w that is learned so that silu(w * x) becomes silu(1.5 * x), by hand."""
    w, wanted = 0.2, a.silu(Tensor(1.5 * X)).data
    for step in range(41):
        error = a.silu(Tensor(w * X)).data - wanted
        if step % 10 == 0:
            print(f"step {step:2d}: w {w:8.4f}   loss {np.mean(error**2):.5f}")
        w -= 0.4 * np.mean(a.silu_backward(2 * error, w * X) * X)


def nothing() -> None:
    """The logarithm of the sum of probabilities that are all 0."""
    print(a.logsumexp(tensor([-math.inf, -math.inf]), 0).item())


HUNTS = {
    "softmax_overflows": certain,
    "softmax_over_everything": rows,
    "log_of_softmax": surprise,
    "relu_backward_without_chain_rule": hinge,
    "leaky_relu_with_a_fixed_slope": leak,
    "softplus_forgets_to_divide": smooth,
    "softmax_backward_of_the_diagonal": shares,
    "silu_backward_without_product_rule": bend,
    "logsumexp_of_infinity": nothing,
}
