"""What a graded submission is: the records of `result.json`, from which every report is made.

A record holds what was found, and the points that the points file gives for it. Everything that student code could
have a word in is text here: a message is never HTML, never a formula, never a command for a terminal.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from dojo.catalogue import KATAS, ROOT, SOLUTIONS, Kata, files_below
from dojo.errors import DojoError
from dojo.run import specs as lists
from dojo.tree import files

SCHEMA = 1
TEXT = 4000  # characters of an explanation that are kept
LINE = 300  # of a summary


class Status(StrEnum):
    """What became of a submission, or of one kata of it."""

    GRADED = "graded"
    TIMED_OUT = "timed_out"
    """It ran into the time limit. The specs that were green before it count."""
    KILLED = "killed"
    """The process died: by a signal, by the limit of memory, or by its own hand. The specs that were green count."""
    NOT_WRITTEN = "not_written"
    """The kata is as the skeleton has it: nothing was run."""
    CANNOT_IMPORT = "cannot_import"
    """The module raised an error when it was imported."""
    UNREADABLE = "unreadable"
    """It is no Python, or the archive cannot be unpacked."""
    MISSING = "missing"
    """There is no such file, or nothing was submitted."""
    FLAGGED = "flagged"
    """The results are not believed: 0 points, with the evidence, for the instructor to judge."""


@dataclass(frozen=True, slots=True)
class SpecResult:
    """One spec, with all its cases."""

    name: str
    """`test_relu_keeps_nan`."""
    file: str
    """`test_01_bends.py`."""
    cases: int = 1
    green: int = 0
    """How many of the cases are green."""
    state: str = "green"
    """The state of the first case that is not green: "next", "wrong", "inconclusive", "elsewhere" or "not run"."""
    case: str = ""
    """What pytest calls that case, if there is more than one: `float32`."""
    summary: str = ""
    """One line."""
    text: str = ""
    """The whole explanation, as the student sees it."""
    seconds: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether it stands in numerator and denominator: a timing that could not be judged stands in neither."""
        return self.state not in ("inconclusive", "elsewhere")


@dataclass(frozen=True, slots=True)
class Canary:
    """A spec that was green, run twice more: on the student's code as it is, and with one function of it wrong.

    The order of the two is drawn at random.
    """

    spec: str
    function: str
    """`Tensor.sum`."""
    mistake: str
    """What is wrong with the planted function, in one sentence."""
    own: str
    """The state of the spec on the student's own code: it has to be "green" again."""
    planted: str
    """The state of the spec with the mistake: it must not be "green"."""

    @property
    def passed(self) -> bool:
        return self.own == "green" and self.planted not in ("green", "not run")


@dataclass(frozen=True, slots=True)
class KataResult:
    number: int
    status: Status
    message: str = ""
    """Why the status is not "graded", in a sentence or two."""
    specs: list[SpecResult] = field(default_factory=list)
    """In the order in which they are solved. All that are listed, also those that were not run."""
    flags: list[str] = field(default_factory=list)
    """The evidence why the results are not believed. If there is any, the status is "flagged"."""
    canaries: list[Canary] = field(default_factory=list)
    canary: str = ""
    """In short: "passed", "1 of 12 failed", "failed" (so often that the results are not believed), "weak" (what was red
    was so for another reason than the mistake), "none fits" (no mistake fits what is green), "not run"."""
    imports: list[str] = field(default_factory=list)
    """Modules that it imports and the reference's does not. They are shown, and never scored."""
    taken: list[str] = field(default_factory=list)
    """The functions with the mark that `make take` makes. Nobody hinders a student from deleting it."""
    helpers: list[str] = field(default_factory=list)
    """Modules of the student's own, beside the katas, that came along."""
    seconds: float = 0.0
    points: float = 0.0
    possible: float = 0.0
    key: str = ""
    """The hash of everything that the results depend on."""

    @property
    def kata(self) -> Kata:
        return KATAS[self.number - 1]

    @property
    def believed(self) -> bool:
        return self.status != Status.FLAGGED

    @property
    def green(self) -> int:
        """How many cases are green, of specs that count."""
        return sum(spec.green for spec in self.specs if spec.counts)

    @property
    def total(self) -> int:
        return sum(spec.cases for spec in self.specs if spec.counts)

    def by_track(self) -> dict[str, list[SpecResult]]:
        """The specs of each track; all of them under "" if the kata has none."""
        found: dict[str, list[SpecResult]] = {}
        for spec in self.specs:
            found.setdefault(self.kata.track_of(spec.file), []).append(spec)
        return found

    @property
    def first_red(self) -> SpecResult | None:
        return next((spec for spec in self.specs if spec.counts and spec.green < spec.cases), None)

    @property
    def taken_out(self) -> list[str]:
        """The specs that stand neither in the numerator nor in the denominator."""
        return [spec.name for spec in self.specs if not spec.counts]


@dataclass(frozen=True, slots=True)
class Submission:
    """One student's submission, graded."""

    student: str
    status: Status
    message: str = ""
    name: str = ""
    email: str = ""
    section: str = ""
    source: str = ""
    """The folder, archive or repository, relative to the folder of submissions."""
    commit: str = ""
    submitted_at: str = ""
    """As the roster says. A commit's own date is the student's word."""
    extension_days: int = 0
    katas: list[KataResult] = field(default_factory=list)
    """Each graded alone: the student's module on the reference's other katas."""
    whole: list[KataResult] = field(default_factory=list)
    """The stories of the student's whole tree, or with WHOLE=1 all specs of it. Shown, and without points unless the
    points file gives some."""
    notes: list[str] = field(default_factory=list)
    """What an instructor should know and what costs nothing: links that were left out, a second tinytorch."""
    submission_sha256: str = ""
    reference_version: str = ""
    graded_at: str = ""
    """UTC, ISO 8601."""
    seconds: float = 0.0
    schema: int = SCHEMA

    @property
    def flags(self) -> list[str]:
        return [f"kata {kata.number:02d}: {flag}" for kata in self.katas for flag in kata.flags]

    def kata(self, number: int) -> KataResult | None:
        return next((each for each in self.katas if each.number == number), None)


# In files -----------------------------------------------------------------------------------------------


def folder_name(student: str) -> str:
    """The student's id as the name of a folder: everything but letters, digits, `_`, `-` and `.` is encoded."""
    name = quote(student, safe="")
    return name.replace(".", "%2E", 1) if name.startswith(".") else name


def path_of(out: Path, student: str) -> Path:
    return out / "students" / folder_name(student) / "result.json"


def to_json(record: Submission | KataResult) -> str:
    return json.dumps(_short(record), ensure_ascii=True, separators=(",", ":")) + "\n"


def _short(record: Any) -> Any:
    """The record without the fields that have their default values. A spec of which nothing was said is one string."""
    if isinstance(record, list):
        return [_short(each) for each in record]
    if isinstance(record, SpecResult) and not record.summary and not record.text and not record.case:
        return f"{record.file} {record.name} {record.green}/{record.cases} {record.seconds:g} {record.state}"
    if not isinstance(record, (Submission, KataResult, SpecResult, Canary)):
        return record
    kept = {}
    for each in fields(record):
        value = getattr(record, each.name)
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if value != default or each.name == "schema":
            kept[each.name] = _short(value)
    return kept


def submission_from(record: Mapping[str, Any]) -> Submission:
    if record.get("schema") != SCHEMA:
        raise DojoError(f"a result of schema {record.get('schema')!r}; this program reads schema {SCHEMA}")
    return Submission(
        **{
            **record,
            "status": Status(record["status"]),
            "katas": [kata_from(each) for each in record.get("katas", [])],
            "whole": [kata_from(each) for each in record.get("whole", [])],
        }
    )


def kata_from(record: Mapping[str, Any]) -> KataResult:
    return KataResult(
        **{
            **record,
            "status": Status(record["status"]),
            "specs": [_spec_from(each) for each in record.get("specs", [])],
            "canaries": [Canary(**each) for each in record.get("canaries", [])],
        }
    )


def _spec_from(record: str | Mapping[str, Any]) -> SpecResult:
    if not isinstance(record, str):
        return SpecResult(**record)
    file, name, count, seconds, state = record.split(" ", 4)
    green, _, cases = count.partition("/")
    return SpecResult(name, file, int(cases), int(green), state, seconds=float(seconds))


def save(out: Path, submission: Submission) -> Path:
    path = path_of(out, submission.student)
    files.write(path, to_json(submission), durable=True)
    return path


def load(path: Path) -> Submission:
    try:
        return submission_from(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, DojoError) as error:
        raise DojoError(
            f"{path} cannot be read ({error}): delete it, and that student is graded again."
        ) from None


def load_all(out: Path) -> Iterator[Submission]:
    """Every result below OUT, in the order of the students' ids, one at a time."""
    for path in sorted((out / "students").glob("*/result.json"), key=lambda path: unquote(path.parent.name)):
        yield load(path)


# What the repository says of the specs ------------------------------------------------------------------


@cache
def listed(number: int) -> tuple[SpecResult, ...]:
    """The specs of a kata in the order in which they are solved, as they are before any of them was run."""
    kata = KATAS[number - 1]
    cases = lists.listed(kata)
    found = [
        SpecResult(node.name, path.name, cases[node.name], 0, "not run")
        for path, node in _functions(kata)
        if node.name in cases
    ]
    if len(found) != len(cases):
        missing = sorted(set(cases) - {each.name for each in found})
        raise DojoError(f"katas/{kata.name} has no {missing[0]}, which its specs.txt lists.")
    return tuple(found)


@cache
def requirements(number: int) -> dict[str, str]:
    """The sentence that each spec's docstring begins with, by the spec's name."""
    sentences = {}
    for _, node in _functions(KATAS[number - 1]):
        docstring = ast.get_docstring(node) or node.name.removeprefix("test_").replace("_", " ")
        sentences[node.name] = " ".join(docstring.split("\n\n")[0].split())
    return sentences


@cache
def code_of(number: int) -> dict[str, str]:
    """The source of each spec, by its name: what Exercism calls the test's code."""
    lines = {
        path: path.read_text(encoding="utf-8").splitlines()
        for path in KATAS[number - 1].folder.glob("test_*.py")
    }
    return {
        node.name: "\n".join(lines[path][node.lineno - 1 : node.end_lineno])
        for path, node in _functions(KATAS[number - 1])
    }


def _functions(kata: Kata) -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path in sorted(kata.folder.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield path, node


@cache
def reference_version() -> str:
    """The first 12 digits of a hash of the reference and of all specs."""
    digest = sha256()
    for path in (*files_below(SOLUTIONS), *files_below(ROOT / "katas")):
        digest.update(b"\0" + os.fsencode(path.relative_to(ROOT)) + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
