"""Continuous batching: many texts are written at once, and each joins and leaves when it likes.

A step for eight rows takes about twice as long as a step for one, not eight times: every function is called once. But
texts do not begin and end together. So a new one joins between two steps, and the row of one that has ended is free
at once (Yu et al., 2022, Orca).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinytorch.attention import longest
from tinytorch.caching.cache import KVCache
from tinytorch.caching.prefix import PrefixCache
from tinytorch.caching.sampling import sample_rows
from tinytorch.dispatch import Array
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor
from tinytorch.training import evaluating
from tinytorch.transformers import GPT, check_sampling, next_logits


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
    check_sampling(request.temperature, request.top_k, request.top_p)
    if not request.ids:
        raise ValueError("a text to go on with has one token at least")
    if request.max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be 1 or more, got {request.max_new_tokens}")
    if not isinstance(request.stop, int | Collection):
        raise TypeError(f"stop is an id or a collection of ids, got {request.stop!r}")
    if request.written:
        raise ValueError("the request has joined before: make a new one, whose ids are those of its text")
    if outside := [each for each in request.ids if not 0 <= each < vocab_size]:
        raise IndexError(f"id {outside[0]} is outside a vocabulary of {vocab_size}")


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
        if rows < 1:
            raise ValueError(f"a batch has at least one row, got {rows}")
        weight = model.wte.weight
        self.model = model
        self.cache = KVCache(model.config, rows, dtype=weight.dtype, device=weight.device)
        self.prefixes = prefixes
        self.requests: list[Request] = []

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
        check_request(request, self.model.config.vocab_size)
        if request in self.requests:
            raise ValueError("the request is in a row of this batch: a text joins once")
        if not self.free:
            raise RuntimeError(f"all {len(self.requests)} rows are in use: wait for one, or release it")
        request.start = max(0, len(request.ids) - self.model.config.block_size)
        self.read(request, len(self.requests))
        self.requests.append(request)

    def read(self, request: Request, row: int) -> None:
        """Let `row` hold all tokens of the request's window but the last one. What `prefixes` knows is not read."""
        part, window = self.cache[row : row + 1], request.window()
        part.truncate(0)
        known = self.prefixes.fetch(window, self.cache, row) if self.prefixes else 0
        if known < len(window) - 1:
            ids = get_array_module(part.keys).asarray([window[known:-1]])
            with evaluating(self.model):
                self.model(Tensor(ids), part)
        if self.prefixes:
            self.prefixes.store(window[:-1], self.cache, row)

    def step(self) -> list[Request]:
        """Write one token in every row; return the requests that got one. Those that are finished have left.

        All rows take part in one call of next_logits and one of sample_rows. A window that is longer than block_size
        is first cut to its last max(block_size // 2, 1) tokens, which are read again. Without requests nothing is
        done. If anything raises, no text has changed, and the same step may be made again.
        """
        requests, block_size = list(self.requests), self.model.config.block_size
        if not requests:
            return []
        for row, request in enumerate(requests):
            if len(request.window()) > block_size:
                start = request.start
                request.start += len(request.window()) - max(block_size // 2, 1)
                try:
                    self.read(request, row)
                except BaseException:
                    request.start = start  # so the next step reads again
                    raise
        part, before = self.cache[: len(requests)], self.cache.lengths[: len(requests)].copy()
        xp = get_array_module(part.keys)
        ids = xp.zeros((len(requests), longest(part.length) + 1), np.int64)
        ids[:, -1] = xp.asarray([request.window()[-1] for request in requests])
        names = ("temperature", "top_k", "top_p", "generator")
        try:
            logits = next_logits(self.model, Tensor(ids), part)
            drawn = sample_rows(logits, *([getattr(each, name) for each in requests] for name in names))
        except BaseException:
            part.truncate(before)
            raise
        for request, token, row_logits in zip(requests, drawn.tolist(), logits.data, strict=True):
            request.written.append(token)
            request.logits = row_logits
            if token in ((request.stop,) if isinstance(request.stop, int) else request.stop):
                request.finish_reason = "stop"
            elif len(request.written) >= request.max_new_tokens:
                request.finish_reason = "length"
            if request.finish_reason:
                self.release(request)
        return requests

    def release(self, request: Request) -> None:
        """Let a text leave, finished or not: the text in the last row in use moves into its row.

        Raises:
            ValueError: the request is in no row.
        """
        if request not in self.requests:
            raise ValueError("the request is in no row: it has left, or was never added")
        row, last = self.requests.index(request), self.requests.pop()
        if last is not request:
            self.requests[row] = last
            self.cache.copy_row(row, self.cache, len(self.requests))


def generate_all(
    model: GPT, requests: Sequence[Request], rows: int = 8, prefixes: PrefixCache | None = None
) -> list[list[int]]:
    """What is written after each of the requests, first come, first served, at most `rows` of them at once.

    Raises:
        ValueError, TypeError, IndexError: as Batch; one that add would refuse is found before anything is written.
    """
    for request in requests:
        check_request(request, model.config.vocab_size)
    if len(set(requests)) < len(requests):
        raise ValueError("a request stands in the list twice: a text joins once")
    batch, waiting = Batch(model, rows, prefixes), deque(requests)
    while waiting or batch.requests:
        while waiting and batch.free:
            batch.add(waiting.popleft())
        batch.step()
    return [request.written for request in requests]
