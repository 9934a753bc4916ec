"""What a milestone's verdict rests on, computed here in NumPy and float64, without the student's code.

    before = verdicts.weights(model)
    ...                                                     # training
    verdicts.moved(before, model)
    verdicts.causal(ask, ids, vocabulary)                   # `ask` takes an array and gives the model's logits for it
    logits = verdicts.answers(ask, held_out, model)
    return report.verdict(verdicts.accuracy(logits, labels) > 0.9, "...")

A check that fails raises `Refused`, and the milestone is not reached, whatever the numbers say. Labels and
targets stay here: `ask` gets only the questions.
"""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ask = Callable[[Array], Array]
"""A function that gives the student's model questions, one in each row, and returns its answers as an array."""

NEAR = 1e-3
"""How far two answers to one question may differ, relative to the largest answer: sums in another order round
differently."""


ENOUGH = 2.0
"""The factor by which two measurements of a speed may differ: a busy machine disturbs one more than the other."""


class Refused(Exception):
    """The model gets no pass. The message says why, and where to look."""


# Numbers ------------------------------------------------------------------------------------------------


def cross_entropy(logits: Array, targets: Array) -> float:
    """The mean of -log softmax(logits)[target], in nats: (..., C) and integers (...)."""
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return float(-np.take_along_axis(log_softmax, targets[..., None], -1).mean())


def binary_cross_entropy(logits: Array, targets: Array) -> float:
    """The mean of -log sigmoid(logit) where the target is 1, and of -log(1 - sigmoid(logit)) where it is 0."""
    signed = np.where(targets > 0.5, -1, 1) * np.asarray(logits, np.float64)
    return float(np.logaddexp(0, signed).mean())


def accuracy(logits: Array, targets: Array) -> float:
    """The share of rows whose largest logit is the target's: (..., C) and integers (...)."""
    return float((np.argmax(logits, -1) == targets).mean())


def agrees(yours: float, counted: float, what: str, look: str, within: float = 5e-3) -> None:
    """Refuse a model whose own number is not the one that is computed here, up to the share `within` of it."""
    if not abs(float(yours) - counted) <= within * abs(counted) + 1e-6:
        raise Refused(
            f"{what} is {float(yours):.4g} by your code, and {counted:.4g} counted from the outputs of your model. "
            f"Look at {look}."
        )


# Weights ------------------------------------------------------------------------------------------------


def weights(*models: Any) -> dict[str, Array]:
    """Copies of all parameters and buffers, by name; of several models, by their number and the name."""
    return {
        _name(name, number, models): np.array(tensor.data)
        for number, model in enumerate(models)
        for name, tensor in model.state_dict().items()
    }


def moved(before: Mapping[str, Array], *models: Any) -> None:
    """Refuse models with a parameter of two or more axes that is still what it was `before` the training."""
    stuck = [
        _name(name, number, models)
        for number, model in enumerate(models)
        for name, parameter in model.named_parameters()
        if parameter.data.ndim > 1 and _same(before[_name(name, number, models)], parameter.data)
    ]
    if stuck:
        raise Refused(
            f"After the training these weights are what they were before: {_some(stuck)}. Does the loop call the "
            "optimizer's step, does that write into the parameters' own arrays, and does the gradient reach them?"
        )


@contextmanager
def unmoved(what: str, *models: Any) -> Iterator[None]:
    """Refuse models if a weight or a buffer changes in the block, in which they only answer."""
    before = weights(*models)
    yield
    now = weights(*models)
    if changed := [name for name in now if not _same(before[name], now[name])]:
        raise Refused(
            f"{what}, these changed: {_some(changed)}. A model that only answers may not change: no step of the "
            "optimizer, and eval mode, in which batch norm leaves its running statistics alone."
        )


class Untouched:
    """Batches to validate on: while they are read, no weight and no buffer may change."""

    def __init__(self, batches: Any, model: Any) -> None:
        self.batches, self.model = batches, model

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        with unmoved("While the validation data were read", self.model):
            yield from self.batches


def _name(name: str, number: int, models: tuple[Any, ...]) -> str:
    return f"{number}.{name}" if len(models) > 1 else name


def _same(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=True)


def _some(names: list[str]) -> str:
    """The first three, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# Answers ------------------------------------------------------------------------------------------------


def answers(ask: Ask, questions: Array, *models: Any, batch: int = 500) -> Array:
    """The model's answers, a row for each question, asked `batch` at a time.

    A model is refused for nan and inf, for another number of rows, for a weight that changes, and for an answer that
    depends on more than its question: on chance (dropout), its place in the batch, or the other rows of the batch.
    """
    with unmoved("While the model was asked", *models):
        parts = [_asked(ask, questions[i : i + batch]) for i in range(0, len(questions), batch)]
    first = parts[0]
    if _differ(first, _asked(ask, questions[:batch])):
        raise Refused(
            "Asked the same question twice, the model gives two answers. Is dropout off in eval mode, and is eval mode "
            "on? Or does the answer depend on more than the question?"
        )
    half = len(first) // 2
    others = np.concatenate([questions[half:batch], questions[len(questions) - half :]])
    if _differ(first[half:], _asked(ask, others)[: len(first) - half]):
        raise Refused(
            "The model gives another answer to the same question when the rest of the batch changes. Each row has "
            "to be computed from itself alone: batch norm from its running statistics (is eval mode on?), softmax "
            "and means along the features, a bias that is one for all rows."
        )
    return np.concatenate(parts)


def causal(ask: Ask, ids: Array, vocabulary: int) -> None:
    """Refuse a model that sees the future, on texts `ids` (B, T) of tokens 0 to `vocabulary` - 1.

    When the end of the texts is changed, the logits (B, T, V) of the places before must stay the same.
    """
    said = _asked(ask, ids)
    length = ids.shape[1]
    random = np.random.default_rng(0)
    for cut in sorted({1, length // 2, length - 1}):
        changed = ids.copy()
        changed[:, cut:] += random.integers(1, vocabulary, changed[:, cut:].shape)
        now = _asked(ask, changed % vocabulary)
        differs = (np.abs(now - said) > 1e-5 * np.abs(said).max()).any((0, 2))[:cut]
        if differs.any():
            place = int(np.flatnonzero(differs)[-1])
            raise Refused(
                f"The model sees the future: when only the text from place {cut} on is changed, it says something else "
                f"at place {place}, which comes before. A model that sees the next token does not predict it. Look at "
                "the causal mask, at where it is applied, and at the axis of the softmax."
            )


def writes_what_it_says(ask: Ask, written: Any, prompt: Any, window: int, who: str) -> None:
    """Refuse a text that does not follow from the model's logits.

    `written` (ids) must begin with `prompt`. It was written at temperature 0, so each new token must have the largest
    logit after the text before it, of which the model sees the last `window` tokens.
    """
    ids, given = np.asarray(written), np.asarray(prompt)
    if not _same(ids[: len(given)], given) or len(ids) == len(given):
        raise Refused(f"What {who} gives does not begin with the prompt, or adds nothing to it.")
    for place in range(len(given), len(ids)):
        logits = _asked(ask, ids[None, max(0, place - window) : place])[0, -1]
        if logits[ids[place]] < logits.max() - NEAR * np.abs(logits).max():
            raise Refused(
                f"What {who} writes is not what the model says: at temperature 0 it wrote token {ids[place]} at place "
                f"{place}, and the model's own largest logit there is that of token {logits.argmax()}. Look at {who}, "
                "next_logits and sample: each token comes from the model's logits for all the text before it."
            )


def _asked(ask: Ask, questions: Array) -> Array:
    said = np.asarray(ask(questions))
    if said.shape[:1] != (len(questions),) or said.dtype.kind != "f":
        raise Refused(
            f"Asked {len(questions)} questions, the model gives an array of shape {said.shape} and dtype {said.dtype}; "
            "floating-point numbers are expected, a row for each question."
        )
    if not np.isfinite(said).all():
        raise Refused(
            "The model answers nan or inf. After which step of the training does the loss become nan or inf?"
        )
    return said


def _differ(a: Array, b: Array) -> bool:
    return a.shape != b.shape or bool((np.abs(a - b) > NEAR * np.abs(a).max(initial=0)).any())


# Speed and size -----------------------------------------------------------------------------------------


def same(simple: Mapping[str, Array], fast: Mapping[str, Array], what: str, look: str) -> None:
    """Refuse a fast version whose results, arrays by name, are not those of the simple one.

    An array of little more than rounding errors, beside the others, may be another one.
    """
    largest = {name: float(np.abs(each).max(initial=0)) for name, each in simple.items()}
    for name, expected in simple.items():
        found = np.asarray(fast.get(name, np.nan))
        allowed = NEAR * max(largest[name], 1e-3 * max(largest.values()))
        if found.shape != expected.shape or not (np.abs(found - expected) <= allowed).all():
            raise Refused(
                f"{what}: the fast version gives another {name} than the simple one. Look at {look}."
            )


def times_faster(yours: float, before: Callable[[], Any], after: Callable[[], Any], what: str) -> float:
    """How many times less CPU time `after` takes than `before`, by the clock here.

    Refuse a measurement that is not within a factor of ENOUGH of it.
    """
    slow, fast = _least_seconds(before, after)
    counted = slow / fast
    if not counted / ENOUGH <= yours <= counted * ENOUGH:
        raise Refused(
            f"{what} is {float(yours):.3g} times faster by your code, and {counted:.3g} times by the dojo's clock. "
            "Is the machine very busy? Otherwise look at time_calls, alternate and compare."
        )
    return counted


def _least_seconds(*functions: Callable[[], Any]) -> list[float]:
    """The least CPU seconds of a call of each function, in turns, over .4 s or more: other programs only add to it."""
    least, start = [math.inf] * len(functions), time.process_time()
    while time.process_time() - start < 0.4:
        for place, function in enumerate(functions):
            began = time.process_time()
            function()
            least[place] = min(least[place], time.process_time() - began)
    return least


def peak(function: Callable[[], Any]) -> int:
    """The most bytes that a call had at one moment, above what was there before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def nbytes(model: Any) -> int:
    """The bytes of all parameters and buffers; what has two names counts once."""
    return sum({id(each.data): each.data.nbytes for each in model.state_dict().values()}.values())
