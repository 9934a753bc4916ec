"""The memory of a model that writes: keys and values of the tokens that it has read.

A token changes nothing for the tokens before it: their keys and values are what they were. So they are kept, and a
step reads one token, where it read the whole text before.

Shapes: R rows, each with a text of its own; H heads; L new tokens; S places; E features of a head.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from tinytorch.attention import longest
from tinytorch.dispatch import Array, wrap
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, float32, zeros
from tinytorch.transformers import GPTConfig


class KVCache:
    """A `Cache` (kata 13) of fixed size for a GPT: it writes new keys and values behind the old ones, in place.

    `keys` and `values` are arrays (n_layer, R, H, max_length, E) of zeros at first: what stands behind the end of a
    text is multiplied by a weight of 0, and 0 times nan would be nan. `lengths` is a NumPy array (R,): how many tokens
    each row holds. A token counts when the last layer has it. (StaticCache of Hugging Face's transformers.)
    """

    def __init__(
        self,
        config: GPTConfig,
        rows: int = 1,
        max_length: int | None = None,
        dtype: Any = float32,
        device: Any = "cpu",
    ) -> None:
        """Take the memory for `rows` texts of `max_length` tokens, by default config.block_size."""
        places = config.block_size if max_length is None else max_length
        shape = (config.n_layer, rows, config.n_head, places, config.n_embd // config.n_head)
        self.keys: Array = zeros(shape, dtype=dtype, device=device).data
        self.values: Array = zeros(shape, dtype=dtype, device=device).data
        self.lengths: Array = np.zeros(rows, np.int64)
        self._counted = 0  # what the last update added
        self._after = self.lengths.copy()  # and the lengths then

    @property
    def length(self) -> int | Array:
        """How many tokens the rows hold: an int if all hold as many, else an array (R,) on the device of the keys.

        The array is a copy: it does not change when the cache grows.
        """
        first = int(self.lengths[0]) if len(self.lengths) else 0
        if (self.lengths == first).all():
            return first
        copied: Array = get_array_module(self.keys).array(self.lengths)
        return copied

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write new keys and values (R, H, L, E) behind those of `layer`; return all: (R, H, longest + L, E), views.

        Those of row r stand at its places lengths[r] to lengths[r] + L. Any axes may stand where R stands, also none,
        if they make R rows. The lengths grow when the last layer is updated. What is refused changes nothing.

        Raises:
            ValueError: the longest text would exceed max_length; the message names its new length and max_length. Or
                the shapes of key and value do not fit the cache; it names the three shapes. Or there is no such
                layer; it names the layer and the number of layers. The tokens of the pass that asked for it, by
                a model with more layers than the cache, do not count then.
            TypeError: key or value has another dtype than the cache; the message names both.
            RuntimeError: gradients are recorded, which end at a cache; or another device (both are named).
        """
        layers, rows, heads, places, features = self.keys.shape
        if not 0 <= layer < layers:
            if (self.lengths == self._after).all():  # nobody has changed them since
                self.lengths -= self._counted
            self._counted = 0
            raise ValueError(f"there is no layer {layer}: the cache has {layers}")
        _check_new(self.keys, rows, key, value)
        new, past = key.shape[-2], self.length
        end = longest(past) + new
        if end > places:
            raise ValueError(f"a text of {end} tokens does not fit into a cache of {places}")
        xp = get_array_module(self.keys, key.data, value.data)
        found = []
        for memory, tensor in ((self.keys[layer], key), (self.values[layer], value)):
            array = tensor.data.reshape(rows, heads, new, features)
            if isinstance(past, int):
                memory[:, :, past:end] = array
            else:  # (R, L, H, E) at the places of each row
                memory[xp.arange(rows)[:, None], :, past[:, None] + xp.arange(new)] = array.swapaxes(1, 2)
            found.append(wrap(memory[:, :, :end].reshape(*key.shape[:-3], heads, end, features)))
        self._counted = new if layer == layers - 1 else 0
        self.lengths += self._counted
        self._after = self.lengths.copy()
        return found[0], found[1]

    def truncate(self, length: int | Sequence[int] | Array) -> None:
        """Forget the tokens from place `length` on, one number for all rows or one for each (`crop` in transformers).

        Nothing is erased: what stands there is not looked at, and is written over.

        Raises:
            ValueError: a length is negative or larger than that of its row, or there are not as many lengths as rows;
                the message names the lengths asked for and those there are. Then nothing is forgotten.
        """
        new = np.asarray(length)
        if new.shape not in ((), self.lengths.shape):
            raise ValueError(
                f"{len(self.lengths)} texts of {self.lengths.tolist()} tokens take as many lengths, got {new.tolist()}"
            )
        if ((new < 0) | (new > self.lengths)).any():
            raise ValueError(f"texts of {self.lengths.tolist()} tokens cannot be cut to {new.tolist()}")
        self.lengths[:] = new

    def copy_row(self, row: int, source: KVCache, source_row: int, length: int | None = None) -> None:
        """Let `row` hold the first `length` tokens, by default all, of a row of `source`, which may be this cache.

        Raises:
            ValueError: the row of `source` does not hold that many tokens, or this cache has not so many places; the
                message names `length`. Or the caches differ in layers, heads or features; it names both shapes.
            TypeError: the caches differ in dtype; the message names both.
        """
        mine, theirs, places = self.keys.shape, source.keys.shape, self.keys.shape[3]
        if source.keys.dtype != self.keys.dtype:
            raise TypeError(f"a cache of {self.keys.dtype} takes no {source.keys.dtype}")
        if theirs[::2] != mine[::2]:  # layers, heads, features
            raise ValueError(f"a row of keys of shape {theirs} does not fit into keys of shape {mine}")
        held = int(source.lengths[source_row])
        length = held if length is None else length
        if not 0 <= length <= min(held, places):
            raise ValueError(f"cannot copy {length} tokens of a row that holds {held} into {places} places")
        self.keys[:, row, :, :length] = source.keys[:, source_row, :, :length]
        self.values[:, row, :, :length] = source.values[:, source_row, :, :length]
        self.lengths[row] = length

    def __getitem__(self, rows: slice) -> Self:
        """Some rows as a cache of their own, in the same memory: what is written into one, the other has too.

        Raises:
            TypeError: `rows` is not a slice; the message names it.
        """
        if not isinstance(rows, slice):
            raise TypeError(f"rows are taken by a slice, as in cache[{rows} : {rows} + 1], got {rows!r}")
        part = copy.copy(self)
        part.keys, part.values, part.lengths = self.keys[:, rows], self.values[:, rows], self.lengths[rows]
        part._counted, part._after = 0, part.lengths.copy()
        return part


def _check_new(memory: Array, rows: int, key: Tensor, value: Tensor) -> None:
    """Refuse a key and a value that do not fit `memory`, (layers, rows or pages, heads, places, features)."""
    heads, features = memory.shape[2], memory.shape[4]
    right = (heads, *key.shape[-2:-1], features)
    fits = key.shape[-3:] == right and math.prod(key.shape[:-3]) == rows
    if not fits or value.shape != key.shape:
        raise ValueError(
            f"the cache takes keys and values of shape {(rows, heads, 'L', features)}, "
            f"got {key.shape} and {value.shape}"
        )
    for each in (key, value):
        if each.dtype != memory.dtype:
            raise TypeError(f"a cache of {memory.dtype} takes no {each.dtype}")
        if each.requires_grad:
            raise RuntimeError("gradients end at a cache: call the model inside `with no_grad():`")
