"""`make another`: other answers, for those whose kata is green."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small_repository
from tests.small_repository import SETUP, STUB, dojo, write

ANSWERS = '''"""Sums instead of products."""

from operator import add


def double(x):
    """It is added to itself: no number is needed."""
    return add(x, _same(x))


def triple(x):
    """Twice, and once more."""
    return double(x) + x


def _same(x):
    return x
'''


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = small_repository.build(tmp_path_factory.mktemp("repository"))
    write(home / "solutions/tinytorch/setup.py", SETUP.replace("(x):\n", '(x):\n    """A number."""\n'))
    write(home / "tests/other_answers/kata_01.py", ANSWERS)
    return home


@pytest.fixture
def home(built: Path) -> Path:
    write(built / "tinytorch/setup.py", SETUP)
    return built


def test_a_green_kata_names_it(home: Path) -> None:
    assert "`make another N=1` (sums instead of products)." in " ".join(
        dojo(home, "kata", "1").stdout.split()
    )
    assert "another" not in dojo(home, "kata", "2").stdout


def test_the_functions_are_listed_with_what_is_different(home: Path) -> None:
    done = dojo(home, "another", "1")
    assert done.returncode == 0, done.stdout
    assert "double: It is added to itself: no number is needed." in done.stdout
    assert "`make another N=1 F=double` shows one." in done.stdout


def test_one_is_shown_with_what_it_needs(home: Path) -> None:
    done = dojo(home, "another", "1", "--f", "double")
    assert done.returncode == 0, done.stdout
    shown = done.stdout.partition("kata_01.py\n\n")[2]
    assert shown.startswith("from operator import add\n") and "def _same(x):" in shown
    assert "return add(x, _same(x))" in shown and "triple" not in shown


def test_only_for_those_who_are_done(home: Path) -> None:
    write(home / "tinytorch/setup.py", SETUP.replace("3 * x", "4 * x"))
    done = dojo(home, "another", "1", "--f", "double")
    assert done.returncode == 2 and "not green yet (2/3)" in done.stdout
    assert "add(" not in done.stdout
    write(home / "tinytorch/setup.py", STUB)
    assert dojo(home, "another", "1").returncode == 2


def test_what_there_is_not(home: Path) -> None:
    def says(*words: str) -> str:
        done = dojo(home, "another", *words)
        assert done.returncode == 2
        return done.stdout

    assert "no other answer for half in kata 01_setup" in says("1", "--f", "half")
    assert "not in this edition" in says("2")
    assert "Say which kata" in says()
