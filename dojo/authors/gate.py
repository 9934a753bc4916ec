"""The gate: what must be true of each kata before students get it.

(a) red     with the kata a skeleton, every spec is red and names a function of this kata
(b) green   with every higher kata a skeleton, every spec is green on the reference
(c) collect with all katas skeletons, collection gives exactly what the kata's specs.txt lists
(d) import  every module of the skeleton imports without a warning
(e) walk    a perfect student who writes what the first red spec asks for gets from skeleton to green, is asked
            for every function, and each function alone taken away again is missed by some spec
(f) kernels with the kernels of kata 15 on, every spec of a kata below is green too: they have no other specification
(g) short   the walk on the short path, with every function off it a stub in the katas below too; every story is on it;
            the milestone is reached, on small settings, where every function off the path is a stub
answers     the other right answers to the kata, all of a file at once, turn every spec green but the timings
mistakes    every classic mistake is caught by the spec it names, with words that point at it
first       the same beside all the kata's other specs, with a note of the one that is red first: only where asked
            for with --only first, because it runs the whole kata for each mistake

A check is made of parts that may run side by side. Each part gives a Finding, with a list of problems.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import random
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import pytest

from dojo.authors import small
from dojo.authors.small import Milestone
from dojo.authors.walk import Walk, questioned
from dojo.catalogue import KATAS, ROOT, SOLUTIONS, Kata, kata
from dojo.errors import RED, DojoError
from dojo.report.plugin import SpecFile
from dojo.run import process, specs, warm
from dojo.run.jobs import LIMIT, Job, Run
from dojo.run.results import Outcome
from dojo.run.specs import SHORT, WHOLE, name_of
from dojo.run.warm import Task
from dojo.tree import answers, mistakes, overlay, reference
from dojo.tree.overlay import Plan, plan_for, shown
from dojo.tree.skeleton import derive

SEEDS = 5  # random runs of each kata in the deep gate
SLOW = 2.0  # seconds of a spec that are worth a note
TOGETHER = 20  # mistakes that are planted in copies of one run
OPENED = 7  # `import tinytorch` imports this kata, and what that needs


class Finding(NamedTuple):
    """What a check, or a part of one, found."""

    checked: int
    problems: list[str]
    notes: tuple[str, ...] = ()


Part = Task[Finding]


# Plans --------------------------------------------------------------------------------------------------


def functions(kata: Kata) -> list[str]:
    """The names of what a student writes in this kata, in the order of the files."""
    names = []
    for path in kata.files(SOLUTIONS):
        names += derive.written(path.read_text(encoding="utf-8"), kata)
    return list(dict.fromkeys(names))  # a property and its setter have one name


def skeletons(katas: Iterable[Kata]) -> dict[str, str]:
    """The skeleton of each module of these katas. One that cannot be made fails when it is imported."""
    return {
        module: _skeleton(module, path.read_text(encoding="utf-8"), each)
        for each in katas
        for module, path in reference.modules(each).items()
    }


@cache
def _skeleton(module: str, text: str, kata: Kata) -> str:
    try:
        return derive.skeleton(text, kata)
    except (DojoError, SyntaxError) as problem:
        return f"raise ImportError({f'{module} has no skeleton: {problem}'!r})"


def above(kata: Kata) -> list[Kata]:
    return [each for each in KATAS if each.number > kata.number]


def where(kata: Kata) -> str:
    """The folder of the kata's specs, as pytest is told."""
    return f"katas/{kata.name}"


# (a) to (d) ---------------------------------------------------------------------------------------------


def red(kata: Kata) -> Part:
    """(a) The kata a skeleton, every other one the reference: every spec asks for a function of this kata."""
    outcome = yield Job([where(kata)], Plan(SOLUTIONS, source=skeletons([kata])), LIMIT)
    problems = [] if outcome.results else [f"no spec ran\n{outcome.output}"]
    for result in outcome.results:
        if result.state == "green":
            problems.append(f"{result.id} is green on the skeleton: it proves nothing of the student's")
        elif result.state != "next":
            problems.append(
                f"{result.id} is {result.state} on the skeleton, not red on kata {kata.id}\n{result.text}"
            )
        elif result.owner and result.owner[0] != kata.number:
            problems.append(f"{result.id} asks for kata {result.owner[0]:02d}: {result.owner[1]}")
    return Finding(len(outcome.results), problems)


def green(
    kata: Kata, *args: str, plugins: tuple[object, ...] = (), how: str = "", alone: bool = True
) -> Part:
    """(b) The higher katas skeletons, this one and the lower ones the reference: every spec is green.

    If not `alone`, the higher katas are the reference, too.
    """
    plan = Plan(SOLUTIONS, source=skeletons(above(kata)) if alone else {})
    outcome = yield Job([where(kata), *args], plan, LIMIT, plugins)
    problems = [] if outcome.results else [f"no spec ran\n{outcome.output}"]
    notes = []
    for result in outcome.results:
        if result.state in ("inconclusive", "elsewhere"):
            notes.append(f"{result.id} is {result.summary}")
        elif result.state != "green":
            problems.append(f"{result.id} is {result.state} on the reference{how}\n{result.text}")
        elif result.duration > SLOW:
            notes.append(f"{result.id} takes {result.duration:.1f} s")
    return Finding(len(outcome.results), problems, tuple(notes))


def green_deeply(kata: Kata) -> list[Part]:
    """(b) as above, then in random orders and on random examples."""
    return [green(kata)] + [
        green(
            kata,
            "--profile=dojo",
            plugins=(_Shuffled(seed),),
            how=f", shuffled with seed {seed} and on random examples",
        )
        for seed in range(1, SEEDS + 1)
    ]


def with_kernels(kata: Kata) -> list[Part]:
    """(f) The specs of katas 03 to 14, those that may call a function with a kernel, once more with kernels on."""
    how = " with the kernels of kata 15"
    return [green(kata, plugins=(Kernels(),), how=how, alone=False)] if 3 <= kata.number < 15 else []


class Kernels:
    """Switches the kernels of kata 15 on, also for the specs of a kata below."""

    def pytest_collection_finish(self) -> None:
        importlib.import_module("tinytorch.acceleration")  # an error would otherwise mean: no kernels

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None]:
        """The dojo closes what is above the kata of the spec; this opens it inside of that."""
        with importlib.import_module("tinytorch.dispatch").closed_above(len(KATAS)):
            return (yield)


class _Shuffled:
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        random.Random(self.seed).shuffle(items)


def collects(kata: Kata) -> Part:
    """(c) All katas skeletons: collection has no error and gives what the kata's list says."""
    ids, problems = yield from collected(kata, Plan(SOLUTIONS, source=skeletons(KATAS)))
    found, listed = specs.counted(ids), specs.listed(kata)
    for name in dict.fromkeys([*found, *listed]):
        if found[name] != listed.get(name, 0):
            there = f"{found[name]} cases, and {listed.get(name, 0)} in {shown(specs.path(kata))}"
            problems.append(f"{name} has {there}: `make dev-specs` writes the lists")
    return Finding(len(ids), problems)


def collected(kata: Kata, plan: Plan) -> Task[tuple[list[str], list[str]]]:
    """The ids of the kata's specs that pytest collects, and what went wrong."""
    outcome = yield Job([where(kata), "--collect-only", "-q"], plan, LIMIT, (_Collected(),))
    ids: list[str] = outcome.told[0] if outcome.told else []
    problems = [
        f"{id} stands for a file that cannot be imported" for id in ids if name_of(id) == specs.IMPORT
    ]
    if outcome.code != 0:
        problems.append(f"collection fails\n{outcome.output}")
    return ids, problems


class _Collected:
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        warm.tell([item.nodeid for item in session.items])


def imports(kata: Kata) -> Part:
    """(d) Each module of the kata's skeleton imports, alone among skeletons, with warnings as errors."""
    modules = list(reference.modules(kata))
    plan = Plan(SOLUTIONS, source=skeletons(KATAS))
    outcome = yield Job([where(kata), "--collect-only", "-q"], plan, LIMIT, (_Imports(modules),))
    problems = [f"the skeleton of {module} does not import: {error}" for module, error in outcome.told]
    return Finding(len(modules), problems)


class _Imports:
    def __init__(self, modules: list[str]) -> None:
        self.modules = modules

    def pytest_sessionstart(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for module in self.modules:
                try:
                    importlib.import_module(module)
                except Exception as error:
                    warm.tell([module, f"{type(error).__name__}: {error}"])


# (e) The walk -------------------------------------------------------------------------------------------


def walked(kata: Kata, path: str = WHOLE) -> Part:
    """(e) The perfect student, and each function alone taken away, in one process.

    (g) On the short path, every function off it is a stub, in the katas below too.
    """
    whole = functions(kata)
    names = whole if path == WHOLE else specs.functions(kata)
    source = skeletons(above(kata)) | questioned(kata, names, set(whole) - set(names))
    for below in KATAS[: kata.number - 1] if path == SHORT else ():
        source |= off_path(below)
    plan = Plan(SOLUTIONS, source=source)
    args = [where(kata), f"--path={path}", "--profile=few"]  # (b) tries more examples
    outcome = yield Job(args, plan, LIMIT, (Walk(kata, names),))
    problems = [told["problem"] for told in outcome.told if "problem" in told]
    if not any("callers" in told for told in outcome.told) or outcome.code is None:
        died = outcome.results[-1].text if outcome.results else outcome.output
        problems.append(f"the walk did not come to its end: {died}")
    return Finding(sum("step" in told for told in outcome.told), problems)


def walked_anew(kata: Kata) -> Part:
    """(e) The same, more slowly: a new process for every step, and again from the first spec after each file."""
    todo = set(functions(kata))
    higher = skeletons(above(kata))
    files = [f"{where(kata)}/{path.name}" for path in spec_files(kata)]
    begin = steps = 0
    furthest = (0, 0)
    while True:
        plan = Plan(SOLUTIONS, source=higher | reference.unwritten(kata, todo))
        outcome = yield Job([*files[begin:], "-x"], plan, LIMIT)
        first = next((each for each in outcome.results if each.state in ("next", "wrong")), None)
        file = first.id.partition("::")[0] if first else ""
        if begin and file != files[begin]:
            begin = 0
            continue
        if first is None:
            return Finding(steps, [f"{name} is never asked for: no spec needs it" for name in sorted(todo)])
        name = first.owner[1] if first.owner and first.owner[0] == kata.number else ""
        if name not in todo:
            stopped = f"step {steps + 1} stops at {first.id}, where nothing new is asked for"
            return Finding(steps, [f"{stopped}\n{first.text}"])
        begin = files.index(file)
        place = (begin, sum(each.id.startswith(f"{file}::") for each in outcome.results))
        if place < furthest:
            back = f"step {steps + 1}: {first.id} was green before and is red again"
            return Finding(steps, [f"{back}\n{first.text}"])
        furthest = place
        todo.discard(name)
        steps += 1


# (g) The short path -------------------------------------------------------------------------------------


@cache
def off_path(kata: Kata) -> dict[str, str]:
    """The kata's reference, in which every function off the short path is a stub."""
    return reference.unwritten(kata, set(functions(kata)) - set(specs.functions(kata)))


def stories_are_short(kata: Kata) -> Part:
    """(g) Every story is on the short path, and every function on it is one to write."""
    short, whole = specs.listed(kata, SHORT), specs.listed(kata)
    names = [name for path in stories(kata) for name in spec_names(path)]
    problems = [
        f"the story {name} is not on the short path: `make dev-specs` writes the lists"
        for name in names
        if short.get(name) != whole.get(name, 0)
    ]
    problems += [
        f"{name} is on the short path, and is no function to write: `make dev-specs` writes the lists"
        for name in specs.functions(kata)
        if name not in functions(kata)
    ]
    return Finding(len(names), problems)
    yield  # it asks for no run


def milestone_is_short(kata: Kata, highest: int, args: tuple[str, ...]) -> Part:
    """(g) The milestone, on small settings, is reached where every function off the short path is a stub."""
    source: dict[str, str] = {}
    for each in built():
        source |= off_path(each)
    plan = Plan(SOLUTIONS, source=source)
    outcome = yield Job([where(kata)], plan, LIMIT, (Milestone(kata, highest, args),))
    reached = len(outcome.told) == 1 and outcome.told[0].get("passed") and outcome.told[0].get("on")
    title = " ".join((kata.title, *args))
    wrong = f"the milestone of {title} is not reached: {outcome.told or outcome.output}"
    return Finding(1, [] if reached else [wrong])


def short(kata: Kata, deep: bool = False) -> list[Part]:
    """(g) Every short case, story and milestone is green with the functions of the short path alone."""
    highest = dict.fromkeys([kata.number, len(KATAS)] if deep else [kata.number])  # without kernels, and with
    milestones = [
        milestone_is_short(part, each, args) for part, args in small.scripts(kata) for each in highest
    ]
    return [stories_are_short(kata), walked(kata, SHORT), *milestones]


# Other answers ------------------------------------------------------------------------------------------


def other_answers(kata: Kata) -> list[Part]:
    """One part for each file of other right answers to the kata."""
    try:
        return [_answered(kata, each) for each in answers.load(kata)]
    except (DojoError, SyntaxError) as problem:
        return [_failed(problem)]


def _answered(kata: Kata, other: answers.Answers) -> Part:
    """The specs ask for behaviour: what answers them otherwise than the reference turns them green, too."""
    plan = Plan(SOLUTIONS, source=skeletons(above(kata)) | other.plant())
    outcome = yield Job([where(kata)], plan, LIMIT, (_Untimed(),))
    problems = [] if outcome.results else [f"no spec ran\n{outcome.output}"]
    problems += [
        f"{each.id} is {each.state} on {shown(other.path)}\n{each.text}"
        for each in outcome.results
        if each.state not in ("green", "elsewhere")
    ]
    return Finding(len(other.functions), problems)


class _Untimed:
    """Leaves out the specs that measure how fast something is: another answer may be slower."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            each
            for each in items
            if not (isinstance(each, pytest.Function) and "speedup(" in inspect.getsource(each.function))
        ]


# Mistakes -----------------------------------------------------------------------------------------------


def all_caught(kata: Kata, whole: bool = False) -> list[Part]:
    """One part for some mistakes of the kata."""
    try:
        found = mistakes.load(kata)
        return [caught(kata, found[i : i + TOGETHER], whole) for i in range(0, len(found), TOGETHER)]
    except (DojoError, SyntaxError) as problem:
        return [_failed(problem)]


def caught(kata: Kata, some: list[mistakes.Mistake], whole: bool) -> Part:
    """Each mistake is caught by its spec, and the report says what it should. `whole` runs all the kata's specs."""
    jobs: list[tuple[mistakes.Mistake, Job]] = []
    problems = []
    for each in some:
        try:
            plan = Plan(SOLUTIONS, source=each.plant())
            specs = spec_ids(kata, each.spec)
            if not each.says.strip():
                raise DojoError("`says` is empty; it holds words of a report that points at the mistake")
            jobs.append((each, Job([where(kata)] if whole else specs, plan, LIMIT)))
        except DojoError as problem:
            problems.append(f"{each.name}: {problem}")
    if not jobs:
        return Finding(len(some), problems)
    args = [where(kata), "--profile=few"]  # as grading does
    outcome = yield Job(args, Plan(SOLUTIONS), LIMIT * len(jobs), (_Planted(kata, jobs, whole),))
    found = [Finding(*told) for told in outcome.told]
    problems += [f"{each.name}: the run ended before it\n{outcome.output}" for each, _ in jobs[len(found) :]]
    return _together([Finding(len(some) - len(found), problems), *found])


class _Planted:
    """Plants one mistake after the other, each in a copy of a run that has everything but the kata itself."""

    def __init__(self, kata: Kata, jobs: list[tuple[mistakes.Mistake, Job]], whole: bool) -> None:
        self.kata, self.jobs, self.whole = kata, jobs, whole

    def pytest_collection(self) -> bool:
        return True  # each copy collects

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if self.kata.number > OPENED:
            for each in KATAS[: self.kata.number - 1]:
                importlib.import_module(each.module)
        assert self.kata.module not in sys.modules, "the mistakes would not be seen"
        for mistake, job in self.jobs:
            run = Run(job, process.fork(partial(self.play, session, job), limit=job.limit, kept=True))
            warm.tell(judged(mistake, run.wait(), self.whole))
        return True

    def play(self, session: pytest.Session, job: Job) -> int:
        session.config.pluginmanager.unregister(self)
        if self.whole:
            session.config.args = job.args
        else:
            session.config.pluginmanager.register(_Only(job.args))
        overlay.go_on(job.plan)
        session.config.hook.pytest_collection(session=session)
        session.config.hook.pytest_runtestloop(session=session)
        code = int(session.testsfailed > 0)
        session.config.hook.pytest_sessionfinish(session=session, exitstatus=code)
        return code


class _Only:
    """Collects these specs alone: pytest would look through all folders above, and make items of all specs beside."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids

    def pytest_collection(self, session: pytest.Session) -> bool:
        for file in dict.fromkeys(id.partition("::")[0] for id in self.ids):
            session.items += session.genitems(SpecFile.from_parent(session, path=ROOT / file))
        session.testscollected = len(session.items)
        session.config.hook.pytest_collection_finish(session=session)
        return True

    def pytest_pycollect_makeitem(self, name: str) -> list[pytest.Item] | None:
        return None if name in map(name_of, self.ids) else []


def judged(mistake: mistakes.Mistake, outcome: Outcome, whole: bool) -> Finding:
    wrong = [each for each in outcome.results if each.state == "wrong"]
    named = [each for each in wrong if name_of(each.id) == mistake.spec]
    notes = (f"{mistake.name}: first red {wrong[0].id}",) if whole and wrong else ()
    if not named:
        states = ", ".join(
            sorted({each.state for each in outcome.results if name_of(each.id) == mistake.spec})
        )
        return Finding(
            1, [f"{mistake.name}: {mistake.spec} does not catch it ({states or 'it did not run'})"], notes
        )
    if not any(mistake.says in each.text for each in named):
        said = textwrap.indent(named[0].text.strip(), "    ")
        return Finding(
            1, [f"{mistake.name}: the report of {mistake.spec} does not say {mistake.says!r}:\n{said}"], notes
        )
    return Finding(1, [], notes)


def spec_ids(kata: Kata, name: str) -> list[str]:
    """The node ids of the spec functions called `name`."""
    ids = [f"{where(kata)}/{path.name}::{name}" for path in spec_files(kata) if name in spec_names(path)]
    if not ids:
        raise DojoError(f"kata {kata.id} has no spec called {name} any more")
    return ids


def spec_files(kata: Kata) -> list[Path]:
    return sorted(kata.folder.glob("test_*.py"))


def stories(kata: Kata) -> list[Path]:
    """The files with the kata's stories: what all of it together is good for."""
    return sorted(kata.folder.glob("test_*_story.py"))


def spec_names(path: Path) -> list[str]:
    """The spec functions in a file, in order."""
    return _spec_names(path.read_text(encoding="utf-8"))


@cache
def _spec_names(text: str) -> list[str]:
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return [node.name for node in functions if node.name.startswith("test_")]


# The command --------------------------------------------------------------------------------------------


class Check(NamedTuple):
    title: str
    unit: str
    parts: Callable[[Kata], list[Part]]
    deep: Callable[[Kata], list[Part]]
    """What `make dev-gate` runs instead of `parts`."""


def _alike(title: str, unit: str, part: Callable[[Kata], Part]) -> Check:
    return Check(title, unit, lambda kata: [part(kata)], lambda kata: [part(kata)])


CHECKS = {
    "a": _alike("red on the skeleton", "specs", red),
    "b": Check("green on the reference", "specs", lambda kata: [green(kata)], green_deeply),
    "c": _alike("as in specs.txt", "specs", collects),
    "d": _alike("skeleton imports", "modules", imports),
    "e": Check(
        "the walk", "steps", lambda kata: [walked(kata)], lambda kata: [walked(kata), walked_anew(kata)]
    ),
    "f": Check("green with kernels", "specs", with_kernels, with_kernels),
    "g": Check("the short path", "steps", short, partial(short, deep=True)),
    "answers": Check("other answers", "functions", other_answers, other_answers),
    "mistakes": Check("mistakes caught", "mistakes", all_caught, all_caught),
    "first": Check(
        "mistakes, first red", "mistakes", lambda kata: [], lambda kata: all_caught(kata, whole=True)
    ),
}


def _failed(problem: Exception) -> Part:
    return Finding(0, [str(problem)])
    yield  # it asks for no run


def _safely(part: Part) -> Part:
    """Report a reference or a file of mistakes that cannot be read as a problem."""
    try:
        return (yield from part)
    except (DojoError, SyntaxError) as problem:
        return Finding(0, [str(problem)])


def built() -> list[Kata]:
    """The katas that have specs."""
    return [each for each in KATAS if spec_files(each)]


def check(
    katas: list[Kata], names: list[str], quick: bool, at_once: int
) -> Iterator[tuple[Kata, str, Finding]]:
    """Run these checks on these katas, `at_once` processes at a time. Each comes when all its parts are done."""
    parts = {
        (each, name): CHECKS[name].parts(each) if quick else CHECKS[name].deep(each)
        for each in katas
        for name in names
    }
    found: dict[tuple[Kata, str], list[Finding]] = {key: [] for key in parts}
    warm.preload()
    tasks = ((key, _safely(part)) for key, some in parts.items() for part in some)
    for key, finding in warm.together(tasks, at_once):
        found[key].append(finding)
        if len(found[key]) == len(parts[key]):
            yield *key, _together(found[key])
    for key, some in parts.items():
        if not some:
            yield *key, Finding(0, [])


def _together(findings: list[Finding]) -> Finding:
    problems = [problem for finding in findings for problem in finding.problems]
    notes = tuple(note for finding in findings for note in finding.notes)
    return Finding(sum(finding.checked for finding in findings), problems, notes)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", nargs="?", metavar="N", help="one kata; without it, all that have specs")
    parser.add_argument("--quick", action="store_true", help="as `make test`: no random runs, no second walk")
    parser.add_argument("--only", action="append", choices=[*CHECKS, "walk"], help="this check; walk is e")
    parser.add_argument("--at-once", type=int, default=2, metavar="P", help="processes at a time (2)")
    parser.add_argument("--json", type=Path, help=argparse.SUPPRESS)  # for tests/: the findings, to look up


def run(options: argparse.Namespace) -> int:
    """`make dev-gate`: print what was checked, and every problem with enough to act on."""
    katas = [kata(options.number)] if options.number else built()
    names = [
        "e" if name == "walk" else name for name in options.only or CHECKS if name != "first" or options.only
    ]
    plan_for("solutions")  # where there is no reference, this says so
    began = time.monotonic()
    problems = 0
    found: dict[str, dict[str, list[str]]] = {}
    for each, name, finding in check(katas, names, options.quick, options.at_once):
        title, unit = CHECKS[name].title, CHECKS[name].unit
        verdict = f"{len(finding.problems)} problems" if finding.problems else "ok"
        print(f"kata {each.id}  {title:<24}{finding.checked:>4} {unit:<9} {verdict}", flush=True)
        for text in finding.problems:
            print(f"    ! {textwrap.indent(text.strip(), '      ').strip()}", flush=True)
        for note in finding.notes:
            print(f"    . {note}", flush=True)
        problems += len(finding.problems)
        found.setdefault(each.id, {})[name] = finding.problems
    if options.json:
        options.json.write_text(json.dumps(found), encoding="utf-8")
    return summed_up(problems, began)


def summed_up(problems: int, began: float) -> int:
    """Print how many problems there are, and the seconds since the monotonic time `began`. Gives the exit status."""
    print(f"\n{problems or 'no'} problem{'s' * (problems != 1)} in {time.monotonic() - began:.1f} s")
    return RED if problems else 0
