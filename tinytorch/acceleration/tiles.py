"""Attention in tiles: the (L, S) matrix of weights never stands in memory as a whole.

Composed attention keeps every score, every exponential and every weight until backward, three matrices of L * S for
each head: twice the length, four times the memory. But a row of the weights needs only its own scores. So take a tile
of 64 queries at a time, mix their values and forget their weights. Keep two numbers for each query, its largest score
and the sum of its exponentials: from them, backward computes the weights of a tile again (Dao et al., 2022).

Shapes of one head: L queries (L, E), S keys (S, E), S values (S, Ev); a tile has R rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

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
    raise NotImplementedError("kata 15: tile_scores")


def attend(
    q: Array, k: Array, v: Array, out: Array, mask: Array | None, is_causal: bool
) -> tuple[Array, Array]:
    """Attention, tile by tile, into `out` (..., L, Ev); q is scaled already. Returns two arrays (..., L, 1).

    They are the largest score of each query, and the sum of exp(score - largest). A query that may look nowhere gets 0;
    for it they are 0 and 1. Save them apart: the logarithm of the sum, added to the largest, would be rounded to the
    precision of the largest.
    """
    raise NotImplementedError("kata 15: attend")


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
    raise NotImplementedError("kata 15: attend_backward")


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
        raise NotImplementedError("kata 15: TiledAttention.forward")

    @staticmethod
    def backward(ctx: Any, grad: Array) -> tuple[Array | None, ...]:
        """`attend_backward` for each sample: gradients for query, key and value, and None for the rest."""
        raise NotImplementedError("kata 15: TiledAttention.backward")


def like_heads(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of `shape` (..., H, T, E) whose memory lies as (..., T, H, E); with two axes it is an ordinary one."""
    raise NotImplementedError("kata 15: like_heads")


def fits_tiles(query: Any, key: Any, value: Any, mask: Any, scale: float = 1.0) -> bool:
    """Whether the tiles give what the composition gives, for Tensors of NumPy's float32 or float64, nothing empty.

    Leading axes that broadcast, a mask that learns, and every input that the composition refuses do not fit. Nor does
    what could become infinite on the way: a tile never meets the keys that lie in its future, and 0 * inf would be nan.
    With q, k and v the largest absolute entries, E * q * max(k, 1) * max(|scale|, 1) and S * v have to be below the
    largest number of the dtype (np.finfo), so query, key and value are finite. -inf in a mask fits.
    """
    raise NotImplementedError("kata 15: fits_tiles")


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
    raise NotImplementedError("kata 15: attention_in_tiles")
