"""`make watch`: runs a kata again on every save, warm.

NumPy, pytest and hypothesis are loaded once; each run is a fork of that, so `tinytorch` is never imported here and
every run sees the source as it is on the disk. A save during a run ends the run and starts another. Nothing ever
jumps ahead by itself: a green kata waits for the key `n`.

Saves are found by looking at the files' times and sizes. That takes a fifth of a millisecond, works the same on WSL
and on network mounts, where notifications from the system get lost, and needs no thread beside the forks. Where
looking is slow it is done less often.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from shutil import get_terminal_size
from types import FrameType
from typing import NoReturn

from dojo import forks, hints, standing
from dojo.catalogue import KATAS, STUDENT, Kata, built_kata
from dojo.report import wrap
from dojo.run import Result

DEBOUNCE = 0.05  # an editor may write a file in several steps
LOOK = 0.02  # seconds between two looks at the files ...
SHARE = 0.05  # ... and at most this share of the time is spent on looking
KEYS = "h hint  n next  l list  r rerun  q quit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata's number; the first one that is not green")


def run(options: argparse.Namespace) -> int:
    chosen = built_kata(options.n) if options.n else None
    print("getting ready ...", flush=True)
    standing.warm_up()
    watch = Watch(chosen or first_not_green())
    with _ending_well(), _raw_keyboard() as keyboard:
        try:
            watch.start_over()
            _loop(watch, keyboard)
        finally:
            watch.stop()
    return 0


def first_not_green() -> Kata:
    """The first kata with something to do; the last one where all is green."""
    built = [kata for kata in KATAS if kata.built]
    for kata in built:
        if standing.stand([kata])[kata].red:
            return kata
    return built[-1]


def _loop(watch: Watch, keyboard: int | None) -> None:
    seen, look_at, changed_at = _looks(watch.kata), 0.0, 0.0
    while True:
        fds = [*watch.fds(), *([] if keyboard is None else [keyboard])]
        ready, _, _ = select.select(fds, [], [], LOOK)
        if keyboard in ready:
            for key in os.read(keyboard or 0, 64).decode(errors="ignore"):
                if not watch.press(key):
                    return
        began = time.monotonic()
        if began >= look_at:
            now = _looks(watch.kata)
            look_at = time.monotonic() + max(LOOK, (time.monotonic() - began) / SHARE)
            if now != seen:
                seen, changed_at = now, began
                watch.stop()
        if changed_at and began - changed_at >= DEBOUNCE:
            changed_at = 0.0
            watch.start_over()
        watch.pump()


def _looks(kata: Kata) -> dict[str, tuple[int, int, int]]:
    """What tells one version of a file from another: the student's modules, and the specs."""
    found = {}
    folders = [str(STUDENT), str(kata.folder)]
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.name.endswith((".py", ".toml")):
                        seen = entry.stat()
                        found[entry.path] = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
                    elif entry.is_dir() and entry.name != "__pycache__":
                        folders.append(entry.path)
    return found


# What is watched ----------------------------------------------------------------------------------------


@dataclass
class Watch:
    """The kata that is worked on, and the run that goes on now."""

    kata: Kata
    keyboard: bool
    queue: list[Kata] = field(default_factory=list)
    """What is still to be run: the kata itself, and when that is green those below it."""
    fork: forks.Fork | None = None
    key: str = ""
    found: Standing | None = None
    red: Result | None = None
    drawn: int = -1

    def fds(self) -> list[int]:
        return self.fork.fds() if self.fork else []

    def start_over(self) -> None:
        self.stop()
        if sys.stdout.isatty():
            print("\033[2J\033[H", end="")
        print(f"running kata {self.kata.name} ...", flush=True)
        self.found = self.red = None
        self.queue = [self.kata]
        self._begin()

    def stop(self) -> None:
        if self.fork:
            self.fork.kill()
            self.fork.pump()
        self.fork, self.queue = None, []

    def pump(self) -> None:
        if self.fork is None:
            return
        ended = self.fork.pump()
        if self.queue[0] is self.kata:
            self._draw(sum(result.state == "green" for result in self.fork.results), ended)
        if ended:
            results, self.fork = self.fork.outcome().results, None
            self._ended(self.queue.pop(0), results)

    def _begin(self) -> None:
        self.key = standing.key_of(self.queue[0])
        self.fork = forks.start(standing.job(self.queue[0], "-x"))

    def _draw(self, green: int, ended: bool) -> None:
        """The progress line, in place where the terminal can."""
        if sys.stdout.isatty() and green != self.drawn:
            print(f"\r{green}/{len(expected(self.kata))} green", end="", flush=True)
            self.drawn = green
        if ended:
            print("\r" if sys.stdout.isatty() else "", end="")

    def _ended(self, kata: Kata, results: list[Result]) -> None:
        found = standing.judge(kata, results)
        if not found.red:
            standing.remember(kata, self.key, found)
        if kata is self.kata:
            self.found, self.red = found, standing.first_red(kata, results)
            hints.moved_on(self.red)
            if self.red:
                self._say(f"{found.green}/{found.total} green\n\n{self.red.text}")
                return
            print(f"{found.total}/{found.total} green", flush=True)
            self.queue = [below for below in KATAS[: kata.number - 1] if below.built and not ok(below)]
        elif found.red:
            self.queue = []
            self._say(broken(kata, found))
            return
        if self.queue:
            self._begin()
        else:
            self._say(what_next(self.kata))

    # Keys

    def press(self, key: str) -> bool:
        """Do what a key asks. False where it asks to leave."""
        if key in "q\x04":
            return False
        if key == "r":
            self.start_over()
        elif key == "h":
            self._say(hints.next_hint(self.kata, self.red) if self.red else "Nothing is red: no hint is needed.")
        elif key == "l":
            self._list()
        elif key == "n":
            self._go_on()
        return True

    def _list(self) -> None:
        console = Console(highlight=False)
        found = {kata: known for kata in KATAS if kata.built and (known := standing.recall(kata))}
        if self.found:
            found[self.kata] = self.found
        print()
        console.print(board.table(found, console.width))
        self._say("")

    def _go_on(self) -> None:
        following = next((kata for kata in KATAS[self.kata.number :] if kata.built), None)
        if self.found is None or self.red:
            self._say(f"Kata {self.kata.name} is not green yet.")
        elif following is None:
            self._say("That was the last kata that is written so far.")
        else:
            self.kata = following
            self.start_over()

    def _say(self, text: str) -> None:
        print("", *wrap(text, get_terminal_size().columns), sep="\n")
        if self.keyboard:
            print(f"\n{KEYS}", flush=True)
        else:
            sys.stdout.flush()


# The terminal -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _ending_well() -> Iterator[None]:
    """Being told to end is an exception, so that everything on the way out is done."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _raw_keyboard() -> Iterator[int | None]:
    """The terminal gives every key at once, and is put back on every way out. None where there is no terminal."""
    if not sys.stdin.isatty():
        yield None
        return
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
