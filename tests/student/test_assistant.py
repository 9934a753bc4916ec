"""The contract with a coding assistant: a script that plays one, by AGENTS.md and JSON=1 alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dojo.catalogue import ROOT
from dojo.commands import COMMANDS
from dojo.report.record import VERSION
from tests import small_repository
from tests.small_repository import SETUP, STUB, dojo, write
from tests.student.test_hunt import HUNTS, MISTAKES

CONTRACT = (ROOT / "AGENTS.md").read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = small_repository.build(tmp_path)
    write(home / "solutions/tinytorch/__init__.py", "")
    write(home / "solutions/tinytorch/setup.py", SETUP)
    write(home / "tests/mistakes/kata_01.py", MISTAKES)
    write(home / "katas/01_setup/hunts.py", HUNTS)
    return home


def ask(home: Path, command: str, *words: str, code: int = 0) -> dict[str, Any]:
    """What a command answers: one line of JSON, and nothing else."""
    done = dojo(home, command, *words, "JSON=1")
    assert done.returncode == code, done.stdout
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (answer["version"], answer["command"]) == (VERSION, command)
    return answer


def test_an_assistant_tutors_a_student_from_the_skeleton_to_a_hunt(home: Path) -> None:
    number = ask(home, "board")["next"]
    assert number == 1

    kata = ask(home, "kata", f"N={number}", code=1)
    assert (kata["state"], kata["passed"], kata["total"]) == ("red", 0, 3)
    assert kata["red"]["write"] == {"kata": 1, "function": "double"}
    assert (home / kata["red"]["file"]).is_file()
    assert kata["red"]["spec"] in (home / kata["red"]["file"]).read_text()

    levels = [ask(home, "hint", f"N={number}") for _ in range(3)]
    assert [each["level"] for each in levels] == [1, 2, 3]
    assert {each["spec"] for each in levels} == {"test_double_of_two"}
    assert "What is a number added to itself?" in levels[0]["text"]
    assert "return 2 * x" not in "".join(each["text"] for each in levels)

    write(
        home / "tinytorch/setup.py",
        STUB.replace('raise NotImplementedError("kata 01: double")', "return x * x", 1),
    )
    kata = ask(home, "kata", f"N={number}", code=1)
    assert (kata["passed"], kata["red"]["state"], kata["red"]["write"]) == (1, "wrong", None)
    assert "9" in kata["red"]["text"] and "6" in kata["red"]["text"]
    assert ask(home, "hint", f"N={number}")["spec"] == kata["red"]["spec"]

    write(home / "tinytorch/setup.py", SETUP)
    kata = ask(home, "kata", f"N={number}")
    assert (kata["state"], kata["passed"], kata["red"]) == ("green", 3, None)
    assert ask(home, "hint", f"N={number}")["level"] == 0

    hunt = ask(home, "hunt", f"N={number}")
    assert (hunt["state"], hunt["wrong"], hunt["right"]) == ("open", "5\n", "10\n")
    assert "double" not in json.dumps(hunt), "that is for the student"
    assert ask(home, "hunt", f"N={number}", "F=triple")["state"] == "wrong"
    assert ask(home, "hunt", f"N={number}", "F=double")["state"] == "found"
    row = ask(home, "board")["katas"][0]
    assert (row["kata"], row["green"], row["state"], row["hunts"], row["hunts_found"]) == (
        1,
        3,
        "green",
        2,
        1,
    )


@pytest.mark.parametrize(
    ("command", "says"),
    [("kata", "There is no kata '99'"), ("hint", "There is no kata '99'"), ("hunt", "There is no kata '99'")],
)
def test_what_cannot_be_done_is_a_sentence_in_the_data(home: Path, command: str, says: str) -> None:
    assert ask(home, command, "N=99", code=2)["error"].startswith(says)


def test_the_contract_names_every_field(home: Path) -> None:
    write(home / "tinytorch/setup.py", SETUP)
    answers = [ask(home, "board"), ask(home, "kata", "1"), ask(home, "hint", "1"), ask(home, "hunt", "1")]
    write(home / "tinytorch/setup.py", STUB)
    red = ask(home, "kata", "1", code=1)["red"]
    fields = {field for each in (*answers, answers[0]["katas"][0], red) for field in each}
    assert {field for field in fields if f"`{field}`" not in CONTRACT} == set()


def test_the_contract_names_commands_that_there_are() -> None:
    for name in re.findall(r"(?:    |`)make ([a-z-]+)", CONTRACT):
        assert name in COMMANDS, name
    for folder in ("tinytorch", "katas", "solutions", "tests/mistakes", "dojo"):
        assert f"{folder}/" in CONTRACT
