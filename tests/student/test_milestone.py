"""`make milestone`: the scene is played on the student's code, and whatever happens has an answer."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from dojo.catalogue import KATAS
from dojo.student import milestone
from tests import small_repository
from tests.small_repository import OPTIMIZERS, dojo, write

SCENE = '''
from tinytorch.optimizers import step


def main(report):
    """A parabola is walked down to its bottom."""
    report.on = "a parabola"
    report.say(f"data: {report.data}, words: {report.args}")
    x = 8.0
    with report.progress(50, "walking") as advance:
        for _ in range(50):
            x = step(x, 2 * x, lr=0.2)
            advance(f"x = {x:.3f}")
    report.figure("path").write_bytes(b"a picture")
    return report.verdict(abs(x) < 0.01, f"x = {x:.3f}")
'''


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = small_repository.build(tmp_path_factory.mktemp("repository"))
    write(home / "katas/06_optimizers/milestone.py", SCENE)
    return home


@pytest.fixture
def home(built: Path) -> Path:
    write(built / "tinytorch/optimizers.py", OPTIMIZERS)
    return built


def test_reached_is_said_drawn_and_noted(home: Path) -> None:
    done = dojo(home, "milestone", "6", "--data", "katas", "--args=a 'b c'")

    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())  # as long as the path is, a line may be wrapped
    assert f"data: {home / 'katas'}, words: ('a', 'b c')" in said
    assert "50/50" in done.stdout
    assert "Milestone reached on a parabola: x = 0.000" in done.stdout
    assert ".dojo/milestones/06_path.png" in done.stdout
    assert (home / ".dojo/milestones/06_path.png").read_bytes() == b"a picture"
    assert note(home)["passed"] is True and note(home)["on"] == "a parabola"


def note(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / ".dojo/milestones/06.json").read_text())
    return found


def test_what_is_reached_with_red_specs_does_not_count(home: Path) -> None:
    write(home / "tinytorch/optimizers.py", OPTIMIZERS.replace("- lr", "- 0.9 * lr"))

    done = dojo(home, "milestone", "6")

    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert (
        "The kata is not green yet (0/1, the first red spec is test_step), so this run does not count."
        in said
    )
    assert "Reached on a parabola, but 1 spec is red, so it does not count yet: x = " in said
    assert "The first red one is test_step: " in said
    assert "`make kata N=6` shows it; when all are green, `make milestone N=6` again." in said
    assert note(home)["passed"] is False and note(home)["red"] == 1
    assert "reached" not in dojo(home, "board").stdout


def test_the_board_names_the_data_set(home: Path) -> None:
    dojo(home, "milestone", "6")
    assert "reached on a parabola" in dojo(home, "board").stdout


def test_another_implementation_is_not_noted(home: Path) -> None:
    (home / ".dojo/milestones/06.json").unlink(missing_ok=True)

    done = dojo(home, "milestone", "6", "--impl", "tinytorch")

    assert done.returncode == 0
    assert "`--impl tinytorch`: its specs were not run, and the verdict is not stored." in " ".join(
        done.stdout.split()
    )
    assert not (home / ".dojo/milestones/06.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    x = 8.0", '    raise Refused("It sees the future.")', "Not reached yet: It sees the future."),
        ('    report.on = "a parabola"', "", "milestone.py does not say which data set"),
    ],
)
def test_a_refused_model_is_not_reached(home: Path, old: str, new: str, says: str) -> None:
    scene = home / "katas/06_optimizers/milestone.py"
    write(scene, "from dojo.student.verdicts import Refused\n" + SCENE.replace(old, new))
    try:
        done = dojo(home, "milestone", "6")
    finally:
        write(scene, SCENE)

    assert done.returncode == 1
    assert says in done.stdout


def test_how_long_it_takes_is_foretold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(milestone, "MEASURED", 0.2)
    report = milestone.Report(KATAS[5])

    pace = report.measure(lambda: time.sleep(0.02))
    report.foretell(18_000 * pace)

    assert 0.02 <= pace < 0.1
    said = re.search(r"about (\d+) minutes on this machine", capsys.readouterr().out)
    assert said and 6 <= int(said[1]) < 30


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2, "10 seconds"), (44, "40 seconds"), (94, "90 seconds"), (96, "2 minutes"), (780, "13 minutes")],
)
def test_a_duration_is_said_in_words(seconds: float, words: str) -> None:
    assert milestone.in_words(seconds) == words


def test_a_milestone_that_is_not_reached_is_red(home: Path) -> None:
    write(home / "tinytorch/optimizers.py", OPTIMIZERS.replace("-", "+"))

    done = dojo(home, "milestone", "6")

    assert done.returncode == 1
    assert "not green yet (0/1, the first red spec is test_step)" in done.stdout
    assert "Not reached yet: x = " in done.stdout
    assert note(home)["passed"] is False


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('raise NotImplementedError("kata 06: step")', "next: write `step` (kata 06)"),
        ("import os; os._exit(0)", "with exit status 0. Does your code call"),
        ("return x / 0", "ZeroDivisionError"),
        ("return exit()", "called exit()"),
        ('return "x', "tinytorch/optimizers.py:3"),
    ],
)
def test_code_that_cannot_play_the_scene_gets_a_sentence(home: Path, body: str, says: str) -> None:
    write(home / "tinytorch/optimizers.py", OPTIMIZERS.replace("return x - lr * gradient", body))

    done = dojo(home, "milestone", "6", "--impl", "tinytorch")  # a path, so the specs are not run first

    assert done.returncode == 1
    assert says in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "make milestone N="),
        (["2"], "has no milestone. These katas have one: 6 (XOR by hand)."),
        (["6", "--data", "nowhere"], "DATA=nowhere is not a folder."),
    ],
)
def test_what_cannot_be_played_is_a_usage_error(home: Path, words: list[str], says: str) -> None:
    done = dojo(home, "milestone", *words)

    assert done.returncode == 2
    assert says in done.stdout


LONG_SCENE = '''
import time


def main(report):
    """Counts the runs that it goes on with, and is interrupted in the first."""
    report.on = "runs"
    folder = report.checkpoints("count", fresh="fresh" in report.args)
    before = len(list(folder.iterdir()))
    (folder / f"{before}.safetensors").touch()
    report.say(f"run {before + 1}")
    if before == 0:
        raise KeyboardInterrupt
    return report.verdict(True, f"{before + 1} runs")
'''


def test_a_run_that_was_interrupted_is_gone_on_with_until_its_verdict(home: Path) -> None:
    scene = home / "katas/06_optimizers/milestone.py"
    write(scene, LONG_SCENE)
    try:
        stopped = dojo(home, "milestone", "6", "--impl", "tinytorch")
        assert stopped.returncode == 130
        assert "What is finished is kept: `make milestone N=6` resumes after it." in stopped.stdout

        again = dojo(home, "milestone", "6", "--impl", "tinytorch", "--args=fresh")
        assert "run 1" in again.stdout and again.returncode == 130

        done = dojo(home, "milestone", "6", "--impl", "tinytorch")
        assert "Milestone reached on runs: 2 runs" in done.stdout and done.returncode == 0
        assert not list((home / ".dojo/milestones").glob("06_count*")), "the verdict left the checkpoints"
    finally:
        write(scene, SCENE)
