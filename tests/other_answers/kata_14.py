"""Norms by mean and var, the nucleus by a loop, draws by Gumbel's trick, a stream that is a class."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch.activations import gelu, log_softmax, softmax
from tinytorch.attention import Cache
from tinytorch.dispatch import accelerable
from tinytorch.layers import init
from tinytorch.setup import default_generator, get_array_module
from tinytorch.tensor import Tensor, at_least_float32, cat, float64, mean, sqrt, stack, var, where
from tinytorch.transformers import check_sampling, next_logits


def normalized_axes(x: Tensor, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """Side by side from the end: each is compared with the side of x that it should be."""
    wanted = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    axes = [*range(-len(wanted), 0)]
    if not axes or len(axes) > x.ndim or any(x.shape[axis] != wanted[axis] for axis in axes):
        raise ValueError(f"{x.shape} does not end in {tuple(wanted)}")
    return tuple(axes)


def _fits(x: Tensor, count: int, **given: Tensor | None) -> None:
    for name, each in given.items():
        if each is not None and tuple(each.shape) != x.shape[x.ndim - count :]:
            raise ValueError(f"{name} of shape {each.shape} for x of shape {x.shape}")


@accelerable
@at_least_float32
def layer_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`mean` and `var` of kata 02, and weight and scale as one factor: the deviations are computed twice."""
    axes = normalized_axes(x, normalized_shape)
    _fits(x, len(axes), weight=weight, bias=bias)
    scale = 1 / sqrt(var(x, axes, correction=0, keepdim=True) + eps)
    out = (x - mean(x, axes, keepdim=True)) * (scale if weight is None else scale * weight)
    return out if bias is None else bias + out


@accelerable
@at_least_float32
def rms_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """A power of -1/2, as Llama's `rsqrt`: times and not divided by."""
    axes = normalized_axes(x, normalized_shape)
    _fits(x, len(axes), weight=weight)
    small = np.finfo(x.dtype).eps.item() if eps is None else eps
    out = x * (mean(x**2, axes, keepdim=True) + small) ** -0.5
    return out * weight if weight is not None else out


class GPT:
    def reset_parameters(self) -> None:
        """Module by module, as GPT-2's own code walks through the tree: what each is decides how it is
        drawn.
        """
        for module in self.modules():
            kind = type(module).__name__
            if kind == "LayerNorm":
                if module.weight is not None:
                    init.constant_(module.weight, 1.0)
            elif getattr(module, "weight", None) is not None:
                init.normal_(module.weight, 0.0, 0.02)
            if getattr(module, "bias", None) is not None:
                init.constant_(module.bias, 0.0)
        for block in self.h:
            for last in (block.attn.out_proj, block.mlp.c_proj):
                init.normal_(last.weight, 0.0, 0.02 * (2 * self.config.n_layer) ** -0.5)


class TransformerBlock:
    def forward(self, x: Tensor, cache: Cache | None = None, layer: int = 0) -> Tensor:
        """The two branches are functions in a list, and the stream is what they are added to, in a loop."""

        def look(seen: Tensor) -> Tensor:
            return self.dropout(self.attn(self.ln_1(seen), is_causal=True, cache=cache, layer=layer))

        def think(seen: Tensor) -> Tensor:
            return self.mlp(self.ln_2(seen))

        for branch in (look, think):
            x = branch(x) + x
        return x


class FeedForward:
    def forward(self, x: Tensor) -> Tensor:
        """All places are rows of one matrix for the time: two reshapes, and two products of matrices."""
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        hidden = gelu(self.c_fc(rows), approximate="tanh")
        return self.dropout(self.c_proj(hidden)).reshape(x.shape)


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Minus the mean of what log_softmax says of the targets, with a mask for -100: no cross_entropy is
    called.
    """
    if logits.ndim == 0 or tuple(logits.shape[:-1]) != tuple(targets.shape):
        raise ValueError(f"targets {targets.shape} for logits {logits.shape}")
    rows = log_softmax(logits.reshape(targets.numel(), logits.shape[-1]), 1)
    flat = targets.data.reshape(-1)
    counts = flat != -100
    picked = rows[get_array_module(flat).arange(len(flat)), where(Tensor(counts), Tensor(flat), 0)]
    return (
        -where(Tensor(counts), picked, 0.0).sum() / int(counts.sum())
        if counts.any()
        else picked.sum() * math.nan
    )


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """The k-th largest is read from the sorted row, and what is below it goes: no indices are needed."""
    check_sampling(top_k=top_k)
    n = logits.shape[-1]
    xp = get_array_module(logits.data)
    place = max(n - top_k, 0)
    limit = xp.sort(logits.data, axis=-1)[..., place : place + 1]
    return where(Tensor(logits.data >= limit), logits, -math.inf)


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Row by row in plain Python: taken while the sum has not reached top_p. Slow, and it is the definition."""
    check_sampling(top_p=top_p)
    if top_p >= 1:
        return logits
    xp = get_array_module(logits.data)
    probabilities = softmax(logits, -1).data.reshape(-1, logits.shape[-1]).tolist()
    kept = []
    for row in probabilities:
        order = sorted(range(len(row)), key=lambda place: (-row[place], place))
        mask, total = [False] * len(row), 0.0
        for place in order:
            if not total < top_p:
                break
            mask[place] = True
            total += row[place]
        kept.append(mask)
    mask = xp.asarray(kept, dtype=bool).reshape(logits.shape)
    return where(Tensor(mask), logits, -math.inf)


def sample(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Any = None,
) -> Tensor:
    """Gumbel's trick: the largest of logits plus noise is a draw from their softmax. A number for each
    logit, and no sum.
    """
    check_sampling(temperature, top_k, top_p)
    xp = get_array_module(logits.data)
    top = logits.data.max(axis=-1, keepdims=True)
    strange = top[~xp.isfinite(top)]
    if strange.size:
        raise ValueError(f"no probabilities: the largest logit is {float(strange[0])}")
    if temperature == 0:
        return logits.argmax(-1)
    scaled = Tensor((logits.data.astype(float64) - top) / temperature)
    for keep, option in ((keep_top_k, top_k), (keep_top_p, top_p)):
        scaled = scaled if option is None else keep(scaled, option)
    draws = xp.asarray((generator or default_generator(logits.device)).random(scaled.shape))
    noise = -xp.log(-xp.log(xp.maximum(draws, 5e-324)))
    return Tensor(scaled.data + noise).argmax(-1)


def stream(
    model: Any,
    ids: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | Collection[int] = (),
    generator: Any = None,
    cache: Cache | None = None,
) -> Iterator[Tensor]:
    """The tokens are a list, and who is done is an array of booleans: an iterator of a class of its own,
    and no generator.
    """
    check_sampling(temperature, top_k, top_p)
    if max_new_tokens < 0:
        raise ValueError(f"{max_new_tokens} new tokens")
    if not ids.shape or not ids.shape[-1]:
        raise ValueError(f"no token in ids of shape {ids.shape}")
    stops = [stop] if isinstance(stop, int) else list(stop)
    options = (temperature, top_k, top_p, generator)
    return _Steps(model, ids, max_new_tokens, options, stops, cache)


class _Steps:
    def __init__(
        self, model: Any, ids: Tensor, left: int, options: Any, stops: list[int], cache: Any
    ) -> None:
        self.model, self.ids, self.left, self.options, self.stops = model, ids, left, options, stops
        self.cache = cache
        self.done = get_array_module(ids.data).zeros(ids.shape[:-1], dtype=bool)

    def __iter__(self) -> _Steps:
        return self

    def __next__(self) -> Tensor:
        if not self.left or (self.done.all() and self.done.size):
            raise StopIteration
        self.left -= 1
        new = sample(next_logits(self.model, self.ids, self.cache), *self.options)
        new = where(Tensor(self.done), self.ids[..., -1], new)
        self.ids = cat([self.ids, new.unsqueeze(-1)], -1)
        for each in self.stops:
            self.done = self.done | (new.data == each)
        if self.done.all():
            self.left = 0
        return new


def generate(
    model: Any,
    ids: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | Collection[int] = (),
    generator: Any = None,
    cache: Cache | None = None,
) -> Tensor:
    """All new tokens are stacked first, and joined with the text once; with none there is nothing to stack."""
    new = list(stream(model, ids, max_new_tokens, temperature, top_k, top_p, stop, generator, cache))
    return cat([ids, stack(new, -1)], -1) if new else ids.clone()
