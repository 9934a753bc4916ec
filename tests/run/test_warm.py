"""Warm forks: results as they come, whatever the code under test does to its process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.authors.test_gate_itself import SPECS, build

HEAD = """
import json, sys, time
from dojo.run import warm
from dojo.catalogue import SOLUTIONS
from dojo.tree.overlay import Plan
warm.preload()
from dojo.run.jobs import Job
plan = Plan(SOLUTIONS)


def only(job):
    return (yield job)
"""

Script = Callable[..., Any]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    repository = build(tmp_path)

    def run(text: str, *, spec: str = "") -> Any:
        """What the script prints, as JSON. `spec` is the body of a third spec of kata 02, test_third."""
        if spec:
            body = "\n".join(f"    {line}" for line in ("import os, sys, time", *spec.splitlines()))
            with (repository / SPECS).open("a", encoding="utf-8") as file:
                file.write(f'\n\ndef test_third():\n    """Third."""\n{body}\n')
        command = [sys.executable, "-c", HEAD + text]
        done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


RUN = """
results = warm.start(Job(["katas/02_tensor"], plan, {limit})).wait().results
print(json.dumps([[r.id.rpartition(":")[2], r.state, r.summary, r.text] for r in results]))
"""


def test_a_run_gives_the_results_in_order_and_leaves_no_trace(script: Script) -> None:
    results = script(
        RUN.format(limit=20) + "assert not [m for m in sys.modules if m.startswith('tinytorch')]"
    )
    assert [r[:2] for r in results] == [["test_total_adds", "green"], ["test_last_is_the_last", "green"]]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("os._exit(0)", "The process ended in the middle, with exit status 0."),
        ("os.kill(os.getpid(), 11)", "The process was killed by SIGSEGV."),
    ],
)
def test_a_death_is_a_result_and_those_before_it_stay(script: Script, spec: str, said: str) -> None:
    *before, (name, state, summary, _) = script(RUN.format(limit=20), spec=spec)
    assert [r[1] for r in before] == ["green", "green"]
    assert (name, state) == ("test_third", "wrong")
    assert summary.startswith(said)


def test_the_limit_ends_a_run_that_nothing_else_can(script: Script) -> None:
    spec = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\nwhile True: pass"
    *before, (_, state, summary, _) = script(RUN.format(limit=2), spec=spec)
    assert [r[1] for r in before] == ["green", "green"]
    assert state == "wrong" and summary.startswith("It was still running after 2 s.")


def test_a_flood_of_output_stops_nothing(script: Script) -> None:
    spec = "for _ in range(2000): os.write(sys.__stderr__.fileno(), b'x' * 1000)\nassert not 'y' * 200_000"
    results = script(RUN.format(limit=20), spec=spec)
    assert [r[1] for r in results] == ["green", "green", "wrong"]


def test_a_child_of_the_child_that_lives_on_keeps_nobody(script: Script) -> None:
    spec = "if os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)"
    text = "began = time.monotonic()\n" + RUN.format(limit=20) + "assert time.monotonic() - began < 10\n"
    assert [r[1] for r in script(text, spec=spec)] == ["green"] * 3


def test_arguments_that_pytest_does_not_know_are_said(script: Script) -> None:
    text = RUN.format(limit=20).replace('["katas/02_tensor"]', '["--no-such-option"]')
    [(_, state, _, said)] = script(text)
    assert state == "wrong" and "--no-such-option" in said


def test_options_that_the_environment_has_for_pytest_hide_no_spec(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k total")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    assert [r[1] for r in script(RUN.format(limit=20))] == ["green", "green"]


def test_many_runs_come_out_as_they_end(script: Script) -> None:
    text = """
jobs = {name: Job(["katas/02_tensor", "-k", name], plan) for name in ("test_third", "total", "last")}
print(json.dumps([name for name, _ in warm.together((name, only(job)) for name, job in jobs.items())]))
"""
    assert script(text, spec="time.sleep(3)") == ["total", "last", "test_third"]


def test_a_run_that_is_not_wanted_any_more_is_killed(script: Script) -> None:
    text = """
jobs = [Job(["katas/02_tensor"], plan), Job(["katas/01_setup"], plan)]
runs = warm.together((None, only(job)) for job in jobs)
next(runs)
began = time.monotonic()
runs.close()
print(json.dumps(time.monotonic() - began))
"""
    assert script(text, spec="time.sleep(9)") < 2


def test_results_can_be_read_while_the_run_goes_on(script: Script) -> None:
    text = """
run = warm.start(Job(["katas/02_tensor"], plan, limit=20))
while len(run.results) < 2:
    run.poll()
    time.sleep(0.01)
ended = run.poll()
print(json.dumps([ended, [r.state for r in run.results], run.child.running[-10:]]))
run.kill()
"""
    assert script(text, spec="time.sleep(9)") == [False, ["green", "green"], "test_third"]
