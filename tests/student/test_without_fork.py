"""The student's path on a system without fork, alarms, process groups and terminals, as Windows is.

They are taken away from every Python of the path, by a `sitecustomize` that each of them imports first.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dojo.catalogue import ROOT
from tests import small_repository
from tests.small_repository import OPTIMIZERS, SETUP, STUB, environment, write

TAKEN = """
import importlib.abc, os, signal, sys

for name in ("fork", "forkpty", "killpg", "setsid", "setpgid", "getpgid", "register_at_fork"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGALRM", "SIGUSR1", "SIGHUP", "SIGCONT", "setitimer", "alarm", "pthread_sigmask"):
    delattr(signal, name)
for name in ("fcntl", "termios", "tty", "pty", "resource", "pwd", "grp"):
    sys.modules.pop(name, None)


class Nowhere(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "termios", "tty", "pty", "resource", "pwd", "grp"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Nowhere())
print("taken away", file=open(os.environ["TAKEN"], "a"))
"""
SCENE = """
from tinytorch.optimizers import step


def main(report):
    report.on = "a number"
    return report.verdict(step(1.0, 2.0, lr=0.5) == 0.0, "one step")
"""
KILLS = '''
from dojo.spec.child import die, killed
from tinytorch.optimizers import step


def test_step():
    """`step` goes against the gradient."""
    assert step(1.0, 2.0, lr=0.5) == 0.0
    assert killed(die)
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("without")
    home = small_repository.build(folder / "repository")
    write(folder / "python/sitecustomize.py", TAKEN)
    write(home / "katas/06_optimizers/milestone.py", SCENE)
    for name, module in {"__init__": "", "setup": SETUP, "tensor": small_repository.TENSOR}.items():
        text = re.sub(r"(def .*:\n)", r'\1    """It does it."""\n', module)
        write(home / f"solutions/tinytorch/{name}.py", text)
    return home


def without(home: Path) -> dict[str, str]:
    folder = home.parent
    return environment(PYTHONPATH=str(folder / "python"), TAKEN=str(folder / "taken"), COLUMNS="200")


def dojo(home: Path, *words: str) -> str:
    command = [sys.executable, "-m", "dojo", *words]
    taken = home.parent / "taken"
    taken.unlink(missing_ok=True)
    done = subprocess.run(
        command,
        cwd=home,
        env=without(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert taken.is_file(), "nothing was taken away"
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def test_from_the_first_red_spec_to_the_next_kata(home: Path) -> None:
    write(home / "tinytorch/setup.py", STUB)
    assert "next: write `double` in tinytorch/setup.py" in dojo(home, "kata", "1")
    assert "hint 1 of 3 for test_double_of_two" in dojo(home, "hint", "1")
    write(home / "tinytorch/setup.py", SETUP.replace("3 * x", "4 * x"))
    assert "2/3 green\n\nwrong: `triple(2)` is 6." in dojo(home, "kata", "1")
    write(home / "tinytorch/setup.py", SETUP)
    assert "Kata 01_setup is green." in dojo(home, "kata", "1")
    assert "Kata 02_tensor is green, and all below it." in dojo(home, "kata", "2")
    board = " ".join(dojo(home, "board").split())
    assert "01 setup 3 0 green" in board and "06 optimizers 1 0 green" in board
    assert "Milestone reached on a number: one step" in dojo(home, "milestone", "6")


def test_what_writes_into_the_students_files(home: Path) -> None:
    write(home / "tinytorch/setup.py", STUB)
    assert "01_setup" in dojo(home, "start", "2")
    assert "return 2 * x" in (home / "tinytorch/setup.py").read_text()
    assert "is the skeleton again" in dojo(home, "reset", "1")
    assert "before reset" in dojo(home, "restore")
    assert "tinytorch/setup.py" in dojo(home, "restore", "1")
    assert "return 2 * x" in (home / "tinytorch/setup.py").read_text()
    assert "the same as the reference, word for word" in dojo(home, "diff", "1")


SWALLOWS = "while True:\n        try: time.sleep(0.01)\n        except BaseException: pass"


@pytest.mark.parametrize("loop", ["while True: pass", SWALLOWS])
def test_a_loop_is_ended_at_its_line(home: Path, loop: str) -> None:
    write(home / "tinytorch/setup.py", "import time\n" + SETUP.replace("return 2 * x", loop))
    said = dojo(home, "kata", "1", "--args=--dojo-limit=0.5")
    assert "It was still running after 2.5 s, and nothing could interrupt it." in said
    assert "your line  tinytorch/setup.py:" in said


def test_a_spec_that_needs_a_fork_is_neither_red_nor_green(home: Path) -> None:
    spec = home / "katas/06_optimizers/test_01_step.py"
    before = spec.read_text()
    write(spec, KILLS)
    write(home / "tinytorch/setup.py", SETUP)
    write(home / "tinytorch/optimizers.py", OPTIMIZERS)
    try:
        said = dojo(home, "kata", "6")
        assert "0/1 green\n\nelsewhere: this system cannot run it" in said
        assert "only Linux, macOS and WSL can make such a copy" in " ".join(said.split())
        assert "Kata 06_optimizers is green, and all below it." in said
        assert "06 optimizers 0 0 green" in " ".join(dojo(home, "board").split())
    finally:
        write(spec, before)


def test_watch_runs_again_on_a_save(home: Path) -> None:
    write(home / "tinytorch/setup.py", STUB)
    command = [sys.executable, "-u", "-m", "dojo", "watch", "1"]
    screen = home.parent / "screen"
    with screen.open("w") as file:
        watch = subprocess.Popen(
            command,
            cwd=home,
            env=without(home),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        shows(screen, "next: write `double`")
        write(home / "tinytorch/setup.py", SETUP)
        shows(screen, "Kata 01_setup is green.")
    finally:
        watch.terminate()
        assert watch.wait(10) != 0


def shows(screen: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in screen.read_text():
        assert time.monotonic() < deadline, screen.read_text()
        time.sleep(0.05)


def test_nothing_of_the_dojo_goes_through_dev_fd() -> None:
    for path in (ROOT / "dojo").rglob("*.py"):
        assert "/dev/fd" not in path.read_text(encoding="utf-8"), path
