"""One connection: uvicorn's HTTP protocol, and how long a client may take.

uvicorn waits for ever for a head or a body that comes slowly, and for ever until a client reads. Three of its methods
are extended so that a timer runs while the client owes us something: the rest of a head, the rest of a body, or the
reading of what was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from dojo.serve import log
from dojo.serve.errors import ApiError
from dojo.serve.metrics import Metrics
from dojo.serve.settings import Settings


class Connection(H11Protocol):
    """A connection of a client. `settings` and `metrics` are of the subclass that `connection_class` makes."""

    settings: Settings
    metrics: Metrics
    owed: Any = None  # h11.IDLE: a head, h11.SEND_BODY: a body
    receiving: asyncio.TimerHandle | None = None
    sending: asyncio.TimerHandle | None = None

    # What the client owes us ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self.settings.connections:
            self.refuse(ApiError(503, "Too many connections are open.", headers={"retry-after": "5"}))
        else:
            self.watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:  # the next request came with this one, but for its body
            self.watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.owed = None
        _cancel(self.receiving, self.sending)

    def watch(self) -> None:
        """Start the timer when a head or a body begins to come, and stop it when all of it is here."""
        owed = self.conn.their_state if self.conn.their_state in (h11.IDLE, h11.SEND_BODY) else None
        if owed is self.owed or self.transport.is_closing():
            return
        self.owed = owed
        _cancel(self.receiving)
        if owed is h11.IDLE:
            self.receiving = self.after(self.settings.head_seconds, self.too_slow, "head")
        elif owed is h11.SEND_BODY:
            self.receiving = self.after(self.settings.body_seconds, self.too_slow, "body")

    def too_slow(self, part: str) -> None:
        seconds = self.settings.head_seconds if part == "head" else self.settings.body_seconds
        self.refuse(ApiError(408, f"The {part} of the request was not here after {seconds:g} seconds."))

    # What the client has to read --------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self.sending = self.after(self.settings.write_seconds, self.not_read)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self.sending)

    def not_read(self) -> None:
        self.metrics.refused.labels("not read").inc()
        self.scope["state"]["refused"] = "not read"
        self.transport.abort()

    # An answer without the application --------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for everything that is not HTTP, and for a head that is too long."""
        most = self.settings.head_bytes
        self.refuse(ApiError(400, f"This is not an HTTP request, or its head is longer than {most} bytes."))

    def refuse(self, error: ApiError) -> None:
        """Answer, if there is still room for an answer, and close the connection."""
        self.metrics.refused.labels(str(error.status)).inc()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = error.body()
            head = {"content-type": "application/json", "connection": "close", **error.headers}
            head["content-length"] = str(len(body))
            events = (
                h11.Response(
                    status_code=error.status, headers=list(head.items()), reason=STATUS_PHRASES[error.status]
                ),
                h11.Data(data=body),
                h11.EndOfMessage(),
            )
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle and not self.cycle.response_complete:  # the application writes a line of its own
            self.scope["state"]["refused"] = error.status
        else:
            log.line(
                "refused", status=error.status, client=self.client and self.client[0], error=error.message
            )
        self.transport.close()

    def after(self, seconds: float, function: Callable[..., None], *args: Any) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, function, *args)


def connection_class(settings: Settings, metrics: Metrics) -> type[Connection]:
    """The class that uvicorn makes an instance of for each connection."""
    return type("Connection", (Connection,), {"settings": settings, "metrics": metrics})


def _cancel(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
