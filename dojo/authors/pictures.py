"""`make dev-pictures`: what a terminal shows of a red run and of a green one, drawn for the README.

Both are real runs, in a copy of the repository where the student has written katas 01 to 03: once with a classic
mistake of tests/mistakes planted in kata 03, once without.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from dojo.catalogue import ROOT, SOLUTIONS, kata
from dojo.tree import mistakes

COLUMNS = 96
KATA = kata(3)
MISTAKE = "sigmoid_overflows"
PICTURES = ROOT / "docs" / "pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, default=PICTURES, metavar="FOLDER", help="where they are written")


def run(options: argparse.Namespace) -> int:
    options.to.mkdir(parents=True, exist_ok=True)
    planted = next(each for each in mistakes.load(KATA) if each.name == MISTAKE).plant()
    for name, sources in {"red": planted, "green": {}}.items():
        file = options.to / f"{name}.svg"
        print(f"drawing {file} ...", flush=True)
        file.write_text(drawn(f"make kata N={KATA.number}", output_of_a_run(sources)), encoding="utf-8")
    return 0


def output_of_a_run(sources: dict[str, str]) -> str:
    """What `make kata` prints for the reference, with the modules in `sources` replaced."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for part in ("dojo", "katas"):
            shutil.copytree(ROOT / part, home / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "conftest.py", "constraints.txt", "constraints-dev.txt"):
            shutil.copy(ROOT / part, home / part)
        shutil.copytree(SOLUTIONS, home / "tinytorch", ignore=shutil.ignore_patterns("__pycache__"))
        for module, source in sources.items():
            (home / module.replace(".", "/")).with_suffix(".py").write_text(source, encoding="utf-8")
        asked = {"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "PYTHONPATH")}
        command = [sys.executable, "-m", "dojo", "kata", str(KATA.number)]
        done = subprocess.run(
            command,
            cwd=home,
            env={**kept, **asked},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout


def drawn(command: str, output: str) -> str:
    """An SVG of a terminal. The font is the reader's own: a picture in a README loads nothing from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ {command}\n") + Text.from_ansi(output))
    picture = console.export_svg(title=command, theme=MONOKAI, unique_id="terminal")
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
