"""A convolution is a product of Fourier transforms: as much work for a large kernel as for a small one."""

from __future__ import annotations

from typing import Any

from tinytorch.autograd import Function
from tinytorch.dispatch import Array, accelerable
from tinytorch.setup import get_array_module
from tinytorch.spatial import Pair, conv_output_size, pair
from tinytorch.tensor import Tensor, cat, float64, pad, reshape, squeeze, unsqueeze


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
    """All places at once, in the frequencies; a stride leaves some out, and inf and nan are added one by one."""
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
    (sh, sw), (dh, dw) = pair(stride, "stride"), pair(dilation, "dilation")
    if padding == "same":
        if (sh, sw) != (1, 1):
            raise ValueError(f"padding 'same' with stride {(sh, sw)}")
        extra = dw * (kw - 1), dh * (kh - 1)
        sides = tuple(part for each in extra for part in (each // 2, each - each // 2))
    elif isinstance(padding, str):
        if padding != "valid":
            raise ValueError(f"padding {padding!r}, with stride {(sh, sw)}")
        sides = (0, 0, 0, 0)
    else:
        rows, columns = pair(padding, "padding")
        if min(rows, columns) < 0:
            raise ValueError(f"padding {padding}")
        sides = (columns, columns, rows, rows)
    if x.ndim == 3:
        return squeeze(conv2d(unsqueeze(x, 0), weight, bias, stride, padding, dilation, groups), 0)
    padded = pad(x, sides)
    conv_output_size(padded.shape[-2], kh, sh, 0, dh)
    conv_output_size(padded.shape[-1], kw, sw, 0, dw)
    each = kernels // groups
    parts = [
        _Correlation.apply(
            padded[:, g * depth : (g + 1) * depth], weight[g * each : (g + 1) * each], (dh, dw)
        )
        for g in range(groups)
    ]
    out = cat(parts, 1)[..., ::sh, ::sw]
    return out if bias is None else out + reshape(bias, (kernels, 1, 1))


class _Correlation(Function):
    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array, dilation: tuple[int, int]) -> Array:
        """The spectrum of x times the conjugate one of the kernels, which are as large as x for the time."""
        xp = get_array_module(x, weight)
        dtype = xp.promote_types(x.dtype, weight.dtype)
        (H, W), (kh, kw), (dh, dw) = x.shape[-2:], weight.shape[-2:], dilation
        strange = xp.argwhere(~xp.isfinite(x)).tolist()  # they spoil what sees them, and nothing else
        whole, x = x, xp.where(xp.isfinite(x), x, 0)
        spread = xp.zeros((*weight.shape[:2], H, W), float64)
        spread[:, :, : dh * (kh - 1) + 1 : dh, : dw * (kw - 1) + 1 : dw] = weight
        ctx.spectra = xp.fft.rfft2(x.astype(float64)), xp.fft.rfft2(spread)
        ctx.sizes = (H, W), (H - dh * (kh - 1), W - dw * (kw - 1)), (kh, kw), dilation
        product = xp.einsum("nchw,ochw->nohw", ctx.spectra[0], xp.conj(ctx.spectra[1]))
        rows, columns = ctx.sizes[1]
        ctx.save_for_backward(whole, weight)
        out = xp.fft.irfft2(product, (H, W))[..., :rows, :columns].astype(dtype)
        for n, c, r, q in strange:
            for i in range(kh):
                for j in range(kw):
                    if 0 <= r - i * dh < rows and 0 <= q - j * dw < columns:
                        out[n, :, r - i * dh, q - j * dw] += whole[n, c, r, q] * weight[:, c, i, j]
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array, Array, None]:
        """Two products more: with the kernels for x, and with x for the kernels."""
        xp = get_array_module(grad)
        size, (rows, columns), (kh, kw), (dh, dw) = ctx.sizes
        wide = xp.zeros((*grad.shape[:2], *size), float64)
        wide[..., :rows, :columns] = grad
        upstream = xp.fft.rfft2(wide)
        seen, kernels = ctx.spectra
        for_x = xp.fft.irfft2(xp.einsum("nohw,ochw->nchw", upstream, kernels), size)
        for_kernels = xp.fft.irfft2(xp.einsum("nohw,nchw->ochw", xp.conj(upstream), seen), size)
        cut = for_kernels[..., : dh * (kh - 1) + 1 : dh, : dw * (kw - 1) + 1 : dw]
        return for_x.astype(grad.dtype), cut.astype(grad.dtype), None
