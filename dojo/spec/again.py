"""An iterable that can be iterated again and again, as a training set is, without being a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


class Again:
    """Each iteration calls `make` for a new iterable. It has no length."""

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Any]:
        return iter(self.make())
