"""The way from `make` to a command: what is listed, what is passed on, and what a person is told."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dojo import commands
from dojo.catalogue import ROOT

TELL = """
import json, sys

def add_arguments(parser):
    parser.add_argument("n", nargs="?")
    parser.add_argument("--k")
    parser.add_argument("--args")
    parser.add_argument("--data")
    parser.add_argument("--dir")
    parser.add_argument("--force", action="store_true")

def run(options):
    print(json.dumps(vars(options)))
    return 3
"""
NOT_GIVEN = {"data": None, "dir": None, "force": False}
NASTY = """$(shell touch owned)`touch owned`"; touch owned; echo 'a  b' $HOME \\ * -x=#1"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The way in, and one command that tells what it was given."""
    for name in ("__init__", "__main__", "bootstrap", "catalogue", "commands", "errors"):
        (tmp_path / "dojo").mkdir(exist_ok=True)
        shutil.copy(ROOT / "dojo" / f"{name}.py", tmp_path / "dojo")
    for name in ("Makefile", "constraints.txt", "constraints-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "dojo/student").mkdir()
    for command in ("__init__", "kata", "milestone", "start", "data"):
        (tmp_path / "dojo/student" / f"{command}.py").write_text("" if command == "__init__" else TELL)
    return tmp_path


def run(home: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    outer = {name for name in os.environ if name.startswith("MAKE") or name in ("N", "K", "ARGS")}
    kept = {name: value for name, value in os.environ.items() if name not in outer}
    env = {**kept, "PYTHON": sys.executable, "COLUMNS": "100", **env}
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=240)


def told(home: Path, *command: str) -> dict[str, object]:
    done = run(home, *command)
    assert done.returncode in (2, 3), done.stderr  # make's own code for any failure is 2
    return dict(json.loads(done.stdout))


def test_values_arrive_word_for_word_and_are_run_by_nobody(home: Path) -> None:
    found = told(home, "make", "kata", f"N={NASTY}", f"K={NASTY}", f"ARGS={NASTY}")
    assert found == {"n": NASTY, "k": NASTY, "args": NASTY, **NOT_GIVEN}
    assert not (home / "owned").exists()


def test_values_that_were_not_given_are_none(home: Path) -> None:
    assert told(home, "make", "kata") == {"n": None, "k": None, "args": None, **NOT_GIVEN}


def test_every_command_gets_its_own_values(home: Path) -> None:
    assert told(home, "make", "start", "N=9", "FORCE=1")["force"] is True
    assert told(home, "make", "start", "N=9", "FORCE=0")["force"] is False
    assert told(home, "make", "milestone", "N=6", "DATA=a b")["data"] == "a b"
    found = told(home, "make", "data", f"NAME={NASTY}", f"DIR={NASTY}")
    assert (found["n"], found["dir"]) == (NASTY, NASTY)
    assert not (home / "owned").exists()


def test_the_words_of_make_work_without_make_and_so_do_plain_ones(home: Path) -> None:
    dojo = (sys.executable, "-m", "dojo", "kata")
    assert told(home, *dojo, "N=-7", "K=relu") == told(home, *dojo, "--k", "relu", "--", "-7")
    assert run(home, *dojo, "N=7").returncode == 3


def test_what_make_was_told_does_not_reach_a_make_that_the_command_starts(home: Path) -> None:
    (home / "dojo/student/kata.py").write_text(
        TELL.replace("print(json.dumps(vars(options)))", "import os; print(os.environ.get('ARGS'), end='')")
    )
    assert run(home, "make", "kata", "ARGS=-k relu").stdout == "None"


# Every target, every command ----------------------------------------------------------------------------


def test_make_and_the_dojo_know_the_same_commands() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+): *;", makefile, re.MULTILINE)) - {"help", "test-teach"}
    assert targets == set(commands.COMMANDS) - {"pytest"}
    for name in targets:
        assert re.search(rf"^{name}: *; \$\(DOJO\) {name}\b", makefile, re.MULTILINE)
        assert re.search(rf"^\.PHONY:.* {name}\b", makefile, re.MULTILINE)


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_is_there(name: str) -> None:
    module = importlib.import_module(f"dojo.{commands.COMMANDS[name].module}")
    assert callable(module.add_arguments)
    assert callable(module.run)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_make_alone_lists_every_command_within_the_width(home: Path, columns: int) -> None:
    alone, dojo = run(home, "make", COLUMNS=str(columns)), run(home, sys.executable, "-m", "dojo")
    assert (alone.returncode, dojo.returncode) == (0, 0)
    for name, command in commands.COMMANDS.items():
        if command.usage:
            assert f"make {command.usage}" in alone.stdout
            assert command.help in alone.stdout
        else:
            assert not re.search(rf"make {name}\b", alone.stdout), "it is for maintainers"
    if columns > 40:
        assert max(map(len, alone.stdout.splitlines())) <= columns


# What a person is told ----------------------------------------------------------------------------------


def test_a_command_that_is_not_there_is_a_sentence(home: Path) -> None:
    done = run(home, sys.executable, "-m", "dojo", "katta")
    assert (done.returncode, done.stderr) == (
        2,
        "There is no command 'katta': `make` alone lists the commands.\n",
    )


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("from dojo.errors import DojoError; raise DojoError('Say which kata.')", 2, "Say which kata.\n"),
        ("raise KeyboardInterrupt", 130, "\nstopped\n"),
        (
            "raise PermissionError(13, 'Permission denied', 'there')",
            2,
            "there cannot be written or read: Perm",
        ),
        ("print(1 / 0)", 1, "ZeroDivisionError"),
    ],
)
def test_how_a_command_can_end(home: Path, body: str, code: int, says: str) -> None:
    (home / "dojo/student/kata.py").write_text(
        f"def add_arguments(parser): pass\ndef run(options):\n    {body}\n"
    )
    done = run(home, sys.executable, "-m", "dojo", "kata")
    assert done.returncode == code
    assert says in done.stderr
    assert ("Traceback" in done.stderr) == (code == 1)


def test_ctrl_c_in_a_terminal_is_one_word(home: Path) -> None:
    (home / "dojo/student/kata.py").write_text(
        "import time\ndef add_arguments(parser): pass\ndef run(options):\n    print('on', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "dojo", "kata"]
    child = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "on\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=120) == ("", "\nstopped\n")
    assert child.returncode == 130


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    (home / "dojo/student/kata.py").write_text(
        "def add_arguments(parser): pass\ndef run(options):\n    print('line\\n' * 100_000)\n    return 0\n"
    )
    done = run(home, "sh", "-c", f"{sys.executable} -m dojo kata | head -1")
    assert (done.stdout, done.stderr) == ("line\n", "")
