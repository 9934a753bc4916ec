"""In the sandbox: load what every run needs once, and run each job in a copy of this process, which is confined first.

The copy drops its rights and takes its limits before it sees any student code. This process never sees student code.
It speaks with the grader over one socket, in lines of JSON: {"result": ...} as they come, {"beat": 1} while a run goes
on, and {"done": ...} at its end. {"done": {"last": true}} asks for the end of this process: what could not be swept
ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dojo.run import process, warm
from dojo.run.jobs import Job, Run
from dojo.run.results import death
from dojo.run.session import run_pytest
from dojo.teach import rights
from dojo.tree import overlay

BEAT = 0.5  # seconds between two signs of life
LOOK = 0.05  # seconds between two looks at the files that a run has made


class Settings(NamedTuple):
    """What the grader says when it starts this process."""

    kind: str
    """ "bubblewrap", "landlock" or "none"."""
    uid: int
    """The user that student code becomes; 0 to stay who this process is."""
    limits: dict[str, int]
    """See `sandbox.Limits`."""
    scratch: list[str]
    """The folders in which student code may write. They are emptied after each run."""
    readable: list[str]
    """With landlock: what student code may read."""
    processes: str
    """The grader's own space of processes, as the kernel names it."""
    reference: str
    """The tree that is no student's."""


def main() -> None:
    settings = Settings(*json.loads(sys.argv[2]))
    warm.preload()
    rights.die_with_parent()
    rights.be_unreadable()
    rights.adopt_orphans()
    with socket.socket(fileno=int(sys.argv[1])) as grader, grader.makefile("rb") as asked:
        _say(grader, {"ready": 1})
        for line in asked:
            _serve(grader, json.loads(line), settings)


def _say(grader: socket.socket, record: Mapping[str, Any]) -> None:
    grader.sendall(json.dumps(record).encode() + b"\n")


def _serve(grader: socket.socket, asked: dict[str, Any], settings: Settings) -> None:
    plan = overlay.Plan(
        Path(asked["tree"]),
        special={slug: Path(tree) for slug, tree in asked["special"].items()},
        closed=frozenset(asked["closed"]),
    )
    job = Job(asked["args"], plan, asked["limit"])
    if asked["tree"] == settings.reference:
        warm.compile_ahead(plan.tree)
    run = Run(job, process.fork(partial(_play, job, grader, settings), limit=job.limit, kept=True))
    spoiled = ""
    try:
        spoiled = _follow(grader, run, settings)
    except (ValueError, TypeError, KeyError, RecursionError) as error:  # no honest report has such a record
        spoiled = f"its report cannot be read ({type(error).__name__})"
        run.kill()
    finally:
        _sweep(settings)
    ending = run.child.ending
    assert ending is not None
    done = {
        "kind": ending.kind,
        "number": ending.number,
        "running": ending.running,
        "words": str(ending),
        "text": death(ending, plan).text,
        "output": run.child.output,
        "spoiled": spoiled,
        "last": any(os.listdir(folder) for folder in settings.scratch),
    }
    _say(grader, {"done": done})


def _follow(grader: socket.socket, run: Run, settings: Settings) -> str:
    """Send each result when it comes. Gives the reason why the run was ended here, or nothing."""
    beat = look = 0.0
    sent = 0
    while True:
        ended = run.poll()
        for result in run.results[sent:]:
            _say(grader, {"result": asdict(result)})
        sent = len(run.results)
        if ended:
            return ""
        now = time.monotonic()
        if now > beat:
            beat = now + BEAT
            _say(grader, {"beat": 1})
        if now > look:
            look = now + LOOK
            if too_much := _too_much(settings):
                run.kill()
                return too_much
        time.sleep(process.PAUSE)


def _too_much(settings: Settings) -> str:
    """Whether the run has made more files than it may."""
    if settings.kind == "bubblewrap":  # each folder is a file system of its own, of a limited size
        found = (os.statvfs(folder) for folder in settings.scratch)
        files = sum(each.f_files - each.f_ffree for each in found)
    else:
        files = size = 0
        for folder in settings.scratch:
            for path, folders, names in os.walk(folder):
                files += len(folders) + len(names)
                with contextlib.suppress(OSError):
                    size += sum(os.lstat(os.path.join(path, name)).st_size for name in names)
        if size > settings.limits["scratch"]:
            return f"it wrote more than {settings.limits['scratch'] >> 20} MB of files"
    return f"it made more than {settings.limits['files']} files" if files > settings.limits["files"] else ""


def _play(job: Job, grader: socket.socket, settings: Settings) -> int:
    """What the copy does."""
    os.close(grader.fileno())  # `grader.close()` would leave it open for the file that was made of it
    rights.confine(settings.kind, settings.uid, settings.limits, settings.readable, settings.scratch)
    overlay.install(job.plan)
    return run_pytest(job.args)


# After a run --------------------------------------------------------------------------------------------


def _sweep(settings: Settings) -> None:
    """Leave nothing of a run to the next one: no process and no file."""
    if rights.space_of_processes() != settings.processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # everything in this space but its first process and this one
    elif settings.uid:
        rights.as_user(settings.uid, partial(os.kill, -1, signal.SIGKILL))
    else:
        rights.kill_descendants()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0)[0]:  # they come to this process when they have lost their parents
            pass
    for folder in settings.scratch:
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError, RecursionError):  # what stays is seen, and ends this process
                if entry.is_dir(follow_symlinks=False):
                    rights.remove(entry)
                else:
                    os.unlink(entry)
