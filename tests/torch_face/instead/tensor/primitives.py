"""PyTorch's functions on tensors."""

from __future__ import annotations

from typing import Any

import torch

from tinytorch.tensor.tensor import Tensor

Dims = Any

NAMES = """abs add amax amin argmax argsort bitwise_and bitwise_not bitwise_or bmm cat clamp clone cos cumsum div eq
erf exp floor_divide gather ge gt index_add isnan le log log1p lt masked_fill matmul maximum mean minimum mul ne
neg permute pow remainder reshape sign sin sort sqrt squeeze stack sub sum tanh topk transpose tril triu
unsqueeze var where"""

globals().update({name: getattr(torch, name) for name in NAMES.split()})

pad = torch.nn.functional.pad


def flip(a: Tensor, dims: Any) -> Tensor:
    return torch.flip(a, (dims,) if isinstance(dims, int) else dims)


def split(x: Tensor, sizes: Any, dim: int = 0) -> Any:
    return torch.split(x, sizes, dim)


def getitem(a: Tensor, index: Any) -> Tensor:
    return a[index]


def expand(a: Tensor, shape: Any) -> Tensor:
    return a.expand(shape)


def convert(a: Tensor, dtype: Any = None, device: Any = None) -> Tensor:
    return a.to(dtype=dtype, device=device)


def concatenate(*arrays: Tensor, dim: int = 0) -> Tensor:
    return torch.cat(arrays, dim)


def quiet(function: Any) -> Any:
    return function  # PyTorch gives no warnings of NumPy's
