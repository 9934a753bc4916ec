"""What the tape costs: a training step of a tiny network beside PyTorch's, long chains, and what a step leaves behind.

.venv/bin/python -m benchmarks.engine
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.side_by_side import interleaved, prepare

POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
TRUTH = np.array([[0], [1], [1], [0]], np.float32)


def xor_step(optimizer: str) -> Callable[[], Any]:
    """A step of Linear(2, 8), tanh, Linear(8, 1), mean squared error: the reference, without kernels."""
    from tinytorch import dispatch, optim
    from tinytorch.layers import Linear
    from tinytorch.losses import mse_loss
    from tinytorch.tensor import Tensor, tanh

    first, second = Linear(2, 8), Linear(8, 1)
    x, y = Tensor(POINTS), Tensor(TRUTH)
    optimize = getattr(optim, optimizer)([*first.parameters(), *second.parameters()], lr=0.05)

    def step() -> Any:
        with dispatch.disabled():
            loss = mse_loss(second(tanh(first(x))), y)
            optimize.zero_grad()
            loss.backward()
            optimize.step()
        return loss

    return step


def torch_xor_step(optimizer: str) -> Callable[[], Any]:
    """The same in PyTorch."""
    import torch

    first, second = torch.nn.Linear(2, 8), torch.nn.Linear(8, 1)
    x, y = torch.tensor(POINTS), torch.tensor(TRUTH)
    optimize = getattr(torch.optim, optimizer)([*first.parameters(), *second.parameters()], lr=0.05)

    def step() -> Any:
        loss = torch.nn.functional.mse_loss(second(torch.tanh(first(x))), y)
        optimize.zero_grad()
        loss.backward()
        optimize.step()
        return loss

    return step


def left_for_the_collector(step: Callable[[], Any]) -> int:
    """How many objects in reference cycles a step leaves to the garbage collector."""
    step()
    gc.collect()
    gc.disable()
    try:
        step()
        return gc.collect()
    finally:
        gc.enable()


def chain(length: int) -> float:
    """Seconds of CPU time of backward through `length` additions in a row."""
    from tinytorch.tensor import Tensor

    x = Tensor(np.ones(1, np.float32), requires_grad=True)
    y = x
    for _ in range(length):
        y = y + 0.5
    start = time.process_time()
    y.backward()
    return time.process_time() - start


def main() -> None:
    prepare()
    for optimizer in ("SGD", "Adam"):
        ours, theirs = xor_step(optimizer), torch_xor_step(optimizer)
        mine, other = interleaved([ours, theirs])
        print(
            f"XOR step, {optimizer}: {mine * 1e6:.0f} us, PyTorch {other * 1e6:.0f} us, ratio {mine / other:.2f}; "
            f"{left_for_the_collector(ours)} objects left for the collector"
        )
    for length in (1_000, 10_000, 100_000):
        seconds = min(chain(length) for _ in range(3))
        print(f"backward of {length:,} nodes: {seconds * 1e3:.1f} ms, {seconds / length * 1e6:.2f} us a node")


if __name__ == "__main__":
    main()
