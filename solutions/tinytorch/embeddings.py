"""Embeddings of ids and of positions: rows of numbers that a model can learn from.

A token id is a name: 7 is no nearer to 8 than to 900. An embedding gives each id a row of a matrix, a point in a
space in which near and far mean something, and training moves the rows. Most layers do not use the place of a row in
the sentence, so the place has to be put into the row: added to it (sinusoidal or learned positions), or as a rotation
(apply_rope).
"""

from __future__ import annotations

from typing import Self

import numpy as np

from tinytorch.dispatch import Array, accelerable
from tinytorch.layers import Buffer, Module, Parameter, init
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, cat, eq, unsqueeze, where, zeros

# Lookup -------------------------------------------------------------------------------------------------


@accelerable
def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The row of `weight` for each id: ids (...) and weight (V, D) give (..., D) (torch.nn.functional.embedding).

        out[i, j, :] = weight[input[i, j], :]

    The result is a copy. If an id occurs n times, the n gradients add up in its row. The ids have no gradient; they may
    have any integer dtype and any shape, also an empty one. `padding_idx`, if given, is an id whose row keeps its value
    and gets no gradient; a negative one counts from the end, -1 is V - 1. V and D may be 0. A row that no id picks
    does not change the result, even if it contains infinity.

    Raises:
        IndexError: an id is negative or not below V; the message names the first such id and V. Or `padding_idx` is
            outside [-V, V - 1]; the message names it and V.
        TypeError: the ids are not a Tensor; the message names their type. Or not integers; it names their dtype.
        ValueError: `weight` does not have two axes; the message names its shape.
        RuntimeError: ids and weight are on different devices; the message names both.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"embedding takes a Tensor of ids, got {type(input).__name__}: wrap it, tensor(ids)")
    if input.dtype.kind not in "iu":
        raise TypeError(f"ids are integers, got {input.dtype}: convert them with .to(int64)")
    if weight.ndim != 2:
        raise ValueError(f"the weight of an embedding has shape (V, D), got {weight.shape}")
    ids, rows = input.data, len(weight)
    get_array_module(ids, weight.data)  # refuses a mix of devices
    outside = ids[(ids < 0) | (ids >= rows)]
    if outside.size:  # NumPy would count -1 from the end, without a word
        raise IndexError(f"id {int(outside[0])} is outside a vocabulary of {rows}")
    out = weight[ids]  # a copy for ids of shape () too, which weight[int(id)] is not
    if padding_idx is None:
        return out
    padding = unsqueeze(eq(input, row_number(padding_idx, rows)), -1)  # (..., 1)
    return where(padding, out.detach(), out)


def row_number(padding_idx: int, num_embeddings: int) -> int:
    """`padding_idx` counted from the front: -1 is num_embeddings - 1.

    Raises:
        IndexError: there is no such row; the message names both numbers.
    """
    if not -num_embeddings <= padding_idx < num_embeddings:
        raise IndexError(f"padding_idx {padding_idx} is outside a vocabulary of {num_embeddings}")
    return padding_idx % num_embeddings


class Embedding(Module):
    """A row to learn for each of `num_embeddings` ids: (...) -> (..., embedding_dim) (torch.nn.Embedding).

    weight (num_embeddings, embedding_dim) is drawn from the normal distribution with mean 0 and deviation 1. The
    row of `padding_idx` is 0 and stays 0, because it gets no gradient; the attribute padding_idx is counted from the
    front. If `_weight` is given, it is used as it is, and nothing is drawn.

    Raises:
        IndexError: `padding_idx` is not a row; the message names it and num_embeddings.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        _weight: Tensor | None = None,
    ) -> None:
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else row_number(padding_idx, num_embeddings)
        if _weight is None:
            self.weight = Parameter(zeros(num_embeddings, embedding_dim))
            self.reset_parameters()
        else:
            self.weight = Parameter(_weight)

    def reset_parameters(self) -> None:
        """Draw the weight again, and set the row of padding_idx to 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None) -> Self:
        """A layer of the class `cls`, perhaps a subclass, with the given rows (V, D) as its weight, in the same memory.

        With `freeze`, it does not learn: its weight does not require grad. The weight is a new Parameter:
        `embeddings`, which may be a Parameter of another layer, requires grad as before. The row of `padding_idx`
        keeps its value.

        Raises:
            ValueError: `embeddings` does not have two axes; the message names its shape.
            IndexError: as for the class.
        """
        if embeddings.ndim != 2:
            raise ValueError(f"pretrained embeddings have shape (V, D), got {embeddings.shape}")
        rows, features = embeddings.shape
        layer = cls(rows, features, padding_idx, embeddings)
        layer.weight.requires_grad_(not freeze)
        return layer

    def forward(self, input: Tensor) -> Tensor:
        """embedding(input, weight, padding_idx)."""
        return embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:  # given
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


# Places that are added ----------------------------------------------------------------------------------


def position_angles(places: Array, d_model: int, base: float = 10000.0) -> Array:
    """The angle of each clock hand at each place: (..., T) -> (..., T, ceil(d_model / 2)), one hand for two features.

        angles[..., t, i] = places[..., t] / base ** (2 * i / d_model)

    Hand 0 turns by one radian a place and the last ones hardly at all, like the hands for seconds, minutes and hours.
    `places` and the result are arrays; the result is float64, because a float32 at place 100,000 is only accurate to a
    hundredth of a radian. T and d_model may be 0.
    """
    xp = get_array_module(places)
    pairs = xp.arange(0, d_model, 2)  # 2 * i
    return places[..., None] / base ** (pairs / d_model)


def places_of(x: Tensor, start: int | Array) -> Array:
    """The place of each row of x (..., T, D): start, start + 1, ... as an array (T,), on the device of x.

    In a batch each text may begin at a place of its own: with `start` an array (B,) of integers, text b of
    x (B, ..., T, D) begins at start[b]. Then the places are (B, ..., T), with axes of 1 between: (B, 1, T) for an x
    (B, H, T, D).

    Raises:
        ValueError: `start` is an array and does not have one number for each text; the message names its shape and
            that of x.
    """
    xp = get_array_module(x.data)
    places = xp.arange(x.shape[-2])
    if not isinstance(start, (int, np.integer)):
        if x.ndim < 3 or start.shape != x.shape[:1]:
            raise ValueError(
                f"start has a number for each text of x (B, ..., T, D): got {start.shape} and {x.shape}"
            )
        start = start.reshape(-1, *[1] * (x.ndim - 2))
    return start + places


def rows_for(table: Tensor, x: Tensor, start: int | Array) -> Tensor:
    """The rows of `table` (max_len, D) for x (..., T, D) whose first row is at place `start`: (T, D), a view.

    With an array of starts, one for each text, they are the rows at places_of(x, start): (B, ..., T, D). Any of
    max_len, D and T may be 0.

    Raises:
        ValueError: x has fewer than two axes or another D; the message names the shape of x and D. A start is
            negative; the message names it. Or start + T is above max_len, even if T is 0; the message names both.
            Or as places_of.
    """
    max_len, d_model = table.shape
    if x.ndim < 2 or x.shape[-1] != d_model:
        raise ValueError(
            f"positions of {d_model} features need x of shape (..., T, {d_model}), got {x.shape}"
        )
    starts = [start] if isinstance(start, (int, np.integer)) else start.tolist()
    if min(starts, default=0) < 0:
        raise ValueError(f"start must be 0 or more, got {start}")
    stop = max(starts, default=0) + x.shape[-2]
    if stop > max_len:
        raise ValueError(f"rows up to place {stop} do not fit into max_len {max_len} (start is {start})")
    return table[start:stop] if isinstance(start, (int, np.integer)) else table[places_of(x, start)]


class SinusoidalPositions(Module):
    """x plus sines and cosines of its places: (..., T, d_model) -> the same (Vaswani et al. 2017).

    Row t of the buffer `table` (max_len, d_model) has the sine and the cosine of each clock hand at place t, one
    after the other:

        table[t, 2 * i] = sin(angles[t, i]), table[t, 2 * i + 1] = cos(angles[t, i])

    with angles = position_angles(places, d_model). It is float32, part of the state_dict, and not learned. With an odd
    d_model the last hand has no cosine. max_len and d_model may be 0.
    """

    def __init__(self, max_len: int, d_model: int) -> None:
        angles = position_angles(np.arange(max_len), d_model)
        table = zeros(max_len, d_model)
        table.data[:, 0::2] = np.sin(angles)
        table.data[:, 1::2] = np.cos(angles[:, : d_model // 2])
        self.table = Buffer(table)

    def forward(self, x: Tensor, start: int | Array = 0) -> Tensor:
        """x + the rows of the table from place `start` on, in the dtype of x.

        Raises:
            TypeError: x is not floating point; the message names its dtype.
            ValueError: as rows_for.
        """
        if x.dtype.kind != "f":
            raise TypeError(f"sines and cosines are added to floating point, got {x.dtype}")
        return x + rows_for(self.table, x, start).to(x.dtype)

    def extra_repr(self) -> str:  # given
        return "{}, {}".format(*self.table.shape)


class LearnedPositions(Module):
    """x plus a row to learn for each place: (..., T, d_model) -> the same shape (GPT-2's `wpe`).

    weight (max_len, d_model) is drawn from the normal distribution with mean 0 and deviation 1, as an Embedding's;
    max_len and d_model may be 0. The result has the dtype of x + weight: float32 for a float16 x.
    """

    def __init__(self, max_len: int, d_model: int) -> None:
        self.weight = Parameter(zeros(max_len, d_model))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight again."""
        init.normal_(self.weight)

    def forward(self, x: Tensor, start: int | Array = 0) -> Tensor:
        """x + the rows of the weight from place `start` on; errors as rows_for."""
        return x + rows_for(self.weight, x, start)

    def extra_repr(self) -> str:  # given
        return "{}, {}".format(*self.weight.shape)


# Places that turn ---------------------------------------------------------------------------------------


def apply_rope(x: Tensor, start: int | Array = 0, base: float = 10000.0) -> Tensor:
    """Each row rotated by its place: (..., T, D) -> the same shape and dtype (Su et al. 2021, RoPE).

    Row t is at place start + t; `start` may also be an array of starts, one for each text, as in places_of. Features
    i and i + D / 2 of a row are the coordinates of a point, which is rotated by angles[t, i] of
    position_angles(places, D, base):

        out[..., t, i]         = x[..., t, i] * cos(angle) - x[..., t, i + D / 2] * sin(angle)
        out[..., t, i + D / 2] = x[..., t, i] * sin(angle) + x[..., t, i + D / 2] * cos(angle)

    So places change the dot product of two rows only by their distance. The paper pairs neighbours, 2 * i with
    2 * i + 1; here the halves are paired, as in GPT-NeoX and Llama: only the order of the features differs, and a
    half is one slice. T and D may be 0. The angles are float64, and their sines and cosines are rounded to the
    dtype of x.

    Raises:
        ValueError: x has fewer than two axes, or D is odd; the message names the shape. Or as places_of.
        TypeError: x is not floating point; the message names its dtype.
    """
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ValueError(f"apply_rope turns pairs of features: x (..., T, D) with an even D, got {x.shape}")
    if x.dtype.kind != "f":
        raise TypeError(f"apply_rope needs floating point, got {x.dtype}")
    xp = get_array_module(x.data)
    D = x.shape[-1]
    angles = position_angles(places_of(x, start), D, base)  # (T, D / 2) or (B, ..., T, D / 2)
    cos, sin = Tensor(xp.cos(angles).astype(x.dtype)), Tensor(xp.sin(angles).astype(x.dtype))
    first, second = x[..., : D // 2], x[..., D // 2 :]  # (..., T, D / 2) each
    return cat([first * cos - second * sin, first * sin + second * cos], -1)
