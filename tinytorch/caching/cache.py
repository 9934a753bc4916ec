"""The memory of a model that writes: keys and values of the tokens that it has read.

A token changes nothing for the tokens before it: their keys and values are what they were. So they are kept, and a
step reads one token, where it read the whole text before.

Shapes: R rows, each with a text of its own; H heads; L new tokens; S places; E features of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from tinytorch.dispatch import Array
from tinytorch.tensor import Tensor, float32
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
        raise NotImplementedError("kata 16: KVCache.__init__")

    @property
    def length(self) -> int | Array:
        """How many tokens the rows hold: an int if all hold as many, else an array (R,) on the device of the keys.

        The array is a copy: it does not change when the cache grows.
        """
        raise NotImplementedError("kata 16: KVCache.length")

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
        raise NotImplementedError("kata 16: KVCache.update")

    def truncate(self, length: int | Sequence[int] | Array) -> None:
        """Forget the tokens from place `length` on, one number for all rows or one for each (`crop` in transformers).

        Nothing is erased: what stands there is not looked at, and is written over.

        Raises:
            ValueError: a length is negative or larger than that of its row, or there are not as many lengths as rows;
                the message names the lengths asked for and those there are. Then nothing is forgotten.
        """
        raise NotImplementedError("kata 16: KVCache.truncate")

    def copy_row(self, row: int, source: KVCache, source_row: int, length: int | None = None) -> None:
        """Let `row` hold the first `length` tokens, by default all, of a row of `source`, which may be this cache.

        Raises:
            ValueError: the row of `source` does not hold that many tokens, or this cache has not so many places; the
                message names `length`. Or the caches differ in layers, heads or features; it names both shapes.
            TypeError: the caches differ in dtype; the message names both.
        """
        raise NotImplementedError("kata 16: KVCache.copy_row")

    def __getitem__(self, rows: slice) -> Self:
        """Some rows as a cache of their own, in the same memory: what is written into one, the other has too.

        Raises:
            TypeError: `rows` is not a slice; the message names it.
        """
        raise NotImplementedError("kata 16: KVCache.__getitem__")
