"""Where two threads meet: the loop, which has the clients, and the engine, which has the model.

Requests go to the engine through its own queue. Tokens come back together, those of all rows and of all steps since
the loop has looked: to wake the loop costs more than a token. It looks again every few milliseconds as long as there is
more to come, and is woken if it did not. So the first token of a lone reader is sent at once, and no eye sees that
others wait.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dojo.serve import log
from dojo.serve.errors import ApiError
from dojo.serve.settings import Settings
from tinytorch.caching import PrefixCache, Request
from tinytorch.capstone import Bundle, Engine, Event, Job, QueueFull

T = TypeVar("T")
LONGEST_RETRY = 60  # seconds
CUT = "cut"  # the finish_reason of a text that the end of the server does not wait for
DYING = 0.5  # seconds in which /health tells that the engine has died
PACE = 0.012  # seconds between two looks at what the engine has written
TOGETHER = 32  # events that a client is sent in one piece, at most: more would keep the loop from the others


@dataclass(eq=False)
class Reader(Job):
    """A job whose events come back into a queue. It holds all of them, so the engine never waits for a client."""

    events: deque[Event] = field(default_factory=deque)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: Event) -> None:
        self.events.append(event)
        self.came.set()

    async def take(self) -> list[Event]:
        """Wait until there are events, and take those that are here, the oldest first, at most TOGETHER."""
        if self.events:
            await asyncio.sleep(0)  # one who always finds some would let nobody else run
        else:
            self.came.clear()
            await self.came.wait()
        return [self.events.popleft() for _ in range(min(len(self.events), TOGETHER))]


class Desk:
    """`engine` is the student's; `open` are the jobs that are not finished."""

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        weight, config = bundle.model.wte.weight, bundle.model.config
        prefixes = PrefixCache(config, settings.rows, dtype=weight.dtype, device=weight.device)
        self.engine = Engine(
            bundle.model, settings.rows, self._deliver, queue_size=settings.queue, prefixes=prefixes
        )
        self.thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.lock = threading.Lock()
        """Around the next two, which both threads change."""
        self.written: list[Event] = []
        self.looking = False
        """Whether the loop will look at `written` without being woken."""
        self.over = False
        """Whether the engine has ended."""
        self.draining = False
        self.open: set[Reader] = set()
        self.changed = asyncio.Event()
        """Set when one of the above may have changed in a way that `ended` waits for."""
        self.seconds = 1.0
        """How long a job takes, on average over the last ones."""

    # The engine's thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self.engine.run()
        except BaseException:
            log.trace("engine died")
        self.over = True
        self.loop.call_soon_threadsafe(self.changed.set)

    def _deliver(self, events: list[Event]) -> None:
        with self.lock:
            self.written += events
            asleep, self.looking = not self.looking, True
        if asleep:
            self.loop.call_soon_threadsafe(self._look)

    # The loop's thread ------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Give what was written to its readers, and look again in a moment, if more of it will come.

        Where everybody's text has ended nobody looks, so that the first token of the next one wakes the loop.
        """
        with self.lock:
            events, self.written = self.written, []
            self.looking = any(event.finish_reason is None for event in events)
            if self.looking:
                self.loop.call_later(PACE, self._look)
        _dispatch(events)

    @contextmanager
    def reading(self, requests: list[Request], logprobs: int | None, deadline: float) -> Iterator[Reader]:
        """Submit a job for as long as the block runs: however it is left, nothing is computed for it any more.

        Raises:
            ApiError: 503 if the server is about to end, 429 if too many wait.
            EngineStopped: the engine has died.
        """
        if self.draining:
            raise ApiError(503, "The server is about to end.", headers={"retry-after": "5"})
        reader = Reader(requests, logprobs=logprobs, deadline=deadline)
        try:
            self.engine.submit(reader)
        except QueueFull:
            raise ApiError(
                429,
                f"{self.engine.waiting} requests wait already: try again later.",
                headers={"retry-after": str(self.wait())},
            ) from None
        began = time.monotonic()
        self.open.add(reader)
        try:
            yield reader
        finally:
            self.engine.cancel(reader)
            self.open.remove(reader)
            self.seconds += 0.1 * (time.monotonic() - began - self.seconds)
            self.changed.set()

    def wait(self) -> int:
        """An estimate of the seconds until all that wait now have been served."""
        together = max(1, len(self.open) - self.engine.waiting)
        return min(LONGEST_RETRY, math.ceil(self.seconds * (self.engine.waiting + 1) / together))

    async def ask(self, function: Callable[[Any], T]) -> T:
        """What `function(model)` gives, computed by the engine's thread between two steps."""
        return await asyncio.wrap_future(self.engine.ask(function))

    def drain(self) -> None:
        """Take nothing new. May be called by a signal handler."""
        self.draining = True
        self.loop.call_soon_threadsafe(self.changed.set)

    async def ended(self) -> bool:
        """Wait until the engine has died, or drain was called and all that had begun is finished.

        False: something was not finished in time, or the engine has died.
        """
        while not self.draining and not self.over:
            await self._change()
        if self.over:
            await asyncio.sleep(DYING)
        limit = time.monotonic() + self.settings.drain_seconds
        while self.open and not self.over and time.monotonic() < limit:
            await self._change(limit - time.monotonic())
        finished = not self.open and self.engine.failure is None
        for reader in self.open:
            _dispatch([Event(reader, index, None, CUT) for index in range(len(reader.requests))])
        return finished

    async def _change(self, seconds: float | None = None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            return
        self.changed.clear()


def _dispatch(events: list[Event]) -> None:
    for event in events:
        reader: Any = event.job
        reader.put(event)


async def unless_gone(receive: Callable[[], Any], work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives, or None if the client leaves before: then the work is cancelled."""
    task = asyncio.ensure_future(work)

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        task.cancel()

    listener = asyncio.create_task(listen())
    try:
        return await task
    except asyncio.CancelledError:
        if not listener.done():  # somebody else cancels all of this
            task.cancel()
            raise
        return None
    finally:
        listener.cancel()
