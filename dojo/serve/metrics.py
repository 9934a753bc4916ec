"""What an operator watches, for Prometheus: each number once, in a registry of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

SHORT = (0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0)
LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LOOK = 0.05  # seconds between two looks at how late the loop is


class Metrics:
    def __init__(self, waiting: Callable[[], float], active: Callable[[], float]) -> None:
        """`waiting` and `active` tell how many requests wait, and how many rows are in use."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter
        self.registry = CollectorRegistry()
        self.requests = self.counter("requests", "requests that were answered", "path", "status")
        self.refused = self.counter("connections_refused", "closed without the application", "why")
        self.tokens = self.counter("tokens", "tokens, of prompts and written", "kind")
        self.first = self.histogram("time_to_first_token_seconds", "from the arrival of a request", LONG)
        self.between = self.histogram("time_between_tokens_seconds", "between two tokens of a text", SHORT)
        self.late = self.histogram(
            "loop_lateness_seconds", "how much later than asked for the loop wakes", SHORT
        )
        self.gauge("requests_waiting", "requests that wait for a row", waiting)
        self.gauge("rows_active", "texts that are being written", active)
        self.gauge("tasks", "tasks of the loop", lambda: len(asyncio.all_tasks()))
        self.gauge("cpu_seconds", "CPU time of this process", time.process_time)
        ProcessCollector(registry=self.registry)  # memory, open files: on Linux

    def counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"tinytorch_{name}", about, labels, registry=self.registry)

    def histogram(self, name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"tinytorch_{name}", about, buckets=buckets, registry=self.registry)

    def gauge(self, name: str, about: str, ask: Callable[[], float]) -> None:
        Gauge(f"tinytorch_{name}", about, registry=self.registry).set_function(ask)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    async def watch_the_loop(self) -> None:
        """Ask to be woken again and again, and note how late that happens. Runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK
            await asyncio.sleep(LOOK)
            self.late.observe(max(0.0, loop.time() - due))
