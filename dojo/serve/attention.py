"""The attention of the last token, head by head: what the page draws."""

from __future__ import annotations

from typing import Any

from dojo.serve.desk import Desk
from dojo.serve.errors import ApiError
from tinytorch.capstone import Bundle


async def attention(bundle: Bundle, desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
    """What POST /api/attention answers. `body` is the JSON object that came; a wrong one is an ApiError(400, ...).

    The model is the engine's: `await desk.ask(function)` lets the engine's thread call function(model), in turn.
    """
    raise ApiError(501, "The attention of a text is not here yet.")
