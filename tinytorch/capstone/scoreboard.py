"""A competition that is hard to win by cheating: entries are measured in turns, and what was timed is checked.

An entry is a Python file with a function `load(model, weights)`, which gives the function that answers, and perhaps a
function `build(model, given)`, which makes the weights. `build` runs in a process of its own, and each round of
measuring in another one, so that only the weights get from one to the other. Questions are drawn after the entry has
loaded, one before each call. Every answer that was timed is checked, and not another one to the same question.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tinytorch.benchmarking import ProcessGroup
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
    raise NotImplementedError("kata 20: read_task")


def load_entry(path: Path) -> ModuleType:
    """Import an entry's file as a new module, each time it is called, and give the module.

    The module is in sys.modules while its file is run, as with any import: a dataclass looks there for the module that
    it is in. Afterwards it is not there any more, after an error either, so another entry cannot import it.

    Raises:
        EntryError: there is no such file; it raises anything, even SystemExit, when it is imported; or it has no
            function `load`. The message has the name of the file.
    """
    raise NotImplementedError("kata 20: load_entry")


def weigh(weights: Weights, path: Path) -> int:
    """The bytes that an entry consists of: those of its arrays and their names, and of its source, compressed.

    The source counts because numbers could stand there, too; compressed (zlib, level 9), so that readable code is
    not much heavier than code without names and comments.

    Raises:
        EntryError: the weights are no dict of NumPy arrays of booleans or numbers with string names. A subclass of
            np.ndarray and an array of objects could hold anything. The message has the name of what is wrong.
    """
    raise NotImplementedError("kata 20: weigh")


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
    raise NotImplementedError("kata 20: fresh_calls")


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
    raise NotImplementedError("kata 20: run_trial")


def check_trial(trial: Trial, counted: float) -> None:
    """Refuse a round whose process says that it took less than the system has `counted`, in CPU seconds, or no time.

    Every call takes some time, more than 0 s. What the process says, the start and all its calls, should be at least
    half of counted - SLACK. Otherwise somebody has changed the clock, or worked when it was not running, or in other
    processes.

    Raises:
        EntryError: the message says of a call that took no time how much it took. Otherwise it has both numbers, and
            "the system counted" in front of that of the system.
    """
    raise NotImplementedError("kata 20: check_trial")


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
    raise NotImplementedError("kata 20: compete")


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
    raise NotImplementedError("kata 20: rank")
