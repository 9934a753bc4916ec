"""The inputs of layers on a grid too: observed on some data first, so that whole products are of integers.

That is what small devices compute: integers in, integers of the weight, one multiplication by a scale at the end. A
batch norm that stands behind a convolution has no place there, so it is folded into the convolution.
"""

from __future__ import annotations

from tinytorch.layers import Buffer, Module
from tinytorch.precision.modules import QuantizedLinear
from tinytorch.spatial import BatchNorm2d, Conv2d
from tinytorch.tensor import Tensor, full, int32, zeros

# Observers ----------------------------------------------------------------------------------------------


class MinMaxObserver(Module):
    """Looks at what passes, and remembers the smallest and the largest entry (torch.ao.quantization.MinMaxObserver).

    They are the buffers min_val and max_val, 0-d, at first inf and -inf.
    """

    def __init__(self, quant_min: int = -128, quant_max: int = 127, symmetric: bool = False) -> None:
        raise NotImplementedError("kata 17: MinMaxObserver.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """Widen the range so that it holds the entries of x; returns x itself. An x without entries changes nothing."""
        raise NotImplementedError("kata 17: MinMaxObserver.forward")

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """The scale and the zero point for what was seen: calculate_qparams(min_val, max_val, ...).

        Raises:
            RuntimeError: nothing was seen yet; the message says to run data through the model.
        """
        raise NotImplementedError("kata 17: MinMaxObserver.calculate_qparams")


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
        raise NotImplementedError("kata 17: MovingAverageMinMaxObserver.forward")


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
    raise NotImplementedError("kata 17: fuse_conv_bn_weights")


def fuse_conv_bn_eval(conv: Conv2d, bn: BatchNorm2d) -> Conv2d:
    """A Conv2d that gives what bn(conv(x)) gives in eval mode (torch.nn.utils.fusion.fuse_conv_bn_eval).

    It is a copy of conv with other parameters, and always has a bias. conv and bn stay as they are.

    Raises:
        ValueError: one of them is in training mode, in which batch norm depends on the batch (the message names eval),
            or bn has no running statistics (it names running_mean).
    """
    raise NotImplementedError("kata 17: fuse_conv_bn_eval")


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
        raise NotImplementedError("kata 17: StaticQuantizedLinear.forward")


def prepare(model: Module) -> Module:
    """A copy of the model that watches its inputs: each Linear is Sequential(MinMaxObserver(), Linear).

    Only what is exactly a Linear is replaced, no subclass. Observers are on the device of their Linear. Everything
    keeps its mode, training or not, and tied weights stay tied. Then run some batches through it, in eval mode
    (torch.ao.quantization.prepare).
    """
    raise NotImplementedError("kata 17: prepare")


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
    raise NotImplementedError("kata 17: convert")
