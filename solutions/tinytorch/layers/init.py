"""Where the numbers of a new layer come from (torch.nn.init).

The output of a layer should vary as much as its input, or the signal dies out or explodes over many layers. A sum of
fan_in products has fan_in times the variance of one, so weights need a variance near 1 / fan_in. All functions
write into `tensor.data[...]`, in the Tensor's own dtype, and return the Tensor.
"""

from __future__ import annotations

import math

from tinytorch.setup import default_generator
from tinytorch.tensor import Tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fill with draws from the uniform distribution on [a, b)."""
    tensor.data[...] = a + (b - a) * default_generator(tensor.device).random(tensor.shape)
    return tensor


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill with draws from the normal distribution with that mean and standard deviation."""
    tensor.data[...] = mean + std * default_generator(tensor.device).standard_normal(tensor.shape)
    return tensor


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Every entry becomes `value`."""
    tensor.data[...] = value
    return tensor


def zeros_(tensor: Tensor) -> Tensor:
    """Every entry becomes 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Every entry becomes 1."""
    return constant_(tensor, 1.0)


def calculate_fan(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight: how many inputs each output sums, and how many outputs each input reaches.

    For (out, in) that is (in, out). Further axes, as kata 09's kernels have, multiply both: a weight
    (out, in, 3, 5) gives (15 * in, 15 * out).

    Raises:
        ValueError: the Tensor has fewer than two axes; the message names its shape.
    """
    if tensor.ndim < 2:
        raise ValueError(f"fan-in and fan-out need a weight of two axes or more, got shape {tensor.shape}")
    receptive_field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive_field, tensor.shape[0] * receptive_field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that makes up for how a nonlinearity shrinks the variance (torch.nn.init.calculate_gain).

    1 for "linear" and "sigmoid", 5 / 3 for "tanh", sqrt(2) for "relu", and sqrt(2 / (1 + slope**2)) for
    "leaky_relu" with slope `param`, 0.01 by default.

    Raises:
        ValueError: another name; the message names it.
    """
    if nonlinearity in ("linear", "sigmoid"):
        return 1.0
    if nonlinearity == "tanh":
        return 5 / 3
    if nonlinearity == "relu":
        return math.sqrt(2)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope * slope))
    raise ValueError(f"no gain is known for {nonlinearity!r}: use linear, sigmoid, tanh, relu or leaky_relu")


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill uniformly from [-a, a), a = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6 / math.fsum(calculate_fan(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Fill with normal draws, std = gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return normal_(tensor, std=gain * math.sqrt(2 / math.fsum(calculate_fan(tensor))))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill uniformly from [-b, b), b = gain * sqrt(3 / fan); `a` is leaky_relu's slope (He et al., 2015).

    Raises:
        ValueError: `mode` is neither "fan_in" nor "fan_out"; the message names it.
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Tensor:
    """Fill with normal draws, std = gain / sqrt(fan); otherwise as kaiming_uniform_ (He et al., 2015)."""
    return normal_(tensor, std=_kaiming_std(tensor, a, mode, nonlinearity))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f'mode must be "fan_in" or "fan_out", got {mode!r}')
    fan_in, fan_out = calculate_fan(tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)
