"""`make nbgrader`: source assignments that the real nbgrader releases and grades."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dojo.catalogue import KATAS, ROOT
from tests import needs
from tests.small_repository import dojo

VARIABLE = "TINYTORCH_NBGRADER"  # the Python of an environment with nbgrader and what the katas need
SOLUTION = "### BEGIN SOLUTION"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs.module("nbformat")
    out = tmp_path_factory.mktemp("nbgrader") / "course"
    done = dojo(ROOT, "nbgrader", "3,7", f"--out={out}")
    assert done.returncode == 0, done.stdout
    return out


def cells(path: Path) -> list[dict[str, object]]:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [{**each, "source": "".join(each["source"])} for each in found]


@pytest.mark.parametrize("number", [3, 7])
def test_a_notebook_writes_the_module_and_grades_each_spec_file(course: Path, number: int) -> None:
    kata = KATAS[number - 1]
    found = cells(course / "source" / kata.name / f"{kata.name}.ipynb")
    written = [each for each in found if str(each["source"]).startswith("%%writefile")]
    graded = [each for each in found if each["metadata"]["nbgrader"]["grade"]]  # type: ignore[index]
    assert len(written) == len(kata.files(ROOT / "solutions" / "tinytorch"))
    assert len(graded) == len(list(kata.folder.glob("test_*.py")))
    assert all(each["metadata"]["nbgrader"]["locked"] for each in graded)  # type: ignore[index]
    assert sum(str(each["source"]).count(SOLUTION) for each in written) >= 15


def nbgrader(course: Path, *words: str) -> str:
    python = os.environ.get(VARIABLE) or needs.missing(f"{VARIABLE} names no Python with nbgrader")
    done = subprocess.run(
        [python, "-m", "nbgrader", *words],
        cwd=course,
        env={
            **os.environ,
            "TINYTORCH_KATAS": str(ROOT),
            "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_nbgrader_gives_the_reference_all_points_and_the_skeleton_none(course: Path) -> None:
    name = "03_activations"
    nbgrader(course, "generate_assignment", name)
    released = course / "release" / name / f"{name}.ipynb"
    assert SOLUTION not in released.read_text(encoding="utf-8")
    for student, notebook in (
        ("reference", course / "source" / name / f"{name}.ipynb"),
        ("skeleton", released),
    ):
        folder = course / "submitted" / student / name
        folder.mkdir(parents=True)
        shutil.copy(notebook, folder)
    nbgrader(course, "autograde", name)
    nbgrader(course, "export")
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        scores = {
            row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)
        }
    whole = scores["reference"][1]
    assert whole > 40
    assert scores == {"reference": (whole, whole), "skeleton": (0, whole)}
