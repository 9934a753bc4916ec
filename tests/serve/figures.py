"""What the server costs beside the engine, and the engine beside PyTorch: measured by hand, in CPU time.

    .venv/bin/python tests/serve/figures.py

The model has the shape of kata 14's milestone, 4 layers and 128 features, and random weights. A reader asks for 200
tokens after a prompt of 16.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from dojo.bootstrap import pin_blas  # noqa: E402

pin_blas()  # as `make serve` does, and before NumPy is imported: two threads that wait cost CPU time, too

import numpy as np  # noqa: E402

from dojo.catalogue import KATAS  # noqa: E402

TOKENS, PROMPT, ROUNDS = 200, list(range(1, 17)), 5


def of_the_milestone() -> Any:
    """The milestone of the track, as a module: how it measures is how it is measured here."""
    path = KATAS[19].on("serve").milestone_script
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of_pytorch(bundle: Any, prompts: list[list[int]]) -> float:
    """Tokens in a CPU second of PyTorch, with the same weights, a cache, and all readers in one batch."""
    import torch

    from benchmarks.in_pytorch import GPT, Cache, generate

    torch.set_num_threads(1)
    config = bundle.model.config
    model = GPT(config)
    model.load_state_dict(
        {name: torch.tensor(np.asarray(t.data)) for name, t in bundle.model.state_dict().items()}
    )
    cache = Cache(config)
    shape = (config.n_layer, len(prompts), config.n_head, config.block_size, config.n_embd // config.n_head)
    cache.keys, cache.values = torch.zeros(shape), torch.zeros(shape)
    began = time.process_time()
    with torch.no_grad():
        generate(model, torch.tensor(prompts), TOKENS, cache)
    return len(prompts) * TOKENS / (time.process_time() - began)


def first_token(server: Any) -> float:
    """Seconds until the first token, on an idle server: the median of 30."""
    seconds = []
    for number in range(30):
        began = time.perf_counter()
        prompt = [number + 20, *PROMPT[1:]]  # one that was not read before
        body = {"prompt": prompt, "max_tokens": 1, "stream": True}
        with server.client.stream("POST", "/v1/completions", json=body) as answer:
            next(answer.iter_raw())
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def uncached(bundle: Any) -> float:
    """Seconds of an uncached forward of a prompt: the median of 30."""
    from tinytorch.tensor import tensor
    from tinytorch.training import evaluating

    seconds = []
    for _ in range(30):
        began = time.perf_counter()
        with evaluating(bundle.model):
            bundle.model(tensor([PROMPT]))
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def watched(run: Callable[[Callable[[str], None]], int], log: Path) -> Callable[[Callable[[str], None]], int]:
    """Serve as `run` does, and write at the end how much CPU time the longest callbacks of the loop took.

    What comes before the address is known, the start itself, keeps nobody waiting and is not counted.
    """
    longest: list[tuple[float, str]] = []
    original = asyncio.events.Handle._run

    def timed(handle: Any) -> None:
        began = time.thread_time()
        original(handle)
        spent = time.thread_time() - began
        if spent > 0.002:
            longest.append((spent, repr(handle)[:150]))

    def serve(started: Callable[[str], None]) -> int:
        def begin(address: str) -> None:
            asyncio.events.Handle._run = timed  # type: ignore[method-assign, assignment]
            started(address)

        try:
            return run(begin)
        finally:
            lines = [f"{1000 * spent:.1f} ms  {what}" for spent, what in sorted(longest, reverse=True)[:5]]
            log.write_text("\n".join([f"callbacks above 2 ms: {len(longest)}", *lines]), encoding="utf-8")

    return serve


def main() -> None:
    """Measure, and print."""
    import os
    import signal
    import tempfile

    from dojo.tree import overlay

    overlay.install(overlay.plan_for("solutions"))
    from dojo.serve.server import serve
    from dojo.serve.settings import Settings
    from dojo.spec.server import beside
    from tests.serve.load import _share_below
    from tests.serve.serving import bundle as make

    bundle = make(block_size=256, n_layer=4, n_head=4, n_embd=128, gain=6)
    settings = Settings(port=0, rows=32)
    log = Path(tempfile.mkdtemp()) / "callbacks"
    milestone = of_the_milestone()
    with beside(lambda started: asyncio.run(serve(bundle, settings, started))) as server:
        milestone.through_http(server.client, [PROMPT], 1, TOKENS)  # the first is slower
        print(
            f"first token after {1000 * first_token(server):.1f} ms; an uncached forward {1000 * uncached(bundle):.1f}"
        )
        for readers in milestone.READERS:
            found: dict[str, list[float]] = {"engine": [], "server": [], "PyTorch": []}
            for _ in range(ROUNDS):  # in turns, so that a busy machine disturbs all of them alike
                prompts = milestone.new_prompts(bundle.model.config.vocab_size, readers)
                found["engine"].append(milestone.by_the_engine(bundle.model, prompts, readers, TOKENS))
                found["server"].append(milestone.through_http(server.client, prompts, readers, TOKENS)[0])
                found["PyTorch"].append(of_pytorch(bundle, prompts[:readers]))
            middle = {name: statistics.median(each) for name, each in found.items()}
            shown = ", ".join(f"{name} {each:,.0f}" for name, each in middle.items())
            print(
                f"{readers:3} readers, tokens in a CPU second: {shown}; share {middle['server'] / middle['engine']:.2f}"
            )
    with beside(watched(lambda started: asyncio.run(serve(bundle, settings, started)), log)) as server:
        for _ in range(ROUNDS):
            prompts = milestone.new_prompts(bundle.model.config.vocab_size, 32)
            milestone.through_http(server.client, prompts, 32, TOKENS)
        late = _share_below(server.get("/metrics").text, "tinytorch_loop_lateness_seconds", 0.015)
        print(f"32 readers: the loop was late by at most 15 ms in {late:.2%} of all looks")
        os.kill(server.child.pid, signal.SIGTERM)
        server.status()
    print(log.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
