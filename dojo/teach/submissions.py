"""Which submission is whose, and what is in it: the files of one `tinytorch`, read into memory and nothing else.

A submission is a folder, a zip, a tarball or a git repository. Nothing of it is unpacked to the disk, no link is
followed, and nothing in it is run.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO

from dojo.catalogue import NAMED
from dojo.errors import DojoError
from dojo.teach.roster import Student

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
SKIPPED = {"__MACOSX", "__pycache__", "node_modules", "site-packages", "solutions", "venv"}
ARCHIVE = 512 << 20  # bytes of an archive
UNPACKED = 1 << 30  # bytes that a tarball may hold
ENTRIES = 50_000  # files and folders of a submission
DEPTH = 30  # folders in each other
FILE = 2 << 20  # bytes of one file of tinytorch
FILES = 2_000  # of tinytorch
TOTAL = 20 << 20  # bytes of all of them
GIT_SECONDS = 60.0
NOTHING = "nothing was submitted"


class Unreadable(Exception):
    """A submission that cannot be read. The message says why."""


@dataclass(frozen=True)
class Match:
    """A student, and where their submission is."""

    student: Student
    path: Path | None = None
    problem: str = ""
    """Why there is no path."""


@dataclass
class Content:
    """The files of one `tinytorch`, by their path in it, with slashes."""

    files: dict[str, bytes]
    commit: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        digest = sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()


# Whose it is --------------------------------------------------------------------------------------------


def match(folder: Path, roster: Sequence[Student] = ()) -> list[Match]:
    """Every student of the roster, and every submission that no row of it names, with the reason if one is missing."""
    if not folder.is_dir():
        raise DojoError(f"SUBMISSIONS={folder}: there is no such folder.")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and (path.is_dir() or is_archive(path)):
            found.setdefault(identity(path), []).append(path)
    if not found and not roster:
        raise DojoError(
            f"SUBMISSIONS={folder}: there is no submission in it. Each is a folder, a zip, a tarball or a git "
            "repository, named as the student is."
        )
    matches = [_matched(folder, row, found) for row in roster]
    taken = {each.path for each in matches}
    ids = {row.student for row in roster}
    for name, paths in found.items():
        if name not in ids and not taken.intersection(paths):
            matches.append(_one(Student(name), paths))
    _refuse_collisions(matches)
    return matches


def identity(path: Path) -> str:
    """What a file or folder is called, without the ending of an archive. Bytes that are no text are spelled out."""
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    ending = next((each for each in ARCHIVES if name.lower().endswith(each)), "") if path.is_file() else ""
    return name[: len(name) - len(ending)] if ending else name


def is_archive(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ARCHIVES)


def _matched(folder: Path, row: Student, found: Mapping[str, list[Path]]) -> Match:
    if not row.submission:
        return _one(row, found.get(row.student, []))
    path = folder / row.submission
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        return Match(
            row, None, f"the roster names {row.submission}, which is not in the folder of submissions"
        )
    if not path.exists():
        return Match(row, None, f"the roster names {row.submission}, and there is no such file or folder")
    return Match(row, path)


def _one(row: Student, paths: list[Path]) -> Match:
    if not paths:
        return Match(row, None, NOTHING)
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        return Match(
            row, None, f"there are {len(paths)} submissions, {names}: keep one, or name it in the roster"
        )
    if paths[0].is_symlink():
        return Match(row, None, "the submission is a link, and links are not followed")
    return Match(row, paths[0])


def _refuse_collisions(matches: list[Match]) -> None:
    seen: dict[str, str] = {}
    for each in matches:
        name = each.student.student
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            how = "is there twice" if other == name else f"and {other} differ only in capital letters"
            raise DojoError(f"The student {name} {how}: name each in the roster by an id of its own.")


# What is in it ------------------------------------------------------------------------------------------


def read(path: Path, commit: str = "") -> Content:
    """The files of the submission's `tinytorch`. Unreadable says why there is none."""
    if path.is_symlink():
        raise Unreadable("it is a link, and links are not followed")
    if path.is_dir():
        git = _repository(path)
        if git and (commit or git == path):
            return _from_git(path, git, commit or "HEAD")
        if commit:
            raise Unreadable(f"the roster names the commit {commit}, and this is no git repository")
        return _from_folder(path)
    if commit:
        raise Unreadable(f"the roster names the commit {commit}, and this is no git repository")
    return _from_archive(path)


Entry = tuple[str, Callable[[], bytes]]
"""A file's path in the submission, and how to read it."""


class _Taker:
    """Takes the files of one `tinytorch` out of many, within limits."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def parts(self, name: str) -> tuple[str, ...]:
        """The folders of a path, if it stays inside; else nothing, and a note."""
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name.partition("/")[0]:
            self.note(f"left out, because its path leads outside: {name[:200]!r}")
            return ()
        return path.parts

    def note(self, text: str) -> None:
        if len(self.notes) < 20 and text not in self.notes:
            self.notes.append(text)

    def home(self, names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        """The folders that lead to `tinytorch`: of several, those of the least depth."""
        homes: dict[tuple[str, ...], set[str]] = {}
        for parts in names:
            if any(part in SKIPPED or part.startswith(".") for part in parts[:-1]):
                continue
            for i, part in enumerate(parts[:-1]):
                if part == "tinytorch":
                    homes.setdefault(parts[: i + 1], set()).add(parts[i + 1].removesuffix(".py"))
                    break
            else:
                homes.setdefault(parts[:-1], set()).add(parts[-1].removesuffix(".py"))
        named = [home for home in homes if home[-1:] == ("tinytorch",) and homes[home] & NAMED.keys()]
        loose = [home for home in homes if "dispatch" in homes[home] and homes[home] & NAMED.keys()]
        candidates = sorted(named or loose, key=len)
        if not candidates:
            raise Unreadable("there is no tinytorch folder in it with the module of a kata")
        nearest = [home for home in candidates if len(home) == len(candidates[0])]
        if len(nearest) > 1:
            names_of = ", ".join("/".join(home) for home in nearest[:3])
            raise Unreadable(f"there are {len(nearest)} tinytorch folders in it ({names_of}): one is enough")
        if len(candidates) > 1:
            self.note(f"taken is {'/'.join(nearest[0]) or 'its top'}, of {len(candidates)} tinytorch folders")
        return nearest[0]

    def take(self, entries: Iterable[Entry], home: tuple[str, ...]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        total = 0
        for name, content in entries:
            parts = self.parts(name)
            inside = parts[len(home) :]
            if parts[: len(home)] != home or not inside or not self.wanted(inside):
                continue
            if len(files) >= FILES:
                raise Unreadable(f"its tinytorch holds more than {FILES} files")
            data = content()
            total += len(data)
            if len(data) > FILE:
                raise Unreadable(f"{'/'.join(inside)} is larger than {FILE >> 20} MB")
            if total > TOTAL:
                raise Unreadable(f"its tinytorch is larger than {TOTAL >> 20} MB")
            if "/".join(inside) in files:
                self.note(f"it holds {'/'.join(inside)} twice: the last one counts")
            files["/".join(inside)] = data
        return files

    def wanted(self, inside: tuple[str, ...]) -> bool:
        if any(part in SKIPPED or part.startswith(".") for part in inside) or inside[-1].endswith(".pyc"):
            return False
        try:
            "/".join(inside).encode("utf-8")
        except UnicodeEncodeError:
            self.note(f"left out, because its name is no text: {'/'.join(inside)!a}")
            return False
        return True


def _first(content: bytes, what: str) -> bytes:
    """The content of a file, which was read up to one byte more than it may have."""
    if len(content) > FILE:
        raise Unreadable(f"{what} is larger than {FILE >> 20} MB")
    return content


def _no_file_of(home: tuple[str, ...]) -> Unreadable:
    return Unreadable(f"{'/'.join(home)} holds no file that can be read")


# Folders ------------------------------------------------------------------------------------------------


def _from_folder(folder: Path) -> Content:
    taker = _Taker()
    names = list(_walk(folder, taker))
    try:
        home = taker.home(map(taker.parts, names))
    except Unreadable:
        inner = [folder / name for name in names if "/" not in name and name.lower().endswith(ARCHIVES)]
        if len(inner) != 1:
            raise
        return _from_archive(inner[0])
    files = taker.take(((name, partial(_read, folder, name)) for name in names), home)
    if not files:
        raise _no_file_of(home)
    return Content(files, notes=taker.notes)


def _walk(folder: Path, taker: _Taker) -> Iterator[str]:
    """The regular files below a folder. Links, pipes and devices are left out, with a note."""
    count = 0
    waiting: list[tuple[str, int]] = [("", 0)]
    while waiting:
        inside, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(os.path.join(folder, inside)), key=lambda entry: entry.name)
        except OSError as error:
            taker.note(f"left out, because it cannot be read: {inside!a} ({error.strerror})")
            continue
        for entry in entries:
            count += 1
            if count > ENTRIES:
                raise Unreadable(f"it holds more than {ENTRIES} files and folders")
            name = f"{inside}/{entry.name}" if inside else entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED and not entry.name.startswith(".") and depth < DEPTH:
                    waiting.append((name, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                yield name
            else:
                taker.note(f"left out, because it is a link or no file: {name[:200]!a}")


def _read(folder: Path, name: str) -> bytes:
    """One file. No part of its path may be a link, also if somebody makes it one now."""
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        *folders, last = name.split("/")
        for part in folders:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        fd = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Unreadable(f"{name} is no file")
            return _first(file.read(FILE + 1), name)
    except OSError as error:
        raise Unreadable(f"{name!a} cannot be read: {error.strerror}") from None
    finally:
        os.close(here)


# Archives -----------------------------------------------------------------------------------------------


def _from_archive(path: Path) -> Content:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise Unreadable("it is no file")
        size = path.stat().st_size
        if size > ARCHIVE:
            raise Unreadable(f"the archive is {size >> 20} MB; at most {ARCHIVE >> 20} are read")
        with path.open("rb") as file:
            return _from_zip(file) if path.name.lower().endswith(".zip") else _from_tar(file)
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise Unreadable("unpacking it takes too much memory") from None


def _from_zip(file: IO[bytes]) -> Content:
    taker = _Taker()
    try:
        _count_entries(file)
        with zipfile.ZipFile(file) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            names = [info.filename for info in infos]
            home = taker.home(filter(None, map(taker.parts, names)))
            entries: list[Entry] = []
            for info in infos:
                if stat.S_ISLNK(info.external_attr >> 16):
                    taker.note(f"left out, because it is a link: {info.filename[:200]!a}")
                else:
                    entries.append((info.filename, partial(_unzip, archive, info)))
            files = taker.take(entries, home)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Unreadable(f"it is no zip archive that can be read: {error}") from None
    if not files:
        raise _no_file_of(home)
    return Content(files, notes=taker.notes)


def _count_entries(file: IO[bytes]) -> None:
    """Refuse an archive of very many entries before the list of them is read into memory."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    count = int.from_bytes(tail[end + 10 : end + 12], "little") if end >= 0 else 0
    if count > ENTRIES:
        raise Unreadable(f"it holds more than {ENTRIES} files and folders")
    file.seek(0)


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.compress_type not in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):  # the others unpack without a limit
        raise Unreadable(
            f"{info.filename!a} is packed by a method that is not read here: use an ordinary zip"
        )
    with archive.open(info) as member:
        return _first(member.read(FILE + 1), info.filename)


class _Counted(io.RawIOBase):
    """A stream that ends with an error when more is read than may be."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self.stream = stream
        self.left = UNPACKED

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self.left -= len(data)
        if self.left < 0:
            raise Unreadable(f"it unpacks to more than {UNPACKED >> 20} MB")
        return data


def _from_tar(file: IO[bytes]) -> Content:
    taker = _Taker()
    found: dict[str, bytes] = {}
    count = total = 0
    try:
        stream = _unpacked(file)
        with tarfile.open(fileobj=_Counted(stream), mode="r|") as archive:
            for member in archive:
                count += 1
                if count > ENTRIES:
                    raise Unreadable(f"it holds more than {ENTRIES} files and folders")
                parts = taker.parts(member.name) if not member.isdir() else ()
                if not member.isreg():
                    if not member.isdir():
                        taker.note(f"left out, because it is a link or no file: {member.name[:200]!a}")
                    continue
                if not parts or not taker.wanted(parts) or member.size > FILE:
                    if "tinytorch" in parts[:-1] and member.size > FILE:
                        raise Unreadable(f"{member.name!a} is larger than {FILE >> 20} MB")
                    continue
                content = archive.extractfile(member)
                assert content is not None
                data = _first(content.read(FILE + 1), member.name)
                total += len(data)
                if total > 5 * TOTAL:
                    raise Unreadable(f"its small files are larger than {5 * TOTAL >> 20} MB")
                found["/".join(parts)] = data
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        raise Unreadable(f"it is no tarball that can be read: {error}") from None
    home = taker.home(tuple(name.split("/")) for name in found)
    files = taker.take(((name, partial(bytes, data)) for name, data in found.items()), home)
    return Content(files, notes=taker.notes)


def _unpacked(file: IO[bytes]) -> io.BufferedIOBase:
    """The stream of a tarball, whatever it is packed with."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start == b"\xfd7zXZ\x00":
        return lzma.LZMAFile(file)
    assert isinstance(file, io.BufferedIOBase)
    return file


# Git ----------------------------------------------------------------------------------------------------


def _repository(folder: Path) -> Path | None:
    """The folder with git's own files: .git in it, or itself if it is bare. A link to elsewhere is none."""
    for git in (folder / ".git", folder):
        inner = [git / name for name in ("HEAD", "objects", "refs")]
        if not git.is_symlink() and all(each.exists() and not each.is_symlink() for each in inner):
            return git
    return None


def _from_git(folder: Path, git: Path, commit: str) -> Content:
    """The files of a commit. Git is asked for objects only, and may run no program and open no connection."""
    if (git / "objects" / "info" / "alternates").exists():
        raise Unreadable("the repository borrows from another one (objects/info/alternates)")
    taker = _Taker()
    found = _commit(git, commit)
    listing = _git(git, "ls-tree", "-r", "-z", "--full-tree", "-l", found)
    entries: list[Entry] = []
    for line in filter(None, listing.split(b"\0")):
        mode, kind, number, *rest = line.split(None, 4)
        size, _, name = rest[0], b"", rest[1] if len(rest) > 1 else b""
        text = os.fsdecode(name)
        if mode not in (b"100644", b"100755") or kind != b"blob":
            taker.note(f"left out, because it is a link or no file: {text[:200]!a}")
        else:
            entries.append((text, partial(_blob, git, number.decode(), int(size))))
    if len(entries) > ENTRIES:
        raise Unreadable(f"it holds more than {ENTRIES} files")
    home = taker.home(filter(None, (taker.parts(name) for name, _ in entries)))
    return Content(taker.take(entries, home), commit=found, notes=taker.notes)


def _commit(git: Path, commit: str) -> str:
    """The full name of a commit, or of the last one before the end of a date."""
    if re.match(r"\d{4}-\d\d-\d\d", commit):
        before = commit if len(commit) > 10 else f"{commit}T23:59:59"
        found = _git(git, "rev-list", "-1", f"--before={before}", "HEAD").decode().strip()
        if not found:
            raise Unreadable(f"it has no commit before {before}")
        return found
    if not re.fullmatch(r"[0-9A-Za-z][\w./-]*", commit):
        raise Unreadable(f"{commit!a} is no name of a commit")
    return _git(git, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}").decode().strip()


def _blob(git: Path, number: str, size: int) -> bytes:
    if size > FILE:
        raise Unreadable(f"a file of the commit is larger than {FILE >> 20} MB")
    return _git(git, "cat-file", "blob", number)


def _git(git: Path, *words: str) -> bytes:
    quiet = ("core.fsmonitor=", "core.hooksPath=/dev/null", "safe.directory=*", "core.alternateRefsCommand=")
    command = ["git", "--no-pager", "--no-replace-objects", f"--git-dir={git}"]
    command += [word for each in quiet for word in ("-c", each)]
    nothing = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    mine = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_OPTIONAL_LOCKS": "0"}
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **nothing, **mine}
    try:
        done = subprocess.run(
            [*command, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=env,
            timeout=GIT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise DojoError("This needs git, to read a commit: install it.") from None
    except subprocess.TimeoutExpired:
        raise Unreadable(f"git does not answer within {GIT_SECONDS:g} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unreadable(f"git cannot read it: {said[-1] if said else 'it said nothing'}")
    return done.stdout
