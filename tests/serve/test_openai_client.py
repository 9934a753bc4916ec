"""The real client of OpenAI's, which knows nothing of us but the address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dojo.spec.server import Beside
from tests import needs
from tests.serve.serving import FOREVER, TEXT, bundle, metric, offline, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with serving(rows=2, queue=1) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Beside) -> Iterator[Any]:
    needs.module("openai")
    import httpx
    from openai import OpenAI

    plain = httpx.Client(trust_env=False)
    with OpenAI(
        base_url=f"{server.address}/v1", api_key="any", max_retries=0, timeout=10, http_client=plain
    ) as found:
        yield found


def test_models(client: Any) -> None:
    assert [each.id for each in client.models.list()] == ["random"]
    assert client.models.retrieve("random").owned_by == "tinytorch"


def test_a_completion(client: Any) -> None:
    answer = client.completions.create(model="any", prompt="def ", max_tokens=12, temperature=0)
    assert answer.model == "random"
    assert answer.choices[0].text == offline("def ", 12)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 12


def test_a_streamed_completion(client: Any) -> None:
    chunks = list(
        client.completions.create(model="", prompt="def ", max_tokens=40, temperature=0, stream=True)
    )
    assert "".join(each.choices[0].text for each in chunks) == offline("def ", 40)


def test_a_list_of_prompts_and_choices(client: Any) -> None:
    prompts = ["def ", "return"]
    answer = client.completions.create(model="", prompt=prompts, n=2, max_tokens=8, temperature=0)
    expected = [offline(each, 8) for each in prompts for _ in range(2)]
    assert [each.index for each in answer.choices] == [0, 1, 2, 3]
    assert [each.text for each in answer.choices] == expected


def test_prompts_as_ids(client: Any) -> None:
    ids = bundle().tokenizer.encode("def ")
    for prompt in (ids, [ids]):
        answer = client.completions.create(model="", prompt=prompt, max_tokens=8, temperature=0)
        assert answer.choices[0].text == offline("def ", 8)


def test_logprobs_and_echo(client: Any) -> None:
    answer = client.completions.create(
        model="", prompt="hello", max_tokens=5, temperature=0, logprobs=3, echo=True
    )
    choice = answer.choices[0]
    read = len(bundle().tokenizer.encode("hello"))
    assert choice.text == "hello" + offline("hello", 5)
    assert choice.logprobs.token_logprobs[0] is None
    assert len(choice.logprobs.tokens) == len(choice.logprobs.text_offset) == read + 5
    assert all(each < 0 for each in choice.logprobs.token_logprobs[1:])
    assert choice.logprobs.text_offset[read] == len("hello")


def test_only_echo(client: Any) -> None:
    """How language models are measured: the logprobs of a text, and nothing written."""
    answer = client.completions.create(model="", prompt="hello", max_tokens=0, logprobs=0, echo=True)
    assert answer.choices[0].text == "hello"
    assert answer.usage.completion_tokens == 0


def test_a_chat(client: Any) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]
    answer = client.chat.completions.create(
        model="", messages=messages, max_completion_tokens=8, temperature=0
    )
    assert answer.choices[0].message.content == offline("User:\nhello\n\nAssistant:\n", 8)
    assert answer.choices[0].message.role == "assistant"


def test_a_streamed_chat_with_logprobs_and_usage(client: Any) -> None:
    chunks = list(
        client.chat.completions.create(
            model="",
            messages=[{"role": "user", "content": "hello"}],
            max_tokens=8,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            logprobs=True,
            top_logprobs=7,
        )
    )
    *pieces, last = chunks
    text = "".join(each.choices[0].delta.content for each in pieces)
    assert text == offline("User:\nhello\n\nAssistant:\n", 8)
    assert pieces[0].choices[0].delta.role == "assistant"
    assert last.usage.completion_tokens == 8
    scored = [token for each in pieces for token in each.choices[0].logprobs.content]
    assert len(scored) == 8
    assert all(
        len(each.top_logprobs) == 7 and each.logprob == each.top_logprobs[0].logprob for each in scored
    )
    raw = b"".join(bytes(each.bytes) for each in scored)
    assert raw.decode(errors="replace") == text


def test_a_wrong_option_is_a_bad_request_that_names_it(client: Any) -> None:
    import openai

    with pytest.raises(openai.BadRequestError) as told:
        client.completions.create(model="", prompt="a", presence_penalty=1)
    assert told.value.param == "presence_penalty"


def test_too_many_is_a_rate_limit_error_that_says_when_to_come_back(server: Beside, client: Any) -> None:
    import openai

    def forever() -> Any:
        return client.completions.create(model="", prompt=TEXT, n=2, max_tokens=FOREVER, stream=True)

    with forever() as first:
        next(iter(first))  # it runs: until then it would be the one that may wait
        with forever():
            server.until(lambda: metric(server, "tinytorch_requests_waiting") == 1)
            with pytest.raises(openai.RateLimitError) as told:
                client.completions.create(model="", prompt="a")
            assert 1 <= int(told.value.response.headers["retry-after"]) <= 60
    server.until(lambda: metric(server, "tinytorch_rows_active") == 0)


def test_a_client_that_closes_its_stream_frees_the_row(server: Beside, client: Any) -> None:
    stream = client.completions.create(model="", prompt="a", max_tokens=FOREVER, stream=True)
    next(iter(stream))
    stream.close()
    server.until(lambda: metric(server, "tinytorch_rows_active") == 0)
