"""Attention, stacked until it writes.

One layer of attention looks once. A transformer lets the places of a text look, think about what they found, and
look again: blocks of attention and a small network, each added to what was there before. Its last row says which
token comes next. To write is to ask that again and again.

Shapes: B sequences, T tokens, D = n_embd features, V = vocab_size. The names are GPT-2's and nanoGPT's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tinytorch.attention import Cache
from tinytorch.dispatch import accelerable
from tinytorch.layers import Module
from tinytorch.tensor import Tensor, at_least_float32

# Normalisation ------------------------------------------------------------------------------------------


def normalized_axes(x: Tensor, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """The last axes of x, those of `normalized_shape`, counted from the end.

    A normalized_shape of (4, 5) gives the axes (-2, -1) of an x of shape (3, 4, 5). An int is the size of one axis.

    Raises:
        ValueError: the shape of x does not end in normalized_shape, or that is empty; the message names both shapes.
    """
    raise NotImplementedError("kata 14: normalized_axes")


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
    raise NotImplementedError("kata 14: layer_norm")


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
    raise NotImplementedError("kata 14: rms_norm")


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
        raise NotImplementedError("kata 14: LayerNorm.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """layer_norm(x, normalized_shape, weight, bias, eps)."""
        raise NotImplementedError("kata 14: LayerNorm.forward")

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
        raise NotImplementedError("kata 14: RMSNorm.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """rms_norm(x, normalized_shape, weight, eps)."""
        raise NotImplementedError("kata 14: RMSNorm.forward")

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
        raise NotImplementedError("kata 14: GPTConfig.gpt2")


class FeedForward(Module):
    """A small network for each place by itself: (..., n_embd) -> (..., n_embd).

    Linear c_fc to 4 * n_embd features, gelu with approximate="tanh" as in GPT-2, Linear c_proj back, and dropout.
    """

    def __init__(self, n_embd: int, dropout: float = 0.0, bias: bool = True) -> None:
        raise NotImplementedError("kata 14: FeedForward.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """dropout(c_proj(gelu(c_fc(x), "tanh")))."""
        raise NotImplementedError("kata 14: FeedForward.forward")


class TransformerBlock(Module):
    """Look around, then think: (B, T, n_embd) -> (B, T, n_embd) (GPT-2's block; Xiong et al., 2020, "pre-norm").

    ln_1 and ln_2 are LayerNorms, attn is a MultiHeadAttention, mlp a FeedForward, all with the config's n_embd,
    n_head, dropout and bias. The result of attention is dropped out with the same probability.
    """

    def __init__(self, config: GPTConfig) -> None:
        raise NotImplementedError("kata 14: TransformerBlock.__init__")

    def forward(self, x: Tensor, cache: Cache | None = None, layer: int = 0) -> Tensor:
        """x = x + dropout(attn(ln_1(x))), causal, and then x + mlp(ln_2(x)).

        x is the residual stream: a block adds to it, and never replaces it. attn gets `cache` and `layer`, the number
        of this block in the model.
        """
        raise NotImplementedError("kata 14: TransformerBlock.forward")


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
        raise NotImplementedError("kata 14: GPT.__init__")

    def reset_parameters(self) -> None:
        """Draw all weights again, as in GPT-2: normal with deviation 0.02; biases 0; LayerNorms 1 and 0.

        `__init__` ends with it. Every block adds twice to the residual stream. So that the stream does not grow with
        the number of blocks, the last weights of what is added (attn.out_proj and mlp.c_proj) have the deviation
        0.02 / sqrt(2 * n_layer).
        """
        raise NotImplementedError("kata 14: GPT.reset_parameters")

    def forward(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits for the token after each one: (B, T) -> (B, T, V). Row t sees the tokens 0 to t, and no later one.

        With a `cache`, which holds the earlier tokens, `ids` are the tokens from place cache.length on, in each text
        with its own length if that is an array. A call that raises one of the errors below has put nothing into it.

        Raises:
            ValueError: a text is longer than block_size, with what the cache holds; the message names the number of
                tokens, of the longest text, and block_size. Or ids have no axis.
            IndexError: as embedding.
        """
        raise NotImplementedError("kata 14: GPT.forward")

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """next_token_loss(logits of ids, targets): the target of each id is the id after it, both are (B, T)."""
        raise NotImplementedError("kata 14: GPT.loss")


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean cross entropy over all places: (B, T, V) and ids (B, T) -> (). A target of -100 does not count.

    Its exponential is the perplexity: the model is as unsure as between that many equally likely tokens.

    Raises:
        ValueError: the shapes do not fit; the message names both.
    """
    raise NotImplementedError("kata 14: next_token_loss")


# Writing ------------------------------------------------------------------------------------------------


def check_sampling(temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> None:
    """Raise unless `sample` can be called with these options.

    Raises:
        ValueError: temperature is negative, infinite or nan, top_k is less than 1, or top_p is not above 0 and at most
            1; the message names the wrong value.
    """
    raise NotImplementedError("kata 14: check_sampling")


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """The `top_k` largest logits of each row (..., V), and -inf for the others (Fan et al., 2018).

    Logits that equal the smallest of them stay too. A top_k above V keeps all.

    Raises:
        ValueError: as check_sampling.
    """
    raise NotImplementedError("kata 14: keep_top_k")


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """The logits in the nucleus of each row (..., V), and -inf for the others (Holtzman et al., 2020).

    The nucleus is the smallest set of most probable entries whose probabilities (softmax of the row) add up to at
    least `top_p`: an entry is in it if those more probable than it have not reached top_p yet. So it is never empty,
    and 1 keeps all. Of equal entries, the one with the lower id counts as more probable.

    Raises:
        ValueError: as check_sampling.
    """
    raise NotImplementedError("kata 14: keep_top_p")


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
    raise NotImplementedError("kata 14: sample")


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
    raise NotImplementedError("kata 14: next_logits")


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
    raise NotImplementedError("kata 14: stream")


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
    raise NotImplementedError("kata 14: generate")
