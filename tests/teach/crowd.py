"""A small class: folders of submissions, and `make grade` as a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dojo.catalogue import ROOT, SOLUTIONS, STUDENT
from dojo.teach import sandbox
from tests.needs import INSIST
from tests.small_repository import environment

needs_sandbox = pytest.mark.skipif(
    sandbox.kind() == sandbox.NONE and INSIST not in os.environ,
    reason="no sandbox here: install bubblewrap, and submissions are graded",
)


def submit(folder: Path, student: str, *, note: str = "") -> Path:
    """A submission with the reference in kata 01, and skeletons above. `note` makes it different from the others."""
    tree = folder / student / "tinytorch"
    shutil.copytree(STUDENT, tree, ignore=shutil.ignore_patterns("__pycache__"))
    text = (SOLUTIONS / "setup.py").read_text(encoding="utf-8")
    (tree / "setup.py").write_text(f"{text}\n# {note or student}\n", encoding="utf-8")
    return tree


def command(folder: Path, out: Path, *words: str) -> list[str]:
    entry = str(ROOT / "dojo" / "__main__.py")
    return [sys.executable, entry, "grade", f"--submissions={folder}", f"--out={out}", *words, "--", "1"]


def grade(folder: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Grade kata 01 of all, to the end."""
    return subprocess.run(
        command(folder, out, *words),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )


def log(out: Path) -> Counter[str]:
    """How often each kata of each student was graded."""
    path = out / "graded.log"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return Counter(" ".join(line.split()[1:]) for line in lines)
