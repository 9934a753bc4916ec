"""The attention of the last token over its text, head by head: what the page draws."""

from __future__ import annotations

import asyncio
from typing import Any

from dojo.serve.answers import ids_of
from dojo.serve.asking import Options
from dojo.serve.desk import Desk
from dojo.serve.errors import ApiError
from tinytorch.capstone import Bundle, bytes_of, token_text
from tinytorch.tensor import tensor
from tinytorch.training import evaluating
from tinytorch.transformers import GPT


async def attention(bundle: Bundle, desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
    """What POST /api/attention answers to {"prompt": text, "layer": number}; the layer is the last one by default.

    The answer has the "tokens" of the text, the number of "layers", the "layer", and "heads": for each head of that
    layer the share of each token, rounded. Of a longer text the last block_size tokens count. The model is read once,
    without a cache, by the engine's thread between two steps.

    Raises:
        ApiError: 400, the body asks for something else.
    """
    options, config = Options(body), bundle.model.config
    prompt = options.take("prompt")
    layer = options.whole("layer", config.n_layer - 1, 0, config.n_layer - 1)
    options.finish()
    if not isinstance(prompt, str) or not prompt:
        raise ApiError(400, "prompt has to be a text that is not empty.", "prompt", "invalid_value")
    ids = (await asyncio.to_thread(ids_of, prompt, bundle.tokenizer))[-config.block_size :]
    heads = await desk.ask(lambda model: last_weights(model, ids, layer))
    tokens = [token_text(bytes_of(bundle.tokenizer, each)) for each in ids]
    return {"tokens": tokens, "layers": config.n_layer, "layer": layer, "heads": heads}


def last_weights(model: GPT, ids: list[int], layer: int) -> list[list[float]]:
    """For each head of a layer, how much the last token takes of each token: (H, T), each row adds up to about 1."""
    blocks: list[Any] = list(model.h)[: layer + 1]
    *below, block = blocks
    with evaluating(model):
        x = model.drop(model.wpe(model.wte(tensor(ids))))  # (T, D)
        for each in below:
            x = each(x)
        x = block.ln_1(x)
        weights = block.attn.attention_map(x[-1:], x)[:, 0]  # (H, T): the last token may look at all
    return [[round(share, 4) for share in head] for head in weights.tolist()]
