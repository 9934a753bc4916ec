"""Does the reference pass on every Python, and with the oldest and the newest packages, that pyproject.toml allows?

    python -m nox                     all sessions for which there is a Python; a missing one is skipped, and named
    python -m nox -s newest-3.13      one of them
    python -m nox -s oldest -- -k numpy -x

What follows the two dashes goes to pytest. A session runs the specs of all katas on the reference, and the tests of
what they are written and run with.
"""

from __future__ import annotations

from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PYPROJECT = "pyproject.toml"

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["oldest", "newest"]
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """The oldest Python, and of each package in pyproject.toml the lowest version that its `>=` allows."""
    session.install("uv")
    lowest = Path(session.create_tmp(), "lowest.txt")
    options = (
        "--quiet",
        "--resolution=lowest-direct",
        f"--python={session.python}",
        f"--output-file={lowest}",
    )
    session.run_install("uv", "pip", "compile", PYPROJECT, *options)
    session.install("--requirement", str(lowest))
    check(session)


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """The newest versions that there are for this Python."""
    session.install("--upgrade", *nox.project.load_toml(PYPROJECT)["project"]["dependencies"])
    check(session)


def check(session: nox.Session) -> None:
    """Say what was installed, and run pytest twice: a run of katas/ alone has options of its own.

    The stamp keeps the dojo's commands in this environment: else they would change to .venv, and build it.
    """
    session.run("python", "-c", "import sys; from dojo import bootstrap; bootstrap.stamp(sys.prefix)")
    session.run("python", "-m", "pip", "list", "--format=freeze")
    pytest = ("python", "-m", "pytest", "-q", "-n2", *session.posargs)
    session.run(*pytest, "katas", "--impl=solutions", "--plain", "--dojo-limit=60")  # a machine may be busy
    session.run(*pytest, "tests/spec", "tests/run")
