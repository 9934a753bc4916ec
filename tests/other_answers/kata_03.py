"""Formulas that are equal on paper: one function in terms of another, and gradients in other forms."""

from __future__ import annotations

import math

from tinytorch.dispatch import Array, accelerable, primitive
from tinytorch.setup import get_array_module
from tinytorch.tensor import Dims, Tensor, amax, at_least_float32, erf, exp, floating, log, sum, where


@accelerable
@primitive
def relu(x: Array) -> Array:
    """Chosen with `where`, entry by entry: what is not below 0 stays, nan too. A branch where `maximum` has
    none.
    """
    return get_array_module(x).where(x < 0, x.dtype.type(0), x)


@primitive
def sigmoid(x: Array) -> Array:
    """Each half of the line is computed where it is needed, and no entry twice; index arrays cost more than
    that saves.
    """
    xp = get_array_module(x)
    x = floating(x)
    out = xp.empty_like(x)
    right = x >= 0
    out[right] = 1 / (1 + xp.exp(-x[right]))
    e = xp.exp(x[~right])
    out[~right] = e / (1 + e)
    return out


@accelerable
def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """A table of distribution functions, and one product: a third formula is one line more."""
    formulas = {
        "none": lambda: 0.5 + 0.5 * erf(x / math.sqrt(2)),
        "tanh": lambda: sigmoid((2 * math.sqrt(2 / math.pi)) * (x + 0.044715 * x**3)),
    }
    if approximate not in formulas:
        raise ValueError(f"gelu knows {', '.join(formulas)}, and not {approximate}")
    return x * formulas[approximate]()


@primitive
def softplus(x: Array, beta: float = 1.0) -> Array:
    """log(exp(0) + exp(z)) is what `logaddexp` computes, without overflow: the library has done the
    thinking.
    """
    z = floating(x) * beta
    return get_array_module(x).logaddexp(z.dtype.type(0), z) / beta


@accelerable
@at_least_float32
def log_softmax(x: Tensor, dim: int) -> Tensor:
    """The largest entry is subtracted once, and the logarithm of the sum once more: PyTorch's order of the
    steps.
    """
    largest = amax(x, dim, keepdim=True).detach()
    return (x - largest) - logsumexp(x - largest, dim, keepdim=True)


@at_least_float32
def logsumexp(x: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """Several axes are reduced one after the other: logsumexp of logsumexps. Nothing to know of tuples of
    axes.
    """
    if dim is None or dim == ():
        dim = range(x.ndim) if x.ndim else (0,)
    axes = [dim] if isinstance(dim, int) else list(dim)
    for axis in axes:
        top = amax(x, axis, keepdim=True).detach()
        top = where((top == math.inf) + (top == -math.inf), 0.0, top)
        x = top + log(sum(exp(x - top), axis, keepdim=True))
    return x if keepdim else sum(x, axes)


def leaky_relu_backward(grad: Array, x: Array, negative_slope: float = 0.01) -> Array:
    """A slope for each entry, and one product: the chain rule as it is written, and an array of slopes in
    memory.
    """
    slope = get_array_module(x).ones_like(x)
    slope[x <= 0] = negative_slope
    return slope * grad


def sigmoid_backward(grad: Array, out: Array) -> Array:
    """out - out * out is out * (1 - out), with one product less."""
    return (out - out * out) * grad


def tanh_backward(grad: Array, out: Array) -> Array:
    """(1 - out) * (1 + out) keeps more digits near 1 than 1 - out * out, for one operation more."""
    return (1 - out) * (1 + out) * grad


def silu_backward(grad: Array, x: Array) -> Array:
    """The product rule with one factor s taken out, as PyTorch writes it: s * (1 + x * (1 - s))."""
    s = sigmoid(Tensor(x)).data
    return grad * s * (1 + x * (1 - s))


def gelu_backward(grad: Array, x: Array, approximate: str = "none") -> Array:
    """The product rule: cdf + x * pdf, where the tanh form has the sigmoid's derivative for its pdf."""
    xp = get_array_module(x)
    if approximate == "none":
        cdf = (1 + erf(Tensor(x / math.sqrt(2))).data) / 2
        pdf = xp.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    elif approximate == "tanh":
        k = math.sqrt(8 / math.pi)
        cdf = sigmoid(Tensor(k * (x + 0.044715 * x**3))).data
        pdf = cdf * (1 - cdf) * (k * (1 + 0.134145 * x**2))
    else:
        raise ValueError(f"gelu knows none and tanh, and not {approximate}")
    return grad * (cdf + x * pdf)


@at_least_float32
def softmax_backward(grad: Array, out: Array, dim: int) -> Array:
    """A row times diag(out) - out out^T, where the dot product is one of BLAS: the rows come last, and go
    back.
    """
    xp = get_array_module(out)
    if out.ndim == 0:
        return xp.zeros_like(out)
    p, g = xp.moveaxis(out, dim, -1), xp.moveaxis(grad, dim, -1)
    dot = p[..., None, :] @ g[..., :, None]  # (..., 1, 1)
    return xp.moveaxis(p * g - p * dot[..., 0], -1, dim)


@at_least_float32
def log_softmax_backward(grad: Array, out: Array, dim: int) -> Array:
    """The rows are added up in float64, and softmax is what `out` says it is: exp(out). Twice the memory
    for a moment.
    """
    xp = get_array_module(out)
    total = xp.asarray(grad, xp.float64).sum(axis=dim, keepdims=True)
    return (grad - xp.exp(out) * total).astype(grad.dtype)
