"""Texts that begin alike need not be read twice: a bounded memory of the beginnings that were read last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch.caching.cache import KVCache
from tinytorch.tensor import float32
from tinytorch.transformers import GPTConfig


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens at the beginning of both texts are the same: 2 for [5, 7, 1, 3] and [5, 7, 2, 3]."""
    for place, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return place
    return min(len(a), len(b))


class PrefixCache:
    """Keys and values of the texts that were used last, at most `entries` of them (prefix caching in vLLM).

    `cache` is a KVCache with a row for each. `texts` is a dict from the row to its tokens, a tuple; the text that was
    not used for the longest time stands first.
    """

    def __init__(
        self, config: GPTConfig, entries: int = 8, dtype: Any = float32, device: Any = "cpu"
    ) -> None:
        """Take the memory for `entries` texts, and hold none.

        Raises:
            ValueError: `entries` is less than 1; the message names it.
        """
        if entries < 1:
            raise ValueError(f"a prefix cache has at least one entry, got {entries}")
        self.cache = KVCache(config, entries, dtype=dtype, device=device)
        self.texts: dict[int, tuple[int, ...]] = {}

    def fetch(self, ids: Sequence[int], cache: KVCache, row: int) -> int:
        """Let `row` of `cache` hold the longest beginning of `ids` that is known; return its number of tokens.

        At least the last token is left to be read: its logits are not kept. The text that was used counts as used now.
        """
        found = {each: min(common_prefix(ids, text), len(ids) - 1) for each, text in self.texts.items()}
        best = max(found, key=found.__getitem__, default=None)
        if best is None or found[best] <= 0:
            cache[row : row + 1].truncate(0)
            return 0
        self.texts[best] = self.texts.pop(best)
        cache.copy_row(row, self.cache, best, found[best])
        return found[best]

    def store(self, ids: Sequence[int], cache: KVCache, row: int) -> None:
        """Remember `ids`, the tokens that `row` of `cache` holds.

        If there is no room, the text that was not used for the longest time is forgotten. A known text that begins with
        `ids` counts as used now, and nothing is copied. A known text with which `ids` begins is replaced. Without
        tokens nothing is done.

        Raises:
            ValueError: the row holds another number of tokens; the message names both numbers.
        """
        text = tuple(ids)
        if len(text) != cache.lengths[row]:
            raise ValueError(f"a text of {len(text)} tokens, and a row that holds {cache.lengths[row]}")
        if not text:
            return
        for each, known in self.texts.items():
            if known[: len(text)] == text:
                self.texts[each] = self.texts.pop(each)
                return
        replaced = [each for each, known in self.texts.items() if text[: len(known)] == known]
        free = [each for each in range(len(self.cache.lengths)) if each not in self.texts]
        place = [*replaced, *free, *self.texts][0]
        self.texts.pop(place, None)
        self.cache.copy_row(place, cache, row)
        self.texts[place] = text
