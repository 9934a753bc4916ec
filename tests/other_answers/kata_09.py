"""A convolution as a sum of products, one a position of the kernel; pooling by argmax, by counting, part by part."""

from __future__ import annotations

import itertools
import math

from tinytorch.dispatch import accelerable
from tinytorch.spatial import Pair, pair
from tinytorch.tensor import (
    Tensor,
    argmax,
    at_least_float32,
    gather,
    mean,
    pad,
    permute,
    reshape,
    sqrt,
    squeeze,
    stack,
    sum,
    tensor,
    unsqueeze,
    var,
)


def conv_output_size(
    size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """The places themselves are counted: a range from the first to the last where the kernel still fits."""
    smallest = {
        "kernel_size": (kernel_size, 1),
        "stride": (stride, 1),
        "padding": (padding, 0),
        "dilation": (dilation, 1),
    }
    for name, (value, least) in smallest.items():
        if value < least:
            raise ValueError(f"{name}={value} is less than {least}")
    reach = dilation * (kernel_size - 1)
    places = range(0, size + 2 * padding - reach, stride)
    if not places:
        raise ValueError(f"{reach + 1} entries of a kernel in {size + 2 * padding} of a picture")
    return len(places)


def windows(x: Tensor, kernel_size: Pair, stride: Pair = 1, dilation: Pair = 1) -> list[Tensor]:
    """Two axes, one after the other: rows are cut once for each row of the kernel, and columns out of those."""
    if x.ndim < 2:
        raise ValueError(f"no picture: {x.shape}")
    sizes = zip(
        *(
            pair(each, name)
            for each, name in ((kernel_size, "kernel_size"), (stride, "stride"), (dilation, "dilation"))
        ),
        strict=True,
    )
    cuts = []
    for side, (k, s, d) in zip(x.shape[-2:], sizes, strict=True):
        places = conv_output_size(side, k, s, 0, d)
        cuts.append([slice(i * d, i * d + (places - 1) * s + 1, s) for i in range(k)])
    return [x[..., rows, columns] for rows, columns in itertools.product(*cuts)]


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
    """One matrix product for each position of the kernel, added up: no columns in memory, kh * kw smaller
    products.
    """
    if x.dtype.kind != "f":
        raise TypeError(f"a picture of {x.dtype}")
    if x.ndim not in (3, 4):
        raise ValueError(f"a picture of shape {x.shape}")
    if weight.ndim != 4:
        raise ValueError(f"a weight of shape {weight.shape}")
    kernels, depth, kh, kw = weight.shape
    if groups < 1 or kernels % groups or x.shape[-3] != depth * groups:
        raise ValueError(f"x {x.shape}, weight {weight.shape} and groups {groups}")
    if bias is not None and bias.shape != (kernels,):
        raise ValueError(f"a bias of shape {bias.shape} for {kernels} kernels")
    steps, holes = pair(stride, "stride"), pair(dilation, "dilation")
    if padding == "same":
        if steps != (1, 1):
            raise ValueError(f"padding 'same' with stride {steps}")
        (top, bottom), (left, right) = (
            ((d * (k - 1)) // 2, (d * (k - 1) + 1) // 2) for d, k in zip(holes, (kh, kw), strict=True)
        )
    elif padding == "valid":
        top = bottom = left = right = 0
    elif isinstance(padding, str):
        raise ValueError(f"padding {padding!r}, with stride {steps}")
    else:
        top, left = bottom, right = pair(padding, "padding")
        if top < 0 or left < 0:
            raise ValueError(f"padding {padding}")
    if x.ndim == 3:
        one = conv2d(unsqueeze(x, 0), weight, bias, stride, padding, dilation, groups)
        return squeeze(one, 0)
    N = x.shape[0]
    out = None
    taps = permute(reshape(weight, (groups, kernels // groups, depth, kh * kw)), (3, 0, 1, 2))
    for place, seen in enumerate(windows(pad(x, (left, right, top, bottom)), (kh, kw), steps, holes)):
        height, width = seen.shape[-2:]
        rows = reshape(seen, (N, groups, depth, height * width))
        part = taps[place] @ rows  # (N, groups, kernels / groups, height * width)
        out = part if out is None else out + part
    out = reshape(out, (N, kernels, height, width))
    return out + reshape(bias, (1, kernels, 1, 1)) if bias is not None else out


def _pool_rules(
    x: Tensor, kernel_size: Pair, stride: Pair | None, padding: Pair
) -> tuple[tuple[int, int], ...]:
    if x.dtype.kind != "f":
        raise TypeError(f"a picture of {x.dtype}")
    if x.ndim not in (3, 4):
        raise ValueError(f"a picture of shape {x.shape}")
    kernel, margin = pair(kernel_size, "kernel_size"), pair(padding, "padding")
    for side, width in zip(kernel, margin, strict=True):
        if width < 0 or width > side / 2:
            raise ValueError(f"padding {margin} with kernel_size {kernel}")
    return kernel, kernel if stride is None else pair(stride, "stride"), margin


@accelerable
def max_pool2d(
    x: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1
) -> Tensor:
    """All positions are stacked, argmax says which one is the largest, and gather takes it: kh * kw times
    the memory.
    """
    kernel, steps, (rows, columns) = _pool_rules(x, kernel_size, stride, padding)
    padded = pad(x, (columns, columns, rows, rows), value=-math.inf)
    seen = stack(windows(padded, kernel, steps, dilation), -1)
    return squeeze(gather(seen, -1, argmax(seen, -1, keepdim=True)), -1)


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
    """A mean of stacked windows, and how many entries of the picture a window has is counted along each
    axis alone.
    """
    kernel, steps, margin = _pool_rules(x, kernel_size, stride, padding)
    rows, columns = margin
    total = sum(stack(windows(pad(x, (columns, columns, rows, rows)), kernel, steps), 0), 0)
    if count_include_pad:
        return total / (kernel[0] * kernel[1])
    counts = []
    for side, k, s, p in zip(x.shape[-2:], kernel, steps, margin, strict=True):
        begins = [place * s - p for place in range(conv_output_size(side, k, s, p))]
        counts.append([min(begin + k, side) - max(begin, 0) for begin in begins])
    table = tensor([[a * b for b in counts[1]] for a in counts[0]], x.dtype, x.device)
    return total / table


@accelerable
@at_least_float32
def adaptive_avg_pool2d(x: Tensor, output_size: Pair) -> Tensor:
    """Part by part, each with one mean over both axes: the definition, and a call for every part of the
    picture.
    """
    if x.dtype.kind != "f":
        raise TypeError(f"a picture of {x.dtype}")
    if x.ndim not in (3, 4):
        raise ValueError(f"a picture of shape {x.shape}")
    wanted = pair(output_size, "output_size")
    if min(wanted) < 1 or 0 in x.shape[-2:]:
        raise ValueError(f"{output_size} parts of {x.shape}")
    rows, columns = (
        [slice(part * side // parts, math.ceil((part + 1) * side / parts)) for part in range(parts)]
        for side, parts in zip(x.shape[-2:], wanted, strict=True)
    )
    parts = [mean(x[..., r, c], (-2, -1)) for r, c in itertools.product(rows, columns)]
    return reshape(stack(parts, -1), (*x.shape[:-2], *wanted))


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
    """Channels become rows, (C, everything else): all that follows speaks of one axis, for two copies of
    the picture.
    """
    if x.dtype.kind != "f":
        raise TypeError(f"a picture of {x.dtype}")
    if x.ndim < 2:
        raise ValueError(f"no channels in {x.shape}")
    C = x.shape[1]
    for name, each in zip(
        ("running_mean", "running_var", "weight", "bias"),
        (running_mean, running_var, weight, bias),
        strict=True,
    ):
        if each is not None and tuple(each.shape) != (C,):
            raise ValueError(f"{name} of shape {each.shape} for {C} channels")
    order = (1, 0, *range(2, x.ndim))
    turned = permute(x, order)
    n = math.prod(turned.shape[1:])
    rows = reshape(turned, (C, n))
    if training:
        if n <= 1:
            raise ValueError(f"{n} values a channel are not enough: {x.shape}")
        centre, spread = mean(rows, 1, keepdim=True), var(rows, 1, correction=0, keepdim=True)
        for running, now in ((running_mean, centre.data), (running_var, spread.data * n / (n - 1))):
            if running is not None:
                running.data += momentum * (now[:, 0] - running.data)
    else:
        if running_mean is None or running_var is None:
            missing = "running_mean" if running_mean is None else "running_var"
            raise ValueError(f"{missing} is None")
        centre, spread = reshape(running_mean, (C, 1)), reshape(running_var, (C, 1)).to(x.dtype)
    rows = (rows - centre) / sqrt(spread + eps)
    if weight is not None:
        rows = rows * unsqueeze(weight, 1)
    if bias is not None:
        rows = rows + unsqueeze(bias, 1)
    return permute(reshape(rows, turned.shape), order)
