"""`make path`: the short path is remembered, and the commands follow it and say so, until the whole one is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small_repository
from tests.small_repository import SETUP, STUB, dojo, write

LISTS = {
    "01_setup": "def double\ntest_double_of_two 1 short\ntest_double_of_a_negative 1 short\ntest_triple_of_two 1\n",
    "02_tensor": "def total\ndef twice\ntest_total 1 short\ntest_twice 1 short\n",
    "06_optimizers": "def step\ntest_step 1 short\n",
}
DOUBLE = SETUP.partition("def triple")[0] + "def triple" + STUB.partition("def triple")[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The short path of kata 01 is written, and one more function makes it whole."""
    home = small_repository.build(tmp_path)
    for name, text in LISTS.items():
        write(home / "katas" / name / "specs.txt", text)
    write(home / "tinytorch/setup.py", DOUBLE)
    return home


def said(home: Path, *words: str, code: int = 0) -> str:
    done = dojo(home, *words)
    assert done.returncode == code, done.stdout
    return " ".join(done.stdout.split())


def test_a_kata_is_whole_until_the_short_path_is_chosen(home: Path) -> None:
    assert "(short path)" not in said(home, "kata", "1", code=1)

    assert "You are on the short path: the 5 of 6 specs" in said(home, "path", "TO=short")

    text = said(home, "kata", "1")
    assert "running kata 01_setup (short path) ..." in text
    assert "2/2 green" in text
    assert "The short path of kata 01_setup is green." in text
    assert "1 function more makes the kata whole: `make path TO=whole`, then `make kata N=1`." in text
    assert "next: `make kata N=2` (tensor)." in text

    assert "You are on the whole path" in said(home, "path", "TO=whole")
    assert "next: write `triple`" in said(home, "kata", "1", code=1)


def test_the_board_and_the_hint_follow_and_say_so(home: Path) -> None:
    assert "01 setup 2 1" in said(home, "board")
    said(home, "path", "--to", "short")

    board = said(home, "board")
    assert "(short path)" in board
    assert "01 setup 2 0 green" in board, "what was known of the whole kata does not count here"
    assert "the first red spec of kata 01_setup (short path)" in said(home, "hint", "1")

    write(home / "tinytorch/setup.py", STUB)
    assert "01 setup 0 2 not begun" in said(home, "board")


def test_a_function_off_the_path_that_your_code_calls_is_called_so(home: Path) -> None:
    """The kata that it belongs to is green, so to be sent there would be of no use."""
    said(home, "path", "--to", "short")
    write(home / "tinytorch/setup.py", DOUBLE.replace("return 2 * x", "return triple(x) - x"))

    text = said(home, "kata", "1", code=1)

    assert "next: write `triple`" in text
    assert "It is off the short path: write it, do without it, or `make take N=1 F=triple`." in text


def test_a_short_spec_that_does_not_run_is_missed(home: Path) -> None:
    said(home, "path", "TO=short")
    spec = home / "katas/01_setup/test_01_double.py"
    write(spec, spec.read_text().replace("def test_double_of_a_negative", "def not_a_spec"))

    assert "1 of the kata's specs did not run (test_double_of_a_negative)" in said(home, "kata", "1", code=1)


def test_start_and_plain_pytest_stay_whole(home: Path) -> None:
    said(home, "path", "TO=short")
    write(home / "solutions/tinytorch/__init__.py", "")
    write(home / "solutions/tinytorch/setup.py", SETUP)

    assert "2/3 green" in said(home, "pytest", "--", "katas/01_setup", code=1)
    assert "2/2 green" in said(home, "pytest", "--", "katas/01_setup", "--path=short")
    assert "01_setup (2 of 3 were green)" in said(home, "start", "2")


def test_there_are_two_paths(home: Path) -> None:
    assert "There is no path 'long': TO=short or TO=whole." in said(home, "path", "TO=long", code=2)
    assert "You are on the whole path" in said(home, "path")
