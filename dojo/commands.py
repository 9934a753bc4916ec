"""The commands: one table, one place. Standard library only, and it runs on Python 3.8.

A command's module offers `add_arguments(parser)` and `run(options) -> int`, and is imported when it is used.
"""

from __future__ import annotations

from typing import NamedTuple

from dojo.errors import DojoError

ANY, PYTHON, VENV, DEV = "any Python", "Python 3.11", "the packages in .venv", "those and the maintainers'"


class Command(NamedTuple):
    usage: str
    """As a person types it after `make`; empty if the command is not listed."""
    help: str
    module: str
    needs: str


COMMANDS = {
    "kata": Command("kata N=2", "run kata 2 up to its first red spec, explained", "student.kata", VENV),
    "watch": Command("watch", "the same on every save; N=2 for kata 2", "student.watch", VENV),
    "hint": Command("hint N=2", "the next hint for the first red spec", "student.hint", VENV),
    "board": Command("board", "the twenty katas: what is green, what is red", "student.board", VENV),
    "milestone": Command("milestone N=6", "see what your code can do by now", "student.milestone", VENV),
    "serve": Command("serve", "serve your GPT: a page, and OpenAI's API", "serve.serve", VENV),
    "bundle": Command("bundle", "put a model into a folder that can be served", "serve.bundle", VENV),
    "show": Command("show N=15", "a picture that your code draws", "student.show", VENV),
    "hunt": Command("hunt N=7", "find a mistake in a copy of your code", "student.hunt", VENV),
    "data": Command("data", "the data sets; NAME=mnist downloads one", "student.data", VENV),
    "diff": Command("diff N=2", "how your module differs from the reference", "student.diff", PYTHON),
    "another": Command("another N=7", "a green function written in another way", "student.another", VENV),
    "path": Command("path TO=short", "the short way, or TO=whole: all of it", "student.path", PYTHON),
    "take": Command("take F=relu", "give up on one function: take the reference's", "student.take", PYTHON),
    "start": Command("start N=4", "begin at kata 4: the katas below are filled in", "student.start", VENV),
    "reset": Command("reset N=2", "begin kata 2 again; your work is backed up", "student.reset", PYTHON),
    "restore": Command("restore", "list the backups; N=1 restores the newest", "student.restore", PYTHON),
    "solutions-branch": Command(
        "solutions-branch",
        "a git branch with the reference in tinytorch/",
        "student.solutions_branch",
        PYTHON,
    ),
    "doctor": Command("doctor", "what is installed, what is missing, what to do", "doctor", ANY),
    # For instructors: docs/instructor-guide.md. Not listed.
    "grade": Command("", "grade the submissions of a class", "teach.grade", VENV),
    "compare": Command("", "which submissions of a kata are alike", "teach.compare", VENV),
    "gradescope": Command("", "the autograder that Gradescope takes", "teach.gradescope", VENV),
    "student-edition": Command("", "a repository for students", "teach.student_edition", VENV),
    "nbgrader": Command("", "the katas as assignments of nbgrader's", "teach.notebooks", VENV),
    "site": Command("", "the course as a static site", "teach.site", VENV),
    # For maintainers: not listed.
    "test": Command("", "the repository's own tests", "authors.own_tests", DEV),
    "dev-gate": Command("", "a deeper and slower check of the katas; N=2 for one", "authors.gate", VENV),
    "dev-gate-torch": Command("", "PyTorch in the student's place; N=2 for one", "authors.torch_gate", VENV),
    "dev-mutants": Command(
        "", "small changes of the reference that no spec catches; N=7", "authors.mutants", VENV
    ),
    "dev-skeleton": Command("", "derive tinytorch/ from the reference", "authors.skeleton", PYTHON),
    "dev-specs": Command("", "write the lists of specs", "authors.specs", VENV),
    "dev-pictures": Command("", "draw the README's pictures from real runs", "authors.pictures", VENV),
    "bench": Command("", "how fast the reference is beside PyTorch; ARGS=W3 for one", "authors.bench", VENV),
    "pytest": Command("", "pytest as the other commands run it; arguments behind --", "run.session", VENV),
}


def listing(columns: int) -> str:
    """The list of commands, a line for each, or two if the terminal is narrow."""
    listed = [command for command in COMMANDS.values() if command.usage]
    widest = max(len(command.usage) for command in listed)
    lines = []
    for command in listed:
        line = f"  make {command.usage:{widest}}  {command.help}"
        lines += [line] if len(line) <= columns else [f"  make {command.usage}", f"    {command.help}"]
    return "\n".join(lines)


def split(args: str) -> list[str]:
    """The words of ARGS=, as a shell would cut them."""
    import shlex  # every command passes through here, and few have ARGS

    try:
        return shlex.split(args)
    except ValueError as error:
        raise DojoError(f"ARGS={args} cannot be read: {str(error).lower()}.") from None


VALUES = (
    *("N", "K", "TRACK", "ARGS", "DATA", "NAME", "DIR", "F", "TO", "MODE"),
    *("PORT", "HOST", "BUNDLE", "INSPECT", "IMPL"),
    *("SUBMISSIONS", "OUT", "ROSTER", "POINTS", "JOBS", "ONLY", "SHARD", "DASK", "DIFF", "POLICY"),
)
SWITCHES = ("FORCE", "DRY", "WHOLE", "CHECK", "UNSAFE", "SOLUTIONS", "PEERS", "SCALING", "JSON")
"""The variables that `make` passes: those with a value, and those that are on or off."""


def words(arguments: list[str]) -> list[str]:
    """Turn make's variables into a command line: N=7 is `7`, K=relu is `--k=relu`, FORCE=1 is `--force`.

    Empty ones were not given. Everything else stays as it is.
    """
    options, positional = [], []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in (*VALUES, *SWITCHES):
            options.append(argument)
        elif name in ("N", "NAME"):
            positional += ["--", value] if value.strip() else []
        elif name in SWITCHES:
            options += [f"--{name.lower()}"] if value not in ("", "0") else []
        elif value:
            options.append(f"--{name.lower()}={value}")
    return options + positional
