"""The points file: what a kata is worth, which specs count how much, what late days cost.

    [kata.05]
    points = 20                          # what the kata is worth; 100 without a word
    weight = 0.5                         # its points times this go into the total; 1 without a word
    whole = 5                            # points for the stories on the student's own whole tree; none without a word
    hidden = ["test_of_huge_logits"]     # specs that a student's feedback does not show; true for all of them
    specs.test_story = 10                # this spec counts as ten; 0 leaves it out

    [late]
    due = 2026-11-20T23:59:00+01:00
    days = 3                             # late days that cost nothing
    per_day = 0.1                        # the part of the total that each further day costs
    cap = 0.5                            # the largest part that can be lost

A kata's points are its share of green cases, by specs: a spec with 3 of 6 cases green is half green. Of a kata with
tracks, of which a student chooses one, they are the share of the best track. Without a points
file every kata is worth 100 points and every spec counts alike.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dojo.catalogue import KATAS
from dojo.errors import DojoError
from dojo.run import specs as lists
from dojo.teach.results import KataResult, SpecResult, Submission
from dojo.teach.roster import moment

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Worth:
    """What one kata is worth."""

    points: float = 100.0
    weight: float = 1.0
    whole: float = 0.0
    hidden: bool | tuple[str, ...] = False
    specs: Mapping[str, float] = field(default_factory=dict)

    def hides(self, spec: str) -> bool:
        return self.hidden if isinstance(self.hidden, bool) else spec in self.hidden

    def share(self, specs: list[SpecResult]) -> float | None:
        """The share that is green of the specs that count, by their weights; None if none counts."""
        weights = {spec.name: self.specs.get(spec.name, 1.0) for spec in specs if spec.counts}
        total = sum(weights.values())
        if not total:
            return None
        return sum(weights[spec.name] * spec.green / spec.cases for spec in specs if spec.counts) / total


@dataclass(frozen=True, slots=True)
class Late:
    """What late days cost. Without a time that is due, nothing is late."""

    due: datetime | None = None
    days: float = 0.0
    per_day: float = 0.0
    cap: float = 1.0


@dataclass(frozen=True, slots=True)
class Points:
    katas: Mapping[int, Worth] = field(default_factory=dict)
    late: Late = Late()

    def of(self, number: int) -> Worth:
        return self.katas.get(number, Worth())

    def scored(self, kata: KataResult) -> KataResult:
        """The result with its points. What is not believed has none."""
        worth = self.of(kata.number)
        shares = [worth.share(specs) for specs in kata.by_track().values()]
        share = max((each for each in shares if each is not None), default=None)
        possible = 0.0 if share is None else worth.points
        points = possible * (share or 0.0) if kata.believed else 0.0
        return replace(kata, points=round(points, 2), possible=possible)

    def graded(self, submission: Submission) -> Submission:
        """The submission with the points of each kata, and of each kata's stories on the whole tree."""
        whole = []
        for each in submission.whole:
            possible = self.of(each.number).whole
            alone = submission.kata(each.number)
            believed = each.believed and (alone is None or alone.believed)
            share = Worth().share(each.specs) if believed else 0.0
            whole.append(replace(each, points=round(possible * (share or 0.0), 2), possible=possible))
        return replace(submission, katas=[self.scored(each) for each in submission.katas], whole=whole)

    def late_days(self, submission: Submission) -> int:
        """Days after the time that was due, begun ones counted, less the student's extension."""
        then = moment(submission.submitted_at)
        if self.late.due is None or then is None:
            return 0
        days = math.ceil((then - self.late.due).total_seconds() / DAY)
        return max(0, days - submission.extension_days)

    def total(self, submission: Submission) -> tuple[float, float]:
        """The total of a graded submission after the penalty, and the penalty."""
        before = sum((self.of(each.number).weight * each.points for each in submission.katas), 0.0)
        before += sum(each.points for each in submission.whole)
        lost = min(self.late.cap, self.late.per_day * max(0.0, self.late_days(submission) - self.late.days))
        penalty = round(before * lost, 2)
        return round(before - penalty, 2), penalty


def read(path: Path) -> Points:
    """The points file. All that is wrong with it is said at once."""
    try:
        with path.open("rb") as file:
            given = tomllib.load(file)
    except OSError as error:
        raise DojoError(f"The points file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DojoError(f"The points file {path} is not TOML: {error}.") from None
    problems = list(_problems(given))
    if problems:
        raise DojoError(
            f"The points file {path} cannot be used:\n" + "\n".join(f"  {each}" for each in problems)
        )
    katas = {int(number): _worth(table) for number, table in given.get("kata", {}).items()}
    late = dict(given.get("late", {}))
    if (due := late.get("due")) is not None and due.tzinfo is None:
        late["due"] = due.replace(tzinfo=UTC)
    return Points(katas, Late(**late))


def _worth(table: Mapping[str, Any]) -> Worth:
    hidden = table.get("hidden", False)
    return Worth(**{**table, "hidden": hidden if isinstance(hidden, bool) else tuple(hidden)})


def _problems(given: Mapping[str, Any]) -> Iterator[str]:
    for name in given:
        if name not in ("kata", "late"):
            yield f"[{name}] is neither [kata.NN] nor [late]"
    katas = given.get("kata", {})
    if not isinstance(katas, dict):
        yield f"kata = {katas!r} is no table: write [kata.05] and its points below it"
        katas = {}
    for number, table in katas.items():
        if not (number.isdecimal() and 1 <= int(number) <= len(KATAS)):
            yield f"[kata.{number}]: katas are numbered 01 to {len(KATAS)}"
        elif not isinstance(table, dict):
            yield f"kata.{number} = {table!r} is no table: write [kata.{number}] and `points = {table}` below it"
        else:
            yield from (f"[kata.{number}] {problem}" for problem in _of_kata(int(number), table))
    late = given.get("late", {})
    if not isinstance(late, dict):
        yield f"late = {late!r} is no table: write [late] and `per_day = 0.1` below it"
        return
    for name, value in late.items():
        if name == "due":
            if not isinstance(value, datetime):
                yield f"[late] due = {value!r} is no time such as 2026-11-20T23:59:00+01:00, without quotes"
        elif name not in ("days", "per_day", "cap"):
            yield f"[late] {name}: it has due, days, per_day and cap"
        elif not _is_amount(value) or (name != "days" and value > 1):
            most = "" if name == "days" else " to 1: 0.1 is a tenth of the total"
            yield f"[late] {name} = {value!r} is no number from 0{most}"
    if late and "due" not in late:
        yield "[late] says no `due`: without it nothing is late"


def _of_kata(number: int, table: Mapping[str, Any]) -> Iterator[str]:
    known = lists.listed(KATAS[number - 1])
    for name, value in table.items():
        if name in ("points", "weight", "whole"):
            if not _is_amount(value):
                yield f"{name} = {value!r} is no number, 0 or more"
        elif name == "hidden":
            named = [] if isinstance(value, bool) else value
            if not isinstance(named, list):
                yield f"hidden = {value!r} is neither true, false nor a list of specs"
            else:
                yield from (
                    f"hidden names {spec!r}, which is no spec of it" for spec in named if spec not in known
                )
        elif name == "specs":
            if not isinstance(value, dict):
                yield f"specs = {value!r} is no table: write specs.NAME = 2"
                continue
            for spec, weight in value.items():
                if spec not in known:
                    yield f"specs.{spec} is no spec of it"
                elif not _is_amount(weight):
                    yield f"specs.{spec} = {weight!r} is no number, 0 or more"
        else:
            yield f"{name}: a kata has points, weight, whole, hidden and specs.NAME"


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
