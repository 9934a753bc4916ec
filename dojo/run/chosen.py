"""Which path through the katas the student has chosen: the short one, or the whole one."""

from __future__ import annotations

from dojo.catalogue import KATAS, ROOT
from dojo.run import specs
from dojo.run.specs import SHORT, WHOLE
from dojo.tree import files

STATE = ROOT / ".dojo" / "path"


def path() -> str:
    """The path that `make path` has chosen. What cannot be read is the whole path."""
    try:
        return SHORT if STATE.read_text(encoding="utf-8").strip() == SHORT else WHOLE
    except (OSError, ValueError):
        return WHOLE


def choose(path: str) -> None:
    files.write(STATE, f"{path}\n")


def leaves_out(number: int, name: str) -> bool:
    """Whether that function of kata `number` is off the path."""
    return path() == SHORT and name not in specs.functions(KATAS[number - 1])


def word() -> str:
    """The path in a word behind the name of a kata; nothing for the whole one."""
    return f" ({SHORT} path)" if path() == SHORT else ""
