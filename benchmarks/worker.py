"""A process that runs the workloads of one implementation, on one thread.

It is asked a question a line on its input, in JSON, and answers each with a line on its output.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.workloads import WORKLOADS, Step

IMPLEMENTATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "torch": ("in_pytorch", {}),
    "torch_m": ("in_pytorch", {"tuned": True}),
    "tinytorch": ("in_tinytorch", {}),
    "composed": ("in_tinytorch", {"accelerated": False}),
    "mygrad": ("in_mygrad", {}),
    "autograd": ("in_autograd", {}),
}
"""For each name its module here, and the options of that module's `library`."""

BATCH = 0.15
"""The least number of seconds that a measurement takes."""

STEPS = 3
"""How many steps the memory is watched for."""


class Worker:
    """The questions are its methods."""

    def __init__(self, name: str) -> None:
        module, options = IMPLEMENTATIONS[name]
        self.module = import_module(f"benchmarks.{module}")
        self.library = self.module.library(**options)
        self.step: Step = lambda: None
        self.calls = 1

    def about(self) -> dict[str, str]:
        return self.module.about()  # type: ignore[no-any-return]

    def prepare(self, workload: str, sizes: dict[str, Any]) -> bool:
        """Make a workload; False if this implementation does not have it."""
        make, usual = WORKLOADS[workload].make, WORKLOADS[workload].sizes
        if isinstance(self.library, dict):  # a peer of another kind: what it has is written for it
            if make.__name__ not in self.library:
                return False
            make = self.library[make.__name__]
        else:
            make = partial(make, self.library)
        try:
            self.step = make(**usual, **sizes)
        except NotImplementedError:
            return False
        return True

    def warm_up(self) -> None:
        """Find out how many calls fill a measurement."""
        self.calls = 1
        while self.time() * self.calls < BATCH:
            self.calls *= 2

    def time(self) -> float:
        """Seconds of CPU time for a call."""
        start = time.process_time()
        for _ in range(self.calls):
            self.step()
        return (time.process_time() - start) / self.calls

    def results(self, steps: int) -> list[float]:
        """The sum of what each of some steps gives: for training it is the loss."""
        return [self.step().sum().item() for _ in range(steps)]

    def shared(self, workload: str, sizes: dict[str, Any]) -> float:
        """Seconds of CPU time of a step in the slower one of two processes, where there are such."""
        return self.module.shared(WORKLOADS[workload].make, sizes)  # type: ignore[no-any-return]

    def peak(self) -> int:
        """How many bytes more than now the process holds at most during some steps."""
        before = most_held(from_now_on=True)
        for _ in range(STEPS):
            self.step()
        return most_held() - before


def most_held(from_now_on: bool = False) -> int:
    """The most bytes of memory that this process has held, or, `from_now_on`, holds now: then counting starts again.

    macOS counts from the start of the process only.
    """
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if from_now_on:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        question, arguments = json.loads(line)
        try:
            answer = {"answer": getattr(worker, question)(*arguments)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
