"""`make gradescope`: the zip that Gradescope takes as an autograder, and what runs in it.

Gradescope unpacks the zip into /autograder/source and runs setup.sh once, to build the container. For each submission
it puts the files into /autograder/submission, runs `run_autograder`, and reads /autograder/results/results.json. The
container is the sandbox there: student code runs under a uid of its own, with limits, and canaries are planted as
in `make grade`. Choose a container with 2 GB of memory: kata 14 needs 700 MB.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from dojo.catalogue import ROOT, files_below
from dojo.errors import DojoError, display
from dojo.teach import formats, grade, sandbox
from dojo.teach.judge import Settings
from dojo.teach.points import Points, read as read_points
from dojo.teach.results import load, path_of
from dojo.teach.roster import Student
from dojo.teach.submissions import Match
from dojo.tree import files
from dojo.tree.overlay import plan_for

PARTS = ("dojo", "katas", "solutions", "tinytorch", "tests/mistakes")
FILES = ("constraints.txt", "constraints-dev.txt", "conftest.py", "pyproject.toml", "Makefile", "LICENSE")
POINTS = "points.toml"
STUDENT = "submission"
SETUP = """#!/usr/bin/env bash
# Builds the container: Python 3.11 or newer, bubblewrap if the container may use it, and the pinned packages.
set -euo pipefail
cd "$(dirname "$0")"
apt-get update
apt-get install -y --no-install-recommends bubblewrap python3 python3-venv
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    apt-get install -y --no-install-recommends python3.11 python3.11-venv
fi
python3 dojo/__main__.py pytest -- --version
"""
RUN = """#!/usr/bin/env bash
# Grades what lies in submission/ and writes results/results.json, whatever happens.
here="$(cd "$(dirname "$0")" && pwd)"
root="$here" # Gradescope copies this script out of source/
[ -d "$root/source" ] || root="$(dirname "$here")"
cd "$root/source" || exit 1
exec "${{PYTHON:-python3}}" dojo/__main__.py gradescope --run "--out=$root" -- {katas}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("katas", nargs="?", metavar="N", help="the katas, such as 1-6 or 3,5; all without it")
    parser.add_argument("--out", default="autograder.zip", metavar="ZIP", help="the zip (autograder.zip)")
    parser.add_argument("--points", metavar="TOML", help="what the katas are worth")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)  # what run_autograder does


def run(options: argparse.Namespace) -> int:
    plan_for("solutions")  # where there is no reference, this says so
    katas = grade.chosen_katas(options.katas)
    if options.run:
        return autograde(Path(options.out), Settings(Path(), katas, sandbox.chosen(unsafe=True)))
    if options.points:
        read_points(Path(options.points))  # says what is wrong with it
    numbers = ",".join(str(kata.number) for kata in katas)
    out = Path(options.out).absolute()
    pack(out, numbers, Path(options.points) if options.points else None)
    display(
        f"{options.out} ({out.stat().st_size / 1e6:.1f} MB): upload it as the assignment's autograder, and choose a "
        "container with 2 GB of memory. It holds the reference: give it to nobody else."
    )
    return 0


def pack(out: Path, katas: str, points: Path | None = None) -> None:
    """Write the zip, whole or not at all."""
    if not out.parent.is_dir():
        raise DojoError(f"OUT={out}: there is no folder {out.parent}.")
    part = out.with_name(f".{out.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in (("setup.sh", SETUP), ("run_autograder", RUN.format(katas=katas))):
                info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
                info.external_attr = 0o100755 << 16
                archive.writestr(info, text)
            for path in _packed():
                archive.write(path, path.relative_to(ROOT))
            if points:
                archive.write(points, POINTS)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _packed() -> Iterator[Path]:
    for name in PARTS:
        yield from (path for path in files_below(ROOT / name) if path.suffix != ".pyc")
    yield from (ROOT / name for name in FILES)


def autograde(root: Path, settings: Settings) -> int:
    """Grade root/submission, and write root/results/results.json, whatever happens."""
    answer = root / "results" / "results.json"
    points = read_points(ROOT / POINTS) if (ROOT / POINTS).is_file() else Points()
    out = Path(tempfile.mkdtemp(prefix="grades-"))
    try:
        match = Match(Student(STUDENT), root / "submission")
        grade.grade_all([match], Settings(out, settings.katas, settings.sandbox), jobs=1)
        graded = points.graded(load(path_of(out, STUDENT)))
        files.write_json(answer, formats.gradescope(graded, points))
    except BaseException as error:
        text = f"The submission could not be graded, which is not its fault: {error}"
        files.write_json(answer, {"score": 0, "output": text, "visibility": "visible"})
        raise
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return 0
