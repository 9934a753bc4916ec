"""`make dev-mutants`: which wrong answers do the specs let pass? A machine finds them, one mutant at a time.

A mutant (`mutations.py`) is the reference with one small change. Its own kata's specs run on it until one is red: then
it is killed. One that survives is a gap in the specs, or equivalent: as right as the reference, or different only
where nothing is promised. `tests/mutation/equivalent.toml` tells which are, and why.

All mutants of a kata run in copies of one process, which has imported the reference and the specs. There the code of
the one function is exchanged; if it is called while the kata is imported, before that. Only the specs that call the
function run: first those that killed another mutant of it, then the quickest. A mutant that takes many times as long
as the reference is killed, too.

Results are kept in `.dojo/mutants/`. Each is used again until its function changes, or the specs that it depends on:
the file of the spec that killed the mutant; for one that survived, all files of the kata.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib
import itertools
import json
import os
import random
import re
import resource
import sys
import tempfile
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from dojo.authors import gate
from dojo.authors.walk import attempt
from dojo.catalogue import KATAS, ROOT, SOLUTIONS, Kata, kata
from dojo.errors import RED, DojoError
from dojo.run import process, warm
from dojo.run.jobs import LIMIT, Job
from dojo.run.warm import Task
from dojo.tree import files, overlay, reference
from dojo.tree.overlay import Plan, plan_for, shown

if TYPE_CHECKING:
    from dojo.authors.mutations import Mutant

EQUIVALENT = ROOT / "tests" / "mutation" / "equivalent.toml"
KEPT = ROOT / ".dojo" / "mutants"
Mutants = dict[Kata, "list[Mutant]"]
ENOUGH = 0.98  # of the mutants that are not equivalent, to be killed
TOGETHER = 400  # mutants that run in copies of one process
TIMES, MOMENT = 10, 1.0  # a spec may take so many times its time on the reference, and so many seconds more
MEMORY = 3 << 30  # bytes of address space that a mutant may take beyond what is there before
IMPORT = "import"


# What calls what ----------------------------------------------------------------------------------------


class Calls(NamedTuple):
    """What a run of a kata's specs on the reference showed."""

    callers: dict[str, list[str]]
    """The ids of the specs that call each function, threads and copies of the process included."""
    imported: list[str]
    """The functions that are called while the kata and its specs are imported."""
    seconds: dict[str, float]
    """What each spec that is green took."""


class Tracer:
    """Writes down, in a file, which spec calls which function of the kata."""

    def __init__(self, kata: Kata, file: Path) -> None:
        self.names = {str(path): module for module, path in reference.modules(kata).items()}
        self.file = file
        self.now = IMPORT
        self.seen: set[tuple[str, str, str]] = set()

    def pytest_sessionstart(self) -> None:
        self.record = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        threading.setprofile(self.trace)
        sys.setprofile(self.trace)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.now = nodeid
        sys.setprofile(self.trace)  # a Ctrl-C of the spec before that came inside `trace` has ended it

    def trace(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename in self.names:
            name = code.co_qualname.partition(".<locals>")[0]
            call = (self.now, self.names[code.co_filename], name)
            if call not in self.seen:
                self.seen.add(call)
                os.write(self.record, f"{json.dumps(call)}\n".encode())


def traced(kata: Kata) -> Task[Calls]:
    """Run the kata's specs once on the reference. All have to be green, but for timings that cannot be judged."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "calls")
        args = [gate.where(kata), "--dojo-limit=60"]  # traced, a spec takes several times as long
        outcome = yield Job(args, Plan(SOLUTIONS), LIMIT, (Tracer(kata, file),))
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    if wrong := [
        each for each in outcome.results if each.state not in ("green", "inconclusive", "elsewhere")
    ]:
        raise DojoError(f"{wrong[0].id} is red on the reference:\n{wrong[0].text}")
    seconds = {each.id: each.duration for each in outcome.results if each.state == "green"}
    callers: dict[str, list[str]] = {}
    for id, module, name in lines:
        if id in seconds:
            callers.setdefault(f"{module} {name}", []).append(id)
    return Calls(callers, [f"{module} {name}" for id, module, name in lines if id == IMPORT], seconds)


# Mutants in copies of one process -----------------------------------------------------------------------


class Fate(NamedTuple):
    """What became of a mutant."""

    killer: str
    """The id of the spec that is red; "" if none is."""
    seconds: float
    """CPU time."""


class Planted:
    """Runs the kata's specs on one mutant after the other, each in a copy of this process. Tells [key, *Fate]."""

    def __init__(self, kata: Kata, calls: Calls, mutants: Sequence[Mutant]) -> None:
        self.kata, self.calls, self.mutants = kata, calls, mutants
        self.paths = reference.modules(kata)
        self.collecting = False
        self.killers: dict[str, list[str]] = {}
        """The specs that killed mutants of each function, the last one first."""

    def pytest_collection(self) -> bool | None:
        """Let a red example be enough: nobody reads it, so it need not be a small one."""
        from hypothesis import Phase, settings

        kata = settings.get_profile("kata")
        settings.register_profile("mutants", kata, phases=(Phase.explicit, Phase.generate))
        settings.load_profile("mutants")
        return None if self.collecting else True

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for each in KATAS[: self.kata.number - 1] if self.kata.number > gate.OPENED else ():
            importlib.import_module(each.module)
        assert self.kata.module not in sys.modules, "the mutants would not be seen"
        self.collecting = True
        for mutant in filter(self.is_early, self.mutants):
            self.watch(mutant, partial(self.play_from_the_import_on, session, mutant))
        session.config.hook.pytest_collection(session=session)
        functions = _functions({str(path) for path in self.paths.values()})
        for mutant in itertools.filterfalse(self.is_early, self.mutants):
            found = functions[str(self.paths[mutant.module]), mutant.function, mutant.lines.start + 1]
            self.watch(mutant, partial(self.play, session, mutant, found))
        return True

    def is_early(self, mutant: Mutant) -> bool:
        """Whether the mutant has to be planted before the kata is imported."""
        return mutant.place in self.calls.imported

    def watch(self, mutant: Mutant, play: Callable[[], None]) -> None:
        """Let a copy of this process play the mutant, and tell what became of it."""
        before = _cpu()
        whole = sum(self.calls.seconds[id] for id in self.order(mutant))
        child = process.fork(play, limit=TIMES * (MOMENT + whole), kept=True)
        ended = child.wait()
        killers = [each["killed"] for each in child.take() if "killed" in each]
        killer = killers[0] if killers else "" if ended.kind == process.DONE else child.running or IMPORT
        if killer:
            known = self.killers.setdefault(mutant.place, [])
            known[:] = [killer, *(each for each in known if each != killer)]
        warm.tell([mutant.key, killer, round(_cpu() - before, 3)])

    def order(self, mutant: Mutant) -> list[str]:
        """The specs that could kill the mutant, the likeliest and quickest ones first."""
        place, seconds = mutant.place, self.calls.seconds
        first = self.killers.get(mutant.place, [])
        callers = sorted(self.calls.callers.get(place, ()), key=lambda id: seconds[id])
        others = sorted(seconds, key=lambda id: seconds[id])
        anywhere = not callers or place in self.calls.imported
        return [
            id for id in dict.fromkeys([*first, *callers, *(others if anywhere else ())]) if id in seconds
        ]

    def play_from_the_import_on(self, session: pytest.Session, mutant: Mutant) -> None:
        source = {mutant.module: mutant.planted(self.paths[mutant.module])}
        overlay.go_on(Plan(SOLUTIONS, source=source))
        session.config.hook.pytest_collection(session=session)
        self.hunt(session, mutant)

    def play(self, session: pytest.Session, mutant: Mutant, functions: list[FunctionType]) -> None:
        code = mutant.code(str(self.paths[mutant.module]))
        for function in functions:
            function.__code__ = code
        self.hunt(session, mutant)

    def hunt(self, session: pytest.Session, mutant: Mutant) -> None:
        """Run the specs until one is red, in a folder of its own: a wrong path names nothing of the repository."""
        items = {item.nodeid: item for item in session.items}
        _limit_memory()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.chdir(folder)
            tempfile.tempdir = folder
            for id in self.order(mutant):
                process.tell({"begins": id})
                session.config.option.dojo_limit = MOMENT + TIMES * self.calls.seconds[id]
                if id not in items or attempt(items[id]).state in ("wrong", "next"):
                    process.tell({"killed": id})
                    return


def _functions(paths: set[str]) -> dict[tuple[str, str, int], list[FunctionType]]:
    """The functions of these files that there are in this process, by file, name and first line."""
    gc.unfreeze()  # what is frozen cannot be found
    found: dict[tuple[str, str, int], list[FunctionType]] = {}
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename in paths:
            code = each.__code__
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(each)
    gc.freeze()
    return found


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _limit_memory() -> None:
    """A mutant may ask for any amount of memory."""
    status = Path("/proc/self/statm")
    if status.is_file():  # Linux
        size = int(status.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def played(kata: Kata, calls: Calls, mutants: Sequence[Mutant]) -> Task[dict[str, Fate]]:
    """What became of each mutant, by its key."""
    limit = 60.0 * len(mutants)  # each has one of its own
    outcome = yield Job([gate.where(kata)], Plan(SOLUTIONS), limit, (Planted(kata, calls, mutants),))
    fates = {key: Fate(*rest) for key, *rest in outcome.told}
    if missing := [each for each in mutants if each.key not in fates]:
        raise DojoError(f"The run ended before {missing[0]}\n{outcome.output}")
    return fates


# What is kept -------------------------------------------------------------------------------------------


class Kept:
    """The results of a kata's mutants: those that still hold, and new ones."""

    def __init__(self, kata: Kata, again: bool) -> None:
        self.kata = kata
        self.path = KEPT / f"{kata.id}.json"
        self.whole = _hash(gate.spec_files(kata))
        self.files = {shown(path): _hash([path]) for path in gate.spec_files(kata)}
        self.reference = _hash([*gate.spec_files(kata), *reference.modules(kata).values()])
        record = {} if again or not self.path.is_file() else json.loads(self.path.read_text(encoding="utf-8"))
        calls = record.get("calls", {})
        self.calls = Calls(**calls["of"]) if calls.get("hash") == self.reference else None
        self.fates = {
            each["key"]: Fate(each["killer"], each["seconds"])
            for each in record.get("mutants", ())
            if each["hash"] == self.hash(each["killer"])
        }

    def hash(self, killer: str) -> str:
        """Of the files of specs on which the fate of a mutant depends."""
        return self.files.get(killer.partition("::")[0], self.whole)

    def write(self, mutants: Iterable[Mutant]) -> None:
        found = [
            {
                "key": each.key,
                **self.fates[each.key]._asdict(),
                "hash": self.hash(self.fates[each.key].killer),
                "place": f"{each.place}:{each.line}",
                "change": each.change,
                "statement": each.statement,
            }
            for each in mutants
            if each.key in self.fates
        ]
        calls = {"hash": self.reference, "of": self.calls._asdict()} if self.calls else {}
        files.write_json(self.path, {"mutants": found, "calls": calls})


def _hash(paths: Iterable[Path]) -> str:
    return hashlib.sha1(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:16]


# Equivalent ones ----------------------------------------------------------------------------------------


class Equivalent(NamedTuple):
    """Mutants that no spec need kill. What is not said may be anything."""

    why: str
    kata: int = 0
    function: str = ".*"
    """A regular expression for the whole name of the function; `statement` and `change` are for a part."""
    statement: str = ""
    change: str = ""

    def matches(self, kata: Kata, mutant: Mutant) -> bool:
        return (
            self.kata in (0, kata.number)
            and re.fullmatch(self.function, mutant.function) is not None
            and re.search(self.statement, mutant.statement) is not None
            and re.search(self.change, mutant.change) is not None
        )

    def __str__(self) -> str:
        told = {
            name: value for name, value in self._asdict().items() if value != self._field_defaults.get(name)
        }
        return ", ".join(f"{name} = {value!r}" for name, value in told.items() if name != "why")


def equivalents(path: Path = EQUIVALENT) -> list[Equivalent]:
    """The entries of the file, each with a reason."""
    found = [Equivalent(**each) for each in tomllib.loads(path.read_text(encoding="utf-8"))["equivalent"]]
    for each in found:
        if not each.why.strip() or not (each.statement or each.change):
            raise DojoError(
                f"{shown(path)}: an entry says what is changed, and why it does not matter: {each}"
            )
    return found


def judge(
    entries: list[Equivalent], found: Mutants, fates: dict[str, Fate], whole: bool
) -> tuple[set[str], list[str]]:
    """The keys of the survivors that are equivalent, and what is wrong with the entries.

    An entry may match mutants that are killed, as long as it explains one that survives. That can be said where all
    mutants ran (`whole`), and of an entry for all katas where all katas did.
    """
    equivalent: set[str] = set()
    problems = []
    numbers = {each.number for each in found}
    for entry in entries:
        matched = [mutant for each, some in found.items() for mutant in some if entry.matches(each, mutant)]
        alive = {each.key for each in matched if each.key in fates and not fates[each.key].killer}
        equivalent |= alive
        if entry.kata not in numbers if entry.kata else len(found) < len(gate.built()):
            continue
        if not matched:
            problems.append(f"matches no mutant: {entry}")
        elif not alive and whole:
            by = fates[matched[0].key].killer
            problems.append(f"is no more needed, specs kill all {len(matched)} ({by}): {entry}")
    return equivalent, problems


# The command --------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("numbers", nargs="*", metavar="N", help="which katas; all that have specs by default")
    parser.add_argument("--sample", type=int, metavar="S", help="so many mutants that nothing explains")
    parser.add_argument("--force", action="store_true", help="use no kept result")
    parser.add_argument("--at-once", type=int, default=2, metavar="P", help="processes at a time (2)")


def run(options: argparse.Namespace) -> int:
    """`make dev-mutants`: print how many mutants each kata's specs kill, and every one that is left."""
    plan_for("solutions")  # where there is no reference, this says so
    if find_spec("mutmut") is None:
        raise DojoError(
            f"mutmut, which makes the mutants, is missing: {sys.executable} -m pip install mutmut"
        )
    from dojo.authors.mutations import mutants

    warm.preload()
    katas = [kata(number) for number in options.numbers] or gate.built()
    found = {each: mutants(each) for each in katas}
    entries = equivalents()
    chosen = sample(found, entries, options.sample) if options.sample else found
    fates: dict[str, Fate] = {}
    total = Counter[str]()
    for each, kept in all_played(found, chosen, options.force, options.at_once):
        mine = {one.key: kept[one.key] for one in chosen[each]}
        fates |= mine
        equivalent, _ = judge(entries, {each: chosen[each]}, mine, whole=False)
        left = [one for one in chosen[each] if not mine[one.key].killer and one.key not in equivalent]
        killed = sum(bool(fate.killer) for fate in mine.values())
        count = Counter(mutants=len(mine), killed=killed, equivalent=len(equivalent), left=len(left))
        total += count
        cpu = sum(fate.seconds for fate in mine.values())
        print(f"kata {each.id}  {_line(count)}  {cpu:6.1f} CPU s", *left, sep="\n    ", flush=True)
    print(f"all      {_line(total)}")
    _, problems = judge(entries, found, fates, whole=not options.sample)
    for problem in problems:
        print(f"! {shown(EQUIVALENT)}: {problem}")
    return 0 if not problems and total["killed"] >= ENOUGH * (total["killed"] + total["left"]) else RED


def _line(count: Counter[str]) -> str:
    share = count["killed"] / ((count["killed"] + count["left"]) or 1)
    return "".join(f"{count[name]:>6} {name}" for name in ("mutants", "killed", "equivalent", "left")) + (
        f"  {100 * share:5.1f} %"
    )


def all_played(
    found: Mutants, chosen: Mutants, again: bool, at_once: int
) -> Iterator[tuple[Kata, dict[str, Fate]]]:
    """The fates of the chosen mutants of each kata: those that are kept, and the others played. Each as it is ready."""
    kept = {each: Kept(each, again) for each in chosen}
    todo = {each: [one for one in some if one.key not in kept[each].fates] for each, some in chosen.items()}
    calls = {each: kept[each].calls for each in chosen}
    calls |= warm.together(
        ((each, traced(each)) for each in chosen if todo[each] and not calls[each]), at_once
    )
    parts = {
        each: [some[i : i + TOGETHER] for i in range(0, len(some), TOGETHER)] for each, some in todo.items()
    }
    for each in chosen:
        kept[each].calls = calls[each]
        if not parts[each]:
            yield each, kept[each].fates
    tasks = [
        (each, played(each, known, part)) for each in chosen if (known := calls[each]) for part in parts[each]
    ]
    for each, fates in warm.together(tasks, at_once):
        kept[each].fates |= fates
        kept[each].write(found[each])
        parts[each].pop()
        if not parts[each]:
            yield each, kept[each].fates


def sample(found: Mutants, entries: list[Equivalent], size: int) -> Mutants:
    """So many mutants, the same ones each time, in the order of the files. Those that an entry matches are left out."""
    left = {
        each: [one for one in some if not any(entry.matches(each, one) for entry in entries)]
        for each, some in found.items()
    }
    every = [one.key for some in left.values() for one in some]
    chosen = set(random.Random(0).sample(every, min(size, len(every))))
    return {each: [one for one in some if one.key in chosen] for each, some in left.items()}
