"""Files beside the Makefile that have the names of modules: the student's own scratch files must break nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dojo.bootstrap import PATH_FILE
from tests import small_repository
from tests.small_repository import SETUP, environment, write

NAMES = ("random", "math", "types", "tokenize", "numpy", "pytest", "hypothesis", "enum", "tests", "conftest_")
SHADOW = "raise RuntimeError('a scratch file was imported')\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = small_repository.build(tmp_path_factory.mktemp("shadows") / "repository")
    write(home / "tinytorch/setup.py", SETUP)
    write(home / "Makefile", (small_repository.ROOT / "Makefile").read_text())
    for name in NAMES:
        write(home / f"{name}.py", SHADOW)
        write(home / f"tinytorch/{name}.py", SHADOW)
    return home


@pytest.mark.parametrize("words", [["kata", "1"], ["board"], ["hint", "2"], ["reset", "6"], ["milestone"]])
@pytest.mark.parametrize("by", ["make", "python -m dojo", "PYTHONSAFEPATH=1"])
def test_a_scratch_file_hides_nothing(home: Path, words: list[str], by: str) -> None:
    """In .venv `python -m` has what it needs itself from the start, see PATH_FILE."""
    env = environment()
    if by == "python -m dojo":
        command = [sys.executable, "-m", "dojo", *words]
        (home.parent / "site").mkdir(exist_ok=True)
        write(home.parent / "site/sitecustomize.py", "import runpy\n")
        env["PYTHONPATH"] = str(home.parent / "site")
        assert "import runpy" in PATH_FILE
    else:
        number = [f"N={word}" for word in words[1:]]
        command = ["make", words[0], *number, f"PYTHON={sys.executable}"]
        env |= {"PYTHONSAFEPATH": "1"} if by != "make" else {}
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=240)
    assert "scratch file" not in done.stdout + done.stderr
    assert {
        "kata": "3/3 green",
        "board": "01 setup",
        "hint": "green",
        "reset": "solutions/",
        "milestone": "N=6",
    }[words[0]] in done.stdout + done.stderr


def test_the_doctor_names_such_files(home: Path) -> None:
    command = ["make", "doctor", f"PYTHON={sys.executable}"]
    said = subprocess.run(command, cwd=home, env=environment(), capture_output=True, text=True).stdout
    assert "random.py beside the Makefile has the name of Python's own module random" in said
    assert "numpy.py beside the Makefile has the name of the package numpy" in said
    assert "conftest_.py" not in said
