"""Change from any Python to the one in .venv, which has what the katas need. .venv is built if it is missing.

Standard library only, and it runs on Python 3.8. What is slow to import is imported where it is used, because
every command passes through here.

.venv is complete when it holds a stamp that says what was installed, where, and for which Python. A build that
was interrupted leaves no stamp, so the next command continues it.
"""

from __future__ import annotations

import os
import sys
import time
from typing import IO, Any

from dojo.errors import DojoError

OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")  # where python3 itself is too old
ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ENTRY = os.path.join(ROOT, "dojo", "__main__.py")
VENV = os.path.join(ROOT, ".venv")
CONSTRAINTS = os.path.join(ROOT, "constraints.txt")
DEV = os.path.join(ROOT, "constraints-dev.txt")
LOG = os.path.join(ROOT, ".dojo", "install.log")
STAMP = "tinytorch-katas.txt"
STARTED = "DOJO_STARTED"  # the process that changed to another Python: it keeps its number

NETWORK = (
    "name resolution|name or service|resolve|dns error|network|connection|connect|timed out|failed to fetch"
    "|from versions: none|proxy|certificate"
)


# Into the right Python ----------------------------------------------------------------------------------


def enter_venv(arguments: list[str], dev: bool = False) -> None:
    """Run the command again in an environment that has the packages, with `dev` the maintainers' too.

    Returns only if this Python is already in such an environment.
    """
    pin_blas()
    forget_pytest_options()
    if sys.prefix != sys.base_prefix and is_complete(sys.prefix, dev):
        return
    if not is_complete(VENV, dev):
        build(dev)
    _go_on(python_of(VENV), arguments)


def pin_blas() -> None:
    """Let BLAS use one thread: on a busy machine two wait for each other. NumPy reads this when it is imported."""
    for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
        os.environ[library + "_NUM_THREADS"] = "1"


def forget_pytest_options() -> None:
    """Drop the options that a person's environment gives to every pytest: a `-k` there would hide red specs."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)


def enter_python(arguments: list[str]) -> None:
    """Run the command again in a Python that is new enough. Returns only if this one is."""
    if sys.version_info < OLDEST:
        _go_on(python_of(VENV) if is_complete(VENV) else new_python(), arguments)


def _go_on(python: str, arguments: list[str]) -> None:
    if os.environ.get(STARTED) == str(os.getpid()):  # a second time would never end
        raise DojoError(f"{python} does not work: delete .venv and try again.")
    os.environ[STARTED] = str(os.getpid())
    sys.stdout.flush()
    command = [python, ENTRY, *arguments]
    if sys.platform == "win32":  # there the caller of an exec does not wait for what follows
        import subprocess

        sys.exit(subprocess.call(command))
    os.execv(python, command)


def new_python() -> str:
    """A Python that is new enough: this one, or else one on PATH."""
    if sys.version_info >= OLDEST:
        return getattr(sys, "_base_executable", "") or sys.executable
    import shutil

    for name in NEWER:
        python = shutil.which(name)
        if python and is_new(python):
            return python
    mine, oldest = (".".join(map(str, version[:2])) for version in (sys.version_info, OLDEST))
    raise DojoError(
        f"This is Python {mine}, and the katas need {oldest} or newer: install one and `make` finds it, or type "
        "`make PYTHON=/path/to/python3 ...`."
    )


def is_new(python: str, module: str = "sys") -> bool:
    """Whether that Python runs at all, is new enough, and has the module."""
    import subprocess

    asked = f"import sys, {module}; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([python, "-I", "-c", asked], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


# The environment ----------------------------------------------------------------------------------------


def python_of(prefix: str) -> str:
    windows = sys.platform == "win32"
    return os.path.join(prefix, "Scripts", "python.exe") if windows else os.path.join(prefix, "bin", "python")


def is_complete(prefix: str, dev: bool = False) -> bool:
    """Whether everything in constraints.txt was installed there, and nothing has moved since."""
    found = read(os.path.join(prefix, STAMP))
    whole = [_stamp(prefix, dev=True)] if dev else [_stamp(prefix), _stamp(prefix, dev=True)]
    return found in whole and os.path.exists(python_of(prefix))


def stamp(prefix: str, dev: bool = False) -> None:
    """Say that an environment is complete: the commands stay in it, whatever versions it has."""
    with open(os.path.join(prefix, STAMP), "w", encoding="utf-8") as file:
        file.write(_stamp(prefix, dev))


def _stamp(prefix: str, dev: bool = False) -> str:
    """The stamp of a complete environment. An environment cannot be moved, nor change its Python."""
    home = [os.path.realpath(prefix), os.path.realpath(python_of(prefix))]
    return "\n".join([*home, read(CONSTRAINTS), *([read(DEV)] if dev else [])])


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def build(dev: bool = False) -> None:
    """Build .venv, or bring it up to date. After an error .venv has no stamp; if it was new, it is removed."""
    python = new_python()
    try:
        os.makedirs(os.path.dirname(LOG), exist_ok=True)
        lock = open(os.path.join(ROOT, ".dojo", "install.lock"), "w")  # noqa: SIM115
    except OSError as error:
        folder = os.path.join(ROOT, ".dojo")
        raise DojoError(
            f"{folder} cannot be written ({error.strerror}), and .venv is built beside it. Is the folder yours?"
        ) from None
    with lock:
        _wait_for(lock)
        if is_complete(VENV, dev):
            return
        print("building .venv (once, about a minute) ...", flush=True)
        with open(LOG, "w", encoding="utf-8") as log:
            _build(python, log, dev)


def _wait_for(lock: IO[str]) -> None:
    """Wait while another command builds .venv."""
    if try_to_lock(lock):
        return
    print("another command is building .venv, waiting for it ...", flush=True)
    while not try_to_lock(lock):
        time.sleep(0.2)


def try_to_lock(lock: IO[Any]) -> bool:
    """Lock the file until it is closed. False if another process has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _build(python: str, log: IO[str], dev: bool) -> None:
    import shutil

    known = read(os.path.join(VENV, STAMP)).splitlines()[:2]
    moved = known and known != _stamp(VENV).splitlines()[:2]
    uv = shutil.which("uv")
    fresh = bool(moved) or not is_new(python_of(VENV), "sys" if uv else "pip")
    try:
        if fresh:
            _remove(VENV)
            make = [uv, "venv", "--seed", "--python", python] if uv else [python, "-I", "-m", "venv"]
            _run([*make, VENV], log)
        else:
            _remove(os.path.join(VENV, STAMP))
        if uv:
            install = [uv, "pip", "install", "--python", python_of(VENV)]
        else:
            install = [python_of(VENV), "-I", "-m", "pip", "install"]
            install += ["--disable-pip-version-check", "--no-input"]
        lists = [CONSTRAINTS, *([DEV] if dev else [])]
        packages = "".join(map(read, lists)).count("==")
        _run([*install, *(word for each in lists for word in ("-r", each))], log, packages)
        _run([python_of(VENV), "-I", "-c", PATH_FILE, ROOT], log)
        stamp(VENV, dev)
    except BaseException:
        if fresh:
            _remove(VENV)
        raise


PATH_FILE = """
import os, sys, sysconfig
with open(os.path.join(sysconfig.get_path("purelib"), "tinytorch-katas.pth"), "w") as file:
    file.write(sys.argv[1] + "\\nimport runpy\\n")
"""
"""A .pth file by which plain `pytest` finds the dojo. It also imports what `python -m` needs, before a types.py in the
current folder can hide Python's own."""


def _remove(path: str) -> None:
    import shutil

    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def _run(command: list[str], log: IO[str], packages: int = 0) -> None:
    """Run one step of the build. Its output goes to the log, and a failure is one sentence.

    If it installs `packages`, a terminal shows how many have been fetched.
    """
    import subprocess

    log.write("$ {}\n".format(" ".join(command)))
    log.flush()
    try:
        step = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise DojoError(f"{command[0]} cannot be started: {error.strerror}.") from None
    shown = bool(packages) and sys.stdout.isatty()
    with step:
        while step.poll() is None:
            time.sleep(0.1)
            if shown:
                come = min(read(LOG).count("\nCollecting "), packages)
                print(f"\r{come} of {packages} packages ", end="", flush=True)
    if shown:
        print("\r" + " " * 24 + "\r", end="", flush=True)
    if step.returncode:
        raise DojoError(why(read(LOG)))


def why(log: str) -> str:
    """Say in one sentence why a build failed, from what it printed."""
    import re

    if "ensurepip" in log:
        reason = "this Python cannot make environments. On Debian and Ubuntu, `sudo apt install python3-venv`"
    elif "No space left" in log:
        reason = "the disk is full"
    elif re.search(NETWORK, log, re.IGNORECASE):
        reason = "the packages could not be downloaded. Is there a network? Then run the same command again"
    else:
        lines = [line for line in log.splitlines() if re.match("error", line, re.IGNORECASE)]
        reason = (lines or log.strip().splitlines() or ["no reason was given"])[-1].rstrip(".")
    return f".venv was not built: {reason}. The details are in .dojo/install.log."
