"""A server beside a spec: in a copy of this process, so that it has the implementation under test, whichever that is.

    with beside(lambda started: asyncio.run(serve(bundle, settings, started))) as server:
        answer = server.post("/v1/completions", prompt="Once", max_tokens=5)

What goes wrong in there is raised here, with the student's line.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dojo.run import process
from dojo.spec.child import need_fork, need_network, raised_there, told_of

if TYPE_CHECKING:  # a third of a second, which no spec before those of the server needs
    import httpx

PAUSE = 0.005  # seconds between two looks


class Beside:
    """A server that runs, at `address`. `client` is a httpx.Client for it."""

    def __init__(self, child: process.Child, address: str, log: IO[str]) -> None:
        import httpx

        self.child, self.address, self._log = child, address, log
        self.client = httpx.Client(base_url=address, trust_env=False, timeout=10)

    def get(self, path: str) -> httpx.Response:
        return self._checked(lambda: self.client.get(path))

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self._checked(lambda: self.client.post(path, json=body))

    @contextmanager
    def streaming(self, path: str, **body: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """The chunks of a streamed answer, one by one; at the end of the block the client leaves."""
        request = self.client.build_request("POST", path, json={**body, "stream": True})
        response = self._checked(lambda: self.client.send(request, stream=True))
        try:
            yield self._chunks(response)
        finally:
            response.close()

    def stream(self, path: str, **body: Any) -> list[dict[str, Any]]:
        """All chunks of a streamed answer. It has to end with [DONE]."""
        with self.streaming(path, **body) as chunks:
            return list(chunks)

    def connect(self, timeout: float = 10.0) -> socket.socket:
        """A raw connection."""
        where = urlsplit(self.address)
        return socket.create_connection((where.hostname, where.port), timeout)

    def log(self) -> list[dict[str, Any]]:
        """The lines of its log so far."""
        self._log.seek(0)
        return [json.loads(line) for line in self._log if line.startswith("{") and line.endswith("\n")]

    def until(self, true: Callable[[], object], seconds: float = 5.0) -> None:
        """Wait for something that becomes true in a moment."""
        end = time.monotonic() + seconds
        while not true():
            self.check()
            assert time.monotonic() < end, f"after {seconds:g} s this was still not true"
            time.sleep(PAUSE)

    def status(self) -> int:
        """Wait for the end of the process: its exit status, or minus the signal that ended it."""
        ending = self.child.wait()
        return -ending.number if ending.kind == process.SIGNAL else ending.number

    def check(self) -> None:
        """Raise what the server has raised, if it has ended or an answer of it could not be made."""
        __tracebackhide__ = True
        self.child.poll()
        for told in self.child.take():
            if "kind" in told:
                raise raised_there(told)
        for line in self.log():
            if line["event"] in ("error", "engine died"):
                raise raised_there({"kind": "Error", "message": line["traceback"], "frames": []})

    def _checked(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        __tracebackhide__ = True
        import httpx

        try:
            response = ask()
        except httpx.HTTPError:
            self.child.poll()
            self.check()
            raise
        if response.status_code == 500:
            self.until(lambda: any("traceback" in line for line in self.log()))
        return response

    def _chunks(self, response: httpx.Response) -> Iterator[dict[str, Any]]:
        __tracebackhide__ = True
        assert response.status_code == 200, response.read().decode()
        for line in response.iter_lines():
            if line == "data: [DONE]":
                return
            if line:
                yield json.loads(line.removeprefix("data: "))
        self.check()
        raise AssertionError("the stream ended without [DONE]")


@contextmanager
def beside(serve: Callable[[Callable[[str], None]], int]) -> Iterator[Beside]:
    """Call serve(started) in a copy of this process, and wait until it has called started(address)."""
    __tracebackhide__ = True
    need_fork()
    need_network()
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", suffix=".log") as log:
        child = process.fork(lambda: _serve(serve, log.name), own_group=False)
        try:
            yield Beside(child, _address(child), log)
        finally:
            child.kill()


def _address(child: process.Child) -> str:
    __tracebackhide__ = True
    while True:
        ended = child.poll()
        for told in child.take():
            if "kind" in told:
                raise raised_there(told)
            if "address" in told:
                return str(told["address"])
        assert not ended, f"The server ended before it began. {child.ending}"
        time.sleep(PAUSE)


def _serve(serve: Callable[[Callable[[str], None]], int], log: str) -> int:
    """What the copy does. Its log goes into a file, so that it never waits for a reader."""
    sys.stderr = open(log, "a", buffering=1, encoding="utf-8")  # noqa: SIM115
    try:
        return serve(lambda address: process.tell({"address": address}))
    except BaseException as error:
        process.tell(told_of(error.__cause__ or error))
        raise
