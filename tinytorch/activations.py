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
from tinytorch.tensor import Dims, Tensor, at_least_float32

SQRT_HALF = math.sqrt(1 / 2)
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)


# Functions of one entry ---------------------------------------------------------------------------------


@accelerable
@primitive
def relu(x: Array) -> Array:
    """max(x, 0); nan stays nan (torch.nn.functional.relu)."""
    raise NotImplementedError("kata 03: relu")


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where it is positive, negative_slope * x elsewhere (torch.nn.functional.leaky_relu; Maas et al., 2013)."""
    raise NotImplementedError("kata 03: leaky_relu")


@primitive
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), exact in both tails and without overflow; float32 for integers (torch.sigmoid).

    Only the exponential of a negative number is ever taken: for x < 0 it is exp(x) / (1 + exp(x)).
    """
    raise NotImplementedError("kata 03: sigmoid")


@accelerable
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), with Phi the distribution function of the normal distribution (torch.nn.functional.gelu).

    Phi(x) = (1 + erf(x / sqrt(2))) / 2, or with approximate="tanh"
    (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x))) / 2 (Hendrycks and Gimpel, 2016).

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh"; the message names it.
    """
    raise NotImplementedError("kata 03: gelu")


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x), also called swish (torch.nn.functional.silu)."""
    raise NotImplementedError("kata 03: silu")


@primitive
def softplus(x: Array, beta: float = 1.0) -> Array:
    """log(1 + exp(beta * x)) / beta: a smooth relu, without overflow (torch.nn.functional.softplus).

    log(1 + exp(z)) is max(z, 0) + log1p(exp(-abs(z))).
    """
    raise NotImplementedError("kata 03: softplus")


# Functions of a row -------------------------------------------------------------------------------------


@accelerable
@at_least_float32
def softmax(x: Tensor, dim: int) -> Tensor:
    """exp(x) / sum of exp(x) along `dim`: positive numbers that add up to 1 (torch.softmax).

    The largest entry of a row is subtracted first, so that nothing overflows. It cancels out, so it is
    detached: kata 07 will not differentiate it.
    """
    raise NotImplementedError("kata 03: softmax")


@accelerable
@at_least_float32
def log_softmax(x: Tensor, dim: int) -> Tensor:
    """log(softmax(x)), exact even where softmax(x) would round to 0 (torch.log_softmax)."""
    raise NotImplementedError("kata 03: log_softmax")


@at_least_float32
def logsumexp(x: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log(sum of exp(x)) over one axis or several, without overflow; -inf where every entry is (torch.logsumexp)."""
    raise NotImplementedError("kata 03: logsumexp")


# Gradients by hand, on arrays ---------------------------------------------------------------------------
#
# Everything above takes Tensors when it is called, primitives too. To use one here: sigmoid(Tensor(x)).data.


def relu_backward(grad: Array, x: Array) -> Array:
    """The gradient for x: `grad` where x > 0, and 0 elsewhere, at 0 too. All arrays have one shape."""
    raise NotImplementedError("kata 03: relu_backward")


def leaky_relu_backward(grad: Array, x: Array, negative_slope: float = 0.01) -> Array:
    """The gradient for x: `grad` where x > 0, negative_slope * grad elsewhere."""
    raise NotImplementedError("kata 03: leaky_relu_backward")


def sigmoid_backward(grad: Array, out: Array) -> Array:
    """The gradient for x from out = sigmoid(x)."""
    raise NotImplementedError("kata 03: sigmoid_backward")


def tanh_backward(grad: Array, out: Array) -> Array:
    """The gradient for x from out = tanh(x)."""
    raise NotImplementedError("kata 03: tanh_backward")


def gelu_backward(grad: Array, x: Array, approximate: str = "none") -> Array:
    """The gradient for x of gelu(x, approximate). Errors as in gelu."""
    raise NotImplementedError("kata 03: gelu_backward")


def silu_backward(grad: Array, x: Array) -> Array:
    """The gradient for x of silu(x)."""
    raise NotImplementedError("kata 03: silu_backward")


def softplus_backward(grad: Array, x: Array, beta: float = 1.0) -> Array:
    """The gradient for x of softplus(x, beta)."""
    raise NotImplementedError("kata 03: softplus_backward")


@at_least_float32
def softmax_backward(grad: Array, out: Array, dim: int) -> Array:
    """The gradient for x from out = softmax(x, dim).

    Every output depends on every input of its row: add up with add_up.
    """
    raise NotImplementedError("kata 03: softmax_backward")


@at_least_float32
def log_softmax_backward(grad: Array, out: Array, dim: int) -> Array:
    """The gradient for x from out = log_softmax(x, dim). Add up with add_up."""
    raise NotImplementedError("kata 03: log_softmax_backward")
