"""The tokenizer of GPT-2: the bytes of words, merged by rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tinytorch.tokenization.files import FilePath
from tinytorch.tokenization.merges import Merge

CACHED_WORDS = 2**16
"""How many words a tokenizer caches before it clears the cache."""

CACHED_LENGTH = 64
"""Words with more characters are not cached: few of them occur again."""


class BPETokenizer:
    """Byte-level byte pair encoding: decode(encode(text)) == text for every text (Sennrich et al., 2016; GPT-2).

    `vocab` is the list of tokens, as bytes, in the order of their ids. `merges` is the list of pairs of tokens that
    become one, in the order of their ranks. `special_tokens` is a dict from name to id.
    """

    def __init__(
        self,
        merges: Iterable[Merge] = (),
        special_tokens: Iterable[str] = (),
        vocab: Sequence[bytes] | None = None,
    ) -> None:
        """Set `vocab`, `merges` and `special_tokens`.

        If `vocab` is None, it is: the special tokens in order, then vocabulary(merges). In `vocab` a special token is
        its name in UTF-8.

        Raises:
            TypeError: `special_tokens` is a string and not a list of some; the message names it. Or one is no string;
                the message names its type.
            ValueError: a special token is empty or given twice, or its UTF-8 or its name is that of a byte or of what
                a merge makes: " " and "Ġ" both mean the space (the message names the special token); a merge stands
                there twice (the message names it), or one of its parts is neither a byte nor made by any of the
                merges, be it a later one (the message names the part); `vocab` lacks a token, has one twice or one
                that nothing makes (the message names the token).
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

        It has fewer tokens if no pair is left, or none occurs at least `min_frequency` times.

        Raises:
            TypeError, ValueError: as __init__ for the special tokens, as count_words for the texts.
            ValueError: `vocab_size` is less than 256 plus the number of special tokens; the message names both numbers.
        """
        raise NotImplementedError("kata 11: BPETokenizer.train")

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        raise NotImplementedError("kata 11: BPETokenizer.vocab_size")

    def encode(self, text: str, allowed_special: str | Iterable[str] = ()) -> list[int]:
        """The ids of `text`, as a list of ints: the bytes of each word, merged by merge_word.

        A special token in the text becomes one id only if `allowed_special` allows it: "all", or a collection of names.
        Otherwise it is ordinary text, so that nobody can end a document by typing <|endoftext|>. Most words occur many
        times: to cache the ids of some thousands makes this several times faster.

        Raises:
            TypeError, ValueError: as check_text.
            ValueError: a name in `allowed_special` is not a special token; the message names it.
            TypeError: `allowed_special` is a string other than "all"; the message names it.
        """
        raise NotImplementedError("kata 11: BPETokenizer.encode")

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of the tokens, joined. They are valid UTF-8, unless the ids cut a character in two.

        Raises:
            TypeError, IndexError: as check_ids.
        """
        raise NotImplementedError("kata 11: BPETokenizer.decode_bytes")

    def decode(self, ids: Any, errors: str = "replace") -> str:
        """The text of `ids`; the bytes of a cut character become U+FFFD, or, with errors="strict", an error.

        Raises:
            TypeError, IndexError: as check_ids.
            UnicodeDecodeError: with "strict", the bytes are not valid UTF-8.
        """
        raise NotImplementedError("kata 11: BPETokenizer.decode")

    def save(self, path: FilePath) -> None:
        """Write a tokenizer.json that the library `tokenizers` loads, with the same ids.

        Its content is `filled(BPE_FORMAT)` with these entries. "vocab" of "model" maps names to ids: a special token is
        its own name, any other has its token_name. "merges" of "model" is a list of strings, two names with a space
        between. "added_tokens" lists the special tokens, each `filled(ADDED_TOKEN)` with its "id" and "content".
        """
        raise NotImplementedError("kata 11: BPETokenizer.save")

    @classmethod
    def load(cls, path: FilePath) -> BPETokenizer:
        """The tokenizer of a file that save or `tokenizers` wrote, GPT-2's own among them.

        Ids may be in any order, and a merge may be a list of two names. A special token may be missing in "vocab".
        "post_processor" may be one that BYTE_LEVEL allows: it changes no ids.

        Raises:
            ValueError: as read_json, check_fields (with BPE_FORMAT, and with ADDED_TOKEN for each added token),
                read_vocab, token_bytes and __init__; the message always names the path. Also: "merges" is not a list
                (the message has the word "merges"), or one of them is not two names (the message names that merge);
                the "content" of an added token is not a string, or occurs twice (the message names it), or its "id" is
                not an integer, or differs from that in "vocab" (the message names the content); "normalized" is not
                the same for all added tokens (the message has that word): `tokenizers` searches for those that are
                not normalized first, so that it does not always take the longer of two tokens that overlap.
        """
        raise NotImplementedError("kata 11: BPETokenizer.load")
