"""One number for each character, and the checks of text and ids for every tokenizer."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from tinytorch.tokenization.files import (
    CHAR_FORMAT,
    FilePath,
    check_fields,
    filled,
    read_json,
    read_vocab,
    write_json,
)


def check_text(text: str) -> None:
    """Raise unless `text` is a string without surrogates; return None.

    Raises:
        TypeError: it is not a string; the message names its type.
        ValueError: it contains a surrogate, a code point from U+D800 to U+DFFF: half a character of UTF-16, which
            UTF-8 cannot encode. The message names the first one, as U+D800, and its position.
    """
    if not isinstance(text, str):
        raise TypeError(f"a tokenizer takes a string, not {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:  # its own message names no code point where there are two in a row
        raise ValueError(
            f"U+{ord(text[error.start]):04X} at position {error.start} of the text is a surrogate, half a "
            "character of UTF-16: was the text decoded wrongly?"
        ) from None


def check_ids(ids: Any, vocab_size: int) -> list[int]:
    """`ids` as a list of ints: from a list or tuple of integers, or a 1-d array or Tensor of integers, on any device.

    What Python takes for an index is an integer: NumPy's integers, and 0-d Tensors of integers, too.

    Raises:
        TypeError: an entry is not an integer (a boolean does not count as one), or `ids` is something else, such as one
            number or a string; the message names the entry, or `ids`.
        IndexError: an id is not from 0 to vocab_size - 1; the message names the id and vocab_size.
    """
    entries = ids.tolist() if hasattr(ids, "tolist") else ids
    if not isinstance(entries, (list, tuple)):
        raise TypeError(f"ids are a list, an array or a Tensor of integers, not {entries!r}")
    numbers = []
    for entry in entries:
        if isinstance(entry, bool) or not hasattr(entry, "__index__"):
            raise TypeError(f"ids are integers, got {entry!r}")
        numbers.append(operator.index(entry))
    for number in numbers:
        if not 0 <= number < vocab_size:
            raise IndexError(
                f"there is no token {number}: ids go from 0 to {vocab_size - 1}, vocab_size is {vocab_size}"
            )
    return numbers


class CharTokenizer:
    """A tokenizer with one number for each character: its place in `vocab`.

    `vocab` is a list of characters; no others can be encoded.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        """Set `vocab` to `characters`: a string, or a list of strings of one character each, all different.

        Raises:
            ValueError: an entry is not one character, or occurs twice (the message names it), or is a surrogate (as
                check_text).
        """
        check_text("".join(characters))
        self.vocab = list(characters)
        self._ids: dict[str, int] = {}
        for number, character in enumerate(self.vocab):
            if len(character) != 1:
                raise ValueError(f"{character!r} is not one character")
            if character in self._ids:
                raise ValueError(f"the character {character!r} stands in the vocabulary twice")
            self._ids[character] = number

    @classmethod
    def train(cls, text: str) -> CharTokenizer:
        """A tokenizer for the characters of `text`, numbered in the order of their code points.

        Raises:
            TypeError, ValueError: as check_text.
        """
        check_text(text)
        return cls(sorted(set(text)))

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        return len(self.vocab)

    def encode(self, text: str) -> list[int]:
        """The number of each character, as a list of ints; `tensor(tokenizer.encode(text))` makes a Tensor of it.

        Raises:
            TypeError, ValueError: as check_text.
            ValueError: a character is not in the vocabulary; the message names the first one and its position.
        """
        check_text(text)
        try:
            return [self._ids[character] for character in text]
        except KeyError as error:
            character = error.args[0]
            raise ValueError(
                f"{character!r} at position {text.index(character)} of the text is not among the {self.vocab_size} "
                "characters of the vocabulary"
            ) from None

    def decode(self, ids: Any) -> str:
        """The text of `ids`: the inverse of encode.

        Raises:
            TypeError, IndexError: as check_ids.
        """
        return "".join([self.vocab[number] for number in check_ids(ids, self.vocab_size)])

    def save(self, path: FilePath) -> None:
        """Write a tokenizer.json that the library `tokenizers` loads, with the same ids.

        Its content is `filled(CHAR_FORMAT)`, with "vocab" of "model" mapping each character to its id.
        """
        file = filled(CHAR_FORMAT)
        file["model"]["vocab"] = {character: number for number, character in enumerate(self.vocab)}
        write_json(path, file)

    @classmethod
    def load(cls, path: FilePath) -> CharTokenizer:
        """The tokenizer of a file that save wrote, or of an equivalent one.

        Raises:
            ValueError: the file is not JSON, or has anything that CHAR_FORMAT does not allow, or its vocabulary is
                not valid: as read_json, check_fields, read_vocab and __init__. The message always names the path.
        """
        file = read_json(path)
        check_fields(path, "the file", file, CHAR_FORMAT)
        characters = read_vocab(path, file["model"].get("vocab"))
        try:
            return cls(characters)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
