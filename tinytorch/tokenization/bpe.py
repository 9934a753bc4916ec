"""The tokenizer of GPT-2: words in bytes, merged by rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tinytorch.tokenization.files import FilePath
from tinytorch.tokenization.merges import Merge

CACHED_WORDS = 2**16
"""How many words a tokenizer remembers before it forgets all of them."""

CACHED_LENGTH = 64
"""Longer words, in characters, are not remembered: few of them come again."""


class BPETokenizer:
    """Byte-level byte pair encoding: decode(encode(text)) == text for every text (Sennrich et al., 2016; GPT-2).

    `vocab` is the list of tokens, bytes, in the order of their ids. `merges` is the list of pairs of tokens that
    become one, the first ones first. `special_tokens` is a dict from name to id.
    """

    def __init__(
        self,
        merges: Iterable[Merge] = (),
        special_tokens: Iterable[str] = (),
        vocab: Sequence[bytes] | None = None,
    ) -> None:
        """Without `vocab`, the ids are: the special tokens in order, then those of vocabulary(merges). A special
        token stands in `vocab` as its UTF-8.

        Raises:
            TypeError: `special_tokens` is a string and not a list of some; the message holds it. Or one is no string;
                the message holds its type.
            ValueError: a special token is empty or given twice, or its UTF-8 or its name is that of a byte or of what
                a merge makes: " " and "Ġ" both mean the space (the message holds the special token); a merge stands
                there twice (the message holds it), or one of its parts is neither a byte nor made by any of the
                merges, be it a later one (the message holds the part); `vocab` lacks a token, has one twice or one
                that nothing makes (the message holds the token).
        """
        raise NotImplementedError("kata 11: BPETokenizer.__init__")

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        vocab_size: int,
        special_tokens: Sequence[str] = (),
        min_frequency: int = 0,
    ) -> BPETokenizer:
        """A tokenizer of `vocab_size` tokens, special ones included, whose merges are learnt from the words of `texts`.

        There are fewer tokens where the texts give no more: no pair is left, or none occurs `min_frequency` times.

        Raises:
            TypeError, ValueError: as __init__ for the special tokens, as count_words for the texts.
            ValueError: `vocab_size` is less than 256 and the special tokens; the message holds both numbers.
        """
        raise NotImplementedError("kata 11: BPETokenizer.train")

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        raise NotImplementedError("kata 11: BPETokenizer.vocab_size")

    def encode(self, text: str, allowed_special: str | Iterable[str] = ()) -> list[int]:
        """The ids of `text`: each word of it in bytes, merged by merge_word. A list of ints, for `tensor` to take.

        A special token in the text is encoded as one id only where it is allowed: "all", or a collection of names.
        Otherwise it is text as any other, so that nobody can end a document by typing <|endoftext|>. Most words come
        again and again: to remember the ids of some thousands makes this several times faster.

        Raises:
            TypeError, ValueError: `text` is no text; as check_text.
            ValueError: a name in `allowed_special` is no special token; the message holds it.
            TypeError: `allowed_special` is a string other than "all"; the message holds it.
        """
        raise NotImplementedError("kata 11: BPETokenizer.encode")

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of the tokens, one after the other. They are UTF-8, unless the ids cut a character in two.

        Raises:
            TypeError, IndexError: as check_ids.
        """
        raise NotImplementedError("kata 11: BPETokenizer.decode_bytes")

    def decode(self, ids: Any, errors: str = "replace") -> str:
        """The text of `ids`; the bytes of a cut character become U+FFFD, or, with errors="strict", an error.

        Raises:
            TypeError, IndexError: as check_ids.
            UnicodeDecodeError: under "strict", the bytes are no UTF-8.
        """
        raise NotImplementedError("kata 11: BPETokenizer.decode")

    def save(self, path: FilePath) -> None:
        """Write a tokenizer.json that the library `tokenizers` loads, with the same ids.

        It is what BPE_FORMAT says, `filled`. "vocab" of "model" maps names to ids: a special token is its own name,
        any other is called by token_name. "merges" is a list of strings, two names with a space between.
        "added_tokens" lists the special tokens as ADDED_TOKEN says, with "id" and "content".
        """
        raise NotImplementedError("kata 11: BPETokenizer.save")

    @classmethod
    def load(cls, path: FilePath) -> BPETokenizer:
        """The tokenizer of a file that save or `tokenizers` wrote, GPT-2's own among them.

        Ids may be in any order, and a merge may be a list of two names. A special token need not stand in "vocab".
        "post_processor" may be one that BYTE_LEVEL knows: it changes no ids.

        Raises:
            ValueError: as read_json, check_fields (with BPE_FORMAT, and with ADDED_TOKEN for each added token),
                read_vocab, token_bytes and __init__; the message always holds the path. Also, "merges" is no list (the
                message holds the word "merges"), or one of them is not two names (the message holds that merge); the
                "content" of an added token is no string, or stands there twice (the message holds it), or its "id" is
                no integer, or another one in "vocab" (the message holds the content); "normalized" is not the same
                for all added tokens (the message holds that word). `tokenizers` looks for those that are not
                normalized first: where two overlap, not always the longer one counts.
        """
        raise NotImplementedError("kata 11: BPETokenizer.load")
