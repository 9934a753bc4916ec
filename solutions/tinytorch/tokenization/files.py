"""Tokenizers in files: the tokenizer.json of Hugging Face's `tokenizers`, written whole and read strictly.

The format can say more than these tokenizers do. What a reader does not understand it has to refuse: the ids would
be others, without a word.
"""

from __future__ import annotations

import copy
import json
from os import PathLike
from pathlib import Path
from typing import Any

from tinytorch.training import write_atomically

FilePath = str | PathLike[str]

LOOKED_AT = ()
"""Stands in the tables below for an entry that the reader itself looks at."""

Table = dict[str, Any]

FORMAT: Table = {"version": ("1.0", None), "truncation": (None,), "padding": (None,), "normalizer": (None,)}
"""The values of each entry that are understood; the first is the one to write. Where None is among them, the entry may
be null or absent. A dict is the table of a part with entries of its own."""

CHAR_FORMAT: Table = {
    **FORMAT,
    "added_tokens": ([], None),
    "pre_tokenizer": {
        "type": ("Split",),
        "pattern": {"Regex": ("[\\s\\S]",)},
        "behavior": ("Isolated",),
        "invert": (False,),
    },
    "post_processor": (None,),
    "decoder": {"type": ("Fuse",)},
    "model": {"type": ("WordLevel",), "vocab": LOOKED_AT, "unk_token": ("",)},
}

BYTE_LEVEL: Table = {
    "type": ("ByteLevel",),
    "add_prefix_space": (True, False),
    "trim_offsets": (True, False),
    "use_regex": (True, False, None),
}
"""Where these settings change nothing: after encoding, and when decoding."""

BPE_FORMAT: Table = {
    **FORMAT,
    "added_tokens": LOOKED_AT,
    "pre_tokenizer": {**BYTE_LEVEL, "add_prefix_space": (False,), "use_regex": (True, None)},
    "post_processor": LOOKED_AT,
    "decoder": BYTE_LEVEL,
    "model": {
        "type": ("BPE", None),
        "dropout": (None,),
        "unk_token": (None,),
        "continuing_subword_prefix": (None, ""),
        "end_of_word_suffix": (None, ""),
        "fuse_unk": (False, None),
        "byte_fallback": (False, None),
        "ignore_merges": (False, None),
        "vocab": LOOKED_AT,
        "merges": LOOKED_AT,
    },
}

ADDED_TOKEN: Table = {
    "id": LOOKED_AT,
    "content": LOOKED_AT,
    "single_word": (False,),
    "lstrip": (False,),
    "rstrip": (False,),
    "normalized": (False, True),
    "special": (True,),
}


def filled(table: Any) -> Any:  # given
    """What a table says to write: the first of the values of each entry, None where there are none."""
    if isinstance(table, dict):
        return {name: filled(entry) for name, entry in table.items()}
    return copy.deepcopy(table[0]) if table else None


def check_fields(path: FilePath, place: str, value: Any, table: Any) -> None:
    """Nothing, where the tables above understand `value`, which stands at `place` in the file `path`.

    A tuple understands the values in it, and an empty one, LOOKED_AT, anything. A dict understands an object in which
    its own entry of that name understands each entry; one that is absent from the object counts as None.

    True is not 1 here, and 1.0 is not either.

    Raises:
        ValueError: the value is not understood, or it has an entry that the dict has not. The message holds the path,
            the place (for an entry, its name) and the value.
    """
    if isinstance(table, dict):
        if not isinstance(value, dict):
            raise ValueError(f"{path}: {place} is {value!r}, expected an object")
        for name in [*table, *value]:
            if name not in table:
                raise ValueError(
                    f"{path}: {place} has the entry {name!r}: {value[name]!r}, which is not understood"
                )
            check_fields(path, f"{place}: {name}", value.get(name), table[name])
    elif table and not any(type(value) is type(each) and value == each for each in table):
        understood = " or ".join(map(repr, table))
        raise ValueError(f"{path}: {place} is {value!r}, which is not understood, only {understood}")


def write_json(path: FilePath, value: Any) -> None:
    """Write `value` as JSON to read: UTF-8, indented by 2, characters as they are and not as \\u escapes.

    Whole or not at all: `write_atomically` of kata 08 does the writing. Whoever has the old file open reads the old one
    to its end, and after an error nothing is left behind.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    write_atomically(path, text.encode("utf-8"))


def read_json(path: FilePath) -> Any:
    """The value in a JSON file.

    Raises:
        ValueError: it is not JSON in UTF-8 (the message holds the path), or an object in it has two entries of one
            name (the message holds the path and the name). json.loads is not as strict: it takes bytes in UTF-16, takes
            NaN and Infinity for numbers, and keeps the last of two entries.
        FileNotFoundError: there is no such file; the message holds the path.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8")
        return json.loads(text, object_pairs_hook=_entries, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def _entries(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the entry {twice!r} stands there twice")
    return entries


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def read_vocab(path: FilePath, vocab: Any) -> list[str]:
    """The names in `vocab`, a dict from name to id that was read from `path`, in the order of their ids.

    Raises:
        ValueError: `vocab` is no dict (the message holds the word "vocab"), an id is not an integer (its name and the
            value), is taken twice (the id), or one between 0 and the number of names is missing (the smallest such,
            also where another id is outside). The message always holds the path.
    """
    if not isinstance(vocab, dict):
        raise ValueError(f"{path}: vocab is {vocab!r}, expected an object of ids")
    names: dict[int, str] = {}
    for name, number in vocab.items():
        if type(number) is not int:
            raise ValueError(f"{path}: the id of {name!r} is {number!r}, not an integer")
        if number in names:
            raise ValueError(f"{path}: {names[number]!r} and {name!r} both have the id {number}")
        names[number] = name
    for number in range(len(names)):
        if number not in names:
            raise ValueError(f"{path}: there are {len(names)} tokens, and none has the id {number}")
    return [names[number] for number in range(len(names))]
