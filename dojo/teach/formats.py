"""A graded submission in the formats of other programs: Gradescope's results.json, JUnit, Exercism's version 3.

What a student may not see, because the points file hides it, is in none of them but as a number of points.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dojo.teach.points import Points
from dojo.teach.results import (
    KataResult,
    SpecResult,
    Status,
    Submission,
    code_of,
    path_of,
    requirements,
)
from dojo.tree import files

OUTPUT = 500  # characters of output that Exercism shows
MESSAGE = 65_535  # characters of a message that it takes
ESCAPE = r"\x1b\[[0-9;]*[A-Za-z]"  # of a terminal
CONTROL = re.compile(ESCAPE + r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
NO_TESTS = {Status.CANNOT_IMPORT, Status.UNREADABLE, Status.MISSING, Status.NOT_WRITTEN}


def save(out: Path, submission: Submission, points: Points) -> None:
    """Write results.json, junit.xml and exercism/NN.json beside the submission's result.json."""
    folder = path_of(out, submission.student).parent
    files.write_json(folder / "results.json", gradescope(submission, points))
    files.write(folder / "junit.xml", junit(submission, points))
    for kata in submission.katas:
        files.write_json(folder / "exercism" / f"{kata.kata.id}.json", exercism(kata, points))


def plain(text: str) -> str:
    """The text without control characters, which are neither legal in XML nor harmless in a terminal."""
    return CONTROL.sub("", text)


def shown(kata: KataResult, points: Points) -> list[SpecResult]:
    """The specs of a kata that the student may see."""
    return [spec for spec in kata.specs if not points.of(kata.number).hides(spec.name)]


def told(kata: KataResult) -> str:
    """What a student is told beside the specs; empty if there is nothing. The evidence is the instructor's."""
    if not kata.believed:
        return "These results are not counted. Ask your instructor."
    return kata.message or ("" if kata.status == Status.GRADED else kata.status.value.replace("_", " "))


def gradescope(submission: Submission, points: Points) -> dict[str, Any]:
    """What Gradescope's run_autograder leaves in results/results.json: a test for each kata, and for its stories."""
    total, penalty = points.total(submission)
    tests = [_gradescope_test(kata, points, "") for kata in submission.katas]
    tests += [_gradescope_test(kata, points, "stories of ") for kata in submission.whole if kata.possible]
    late = (
        f" A penalty of {penalty:g} for {points.late_days(submission)} late days is off." if penalty else ""
    )
    return {
        "score": total,
        "execution_time": round(submission.seconds),
        "output": plain(f"{submission.message or submission.status.value}.{late}"),
        "output_format": "text",
        "test_output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {"reference_version": submission.reference_version},
        "tests": tests,
    }


def _gradescope_test(kata: KataResult, points: Points, what: str) -> dict[str, Any]:
    weight = 1.0 if what else points.of(kata.number).weight
    lines = [told(kata)] if told(kata) else []
    if kata.status not in NO_TESTS and kata.believed:
        lines.append(f"{kata.green} of {kata.total} cases are green.")
        red = next((spec for spec in shown(kata, points) if spec.counts and spec.green < spec.cases), None)
        lines += [red.name, red.text or red.summary or requirements(kata.number)[red.name]] if red else []
    if kata.taken_out:
        lines.append(f"Not counted, because the machine was too busy to say: {', '.join(kata.taken_out)}.")
    return {
        "name": f"{what}kata {kata.kata.name}",
        "number": kata.kata.id,
        "score": round(kata.points * weight, 2),
        "max_score": round(kata.possible * weight, 2),
        "status": "passed" if kata.believed and kata.green == kata.total else "failed",
        "output": plain("\n".join(lines)),
        "visibility": "visible",
    }


def junit(submission: Submission, points: Points) -> str:
    """JUnit's XML: a test suite for each kata, a test case for each spec."""
    root = ElementTree.Element("testsuites")
    for kata in submission.katas:
        specs = shown(kata, points)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=kata.kata.name,
            tests=str(len(specs)),
            failures=str(sum(spec.counts and spec.green < spec.cases for spec in specs)),
            errors="0",
            skipped=str(sum(not spec.counts for spec in specs)),
            time=f"{kata.seconds:.3f}",
            timestamp=submission.graded_at,
        )
        for spec in specs:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=f"{kata.kata.name}.{spec.file.removesuffix('.py')}",
                name=spec.name,
                time=f"{spec.seconds:.3f}",
            )
            if not spec.counts:
                ElementTree.SubElement(case, "skipped", message=plain(spec.summary or spec.state))
            elif spec.green < spec.cases:
                message = plain(spec.summary or kata.message or spec.state)
                ElementTree.SubElement(case, "failure", message=message).text = plain(spec.text)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def exercism(kata: KataResult, points: Points) -> dict[str, Any]:
    """Exercism's results.json, version 3. The tasks are the spec files, by their numbers."""
    if kata.status in NO_TESTS or not kata.believed:
        message = plain(told(kata))[:MESSAGE]
        return {"version": 3, "status": "error", "message": message, "tests": []}
    tests = []
    for spec in shown(kata, points):
        if not spec.counts:
            continue
        test = {
            "name": requirements(kata.number)[spec.name],
            "test_code": code_of(kata.number)[spec.name],
            "status": "pass" if spec.green == spec.cases else "fail",
            "task_id": int(spec.file.split("_")[1]),
        }
        if test["status"] == "fail":
            test["message"] = plain(spec.text or spec.summary or spec.state)[:MESSAGE]
        tests.append(test)
    green = kata.green == kata.total
    return {"version": 3, "status": "pass" if green else "fail", "message": None, "tests": tests}
