"""What a client asks for: the body of a request, read strictly, so that nothing is ignored in silence."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from dojo.serve.errors import ApiError
from dojo.serve.settings import Settings
from tinytorch.capstone import CHAT_STOP, render_chat

D = TypeVar("D")
STOPS, TEMPERATURE, LIKELIEST, LIKELIEST_OF_CHAT = 4, 2.0, 5, 20  # the most, as OpenAI has them
COMPLETION_TOKENS = 16  # OpenAI's default of max_tokens for a completion

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "best_of": (1,),
    "suffix": ("",),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "store": (False,),
    "service_tier": ("auto", "default"),
}
"""Options that this server does not offer, and the values at which they change nothing. None is one for all."""

UNHEEDED = {"user", "metadata", "safety_identifier", "prompt_cache_key"}
"""Options that change no answer anywhere."""


@dataclass(frozen=True)
class Ask:
    """A request that can be served, but for what only the tokenizer knows."""

    chat: bool
    prompts: list[str] | list[list[int]]
    n: int
    max_tokens: int
    temperature: float
    top_p: float | None
    top_k: int | None
    stop: tuple[str, ...]
    seed: int | None
    stream: bool
    include_usage: bool
    logprobs: int | None
    """How many of the likeliest tokens are named beside each; None: no logprobs at all."""
    echo: bool


# The body -----------------------------------------------------------------------------------------------


async def body_of(request: Request, most: int) -> dict[str, Any]:
    """The JSON object in the body of a request, of at most so many bytes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, f"The body has to be application/json, and it is {kind or 'of no type'}.")
    too_long = ApiError(413, f"The body is longer than {most} bytes.")
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > most:
        raise too_long
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            raise too_long
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The body is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise ApiError(400, f"The body has to be a JSON object, and it is {_kind(body)}.")
    return body


class Options:
    """The options of a body. Each is taken once, and what is left over at the end is refused."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.left = {name: value for name, value in body.items() if value is not None}

    def take(self, name: str) -> Any:
        return self.left.pop(name, None)

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise _refused(name, "true or false", value)
        return bool(value)

    def whole(self, name: str, default: D, least: int, most: float = math.inf) -> int | D:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            upto = f" to {most}" if most < math.inf else " on"
            raise _refused(name, f"a whole number from {least}{upto}", value)
        return value

    def number(self, name: str, default: D, least: float, most: float) -> float | D:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise _refused(name, f"a number from {least:g} to {most:g}", value)
        return float(value)

    def finish(self) -> None:
        """Refuse what is left: an option that is not offered, but at its neutral value, or one that is unknown."""
        for name, value in self.left.items():
            if name in UNHEEDED or value in NEUTRAL.get(name, ()):
                continue
            if name in NEUTRAL:
                raise ApiError(400, f"{name} is not offered here: leave it out.", name, "unsupported_value")
            raise ApiError(400, f"There is no option {name!r}.", name, "unknown_parameter")


# A request ----------------------------------------------------------------------------------------------


def ask_of(body: Mapping[str, Any], chat: bool, settings: Settings) -> Ask:
    """The request in a body of /v1/completions or, if `chat`, of /v1/chat/completions."""
    options = Options(body)
    options.take("model")  # any name is served, and the answer says the real one
    if chat:
        prompts: list[Any] = [conversation(options.take("messages"))]
        echo, logprobs = False, _logprobs_of_chat(options)
    else:
        prompts = prompts_of(options.take("prompt"))
        echo, logprobs = options.flag("echo"), options.whole("logprobs", None, 0, LIKELIEST)
    stream = options.flag("stream")
    include_usage = _include_usage(options, stream)
    n = options.whole("n", 1, 1, settings.choices)
    if n * len(prompts) > settings.choices:
        raise ApiError(
            400, f"{len(prompts)} prompts times n = {n} are more than {settings.choices} texts.", "n"
        )
    ask = Ask(
        chat=chat,
        prompts=prompts,
        n=n,
        max_tokens=_max_tokens(options, settings.max_tokens, chat, echo),
        temperature=options.number("temperature", 1.0, 0, TEMPERATURE),
        top_p=_top_p(options),
        top_k=options.whole("top_k", None, 1),
        stop=stops_of(options.take("stop")) + (tuple(CHAT_STOP) if chat else ()),
        seed=options.whole("seed", None, -(2**63), 2**63 - 1),
        stream=stream,
        include_usage=include_usage,
        logprobs=logprobs,
        echo=echo,
    )
    options.finish()
    return ask


def prompts_of(prompt: Any) -> list[Any]:
    """The prompts, each a text or a list of ids: one text, a list of texts, one list of ids, or a list of those."""
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, list) and prompt:
        if all(_is_id(each) for each in prompt):
            return [prompt]
        if all(isinstance(each, str) for each in prompt):
            return prompt
        if all(isinstance(each, list) and each and all(map(_is_id, each)) for each in prompt):
            return prompt
    raise _refused("prompt", "a text, a list of texts, a list of token ids, or a list of such lists", prompt)


def conversation(messages: Any) -> str:
    """The messages of a chat as the text that the model goes on with."""
    if not isinstance(messages, list):
        raise _refused("messages", "a list of messages", messages)
    try:
        return render_chat(messages)
    except ValueError as error:
        raise ApiError(400, f"{error}.", "messages") from None


def stops_of(stop: Any) -> tuple[str, ...]:
    """The texts at which writing stops: one, or a list of them."""
    stops = [stop] if isinstance(stop, str) else [] if stop is None else stop
    if not isinstance(stops, list) or len(stops) > STOPS or not all(isinstance(s, str) and s for s in stops):
        raise _refused("stop", f"a text, or a list of at most {STOPS} texts, none of them empty", stop)
    return tuple(stops)


def _logprobs_of_chat(options: Options) -> int | None:
    wanted, likeliest = options.flag("logprobs"), options.whole("top_logprobs", None, 0, LIKELIEST_OF_CHAT)
    if likeliest and not wanted:
        raise ApiError(400, "top_logprobs needs logprobs to be true.", "top_logprobs")
    return (likeliest or 0) if wanted else None


def _include_usage(options: Options, stream: bool) -> bool:
    given = options.take("stream_options")
    if given is None:
        return False
    if not stream:
        raise ApiError(400, "stream_options needs stream to be true.", "stream_options")
    known = {"include_usage", "include_obfuscation"}
    if (
        not isinstance(given, dict)
        or not set(given) <= known
        or not all(isinstance(v, bool) for v in given.values())
    ):
        raise _refused("stream_options", 'an object such as {"include_usage": true}', given)
    return bool(given.get("include_usage"))


def _max_tokens(options: Options, most: int, chat: bool, echo: bool) -> int:
    default = most if chat else min(COMPLETION_TOKENS, most)
    least = 0 if echo else 1  # to be told the logprobs of a text, nothing need be written
    old = options.whole("max_tokens", None, least, most)
    new = options.whole("max_completion_tokens", old, least, most) if chat else old
    return default if new is None else new


def _top_p(options: Options) -> float | None:
    top_p = options.number("top_p", None, 0, 1)
    if top_p == 0:
        raise _refused("top_p", "a number above 0 and up to 1", 0)
    return top_p


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _refused(name: str, expected: str, value: Any) -> ApiError:
    shown = repr(value) if isinstance(value, int | float) and len(repr(value)) < 40 else _kind(value)
    return ApiError(400, f"{name} has to be {expected}, and it is {shown}.", name, "invalid_value")
