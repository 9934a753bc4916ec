"""Answers: the tokens that the engine delivers, made into texts, and sent whole or piece by piece."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from dojo.serve.asking import Ask
from dojo.serve.desk import CUT, Desk, Reader, unless_gone
from dojo.serve.errors import ApiError
from dojo.serve.metrics import Metrics
from dojo.serve.settings import END
from tinytorch.caching import Request
from tinytorch.capstone import (
    Bundle,
    Choice,
    Scored,
    TextStream,
    Tokenizer,
    chat_chunk,
    chat_completion,
    chat_logprobs,
    completion,
    completion_logprobs,
    score_tokens,
    usage,
)
from tinytorch.tensor import Tensor
from tinytorch.training import evaluating
from tinytorch.transformers import GPT

EVENT_STREAM = {
    b"content-type": b"text/event-stream; charset=utf-8",
    b"cache-control": b"no-store",
    b"x-accel-buffering": b"no",  # a proxy, nginx for one, passes each piece on as it comes
}
UNFINISHED = {
    "timeout": "The answer was not finished in time.",
    "error": "The engine has failed.",
    CUT: "The server has ended before the answer.",
}


@dataclass(frozen=True)
class Piece:
    """What is new of one text of an answer."""

    index: int
    text: str
    tokens: Sequence[Scored] = ()
    offsets: Sequence[int] = ()
    """Where each of the tokens begins in the whole text."""
    finish_reason: str | None = None


def joined(index: int, pieces: Sequence[Piece]) -> Piece:
    """All pieces of a text as one."""
    tokens = [token for piece in pieces for token in piece.tokens]
    offsets = [place for piece in pieces for place in piece.offsets]
    return Piece(index, "".join(piece.text for piece in pieces), tokens, offsets, pieces[-1].finish_reason)


def encode(ask: Ask, bundle: Bundle, most: int) -> list[list[int]]:
    """The ids of each prompt. It takes milliseconds for a long one, so call it in another thread than the loop's.

    Raises:
        ApiError: a prompt has no token, or more than `most`, or one that the model does not know.
    """
    param = "messages" if ask.chat else "prompt"
    found = []
    for prompt in ask.prompts:
        ids = ids_of(prompt, bundle.tokenizer, param)
        if not 0 < len(ids) <= most:
            code = "context_length_exceeded" if ids else None
            raise ApiError(400, f"The prompt has {len(ids)} tokens: 1 to {most} are served.", param, code)
        found.append(ids)
    return found


def ids_of(prompt: str | list[int], tokenizer: Tokenizer, param: str = "prompt") -> list[int]:
    """The ids of one prompt, a text or ids.

    Raises:
        ApiError: the model does not know what is in it. It names `param`.
    """
    try:
        ids = tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)
        if outside := [each for each in ids if not 0 <= each < tokenizer.vocab_size]:
            raise ValueError(f"{outside[0]} is not the id of one of its {tokenizer.vocab_size} tokens")
    except ValueError as error:
        raise ApiError(400, f"The model cannot read this prompt: {error}.", param) from None
    return ids


def requests_of(ask: Ask, prompts: Sequence[Sequence[int]], tokenizer: Tokenizer) -> list[Request]:
    """A Request for each text: n for the first prompt, n for the second, and so on.

    The same seed gives the same texts, whoever else is being served.
    """
    end = getattr(tokenizer, "special_tokens", {}).get(END)
    return [
        Request(
            prompt,
            ask.max_tokens,
            ask.temperature,
            ask.top_k,
            ask.top_p,
            stop=() if end is None else (end,),
            generator=np.random.default_rng(None if ask.seed is None else [ask.seed % 2**64, number]),
        )
        for prompt in prompts
        for number in range(ask.n)
    ]


class Answer:
    """The response to one request, an ASGI application. It submits the job, so it may raise ApiError when called."""

    def __init__(
        self,
        ask: Ask,
        prompts: list[list[int]],
        bundle: Bundle,
        desk: Desk,
        metrics: Metrics,
        note: dict[str, Any],
    ) -> None:
        """`note` is for what the log is to say of the request; note["began"] is when it arrived."""
        self.ask, self.prompts, self.bundle = ask, prompts, bundle
        self.desk, self.metrics, self.note = desk, metrics, note
        self.requests = requests_of(ask, prompts, bundle.tokenizer)
        self.written = 0  # tokens of the answer: the engine may have written some more after a stop string
        kind = "chatcmpl" if ask.chat else "cmpl"
        self.head = {
            "id": f"{kind}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": bundle.card["name"],
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ask, deadline = self.ask, self.note["began"] + self.desk.settings.total_seconds
        reading = (
            self.desk.reading(self.requests, ask.logprobs, deadline) if ask.max_tokens else nullcontext()
        )
        with reading as reader:
            echoed = await self.echoed() if ask.echo else []
            pieces = self.pieces(reader, echoed)
            answer = self.stream(pieces, send) if ask.stream else self.whole(pieces, scope, receive, send)
            try:
                if await unless_gone(receive, answer) is None:
                    self.note["gone"] = True
            finally:
                self.count()

    # The texts --------------------------------------------------------------------------------------------

    async def echoed(self) -> list[Piece]:
        """The prompts, which are the first piece of each of their texts, with logprobs if those were asked for."""
        pieces = []
        for number, ids in enumerate(self.prompts):
            stream, tokens, offsets = TextStream(self.bundle.tokenizer), [], []
            text = ""
            for each in ids:
                offsets.append(stream.characters)
                text += stream.push(each)
            if self.ask.logprobs is not None:
                tokens = await self.scored(ids, self.ask.logprobs)
            done = None if self.ask.max_tokens else "length"
            first = number * self.ask.n
            pieces += [
                Piece(first + i, text + stream.flush(), tokens, offsets, done) for i in range(self.ask.n)
            ]
        return pieces

    async def scored(self, ids: list[int], top: int) -> list[Scored]:
        """How likely each token of a prompt was, by one pass of the model, between two steps of the engine."""
        most = self.bundle.model.config.block_size
        if len(ids) > most:
            raise ApiError(
                400, f"echo with logprobs reads at most {most} tokens, and the prompt has {len(ids)}."
            )

        def score(model: GPT) -> list[Scored]:
            with evaluating(model):
                return score_tokens(model(Tensor(np.asarray([ids[:-1]]))).data[0], ids[1:], top)

        return [Scored(ids[0], None, []), *(await self.desk.ask(score) if len(ids) > 1 else [])]

    async def pieces(self, reader: Reader | None, echoed: list[Piece]) -> AsyncIterator[list[Piece]]:
        """All pieces of all texts, as they come: those that have come together, one for each token.

        Raises:
            ApiError: the engine could not finish.
        """
        if echoed:
            yield echoed
        if reader is None:
            return
        before = [len(piece.text) for piece in echoed] or [0] * len(self.requests)
        streams = [TextStream(self.bundle.tokenizer, self.ask.stop) for _ in self.requests]
        left, last = set(range(len(streams))), [0.0] * len(streams)
        while left:
            found: list[Piece] = []
            for event in await reader.take():
                index, token, reason = event.index, event.token, event.finish_reason
                if index not in left:  # a text has reached its stop string, and the engine did not know yet
                    continue
                if reason in UNFINISHED:
                    yield found
                    raise ApiError(503, UNFINISHED[reason], code=reason, headers={"retry-after": "1"})
                self.watch(index, last)
                self.written += token is not None
                stream, text, tokens, offsets = streams[index], "", [], []
                if token is not None and reason != "stop":  # an end token's text is no part of the answer
                    offsets = [before[index] + stream.characters]
                    text = stream.push(token)
                    tokens = [Scored(token, event.logprob, list(event.top))]
                if stream.stopped and not reason:
                    reason = "stop"
                    self.desk.engine.cancel(reader, index)
                if reason:
                    text += stream.flush()
                    left.remove(index)
                found.append(Piece(index, text, tokens, offsets, "stop" if stream.stopped else reason))
            yield found

    def watch(self, index: int, last: list[float]) -> None:
        """Note when a token came, for the metrics."""
        now = time.monotonic()
        if last[index]:
            self.metrics.between.observe(now - last[index])
        elif "first_token" not in self.note:
            self.note["first_token"] = now - self.note["began"]
            self.metrics.first.observe(self.note["first_token"])
        last[index] = now

    # The shapes -------------------------------------------------------------------------------------------

    def choice(self, piece: Piece, first: bool = False) -> Choice:
        """A piece in the words of OpenAI's API."""
        logprobs: dict[str, Any] | None = None
        if self.ask.logprobs is not None and self.ask.chat:
            logprobs = chat_logprobs(self.bundle.tokenizer, piece.tokens)
        elif self.ask.logprobs is not None:
            logprobs = completion_logprobs(self.bundle.tokenizer, piece.tokens, piece.offsets)
        return Choice(piece.index, piece.text, piece.finish_reason, logprobs, first)

    async def whole(
        self, pieces: AsyncIterator[list[Piece]], scope: Scope, receive: Receive, send: Send
    ) -> bool:
        """Send all texts at once, when they are finished."""
        parts: list[list[Piece]] = [[] for _ in self.requests]
        async for some in pieces:
            for piece in some:
                parts[piece.index].append(piece)
        choices = [self.choice(joined(index, each)) for index, each in enumerate(parts)]
        shape = chat_completion if self.ask.chat else completion
        await JSONResponse(shape(self.head, choices, usage=self.usage()))(scope, receive, send)
        return True

    async def stream(self, pieces: AsyncIterator[list[Piece]], send: Send) -> bool:
        """Send the pieces as they come, each as an event; at the end, or at an error, the stream is closed."""

        async def events(*found: str, more: bool = True) -> None:
            body = "".join(f"data: {data}\n\n" for data in found).encode()
            await send({"type": "http.response.body", "body": body, "more_body": more})

        await send({"type": "http.response.start", "status": 200, "headers": list(EVENT_STREAM.items())})
        shape = chat_chunk if self.ask.chat else completion
        extra = {"usage": None} if self.ask.include_usage else {}
        begun: set[int] = set()

        def chunk(piece: Piece) -> str:
            choice = self.choice(piece, first=piece.index not in begun)
            begun.add(piece.index)
            return json.dumps(shape(self.head, [choice], **extra))

        try:
            async for some in pieces:
                await events(*map(chunk, some))
            if self.ask.include_usage:
                await events(json.dumps(shape(self.head, [], usage=self.usage())))
        except ApiError as error:  # it is too late for another status
            self.note["error"] = error.message
            await events(error.body().decode(), more=False)
        else:
            await events("[DONE]", more=False)
        return True

    def usage(self) -> dict[str, int]:
        return usage(sum(len(ids) for ids in self.prompts), self.written)

    def count(self) -> None:
        """Note what was read and written, for the log and the metrics."""
        counts = self.usage()
        self.note["prompt_tokens"], self.note["tokens"] = counts["prompt_tokens"], counts["completion_tokens"]
        self.metrics.tokens.labels("prompt").inc(counts["prompt_tokens"])
        self.metrics.tokens.labels("written").inc(counts["completion_tokens"])
