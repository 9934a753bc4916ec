"""PyTorch's functions that make tensors. A generator is NumPy's: it draws the seed of PyTorch's."""

from __future__ import annotations

from functools import partial, wraps
from typing import Any

import numpy as np
import torch

from tinytorch.setup import default_generator
from tinytorch.tensor.tensor import Tensor, called, shared


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    if isinstance(data, Tensor):
        data = data.data
    if isinstance(data, (np.ndarray, np.generic)):
        data = shared(np.asarray(data)).clone() if dtype is None else shared(np.asarray(data))
        return called(data.to, dtype or data.dtype, copy=True).requires_grad_(requires_grad)
    return called(torch.tensor, data, dtype=dtype, device=device, requires_grad=requires_grad)


from_numpy = partial(called, torch.from_numpy)
full = partial(called, torch.full)
zeros = partial(called, torch.zeros)
ones = partial(called, torch.ones)
arange = partial(called, torch.arange)
linspace = partial(called, torch.linspace)
eye = partial(called, torch.eye)
zeros_like = partial(called, torch.zeros_like)
ones_like = partial(called, torch.ones_like)
full_like = partial(called, torch.full_like)


def seeded(generator: Any = None) -> torch.Generator:
    """A generator of PyTorch's whose seed is drawn from NumPy's, by default from kata 01's default generator."""
    return torch.Generator().manual_seed(int((generator or default_generator()).integers(2**62)))


def rand(*shape: Any, generator: Any = None, **options: Any) -> Tensor:
    return called(torch.rand, *shape, generator=seeded(generator), **options)


def randn(*shape: Any, generator: Any = None, **options: Any) -> Tensor:
    return called(torch.randn, *shape, generator=seeded(generator), **options)


def randint(*args: Any, generator: Any = None, **options: Any) -> Tensor:
    return called(torch.randint, *args, generator=seeded(generator), **options)


def drawing(function: Any) -> Any:
    """A function of PyTorch's that takes no generator: its default one is seeded by kata 01's before each call."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        torch.default_generator.manual_seed(int(default_generator().integers(2**62)))
        return function(*args, **kwargs)

    return call
