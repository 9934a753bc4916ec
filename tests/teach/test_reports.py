"""The reports of a class: tables, pages and the formats of other programs, made from results."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dojo.catalogue import KATAS, SOLUTIONS, files_below
from dojo.errors import DojoError
from dojo.teach import feedback, formats, gradebook, points, report, results, roster
from dojo.teach.classpage import ClassPage
from dojo.teach.points import Late, Points, Worth
from dojo.teach.results import KataResult, SpecResult, Status, Submission
from tests.browser import opened, violations
from tests.teach.simulated import simulated

NASTY = "</script><img src=x onerror=\"document.title='broken'\">"
DUE = "2026-11-20T12:00:00+00:00"


def some(number: int = 3, green: int = 99, **changes: Any) -> KataResult:
    """A kata of which the first `green` specs are green and the others are wrong."""
    specs = [
        replace(spec, green=spec.cases, state="green")
        if i < green
        else replace(spec, state="wrong", summary="wrong: 1 for 2", text="wrong: 1 for 2\nyour line")
        for i, spec in enumerate(results.listed(number))
    ]
    return KataResult(number, Status.GRADED, specs=specs, canary="passed", **changes)


def one(*katas: KataResult, **changes: Any) -> Submission:
    given: dict[str, Any] = {"student": "ada", "status": Status.GRADED, "katas": list(katas)}
    return Submission(**(given | changes))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "student", ["a/b", "../../up", "..", ".hidden", "=cmd|x", 'quote"and,comma', "n\0l", "ü\n", "a" * 60]
)
def test_a_result_is_kept_below_its_folder_whatever_the_id_is(student: str, tmp_path: Path) -> None:
    results.save(tmp_path, one(some(), student=student))
    [path] = tmp_path.rglob("result.json")
    assert path == results.path_of(tmp_path, student) and path.parents[1] == tmp_path / "students"
    assert [each.student for each in results.load_all(tmp_path)] == [student]


# Points -------------------------------------------------------------------------------------------------


def test_without_a_points_file_a_kata_is_worth_a_hundred_points() -> None:
    specs = len(results.listed(3))
    scored = Points().scored(some(3, green=10))
    assert (scored.points, scored.possible) == (round(100 * 10 / specs, 2), 100)


def test_a_spec_with_half_of_its_cases_green_counts_half() -> None:
    spec = SpecResult("test_a", "test_01_a.py", cases=6, green=3, state="wrong")
    assert Worth().share([spec]) == 0.5


def test_the_weights_of_specs_decide() -> None:
    a = SpecResult("test_a", "test_01_a.py", cases=1, green=1)
    b = SpecResult("test_b", "test_01_a.py", cases=1, green=0, state="wrong")
    assert Worth(specs={"test_a": 3}).share([a, b]) == 0.75
    assert Worth(specs={"test_b": 0}).share([a, b]) == 1


def test_a_timing_that_could_not_be_judged_is_in_neither_part_of_the_share() -> None:
    a = SpecResult("test_a", "test_01_a.py", cases=1, green=1)
    b = SpecResult("test_b", "test_01_a.py", cases=1, green=0, state="inconclusive")
    assert Worth().share([a, b]) == 1
    only = Points().scored(KataResult(3, Status.GRADED, specs=[b]))
    assert (only.points, only.possible) == (0, 0)


def test_what_is_not_believed_has_no_points() -> None:
    scored = Points().scored(replace(some(3), status=Status.FLAGGED, flags=["a canary stayed green"]))
    assert (scored.points, scored.possible) == (0, 100)


@pytest.mark.parametrize(
    ("handed_in", "extension", "days", "penalty"),
    [
        ("2026-11-20T12:00:00+00:00", 0, 0, 0),
        ("2026-11-20T12:00:01+00:00", 0, 1, 0),  # the first day is free
        ("2026-11-22T11:00:00+00:00", 0, 2, 10),
        ("2026-11-22T11:00:00+00:00", 1, 1, 0),
        ("2026-11-22T13:00:00+01:00", 0, 2, 10),  # the zone counts
        ("2027-11-22T13:00:00", 0, 368, 30),  # the cap
        ("", 0, 0, 0),
    ],
)
def test_late_days_and_what_they_cost(handed_in: str, extension: int, days: int, penalty: float) -> None:
    due = roster.moment(DUE)
    rules = Points(late=Late(due, days=1, per_day=0.1, cap=0.3))
    submission = rules.graded(one(some(3), submitted_at=handed_in, extension_days=extension))
    assert rules.late_days(submission) == days
    assert rules.total(submission) == (100 - penalty, penalty)


def test_stories_of_the_whole_tree_count_only_where_the_points_file_says_so() -> None:
    submission = one(some(3), whole=[some(3)])
    assert Points().total(Points().graded(submission)) == (100, 0)
    rules = Points({3: Worth(whole=5, weight=0.5)})
    assert rules.total(rules.graded(submission)) == (55, 0)


def test_a_points_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "points.toml"
    name = results.listed(5)[0].name
    path.write_text(
        f'[kata.05]\npoints = 20\nweight = 0.5\nhidden = ["{name}"]\nspecs.{name} = 10\n'
        "[late]\ndue = 2026-11-20T23:59:00+01:00\ndays = 3\nper_day = 0.1\ncap = 0.5\n",
        encoding="utf-8",
    )
    found = points.read(path)
    assert found.of(5) == Worth(20, 0.5, 0, (name,), {name: 10})
    assert found.of(6) == Worth()
    assert (found.late.days, found.late.per_day, found.late.cap) == (3, 0.1, 0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[kata.21]\npoints = 1", "[kata.21]: katas are numbered 01 to 20"),
        ("[kata.03]\npoints = -1", "points = -1 is no number, 0 or more"),
        ("[kata.03]\npoints = true", "points = True"),
        ("[kata.03]\npoint = 1", "point: a kata has points, weight"),
        ("[kata.03]\nspecs.test_nothing = 1", "specs.test_nothing is no spec of it"),
        ('[kata.03]\nhidden = ["test_nothing"]', "'test_nothing', which is no spec of it"),
        ("[late]\nper_day = 10", "per_day = 10 is no number from 0 to 1"),
        ('[late]\ndue = "tomorrow"', "due = 'tomorrow' is no time"),
        ("[late]\nper_day = 0.1", "[late] says no `due`"),
        ("[bonus]\nx = 1", "[bonus] is neither"),
        ("kata = 3", "kata = 3 is no table"),
        ("[kata.03", "is not TOML"),
    ],
)
def test_a_points_file_with_a_fault_says_which(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "points.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DojoError, match=re.escape(says)):
        points.read(path)


# The roster ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_roster_is_read(tmp_path: Path, delimiter: str, mark: str) -> None:
    path = tmp_path / "roster.csv"
    lines = [
        ["Student", "name", "tutor", "extension_days"],
        ["ada", "Ada, née Byron", "x", "2"],
        ["", "", "", ""],
    ]
    text = "\r\n".join(delimiter.join(f'"{value}"' for value in line) for line in lines)
    path.write_text(mark + text, encoding="utf-8", newline="")
    assert roster.read(path) == [roster.Student("ada", "Ada, née Byron", extension_days=2)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\nAda", "has no column `student`"),
        ("", "has no column `student`"),
        ("student\nada\nADA", "line 3: student 'ADA' is in line 2 already"),
        ("student,name\n,Ada", "line 2: the column `student` is empty"),
        ("student,submitted_at\nada,yesterday", "line 2: submitted_at 'yesterday' is no time"),
        ("student,extension_days\nada,-1", "line 2: extension_days '-1' is no number of days"),
    ],
)
def test_a_roster_with_a_fault_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DojoError, match=re.escape(says)):
        roster.read(path)


def test_a_roster_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes("student,name\nada,née".encode("latin-1"))
    with pytest.raises(DojoError, match="not UTF-8: see line 2"):
        roster.read(path)


# Tables -------------------------------------------------------------------------------------------------


def test_the_tables_have_a_line_for_everybody(tmp_path: Path) -> None:
    report.make(
        tmp_path, [one(some(3), some(4, green=2)), one(student="eve", status=Status.MISSING)], Points()
    )
    book, lines = rows(tmp_path / "gradebook.csv"), rows(tmp_path / "details.csv")
    assert [(each["student"], each["status"]) for each in book] == [("ada", "graded"), ("eve", "missing")]
    assert (book[0]["kata_03"], book[0]["kata_05"], book[1]["total"]) == ("100.0", "", "0.0")
    assert list(book[0])[4:24] == [f"kata_{kata.id}" for kata in KATAS]
    assert [(each["student"], each["kata"]) for each in lines] == [("ada", "3"), ("ada", "4")]
    assert lines[1]["first_red"] == results.listed(4)[2].name
    assert lines[1]["requirement"] == results.requirements(4)[lines[1]["first_red"]]


@pytest.mark.parametrize("text", ["=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "'quoted"])
def test_no_cell_is_a_formula(tmp_path: Path, text: str) -> None:
    report.make(tmp_path, [one(some(3), name=text, student=text, submission_sha256="12ab")], Points())
    book = rows(tmp_path / "gradebook.csv")[0]
    assert book["name"] == book["student"] == f"'{text}"
    assert gradebook.previous(tmp_path) == {text: "12ab"}


# The formats of other programs --------------------------------------------------------------------------


def test_gradescope_gets_a_test_for_each_kata() -> None:
    rules = Points({3: Worth(20), 4: Worth(10, weight=0.5)})
    told = formats.gradescope(rules.graded(one(some(3), some(4, green=0))), rules)
    assert told["score"] == 20
    assert [(each["score"], each["max_score"], each["status"]) for each in told["tests"]] == [
        (20, 20, "passed"),
        (0, 5, "failed"),
    ]
    assert "wrong: 1 for 2" in told["tests"][1]["output"]


def test_junit_is_xml_whatever_a_message_holds() -> None:
    specs = [SpecResult("test_a", "test_01_a.py", state="wrong", summary="\x1b[31mred\x00 <&>", text=NASTY)]
    root = ElementTree.fromstring(formats.junit(one(KataResult(3, Status.GRADED, specs=specs)), Points()))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("red <&>", NASTY)


def test_exercism_gets_the_specs_in_their_order_with_the_tasks() -> None:
    told = formats.exercism(some(3, green=3), Points())
    assert (told["version"], told["status"]) == (3, "fail")
    assert [each["status"] for each in told["tests"][:4]] == ["pass", "pass", "pass", "fail"]
    assert told["tests"][0]["test_code"].startswith("def test_")
    assert told["tests"][0]["task_id"] == 1
    broken = formats.exercism(KataResult(3, Status.CANNOT_IMPORT, "SyntaxError: line 3"), Points())
    assert (broken["status"], broken["message"], broken["tests"]) == ("error", "SyntaxError: line 3", [])


def test_what_is_hidden_is_in_nothing_that_a_student_gets(tmp_path: Path) -> None:
    hidden = results.listed(3)[1].name
    rules = Points({3: Worth(hidden=(hidden,)), 4: Worth(hidden=True)})
    report.make(tmp_path, [one(some(3, green=0), some(4, green=0))], rules)
    folder = tmp_path / "students" / "ada"
    for path in (path for path in folder.rglob("*") if path.is_file()):
        text = unescape(path.read_text(encoding="utf-8"))
        assert hidden not in text, path
        assert results.requirements(3)[hidden] not in text, path
        assert not any(spec.name in text for spec in results.listed(4)), path


def test_the_evidence_of_a_flag_is_the_instructors(tmp_path: Path) -> None:
    evidence = "test_relu stayed green with `relu` replaced"
    flagged = replace(some(3), status=Status.FLAGGED, message=evidence, flags=[evidence])
    report.make(tmp_path, [one(flagged, status=Status.FLAGGED)], Points())
    given = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "students/ada").rglob("*.*"))
    assert "stayed green" not in given
    assert "Ask your instructor" in given
    assert evidence in rows(tmp_path / "gradebook.csv")[0]["flags"]


def test_the_feedback_has_no_line_of_the_reference() -> None:
    lines = {
        line.strip()
        for path in files_below(SOLUTIONS)
        if path.suffix == ".py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if len(line.strip()) > 40 and not line.strip().startswith(('"', "#"))
    }
    page = unescape(
        feedback.html(one(*(some(kata.number, green=0) for kata in KATAS if kata.built)), Points())
    )
    assert not [line for line in page.splitlines() if line.strip() in lines]


def test_a_student_whose_results_and_points_are_the_same_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "students" / "ada" / "feedback.html"
    report.make(tmp_path, [one(some(3))], Points())
    before = path.stat().st_ino
    report.make(tmp_path, [one(some(3))], Points())
    assert path.stat().st_ino == before
    report.make(tmp_path, [one(some(3))], Points({3: Worth(7)}))
    assert path.stat().st_ino != before
    assert "7 of 7 points" in path.read_text(encoding="utf-8")


# The class page -----------------------------------------------------------------------------------------


def test_the_page_of_a_large_class_is_small() -> None:
    page = ClassPage(Points(), {})
    for submission in simulated(250):
        page.add(Points().graded(submission))
    students = page.students
    page.students = students * 20
    whole = len(page.html("0123", "today").encode())
    assert whole <= 10_000_000
    assert not re.search(r"https?://(?!www\.w3\.org)", page.html("0123", "today"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class of 130, one of whom has a name that would like to be HTML."""
    out = tmp_path_factory.mktemp("out")
    nasty = one(some(3), student="nasty", name=NASTY, section=NASTY)
    report.make(out, [nasty, *simulated(129)], Points())
    return out


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_pages_can_be_read_and_used_by_everybody(made: Path, width: int, theme: str) -> None:
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
    with opened((made / "class.html").as_uri(), **options) as page:
        assert violations(page) == []
        page.click("#heat tbody th button >> nth=3")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.said == []
    with opened((made / "students" / "s00003" / "feedback.html").as_uri(), **options) as page:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_map_is_searched_sorted_and_turned_over_by_keyboard(made: Path) -> None:
    with opened((made / "class.html").as_uri()) as page:
        from playwright.sync_api import expect

        names = page.locator("#heat tbody th")
        assert names.count() == 100
        page.press("#next", "Enter")
        assert (names.count(), page.inner_text("#where")) == (30, "101 to 130 of 130")
        page.press("#heat thead button >> nth=0", "Enter")
        assert page.get_attribute("#heat thead th >> nth=0", "aria-sort") == "ascending"
        first = names.first.inner_text()
        page.press("#heat thead [aria-sort] button", "Enter")
        assert page.get_attribute("#heat thead th >> nth=0", "aria-sort") == "descending"
        assert names.first.inner_text() != first
        page.fill("#search", "s00042")
        expect(names).to_have_count(1)
        page.press("#heat tbody th button", "Enter")
        assert "s00042" in page.inner_text("#facts")
        page.keyboard.press("Escape")
        page.fill("#search", "nobody")
        expect(page.locator("#where")).to_have_text("No student fits.")


def test_names_are_text(made: Path) -> None:
    with opened((made / "class.html").as_uri()) as page:
        from playwright.sync_api import expect

        page.fill("#search", "onerror")
        expect(page.locator("#heat tbody tr")).to_have_count(1)
        assert page.inner_text("#heat tbody th") == NASTY
        assert page.title() == "The class"
        assert page.said == []
    with opened((made / "students" / "nasty" / "feedback.html").as_uri()) as page:
        assert page.inner_text("h1") == NASTY


def test_everybody_is_printed(made: Path) -> None:
    with opened((made / "class.html").as_uri()) as page:
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("#heat tbody tr").count() == 130
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("#heat tbody tr").count() == 100


def test_results_survive_their_file(tmp_path: Path) -> None:
    submission = next(iter(simulated(1)))
    assert results.load(results.save(tmp_path, submission)) == submission
    assert json.loads(results.path_of(tmp_path, submission.student).read_text())["schema"] == 1
