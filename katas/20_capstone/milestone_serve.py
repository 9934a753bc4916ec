"""A deployed system: your model, in your engine, behind a real server, in a process of its own.

The model is that in .dojo/bundle, as `make serve` serves it; without one it is made first. DATA= may name another.

The verdict: what is streamed at temperature 0, alone and in a crowd, is what the model says, token by token, as the
dojo computes it from the model's logits, without your cache or engine; and a crowd of readers gets more done in a CPU
second than one reader. What is measured is the CPU time of the server, with HTTP and without it.
"""

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np

from dojo.bootstrap import ENTRY
from dojo.serve import bundles
from dojo.student import verdicts
from dojo.tree import overlay
from tinytorch.caching import Request
from tinytorch.capstone import Engine, Job, load_bundle, save_bundle
from tinytorch.tensor import Tensor
from tinytorch.training import evaluating

READERS = (1, 8, 32)
TOKENS = 96  # for each reader
TEXTS = 4  # that are compared, of so many tokens:
COMPARED = 32
NEAR = 1e-4  # two logits as near as this are equal: sums in another order may tell the other one
GAIN = 2.0  # times the tokens in a CPU second, for eight readers


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


def written_by_logits(bundle, ids, count):
    """What the model says after the ids, by its logits alone; and for each token how far the next one was behind it."""
    ids, margins = list(ids), []
    for _ in range(count):
        with evaluating(bundle.model):
            logits = np.asarray(bundle.model(Tensor(np.asarray([ids]))).data)[0, -1]
        second, first = np.sort(logits)[-2:]
        ids.append(int(logits.argmax()))
        margins.append(float(first - second))
    return ids[-count:], margins


def streamed(client, prompt, tokens, **options):
    """The text of a streamed answer."""
    body = {"prompt": prompt, "max_tokens": tokens, "stream": True, **options}
    text = ""
    with client.stream("POST", "/v1/completions", json=body) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                chunk = json.loads(line.removeprefix("data: "))
                if "error" in chunk:
                    raise verdicts.Refused(
                        f"In the middle of a text the server said: {chunk['error']['message']}"
                    )
                text += chunk["choices"][0]["text"]
    return text


def check(bundle, prompt, found, where):
    """Refuse a streamed text that is not what the model says."""
    tokens, margins = written_by_logits(bundle, bundle.tokenizer.encode(prompt), COMPARED)
    if found == bundle.tokenizer.decode(tokens):
        return
    for place, margin in enumerate(margins):
        if not found.startswith(bundle.tokenizer.decode(tokens[: place + 1]).rstrip("\ufffd")):
            if margin > NEAR:
                raise verdicts.Refused(
                    f"After {prompt!r} the model says {bundle.tokenizer.decode(tokens)!r}, and {where} the server has "
                    f"streamed {found!r}: they differ at token {place}."
                )
            return  # from a tie on, both are right


def cpu_seconds(client):
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("tinytorch_cpu_seconds "))


def through_http(client, prompt, readers):
    """Tokens in a CPU second of the server, streamed to so many readers at once; and the longest wait for a first."""

    def read(number):
        body = {"prompt": prompt, "max_tokens": TOKENS, "seed": number, "stream": True}
        began, first = time.monotonic(), None
        with client.stream("POST", "/v1/completions", json=body) as answer:
            for _ in answer.iter_raw():
                first = first or time.monotonic() - began
        return first

    with ThreadPoolExecutor(readers) as crowd:
        before = cpu_seconds(client)
        first = max(crowd.map(read, range(readers)))
        spent = cpu_seconds(client) - before
    return readers * TOKENS / spent, first


def by_the_engine(bundle, ids, readers):
    """Tokens in a CPU second of the engine alone, for so many readers at once."""
    engine = Engine(bundle.model, readers)
    for number in range(readers):
        engine.submit(Job([Request(ids, TOKENS, generator=np.random.default_rng(number))]))
    began = time.process_time()
    while engine.busy:
        engine.step()
    return readers * TOKENS / (time.process_time() - began)


def main(report):
    """Serve the bundle, compare what is streamed, and measure."""
    folder = report.data or bundles.HOME
    if not folder.exists():
        report.say("There is no bundle yet, so one is made first.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_bundle(bundles.make(report.say), folder)
    bundle = load_bundle(folder)
    report.on = bundle.card["name"]
    prompts = ["def ", "import ", "class ", "return "][:TEXTS]
    with server(folder) as address, httpx.Client(base_url=address, timeout=120, trust_env=False) as client:
        report.say(
            f"{report.on} is served at {address}, in another process. It writes after {prompts[0]!r}:\n"
        )
        report.say(prompts[0] + streamed(client, prompts[0], 200, temperature=0.8, seed=0) + "\n")

        def greedy(prompt):
            return streamed(client, prompt, COMPARED, temperature=0)

        for prompt in prompts:
            check(bundle, prompt, greedy(prompt), "alone")
        with ThreadPoolExecutor(8 * len(prompts)) as crowd:
            for prompt, found in zip(prompts * 8, crowd.map(greedy, prompts * 8), strict=True):
                check(bundle, prompt, found, "in a crowd")
        report.say(
            f"What is streamed is what the model says: {len(prompts)} texts alone, {8 * len(prompts)} at once."
        )

        ids, through, alone = bundle.tokenizer.encode(prompts[0]), {}, {}
        for readers in READERS:
            by_the_engine(bundle, ids, readers)  # the first time is slower
            alone[readers] = by_the_engine(bundle, ids, readers)
            through[readers], first = through_http(client, prompts[0], readers)
            report.say(
                f"{readers:3} readers: {through[readers]:6,.0f} tokens in a CPU second through HTTP, "
                f"{through[readers] / alone[readers]:.2f} of the engine's own {alone[readers]:,.0f}; "
                f"the first token after {1000 * first:.0f} ms"
            )
    gain = through[8] / through[1]
    return report.verdict(
        gain >= GAIN,
        f"eight readers get {gain:.1f} times as many tokens out of a CPU second as one ({GAIN:g} is the mark), "
        f"{through[8]:,.0f} through HTTP, and each reads what the model says",
    )
