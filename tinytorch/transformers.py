"""Attention, stacked until it writes.

One layer of attention looks once. A transformer lets the places of a text look, think about what they found, and
look again: blocks of attention and a small network, each added to what was there before. Its last row says which
token comes next, and writing is nothing but asking that again and again.

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
    """The axes that `normalized_shape`, a side or several, names: the last ones of x, counted from the end.

    (4, 5) are the axes (-2, -1) of an x of shape (3, 4, 5).

    Raises:
        ValueError: x does not end in these sides, or there are none; the message holds both shapes.
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
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last axes, those of `normalized_shape`
    (torch.nn.functional.layer_norm; Ba et al., 2016). The shape and the dtype of x.

    The variance is the mean of the squared deviations, divided by n, and not by n - 1. weight and bias, where given,
    have the shape `normalized_shape`. Nothing is remembered: each row stands for itself.

    Raises:
        ValueError: as normalized_axes; or weight or bias has another shape: the message holds its shape and that of x.
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
    """x / sqrt(mean of x * x + eps) * weight over the last axes, those of `normalized_shape`
    (torch.nn.functional.rms_norm; Zhang and Sennrich, 2019). The shape and the dtype of x.

    `eps` is that of the dtype of x (np.finfo(dtype).eps) where it is left out, for float16 that of float32.

    Raises:
        ValueError: as layer_norm.
    """
    raise NotImplementedError("kata 14: rms_norm")


class LayerNorm(Module):
    """layer_norm with a weight of ones and a bias of zeros to learn (torch.nn.LayerNorm).

    Both have the shape `normalized_shape`, a tuple (an int stands for one side). Without `elementwise_affine` both are
    None, without `bias` the bias is.
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
    """rms_norm with a weight of ones to learn, of the shape `normalized_shape` (torch.nn.RMSNorm).

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
    """Everything that the shape of a GPT depends on, named as in nanoGPT; by default it is GPT-2's smallest.

    `block_size` is the longest text that the model can read, in tokens. `bias` is whether Linear and LayerNorm have
    one, `tie_weights` whether the last layer shares its weight with the first.
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
        """The four models of Radford et al. (2019), with what `changes` says otherwise: gpt2("small", block_size=64).

        Their (n_layer, n_head, n_embd) are "small" (12, 12, 768), "medium" (24, 16, 1024), "large" (36, 20, 1280) and
        "xl" (48, 25, 1600). Called on a subclass, it gives one of that.

        Raises:
            ValueError: another size; the message holds it, and these four.
        """
        raise NotImplementedError("kata 14: GPTConfig.gpt2")


class FeedForward(Module):
    """What a place makes of what it has gathered, for itself alone: (..., n_embd) -> (..., n_embd).

    Linear c_fc to 4 * n_embd features, gelu as GPT-2 has it (approximate="tanh"), Linear c_proj back, and dropout.
    """

    def __init__(self, n_embd: int, dropout: float = 0.0, bias: bool = True) -> None:
        raise NotImplementedError("kata 14: FeedForward.__init__")

    def forward(self, x: Tensor) -> Tensor:
        """dropout(c_proj(gelu(c_fc(x), "tanh")))."""
        raise NotImplementedError("kata 14: FeedForward.forward")


class TransformerBlock(Module):
    """Look around, then think: (B, T, n_embd) -> (B, T, n_embd) (GPT-2's block; Xiong et al., 2020, "pre-norm").

    ln_1 and ln_2 are LayerNorms, attn MultiHeadAttention, mlp a FeedForward, all with the config's n_embd, n_head,
    dropout and bias. `dropout` acts on what attention gives, too.
    """

    def __init__(self, config: GPTConfig) -> None:
        raise NotImplementedError("kata 14: TransformerBlock.__init__")

    def forward(self, x: Tensor, cache: Cache | None = None, layer: int = 0) -> Tensor:
        """x = x + dropout(attn(ln_1(x))), causal, and then x + mlp(ln_2(x)).

        The sums are the residual stream: a block adds to what was there, and never replaces it. attn gets `cache` and
        `layer`, the number of this block in the model.
        """
        raise NotImplementedError("kata 14: TransformerBlock.forward")


class GPT(Module):
    """Tokens to what may come next: ids (B, T) -> logits (B, T, V) (Radford et al., 2019).

    wte, an Embedding of tokens, and wpe, LearnedPositions, are added, and dropped out by drop. Then come the blocks,
    the ModuleList h, a last LayerNorm ln_f, and lm_head, a Linear(n_embd, vocab_size) without bias. With tied weights
    lm_head.weight *is* wte.weight: one parameter in two places. `config` is kept as an attribute, for whoever writes
    with the model: model.config.block_size.
    """

    def __init__(self, config: GPTConfig) -> None:
        """
        Raises:
            ValueError: n_embd is not a multiple of n_head (the message holds both; also without blocks), or dropout not
                from 0 to 1 (it holds dropout).
        """
        raise NotImplementedError("kata 14: GPT.__init__")

    def reset_parameters(self) -> None:
        """Draw all weights anew, as GPT-2: normal with deviation 0.02; biases 0; LayerNorms 1 and 0. `__init__` ends
        with it.

        Every block adds twice to the residual stream. So that the stream does not grow with their number, the weights
        of what is added (attn.out_proj and mlp.c_proj) have the deviation 0.02 / sqrt(2 * n_layer).
        """
        raise NotImplementedError("kata 14: GPT.reset_parameters")

    def forward(self, ids: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits for the token after each one: (B, T) -> (B, T, V). Row t sees the tokens 0 to t, and no later one.

        With a `cache`, which holds the tokens before, these are the tokens from place cache.length on.

        Raises:
            ValueError: the text is longer than block_size, with what the cache holds; the message holds the number of
                tokens and block_size. Or ids have no axis.
        """
        raise NotImplementedError("kata 14: GPT.forward")

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """next_token_loss(logits of ids, targets): targets are the ids moved on by one place, (B, T) both."""
        raise NotImplementedError("kata 14: GPT.loss")


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean cross entropy over all places: (B, T, V) and ids (B, T) -> (). A target of -100 does not count.

    Its exponential is the perplexity: among how many equally likely tokens the model still hesitates.

    Raises:
        ValueError: the shapes do not fit; the message holds both.
    """
    raise NotImplementedError("kata 14: next_token_loss")


# Writing ------------------------------------------------------------------------------------------------


def check_sampling(temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> None:
    """Nothing, where `sample` can be asked for this.

    Raises:
        ValueError: temperature is negative, infinite or nan, top_k is less than 1, or top_p is not above 0 and at most
            1; the message holds what is wrong.
    """
    raise NotImplementedError("kata 14: check_sampling")


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """The `top_k` largest of each row (..., V), and -inf for the others. What equals the smallest of them stays too.

    A top_k above V keeps all (Fan et al., 2018).

    Raises:
        ValueError: as check_sampling.
    """
    raise NotImplementedError("kata 14: keep_top_k")


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """The nucleus of each row (..., V), and -inf for the others (Holtzman et al., 2020).

    It is the smallest set of the most probable entries whose probabilities, softmax of the row, add up to `top_p` at
    least: an entry is in it as long as those before it have not reached top_p. So it is never empty, and 1 keeps all.
    Of equal ones the first comes first.

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

    First logits / temperature, then keep_top_k, then keep_top_p on what it has left, then softmax and the draw; None
    leaves a filter out. However small the temperature is, nothing overflows: take the largest logit off before you
    divide. At temperature 0 it is the id of
    the largest logit, the first one at a tie, and nothing is drawn. `generator` (np.random.Generator) draws, or else
    the default generator of the device; the same seed gives the same ids.

    Raises:
        ValueError: as check_sampling; or the largest logit of a row is nan, inf or -inf, and the message says which.
    """
    raise NotImplementedError("kata 14: sample")


def next_logits(model: GPT, ids: Tensor, cache: Cache | None = None) -> Tensor:
    """What the model says about the token after `ids`, evaluating: (..., T) -> (..., V).

    Of a text longer than block_size it reads the end. With a `cache` it reads only what the cache does not hold yet,
    ids[..., cache.length:]; there a longer text is an error, the model's own.

    Raises:
        ValueError: there is no token to read: T is 0, or the cache holds them all. The message holds T, and the
            cache's length.
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
    """The tokens after `ids` (..., T), one step after the other as they are drawn: each a Tensor (...).

    Each step is a sample of next_logits, and joins the text that the next step reads. It ends after max_new_tokens
    steps, or when every row has drawn a token of `stop`, one id or several. That token is given, too; a row that is
    ready before others repeats it. Between two steps the model is in its own mode, and gradients are recorded.

    Raises:
        ValueError: at once, before the first step: max_new_tokens is negative (the message holds it), ids has no
            token (it holds the shape), or as check_sampling.
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
    """`ids` (..., T) and all that `stream` gives after them: (..., T + n).

    Raises:
        ValueError: as stream.
    """
    raise NotImplementedError("kata 14: generate")
