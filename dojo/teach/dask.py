"""Grade on many machines: the workers of a Dask cluster each run `make grade` for one student.

A worker needs this repository and the folders of submissions and results under the same paths. It starts a sandbox and
writes its result itself, so the scheduler carries nothing but names.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import islice

from dojo.bootstrap import ENTRY
from dojo.errors import DojoError, display
from dojo.teach import rights
from dojo.teach.submissions import Match

AHEAD = 100  # students that are given to the scheduler at a time


def grade(address: str, matches: Sequence[Match], arguments: Sequence[str]) -> None:
    """Let the workers grade these students. What is done is let go at once: a worker that dies costs only its own."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise DojoError(
            "DASK= needs the package distributed: `.venv/bin/python -m pip install distributed`."
        ) from None
    try:
        client = Client(address, timeout=10)
    except OSError as error:
        raise DojoError(f"DASK={address}: the scheduler does not answer ({error}).") from None
    with client:
        waiting = iter([each.student.student for each in matches])
        running = as_completed(with_results=False)

        def submit(student: str) -> None:
            future = client.submit(one, ENTRY, student, list(arguments), pure=False, key=f"grade-{student}")
            running.add(future)

        for student in islice(waiting, AHEAD):
            submit(student)
        for count, future in enumerate(running, 1):
            said = future.result() if future.status == "finished" else f"{future.key}: {future.exception()}"
            future.release()
            display(f"  {count}/{len(matches)}  {said}")
            for student in islice(waiting, 1):
                submit(student)


def one(entry: str, student: str, arguments: Sequence[str]) -> str:
    """On a worker: grade one student in a process of its own, which ends with the worker."""
    command = [sys.executable, entry, "grade", f"--only={student}", *arguments]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=rights.die_with_parent,
    )
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return lines[-1].strip().removeprefix("1/1").strip() if lines else f"{student}: nothing was said"
