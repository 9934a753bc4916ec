"""Threads that student code leaves running: named with their line and spec, and the run ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import small_repository
from tests.small_repository import SETUP, dojo, environment, write

LEAVES = "threading.Thread(target=time.sleep, args=(600,), name='loader').start(); return 2 * x"
POOL = "pool = ThreadPoolExecutor(2); return pool.submit(lambda: 2 * x).result()"
SLOW = "threading.Thread(target=time.sleep, args=(0.3,)).start(); return 2 * x"
DAEMON = "threading.Thread(target=time.sleep, args=(600,), daemon=True).start(); return 2 * x"
BUSY_POOL = "pool = ThreadPoolExecutor(2); pool.submit(time.sleep, 600); return 2 * x"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_repository.build(tmp_path_factory.mktemp("repository"))


def student(home: Path, body: str) -> None:
    imports = "import threading, time\nfrom concurrent.futures import ThreadPoolExecutor\n"
    write(home / "tinytorch/setup.py", imports + SETUP.replace("return 2 * x", body))


@pytest.mark.parametrize("command", ["kata", "pytest", "board"])
def test_a_thread_that_is_left_is_named_and_the_run_ends(home: Path, command: str) -> None:
    student(home, LEAVES)
    began = time.monotonic()
    if command == "pytest":
        words = [sys.executable, "-m", "pytest", "katas/01_setup"]
        done = subprocess.run(words, cwd=home, env=environment(), capture_output=True, text=True, timeout=240)
        said, code = done.stdout, done.returncode
    else:
        ran = dojo(home, command, *(["1"] if command == "kata" else []), COLUMNS="200")
        said, code = ran.stdout, ran.returncode
    assert time.monotonic() - began < 20
    assert "A thread is left running, loader" in said
    if command == "board":
        assert "01 setup 1 2" in " ".join(said.split())
        return
    assert code == 1
    assert (
        "begun in   tinytorch/setup.py:5" in said
        and "test_double_of_two" in said
        and "  and 1 more\n" in said
    )


def test_a_pool_that_works_for_ever_is_named_too(home: Path) -> None:
    student(home, BUSY_POOL)
    said = dojo(home, "kata", "1").stdout
    assert "A thread is left running, ThreadPoolExecutor" in said and "tinytorch/setup.py:5" in said


@pytest.mark.parametrize("body", [POOL, SLOW, DAEMON], ids=["an idle pool", "a moment more", "a daemon"])
def test_what_ends_by_itself_is_given_a_moment(home: Path, body: str) -> None:
    student(home, body)
    done = dojo(home, "kata", "1")
    assert done.returncode == 0 and "left running" not in done.stdout
