"""A sandbox: where student code runs. It is started here, told what to run, watched, and ended with all that is in it.

bubblewrap gives it an empty file system with the interpreter, the dojo and the specs, read-only, a small /tmp, and no
network; landlock forbids the rest where there is no bubblewrap. `rights` says what each run gives up inside.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dojo.catalogue import ROOT
from dojo.errors import DojoError
from dojo.run.results import Result
from dojo.teach import rights

BUBBLEWRAP, LANDLOCK, NONE = "bubblewrap", "landlock", "none"
FIRST_UID = 0x70000000  # from here on no system gives numbers to users
NOBODY = 65534
PREFIX = "dojo-box-"
START = 60.0  # seconds that a sandbox may take to start
SILENCE = 30.0  # seconds without a sign of life, on a machine that may be very busy
LOOK = 0.25  # seconds between two looks at the memory
RECEIVED = 32 << 20  # bytes that one run may report
STATES = ("green", "next", "wrong", "inconclusive", "elsewhere")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
MAIN = "import sys; sys.path.append(sys.argv.pop(1)); from dojo.teach.inside import main; main()"


@dataclass(frozen=True)
class Limits:
    """What one run of student code may use."""

    wall: float = 180.0
    """Seconds."""
    cpu: float = 120.0
    """Seconds, of all processes together. The kernel's own limit is not used: with it the clock of CPU time is too
    coarse for the specs that measure."""
    memory: int = 2 << 30
    """Bytes of address space, of each process."""
    together: int = 2 << 30
    """Bytes in memory, of all processes together."""
    file: int = 128 << 20
    """Bytes of the largest file."""
    scratch: int = 256 << 20
    """Bytes in /tmp."""
    files: int = 20_000
    processes: int = 64
    """Processes and threads."""


@dataclass
class Report:
    """What is known of a run that has ended."""

    results: list[Result] = field(default_factory=list)
    kind: str = ""
    """How the run ended, as `process.Ending.kind` says it; "dead" if the sandbox ended first."""
    number: int = 0
    running: str = ""
    """The spec that ran at the end."""
    words: str = ""
    """How it ended, in a sentence."""
    text: str = ""
    """The explanation of a death."""
    output: str = ""
    spoiled: str = ""
    """Why the grader ended the run, if it did."""


# Which one ----------------------------------------------------------------------------------------------


@cache
def kind() -> str:
    """The best sandbox that this system has."""
    if sys.platform != "linux":
        return NONE
    if shutil.which("bwrap") and _starts():
        return BUBBLEWRAP
    return LANDLOCK if rights.landlock_abi() >= rights.LANDLOCK_ABI else NONE


def _starts() -> bool:
    """Whether bubblewrap may do what it has to: some systems forbid it to ordinary users."""
    command = ["bwrap", *_spaces(), "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def chosen(unsafe: bool = False) -> str:
    """The sandbox to use. Without any it is a DojoError, unless `unsafe`."""
    if kind() == LANDLOCK and os.geteuid() == 0 and (closed := _closed_folder()):
        raise DojoError(
            f"{closed} can be entered by root alone, and submissions run as another user, who has to read Python "
            "there. Install bubblewrap (on Debian and Ubuntu: `apt install bubblewrap`), or grade as an ordinary user."
        )
    if kind() != NONE or unsafe:
        return kind()
    raise DojoError(
        "There is no sandbox here, and submissions are programs that can do anything. Install bubblewrap (on Debian "
        "and Ubuntu: `sudo apt install bubblewrap`), or say UNSAFE=1 if you trust every line of every submission."
    )


def _spaces() -> list[str]:
    """Spaces of its own for everything. Root needs no space of users; there, limits of processes would not hold."""
    if os.geteuid() == 0:
        return ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    return ["--unshare-all", "--unshare-user", "--disable-userns"]


# One sandbox --------------------------------------------------------------------------------------------


class Sandbox:
    """Runs jobs, one after the other, in one sandbox, which is started when it is needed and again if it died."""

    def __init__(self, kind: str, limits: Limits | None = None) -> None:
        self.kind = kind
        self.limits = limits or Limits()
        self.box = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.box.chmod(0o755)
        self.tree = self.box / "yours" / "tinytorch"
        """The submission, or a copy of it."""
        self.reference = self.box / "reference" / "tinytorch"
        """What of the reference can be seen."""
        self.uid = _free_uid() if os.geteuid() == 0 and kind != NONE else 0
        self.inside = Path("/box") if kind == BUBBLEWRAP else self.box
        """Where student code finds the two trees."""
        self.scratch = ["/tmp", "/dev/shm"] if kind == BUBBLEWRAP else [str(self.box / "tmp")]
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._rest = b""
        for folder in (self.tree.parent, self.reference.parent, self.box / "tmp"):
            folder.mkdir()
            folder.chmod(0o755)
        for folder in (self.tree, self.reference):
            self.show(folder, {})
        if self.uid:
            os.chown(self.box / "tmp", self.uid, self.uid)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._end()
        rights.remove(self.box)

    def show(self, place: Path, files: Mapping[str, bytes]) -> None:
        """Let a tree in the sandbox hold exactly these files."""
        shutil.rmtree(place, ignore_errors=True)
        before = os.umask(0o022)  # the user in the sandbox reads them
        try:
            place.mkdir()
            for name, content in files.items():
                path = place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        finally:
            os.umask(before)

    def run(
        self,
        args: list[str],
        tree: Path,
        special: Mapping[str, Path] | None = None,
        closed: frozenset[str] = frozenset(),
        limit: float | None = None,
    ) -> Report:
        """Run pytest with these arguments, and a plan as `overlay.Plan` has it, to its end."""
        limit = limit or self.limits.wall
        job = {
            "args": args,
            "tree": self._inside(tree),
            "special": {slug: self._inside(each) for slug, each in (special or {}).items()},
            "closed": sorted(closed),
            "limit": limit,
        }
        report = Report()
        try:
            self._ask(job)
            for record in self._heard(time.monotonic() + limit + SILENCE):
                if "result" in record:
                    report.results.append(self._result(record["result"]))
                elif "done" in record:
                    if record["done"].pop("last"):
                        self._end()
                    for name, value in record["done"].items():
                        value = value if isinstance(value, int) else self._clean(str(value))
                        setattr(report, name, value)
                    return report
        except _Dead as death:
            report.kind, report.spoiled = "dead", str(death)
            self._end()
        except BaseException:
            self._end()
            raise
        return report

    def _ask(self, job: Mapping[str, Any]) -> None:
        """Send the job. If the sandbox has ended there is no answer, and `_heard` says so."""
        self._start()
        assert self._socket is not None
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(job).encode() + b"\n")

    def _inside(self, path: Path) -> str:
        return str(self.inside / path.relative_to(self.box))

    # How it is started and ended -------------------------------------------------------------------------

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._end()
        mine, theirs = socket.socketpair()
        readable = [
            *_readable(),
            str(self.box / "yours"),
            str(self.box / "reference"),
            "/proc",
            "/dev/urandom",
        ]
        settings = [
            self.kind, self.uid, asdict(self.limits), self.scratch, readable, rights.space_of_processes(),
            self._inside(self.reference),
        ]  # fmt: skip
        python = [sys.executable, "-I", "-c", MAIN, str(ROOT), str(theirs.fileno()), json.dumps(settings)]
        command = [*self._bubblewrap(), *python] if self.kind == BUBBLEWRAP else python
        with theirs, (self.box / "said").open("wb") as said:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._socket, self._rest = mine, b""
        try:
            next(self._heard(time.monotonic() + START, silence=START))
        except _Dead:
            said_last = (self.box / "said").read_text(errors="replace").strip().splitlines()[-1:]
            self._end()
            raise DojoError(
                f"the sandbox does not start: {''.join(said_last) or 'it said nothing'}"
            ) from None

    def _environment(self) -> dict[str, str]:
        scratch = self.scratch[0]
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": scratch,
            "TMPDIR": scratch,
            "HYPOTHESIS_STORAGE_DIRECTORY": f"{scratch}/hypothesis",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
        }

    def _bubblewrap(self) -> list[str]:
        """The command that makes the sandbox: what is not named here is not there."""
        command = ["bwrap", *_spaces(), "--die-with-parent", "--new-session", "--as-pid-1"]
        trees = [self.tree.parent, self.reference.parent]
        shown = {folder: folder for folder in _readable()} | {str(each): self._inside(each) for each in trees}
        small = str(self.limits.scratch)
        command += [
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--perms",
            "1777",
            "--size",
            small,
            "--tmpfs",
            "/dev/shm",
        ]
        command += ["--remount-ro", "/dev"]
        command += ["--perms", "1777", "--size", small, "--tmpfs", "/tmp"]
        for folder in _parents(list(shown.values())):
            command += ["--perms", "0755", "--dir", folder]
        for folder, place in shown.items():
            command += _link(folder) if os.path.islink(folder) else ["--ro-bind", folder, place]
        return [*command, "--remount-ro", "/", "--chdir", str(ROOT), "--"]

    def _end(self) -> None:
        """Kill everything in the sandbox."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        process, self._process = self._process, None
        if process is None:
            return
        below = rights.descendants(process.pid)
        for pid in (process.pid, *below):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if self.uid and self.kind == LANDLOCK:
            rights.as_user(self.uid, lambda: os.kill(-1, signal.SIGKILL))

    # What it says ----------------------------------------------------------------------------------------

    def _heard(self, until: float, silence: float = SILENCE) -> Iterator[dict[str, Any]]:
        """The records as they come. _Dead if it ends, is silent for too long, or uses too much memory."""
        assert self._socket is not None and self._process is not None
        self._socket.settimeout(LOOK)
        received, heard, look = 0, time.monotonic(), 0.0
        before: float | None = None
        while True:
            now = time.monotonic()
            if now > until:
                raise _Dead("it ran into the time limit")
            if now > heard + silence:
                raise _Dead("it stopped the process that watches it")
            if now > look:
                look = now + LOOK
                memory, cpu = _used(self._process.pid)
                before = cpu if before is None else before
                if cpu - before > self.limits.cpu:
                    raise _Dead(f"it used more than {self.limits.cpu:g} s of CPU time")
                if memory > self.limits.together:
                    raise _Dead(f"its processes used more than {self.limits.together >> 20} MB of memory")
            try:
                chunk = self._socket.recv(1 << 20)
            except TimeoutError:
                continue
            except OSError:
                chunk = b""
            if not chunk:
                raise _Dead("it ended the process that watches it, or the memory was used up")
            heard, received = now, received + len(chunk)
            if received > RECEIVED:
                raise _Dead("its report has no end")
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            try:
                records = [json.loads(line) for line in lines]
            except (ValueError, RecursionError):
                raise _Dead("its report cannot be read") from None
            yield from records

    def _result(self, record: Mapping[str, Any]) -> Result:
        """A result, of which nothing is believed but its form."""
        state = record["state"] if record["state"] in STATES else "wrong"
        owner = record["owner"]
        try:
            owner = (int(owner[0]), str(owner[1])) if owner else None
            seconds = float(record["duration"])
        except (TypeError, ValueError, LookupError):
            owner, seconds = None, 0.0
        text, summary = self._clean(str(record["text"])), self._clean(str(record["summary"]))
        return Result(str(record["id"]), state, summary, text, owner, seconds)

    def _clean(self, text: str) -> str:
        """What student code had a word in, without the sandbox's own paths and without control characters."""
        yours, reference = (f"{self._inside(each.parent)}/" for each in (self.tree, self.reference))
        text = text.replace(yours, "").replace(reference, "solutions/")
        return "".join(
            each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
        )


class _Dead(Exception):
    """The sandbox has to be ended, or has ended."""


# What is in it ------------------------------------------------------------------------------------------


@cache
def _readable() -> tuple[str, ...]:
    """What student code may read besides the two trees: the system, the interpreter, the dojo, the specs."""
    system = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/localtime"]
    python = [sys.base_prefix, sys.prefix]
    ours = [str(ROOT / name) for name in ("dojo", "katas", "conftest.py", "pyproject.toml")]
    return tuple(each for each in dict.fromkeys([*system, *python, *ours]) if os.path.exists(each))


def _closed_folder() -> Path | None:
    """A folder that other users cannot enter, on the way to what student code has to read."""
    folders = (parent for path in _readable() for parent in Path(path).resolve().parents)
    return next((each for each in folders if not each.stat().st_mode & stat.S_IXOTH), None)


def _parents(paths: list[str]) -> list[str]:
    """The folders on the way to these paths, that all can be entered."""
    found = {str(parent): None for path in paths for parent in reversed(Path(path).parents)}
    return [each for each in found if each not in ("/", "/tmp", "/usr", "/dev")]


def _link(path: str) -> list[str]:
    return ["--symlink", os.readlink(path), path]


def _free_uid() -> int:
    """A user that nobody else is: limits of processes count all that a user has."""
    uid = FIRST_UID + os.getpid()
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    mapped = any(int(first) <= uid < int(first) + int(count) for first, _, count in ranges)
    return uid if mapped else NOBODY


def _used(pid: int) -> tuple[int, float]:
    """The bytes in memory and the seconds of CPU time of a process and all below it. Shared memory counts for each."""
    pages, ticks = 0, 0
    for each in (pid, *rights.descendants(pid)):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # its own, and of its children that have ended
            pages += int(fields[21])
    return pages * PAGE, ticks / os.sysconf("SC_CLK_TCK")


def remove_leftovers() -> None:
    """Remove the folders of graders that were killed."""
    for box in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = box.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            rights.remove(box)
