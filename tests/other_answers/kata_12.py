"""Flat lookups, clock hands by logarithms, sines and cosines folded by memory, and a rotation with a sign."""

from __future__ import annotations

import numpy as np

from tinytorch.dispatch import Array, accelerable
from tinytorch.layers import Buffer
from tinytorch.setup import default_generator, get_array_module
from tinytorch.tensor import Tensor, cat, reshape, where


@accelerable
def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """All ids in one row, looked up, and shaped at the end: whatever axes there are, only one is thought of."""
    if not isinstance(input, Tensor):
        raise TypeError(f"ids are a Tensor, not {type(input).__name__}")
    if input.dtype.kind not in "iu":
        raise TypeError(f"ids of {input.dtype}")
    if len(weight.shape) != 2:
        raise ValueError(f"a weight of shape {weight.shape}")
    get_array_module(input.data, weight.data)
    count, features = weight.shape
    flat = input.data.reshape(-1)
    wrong = np.flatnonzero(
        ((flat < 0) | (flat >= count))
        if isinstance(flat, np.ndarray)
        else ((flat < 0) | (flat >= count)).get()
    )
    if len(wrong):
        raise IndexError(f"there is no row {int(flat[int(wrong[0])])} among {count}")
    picked = weight[flat]
    if padding_idx is not None:
        own = row_number(padding_idx, count)
        picked = where(Tensor(flat == own).unsqueeze(1), picked.detach(), picked)
    return reshape(picked, (*input.shape, features))


def row_number(padding_idx: int, num_embeddings: int) -> int:
    """A range counts from the end by itself: its error is caught, and said in other words."""
    try:
        return range(num_embeddings)[padding_idx]
    except IndexError:
        raise IndexError(f"no row {padding_idx} among {num_embeddings}") from None


def position_angles(places: Array, d_model: int, base: float = 10000.0) -> Array:
    """The speeds of the hands as exp of a logarithm, and an outer product: the form of the paper's own code."""
    xp = get_array_module(places)
    hands = xp.arange((d_model + 1) // 2, dtype=xp.float64)
    speeds = xp.exp(hands * (-2 * np.log(base) / max(d_model, 1)))
    return xp.asarray(places, dtype=xp.float64)[..., None] * speeds


def places_of(x: Tensor, start: int | Array) -> Array:
    """One range for each text, stacked: no sum of two arrays of unequal axes, and a loop over the texts."""
    xp = get_array_module(x.data)
    rows = x.shape[-2]
    if isinstance(start, (int, np.integer)):
        return xp.arange(int(start), int(start) + rows)
    if x.ndim < 3 or tuple(start.shape) != (x.shape[0],):
        raise ValueError(f"{start.shape} starts for x of {x.shape}")
    table = (
        xp.stack([xp.arange(each, each + rows) for each in start.tolist()])
        if len(start)
        else xp.zeros((0, rows), int)
    )
    return table.reshape(x.shape[0], *(1,) * (x.ndim - 3), rows)


def rows_for(table: Tensor, x: Tensor, start: int | Array) -> Tensor:
    """First and last place are looked at, whatever `start` is; then the rows are taken in one way for both."""
    length, features = table.shape
    if x.ndim < 2 or x.shape[-1] != features:
        raise ValueError(f"x {x.shape} does not have (..., T, {features})")
    one = isinstance(start, (int, np.integer))
    starts = [int(start)] if one else [int(each) for each in start.tolist()]
    for each in starts:
        if each < 0:
            raise ValueError(f"a text that begins at {each}")
        if each + x.shape[-2] > length:
            raise ValueError(f"place {each + x.shape[-2]} of {length}")
    if one:
        return table[starts[0] : starts[0] + x.shape[-2]]
    return table[Tensor(places_of(x, start))]


class SinusoidalPositions:
    def __init__(self, max_len: int, d_model: int) -> None:
        """Sines and cosines side by side in a new axis, which is folded in: the order comes from the memory."""
        angles = position_angles(np.arange(max_len), d_model)
        pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)  # (max_len, hands, 2)
        table = pairs.reshape(max_len, 2 * angles.shape[1])[:, :d_model]
        self.table = Buffer(np.ascontiguousarray(table, np.float32))


class LearnedPositions:
    def reset_parameters(self) -> None:
        """NumPy's generator draws straight into the weight's memory."""
        generator = default_generator(self.weight.device)
        self.weight.data[:] = generator.standard_normal(self.weight.shape)


def apply_rope(x: Tensor, start: int | Array = 0, base: float = 10000.0) -> Tensor:
    """x * cos + rotated(x) * sin, as Llama's own code: halves are exchanged with a sign, and the tables are
    twice as wide.
    """
    if x.ndim < 2 or x.shape[-1] % 2 == 1:
        raise ValueError(f"no pairs in {x.shape}")
    if x.dtype.kind != "f":
        raise TypeError(f"x of {x.dtype}")
    xp = get_array_module(x.data)
    half = x.shape[-1] // 2
    angles = position_angles(places_of(x, start), x.shape[-1], base)
    angles = xp.concatenate([angles, angles], axis=-1)
    cos, sin = (Tensor(each.astype(x.dtype)) for each in (xp.cos(angles), xp.sin(angles)))
    turned = cat([-x[..., half:], x[..., :half]], -1)
    return x * cos + turned * sin
