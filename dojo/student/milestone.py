"""`make milestone`: a kata's milestone script, run on the student's own code.

`katas/NN_slug/milestone.py` defines one function and imports what it likes from kata modules up to NN:

    def main(report: Report) -> bool:
        report.on = "four points"                        # the data set: shown and stored with the verdict
        report.say("Four points that no straight line can separate.")
        with report.progress(2000, "training") as step:
            for _ in range(2000):
                ...
                step(f"loss {loss:.4f}")                 # one more step, and a note about it
        figure.savefig(report.figure("surface"))         # .dojo/milestones/06_surface.png
        right = verdicts.accuracy(logits, labels)        # dojo.student.verdicts: computed by the dojo
        return report.verdict(right == 1.0, f"{right:.0%} of the points are right")

`report.data` is the folder given with DATA=, or None; `report.args` are the words of ARGS=; `report.folder("data")` is
a folder that stays, `report.checkpoints("run")` one that stays until the verdict. matplotlib draws without a screen.
The script runs in a process of its own, so that this command has an answer whatever happens there.

What a model reached is computed by `dojo.student.verdicts`, outside the student's code, on data that this code did not
get before the training had ended. While specs of the kata are red, no milestone is reached. The last verdict and its
data set are stored in `.dojo/milestones/NN.json`, where the board finds them.

A kata with tracks has a script for each, `milestone_TRACK.py`; then only that track's specs have to be green, and the
files in `.dojo/milestones` begin with `NN_TRACK`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dojo.catalogue import KATAS, ROOT, Kata, built_part
from dojo.commands import split
from dojo.errors import RED, DojoError, display
from dojo.report.screen import say
from dojo.run import chosen, specs, standing
from dojo.run.standing import Standing
from dojo.student import scene
from dojo.student.scene import Answer
from dojo.tree.overlay import shown

HOME = ROOT / ".dojo" / "milestones"
MEASURED = 1.0  # seconds of training, to estimate how long the whole of it takes
RUN = ".run"  # the suffix of folders of checkpoints


class Report:
    """How a milestone script shows things and gives its verdict."""

    def __init__(self, kata: Kata, data: Path | None = None, args: tuple[str, ...] = ()) -> None:
        from rich.console import Console

        self.data = data
        self.args = args
        self.on = ""
        """The data set that the verdict is about, in words: "drawn digits"."""
        self.figures: list[Path] = []
        self.passed: bool | None = None
        self.text = ""
        self.kata = kata
        self._runs: list[Path] = []
        self._console = Console(highlight=False)

    def say(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(text, markup=False)

    @contextmanager
    def progress(self, total: int, text: str, unit: str = "", done: int = 0) -> Iterator[Callable[..., None]]:
        """A progress bar. It gives a function to be called once for each step, with a note if you like.

        With a `unit`, such as "images", the bar also shows how many per second and how much time is left, and a step
        may be several of them: step("loss 0.5", 64). `done` of them were done in an earlier run.
        """
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
        if unit:
            columns += [TextColumn("{task.fields[rate]}", markup=False), TimeRemainingColumn()]
        with Progress(*columns, console=self._console, speed_estimate_period=60) as bar:
            task = bar.add_task(text, total=total, completed=done, rate="")

            def step(note: str = "", count: int = 1) -> None:
                speed = bar.tasks[0].speed
                rate = f"{speed:,.0f} {unit}/s" if unit and speed else ""
                bar.update(task, advance=count, description=f"{text}  {note}" if note else text, rate=rate)

            yield step

    def measure(self, step: Callable[[], object]) -> float:
        """Measure for a second how long a step takes here, in seconds. Use a model that is thrown away."""
        step()  # the first is slower
        began = time.perf_counter()
        done = 0
        while time.perf_counter() - began < MEASURED:
            step()
            done += 1
        return (time.perf_counter() - began) / done

    def foretell(self, seconds: float) -> None:
        """Say how long the training will take."""
        self.say(f"This takes about {in_words(seconds)} on this machine, judging by one second of it.")

    def folder(self, name: str) -> Path:
        """Make a folder for what the milestone keeps: data, weights."""
        path = HOME / f"{self.kata.key}_{name}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def checkpoints(self, name: str, fresh: bool = False) -> Path:
        """Make a folder for the checkpoints of a run that can be interrupted and resumed.

        It is empty if `fresh`. The verdict removes it.
        """
        path = HOME / f"{self.kata.key}_{name}{RUN}"
        if fresh:
            shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True, exist_ok=True)
        self._runs.append(path)
        return path

    def figure(self, name: str) -> Path:
        """Where to save the picture of that name."""
        path = HOME / f"{self.kata.key}_{name}.png"
        path.unlink(missing_ok=True)  # a picture that is there afterwards is of this run
        self.figures.append(path)
        return path

    def verdict(self, passed: bool, text: str) -> bool:
        """End the milestone: whether it is reached, and a sentence with the number. Returns `passed`."""
        self.passed, self.text = bool(passed), text
        for path in self._runs:
            shutil.rmtree(path, ignore_errors=True)
        return self.passed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    scene.add_arguments(parser)
    parser.add_argument("--track", default="", help="one track of a kata that has several")
    parser.add_argument("--data", metavar="DIR", help="a folder with data that you have already")
    parser.add_argument("--args", default="", help="words for the milestone script")


def run(options: argparse.Namespace) -> int:
    if not options.n:
        raise DojoError(f"Say which kata: `make milestone N=6`. {_those_that_have_one()}")
    kata = built_part(options.n, options.track, "milestone")
    script = kata.milestone_script
    if not script.is_file():
        raise DojoError(f"Kata {kata.title} has no milestone. {_those_that_have_one()}")
    data = Path(options.data).expanduser().resolve() if options.data else None
    if data and not data.is_dir():
        raise DojoError(f"DATA={options.data} is not a folder.")
    args = tuple(split(options.args))
    if options.scene:
        report = Report(kata, data, args)
        return scene.answer(kata, script, options.impl, "main", lambda main: perform(main, report))
    try:
        HOME.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DojoError(f"Cannot write the milestone's pictures to {HOME}: {error.strerror}.") from None

    display(f"running the milestone of kata {kata.title}{chosen.word()}: {kata.milestone} ...")
    red = _red_specs(kata) if options.impl == "student" else None
    if red:
        say(
            f"The {'track' if kata.track else 'kata'} is not green yet ({red.green}/{red.total}, the first red spec is "
            f"{_first(red)}), so this run does not count.\n"
        )
    started = time.monotonic()
    try:
        words = [f"--track={kata.track}", f"--data={options.data or ''}", f"--args={options.args}"]
        answer = scene.play("milestone", kata, options.impl, *words)
    except KeyboardInterrupt:
        if any(HOME.glob(f"{kata.key}_*{RUN}/*")):
            say(f"\nWhat is finished is kept: `make milestone {kata.words}` resumes after it.")
        raise
    if options.impl == "student" and "passed" in answer:
        note = {
            "passed": answer["passed"] and not red,
            "on": answer["on"],
            "text": answer["text"],
            "red": red.total - red.green if red else 0,
            "seconds": time.monotonic() - started,
        }
        standing.write_json(HOME / f"{kata.key}.json", note)
    return _conclude(kata, answer, red, options.impl)


def reached(kata: Kata) -> str:
    """The data set on which the last run on the student's code was a success; "" if it was not one."""
    try:
        note = json.loads((HOME / f"{kata.key}.json").read_text(encoding="utf-8"))
        return str(note["on"]) if note["passed"] is True else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _conclude(kata: Kata, answer: Answer, red: Standing | None, impl: str) -> int:
    for path in answer.get("figures", ()):
        print(f"picture: {path}")
    if answer.get("passed") and red:
        count = red.total - red.green
        say(
            f"Reached on {answer['on']}, but {count} {'spec is' if count == 1 else 'specs are'} red, so it does not "
            f"count yet: {answer['text']}"
        )
        say(
            f"The first red one is {_first(red)}: {red.summary}. `make kata {kata.words}` shows it; when all are "
            f"green, `make milestone {kata.words}` again."
        )
        return RED
    if answer.get("passed"):
        say(f"Milestone reached on {answer['on']}: {answer['text']}")
        if impl != "student":
            say(f"This was `--impl {impl}`: its specs were not run, and the verdict is not stored.")
        return 0
    if "passed" in answer:
        say(f"Not reached yet: {answer['text']}")
    else:
        scene.say_why(answer, "The milestone", f"make milestone {kata.words}")
    return RED


def _red_specs(kata: Kata) -> Standing | None:
    """How the kata stands if specs of it are red, or None. A timing that could not be judged is not red."""
    found = standing.stand([kata])[kata]
    return found if found.red and found.state != "inconclusive" else None


def _first(red: Standing) -> str:
    """The name of the first red spec."""
    file, _, name = red.red.rpartition("::")
    return f"that {Path(file).name} can be imported" if name == specs.IMPORT else name


def in_words(seconds: float) -> str:
    """A duration in words: "40 seconds", "5 minutes"."""
    return f"{max(round(seconds, -1), 10):.0f} seconds" if seconds < 95 else f"{seconds / 60:.0f} minutes"


def _those_that_have_one() -> str:
    parts = [part for kata in KATAS for part in kata.parts if part.milestone_script.is_file()]
    names = [f"{part.words.removeprefix('N=')} ({part.milestone})" for part in parts]
    return f"These katas have one: {', '.join(names)}." if names else "No kata has one yet."


# The script, in a process of its own --------------------------------------------------------------------


def perform(main: Callable[[Report], object], report: Report) -> Answer:
    from dojo.student.verdicts import Refused  # it needs NumPy, which the board does not

    try:
        main(report)
    except Refused as refusal:
        report.verdict(False, str(refusal))
    script = report.kata.milestone_script.name
    if report.passed is None:
        return {"error": f"{script} ended without a verdict."}
    if not report.on:
        return {"error": f"{script} does not say which data set its verdict is about: `report.on = ...`."}
    figures = [shown(path) for path in report.figures if path.is_file()]
    return {"passed": report.passed, "on": report.on, "text": report.text, "figures": figures}
