"""Attention, stacked until it writes.

One layer of attention looks once. A transformer lets the places of a text look, think about what they found, and
look again: blocks of attention and a small network, each added to what was there before. Its last row says which
token comes next. To write is to ask that again and again.

Shapes: B sequences, T tokens, D = n_embd features, V = vocab_size. The names are GPT-2's and nanoGPT's.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tinytorch.activations import gelu, softmax
from tinytorch.attention import Cache, MultiHeadAttention, longest
from tinytorch.dispatch import accelerable
from tinytorch.embeddings import Embedding, LearnedPositions
from tinytorch.layers import Dropout, Linear, Module, ModuleList, Parameter, init
from tinytorch.losses import cross_entropy
from tinytorch.tensor import (
    Tensor,
    amax,
    argmax,
    argsort,
    at_least_float32,
    bool_,
    cat,
    cumsum,
    float64,
    gather,
    mean,
    ones,
    rand,
    sort,
    sqrt,
    topk,
    unsqueeze,
    where,
    zeros,
)
from tinytorch.training import evaluating

# Normalisation ------------------------------------------------------------------------------------------


def normalized_axes(x: Tensor, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """The last axes of x, those of `normalized_shape`, counted from the end.

    A normalized_shape of (4, 5) gives the axes (-2, -1) of an x of shape (3, 4, 5). An int is the size of one axis.

    Raises:
        ValueError: the shape of x does not end in normalized_shape, or that is empty; the message names both shapes.
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"x is normalized over its last axes {shape}, but has shape {x.shape}")
    return tuple(range(-len(shape), 0))


@accelerable
@at_least_float32
def layer_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last axes, those of `normalized_shape`.

    The result has the shape and the dtype of x. The variance is divided by n, not by n - 1. weight and bias, if given,
    have the shape `normalized_shape`. Each row is normalized by itself, and nothing is remembered between calls
    (torch.nn.functional.layer_norm; Ba et al., 2016).

    Raises:
        ValueError: as normalized_axes; or weight or bias has another shape: the message names its shape and that of x.
    """
    axes = normalized_axes(x, normalized_shape)
    _check_affine(x, len(axes), weight=weight, bias=bias)
    deviation = x - mean(x, axes, keepdim=True)
    out = deviation / sqrt(mean(deviation * deviation, axes, keepdim=True) + eps)
    if weight is not None:
        out = out * weight
    return out if bias is None else out + bias


@accelerable
@at_least_float32
def rms_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean of x * x + eps) * weight over the last axes, those of `normalized_shape`.

    The result has the shape and the dtype of x. `eps` is np.finfo(dtype of x).eps by default, for float16 that of
    float32 (torch.nn.functional.rms_norm; Zhang and Sennrich, 2019).

    Raises:
        ValueError: as layer_norm.
    """
    axes = normalized_axes(x, normalized_shape)
    _check_affine(x, len(axes), weight=weight)
    if eps is None:
        eps = float(np.finfo(x.dtype).eps)
    out = x / sqrt(mean(x * x, axes, keepdim=True) + eps)
    return out if weight is None else out * weight


def _check_affine(x: Tensor, axes: int, **given: Tensor | None) -> None:
    shape = x.shape[-axes:]
    for name, each in given.items():
        if each is not None and each.shape != shape:
            raise ValueError(
                f"{name} has shape {each.shape}, x of shape {x.shape} is normalized over {shape}"
            )


class LayerNorm(Module):
    """layer_norm with a weight to learn, at first ones, and a bias, at first zeros (torch.nn.LayerNorm).

    Both have the shape `normalized_shape`, which is kept as a tuple (an int is the size of one axis). Without
    `elementwise_affine` both are None; without `bias` the bias is None.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape = shape
        self.eps = eps
        self.weight = Parameter(ones(shape)) if elementwise_affine else None
        self.bias = Parameter(zeros(shape)) if elementwise_affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """layer_norm(x, normalized_shape, weight, bias, eps)."""
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:  # given
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class RMSNorm(Module):
    """rms_norm with a weight to learn, at first ones, of the shape `normalized_shape` (torch.nn.RMSNorm).

    Without `elementwise_affine` the weight is None.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape = shape
        self.eps = eps
        self.weight = Parameter(ones(shape)) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        """rms_norm(x, normalized_shape, weight, eps)."""
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:  # given
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


# The model ----------------------------------------------------------------------------------------------


@dataclass
class GPTConfig:
    """The options of a GPT, named as in nanoGPT; the defaults are those of the smallest GPT-2.

    `block_size` is the longest text that the model can read, in tokens. `bias`: Linear and LayerNorm have a bias.
    `tie_weights`: the last layer shares its weight with the first.
    """

    vocab_size: int = 50257
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True
    tie_weights: bool = True

    @classmethod
    def gpt2(cls, size: str = "small", **changes: Any) -> Self:
        """The config of one of the four models of Radford et al. (2019), with `changes`: gpt2("small", block_size=64).

        Their (n_layer, n_head, n_embd) are "small" (12, 12, 768), "medium" (24, 16, 1024), "large" (36, 20, 1280) and
        "xl" (48, 25, 1600). Called on a subclass, it gives an instance of the subclass.

        Raises:
            ValueError: there is no such size; the message names it, and these four.
        """
        sizes = {
            "small": (12, 12, 768),
            "medium": (24, 16, 1024),
            "large": (36, 20, 1280),
            "xl": (48, 25, 1600),
        }
        if size not in sizes:
            raise ValueError(f"there is no GPT-2 {size!r}, but there are {', '.join(sizes)}")
        n_layer, n_head, n_embd = sizes[size]
        return cls(**({"n_layer": n_layer, "n_head": n_head, "n_embd": n_embd} | changes))


class FeedForward(Module):
    """A small network for each place by itself: (..., n_embd) -> (..., n_embd).

    Linear c_fc to 4 * n_embd features, gelu with approximate="tanh" as in GPT-2, Linear c_proj back, and dropout.
    """

    def __init__(self, n_embd: int, dropout: float = 0.0, bias: bool = True) -> None:
        self.c_fc = Linear(n_embd, 4 * n_embd, bias)
        self.c_proj = Linear(4 * n_embd, n_embd, bias)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """dropout(c_proj(gelu(c_fc(x), "tanh")))."""
        return self.dropout(self.c_proj(gelu(self.c_fc(x), "tanh")))


class TransformerBlock(Module):
    """Look around, then think: (B, T, n_embd) -> (B, T, n_embd) (GPT-2's block; Xiong et al., 2020, "pre-norm").

    ln_1 and ln_2 are LayerNorms, attn is a MultiHeadAttention, mlp a FeedForward, all with the config's n_embd,
    n_head, dropout and bias. The result of attention is dropped out with the same probability.
    """

    def __init__(self, config: GPTConfig) -> None:
        self.ln_1 = LayerNorm(config.n_embd, bias=config.bias)
        self.attn = MultiHeadAttention(config.n_embd, config.n_head, config.dropout, config.bias)
        self.ln_2 = LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = FeedForward(config.n_embd, config.dropout, config.bias)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, cache: Cache | None = None, layer: int = 0) -> Tensor:
        """x = x + dropout(attn(ln_1(x))), causal, and then x + mlp(ln_2(x)).

        x is the residual stream: a block adds to it, and never replaces it. attn gets `cache` and `layer`, the number
        of this block in the model.
        """
        x = x + self.dropout(self.attn(self.ln_1(x), is_causal=True, cache=cache, layer=layer))
        return x + self.mlp(self.ln_2(x))


class GPT(Module):
    """Predicts the token after each one: ids (B, T) -> logits (B, T, V) (Radford et al., 2019).

    wte, an Embedding of tokens, and wpe, LearnedPositions, are added, and dropped out by drop. Then come the blocks,
    the ModuleList h, a last LayerNorm ln_f, and lm_head, a Linear(n_embd, vocab_size) without bias. With tied weights
    lm_head.weight *is* wte.weight: one parameter in two places. `config` is kept as an attribute; `generate` reads
    model.config.block_size.
    """

    def __init__(self, config: GPTConfig) -> None:
        """Make the parts, tie the weights, and draw them with reset_parameters.

        Raises:
            ValueError: n_embd is not a multiple of n_head (the message names both; also if there are no blocks), or
                dropout is not from 0 to 1 (it names dropout).
        """
        if config.n_head < 1 or config.n_embd % config.n_head:
            raise ValueError(f"n_embd {config.n_embd} cannot be divided among n_head {config.n_head}")
        self.config = config
        self.wte = Embedding(config.vocab_size, config.n_embd)
        self.wpe = LearnedPositions(config.block_size, config.n_embd)
        self.drop = Dropout(config.dropout)
        self.h = ModuleList(TransformerBlock(config) for _ in range(config.n_layer))
        self.ln_f = LayerNorm(config.n_embd, bias=config.bias)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tie_weights:
            self.lm_head.weight = self.wte.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights again, as in GPT-2: normal with deviation 0.02; biases 0; LayerNorms 1 and 0.

        `__init__` ends with it. Every block adds twice to the residual stream. So that the stream does not grow with
        the number of blocks, the last weights of what is added (attn.out_proj and mlp.c_proj) have the deviation
        0.02 / sqrt(2 * n_layer).
        """
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                init.zeros_(parameter)
            elif parameter.ndim == 1:
                init.ones_(parameter)
            elif name.endswith(("out_proj.weight", "c_proj.weight")):
                init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer))
            else:
                init.normal_(parameter, std=0.02)

    def forward(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits for the token after each one: (B, T) -> (B, T, V). Row t sees the tokens 0 to t, and no later one.

        With a `cache`, which holds the earlier tokens, `ids` are the tokens from place cache.length on, in each text
        with its own length if that is an array. A call that raises one of the errors below has put nothing into it.

        Raises:
            ValueError: a text is longer than block_size, with what the cache holds; the message names the number of
                tokens, of the longest text, and block_size. Or ids have no axis.
            IndexError: as embedding.
        """
        if ids.ndim == 0:
            raise ValueError("a text has an axis of tokens, (..., T), got ids of shape ()")
        past = 0 if cache is None else cache.length
        tokens = longest(past) + ids.shape[-1]
        if tokens > self.config.block_size:
            raise ValueError(
                f"a text of {tokens} tokens does not fit into block_size {self.config.block_size}"
            )
        x = self.drop(self.wpe(self.wte(ids), past))  # (B, T, D)
        for layer, block in enumerate(self.h):
            x = block(x, cache, layer)
        return self.lm_head(self.ln_f(x))  # (B, T, V)

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """next_token_loss(logits of ids, targets): the target of each id is the id after it, both are (B, T)."""
        return next_token_loss(self(ids), targets)


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean cross entropy over all places: (B, T, V) and ids (B, T) -> (). A target of -100 does not count.

    Its exponential is the perplexity: the model is as unsure as between that many equally likely tokens.

    Raises:
        ValueError: the shapes do not fit; the message names both.
    """
    if logits.ndim == 0 or logits.shape[:-1] != targets.shape:
        raise ValueError(f"logits (..., V) need targets (...), got {logits.shape} and {targets.shape}")
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))  # (B*T, V), (B*T,)


# Writing ------------------------------------------------------------------------------------------------


def check_sampling(temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> None:
    """Raise unless `sample` can be called with these options.

    Raises:
        ValueError: temperature is negative, infinite or nan, top_k is less than 1, or top_p is not above 0 and at most
            1; the message names the wrong value.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be 0 or more, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """The `top_k` largest logits of each row (..., V), and -inf for the others (Fan et al., 2018).

    Logits that equal the smallest of them stay too. A top_k above V keeps all.

    Raises:
        ValueError: as check_sampling.
    """
    check_sampling(top_k=top_k)
    largest, _ = topk(logits, min(top_k, logits.shape[-1]))  # (..., top_k)
    return where(logits >= largest[..., -1:], logits, -math.inf)


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """The logits in the nucleus of each row (..., V), and -inf for the others (Holtzman et al., 2020).

    The nucleus is the smallest set of most probable entries whose probabilities (softmax of the row) add up to at
    least `top_p`: an entry is in it if those more probable than it have not reached top_p yet. So it is never empty,
    and 1 keeps all. Of equal entries, the one with the lower id counts as more probable.

    Raises:
        ValueError: as check_sampling.
    """
    check_sampling(top_p=top_p)
    if top_p == 1:  # the sum may be 1 before its last term, by rounding
        return logits
    falling, order = sort(logits, -1, descending=True)
    probabilities = softmax(falling, -1)
    before = cumsum(probabilities, -1) - probabilities
    rank = argsort(order)  # where each entry stands in the falling row
    return where(gather(before, -1, rank) < top_p, logits, -math.inf)


def sample(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Any = None,
) -> Tensor:
    """One id for each row, drawn from softmax(logits / temperature): (..., V) -> (...), int64.

    First logits / temperature, then keep_top_k, then keep_top_p of what is left, then softmax and the draw; None
    leaves a filter out. However small the temperature is, nothing overflows: subtract the largest logit before you
    divide. Temperature 0 gives the id of the largest logit, the first one at a tie, and nothing is drawn. `generator`
    (np.random.Generator) draws, by default that of the device; the same seed gives the same ids.

    Raises:
        ValueError: as check_sampling; or the largest logit of a row is nan, inf or -inf, and the message says which.
    """
    check_sampling(temperature, top_k, top_p)
    largest = amax(logits, -1)
    for each in largest.reshape(-1).tolist():
        if not math.isfinite(each):
            raise ValueError(f"a row whose largest logit is {each} gives no probabilities")
    if temperature == 0:
        return argmax(logits, -1)
    logits = (logits.to(float64) - unsqueeze(largest, -1)) / temperature  # 0 at most: no overflow to inf
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits, -1), -1)  # (..., V), rising to 1
    total = reached[..., -1:]  # or nearly 1
    place = rand(total.shape, generator=generator, dtype=float64, device=logits.device) * total
    return argmax(reached > place, -1)  # the first that lies beyond


@accelerable
def next_logits(model: GPT, ids: Tensor, cache: Cache | None = None) -> Tensor:
    """The model's logits for the token after `ids`, evaluating: (..., T) -> (..., V).

    It reads the last block_size tokens of a longer text. With a `cache` it reads only what the cache does not hold
    yet, ids[..., cache.length:]; then a text longer than block_size is the model's ValueError.

    If the texts in the cache have unequal lengths, they all end in the last column of ids, and each has the same
    number of new tokens: the columns from longest(cache.length) on. What stands before a shorter text is not read.

    Raises:
        ValueError: there is no token to read: T is 0, or the cache holds them all. The message names T and the
            cache's length, that of the longest text.
    """
    past = 0 if cache is None else longest(cache.length)
    if past >= ids.shape[-1]:
        raise ValueError(f"there is nothing to read: the text has {ids.shape[-1]} tokens, the cache {past}")
    window = ids[..., -model.config.block_size :] if cache is None else ids[..., past:]
    with evaluating(model):
        logits: Tensor = model(window, cache)
    return logits[..., -1, :]


def stream(
    model: GPT,
    ids: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | Collection[int] = (),
    generator: Any = None,
    cache: Cache | None = None,
) -> Iterator[Tensor]:
    """Yield the tokens after `ids` (..., T), step by step as they are drawn: each a Tensor (...).

    Each step is a sample of next_logits, and is appended to the text that the next step reads. It ends after
    max_new_tokens steps, or when every row has drawn a token of `stop` (one id or several). The stop token is yielded
    too; a row that is done before others repeats it. Between two steps the model is in its own mode, and gradients
    are recorded.

    Raises:
        ValueError: at once, before the first step: max_new_tokens is negative (the message names it), ids has no
            token (it names the shape), or as check_sampling.
    """
    check_sampling(temperature, top_k, top_p)
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must be 0 or more, got {max_new_tokens}")
    if ids.ndim == 0 or ids.shape[-1] == 0:
        raise ValueError(f"a text to go on with has one token at least, got ids of shape {ids.shape}")

    def steps(ids: Tensor) -> Iterator[Tensor]:
        done = zeros(ids.shape[:-1], dtype=bool_, device=ids.device)
        for _ in range(max_new_tokens):
            new = sample(next_logits(model, ids, cache), temperature, top_k, top_p, generator)
            new = where(done, ids[..., -1], new)
            yield new
            ids = cat([ids, unsqueeze(new, -1)], -1)  # (..., T + 1)
            for each in (stop,) if isinstance(stop, int) else stop:
                done = done | (new == each)
            if done.data.all():
                return

    return steps(ids)


def generate(
    model: GPT,
    ids: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | Collection[int] = (),
    generator: Any = None,
    cache: Cache | None = None,
) -> Tensor:
    """`ids` (..., T) and the n tokens that `stream` yields after them: (..., T + n).

    Raises:
        ValueError: as stream.
    """
    new = stream(model, ids, max_new_tokens, temperature, top_k, top_p, stop, generator, cache)
    return cat([ids, *(unsqueeze(each, -1) for each in new)], -1)
