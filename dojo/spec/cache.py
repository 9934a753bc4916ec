"""The simplest caches of keys and values, for attention and models that take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


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


class Together:
    """A `Cache` of a batch whose texts have unequal lengths: it keeps one `Remembered` for each text.

    Behind the end of a shorter text stand large numbers, which nobody may look at. Gradients do not pass.
    """

    def __init__(self, texts: list[Remembered]) -> None:
        self.texts = texts

    @property
    def length(self) -> Any:
        """The length of each text, (B,)."""
        return np.array([text.length for text in self.texts])

    def update(self, layer: int, key: Any, value: Any) -> tuple[Any, Any]:
        """Append the new keys and values of each text, and return all that the layer holds."""
        pieces = [(key[b : b + 1], value[b : b + 1]) for b in range(len(self.texts))]
        kept = [text.update(layer, *each) for text, each in zip(self.texts, pieces, strict=True)]
        return tuple(self._side_by_side(each, type(key)) for each in zip(*kept, strict=True))

    def _side_by_side(self, texts: tuple[Any, ...], tensor: Any) -> Any:
        longest = max(text.shape[-2] for text in texts)
        _, heads, _, features = texts[0].shape
        out = np.full((len(texts), heads, longest, features), 1e3, texts[0].dtype)
        for row, text in zip(out, texts, strict=True):
            row[:, : text.shape[-2]] = text.data[0]
        return tensor(out)
