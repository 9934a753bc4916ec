"""Several processes that work on one thing, and a memory that they share.

Python runs one thread at a time, so a second core needs a second process. `fork` makes one that has everything the
first one has, arrays too; from then on each writes into a copy of its own. What is to be shared must be shared memory,
and whoever reads what another one writes has to wait until it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from tinytorch.dispatch import Array


def shared_array(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """An array of zeros that this process and all that it forks from now on have in common.

    It lies in an anonymous mmap, mmap.mmap(-1, length): memory that has no file and no name, so nothing is left behind
    when processes die. A mmap cannot be empty; an array of no entries lies in one of one byte.
    """
    raise NotImplementedError("kata 19: shared_array")


class ProcessGroup:
    """What one of the processes of `spawn` knows of the others (torch.distributed.ProcessGroup).

    `rank` is its number, from 0 on, and `world_size` how many there are. `rows` (world_size, buffer_bytes) is one
    shared array of bytes: each writes into rows[rank] and reads all. `gate` is a multiprocessing.Barrier, and `timeout`
    how many seconds to wait at it.
    """

    def __init__(self, rank: int, rows: Array, gate: Any, timeout: float) -> None:  # given
        self.rank = rank
        self.world_size = len(rows)
        self.rows = rows
        self.gate = gate
        self.timeout = timeout

    def barrier(self) -> None:
        """Wait until all processes have come here (torch.distributed.barrier).

        Raises:
            RuntimeError: after `timeout` seconds they had not; the message names this rank and the seconds.
        """
        raise NotImplementedError("kata 19: ProcessGroup.barrier")

    def row(self, rank: int, array: Array) -> Array:
        """The beginning of rows[rank], as a flat array of as many entries as `array` and of its dtype; not a copy.

        Raises:
            ValueError: `array` has more bytes than a row; the message names both numbers.
        """
        raise NotImplementedError("kata 19: ProcessGroup.row")

    def all_reduce(self, array: Array) -> None:
        """Replace `array`, in every process, by the sum over all of them (torch.distributed.all_reduce).

        Each writes its row, waits for all, and adds up all rows in the order of the ranks, so that all have the same
        sum, bit for bit. Then each waits again: whoever wrote the next array at once would change a row that another
        one is still reading.
        """
        raise NotImplementedError("kata 19: ProcessGroup.all_reduce")


def work(pipe: Connection, function: Callable[..., Any], group: ProcessGroup, args: tuple[Any, ...]) -> None:
    """What a fork does: call function(group, *args) and send (True, its result) through the pipe.

    If it raises anything, even SystemExit, or its result cannot be sent, (False, traceback.format_exc()) is sent.
    """
    raise NotImplementedError("kata 19: work")


def collect(workers: Sequence[BaseProcess], pipes: Sequence[Connection]) -> list[Any]:
    """What the workers sent, by rank. They are waited for all at once, so that the first failure is seen at once.

    `multiprocessing.connection.wait` says which pipes have something. A pipe whose worker died without a word is at its
    end: recv raises EOFError. Receive before you wait for a process to end: a pipe holds 64 KiB, and who sends more
    waits for a reader.

    Raises:
        RuntimeError: a worker raised (the message has its rank and its traceback) or died (its rank, and the name of
            what killed it, as in "SIGKILL", or its exit status).
    """
    raise NotImplementedError("kata 19: collect")


def spawn(
    function: Callable[..., Any],
    world_size: int = 2,
    *args: Any,
    timeout: float = 60.0,
    buffer_bytes: int = 2**26,
) -> list[Any]:
    """Call function(group, *args) in `world_size` forks of this process, and give what they returned, by rank.

    As torch.multiprocessing.spawn, with results. In each fork runs `work`. All have the same `rows`, shared memory
    (world_size, buffer_bytes), and the same `gate`. The gate, a pipe for each and the processes are made by
    multiprocessing.get_context("fork"). `rows` may be large: memory that nobody writes into costs nothing. Make a pipe,
    start its process, close the writing end here, then the next: a fork inherits all that is open. However it ends,
    also while some are still at work, no process is left.

    Raises:
        RuntimeError: as `collect`. Or there is no fork on this system; or a thread is running besides this one that is
            no daemon: a fork copies only the thread that forks, and a lock that another one holds would stay locked for
            ever. The message says "fork", or names the threads.
        ValueError: world_size is less than 1; the message names it.
    """
    raise NotImplementedError("kata 19: spawn")
