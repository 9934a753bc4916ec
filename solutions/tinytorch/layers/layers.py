"""The first modules: a linear layer, dropout, the activations of kata 03, and containers for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from tinytorch import activations
from tinytorch.dispatch import Array, accelerable
from tinytorch.layers import init
from tinytorch.layers.module import Module, Parameter
from tinytorch.tensor import Tensor, add_up, rand, reshape, tanh, zeros

# Linear -------------------------------------------------------------------------------------------------


@accelerable
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias: (*, in) with weight (out, in) and bias (out,) -> (*, out) (torch.nn.functional.linear).

    Raises:
        ValueError: the last axis of `x` is not the weight's `in`, or bias has not the shape (out,); the message names
            both shapes.
    """
    if weight.ndim != 2 or x.shape[-1:] != weight.shape[1:]:
        raise ValueError(f"linear needs weight (out, in) and x (*, in), got {weight.shape} and {x.shape}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"a bias for weight {weight.shape} has shape {weight.shape[:1]}, got {bias.shape}")
    out = x @ weight.T
    return out if bias is None else out + bias


def linear_backward(grad: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """The gradients for x, weight and bias, from `grad` (*, out), the gradient for the output. On arrays.

    Each has the shape of what it belongs to. Those for weight and bias sum over every leading axis, the one for
    bias with add_up.
    """
    rows, inputs = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])  # (N, out), (N, in)
    return grad @ weight, rows.T @ inputs, add_up(rows, 0)


class Linear(Module):
    """y = x @ weight.T + bias, (*, in_features) -> (*, out_features) (torch.nn.Linear).

    weight (out_features, in_features) and bias (out_features,), or None, are drawn from the uniform distribution
    on [-1 / sqrt(in_features), 1 / sqrt(in_features)). With no features to come in, the bias is 0.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(zeros(out_features, in_features))
        self.bias = Parameter(zeros(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias again."""
        bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """linear(x, weight, bias)."""
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:  # given
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


# Containers ---------------------------------------------------------------------------------------------


class ModuleList(Module):
    """A list of modules, which are its children "0", "1", ... (torch.nn.ModuleList)."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end; returns self.

        Raises:
            TypeError: it is not a Module; the message names its type.
        """
        if not isinstance(module, Module):
            raise TypeError(f"a {type(self).__name__} holds Modules, got {type(module).__name__}")
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        """How many modules."""
        return len(list(self.children()))

    def __getitem__(self, index: int) -> Module:
        """The module at a place; negative places count from the end.

        Raises:
            IndexError: there is none; the message names the place and how many there are.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no module {index} among {len(self)}")
        return list(self.children())[index]

    def __iter__(self) -> Iterator[Module]:
        """The modules in order."""
        return self.children()


class Sequential(ModuleList):
    """Modules one after the other: Sequential(a, b)(x) is b(a(x)) (torch.nn.Sequential)."""

    def __init__(self, *modules: Module) -> None:  # given
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """Call each module on the result of the one before it; x itself where there is none."""
        for module in self:
            x = module(x)
        return x


# Modules without parameters -----------------------------------------------------------------------------


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Each entry becomes 0 with probability p (torch.nn.functional.dropout; Srivastava et al., 2014).

    The others are multiplied by 1 / (1 - p), so that the mean stays. With training=False, it is x itself.

    Raises:
        ValueError: p is not between 0 and 1; the message names it.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"the probability p of dropout must be between 0 and 1, got {p}")
    if not training or p == 0:
        return x
    kept = rand(x.shape, device=x.device) >= p
    return x * (kept.to(x.dtype) * (1 / (1 - p) if p < 1 else 0.0))


class Dropout(Module):
    """dropout while training, nothing in eval mode (torch.nn.Dropout).

    Raises:
        ValueError: as dropout.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"the probability p of dropout must be between 0 and 1, got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """dropout(x, p, training)."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:  # given
        return f"p={self.p}"


class Flatten(Module):
    """Axes start_dim to end_dim, both included, become one: (N, C, H, W) -> (N, C*H*W) (torch.nn.Flatten)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:  # given
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        """A view with those axes merged."""
        start, end = self.start_dim % x.ndim, self.end_dim % x.ndim
        return reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


class Identity(Module):
    """Gives its input back unchanged (torch.nn.Identity)."""

    def forward(self, x: Any) -> Any:
        """x itself."""
        return x


class ReLU(Module):
    """activations.relu as a module (torch.nn.ReLU)."""

    def forward(self, x: Tensor) -> Tensor:  # given
        return activations.relu(x)


class LeakyReLU(Module):
    """activations.leaky_relu as a module (torch.nn.LeakyReLU)."""

    def __init__(self, negative_slope: float = 0.01) -> None:  # given
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:  # given
        return activations.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:  # given
        return f"negative_slope={self.negative_slope}"


class Sigmoid(Module):
    """activations.sigmoid as a module (torch.nn.Sigmoid)."""

    def forward(self, x: Tensor) -> Tensor:  # given
        return activations.sigmoid(x)


class Tanh(Module):
    """tanh as a module (torch.nn.Tanh)."""

    def forward(self, x: Tensor) -> Tensor:  # given
        return tanh(x)


class GELU(Module):
    """activations.gelu as a module (torch.nn.GELU)."""

    def __init__(self, approximate: str = "none") -> None:  # given
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:  # given
        return activations.gelu(x, self.approximate)

    def extra_repr(self) -> str:  # given
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """activations.silu as a module (torch.nn.SiLU)."""

    def forward(self, x: Tensor) -> Tensor:  # given
        return activations.silu(x)


class Softplus(Module):
    """activations.softplus as a module (torch.nn.Softplus)."""

    def __init__(self, beta: float = 1.0) -> None:  # given
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:  # given
        return activations.softplus(x, self.beta)

    def extra_repr(self) -> str:  # given
        return f"beta={self.beta}"


class Softmax(Module):
    """activations.softmax as a module (torch.nn.Softmax)."""

    def __init__(self, dim: int) -> None:  # given
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:  # given
        return activations.softmax(x, self.dim)

    def extra_repr(self) -> str:  # given
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """activations.log_softmax as a module (torch.nn.LogSoftmax)."""

    def __init__(self, dim: int) -> None:  # given
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:  # given
        return activations.log_softmax(x, self.dim)

    def extra_repr(self) -> str:  # given
        return f"dim={self.dim}"
