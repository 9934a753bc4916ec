"""`make watch` through a real pseudo-terminal: saves, keys, and a terminal that is always put back."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import small_repository
from tests.small_repository import SETUP, STUB, environment, write


class Watching:
    """A `make watch` that runs at the other end of a terminal."""

    def __init__(self, home: Path, *words: str, columns: int = 80) -> None:
        self.setup = home / "tinytorch" / "setup.py"
        self.screen = ""
        self.controller, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (24, columns))
        self.before = termios.tcgetattr(terminal)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dojo", "watch", *words],
            cwd=home,
            env=environment(TERM="xterm"),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is a signal
        )
        self.terminal = terminal

    def until(self, pattern: str, seconds: float = 15.0) -> str:
        """What is on the screen since the last `until`, up to the first match."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.screen)):
            left = deadline - time.monotonic()
            if left <= 0 or not self.read(left):
                raise AssertionError(f"{pattern!r} did not come; the screen:\n{self.screen}")
        seen, self.screen = self.screen[: found.end()], self.screen[found.end() :]
        return seen

    def read(self, seconds: float) -> bool:
        if not select.select([self.controller], [], [], seconds)[0]:
            return False
        self.screen += os.read(self.controller, 65536).decode().replace("\r\n", "\n")
        return True

    def silent(self, seconds: float) -> bool:
        """Whether nothing is written for a while."""
        time.sleep(seconds)
        while self.read(0):
            pass
        return not self.screen.strip()

    def press(self, key: str) -> None:
        os.write(self.controller, key.encode())

    def save(self, text: str) -> float:
        write(self.setup, text)
        return time.monotonic()

    def ended(self) -> int:
        """The exit code. The terminal has to be as it was."""
        code = self.process.wait(10)
        assert termios.tcgetattr(self.terminal) == self.before, "the terminal was not put back"
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.controller)
        os.close(self.terminal)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository.build(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def home(built: Path) -> Path:
    write(built / "tinytorch/setup.py", STUB)
    write(built / "tinytorch/tensor.py", small_repository.TENSOR)
    return built


@pytest.fixture
def watching(home: Path) -> Iterator[Watching]:
    watching = Watching(home, "1")
    yield watching
    watching.close()


def test_a_session_of_saves_and_keys(watching: Watching) -> None:
    assert "running kata 01_setup" in watching.until(r"0/3 green")
    assert "double" in watching.until("q quit")
    assert watching.silent(0.2), "it must not run again by itself"

    watching.press("h")
    watching.until("What is a number added to itself")
    watching.press("n")
    watching.until("not green yet")
    watching.press("l")
    watching.until("20 capstone")
    watching.until("q quit")

    saved = watching.save(SETUP.replace("3 * x", "4 * x"))
    watching.until(r"2/3 green")
    watching.until("q quit")
    assert time.monotonic() - saved < 2.0

    watching.save(SETUP)
    watching.until("3/3 green")
    assert "next: press n (tensor" in watching.until("q quit")
    assert watching.silent(0.3), "a green kata waits for the key"
    watching.press("n")
    watching.until("running kata 02_tensor")
    watching.until("2/2 green")
    watching.until("q quit")
    watching.press("r")
    watching.until("running kata 02_tensor")
    watching.until("q quit")

    watching.save(SETUP.replace("3 * x", "4 * x"))  # kata 02 does not care, kata 01 does
    watching.until("2/2 green")
    assert "01_setup is red" in watching.until("q quit")
    watching.press("q")
    assert watching.ended() == 0


def test_a_save_during_a_run_starts_it_again(watching: Watching) -> None:
    watching.until("q quit")
    watching.save("def double(x):\n    while True: pass\n\ndef triple(x): pass\n")
    watching.until("running kata 01_setup")
    time.sleep(0.3)  # it hangs by now
    watching.save(SETUP)
    watching.until("3/3 green", seconds=4)


def test_what_breaks_in_the_students_module_is_said(watching: Watching) -> None:
    watching.until("q quit")
    watching.save("def double(x:\n    return 2\n")
    watching.until(r"tinytorch/setup.py:1")
    watching.until("q quit")
    watching.save("import os\nos._exit(0)\n")
    watching.until("The process ended in the middle, with exit status 0")
    watching.until("q quit")
    watching.setup.unlink()
    watching.until(r"There is no tinytorch/setup.py")
    watching.until("q quit")
    watching.save(SETUP)
    watching.until("3/3 green")


def test_ctrl_c_in_the_middle_of_a_run_puts_the_terminal_back(watching: Watching) -> None:
    watching.save(SETUP.replace("return 2", "while True: pass"))
    watching.until("running kata 01_setup.*\n(.*green)+")
    watching.press("\x03")
    assert watching.ended() == 130
    watching.read(1)
    assert watching.screen.endswith("\n"), "the prompt gets a line of its own"


def test_a_narrow_terminal_is_kept_to_and_put_back_when_told_to_end(home: Path) -> None:
    watching = Watching(home, columns=40)
    lines = watching.until("q quit").splitlines()
    watching.process.send_signal(signal.SIGTERM)
    assert watching.ended() == 143
    watching.close()
    assert max(len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)) for line in lines) <= 40


def test_without_a_terminal_there_are_no_keys(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dojo", "watch", "1"],
        cwd=home,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout is not None
        seen = ""
        for line in watch.stdout:
            seen += line
            if "stuck?" in line:
                write(home / "tinytorch/setup.py", SETUP)
            if "next: `make kata" in line:
                watch.send_signal(signal.SIGINT)
    assert "3/3 green" in seen
    assert "h hint" not in seen
    assert watch.returncode == 130
