"""All reports of a class, made from its results: the tables, class.html, and what each student gets back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from dojo.teach import feedback, formats, gradebook
from dojo.teach.classpage import ClassPage
from dojo.teach.points import Points
from dojo.teach.results import Submission, path_of, reference_version, to_json
from dojo.tree import files


def make(out: Path, submissions: Iterable[Submission], points: Points) -> None:
    """Write gradebook.csv, details.csv and class.html, and in each student's folder what that student gets back.

    The submissions are taken one at a time: a class of thousands need not fit into memory.
    """
    page = ClassPage(points, gradebook.previous(out))
    book: list[gradebook.Line] = []
    lines: list[gradebook.Line] = []
    for each in submissions:
        submission = points.graded(each)
        page.add(submission)
        book.append(gradebook.line(submission, points))
        lines += gradebook.lines(submission)
        for_student(out, submission, points)
    gradebook.save(out / "gradebook.csv", gradebook.GRADEBOOK, book)
    gradebook.save(out / "details.csv", gradebook.DETAILS, lines)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    compared = sorted(path.parent.name for path in (out / "compare").glob("*/index.html"))
    files.write(out / "class.html", page.html(reference_version(), now, compared))


def for_student(out: Path, submission: Submission, points: Points) -> None:
    """Write what the student gets back, unless it was made of the same results and points already.

    feedback.html is written last, and its first line says what it was made of.
    """
    path = path_of(out, submission.student).with_name("feedback.html")
    made_of = f"{to_json(submission)}{points}"
    stamp = f"<!-- made of {sha256(made_of.encode()).hexdigest()} -->\n"
    if path.is_file() and path.open(encoding="utf-8").readline() == stamp:
        return
    formats.save(out, submission, points)
    files.write(path, stamp + feedback.html(submission, points))
