"""Look first: which operation takes the time, and which one takes the memory.

Nobody guesses right where the time of a program goes. The dispatcher shows every call to its observers: primitives and
kernels on the way forward, Functions, and the rules on the way back. An observer adds up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinytorch.dispatch import Event


@dataclass
class Cost:
    """What all calls of one operation took together."""

    calls: int = 0
    seconds: float = 0.0
    nbytes: int = 0
    dtypes: set[str] = field(default_factory=set)


def page_faults() -> int | None:
    """How many pages of memory the system has handed to this process so far, or None where it does not tell.

    `resource.getrusage(resource.RUSAGE_SELF).ru_minflt` counts them; import `resource` inside the function, because
    Windows has no such module. Each page (of 4 KiB, mostly) is filled with zeros when it is first touched, and that
    takes longer than to compute its 1024 numbers.
    """
    raise NotImplementedError("kata 15: page_faults")


def new_arrays(result: Any, given: Iterable[Any] = ()) -> list[np.ndarray[Any, Any]]:
    """The arrays in the result of a call whose memory is not that of something `given` to the call.

    A result is an array, a Tensor, or a tuple of arrays and None; anything else has none. A view does not own its
    memory: its `base` does, or the base of that one, and so on to an array whose base is no array.
    """
    raise NotImplementedError("kata 15: new_arrays")


class Profile:
    """An observer of the dispatcher that adds up what calls cost (torch.profiler.profile).

    `costs` has a Cost for each operation, by its name. The rule of an operation, on the way back, is another one: its
    name has "_backward" at the end.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:  # given
        self.clock = clock
        self.costs: dict[str, Cost] = {}
        self.inner = [0.0]
        """The seconds of the calls inside of each call that is running, the innermost last."""

    def __call__(self, event: Event, run: Callable[[], Any]) -> Any:
        """Run the call, add its cost to the others of that name, and return its result.

        Seconds count once: what a call inside of this one took belongs to that one alone. `nbytes` adds up the sizes
        of new_arrays, and `dtypes` the names of their dtypes. A call that raises counts too, without bytes.
        """
        raise NotImplementedError("kata 15: Profile.__call__")


@contextmanager
def profile(clock: Callable[[], float] = time.perf_counter) -> Iterator[Profile]:
    """`with profile() as seen:` watches every call in the block; `seen.costs` says what they cost.

    Afterwards, and after an error, there is one observer less. Blocks may lie in each other.
    """
    raise NotImplementedError("kata 15: profile")


def table(costs: dict[str, Cost], rows: int = 10) -> str:
    """The operations that took longest, one in a line: name, calls, milliseconds, MB, dtypes.

    The first line names the columns: operation, calls, ms, MB and dtypes. The longest comes first, and there are at
    most `rows` of them. A last line, "total", adds up all, those that are not shown too, and has all dtypes. ms and
    MB have two decimals; MB are 1,000,000 bytes; dtypes are sorted, joined by ", ".
    """
    raise NotImplementedError("kata 15: table")
