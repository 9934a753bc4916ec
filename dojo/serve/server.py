"""The server: an address, an engine in a thread of its own, uvicorn's loop, and an orderly end.

How the process ends:

    0   it was asked to end (SIGTERM, Ctrl-C), and everything that had begun was finished
    1   it was asked to end, and something had to be cut off, or it was asked twice
    2   it could not begin: the port, the bundle, a setting
    3   the engine died
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn

from dojo.serve import log
from dojo.serve.app import application
from dojo.serve.desk import Desk
from dojo.serve.keys import Keys
from dojo.serve.metrics import Metrics
from dojo.serve.protocol import connection_class
from dojo.serve.settings import Settings
from tinytorch.capstone import Bundle, render_chat

FINISHED, CUT, UNABLE, DEAD = 0, 1, 2, 3
CLOSING = (
    2.0  # seconds to close connections, and for the engine to stop, when nothing is being written any more
)
UNREAD = 65_536  # bytes that the system keeps for a client that does not read
TURN = (
    0.001  # seconds that one thread may keep the other waiting: the loop has callbacks, the engine long sums
)


class EngineDied(Exception):
    """The engine's thread ended with an exception, which is the cause of this one."""


class Server(uvicorn.Server):
    """uvicorn's server, which ends as the desk says, and not at the first signal."""

    def __init__(self, config: uvicorn.Config, desk: Desk, started: Callable[[], object]) -> None:
        super().__init__(config)
        self.desk = desk
        self.tell = started
        self.finished = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.tell()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.desk.draining:
            log.line("killed", signal=sig)
            os._exit(CUT)
        log.line("draining", signal=sig)
        self.desk.drain()

    async def main_loop(self) -> None:
        end = asyncio.create_task(self.desk.ended())
        while not end.done():
            await self.on_tick(0)  # the header `date`
            await asyncio.wait([end], timeout=1)
        self.finished = end.result()


async def serve(bundle: Bundle, settings: Settings, started: Callable[[str], object] = print) -> int:
    """Serve a bundle until a signal says that it is enough. Gives the exit status. `started` is told the address.

    Raises:
        ValueError: the tokenizer cannot write a chat, or there is no API key in the file.
        OSError: nobody can listen at that address, or the file of API keys cannot be read.
        EngineDied: the engine has died while it served.
    """
    try:
        bundle.tokenizer.encode(render_chat([{"role": each, "content": "?"} for each in ("system", "user")]))
    except ValueError as error:
        raise ValueError(f"The tokenizer cannot write a chat: {error}.") from None
    keys = Keys(settings.api_keys)
    listener = listen(settings.host, settings.port)
    sys.setswitchinterval(TURN)
    log.take_over()
    desk = Desk(bundle, settings)
    metrics = Metrics(lambda: desk.engine.waiting, lambda: desk.engine.active)
    config = uvicorn.Config(
        application(bundle, desk, settings, keys, metrics),
        http=connection_class(settings, metrics),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=settings.head_bytes,
        timeout_keep_alive=settings.idle_seconds,  # type: ignore[arg-type]  # it is given to call_later
        timeout_graceful_shutdown=CLOSING,  # type: ignore[arg-type]
    )
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    server = Server(config, desk, lambda: started(address))
    desk.thread.start()
    watch = asyncio.create_task(metrics.watch_the_loop())
    gc.freeze()  # or a full collection would look at all modules again, and stop everybody for 40 ms
    await server.serve(sockets=[listener])
    watch.cancel()
    desk.engine.stop()
    desk.thread.join(CLOSING)
    finished = server.finished and not desk.thread.is_alive()
    log.line("ended", finished=finished)
    if desk.engine.failure is not None:
        raise EngineDied("The engine has died.") from desk.engine.failure
    return FINISHED if finished else CUT


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there."""
    family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, number)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD
        )  # each connection has what its listener has
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(f"port {port} of {host} is in use; PORT=0 takes a free one") from None
        raise
    return listener
