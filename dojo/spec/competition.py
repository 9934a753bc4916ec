"""A small task of kata 20's competition, as the arguments of its `Task`."""

from __future__ import annotations

from typing import Any

TASK: dict[str, Any] = {
    "name": "t",
    "title": "A task",
    "metric": "seconds",
    "goal": 2.0,
    "rounds": 6,
    "warmup": 1,
    "calls": 2,
    "work": 1,
    "count_start": False,
    "limit": 20,
    "max_bytes": 5000,
    "touch": "",
    "model": {},
    "data": {},
}
