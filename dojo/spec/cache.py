"""The simplest cache of keys and values, for attention and models that take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Remembered:
    """A `Cache` of kata 13: it keeps for each layer a list of what it was given, `given[layer]`.

    `cat` is the student's, so that gradients pass and a device stays: cat(tensors, dim).
    """

    def __init__(self, cat: Callable[[list[Any], int], Any], layers: int = 1) -> None:
        self.cat = cat
        self.given: list[list[tuple[Any, Any]]] = [[] for _ in range(layers)]

    @property
    def length(self) -> int:
        """The length of the last layer, which is the last to be updated."""
        return sum(key.shape[-2] for key, _ in self.given[-1])

    def update(self, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
        """Append the keys and values of new tokens, and return all that the layer holds."""
        self.given[layer].append((key, value))
        keys, values = zip(*self.given[layer], strict=True)
        return self.cat(list(keys), -2), self.cat(list(values), -2)
