"""One number for each character, and what every tokenizer asks of text and of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch.tokenization.files import FilePath


def check_text(text: str) -> None:
    """Nothing, where `text` is a string of characters.

    Raises:
        TypeError: it is not a string; the message holds its type.
        ValueError: it holds a surrogate, a code point from U+D800 to U+DFFF: half a character of UTF-16, which no
            UTF-8 can write. The message holds the first one, as U+D800, and its position.
    """
    raise NotImplementedError("kata 11: check_text")


def check_ids(ids: Any, vocab_size: int) -> list[int]:
    """`ids` as a list of ints: from a list or tuple of integers, or a 1-d array or Tensor of integers, on any device.

    Raises:
        TypeError: an entry is not an integer (a boolean is none), or `ids` is something else, such as one number or a
            string; the message holds the entry, or `ids`.
        IndexError: an id is not from 0 to vocab_size - 1; the message holds the id and vocab_size.
    """
    raise NotImplementedError("kata 11: check_ids")


class CharTokenizer:
    """One number for each character: its place in `vocab`.

    `vocab` is a list of characters, and nothing else can be encoded.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        """`characters`: a string, or a list of strings of one character each; no two are the same.

        Raises:
            ValueError: an entry is not one character, or stands there twice (the message holds it), or is a
                surrogate (as check_text).
        """
        raise NotImplementedError("kata 11: CharTokenizer.__init__")

    @classmethod
    def train(cls, text: str) -> CharTokenizer:
        """A tokenizer for the characters of `text`, numbered in the order of their code points.

        Raises:
            TypeError, ValueError: `text` is no text; as check_text.
        """
        raise NotImplementedError("kata 11: CharTokenizer.train")

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        raise NotImplementedError("kata 11: CharTokenizer.vocab_size")

    def encode(self, text: str) -> list[int]:
        """The number of each character. A list of ints; `tensor(tokenizer.encode(text))` makes a Tensor of it.

        Raises:
            TypeError, ValueError: `text` is no text; as check_text.
            ValueError: a character is not in the vocabulary; the message holds the first such and its position.
        """
        raise NotImplementedError("kata 11: CharTokenizer.encode")

    def decode(self, ids: Any) -> str:
        """The text of `ids`: what encode was given.

        Raises:
            TypeError, IndexError: as check_ids.
        """
        raise NotImplementedError("kata 11: CharTokenizer.decode")

    def save(self, path: FilePath) -> None:
        """Write a tokenizer.json that the library `tokenizers` loads, with the same ids.

        It is what CHAR_FORMAT says, `filled`, and "vocab" of "model" maps each character to its id.
        """
        raise NotImplementedError("kata 11: CharTokenizer.save")

    @classmethod
    def load(cls, path: FilePath) -> CharTokenizer:
        """The tokenizer of a file that save wrote, or of one that says the same.

        Raises:
            ValueError: there is no JSON in the file, or anything that CHAR_FORMAT does not know, or the vocabulary is
                none: as read_json, check_fields, read_vocab and __init__. The message always holds the path.
        """
        raise NotImplementedError("kata 11: CharTokenizer.load")
