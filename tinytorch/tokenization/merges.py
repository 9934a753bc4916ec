"""Byte pair encoding: find the pairs to merge by counting, and split a word into tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

Pair = tuple[int, int]
"""Two neighbouring ids."""

Merge = tuple[bytes, bytes]
"""Two tokens that become one."""


def bytes_to_unicode() -> dict[int, str]:
    """A visible character for each byte, for the names of tokens in a file; its order is that of the first 256 ids.

    First come the bytes 33 to 126, 161 to 172 and 174 to 255, each with the character of that code point. Then come
    the others in rising order, with U+0100, U+0101 and so on: 0 is "Ā", and the space, 32, is "Ġ" (GPT-2's encoder.py).
    """
    raise NotImplementedError("kata 11: bytes_to_unicode")


def token_name(token: bytes) -> str:
    """The name of a token in a file: the character of each of its bytes. b" the" is "Ġthe"."""
    raise NotImplementedError("kata 11: token_name")


def token_bytes(name: str) -> bytes:
    """The token with that name: the inverse of token_name.

    Raises:
        ValueError: a character stands for no byte; the message has the name and the character.
    """
    raise NotImplementedError("kata 11: token_bytes")


def vocabulary(merges: Iterable[Merge]) -> list[bytes]:
    """The token of each id: the 256 bytes in the order of bytes_to_unicode, then the result of each merge, once.

    The time is about proportional to the number of tokens: look tokens up in a dict, not in a list.
    """
    raise NotImplementedError("kata 11: vocabulary")


def count_pairs(words: Iterable[tuple[Sequence[int], int]]) -> Counter[Pair]:
    """How often each pair of neighbours occurs in `words`: pairs (ids of a word, how often the word occurs).

    Pairs may overlap: [5, 5, 5] has (5, 5) twice.
    """
    raise NotImplementedError("kata 11: count_pairs")


def merge_pair(ids: Sequence[int], pair: Pair, new: int) -> list[int]:
    """A new list in which `new` replaces each `pair`, from left to right: [5, 5, 5] becomes [new, 5]."""
    raise NotImplementedError("kata 11: merge_pair")


def train_by_rescan(
    words: Mapping[bytes, int], vocab_size: int, min_frequency: int = 0
) -> list[Merge]:  # given
    """The merges that byte pair encoding learns, the slow way: all pairs are counted again for each merge.

    Until the vocabulary has `vocab_size` tokens, the most common pair becomes a token; at a tie, the pair with the
    smallest ids. It ends early if no pair is left, or none occurs at least `min_frequency` times.
    """
    vocab = vocabulary([])
    ids = {token: number for number, token in enumerate(vocab)}
    sequences = [([ids[bytes([byte])] for byte in word], count) for word, count in words.items()]
    merges: list[Merge] = []
    while len(vocab) < vocab_size:
        counts = count_pairs(sequences)
        most = max(counts.values(), default=0)
        if most < max(min_frequency, 1):
            break
        best = min(pair for pair, count in counts.items() if count == most)
        sequences = [(merge_pair(each, best, len(vocab)), count) for each, count in sequences]
        merges.append((vocab[best[0]], vocab[best[1]]))
        vocab.append(vocab[best[0]] + vocab[best[1]])
    return merges


def train_merges(words: Mapping[bytes, int], vocab_size: int, min_frequency: int = 0) -> list[Merge]:
    """The merges of train_by_rescan, many times faster.

    A merge changes only the words that contain its pair. So count once, remember for each pair which words contain it,
    and after a merge update the counts from those words alone. A heap finds the most common pair: if the entry that is
    popped has an old count, push it back with the right one.
    """
    raise NotImplementedError("kata 11: train_merges")


def merge_word(ids: Sequence[int], table: Mapping[Pair, tuple[int, int]]) -> list[int]:
    """The tokens of one word, a new list: merge the pair with the lowest rank until no pair has a rank.

    If several have the same rank, the leftmost is merged. `table` maps a pair to its rank and to the id that it
    becomes. The time is about proportional to the length, even for a word of 100,000 letters: keep the pairs in a heap,
    and for each place its neighbours, so that nothing is moved or searched. Skip a popped entry whose pair is gone.
    """
    raise NotImplementedError("kata 11: merge_word")
