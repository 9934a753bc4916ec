"""A text that is on every machine: the source of Python's standard library.

    train, validation = stdlib.split(stdlib.text(1_000_000))

Each version of Python gives one text. Tests, generated tables and what is not part of Python itself are left out.
"""

from __future__ import annotations

import operator
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from dojo.errors import DojoError

NOT_PROGRAMS = {
    "encodings",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "turtledemo",
}  # tables, and modules that are often not installed
TESTS = {"test", "tests", "idle_test", "__pycache__"}


def text(limit: int | None = 1_000_000, *, ascii_only: bool = True) -> str:
    """Modules one after the other, up to the last line that ends within `limit` characters.

    Their order is always the same and looks random, so that the beginning and the end are alike. A text with a higher
    limit begins with this one.

    Args:
        limit: the most characters; None is everything there is, about eight million.
        ascii_only: leave out modules with any character beyond ASCII, so that there are less than a hundred different
            ones.

    Raises:
        ValueError: the limit is negative.
        DojoError: this Python was installed without its source.
    """
    if limit is not None and operator.index(limit) < 0:
        raise ValueError(f"limit must be zero or more, and is {limit}")
    parts: list[str] = []
    length = 0
    for path in modules():
        part = _read(path)
        if not part or (ascii_only and not part.isascii()):
            continue
        parts.append(part)
        length += len(part)
        if limit is not None and length >= limit:
            break
    if not parts:
        raise DojoError(
            f"This Python has no source of its standard library in {_home()}. Try another Python."
        )
    whole = "".join(parts)
    return whole if limit is None or length <= limit else whole[: whole.rfind("\n", 0, limit) + 1]


def split(text: str, validation: float = 0.1) -> tuple[str, str]:
    """The beginning of a text to learn from and the end to validate on, split at the end of a line if there are lines.

    Raises:
        ValueError: `validation` is not from 0 to 1. The message names it.
    """
    if not 0 <= validation <= 1:
        raise ValueError(f"validation is a share from 0.0 to 1.0, and is {validation}")
    place = len(text) - round(len(text) * validation)
    if place < len(text):
        place = text.rfind("\n", 0, place) + 1 or place
    return text[:place], text[place:]


def modules() -> list[Path]:
    """The files of the text, in its order."""
    home = _home()
    names = {path.relative_to(home).as_posix(): path for path in _sources(home)}
    return [names[name] for name in sorted(names, key=_shuffled)]


def _shuffled(name: str) -> tuple[int, str]:
    return crc32(name.encode()), name


def _home() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _sources(home: Path) -> Iterator[Path]:
    for name in sys.stdlib_module_names - NOT_PROGRAMS:  # so neither site-packages nor what a machine adds
        if (home / f"{name}.py").is_file():
            yield home / f"{name}.py"
        elif (home / name).is_dir():
            for path in (home / name).rglob("*.py"):
                if not TESTS & set(path.relative_to(home).parts):
                    yield path


def _read(path: Path) -> str:
    """The text of the file, with empty lines at its end; "" if it is not UTF-8 or cannot be read."""
    try:
        found = path.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f"{found}\n\n\n" if found else ""
