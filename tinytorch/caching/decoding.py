"""One token a row, on arrays: what the model computes for a single new token is too little for a tree of Modules.

For one token each of its functions takes a microsecond or two of arithmetic, and five to eight to be called. The same
arithmetic without Modules and Tensors, in one function, is two to three times faster.
"""

from __future__ import annotations

from tinytorch.attention import Cache, MultiHeadAttention
from tinytorch.caching.cache import KVCache
from tinytorch.dispatch import Array, accelerates
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
    raise NotImplementedError("kata 16: can_decode")


def normalized(x: Array, norm: LayerNorm) -> Array:
    """layer_norm of an array (R, D), with the weight and the bias of `norm`, either of which may be None."""
    raise NotImplementedError("kata 16: normalized")


def projected(x: Array, layer: Linear) -> Array:
    """linear of an array: x @ weight.T + bias, if there is one.

    For a few rows (weight @ x.T).T is the same product in up to half of the time: where BLAS puts the parts of its
    second matrix into order before it multiplies, the small matrix is the cheap one. The result is in C order again.
    """
    raise NotImplementedError("kata 16: projected")


def attended(x: Array, attn: MultiHeadAttention, cache: KVCache, layer: int) -> Array:
    """Attention of one new token a row, (R, D) -> (R, D), whose key and value are written into the cache.

    Row r sees the places 0 to cache.lengths[r], at which the new token stands; those behind get a weight of 0. The
    lengths do not change.
    """
    raise NotImplementedError("kata 16: attended")


def gelu_tanh(x: Array) -> Array:
    """gelu(x, approximate="tanh") of an array: x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2."""
    raise NotImplementedError("kata 16: gelu_tanh")


@accelerates(next_logits)
def decode(model: GPT, ids: Tensor, cache: Cache | None = None) -> Tensor:
    """next_logits for one new token a row: the same logits, without Modules and Tensors on the way.

    Where can_decode says no, it returns NotImplemented, and next_logits itself is called.
    """
    raise NotImplementedError("kata 16: decode")
