"""The tokenizer of GPT-2: the bytes of words, merged by rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tinytorch.tokenization.characters import check_ids, check_text
from tinytorch.tokenization.files import (
    ADDED_TOKEN,
    BPE_FORMAT,
    BYTE_LEVEL,
    FilePath,
    check_fields,
    filled,
    read_json,
    read_vocab,
    write_json,
)
from tinytorch.tokenization.merges import (
    Merge,
    merge_word,
    token_bytes,
    token_name,
    train_merges,
    vocabulary,
)
from tinytorch.tokenization.words import count_words, split_special, split_words

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
        if isinstance(special_tokens, str):
            raise TypeError(
                f"special_tokens is a list of strings, got {special_tokens!r}: use [{special_tokens!r}]"
            )
        special_tokens, self.merges = list(special_tokens), list(merges)
        ordinary = vocabulary(self.merges)
        _check_special(special_tokens, ordinary)
        _check_merges(self.merges, ordinary)
        tokens = [*(name.encode("utf-8") for name in special_tokens), *ordinary]
        self.vocab = tokens if vocab is None else list(vocab)
        _check_vocab(self.vocab, tokens)

        ids = {token: number for number, token in enumerate(self.vocab)}
        self.special_tokens = {name: ids[name.encode("utf-8")] for name in special_tokens}
        self._bytes = [ids[bytes([byte])] for byte in range(256)]
        self._table = {(ids[a], ids[b]): (rank, ids[a + b]) for rank, (a, b) in enumerate(self.merges)}
        self._cache: dict[str, list[int]] = {}

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
        smallest = cls((), special_tokens).vocab_size
        if vocab_size < smallest:
            raise ValueError(
                f"vocab_size is {vocab_size}, and 256 bytes and {smallest - 256} special tokens are {smallest} tokens"
            )
        words = count_words(texts, special_tokens)
        return cls(train_merges(words, vocab_size - smallest + 256, min_frequency), special_tokens)

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        return len(self.vocab)

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
        check_text(text)
        ids: list[int] = []
        for place, piece in enumerate(split_special(text, self._allowed(allowed_special))):
            if place % 2:
                ids.append(self.special_tokens[piece])
            else:
                for word in split_words(piece):
                    ids += self._encoded(word)
        return ids

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of the tokens, joined. They are valid UTF-8, unless the ids cut a character in two.

        Raises:
            TypeError, IndexError: as check_ids.
        """
        return b"".join([self.vocab[number] for number in check_ids(ids, self.vocab_size)])

    def decode(self, ids: Any, errors: str = "replace") -> str:
        """The text of `ids`; the bytes of a cut character become U+FFFD, or, with errors="strict", an error.

        Raises:
            TypeError, IndexError: as check_ids.
            UnicodeDecodeError: with "strict", the bytes are not valid UTF-8.
        """
        return self.decode_bytes(ids).decode("utf-8", errors)

    def save(self, path: FilePath) -> None:
        """Write a tokenizer.json that the library `tokenizers` loads, with the same ids.

        Its content is `filled(BPE_FORMAT)` with these entries. "vocab" of "model" maps names to ids: a special token is
        its own name, any other has its token_name. "merges" of "model" is a list of strings, two names with a space
        between. "added_tokens" lists the special tokens, each `filled(ADDED_TOKEN)` with its "id" and "content".
        """
        special = {number: name for name, number in self.special_tokens.items()}
        file = filled(BPE_FORMAT)
        file["model"]["vocab"] = {
            special.get(i) or token_name(token): i for i, token in enumerate(self.vocab)
        }
        file["model"]["merges"] = [f"{token_name(left)} {token_name(right)}" for left, right in self.merges]
        file["added_tokens"] = [
            filled(ADDED_TOKEN) | {"id": number, "content": name} for number, name in sorted(special.items())
        ]
        write_json(path, file)

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
        file = read_json(path)
        check_fields(path, "the file", file, BPE_FORMAT)
        if file.get("post_processor") is not None:
            check_fields(path, "post_processor", file["post_processor"], BYTE_LEVEL)
        special = _read_special(path, file.get("added_tokens"))
        vocab = file["model"].get("vocab")
        for name, number in special.items():
            if isinstance(vocab, dict) and vocab.setdefault(name, number) != number:
                raise ValueError(
                    f"{path}: the added token {name!r} has the id {number}, and {vocab[name]} in vocab"
                )
        names = read_vocab(path, vocab)
        try:
            tokens = [name.encode("utf-8") if name in special else token_bytes(name) for name in names]
            return cls(_read_merges(file["model"].get("merges")), special, tokens)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def _allowed(self, allowed_special: str | Iterable[str]) -> Iterable[str]:
        if allowed_special == "all":
            return self.special_tokens
        if isinstance(allowed_special, str):
            raise TypeError(f'allowed_special is "all" or a collection of names, got {allowed_special!r}')
        allowed = list(allowed_special)
        for name in allowed:
            if name not in self.special_tokens:
                raise ValueError(
                    f"{name!r} is no special token of this tokenizer: it has {[*self.special_tokens]}"
                )
        return allowed

    def _encoded(self, word: str) -> list[int]:
        """The ids of one word. Most words occur again, so their ids are cached, up to a limit."""
        if word in self._cache:
            return self._cache[word]
        ids = merge_word([self._bytes[byte] for byte in word.encode("utf-8")], self._table)
        if len(word) <= CACHED_LENGTH:
            if len(self._cache) >= CACHED_WORDS:
                self._cache.clear()
            self._cache[word] = ids
        return ids


# Is it a tokenizer? -------------------------------------------------------------------------------------


def _check_special(special_tokens: list[str], ordinary: list[bytes]) -> None:
    names = set(map(token_name, ordinary))
    for place, special in enumerate(special_tokens):
        check_text(special)
        if not special:
            raise ValueError("a special token is the empty string ''")
        if special in special_tokens[:place]:
            raise ValueError(f"the special token {special!r} is given twice")
        if special in names or special.encode("utf-8") in ordinary:
            raise ValueError(f"the special token {special!r} is an ordinary token too")


def _check_merges(merges: list[Merge], ordinary: list[bytes]) -> None:
    known, seen = set(ordinary), set()
    for merge in merges:
        if missing := [part for part in merge if part not in known]:
            raise ValueError(f"the merge {merge} needs the token {missing[0]!r}, which no merge makes")
        if merge in seen:
            raise ValueError(f"the merge {merge} stands there twice")
        seen.add(merge)


def _check_vocab(vocab: list[bytes], tokens: list[bytes]) -> None:
    have, need = set(vocab), set(tokens)
    if need - have:
        raise ValueError(f"the vocabulary lacks the token {min(need - have)!r}")
    if have - need:
        raise ValueError(f"the vocabulary has the token {min(have - need)!r}, which nothing makes")
    if len(vocab) > len(have):
        twice = next(token for place, token in enumerate(vocab) if token in vocab[:place])
        raise ValueError(f"the vocabulary has the token {twice!r} twice")


# In a file ----------------------------------------------------------------------------------------------


def _read_merges(merges: Any) -> list[Merge]:
    if not isinstance(merges, list):
        raise ValueError(f"merges is {merges!r}, expected a list")
    read = []
    for merge in merges:
        names = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(names, list) or len(names) != 2 or not all(isinstance(each, str) for each in names):
            raise ValueError(f"the merge {merge!r} is not two tokens")
        read.append((token_bytes(names[0]), token_bytes(names[1])))
    return read


def _read_special(path: FilePath, added: Any) -> dict[str, int]:
    """The special tokens among the added ones, by name."""
    special: dict[str, int] = {}
    if not isinstance(added, list | None):
        raise ValueError(f"{path}: added_tokens is {added!r}, expected a list")
    for place, token in enumerate(added or []):
        check_fields(path, f"added token {place}", token, ADDED_TOKEN)
        name, number = token.get("content"), token.get("id")
        if not isinstance(name, str) or name in special:
            raise ValueError(
                f"{path}: added token {place} has the content {name!r}, expected a string of its own"
            )
        if type(number) is not int:
            raise ValueError(f"{path}: the added token {name!r} has the id {number!r}, not an integer")
        special[name] = number
    if len({token["normalized"] for token in added or []}) > 1:
        raise ValueError(
            f"{path}: some added tokens are normalized and some are not, which is not understood"
        )
    return special
