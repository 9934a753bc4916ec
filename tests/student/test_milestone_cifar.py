"""The milestone of kata 20's track cifar on small settings: wrong trainers do not reach it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dojo.datasets import strokes
from dojo.run import process
from tests.student.test_wrong_models import planted, play

pytestmark = pytest.mark.skipif(
    not process.can_fork(), reason="each plays in a fork, and this system has none"
)

BRIEF = """
DIGITS = {"epochs": 1, "batch": 32, "passed": 0.0, "train": 320, "test": 300}
FASTER, WORSE = 0.0, 1.0
def draw(*_): pass
"""
"""Less than that, and the mark is reached by whoever comes to the end."""


KEPT = """
FASTER = 1.3
drawn = draw
def draw(*figures):
    import shutil
    shutil.copytree({!r}, {!r})
    drawn(*figures)
"""
"""All are trained when it draws. The verdict removes the checkpoints."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A copy of the folder in which the reference was trained to the end, and what it came to."""
    folder = tmp_path_factory.mktemp("cifar")
    (folder / "run").mkdir()
    kept = folder / "kept"
    return kept, play("20_cifar", folder / "run", {}, KEPT.format(str(folder / "run"), str(kept)))


def test_the_reference_reaches_it(trained: tuple[Path, dict[str, Any]]) -> None:
    _, answer = trained
    assert answer.get("passed"), answer
    assert answer["on"] == "drawn digits" and answer["figures"]


def test_photos_are_told(tmp_path: Path) -> None:
    """Files in the layout of the real ones take their place here."""
    strokes.write_cifar10(tmp_path / "data", train=320, test=100)
    more = BRIEF + 'PHOTOS = {"epochs": 1, "batch": 32, "passed": 0.0}'
    answer = play("20_cifar", tmp_path, {}, more, tmp_path / "data")
    assert answer["passed"] and answer["on"] == "CIFAR-10", answer
    assert "of 80 new pictures rightly" in answer["text"]


@pytest.mark.parametrize(
    ("swap", "more", "says"),
    [
        (
            ("capstone.trainer", "        self.load_state_dict(results[0][1])\n", ""),
            "",
            "After the training these weights are what they were before: ",
        ),
        (
            (
                "capstone.trainer",
                "shares(batches, group.rank, group.world_size))\n    average",
                "batches)\n    average",
            ),
            "FASTER = 1.7",
            "1.7 are needed",
        ),
    ],
    ids=["nothing_comes_back", "each_process_does_it_all"],
)
def test_a_wrong_one_is_refused(tmp_path: Path, swap: tuple[str, str, str], more: str, says: str) -> None:
    answer = play("20_cifar", tmp_path, planted((swap,)), BRIEF + more)
    assert answer.get("passed") is False, answer
    assert says in answer["text"], answer


def test_integers_without_their_scale_are_refused(trained: tuple[Path, dict[str, Any]]) -> None:
    """The mistake shows when all are trained: this run goes on where the reference's ended."""
    scales = "    values = grouped * scales.data[..., None]"
    wrong = planted((("precision.groups", scales, "    values = grouped * 1.0"),))
    answer = play("20_cifar", trained[0], wrong, "FASTER = 0.0")
    assert answer.get("passed") is False, answer
    [right], [cheap] = (
        re.findall(rf"{words} ([\d.]+)%", answer["text"]) for words in ("names", "for a weight")
    )
    assert float(right) >= 40 and float(right) - float(cheap) > 20, answer
