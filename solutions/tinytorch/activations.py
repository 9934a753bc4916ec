"""Activation functions: the bends between linear layers, and their gradients by hand.

A function that is a composition of kata 02's operations is written as one. Three are primitives of their own,
because no composition has both their value and their derivative everywhere: relu (its slope at 0), sigmoid and
softplus (their tails).

A `*_backward` works on arrays: it takes `grad`, the gradient of the loss for the function's output, and gives
the one for its input. It also takes that input or that output, whichever is cheaper, as in PyTorch.
"""

from __future__ import annotations

import math

from tinytorch.dispatch import Array, accelerable, primitive
from tinytorch.setup import get_array_module
from tinytorch.tensor import (
    Dims,
    Tensor,
    abs,
    add_up,
    amax,
    at_least_float32,
    erf,
    exp,
    floating,
    log,
    sum,
    tanh,
    where,
)

SQRT_HALF = math.sqrt(1 / 2)
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)


# Functions of one entry ---------------------------------------------------------------------------------


@accelerable
@primitive
def relu(x: Array) -> Array:
    """max(x, 0); nan stays nan (torch.nn.functional.relu)."""
    return get_array_module(x).maximum(x, 0)


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, negative_slope * x elsewhere (torch.nn.functional.leaky_relu; Maas et al., 2013)."""
    return where(x > 0, x, x * negative_slope)


@primitive
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), exact in both tails and without overflow; float32 for integers (torch.sigmoid).

    Only the exponential of a negative number is ever taken: for x < 0 it is exp(x) / (1 + exp(x)).
    """
    xp = get_array_module(x)
    x = floating(x)
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1, e).astype(x.dtype, copy=False) / (1 + e)


@accelerable
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), with Phi the distribution function of the normal distribution (torch.nn.functional.gelu).

    Phi(x) = (1 + erf(x / sqrt(2))) / 2, or with approximate="tanh"
    (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))) / 2 (Hendrycks and Gimpel, 2016).

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh"; the message names it.
    """
    if approximate == "none":
        return x * (0.5 * (1 + erf(x * SQRT_HALF)))
    if approximate == "tanh":
        return x * (0.5 * (1 + tanh(SQRT_2_OVER_PI * (x + 0.044715 * (x * x * x)))))
    raise ValueError(f'approximate must be "none" or "tanh", got {approximate!r}')


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x), also called swish (torch.nn.functional.silu)."""
    return x * sigmoid(x)


@primitive
def softplus(x: Array, beta: float = 1.0) -> Array:
    """log(1 + exp(beta * x)) / beta: a smooth relu, without overflow (torch.nn.functional.softplus).

    log(1 + exp(z)) is max(z, 0) + log1p(exp(-abs(z))).
    """
    xp = get_array_module(x)
    z = floating(x) * beta
    return (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / beta


# Functions of a row -------------------------------------------------------------------------------------


@accelerable
@at_least_float32
def softmax(x: Tensor, dim: int) -> Tensor:
    """exp(x) / sum of exp(x) along `dim`: positive numbers that add up to 1 (torch.softmax).

    The largest entry of a row is subtracted first, so that nothing overflows. It cancels out, so it is
    detached: kata 07 will not differentiate it.
    """
    e = exp(x - amax(x, dim, keepdim=True).detach())
    return e / sum(e, dim, keepdim=True)


@accelerable
@at_least_float32
def log_softmax(x: Tensor, dim: int) -> Tensor:
    """log(softmax(x)), exact even where softmax(x) would round to 0 (torch.log_softmax)."""
    z = x - amax(x, dim, keepdim=True).detach()
    return z - log(sum(exp(z), dim, keepdim=True))


@at_least_float32
def logsumexp(x: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log(sum of exp(x)) over one axis or several, without overflow; -inf where every entry is (torch.logsumexp)."""
    largest = amax(x, dim, keepdim=True).detach()
    largest = where(abs(largest) == math.inf, 0.0, largest)  # inf - inf would be nan
    total = log(sum(exp(x - largest), dim, keepdim=True)) + largest
    return total if keepdim else sum(total, dim)


# Gradients by hand, on arrays ---------------------------------------------------------------------------
#
# Everything above takes Tensors when it is called, primitives too. To use one here: sigmoid(Tensor(x)).data.


def relu_backward(grad: Array, x: Array) -> Array:
    """The gradient for x: `grad` where x > 0, and 0 elsewhere, at 0 too. All arrays have one shape."""
    # The bits of a number times 1 are that number, and times 0 they are 0. This is exact for inf and nan, of which a
    # product with 0 would be nan, and ten times as fast as `where`, which branches at every entry.
    return (grad.view(f"i{grad.itemsize}") * ~(x <= 0)).view(grad.dtype)


def leaky_relu_backward(grad: Array, x: Array, negative_slope: float = 0.01) -> Array:
    """The gradient for x: `grad` where x > 0, negative_slope * grad elsewhere."""
    return get_array_module(x).where(x > 0, grad, grad * negative_slope)


def sigmoid_backward(grad: Array, out: Array) -> Array:
    """The gradient for x from out = sigmoid(x)."""
    return grad * out * (1 - out)


def tanh_backward(grad: Array, out: Array) -> Array:
    """The gradient for x from out = tanh(x)."""
    return grad * (1 - out * out)


def gelu_backward(grad: Array, x: Array, approximate: str = "none") -> Array:
    """The gradient for x of gelu(x, approximate). Errors as in gelu."""
    xp = get_array_module(x)
    if approximate == "none":
        density = xp.exp(-0.5 * x * x) * (SQRT_HALF / math.sqrt(math.pi))
        return grad * (0.5 * (1 + erf(Tensor(x * SQRT_HALF)).data) + x * density)
    if approximate == "tanh":
        t = xp.tanh(SQRT_2_OVER_PI * (x + 0.044715 * (x * x * x)))
        inner_slope = SQRT_2_OVER_PI * (1 + 3 * 0.044715 * (x * x))
        return grad * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope)
    raise ValueError(f'approximate must be "none" or "tanh", got {approximate!r}')


def silu_backward(grad: Array, x: Array) -> Array:
    """The gradient for x of silu(x)."""
    s = sigmoid(Tensor(x)).data
    return grad * (s + x * s * (1 - s))


def softplus_backward(grad: Array, x: Array, beta: float = 1.0) -> Array:
    """The gradient for x of softplus(x, beta)."""
    return grad * sigmoid(Tensor(x * beta)).data


@at_least_float32
def softmax_backward(grad: Array, out: Array, dim: int) -> Array:
    """The gradient for x from out = softmax(x, dim).

    Every output depends on every input of its row: add up with add_up.
    """
    return out * (grad - add_up(grad * out, dim, keepdims=True))


@at_least_float32
def log_softmax_backward(grad: Array, out: Array, dim: int) -> Array:
    """The gradient for x from out = log_softmax(x, dim). Add up with add_up."""
    return grad - get_array_module(out).exp(out) * add_up(grad, dim, keepdims=True)
