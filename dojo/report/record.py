"""What a command found, as data: one line of JSON on the standard output and nothing else, for programs (JSON=1).

AGENTS.md describes the fields. A field that is added changes nothing for who reads the others; a field that changes its
meaning, or goes, makes a new VERSION.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dojo.errors import DojoError
from dojo.run.results import Result

VERSION = 1
Record = dict[str, Any]


def answer(command: str, find: Callable[[], tuple[int, Record]]) -> int:
    """Print what `find` gives, its exit status left out; or the sentence of a DojoError as "error"."""
    try:
        code, found = find()
    except DojoError as error:
        code, found = error.code, {"error": str(error)}
    print(json.dumps({"version": VERSION, "command": command, **found}), flush=True)
    return code


def of_spec(result: Result | None) -> Record | None:
    """A red spec: where it stands, what is said of it, and the function to write if one is missing."""
    if result is None:
        return None
    file, _, name = result.id.partition("::")
    owner = {"kata": result.owner[0], "function": result.owner[1]} if result.owner else None
    return {
        "spec": name,
        "file": file,
        "state": result.state,
        "summary": result.summary,
        "text": result.text,
        "write": owner,
    }
