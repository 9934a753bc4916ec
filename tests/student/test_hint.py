"""`make hint`: one level more each time, for the first red spec, and from the start for another one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dojo import catalogue
from dojo.run.cold import Result
from dojo.student import hint
from tests import small_repository
from tests.small_repository import SETUP, STUB, dojo, write

FIRST = "katas/01_setup/test_01_double.py::test_double_of_two"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository.build(tmp_path_factory.mktemp("repository"))


def asked(home: Path, *words: str) -> str:
    done = dojo(home, "hint", "N=1", *words)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_three_levels_then_all_of_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "ROOT", home)
    monkeypatch.setattr(hint, "STATE", home / ".dojo/three_levels.json")
    red = Result(FIRST, "wrong", "a summary", "a text", None, 0.0)

    first, second, third, all_of_them = (hint.next_hint(catalogue.kata(1), red) for _ in range(4))

    assert "hint 1 of 3 for test_double_of_two" in first
    assert "What is a number added to itself?" in first
    assert "Multiply" not in first
    assert "2 more" in first
    assert "Multiply by two." in second
    assert "1 more" in second
    assert "return 2 * ..." in third
    assert "make diff N=1" in third
    assert all(text in all_of_them for text in ("added to itself?", "by two.", "return 2", "make diff N=1"))


def test_an_edition_without_the_kata_s_reference_offers_no_part_of_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "ROOT", home)
    monkeypatch.setattr(catalogue, "SOLUTIONS", tmp_path)
    monkeypatch.setattr(hint, "STATE", home / ".dojo/no_reference.json")
    red = Result(FIRST, "wrong", "a summary", "a text", None, 0.0)

    third = [hint.next_hint(catalogue.kata(1), red) for _ in range(3)][-1]

    assert "make diff" not in third and "make take" not in third and "README once more" in third


def test_the_next_hint_is_for_the_first_red_spec_and_another_spec_starts_over(home: Path) -> None:
    write(home / ".dojo/hints.json", json.dumps({"spec": FIRST, "shown": 1}))
    write(home / "tinytorch/setup.py", STUB)
    assert "hint 2 of 3 for test_double_of_two" in asked(home)

    write(home / "tinytorch/setup.py", SETUP.replace("3 * x", "4 * x"))
    assert "hint 1 of 3 for test_triple_of_two" in asked(home)


def test_k_chooses_the_spec(home: Path) -> None:
    (home / ".dojo/hints.json").unlink(missing_ok=True)
    write(home / "tinytorch/setup.py", STUB)
    said = asked(home, "K=triple")
    assert "hint 1 of 3 for test_triple_of_two" in said and "`make hint N=1 K=triple` again" in said
    assert "hint 2 of 3 for test_triple_of_two" in asked(home, "K=triple")

    write(home / "tinytorch/setup.py", SETUP.replace("2 * x", "3 * x"))
    assert "The specs that match K=triple are green" in asked(home, "K=triple")

    done = dojo(home, "hint", "N=1", "K=quadruple")
    assert done.returncode == 2 and "has no specs that match K=quadruple" in done.stdout


def test_a_green_kata_needs_no_hint_and_the_state_starts_over(home: Path) -> None:
    write(home / ".dojo/hints.json", json.dumps({"spec": FIRST, "shown": 2}))
    write(home / "tinytorch/setup.py", SETUP)

    assert "is green: no hint is needed" in asked(home)
    assert not (home / ".dojo/hints.json").exists()


def test_a_module_that_cannot_be_imported_is_the_first_thing_to_mend(home: Path) -> None:
    write(home / "tinytorch/setup.py", "def double(x:\n")
    write(home / ".dojo/hints.json", "[what is this?")

    said = asked(home)

    assert "tinytorch/setup.py:1" in said
    assert "mend the import first" in said
