"""A deployed system: your model, in your engine, behind a real server, in a process of its own.

The model is that in .dojo/bundle, as `make serve` serves it; without one it is made first. DATA= may name another.

The verdict: what is streamed at temperature 0, alone and in a crowd, is what the model says, token by token, as the
dojo computes it from the model's logits, without your cache or engine; and a crowd of readers gets more done in a CPU
second than one reader. What is measured is the CPU time of the server, with HTTP and without it, on prompts that it has
not seen before, and the texts that were measured are compared, too.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import httpx
import numpy as np

from dojo.bootstrap import ENTRY
from dojo.serve import bundles
from dojo.serve.settings import END
from dojo.student import verdicts
from dojo.tree import overlay
from tinytorch.caching import Request
from tinytorch.capstone import Engine, Job, load_bundle, save_bundle
from tinytorch.tensor import Tensor
from tinytorch.training import evaluating

READERS = 1, 8, 32
ROUNDS = 3  # measurements of each number of readers
TEXTS = 8  # that are read in each of them, at least
PROMPT, TOKENS = 16, 96  # of each text
PROMPTS = "def ", "import ", "class ", "return "
COMPARED = 32  # tokens after each of these
NEAR = 1e-4  # two logits as near as this are equal: sums in another order may tell the other one
GAIN = 1.75  # times the tokens in a CPU second, for eight readers


@contextmanager
def server(folder):
    """Start `make serve` on the bundle, and give its address."""
    implementation = f"--impl={overlay.installed().tree}"
    options = ["--port=0", f"--bundle={folder}", "--rows=32", implementation]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", ENTRY, "serve", *options], stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            line = process.stdout.readline()
            if not line:
                process.wait()
                log.seek(0)
                raise verdicts.Refused(f"The server did not begin. It said: {log.read()[-1000:]}")
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


# What the model says ------------------------------------------------------------------------------------


def answers(bundle):
    """A function that gives the model's logits for ids (B, T)."""

    def ask(ids):
        with evaluating(bundle.model):
            return np.asarray(bundle.model(Tensor(ids)).data)

    return ask


def written_by_logits(bundle, ids, count):
    """What the model says after the ids, up to an end token; and how far the second likeliest was behind each time."""
    end = getattr(bundle.tokenizer, "special_tokens", {}).get(END)
    tokens, margins = [], []
    while len(tokens) < count:
        logits = answers(bundle)(np.asarray([[*ids, *tokens]]))[0, -1]
        second, first = np.sort(logits)[-2:]
        margins.append(float(first - second))
        if (likeliest := int(logits.argmax())) == end:
            break
        tokens.append(likeliest)
    return tokens, margins


def check(bundle, prompt, found, where, count=COMPARED):
    """Refuse a streamed text that is not what the model says after a prompt, a text or ids."""
    ids = bundle.tokenizer.encode(prompt) if isinstance(prompt, str) else prompt
    tokens, margins = written_by_logits(bundle, ids, count)
    if found == bundle.tokenizer.decode(tokens):
        return
    place = 0
    while place < len(tokens) and found.startswith(
        bundle.tokenizer.decode(tokens[: place + 1]).rstrip("\ufffd")
    ):
        place += 1
    if place == len(margins) or margins[place] > NEAR:  # from a tie on, both are right
        raise verdicts.Refused(
            f"After {prompt!r} the model says {bundle.tokenizer.decode(tokens)!r}, and {where} the server has "
            f"streamed {found!r}: they differ at token {place}."
        )


# What is streamed ---------------------------------------------------------------------------------------


class Streamed(NamedTuple):
    text: str
    tokens: int
    first: float
    """Seconds until the first of them."""


def streamed(client, prompt, tokens, **options):
    """A streamed answer. It is refused if the server counts other tokens than it has sent."""
    body = {"prompt": prompt, "max_tokens": tokens, "stream": True, "stream_options": {"include_usage": True}}
    began, times, parts = time.monotonic(), [], []
    with client.stream("POST", "/v1/completions", json=body | options) as answer:
        if answer.status_code != 200:
            raise verdicts.Refused(f"The server does not take {prompt!r}: {answer.read().decode()}")
        for part in answer.iter_raw():
            times.append(time.monotonic() - began)
            parts.append(part)
    pieces, counted = [], None
    for line in b"".join(parts).splitlines():
        if line.startswith(b"data: {"):
            chunk = json.loads(line.removeprefix(b"data: "))
            if "error" in chunk:
                raise verdicts.Refused(
                    f"In the middle of a text the server said: {chunk['error']['message']}"
                )
            pieces += [each["text"] for each in chunk["choices"]]
            counted = (chunk.get("usage") or {}).get("completion_tokens", counted)
    if counted != len(pieces):
        raise verdicts.Refused(
            f"After {prompt!r} the server has sent {len(pieces)} tokens, and it says that it has written {counted}."
        )
    return Streamed("".join(pieces), len(pieces), times[0])


def cpu_seconds(client):
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("tinytorch_cpu_seconds "))


def new_prompts(vocabulary, readers):
    """Prompts for so many readers at once: ids, drawn afresh, so that nobody has seen them."""
    return np.random.default_rng().integers(0, vocabulary, (max(readers, TEXTS), PROMPT)).tolist()


def through_http(client, prompts, readers, tokens):
    """Tokens in a CPU second of the server, and the texts, each streamed to one of so many readers at once."""
    with ThreadPoolExecutor(readers) as crowd:
        before = cpu_seconds(client)
        texts = list(crowd.map(lambda ids: streamed(client, ids, tokens, temperature=0), prompts))
        spent = cpu_seconds(client) - before
    return sum(each.tokens for each in texts) / spent, texts


def by_the_engine(model, prompts, readers, tokens):
    """Tokens in a CPU second of the engine alone, for so many readers at once."""
    engine = Engine(model, readers)
    requests = [Request(ids, tokens, temperature=0) for ids in prompts]
    for each in requests:
        engine.submit(Job([each]))
    began = time.process_time()
    while engine.busy:
        engine.step()
    return sum(len(each.written) for each in requests) / (time.process_time() - began)


# The verdict --------------------------------------------------------------------------------------------


def main(report):
    """Serve the bundle, compare what is streamed, and measure."""
    folder = report.data or bundles.HOME
    if not folder.exists():
        report.say("There is no bundle yet, so one is made first.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_bundle(bundles.make(report.say), folder)
    bundle = load_bundle(folder)
    report.on = bundle.card["name"]
    config = bundle.model.config
    tokens = min(TOKENS, config.block_size - PROMPT)
    verdicts.causal(answers(bundle), np.asarray(new_prompts(config.vocab_size, 1)), config.vocab_size)
    with server(folder) as address, httpx.Client(base_url=address, timeout=120, trust_env=False) as client:
        report.say(
            f"{report.on} is served at {address}, in another process. It writes after {PROMPTS[0]!r}:\n"
        )
        report.say(PROMPTS[0] + streamed(client, PROMPTS[0], 200, temperature=0.8, seed=0).text + "\n")

        def greedy(prompt):
            return streamed(client, prompt, COMPARED, temperature=0).text

        for prompt in PROMPTS:
            check(bundle, prompt, greedy(prompt), "alone")
        with ThreadPoolExecutor(8 * len(PROMPTS)) as crowd:
            for prompt, found in zip(PROMPTS * 8, crowd.map(greedy, PROMPTS * 8), strict=True):
                check(bundle, prompt, found, "in a crowd")
        report.say(
            f"What is streamed is what the model says: {len(PROMPTS)} texts alone, {8 * len(PROMPTS)} at once."
        )

        through = {}
        for readers in READERS:
            alone, rates = [], []
            for _ in range(ROUNDS):  # in turns, so that a busy machine disturbs both alike
                prompts = new_prompts(config.vocab_size, readers)
                alone.append(by_the_engine(bundle.model, prompts, readers, tokens))
                rate, texts = through_http(client, prompts, readers, tokens)
                rates.append(rate)
            prompt, found = random.choice(list(zip(prompts, texts, strict=True)))
            check(bundle, prompt, found.text, f"to {readers} readers", tokens)
            through[readers] = max(rates)
            report.say(
                f"{readers:3} readers: {max(rates):6,.0f} tokens in a CPU second through HTTP, "
                f"{max(rates) / max(alone):.2f} of the engine's own {max(alone):,.0f}; "
                f"the first token after {1000 * max(each.first for each in texts):.0f} ms"
            )
    gain = through[8] / through[1]
    return report.verdict(
        gain >= GAIN,
        f"eight readers get {gain:.1f} times as many tokens out of a CPU second as one ({GAIN:g} is the mark), "
        f"{through[8]:,.0f} through HTTP, and each reads what the model says",
    )
