"""Backups of a student's work: every command that writes into tinytorch/ copies the whole of it first.

A backup is written under another name and then renamed, so it is never incomplete. None is ever deleted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from dojo import catalogue
from dojo.catalogue import Kata, kata_of
from dojo.errors import DojoError

FOLDER = catalogue.ROOT / ".dojo" / "backups"
PART = ".part-"
TIME = "%Y-%m-%d-%H%M%S"

Data = TypeVar("Data")


def save(command: str) -> Path:
    """Copy the whole of tinytorch/ to .dojo/backups/<time>-before-<command>/."""
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=PART, dir=FOLDER))
    except OSError as error:
        raise DojoError(
            f"No backup can be made in {FOLDER} ({error.strerror}), so nothing was changed."
        ) from None
    aside.chmod(0o755)  # mkdtemp gives nobody else access
    try:
        if catalogue.STUDENT.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(catalogue.STUDENT, aside, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        return _name(aside, f"{time.strftime(TIME)}-before-{command}")
    except shutil.Error as error:  # copytree's list of (from, to, why)
        shutil.rmtree(aside, ignore_errors=True)
        raise DojoError(f"No backup can be made ({error.args[0][0][2]}), so nothing was changed.") from None
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _name(aside: Path, name: str) -> Path:
    """Rename a finished backup. Two in one second get different names: a rename never replaces a full folder."""
    for number in range(1, 1000):
        backup = FOLDER / (name if number == 1 else f"{name}-{number}")
        if not backup.exists():
            with contextlib.suppress(OSError):  # another process was faster
                return aside.rename(backup)
    raise DojoError(f"{FOLDER} cannot hold another backup named {name}.")


def saved() -> list[Path]:
    """Every backup, the oldest first."""
    if not FOLDER.is_dir():
        return []
    found = [path for path in FOLDER.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(found, key=lambda path: (path.name.partition("-before-")[0], path.stat().st_ctime_ns))


def contents(tree: Path) -> dict[Path, bytes]:
    """Every file of a tree, by its path in it. Bytecode does not count."""
    paths = [path for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(tree): path.read_bytes() for path in paths}


def part(kata: Kata, files: Mapping[Path, Data]) -> dict[Path, Data]:
    """Those of the files that belong to the kata's module."""
    return {path: data for path, data in files.items() if kata_of(path, Path()) == kata}


def change(command: str, new: dict[Path, bytes]) -> list[Path]:
    """Make tinytorch/ hold exactly these files, after a backup of what is there. Returns what changed.

    Every command that writes into tinytorch/ does it here.
    """
    if contents(catalogue.STUDENT) == new:
        return []
    save(command)
    return replace(catalogue.STUDENT, new)


def replace(tree: Path, new: dict[Path, bytes]) -> list[Path]:
    """Make `tree` hold exactly these files. Returns what changed.

    Everything is written under other names first: a full disk or a missing permission is found before any file
    has changed. A program that reads a file meanwhile sees all of the old one or all of the new one.
    """
    old = contents(tree)
    written = [path for path, data in new.items() if old.get(path) != data]
    gone = [path for path in old if path not in new]
    aside: dict[Path, Path] = {}
    try:
        for number, path in enumerate(written):
            folder = next(each for each in (tree / path).parents if each.is_dir())
            aside[path] = folder / f".{path.name}.{os.getpid()}.{number}{PART}"
            _write_aside(aside[path], new[path], tree / path)
        for path in gone:  # before the new ones: a module may have become a package of the same name
            (tree / path).unlink()
            _remove_empty((tree / path).parent, tree)
        for path in written:
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            aside[path].replace(tree / path)
    finally:
        for each in aside.values():
            with contextlib.suppress(OSError):
                each.unlink()
    return sorted([*written, *gone])


def _write_aside(aside: Path, data: bytes, path: Path) -> None:
    """Write what will be renamed to `path`."""
    try:
        aside.write_bytes(data)
        if path.exists():
            shutil.copymode(path, aside)
    except OSError as error:
        raise DojoError(f"{path} cannot be written ({error.strerror}), so nothing was changed.") from None


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top and all(each.name == "__pycache__" for each in folder.iterdir()):
        shutil.rmtree(folder)
        folder = folder.parent
