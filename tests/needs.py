"""What some tests need beyond Python. On a stranger's machine they are skipped with a plain word; CI insists on it."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

INSIST = "TINYTORCH_INSIST"  # .ci/run sets it: what it installed has to be there


def program(*names: str) -> str:
    """The path of the first of these programs that is installed."""
    for name in names:
        if (path := shutil.which(name)) is not None:
            return path
    return missing(f"{names[0]} is not installed")


def module(name: str) -> None:
    """A Python package that only some tests need."""
    if importlib.util.find_spec(name) is None:
        missing(f"the package {name} is not installed")


def missing(what: str) -> str:
    """Skip the test, or fail where all that is needed has to be there."""
    if os.environ.get(INSIST):
        pytest.fail(f"{what}, and {INSIST} is set")
    pytest.skip(what)
