"""`make hint`: the next hint for the first red spec, from a question to nearly the code, never the whole answer.

With K=, only specs whose names match are looked at.

`katas/NN_slug/hints.toml` has one table for each spec function, with the three LEVELS. What was shown already is
kept in a small file, which may be deleted at any time. It is about one spec, and starts over as soon as that spec is
no longer the first red one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import tomllib

from dojo.catalogue import ROOT, Kata, built_part
from dojo.errors import USAGE, DojoError, display
from dojo.report import record
from dojo.report.record import Record
from dojo.report.screen import say
from dojo.run import chosen
from dojo.run.cold import run_kata
from dojo.run.results import Result
from dojo.run.specs import IMPORT, name_of
from dojo.run.standing import write_json
from dojo.tree.overlay import shown
from dojo.tree.reference import has_reference

LEVELS = ("question", "method", "code")
STATE = ROOT / ".dojo" / "hints.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", metavar="N", help="the kata's number, 1 to 20")
    parser.add_argument("--track", default="", help="one track of a kata that has several")
    parser.add_argument("-k", "--k", metavar="WORDS", help="only for specs whose names match, as pytest's -k")
    parser.add_argument("--json", action="store_true", help="the same as data: see AGENTS.md")


def run(options: argparse.Namespace) -> int:
    if options.json:
        return record.answer("hint", lambda: found(options))
    if not options.n:
        raise DojoError("Say which kata: `make hint N=1`.")
    kata = built_part(options.n, options.track, "hint")
    part = f" that match K={options.k}" if options.k else ""
    display(
        f"looking for the first red spec of kata {kata.title}{chosen.word()}{part and ', among those' + part} ..."
    )
    verdict = run_kata(
        kata, path=chosen.path(), args=["-x", *(["-k", options.k] if options.k else [])], relay=False
    )
    red = verdict.first_red
    if part and verdict.code == USAGE:
        whole = f"`make kata {kata.words}`"
        raise DojoError(
            f"Kata {kata.title} has no specs{part}, or its specs cannot be imported: {whole} says more."
        )
    moved_on(red)
    if red:
        again = f"`make hint {kata.words} K={shlex.quote(options.k)}` again" if part else ""
        say(next_hint(kata, red, again))
    elif verdict.code == 0:
        green = f"The specs{part} are" if part else f"Kata {kata.title} is"
        say(f"{green} green: no hint is needed.")
    else:
        say(f"No spec is red, but the kata is not green either: `make kata {kata.words}` says why.")
    return 0


def found(options: argparse.Namespace) -> tuple[int, Record]:
    """The next hint as data. `level` is 0 where there is none to give."""
    kata = built_part(options.n or "", options.track, "hint")
    more = ["-k", options.k] if options.k else []
    verdict = run_kata(kata, path=chosen.path(), args=["-x", *more], relay=False)
    red = verdict.first_red
    moved_on(red)
    text = next_hint(kata, red) if red else ""
    level = _levels_shown(red.id) if red else 0
    return verdict.code if verdict.code == USAGE else 0, {
        "kata": kata.number,
        "name": kata.name,
        "spec": name_of(red.id) if red else None,
        "level": level,
        "levels": len(LEVELS),
        "text": text,
    }


def next_hint(kata: Kata, red: Result, again: str = "") -> str:
    """The next level for that red spec, ready to print. Remembers that it was shown. `again`: how to get more."""
    spec = name_of(red.id)
    if spec in ("", IMPORT):
        return f"{red.text.strip()}\n\nThere is no hint for this: mend the import first."
    hint = hints(kata).get(spec)
    if hint is None:
        return f"There is no hint for {spec} in {shown(kata.folder / 'hints.toml')}."
    seen = _levels_shown(red.id)
    write_json(STATE, {"spec": red.id, "shown": min(seen + 1, len(LEVELS))})
    if seen >= len(LEVELS):
        texts = [f"{level}:\n{_indented(hint[level])}" for level in LEVELS]
        return "\n\n".join([f"All the hints for {spec}", *texts, _look(kata, red)])
    left = len(LEVELS) - seen - 1
    again = again or f"`make hint {kata.words}` again"
    after = f"{left} more: {again}." if left else f"That was the last. {_look(kata, red)}"
    return f"hint {seen + 1} of {len(LEVELS)} for {spec}\n\n{_indented(hint[LEVELS[seen]])}\n\n{after}"


def moved_on(red: Result | None) -> None:
    """Note which spec is the first red one now: the hints for any other start over."""
    if red is None or _levels_shown(red.id) == 0:
        with contextlib.suppress(OSError):  # it does not exist, or may not be written: nothing depends on it
            STATE.unlink()


def hints(kata: Kata) -> dict[str, dict[str, str]]:
    """The kata's hints, by the name of the spec function."""
    path = kata.folder / "hints.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DojoError(
            f"{shown(path)} is missing: `git checkout -- {shown(path)}` brings it back."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise DojoError(f"{shown(path)} is not TOML: {error}.") from None


def _levels_shown(spec: str) -> int:
    try:
        state = json.loads(STATE.read_text(encoding="utf-8"))
        return int(state["shown"]) if state["spec"] == spec else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _look(kata: Kata, red: Result) -> str:
    if not has_reference(kata):
        return "Now read the spec and the kata's README once more."
    look = f"To see the reference beside yours: `make diff N={kata.number}`."
    if red.owner is None:
        return f"{look} To take one function of it in the place of yours: `make take N={kata.number} F=NAME FORCE=1`."
    number, name = red.owner
    return f"{look} To take this one function of it, and go on: `make take N={number} F={name}`."


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.strip("\n").splitlines())
