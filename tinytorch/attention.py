"""How the places of a sequence exchange what they know.

Each place asks a question (its query), shows what it can be asked for (its key), and has something to say (its
value). The dot product of a query with every key, through a softmax, says how much of each value the place takes.
It is a lookup in a dictionary whose keys fit more or less, and that is why it has a derivative.

Shapes: B sequences, H heads, L queries, S keys with their values, D = embed_dim.
"""

from __future__ import annotations

from typing import Any, Protocol

from tinytorch.dispatch import Array, accelerable
from tinytorch.layers import Module
from tinytorch.tensor import Tensor, at_least_float32

# Who may look where -------------------------------------------------------------------------------------


def causal_mask(L: int, S: int | None = None, offset: int | Array = 0, device: Any = "cpu") -> Tensor:
    """(L, S) booleans, True where query i may look at key j: j <= i + offset. S is L by default.

    `offset` is the place of the first query among the keys: 0 if both begin together, P if P earlier keys come
    from a cache. causal_mask(3) is [[T, F, F], [T, T, F], [T, T, T]], causal_mask(1, 3, offset=2) is [[T, T, T]].
    In a batch each text may have an offset of its own: an array (B,) of integers gives a mask (B, 1, L, S), where the
    1 stands for the heads.
    """
    raise NotImplementedError("kata 13: causal_mask")


@at_least_float32
def safe_softmax(x: Tensor, dim: int) -> Tensor:
    """softmax(x, dim), except that a row of nothing but -inf gives 0, not nan (aten::_safe_softmax).

    The gradient of such a row is 0 too, without a warning. Along an axis of size 0 the result is empty.
    """
    raise NotImplementedError("kata 13: safe_softmax")


# Attention ----------------------------------------------------------------------------------------------


def attention_weights(
    query: Tensor,
    key: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """safe_softmax(scale * query @ key.T + mask) over the keys: (..., L, E), (..., S, E) -> (..., L, S).

    Row i says how much query i takes of each value. `scale` is 1 / sqrt(E) by default; with E = 0 all scores
    are 0. `attn_mask` broadcasts to (..., L, S): a boolean mask is True where a query may look, a floating-point
    one is added to the scores (so -inf forbids). The row of a query that may look nowhere is 0. `is_causal` is
    short for the mask causal_mask(L, S).

    Raises:
        ValueError: query and key have fewer than two axes or another E (the message names both shapes); the mask
            does not broadcast to the scores (its shape and theirs); or both attn_mask and is_causal are given (both
            names).
        TypeError: the mask is neither boolean nor of the scores' dtype; the message names both dtypes.
    """
    raise NotImplementedError("kata 13: attention_weights")


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
    """The mean of the values for each query: (..., L, E), (..., S, E), (..., S, Ev) -> (..., L, Ev).

    The weights are attention_weights(query, key, attn_mask, is_causal, scale). Leading axes broadcast. Each weight is
    dropped with probability `dropout_p`, always: leave it at 0 when not training. A query that may look nowhere gets
    0 (torch.nn.functional.scaled_dot_product_attention; Vaswani et al., 2017).

    Raises:
        ValueError: value has fewer than two axes or another S than key (the message names both shapes), dropout_p is
            not between 0 and 1 (it names dropout_p), or as attention_weights.
        TypeError: as attention_weights.
    """
    raise NotImplementedError("kata 13: scaled_dot_product_attention")


# Several heads ------------------------------------------------------------------------------------------


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(..., T, D) -> (..., H, T, D / H): head h gets the features h * D / H up to (h + 1) * D / H of every place.

    Raises:
        ValueError: D is not a multiple of num_heads; the message names both. Or x has fewer than two axes.
    """
    raise NotImplementedError("kata 13: split_heads")


def merge_heads(x: Tensor) -> Tensor:
    """(..., H, T, E) -> (..., T, H * E): undoes split_heads. A ValueError with fewer than three axes."""
    raise NotImplementedError("kata 13: merge_heads")


class Cache(Protocol):  # given
    """Remembers the keys and values of earlier tokens, for every layer of a model. Kata 16 writes one."""

    @property
    def length(self) -> int | Array:  # given
        """How many tokens every layer holds; during a forward pass, those of the passes before it.

        An int if it is the same for every text of the batch, else an array (B,) of integers, one for each text.
        """

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:  # given
        """Append the keys and values of new tokens, both (B, H, L, D / H); return all of the layer's, old and new.

        Where the texts have unequal lengths, those of a text stand at its places 0, 1, 2, ..., and what stands
        behind the end of a shorter text is never looked at: both have the shape (B, H, longest(length) + L, D / H).
        """


def longest(length: int | Array) -> int:  # given
    """The largest of the lengths of a cache, which is an int or an array (B,)."""
    return length if isinstance(length, int) else max(length.tolist(), default=0)


class MultiHeadAttention(Module):
    """Attention in `num_heads` subspaces at once (torch.nn.MultiheadAttention, batch first).

    q_proj, k_proj, v_proj and out_proj are Linear(embed_dim, embed_dim, bias). While training, each attention weight
    is dropped with probability `dropout`. `rope` rotates queries and keys by their places (apply_rope).
    """

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, rope: bool = False
    ) -> None:
        """Make the four projections, and keep the options as attributes.

        Raises:
            ValueError: embed_dim is not a multiple of num_heads, or with rope not an even multiple, because rope
                rotates pairs of features (the message names both); or dropout is not between 0 and 1 (it names it).
        """
        raise NotImplementedError("kata 13: MultiHeadAttention.__init__")

    def queries_and_keys(self, query: Tensor, key: Tensor, start: int | Array = 0) -> tuple[Tensor, Tensor]:
        """Queries and keys by head: (..., L, D), (..., S, D) -> (..., H, L, D / H), (..., H, S, D / H).

        They are projected by q_proj and k_proj and split into heads. With rope they are also rotated; the first row
        of each is at place `start`, or that of text b at place start[b] (apply_rope).
        """
        raise NotImplementedError("kata 13: MultiHeadAttention.queries_and_keys")

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
        cache: Cache | None = None,
        layer: int = 0,
    ) -> Tensor:
        """Attention in all heads: (..., L, D), (..., S, D), (..., S, D) -> (..., L, D).

        `key` is `query` by default, and `value` is `key`: attention(x) is self-attention. scaled_dot_product_attention
        gets queries_and_keys and the split v_proj(value); then merge_heads, then out_proj. `attn_mask` broadcasts to
        (..., H, L, S); True means may look.

        With a `cache`, the new keys and values are appended to the earlier ones of `layer`, and the queries meet all
        of them. The first new token is at place cache.length: rope rotates by that place, and with `is_causal` query i
        sees the keys up to place cache.length + i. All of this is so for each text of the batch with its own length, if
        cache.length is an array. A call that raises one of the errors below has put nothing into the cache.

        Raises:
            ValueError: attn_mask and is_causal are both given, with a cache too (the message names both); or as
                scaled_dot_product_attention.
            TypeError: as scaled_dot_product_attention.
        """
        raise NotImplementedError("kata 13: MultiHeadAttention.forward")

    def attention_map(
        self,
        query: Tensor,
        key: Tensor | None = None,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The weights with which `forward` mixes the values, without dropout: (..., H, L, S).

        They are for people to look at. With rope, queries and keys are rotated as in forward. The mode of the layer,
        training or not, does not change.
        """
        raise NotImplementedError("kata 13: MultiHeadAttention.attention_map")
