"""Run one kata in a process of its own, so that the verdict is known whatever the student's code does.

Code under test can end the process, loop where no signal reaches it, or take pytest apart. So this side
decides what is green: every listed spec was reported green, by a child that came to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dojo.bootstrap import forget_pytest_options
from dojo.catalogue import Kata
from dojo.errors import RED, USAGE
from dojo.run import specs
from dojo.run.jobs import LIMIT, Job, cold
from dojo.run.results import Outcome, Result
from dojo.run.specs import WHOLE
from dojo.tree.overlay import plan_for, shown

SHOWN = 5  # names in a sentence


@dataclass
class Verdict:
    """What a run of a kata came to."""

    results: list[Result] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """The listed specs of which some case has not run. After `-x` or `-k` that is normal."""
    code: int = 0
    """0 when everything that was asked for is green, else 1 (red) or 2 (it could not be run)."""
    said: str = ""
    """What is still to be printed, if pytest has not printed it."""

    @property
    def first_red(self) -> Result | None:
        return next((r for r in self.results if r.state in ("next", "wrong")), None)


def run_kata(
    kata: Kata,
    *,
    impl: str = "student",
    path: str = WHOLE,
    args: Iterable[str] = (),
    limit: float = LIMIT,
    relay: bool = True,
) -> Verdict:
    """Run the kata's specs on a path in a new process. `relay` shows its output; `args` are for pytest."""
    args = list(args)
    forget_pytest_options()
    job = Job([*specs.where(kata), f"--path={path}", *args], plan_for(impl), limit)
    outcome = cold(job, shown=relay).wait()
    missing = specs.missing(kata, (result.id for result in outcome.results), path)
    verdict = Verdict(outcome.results, missing)
    if outcome.code in (3, 4, 5) or not outcome.ending.running:  # pytest was asked for what it cannot do
        verdict.code, verdict.said = USAGE, outcome.output.strip()
        if outcome.code is None:
            verdict.said = f"{outcome.ending}\n\n{verdict.said}".strip()
    elif outcome.code is None:
        verdict.code, verdict.said = RED, f"{_count(kata, outcome, path)}\n\n{outcome.results[-1].text}"
    else:
        red = any(result.state not in ("green", "elsewhere") for result in outcome.results)
        verdict.said = "" if red or narrowed(args) else _shortage(kata, verdict)
        stopped = outcome.code != 0 or not outcome.results  # by pytest.exit() in the student's code
        verdict.code = RED if red or verdict.said or stopped else 0
    return verdict


def narrowed(args: list[str]) -> bool:
    """Whether the arguments choose among the specs."""
    return any(arg.startswith(("-k", "-m", "--deselect", "--ignore")) or "::" in arg for arg in args)


def _count(kata: Kata, outcome: Outcome, path: str) -> str:
    green = sum(result.state == "green" for result in outcome.results)
    return f"{green}/{max(specs.total(kata, path), len(outcome.results))} green"


def _shortage(kata: Kata, verdict: Verdict) -> str:
    """What to say if everything that ran is green, but something did not run."""
    if not specs.listed(kata):
        path = shown(specs.path(kata))
        return f"{path} lists no specs, so none can be missed: `git checkout {path}` brings the list back."
    if not verdict.missing:
        return ""
    names = verdict.missing
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (
        f"Not green yet: {len(names)} of the kata's specs did not run ({', '.join(names[:SHOWN])}{more}). "
        f"`git checkout katas/{kata.name}` brings deleted or changed specs back."
    )
