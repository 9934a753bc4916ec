"""A competition that is hard to win by cheating: entries are measured in turns, and what was timed is checked.

An entry is a Python file with a function `load(model, weights)`, which gives the function that answers, and perhaps a
function `build(model, given)`, which makes the weights. `build` runs in a process of its own, and each round of
measuring in another one, so that only the weights get from one to the other. Questions are drawn after the entry has
loaded, one before each call. Every answer that was timed is checked, and not another one to the same question.
"""

from __future__ import annotations

import importlib.util
import math
import secrets
import signal
import sys
import time
import tomllib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from tinytorch.benchmarking import ProcessGroup, compare, spawn, time_calls
from tinytorch.benchmarking.comparing import MIN_ROUNDS
from tinytorch.benchmarking.timer import Clock
from tinytorch.dispatch import Array

Weights = Mapping[str, Array]
Draw = Callable[[int], tuple[Any, ...]]
"""Makes the arguments of a call from a seed: the same ones from the same seed, in every process."""
Judge = Callable[[Sequence["Call"]], None]
"""Looks at all the calls of a round, and raises EntryError if the answers are not right."""

METRICS = {"seconds": "fewer", "rate": "more", "bytes": "fewer"}
"""What can be measured, and whether fewer or more of it are better."""

SLACK = 0.3
"""Seconds of a process that are no call of the entry: the start of Python's own work, and drawing the questions."""


class TaskError(ValueError):
    """A task file cannot be used. The message names the file and the key."""


class EntryError(ValueError):
    """An entry is rejected. The message says why."""


@dataclass(frozen=True)
class Task:
    """What a task file says. The name is that of the file, without .toml."""

    name: str
    title: str
    metric: str
    """One of METRICS. "seconds" are CPU seconds of a call, "rate" is `work` divided by them, "bytes" is `weigh`."""
    goal: float
    """How many times better than the first entry, the simple one, an entry has to be; more than 1."""
    rounds: int
    """Each in a process of its own; at least MIN_ROUNDS, because `compare` needs as many."""
    warmup: int
    """Calls at the beginning of each round that are checked, and do not count."""
    calls: int
    """Calls after those, which count."""
    work: int
    """What one call does, in the unit of a rate: tokens, for example."""
    count_start: bool
    """Whether importing, loading and warming up are part of the time."""
    limit: int
    """The seconds after which a process is ended."""
    max_bytes: int
    """The most that an entry may weigh."""
    touch: str
    """What an entry may change and what not, for people."""
    model: dict[str, Any]
    """A table for the entry: the size of the model."""
    data: dict[str, Any]
    """A table for whoever draws the questions."""


class Call(NamedTuple):
    """One question, and what became of it. The seed makes the same question again."""

    seed: int
    seconds: float
    output: Array


class Trial(NamedTuple):
    """A round of one entry."""

    start: float
    """Seconds to import the file and to load the weights."""
    calls: list[Call]
    """The warm-up, those that count, and one more."""


@dataclass
class Result:
    """What `compete` found about an entry."""

    name: str
    nbytes: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of one call, round by round."""
    rejected: str = ""
    """Why, in a sentence; empty for an entry that was measured in all rounds."""


class Row(NamedTuple):
    """A line of the scoreboard."""

    place: int
    """1 for the best. Entries of which nobody can say which is better share a place. 0 if it was rejected."""
    name: str
    value: float
    """In the unit of the metric; nan if it was rejected."""
    times: float
    """How many times better than the first entry, and the interval from `low` to `high` in which that number lies."""
    low: float
    high: float
    rejected: str


def read_task(path: Path) -> Task:
    """Read a task file: TOML, with exactly the fields of Task but the name, each of the type that stands there.

    A whole number will do for `goal`. `true` is no number.

    Raises:
        TaskError: the file is missing or no TOML; a key is missing, unknown, or of another type; `metric` is none of
            METRICS; `goal` is not above 1; rounds < MIN_ROUNDS; calls, work, limit or max_bytes < 1; warmup < 0.
            The message has the name of the file and the key.
    """
    try:
        with path.open("rb") as file:
            given = tomllib.load(file)
    except (OSError, ValueError) as error:
        raise TaskError(f"{path.name} cannot be read: {error}") from None
    kinds = {"str": str, "float": float, "int": int, "bool": bool, "dict[str, Any]": dict}
    wanted = {each.name: kinds[str(each.type)] for each in fields(Task) if each.name != "name"}
    if unknown := given.keys() - wanted.keys():
        raise TaskError(
            f"{path.name} says {min(unknown)!r}, which no task has. Tasks have {', '.join(wanted)}."
        )
    for key, kind in wanted.items():
        if key not in given:
            raise TaskError(f"{path.name} does not say {key!r}")
        if kind is float and type(given[key]) is int:
            given[key] = float(given[key])
        if type(given[key]) is not kind:
            raise TaskError(f"{path.name}: {key} = {given[key]!r} should be of type {kind.__name__}")
    if given["metric"] not in METRICS:
        raise TaskError(f"{path.name}: metric = {given['metric']!r} is none of {', '.join(METRICS)}")
    if not given["goal"] > 1:
        raise TaskError(f"{path.name}: goal = {given['goal']} should be more than 1 times")
    least = {"rounds": MIN_ROUNDS, "warmup": 0, "calls": 1, "work": 1, "limit": 1, "max_bytes": 1}
    for key, low in least.items():
        if given[key] < low:
            raise TaskError(f"{path.name}: {key} = {given[key]} should be at least {low}")
    return Task(path.stem, **given)


def load_entry(path: Path) -> ModuleType:
    """Import an entry's file as a new module, each time it is called, and give the module.

    The module is in sys.modules while its file is run, as with any import: a dataclass looks there for the module that
    it is in. Afterwards it is not there any more, after an error either, so another entry cannot import it.

    Raises:
        EntryError: there is no such file; it raises anything, even SystemExit, when it is imported; or it has no
            function `load`. The message has the name of the file.
    """
    spec = importlib.util.spec_from_file_location(f"entry_{path.stem}", path)
    assert spec and spec.loader, "entries are .py files"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise EntryError(f"{path.name} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        del sys.modules[spec.name]
    if not callable(getattr(module, "load", None)):
        raise EntryError(f"{path.name} has no function load(model, weights)")
    return module


def weigh(weights: Weights, path: Path) -> int:
    """The bytes that an entry consists of: those of its arrays and their names, and of its source, compressed.

    The source counts because numbers could stand there, too; compressed (zlib, level 9), so that readable code is
    not much heavier than code without names and comments.

    Raises:
        EntryError: the weights are no dict of NumPy arrays of booleans or numbers with string names. A subclass of
            np.ndarray and an array of objects could hold anything. The message has the name of what is wrong.
    """
    if type(weights) is not dict:
        raise EntryError(f"build should give a dict of arrays, and gives {type(weights).__name__}")
    for name, array in weights.items():
        if type(name) is not str or type(array) is not np.ndarray or array.dtype.kind not in "biufc":
            raise EntryError(
                f"the weight {name!r} is no NumPy array of numbers, but {getattr(array, 'dtype', type(array))}"
            )
    source = zlib.compress(path.read_bytes(), 9)
    return len(source) + sum(len(name.encode()) + array.nbytes for name, array in weights.items())


def fresh_calls(
    answer: Callable[..., Any], draw: Draw, number: int, clock: Clock = time.process_time
) -> list[Call]:
    """Ask `number` questions, and time each answer: answer(*draw(seed)).

    Each seed is drawn by `secrets.randbits(32)`, which no other generator's seed foretells, right before its call, and
    the question is made before the clock starts. `np.array` copies the answer before the clock stops: an answer that
    is computed only when somebody looks at it has to be computed then, and one that is changed later is not seen.
    `time_calls` of kata 19 looks at the clock.

    Raises:
        EntryError: the answer is no array of numbers, or nothing that np.array makes one of.
    """
    calls = []
    for _ in range(number):
        seed = secrets.randbits(32)
        outputs: list[Array] = []
        seconds = time_calls(partial(_ask, answer, draw(seed), outputs), 1, clock)
        if outputs[0].dtype.kind not in "biuf":
            raise EntryError(f"an answer should be an array of numbers, and is of dtype {outputs[0].dtype}")
        calls.append(Call(seed, seconds, outputs[0]))
    return calls


def _ask(answer: Callable[..., Any], question: tuple[Any, ...], outputs: list[Array]) -> None:
    outputs.append(np.array(answer(*question)))


def end_after(seconds: int) -> None:  # given
    """Let the system end this process after that many seconds, whatever it is doing."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)


def prepare(group: ProcessGroup, path: Path, task: Task, given: Weights) -> Weights:  # given
    """What the process that builds does: the weights that the entry makes of `given`, or `given` if it builds none."""
    end_after(task.limit)
    build = getattr(load_entry(path), "build", None)
    return build(dict(task.model), dict(given)) if build else dict(given)


def run_trial(
    group: ProcessGroup,
    path: Path,
    task: Task,
    weights: Weights,
    draw: Draw,
    clock: Clock = time.process_time,
) -> Trial:
    """What the process of one round does: import the entry, load the weights, answer. `spawn` of kata 19 calls it.

    The process is ended after task.limit seconds (`end_after`). `load(model, weights)` gets copies of both tables.
    `start` are the seconds for importing and loading. Then come task.warmup + task.calls fresh calls, and one more,
    which is checked and does not count: the last call that counts could leave out what only the next one needs.
    """
    end_after(task.limit)
    began = clock()
    answer = load_entry(path).load(dict(task.model), dict(weights))
    start = clock() - began
    return Trial(start, fresh_calls(answer, draw, task.warmup + task.calls + 1, clock))


def check_trial(trial: Trial, counted: float) -> None:
    """Refuse a round whose process says that it took less than the system has `counted`, in CPU seconds, or no time.

    Every call takes some time, more than 0 s. What the process says, the start and all its calls, should be at least
    half of counted - SLACK. Otherwise somebody has changed the clock, or worked when it was not running, or in other
    processes.

    Raises:
        EntryError: the message says of a call that took no time how much it took. Otherwise it has both numbers, and
            "the system counted" in front of that of the system.
    """
    fastest = min(call.seconds for call in trial.calls)
    if not fastest > 0:
        raise EntryError(f"a call took {fastest:.3g} s by the clock in its own process")
    said = trial.start + sum(call.seconds for call in trial.calls)
    if not said >= (counted - SLACK) / 2:
        raise EntryError(
            f"its calls took {said:.3g} s by the clock in its own process, and the system counted {counted:.3g} s"
        )


def compete(
    task: Task, entries: Mapping[str, Path], given: Weights, draw: Draw, judge: Judge
) -> list[Result]:
    """Measure the entries, by name, in turns, and give a Result for each, in their order.

    First each entry is built by `prepare`, in one process of `spawn`, and weighed. Then come task.rounds rounds: in
    each, every entry has one `run_trial` in a process of its own; in every second round the last entry is the first. A
    round counts if `check_trial` and `judge` find nothing: judge(calls) gets all calls, also those that do not count.
    What the system has counted is what `seconds_of_children` has grown by. The seconds of a round are those of the
    calls that count, with task.count_start also of the start and the warm-up, divided by task.calls.

    What goes wrong with an entry, more than task.max_bytes too, is why it is rejected: use `rejecting`. It is not
    measured any more, and the others are.
    """
    results = [Result(name) for name in entries]
    weights: dict[str, Weights] = {}
    for result in results:
        with rejecting(result):
            path = entries[result.name]
            [weights[result.name]] = spawn(prepare, 1, path, task, given)
            result.nbytes = weigh(weights[result.name], path)
            if result.nbytes > task.max_bytes:
                raise EntryError(f"it weighs {result.nbytes} bytes, and may weigh {task.max_bytes}")
    for turn in range(task.rounds):
        for result in results if turn % 2 == 0 else results[::-1]:
            if result.rejected:
                continue
            with rejecting(result):
                before = seconds_of_children()
                [trial] = spawn(run_trial, 1, entries[result.name], task, weights[result.name], draw)
                check_trial(trial, seconds_of_children() - before)
                judge(trial.calls)
                seconds = [call.seconds for call in trial.calls[:-1]]
                total = trial.start + sum(seconds) if task.count_start else sum(seconds[task.warmup :])
                result.seconds.append(total / task.calls)
    return results


@contextmanager
def rejecting(result: Result) -> Iterator[None]:  # given
    """What goes wrong with the entry in this block becomes the reason why it is rejected."""
    try:
        yield
    except NotImplementedError:  # a function of yours, and no fault of the entry
        raise
    except (RuntimeError, EntryError) as error:
        reason = str(error).strip().splitlines()[-1].removeprefix(f"{EntryError.__module__}.EntryError: ")
        if reason.startswith("NotImplementedError: kata "):  # the same, in the process of a trial
            raise NotImplementedError(reason.removeprefix("NotImplementedError: ")) from None
        result.rejected = reason


def seconds_of_children() -> float:  # given
    """The CPU seconds of all processes that this one has started and that have ended."""
    import resource  # Windows has none, and no fork either

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rank(task: Task, results: Sequence[Result]) -> list[Row]:
    """The scoreboard: the best entry first, and the rejected ones last, in their order.

    The value of an entry is the median of its seconds, or task.work divided by that, or its bytes. `times`, low and
    high say how many times better it is than the first of the results that is not rejected: by kata 19's `compare` of
    the seconds, or for bytes the ratio, three times. An entry shares the place of the best one of that place if
    `compare` finds no difference between the two, or if their bytes are equal; otherwise its place is 1 + the number
    of entries before it.
    """

    def better(a: Result, b: Result) -> tuple[float, float, float, bool]:
        """How many times `a` is better than `b`, from, to, and whether they are told apart."""
        if task.metric == "bytes":
            ratio = b.nbytes / a.nbytes
            return ratio, ratio, ratio, ratio != 1
        found = compare(b.seconds, a.seconds)
        return found.ratio, found.low, found.high, found.verdict != "no difference"

    def cost(result: Result) -> float:
        return result.nbytes if task.metric == "bytes" else float(np.median(result.seconds))

    fine = [each for each in results if not each.rejected]
    rows: list[Row] = []
    leader = None
    for number, result in enumerate(sorted(fine, key=cost), 1):
        if leader is None or better(leader, result)[3]:
            leader, place = result, number
        value = task.work / cost(result) if task.metric == "rate" else cost(result)
        rows.append(Row(place, result.name, value, *better(result, fine[0])[:3], ""))
    nan = math.nan
    return rows + [Row(0, each.name, nan, nan, nan, nan, each.rejected) for each in results if each.rejected]
