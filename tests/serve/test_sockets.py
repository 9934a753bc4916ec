"""Clients that do not keep to the rules, one at a time, over raw sockets."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from dojo.spec.server import Beside
from tests.serve.serving import FOREVER, metric, serving

GET = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with serving(rows=2, head_seconds=0.4, body_seconds=0.4, idle_seconds=0.4, write_seconds=0.5) as running:
        yield running


def head(length: int, path: str = "/v1/completions") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def request(prompt: str = "a", **options: object) -> bytes:
    body = json.dumps({"prompt": prompt, **options}).encode()
    return head(len(body)) + body


def everything(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def ask(server: Beside, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send some bytes, and give what is answered until the connection is closed."""
    with server.connect() as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        return everything(connection)


def test_a_head_that_never_ends_is_answered_408(server: Beside) -> None:
    for beginning in (b"", b"G", GET[:-2]):
        answer = ask(server, beginning)
        assert answer.startswith(b"HTTP/1.1 408 "), (beginning, answer)
        assert b'"error"' in answer


def test_a_head_that_comes_letter_by_letter_is_answered_408(server: Beside) -> None:
    with server.connect() as connection:
        began = time.monotonic()
        try:
            while time.monotonic() < began + 5:
                connection.sendall(b"x-letter: a\r\n" if time.monotonic() > began + 0.01 else GET[:-2])
                time.sleep(0.05)
        except OSError:
            pass  # it is closed
        assert time.monotonic() < began + 2


def test_a_body_that_never_ends_is_answered_408_and_noted(server: Beside) -> None:
    before = len([line for line in server.log() if line.get("status") == 408])
    answer = ask(server, head(100) + b'{"prompt": ')
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    server.until(lambda: len([line for line in server.log() if line.get("status") == 408]) > before)


def test_a_body_that_nobody_reads_may_not_come_for_ever_either(server: Beside) -> None:
    answer = ask(server, head(100, "/nothing"), b"a", pause=0.2)
    assert answer.startswith(b"HTTP/1.1 404 "), answer


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00" * 20, b"hello\r\n\r\n", b"GET / FTP/1.1\r\n\r\n", b"\0" * 99]
)
def test_what_is_not_http_is_answered_400(server: Beside, garbage: bytes) -> None:
    answer = ask(server, garbage)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b'"error"' in answer


def test_a_head_that_is_too_long_is_answered_400(server: Beside) -> None:
    assert ask(server, GET[:-2] + b"x-long: " + b"a" * 40_000).startswith(b"HTTP/1.1 400 ")


def test_two_lengths_are_refused(server: Beside) -> None:
    """What two servers could read in two ways is how requests are smuggled."""
    begun = b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n"
    assert ask(server, begun + b"content-length: 2\r\n\r\nab").startswith(b"HTTP/1.1 400 ")
    assert b" 200 " not in ask(server, begun + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n")[:20]


def test_a_connection_that_asks_nothing_more_is_closed(server: Beside) -> None:
    answer = ask(server, GET)
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b"HTTP/1.1") == 1


def test_requests_behind_one_another_are_answered_in_order(server: Beside) -> None:
    answer = ask(server, GET + request(max_tokens=2) + GET.replace(b"/health", b"/nothing"))
    places = [answer.find(each) for each in (b'{"status":"ok"}', b"text_completion", b" 404 ")]
    assert -1 not in places and places == sorted(places), answer


def test_a_second_request_whose_body_does_not_come_is_answered_408(server: Beside) -> None:
    answer = ask(server, GET + head(10) + b"{")
    assert answer.startswith(b"HTTP/1.1 200 ") and b"HTTP/1.1 408 " in answer, answer


def test_a_client_that_leaves_in_the_head_or_in_the_body_costs_nothing(server: Beside) -> None:
    server.get("/health")
    files, tasks = metric(server, "process_open_fds"), metric(server, "tinytorch_tasks")
    for part in (b"", b"GE", GET[:-2], head(50), head(50) + b"{"):
        for _ in range(5):
            with server.connect() as connection:
                connection.sendall(part)
    server.until(lambda: metric(server, "process_open_fds") <= files)
    assert metric(server, "tinytorch_tasks") <= tasks
    assert not [line for line in server.log() if "traceback" in line]


def test_a_client_that_leaves_while_tokens_come_frees_its_row(server: Beside) -> None:
    with server.connect() as connection:
        connection.sendall(request(max_tokens=FOREVER, stream=True))
        assert b" 200 " in connection.recv(100)
        server.until(lambda: metric(server, "tinytorch_rows_active") == 1)
    server.until(lambda: metric(server, "tinytorch_rows_active") == 0)


def test_a_client_that_leaves_while_it_waits_for_a_whole_answer_frees_its_row(server: Beside) -> None:
    with server.connect() as connection:
        connection.sendall(request(max_tokens=FOREVER))
        server.until(lambda: metric(server, "tinytorch_rows_active") == 1)
    server.until(lambda: metric(server, "tinytorch_rows_active") == 0)
    server.until(lambda: any(line.get("gone") for line in server.log()))


def test_a_client_that_does_not_read_loses_its_row(server: Beside) -> None:
    """Its tokens wait in its own queue and in the system's buffers; when those are full, it has half a second."""
    before = metric(server, "tinytorch_connections_refused_total")
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request(max_tokens=FOREVER, stream=True, logprobs=5))
        server.until(lambda: metric(server, "tinytorch_rows_active") == 1)
        server.until(lambda: metric(server, "tinytorch_connections_refused_total") == before + 1, seconds=9)
    server.until(lambda: metric(server, "tinytorch_rows_active") == 0)


def test_one_connection_too_many_is_answered_503() -> None:
    with serving(connections=3) as server, server.connect(), server.connect(), server.connect() as last:
        server.until(lambda: b" 503 " in ask(server)[:20])
        last.sendall(GET)
        assert b" 200 " in last.recv(100)
