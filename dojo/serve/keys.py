"""API keys. Several are valid at once: so a new one can be given out before the old one is taken away."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from dojo.serve.errors import ApiError


class Keys:
    """The keys of a file: one a line, empty lines and lines that begin with # do not count.

    Only digests are kept, so no key can be read out of the memory of this process, and all that are compared have the
    same length.
    """

    def __init__(self, path: str) -> None:
        lines = Path(path).read_text(encoding="utf-8").split("\n") if path else []
        keys = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if path and not keys:
            raise ValueError(f"--api-keys: there is no key in {path}")
        self.digests = [_digest(key) for key in keys]

    def check(self, authorization: str) -> None:
        """Refuse a request whose header `Authorization: Bearer KEY` names none of the keys, if there are any.

        Every key is compared, in a time that does not depend on where two keys begin to differ.
        """
        if not self.digests:
            return
        scheme, _, key = authorization.partition(" ")
        given = _digest(key.strip())
        known = sum(hmac.compare_digest(given, each) for each in self.digests)
        if scheme.lower() != "bearer" or not known:
            raise ApiError(
                401,
                "This server asks for an API key: send the header `Authorization: Bearer KEY`.",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
