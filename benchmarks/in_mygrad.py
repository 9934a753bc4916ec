"""MyGrad (Ryan Soklaski): the workloads that it has functions for, written in its own way."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu, tanh
from mygrad.nnet.layers import conv_nd, max_pool
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks.workloads import Step, weights

LR = {"sgd": 0.05, "adam": 1e-3}


def library() -> dict[str, Any]:
    return {each.__name__: each for each in (xor_step, mlp_step, cnn_step, convolution)}


def about() -> dict[str, str]:
    return {"mygrad": version("mygrad")}


def parameters(**shapes: tuple[int, ...]) -> dict[str, Any]:
    values = weights({name.replace("_", "."): shape for name, shape in shapes.items()})
    return {name.replace(".", "_"): mg.tensor(each) for name, each in values.items()}


def linear(p: dict[str, Any], place: int, x: Any) -> Any:
    return mg.matmul(x, p[f"{place}_weight"].T) + p[f"{place}_bias"]


def convolve(p: dict[str, Any], place: int, x: Any) -> Any:
    return conv_nd(x, p[f"{place}_weight"], stride=1, padding=1) + p[f"{place}_bias"].reshape(1, -1, 1, 1)


def sgd(p: dict[str, Any]) -> None:
    for each in p.values():
        each.data -= LR["sgd"] * each.grad


def xor_step() -> Step:
    p = parameters(**{"0_weight": (8, 2), "0_bias": (8,), "2_weight": (1, 8), "2_bias": (1,)})
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)

    def step() -> Any:
        difference = linear(p, 2, tanh(linear(p, 0, x))) - y
        loss = (difference * difference).mean()
        loss.backward()
        sgd(p)
        return loss

    return step


def mlp_step(batch: int = 64) -> Step:
    p = parameters(**{"0_weight": (256, 784), "0_bias": (256,), "2_weight": (10, 256), "2_bias": (10,)})
    x = np.random.default_rng(0).standard_normal((batch, 784), np.float32)
    y = np.random.default_rng(1).integers(0, 10, batch)

    def step() -> Any:
        loss = softmax_crossentropy(linear(p, 2, relu(linear(p, 0, x))), y)
        loss.backward()
        sgd(p)
        return loss

    return step


def cnn_step(batch: int = 64) -> Step:
    channels = {0: (32, 3), 2: (32, 32), 5: (64, 32), 7: (64, 64)}
    shapes: dict[str, tuple[int, ...]] = {"11_weight": (10, 64 * 8 * 8), "11_bias": (10,)}
    for place, (out, into) in channels.items():
        shapes |= {f"{place}_weight": (out, into, 3, 3), f"{place}_bias": (out,)}
    p = parameters(**shapes)
    x = np.random.default_rng(0).standard_normal((batch, 3, 32, 32), np.float32)
    y = np.random.default_rng(1).integers(0, 10, batch)
    moments = {name: (np.zeros_like(each.data), np.zeros_like(each.data)) for name, each in p.items()}
    count = 0

    def step() -> Any:
        nonlocal count
        h = x
        for place in (0, 2):
            h = relu(convolve(p, place, h))
        h = max_pool(h, (2, 2), 2)
        for place in (5, 7):
            h = relu(convolve(p, place, h))
        h = max_pool(h, (2, 2), 2)
        loss = softmax_crossentropy(linear(p, 11, h.reshape(batch, -1)), y)
        loss.backward()
        count += 1
        for name, each in p.items():
            g, (m, v) = each.grad, moments[name]
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            each.data -= LR["adam"] / (1 - 0.9**count) * m / (np.sqrt(v / (1 - 0.999**count)) + 1e-8)
        return loss

    return step


def convolution(shape: tuple[int, ...], kernels: int) -> Step:
    p = parameters(weight=(kernels, shape[1], 3, 3), bias=(kernels,))
    x = np.random.default_rng(0).standard_normal(shape, np.float32)

    def step() -> Any:
        with mg.no_autodiff:
            return conv_nd(x, p["weight"], stride=1, padding=1) + p["bias"].reshape(1, -1, 1, 1)

    return step
