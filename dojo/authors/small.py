"""The milestones on small settings: the reference reaches each in seconds."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

import pytest

from dojo.catalogue import Kata
from dojo.run import warm
from dojo.student import milestone, scene

SMALL = {
    6: "STEPS, LR = 150, 0.2",
    10: """
BATCH, CHANNELS, LR = 32, (8, 16, 16), 0.05
DIGITS = {"epochs": 3, "passed": 0.4, "train": 2000, "test": 300}
""",
    13: "STEPS, BATCH, FEATURES, HEADS, LR, PASSED, CHARACTERS = 250, 16, 32, 2, 0.02, 0.5, 100_000",
    14: """
LAYERS, HEADS, FEATURES, CONTEXT, BATCH, CHARACTERS, LR = 1, 2, 32, 24, 16, 50_000, 1e-2
STEPS, WINDOWS, ALOUD = 60, 64, 30
PLANS = {"stdlib": {"epochs": 2, "passed": 2.6, "prompt": "def "}}
""",
    19: """
ROWS, HIDDEN, PICTURES, CHANNELS, SIDE, TEXTS = 32, 16, 2, (4, 8), 8, 2
LAYERS, HEADS, FEATURES, CONTEXT, WORDS, GAIN = 1, 2, 32, 24, 65, 12
READERS, PROMPT, NEW = 16, 4, 12
ROUNDS, NEEDED = {"quick": 6, "slow": 6}, 6
""",
}
"""What stands at the end of a milestone's script when it is tried here: the reference reaches its mark in seconds."""


class Milestone:
    """Plays a kata's milestone instead of any spec, and tells what it came to.

    Katas above `highest` add nothing: no tape below 7, no kernels below 15.
    """

    def __init__(self, kata: Kata, highest: int) -> None:
        self.kata, self.highest = kata, highest

    def pytest_collection(self, session: pytest.Session) -> bool:
        session.items = []
        return True

    def pytest_runtestloop(self) -> bool:
        dispatch: Any = importlib.import_module("tinytorch.dispatch")
        dispatch.highest = self.highest
        with tempfile.TemporaryDirectory() as folder:
            warm.tell(play(self.kata, Path(folder)))
        return True


def play(kata: Kata, folder: Path, more: str = "", data: Path | None = None) -> scene.Answer:
    """Play the kata's milestone on small settings in this process; `more` stands at the end of its script."""
    milestone.HOME, milestone.MEASURED = folder, 0.01
    script = folder / "milestone.py"
    text = kata.milestone_script.read_text(encoding="utf-8")
    script.write_text(f"{text}\n{SMALL[kata.number]}\n{more}", encoding="utf-8")
    report = milestone.Report(kata, data)
    return scene.perform(kata, script, "main", lambda main: milestone.perform(main, report))
