"""Prevented: code that uses up memory, processes, files or time, or ends what watches it."""

from __future__ import annotations

import time

import pytest

from dojo.teach.results import Status
from tests.hostile.cell import RIGHT, judged, needs_sandbox, points, prevented, processes, told

pytestmark = needs_sandbox

HERE = "import os\nos.chdir(os.environ['TMPDIR'])\n"
ENDLESS = "import time\nwhile True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass"

BOMBS = {
    "forks": "import os\ntry:\n    while True: os.fork()\nexcept OSError:\n    raise SystemExit",
    "forks that never give up": """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""",
    "threads": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,)).start()",
    "memory of one process": "x = bytearray(2 << 30)",
    "memory of one process, bit by bit": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "memory of many processes": """
import os, time
for _ in range(8):
    if not os.fork():
        x = bytearray(200 << 20)
        for i in range(0, len(x), 4096): x[i] = 1
        time.sleep(60)
time.sleep(60)
""",
    "shared memory": """
import mmap, time
x = mmap.mmap(-1, 600 << 20)
for i in range(0, len(x), 4096): x[i] = 1
import os
for _ in range(4): os.fork()
time.sleep(60)
""",
    "one large file": f"{HERE}open('large', 'wb').truncate(1 << 40)",
    "many large files": HERE + "i = 0\nwhile True:\n    open(str(i), 'wb').write(bytes(8 << 20)); i += 1",
    "shared memory as files": "i = 0\nwhile True:\n    open(f'/dev/shm/{i}', 'wb').write(bytes(8 << 20)); i += 1",
    "very many files": HERE + "i = 0\nwhile True:\n    open(str(i), 'wb').close(); i += 1",
    "very much output": "import os\nfor _ in range(20_000): os.write(1, b'x' * 10_000)\n"
    "raise ValueError('y' * 50_000_000)",
    "a report without an end": """
import json, os
line = json.dumps({"id": "x", "state": "green", "summary": "", "text": "z" * 60_000, "owner": None, "duration": 0.0})
while True:
    for fd in range(3, 64):
        try: os.write(fd, (line + "\\n").encode())
        except OSError: pass
""",
    "a report that is no report": """
import os
for fd in range(3, 64):
    try: os.write(fd, b'{"id": [], "state": 7}\\n[[[[\\n' + b'[' * 100_000 + b'\\n{"id": 1}\\n')
    except OSError: pass
""",
    "a repr that never ends": "class A:\n    def __repr__(self): return repr(self)\n    __str__ = __repr__\n"
    "def relu(x): raise ValueError(A())",
    "the end of the process that watches": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "the end of everything": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "a stop of the process that watches": "import os, time\nos.kill(os.getppid(), 19)\ntime.sleep(60)",
    "a stop of itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "a crash": "import ctypes\nctypes.string_at(0)",
    "too deep for the stack": "def relu(x): return relu(x)",
}


@pytest.mark.parametrize("code", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_harms_nobody(code: str) -> None:
    began = time.monotonic()
    result = judged(code)
    prevented(result)
    assert time.monotonic() - began < 60, told(result)


def test_a_loop_that_swallows_every_exception_ends_at_the_time_limit() -> None:
    result = judged("def relu(x):\n" + "".join(f"    {line}\n" for line in ENDLESS.splitlines()), wall=4)
    prevented(result)
    assert result.status == Status.TIMED_OUT and "test_relu" in result.message, told(result)


def test_signals_that_are_ignored_change_nothing() -> None:
    code = (
        "import signal\nfor each in (signal.SIGALRM, signal.SIGTERM): signal.signal(each, signal.SIG_IGN)\n"
    )
    prevented(judged(code + "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n" + ENDLESS, wall=4))


def test_processes_and_threads_that_outlive_the_run_are_ended() -> None:
    code = """
import os, time, threading
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
if not os.fork():
    os.setsid()
    if not os.fork():
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    os._exit(0)
"""
    judged(code)
    assert len(processes()) <= 2


def test_one_spec_that_dies_costs_no_other() -> None:
    result = judged("def silu(x):\n    import os\n    os._exit(3)", base=RIGHT)
    assert points(result) > 50, told(result)
    assert next(spec.state for spec in result.specs if spec.name.startswith("test_silu")) == "wrong"


def test_after_all_that_the_right_answer_is_green() -> None:
    result = judged(base=RIGHT)
    assert (result.status, points(result)) == (Status.GRADED, result.total - 2), told(result)
