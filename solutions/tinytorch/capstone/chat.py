"""A conversation as one text: a model that only goes on with texts can answer, if the text is a dialogue.

There are no special tokens in it, so that every tokenizer can encode it that knows letters, colon and line break. The
price: who writes "\\n\\nUser:\\n" in a message can pretend that it is the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ROLES = {"system": "System", "developer": "System", "user": "User", "assistant": "Assistant"}
"""What stands above a message of each role."""

CHAT_STOP = ("\n\nSystem:", "\n\nUser:", "\n\nAssistant:")
"""The stop strings of an answer: where the model begins to write the next message itself."""


def message_text(content: Any) -> str:
    """The text of a message's content: a string, or a list of text parts, which are joined.

    A text part is {"type": "text", "text": "..."}.

    Raises:
        ValueError: the content is something else, or a part is of another type; the message names it.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise ValueError(f"the content of a message is a text or a list of text parts, got {content!r}")
    for part in content:
        if (
            not isinstance(part, Mapping)
            or part.get("type") != "text"
            or not isinstance(part.get("text"), str)
        ):
            raise ValueError(f'a part of a message is {{"type": "text", "text": "..."}}, got {part!r}')
    return "".join(part["text"] for part in content)


def render_chat(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text that a model goes on with to answer `messages`, each a dict with "role" and "content".

    A message is the word of ROLES for its role, a colon, a line break, its text, and an empty line. "Assistant:" and a
    line break come last: "User:\\nHello\\n\\nAssistant:\\n" for one message.

    Raises:
        ValueError: there is no message, or one is no dict; a role is not in ROLES (the message names it); or as
            message_text, and the message names the number of the message, as in messages[0].
    """
    if not messages:
        raise ValueError("messages has one message at least, got none")
    text = ""
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise ValueError(f"messages[{number}] is an object with role and content, got {message!r}")
        role = message.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise ValueError(f"messages[{number}]: a role is one of {', '.join(ROLES)}, got {role!r}")
        try:
            text += f"{ROLES[role]}:\n{message_text(message.get('content'))}\n\n"
        except ValueError as error:
            raise ValueError(f"messages[{number}]: {error}") from None
    return text + "Assistant:\n"
