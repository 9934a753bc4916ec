"""The roster: who is in the class, what they handed in, and when.

A CSV file with a header. Only `student` is needed; the other columns are

    name, email, section     for the gradebook
    submission               the folder, archive or repository, relative to SUBMISSIONS; by default found by the id
    commit                   a commit, or a date: the last commit before it
    submitted_at             when it was handed in, 2026-11-20T23:59:00+01:00; without a zone it is UTC
    extension_days           days by which this student may be later

Columns of other names are ignored. A spreadsheet's semicolons and its byte order mark are understood.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dojo.errors import DojoError


@dataclass(frozen=True, slots=True)
class Student:
    """One line of the roster."""

    student: str
    name: str = ""
    email: str = ""
    section: str = ""
    submission: str = ""
    commit: str = ""
    submitted_at: str = ""
    extension_days: int = 0


COLUMNS = tuple(Student.__dataclass_fields__)


def read(path: Path) -> list[Student]:
    """Every student of the roster, in its order. All that is wrong with it is said at once, with the line's number."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DojoError(f"The roster {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DojoError(
            f"The roster {path} is not UTF-8: see line {line}. Save it again as CSV UTF-8."
        ) from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    columns = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    if "student" not in columns:
        raise DojoError(
            f"The roster {path} has no column `student`; its columns are {', '.join(columns) or 'none'}. The first "
            f"line names them: {','.join(COLUMNS)}; all but `student` may be left out."
        )
    rows.fieldnames = columns
    students: list[Student] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    try:
        for row in rows:
            values = {column: (row.get(column) or "").strip() for column in COLUMNS}
            if not any(values.values()):
                continue  # an empty line at the end of a spreadsheet
            wrong = list(_problems(values, seen))
            problems += [f"line {rows.line_num}: {problem}" for problem in wrong]
            seen.setdefault(values["student"].casefold(), rows.line_num)
            if not wrong:
                days = int(values.pop("extension_days") or 0)
                students.append(Student(**values, extension_days=days))
    except csv.Error as error:
        problems.append(f"line {rows.line_num}: {error}")
    if problems:
        more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise DojoError(
            f"The roster {path} cannot be used:\n" + "\n".join(f"  {each}" for each in problems[:20]) + more
        )
    return students


def _problems(values: dict[str, str], seen: dict[str, int]) -> Iterator[str]:
    student = values["student"]
    if not student:
        yield "the column `student` is empty"
    elif (line := seen.get(student.casefold())) is not None:
        yield f"student {student!r} is in line {line} already; capitals do not tell two students apart"
    if values["submitted_at"] and moment(values["submitted_at"]) is None:
        yield f"submitted_at {values['submitted_at']!r} is no time such as 2026-11-20T23:59:00+01:00"
    days = values["extension_days"]
    if days and not days.isdecimal():
        yield f"extension_days {days!r} is no number of days, 0 or more"


def moment(text: str) -> datetime | None:
    """The time that an ISO 8601 text names, in UTC if it names no zone; None if it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
