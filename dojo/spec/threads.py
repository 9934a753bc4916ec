"""Checking that threads which a block starts end with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_thread_left() -> Iterator[None]:
    """Check that every thread that was started in the block has ended when the block ends."""
    __tracebackhide__ = True
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    if left:
        names = ", ".join(thread.name for thread in left)
        raise AssertionError(f"{len(left)} threads were left behind, at work or not: {names}")
