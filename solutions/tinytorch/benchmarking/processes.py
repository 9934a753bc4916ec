"""Several processes that work on one thing, and a memory that they share.

Python runs one thread at a time, so a second core needs a second process. `fork` makes one that has everything the
first one has, arrays too; from then on each writes into a copy of its own. What is to be shared must be shared memory,
and whoever reads what another one writes has to wait until it is written.
"""

from __future__ import annotations

import math
import mmap
import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from tinytorch.dispatch import Array


def shared_array(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """An array of zeros that this process and all that it forks from now on have in common.

    It lies in an anonymous mmap, mmap.mmap(-1, length): memory that has no file and no name, so nothing is left behind
    when processes die. A mmap cannot be empty; an array of no entries lies in one of one byte.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    memory = mmap.mmap(-1, max(size * dtype.itemsize, 1))
    return np.frombuffer(memory, dtype, size).reshape(shape)


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
        try:
            self.gate.wait(self.timeout)
        except threading.BrokenBarrierError:
            raise RuntimeError(
                f"process {self.rank} waited {self.timeout:g} s at a barrier, and not all others came: do all "
                "processes call the same operations in the same order?"
            ) from None

    def row(self, rank: int, array: Array) -> Array:
        """The beginning of rows[rank], as a flat array of as many entries as `array` and of its dtype; not a copy.

        Raises:
            ValueError: `array` has more bytes than a row; the message names both numbers.
        """
        if array.nbytes > self.rows.shape[1]:
            raise ValueError(
                f"an array of {array.nbytes} bytes does not fit into the {self.rows.shape[1]} that each process "
                "shares: say spawn(..., buffer_bytes=...)"
            )
        return self.rows[rank, : array.nbytes].view(array.dtype)

    def all_reduce(self, array: Array) -> None:
        """Replace `array`, in every process, by the sum over all of them (torch.distributed.all_reduce).

        Each writes its row, waits for all, and adds up all rows in the order of the ranks, so that all have the same
        sum, bit for bit. Then each waits again: whoever wrote the next array at once would change a row that another
        one is still reading.
        """
        self.row(self.rank, array)[...] = array.reshape(-1)
        self.barrier()
        total = self.row(0, array).copy()
        for rank in range(1, self.world_size):
            total += self.row(rank, array)
        array[...] = total.reshape(array.shape)
        self.barrier()


def work(pipe: Connection, function: Callable[..., Any], group: ProcessGroup, args: tuple[Any, ...]) -> None:
    """What a fork does: call function(group, *args) and send (True, its result) through the pipe.

    If it raises anything, even SystemExit, or its result cannot be sent, (False, traceback.format_exc()) is sent.
    """
    try:
        pipe.send((True, function(group, *args)))
    except BaseException:
        pipe.send((False, traceback.format_exc()))


def collect(workers: Sequence[BaseProcess], pipes: Sequence[Connection]) -> list[Any]:
    """What the workers sent, by rank. They are waited for all at once, so that the first failure is seen at once.

    `multiprocessing.connection.wait` says which pipes have something. A pipe whose worker died without a word is at its
    end: recv raises EOFError. Receive before you wait for a process to end: a pipe holds 64 KiB, and who sends more
    waits for a reader.

    Raises:
        RuntimeError: a worker raised (the message has its rank and its traceback) or died (its rank, and the name of
            what killed it, as in "SIGKILL", or its exit status).
    """
    results: dict[int, Any] = {}
    while len(results) < len(pipes):
        waiting = {rank: pipe for rank, pipe in enumerate(pipes) if rank not in results}
        ready = wait(list(waiting.values()))
        for rank, pipe in waiting.items():
            if pipe not in ready:
                continue
            try:
                fine, told = pipe.recv()
            except EOFError:
                raise RuntimeError(f"process {rank} {_ending(workers[rank])}") from None
            if not fine:
                raise RuntimeError(f"process {rank} raised:\n\n{told}")
            results[rank] = told
    return [results[rank] for rank in range(len(pipes))]


def _ending(worker: BaseProcess) -> str:
    worker.join()
    code = worker.exitcode or 0
    return (
        f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended early, with exit status {code}"
    )


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
    if world_size < 1:
        raise ValueError(f"spawn needs at least one process, got world_size={world_size}")
    if not hasattr(os, "fork"):
        raise RuntimeError(
            "this system has no fork, so no processes that share memory: use Linux, macOS or WSL"
        )
    here = threading.current_thread()
    if others := [each.name for each in threading.enumerate() if each is not here and not each.daemon]:
        raise RuntimeError(f"fork before any thread is started; these are running: {', '.join(others)}")
    context = multiprocessing.get_context("fork")
    rows, gate = shared_array((world_size, buffer_bytes), np.uint8), context.Barrier(world_size)
    workers, pipes = [], []
    try:
        for rank in range(world_size):
            ours, theirs = context.Pipe(duplex=False)
            group = ProcessGroup(rank, rows, gate, timeout)
            workers.append(context.Process(target=work, args=(theirs, function, group, args)))
            pipes.append(ours)
            with warnings.catch_warnings():
                # BLAS has threads, and stops them at a fork
                warnings.filterwarnings("ignore", message=".*multi-threaded")
                workers[-1].start()
            theirs.close()  # the worker has it now; when it dies, nobody has it, and `ours` comes to its end
        return collect(workers, pipes)
    finally:
        for worker in workers:
            if worker.pid is not None:  # it was started
                worker.kill()
                worker.join()
