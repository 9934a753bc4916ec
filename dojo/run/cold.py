"""Run one kata in a process of its own, and know the verdict whatever the student's code does to it.

Code under test can end the process, loop where no signal reaches it, or take pytest apart. So green is what this
side says: every expected spec reported green, by a child that came to its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dojo.bootstrap import forget_pytest_options
from dojo.catalogue import ROOT, Kata
from dojo.errors import RED, USAGE
from dojo.report.explain import SLOW, labelled, page
from dojo.report.screen import say
from dojo.report.suspects import is_student
from dojo.run.specs import expected
from dojo.tree.overlay import Plan, plan_for, shown

LIMIT = 600.0  # seconds for a whole kata
SHOWN = 5  # names in a sentence


@dataclass(frozen=True)
class Result:
    """What became of one spec."""

    id: str
    """pytest's node id, relative to the root of the repository."""
    state: str
    """"green", "next" (not written yet), "wrong", or "inconclusive" (a timing that could not be judged)."""
    summary: str
    """One line."""
    text: str
    """The whole explanation. Its lines are wrapped when they are printed."""
    owner: tuple[int, str] | None
    """For "next": the number of the kata and the function to write, such as (2, "Tensor.reshape")."""
    duration: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Result:
        owner = fields["owner"]
        return cls(**{**fields, "owner": owner and (owner[0], owner[1])})


@dataclass
class Verdict:
    """What a run of a kata came to."""

    results: list[Result] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """The manifest's specs that gave no result. After `-x` or `-k` that is as it should be."""
    code: int = 0
    """0 when everything that was asked for is green, else 1 (red) or 2 (it could not be run)."""

    @property
    def first_red(self) -> Result | None:
        return next((r for r in self.results if r.state in ("next", "wrong")), None)


def run_kata(
    kata: Kata,
    *,
    impl: str = "student",
    args: Iterable[str] = (),
    limit: float = LIMIT,
    relay: bool = True,
) -> Verdict:
    """Run the kata's specs in a cold process. `relay` lets its output through; `args` are for pytest."""
    args = list(args)
    plan = plan_for(impl)
    with tempfile.TemporaryDirectory(prefix="dojo-") as folder:
        report, errors = Path(folder, "report"), Path(folder, "errors")
        command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", f"--rootdir={ROOT}"]
        command += [f"katas/{kata.name}", "--impl", impl, "--dojo-report", str(report), *args]
        status = _child(command, errors, limit, relay)
        records = _records(report)
        complaint = errors.read_text(encoding="utf-8", errors="replace")
    verdict, running, ended = _read(records)
    verdict.missing = [id for id in expected(kata) if id not in {r.id for r in verdict.results}]
    said = ""
    if ended in (3, 4, 5) or (ended is None and not running):  # pytest was asked for what it cannot do
        verdict.code, said = USAGE, complaint.strip()
    elif ended is None:
        death = _death(running, status, complaint, limit, plan)
        said = f"{_count(kata, verdict)}\n\n{death.text}"
        verdict.results.append(death)
        verdict.code = RED
    else:
        red = any(r.state != "green" for r in verdict.results)
        said = "" if red or narrowed(args) else _shortage(kata, verdict)
        stopped = ended != 0 or not verdict.results  # by pytest.exit() in the student's code
        verdict.code = RED if red or said or stopped else 0
    if said and relay:
        say(said)
    return verdict


def _child(command: list[str], errors: Path, limit: float, relay: bool) -> int | None:
    """The exit status of `command`, or None where it had to be stopped. Nothing that it started outlives it."""
    forget_pytest_options()
    sys.stdout.flush()
    with errors.open("wb") as stderr:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=None if relay else subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            return child.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:  # on Ctrl-C too, which reaches only this process
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _records(report: Path) -> list[dict[str, Any]]:
    records = []
    if report.is_file():
        for line in report.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):  # the line that was being written when the process died
                records.append(json.loads(line))
    return records


def _read(records: list[dict[str, Any]]) -> tuple[Verdict, str, int | None]:
    """The results, what was running last, and pytest's own exit status if it came to its end."""
    verdict, running, ended = Verdict(), "", None
    for record in records:
        if "begins" in record:
            running = record["begins"]
        elif "pytest_ended" in record:
            ended = record["pytest_ended"]
        else:
            verdict.results.append(Result.from_dict(record))
    return verdict, running, ended


def narrowed(args: list[str]) -> bool:
    """Whether the arguments choose among the specs."""
    return any(arg.startswith(("-k", "-m", "--deselect", "--ignore")) or "::" in arg for arg in args)


def _death(running: str, status: int | None, complaint: str, limit: float, plan: Plan) -> Result:
    """One clear sentence on a process that did not come to its end."""
    own: list[str] = []
    if status is None:
        why = f"It was stopped after {limit:g} s. {SLOW}"
    elif hung := re.search(r"Timeout \((\d+):(\d+):([\d.]+)\)!", complaint):
        seconds = int(hung[1]) * 3600 + int(hung[2]) * 60 + float(hung[3])
        why = f"It was still running after {seconds:g} s, and nothing could interrupt it. {SLOW}"
        frames = re.findall(r'File "(.+)", line (\d+) in ', complaint[hung.start() :])
        own = [f"{shown(name)}:{line}" for name, line in frames if is_student(name, plan)][:1]
    elif status < 0:
        why = f"The process was killed by {signal.Signals(-status).name}."
        if status == -signal.SIGKILL:
            why += " Did it use up the memory?"
    else:
        why = f"The process ended in the middle, with exit status {status}. Does your code call os._exit()?"
    name = running.partition("::")[2]
    head = f"wrong: {name} did not come to its end." if name else f"wrong: {running} could not be imported."
    where = [*(labelled("your line", own) if own else []), *labelled("spec", running.split("::", 1))]
    return Result(running, "wrong", why, page(head, [why], where), None, 0.0)


def _count(kata: Kata, verdict: Verdict) -> str:
    green = sum(r.state == "green" for r in verdict.results)
    return f"{green}/{max(len(expected(kata)), len(verdict.results) + 1)} green"


def _shortage(kata: Kata, verdict: Verdict) -> str:
    """What to say where everything that ran is green and yet something did not run."""
    if not expected(kata):
        return f"katas/manifest.txt lists no specs of kata {kata.id}: `python -m dojo manifest` writes it."
    if not verdict.missing:
        return ""
    names = [id.partition("::")[2] for id in verdict.missing]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"Not green yet: {len(names)} of the kata's specs did not run ({', '.join(names[:SHOWN])}{more}). "
        f"`git checkout katas/{kata.name}` brings changed specs back."
    )
