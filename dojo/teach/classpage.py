"""class.html: the class at one look, in one file that needs nothing from outside.

A heat map of students by katas that can be sorted, searched and printed; the specs that are red most often, with their
sentences; where the class is stuck. At most 10 MB for 5,000 students: a student is one short line of JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from string import Template
from typing import Any

from dojo.catalogue import KATAS
from dojo.teach.pages import escape, page, part
from dojo.teach.points import Points
from dojo.teach.results import KataResult, Status, Submission, folder_name, listed, requirements

SYMBOLS = {
    Status.NOT_WRITTEN: "-",
    Status.CANNOT_IMPORT: "!",
    Status.TIMED_OUT: "T",
    Status.KILLED: "K",
    Status.UNREADABLE: "U",
    Status.MISSING: "·",
    Status.FLAGGED: "F",
}
"""A kata's cell, where it is not its share in percent. Partly graded katas show their share."""
SHARES = (Status.GRADED, Status.TIMED_OUT, Status.KILLED)
MOST_RED = 25
STEPS = 11
LIGHT, DARK = ("f2f7fd", "08519c"), ("1d2733", "9ecbff")
"""The colours of 0 and of 100 percent."""


class ClassPage:
    """Takes the submissions one at a time, with their points, and makes the page of them."""

    def __init__(self, points: Points, before: Mapping[str, str]) -> None:
        """`before` has the hash of each student's submission at the last run."""
        self.points = points
        self.before = before
        self.katas = [kata for kata in KATAS if kata.built]
        self.students: list[list[Any]] = []
        self.red: Counter[tuple[int, str]] = Counter()
        self.written: Counter[int] = Counter()
        self.complete: Counter[int] = Counter()
        self.broken: Counter[int] = Counter()
        self.stuck: Counter[int] = Counter()
        self.stuck_at: dict[int, Counter[str]] = {kata.number: Counter() for kata in self.katas}
        self.places = {
            kata.number: {spec.name: i for i, spec in enumerate(listed(kata.number))} for kata in self.katas
        }

    def add(self, submission: Submission) -> None:
        for result in submission.katas:
            self._count(result)
        stuck = next(
            (each for each in submission.katas if each.green < each.total or not each.believed), None
        )
        summary = ""
        if stuck is not None:
            self.stuck[stuck.number] += 1
            red = stuck.first_red
            if red is not None and stuck.status in SHARES:
                self.stuck_at[stuck.number][red.name] += 1
            summary = (
                f"{stuck.kata.name}: {(red.summary if red else '') or stuck.message or stuck.status.value}"
            )
        total, penalty = self.points.total(submission)
        results = {each.number: each for each in submission.katas}
        cells = [_cell(results.get(kata.number)) for kata in self.katas]
        reds = [self._first_red(results.get(kata.number)) for kata in self.katas]
        unchanged = bool(submission.submission_sha256) and (
            self.before.get(submission.student) == submission.submission_sha256
        )
        self.students.append(
            [
                *(submission.student, submission.name, submission.section, total),
                *(self.points.late_days(submission), penalty, submission.status.value, submission.flags),
                *(int(unchanged), cells, reds, summary, folder_name(submission.student)),
            ]
        )

    def html(self, reference_version: str, graded_at: str, compared: Sequence[str] = ()) -> str:
        """The page. `compared` has the numbers of the katas whose submissions were compared with each other."""
        data = {
            "katas": [{"id": kata.id, "name": kata.name} for kata in self.katas],
            "specs": [
                [[spec.name, requirements(kata.number)[spec.name]] for spec in listed(kata.number)]
                for kata in self.katas
            ],
            "statuses": [status.value for status in SYMBOLS],
            "symbols": list(SYMBOLS.values()),
            "students": self.students,
        }
        symbols = (
            f"{symbol} {status.value.replace('_', ' ')}"
            for status, symbol in SYMBOLS.items()
            if status not in SHARES
        )
        links = ", ".join(f'<a href="compare/{number}/index.html">kata {number}</a>' for number in compared)
        alike = f" Submissions that are alike: {links}." if links else ""
        body = Template(part("class.html")).substitute(
            when=f"Graded {escape(graded_at)}, specs and reference {escape(reference_version)}.{alike}",
            figures="".join(f"<li><strong>{number}</strong> {what}</li>" for number, what in self._figures()),
            katas=self._katas(),
            most_red=self._most_red(),
            symbols=", ".join(symbols),
        )
        dark = f"@media (prefers-color-scheme: dark) {{{heat(DARK)}}}"
        styles = part("page.css") + part("class.css") + heat(LIGHT) + dark
        return page("The class", styles, body, part("class.js"), data)

    def _count(self, result: KataResult) -> None:
        number = result.number
        if result.status in (Status.CANNOT_IMPORT, Status.UNREADABLE, Status.FLAGGED):
            self.broken[number] += 1
        elif result.status in SHARES:
            self.written[number] += 1
            self.complete[number] += result.green == result.total
            for spec in result.specs:
                if spec.counts and spec.green < spec.cases:
                    self.red[number, spec.name] += 1

    def _first_red(self, result: KataResult | None) -> int:
        red = result.first_red if result else None
        return -1 if result is None or red is None else self.places[result.number].get(red.name, -1)

    def _figures(self) -> list[tuple[str, str]]:
        statuses = Counter(student[6] for student in self.students)
        handed_in = len(self.students) - statuses[Status.MISSING.value]
        figures = [(f"{len(self.students):,}", "students"), (f"{handed_in:,}", "handed in")]
        if self.students:
            middle = median(student[3] for student in self.students)
            figures.append((f"{middle:.1f}", "points (median)"))
        figures.append((f"{statuses[Status.FLAGGED.value]:,}", "flagged"))
        if self.before:
            figures.append(
                (f"{sum(student[8] for student in self.students):,}", "unchanged since the last run")
            )
        return figures

    def _katas(self) -> str:
        everybody = max(1, len(self.students))
        lines = []
        for kata in self.katas:
            complete, broken = self.complete[kata.number], self.broken[kata.number]
            begun = self.written[kata.number] - complete
            parts = (("done", complete), ("part", begun), ("broken", broken))
            bar = "".join(f'<rect class="{name}" {place}/>' for name, place in _places(parts, everybody))
            words = f"{complete} all green, {begun} begun, {broken} cannot be imported or read"
            commonest = self.stuck_at[kata.number].most_common(1)
            at = (
                f"{escape(requirements(kata.number)[commonest[0][0]])} ({commonest[0][1]})"
                if commonest
                else ""
            )
            lines.append(
                f'<tr><th scope="row">{kata.name}</th>'
                f'<td><svg role="img" aria-label="{words}" width="160" height="14" viewBox="0 0 100 10" '
                f'preserveAspectRatio="none"><title>{words}</title>{bar}</svg></td>'
                f'<td class="number">{complete}</td><td class="number">{self.stuck[kata.number]}</td><td>{at}</td></tr>'
            )
        return _table(("kata", "students", "#all green", "#stuck here", "most of them at"), lines)

    def _most_red(self) -> str:
        lines = []
        for (number, name), count in self.red.most_common(MOST_RED):
            share = count / self.written[number]
            lines.append(
                f'<tr><td class="number">{count}</td><td class="number">{share:.0%}</td>'
                f"<td>{KATAS[number - 1].name}</td>"
                f"<td>{escape(requirements(number)[name])}<br><code class=quiet>{name}</code></td></tr>"
            )
        return _table(("#red", "#share", "kata", "what it asks for"), lines) if lines else "<p>None.</p>"


def _cell(result: KataResult | None) -> int | None:
    """The percentage of the points, or the number of a status below 0, or None if the kata was not graded."""
    if result is None:
        return None
    if result.status not in SHARES:
        return -1 - list(SYMBOLS).index(result.status)
    return round(100 * result.points / result.possible) if result.possible else 0


def _places(parts: tuple[tuple[str, int], ...], everybody: int) -> list[tuple[str, str]]:
    places, start = [], 0.0
    for name, count in parts:
        width = 100 * count / everybody
        places.append((name, f'x="{start:.2f}" width="{width:.2f}" height="10"'))
        start += width
    return places


def _table(titles: tuple[str, ...], lines: list[str]) -> str:
    """A table that scrolls sideways. A title that begins with # stands above numbers."""
    heads = "".join(
        f'<th scope="col"{" class=number" if title.startswith("#") else ""}>{title.lstrip("#")}</th>'
        for title in titles
    )
    about = f"{titles[-1].lstrip('#')}, by {titles[0].lstrip('#')}"
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{about}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def heat(ends: tuple[str, str]) -> str:
    """The colours of the cells from 0 to 100 percent, each with letters that can be read on it."""
    low, high = ([int(end[i : i + 2], 16) for i in (0, 2, 4)] for end in ends)
    rules, names = [], []
    for step in range(STEPS):
        colour = [round(a + (b - a) * step / (STEPS - 1)) for a, b in zip(low, high, strict=True)]
        value = "#" + "".join(f"{each:02x}" for each in colour)
        names.append(f"--h{step}:{value};")
        rules.append(
            f"#heat .h{step}{{background:{value};color:{'#000' if _luminance(colour) > 0.179 else '#fff'}}}"
        )
    return f":root{{{''.join(names)}}}{''.join(rules)}"


def _luminance(colour: list[int]) -> float:
    """The relative luminance of WCAG 2: where it is 0.179, black and white letters have the same contrast."""
    linear = [c / 12.92 if (c := each / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for each in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
