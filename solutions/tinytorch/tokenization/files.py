"""Tokenizers in files: the tokenizer.json of Hugging Face's `tokenizers`, written whole and read strictly.

The format has options that these tokenizers do not implement. A reader has to refuse them: otherwise it would silently
give other ids.
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
"""In the tables below: an entry that may be anything, because the reader checks it itself."""

Table = dict[str, Any]

FORMAT: Table = {"version": ("1.0", None), "truncation": (None,), "padding": (None,), "normalizer": (None,)}
"""The allowed values of each entry; the first is the one to write. If None is among them, the entry may be null or
absent. A dict is the table of a part that has entries itself."""

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
"""For the places where these settings change nothing: after encoding, and when decoding."""

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
    """The content to write for a table: the first of the values of each entry, None if there are none."""
    if isinstance(table, dict):
        return {name: filled(entry) for name, entry in table.items()}
    return copy.deepcopy(table[0]) if table else None


def check_fields(path: FilePath, place: str, value: Any, table: Any) -> None:
    """Raise unless `table` allows `value`, which is at `place` in the file `path`; return None.

    A table is one of the above, or a part of one. A tuple allows the values in it; an empty one, LOOKED_AT, allows
    anything. A dict allows an object whose entries are each allowed by the dict's entry of the same name; an entry that
    is absent from the object counts as None.

    Types count: neither True nor 1.0 is equal to 1 here.

    Raises:
        ValueError: the value is not allowed, or it has an entry that the dict does not have. The message names the
            path, the place (for an entry, its name) and the value.
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
        raise ValueError(f"{path}: {place} is {value!r}, which is not understood, only one of {table}")


def write_json(path: FilePath, value: Any) -> None:
    """Write `value` as readable JSON: UTF-8, indented by 2, with characters as they are, not as \\u escapes.

    Use `write_atomically` of kata 08: the file is written completely or not at all. A reader that has the old file open
    still reads the old content, and after an error no other file is left.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    write_atomically(path, text.encode("utf-8"))


def read_json(path: FilePath) -> Any:
    """The value in a JSON file.

    Raises:
        ValueError: it is not JSON in UTF-8 (the message names the path), or an object in it has two entries of one
            name (the message names the path and the name). json.loads is not as strict: it takes bytes in UTF-16, takes
            NaN and Infinity for numbers, and keeps the last of two entries.
        FileNotFoundError: there is no such file; the message names the path.
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
        ValueError: `vocab` is not a dict (the message has the word "vocab"), an id is not an integer (the message has
            its name and value) or occurs twice (it has the id), or one from 0 to the number of names less 1 is missing
            (it has the smallest missing id, even if another id is out of range). The message always has the path.
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
