"""Warm pytest runs. Everything slow to import is loaded once, and each run is a fork of that.

A cold `python -m pytest` spends most of a second on NumPy, pytest and hypothesis; a fork of a process that has
them needs none of it. `tinytorch` is never imported in the parent, so every run sees the source as it is now.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, TypeVar

from dojo.bootstrap import forget_pytest_options, pin_blas
from dojo.catalogue import ROOT
from dojo.run.cold import Result
from dojo.tree import overlay

Key = TypeVar("Key")
Answer = TypeVar("Answer")

LIMIT = 120.0
TAIL = 20_000  # how much of a child's output is kept


class Job(NamedTuple):
    """One run of pytest that somebody wants."""

    args: list[str]
    plan: overlay.Plan
    limit: float = LIMIT
    plugins: tuple[object, ...] = ()
    """Plugin objects for this run only. They live in the child: what shall come back, they `tell`."""


class Outcome(NamedTuple):
    results: list[Result]
    code: int | None
    """pytest's exit status, or None where the child died before pytest was done."""
    output: str
    """The end of what the child printed."""
    told: list[Any]
    """What plugins of the run said with `tell`."""


Task = Generator[Job, Outcome, Answer]
"""Work that needs runs: it yields a Job, gets the Outcome, and returns its answer."""


def preload() -> None:
    """Import what every run needs. Call it once, before the first run."""
    pin_blas()
    forget_pytest_options()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    config = importlib.import_module("_pytest.config")
    for name in (*(f"_pytest.{plugin}" for plugin in config.default_plugins), *NEEDED):
        with contextlib.suppress(ModuleNotFoundError):  # pytest's inner modules differ between versions
            importlib.import_module(name)
    loaded = [name for name in sys.modules if name.partition(".")[0] == "tinytorch"]
    assert not loaded, f"{loaded[0]} is imported: no run could see the student's newest source"
    gc.collect()
    gc.freeze()  # a collection in a child would otherwise copy every page it looks at


NEEDED = (
    "numpy",
    "numpy.testing",
    "scipy.special",
    "pytest",
    "pytest_timeout",
    "xdist.plugin",
    "xdist.looponfail",
    "hypothesis",
    "hypothesis.extra.numpy",
    "hypothesis.internal.conjecture.engine",
    "hypothesis.strategies",
    "dojo.report.plugin",
    "dojo.spec",
    "dojo.fake_cupy",
)


# One fork -----------------------------------------------------------------------------------------------


@dataclass
class Fork:
    """A pytest that runs now. Wait on `fds()`, call `pump()`, and read `results` as they grow."""

    job: Job
    pid: int
    report: int
    """The file descriptor on which its report comes; on the other one comes what it prints."""
    pipes: dict[int, bytearray]
    """What is read and not yet used, by file descriptor."""
    started: float
    results: list[Result] = field(default_factory=list)
    current: str = ""
    """The spec that runs now."""
    code: int | None = None
    status: int | None = None
    """How the process ended; None while it runs."""
    stopped: bool = False
    output: str = ""
    told: list[Any] = field(default_factory=list)

    def fds(self) -> list[int]:
        return list(self.pipes)

    def pump(self) -> bool:
        """Read what has come. True when the run has ended and everything is read."""
        if self.status is None and time.monotonic() - self.started > self.job.limit:
            self.kill()
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        for fd in self.fds():
            self._read(fd)
        if self.status is None:
            return False
        self._close()
        return True

    def kill(self) -> None:
        """End the child and whatever it started. What it reported before stays."""
        if self.status is None:
            self.stopped = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def outcome(self) -> Outcome:
        """What is known of an ended run. A death is a result too."""
        results = self.results if self.code in (0, 1, 5) else [*self.results, self._death()]
        return Outcome(results, self.code, self.output, self.told)

    def _read(self, fd: int) -> None:
        for _ in range(16):  # a child that never stops printing must not keep us here
            try:
                chunk = os.read(fd, 65536)
            except BlockingIOError:
                return
            if not chunk:
                os.close(fd)
                del self.pipes[fd]
                return
            buffer = self.pipes[fd]
            buffer += chunk
            if fd == self.report:
                *lines, rest = bytes(buffer).split(b"\n")
                buffer[:] = rest
                for line in lines:
                    self._take(json.loads(line))
            else:
                del buffer[:-TAIL]
                self.output = buffer.decode(errors="replace")

    def _take(self, line: dict[str, Any]) -> None:
        if "begins" in line:
            self.current = line["begins"]
        elif "pytest_ended" in line:
            self.code = line["pytest_ended"]
        elif "told" in line:
            self.told.append(line["told"])
        else:
            self.results.append(Result.from_dict(line))

    def _close(self) -> None:
        for fd in self.fds():  # still open where a grandchild outlived the child
            os.close(fd)
        self.pipes.clear()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _death(self) -> Result:
        spec = self.current or next((a for a in self.job.args if not a.startswith("-")), "the run")
        during = f"while {spec} was running" if self.current else "before the first spec"
        if self.stopped:
            summary = f"stopped after {self.job.limit:g} s {during}: a loop that never ends, or something very slow?"
        elif self.status is not None and self.status < 0:
            summary = f"killed by {signal.Signals(-self.status).name} {during}"
        elif self.code is None:
            summary = f"the process ended with exit status {self.status} {during}"
        else:
            summary = f"pytest could not finish (exit status {self.code})"
        text = f"{summary}\n\n{self.output.strip()}".strip()
        return Result(id=spec, state="wrong", summary=summary, text=text, owner=None, duration=0.0)


def start(job: Job) -> Fork:
    """Fork a child that runs `job`."""
    report, child_report = os.pipe()
    output, child_output = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(job, child_report, child_output)
    os.close(child_report)
    os.close(child_output)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpgid(pid, pid)  # the child does it too: whoever comes first
    for fd in (report, output):
        os.set_blocking(fd, False)
    return Fork(job, pid, report, {report: bytearray(), output: bytearray()}, started)


def _child(job: Job, report: int, output: int) -> NoReturn:
    global _report
    _report = report
    code = 70
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False, encoding="utf-8", errors="replace")
        sys.stderr = os.fdopen(2, "w", closefd=False, encoding="utf-8", errors="replace")
        os.chdir(ROOT)
        overlay.install(job.plan)
        pytest = importlib.import_module("pytest")
        args = [f"--rootdir={ROOT}", f"--dojo-report=/dev/fd/{report}", *job.args]
        code = int(pytest.main(args, plugins=list(job.plugins)))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # no handlers, no buffers of the parent's


_report = -1  # in a child: where the parent listens


def tell(thing: Any) -> None:
    """In a child: send the parent anything that JSON can hold."""
    rest = json.dumps({"told": thing}).encode() + b"\n"
    while rest:
        rest = rest[os.write(_report, rest) :]


# Many ---------------------------------------------------------------------------------------------------


def run(args: list[str], plan: overlay.Plan, limit: float = LIMIT) -> list[Result]:
    """Run pytest with `args` in a fork of this process, where tinytorch is what `plan` says."""
    return run_one(Job(args, plan, limit)).results


def run_one(job: Job) -> Outcome:
    return next(run_all([job]))[1]


def run_all(jobs: Iterable[Job], at_once: int = 2) -> Iterator[tuple[Job, Outcome]]:
    """Run many jobs, `at_once` at a time. They come out as they end."""
    return together(((job, _only(job)) for job in jobs), at_once)


def _only(job: Job) -> Task[Outcome]:
    return (yield job)


def together(tasks: Iterable[tuple[Key, Task[Answer]]], at_once: int = 2) -> Iterator[tuple[Key, Answer]]:
    """Drive many tasks, with at most `at_once` forks at a time. Answers come out as they are ready."""
    waiting = iter(tasks)
    live: list[tuple[Fork, Key, Task[Answer]]] = []
    try:
        while True:
            while len(live) < at_once and (following := next(waiting, None)) is not None:
                key, task = following
                try:
                    live.append((start(next(task)), key, task))
                except StopIteration as done:
                    yield key, done.value
            if not live:
                return
            fds = [fd for fork, _, _ in live for fd in fork.fds()]
            select.select(fds, [], [], 0.05 if all(fork.fds() for fork, _, _ in live) else 0.002)
            for entry in [entry for entry in live if entry[0].pump()]:
                fork, key, task = entry
                live.remove(entry)
                try:
                    live.append((start(task.send(fork.outcome())), key, task))
                except StopIteration as done:
                    yield key, done.value
    finally:
        for fork, _, _ in live:
            fork.kill()
            fork.pump()
