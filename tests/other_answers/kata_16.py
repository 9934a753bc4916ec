"""Prefixes by itertools, a stable sort for the filters, attention row by row, gelu by one exponential."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch.dispatch import Array, wrap
from tinytorch.setup import default_generator, get_array_module
from tinytorch.tensor import Tensor
from tinytorch.transformers import check_sampling, sample


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Taken while the pairs are equal, and counted: no place is named."""
    pairs = zip(a, b, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


class PrefixCache:
    def fetch(self, ids: Sequence[int], cache: Any, row: int) -> int:
        """The known texts are sorted by what they have in common, and the last one is asked."""
        most = len(ids) - 1
        shared = sorted(
            (min(common_prefix(text, ids), most), -place, entry)
            for place, (entry, text) in enumerate(self.texts.items())
        )
        if not shared or shared[-1][0] < 1:
            cache[row : row + 1].truncate(0)
            return 0
        length, _, entry = shared[-1]
        text = self.texts.pop(entry)
        self.texts[entry] = text
        cache.copy_row(row, self.cache, entry, length)
        return length

    def store(self, ids: Sequence[int], cache: Any, row: int) -> None:
        """Which entry it gets is decided in one expression: an old beginning, a free entry, or the first in
        the dict.
        """
        text, held = tuple(ids), int(cache.lengths[row])
        if len(text) != held:
            raise ValueError(f"{len(text)} tokens, and the row holds {held}")
        if not text:
            return
        longer = next((e for e, known in self.texts.items() if known[: len(text)] == text), None)
        if longer is not None:
            self.texts[longer] = self.texts.pop(longer)
            return
        old = next((e for e, known in self.texts.items() if text[: len(known)] == known), None)
        unused = next((e for e in range(len(self.cache.lengths)) if e not in self.texts), None)
        entry = old if old is not None else unused if unused is not None else next(iter(self.texts))
        self.texts = {e: known for e, known in self.texts.items() if e != entry}
        self.cache.copy_row(entry, cache, row)
        self.texts[entry] = text


class KVCache:
    @property
    def length(self) -> int | Array:
        """A set of the lengths: one of them is a number for all."""
        different = set(self.lengths.tolist()) or {0}
        if len(different) == 1:
            return different.pop()
        return get_array_module(self.keys).asarray(self.lengths.copy())

    def truncate(self, length: Any) -> None:
        """As many numbers as rows, whatever was given, and a list of those that do not fit."""
        try:
            new = np.broadcast_to(np.asarray(length), self.lengths.shape)
            if np.ndim(length) not in (0, 1) or np.shape(length) not in ((), self.lengths.shape):
                raise ValueError
        except ValueError:
            raise ValueError(
                f"lengths {np.asarray(length).tolist()} for rows of {self.lengths.tolist()}"
            ) from None
        wrong = [n for n, held in zip(new.tolist(), self.lengths.tolist(), strict=True) if n < 0 or n > held]
        if wrong:
            raise ValueError(f"rows of {self.lengths.tolist()} do not hold {np.asarray(length).tolist()}")
        np.copyto(self.lengths, new)

    def copy_row(self, row: int, source: Any, source_row: int, length: int | None = None) -> None:
        """Keys and values in a loop, through a copy: source and target may overlap, and nothing has to be
        said of it.
        """
        if self.keys.dtype != source.keys.dtype:
            raise TypeError(f"{source.keys.dtype} into {self.keys.dtype}")
        for axis in (0, 2, 4):
            if self.keys.shape[axis] != source.keys.shape[axis]:
                raise ValueError(f"{source.keys.shape} does not fit into {self.keys.shape}")
        held = int(source.lengths[source_row])
        wanted = held if length is None else length
        if wanted < 0 or wanted > held or wanted > self.keys.shape[3]:
            raise ValueError(
                f"length {wanted}: the row holds {held}, and there are {self.keys.shape[3]} places"
            )
        for mine, theirs in ((self.keys, source.keys), (self.values, source.values)):
            mine[:, row, :, :wanted] = theirs[:, source_row, :, :wanted].copy()
        self.lengths[row] = wanted


def keep_rows(scores: Array, top_k: Array, top_p: Array) -> Array:
    """Every row is sorted by a stable argsort, what is kept is decided in that order, and a scatter puts it
    back.
    """
    xp = get_array_module(scores)
    order = xp.argsort(-scores, axis=-1, kind="stable")
    falling = xp.take_along_axis(scores, order, -1)
    limit = xp.take_along_axis(falling, xp.minimum(top_k, scores.shape[-1])[:, None] - 1, -1)
    stays = falling >= limit
    shares = xp.where(stays, xp.exp(falling - falling[:, :1]), 0.0)
    shares = shares / shares.sum(-1, keepdims=True)
    before = xp.cumsum(shares, -1) - shares
    every = xp.asarray(top_p)[:, None]
    stays = stays & ((every >= 1) | (before < every))
    kept = xp.empty_like(stays)
    xp.put_along_axis(kept, order, stays, -1)
    return xp.where(kept, scores, -math.inf)


def sample_rows(
    logits: Tensor,
    temperature: Sequence[float],
    top_k: Sequence[int | None],
    top_p: Sequence[float | None],
    generators: Sequence[Any],
) -> Tensor:
    """Row by row with kata 14's own `sample`, once all options are known to be good: short, and as slow as
    that is.
    """
    rows = list(zip(temperature, top_k, top_p, strict=True))
    for options in rows:
        check_sampling(*options)
    xp = get_array_module(logits.data)
    for top in logits.data.max(axis=-1).tolist():
        if not math.isfinite(top):
            raise ValueError(f"the largest logit of a row is {top}")
    default = default_generator(logits.device)
    ids = [
        sample(logits[row : row + 1], *options, generator or default).data
        for row, (options, generator) in enumerate(zip(rows, generators, strict=True))
    ]
    return wrap(xp.concatenate(ids) if ids else xp.zeros(0, xp.int64))


def normalized(x: Array, norm: Any) -> Array:
    """NumPy's `mean` and `var` by name, and one factor for the weight: two calls that take longer, and read
    well.
    """
    scale = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + x.dtype.type(norm.eps))
    out = (x - x.mean(axis=-1, keepdims=True)) * scale
    if norm.weight is not None:
        out = out * norm.weight.data
    return out if norm.bias is None else out + norm.bias.data


def projected(x: Array, layer: Any) -> Array:
    """Einstein's sum of rows and rows: no transpose is written."""
    out = np.einsum("ri,oi->ro", x, layer.weight.data)
    return np.ascontiguousarray(out if layer.bias is None else out + layer.bias.data)


def gelu_tanh(x: Array) -> Array:
    """The tanh form is x times a sigmoid: 1 / (1 + exp(-2 u)), with one exponential."""
    two = x.dtype.type(2 * math.sqrt(2 / math.pi))
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-two * (x + x.dtype.type(0.044715) * x * x * x)))


def attended(x: Array, attn: Any, cache: Any, layer: int) -> Array:
    """One row after the other, each with just its own keys: no mask, and no work for what stands behind a
    shorter text.
    """
    _, rows, heads, _, features = cache.keys.shape
    q, k, v = (
        projected(x, each).reshape(rows, heads, features) for each in (attn.q_proj, attn.k_proj, attn.v_proj)
    )
    out = np.empty_like(q)
    for row, past in enumerate(cache.lengths.tolist()):
        cache.keys[layer, row, :, past] = k[row]
        cache.values[layer, row, :, past] = v[row]
        keys, values = cache.keys[layer, row, :, : past + 1], cache.values[layer, row, :, : past + 1]
        scores = np.einsum("hse,he->hs", keys, q[row]) / x.dtype.type(math.sqrt(features))
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        out[row] = np.einsum("hs,hse->he", weights, values)
    return projected(out.reshape(rows, heads * features), attn.out_proj)
