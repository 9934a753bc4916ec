"""The class in two tables: gradebook.csv, a line a student, and details.csv, a line for each kata of each student.

They are for spreadsheets, which take a cell that begins with `=` for a formula. What students can have a word in, an
id, a name, a sentence, gets an apostrophe there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from dojo.catalogue import KATAS
from dojo.teach.points import Points
from dojo.teach.results import Submission, requirements
from dojo.tree import files

GRADEBOOK = (
    *("student", "name", "email", "section"),
    *(f"kata_{kata.id}" for kata in KATAS),
    *("late_days", "penalty", "total", "status", "flags"),
)
DETAILS = (
    *(
        "student",
        "kata",
        "points",
        "possible",
        "specs_green",
        "specs_total",
        "first_red",
        "requirement",
        "status",
    ),
    *("taken", "canary", "seconds", "submission_sha256", "reference_version"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


Line = list[str | float]


def save(path: Path, header: Iterable[str], lines: Iterable[Line]) -> None:
    """Write a table as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([cell(value) for value in line] for line in lines)
    files.write(path, text.getvalue())


def previous(out: Path) -> dict[str, str]:
    """The hash of each student's submission at the last run, as details.csv has it; empty if there is none."""
    try:
        with (out / "details.csv").open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            return {row["student"].removeprefix("'"): row["submission_sha256"] for row in rows}
    except (OSError, KeyError, UnicodeDecodeError):
        return {}


def cell(value: str | float) -> str | float:
    """A text that no spreadsheet computes."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def line(submission: Submission, points: Points) -> Line:
    """The submission's line of gradebook.csv. It has its points already."""
    total, penalty = points.total(submission)
    katas = (submission.kata(kata.number) for kata in KATAS)
    return [
        *(submission.student, submission.name, submission.email, submission.section),
        *("" if kata is None else kata.points for kata in katas),
        *(points.late_days(submission), penalty, total, submission.status.value, "; ".join(submission.flags)),
    ]


def lines(submission: Submission) -> Iterator[Line]:
    """The submission's lines of details.csv. It has its points already."""
    for kata in submission.katas:
        red = kata.first_red
        yield [
            *(submission.student, kata.number, kata.points, kata.possible, kata.green, kata.total),
            *((red.name, requirements(kata.number)[red.name]) if red else ("", "")),
            *(kata.status.value, len(kata.taken), kata.canary, round(kata.seconds, 3)),
            *(submission.submission_sha256, submission.reference_version),
        ]
