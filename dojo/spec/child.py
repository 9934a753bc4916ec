"""A second process for a spec, which can be killed as a power cut does it: at once, and nothing runs after it.

It is a fork of this one. So it has the implementation under test, whichever that is, and starts in a moment; and
what it does to its memory, its files' limits or its random numbers is seen by nobody else.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from dojo.report.suspects import is_student
from dojo.spec.device import Array, to_numpy
from dojo.tree.overlay import shown

WRITING = os.O_WRONLY | os.O_RDWR
DEADLY = (signal.SIGKILL, signal.SIGXFSZ)


def in_child(function: Callable[[], Mapping[str, Any] | None]) -> dict[str, Array]:
    """Call `function` in a child process, and give the arrays that it returned, by name.

    What it raises there is raised here: an unwritten function as itself, anything else as an AssertionError that
    names the student's line.
    """
    __tracebackhide__ = True
    status, answer = _run(function)
    if status:
        raise AssertionError(f"the child process ended with {_ending(status)}, and should have returned")
    return _result(answer)


def killed(function: Callable[[], Any]) -> bool:
    """Call `function` in a child process: whether it was killed on the way, by one of the three below."""
    __tracebackhide__ = True
    status, answer = _run(function)
    if -status in DEADLY:
        return True
    if status:
        raise AssertionError(f"the child process ended with {_ending(status)}")
    _result(answer)
    return False


# In the child: three ways to die ------------------------------------------------------------------------


def die() -> NoReturn:
    """SIGKILL for this process: no `finally`, no flush, nothing."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit("unreachable")


def die_at_file_change(number: int, directory: Path) -> None:
    """SIGKILL right before the `number`th change in a directory, counted from 0: a file opened for writing, renamed,
    deleted or cut, a folder made."""
    left = number

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        if _changes(event, args, directory):
            if left == 0:
                die()
            left -= 1

    sys.addaudithook(watch)


def die_when_a_file_grows_beyond(size: int) -> None:
    """Death in the middle of a write: `size` bytes of a file are written, and the one after that never is."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def _changes(event: str, args: tuple[Any, ...], directory: Path) -> bool:
    if event == "open":
        changes = isinstance(args[2], int) and bool(args[2] & WRITING)
    else:
        changes = event in ("os.rename", "os.remove", "os.truncate", "os.mkdir", "os.link", "os.symlink")
    names = [os.fsdecode(each) for each in args[:2] if isinstance(each, (str, bytes, os.PathLike))]
    return changes and any(Path(name).absolute().is_relative_to(directory) for name in names)


# Here and there -----------------------------------------------------------------------------------------


def _run(function: Callable[[], Any]) -> tuple[int, bytes]:
    """The child's exit status, negative for a signal, and what it wrote into the pipe."""
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of a fork beside threads, and the watchdog of the time limit is one.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(function, writing)
    os.close(writing)
    status = None
    try:
        with open(reading, "rb") as pipe:
            answer = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        if status is None:  # the time limit of the spec has struck
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return status, answer


def _child(function: Callable[[], Any], pipe: int) -> NoReturn:
    try:
        try:
            answer = _packed(function())
        except BaseException as error:
            answer = b"e" + json.dumps(_told(error)).encode()
        with open(pipe, "wb") as file:
            file.write(answer)
        sys.stdout.flush()
    finally:
        os._exit(0)


def _packed(arrays: Mapping[str, Any] | None) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: to_numpy(each) for name, each in (arrays or {}).items()})  # type: ignore[arg-type]
    return b"r" + buffer.getvalue()


def _result(answer: bytes) -> dict[str, Array]:
    __tracebackhide__ = True
    if answer[:1] == b"r":
        with np.load(io.BytesIO(answer[1:]), allow_pickle=False) as arrays:
            return dict(arrays)
    if answer[:1] == b"e":
        told = json.loads(answer[1:])
        if told["unwritten"]:
            raise NotImplementedError(told["message"])
        raise AssertionError(f"in the child process: {told['kind']}: {told['message']}{told['where']}")
    raise AssertionError("the child process ended without an answer: does something call exit?")


def _told(error: BaseException) -> dict[str, Any]:
    frames = [each for each in traceback.extract_tb(error.__traceback__) if is_student(each.filename)]
    where = (
        f"\nraised in {shown(frames[-1].filename)}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""
    )
    unwritten = isinstance(error, NotImplementedError) and str(error).startswith("kata ")
    return {"kind": type(error).__name__, "message": str(error), "where": where, "unwritten": unwritten}


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
