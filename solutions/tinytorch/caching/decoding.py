"""One token a row, on arrays: what the model computes for a single new token is too little for a tree of Modules.

For one token each of its functions takes a microsecond or two of arithmetic, and five to eight to be called. The same
arithmetic without Modules and Tensors, in one function, is two to three times faster.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch.attention import Cache, MultiHeadAttention, longest
from tinytorch.caching.cache import KVCache
from tinytorch.dispatch import Array, accelerates, wrap
from tinytorch.embeddings import Embedding, LearnedPositions
from tinytorch.layers import Dropout, Linear, ModuleList
from tinytorch.tensor import Tensor
from tinytorch.transformers import GPT, FeedForward, LayerNorm, TransformerBlock, next_logits

PLAIN = {
    GPT,
    Embedding,
    LearnedPositions,
    Dropout,
    ModuleList,
    TransformerBlock,
    MultiHeadAttention,
    FeedForward,
    LayerNorm,
    Linear,
}
"""The modules whose arithmetic `decode` knows; a Dropout does nothing, since next_logits evaluates."""


def can_decode(model: GPT, ids: Tensor, cache: Cache | None) -> bool:
    """Whether `decode` may take the place of next_logits(model, ids, cache).

    The cache is a KVCache on the CPU in the dtype of the model, with its layers, heads and features; each of its rows
    has one new token, an integer that is in the vocabulary, and there is a place for it. Every module of the model has
    a type that is in PLAIN, and not a subclass of one, which may compute something else; attention has no rope.
    """
    if type(cache) is not KVCache or type(model) is not GPT or not isinstance(cache.keys, np.ndarray):
        return False
    layers, rows, heads, places, features = cache.keys.shape
    parts: list[Any] = [model.wte, model.wpe, model.drop, model.h, model.ln_f, model.lm_head]
    blocks: Any = model.h
    for block in blocks:
        if type(block) is not TransformerBlock:
            return False
        attn, mlp = block.attn, block.mlp
        if type(attn) is not MultiHeadAttention or type(mlp) is not FeedForward:
            return False
        if attn.rope or attn.num_heads != heads:
            return False
        parts += [block.ln_1, block.ln_2, block.dropout, mlp.c_fc, mlp.c_proj, mlp.dropout]
        parts += [attn.q_proj, attn.k_proj, attn.v_proj, attn.out_proj]
    if not all(type(part) in PLAIN for part in parts):
        return False
    weight, end = model.wte.weight, int(cache.lengths.max(initial=0)) + 1
    return (
        len(model.h) == layers
        and weight.shape[1] == heads * features
        and ids.data.dtype.kind in "iu"
        and isinstance(weight.data, np.ndarray)
        and weight.dtype == cache.keys.dtype
        and ids.shape[-1] == end <= min(places, model.config.block_size)
        and math.prod(ids.shape[:-1]) == rows > 0
        and bool(((ids.data[..., -1] >= 0) & (ids.data[..., -1] < len(weight))).all())
    )


def normalized(x: Array, norm: LayerNorm) -> Array:
    """layer_norm of an array (R, D), with the weight and the bias of `norm`, either of which may be None."""
    deviation = x - x.sum(-1, keepdims=True) / x.shape[-1]  # x.mean takes twice as long to be called
    variance = np.vecdot(deviation, deviation)[:, None] / x.shape[-1]
    out = deviation / np.sqrt(variance + x.dtype.type(norm.eps))
    if norm.weight is not None:
        out *= norm.weight.data
    if norm.bias is not None:
        out += norm.bias.data
    return out


def projected(x: Array, layer: Linear) -> Array:
    """linear of an array: x @ weight.T + bias, if there is one.

    For a few rows (weight @ x.T).T is the same product in up to half of the time: where BLAS puts the parts of its
    second matrix into order before it multiplies, the small matrix is the cheap one. The result is in C order again.
    """
    out = np.ascontiguousarray((layer.weight.data @ x.T).T)
    if layer.bias is not None:
        out += layer.bias.data
    return out


def attended(x: Array, attn: MultiHeadAttention, cache: KVCache, layer: int) -> Array:
    """Attention of one new token a row, (R, D) -> (R, D), whose key and value are written into the cache.

    Row r sees the places 0 to cache.lengths[r], at which the new token stands; those behind get a weight of 0. The
    lengths do not change.
    """
    _, rows, heads, _, features = cache.keys.shape
    past = cache.length
    end = longest(past) + 1
    keys, values = cache.keys[layer, :, :, :end], cache.values[layer, :, :, :end]
    q, k, v = (
        projected(x, each).reshape(rows, heads, features) for each in (attn.q_proj, attn.k_proj, attn.v_proj)
    )
    each = slice(None) if isinstance(past, int) else np.arange(rows)
    keys[each, :, past] = k
    values[each, :, past] = v
    q *= x.dtype.type(1 / math.sqrt(features))
    scores = np.matmul(keys, q[..., None])[..., 0]  # (R, H, S)
    if not isinstance(past, int):  # a shorter text ends before the others
        np.copyto(scores, -math.inf, where=np.arange(end) > past[:, None, None])
    scores -= scores.max(-1, keepdims=True)
    weights = np.exp(scores, out=scores)
    weights /= weights.sum(-1, keepdims=True)
    heads_out = np.matmul(weights[:, :, None], values)  # (R, H, 1, E)
    return projected(heads_out.reshape(rows, heads * features), attn.out_proj)


def gelu_tanh(x: Array) -> Array:
    """gelu(x, approximate="tanh") of an array: x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2."""
    c = x.dtype.type(math.sqrt(2 / math.pi))
    inner = x * x
    inner *= c * x.dtype.type(0.044715)
    inner += c
    inner *= x
    np.tanh(inner, out=inner)
    inner += 1
    inner *= x
    inner *= x.dtype.type(0.5)
    return inner


@accelerates(next_logits)
def decode(model: GPT, ids: Tensor, cache: Cache | None = None) -> Tensor:
    """next_logits for one new token a row: the same logits, without Modules and Tensors on the way.

    Where can_decode says no, it returns NotImplemented, and next_logits itself is called.
    """
    if not can_decode(model, ids, cache):
        return NotImplemented
    assert isinstance(cache, KVCache)
    x = model.wte.weight.data[ids.data[..., -1].ravel()] + model.wpe.weight.data[cache.lengths]  # (R, D)
    blocks: Any = model.h
    for layer, block in enumerate(blocks):
        x += attended(normalized(x, block.ln_1), block.attn, cache, layer)
        hidden = gelu_tanh(projected(normalized(x, block.ln_2), block.mlp.c_fc))
        x += projected(hidden, block.mlp.c_proj)
    cache.lengths += 1
    logits = projected(normalized(x, model.ln_f), model.lm_head)  # (R, V)
    return wrap(logits.reshape(*ids.shape[:-1], -1))
