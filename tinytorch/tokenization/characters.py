"""One number for each character, and the checks of text and ids for every tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch.tokenization.files import FilePath


def check_text(text: str) -> None:
    """Raise unless `text` is a string without surrogates; return None.

    Raises:
        TypeError: it is not a string; the message names its type.
        ValueError: it contains a surrogate, a code point from U+D800 to U+DFFF: half a character of UTF-16, which
            UTF-8 cannot encode. The message names the first one, as U+D800, and its position.
    """
    raise NotImplementedError("kata 11: check_text")


def check_ids(ids: Any, vocab_size: int) -> list[int]:
    """`ids` as a list of ints: from a list or tuple of integers, or a 1-d array or Tensor of integers, on any device.

    What Python takes for an index is an integer: NumPy's integers, and 0-d Tensors of integers, too.

    Raises:
        TypeError: an entry is not an integer (a boolean does not count as one), or `ids` is something else, such as one
            number or a string; the message names the entry, or `ids`.
        IndexError: an id is not from 0 to vocab_size - 1; the message names the id and vocab_size.
    """
    raise NotImplementedError("kata 11: check_ids")


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
        raise NotImplementedError("kata 11: CharTokenizer.__init__")

    @classmethod
    def train(cls, text: str) -> CharTokenizer:
        """A tokenizer for the characters of `text`, numbered in the order of their code points.

        Raises:
            TypeError, ValueError: as check_text.
        """
        raise NotImplementedError("kata 11: CharTokenizer.train")

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        raise NotImplementedError("kata 11: CharTokenizer.vocab_size")

    def encode(self, text: str) -> list[int]:
        """The number of each character, as a list of ints; `tensor(tokenizer.encode(text))` makes a Tensor of it.

        Raises:
            TypeError, ValueError: as check_text.
            ValueError: a character is not in the vocabulary; the message names the first one and its position.
        """
        raise NotImplementedError("kata 11: CharTokenizer.encode")

    def decode(self, ids: Any) -> str:
        """The text of `ids`: the inverse of encode.

        Raises:
            TypeError, IndexError: as check_ids.
        """
        raise NotImplementedError("kata 11: CharTokenizer.decode")

    def save(self, path: FilePath) -> None:
        """Write a tokenizer.json that the library `tokenizers` loads, with the same ids.

        Its content is `filled(CHAR_FORMAT)`, with "vocab" of "model" mapping each character to its id.
        """
        raise NotImplementedError("kata 11: CharTokenizer.save")

    @classmethod
    def load(cls, path: FilePath) -> CharTokenizer:
        """The tokenizer of a file that save wrote, or of an equivalent one.

        Raises:
            ValueError: the file is not JSON, or has anything that CHAR_FORMAT does not allow, or its vocabulary is
                not valid: as read_json, check_fields, read_vocab and __init__. The message always names the path.
        """
        raise NotImplementedError("kata 11: CharTokenizer.load")
