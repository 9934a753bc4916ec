"""A model with random weights, and the real server with it in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from dojo.serve.server import serve
from dojo.serve.settings import Settings
from dojo.spec.server import Beside, beside
from tinytorch.caching import Request, generate_all
from tinytorch.capstone import Bundle
from tinytorch.setup import manual_seed
from tinytorch.tokenization import BPETokenizer
from tinytorch.transformers import GPT, GPTConfig

TEXT = "def hello(name):\n    return 'hello ' + name\n" * 4
FOREVER = 100_000  # tokens


@cache
def bundle(
    block_size: int = 64, n_layer: int = 2, n_head: int = 2, n_embd: int = 16, gain: float = 12
) -> Bundle:
    """`gain` makes the weights so large that the text depends on all that stands before. No text ends by itself."""
    manual_seed(5)
    tokenizer = BPETokenizer.train(TEXT, 270)
    model = GPT(GPTConfig(tokenizer.vocab_size, block_size, n_layer, n_head, n_embd))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data *= gain
    model.eval()
    return Bundle(model, tokenizer, {"name": "random"})


def serving(served: Bundle | None = None, **settings: Any) -> AbstractContextManager[Beside]:
    """The server beside this process, on a free port, with short times."""
    short = {"head_seconds": 1.0, "body_seconds": 1.0, "write_seconds": 1.0, "max_tokens": FOREVER}
    chosen = Settings(port=0, **{**short, **settings})
    run: Callable[[Callable[[str], None]], int] = lambda started: asyncio.run(  # noqa: E731
        serve(served or bundle(), chosen, started)
    )
    return beside(run)


def offline(prompt: str, tokens: int, served: Bundle | None = None) -> str:
    """What the model writes at temperature 0, without a server."""
    found = served or bundle()
    (ids,) = generate_all(found.model, [Request(found.tokenizer.encode(prompt), tokens, temperature=0)])
    return found.tokenizer.decode(ids)


def metric(server: Beside, name: str) -> float:
    """The value of a metric, summed over its labels."""
    lines = [
        line.rsplit(" ", 1) for line in server.get("/metrics").text.splitlines() if line.startswith(name)
    ]
    return sum(float(value) for name_, value in lines if name_.partition("{")[0] == name)
