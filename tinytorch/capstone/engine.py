"""The engine: one thread that has the model, and any number of threads that want something of it.

A model, a cache and NumPy's random generators know nothing of threads. So one thread alone touches them, and the others
talk to it through one line of jobs behind one lock. What they get back are events, all of a step in one call: a call
for each token would cost more than many a token does.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from tinytorch.caching import Batch, PrefixCache, Request
from tinytorch.dispatch import Array
from tinytorch.transformers import GPT

T = TypeVar("T")


class QueueFull(RuntimeError):
    """As many jobs wait as may wait: come back later."""


class EngineStopped(RuntimeError):
    """The engine takes no more jobs: it was stopped, or it has failed."""


@dataclass(eq=False)
class Job:  # given
    """What a client asked for: one prompt, with a Request of kata 16 for each choice of how to go on with it."""

    requests: list[Request]
    logprobs: int | None = None
    """How many of the likeliest tokens an event names, beside how likely its own token was. None: nothing of both."""
    deadline: float = math.inf
    """The time.monotonic() at which what is not finished ends with "timeout"."""
    cancelled: set[int] = field(default_factory=set)
    """The choices that nobody waits for any more: a flag that the engine reads between two steps."""


class Scored(NamedTuple):  # given
    """A token, and how likely it was: natural logarithms, of the raw logits, before temperature, top_k and top_p."""

    token: int
    logprob: float | None
    """None: there were no logits for it, as for the first token of a prompt."""
    top: list[tuple[int, float]]
    """The likeliest tokens with their logarithms, most likely first."""


@dataclass(slots=True)
class Event:  # given
    """What happened to one choice of a job in a step."""

    job: Job
    index: int
    """Which choice: requests[index]."""
    token: int | None
    """The new token, a stop token too; None: the choice has ended without one."""
    finish_reason: str | None = None
    """ "stop", "length", "cancelled", "timeout" or "error"; None: it goes on."""
    logprob: float | None = None
    top: Sequence[tuple[int, float]] = ()


def nobody(events: list[Event]) -> None:  # given
    """The receiver of an engine whose steps are called one by one: step returns the events too."""


def score_tokens(logits: Array, tokens: Sequence[int], top: int) -> list[Scored]:
    """How likely tokens[r] was in row r of the logits (R, V), and the `top` likeliest tokens of each row.

    The logarithm of the probability is logit - log(sum of exp(logits)), without overflow however large the logits are.
    All rows are done at once. A `top` above V gives all V. All numbers are Python's.
    """
    raise NotImplementedError("kata 20: score_tokens")


class Engine:
    """Writes for many jobs at once, on a Batch of kata 16.

    Only the thread that calls run, or step, touches `batch`, and with it the model, its cache and `prefixes`. `rows` is
    a dict from each Request in a row to its job and the number of its choice, for that thread alone.

    Shared with other threads, and touched only inside `with self.changed`, are: `line`, a dict from each job that waits
    to the list of its choices that wait, in the order in which they came; `questions`; `stopping`; and `failure`,
    the exception that ended the engine, or None. self.changed is a Condition: who changes one of them notifies it.
    """

    def __init__(  # given
        self,
        model: GPT,
        rows: int = 8,
        deliver: Callable[[list[Event]], object] = nobody,
        queue_size: int = 64,
        prefixes: PrefixCache | None = None,
    ) -> None:
        """Take the memory for `rows` texts.

        `deliver` is called by the engine's thread, once a step, with the list of the events of that step.
        """
        self.batch = Batch(model, rows, prefixes)
        self.deliver = deliver
        self.queue_size = queue_size
        self.rows: dict[Request, tuple[Job, int]] = {}
        self.changed = threading.Condition()
        self.line: dict[Job, list[int]] = {}
        self.questions: deque[tuple[Callable[[GPT], Any], Future[Any]]] = deque()
        self.stopping = False
        self.failure: BaseException | None = None

    # For other threads

    @property
    def waiting(self) -> int:  # given
        """How many jobs wait for a row, with all or some of their choices."""
        return len(self.line)

    @property
    def active(self) -> int:  # given
        """How many rows are in use."""
        return len(self.batch.requests)

    def submit(self, job: Job) -> None:
        """Put a job at the end of the line. Any thread may call it.

        Raises:
            ValueError, TypeError, IndexError: the job has no request, or as check_request for one of them: told here,
                to the one who asked.
            EngineStopped: the engine was stopped, or has failed; the message says which.
            QueueFull: queue_size jobs wait; the message names the number.
        """
        raise NotImplementedError("kata 20: Engine.submit")

    def check_open(self) -> None:  # given
        """Raise EngineStopped if the engine takes nothing more."""
        if self.failure is not None:
            raise EngineStopped(f"the engine has failed: {self.failure!r}")
        if self.stopping:
            raise EngineStopped("the engine was stopped, and takes no more jobs")

    def cancel(self, job: Job, index: int | None = None) -> None:
        """Set the flag that nobody waits for a choice of a job any more, by default for all of its choices.

        Any thread may call it, at any time, and it does not wait: the next step sees it. So nothing is done here but
        to change job.cancelled.
        """
        raise NotImplementedError("kata 20: Engine.cancel")

    def ask(self, function: Callable[[GPT], T]) -> Future[T]:  # given
        """Let the engine's thread call function(model) between two steps; any thread may call it.

        The Future gets the result, or what the function raises, which harms nobody else.

        Raises:
            EngineStopped: as submit.
        """
        future: Future[T] = Future()
        with self.changed:
            self.check_open()
            self.questions.append((function, future))
            self.changed.notify()
        return future

    def stop(self) -> None:  # given
        """Refuse new jobs, and let run return when all that were taken are done. Any thread may call it."""
        with self.changed:
            self.stopping = True
            self.changed.notify()

    # For the engine's thread

    def answer(self) -> None:  # given
        """Answer the oldest question, if there is one."""
        with self.changed:
            if not self.questions:
                return
            function, future = self.questions.popleft()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(self.batch.model))
            except BaseException as error:
                future.set_exception(error)

    def drop(self) -> list[Event]:
        """End the choices that were cancelled, and those whose deadline has come, in a row or in the line.

        Their rows are free now. A choice that ends gets an Event without a token, with the reason "cancelled" or
        "timeout"; for one that is both, "cancelled". A job of which nothing waits any more leaves the line.

        Late is what time.monotonic() has reached. Call it by that name, through the module: the specs set that clock.
        """
        raise NotImplementedError("kata 20: Engine.drop")

    def admit(self) -> None:
        """Give the free rows of the batch to the choices that wait, first come, first served by job.

        While another job waits too, a job gets a row only if it has fewer than half of all rows: someone who wants 50
        choices does not shut out the others. What has a row keeps it.
        """
        raise NotImplementedError("kata 20: Engine.admit")

    def step(self) -> list[Event]:
        """Do what there is to do once, deliver all events of it in one call, and return them.

        In this order: answer a question; drop; admit; one step of the batch, with an Event for each row. The events of
        jobs that ask for logprobs have those of the raw logits, from score_tokens, called at most once; the others
        cost nothing. A request that is finished leaves `rows`. Without events nothing is delivered.

        If the batch raises, the events of drop are delivered all the same: nobody else would tell them.
        """
        raise NotImplementedError("kata 20: Engine.step")

    def run(self) -> None:
        """Make steps as long as there is something to do, and sleep when there is not, until the engine is stopped.

        Sleeping is waiting for self.changed, which costs nothing. When the engine was stopped and nothing is left to
        do, it returns. If anything raises, call self.fail with the exception, and raise it again.
        """
        raise NotImplementedError("kata 20: Engine.run")

    @property
    def busy(self) -> bool:  # given
        """Is there something to do: a row in use, a job in the line, or a question?"""
        return bool(self.rows or self.line or self.questions)

    def fail(self, error: BaseException) -> None:  # given
        """The engine is dead: take nothing more, and let all who wait know, with an Event "error" for each choice."""
        with self.changed:
            self.failure = error
            left = [*self.rows.values(), *((job, i) for job, waits in self.line.items() for i in waits)]
            questions = list(self.questions)
            self.rows.clear()
            self.line.clear()
            self.questions.clear()
        for _, future in questions:
            if future.set_running_or_notify_cancel():
                future.set_exception(EngineStopped(f"the engine has failed: {error!r}"))
        if left:
            self.deliver([Event(job, index, None, "error") for job, index in left])
