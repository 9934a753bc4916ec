"""The inputs of layers on a grid too: observed on some data first, so that whole products are of integers.

That is what small devices compute: integers in, integers of the weight, one multiplication by a scale at the end. A
batch norm that stands behind a convolution has no place there, so it is folded into the convolution.
"""

from __future__ import annotations

import copy
import math
from typing import Any

from tinytorch.layers import Buffer, Linear, Module, Parameter, Sequential, linear
from tinytorch.precision.affine import calculate_qparams, quantize_per_tensor, value_range
from tinytorch.precision.modules import QuantizedLinear
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor, float32, full, int32, ones_like, reshape, sqrt, zeros, zeros_like

# Observers ----------------------------------------------------------------------------------------------


class MinMaxObserver(Module):
    """Looks at what passes, and remembers the smallest and the largest entry (torch.ao.quantization.MinMaxObserver).

    They are the buffers min_val and max_val, 0-d, at first inf and -inf.
    """

    def __init__(self, quant_min: int = -128, quant_max: int = 127, symmetric: bool = False) -> None:
        self.quant_min = quant_min
        self.quant_max = quant_max
        self.symmetric = symmetric
        self.min_val = Buffer(full((), math.inf))
        self.max_val = Buffer(full((), -math.inf))

    def forward(self, x: Tensor) -> Tensor:
        """Widen the range so that it holds the entries of x; returns x itself. An x without entries changes nothing."""
        if x.numel():
            low, high = value_range(x.detach())
            self.min_val.copy_(low.minimum(self.min_val))
            self.max_val.copy_(high.maximum(self.max_val))
        return x

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """The scale and the zero point for what was seen: calculate_qparams(min_val, max_val, ...).

        Raises:
            RuntimeError: nothing was seen yet; the message says to run data through the model.
        """
        if self.min_val.item() > self.max_val.item():
            raise RuntimeError("the observer has seen nothing: run data through the model first")
        return calculate_qparams(self.min_val, self.max_val, self.quant_min, self.quant_max, self.symmetric)


class MovingAverageMinMaxObserver(MinMaxObserver):
    """A MinMaxObserver that one strange batch does not spoil (torch.ao.quantization.MovingAverageMinMaxObserver)."""

    def __init__(  # given
        self,
        averaging_constant: float = 0.01,
        quant_min: int = -128,
        quant_max: int = 127,
        symmetric: bool = False,
    ) -> None:
        super().__init__(quant_min, quant_max, symmetric)
        self.averaging_constant = averaging_constant

    def forward(self, x: Tensor) -> Tensor:
        """Move min_val and max_val towards those of x, by averaging_constant of the way; returns x itself.

        The first x sets them. An x without entries changes nothing.
        """
        if x.numel():
            first = self.min_val.item() > self.max_val.item()
            for held, seen in zip((self.min_val, self.max_val), value_range(x.detach()), strict=True):
                held.copy_(seen if first else held + self.averaging_constant * (seen - held))
        return x


# Batch norm folded away ---------------------------------------------------------------------------------


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that does what conv and batch norm do (torch.nn.utils.fusion).

    conv_w is (out, in, kh, kw), all others (out,). With s = bn_w / sqrt(bn_rv + bn_eps), the weight is conv_w * s,
    channel by channel of the output, and the bias (conv_b - bn_rm) * s + bn_b. Where conv_b or bn_b is None it is 0,
    where bn_w is None it is 1.
    """
    conv_b = zeros_like(bn_rm) if conv_b is None else conv_b
    bn_w = ones_like(bn_rm) if bn_w is None else bn_w
    bn_b = zeros_like(bn_rm) if bn_b is None else bn_b
    s = bn_w / sqrt(bn_rv + bn_eps)
    return conv_w * reshape(s, (-1, 1, 1, 1)), (conv_b - bn_rm) * s + bn_b


def fuse_conv_bn_eval(conv: Conv2d, bn: BatchNorm2d) -> Conv2d:
    """A Conv2d that gives what bn(conv(x)) gives in eval mode (torch.nn.utils.fusion.fuse_conv_bn_eval).

    It is a copy of conv with other parameters, and always has a bias. conv and bn stay as they are.

    Raises:
        ValueError: one of them is in training mode, in which batch norm depends on the batch (the message names eval),
            or bn has no running statistics (it names running_mean).
    """
    if conv.training or bn.training:
        raise ValueError("only in eval mode is batch norm a fixed map: call eval() of both first")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("a batch norm without running_mean and running_var cannot be folded away")
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    fused = copy.copy(conv)
    fused.weight, fused.bias = Parameter(weight.detach()), Parameter(bias.detach())
    return fused


# Static calibration -------------------------------------------------------------------------------------


class StaticQuantizedLinear(QuantizedLinear):
    """A Linear of 8 bits whose input is put on a fixed grid: a product of integers (torch.ao.nn.quantized.Linear).

    Buffers input_scale and input_zero_point, 0-d, are at first 1.0 and 0.

    Raises:
        ValueError: bits is not 8, or group_size not None; the message names both.
    """

    def __init__(  # given
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        bits: int = 8,
        group_size: int | None = None,
    ) -> None:
        if bits != 8 or group_size is not None:
            raise ValueError(f"its weight has 8 bits and a scale for each row, got {bits=} and {group_size=}")
        super().__init__(in_features, out_features, bias, bits, group_size)
        self.input_scale = Buffer(full((), 1.0))
        self.input_zero_point = Buffer(zeros((), dtype=int32))

    def forward(self, x: Tensor) -> Tensor:
        """(q - input_zero_point) @ qweight.T, of whole numbers, times input_scale and the scale of each row, plus bias.

        q = quantize_per_tensor(x, input_scale, input_zero_point). NumPy multiplies integers slowly, so the whole
        numbers stand in float32, which is exact up to 2**24.
        """
        q = quantize_per_tensor(x, self.input_scale, self.input_zero_point)
        total = linear(q.to(float32) - self.input_zero_point, self.qweight.to(float32))
        out = total * (self.input_scale * reshape(self.scales, -1))
        return out if self.bias is None else out + self.bias


def prepare(model: Module) -> Module:
    """A copy of the model that watches its inputs: each Linear is Sequential(MinMaxObserver(), Linear).

    Only what is exactly a Linear is replaced, no subclass. Observers are on the device of their Linear. Everything
    keeps its mode, training or not, and tied weights stay tied. Then run some batches through it, in eval mode
    (torch.ao.quantization.prepare).
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        if type(module) is Linear:
            watched = Sequential(MinMaxObserver(), copy.deepcopy(module, memo))
            memo[id(module)] = watched.to(module.weight.device).train(module.training)
    return copy.deepcopy(model, memo)


def convert(model: Module) -> Module:
    """A copy of a prepared model with a StaticQuantizedLinear for each watched Linear (torch.ao.quantization.convert).

    Its weight is on a grid of 8 bits for each row, its input on that of the observer's calculate_qparams. What is not a
    Sequential of a MinMaxObserver and exactly a Linear, as prepare makes them, is only copied. Everything keeps its
    mode, training or not. Where two watched Linears share a weight, each new layer has integers of its own.

    Raises:
        RuntimeError: an observer has seen nothing, see calculate_qparams; the message names its place in the model.
        ValueError: an observer's integers are not -128 to 127, as those of StaticQuantizedLinear's input are; the
            message names its place, quant_min and quant_max.
    """
    memo: dict[int, Any] = {}
    for name, module in model.named_modules():
        match [module, *module.children()]:
            case [Sequential(), MinMaxObserver() as observer, Linear() as watched] if type(watched) is Linear:
                limits = observer.quant_min, observer.quant_max
                if limits != (-128, 127):
                    raise ValueError(
                        f"{name}: an input's integers are -128 to 127, the observer has {limits}"
                    )
                layer = StaticQuantizedLinear.from_float(watched)
                try:
                    scale, zero_point = observer.calculate_qparams()
                except RuntimeError as error:
                    raise RuntimeError(f"{name}: {error}") from error
                layer.input_scale.copy_(scale)
                layer.input_zero_point.copy_(zero_point)
                memo[id(module)] = layer.train(module.training)
    return copy.deepcopy(model, memo)
