"""The real server and many clients: those who wait, those who leave, and what they are told when it ends."""

import asyncio
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from dojo.spec import assert_equal
from dojo.spec.server import beside
from tinytorch.capstone import Bundle
from tinytorch.setup import manual_seed
from tinytorch.tokenization import CharTokenizer
from tinytorch.transformers import GPT, GPTConfig

CHARACTERS = "abcdefghijklmnopqrstuvwxyzSystemUserAssistant:?\n "
LONG = 100_000  # tokens: nobody waits for the end of it


class Breakable(GPT):
    """A GPT that breaks when `poison` is read."""

    poison = None

    def forward(self, ids, cache=None):
        if self.poison is not None and (ids.data == self.poison).any():
            raise RuntimeError("the model is broken")
        return super().forward(ids, cache)


def bundle(poison=None):
    manual_seed(5)
    tokenizer = CharTokenizer.train(CHARACTERS)
    model = Breakable(GPTConfig(tokenizer.vocab_size, block_size=32, n_layer=1, n_head=2, n_embd=8))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data *= 20
    if poison:
        (model.poison,) = tokenizer.encode(poison)
    return Bundle(model.eval(), tokenizer, {"name": "random"})


def serving(poison=None, **settings):
    from dojo.serve.server import serve
    from dojo.serve.settings import Settings

    settings = Settings(port=0, max_tokens=LONG, **settings)
    return beside(lambda started: asyncio.run(serve(bundle(poison), settings, started)))


@pytest.fixture(scope="module")
def server():
    """One row, and one place to wait."""
    with serving(rows=1, queue=1) as running:
        yield running


def gauge(server, name):
    """The value of a metric."""
    lines = server.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"tinytorch_{name} "))


def test_a_crowd_gets_what_each_gets_alone():
    """Twelve clients at once for four rows: each gets the text that it gets when nobody else is there."""
    with serving(rows=4) as server:
        prompts = ["abcdefghijkl"[: 1 + i] for i in range(12)]

        def text(prompt):
            answer = server.post("/v1/completions", prompt=prompt, max_tokens=30, temperature=0)
            return answer.json()["choices"][0]["text"]

        with ThreadPoolExecutor(12) as crowd:
            together = list(crowd.map(text, prompts))
        assert_equal(together, [text(prompt) for prompt in prompts], "the texts")


def test_a_client_that_leaves_frees_its_row(server):
    """When a client closes its stream, its row is free for the next one, long before its text would have ended."""
    with server.streaming("/v1/completions", prompt="a", max_tokens=LONG) as chunks:
        next(chunks)
        assert_equal(gauge(server, "rows_active"), 1, "the rows in use")
    server.until(lambda: gauge(server, "rows_active") == 0)
    assert_equal(
        server.post("/v1/completions", prompt="b", max_tokens=3).status_code, 200, "the status of the next"
    )


def test_a_full_queue_is_told_at_once(server):
    """With a row in use and the queue full, one more request gets 429 and a Retry-After of a second or more."""
    with server.streaming("/v1/completions", prompt="a", max_tokens=LONG) as chunks:
        next(chunks)
        with server.streaming("/v1/completions", prompt="b", max_tokens=5):
            server.until(lambda: gauge(server, "requests_waiting") == 1)
            answer = server.post("/v1/completions", prompt="c", max_tokens=5)
            assert_equal(answer.status_code, 429, "the status")
            assert int(answer.headers["retry-after"]) >= 1, answer.headers["retry-after"]
    server.until(lambda: gauge(server, "rows_active") == 0)


def test_a_client_that_leaves_the_queue_is_forgotten(server):
    """A client that leaves while it waits costs nothing: its place in the queue is free."""
    with server.streaming("/v1/completions", prompt="a", max_tokens=LONG) as chunks:
        next(chunks)
        with server.streaming("/v1/completions", prompt="b", max_tokens=5):
            server.until(lambda: gauge(server, "requests_waiting") == 1)
        server.until(lambda: gauge(server, "requests_waiting") == 0)
    server.until(lambda: gauge(server, "rows_active") == 0)


def test_many_choices_do_not_shut_out_the_others():
    """While another request waits, one request gets at most half of the rows: here two of four, for eight choices."""
    with serving(rows=4) as server, ExitStack() as stack:
        with server.streaming("/v1/completions", prompt="a", n=4, max_tokens=LONG) as chunks:
            next(chunks)
            stack.enter_context(server.streaming("/v1/completions", prompt="b", n=8, max_tokens=LONG))
            late = stack.enter_context(server.streaming("/v1/completions", prompt="c", max_tokens=5))
            server.until(lambda: gauge(server, "requests_waiting") == 2)
        assert_equal(len(list(late)), 5, "the number of chunks of the one that came last")


def test_the_end_is_orderly():
    """After SIGTERM a text that has begun is finished, a new request gets 503, and the process ends with status 0."""
    with serving(rows=1) as server:
        with server.streaming("/v1/completions", prompt="a", max_tokens=600) as chunks:
            next(chunks)
            os.kill(server.child.pid, signal.SIGTERM)
            server.until(lambda: server.get("/ready").status_code == 503)
            assert_equal(
                server.post("/v1/completions", prompt="b").status_code, 503, "the status of a new one"
            )
            assert_equal(len(list(chunks)), 599, "the number of chunks after the first")
        assert_equal(server.status(), 0, "the exit status")


def test_a_dead_engine_is_told_to_everybody():
    """If your model raises, every open request gets an error, /health says 500, and the exit status is not 0."""
    with serving(poison="z", rows=2) as server:
        options = {"prompt": "a", "max_tokens": LONG, "stream": True}
        with server.client.stream("POST", "/v1/completions", json=options) as stream:
            lines = (line for line in stream.iter_lines() if line)
            next(lines)
            broken = server.client.post("/v1/completions", json={"prompt": "az"})
            assert_equal(broken.status_code, 503, "the status of the one that broke it")
            assert_equal(server.client.get("/health").status_code, 500, "the status of /health")
            *_, last = lines
        assert_equal(
            json.loads(last.removeprefix("data: "))["error"]["code"], "error", "the code of the last event"
        )
        assert server.status() != 0
