"""`make compare`: compare50 finds the copy, and the skeleton is no likeness."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dojo.catalogue import ROOT, SOLUTIONS, STUDENT
from dojo.errors import DojoError
from dojo.teach import compare, report
from dojo.teach.points import Points
from tests import needs
from tests.small_repository import dojo
from tests.teach.simulated import simulated


def handed_in(folder: Path, student: str, text: str) -> None:
    path = folder / student / "tinytorch" / "activations.py"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def test_a_copy_with_other_names_is_found(tmp_path: Path) -> None:
    if not (compare.HOME / "bin" / "python").is_file():
        needs.missing("compare50 is not installed")
    text = (SOLUTIONS / "activations.py").read_text(encoding="utf-8")
    handed_in(tmp_path / "class", "ada", text)
    handed_in(tmp_path / "class", "eve", re.sub(r"\bgrad\b", "upstream", text))
    for student in ("bob", "zoe"):
        handed_in(tmp_path / "class", student, (STUDENT / "activations.py").read_text(encoding="utf-8"))
    out = tmp_path / "grades"

    done = dojo(ROOT, "compare", "3", f"--submissions={tmp_path / 'class'}", f"--out={out}")

    assert done.returncode == 0, done.stdout
    assert "comparing 4 submissions" in done.stdout
    page = (out / "compare" / "03" / "index.html").read_text(encoding="utf-8")
    assert "students/ada" in page and "students/eve" in page
    assert "students/bob" not in page and "students/zoe" not in page  # the skeleton was subtracted
    report.make(out, simulated(2), Points())
    assert 'href="compare/03/index.html"' in (out / "class.html").read_text(encoding="utf-8")


def test_without_the_program_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compare, "HOME", tmp_path / "compare50")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DojoError, match="pip install compare50"):
        compare.python_with_compare50()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    assert "SUBMISSIONS=dir N=7" in dojo(ROOT, "compare").stdout
