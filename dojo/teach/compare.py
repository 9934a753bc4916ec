"""`make compare`: which submissions of a kata are alike.

compare50 does it (https://cs50.readthedocs.io/projects/compare50), an optional program: what the skeleton has, given
code and docstrings, is subtracted. Its report is OUT/compare/NN/index.html, and class.html links to it. It shows what
is alike, and a person decides what that means: short functions with one obvious answer are alike in every class.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from dojo.catalogue import ROOT, STUDENT, Kata, built_kata, kata_of
from dojo.errors import DojoError, display
from dojo.teach import roster, submissions
from dojo.teach.results import folder_name
from dojo.teach.submissions import Unreadable
from dojo.tree.overlay import shown

HOME = ROOT / ".dojo" / "compare50"
MATCHES = 50  # pairs that the report shows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kata", nargs="?", metavar="N", help="the kata")
    parser.add_argument("--submissions", metavar="DIR", help="the folder of submissions")
    parser.add_argument("--roster", metavar="CSV", help="who is in the class")
    parser.add_argument("--out", default="grades", metavar="DIR", help="where the results are (grades)")


def run(options: argparse.Namespace) -> int:
    if not options.submissions or not options.kata:
        raise DojoError("Say which submissions and which kata: `make compare SUBMISSIONS=dir N=7`.")
    kata = built_kata(options.kata)
    python = python_with_compare50()
    rows = roster.read(Path(options.roster)) if options.roster else []
    out = Path(options.out).absolute() / "compare" / kata.id
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder, "given")
        for path in kata.files(STUDENT):
            _write(given, path.relative_to(STUDENT).as_posix(), path.read_bytes())
        students = []
        for match in submissions.match(Path(options.submissions), rows):
            name = folder_name(match.student.student)
            written = Path(folder, "students", name)
            if match.path and copied(match.path, match.student.commit, kata, written):
                students.append(written)
        if len(students) < 2:
            raise DojoError(
                f"Only {len(students)} submission has files of kata {kata.name}: nothing to compare."
            )
        display(f"comparing {len(students)} submissions of kata {kata.name} ...")
        shutil.rmtree(out, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        names = [str(each.relative_to(folder)) for each in students]
        done = subprocess.run(
            [python, "-m", "compare50", *names, "-d", "given", "-o", out, "-n", str(MATCHES)],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": "50"},  # as its own launcher sets it
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if done.returncode or not (out / "index.html").is_file():
        raise DojoError(f"compare50 could not compare them:\n{done.stdout.strip()[-2000:]}")
    display(f"{options.out}/compare/{kata.id}/index.html shows the pairs that are most alike.")
    return 0


def python_with_compare50() -> str:
    """The Python that has compare50. Its launcher would take any python3.

    It wants older packages than nbformat does, so it has an environment of its own.
    """
    program = shutil.which("compare50")
    for python in (HOME / "bin" / "python", Path(program).resolve().with_name("python") if program else None):
        if python and python.is_file():
            return str(python)
    raise DojoError(
        f"make compare needs compare50: `python3 -m venv {shown(HOME)}`, `{shown(HOME)}/bin/python -m pip install "
        "compare50`, then again."
    )


def copied(path: Path, commit: str, kata: Kata, to: Path) -> bool:
    """Copy the submission's files of that kata. Whether there are any that can be read."""
    try:
        files = submissions.read(path, commit).files
    except Unreadable:
        return False
    mine = {name: content for name, content in files.items() if kata_of(Path(name), Path()) == kata}
    for name, content in mine.items():
        _write(to, name, content)
    return bool(mine)


def _write(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
