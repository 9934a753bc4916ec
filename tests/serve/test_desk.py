"""How tokens get from the engine's thread to the readers of the loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dojo.serve.desk import TOGETHER, Desk, Reader
from dojo.serve.server import serve
from dojo.serve.settings import Settings
from dojo.spec.server import beside
from tests.serve.serving import bundle
from tinytorch.caching import Request
from tinytorch.capstone import Event


def desk_and_reader() -> tuple[Desk, Reader]:
    """A desk whose engine does not run: the test delivers in its place."""
    return Desk(bundle(), Settings(rows=2)), Reader([Request([1], 1)])


async def taken(reader: Reader, count: int) -> list[int | None]:
    found: list[int | None] = []
    while len(found) < count:
        found += [event.token for event in await reader.take()]
    return found


def test_what_is_written_while_the_loop_is_busy_wakes_it_once() -> None:
    async def run() -> None:
        desk, reader = desk_and_reader()
        woken: list[Callable[[], object]] = []
        desk.loop.call_soon_threadsafe = lambda look: woken.append(look)  # type: ignore[method-assign, assignment, misc]
        for token in range(5):
            desk._deliver([Event(reader, 0, token)])
        assert len(woken) == 1
        woken[0]()
        assert [event.token for event in await reader.take()] == [0, 1, 2, 3, 4]

    asyncio.run(run())


def test_nothing_is_lost_or_overtaken_however_the_two_threads_run() -> None:
    tokens = 3_000

    async def run() -> None:
        desk, reader = desk_and_reader()

        def write() -> None:
            for token in range(tokens):
                desk._deliver([Event(reader, 0, token)])
                if token % 10 == 0:
                    time.sleep(token % 7 / 1_000)  # the loop looks in vain now and then, and goes to sleep

        thread = threading.Thread(target=write)
        thread.start()
        async with asyncio.timeout(60):
            assert await taken(reader, tokens) == list(range(tokens))
        thread.join()

    asyncio.run(run())


def test_a_reader_for_whom_much_waits_lets_others_run_in_between() -> None:
    async def run() -> None:
        desk, reader = desk_and_reader()
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        desk._deliver([Event(reader, 0, token) for token in range(10 * TOGETHER)])
        task = asyncio.create_task(other())
        assert await taken(reader, 10 * TOGETHER) == list(range(10 * TOGETHER))
        task.cancel()
        assert turns >= 10

    asyncio.run(run())


def test_a_collection_of_garbage_does_not_look_at_what_was_loaded(tmp_path: Path) -> None:
    """It would take 40 ms, in which no reader gets anything."""
    looked_at = tmp_path / "looked at"

    def run(started: Callable[[str], None]) -> int:
        def begin(address: str) -> None:
            looked_at.write_text(f"{len(gc.get_objects())} {gc.get_freeze_count()}")
            started(address)

        return asyncio.run(serve(bundle(), Settings(port=0), begin))

    with beside(run):
        now, never = map(int, looked_at.read_text().split())
        assert now < 5_000 < 50_000 < never
