"""Only what is left is sorted, ranks by eigenvalues, adapters by outer products, KL as two entropies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np

from tinytorch.activations import log_softmax, softmax
from tinytorch.autograd import no_grad
from tinytorch.layers import Linear, Parameter, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, float64, where


def how_many(amount: float, size: int) -> int:
    """Numbers and shares are two cases from the first line on; a share is made exact before it is rounded."""
    if isinstance(amount, bool) or not isinstance(amount, (int, float, np.number)):
        raise TypeError(f"{type(amount).__name__} is no amount")
    if isinstance(amount, Integral):
        if not 0 <= amount <= size:
            raise ValueError(f"{amount} of {size}")
        return int(amount)
    if not 0.0 <= amount <= 1.0:
        raise ValueError(f"a share of {amount}")
    return round(float(amount) * size)


def magnitude_mask(weight: Tensor, amount: float, mask: Tensor | None = None) -> Tensor:
    """The places of those that are left, sorted by magnitude, and the first of them go: what is gone is
    never looked at.
    """
    xp = get_array_module(weight.data)
    flat = xp.abs(weight.data).reshape(-1)
    old = xp.ones(flat.shape, bool) if mask is None else mask.data.reshape(-1) != 0
    left = xp.flatnonzero(old)
    order = left[xp.argsort(flat[left], kind="stable")]
    result = old.astype(weight.dtype)
    result[order[: how_many(amount, len(left))]] = 0
    return Tensor(result.reshape(weight.shape))


def sparsity(parameters: Iterable[tuple[Any, str]]) -> float:
    """Zeros are what is left of all when the others are counted."""
    total = others = 0
    for module, name in parameters:
        mask = getattr(module, f"{name}_mask", None)
        array = (
            getattr(module, name).data if mask is None else mask.data * getattr(module, f"{name}_orig").data
        )
        total += array.size
        others += int(get_array_module(array).count_nonzero(array))
    return (total - others) / total if total else 0.0


def cubic_sparsity(step: int, final: float, begin: int, end: int, initial: float = 0.0) -> float:
    """A mixture of both ends, whose share is a cube: the ends are cases of their own, and exact."""
    if not begin < end:
        raise ValueError(f"no schedule from {begin} to {end}")
    if step <= begin:
        return initial
    if step >= end:
        return final
    share = ((end - step) / (end - begin)) ** 3
    return share * initial + (1 - share) * final


def channel_scores(layer: Any, n: float = 2.0) -> Tensor:
    """Powers by name, of rows of one length: the last root is a power too."""
    weight = layer.weight.data
    rows = weight.reshape(weight.shape[0], math.prod(weight.shape[1:]))
    xp = get_array_module(weight)
    powers = xp.power(xp.abs(rows), n)
    return Tensor(xp.power(powers.sum(axis=-1), 1 / n).astype(weight.dtype))


def keep_entries(tensor: Tensor, dim: int, keep: Tensor, optimizer: Any = None) -> None:
    """One index for all arrays: slices, and the numbers in the place of the axis."""
    place = (slice(None),) * (dim % tensor.ndim) + (keep.data,)
    whole = tensor.data.shape
    tensor.data = tensor.data[place]
    if tensor.grad is not None:
        tensor.grad = Tensor(tensor.grad.data[place])
    if optimizer is not None and tensor in optimizer.state:
        state = optimizer.state[tensor]
        state.update({k: v[place] for k, v in state.items() if getattr(v, "shape", None) == whole})


def rank_for_energy(weight: Tensor, energy: float) -> int:
    """The eigenvalues of the small product W W^T are the squares of the singular values: no vectors are
    computed.
    """
    if energy < 0 or energy > 1:
        raise ValueError(f"a share of {energy}")
    if weight.ndim != 2:
        raise ValueError(f"a matrix has two axes, not {weight.shape}")
    xp = get_array_module(weight.data)
    wide = weight.data.astype(float64)
    small = wide @ wide.T if wide.shape[0] <= wide.shape[1] else wide.T @ wide
    squares = xp.linalg.eigvalsh(small)[::-1].clip(0)
    total, held = float(squares.sum()), 0.0
    for rank, square in enumerate(squares.tolist(), 1):
        held += square
        if held >= energy * total * (1 - 1e-12):
            return rank
    return max(len(squares), 1)


def factorize(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The decomposition is made in float64, and the roots of the values are a diagonal matrix on both sides."""
    if weight.ndim != 2:
        raise ValueError(f"no matrix: {weight.shape}")
    if rank < 1 or rank > min(weight.shape):
        raise ValueError(f"rank {rank} of a matrix {weight.shape}")
    xp = get_array_module(weight.data)
    u, s, vt = xp.linalg.svd(weight.data.astype(float64), full_matrices=False)
    roots = xp.sqrt(s[:rank])
    return Tensor(u[:, :rank] * roots).to(weight.dtype), Tensor((vt[:rank].T * roots).T).to(weight.dtype)


def low_rank(layer: Linear, rank: int) -> Any:
    """Weights are counted before anything is decomposed; the two layers are copies of the old one with
    other weights.
    """
    if rank < 1:
        raise ValueError(f"rank {rank}")
    outputs, inputs = layer.weight.shape
    if rank * inputs + rank * outputs >= inputs * outputs:
        return layer
    left, right = factorize(layer.weight.detach(), rank)
    into, out = Linear(inputs, rank, bias=False), Linear(rank, outputs, bias=layer.bias is not None)
    into.weight = Parameter(right)
    out.weight = Parameter(left)
    if layer.bias is not None:
        out.bias = Parameter(Tensor(layer.bias.data.copy()))
    return Sequential(into, out)


class LoRALinear:
    def forward(self, x: Tensor) -> Tensor:
        """The scaling is in the thin middle, where there are r numbers for each row and not out_features."""
        base = self.base_layer(x)
        if self.merged:
            return base
        return base + self.lora_B(self.scaling * self.lora_A(x))

    def merge(self) -> None:
        """Added column by column of A's rows: r outer products, as the words of the paper say."""
        if self.merged:
            return
        self.merged = True
        weight = self.base_layer.weight.data
        for column, row in zip(self.lora_B.weight.data.T, self.lora_A.weight.data, strict=True):
            weight += (self.scaling * column[:, None] * row).astype(weight.dtype)


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    target: Tensor | None = None,
    temperature: float = 4.0,
    alpha: float = 0.9,
) -> Tensor:
    """KL is a cross entropy minus an entropy, and the second is a number that learns nothing: computed on
    arrays.
    """
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"{student_logits.shape} and {teacher_logits.shape}")
    if not temperature > 0:
        raise ValueError(f"temperature {temperature}")
    if not (alpha >= 0 and alpha <= 1):
        raise ValueError(f"alpha {alpha}")
    if target is None and alpha != 1:
        raise ValueError(f"alpha {alpha} without target")
    soft = teacher_logits.detach() / temperature
    p, log_p = softmax(soft, -1), log_softmax(soft, -1)
    log_q = log_softmax(student_logits / temperature, -1)
    entropy = where(p > 0, p * where(p > 0, log_p, 0.0), 0.0).sum(-1)
    divergence = (entropy - (p * where(p > 0, log_q, 0.0)).sum(-1)).mean() * temperature**2
    if target is None or alpha == 1:
        return alpha * divergence
    return alpha * divergence + (1 - alpha) * cross_entropy(student_logits, target)


def distill(
    student: Any,
    teacher: Any,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: Any,
    temperature: float = 4.0,
    alpha: float = 0.9,
) -> float:
    """The teacher's modes are kept in a dict and put back in `finally`; the mean is two numbers."""
    total, samples = 0.0, 0
    student.train()
    for x, y in batches:
        modes = {module: module.training for module in teacher.modules()}
        try:
            teacher.eval()
            with no_grad():
                said = teacher(x)
        finally:
            for module, mode in modes.items():
                module.training = mode
        optimizer.zero_grad()
        loss = distillation_loss(student(x), said, None if alpha == 1 else y, temperature, alpha)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
        samples += len(x)
    return total / samples if samples else math.nan
