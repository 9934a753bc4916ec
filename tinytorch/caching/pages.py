"""Pages: memory in small pieces that several texts may share (Kwon et al., 2023, PagedAttention, the idea of vLLM).

A KVCache takes memory for the longest text in every row, and a text that has a beginning in common with another has a
copy of it. A pool of pages gives a text what it needs, a page at a time, and a page may belong to several texts. It is
copied when one of them writes into it.
"""

from __future__ import annotations

from typing import Any, Self

from tinytorch.tensor import Tensor, float32
from tinytorch.transformers import GPTConfig


class PagePool:
    """`pages` pages, each with the keys and values of `page_size` tokens in all layers.

    `keys` and `values` are arrays (n_layer, pages, H, page_size, E). counts[p] says how many texts use page p.
    """

    def __init__(
        self, config: GPTConfig, pages: int, page_size: int = 16, dtype: Any = float32, device: Any = "cpu"
    ) -> None:
        raise NotImplementedError("kata 16: PagePool.__init__")

    def allocate(self, number: int) -> list[int]:
        """Take `number` pages that nobody uses; each is used once now.

        Raises:
            MemoryError: there are fewer; the message names both numbers, and no page is taken.
        """
        raise NotImplementedError("kata 16: PagePool.allocate")


class PagedCache:
    """A `Cache` (kata 13) for one text, whose keys and values stand in the pages of a pool.

    `pool` is the PagePool. `table` lists the pages of the text: place t stands in page table[t // page_size], at
    t % page_size. `length` is how many tokens it holds.
    """

    def __init__(self, pool: PagePool) -> None:
        raise NotImplementedError("kata 16: PagedCache.__init__")

    def reserve(self, new: int) -> None:
        """See to it that `new` tokens can be written: there are pages enough, and none that is written to is shared.

        A page that is partly filled and that another text uses too is copied, and the other text keeps the old one.

        Raises:
            MemoryError: as PagePool.allocate; then nothing has changed.
        """
        raise NotImplementedError("kata 16: PagedCache.reserve")

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write new keys and values (1, H, L, E) behind the old ones; return all of the layer's: (1, H, length + L, E).

        The first layer reserves the pages. The length grows when the last layer is updated. What is refused changes
        nothing.

        Raises:
            MemoryError: the pool has too few pages.
            ValueError, TypeError, RuntimeError: shape, dtype or gradients, as KVCache.update of one row.
        """
        raise NotImplementedError("kata 16: PagedCache.update")

    def fork(self) -> Self:
        """A cache for another text that begins as this one: it shares all pages in which a token stands, and no more.

        Nothing is copied.
        """
        raise NotImplementedError("kata 16: PagedCache.fork")

    def release(self) -> None:
        """Give all pages back: those that no other text uses are free. The cache is empty then."""
        raise NotImplementedError("kata 16: PagedCache.release")
