"""Schedules by interpolation, squares of sines and tables, norms of norms, metrics by counting."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor


class LRScheduler:
    def state_dict(self) -> dict[str, Any]:
        """Through `__dict__`, and what is a list becomes a new one: nothing else that is kept here can
        change.
        """
        state = dict(self.__dict__)
        state.pop("optimizer")
        return {name: list(value) if isinstance(value, list) else value for name, value in state.items()}

    def step(self) -> None:
        """The rates are asked for first, at the next step, and written when all are there; then nothing is
        half done.
        """
        groups = self.optimizer.param_groups
        if len(self.base_lrs) != len(groups):
            raise ValueError(f"{len(groups)} groups, and rates for {len(self.base_lrs)}")
        self.last_epoch = self.last_epoch + 1
        rates = self.get_lr()
        for place in range(len(groups)):
            groups[place]["lr"] = rates[place]


class StepLR:
    def get_lr(self) -> list[float]:
        """How many stairs are whole by now, and gamma multiplied as often: a product where there was a power."""
        stairs = (self.last_epoch - self.last_epoch % self.step_size) // self.step_size
        return [base * math.prod([self.gamma] * stairs) for base in self.base_lrs]


class LinearLR:
    def get_lr(self) -> list[float]:
        """NumPy draws the line through two points, and keeps the ends: interpolation instead of a formula."""
        ends = (self.start_factor, self.end_factor)
        factor = float(np.interp(self.last_epoch, (0, self.total_iters), ends))
        return [factor * base for base in self.base_lrs]


class CosineAnnealingLR:
    def get_lr(self) -> list[float]:
        """(1 + cos(2 t)) / 2 is cos(t)**2: half the angle, a square, and no subtraction of near numbers at
        the bottom.
        """
        square = math.cos(math.pi * self.last_epoch / (2 * self.T_max)) ** 2
        return [base * square + self.eta_min * (1 - square) for base in self.base_lrs]


class SequentialLR:
    def step(self) -> None:
        """Whose turn it is: the last scheduler whose milestone is reached. A loop over all, for a search in
        a sorted list.
        """
        step = self.last_epoch + 1
        starts = [0, *self.milestones]
        turn = max(place for place, start in enumerate(starts) if start <= step)
        chosen = self.schedulers[turn]
        chosen.last_epoch = step - starts[turn] - 1
        chosen.step()
        self.last_epoch = step


class OneCycleLR:
    def between(self, low: float, high: float, end: float) -> float:
        """A table of the two phases, as PyTorch has it; each is (last step, from, to), and one is chosen."""
        peak = self.pct_start * self.total_steps - 1
        phases = [(0.0, peak, low, high), (peak, self.total_steps - 1.0, high, end)]
        begin, stop, a, b = phases[self.last_epoch > peak]
        way = 1.0 if stop <= begin else (self.last_epoch - begin) / (stop - begin)
        way = min(way, 1.0)
        if self.anneal_strategy == "cos":
            way = math.sin(math.pi * way / 2) ** 2
        return (1 - way) * a + way * b


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """The norm of the norms of the gradients, PyTorch's way: no long array is made, and a few numbers for
    each gradient.
    """
    if not max_norm >= 0:
        raise ValueError(f"a norm of at most {max_norm}")
    if not norm_type > 0:
        raise ValueError(f"a norm of type {norm_type}")
    grads = _grads_of(parameters)
    if not grads:
        return Tensor(np.asarray(0.0, np.float32))
    xp = get_array_module(*(each.data for each in grads))
    norms = [xp.zeros(1)]
    for each in grads:
        wide = xp.abs(each.data.astype(xp.float64)).reshape(-1)
        if norm_type == math.inf:
            norms.append(wide.max().reshape(1) if wide.size else xp.zeros(1))
        else:
            norms.append(((wide**norm_type).sum() ** (1 / norm_type)).reshape(1))
    norms = xp.concatenate(norms)
    total = norms.max() if norm_type == math.inf else (norms**norm_type).sum() ** (1 / norm_type)
    number = float(total)
    if error_if_nonfinite and not math.isfinite(number):
        raise RuntimeError(f"the total norm is {number}")
    factor = max_norm / (number + 1e-6) if number == number else math.nan
    if not factor >= 1:
        for each in grads:
            each.data *= each.dtype.type(factor)
    return Tensor(xp.asarray(total)).to(grads[0].dtype)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """`clip` with `out=`: NumPy writes into the gradient itself, and no copy is made."""
    if not clip_value >= 0:
        raise ValueError(f"values of at most {clip_value}")
    for each in _grads_of(parameters):
        get_array_module(each.data).clip(each.data, -clip_value, clip_value, out=each.data)


def _grads_of(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = (parameters,)
    given = list(parameters)
    if not given and isinstance(parameters, Iterator):
        warnings.warn("nothing to clip: the iterator gives no parameter", stacklevel=3)
    return [each.grad for each in given if each.grad is not None]


def accuracy(logits: Tensor, target: Tensor) -> float:
    """The right ones are counted, in whole numbers, and divided once: no mean of booleans, and exact to the
    last digit.
    """
    if logits.shape[:-1] != target.shape or logits.ndim < 1:
        raise ValueError(f"targets {target.shape} for logits {logits.shape}")
    said = logits.data.argmax(axis=-1)
    right = int((said == target.data).sum())
    return right / target.numel() if target.numel() else math.nan


def top_k_accuracy(logits: Tensor, target: Tensor, k: int = 5) -> float:
    """Nothing is sorted: the target's rank is how many logits are before it, larger ones and equal ones
    that come first.
    """
    if logits.shape[:-1] != target.shape or logits.ndim < 1:
        raise ValueError(f"targets {target.shape} for logits {logits.shape}")
    if k < 1 or k > logits.shape[-1]:
        raise ValueError(f"the best {k} of {logits.shape[-1]}")
    if not target.numel():
        return math.nan
    x = logits.data
    xp = get_array_module(x)
    places = xp.arange(x.shape[-1])
    own = xp.take_along_axis(x, target.data[..., None], axis=-1)
    larger = (x > own) | (xp.isnan(x) & ~xp.isnan(own))
    as_large = (x == own) | (xp.isnan(x) & xp.isnan(own))
    rank = (larger | (as_large & (places < target.data[..., None]))).sum(axis=-1)
    return int((rank < k).sum()) / target.numel()


class Mean:
    def __init__(self) -> None:
        """Nothing is added up but the mean itself moves: it never grows large."""
        self.mean, self.weight = math.nan, 0.0

    def update(self, value: float, weight: float = 1.0) -> None:
        """Welford's way: the mean goes a part of the way to the new value. Totals cannot overflow, and one
        division more.
        """
        if weight < 0:
            raise ValueError(f"weight {weight}")
        if weight > 0:
            self.weight += weight
            start = 0.0 if math.isnan(self.mean) and self.weight == weight else self.mean
            self.mean = start + (float(value) - start) * (weight / self.weight)

    def compute(self) -> float:
        """It is there already."""
        return self.mean


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """With descriptors of the system: open, write until all is written, fsync, rename. No buffer is in
    between.
    """
    path = Path(path)
    beside = Path(f"{path}.tmp")
    try:
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(number, rest) :]
            os.fsync(number)
        finally:
            os.close(number)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def checkpoints(directory: str | os.PathLike[str]) -> dict[int, Path]:
    """The names are taken apart with `removeprefix` and read as numbers: no pattern, and four conditions."""
    found = {}
    for path in Path(directory).iterdir() if Path(directory).is_dir() else ():
        digits = path.name.removeprefix("epoch-").removesuffix(".safetensors")
        whole = path.name == f"epoch-{digits}.safetensors" and digits.isascii() and digits.isdigit()
        if whole and len(digits) >= 5:
            found[int(digits)] = path
    return {epoch: found[epoch] for epoch in sorted(found)}
