"""The milestone of kata 20's track open, on small tasks, and the entries and scoreboards that could fool it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dojo.authors.small import SLOWLY, TASKS, make_tasks
from dojo.catalogue import kata
from dojo.run import process
from tests.student import test_wrong_models

pytestmark = pytest.mark.skipif(
    not process.can_fork(), reason="each plays in a fork, and this system has none"
)

KATA = kata(20).on("open")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Small tasks, quick simple entries, and no entry of one's own."""
    make_tasks(KATA, tmp_path)
    return tmp_path


def reference(home: Path, task: str) -> str:
    return (home / f"tasks/{task}_reference.py").read_text(encoding="utf-8")


def play(home: Path, task: str, entry: str = "", source: dict[str, str] | None = None) -> dict[str, Any]:
    """What the milestone comes to with that entry of one's own, on a changed reference."""
    if entry:
        (home / f"entries/{task}.py").write_text(entry, encoding="utf-8")
    return test_wrong_models.play(KATA.key, home, source or {}, args=(task,) if task else ())


@pytest.mark.parametrize("task", TASKS)
def test_the_reference_reaches_each_task(home: Path, task: str) -> None:
    answer = play(home, task, reference(home, task))

    assert answer.get("passed"), answer
    assert answer["on"] == task and answer["figures"]
    board = json.loads((home / f"20_open_boards/{task}.json").read_text())
    assert {row["name"] for row in board["rows"]} == {"simple", "reference", f"your {task}"}
    assert all(row["place"] for row in board["rows"]) and board["task"]["name"] == task


def test_without_a_task_or_an_entry_it_says_what_to_do(home: Path) -> None:
    answer = play(home, "")
    assert answer["passed"] is False
    assert answer["text"] == "say which task: ARGS=gpt_step, ARGS=small_digits, ARGS=tokens_2mb"

    answer = play(home, "smal_digits")
    assert answer["text"].startswith("there is no task 'smal_digits': say which task: ARGS=gpt_step")

    answer = play(home, "gpt_step")
    assert answer["passed"] is False and "there is no entry of yours: write " in answer["text"]


FIRST = "        optimizer.zero_grad()\n"
CHEATS = {
    "never steps": ("        optimizer.step()\n", "", "the loss in step 2 is"),
    "caches the loss": (
        SLOWLY,
        "    known = {}\n\n"
        "    def step(ids, targets):\n        return known.setdefault(ids.shape, slow(ids, targets))\n\n"
        "    def slow(ids, targets):\n",
        "the loss in step 2 is",
    ),
    "guesses the loss": (SLOWLY, SLOWLY + "        return 3.5\n", "the loss in step 1 is"),
    "learns on half of the batch": (
        FIRST,
        "        ids, targets = ids[::2], targets[::2]\n" + FIRST,
        "the loss in step 1 is",
    ),
    "skips what it believes are the last steps": (
        FIRST,
        FIRST + "        calls.append(1)\n        if len(calls) >= 3:\n"
        "            return gpt.loss(Tensor(ids), Tensor(targets)).item()\n",
        "the loss in step",
    ),
    "stops the clock": (
        "def load(model, weights):\n",
        "import tinytorch.capstone.scoreboard as board\n\n"
        "board.time_calls = lambda function, number, timer=None: function() or 1e-9\n\n\ndef load(model, weights):\n",
        "the system counted",
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_an_entry_that_cheats_is_rejected(home: Path, name: str) -> None:
    old, new, says = CHEATS[name]
    text = reference(home, "gpt_step")
    assert text.count(old) == 1
    text = text.replace(old, new)
    if "calls.append" in new:
        text = text.replace(SLOWLY, "    calls = []\n\n" + SLOWLY)
    if name == "stops the clock":
        text = text.replace(SLOWLY, SLOWLY + "        sum(range(20_000_000))\n")

    answer = play(home, "gpt_step", text)

    assert answer["passed"] is False, answer
    assert answer["text"] == "none of your entries was measured to the end"
    assert says in " ".join(answer["said"].split()), answer["said"]


GUESSES = CHEATS["guesses the loss"]
BOARDS = [
    (
        "gpt_step",
        "                judge(trial.calls)\n",
        "",
        "The dojo asked your gpt_step itself: the loss in step 1",
    ),
    (
        "gpt_step",
        "compare(b.seconds, a.seconds)",
        "compare([9 * each for each in b.seconds], a.seconds)",
        "by the dojo's clock",
    ),
    ("small_digits", "return len(source) + sum(", "return 9 * sum(", "The weight of your small_digits"),
]


@pytest.mark.parametrize(
    ("task", "old", "new", "says"), BOARDS, ids=["judges nothing", "boasts", "weighs wrongly"]
)
def test_a_scoreboard_that_is_wrong_is_refused(home: Path, task: str, old: str, new: str, says: str) -> None:
    entry = reference(home, task)
    if not new:
        entry = entry.replace(GUESSES[0], GUESSES[1])

    answer = play(home, task, entry, test_wrong_models.planted((("capstone.scoreboard", old, new),)))

    assert answer["passed"] is False, answer
    assert says in answer["text"], answer
