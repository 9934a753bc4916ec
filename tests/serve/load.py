"""Many clients at once, a third of which do not keep to the rules, and what became of the server.

.venv/bin/python tests/serve/load.py 60      # for 60 seconds; the test does the same for three
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROMPTS = ["def ", "return", "hello hello", "name", "\n", "'"]
TOKENS = (3, 12, 40)
STALL = 1.2  # seconds; longer than the server's patience of one second


@dataclass
class Report:
    """What happened. `wrong` are the well-formed requests that were not answered right."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    before: dict[str, float] = field(default_factory=dict)
    middle: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    tracebacks: int = 0
    status: int | None = None


def http(body: Any) -> bytes:
    data = json.dumps(body).encode()
    head = (
        "POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    )
    return head.encode() + f"content-length: {len(data)}\r\n\r\n".encode() + data


class Client:
    """One connection after the other, each as a well-meaning or as a bad client."""

    def __init__(self, address: str, expected: dict[tuple[str, int], str], report: Report, seed: int) -> None:
        where = urlsplit(address)
        self.place = where.hostname, where.port
        self.expected, self.report, self.random = expected, report, random.Random(seed)

    async def run(self, bad: bool, until: float) -> None:
        kinds = [self.stall_head, self.stall_body, self.stall_reading, self.leave_head, self.leave_body]
        kinds += [self.leave_stream, self.leave_queue, self.garbage]
        while time.monotonic() < until:
            kind = self.random.choice(kinds) if bad else self.random.choice([self.whole, self.stream])
            self.report.counts[kind.__name__] += 1
            reader, writer = await asyncio.open_connection(*self.place)
            try:
                await kind(reader, writer)
            except OSError as error:
                if not bad:
                    self.report.wrong.append(f"{kind.__name__}: {error!r}")
            finally:
                writer.close()

    # Well-meaning

    async def whole(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        prompt, tokens = self.random.choice(list(self.expected))
        writer.write(http({"prompt": prompt, "max_tokens": tokens, "temperature": 0}))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        text = json.loads(body)["choices"][0]["text"] if b" 200 " in head[:20] else body.decode()
        self.check(prompt, tokens, text)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        prompt, tokens = self.random.choice(list(self.expected))
        writer.write(http({"prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": True}))
        answer = await reader.read()
        pieces = re.findall(rb"^data: (\{.*\})$", answer, re.MULTILINE)
        text = "".join(json.loads(each)["choices"][0]["text"] for each in pieces)
        self.check(prompt, tokens, text if b"data: [DONE]" in answer else answer.decode())

    def check(self, prompt: str, tokens: int, text: str) -> None:
        if text != self.expected[prompt, tokens]:
            self.report.wrong.append(f"{prompt!r}, {tokens}: {text[-300:]!r}")

    # Bad

    async def stall_head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http({})[:40])
        await asyncio.sleep(STALL)

    async def stall_body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http({"prompt": "a"})[:-3])
        await asyncio.sleep(STALL)

    async def stall_reading(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(http({"prompt": "a", "max_tokens": 200, "stream": True}))
        await asyncio.sleep(STALL)

    async def leave_head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http({})[: self.random.randrange(60)])
        await writer.drain()

    async def leave_body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http({"prompt": "a"})[:-3])
        await writer.drain()

    async def leave_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http({"prompt": "a", "max_tokens": 5_000, "stream": True}))
        await reader.readuntil(b"data: ")

    async def leave_queue(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http({"prompt": "a", "max_tokens": 5_000, "n": 4}))
        await asyncio.sleep(0.02)

    async def garbage(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.random.randbytes(self.random.randrange(1, 3_000)))
        await reader.read()


def load(seconds: float, connections: int = 200, say: Callable[[str], None] = lambda text: None) -> Report:
    """Run the server, and for so many seconds that many clients at once; every third of them is a bad one."""
    import os
    import signal

    from tests.serve.serving import metric, offline, serving

    expected = {(prompt, tokens): offline(prompt, tokens) for prompt in PROMPTS for tokens in TOKENS}
    report = Report()
    names = {
        "files": "process_open_fds",
        "memory": "process_resident_memory_bytes",
        "tasks": "tinytorch_tasks",
        "rows": "tinytorch_rows_active",
        "waiting": "tinytorch_requests_waiting",
    }
    with serving(rows=32, queue=400, max_tokens=5_000, prompt_tokens=500) as server:

        def look() -> dict[str, float]:
            return {short: metric(server, name) for short, name in names.items()}

        async def crowd(share: float) -> None:
            until = time.monotonic() + seconds * share
            clients = [Client(server.address, expected, report, seed) for seed in range(connections)]
            runs: list[Coroutine[Any, Any, None]] = [c.run(i % 3 == 0, until) for i, c in enumerate(clients)]
            await asyncio.gather(*runs)

        def settled() -> bool:
            now = look()
            return not now["rows"] and not now["waiting"] and now["files"] <= report.before["files"]

        server.get("/health")
        report.before = look()
        asyncio.run(crowd(1 / 3))
        server.until(settled, 10)
        report.middle = look()
        say(f"after a third: {report.middle}")
        asyncio.run(crowd(2 / 3))
        server.until(settled, 10)
        report.after = look()
        late = _share_below(server.get("/metrics").text, "tinytorch_loop_lateness_seconds", 0.015)
        say(f"the loop was late by at most 15 ms in {late:.2%} of all looks")
        os.kill(server.child.pid, signal.SIGTERM)
        report.status = server.status()
        report.tracebacks = sum("traceback" in line for line in server.log())
    return report


def _share_below(text: str, name: str, bound: float) -> float:
    """The share of observations of a histogram that are at most `bound`."""
    found = dict(re.findall(rf'^{name}_bucket{{le="(.+)"}} (.+)$', text, re.MULTILINE))
    return float(found[str(bound)]) / float(found["+Inf"])


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    sys.path.insert(0, str(root))
    from dojo.bootstrap import pin_blas
    from dojo.tree import overlay

    pin_blas()  # as `make serve` does
    overlay.install(overlay.plan_for("solutions"))
    report = load(float(sys.argv[1]) if sys.argv[1:] else 60.0, say=print)
    print("requests:", dict(report.counts))
    print("not answered right:", len(report.wrong), report.wrong[:3])
    print("before:", report.before, "\nafter: ", report.after)
    print("tracebacks:", report.tracebacks, " exit status:", report.status)


if __name__ == "__main__":
    main()
