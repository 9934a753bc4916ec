"""A Dask cluster on this machine grades a class, and a worker is killed in the middle: nobody is graded twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import needs
from tests.small_repository import environment
from tests.teach.crowd import command, log, needs_sandbox, submit

pytestmark = needs_sandbox
STUDENTS = 6


def start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.timeout(240)
def test_a_worker_that_is_killed_costs_only_what_it_was_running(tmp_path: Path) -> None:
    needs.module("distributed")
    class_, out = tmp_path / "class", tmp_path / "out"
    for i in range(STUDENTS):
        submit(class_, f"s{i}")
    place = tmp_path / "scheduler.json"
    cluster = [start("dask_scheduler", "--port=0", "--no-dashboard", f"--scheduler-file={place}")]
    worker = ["--no-nanny", "--nthreads=1", "--no-dashboard", f"--scheduler-file={place}"]
    try:
        while not place.exists():
            assert cluster[0].poll() is None
            time.sleep(0.1)
        cluster += [start("dask_worker", *worker, f"--local-directory={tmp_path / name}") for name in "ab"]
        address = json.loads(place.read_text())["address"]
        grading = subprocess.Popen(
            command(class_, out, f"--dask={address}"), env=environment(), stdout=subprocess.PIPE, text=True
        )
        while sum(log(out).values()) < 2:
            assert grading.poll() is None
            time.sleep(0.02)
        os.kill(cluster[1].pid, signal.SIGKILL)
        said, _ = grading.communicate()
    finally:
        for each in cluster:
            each.kill()
            each.wait()
    assert grading.returncode == 0, said
    assert len(log(out)) == STUDENTS and set(log(out).values()) == {1}, (log(out), said)
    assert len(list((out / "students").glob("*/result.json"))) == STUDENTS
    assert (out / "gradebook.csv").is_file(), said
