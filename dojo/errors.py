"""The one exception that the dojo shows to a person as a sentence instead of a traceback."""

from __future__ import annotations

RED = 1  # specs are red
USAGE = 2  # the command or the environment is wrong
INTERRUPTED = 130  # Ctrl-C, as shells count it


class DojoError(Exception):
    """A problem that a person can mend. The message says what is wrong and what to do about it."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code
