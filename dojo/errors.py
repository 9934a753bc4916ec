"""How sentences are shown to a person, and the exception that is shown as a sentence, not as a traceback."""

from __future__ import annotations

import sys
from typing import TextIO

RED = 1  # specs are red
USAGE = 2  # the command or the environment is wrong
INTERRUPTED = 130  # Ctrl-C, as shells count it


class DojoError(Exception):
    """A problem that a person can fix. The message says what is wrong and what to do about it."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


def said(error: BaseException) -> str:
    """What an exception says. One of a student's own class may fail to say it."""
    try:
        return str(error)
    except Exception as failure:
        return f"its __str__ raises {type(failure).__name__}"


def display(text: str, hang: int = 0, file: TextIO | None = None) -> None:
    """Print sentences at once. On a terminal long lines are broken between words.

    Continuation lines are indented like the line, and `hang` columns more.
    """
    stream = file or sys.stdout
    if stream.isatty():
        text = "\n".join(fitted(line, hang) for line in text.split("\n"))
    print(text, file=stream, flush=True)


def fitted(line: str, hang: int = 0, width: int = 0) -> str:
    """The line, broken into lines of that width (by default that of the terminal)."""
    import shutil
    import textwrap

    width = width or shutil.get_terminal_size().columns
    if len(line) <= width:
        return line
    indent = " " * min(len(line) - len(line.lstrip()) + hang, width // 2)
    whole = {"replace_whitespace": False, "break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(line, width, subsequent_indent=indent, **whole)  # type: ignore[arg-type]
