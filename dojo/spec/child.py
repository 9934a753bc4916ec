"""A second process for a spec, which can be killed as a power cut does it: at once, and nothing runs after it.

It is a fork of this process. So it has the implementation under test, whichever that is, and starts at once; and what
it does to its memory, its limits or its random numbers changes nothing here.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from dojo.run import process
from dojo.run.process import Ending
from dojo.spec.device import Array, to_numpy

WRITING = os.O_WRONLY | os.O_RDWR
DEADLY = ("SIGKILL", "SIGXFSZ")

Told = dict[str, Any]


class Elsewhere(Exception):
    """This system cannot run the spec: neither red nor green."""


def in_child(function: Callable[[], Mapping[str, Any] | None]) -> dict[str, Array]:
    """Call `function` in a child process, and give the arrays that it returned, by name.

    What it raises there is raised here: an unwritten function as itself, anything else as an AssertionError, with
    the student's line.
    """
    __tracebackhide__ = True
    ending, told = _run(function)
    return _result(ending, told)


def killed(function: Callable[[], Any]) -> bool:
    """Call `function` in a child process, and say whether one of the three functions below killed it."""
    __tracebackhide__ = True
    ending, told = _run(function)
    if ending.kind == process.SIGNAL and signal.Signals(ending.number).name in DEADLY:
        return True
    _result(ending, told)
    return False


# In the child: ways to die, and Ctrl-C ------------------------------------------------------------------------


def die() -> NoReturn:
    """Kill this process with SIGKILL: no `finally`, no flush, nothing."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit("unreachable")


def die_at_file_change(number: int, directory: Path) -> None:
    """Kill this process right before the `number`th change in a directory, counted from 0.

    A change is a file opened for writing, renamed, deleted or truncated, or a folder made.
    """
    _at_file_change(number, directory, die)


def interrupt_at_file_change(number: int, directory: Path) -> None:
    """Raise KeyboardInterrupt, once, right before the `number`th change, as die_at_file_change counts."""

    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    _at_file_change(number, directory, interrupt)


def _at_file_change(number: int, directory: Path, then: Callable[[], NoReturn]) -> None:
    left = number

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        if _changes(event, args, directory):
            left -= 1
            if left == -1:
                then()

    sys.addaudithook(watch)


def die_when_a_file_grows_beyond(size: int) -> None:
    """Kill this process in the middle of a write: `size` bytes of a file are written, and not one more."""
    import resource  # systems without fork do not have this module

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


def need_fork() -> None:
    """A spec that needs it cannot run where processes are not copied."""
    if not process.can_fork():
        raise Elsewhere(
            "This spec needs a copy of its process, and only Linux, macOS and WSL can make such a copy."
        )


def need_network() -> None:
    """A spec that needs it cannot run where nobody may listen, as in some sandboxes."""
    try:
        with socket.create_server(("127.0.0.1", 0)):
            pass
    except OSError as error:
        raise Elsewhere(f"This spec needs a port of this machine, and cannot have one: {error}.") from None


# Here and there -----------------------------------------------------------------------------------------


def _run(function: Callable[[], Any]) -> tuple[Ending, Told]:
    """How the child ended, and what it sent: its arrays, or its error. The spec's time limit ends it too.

    However it ended, the processes that it started end with it.
    """
    need_fork()
    child = process.fork(lambda: process.tell(_told(function)), own_group=False)
    told: list[Told] = []
    try:
        ending = child.wait()
    except BaseException as error:  # the spec's time limit
        error.child_frames = _frames(child.ending)  # type: ignore[attr-defined]
        raise
    finally:
        told = child.take()
        _end([record["forked"] for record in told if "forked" in record])
    return ending, next((record for record in told if "arrays" in record or "kind" in record), {})


def _end(forks: list[int]) -> None:
    """Kill those that are still there. They are in this group: so the end of a whole run reaches them as well."""
    for pid in forks:
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == os.getpgrp():  # else another program has that number by now
                os.kill(pid, signal.SIGKILL)


def _told(function: Callable[[], Any]) -> Told:
    _tell_of_forks()
    try:
        return {"arrays": _packed(function())}
    except BaseException as error:
        return told_of(error)


def _tell_of_forks() -> None:
    """From now on a copy of this process tells its number before it goes on, and before this process does."""
    ends = threading.local()  # two threads may each be making a copy

    def before() -> None:
        ends.pipe = os.pipe()

    def in_parent() -> None:
        reading, writing = vars(ends).pop("pipe")
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)

    def in_copy() -> None:
        reading, writing = vars(ends).pop("pipe")
        process.tell({"forked": os.getpid()})
        os.write(writing, b"1")
        os.close(reading)
        os.close(writing)

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_copy)


def told_of(error: BaseException) -> Told:
    """An exception as the parent is told of it."""
    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(error.__traceback__)]
    try:
        message = str(error)
    except Exception as failure:  # of a student's own class
        message = f"its __str__ raises {type(failure).__name__}"
    return {"kind": type(error).__name__, "message": message, "frames": frames}


def _packed(arrays: Mapping[str, Any] | None) -> str:
    buffer, given = io.BytesIO(), {name: np.asarray(to_numpy(each)) for name, each in (arrays or {}).items()}
    for name, array in given.items():
        if array.dtype == object:
            raise TypeError(f"{name!r} holds {type(array.flat[0]).__name__}s, not numbers")
    np.savez(buffer, **given)  # type: ignore[arg-type]
    return base64.b64encode(buffer.getvalue()).decode()


def _result(ending: Ending, told: Told) -> dict[str, Array]:
    __tracebackhide__ = True
    error: Any
    if ending.kind != process.DONE:
        error = AssertionError(f"A child process of this spec died. {ending}")
        error.child_frames = _frames(ending)
        raise error
    if "arrays" in told:
        with np.load(io.BytesIO(base64.b64decode(told["arrays"])), allow_pickle=False) as arrays:
            return dict(arrays)
    raise raised_there(told)


def raised_there(told: Told) -> BaseException:
    """What a child has raised, to be raised here: an unwritten function as itself, anything else as a failure."""
    error: Any
    unwritten = re.search(r"NotImplementedError: (kata \d\d: .+)", f"{told['kind']}: {told['message']}")
    if unwritten:  # here, or in a process that the child started: then the message is a traceback
        error = NotImplementedError(unwritten[1])
    else:
        error = AssertionError(f"in a child process of this spec: {told['kind']}: {told['message']}")
    error.child_frames = [traceback.FrameSummary(*each[:3], line=each[3]) for each in told["frames"]]
    error.child_frames += _quoted(told["message"], but_from=told["frames"][-1][0] if told["frames"] else "")
    return error  # type: ignore[no-any-return]


def _quoted(message: str, but_from: str) -> list[traceback.FrameSummary]:
    """The frames of a traceback in a message: a further process raised it, and file `but_from` only hands it on."""
    lines = re.findall(r'^ *File "(.+)", line (\d+), in (.+)$', message, re.MULTILINE)
    frames = [traceback.FrameSummary(file, int(line), name) for file, line, name in lines]
    return [frame for frame in frames if frame.filename != but_from] or frames


def _frames(ending: Ending | None) -> list[traceback.FrameSummary]:
    """The stack of a child that died, the deepest line last, as in a traceback."""
    stack = ending.stack if ending else ()
    return [traceback.FrameSummary(frame.file, frame.line, frame.function) for frame in reversed(stack)]
