"""Every command that a guide shows is run, in a copy of the repository as a student gets it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.catalogue import KATAS, ROOT
from tests.small_repository import environment

GUIDES = [
    ROOT / "README.md",
    ROOT / "AGENTS.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("katas/*/*.md")),
]
SHOWN = re.compile(r"^ {4,}((?:make|\.ci/run|python -m).*?)\s*$|`((?:make|python -m) [^`]*)`", re.MULTILINE)

OUTPUT = {
    "make": "make kata N=2",
    "make kata": "next: write",
    "make hint": "hint 1 of 3",
    "make diff": "raise NotImplementedError",
    "make board": "setup",
    "make milestone": "write",
    "make show": "write",
    "make hunt": "not in this edition",
    "make another": "not in this edition",
    "make data": "cifar10",
    "make path TO=short": "You are on the short path",
    "make path TO=whole": "You are on the whole path",
    "make take": "Taken",
    "make start": "03_activations",
    "make reset": "02_tensor",
    "make restore": "before",
    "make doctor": "Python",
    "make dev-skeleton": "tinytorch",
    "python -m dojo kata 3": "next: write",
}
"""What a command prints, among other things, on the skeleton."""

ELSEWHERE = {
    "make test": "it is what runs this",
    "make test-teach": "continuous integration runs it",
    "make dev-gate": "tests/authors/test_gate.py runs the same functions",
    "make dev-gate-torch": ".ci/run runs it, where PyTorch is; tests/authors/test_torch_gate.py tests how it judges",
    "make dev-mutants": "tests/authors/test_mutants.py runs it in a tiny repository",
    "make dev-specs": "it plays every story; the gate compares its lists with the specs, and proves the short path",
    ".ci/run": "continuous integration runs it",
    "make grade SUBMISSIONS=class": "tests/teach/test_grade.py grades a class",
    "make nbgrader OUT=course": "tests/teach/test_nbgrader.py makes the course",
    "make bench": "tests/authors/test_bench.py and tests/parity/test_bench.py run it on the smallest workloads",
    "make grade": "tests/teach/test_grade.py grades small classes",
    "make compare": "tests/teach/test_compare.py runs compare50",
    "make gradescope": "tests/teach/test_editions.py runs the zip",
    "make student-edition": "tests/teach/test_editions.py works in one",
    "make nbgrader": "tests/teach/test_nbgrader.py runs nbgrader on it",
    "make site": "tests/teach/test_site.py reads it in a browser",
    "make watch": "tests/student/test_watch.py runs it in a terminal, with keys",
    "make dev-pictures": "tests/authors/test_pictures.py draws one",
    "make data NAME=gpt2": "it needs the network, as the next one",
    "make data NAME=cifar10": "it needs the network; tests/student/test_data.py downloads from its own server",
    "make serve": "tests/serve/test_command.py runs it, to the end",
    "make board JSON=1": "tests/student/test_assistant.py asks for it",
    "make bundle": "tests/serve/test_command.py runs it",
    "python -m nox": "it makes an environment for each Python, which takes many minutes",
    "python -m tinytorch.setup": "tests/repository/test_faces.py runs it on the reference",
}


def commands() -> list[str]:
    """Every command in the guides, once, without comments; N is a number."""
    found: dict[str, None] = {}
    for guide in GUIDES:
        for indented, inline in SHOWN.findall(guide.read_text(encoding="utf-8")):
            command = (indented or inline).split("  #")[0].strip()
            if "..." not in command and not re.search(r"N=\D", command):
                found.setdefault(command)
    return list(found)


def kind(command: str) -> str:
    given = "N|K|TRACK|F|MODE|JSON|ARGS|FORCE|DATA|DIR|IMPL|PORT|HOST|BUNDLE|INSPECT|SUBMISSIONS|OUT|DIFF"
    return re.sub(rf' ({given})=("[^"]*"|\S*)', "", command)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a student gets it, but for two backups: kata 01 was filled and reset again."""
    home = tmp_path_factory.mktemp("built")
    for part in ("dojo", "katas", "tinytorch", "solutions"):
        shutil.copytree(ROOT / part, home / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "conftest.py", "constraints.txt", "constraints-dev.txt", "Makefile"):
        shutil.copy(ROOT / part, home / part)
    run(home, "make start N=2")
    run(home, "make reset N=1")
    return home


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    """One for each command, so that none depends on what another did."""
    return shutil.copytree(built, tmp_path / "repository")


def run(home: Path, command: str) -> str:
    words = [word if word != "python" else sys.executable for word in shlex.split(command)]
    done = subprocess.run(
        [*words, *([f"PYTHON={sys.executable}"] if words[0] == "make" else [])],
        cwd=home,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.stdout


def test_the_guides_show_commands() -> None:
    assert len(commands()) >= 12


@pytest.mark.parametrize(
    "command", [each for each in commands() if not {each, kind(each)} & ELSEWHERE.keys()]
)
def test_a_command_of_the_guides_does_what_it_says(repository: Path, command: str) -> None:
    assert kind(command) in OUTPUT, f"no test knows what `{command}` prints"
    number = re.search(r"N=(\d+)", command)
    if number and kind(command) != "make restore" and not KATAS[int(number[1]) - 1].built:
        assert "planned" in run(repository, command)
    else:
        assert OUTPUT[kind(command)] in run(repository, command)
