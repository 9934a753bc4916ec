"""The milestone of kata 20's track cifar on small settings: wrong trainers do not reach it."""

from __future__ import annotations

from pathlib import Path

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
        (
            (
                "precision.groups",
                "    values = grouped * scales.data[..., None]",
                "    values = grouped * 1.0",
            ),
            "WORSE = 0.2\n" + 'DIGITS = {**DIGITS, "epochs": 3, "train": 2000}',
            "with one byte for a weight",
        ),
    ],
    ids=["nothing_comes_back", "each_process_does_it_all", "integers_without_their_scale"],
)
def test_a_wrong_one_is_refused(tmp_path: Path, swap: tuple[str, str, str], more: str, says: str) -> None:
    answer = play("20_cifar", tmp_path, planted((swap,)), BRIEF + more)
    assert answer.get("passed") is False, answer
    assert says in answer["text"], answer
