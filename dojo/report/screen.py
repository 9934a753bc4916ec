"""Sentences on the terminal."""

from __future__ import annotations

from shutil import get_terminal_size

from dojo.report.explain import WIDTH, wrap


def say(text: str) -> None:
    """Print a paragraph, wrapped to the terminal, after an empty line."""
    print("", *wrap(text, min(get_terminal_size().columns, WIDTH)), sep="\n", flush=True)
