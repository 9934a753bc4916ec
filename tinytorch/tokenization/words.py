"""Text cut into words as in GPT-2. A token never spans two words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

WORD = re.compile(
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+""", re.ASCII
)
"""GPT-2's pattern for ASCII text. The original has \\p{L} and \\p{N}, any letter and any number of Unicode, which
Python's `re` does not have: hence `stand_in`."""

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""White space in Unicode. Python's str.isspace is also true for U+001C to U+001F, which are not white space."""


def stand_in(character: str) -> str:
    """An ASCII character of the same kind as `character`, which WORD can match in its place.

    An ASCII character stands for itself. For the others, "a" stands for a letter (its `unicodedata.category` begins
    with L), "0" for a number (N), "\\n" for one of SPACES, "!" for anything else.
    """
    raise NotImplementedError("kata 11: stand_in")


class StandIns(dict[int, str]):  # given
    """A table for str.translate that calls `stand_in` once for each code point that it meets."""

    def __missing__(self, code: int) -> str:  # given
        self[code] = stand_in(chr(code))
        return self[code]


STAND_INS = StandIns()


def split_words(text: str) -> list[str]:
    """The words of `text`, in order; joined, they are the text again.

    The cuts are those of WORD in the text with every character replaced by its stand-in, text.translate(STAND_INS).
    A word is one of: 's 't 're 've 'm 'll 'd; letters, numbers, or other signs, each with at most one space in front;
    white space, without its last character if a word follows.
    """
    raise NotImplementedError("kata 11: split_words")


def split_special(text: str, special_tokens: Iterable[str]) -> list[str]:
    """`text` cut at the special tokens: text, token, text, token, ..., text. Joined, the pieces are the text again.

    So the pieces at odd places are the special tokens, and the text between two of them may be empty. If two special
    tokens begin at the same place, the longer one is taken.
    """
    raise NotImplementedError("kata 11: split_special")


def count_words(texts: str | Iterable[str], special_tokens: Iterable[str] = ()) -> Counter[bytes]:
    """How often each word occurs in the texts; words are bytes (UTF-8). A single string is one text.

    Special tokens are not words, and words end at them.

    Raises:
        TypeError, ValueError: as check_text, for each text.
    """
    raise NotImplementedError("kata 11: count_words")
