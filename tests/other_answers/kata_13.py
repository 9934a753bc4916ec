"""Attention as a loop over queries and over heads, masks as triangles, softmax by what is left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch.dispatch import Array, accelerable
from tinytorch.embeddings import apply_rope
from tinytorch.layers import Linear, dropout
from tinytorch.setup import get_array_module
from tinytorch.tensor import (
    Tensor,
    amax,
    at_least_float32,
    bool_,
    broadcast_shapes,
    cat,
    clamp,
    exp,
    ones,
    sum,
    tril,
    where,
)


def causal_mask(L: int, S: int | None = None, offset: int | Array = 0, device: Any = "cpu") -> Tensor:
    """The lower triangle of ones, moved by the offset: what it looks like. One triangle for each text of a
    batch.
    """
    keys = L if S is None else S
    if isinstance(offset, (int, np.integer)):
        return tril(ones(L, keys, dtype=bool_, device=device), int(offset))
    if not len(offset):
        return ones(0, 1, L, keys, dtype=bool_, device=device)
    each = [tril(ones(1, 1, L, keys, dtype=bool_, device=device), place) for place in offset.tolist()]
    return cat(each, 0)


@at_least_float32
def safe_softmax(x: Tensor, dim: int) -> Tensor:
    """What is -inf is left out by a mask: its exponential is never taken, and an empty row is divided by 1."""
    if 0 in x.shape:
        return x
    out = x == -math.inf
    finite = where(out, 0.0, x)
    top = amax(where(out, float(np.finfo(x.dtype).min), x), dim, keepdim=True).detach()
    e = where(out, 0.0, exp(where(out, 0.0, finite - top)))
    return e / clamp(sum(e, dim, keepdim=True), min=float(np.finfo(x.dtype).tiny))


def attention_weights(
    query: Tensor,
    key: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Both factors get the square root of the scale, as PyTorch's kernel does it; every mask becomes one
    that is added.
    """
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        raise ValueError(f"query {query.shape} and key {key.shape}")
    if attn_mask is not None and is_causal:
        raise ValueError("attn_mask and is_causal exclude each other")
    features = query.shape[-1]
    factor = scale if scale is not None else features**-0.5 if features else 1.0
    root = math.sqrt(abs(factor))
    scores = (query * math.copysign(root, factor)) @ (key * root).mT
    if is_causal:
        attn_mask = tril(ones(*scores.shape[-2:], dtype=bool_, device=scores.device))
    if attn_mask is not None:
        if attn_mask.dtype not in (bool_, scores.dtype):
            raise TypeError(f"a mask of {attn_mask.dtype} for scores of {scores.dtype}")
        if broadcast_shapes(attn_mask.shape, scores.shape) != scores.shape:
            raise ValueError(f"a mask of {attn_mask.shape} for scores of {scores.shape}")
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == bool_ else scores + attn_mask
    return safe_softmax(scores, -1)


@accelerable
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """One query after the other: its row of weights, and the mean of the values. The memory for one row,
    and L times the calls.
    """
    if value.ndim < 2 or key.ndim < 2 or key.shape[-2] != value.shape[-2]:
        raise ValueError(f"key {key.shape} and value {value.shape}")
    whole = attn_mask
    if is_causal:
        if attn_mask is not None:
            raise ValueError("attn_mask and is_causal exclude each other")
        whole = causal_mask(query.shape[-2], key.shape[-2], device=query.device) if query.ndim > 1 else None
    if query.ndim < 2 or query.shape[-2] < 2:
        return dropout(attention_weights(query, key, whole, scale=scale), dropout_p) @ value
    if whole is not None:
        L, S = query.shape[-2], key.shape[-2]
        lead = broadcast_shapes(query.shape[:-2], key.shape[:-2])
        if broadcast_shapes(whole.shape, (*lead, L, S)) != (*lead, L, S):
            raise ValueError(f"a mask of {whole.shape} for scores of {(*lead, L, S)}")
    rows = []
    for place in range(query.shape[-2]):
        mask = whole
        if whole is not None and whole.ndim > 1 and whole.shape[-2] > 1:
            mask = whole[..., place : place + 1, :]
        weights = attention_weights(query[..., place : place + 1, :], key, mask, scale=scale)
        rows.append(dropout(weights, dropout_p) @ value)
    return cat(rows, -2)


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """The features are cut into pieces, and the pieces are stacked: what the words say, and a copy where a
    view would do.
    """
    if x.ndim < 2:
        raise ValueError(f"no heads in {x.shape}")
    features = x.shape[-1]
    if num_heads < 1 or features % num_heads:
        raise ValueError(f"{num_heads} heads for {features} features")
    size = features // num_heads
    return cat([x[..., h * size : (h + 1) * size].unsqueeze(-3) for h in range(num_heads)], -3)


def merge_heads(x: Tensor) -> Tensor:
    """The heads are taken one by one and joined along the features."""
    if x.ndim < 3:
        raise ValueError(f"no heads in {x.shape}")
    if not x.shape[-3]:
        return x.transpose(-3, -2).reshape(*x.shape[:-3], x.shape[-2], 0)
    return cat([x[..., h, :, :] for h in range(x.shape[-3])], -1)


class MultiHeadAttention:
    def queries_and_keys(self, query: Tensor, key: Tensor, start: int | Array = 0) -> tuple[Tensor, Tensor]:
        """One inner function for both: what is done to a query is done to a key."""

        def ready(x: Tensor, projection: Linear) -> Tensor:
            heads = split_heads(projection(x), self.num_heads)
            return apply_rope(heads, start) if self.rope else heads

        return ready(query, self.q_proj), ready(key, self.k_proj)

    def attention_map(
        self,
        query: Tensor,
        key: Tensor | None = None,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Asked of `scaled_dot_product_attention` itself: with the unit matrix for values it returns its
        weights.
        """
        q, k = self.queries_and_keys(query, query if key is None else key)
        unit = np.eye(k.shape[-2], dtype=k.dtype)
        values = Tensor(get_array_module(k.data).asarray(unit))
        return scaled_dot_product_attention(q, k, values, attn_mask, 0.0, is_causal)
