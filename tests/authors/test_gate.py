"""Every kata passes the gate: red on the skeleton, green on the reference, and as listed.

`.ci/run` runs the walk, and the checks that look beyond the kata itself, after `make test`: they take minutes.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dojo.authors.gate import CHECKS, built
from dojo.catalogue import ROOT, Kata, kata

ELSEWHERE = ("mistakes", "first", "e", "f", "g", "answers")
GATE = [name for name in CHECKS if name not in ELSEWHERE]


@functools.cache
def problems(number: int, *checks: str) -> dict[str, list[str]]:
    """What `make dev-gate N=` with --quick finds, by check. A process of its own: its forks know no tinytorch yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        options = ["--quick", "--at-once=1", f"--json={path}", *(f"--only={check}" for check in checks)]
        command = [sys.executable, "-m", "dojo", "dev-gate", str(number), *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
        assert path.is_file(), f"the gate did not come to its end\n{done.stdout}\n{done.stderr}"
        found: dict[str, dict[str, list[str]]] = json.loads(path.read_text(encoding="utf-8"))
    return found[kata(number).id]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("check", GATE)
@pytest.mark.parametrize("kata", built(), ids=lambda kata: kata.name)
def test_gate(kata: Kata, check: str) -> None:
    found = problems(kata.number, *GATE)[check]
    assert not found, "\n" + "\n".join(found)
