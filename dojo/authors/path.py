"""The short path: which functions a student needs for the stories and the milestones. Found by running, never by hand.

On the path is every function that a story or a milestone of any kata calls, in threads and child processes too, with
the kernels of kata 15 and without; and what the dispatcher asks of a class that it installs: all its methods. Of a kata
with tracks all is on the path, as a student chooses one of them, but what its device specs alone call. A case of a spec
is short if it is green while every function off the path is a skeleton, in all katas at once. `specs.txt` of each kata
records both.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dojo.authors import gate, small
from dojo.authors.small import Milestone
from dojo.authors.walk import question
from dojo.catalogue import KATAS, SOLUTIONS, Kata
from dojo.errors import DojoError
from dojo.run import specs, warm
from dojo.run.jobs import LIMIT, Job
from dojo.run.specs import WHOLE
from dojo.run.warm import Task
from dojo.tree import reference
from dojo.tree.overlay import Plan
from dojo.tree.source import UNWRITTEN, definitions, stub

FULFILLED = ("green", "inconclusive")  # a timing that could not be judged asked for nothing that is not there


# What is played -----------------------------------------------------------------------------------------


def scenes() -> Iterator[tuple[Kata, list[str], tuple[object, ...]]]:
    """Every story and every milestone, without kernels and with them: the kata, and what a job needs to play it."""
    for kata in gate.built():
        files = sorted(kata.folder.glob("test_*.py")) if kata.tracks else gate.stories(kata)
        stories = [f"{gate.where(kata)}/{path.name}" for path in files if not path.stem.endswith("_device")]
        if stories:
            yield kata, stories, ()
            if kata.number < 15:
                yield kata, stories, (gate.Kernels(),)
        for part, args in small.scripts(kata):
            for highest in dict.fromkeys((kata.number, len(KATAS))):
                yield kata, [gate.where(kata)], (Milestone(part, highest, args),)


# What it calls ------------------------------------------------------------------------------------------

record = -1
"""Where functions that are called are written down. A child process, which is a fork, writes there too."""
seen: set[str] = set()


def ran(name: str, stub: str) -> None:
    """What every function of every kata calls first."""
    if stub not in seen:
        seen.add(stub)
        os.write(record, f"{json.dumps([stub])}\n".encode())


class Recorder:
    """Writes down, in a file, every function that is called, and every class that the dispatcher asks for stubs."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def pytest_sessionstart(self) -> None:
        global record
        record = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        dispatch: Any = importlib.import_module("tinytorch.dispatch")
        is_stub, install = dispatch.is_stub, dispatch.install

        def asked(thing: Any) -> Any:
            _write_down(thing)
            return is_stub(thing)

        def installing(tape: Any) -> None:
            _write_down(type(tape))
            install(tape)

        dispatch.is_stub, dispatch.install = asked, installing


def _write_down(thing: Any) -> None:
    """Write down the functions of a class: first its own, then those that it inherits."""
    if isinstance(thing, type):
        own, all_ = (
            [stub for name in names for stub in _stubs(inspect.getattr_static(thing, name))]
            for names in (vars(thing), dir(thing))
        )
        os.write(record, f"{json.dumps([own, all_])}\n".encode())


def _stubs(thing: Any) -> list[str]:
    """What the stub of a function would say: the function says it in its question."""
    function = inspect.unwrap(getattr(thing, "fget", None) or getattr(thing, "__func__", thing))
    constants = getattr(getattr(function, "__code__", None), "co_consts", ())
    return [each for each in constants if isinstance(each, str) and UNWRITTEN.fullmatch(each)]


def _called(file: Path) -> set[str]:
    """The functions of a record: those that were called, and all methods of an installed class of which one was."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    called = {line[0] for line in lines if len(line) == 1}
    for own, all_ in (line for line in lines if len(line) == 2):
        if called & set(own):
            called |= set(all_)
    return called


# The path -----------------------------------------------------------------------------------------------

Functions = dict[Kata, set[str]]
Missed = tuple[int, str]
"""The number of a kata, and a function of it that was asked for and is a stub."""


def find() -> Functions:
    """The functions on the short path."""
    names = {kata: set(gate.functions(kata)) for kata in gate.built()}
    source: dict[str, str] = {}
    for kata, each in names.items():
        source |= reference.edited(kata, {name: question(kata, name, f"{__name__}.ran") for name in each})
    with tempfile.TemporaryDirectory() as folder:
        _all_played(source, Path(folder))
        called = set[str]().union(*(_called(file) for file in Path(folder).iterdir()))
    found = {kata: {name for name in each if stub(kata, name) in called} for kata, each in names.items()}
    found |= {kata: names[kata] for kata in found if kata.tracks}
    while missed := _all_played(
        without(found)
    ):  # what is needed and not called: it was asked whether it is a stub
        for number, name in missed:
            found[KATAS[number - 1]].add(name)
    return found


def without(found: Functions) -> dict[str, str]:
    """The reference of all katas, in which every function off the path is a stub."""
    source: dict[str, str] = {}
    for kata, names in found.items():
        source |= reference.unwritten(kata, set(gate.functions(kata)) - names)
    return source


def _all_played(source: Mapping[str, str], records: Path | None = None) -> set[Missed]:
    """Play every scene, and keep a record of each if there is a folder for it. Gives the functions that are missed."""
    tasks = [
        (
            number,
            _played(kata, args, source, [*plugins, *([Recorder(records / str(number))] if records else [])]),
        )
        for number, (kata, args, plugins) in enumerate(scenes())
    ]
    return set[Missed]().union(*(missed for _, missed in warm.together(tasks)))


def _played(
    kata: Kata, args: list[str], source: Mapping[str, str], plugins: list[object]
) -> Task[set[Missed]]:
    """Play one scene. It is a DojoError if it fails for another reason than that a function is missed."""
    outcome = yield Job(args, Plan(SOLUTIONS, source=source), LIMIT, tuple(plugins))
    failed = [(each.owner, each.text) for each in outcome.results if each.state not in FULFILLED]
    failed += [
        (told.get("next"), str(told)) for told in outcome.told if not told.get("passed")
    ]  # by a milestone
    if not outcome.results and not outcome.told:
        failed.append((None, outcome.output))
    for owner, text in failed:
        if not owner:
            raise DojoError(f"A story or the milestone of kata {kata.name} fails:\n{text}")
    return {(int(owner[0]), str(owner[1])) for owner, _ in failed if owner}


def short(kata: Kata, source: Mapping[str, str]) -> Task[set[str]]:
    """The ids of the kata's short cases: what is green where every function off the path is a stub."""
    outcome = yield Job([gate.where(kata)], Plan(SOLUTIONS, source=source))
    return {each.id for each in outcome.results if each.state in FULFILLED}


# How long it is -----------------------------------------------------------------------------------------


class Length(NamedTuple):
    functions: int
    lines: int
    """Lines of code in the bodies of these functions in the reference."""
    specs: int
    """Cases of specs."""

    def __str__(self) -> str:
        return f"{self.functions:,} functions, {self.lines:,} lines and {self.specs:,} specs"


def length(katas: Iterable[Kata], path: str) -> Length:
    """How much a student writes on a path, as the lists say it."""
    functions = lines = cases = 0
    for kata in katas:
        names = {*(gate.functions(kata) if path == WHOLE else specs.functions(kata))}
        functions += len(names)
        cases += specs.total(kata, path)
        for file in reference.modules(kata).values():
            text = file.read_text(encoding="utf-8")
            lines += sum(_lines(text, node) for name, node in definitions(ast.parse(text)) if name in names)
    return Length(functions, lines, cases)


def _lines(text: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body with code: without its docstring, empty lines and comments."""
    body = node.body[len(reference.docstring(node)) :]
    whole = text.splitlines()[body[0].lineno - 1 : node.end_lineno] if body else []
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in whole)
