"""What CuPy has, and what its functions take: `names.txt`, which dojo/authors/cupy_names.py writes."""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path

_lines = (Path(__file__).parent / "names.txt").read_text(encoding="utf-8").splitlines()

VERSION = re.findall(r"[\d.]+\d", _lines[0])[0]
"""The CuPy from which the list was made."""

LISTED: dict[str, str] = dict(re.findall(r"^([\w.]+)(.*)$", "\n".join(_lines[1:]), re.MULTILINE))
"""From the full name to what follows it: (parameters), ": methods | loops" of a ufunc, or nothing."""


@cache
def signature(name: str) -> inspect.Signature:
    """The parameters of one of CuPy's functions or methods."""
    made: inspect.Signature = inspect.signature(eval(f"lambda {LISTED[name][1:-1]}: None"))
    return made


@cache
def loops(name: str) -> list[tuple[str, str]]:
    """The dtypes that a ufunc takes and gives, in the order in which CuPy tries them."""
    return [
        (takes, gives)
        for takes, _, gives in (each.partition("->") for each in LISTED[name].partition("|")[2].split())
    ]


@cache
def methods(name: str) -> list[str]:
    """Those of reduce, accumulate, reduceat and at that are written for a ufunc."""
    return LISTED[name].partition("|")[0][1:].split()
