"""A model to serve where there is none yet: a small GPT, trained for a minute and a half on Python's own source."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dojo.datasets import stdlib
from dojo.serve.settings import END
from tinytorch.capstone import Bundle
from tinytorch.optimizers import AdamW
from tinytorch.setup import manual_seed
from tinytorch.tensor import Tensor
from tinytorch.tokenization import BPETokenizer, CharTokenizer
from tinytorch.training import clip_grad_norm_, load
from tinytorch.transformers import GPT, GPTConfig, next_token_loss

VOCABULARY, CONTEXT, LAYERS, HEADS, FEATURES = 512, 256, 4, 4, 128
CHARACTERS = 300_000  # of Python's standard library
BATCH, LR = 8, 3e-3
LINE = 10.0  # seconds between two lines about it

TEXTS = {"stdlib": "Python's standard library", "shakespeare": "Shakespeare"}
"""What kata 14's milestone learns, by the name of what it leaves."""
MILESTONE_HEADS = 4  # of kata 14's milestone: the only one of its options that its weights do not tell


def train(say: Callable[[str], None], seconds: float) -> Bundle:
    """Train a GPT for so many seconds, and tell now and then how it goes."""
    manual_seed(0)
    text = stdlib.text(CHARACTERS)
    tokenizer = BPETokenizer.train(text, VOCABULARY, [END])
    ids = np.asarray(tokenizer.encode(text))
    model = GPT(GPTConfig(tokenizer.vocab_size, CONTEXT, LAYERS, HEADS, FEATURES))
    optimizer = AdamW(model.parameters(), lr=LR, betas=(0.9, 0.95), weight_decay=0.1)
    random = np.random.default_rng(0)
    began = told = time.monotonic()
    steps, loss = 0, float("nan")
    while (share := (time.monotonic() - began) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = LR * min(10 * share, 1, 1.05 - share)  # up, level, and down
        loss = _step(model, optimizer, _windows(ids, random))
        steps += 1
        if time.monotonic() - told > LINE:
            told = time.monotonic()
            say(f"step {steps}, loss {loss:.2f}, {seconds - (told - began):.0f} seconds left")
    return Bundle(model, tokenizer, _card("tinytorch-small", "stdlib", f"{steps} steps, loss {loss:.2f}"))


def of_milestone(folder: Path) -> Bundle | None:
    """The model that kata 14's milestone left in `folder`, the newest of them, or None."""
    saved = [path for path in folder.glob("*.safetensors") if path.with_suffix(".tokenizer.json").is_file()]
    if not saved:
        return None
    path = max(saved, key=lambda each: each.stat().st_mtime)
    tokenizer = CharTokenizer.load(path.with_suffix(".tokenizer.json"))
    state = load(path)
    context, features = state["wpe.weight"].shape
    layers = sum(name.endswith("ln_1.weight") for name in state)
    model = GPT(GPTConfig(tokenizer.vocab_size, context, layers, MILESTONE_HEADS, features))
    model.load_state_dict(state)
    return Bundle(model, tokenizer, _card(f"tinytorch-{path.stem}", path.stem, "the milestone of kata 14"))


def _windows(ids: Any, random: np.random.Generator) -> Any:
    """BATCH stretches of the text, from anywhere in it: (BATCH, CONTEXT + 1)."""
    starts = random.integers(0, len(ids) - CONTEXT - 1, BATCH)
    return ids[starts[:, None] + np.arange(CONTEXT + 1)]


def _step(model: GPT, optimizer: AdamW, rows: Any) -> float:
    optimizer.zero_grad()
    loss = next_token_loss(model(Tensor(rows[:, :-1])), Tensor(rows[:, 1:]))
    loss.backward()
    clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.item())


def _card(name: str, text: str, training: str) -> dict[str, Any]:
    return {"name": name, "text": TEXTS[text], "training": training}
