"""The workloads, written once for both: every line of them runs in PyTorch and in tinytorch.

A workload is a function that gets the library and its sizes, and gives a step: a function of no arguments that returns
a Tensor. Only the GPT comes from the implementation itself (`lib.GPT`, `lib.cache`, `lib.generate`): kata 14 writes its
own. Weights and data are the same everywhere, so the losses are, too: a test compares them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Step = Callable[[], Any]

VOCABULARY = 65


class GPTSizes(NamedTuple):
    """The sizes of a GPT, named as kata 14 does."""

    vocab_size: int = VOCABULARY
    block_size: int = 128
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    dropout: float = 0.0
    bias: bool = True
    tie_weights: bool = True


def xor_step(lib: Any) -> Step:
    """Four points through 2 - 8 - 1 with tanh, mean squared error, SGD."""
    nn = lib.nn
    model = drawn(lib, nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)))
    x = lib.tensor(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32))
    y = lib.tensor(np.array([[0], [1], [1], [0]], np.float32))
    return training(model, lib.optim.SGD(list(model.parameters()), lr=0.05), nn.functional.mse_loss, x, y)


def mlp_step(lib: Any, batch: int = 64) -> Step:
    """Pictures of 784 pixels through 784 - 256 - 10 with relu, cross entropy, SGD."""
    nn = lib.nn
    model = drawn(lib, nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)))
    x, y = normal(lib, batch, 784), integers(lib, 10, batch)
    return training(
        model, lib.optim.SGD(list(model.parameters()), lr=0.05), nn.functional.cross_entropy, x, y
    )


def cnn_step(lib: Any, batch: int = 64) -> Step:
    """Colour pictures of 32 x 32 through four convolutions of 32, 32, 64 and 64 channels, cross entropy, Adam."""
    nn = lib.nn
    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()),
        nn.MaxPool2d(2),  # (N, 32, 16, 16)
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()),
        nn.MaxPool2d(2),  # (N, 64, 8, 8)
        nn.Flatten(),
        nn.Linear(64 * 8 * 8, 10),
    )
    drawn(lib, model)
    x, y = normal(lib, batch, 3, 32, 32), integers(lib, 10, batch)
    return training(
        model, lib.optim.Adam(list(model.parameters()), lr=1e-3), nn.functional.cross_entropy, x, y
    )


def gpt_step(lib: Any, batch: int = 8, length: int = 128, layers: int = 4) -> Step:
    """Texts of 128 letters through a GPT of 4 layers, 128 features and 4 heads, cross entropy, AdamW."""
    model = drawn(lib, lib.GPT(GPTSizes(block_size=length, n_layer=layers)))
    text = integers(lib, VOCABULARY, batch, length + 1)

    def loss(logits: Any, targets: Any) -> Any:
        return lib.nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), targets.reshape(-1))

    optimizer = lib.optim.AdamW(list(model.parameters()), lr=1e-3)
    return training(model, optimizer, loss, text[:, :-1], text[:, 1:])


def generating(lib: Any, tokens: int = 128, cached: bool = True) -> Step:
    """The GPT writes 128 letters after one, with a cache of keys and values, or reading all again for each."""
    sizes = GPTSizes(block_size=256)
    model = drawn(lib, lib.GPT(sizes))
    prompt = integers(lib, VOCABULARY, 1, 1)
    cache = lib.cache if cached else lambda sizes: None
    cache(sizes)  # an implementation without one says so here

    def step() -> Any:
        with lib.no_grad():
            return lib.generate(model, prompt, tokens, cache(sizes))

    return step


def convolution(lib: Any, shape: tuple[int, ...], kernels: int) -> Step:
    """conv2d with a 3 x 3 kernel, forward only."""
    layer = drawn(lib, lib.nn.Conv2d(shape[1], kernels, 3, padding=1))
    x = normal(lib, *shape)
    return forward(lib, lambda: layer(x))


def attention(lib: Any, length: int) -> Step:
    """Causal attention of 8 texts, 4 heads of 32 features, forward only."""
    q, k, v = (normal(lib, 8, 4, length, 32, seed=seed) for seed in range(3))
    attend = lib.nn.functional.scaled_dot_product_attention
    return forward(lib, lambda: attend(q, k, v, is_causal=True))


class Workload(NamedTuple):
    title: str
    make: Callable[..., Step]
    sizes: dict[str, Any]


WORKLOADS = {
    "W1": Workload("XOR step", xor_step, {}),
    "W2": Workload("MLP step", mlp_step, {}),
    "W3": Workload("CNN step", cnn_step, {}),
    "W4": Workload("GPT step", gpt_step, {}),
    "W5": Workload("128 tokens, cached", generating, {}),
    "W5n": Workload("128 tokens, uncached", generating, {"cached": False}),
    "W6a": Workload("conv2d, small", convolution, {"shape": (8, 3, 32, 32), "kernels": 16}),
    "W6b": Workload("conv2d, large", convolution, {"shape": (64, 32, 32, 32), "kernels": 64}),
    "W7a": Workload("attention, T 64", attention, {"length": 64}),
    "W7b": Workload("attention, T 256", attention, {"length": 256}),
}


# What they share ----------------------------------------------------------------------------------------


def training(model: Any, optimizer: Any, loss: Callable[[Any, Any], Any], x: Any, y: Any) -> Step:
    def step() -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return step


def forward(lib: Any, function: Step) -> Step:
    def step() -> Any:
        with lib.no_grad():
            return function()

    return step


def normal(lib: Any, *shape: int, seed: int = 0) -> Any:
    return lib.tensor(np.random.default_rng(seed).standard_normal(shape, np.float32))


def integers(lib: Any, below: int, *shape: int) -> Any:
    return lib.tensor(np.random.default_rng(1).integers(0, below, shape))


def drawn(lib: Any, model: Any) -> Any:
    """`model` on the device of the library, with the weights that it has in every library."""
    model.to(lib.device)
    parameters = dict(model.named_parameters())
    values = weights({name: tuple(each.shape) for name, each in parameters.items()})
    with lib.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(lib.tensor(values[name]))
    return model


def weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Matrices and kernels by chance, biases 0, and the other vectors, which scale, 1."""
    rng = np.random.default_rng(2)

    def values(name: str, shape: tuple[int, ...]) -> Any:
        if len(shape) == 1:
            return np.full(shape, not name.endswith("bias"), np.float32)
        return rng.standard_normal(shape, np.float32) * np.float32(math.prod(shape[1:]) ** -0.5)

    return {name: values(name, shapes[name]) for name in sorted(shapes)}
