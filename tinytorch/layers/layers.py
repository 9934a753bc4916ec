"""The first modules: a linear layer, dropout, the activations of kata 03, and containers for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tinytorch import activations
from tinytorch.dispatch import Array, accelerable
from tinytorch.layers.module import Module
from tinytorch.tensor import Tensor, tanh

# Linear -------------------------------------------------------------------------------------------------


@accelerable
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias: (*, in) with weight (out, in) and bias (out,) -> (*, out) (torch.nn.functional.linear).

    Raises:
        ValueError: the last axis of `x` is not the weight's `in`, or bias has not the shape (out,); the message names
            both shapes.
    """
    raise NotImplementedError("kata 04: linear")


def linear_backward(grad: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """The gradients for x, weight and bias, from `grad` (*, out), the gradient for the output. On arrays.

    Each has the shape of what it belongs to. Those for weight and bias sum over every leading axis, the one for
    bias with add_up.
    """
    raise NotImplementedError("kata 04: linear_backward")


class Linear(Module):
    """y = x @ weight.T + bias, (*, in_features) -> (*, out_features) (torch.nn.Linear).

    weight (out_features, in_features) and bias (out_features,), or None, are drawn from the uniform distribution
    on [-1 / sqrt(in_features), 1 / sqrt(in_features)). With no features to come in, the bias is 0.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        raise NotImplementedError("kata 04: Linear.__init__")

    def reset_parameters(self) -> None:
        """Draw weight and bias again."""
        raise NotImplementedError("kata 04: Linear.reset_parameters")

    def forward(self, x: Tensor) -> Tensor:
        """linear(x, weight, bias)."""
        raise NotImplementedError("kata 04: Linear.forward")

    def extra_repr(self) -> str:  # given
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


# Containers ---------------------------------------------------------------------------------------------


class ModuleList(Module):
    """A list of modules, which are its children "0", "1", ... (torch.nn.ModuleList)."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        raise NotImplementedError("kata 04: ModuleList.__init__")

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end; returns self.

        Raises:
            TypeError: it is not a Module; the message names its type.
        """
        raise NotImplementedError("kata 04: ModuleList.append")

    def __len__(self) -> int:
        """How many modules."""
        raise NotImplementedError("kata 04: ModuleList.__len__")

    def __getitem__(self, index: int) -> Module:
        """The module at a place; negative places count from the end.

        Raises:
            IndexError: there is none; the message names the place and how many there are.
        """
        raise NotImplementedError("kata 04: ModuleList.__getitem__")

    def __iter__(self) -> Iterator[Module]:
        """The modules in order."""
        raise NotImplementedError("kata 04: ModuleList.__iter__")


class Sequential(ModuleList):
    """Modules one after the other: Sequential(a, b)(x) is b(a(x)) (torch.nn.Sequential)."""

    def __init__(self, *modules: Module) -> None:  # given
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """Call each module on the result of the one before it; x itself where there is none."""
        raise NotImplementedError("kata 04: Sequential.forward")


# Modules without parameters -----------------------------------------------------------------------------


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Each entry becomes 0 with probability p (torch.nn.functional.dropout; Srivastava et al., 2014).

    The others are multiplied by 1 / (1 - p), so that the mean stays. With training=False, it is x itself.

    Raises:
        ValueError: p is not between 0 and 1; the message names it.
    """
    raise NotImplementedError("kata 04: dropout")


class Dropout(Module):
    """dropout while training, nothing in eval mode (torch.nn.Dropout).

    Raises:
        ValueError: as dropout.
    """

    def __init__(self, p: float = 0.5) -> None:
        raise NotImplementedError("kata 04: Dropout.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """dropout(x, p, training)."""
        raise NotImplementedError("kata 04: Dropout.forward")

    def extra_repr(self) -> str:  # given
        return f"p={self.p}"


class Flatten(Module):
    """Axes start_dim to end_dim, both included, become one: (N, C, H, W) -> (N, C*H*W) (torch.nn.Flatten)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:  # given
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        """A view with those axes merged."""
        raise NotImplementedError("kata 04: Flatten.forward")


class Identity(Module):
    """Gives its input back unchanged (torch.nn.Identity)."""

    def forward(self, x: Any) -> Any:
        """x itself."""
        raise NotImplementedError("kata 04: Identity.forward")


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
