"""Where the student stands: how many specs of each kata are green, and which is the first red one.

The results of running the specs are the truth, and `.dojo/board.json` is a cache of them that may be deleted at any
time. An entry counts only while everything that a result depends on is what it was: the student's modules up to
that floor, the kata's specs, and the dojo itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from dojo.catalogue import KATAS, ROOT, STUDENT, Kata
from dojo.run import warm
from dojo.run.cold import Result
from dojo.run.specs import expected
from dojo.tree.overlay import plan_for

STATE = ROOT / ".dojo" / "board.json"


@dataclass(frozen=True)
class Standing:
    """How a kata stood when it was last run."""

    green: int
    total: int
    red: str = ""
    """The first spec that is not green, as pytest's node id."""
    state: str = "green"
    """That spec's state, see `Result.state`."""
    summary: str = ""
    """What that spec says, in one line."""


def stand(katas: Iterable[Kata]) -> dict[Kata, Standing]:
    return dict(standings(katas))


def standings(katas: Iterable[Kata]) -> Iterator[tuple[Kata, Standing]]:
    """How each kata stands. What is known comes at once; the rest is run, two at a time, and comes as it ends."""
    stale = []
    for kata in katas:
        known = recall(kata)
        if known:
            yield kata, known
        else:
            stale.append(kata)
    if stale:
        warm_up()
        yield from warm.together((kata, _run(kata)) for kata in stale)


warm_up = cache(warm.preload)


def _run(kata: Kata) -> warm.Task[Standing]:
    key = key_of(kata)
    outcome = yield job(kata)
    found = judge(kata, outcome.results)
    remember(kata, key, found)
    return found


def job(kata: Kata, *args: str) -> warm.Job:
    """The kata's specs on the student's code, as work for a warm fork."""
    return warm.Job([str(kata.folder.relative_to(ROOT)), *args], plan_for("student", None))


def judge(kata: Kata, results: Sequence[Result]) -> Standing:
    """Only the specs that the manifest expects count, and each has to be there."""
    states = {result.id: result.state for result in results}
    ids = expected(kata)
    green = sum(states.get(id) == "green" for id in ids)
    red = first_red(kata, results)
    return Standing(green, len(ids), red.id, red.state, red.summary) if red else Standing(green, len(ids))


def first_red(kata: Kata, results: Sequence[Result]) -> Result | None:
    """The first spec to look at. A timing that could not be judged comes after every other; a spec that was not
    run, though all others were green, is red."""
    red = [result for result in results if result.state != "green"]
    if red:
        return min(red, key=lambda result: result.state == "inconclusive")
    ids, ran = expected(kata), {result.id for result in results}
    if not ids:
        return _wrong(f"katas/{kata.name}", "katas/manifest.txt lists no specs of it")
    missing = next((id for id in ids if id not in ran), None)
    return _wrong(missing, "this spec was not run") if missing else None


def _wrong(id: str, summary: str) -> Result:
    return Result(id, "wrong", summary, f"wrong: {id}: {summary}.", None, 0.0)


# The cache ----------------------------------------------------------------------------------------------


def recall(kata: Kata) -> Standing | None:
    """What is known of the kata, if nothing has changed since."""
    try:
        entry = _entries()[kata.id]
        return Standing(**entry["standing"]) if entry["key"] == key_of(kata) else None
    except (KeyError, TypeError):
        return None


def remember(kata: Kata, key: str, found: Standing) -> None:
    """`key` is that of before the run: a file may have been saved while it went on."""
    if found.state != "inconclusive":  # a timing that could not be judged is tried again
        write_json(STATE, {**_entries(), kata.id: {"key": key, "standing": asdict(found)}})


def key_of(kata: Kata) -> str:
    """One hash of everything that the kata's results depend on."""
    above = {k.slug for k in KATAS if k.number > kata.number}
    files = [
        *(
            path
            for path in _sources(STUDENT)
            if path.relative_to(STUDENT).parts[0].removesuffix(".py") not in above
        ),
        *_sources(kata.folder),
        *_sources(ROOT / "dojo"),
        ROOT / "conftest.py",
        ROOT / "pyproject.toml",
    ]
    digest = sha256(repr((sys.version, expected(kata))).encode())
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            digest.update(b"\0" + os.fsencode(path) + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _entries() -> dict[str, Any]:
    try:
        entries = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def write_json(path: Path, state: Any) -> None:
    """Keep a small state, whole or not at all. Where nothing may be written nothing is kept: it is only a cache."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part")
        aside.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        aside.replace(path)
