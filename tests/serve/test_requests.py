"""What is refused, and with which status; keys, other origins, the log, the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dojo.spec.server import Beside
from tests.serve.serving import FOREVER, bundle, metric, serving

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with serving(body_bytes=5_000, prompt_tokens=100, choices=4, max_tokens=50) as running:
        yield running


MESSAGES = [{"role": "user", "content": "a"}]
REFUSED: list[tuple[str, dict[str, Any], str | None]] = [
    (COMPLETIONS, {}, "prompt"),
    (COMPLETIONS, {"prompt": 5}, "prompt"),
    (COMPLETIONS, {"prompt": []}, "prompt"),
    (COMPLETIONS, {"prompt": ""}, "prompt"),
    (COMPLETIONS, {"prompt": ["a", ""]}, "prompt"),
    (COMPLETIONS, {"prompt": ["a", 3]}, "prompt"),
    (COMPLETIONS, {"prompt": [[1], []]}, "prompt"),
    (COMPLETIONS, {"prompt": [True]}, "prompt"),
    (COMPLETIONS, {"prompt": [-1]}, "prompt"),
    (COMPLETIONS, {"prompt": [10**30]}, "prompt"),
    (COMPLETIONS, {"prompt": [270]}, "prompt"),
    (COMPLETIONS, {"prompt": "\ud800"}, "prompt"),
    (COMPLETIONS, {"prompt": "xy" * 200}, "prompt"),
    (COMPLETIONS, {"prompt": ["a"] * 5}, "n"),
    (COMPLETIONS, {"prompt": "a", "n": 5}, "n"),
    (COMPLETIONS, {"prompt": "a", "n": 0}, "n"),
    (COMPLETIONS, {"prompt": "a", "n": 1.5}, "n"),
    (COMPLETIONS, {"prompt": "a", "max_tokens": 51}, "max_tokens"),
    (COMPLETIONS, {"prompt": "a", "max_tokens": 0}, "max_tokens"),
    (COMPLETIONS, {"prompt": "a", "max_tokens": "5"}, "max_tokens"),
    (COMPLETIONS, {"prompt": "a", "temperature": -0.1}, "temperature"),
    (COMPLETIONS, {"prompt": "a", "temperature": 2.1}, "temperature"),
    (COMPLETIONS, {"prompt": "a", "temperature": float("nan")}, "temperature"),
    (COMPLETIONS, {"prompt": "a", "top_p": 0}, "top_p"),
    (COMPLETIONS, {"prompt": "a", "top_p": 1.1}, "top_p"),
    (COMPLETIONS, {"prompt": "a", "top_k": 0}, "top_k"),
    (COMPLETIONS, {"prompt": "a", "logprobs": 6}, "logprobs"),
    (COMPLETIONS, {"prompt": "a", "logprobs": True}, "logprobs"),
    (COMPLETIONS, {"prompt": "a", "stop": ["a"] * 5}, "stop"),
    (COMPLETIONS, {"prompt": "a", "stop": ""}, "stop"),
    (COMPLETIONS, {"prompt": "a", "stop": {"a": 1}}, "stop"),
    (COMPLETIONS, {"prompt": "a", "seed": "x"}, "seed"),
    (COMPLETIONS, {"prompt": "a", "stream": 1}, "stream"),
    (COMPLETIONS, {"prompt": "a", "stream_options": {"include_usage": True}}, "stream_options"),
    (COMPLETIONS, {"prompt": "a", "stream": True, "stream_options": {"x": True}}, "stream_options"),
    (COMPLETIONS, {"prompt": "a", "best_of": 2}, "best_of"),
    (COMPLETIONS, {"prompt": "a", "suffix": "b"}, "suffix"),
    (COMPLETIONS, {"prompt": "a", "logit_bias": {"5": 1}}, "logit_bias"),
    (COMPLETIONS, {"prompt": "a", "wings": 2}, "wings"),
    (COMPLETIONS, {"prompt": "a", "messages": MESSAGES}, "messages"),
    (CHAT, {}, "messages"),
    (CHAT, {"messages": []}, "messages"),
    (CHAT, {"messages": ["a"]}, "messages"),
    (CHAT, {"messages": [{"role": "robot", "content": "a"}]}, "messages"),
    (CHAT, {"messages": [{"role": "user"}]}, "messages"),
    (CHAT, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
    (CHAT, {"messages": MESSAGES, "top_logprobs": 2}, "top_logprobs"),
    (CHAT, {"messages": MESSAGES, "logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    (CHAT, {"messages": MESSAGES, "tools": [{"type": "function"}]}, "tools"),
    (CHAT, {"messages": MESSAGES, "response_format": {"type": "json_object"}}, "response_format"),
    (CHAT, {"messages": MESSAGES, "max_completion_tokens": 51}, "max_completion_tokens"),
    (CHAT, {"messages": MESSAGES, "echo": True}, "echo"),
]


def post(server: Beside, path: str, content: bytes | str, **headers: str) -> Any:
    return server.client.post(path, content=content, headers={"content-type": "application/json", **headers})


@pytest.mark.parametrize(("path", "body", "param"), REFUSED)
def test_a_bad_request_is_told_which_parameter(
    server: Beside, path: str, body: dict[str, Any], param: str
) -> None:
    answer = post(server, path, json.dumps(body))
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param), answer.text
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".") and len(error["message"]) < 300


NEUTRAL = {
    "frequency_penalty": 0,
    "presence_penalty": 0.0,
    "logit_bias": {},
    "best_of": 1,
    "suffix": None,
    "user": "somebody",
    "seed": None,
    "model": "gpt-3.5-turbo-instruct",
    "logprobs": None,
    "top_k": None,
    "stream_options": None,
}


def test_options_that_are_not_offered_pass_where_they_change_nothing(server: Beside) -> None:
    answer = server.post(COMPLETIONS, prompt="a", max_tokens=2, **NEUTRAL)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "random"
    chat = {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}, "metadata": {"a": "b"}}
    answer = server.post(CHAT, messages=MESSAGES, max_tokens=2, **chat)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", "null", '{"prompt": "a"} x', "[" * 2000, b"\xff\xfe", '{"a": NaN']
)
def test_a_body_that_is_no_json_object(server: Beside, content: bytes | str) -> None:
    answer = post(server, COMPLETIONS, content)
    assert answer.status_code == 400, answer.text
    assert "body" in answer.json()["error"]["message"]


def test_other_statuses(server: Beside) -> None:
    client = server.client
    for answer, status in (
        (client.get("/nothing"), 404),
        (client.get("/v1/models/other"), 404),
        (client.post("/nothing", json={}), 404),
        (client.get("/../../etc/passwd"), 404),
        (client.get("/v1/completions"), 405),
        (client.delete("/"), 405),
        (client.post(COMPLETIONS, content="prompt=a"), 415),
        (client.post(COMPLETIONS, data={"prompt": "a"}), 415),
        (post(server, COMPLETIONS, json.dumps({"prompt": "a" * 6_000})), 413),
        (
            client.post(
                COMPLETIONS, content=iter([b" "] * 6_000), headers={"content-type": "application/json"}
            ),
            413,
        ),
    ):
        assert answer.status_code == status, (answer.request.url, answer.text)
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"]
    assert server.client.get("/health").json() == {"status": "ok"}


def test_each_request_has_an_id_and_one_line_in_the_log_without_its_prompt(server: Beside) -> None:
    answer = post(
        server, COMPLETIONS, '{"prompt": "a secret", "max_tokens": 3}', **{"x-request-id": "mine-1"}
    )
    assert answer.headers["x-request-id"] == "mine-1"
    server.until(lambda: any(line.get("id") == "mine-1" for line in server.log()))
    (line,) = [line for line in server.log() if line.get("id") == "mine-1"]
    assert (line["path"], line["status"], line["tokens"]) == (COMPLETIONS, 200, 3)
    assert 0 < line["first_token"] <= line["seconds"]
    assert "secret" not in json.dumps(server.log())
    answer = post(server, COMPLETIONS, "{}", **{"x-request-id": "a b" + "c" * 200})
    assert " " not in answer.headers["x-request-id"]


def test_the_metrics(server: Beside) -> None:
    before = metric(server, "tinytorch_tokens_total")
    assert server.post(COMPLETIONS, prompt=[5, 6, 7], max_tokens=4).status_code == 200
    assert metric(server, "tinytorch_tokens_total") == before + 7
    text = server.get("/metrics").text
    for name in (
        'requests_total{path="/v1/completions",status="200"}',
        "time_to_first_token_seconds_count",
        "time_between_tokens_seconds_sum",
        "loop_lateness_seconds_bucket",
        "requests_waiting",
        "rows_active",
    ):
        assert f"tinytorch_{name}" in text
    assert "_created" not in text


def test_the_page_may_load_nothing_from_elsewhere(server: Beside) -> None:
    answer = server.client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "http:" not in policy and "https:" not in policy and "*" not in policy


def test_without_cors_no_other_origin_is_named(server: Beside) -> None:
    answer = server.client.get("/v1/models", headers={"origin": "https://example.org"})
    assert "access-control-allow-origin" not in answer.headers


def test_cors_for_those_who_were_asked_for(tmp_path: Path) -> None:
    with serving(cors="https://example.org, https://example.com") as server:
        for origin, allowed in (("https://example.com", True), ("https://example.net", False)):
            answer = server.client.get("/v1/models", headers={"origin": origin})
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
        asked = {
            "origin": "https://example.org",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        assert server.client.options(COMPLETIONS, headers=asked).status_code == 200


def test_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# the old one\nold-key\n\n  new-key  \n", encoding="utf-8")
    with serving(api_keys=str(file)) as server:
        for header, status in (
            ({}, 401),
            ({"authorization": "Bearer wrong"}, 401),
            ({"authorization": "Bearer"}, 401),
            ({"authorization": "old-key"}, 401),
            ({"authorization": "Basic old-key"}, 401),
            ({"authorization": "Bearer # the old one"}, 401),
            ({"authorization": "Bearer old-key"}, 200),
            ({"authorization": "bearer new-key"}, 200),
        ):
            for path in ("/v1/models", "/v1/models/random"):
                assert server.client.get(path, headers=header).status_code == status, header
        for path in (COMPLETIONS, CHAT, "/api/attention"):
            answer = server.client.post(path, json={"prompt": "a"})
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/", "/health", "/ready", "/metrics"):
            assert server.client.get(path).status_code == 200


def test_a_text_that_takes_too_long_ends(tmp_path: Path) -> None:
    with serving(total_seconds=0.3) as server:
        whole = server.client.post(COMPLETIONS, json={"prompt": "a", "max_tokens": FOREVER})
        assert (whole.status_code, whole.json()["error"]["code"]) == (503, "timeout")
        streamed = server.client.post(
            COMPLETIONS, json={"prompt": "a", "max_tokens": FOREVER, "stream": True}
        )
        *_, last = [line for line in streamed.text.splitlines() if line]
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "timeout"


def test_a_long_text_goes_on_beyond_the_context(server: Beside) -> None:
    most = bundle().model.config.block_size
    answer = server.post(COMPLETIONS, prompt=[5] * (most + 10), max_tokens=20)
    assert answer.json()["usage"]["completion_tokens"] == 20
