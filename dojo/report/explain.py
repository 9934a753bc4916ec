"""What the student is told about a red spec: the requirement, the smallest example, what differs, their own line.

Everything here turns an exception into plain text. Lines are wrapped only when they are printed.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from dojo.catalogue import ROOT
from dojo.errors import fitted, said
from dojo.report.suspects import is_given, suspects, where_to_import
from dojo.run import chosen
from dojo.run.results import LABEL, Explanation, Spec, labelled, page
from dojo.tree.overlay import shown
from dojo.tree.source import asked_for, is_of_kata, is_student

MESSAGE_LINES = 24
LINE_LENGTH = 400
PRINTED_LINES = 5
PRINTED_LENGTH = 5000
MISUSED = {
    "SystemExit": "Your code called exit().",
    "KeyboardInterrupt": "Your code raised KeyboardInterrupt, as Ctrl-C does.",
    "Skipped": "Your code called pytest.skip(): only specs may be skipped, by themselves.",
    "Exit": "Your code called pytest.exit().",
}
"""The words for exceptions that are no errors of a computation, by the name of the class."""
INPUT = "Your code waits for input(), and a spec has no keyboard: use an argument instead."
DEBUGGER = (
    "Your code starts a debugger, as breakpoint() does, and a spec has no keyboard. Inside .venv, `pytest -x --pdb` "
    "with the kata's folder opens one where the spec fails."
)
WIDTH = 100  # columns; longer lines are hard to read
LABELS = ("for ", "your line ", "look at ", "raised in ", "spec ", "printed ", "also wrong ", "to write ")


class Misused(Exception):
    """Student code raised an exception that would end pytest."""


class Hang(BaseException):
    """A spec ran into its time limit. Not an Exception: hypothesis would catch it and try again."""


def explain(error: BaseException, spec: Spec, printed: str = "") -> Explanation:
    """What to tell the student about a spec that ended with `error` and printed `printed`."""
    errors = list(_chain(error))
    for each in errors:
        if owner := asked_for(each):
            return _next(each, spec, *owner)
    if _from_the_dojo(errors, "Inconclusive", "timing.py"):
        return _no_verdict("inconclusive", "this timing could not be judged, run it again", error, spec)
    if _from_the_dojo(errors, "Elsewhere", "child.py"):
        return _no_verdict("elsewhere", "this system cannot run it", error, spec)
    return _wrong(error, spec, printed)


def from_student(error: BaseException) -> bool:
    """Whether a line of the student's code raised the error, or led to it."""
    return any(is_student(frame.filename) for each in _chain(error) for frame in _frames(each))


def _from_the_dojo(errors: list[BaseException], kind: str, file: str) -> bool:
    """Whether the dojo itself raised an error of that kind, in that file: student code may raise anything."""
    return any(
        type(each).__name__ == kind
        and not from_student(each)
        and _frames(each)[-1:]
        and Path(_frames(each)[-1].filename) == ROOT / "dojo" / "spec" / file
        for each in errors
    )


def requirement(spec: Spec) -> str:
    """The sentence that the spec's docstring begins with."""
    if spec.function is None:
        return f"{shown(spec.path)} imports your module."
    return _paragraphs(spec)[0]


def _paragraphs(spec: Spec) -> list[str]:
    doc = inspect.getdoc(spec.function) or spec.name.removeprefix("test_").replace("_", " ")
    return [" ".join(paragraph.split()) for paragraph in doc.split("\n\n")]


def _details(spec: Spec) -> list[str]:
    """What the docstring says besides: the case that is tried, with its numbers."""
    more = _paragraphs(spec)[1:] if spec.function is not None else []
    return [line for paragraph in more for line in (paragraph, "")]


# The states ---------------------------------------------------------------------------------------------


def _next(error: BaseException, spec: Spec, number: int, name: str) -> Explanation:
    frames = _stack(error)
    place = f" in {shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    summary = f"next: write `{name}`{place}"
    body = [requirement(spec), *(["", *_details(spec)][:-1])]
    if chosen.leaves_out(number, name):
        body += [
            "",
            f"It is off the short path: write it, do without it, or `make take N={number} F={name}`.",
        ]
    elif number != spec.kata.number:
        body += [
            "",
            f"That belongs to kata {number:02d}: `make kata N={number}` shows what it asks for, and "
            f"`make start N={spec.kata.number}` copies the reference into each kata below this one that is not green.",
        ]
    return Explanation("next", summary, page(summary, body, _where(error, spec)), (number, name))


def _no_verdict(state: str, why: str, error: BaseException, spec: Spec) -> Explanation:
    summary = f"{state}: {why}"
    return Explanation(state, summary, page(summary, _message(error), _where(error, spec)))


def _wrong(error: BaseException, spec: Spec, printed: str) -> Explanation:
    head, message = requirement(spec), _message(error)
    if spec.function is None:
        head, message = _broken_import(_origin(error))
    body = list(message)
    if example := _example(error, spec):
        body = [*labelled("for", example), "", *body]
    body = [*_details(spec), *body]
    own = [] if isinstance(_origin(error), SyntaxError) else _your_line(error, spec)
    last = [*own, *_where(error, spec), *_printed(printed)]
    summary = head if spec.function is None else next((line for line in message if line), head)
    return Explanation("wrong", summary, page(f"wrong: {head}", body, last))


# What went wrong ----------------------------------------------------------------------------------------


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, the errors inside a group, and those that led to it."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        each = todo.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        todo += getattr(each, "exceptions", ())
        before = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        if before is not None:
            todo.append(before)


def is_speechless(error: BaseException) -> bool:
    """Whether an error, or one behind it, cannot say what it is: pytest ends when it asks."""
    try:
        for each in _chain(error):
            str(each)
    except Exception:
        return True
    return False


def _message(error: BaseException) -> list[str]:
    """The error in words, cut to what a person reads."""
    text = said(error)
    if isinstance(error, AssertionError):
        text = text.split("\nassert ")[0]  # drop pytest's analysis if the spec has words of its own
        text = re.sub(r"\n\s*Use -v to get more diff", "", text) or "the assertion does not hold"
    elif type(error).__name__ in ("Flaky", "FlakyFailure"):
        inner = getattr(error, "exceptions", ())
        text = "The same values gave different results when they were tried again."
        text += "".join(f"\n{type(each).__name__}: {said(each)}" for each in inner)
    elif words := _misuse(error):
        text = words
    elif not isinstance(error, (Hang, Misused)):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    notes = [
        note for note in getattr(error, "__notes__", ()) if note.startswith("Expected ")
    ]  # dojo.spec.raises
    text = "\n".join([text, *notes, *where_to_import(error)])
    return _cut(text.rstrip().splitlines(), MESSAGE_LINES)


def _misuse(error: BaseException) -> str:
    """The words for code that waits for a keyboard, or tries to end the run; "" for other code."""
    if isinstance(error, Misused) and error.__cause__ is not None:
        error = error.__cause__
    files = {Path(frame.filename).name for frame in _frames(error)}
    if type(error).__name__ == "BdbQuit" or files & {"pdb.py", "bdb.py"}:
        return DEBUGGER
    if isinstance(error, (OSError, EOFError)) and (
        "stdin" in said(error) or "EOF when reading" in said(error)
    ):
        return INPUT
    return MISUSED.get(type(error).__name__, "")


def _cut(lines: list[str], most: int) -> list[str]:
    kept = [line if len(line) <= LINE_LENGTH else line[:LINE_LENGTH] + " ..." for line in lines[:most]]
    more = len(lines) - len(kept)
    return [*kept, f"... and {more:,} more line{'s' * (more > 1)}"] if more else kept


def _example(error: BaseException, spec: Spec) -> list[str]:
    """The values with which the spec failed: hypothesis notes them on the exception, smallest first."""
    values = [f"{name} = {value}" for name, value in spec.values.items()]
    for note in getattr(error, "__notes__", ()):
        if re.match(r"(Failing|Falsifying) .*\(\n", note):
            values += _arguments(note.splitlines()[1:-1])
        elif drawn := re.match(r"Draw \d+(?: \((.*?)\))?: (.*)", note, re.DOTALL):
            values.append(_assigned(drawn[1] or "drawn", drawn[2]))
        elif note.startswith("An array of shape "):  # from dojo.spec.strategies: strided
            values.append(note)
    hidden = re.compile(r"= data\(\.\.\.\)$| at 0x[0-9a-f]+>")
    lines = [line for value in dict.fromkeys(values) for line in value.splitlines()]
    return _cut([line for line in lines if line.strip() and not hidden.search(line)], MESSAGE_LINES)


def _arguments(lines: list[str]) -> list[str]:
    """The arguments of a call as hypothesis writes it: each on lines of its own, indented by 4."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        line = re.sub(r"\s+# or any other generated value$", "", line[4:])
        if first := re.match(r"(\w+)=(.*)", line):
            found.append((first[1], [first[2]]))
        elif found:
            found[-1][1].append(line)
    return [_assigned(name, "\n".join(value).removesuffix(",")) for name, value in found]


def _assigned(name: str, value: str) -> str:
    """`name = value`, with the rows of an array one below the other."""
    rows = "\n" + " " * len(f"{name} = ")
    return f"{name} = " + (value.replace("\n", rows) if value.startswith("array(") else value)


def _printed(output: str) -> list[str]:
    """The last lines of what was printed: they belong to the smallest example."""
    output = output.rstrip()
    lines = output[-PRINTED_LENGTH:].splitlines()[-PRINTED_LINES:]
    more = output.count("\n") + 1 - len(lines)
    if more:
        lines = [f"... {more:,} line{'s' * (more > 1)} before", *lines]
    return labelled("printed", _cut(lines, len(lines))) if output else []


# Where --------------------------------------------------------------------------------------------------


def _your_line(error: BaseException, spec: Spec) -> list[str]:
    """The student's line that raised the error; for a wrong value, the functions that the spec calls.

    It is the deepest one in the kata's own module, or else in the student's tree, that was not given.
    """
    for each in _chain(error):
        frames = [f for f in _frames(each) if is_student(f.filename)]
        if frames:
            written = [f for f in frames if not is_given(f.filename, f.lineno)]
            own = [f for f in written if is_of_kata(f.filename, spec.kata)]
            frame, deepest = (own or written or frames)[-1], frames[-1]
            source = ["  " + frame.line.strip()] if frame.line else []
            lines = labelled("your line", [f"{shown(frame.filename)}:{frame.lineno}", *source])
            if frame is not deepest:
                lines += labelled(
                    "raised in", [f"{shown(deepest.filename)}:{deepest.lineno} ({deepest.name})"]
                )
            return lines
    called = suspects(spec)
    lines = labelled("look at", called) if called else []
    frames = _stack(error)
    if (
        spec.function
        and frames
        and not isinstance(error, AssertionError)
        and frames[-1].filename != str(spec.path)
    ):
        lines += labelled("raised in", [f"{shown(frames[-1].filename)}:{frames[-1].lineno}"])
    return lines


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames where an error was raised, the deepest last, with those of the spec's child process."""
    return [*_stack(error), *getattr(error, "child_frames", ())]


def _stack(error: BaseException) -> list[traceback.FrameSummary]:
    """As `traceback.extract_tb`, without the columns: to find them is most of its time."""
    found = traceback.walk_tb(error.__traceback__)
    return [
        traceback.FrameSummary(frame.f_code.co_filename, line, frame.f_code.co_name, lookup_line=False)
        for frame, line in found
    ]


def _where(error: BaseException, spec: Spec) -> list[str]:
    lines = [f.lineno for f in _stack(error) if f.filename == str(spec.path)]
    name = f" {spec.name}" if spec.function else ""
    return labelled("spec", [f"{shown(spec.path)}:{lines[-1] if lines else spec.line}{name}"])


# A module that cannot be imported -----------------------------------------------------------------------


def _origin(error: BaseException) -> BaseException:
    """The original error: pytest wraps the errors of an import in one of its own."""
    while type(error).__name__ == "CollectError" and error.__cause__ is not None:
        error = error.__cause__
    return error


def _broken_import(error: BaseException) -> tuple[str, list[str]]:
    """A head line and a message about what stopped the import of a spec file."""
    if isinstance(error, SyntaxError) and error.filename:
        head = f"{shown(error.filename)}:{error.lineno} is not Python yet: {error.msg}"
        text = (error.text or "").rstrip()
        indent = len(text) - len(text.lstrip())
        caret = " " * max((error.offset or 1) - 1 - indent, 0) + "^"
        return head, ["  " + text.lstrip(), "  " + caret] if text else []
    places = [
        f"{shown(frame.filename)}:{frame.lineno}"
        for each in _chain(error)
        for frame in _stack(each)
        if is_student(frame.filename) and frame.name == "<module>"
    ]
    if isinstance(error, ImportError) and "partially initialized module" in said(error):
        ring = [*dict.fromkeys(places)]
        return "Your modules import each other in a ring.", [
            *(f"{place} {'imports the next' if place != ring[-1] else 'closes the ring'}" for place in ring),
            "A kata imports only the katas below it, and its own files in one direction.",
        ]
    if isinstance(error, ImportError) and (error.name or "").startswith("tinytorch"):
        gone = re.match(r"cannot import name '(\w+)'", said(error))
        if gone and error.path and is_student(error.path):
            return f"{shown(error.path)} has no `{gone[1]}`.", ["Was it renamed or deleted?"]
        return "A module of tinytorch cannot be imported.", _cut(said(error).splitlines(), MESSAGE_LINES)
    return "Your module cannot be imported.", _message(error)


# On the screen ------------------------------------------------------------------------------------------


def wrap(text: str, width: int) -> list[str]:
    """The lines of an explanation for a terminal that wide. Continuation lines are indented like their line."""
    lines = []
    for line in text.splitlines():
        hang = LABEL if width > 50 and line[2:].startswith(LABELS) else 0
        lines += fitted(line.rstrip(), hang, width).split("\n")
    return lines
