"""`make watch`: runs a kata again on every save.

NumPy, pytest and hypothesis are loaded once, and each run is a fork of this process. `tinytorch` is never imported
here, so every run sees the source as it is on the disk. On a system without fork a run is a new process; without
termios there are no keys. A save during a run ends the run and starts another. It never goes on to the next kata by
itself: a green kata waits for the key `n`.

Saves are found by looking at the files' times and sizes. That takes a fifth of a millisecond, works the same on WSL
and on network mounts, where notifications from the system get lost, and needs no thread. If
looking is slow, it is done less often.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType

from rich.console import Console

from dojo.catalogue import KATAS, STUDENT, Kata, built_kata
from dojo.errors import DojoError
from dojo.report.screen import say
from dojo.run import chosen, specs, standing, warm
from dojo.run.jobs import Run
from dojo.run.process import PAUSE
from dojo.run.results import Outcome, Result
from dojo.run.standing import Standing
from dojo.student import board, hint
from dojo.student.kata import broken, next_kata, what_next

DEBOUNCE = 0.05  # an editor may write a file in several steps: a run shows nothing before they are done
LOOK = 0.02  # seconds between two looks at the files ...
SHARE = 0.05  # ... and at most this share of the time is spent on looking
LEAVE = "q\x04"  # q and Ctrl-D
KEYS = "h hint  n next  l list  r rerun  q quit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "n", nargs="?", metavar="N", help="the kata's number; by default the first one that is not green"
    )
    parser.add_argument("--track", default="", help="one track of a kata that has several")


def run(options: argparse.Namespace) -> int:
    if options.track and not options.n:
        raise DojoError(f"Say which kata, too: `make watch N={KATAS[-1].number} TRACK={options.track}`.")
    asked = built_kata(options.n, options.track) if options.n else None
    print("getting ready ...", flush=True)
    warm.preload()
    kata = asked or first_not_green()
    with _asked_to_end() as signals, _raw_keyboard() as keyboard:
        watch = Watch(kata, has_keys=keyboard is not None)
        try:
            watch.start_over()
            _loop(watch, keyboard, signals)
        finally:
            if watch.run and sys.stdout.isatty():
                print()  # the prompt has a line of its own
            watch.stop()
    return 128 + signals[0] if signals else 0


def first_not_green() -> Kata:
    """The first kata that is not green; the last one if all are. Of a kata with tracks, the one that is farthest."""
    built = [kata for kata in KATAS if kata.built]
    for kata in built:
        found = standing.stand(kata.parts)
        if all(one.red for one in found.values()):
            return max(kata.parts, key=lambda part: found[part].green)
    return built[-1]


def _loop(watch: Watch, keyboard: int | None, signals: list[int]) -> None:
    seen, look_at, changed_at = _looks(watch.kata), 0.0, 0.0
    while not signals:
        pause = PAUSE if watch.run else LOOK
        if keyboard is None:
            time.sleep(pause)
        elif select.select([keyboard], [], [], pause)[0]:
            before = watch.kata
            for key in os.read(keyboard, 64).decode(errors="ignore") or LEAVE:
                if not watch.press(key):
                    return
            if watch.kata is not before:
                seen = _looks(watch.kata)
        began = time.monotonic()
        if began >= look_at:
            now = _looks(watch.kata)
            look_at = time.monotonic() + max(LOOK, (time.monotonic() - began) / SHARE)
            if now != seen:
                seen, changed_at = now, began
                watch.start_over()
        if began - changed_at >= DEBOUNCE:
            watch.poll()


def _looks(kata: Kata) -> dict[str, tuple[int, int, int]]:
    """What tells one version of a file from another: the student's modules, and the specs."""
    found = {}
    folders = [str(STUDENT), str(kata.folder)]
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if (
                        entry.name.startswith(".") or entry.name == "__pycache__"
                    ):  # an editor's own, or Python's
                        continue
                    if entry.is_dir():
                        folders.append(entry.path)
                    else:
                        seen = entry.stat()
                        found[entry.path] = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
    return found


# What is watched ----------------------------------------------------------------------------------------


@dataclass
class Watch:
    """The kata that is watched, and the run that is going on."""

    kata: Kata
    has_keys: bool
    queue: list[Kata] = field(default_factory=list)
    """The katas still to be run: the watched one, and when it is green those below it."""
    run: Run | None = None
    key: str = ""
    total: int = 0
    """How many cases the kata's specs have."""
    counted: str = ""
    found: Standing | None = None
    red: Result | None = None

    def start_over(self) -> None:
        self.stop()
        if sys.stdout.isatty():
            print("\033[2J\033[H", end="")
        print(f"running kata {self.kata.title}{chosen.word()} ...", flush=True)
        self.found = self.red = None
        self.total = specs.total(self.kata, chosen.path())
        self.queue = [self.kata]
        self._start(self.kata, "-x")

    def stop(self) -> None:
        if self.run:
            self.run.kill()
        self.run, self.queue = None, []

    def poll(self) -> None:
        """Look at the run, and act when it has ended."""
        if self.run is None:
            return
        ended = self.run.poll()
        kata = self.queue[0]
        if kata is self.kata and sys.stdout.isatty():
            self._count(self.run, ended)
        if ended:
            outcome, self.run = self.run.outcome(), None
            found = standing.judge(kata, outcome.results, chosen.path())
            if kata is self.kata:
                self._concluded(found, outcome)
            else:
                standing.remember(kata, self.key, found)
                self._went_down(kata, found)

    def _count(self, run: Run, ended: bool) -> None:
        """Show how many specs are green; when the run has ended, clear that line."""
        green = sum(result.state == "green" for result in run.results)
        line = "\r\033[K" if ended else f"\r{green}/{self.total} green"
        if line != self.counted:
            print(line, end="", flush=True)
        self.counted = line

    def _concluded(self, found: Standing, outcome: Outcome) -> None:
        """The watched kata was run. If pytest could finish, its output has explained what is red."""
        self.found, self.red = found, standing.first_red(self.kata, outcome.results, chosen.path())
        hint.moved_on(self.red)
        print(outcome.output)
        if self.red is None:
            standing.remember(self.kata, self.key, found)  # a red run with -x has seen only a part
            self.queue = [kata for kata in KATAS[: self.kata.number - 1] if kata.built]
            self._go_down()
        elif outcome.code in (0, 1) and self.red in outcome.results:
            self._keys()
        else:
            self._say(self.red.text)

    def _go_down(self) -> None:
        """The kata is green: run those below that changed since they were last run, and name one that is red."""
        if not self.queue:
            self._say(what_next(self.kata, how="press n" if self.has_keys else ""))
        elif known := standing.recall(self.queue[0]):
            self._went_down(self.queue[0], known)
        else:
            self._start(self.queue[0])

    def _went_down(self, kata: Kata, found: Standing) -> None:
        if found.red:
            self.queue = []
            self._say(broken(kata, found))
        else:
            self.queue.pop(0)
            self._go_down()

    def _start(self, kata: Kata, *args: str) -> None:
        _fit()
        colour = "--color=yes" if sys.stdout.isatty() else "--color=no"
        stuck = ["--stuck=press h"] if self.has_keys else []
        self.run = warm.start(standing.job(kata, f"--path={chosen.path()}", colour, *stuck, *args))
        self.key = standing.key_of(kata)  # while it runs; a file saved since then starts everything over

    # Keys

    def press(self, key: str) -> bool:
        """Do what a key asks for. False if it asks to leave."""
        if key in LEAVE:
            return False
        if key == "r":
            self.start_over()
        elif key == "h":
            self._say(
                hint.next_hint(self.kata, self.red, again="press h")
                if self.red
                else "No spec is red: no hint is needed."
            )
        elif key == "l":
            self._list()
        elif key == "n":
            self._go_on()
        return True

    def _list(self) -> None:
        _fit()
        console = Console(highlight=False)
        found = {kata: known for kata in board.rows() if kata.built and (known := standing.recall(kata))}
        if self.found:
            found[self.kata] = self.found
        print()
        console.print(board.table(found, console.width))
        self._keys()

    def _go_on(self) -> None:
        following = next_kata(self.kata)
        if self.found is None or self.red:
            self._say(f"Kata {self.kata.title} is not green yet.")
        elif following is None:
            self._say("That was the last kata that is written so far.")
        else:
            self.kata = following
            self.start_over()

    def _say(self, text: str) -> None:
        _fit()
        say(text)
        self._keys()

    def _keys(self) -> None:
        print(f"\n{KEYS}" if self.has_keys else "", flush=True)


# The terminal -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _asked_to_end() -> Iterator[list[int]]:
    """The signals that have come so far. They raise no exception: one in the middle of a fork would get lost."""
    came: list[int] = []
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in numbers}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _raw_keyboard() -> Iterator[int | None]:
    """Let the terminal give every key at once, and restore it at the end. None if there is no terminal."""
    if not sys.stdin.isatty() or importlib.util.find_spec("termios") is None:
        yield None
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def again(number: int, frame: FrameType | None) -> None:  # after Ctrl-Z and `fg`
        tty.setcbreak(keyboard)

    handler = signal.signal(signal.SIGCONT, again)
    try:
        tty.setcbreak(keyboard)
        yield keyboard
    finally:
        signal.signal(signal.SIGCONT, handler)
        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _fit() -> None:
    """Tell the runs how wide the terminal is: they write to a pipe, which has no width."""
    with contextlib.suppress(OSError):
        os.environ["COLUMNS"] = str(os.get_terminal_size(sys.stdout.fileno()).columns)
