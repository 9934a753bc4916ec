"""The commands: one table, one place. Standard library only, and it runs on Python 3.8.

A command's module offers `add_arguments(parser)` and `run(options) -> int`, and is imported when it is used.
"""

from __future__ import annotations

from typing import NamedTuple

ANY, PYTHON, VENV = "any Python", "Python 3.11", "the packages in .venv"


class Command(NamedTuple):
    usage: str
    """As a person types it after `make`; empty where the command is not listed."""
    help: str
    module: str
    needs: str


COMMANDS = {
    "kata": Command("kata N=2", "run kata 2 up to its first red spec, explained", "kata", VENV),
    "watch": Command("watch", "the same on every save; N=2 begins there", "watch", VENV),
    "hint": Command("hint N=2", "the next hint for the first red spec", "hints", VENV),
    "board": Command("board", "the twenty katas: what is green, what is red", "board", VENV),
    "milestone": Command("milestone N=6", "see what your code can do by now", "milestone", VENV),
    "data": Command("data", "the data sets; NAME=mnist downloads one", "data", VENV),
    "diff": Command("diff N=2", "from your module to the reference", "diff", PYTHON),
    "start": Command("start N=4", "begin at kata 4: fill what is below it", "start", VENV),
    "reset": Command("reset N=2", "begin kata 2 again; yours is backed up", "reset", PYTHON),
    "restore": Command("restore", "list the backups; N=1 takes the newest back", "restore", PYTHON),
    "solutions-branch": Command(
        "solutions-branch", "a git branch with the reference in tinytorch/", "solutions_branch", PYTHON
    ),
    "doctor": Command("doctor", "what is installed, what is missing, what to do", "doctor", ANY),
    "test": Command("test", "the repository's own tests", "own_tests", VENV),
    "gate": Command("gate", "the same, deeper and slower; N=2 for one kata", "gate", VENV),
    "skeleton": Command("skeleton", "derive tinytorch/ from the reference", "skeleton", PYTHON),
    "manifest": Command("manifest", "list the specs in katas/manifest.txt", "manifest", VENV),
    "pictures": Command("pictures", "draw the README's pictures from real runs", "pictures", VENV),
}


def listing(columns: int) -> str:
    """Every command with a line on each, or two where the terminal is narrow."""
    widest = max(len(command.usage) for command in COMMANDS.values())
    lines = []
    for command in COMMANDS.values():
        line = f"  make {command.usage:{widest}}  {command.help}"
        lines += [line] if len(line) <= columns else [f"  make {command.usage}", f"    {command.help}"]
    return "\n".join(lines)


def words(arguments: list[str]) -> list[str]:
    """The words of make as those of a command line: N=7 is `7`, K=relu is `--k=relu`, FORCE=1 is `--force`.

    Empty ones were not given. Everything else passes as it is.
    """
    options, positional = [], []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in ("N", "K", "ARGS", "FORCE", "DATA", "NAME", "DIR"):
            options.append(argument)
        elif name in ("N", "NAME"):
            positional += ["--", value] if value.strip() else []
        elif name == "FORCE":
            options += ["--force"] if value not in ("", "0") else []
        elif value:
            options.append(f"--{name.lower()}={value}")
    return options + positional
