"""The records of a run: a spec before it runs, the explanation of it, its result, and the outcome of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dojo.catalogue import Kata
from dojo.run.process import Ending
from dojo.tree.overlay import Plan, shown
from dojo.tree.source import is_student

LABEL = 11  # the width of the column of labels


@dataclass
class Spec:
    """What the explanation needs to know of a spec."""

    kata: Kata
    path: Path
    line: int
    name: str
    function: Callable[..., Any] | None = None
    """None if the spec file could not be imported."""
    values: Mapping[str, str] = field(default_factory=dict)
    """The plain values that a parametrized spec runs with."""
    functions: tuple[Callable[..., Any], ...] = ()
    """The functions that a parametrized spec runs with."""


class Explanation(NamedTuple):
    """The explanation of a spec's result."""

    state: str
    """See Result."""
    summary: str
    text: str
    owner: tuple[int, str] | None = None


@dataclass(frozen=True)
class Result:
    """The result of one spec."""

    id: str
    """pytest's node id, relative to the root of the repository."""
    state: str
    """"green", "next" (not written yet), "wrong", "inconclusive" (a timing that could not be judged), or "elsewhere"
    (this system cannot run it)."""
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


class Outcome(NamedTuple):
    """What a run of pytest came to."""

    results: list[Result]
    """In the order in which they came. If the process died, the last one says so."""
    code: int | None
    """pytest's exit status, or None if the process died before pytest was done."""
    ending: Ending
    output: str
    """The last part of what it printed and nobody has seen."""
    told: list[Any]
    """What plugins of the run sent with `tell`."""


# How an explanation is laid out -------------------------------------------------------------------------


def page(head: str, body: list[str], last: list[str]) -> str:
    lines = [head, "", *body, "", *last] if body else [head, "", *last]
    return "\n".join(["  " + line if line and i else line for i, line in enumerate(lines)])


def labelled(label: str, lines: list[str]) -> list[str]:
    return [f"{label if i == 0 else '':<{LABEL}}{line}" for i, line in enumerate(lines)]


# A process that died ------------------------------------------------------------------------------------


def death(ending: Ending, plan: Plan) -> Result:
    """The result of the spec during which the process died."""
    name = ending.running.partition("::")[2]
    head = f"{name} did not come to its end." if name else f"{ending.running} could not be imported."
    if not ending.running:
        head = "The run ended before its first spec."
    where = [*your_line(ending, plan), *labelled("spec", ending.running.split("::", 1))]
    text = page(f"wrong: {head}", [str(ending)], where if ending.running else [])
    return Result(ending.running, "wrong", str(ending), text, None, 0.0)


def your_line(ending: Ending, plan: Plan) -> list[str]:
    """The innermost line of the student's code, if the stack of the process is known."""
    own = [f"{shown(frame.file)}:{frame.line}" for frame in ending.stack if is_student(frame.file, plan)]
    return labelled("your line", own[:1])
