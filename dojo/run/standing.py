"""Where the student stands: how many specs of each kata are green, and which is the first red one.

`.dojo/board.json` is a cache of results, which may be deleted at any time. An entry counts only while nothing that the
results depend on has changed: the student's modules up to
that kata, the kata's specs, and the dojo itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from dojo.catalogue import ROOT, STUDENT, Kata, files_below, kata_of
from dojo.run import chosen, specs, warm
from dojo.run.jobs import Job
from dojo.run.results import Result
from dojo.run.specs import WHOLE
from dojo.tree import files
from dojo.tree.overlay import plan_for, shown

STATE = ROOT / ".dojo" / "board.json"


@dataclass(frozen=True)
class Standing:
    """How a kata stood when it was last run."""

    green: int
    total: int
    """The number of cases that this system can run."""
    red: str = ""
    """The first spec that is not green, as pytest's node id."""
    state: str = "green"
    """That spec's state, see `Result.state`."""
    summary: str = ""
    """The explanation of that spec, in one line."""


def stand(katas: Iterable[Kata]) -> dict[Kata, Standing]:
    """How each kata stands on the path that the student has chosen."""
    return dict(standings(katas))


def standings(katas: Iterable[Kata]) -> Iterator[tuple[Kata, Standing]]:
    """How each kata stands on the chosen path. What is known comes at once; the rest is run, two at a time."""
    stale = []
    for kata in katas:
        known = recall(kata)
        if known:
            yield kata, known
        else:
            stale.append(kata)
    if stale:
        warm.preload()
        yield from warm.together((kata, _run(kata)) for kata in stale)


def _run(kata: Kata) -> warm.Task[Standing]:
    key, path = key_of(kata), chosen.path()
    outcome = yield job(kata, f"--path={path}")
    found = judge(kata, outcome.results, path)
    remember(kata, key, found)
    return found


def job(kata: Kata, *args: str) -> Job:
    """The kata's specs on the student's code, as a job for a warm run."""
    return Job([*specs.where(kata), *args], plan_for("student"))


def judge(kata: Kata, results: Sequence[Result], path: str = WHOLE) -> Standing:
    """How the kata stands by these results of a path. Only listed specs count, and each has to be there."""
    bad = {result.id for result in results if result.state not in ("green", "elsewhere")}
    green, elsewhere = (
        specs.green(kata, (each.id for each in results if each.state == state and each.id not in bad), path)
        for state in ("green", "elsewhere")
    )
    total = specs.total(kata, path) - elsewhere
    red = first_red(kata, results, path)
    return Standing(green, total, red.id, red.state, red.summary) if red else Standing(green, total)


def first_red(kata: Kata, results: Sequence[Result], path: str = WHOLE) -> Result | None:
    """The first spec to look at. A timing that could not be judged comes after every other.

    If all that ran are green, a spec that was not run counts as red.
    """
    red = [result for result in results if result.state not in ("green", "elsewhere")]
    if red:
        return min(red, key=lambda result: result.state == "inconclusive")
    if not specs.listed(kata):
        return _wrong(f"katas/{kata.name}", f"{shown(specs.path(kata))} lists no specs of it")
    missing = specs.missing(kata, (result.id for result in results), path)
    return _wrong(f"katas/{kata.name}::{missing[0]}", "this spec was not run") if missing else None


def _wrong(id: str, summary: str) -> Result:
    return Result(id, "wrong", summary, f"wrong: {id}: {summary}.", None, 0.0)


# The cache ----------------------------------------------------------------------------------------------


def recall(kata: Kata) -> Standing | None:
    """What is known of the kata, if nothing has changed since."""
    try:
        entry = _entries()[kata.key]
        return Standing(**entry["standing"]) if entry["key"] == key_of(kata) else None
    except (KeyError, TypeError):
        return None


def remember(kata: Kata, key: str, found: Standing) -> None:
    """Store how the kata stands. `key` is from before the run: a file may have been saved during it."""
    if found.state != "inconclusive":  # a timing that could not be judged is tried again
        write_json(STATE, {**_entries(), kata.key: {"key": key, "standing": asdict(found)}})


def key_of(kata: Kata) -> str:
    """One hash of everything that the kata's results depend on."""
    files = [
        *(path for path in files_below(STUDENT) if not _is_above(kata_of(path, STUDENT), kata)),
        *files_below(kata.folder),
        *files_below(ROOT / "dojo"),
        ROOT / "conftest.py",
        ROOT / "pyproject.toml",
    ]
    digest = sha256(repr((sys.version, chosen.path())).encode())
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            digest.update(b"\0" + os.fsencode(path) + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _is_above(other: Kata | None, kata: Kata) -> bool:
    return other is not None and other.number > kata.number


def _entries() -> dict[str, Any]:
    try:
        entries = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def write_json(path: Path, state: Any) -> None:
    """Write a small file, whole or not at all. Errors are ignored: it is only a cache."""
    with contextlib.suppress(OSError):
        files.write_json(path, state)
