"""POST /api/attention: the numbers that the page draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dojo.spec.server import Beside
from tests.serve.serving import FOREVER, bundle, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with serving() as server:
        yield server


def looked_at(server: Beside, **body: Any) -> dict[str, Any]:
    answer = server.post("/api/attention", **body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def by_hand(ids: list[int]) -> Any:
    """The attention of the last token in the first layer, with NumPy alone."""
    model = bundle().model
    state = {name: each.data.astype(np.float64) for name, each in model.state_dict().items()}
    x = state["wte.weight"][ids] + state["wpe.weight"][: len(ids)]
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    x = x * state["h.0.ln_1.weight"] + state["h.0.ln_1.bias"]
    q, k = (x @ state[f"h.0.attn.{p}_proj.weight"].T + state[f"h.0.attn.{p}_proj.bias"] for p in "qk")
    rows = []
    for head in range(model.config.n_head):
        part = slice(head * 8, head * 8 + 8)
        scores = k[:, part] @ q[-1, part] / np.sqrt(8)
        rows.append(np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum())
    return np.array(rows)


def test_it_is_what_the_heads_of_a_layer_do(server: Beside) -> None:
    found = looked_at(server, prompt="def hello(name)", layer=0)
    ids = bundle().tokenizer.encode("def hello(name)")
    np.testing.assert_allclose(found["heads"], by_hand(ids), atol=1e-4)
    assert "".join(found["tokens"]) == "def hello(name)"
    assert (found["layer"], found["layers"]) == (0, 2)


def test_the_last_layer_comes_by_itself(server: Beside) -> None:
    found = looked_at(server, prompt="def hello(name)")
    assert found["layer"] == 1
    np.testing.assert_allclose(np.sum(found["heads"], -1), 1, atol=1e-3)
    assert found["heads"] != looked_at(server, prompt="def hello(name)", layer=0)["heads"]


def test_of_a_long_text_the_last_tokens_count(server: Beside) -> None:
    text = "def hello(name): " * 30
    found = looked_at(server, prompt=text)
    assert len(found["tokens"]) == 64 == len(found["heads"][0])
    assert text.endswith("".join(found["tokens"]))


def test_it_is_answered_while_others_are_served(server: Beside) -> None:
    with server.streaming("/v1/completions", prompt="def ", max_tokens=FOREVER) as chunks:
        next(chunks)
        assert looked_at(server, prompt="def ")["tokens"]
        next(chunks)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "a", "layer": 2}, "layer"),
        ({"prompt": "a", "layer": "0"}, "layer"),
        ({"prompt": "a", "head": 0}, "head"),
    ],
)
def test_anything_else_is_refused(server: Beside, body: dict[str, Any], param: str) -> None:
    answer = server.post("/api/attention", **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
