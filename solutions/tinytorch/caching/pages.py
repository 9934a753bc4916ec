"""Pages: memory in small pieces that several texts may share (Kwon et al., 2023, PagedAttention, the idea of vLLM).

A KVCache takes memory for the longest text in every row, and a text that has a beginning in common with another has a
copy of it. A pool of pages gives a text what it needs, a page at a time, and a page may belong to several texts. It is
copied when one of them writes into it.
"""

from __future__ import annotations

from typing import Any, Self

from tinytorch.caching.cache import _check_new
from tinytorch.dispatch import Array, wrap
from tinytorch.setup import get_array_module
from tinytorch.tensor import Tensor, float32, zeros
from tinytorch.transformers import GPTConfig


class PagePool:
    """`pages` pages, each with the keys and values of `page_size` tokens in all layers.

    `keys` and `values` are arrays (n_layer, pages, H, page_size, E). counts[p] says how many texts use page p.
    """

    def __init__(
        self, config: GPTConfig, pages: int, page_size: int = 16, dtype: Any = float32, device: Any = "cpu"
    ) -> None:
        shape = (config.n_layer, pages, config.n_head, page_size, config.n_embd // config.n_head)
        self.page_size = page_size
        self.keys: Array = zeros(shape, dtype=dtype, device=device).data
        self.values: Array = zeros(shape, dtype=dtype, device=device).data
        self.counts = [0] * pages

    def allocate(self, number: int) -> list[int]:
        """Take `number` pages that nobody uses; each is used once now.

        Raises:
            MemoryError: there are fewer; the message names both numbers, and no page is taken.
        """
        free = [page for page, count in enumerate(self.counts) if count == 0][:number]
        if len(free) < number:
            raise MemoryError(f"{number} pages are needed, and {len(free)} of {len(self.counts)} are free")
        for page in free:
            self.counts[page] = 1
        return free


class PagedCache:
    """A `Cache` (kata 13) for one text, whose keys and values stand in the pages of a pool.

    `pool` is the PagePool. `table` lists the pages of the text: place t stands in page table[t // page_size], at
    t % page_size. `length` is how many tokens it holds.
    """

    def __init__(self, pool: PagePool) -> None:
        self.pool = pool
        self.table: list[int] = []
        self.length = 0

    def reserve(self, new: int) -> None:
        """See to it that `new` tokens can be written: there are pages enough, and none that is written to is shared.

        A page that is partly filled and that another text uses too is copied, and the other text keeps the old one.

        Raises:
            MemoryError: as PagePool.allocate; then nothing has changed.
        """
        pool, size = self.pool, self.pool.page_size
        first, rest = divmod(self.length, size)  # the first new token goes into page table[first]
        shared = rest > 0 and pool.counts[self.table[first]] > 1
        missing = max(0, -(-(self.length + new) // size) - len(self.table))
        pages = pool.allocate(missing + shared)
        if shared:
            old, copied = self.table[first], pages.pop()
            pool.keys[:, copied], pool.values[:, copied] = pool.keys[:, old], pool.values[:, old]
            pool.counts[old] -= 1
            self.table[first] = copied
        self.table += pages

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write new keys and values (1, H, L, E) behind the old ones; return all of the layer's: (1, H, length + L, E).

        The first layer reserves the pages. The length grows when the last layer is updated. What is refused changes
        nothing.

        Raises:
            MemoryError: the pool has too few pages.
            ValueError, TypeError, RuntimeError: shape, dtype or gradients, as KVCache.update of one row.
        """
        _check_new(self.pool.keys, 1, key, value)
        pool, (heads, new, features) = self.pool, key.shape[-3:]
        if layer == 0:
            self.reserve(new)
        xp = get_array_module(pool.keys)
        places = range(self.length, self.length + new)
        pages = xp.asarray([self.table[place // pool.page_size] for place in places], int)
        slots = xp.asarray([place % pool.page_size for place in places], int)
        found = []
        for memory, tensor in ((pool.keys[layer], key), (pool.values[layer], value)):
            array = tensor.data.reshape(heads, new, features)
            memory[pages, :, slots] = array.swapaxes(0, 1)  # (L, H, E)
            rows = memory[xp.asarray(self.table, int)].swapaxes(0, 1)  # (H, pages, page_size, E), a copy
            whole = rows.reshape(heads, -1, features)[:, : self.length + new]
            found.append(wrap(whole.reshape(*key.shape[:-2], -1, features)))
        if layer == len(pool.keys) - 1:
            self.length += new
        return found[0], found[1]

    def fork(self) -> Self:
        """A cache for another text that begins as this one: it shares all pages in which a token stands, and no more.

        Nothing is copied.
        """
        other = type(self)(self.pool)
        other.table, other.length = self.table[: -(-self.length // self.pool.page_size)], self.length
        for page in other.table:
            self.pool.counts[page] += 1
        return other

    def release(self) -> None:
        """Give all pages back: those that no other text uses are free. The cache is empty then."""
        for page in self.table:
            self.pool.counts[page] -= 1
        self.table, self.length = [], 0
