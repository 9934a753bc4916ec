"""`make kata`: green, red, and everything that can go wrong, each with a sentence and the right exit code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import small_repository
from tests.small_repository import SETUP, STUB, TENSOR, dojo, environment, write


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository.build(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def home(built: Path) -> Path:
    write(built / "tinytorch/setup.py", SETUP)
    write(built / "tinytorch/tensor.py", TENSOR)
    return built


def test_the_first_red_spec_is_explained_and_the_way_to_a_hint_is_shown(home: Path) -> None:
    write(home / "tinytorch/setup.py", SETUP.replace("3 * x", "4 * x"))

    done = dojo(home, "kata", "1")

    assert done.returncode == 1
    assert done.stdout.startswith("running kata 01_setup ...\n")
    assert "2/3 green" in done.stdout
    assert "`triple(2)` is 6." in done.stdout
    assert "tinytorch/setup.py" in done.stdout
    assert "make hint N=1" in done.stdout


def test_the_first_line_comes_at_once_and_ctrl_c_is_130(home: Path) -> None:
    source = "def double(x):\n    while True: pass\n\ndef triple(x): pass\n"
    write(home / "tinytorch/setup.py", source)
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "dojo", "kata", "1"],
        cwd=home,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "running kata 01_setup ...\n"
    assert time.monotonic() - started < 1.0
    assert "setup" in child.stdout.readline()  # pytest has begun

    os.killpg(child.pid, signal.SIGINT)
    said = child.stdout.read()

    assert child.wait(10) == 130
    assert "Traceback" not in said
    assert (home / "tinytorch/setup.py").read_text() == source


def test_green_looks_below_and_names_a_kata_that_broke(home: Path) -> None:
    green = dojo(home, "kata", "2")
    write(home / "tinytorch/setup.py", SETUP.replace("3 * x", "4 * x"))
    broken = dojo(home, "kata", "2")

    assert green.returncode == 0, green.stdout
    assert "2/2 green" in green.stdout
    assert "green, and all below it" in green.stdout
    assert "make kata N=6" in green.stdout, "the next one that is written"
    assert broken.returncode == 1
    assert "2/2 green" in broken.stdout
    assert "kata 01_setup is red (2/3): test_triple_of_two" in broken.stdout
    assert "make kata N=1" in broken.stdout


def test_k_narrows_and_args_pass_on(home: Path) -> None:
    write(home / "tinytorch/setup.py", SETUP.replace("3 * x", "4 * x"))

    done = dojo(home, "kata", "1", "-k", "double and not triple", "--args=-v --color=no")

    assert done.returncode == 0, done.stdout
    assert "test_double_of_a_negative" in done.stdout
    assert "`make kata N=1` runs all of it" in done.stdout


def test_code_that_ends_the_process_is_red_with_a_sentence(home: Path) -> None:
    write(home / "tinytorch/setup.py", SETUP.replace("return 2 * x", "import os; os._exit(0)"))

    done = dojo(home, "kata", "1")

    assert done.returncode == 1, done.stdout
    assert "exit status 0" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("words", [[], ["21"], ["abc"], ["3"]], ids=["no N", "N=21", "N=abc", "not written"])
def test_a_kata_that_is_not_there_is_a_usage_error(home: Path, words: list[str]) -> None:
    done = dojo(home, "kata", *words)

    assert done.returncode == 2
    assert "make kata N=" in done.stdout
    assert len(done.stdout.splitlines()) <= 3


def test_args_that_no_shell_could_read_are_a_usage_error(home: Path) -> None:
    done = dojo(home, "kata", "1", "--args=-k 'double")

    assert (done.returncode, done.stdout) == (2, "ARGS=-k 'double cannot be read: no closing quotation.\n")


def test_a_terminal_of_40_columns_where_nothing_can_be_written(home: Path) -> None:
    write(home / "tinytorch/setup.py", STUB)
    shutil.rmtree(home / ".dojo", ignore_errors=True)
    write(home / ".dojo", "in the way of every state that is kept there")  # permissions do not stop root
    try:
        done = dojo(home, "kata", "1", COLUMNS="40")
    finally:
        (home / ".dojo").unlink()

    assert done.returncode == 1
    assert "next: write `double`" in done.stdout
    assert "Error" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 40


@pytest.mark.parametrize("language", [{"LC_ALL": "POSIX"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}])
@pytest.mark.parametrize("command", [["kata", "1"], ["board"], ["hint", "1"]], ids=" ".join)
def test_a_terminal_without_letters_blames_nobody(
    home: Path, language: dict[str, str], command: list[str]
) -> None:
    write(home / "tinytorch/setup.py", SETUP.replace("return 2 * x", "raise ValueError('Größe → ∑')"))
    said = dojo(home, *command, PYTHONCOERCECLOCALE="0", **language).stdout
    assert "Unicode" not in said and "Traceback" not in said
