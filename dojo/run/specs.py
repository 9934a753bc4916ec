"""The specs that there are, as a list in katas/manifest.txt: a spec that was never collected is not green.

`python -m dojo manifest` writes it, and a test compares it with what pytest collects.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from dojo.bootstrap import forget_pytest_options
from dojo.catalogue import KATAS, ROOT, Kata
from dojo.errors import DojoError
from dojo.tree.overlay import shown

MANIFEST = ROOT / "katas" / "manifest.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There is nothing to choose."""


def run(options: argparse.Namespace) -> int:
    print(f"{shown(MANIFEST)} lists {len(write())} specs.")
    return 0


def expected(kata: Kata) -> list[str]:
    """The node ids of the kata's specs, in order. Empty where the manifest knows none."""
    if not MANIFEST.is_file():
        return []
    lines = MANIFEST.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(f"katas/{kata.name}/")]


def collect() -> list[str]:
    """The node ids that pytest collects on the reference, in order."""
    folders = [str(k.folder.relative_to(ROOT)) for k in KATAS if any(k.folder.glob("test_*.py"))]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--impl", "solutions", *folders]
    forget_pytest_options()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    ids = [line for line in done.stdout.splitlines() if line.startswith("katas/") and "::" in line]
    broken = [id for id in ids if id.endswith("::import")]
    if done.returncode or broken:
        what = "\n".join(broken) or (done.stdout + done.stderr)[-2000:]
        raise DojoError(f"The specs cannot be collected on the reference:\n{what}")
    return ids


def write() -> list[str]:
    """Write the manifest anew, and return it."""
    ids = collect()
    aside = MANIFEST.with_suffix(".part")
    aside.write_text("".join(id + "\n" for id in ids), encoding="utf-8")
    aside.replace(MANIFEST)
    return ids
