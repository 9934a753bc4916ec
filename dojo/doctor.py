"""`make doctor`: what is installed, what is missing, and what to do about it. It builds nothing.

Standard library only, and it runs on Python 3.8: a person runs it when nothing else works.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dojo import bootstrap
from dojo.catalogue import KATAS, ROOT, SOLUTIONS, STUDENT
from dojo.errors import RED, DojoError, display

OK, MISSING, OPTIONAL = "ok", "missing", "optional"

VERSIONS = """
import json
from importlib.metadata import distributions
print(json.dumps({d.metadata["Name"].lower().replace("_", "-").replace(".", "-"): d.version for d in distributions()}))
"""
GPU = "import cupy; print(cupy.cuda.runtime.getDeviceCount())"


class Finding(NamedTuple):
    state: str
    what: str
    todo: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(options: argparse.Namespace) -> int:
    del options
    found = [*machine(), *environment(), *repository()]
    for finding in found:
        display(f"{finding.state:8}  {finding.what}", hang=10)
        if finding.todo:
            display(f"{'':8}  {finding.todo}")
    missing = sum(finding.state == MISSING for finding in found)
    display(f"\n{missing} to fix." if missing else "\nNothing to fix. `make` lists the commands.")
    return RED if missing else 0


def machine() -> Iterator[Finding]:
    """Python and the tools around it."""
    mine = f"Python {'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})"
    try:
        python = bootstrap.new_python()
        if sys.version_info >= bootstrap.OLDEST:
            yield Finding(OK, mine)
        else:
            yield Finding(OK, f"{mine} is too old; {python} is used instead")
    except DojoError as error:
        yield Finding(MISSING, mine, str(error))
    if sys.platform == "win32":
        yield Finding(OPTIONAL, "Windows: a few specs need WSL, see docs/student-quickstart.md")
    for tool, use in (("make", "the commands"), ("git", "`make solutions-branch` and your own history")):
        if shutil.which(tool):
            yield Finding(OK, tool)
        else:
            yield Finding(MISSING, f"{tool}, for {use}", "Install it with your system's package manager.")
    if not shutil.which("uv"):
        yield Finding(OPTIONAL, "uv is not on PATH: it builds .venv faster than pip")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < 2:
        yield Finding(MISSING, f"room on the disk: {free:.1f} GB are free", "Free 2 GB or so.")


def environment() -> Iterator[Finding]:
    """.venv and what is in it."""
    if not os.path.exists(bootstrap.python_of(bootstrap.VENV)):
        yield Finding(OPTIONAL, ".venv is not built yet: the first `make kata` does it")
        return
    installed = versions(bootstrap.python_of(bootstrap.VENV))
    pins = dict(
        line.split("==") for line in bootstrap.read(bootstrap.CONSTRAINTS).split("\n") if "==" in line
    )
    wrong = [
        f"{name} {version}" + (f" ({installed[name]} is there)" if name in installed else "")
        for name, version in pins.items()
        if installed.get(name) != version
    ]
    if wrong:
        yield Finding(MISSING, f"in .venv: {', '.join(wrong)}", "The next `make kata` installs it.")
    elif not bootstrap.is_complete(bootstrap.VENV):
        yield Finding(OPTIONAL, ".venv has everything; the next `make kata` checks and marks it")
    else:
        yield Finding(OK, f".venv with all {len(pins)} packages")
    if "torch" in installed:
        yield Finding(OK, f"torch {installed['torch']}")
    else:
        yield Finding(OPTIONAL, "torch is not installed: only tests/parity/ compares with it")
    cupy = next((name for name in installed if name.startswith("cupy")), "")
    if cupy:
        yield gpu(f"{cupy} {installed[cupy]}")
    else:
        yield Finding(OPTIONAL, "cupy is not installed: device specs run on `strict`, which needs no GPU")


def versions(python: str) -> dict[str, str]:
    """The packages of that Python, by name; empty if it does not run."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", VERSIONS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return dict(json.loads(done.stdout))
    except (OSError, ValueError):
        return {}


def gpu(cupy: str) -> Finding:
    """Whether CuPy finds a GPU."""
    done = subprocess.run([bootstrap.python_of(bootstrap.VENV), "-I", "-c", GPU], capture_output=True)
    if done.returncode == 0:
        return Finding(OK, f"{cupy}, {done.stdout.decode().strip()} GPU")
    reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason was given"])[-1]
    return Finding(MISSING, f"{cupy} is installed and finds no GPU", reason)


def repository() -> Iterator[Finding]:
    """The folders, whether they can be written, and whether the student's files can be read."""
    for folder in (ROOT, STUDENT):
        if not folder.is_dir():
            yield Finding(MISSING, f"the folder {folder.name}/", "`make restore` lists backups of it.")
        elif not os.access(folder, os.W_OK):
            yield Finding(MISSING, f"no permission to write in {folder}", "Does the folder belong to you?")
    for path in sorted(STUDENT.rglob("*.py")):
        problem = unreadable(path)
        if problem:
            yield Finding(MISSING, f"{path.relative_to(ROOT)} cannot be read: {problem}", "Fix that line.")
    if not SOLUTIONS.is_dir():
        yield Finding(OPTIONAL, "solutions/ is not here: diff, start, reset and solutions-branch need it")
    for path, hidden in shadows():
        yield Finding(
            OPTIONAL,
            f"{path.name} beside the Makefile has the name of {hidden}",
            "The dojo does not mind, but any Python that you start in that folder finds this file first: rename it.",
        )
    built = [kata for kata in KATAS if kata.built]
    yield Finding(OK, f"{len(built)} of {len(KATAS)} katas are written")


def shadows() -> Iterator[tuple[Path, str]]:
    """Files and packages beside the Makefile that hide another module from a Python that runs there."""
    packages = {
        line.split("==")[0].replace("-", "_") for line in bootstrap.read(bootstrap.CONSTRAINTS).split("\n")
    }
    standard = set(getattr(sys, "stdlib_module_names", ()))  # not before Python 3.10
    for path in sorted(ROOT.iterdir()):
        if path.suffix == ".py" or (path / "__init__.py").is_file():
            if path.stem in standard:
                yield path, f"Python's own module {path.stem}"
            elif path.stem in packages:
                yield path, f"the package {path.stem}"


def unreadable(path: Path) -> str:
    """Why a file is not Python, in a few words; empty if it is."""
    if sys.version_info < bootstrap.OLDEST:  # it cannot judge newer syntax
        return ""
    try:
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (OSError, ValueError) as error:
        return str(error)
    return ""
