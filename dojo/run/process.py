"""Child processes: the one place that starts them, listens to them, ends them, and says how they ended.

A child is another Python (`spawn`) or, where the system can, a copy of this process (`fork`). It has two channels to
its parent: lines of JSON, which it `tell`s, and the stack that faulthandler writes when it hangs or crashes. Two of
the lines are understood here: {"begins": what} says what runs from now on, and {"ended": code} that the work is done.

Standard library only, and nothing of the dojo: specs use it too.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

DONE, EXIT, SIGNAL, LIMIT, INTERRUPTED = "done", "exit", "signal", "limit", "interrupted"
INTERRUPT_CODE = 130  # a child that was interrupted ends with it, as a shell would
UNHEARD = 74  # and with this one if its report cannot be written
BROKEN = 70  # and with this one after an exception that nothing caught
SLOW = "A loop that never ends, or something very slow?"
PAUSE = 0.004  # seconds between two looks at a child
MOMENT = 2.0  # seconds that a child may take to end when its work is done, or after Ctrl-C
ANSWER = 0.2  # seconds that a child may take to write its stack
STOPS = ("SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU")  # after these a process is there, and does nothing
TAIL = 20_000  # bytes of a child's output that are kept
CHANNEL = "DOJO_CHANNEL"  # tells a spawned child where to report


def can_fork() -> bool:
    """Whether this system copies processes. Windows does not."""
    return hasattr(os, "fork")


# How a child ended --------------------------------------------------------------------------------------


class Frame(NamedTuple):
    """One line of a stack."""

    file: str
    line: int
    function: str


@dataclass(frozen=True)
class Ending:
    """How a child process ended, and what it was doing then."""

    kind: str
    """DONE, EXIT (it ended before its work was done), SIGNAL, LIMIT (it was stopped) or INTERRUPTED (Ctrl-C)."""
    number: int = 0
    """The value that DONE gave, the status of EXIT, or the number of the signal."""
    seconds: float = 0.0
    """The time limit that it exceeded."""
    running: str = ""
    """What it had said that it was doing."""
    stack: tuple[Frame, ...] = ()
    """Its stack, innermost first, if that is known."""
    swallowed: bool = False
    """Whether the time limit raised an exception, which it caught and went on."""

    def __str__(self) -> str:
        if self.kind == DONE:
            return "The process came to its end."
        if self.kind == INTERRUPTED:
            return "The process was interrupted."
        if self.kind == LIMIT:
            how = ", and nothing could interrupt it" if self.swallowed else ""
            return f"It was still running after {self.seconds:g} s{how}. {SLOW}"
        if self.kind == SIGNAL:
            name = signal.Signals(self.number).name
            memory = " Did it use up the memory?" if name == "SIGKILL" else ""
            return f"The process was {'stopped' if name in STOPS else 'killed'} by {name}.{memory}"
        if self.number == UNHEARD:
            return "The report of the run could not be written. Is the disk full?"
        if self.number == BROKEN:
            return "The process ended with an error before its work was done."
        return f"The process ended in the middle, with exit status {self.number}. Does your code call os._exit()?"


def _stack(dump: str) -> tuple[tuple[Frame, ...], float]:
    """The frames that faulthandler wrote, and the seconds of the time limit that made it do so, or 0."""
    seconds = 0.0
    if hung := re.search(r"Timeout \((\d+):(\d+):([\d.]+)\)!", dump):
        seconds = int(hung[1]) * 3600 + int(hung[2]) * 60 + float(hung[3])
    frames = re.findall(r'File "(.+)", line (\d+) in (.+)', dump)
    return tuple(Frame(file, int(line), function) for file, line, function in frames), seconds


# In the parent ------------------------------------------------------------------------------------------


class _Process(Protocol):
    """What a Popen and a fork have in common."""

    pid: int

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...


class _Fork:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None

    def poll(self) -> int | None:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status

    def kill(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)


class Child:
    """A child process. `poll` it, or `wait` for its end; `take` gives what it told since the last call."""

    def __init__(
        self,
        process: _Process,
        report: int,
        stack: int,
        output: int | None,
        *,
        limit: float | None,
        own_group: bool,
        folder: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.ending: Ending | None = None
        self.running = ""
        self.output = ""
        """The last part of its output, if that is kept."""
        self._process = process
        self._report, self._stack, self._output = report, stack, output
        self._limit = limit
        self._deadline = None if limit is None else time.monotonic() + limit
        self._own_group = own_group and hasattr(os, "killpg")
        self._folder = folder
        self._stopped = self._interrupted = False
        self._done: int | None = None
        self._rest = self._printed = b""
        self._told: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> bool:
        """Read what has come. True when the child has ended and everything is read."""
        if self.ending is not None:
            return True
        status = self._process.poll()
        if status is None and (number := self._halted()):
            self._end()
            status = -number
        if status is None and self._deadline is not None and time.monotonic() > self._deadline:
            self._stopped = True
            self._ask_where()
            status = self._end()
        self._listen()
        if status is None:
            return False
        self._close(status)
        return True

    def wait(self) -> Ending:
        """Wait for the child's end. After Ctrl-C it gets a moment to end; no exception leaves it alive."""
        try:
            while not self.poll():
                time.sleep(PAUSE)
        except BaseException as error:
            self._interrupted = isinstance(error, KeyboardInterrupt)
            moment = time.monotonic() + (MOMENT if self._interrupted and not self._own_group else 0)
            while not self.poll() and time.monotonic() < moment:
                time.sleep(PAUSE)
            if self.ending is None:
                self._ask_where()
                self.kill()
            raise
        assert self.ending is not None
        return self.ending

    def kill(self) -> None:
        """End the child and whatever it started. What it told before stays."""
        if self.ending is None:
            self._stopped = True
            status = self._end()
            self._listen()
            self._close(status)

    def take(self) -> list[dict[str, Any]]:
        """What the child told since the last call."""
        told, self._told = self._told, []
        return told

    def _halted(self) -> int:
        """The signal that stopped the child, or 0: nobody would wake it. One at the terminal may be woken by `fg`."""
        if not self._own_group or not hasattr(os, "waitid"):  # macOS has it from Python 3.13 on
            return 0
        with contextlib.suppress(ChildProcessError):  # it has just ended
            found = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
            return found.si_status if found else 0
        return 0

    def _ask_where(self) -> None:
        """Let the child write its stack, so that its end can be explained."""
        if hasattr(signal, "SIGUSR1"):
            before, moment = os.fstat(self._stack).st_size, time.monotonic() + ANSWER
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR1)
            while os.fstat(self._stack).st_size == before and time.monotonic() < moment:
                time.sleep(PAUSE / 4)

    def _end(self) -> int:
        self._kill_group()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        while (status := self._process.poll()) is None:
            time.sleep(PAUSE / 4)
        return status

    def _kill_group(self) -> None:
        if self._own_group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _listen(self) -> None:
        *lines, self._rest = (self._rest + _new(self._report)).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):  # code under test can write there too
                told = json.loads(line)
                if isinstance(told, dict):
                    self._hear(told)
        if self._output is not None:
            self._printed = (self._printed + _new(self._output))[-TAIL:]

    def _hear(self, told: dict[str, Any]) -> None:
        if "begins" in told:
            self.running = str(told["begins"])
        if isinstance(told.get("ended"), int) and self._done is None:
            self._done = told["ended"]
            self._deadline = time.monotonic() + MOMENT
        self._told.append(told)

    def _close(self, status: int) -> None:
        self._kill_group()  # what it left running
        os.lseek(self._stack, 0, os.SEEK_SET)
        stack, seconds = _stack(_new(self._stack).decode(errors="replace"))
        for fd in (self._report, self._stack, self._output):
            if fd is not None:
                os.close(fd)
        if self._folder is not None:
            self._folder.cleanup()
        self.output = self._printed.decode(errors="replace")
        self.ending = self._ended(status, stack, seconds)

    def _ended(self, status: int, stack: tuple[Frame, ...], seconds: float) -> Ending:
        if self._done is not None:
            return Ending(DONE, self._done, running=self.running)
        if self._interrupted or status == INTERRUPT_CODE:
            return Ending(INTERRUPTED, running=self.running)
        if seconds:
            return Ending(LIMIT, seconds=seconds, running=self.running, stack=stack, swallowed=True)
        if self._stopped:
            return Ending(LIMIT, seconds=self._limit or 0.0, running=self.running, stack=stack)
        if status < 0:
            return Ending(SIGNAL, -status, running=self.running, stack=stack)
        return Ending(EXIT, status, running=self.running)


def _new(fd: int) -> bytes:
    """What can be read now from a file or a non-blocking pipe, up to a limit."""
    chunks = []
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            chunk = os.read(fd, 65536)
            if not chunk:
                break
            chunks.append(chunk)
    return b"".join(chunks)


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    limit: float | None = None,
    terminal: bool = False,
    kept: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Child:
    """Start a program, which calls `connect` to be heard.

    With `terminal` it shares the terminal and Ctrl-C with this process; else its input is empty, and at its end all
    that it started is ended too. The streams in `kept`, "stdout" or "stderr", are not shown, and their last part is
    `output`.
    """
    folder = tempfile.TemporaryDirectory(prefix="dojo-", ignore_cleanup_errors=True)
    try:
        paths = [Path(folder.name, name) for name in ("report", "stack", "output")]
        for path in paths:
            path.touch()
        report, stack, output = (os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)) for path in paths)
        sys.stdout.flush()
        with paths[2].open("ab") as printed:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**(os.environ if env is None else env), CHANNEL: folder.name},
                stdin=None if terminal else subprocess.DEVNULL,
                stdout=printed if "stdout" in kept else None,
                stderr=printed if "stderr" in kept else None,
                start_new_session=not terminal,
            )
    except BaseException:
        folder.cleanup()
        raise
    return Child(process, report, stack, output, limit=limit, own_group=not terminal, folder=folder)


def fork(
    function: Callable[[], int | None],
    *,
    limit: float | None = None,
    own_group: bool = True,
    kept: bool = False,
) -> Child:
    """Call `function` in a copy of this process, which ends with what it gives as exit status.

    In a process group of its own a child ends with all that it started, and gets no Ctrl-C. If `kept`, its output is
    not shown; else it goes where this process writes.
    """
    report, telling = os.pipe()
    output, printing = os.pipe() if kept else (None, None)
    with tempfile.TemporaryFile() as file:
        stack = os.dup(file.fileno())
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: a watchdog is one
        pid = os.fork()
    if pid == 0:
        _copy(function, telling, stack, printing, own_group)
    for fd in (telling, printing):
        if fd is not None:
            os.close(fd)
    if own_group:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(pid, pid)  # the child does it too: whoever comes first
    for fd in (report, output):
        if fd is not None:
            os.set_blocking(fd, False)
    return Child(_Fork(pid), report, stack, output, limit=limit, own_group=own_group)


# In the child -------------------------------------------------------------------------------------------

_channel: tuple[int, int] | None = None
"""In a child: the file descriptors of its report and of its stack."""


def connect() -> None:
    """In a spawned child: report to the process that started this one, if there is one that listens."""
    if folder := os.environ.pop(CHANNEL, ""):
        append = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        _connect(*(os.open(Path(folder, name), append) for name in ("report", "stack")))


def _connect(report: int, stack: int) -> None:
    global _channel
    _channel = report, stack
    faulthandler.enable(file=stack)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, file=stack)


def stack_channel() -> int | None:
    """In a child: where faulthandler is to write. None if nobody listens."""
    return _channel[1] if _channel else None


def tell(record: Mapping[str, Any]) -> None:
    """In a child: send the parent a record that JSON can hold. If nobody listens it is lost."""
    if _channel is None:
        return
    rest = json.dumps(record).encode() + b"\n"
    try:
        while rest:
            rest = rest[os.write(_channel[0], rest) :]
    except OSError:
        os._exit(UNHEARD)


def _copy(
    function: Callable[[], int | None], report: int, stack: int, output: int | None, own_group: bool
) -> NoReturn:
    """What a fork does: call `function`, and end without the parent's handlers and buffers."""
    code = BROKEN
    try:
        _connect(report, stack)
        if own_group:
            os.setpgid(0, 0)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
        if output is not None:
            _redirect(output)
        code = function() or 0
        tell({"ended": code})
    except KeyboardInterrupt:
        code = INTERRUPT_CODE
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(output: int) -> None:
    """Let the standard input be empty, and send what is printed to the parent."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, stream in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(fd, stream)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False, encoding="utf-8", errors="replace")
    sys.stderr = os.fdopen(2, "w", closefd=False, encoding="utf-8", errors="replace")
