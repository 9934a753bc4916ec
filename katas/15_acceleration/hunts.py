"""What mistakes in kata 15 look like from outside. `make hunt N=15` plants one of them in a copy of your code."""

from contextlib import nullcontext

import numpy as np

from tinytorch.acceleration import add_product_in_blocks, rounded
from tinytorch.activations import gelu, relu
from tinytorch.dispatch import disabled
from tinytorch.layers import linear
from tinytorch.losses import cross_entropy
from tinytorch.spatial import conv2d, max_pool2d
from tinytorch.tensor import Tensor, ones, tensor
from tinytorch.transformers import layer_norm


def twice(compute, *inputs: Tensor) -> None:
    """The result and the gradients for the inputs, composed and with your kernel."""
    for name, how in (("composed", disabled()), ("kernel", nullcontext())):
        fresh = [Tensor(each.data.copy(), requires_grad=each.data.dtype.kind == "f") for each in inputs]
        with how:
            out = compute(*fresh)
            weights = Tensor(np.linspace(1, 2, out.numel(), dtype=np.float32).reshape(out.shape))
            (out * weights).sum().backward()
        print(f"{name}: {out.data.round(3).tolist()}")
        for each in fresh:
            if each.requires_grad:
                print(f"   gradient {each.grad.data.round(3).tolist()}")


def bend() -> None:
    """relu of -1, 0 and 2, and its gradient, composed and with your kernel."""
    twice(relu, tensor([-1.0, 0.0, 2.0]))


def layer() -> None:
    """A linear layer of three rows, and its gradients, composed and with your kernel."""
    twice(linear, tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), tensor([[1.0, -1.0]]), tensor([0.5]))


def classes() -> None:
    """The cross entropy of two samples, and its gradient, composed and with your kernel."""
    twice(cross_entropy, tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), tensor([0, 2]))


def smooth() -> None:
    """gelu of -1, 0.5 and 2 by its formula with tanh, and its gradient, composed and with your kernel."""
    twice(lambda x: gelu(x, "tanh"), tensor([-1.0, 0.5, 2.0]))


def norm() -> None:
    """layer_norm of a row, and its gradient, composed and with your kernel."""
    twice(lambda x: layer_norm(x, 4), tensor([[1.0, 2.0, 4.0, 9.0]]))


def pool() -> None:
    """max_pool2d of a picture with two equal pixels, and its gradient, composed and with your kernel."""
    twice(lambda x: max_pool2d(x, 2), tensor([[[[5.0, 5.0], [1.0, 2.0]]]]))


def holes() -> None:
    """A kernel of 2 times 2 with dilation 2 in a picture of 0 to 15, and its gradients, composed and with yours."""
    picture = Tensor(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4))
    twice(lambda x, w: conv2d(x, w, dilation=2), picture, ones(1, 1, 2, 2))


def blocks() -> None:
    """A product of matrices of 6 times 6, all ones, in blocks of 2, 3 and 6: every entry is 6."""
    for block in (2, 3, 6):
        ones6, out = np.ones((6, 6), np.float32), np.zeros((6, 6), np.float32)
        add_product_in_blocks(ones6, ones6, out, block)
        print(f"blocks of {block}:", np.unique(out).tolist())


def sizes() -> None:
    """The size of the block that serves each number of bytes: at least so many, and not much more."""
    print({size: rounded(size) for size in (1000, 5000, 70_000, 1_000_000)})


HUNTS = {
    "relu_lets_0_pass": bend,
    "linear_half_the_bias": layer,
    "cross_entropy_forgets_the_truth": classes,
    "gelu_with_another_slope": smooth,
    "layer_norm_forgets_the_mean": norm,
    "pool_gives_to_all": pool,
    "convolution_without_dilation": holes,
    "product_that_replaces": blocks,
    "rounded_to_powers_of_two": sizes,
}
