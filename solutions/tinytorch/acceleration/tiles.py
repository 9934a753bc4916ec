"""Attention in tiles: the (L, S) matrix of weights never stands in memory as a whole.

Composed attention keeps every score, every exponential and every weight until backward, three matrices of L * S for
each head: twice the length, four times the memory. But a row of the weights needs only its own scores. So take a tile
of 64 queries at a time, mix their values and forget their weights. Keep two numbers for each query, its largest score
and the sum of its exponentials: from them, backward computes the weights of a tile again (Dao et al., 2022).

Shapes of one head: L queries (L, E), S keys (S, E), S values (S, Ev); a tile has R rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch.acceleration.memory import empty
from tinytorch.attention import scaled_dot_product_attention
from tinytorch.autograd import Function
from tinytorch.dispatch import Array, accelerates
from tinytorch.tensor import Tensor

TILE = 64
"""Queries in a tile: its scores for some hundred keys stay in the processor's cache. A spec sets it to 2."""

LATER = ~np.tri(TILE, dtype=bool)
"""(TILE, TILE) booleans: True where a key comes after its query, if both begin at the same place."""


def tile_scores(q: Array, k_t: Array, start: int, mask: Array | None, is_causal: bool) -> Array:
    """The scores of the tile of queries that begins at `start`, masked: (..., L, E), (..., E, S) -> (..., R, S).

    q is scaled already, and k_t is transposed. What a query may not look at is -inf. With `is_causal`, query i sees the
    keys 0 to i, and the keys that no query of the tile sees are left out: (..., R, min(start + R, S)). `mask`
    (..., L, S) is True where a query may look, or a number to add; it may be a view of a smaller array, and is not
    written to.
    """
    rows = q[..., start : start + TILE, :]  # (..., R, E)
    scores: Array = rows @ k_t[..., : start + rows.shape[-2] if is_causal else None]
    if is_causal:
        last = scores[..., start:]  # what lies before is seen by all
        np.copyto(last, -math.inf, where=LATER[: last.shape[-2], : last.shape[-1]])
    elif mask is not None and mask.dtype == bool:
        np.copyto(scores, -math.inf, where=~mask[..., start : start + TILE, :])
    elif mask is not None:
        scores += mask[..., start : start + TILE, :]
    return scores


def attend(
    q: Array, k: Array, v: Array, out: Array, mask: Array | None, is_causal: bool
) -> tuple[Array, Array]:
    """Attention, tile by tile, into `out` (..., L, Ev); q is scaled already. Returns two arrays (..., L, 1).

    They are the largest score of each query, and the sum of exp(score - largest). A query that may look nowhere gets 0;
    for it they are 0 and 1. Save them apart: the logarithm of the sum, added to the largest, would be rounded to the
    precision of the largest.
    """
    largest, total = np.empty((2, *q.shape[:-1], 1), q.dtype)
    k_t = np.ascontiguousarray(k.swapaxes(-1, -2))
    ones = np.ones(
        (k.shape[-2], 1), q.dtype
    )  # a product with it adds up rows, in a quarter of the time of sum
    for start in range(0, q.shape[-2], TILE):
        tile = (..., slice(start, start + TILE), slice(None))
        scores = tile_scores(q, k_t, start, mask, is_causal)
        top = scores.max(-1, keepdims=True)
        top[top == -math.inf] = 0  # -inf - -inf would be nan
        scores -= top
        np.exp(scores, out=scores)
        count = scores @ ones[: scores.shape[-1]]
        count[count == 0] = 1
        np.divide(scores @ v[..., : scores.shape[-1], :], count, out=out[tile])
        largest[tile], total[tile] = top, count
    return largest, total


def attend_backward(
    grad: Array,
    q: Array,
    k: Array,
    v: Array,
    sums: tuple[Array, Array],
    mask: Array | None,
    is_causal: bool,
    out: tuple[Array, Array, Array],
) -> None:
    """The gradients for the scaled q, for k and v, from `grad` (..., L, Ev), into the three arrays `out`.

    `sums` is what attend returned. Tile by tile, with p = exp(scores - largest) / total: dv gets p.T @ grad; with
    dp = grad @ v.T, the gradient for the scores is ds = p * (dp - the sum of p * dp along the row); dq is ds @ k, and
    dk gets ds.T @ q. dk and dv collect the sum over all tiles: what stands in them before is overwritten.
    """
    dq, dk, dv = out
    dk[...], dv[...] = 0, 0
    largest, total = sums
    k_t, v_t = (np.ascontiguousarray(each.swapaxes(-1, -2)) for each in (k, v))
    for start in range(0, q.shape[-2], TILE):
        tile = (..., slice(start, start + TILE), slice(None))
        p = tile_scores(q, k_t, start, mask, is_causal)
        p -= largest[tile]
        np.exp(p, out=p)
        p /= total[tile]
        keys = slice(p.shape[-1])
        dv[..., keys, :] += p.swapaxes(-1, -2) @ grad[tile]
        ds = grad[tile] @ v_t[..., keys]
        ds -= np.vecdot(p, ds)[..., None]
        ds *= p
        np.matmul(ds, k[..., keys, :], out=dq[tile])
        dk[..., keys, :] += ds.swapaxes(-1, -2) @ q[tile]


class TiledAttention(Function):
    """scaled_dot_product_attention without dropout, in tiles, one sample after the other.

    query (..., L, E), key (..., S, E) and value (..., S, Ev) have the same leading axes. All but the last of them count
    samples; the last one counts heads, which are computed together. `mask` broadcasts to (..., L, S), or is None.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Array, key: Array, value: Array, mask: Array | None, is_causal: bool, scale: float
    ) -> Array:
        """`attend` for each sample. Kept are the three inputs, the mask and two numbers for each query.

        The memory of the result lies as (..., L, H, Ev), with H the heads, so that merge_heads has nothing to copy.
        """
        *lead, L, _ = query.shape
        if mask is not None:
            mask = np.broadcast_to(mask, (*lead, L, key.shape[-2]))
        out = like_heads((*lead, L, value.shape[-1]), query.dtype)
        q = query * query.dtype.type(scale)
        ctx.sums = [
            attend(q[n], key[n], value[n], out[n], None if mask is None else mask[n], is_causal)
            for n in np.ndindex(*lead[:-1])
        ]
        ctx.mask, ctx.is_causal, ctx.scale = mask, is_causal, scale
        ctx.save_for_backward(query, key, value)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """`attend_backward` for each sample: gradients for query, key and value, and None for the rest."""
        query, key, value = ctx.saved_tensors
        q = query * query.dtype.type(ctx.scale)
        dq, dk, dv = gradients = [like_heads(each.shape, each.dtype) for each in (query, key, value)]
        for n, sums in zip(np.ndindex(*query.shape[:-3]), ctx.sums, strict=True):
            mask = None if ctx.mask is None else ctx.mask[n]
            out = (dq[n], dk[n], dv[n])
            attend_backward(grad[n], q[n], key[n], value[n], sums, mask, ctx.is_causal, out)
        dq *= query.dtype.type(ctx.scale)
        return (*gradients, None, None, None)


def like_heads(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of `shape` (..., H, T, E) whose memory lies as (..., T, H, E); with two axes it is an ordinary one."""
    if len(shape) < 3:
        return empty(shape, dtype)
    *lead, H, T, E = shape
    return empty((*lead, T, H, E), dtype).swapaxes(-3, -2)


def fits_tiles(query: Any, key: Any, value: Any, mask: Any, scale: float = 1.0) -> bool:
    """Whether the tiles give what the composition gives, for Tensors of NumPy's float32 or float64, nothing empty.

    Leading axes that broadcast, a mask that learns, and every input that the composition refuses do not fit. Nor does
    what could become infinite on the way: a tile never meets the keys that lie in its future, and 0 * inf would be nan.
    With q, k and v the largest absolute entries, E * q * max(k, 1) * max(|scale|, 1) and S * v have to be below the
    largest number of the dtype (np.finfo), so query, key and value are finite. -inf in a mask fits.
    """
    tensors = [query, key, value, *([] if mask is None else [mask])]
    if not all(isinstance(each, Tensor) and isinstance(each.data, np.ndarray) for each in tensors):
        return False
    if query.dtype not in (np.float32, np.float64) or {key.dtype, value.dtype} != {query.dtype}:
        return False
    if min(query.ndim, key.ndim) < 2 or 0 in (*query.shape, *value.shape):
        return False
    lead, scores = query.shape[:-2], (*query.shape[:-1], key.shape[-2])
    if key.shape != (*lead, key.shape[-2], query.shape[-1]) or value.shape[:-1] != key.shape[:-1]:
        return False
    if mask is not None:
        sides = zip(mask.shape[::-1], scores[::-1], strict=False)
        if mask.ndim > len(scores) or any(side not in (1, whole) for side, whole in sides):
            return False
        if mask.requires_grad or mask.dtype not in (np.bool_, query.dtype):
            return False
    q, k, v = (float(max(each.data.max(), -each.data.min())) for each in (query, key, value))
    score, limit = query.shape[-1] * q * max(k, 1) * max(abs(scale), 1), float(np.finfo(query.dtype).max)
    return score < limit and key.shape[-2] * v < limit


@accelerates(scaled_dot_product_attention)
def attention_in_tiles(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """TiledAttention, or NotImplemented: with dropout, with both attn_mask and is_causal, or if not fits_tiles."""
    fits = fits_tiles(query, key, value, attn_mask, 1.0 if scale is None else scale)
    if dropout_p or (is_causal and attn_mask is not None) or not fits:
        return NotImplemented
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    return TiledAttention.apply(query, key, value, attn_mask, is_causal, scale)
