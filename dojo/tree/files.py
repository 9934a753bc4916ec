"""Write a file whole or not at all, whoever reads or writes it at the same time."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write(path: Path, text: str, durable: bool = False) -> None:
    """Write a text. The folder is made if it is missing.

    A durable file is on the disk when this returns; what can be made again need not be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number, aside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def write_json(path: Path, record: Any) -> None:
    """Write a record as JSON that a person can read."""
    write(path, json.dumps(record, indent=1) + "\n")
