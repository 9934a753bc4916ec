"""Text from tokens, as early as it is certain.

A token is not a text: an emoji may be spread over four tokens, and the last characters may be the beginning of a stop
string, which nobody is to see. So what is not certain yet is held back, and never more than that.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from tinytorch.tokenization import BPETokenizer, CharTokenizer

Tokenizer = BPETokenizer | CharTokenizer


def bytes_of(tokenizer: Tokenizer, token: int) -> bytes:  # given
    """The bytes of one token, in UTF-8; of a special token, those of its name. They may cut a character in two."""
    if isinstance(tokenizer, BPETokenizer):
        return tokenizer.decode_bytes([token])
    return tokenizer.decode([token]).encode("utf-8")


def held_back(text: str, stop: Sequence[str]) -> int:
    """How many characters at the end of `text` may be the beginning of one of the `stop` strings: the most of them.

    2 for "ask User" and "er:", because "er" is where "er:" begins; 0 if nothing at the end is. A whole stop string is
    not its own beginning.
    """
    return max((n for each in stop for n in range(len(each)) if text.endswith(each[:n])), default=0)


class TextStream:
    """The text of one choice, token by token, up to the first stop string.

    What push and flush return, joined, is tokenizer.decode(ids) up to the first stop string, however the text is cut
    into tokens. The first stop string is the one that is complete first; of two that end at the same place, the longer
    one. `decoder` is an incremental decoder of UTF-8: decoder.decode(bytes) gives the characters that are complete, and
    with True as a second argument also U+FFFD for what will not become one. `held` is the text that is held back,
    `characters` counts what was decoded so far, `held` included; of the token that completes a stop string all, and of
    later ones nothing. `stopped` is True once a stop string was found.
    """

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:  # given
        """Begin an empty text.

        Raises:
            ValueError: a stop string is empty.
        """
        if "" in stop:
            raise ValueError("a stop string has one character at least, got ''")
        self.tokenizer = tokenizer
        self.stop = tuple(stop)
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.held = ""
        self.characters = 0
        self.stopped = False

    def push(self, token: int) -> str:
        """The text that is certain now: "" while a character or a stop string may go on with the next token.

        Certain is all but the characters that are held_back. If a stop string is complete, it and what follows it are
        left out, `stopped` is set, and from then on every call gives "".

        Raises:
            IndexError: the token is not in the vocabulary.
        """
        self._read(self.decoder.decode(bytes_of(self.tokenizer, token)))
        certain = len(self.held) - (0 if self.stopped else held_back(self.held, self.stop))
        text, self.held = self.held[:certain], self.held[certain:]
        return text

    def flush(self) -> str:
        """What was held back, at the end of the text. A character that is not complete becomes U+FFFD.

        After a stop string it is "".
        """
        self._read(self.decoder.decode(b"", True))
        text, self.held = self.held, ""
        return text

    def _read(self, new: str) -> None:
        """Put new text behind what is held, and cut both at a stop string."""
        if self.stopped:
            return
        self.characters += len(new)
        self.held += new
        places = [(self.held.find(each) + len(each), -len(each)) for each in self.stop if each in self.held]
        if places:
            end, length = min(places)  # complete first, and then the longest
            self.held, self.stopped = self.held[: end + length], True
