"""Measure the workloads: each implementation in a process of its own, in turns, in CPU time.

A machine has quick and slow minutes. So the implementations take turns within a round, and what counts is the ratio of
two times of the same round. The processes are new in each round: how malloc treats large arrays depends on what a
process has freed before, and two processes of one program may differ by a fifth.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from importlib.util import find_spec
from typing import Any, NamedTuple

from benchmarks.workloads import WORKLOADS
from dojo.catalogue import ROOT
from dojo.errors import DojoError

Say = Callable[[str], None]
Times = dict[str, dict[str, list[float]]]
"""Seconds for a call: by workload, by implementation, one number a round."""

MEMORY = ("W3", "W4")
"""The workloads whose memory is measured."""


SHARED = {"W3": {"batch": 32}, "W4": {"batch": 4}}
"""The workloads that are also run in two processes, and what each of the two has."""


class Growth(NamedTuple):
    """A workload in several sizes."""

    title: str
    workload: str
    size: str
    values: tuple[int, ...]
    others: dict[str, int]


GROWTH = (
    Growth("CNN step", "W3", "batch", (16, 32, 64, 128), {}),
    Growth("GPT step", "W4", "batch", (2, 4, 8, 16), {}),
    Growth("GPT step, batch 4", "W4", "length", (64, 128, 256, 512), {"batch": 4}),
    Growth("GPT step", "W4", "layers", (1, 2, 4, 8), {}),
)


class Cost(NamedTuple):
    """Seconds of a step, and bytes that the process held at most above what it held before the first one."""

    seconds: float
    peak: int


class Process(AbstractContextManager["Process"]):
    """A worker: it answers questions about one implementation."""

    def __init__(self, name: str) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.worker", name]
        self.child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, question: str, *arguments: Any) -> Any:
        assert self.child.stdin is not None and self.child.stdout is not None
        with suppress(BrokenPipeError):  # it has ended: then it does not answer either
            print(json.dumps([question, arguments]), file=self.child.stdin, flush=True)
        line = self.child.stdout.readline()
        if not line:
            raise DojoError(f"The process of {self.name} ended with exit code {self.child.wait()}.")
        answer = json.loads(line)
        if "error" in answer:
            raise DojoError(f"{self.name} failed:\n{answer['error']}")
        return answer["answer"]

    def __exit__(self, *error: object) -> None:
        self.child.kill()  # it holds nothing that could be lost
        self.child.wait()
        for stream in (self.child.stdin, self.child.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):  # of a question that it did not read
                stream.close()


def implementations(peers: bool, say: Say) -> list[str]:
    """What is compared here: PyTorch first."""
    names = ["torch", "tinytorch", "composed"]
    if hasattr(ctypes.CDLL(None), "mallopt"):  # glibc's
        names.insert(1, "torch_m")
    for peer in ("mygrad", "autograd") if peers else ():
        if find_spec(peer) is None:
            say(f"{peer} is not installed: {sys.executable} -m pip install {peer}")
        else:
            names.append(peer)
    return names


def chosen(asked: Sequence[str]) -> list[str]:
    """The workloads that are meant, all of them by default: W6 is W6a and W6b."""
    found = []
    for each in asked:
        names = [name for name in WORKLOADS if name.lower() == each.lower()]
        names = names or [name for name in WORKLOADS if name.lower().startswith(each.lower())]
        if not names:
            raise DojoError(f"There is no workload {each}: there are {', '.join(WORKLOADS)}.")
        found += names
    return [name for name in WORKLOADS if name in found or not asked]


def compare(workloads: Sequence[str], names: Sequence[str], rounds: int, say: Say) -> Times:
    """The times of all workloads, in all implementations that have them."""
    times: Times = {}
    for workload in workloads:
        say(f"{workload}  {WORKLOADS[workload].title} ...")
        found: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            with ExitStack() as stack:
                processes = [stack.enter_context(Process(name)) for name in names]
                able = [each for each in processes if each.ask("prepare", workload, {})]
                for each in able:
                    each.ask("warm_up")
                for each in able:
                    found[each.name].append(each.ask("time"))
        times[workload] = {name: each for name, each in found.items() if each}
    return times


def versions(names: Sequence[str]) -> dict[str, str]:
    """The versions of what is compared, with what it says about the processor."""
    found = {}
    for name in names:
        with Process(name) as process:
            found |= process.ask("about")
    return found


def cost(name: str, workload: str, sizes: dict[str, int]) -> Cost:
    """What a workload costs in a new process: the largest memory of the first steps, then the time."""
    with Process(name) as process:
        process.ask("prepare", workload, sizes)
        peak = process.ask("peak")
        process.ask("warm_up")
        return Cost(min(process.ask("time") for _ in range(3)), peak)


def peaks(workloads: Sequence[str], names: Sequence[str], say: Say) -> dict[str, dict[str, int]]:
    """The largest memory of the workloads in MEMORY."""
    found = {}
    for workload in (each for each in MEMORY if each in workloads):
        say(f"{workload}  memory ...")
        found[workload] = {name: cost(name, workload, {}).peak for name in names}
    return found


def shared(workloads: Sequence[str], rounds: int, say: Say) -> Times:
    """The times of the workloads in SHARED in one process and, with half the batch each, in the slower one of two."""
    found: Times = {}
    for workload in (each for each in SHARED if each in workloads):
        say(f"{workload}  in two processes ...")
        found[workload] = {"one": [], "two": []}
        with Process("tinytorch") as process:
            process.ask("prepare", workload, {})
            process.ask("warm_up")
            for _ in range(rounds):
                found[workload]["one"].append(process.ask("time"))
                found[workload]["two"].append(process.ask("shared", workload, SHARED[workload]))
    return found


def grown(names: Sequence[str], say: Say) -> list[dict[str, list[Cost]]]:
    """For each Growth the costs in each implementation, one for each value."""
    found = []
    for title, workload, size, values, others in GROWTH:
        say(f"{title}, {size} {', '.join(map(str, values))} ...")
        found.append(
            {name: [cost(name, workload, others | {size: value}) for value in values] for name in names}
        )
    return found
