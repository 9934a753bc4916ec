"""HIPS autograd (Maclaurin and others): the two small networks, written in its own way."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad

from benchmarks.workloads import Step, weights


def library() -> dict[str, Any]:
    return {each.__name__: each for each in (xor_step, mlp_step)}


def about() -> dict[str, str]:
    return {"autograd": version("autograd")}


def two_layers(sizes: tuple[int, int, int]) -> list[Any]:
    """weight and bias of two linear layers, as the other implementations name and draw them."""
    into, hidden, out = sizes
    p = weights(
        {"0.weight": (hidden, into), "0.bias": (hidden,), "2.weight": (out, hidden), "2.bias": (out,)}
    )
    return [p["0.weight"], p["0.bias"], p["2.weight"], p["2.bias"]]


def sgd_step(loss: Callable[[list[Any]], Any], p: list[Any]) -> Step:
    both = value_and_grad(loss)

    def step() -> Any:
        value, gradients = both(p)
        for each, gradient in zip(p, gradients, strict=True):
            each -= 0.05 * gradient
        return np.asarray(value)

    return step


def xor_step() -> Step:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)

    def loss(p: list[Any]) -> Any:
        difference = anp.dot(anp.tanh(anp.dot(x, p[0].T) + p[1]), p[2].T) + p[3] - y
        return anp.mean(difference * difference)

    return sgd_step(loss, two_layers((2, 8, 1)))


def mlp_step(batch: int = 64) -> Step:
    x = np.random.default_rng(0).standard_normal((batch, 784), np.float32)
    y = np.random.default_rng(1).integers(0, 10, batch)

    def loss(p: list[Any]) -> Any:
        logits = anp.dot(anp.maximum(anp.dot(x, p[0].T) + p[1], 0), p[2].T) + p[3]
        shifted = logits - anp.max(logits, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(shifted), axis=1)) - shifted[np.arange(batch), y])

    return sgd_step(loss, two_layers((784, 256, 10)))
