"""Every setting of the server, with its default and its unit: one dataclass, from which `--help` is made."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields
from typing import Any

END = "<|endoftext|>"  # no setting: the special token behind which a text is over, where a tokenizer has it


def setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Settings:
    host: str = setting("127.0.0.1", "the address to listen on; 0.0.0.0 is every network of this machine")
    port: int = setting(8000, "the port; 0 takes a free one and prints it")
    rows: int = setting(8, "texts that are written at once")
    queue: int = setting(64, "requests that may wait for a row; one more is answered 429")
    choices: int = setting(8, "texts that one request may ask for: prompts times `n`")
    prompt_tokens: int = setting(2048, "the longest prompt, in tokens")
    max_tokens: int = setting(1024, "the longest text that is written, in tokens")
    total_seconds: float = setting(120.0, "from the arrival of a request to its last token")
    connections: int = setting(512, "open connections; one more is answered 503")
    head_bytes: int = setting(16_384, "the longest head of a request")
    head_seconds: float = setting(10.0, "how long a client may take to send a head")
    body_bytes: int = setting(262_144, "the longest body of a request")
    body_seconds: float = setting(30.0, "how long a client may take to send a body")
    idle_seconds: float = setting(15.0, "how long a connection may wait for its next request")
    write_seconds: float = setting(10.0, "how long a client may leave what is sent to it unread")
    drain_seconds: float = setting(30.0, "after SIGTERM: how long to finish what has begun")
    api_keys: str = setting("", "a file of API keys, one a line; without it everybody is served")
    cors: str = setting("", "origins whose pages may call this server, with commas between, or *")
    log_prompts: bool = setting(False, "write prompts into the log")

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                least, most = (0, 65_535) if each.name == "port" else (1 if type(value) is int else 0, 10**9)
                if not least <= value <= most:
                    raise ValueError(
                        f"{option(each.name)} is {value}: a number from {least} to {most:,} is expected"
                    )


def option(name: str) -> str:
    """The option of the command line for a setting: "--max-tokens" for "max_tokens"."""
    return "--" + name.replace("_", "-")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each setting."""
    for each in fields(Settings):
        default, about = each.default, each.metadata["help"]
        if isinstance(default, bool):
            parser.add_argument(option(each.name), action="store_true", help=about)
        else:
            shown = f"{about} (default: {default})" if default != "" else about
            kind = type(default)
            parser.add_argument(option(each.name), type=kind, default=default, metavar="X", help=shown)


def settings_from(options: argparse.Namespace) -> Settings:
    """The settings that were typed.

    Raises:
        ValueError: a number is out of its range; the message names the option.
    """
    return Settings(**{each.name: getattr(options, each.name) for each in fields(Settings)})
