"""A clock for specs of what measures time: it moves only when a spec says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Clock:
    """A clock that stands still until something takes time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float, result: Any = None) -> Callable[[], Any]:
        """What a call does: it takes so many seconds, and gives the result."""

        def run() -> Any:
            self.now += seconds
            return result

        return run
