"""What is made for others: the zip for Gradescope, run as Gradescope runs it, and the students' repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dojo.catalogue import KATAS, ROOT
from tests.small_repository import dojo, environment

# Gradescope -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, laid out as Gradescope lays it out."""
    home = tmp_path_factory.mktemp("gradescope")
    points = home / "points.toml"
    points.write_text("[kata.03]\npoints = 20\n", encoding="utf-8")
    done = dojo(ROOT, "gradescope", "3,4", f"--out={home / 'autograder.zip'}", f"--points={points}")
    assert done.returncode == 0, done.stdout
    root = home / "autograder"
    (root / "results").mkdir(parents=True)
    with zipfile.ZipFile(home / "autograder.zip") as archive:
        for info in archive.infolist():
            path = Path(archive.extract(info, root / "source"))
            path.chmod(info.external_attr >> 16 or 0o644)
    shutil.copy(root / "source" / "run_autograder", root)
    return root


def graded(container: Path, submission: dict[str, bytes]) -> dict[str, Any]:
    shutil.rmtree(container / "submission", ignore_errors=True)
    for name, content in submission.items():
        path = container / "submission" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (container / "submission").mkdir(exist_ok=True)
    answer = container / "results" / "results.json"
    answer.unlink(missing_ok=True)
    done = subprocess.run(
        [container / "run_autograder"],
        env={**environment(), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert answer.is_file(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return found


def module(slug: str, tree: str = "solutions/tinytorch") -> bytes:
    return (ROOT / tree / f"{slug}.py").read_bytes()


def test_gradescope_grades_what_was_handed_in(container: Path) -> None:
    found = graded(container, {"work/tinytorch/activations.py": module("activations")})
    tests = {each["number"]: each for each in found["tests"]}
    scored = tests["03"]["score"], tests["03"]["max_score"], tests["03"]["status"]
    assert scored == (20, 20, "passed"), tests["03"]["output"]
    assert (tests["04"]["score"], tests["04"]["status"]) == (0, "failed")
    assert found["score"] == 20


@pytest.mark.parametrize(
    "submission", [{}, {"essay.txt": b"no code"}, {"tinytorch/activations.py": b"\xff\x00"}]
)
def test_gradescope_gets_an_answer_whatever_was_handed_in(
    container: Path, submission: dict[str, bytes]
) -> None:
    found = graded(container, submission)
    assert found["score"] == 0
    assert found["output"]


def test_the_scripts_of_the_zip_can_be_run(container: Path) -> None:
    for name in ("setup.sh", "run_autograder"):
        assert os.access(container / "source" / name, os.X_OK)
        assert subprocess.run(["bash", "-n", container / "source" / name]).returncode == 0
    assert "kata 3" not in (container / "source" / "run_autograder").read_text()


# The students' edition ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("class") / "edition"
    done = dojo(ROOT, "student-edition", "1-4", f"--out={out}", "--diff=1-2")
    assert done.returncode == 0, done.stdout
    return out


def test_the_edition_has_no_reference_but_what_the_instructor_shows(edition: Path) -> None:
    assert sorted(path.name for path in (edition / "solutions" / "tinytorch").iterdir()) == [
        "setup.py",
        "tensor",
    ]
    assert not (edition / "dojo" / "teach").exists()
    tests = [
        path.relative_to(edition).as_posix() for path in (edition / "tests").rglob("*") if path.is_file()
    ]
    assert sorted(tests) == [
        "tests/mistakes/kata_01.py",
        "tests/mistakes/kata_02.py",
        "tests/other_answers/kata_02.py",
    ]
    for path in edition.rglob("*.py"):
        if "solutions" not in path.parts:
            assert "return get_array_module(x).tanh" not in path.read_text(encoding="utf-8"), path


def test_the_edition_is_a_repository_that_works(edition: Path) -> None:
    assert "next: write" in dojo(edition, "kata", "1").stdout
    assert "hint 1 of 3" in dojo(edition, "hint", "1").stdout
    assert "raise NotImplementedError" in dojo(edition, "diff", "1").stdout
    assert "no reference for kata 03_activations" in dojo(edition, "diff", "3").stdout
    assert "03_activations is not in it" in dojo(edition, "start", "5").stdout
    assert "not in this edition" in dojo(edition, "grade").stdout
    assert dojo(edition, "start", "3").returncode == 0
    assert "green" in dojo(edition, "kata", "2").stdout
    assert "hunt 1 of" in dojo(edition, "hunt", "2").stdout
    assert "not in this edition" in dojo(edition, "hunt", "3").stdout
    assert "flat_index: Horner's rule" in dojo(edition, "another", "2").stdout
    assert "not in this edition" in dojo(edition, "another", "3").stdout


def test_an_instructor_says_what_an_assistant_may_do(tmp_path: Path) -> None:
    policy = tmp_path / "rules.md"
    policy.write_text("# Ours\n", encoding="utf-8")
    done = dojo(ROOT, "student-edition", "1", f"--out={tmp_path / 'edition'}", f"--policy={policy}")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "edition" / "AGENTS.md").read_text(encoding="utf-8") == "# Ours\n"
    assert (
        "is no file"
        in dojo(ROOT, "student-edition", f"--out={tmp_path / 'other'}", "--policy=nowhere").stdout
    )


def test_the_workflow_runs_the_katas_that_were_named(edition: Path) -> None:
    text = (edition / ".github/workflows/katas.yml").read_text(encoding="utf-8")
    assert 'kata: ["1", "2", "3", "4"]' in text
    assert "make kata N=${{ matrix.kata }}" in text


def test_no_link_of_the_edition_leads_nowhere(edition: Path) -> None:
    pages = [edition / "README.md", *(edition / "docs").glob("*.md"), *edition.glob("katas/*/README.md")]
    assert len(pages) > sum(kata.built for kata in KATAS)
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page}: {link}"


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    done = dojo(ROOT, "student-edition", f"--out={tmp_path}")
    assert done.returncode == 2 and "is there already" in done.stdout
