"""What goes wrong, as clients of OpenAI's API expect to hear it: a status, and a body of one shape."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tinytorch.capstone import error_body

TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
"""OpenAI's words for an error's type, by status. The other ones below 500 are "invalid_request_error"."""


class ApiError(Exception):
    """An answer other than 200: raised anywhere below the application, which makes the response of it."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        kind = TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return json.dumps(error_body(self.message, kind, self.param, self.code)).encode()
