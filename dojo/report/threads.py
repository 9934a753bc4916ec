"""Threads that a spec's code leaves running: Python waits for them at its end, perhaps for ever.

Each thread that starts is noted, with the spec and the line that started it. At the end of the run, threads that Python
would wait for get a moment to end; those that are left are reported, with that line.
"""

from __future__ import annotations

import concurrent.futures.thread as pools
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from dojo.tree.overlay import shown
from dojo.tree.source import is_student

MOMENT = 1.0  # seconds that a thread may take to end after the last spec
INNER = ("threading.py", "thread.py", "_base.py")  # where Python's own pools begin their threads


@dataclass
class Watch:
    """Notes, while it is installed, which spec and line started each thread."""

    spec: str = ""
    """The node id of the spec that runs."""
    began: dict[threading.Thread, tuple[str, str]] = field(default_factory=dict)
    """The spec and the line, `file:line`."""

    def install(self) -> None:
        start: Any = threading.Thread.start
        self._start = start

        def noted(thread: threading.Thread) -> None:
            self.began[thread] = (self.spec, _line())
            start(thread)

        setattr(threading.Thread, "start", noted)  # noqa: B010, mypy lets nobody assign a method

    def uninstall(self) -> None:
        setattr(threading.Thread, "start", self._start)  # noqa: B010

    def left(self) -> list[threading.Thread]:
        """The threads that Python would wait for at its end.

        Those that end by themselves within a moment are not among them, nor the idle ones of a pool, which Python ends.
        """
        if not self._running():
            return []
        threading.Thread(target=pools._python_exit, daemon=True).start()
        moment = time.monotonic() + MOMENT
        while (running := self._running()) and time.monotonic() < moment:
            time.sleep(0.01)
        return running

    def _running(self) -> list[threading.Thread]:
        return [thread for thread in self.began if thread.is_alive() and not thread.daemon]


def _line() -> str:
    """The line that started a thread: the innermost one of the student's, or else the one that called Python's own."""
    frame: Any = sys._getframe(2)
    caller = frame
    while frame is not None:
        name = frame.f_code.co_filename
        if is_student(name):
            return f"{shown(name)}:{frame.f_lineno}"
        if caller.f_code.co_filename.endswith(INNER):
            caller = frame
        frame = frame.f_back
    return f"{shown(caller.f_code.co_filename)}:{caller.f_lineno}"
