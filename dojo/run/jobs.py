"""Runs of pytest: a job, which says what to run, and a run that is going on, cold or warm."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dojo.bootstrap import ENTRY
from dojo.catalogue import ROOT
from dojo.errors import DojoError
from dojo.run import process
from dojo.run.process import Child, Ending
from dojo.run.results import Outcome, Result, death
from dojo.tree.overlay import Plan

LIMIT = 600.0  # seconds for a whole kata; a single spec has its own, shorter limit
COMPLETE = (0, 1, 5)  # pytest's exit statuses after which every spec that was asked for has a result


class Job(NamedTuple):
    """What one run of pytest is to do."""

    args: list[str]
    plan: Plan
    limit: float = LIMIT
    plugins: tuple[object, ...] = ()
    """Plugin objects for this run only. They live in a fork, and send results back with `tell`."""


@dataclass
class Run:
    """A pytest that runs now. Call `poll` again and again, and read `results` as they grow; or `wait` for its end."""

    job: Job
    child: Child
    results: list[Result] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)

    def poll(self) -> bool:
        """Read what has come. True when the run has ended and everything is read."""
        ended = self.child.poll()
        for record in self.child.take():
            if "told" in record:
                self.told.append(record["told"])
            elif "id" in record:
                self.results.append(Result.from_dict(record))
        return ended

    def wait(self) -> Outcome:
        self.child.wait()
        return self.outcome()

    def kill(self) -> None:
        """End it and whatever it started. What it reported before stays."""
        self.child.kill()

    def outcome(self) -> Outcome:
        """What is known of a run that has ended. The death of the process is a result too."""
        self.poll()
        ending = self.child.ending
        assert ending is not None, "it goes on"
        code = ending.number if ending.kind == process.DONE else None
        results = [*self.results]
        if code is None:
            results.append(death(ending, self.job.plan))
        elif code not in COMPLETE:
            results.append(self._unfinished(ending))
        return Outcome(results, code, ending, self.child.output, self.told)

    def _unfinished(self, ending: Ending) -> Result:
        """The result for a pytest that ended before it had run the specs."""
        asked = next((arg for arg in self.job.args if not arg.startswith("-")), "")
        summary = f"pytest could not finish (exit status {ending.number})."
        text = f"{summary}\n\n{self.child.output.strip()}".strip()
        return Result(ending.running or asked, "wrong", summary, text, None, 0.0)


def cold(job: Job, *, shown: bool) -> Run:
    """Start the job in a new Python. If `shown`, its output goes to the terminal."""
    if job.plugins or job.plan.source:
        raise DojoError("This needs a system that can copy processes: Linux, macOS, or Windows with WSL.")
    command = [sys.executable, "-P", ENTRY, "pytest", "--", *job.plan.arguments(), *job.args]
    kept = ("stderr",) if shown else ("stdout", "stderr")
    return Run(job, process.spawn(command, cwd=ROOT, limit=job.limit, kept=kept))
