"""The web application: which address does what, and what is done for every request."""

from __future__ import annotations

import asyncio
import mimetypes
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dojo.serve import log
from dojo.serve.answers import Answer, encode
from dojo.serve.asking import ask_of, body_of
from dojo.serve.attention import attention
from dojo.serve.desk import Desk
from dojo.serve.errors import ApiError
from dojo.serve.keys import Keys
from dojo.serve.metrics import Metrics
from dojo.serve.settings import Settings
from tinytorch.capstone import Bundle, EngineStopped

PAGE = Path(__file__).parent / "page"
PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
}
LEFT = 499  # in the log only: the client left before there was an answer (nginx's number)


class Application:
    """The handlers of all addresses. `bundle` is what is served."""

    def __init__(self, bundle: Bundle, desk: Desk, settings: Settings, keys: Keys, metrics: Metrics) -> None:
        self.bundle, self.desk, self.settings = bundle, desk, settings
        self.keys, self.metrics = keys, metrics
        self.model = {
            "id": bundle.card["name"],
            "object": "model",
            "created": int(time.time()),
            "owned_by": "tinytorch",
        }

    def routes(self) -> list[Route]:
        return [
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{name:path}", self.one_model, methods=["GET"]),
            Route("/api/attention", self.attention, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
            Route("/ready", self.ready, methods=["GET"]),
            Route("/metrics", self.numbers, methods=["GET"]),
            *(Route(address, _file(path), methods=["GET"]) for address, path in page_files()),
        ]

    # The model --------------------------------------------------------------------------------------------

    async def completions(self, request: Request) -> Answer:
        return await self.answer(request, chat=False)

    async def chat_completions(self, request: Request) -> Answer:
        return await self.answer(request, chat=True)

    async def answer(self, request: Request, chat: bool) -> Answer:
        self.check(request)
        body, note = await body_of(request, self.settings.body_bytes), request.state.note
        ask = ask_of(body, chat, self.settings)
        if self.settings.log_prompts:
            note["prompts"] = ask.prompts
        prompts = await asyncio.to_thread(encode, ask, self.bundle, self.settings.prompt_tokens)
        return Answer(ask, prompts, self.bundle, self.desk, self.metrics, note)

    async def attention(self, request: Request) -> Response:
        self.check(request)
        body = await body_of(request, self.settings.body_bytes)
        return JSONResponse(await attention(self.bundle, self.desk, body))

    async def models(self, request: Request) -> Response:
        self.check(request)
        return JSONResponse({"object": "list", "data": [self.model]})

    async def one_model(self, request: Request) -> Response:
        self.check(request)
        if request.path_params["name"] != self.model["id"]:
            raise ApiError(404, f"The only model here is {self.model['id']!r}.", "model", "model_not_found")
        return JSONResponse(self.model)

    def check(self, request: Request) -> None:
        self.keys.check(request.headers.get("authorization", ""))

    # For operators: these need no key ---------------------------------------------------------------------

    async def health(self, request: Request) -> Response:
        """200 as long as the engine lives. 500: end this process, and start another one."""
        if self.desk.over or self.desk.engine.failure is not None:
            raise ApiError(500, "The engine has died.")
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """200 as long as new requests are taken."""
        if self.desk.draining:
            raise ApiError(503, "The server is about to end.")
        return JSONResponse({"status": "ok"})

    async def numbers(self, request: Request) -> Response:
        return Response(self.metrics.text(), media_type="text/plain; version=1.0.0; charset=utf-8")


def application(bundle: Bundle, desk: Desk, settings: Settings, keys: Keys, metrics: Metrics) -> ASGIApp:
    """The application that uvicorn runs."""
    origins = [each.strip() for each in settings.cors.split(",") if each.strip()]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "x-request-id"],
        expose_headers=["x-request-id", "retry-after"],
    )
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        ApiError: _error,
        HTTPException: _http_error,
        EngineStopped: _stopped,
        ClientDisconnect: _left,
        Exception: _unexpected,
    }
    routes = Application(bundle, desk, settings, keys, metrics).routes()
    app = Starlette(routes=routes, middleware=[cors] if origins else [], exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Noted(app, metrics)


# Errors -------------------------------------------------------------------------------------------------


async def _error(request: Request, error: ApiError) -> Response:
    request.state.note["error"] = error.message
    return Response(error.body(), error.status, error.headers, "application/json")


async def _http_error(request: Request, error: HTTPException) -> Response:
    """What starlette itself refuses: an address that is not there, or another method."""
    said = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.method} is not for this address.",
    }
    message = said.get(error.status_code, error.detail)
    return await _error(request, ApiError(error.status_code, message, headers=error.headers))


async def _stopped(request: Request, error: EngineStopped) -> Response:
    return await _error(request, ApiError(503, "The engine has ended."))


async def _left(request: Request, error: ClientDisconnect) -> Response:
    """The client has left in the middle of its request: nobody reads this answer but the log."""
    request.state.note["gone"] = True
    return Response(status_code=LEFT)


async def _unexpected(request: Request, error: Exception) -> Response:
    return await _error(request, ApiError(500, "Something went wrong here. The log says what."))


# Every request ------------------------------------------------------------------------------------------


class Noted:
    """Around the application: each request gets an id, a line in the log, and is counted."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = log.request_id(Headers(scope=scope).get("x-request-id", ""))
        note: dict[str, Any] = {"began": time.monotonic()}
        scope.setdefault("state", {})["note"] = note
        status = LEFT

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = name
                MutableHeaders(scope=message)["x-content-type-options"] = "nosniff"
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except asyncio.CancelledError:  # the process ends, and this client does not read what it was told
            note["cut"] = True
        except Exception:
            log.trace("error", id=name)
        if refused := scope["state"].get("refused"):  # the protocol has closed the connection, and says why
            note["refused"] = refused
            status = refused if status == LEFT and isinstance(refused, int) else status
        route = getattr(scope.get("route"), "path", "other")
        self.metrics.requests.labels(route, str(status)).inc()
        seconds = round(time.monotonic() - note.pop("began"), 4)
        client = scope["client"][0] if scope.get("client") else None
        about = {
            "id": name,
            "client": client,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
        }
        log.line("request", **about, seconds=seconds, **note)


# The page -----------------------------------------------------------------------------------------------


def page_files() -> list[tuple[str, Path]]:
    """The address of each file of the page: "/" for index.html, "/app.js" for app.js."""
    files = sorted(path for path in PAGE.iterdir() if path.is_file())
    return [("/" if path.name == "index.html" else f"/{path.name}", path) for path in files]


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    kind = mimetypes.guess_type(path.name)[0]

    async def serve(request: Request) -> Response:
        return Response(path.read_bytes(), headers=PAGE_HEADERS, media_type=kind)

    return serve
