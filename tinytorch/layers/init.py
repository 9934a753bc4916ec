"""Where the numbers of a new layer come from (torch.nn.init).

The output of a layer should vary as much as its input, or the signal dies out or explodes over many layers. A sum of
fan_in products has fan_in times the variance of one, so weights need a variance near 1 / fan_in. All functions
write into `tensor.data[...]`, in the Tensor's own dtype, and return the Tensor.
"""

from __future__ import annotations

from tinytorch.tensor import Tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with draws from the uniform distribution on [a, b)."""
    raise NotImplementedError("kata 04: uniform_")


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with draws from the normal distribution with that mean and standard deviation."""
    raise NotImplementedError("kata 04: normal_")


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Every entry becomes `value`."""
    raise NotImplementedError("kata 04: constant_")


def zeros_(tensor: Tensor) -> Tensor:
    """Every entry becomes 0."""
    raise NotImplementedError("kata 04: zeros_")


def ones_(tensor: Tensor) -> Tensor:
    """Every entry becomes 1."""
    raise NotImplementedError("kata 04: ones_")


def calculate_fan(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight: how many inputs each output sums, and how many outputs each input reaches.

    For (out, in) that is (in, out). Further axes, as kata 09's kernels have, multiply both: a weight
    (out, in, 3, 5) gives (15 * in, 15 * out).

    Raises:
        ValueError: the Tensor has fewer than two axes; the message names its shape.
    """
    raise NotImplementedError("kata 04: calculate_fan")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that makes up for how a nonlinearity shrinks the variance (torch.nn.init.calculate_gain).

    1 for "linear" and "sigmoid", 5 / 3 for "tanh", sqrt(2) for "relu", and sqrt(2 / (1 + slope**2)) for
    "leaky_relu" with slope `param`, 0.01 by default.

    Raises:
        ValueError: another name; the message names it.
    """
    raise NotImplementedError("kata 04: calculate_gain")


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill uniformly from [-a, a), a = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    raise NotImplementedError("kata 04: xavier_uniform_")


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with normal draws, std = gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    raise NotImplementedError("kata 04: xavier_normal_")


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill uniformly from [-b, b), b = gain * sqrt(3 / fan); `a` is leaky_relu's slope (He et al., 2015).

    Raises:
        ValueError: `mode` is neither "fan_in" nor "fan_out"; the message names it.
    """
    raise NotImplementedError("kata 04: kaiming_uniform_")


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill with normal draws, std = gain / sqrt(fan); otherwise as kaiming_uniform_ (He et al., 2015)."""
    raise NotImplementedError("kata 04: kaiming_normal_")
