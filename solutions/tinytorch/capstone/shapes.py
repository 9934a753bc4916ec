"""What the engine wrote, in the shapes of OpenAI's API, so that every client of theirs is a client of ours.

Each shape is a dict of what JSON has. Its `head` is {"id": "cmpl-...", "created": 1700000000, "model": "..."}, the same
in all chunks of an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinytorch.capstone.engine import Scored
from tinytorch.capstone.text import Tokenizer, bytes_of


@dataclass(slots=True)
class Choice:  # given
    """One of the texts of an answer, or the next piece of it."""

    index: int
    text: str = ""
    finish_reason: str | None = None
    """ "stop" or "length"; None while it goes on."""
    logprobs: dict[str, Any] | None = None
    """What completion_logprobs or chat_logprobs gives."""
    first: bool = False
    """The first piece of a chat's choice, which says who speaks."""


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:  # given
    """How many tokens were read and written, and both together."""
    total = prompt_tokens + completion_tokens
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total}


def error_body(  # given
    message: str, type: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """An error: a sentence for a person, and for a program its type, the parameter that is wrong, and a code."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def token_text(raw: bytes) -> str:  # given
    """The bytes of a token as a text that no other token has: part of a character is written as "bytes:\\xf0\\x9f"."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)


# Answers ------------------------------------------------------------------------------------------------


def completion(head: Mapping[str, Any], choices: Sequence[Choice], **more: Any) -> dict[str, Any]:
    """An answer of POST /v1/completions, and also a chunk of it, which has the same shape.

    It has what is in `head`, "object": "text_completion", and "choices": each with "index", "text", "logprobs" and
    "finish_reason". `more` are further entries, such as usage={...}; usage=None is an entry too, null in JSON.
    """
    found = [
        {
            "index": each.index,
            "text": each.text,
            "logprobs": each.logprobs,
            "finish_reason": each.finish_reason,
        }
        for each in choices
    ]
    return {**head, "object": "text_completion", "choices": found, **more}


def chat_completion(head: Mapping[str, Any], choices: Sequence[Choice], **more: Any) -> dict[str, Any]:
    """An answer of POST /v1/chat/completions.

    As `completion`, but the object is "chat.completion", and a choice has instead of "text" a "message":
    {"role": "assistant", "content": its text, "refusal": None}.
    """
    found = [
        {
            "index": each.index,
            "message": {"role": "assistant", "content": each.text, "refusal": None},
            "logprobs": each.logprobs,
            "finish_reason": each.finish_reason,
        }
        for each in choices
    ]
    return {**head, "object": "chat.completion", "choices": found, **more}


def chat_chunk(head: Mapping[str, Any], choices: Sequence[Choice], **more: Any) -> dict[str, Any]:
    """A chunk of a streamed answer of POST /v1/chat/completions.

    As `completion`, but the object is "chat.completion.chunk", and a choice has instead of "text" a "delta":
    {"content": its text}, and if it is the `first` one of its choice, also "role": "assistant".
    """
    found = [
        {
            "index": each.index,
            "delta": {**({"role": "assistant"} if each.first else {}), "content": each.text},
            "logprobs": each.logprobs,
            "finish_reason": each.finish_reason,
        }
        for each in choices
    ]
    return {**head, "object": "chat.completion.chunk", "choices": found, **more}


# How likely each token was ------------------------------------------------------------------------------


def completion_logprobs(
    tokenizer: Tokenizer, scored: Sequence[Scored], offsets: Sequence[int]
) -> dict[str, list[Any]]:
    """The "logprobs" of a choice of `completion`: four lists, with an entry for each token.

    "tokens": its token_text. "token_logprobs": its logprob. "top_logprobs": a dict from the token_text of the likeliest
    tokens, and of the token itself, to their logprobs. "text_offset": where it begins in the text, as in `offsets`.
    The first token of a prompt has no logprob: both its entries are None.
    """
    texts = [token_text(bytes_of(tokenizer, each.token)) for each in scored]
    tops = [
        None
        if each.logprob is None
        else {
            **{token_text(bytes_of(tokenizer, token)): logprob for token, logprob in each.top},
            text: each.logprob,
        }
        for text, each in zip(texts, scored, strict=True)
    ]
    return {
        "tokens": texts,
        "token_logprobs": [each.logprob for each in scored],
        "top_logprobs": tops,
        "text_offset": list(offsets),
    }


def chat_logprobs(tokenizer: Tokenizer, scored: Sequence[Scored]) -> dict[str, Any]:
    """The "logprobs" of a choice of a chat: {"content": a dict for each token, "refusal": None}.

    The dict has "token", its token_text; "logprob"; "bytes", the list of its bytes; and "top_logprobs", a list with
    such a dict, but without top_logprobs, for each of the likeliest, most likely first.
    """

    def described(token: int, logprob: float | None) -> dict[str, Any]:
        raw = bytes_of(tokenizer, token)
        return {"token": token_text(raw), "logprob": logprob, "bytes": list(raw)}

    content = [
        described(each.token, each.logprob) | {"top_logprobs": [described(*other) for other in each.top]}
        for each in scored
    ]
    return {"content": content, "refusal": None}
