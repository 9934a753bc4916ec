"""`make board`: what is green and red, from results that are run again only where something changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import small_repository
from tests.small_repository import SETUP, STUB, dojo, write


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository.build(tmp_path_factory.mktemp("repository"))


def board(home: Path, columns: int = 100) -> str:
    done = dojo(home, "board", COLUMNS=str(columns))
    assert done.returncode == 0, done.stdout
    return done.stdout


def row(text: str, kata: str) -> str:
    return " ".join(next(line for line in text.splitlines() if line.startswith(kata)).split())


def test_every_kata_has_its_row(home: Path) -> None:
    write(home / "tinytorch/setup.py", STUB)

    text = board(home)

    assert row(text, "01") == "01 setup 0 3 not begun"
    assert row(text, "02").startswith("02 tensor 1 1 next: write `double`")
    assert row(text, "06") == "06 optimizers 1 0 green XOR by hand"
    assert "planned, not written yet" in row(text, "03")
    assert row(text, "20").startswith("20 capstone")
    assert "next: `make kata N=1`" in text


def test_only_what_changed_is_run_again(home: Path) -> None:
    write(home / "tinytorch/setup.py", SETUP)
    board(home)
    state = home / ".dojo/board.json"
    entries = json.loads(state.read_text())
    for entry in entries.values():
        entry["standing"]["green"] = 77  # a lie that is believed until something changes
    state.write_text(json.dumps(entries))

    assert re.findall(r"\b77\b", board(home)) == ["77"] * 3

    write(home / "tinytorch/tensor.py", small_repository.TENSOR + "# a word more\n")
    text = board(home)
    assert "77" in row(text, "01"), "kata 01 does not depend on a kata above"
    assert "77" not in row(text, "02")
    assert "77" not in row(text, "06")

    state.unlink()
    assert "77" not in board(home)


def test_a_spec_that_is_not_run_is_not_green(home: Path) -> None:
    spec = home / "katas/01_setup/test_02_triple.py"
    text = spec.read_text()
    write(home / "tinytorch/setup.py", SETUP)
    write(spec, text.replace("def test_triple", "def not_a_spec"))

    shown = row(board(home), "01")
    write(spec, text)

    assert shown.startswith("01 setup 2 1")


def test_a_narrow_terminal_shows_a_milestone_on_a_line_of_its_own(home: Path) -> None:
    write(home / ".dojo/milestones/06.json", '{"passed": true, "text": ""}')

    text = board(home, columns=40)

    assert max(map(len, text.splitlines())) <= 40
    assert "reached" in text
