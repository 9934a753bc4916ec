"""An engine of kata 20 in a thread of its own, and somebody who listens to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dojo.spec.threads import no_thread_left

PATIENCE = 5.0
"""The seconds that no spec waits longer than."""


class Inbox:
    """What an engine delivers, by choice, and a way to wait until each of some jobs has ended."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.threads: set[threading.Thread] = set()
        self.over = False
        self.news = threading.Condition()

    def __call__(self, events: list[Any]) -> None:
        with self.news:
            self.threads.add(threading.current_thread())
            self.events += events
            self.news.notify_all()

    def end(self) -> None:
        with self.news:
            self.over = True
            self.news.notify_all()

    def of(self, job: Any, index: int = 0) -> list[Any]:
        return [each for each in self.events if each.job is job and each.index == index]

    def ended(self, *jobs: Any) -> bool:
        choices = [(each, index) for each in jobs for index in range(len(each.requests))]
        return all(any(event.finish_reason for event in self.of(*each)) for each in choices)

    def wait(self, *jobs: Any) -> None:
        __tracebackhide__ = True
        with self.news:
            self.news.wait_for(lambda: self.over or self.ended(*jobs), PATIENCE)
        if not self.ended(*jobs):
            when = "when run has ended" if self.over else f"after {PATIENCE:g} seconds"
            raise AssertionError(f"not all of {len(jobs)} jobs have ended {when}")

    def text(self, job: Any, index: int = 0) -> list[int]:
        return [each.token for each in self.of(job, index)]

    def reasons(self, job: Any) -> list[str]:
        return [self.of(job, index)[-1].finish_reason for index in range(len(job.requests))]


class Counted(threading.Condition):
    """A Condition that counts how often somebody has begun to wait for it."""

    number = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.number += 1
        return super().wait(timeout)


class Worker(threading.Thread):
    """A thread in which an engine runs: what run returned, and what it raised, if it has."""

    def __init__(self, engine: Any) -> None:
        super().__init__(name="engine", daemon=True)
        self.engine = engine
        self.returned: Any = "nothing yet"
        self.raised: BaseException | None = None

    def run(self) -> None:
        try:
            self.returned = self.engine.run()
        except BaseException as error:
            self.raised = error
        if isinstance(self.engine.deliver, Inbox):
            self.engine.deliver.end()


@contextmanager
def running(engine: Any) -> Iterator[Worker]:
    """The engine at work in a thread; at the end it is stopped."""
    thread = Worker(engine)
    with no_thread_left():
        thread.start()
        try:
            yield thread
        finally:
            engine.stop()
            thread.join(PATIENCE)
            if isinstance(thread.raised, NotImplementedError):
                raise thread.raised
