"""The milestones on small settings: the reference reaches each in seconds."""

from __future__ import annotations

import importlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from dojo.catalogue import Kata
from dojo.run import warm
from dojo.student import milestone, scene

SMALL = {
    "06": "STEPS, LR = 150, 0.2",
    "10": """
BATCH, CHANNELS, LR = 32, (8, 16, 16), 0.05
DIGITS = {"epochs": 3, "passed": 0.4, "train": 2000, "test": 300}
""",
    "13": "STEPS, BATCH, FEATURES, HEADS, LR, PASSED, CHARACTERS = 250, 16, 32, 2, 0.02, 0.5, 100_000",
    "14": """
LAYERS, HEADS, FEATURES, CONTEXT, BATCH, CHARACTERS, LR = 1, 2, 32, 24, 16, 50_000, 1e-2
STEPS, WINDOWS, ALOUD = 60, 64, 30
PLANS = {"stdlib": {"epochs": 2, "passed": 2.6, "prompt": "def "}}
""",
    "19": """
ROWS, HIDDEN, PICTURES, CHANNELS, SIDE, TEXTS = 32, 16, 2, (4, 8), 8, 2
LAYERS, HEADS, FEATURES, CONTEXT, WORDS, GAIN = 1, 2, 32, 24, 65, 12
READERS, PROMPT, NEW = 16, 4, 12
ROUNDS, NEEDED = {"quick": 6, "slow": 6}, 6
""",
    "20_cifar": """
kata10.BATCH, kata10.CHANNELS, kata10.LR = 32, (8, 16, 16), 0.05
WIDTHS, MEASURED, WORSE, FASTER = (8, 8, 16, 16), 6, 0.2, 1.3
DIGITS = {"epochs": 3, "batch": 32, "passed": 0.4, "train": 2000, "test": 300}
""",
    "20_open": """ENTRIES = Path(__file__).parent / "entries" """,
    "20_serve": """
import asyncio
from pathlib import Path

from dojo.serve import small
from dojo.serve.server import serve
from dojo.serve.settings import Settings
from dojo.spec.server import beside

HERE = Path(__file__).parent
bundles.HOME, bundles.MILESTONE = HERE / "bundle", HERE
small.VOCABULARY, small.CONTEXT, small.LAYERS, small.HEADS, small.FEATURES = 280, 64, 1, 2, 32
small.CHARACTERS = 20_000
READERS, ROUNDS, TOKENS, PROMPTS, GAIN = (1, 8), 2, 32, PROMPTS[:2], 1.6

def made(say, make=bundles.make):
    bundle = make(say, seconds=0.5)
    bundle.model.reset_parameters()  # what has learned so little writes nothing but spaces
    for each in bundle.model.parameters():
        if each.ndim > 1:  # so large that the text depends on all that stands before
            each.data *= 12
    return bundle

bundles.make = made

@contextmanager
def server(folder):  # in a copy of this process, which has the implementation that is tried
    settings = Settings(port=0, rows=32)
    with beside(lambda started: asyncio.run(serve(load_bundle(folder), settings, started))) as running:
        yield running.address
""",
}
"""What stands at the end of a milestone's script when it is tried here: the reference reaches its mark in seconds."""

TASKS: dict[str, dict[str, float]] = {
    "gpt_step": {
        "rounds": 6,
        "warmup": 4,
        "calls": 8,
        "n_layer": 1,
        "n_embd": 32,
        "block_size": 16,
        "goal": 1.5,
    },
    "small_digits": {"train": 3000, "asked": 200, "accuracy": 0.6, "limit": 60},
    "tokens_2mb": {"calls": 1, "n_layer": 2, "n_embd": 64, "readers": 4, "work": 128, "goal": 1.5},
}
"""The tasks of the track open: what is smaller than in their files."""
SLOWLY = "    def step(ids, targets):\n"
QUICKLY = (
    # the simple step on a small model is so fast that little is left to gain: this one wastes a few milliseconds
    ("gpt_step_simple", SLOWLY, SLOWLY + "        sum(range(400_000))\n"),
    ("small_digits_simple", "EPOCHS, BATCH = 6, 50", "EPOCHS, BATCH = 2, 50"),
    ("small_digits_reference", "EPOCHS, BATCH, HIDDEN = 60", "EPOCHS, BATCH, HIDDEN = 20"),
)
"""What is changed in their entries."""


def scripts(kata: Kata) -> list[tuple[Kata, tuple[str, ...]]]:
    """The milestones of a kata that are tried here, one for each track of it, and the words of their ARGS."""
    tasks: list[tuple[str, ...]] = [(task,) for task in TASKS]
    found = [part for part in kata.parts if part.milestone_script.is_file()]
    return [(part, args) for part in found for args in (tasks if part.track == "open" else [()])]


def make_tasks(kata: Kata, folder: Path) -> None:
    """Write the small tasks of the track open into `folder`, with quick entries, and an empty folder for one's own."""
    shutil.copytree(kata.folder / "tasks", folder / "tasks")
    (folder / "entries").mkdir()
    for name, values in TASKS.items():
        for key, value in values.items():
            _change(folder / f"tasks/{name}.toml", rf"^{key} = .*$", f"{key} = {value}")
    for name, old, new in QUICKLY:
        _change(folder / f"tasks/{name}.py", re.escape(old), new)


def enter_reference(folder: Path) -> None:
    """Let the reference's entries of the small tasks be one's own."""
    for name in TASKS:
        shutil.copy(folder / f"tasks/{name}_reference.py", folder / f"entries/{name}.py")


def _change(path: Path, pattern: str, new: str) -> None:
    """Put `new` where the pattern is found, which has to be once."""
    text, found = re.subn(pattern, lambda _: new, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert found == 1, f"{path.name} has {found} times {pattern}"
    path.write_text(text, encoding="utf-8")


class Milestone:
    """Plays a kata's milestone instead of any spec, and tells what it came to.

    Katas above `highest` add nothing: no tape below 7, no kernels below 15.
    """

    def __init__(self, kata: Kata, highest: int, args: tuple[str, ...]) -> None:
        self.kata, self.highest, self.args = kata, highest, args

    def pytest_collection(self, session: pytest.Session) -> bool:
        session.items = []
        return True

    def pytest_runtestloop(self) -> bool:
        dispatch: Any = importlib.import_module("tinytorch.dispatch")
        dispatch.highest = self.highest
        with tempfile.TemporaryDirectory() as folder:
            if self.kata.track == "open":
                make_tasks(self.kata, Path(folder))
                enter_reference(Path(folder))
            warm.tell(play(self.kata, Path(folder), args=self.args))
        return True


def play(
    kata: Kata, folder: Path, more: str = "", data: Path | None = None, args: tuple[str, ...] = ()
) -> scene.Answer:
    """Play the kata's milestone on small settings in this process; `more` stands at the end of its script."""
    milestone.HOME, milestone.MEASURED = folder, 0.01
    script = folder / "milestone.py"
    text = kata.milestone_script.read_text(encoding="utf-8")
    script.write_text(f"{text}\n{SMALL[kata.key]}\n{more}", encoding="utf-8")
    report = milestone.Report(kata, data, args)
    return scene.perform(kata, script, "main", lambda main: milestone.perform(main, report))
