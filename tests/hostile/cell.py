"""What the hostile submissions are tried on: kata 03, in a sandbox with small limits, which one process shares."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import replace
from pathlib import Path

from dojo.catalogue import KATAS, SOLUTIONS, STUDENT
from dojo.teach import rights, sandbox
from dojo.teach.judge import Grader, Settings
from dojo.teach.results import KataResult, Status
from dojo.teach.sandbox import Limits, Sandbox
from dojo.teach.submissions import Content
from tests.teach.crowd import needs_sandbox as needs_sandbox

KATA = KATAS[2]
STUBS = (STUDENT / "activations.py").read_text(encoding="utf-8")
WRONG = re.sub(r"raise NotImplementedError\(.*\)", "return None", STUBS)
"""Every function is written, and wrong: nothing is green but what is forged."""
RIGHT = (SOLUTIONS / "activations.py").read_text(encoding="utf-8")
LIMITS = Limits(
    wall=25.0,
    cpu=20.0,
    memory=700 << 20,
    together=800 << 20,
    file=16 << 20,
    scratch=32 << 20,
    files=2000,
    processes=32,
)
REACHED = "REACHED"  # what a probe raises if it gets where it should not


@functools.cache
def box(wall: float = LIMITS.wall) -> Sandbox:
    """The sandbox of this process. It ends with it, and its folder is removed by the next one."""
    sandbox.remove_leftovers()
    return Sandbox(sandbox.kind(), replace(LIMITS, wall=wall))


def judged(
    code: str = "", *, base: str = WRONG, files: dict[str, bytes] | None = None, wall: float = LIMITS.wall
) -> KataResult:
    """Grade a kata 03 that consists of `base`, then `code`; and see that nothing is left of it."""
    content = Content({"activations.py": f"{base}\n\n{code}\n".encode(), **(files or {})})
    grader = Grader(
        "mallory", content, Settings(Path(os.devnull), (KATA,), sandbox.kind(), LIMITS), lambda text: None
    )
    grader.box.close()
    grader.box = box(wall)
    result = grader.kata(KATA)
    left = processes(wall)
    assert len(left) <= 1, f"these processes are left: {left}"
    return result


def processes(wall: float = LIMITS.wall) -> list[int]:
    """What runs in the sandbox: the process that waits for jobs."""
    process = box(wall)._process
    return rights.descendants(process.pid) if process else []


def points(result: KataResult) -> int:
    """The green cases that are believed."""
    return result.green if result.believed else 0


def detected(result: KataResult) -> None:
    """It looked green, and the results are not believed, with evidence."""
    assert result.status == Status.FLAGGED and result.flags, told(result)
    assert points(result) == 0


def prevented(result: KataResult) -> None:
    """It got nowhere: what is wrong is red."""
    assert points(result) == 0, told(result)
    assert REACHED not in told(result), told(result)


def told(result: KataResult) -> str:
    """All that an instructor could read of it."""
    texts = [f"{spec.name} {spec.state} {spec.text}" for spec in result.specs]
    return "\n".join([result.status, result.message, *result.flags, result.canary, *texts[:5]])
