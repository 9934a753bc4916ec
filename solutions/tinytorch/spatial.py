"""Layers for pictures: they look at small windows, with the same weights everywhere.

A picture is a Tensor (N, C, H, W): N pictures of C channels, H rows and W columns. A kernel of kh rows and kw
columns is put on every place; what each of its kh * kw positions sees, over all places at once, is a strided
slice of the picture (`windows`). Convolution and pooling are sums and maxima of these slices: compositions,
whose gradients come from kata 07, and which kata 15 replaces by faster versions.
"""

from __future__ import annotations

import math

from tinytorch.dispatch import Array, accelerable
from tinytorch.layers import Buffer, Module, Parameter, init
from tinytorch.tensor import (
    Tensor,
    at_least_float32,
    isnan,
    mean,
    ones,
    pad,
    reshape,
    sqrt,
    squeeze,
    stack,
    tensor,
    unsqueeze,
    where,
    zeros,
)

Pair = int | tuple[int, int]
"""One number for rows and columns alike, or one for each."""


def pair(value: Pair, name: str) -> tuple[int, int]:  # given
    """(rows, columns) from one number or two, with an error that names what was given."""
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2 or not all(hasattr(each, "__index__") for each in both):
        raise ValueError(f"{name} must be one integer or two, got {value!r}")
    return both


# Windows ------------------------------------------------------------------------------------------------


def conv_output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """How many places a kernel has along one axis of `size` entries: the length of the output.

    The kernel spans dilation * (kernel_size - 1) + 1 entries, the axis has size + 2 * padding, and a place begins
    at every `stride`-th entry: floor((size + 2 * padding - span) / stride) + 1.

    Raises:
        ValueError: kernel_size, stride or dilation is below 1 or padding below 0; the message gives its name and
            value. Or the span is larger than the padded axis; the message names both.
    """
    if padding < 0:
        raise ValueError(f"padding must be 0 or more, got {padding}")
    for name, value in {"kernel_size": kernel_size, "stride": stride, "dilation": dilation}.items():
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}")
    span, padded = dilation * (kernel_size - 1) + 1, size + 2 * padding
    if span > padded:
        raise ValueError(f"a kernel that spans {span} entries does not fit into {padded}, padding included")
    return (padded - span) // stride + 1


def windows(x: Tensor, kernel_size: Pair, stride: Pair = 1, dilation: Pair = 1) -> list[Tensor]:
    """What each position of a kernel sees: kh * kw Tensors (..., OH, OW), views of `x` (..., H, W).

    Entry [..., r, c] of the one for row i and column j of the kernel is
    x[..., r * stride + i * dilation, c * stride + j * dilation]. They come row by row: (0, 0), (0, 1), ...

    Raises:
        ValueError: as conv_output_size; or x has fewer than two axes.
    """
    if x.ndim < 2:
        raise ValueError(f"windows are cut out of (..., H, W), got {x.shape}")
    kh, kw = pair(kernel_size, "kernel_size")
    sh, sw = pair(stride, "stride")
    dh, dw = pair(dilation, "dilation")
    height = sh * (conv_output_size(x.shape[-2], kh, sh, 0, dh) - 1) + 1  # from the first place to the last
    width = sw * (conv_output_size(x.shape[-1], kw, sw, 0, dw) - 1) + 1
    return [
        x[..., i * dh : i * dh + height : sh, j * dw : j * dw + width : sw]
        for i in range(kh)
        for j in range(kw)
    ]


# Convolution --------------------------------------------------------------------------------------------


@accelerable
def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """The sum of a window times a kernel, at every place, for every kernel (torch.nn.functional.conv2d).

    x (N, C, H, W), weight (O, C / groups, kh, kw) and bias (O,) give (N, O, OH, OW):

        out[n, o, r, c] = bias[o] + sum over k, i, j of
            weight[o, k, i, j] * padded[n, first + k, r * stride + i * dilation, c * stride + j * dilation]

    where `padded` is x with `padding` zeros on each side, and `first` is 0 for one group. With more, channels and
    kernels are split into equal parts, in order: kernels of group g see the channels of group g only, the first
    of which is g * C / groups. One picture (C, H, W) gives one (O, OH, OW). All the numbers that one place sees,
    C * kh * kw of them, are a column: channel by channel, and row by row in each channel, as in a kernel.

    padding="valid" is 0. padding="same" keeps H and W: it adds dilation * (k - 1) zeros along each axis, half of
    them before and half after; if their number is odd, one more after.

    Raises:
        ValueError: x does not have three or four axes, or weight not four; the message names the shape. The channels
            of x are not groups * weight.shape[1], or groups is below 1 or does not divide O; the message
            names both shapes and groups. bias is not (O,); the message names its shape. padding is another word, or
            "same" with a stride above 1; the message names both. Also as conv_output_size, for the padded picture.
        TypeError: x is not floating point; the message names its dtype.
    """
    _check_pictures(x)
    _check_kernels(x, weight, bias, groups)
    if x.ndim == 3:
        return squeeze(conv2d(unsqueeze(x, 0), weight, bias, stride, padding, dilation, groups), 0)
    kernel = weight.shape[2], weight.shape[3]
    padded = pad(x, _sides(padding, kernel, pair(stride, "stride"), pair(dilation, "dilation")))
    seen = stack(windows(padded, kernel, stride, dilation), 2)  # (N, C, kh * kw, OH, OW)
    N, C, positions, height, width = seen.shape
    kernels, depth = weight.shape[0], C // groups * positions
    columns = reshape(seen, (N, groups, depth, height * width))
    out = reshape(weight, (groups, kernels // groups, depth)) @ columns  # (N, groups, O / groups, OH * OW)
    out = reshape(out, (N, kernels, height, width))
    return out if bias is None else out + reshape(bias, (kernels, 1, 1))


def _check_pictures(x: Tensor) -> None:
    _check_floating(x)
    if x.ndim not in (3, 4):
        raise ValueError(f"pictures have shape (N, C, H, W) or (C, H, W), got {x.shape}")


def _check_floating(x: Tensor) -> None:
    if x.dtype.kind != "f":
        raise TypeError(f"pictures are floating point, got {x.dtype}: convert them with x.to(float32)")


def _check_kernels(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    if weight.ndim != 4:
        raise ValueError(f"a weight has shape (O, C / groups, kh, kw), got {weight.shape}")
    if groups < 1 or x.shape[-3] != groups * weight.shape[1] or weight.shape[0] % groups:
        raise ValueError(
            f"x {x.shape} and weight {weight.shape} do not fit with groups={groups}: x has {x.shape[-3]} channels, "
            f"needs groups * {weight.shape[1]}, and groups must divide the {weight.shape[0]} kernels"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"a bias for {weight.shape[0]} kernels has shape {weight.shape[:1]}, got {bias.shape}"
        )


def _sides(
    padding: Pair | str, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    """How much to add: (left, right, top, bottom), as `pad` takes it."""
    if padding == "same" and stride == (1, 1):
        (high, wide), (dh, dw) = kernel, dilation
        extra_h, extra_w = dh * (high - 1), dw * (wide - 1)
        return extra_w // 2, extra_w - extra_w // 2, extra_h // 2, extra_h - extra_h // 2
    if padding == "valid":
        return 0, 0, 0, 0
    if isinstance(padding, str):
        raise ValueError(
            f'padding must be numbers, "valid", or "same" with stride 1; got {padding!r}, stride {stride}'
        )
    rows, columns = _padding(padding)
    return columns, columns, rows, rows


def _padding(padding: Pair) -> tuple[int, int]:
    both = pair(padding, "padding")
    if min(both) < 0:
        raise ValueError(f"padding must be 0 or more, got {padding}")
    return both


# Pooling ------------------------------------------------------------------------------------------------


@accelerable
def max_pool2d(
    x: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1
) -> Tensor:
    """The largest entry of every window, (N, C, H, W) -> (N, C, OH, OW) (torch.nn.functional.max_pool2d).

    `stride` is kernel_size by default. Padding counts as -inf, so it is never the largest. nan is larger than
    everything. If several entries are the largest, the gradient goes to the first one, row by row. One picture
    (C, H, W) gives one (C, OH, OW).

    Raises:
        ValueError: x does not have three or four axes; the message names the shape. padding is more than half of
            kernel_size; the message names both. Also as conv_output_size, for the padded picture; a stride of 0 is
            an error too, and does not mean None.
        TypeError: x is not floating point; the message names its dtype.
    """
    _check_pictures(x)
    kernel = pair(kernel_size, "kernel_size")
    stride = kernel if stride is None else pair(stride, "stride")
    padded = pad(x, _pool_sides(padding, kernel), value=-math.inf)
    best, *others = windows(padded, kernel, stride, dilation)
    for each in others:
        best = where((each > best) | isnan(each), each, best)
    return best


@accelerable
@at_least_float32
def avg_pool2d(
    x: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of every window, (N, C, H, W) -> (N, C, OH, OW) (torch.nn.functional.avg_pool2d).

    `stride` is kernel_size by default. Padding counts as zeros, or, with count_include_pad=False, not at all: then
    the sum is divided by the number of entries of the picture in the window. One picture (C, H, W) gives one
    (C, OH, OW).

    Raises:
        ValueError: as max_pool2d.
        TypeError: as max_pool2d.
    """
    _check_pictures(x)
    kernel = pair(kernel_size, "kernel_size")
    stride = kernel if stride is None else pair(stride, "stride")
    sides = _pool_sides(padding, kernel)
    total = _sum(windows(pad(x, sides), kernel, stride))
    if count_include_pad or not any(sides):
        return total / (kernel[0] * kernel[1])
    inside = pad(ones(x.shape[-2:], device=x.device), sides)
    return total / _sum(windows(inside, kernel, stride))


def _sum(tensors: list[Tensor]) -> Tensor:
    """The sum of one half plus the sum of the other, recursively: so rounding errors grow slowly."""
    half = len(tensors) // 2
    return _sum(tensors[:half]) + _sum(tensors[half:]) if half else tensors[0]


def _pool_sides(padding: Pair, kernel: tuple[int, int]) -> tuple[int, int, int, int]:
    rows, columns = _padding(padding)
    if 2 * rows > kernel[0] or 2 * columns > kernel[1]:
        raise ValueError(
            f"padding may be at most half of kernel_size, got padding {(rows, columns)}, kernel_size {kernel}"
        )
    return columns, columns, rows, rows


@accelerable
@at_least_float32
def adaptive_avg_pool2d(x: Tensor, output_size: Pair) -> Tensor:
    """The means of output_size[0] times output_size[1] parts of a picture of any size.

    (N, C, H, W) -> (N, C, *output_size) (torch.nn.functional.adaptive_avg_pool2d).

    Part i of n along an axis of `size` entries goes from floor(i * size / n) up to, not including,
    ceil((i + 1) * size / n): the parts may overlap. One picture (C, H, W) gives one (C, *output_size).

    Raises:
        ValueError: x does not have three or four axes, or H or W is 0; the message names the shape. output_size is
            below 1; the message names it.
        TypeError: x is not floating point; the message names its dtype.
    """
    _check_pictures(x)
    rows, columns = pair(output_size, "output_size")
    if min(rows, columns) < 1 or min(x.shape[-2:]) < 1:
        raise ValueError(f"cannot make {output_size} parts of each picture of {x.shape}")
    x = stack([mean(x[..., start:end, :], -2) for start, end in _parts(x.shape[-2], rows)], -2)
    return stack([mean(x[..., start:end], -1) for start, end in _parts(x.shape[-1], columns)], -1)


def _parts(size: int, n: int) -> list[tuple[int, int]]:
    return [(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]


# Normalisation ------------------------------------------------------------------------------------------


@accelerable
@at_least_float32
def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Every channel with mean 0 and variance 1, then times weight plus bias (torch.nn.functional.batch_norm).

    (x - mean) / sqrt(var + eps) * weight + bias (Ioffe and Szegedy, 2015).

    x has shape (N, C, ...), the others (C,). In training, mean and variance are those of the batch, over every
    axis except axis 1; the variance is divided by n, the number of values in a channel. Gradients flow through
    both. Otherwise they are running_mean and running_var.

    In training, running_mean becomes (1 - momentum) * running_mean + momentum * mean, and running_var likewise,
    with the variance divided by n - 1. Their arrays are changed in place, which no tape records. If one of the two
    is None, only the other is updated.

    Raises:
        ValueError: x has fewer than two axes, or another argument is not (C,); the message names the shape. In
            training, a channel has only one value, or none; the message names the shape of x. Not in training,
            running_mean or running_var is None; the message names the one that is missing.
        TypeError: x is not floating point; the message names its dtype.
    """
    _check_floating(x)
    if x.ndim < 2:
        raise ValueError(f"batch_norm needs x of shape (N, C, ...), got {x.shape}")
    C = x.shape[1]
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, each in given.items():
        if each is not None and each.shape != (C,):
            raise ValueError(f"{name} of {C} channels has shape ({C},), got {each.shape}")
    channels = (C, *[1] * (x.ndim - 2))
    if training:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        n = math.prod(x.shape[axis] for axis in axes)
        if n < 2:
            raise ValueError(f"training needs more than one value for each channel, got x of shape {x.shape}")
        batch_mean = mean(x, axes, keepdim=True)
        deviation = x - batch_mean
        batch_var = mean(deviation * deviation, axes, keepdim=True)
    elif running_mean is None or running_var is None:
        raise ValueError("not in training, batch_norm needs running_mean and running_var, got None")
    else:
        deviation = x - reshape(running_mean, channels)
        batch_var = reshape(running_var, channels).to(x.dtype)
    scale = 1 / sqrt(batch_var + eps)
    if weight is not None:
        scale = reshape(weight, channels) * scale
    out = deviation * scale
    if bias is not None:
        out = out + reshape(bias, channels)
    if training:
        _move(running_mean, batch_mean.data, momentum)
        _move(running_var, batch_var.data * (n / (n - 1)), momentum)
    return out


def _move(running: Tensor | None, batch: Array, momentum: float) -> None:
    """Move `running` a step towards the statistic of the batch."""
    if running is not None:
        running.data[...] = (1 - momentum) * running.data + momentum * batch.reshape(running.shape)


# Modules ------------------------------------------------------------------------------------------------


class Conv2d(Module):
    """conv2d with learned kernels (torch.nn.Conv2d).

    weight (out_channels, in_channels / groups, kh, kw) and bias (out_channels,), or None, are drawn from the uniform
    distribution on [-1 / sqrt(fan_in), 1 / sqrt(fan_in)), with fan_in = in_channels / groups * kh * kw.
    With in_channels=0 the bias is 0.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        """Set every argument as an attribute of the same name.

        kernel_size, stride, dilation and padding (unless it is a word) become pairs; bias is the parameter or None.

        Raises:
            ValueError: groups is below 1, or does not divide in_channels and out_channels; the message names all
                three. padding_mode is not "zeros"; the message names it.
        """
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}"
            )
        if padding_mode != "zeros":
            raise ValueError(f'padding_mode must be "zeros", got {padding_mode!r}')
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = pair(stride, "stride")
        self.padding = padding if isinstance(padding, str) else pair(padding, "padding")
        self.dilation = pair(dilation, "dilation")
        self.groups = groups
        self.padding_mode = padding_mode
        self.weight = Parameter(zeros(out_channels, in_channels // groups, *self.kernel_size))
        self.bias = Parameter(zeros(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias again."""
        fan_in, _ = init.calculate_fan(self.weight)
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """conv2d of x with this layer's weight, bias and options."""
        return conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:  # given
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text if self.bias is not None else text + ", bias=False"


class MaxPool2d(Module):
    """max_pool2d as a module (torch.nn.MaxPool2d)."""

    def __init__(
        self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1
    ) -> None:  # given
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:  # given
        return max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation)

    def extra_repr(self) -> str:  # given
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode=False"
        )


class AvgPool2d(Module):
    """avg_pool2d as a module (torch.nn.AvgPool2d)."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        *,
        count_include_pad: bool = True,
    ) -> None:  # given
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:  # given
        return avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, count_include_pad=self.count_include_pad
        )

    def extra_repr(self) -> str:  # given
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """adaptive_avg_pool2d as a module (torch.nn.AdaptiveAvgPool2d)."""

    def __init__(self, output_size: Pair) -> None:  # given
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:  # given
        return adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:  # given
        return f"output_size={self.output_size}"


class BatchNorm2d(Module):
    """batch_norm of pictures (N, C, H, W) with running statistics from training (torch.nn.BatchNorm2d).

    Parameters weight (ones) and bias (zeros) of shape (C,). Both are None with affine=False; bias also with bias=False.
    Buffers running_mean (zeros) and running_var (ones) of shape (C,), and num_batches_tracked, a 0-d int64. They stay
    Buffers when they change; all are None with track_running_stats=False.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(ones(num_features)) if affine else None
        self.bias = Parameter(zeros(num_features)) if affine and bias else None
        self.running_mean = Buffer(zeros(num_features)) if track_running_stats else None
        self.running_var = Buffer(ones(num_features)) if track_running_stats else None
        self.num_batches_tracked = Buffer(tensor(0)) if track_running_stats else None

    def forward(self, x: Tensor) -> Tensor:
        """batch_norm of x: in training with the statistics of the batch, in eval mode with the running ones.

        Without running statistics (None), eval mode uses those of the batch too.

        In training, num_batches_tracked counts the batches; a refused batch is not counted. A momentum of None means
        1 / (batches up to this one): the running statistics are then the plain mean over all batches. Once
        track_running_stats is set to False, training leaves all three as they are.

        Raises:
            ValueError: x does not have four axes; the message names its shape. Also as batch_norm.
        """
        if x.ndim != 4:
            raise ValueError(f"BatchNorm2d needs pictures (N, C, H, W), got {x.shape}")
        momentum = self.momentum
        if momentum is None:
            momentum = (
                1 / (1 + self.num_batches_tracked.item()) if self.num_batches_tracked is not None else 0.0
            )
        training = self.training or self.running_mean is None
        looks_away = self.training and not self.track_running_stats
        running = (None, None) if looks_away else (self.running_mean, self.running_var)
        out = batch_norm(x, *running, self.weight, self.bias, training, momentum, self.eps)
        if self.training and self.num_batches_tracked is not None and not looks_away:
            self.num_batches_tracked.data[...] += 1
        return out

    def extra_repr(self) -> str:  # given
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )
