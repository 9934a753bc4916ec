"""Continuous batching: many texts are written at once, and each joins and leaves when it likes.

A step for eight rows takes about twice as long as a step for one, not eight times: every function is called once. But
texts do not begin and end together. So a new one joins between two steps, and the row of one that has ended is free
at once (Yu et al., 2022, Orca).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinytorch.caching.prefix import PrefixCache
from tinytorch.dispatch import Array
from tinytorch.transformers import GPT


@dataclass(eq=False)
class Request:  # given
    """A text to go on with, and what has been written after it; the options are those of kata 14's `stream`."""

    ids: Sequence[int]
    max_new_tokens: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    stop: int | Collection[int] = ()
    generator: Any = None
    written: list[int] = field(default_factory=list)
    """The tokens after `ids`, the stop token too."""
    finish_reason: str | None = None
    """ "stop" after a stop token, "length" after max_new_tokens, and None before (OpenAI's words)."""
    logits: Array | None = None
    """The logits (V,) from which the last token was drawn."""
    start: int = 0
    """The place in the text of the first token that the model still sees."""

    def window(self) -> list[int]:  # given
        """The tokens that the model still sees."""
        return [*self.ids, *self.written][self.start :]


def check_request(request: Request, vocab_size: int) -> None:
    """Raise unless the request can be written to its end by a model with a vocabulary of that size.

    Raises:
        ValueError: there is no token, max_new_tokens is less than 1 (the message names it), or as check_sampling. Or
            something has been written: the request has joined before.
        TypeError: `stop` is neither an int nor a collection; the message names it.
        IndexError: a token is not in the vocabulary; the message names it and the size of the vocabulary.
    """
    raise NotImplementedError("kata 16: check_request")


class Batch:
    """Rows that are written together, one token each a step.

    `model` and `prefixes` are those that were given. requests[r] is the text in row r. `cache` is a KVCache with a row
    for each; it holds all tokens of a text but the last one, which the next step reads. The rows in use are the first
    ones.
    """

    def __init__(self, model: GPT, rows: int = 8, prefixes: PrefixCache | None = None) -> None:
        """Take the memory for `rows` texts, in the dtype and on the device of the model.

        With `prefixes`, what a text has in common with earlier ones is not read again.

        Raises:
            ValueError: `rows` is less than 1; the message names it.
        """
        raise NotImplementedError("kata 16: Batch.__init__")

    @property
    def free(self) -> int:  # given
        """How many more texts may join."""
        return len(self.cache.lengths) - len(self.requests)

    def add(self, request: Request) -> None:
        """Let a text join: read all of its tokens but the last one. Of a longer text its last block_size tokens count.

        Raises:
            RuntimeError: no row is free; the message names the number of rows.
            ValueError, TypeError, IndexError: as check_request. It is told now: in a step it would stop all rows.
            ValueError: the request is in a row.
        """
        raise NotImplementedError("kata 16: Batch.add")

    def read(self, request: Request, row: int) -> None:
        """Let `row` hold all tokens of the request's window but the last one. What `prefixes` knows is not read."""
        raise NotImplementedError("kata 16: Batch.read")

    def step(self) -> list[Request]:
        """Write one token in every row; return the requests that got one. Those that are finished have left.

        All rows take part in one call of next_logits and one of sample_rows. A window that is longer than block_size
        is first cut to its last max(block_size // 2, 1) tokens, which are read again. Without requests nothing is
        done. If anything raises, no text has changed, and the same step may be made again.
        """
        raise NotImplementedError("kata 16: Batch.step")

    def release(self, request: Request) -> None:
        """Let a text leave, finished or not: the text in the last row in use moves into its row.

        Raises:
            ValueError: the request is in no row.
        """
        raise NotImplementedError("kata 16: Batch.release")


def generate_all(
    model: GPT, requests: Sequence[Request], rows: int = 8, prefixes: PrefixCache | None = None
) -> list[list[int]]:
    """What is written after each of the requests, first come, first served, at most `rows` of them at once.

    Raises:
        ValueError, TypeError, IndexError: as Batch; one that add would refuse is found before anything is written.
    """
    raise NotImplementedError("kata 16: generate_all")
