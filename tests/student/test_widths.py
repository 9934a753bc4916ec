"""What a terminal of 40, 80 or 200 columns shows: no line is wider, and no word is broken."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests import small_repository
from tests.small_repository import SETUP, STUB, environment, write

WRONG = SETUP.replace("2 * x", "x.no_such_attribute_of_a_number").replace("3 * x", "3 * x * x")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = small_repository.build(tmp_path_factory.mktemp("repository"))
    write(home / "solutions/tinytorch/setup.py", SETUP)
    return home


def screen(home: Path, columns: int, *words: str) -> str:
    """What a terminal that wide is sent."""
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    env = {name: value for name, value in environment(TERM="xterm").items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "dojo", *words]
    child = subprocess.Popen(command, cwd=home, env=env, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([controller], [], [], 0.05)[0]:
            try:
                shown += os.read(controller, 65536)
            except OSError:  # the other end is closed
                break
        elif child.poll() is not None:
            break
    child.wait(10)
    os.close(controller)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize(
    "words",
    [
        ["kata", "1"],
        ["kata", "99"],
        ["kata", "1", "K=zzz"],
        ["hint", "1"],
        ["start", "2"],
        ["reset", "6"],
        ["restore"],
        ["doctor"],
        ["data"],
        ["milestone"],
        ["help"],
    ],
    ids=" ".join,
)
def test_no_line_is_wider_and_no_word_is_broken(home: Path, columns: int, words: list[str]) -> None:
    write(home / "tinytorch/setup.py", WRONG if words[0] != "hint" else STUB)
    lines = [line.rpartition("\r")[2] for line in screen(home, columns, *words).split("\n")]
    wide = [line for line in lines if len(line) > columns]
    assert [line for line in wide if " " in line.strip()] == [], "such a line breaks inside a word"
