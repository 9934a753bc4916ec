"""The log: one line of JSON for each request, and for whatever else happens, on standard error."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
import uuid
from typing import Any

SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_id(sent: str) -> str:
    """The name of a request: the client's own x-request-id if it is harmless, or else a new one."""
    return sent if SANE.fullmatch(sent) else uuid.uuid4().hex


def line(event: str, **what: Any) -> None:
    """Write one line, in one piece."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    sys.stderr.write(json.dumps({"time": stamp, "event": event, **what}, default=str) + "\n")
    sys.stderr.flush()


def trace(event: str, **what: Any) -> None:
    """A line about the exception that is being handled."""
    line(event, **what, traceback=traceback.format_exc())


class Lines(logging.Handler):
    """What libraries log, as lines like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        trace = {"traceback": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
        line("message", level=record.levelname, logger=record.name, message=record.getMessage(), **trace)


def take_over() -> None:
    """Let everything that is logged in this process become such lines."""
    logging.basicConfig(handlers=[Lines()], level=logging.WARNING, force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a client's nonsense has a line already
