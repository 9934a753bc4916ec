"""Sentences for a person: how they are shown, and the one exception that is shown as one instead of a traceback."""

from __future__ import annotations

import sys
from typing import TextIO

RED = 1  # specs are red
USAGE = 2  # the command or the environment is wrong
INTERRUPTED = 130  # Ctrl-C, as shells count it


class DojoError(Exception):
    """A problem that a person can mend. The message says what is wrong and what to do about it."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


def display(text: str, hang: int = 0, file: TextIO | None = None) -> None:
    """Print sentences at once. On a terminal lines are broken between words, never inside one; what hangs over keeps
    its column, `hang` deeper."""
    stream = file or sys.stdout
    if stream.isatty():
        text = "\n".join(fitted(line, hang) for line in text.split("\n"))
    print(text, file=stream, flush=True)


def fitted(line: str, hang: int = 0, width: int = 0) -> str:
    """The line in lines of that width, or of the terminal's."""
    import shutil
    import textwrap

    width = width or shutil.get_terminal_size().columns
    if len(line) <= width:
        return line
    indent = " " * min(len(line) - len(line.lstrip()) + hang, width // 2)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
