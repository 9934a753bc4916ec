"""The draws of many rows in one call: each row with options and a generator of its own.

kata 14's `sample` has one temperature for all its rows, and one generator. A batch of strangers has one of each for
every row, and to call `sample` for each of 32 rows costs as much as the whole model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinytorch.dispatch import Array, wrap
from tinytorch.setup import default_generator, get_array_module
from tinytorch.tensor import Tensor, float64
from tinytorch.transformers import check_sampling


def keep_rows(scores: Array, top_k: Array, top_p: Array) -> Array:
    """keep_top_k and then keep_top_p of each row (R, V), with a top_k and a top_p for each, arrays (R,).

    What is left out becomes -inf. Equal scores are treated as in kata 14: those that equal the smallest of the top_k
    stay too, and for top_p the one with the lower id counts as more probable. A top_p of 1 keeps all.
    """
    xp = get_array_module(scores)
    falling = -xp.sort(-scores, axis=-1)  # argsort takes twice as long
    last = xp.take_along_axis(falling, xp.minimum(top_k, scores.shape[-1])[:, None] - 1, -1)
    probabilities = xp.where(falling >= last, xp.exp(falling - falling[:, :1]), 0.0)
    probabilities /= probabilities.sum(-1, keepdims=True)
    before = xp.cumsum(probabilities, -1) - probabilities
    kept = (falling >= last) & ((before < top_p[:, None]) | (top_p[:, None] == 1))
    number = kept.sum(-1, keepdims=True)
    lowest = xp.take_along_axis(falling, number - 1, -1)
    above, equal = scores > lowest, scores == lowest
    room = number - above.sum(-1, keepdims=True)  # for so many of those that equal the lowest
    return xp.where(above | (equal & (xp.cumsum(equal, -1) <= room)), scores, -math.inf)


def sample_rows(
    logits: Tensor,
    temperature: Sequence[float],
    top_k: Sequence[int | None],
    top_p: Sequence[float | None],
    generators: Sequence[Any],
) -> Tensor:
    """One id for each row of logits (R, V), as `sample` draws it for that row alone: (R,), int64.

    Each option is a sequence of R, one for each row, as sample takes it: a temperature of 0 gives the id of the largest
    logit, and None leaves a filter out. Row r draws one number, from generators[r] (None: the default generator of the
    device), and at temperature 0 none. So it does not depend on the other rows.

    Raises:
        ValueError: an option makes no sense (as check_sampling), or the largest logit of a row is nan, inf or -inf (the
            message says which). Then nothing has been drawn.
    """
    for options in zip(temperature, top_k, top_p, strict=True):
        check_sampling(*options)
    scores, xp = logits.data, get_array_module(logits.data)
    largest = scores.max(-1, keepdims=True)
    for each in largest.ravel().tolist():
        if not math.isfinite(each):
            raise ValueError(f"a row whose largest logit is {each} gives no probabilities")
    greedy, heat = scores.argmax(-1), xp.asarray([float(each) for each in temperature])
    scores = (scores.astype(float64) - largest) / xp.where(heat == 0, 1.0, heat)[:, None]  # 0 at most
    if any(each is not None for each in (*top_k, *top_p)):
        ks = xp.asarray([scores.shape[-1] if k is None else k for k in top_k])
        ps = xp.asarray([1.0 if p is None else p for p in top_p])
        scores = keep_rows(scores, ks, ps)
    reached = xp.cumsum(xp.exp(scores), -1)
    reached /= reached[:, -1:]  # (R, V), rising to 1
    default = default_generator(logits.device)
    places = [
        float((generator or default).random()) if each else 0.0
        for each, generator in zip(temperature, generators, strict=True)
    ]
    drawn = (reached > xp.asarray(places)[:, None]).argmax(-1)  # the first that lies beyond
    return wrap(xp.where(heat == 0, greedy, drawn))
