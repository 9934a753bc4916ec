"""Words cut by a scanner, a merge that looks back, ranks in buckets, tables that are searched."""

from __future__ import annotations

import heapq
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import Any

from tinytorch.tokenization.characters import check_text
from tinytorch.tokenization.words import SPACES

Pair = tuple[int, int]


def check_ids(ids: Any, vocab_size: int) -> list[int]:
    """Python is asked to make an index of each entry, and its refusal is said in other words: ask forgiveness."""
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    if not isinstance(ids, (tuple, list)):
        raise TypeError(f"no list of ids: {ids!r}")
    numbers = []
    for each in ids:
        try:
            numbers.append(index(None if isinstance(each, bool) else each))
        except TypeError:
            raise TypeError(f"no id: {each!r}") from None
    strange = [number for number in numbers if number not in range(vocab_size)]
    if strange:
        raise IndexError(f"id {strange[0]} of {vocab_size}")
    return numbers


class CharTokenizer:
    def encode(self, text: str) -> list[int]:
        """The alphabet is a string, and `str.find` looks a character up: no table, and a search for each."""
        check_text(text)
        alphabet = "".join(self.vocab)
        ids = [alphabet.find(character) for character in text]
        if -1 in ids:
            place = ids.index(-1)
            raise ValueError(f"{text[place]!r}, at {place}, is not in the alphabet")
        return ids

    def decode(self, ids: Any) -> str:
        """`map` over the vocabulary's own lookup."""
        return "".join(map(self.vocab.__getitem__, check_ids(ids, len(self.vocab))))


def stand_in(character: str) -> str:
    """The kinds are asked one after the other, by methods of str where there is one."""
    if ord(character) < 128:
        return character
    if character in SPACES:
        return "\n"
    kind = unicodedata.category(character)
    return "a" if kind.startswith("L") else "0" if kind.startswith("N") else "!"


def split_words(text: str) -> list[str]:
    """A scanner by hand: the kind of each character, and runs of one kind. Longer than a pattern, and it
    can be stepped through.
    """
    words: list[str] = []
    kinds = [_kind(character) for character in text]
    place, end = 0, len(text)
    while place < end:
        short = next((each for each in _SHORT if text.startswith(each, place)), "")
        if short:
            words.append(short)
            place += len(short)
            continue
        start = place
        if text[place] == " " and place + 1 < end and kinds[place + 1] != "space":
            place += 1
        kind = kinds[place]
        while place < end and kinds[place] == kind:
            place += 1
        if kind == "space" and place < end and place - start > 1:
            place -= 1  # the last one belongs to the word behind, or stands alone
        words.append(text[start:place])
    return words


_SHORT = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if character in SPACES:
        return "space"
    return {"L": "letter", "N": "number"}.get(category[0], "sign")


def split_special(text: str, special_tokens: Iterable[str]) -> list[str]:
    """Cut at one token after the other, the longest first, in what is ordinary text still: no pattern to be
    escaped.
    """
    pieces = [text]
    for token in sorted(special_tokens, key=len, reverse=True):
        cut: list[str] = []
        for place, piece in enumerate(pieces):
            if place % 2:
                cut.append(piece)
                continue
            first, *rest = piece.split(token)
            cut.append(first)
            for each in rest:
                cut += [token, each]
        pieces = cut
    return pieces


def count_words(texts: str | Iterable[str], special_tokens: Iterable[str] = ()) -> Counter[bytes]:
    """Words become bytes at once, and each text is counted alone: no second table, and more encoding."""
    if isinstance(texts, str):
        texts = [texts]
    names, total = tuple(special_tokens), Counter[bytes]()
    for text in texts:
        check_text(text)
        ordinary = split_special(text, names)[0::2]
        total += Counter(word.encode() for piece in ordinary for word in split_words(piece))
    return total


def bytes_to_unicode() -> dict[int, str]:
    """One pass over the bytes: what Latin-1 shows stays, what it hides is put off and numbered on."""
    table, hidden = {}, []
    for byte in range(256):
        if byte <= 32 or 127 <= byte <= 160 or byte == 173:
            hidden.append(byte)
        else:
            table[byte] = chr(byte)
    for number, byte in enumerate(hidden, 256):
        table[byte] = chr(number)
    return table


def count_pairs(words: Iterable[tuple[Sequence[int], int]]) -> Counter[Pair]:
    """Each place but the first is looked at with the one before it, in a dict that begins every count with 0."""
    totals: defaultdict[Pair, int] = defaultdict(int)
    for ids, times in words:
        for place in range(1, len(ids)):
            totals[ids[place - 1], ids[place]] += times
    return Counter(totals)


def merge_pair(ids: Sequence[int], pair: Pair, new: int) -> list[int]:
    """The last token that was written is compared: if it and this one are the pair, it is changed. One
    list, no places.
    """
    left, right = pair
    merged: list[int] = []
    for each in ids:
        if merged and each == right and merged[-1] == left:
            merged[-1] = new
        else:
            merged.append(each)
    return merged


def token_bytes(name: str) -> bytes:
    """Each character's place among all characters is looked up by `index`: no inverse table, and a search
    for each.
    """
    characters = bytes_to_unicode()
    found = bytearray()
    for character in name:
        byte = next((byte for byte, shown in characters.items() if shown == character), None)
        if byte is None:
            raise ValueError(f"{character!r} in {name!r} is no byte")
        found.append(byte)
    return bytes(found)


def merge_word(ids: Sequence[int], table: Mapping[Pair, tuple[int, int]]) -> list[int]:
    """Rank by rank, with a bucket of places for each: a merge that comes late goes into its bucket, as in a
    bucket sort.
    """
    tokens: list[int | None] = list(ids)
    n = len(tokens)
    right, left = [*range(1, n + 1)], [*range(-1, n - 1)]
    buckets: dict[int, list[int]] = {}
    ranks: list[int] = []

    def note(place: int) -> None:
        if place >= 0 and right[place] < n and (found := table.get((tokens[place], tokens[right[place]]))):
            if found[0] not in buckets:
                buckets[found[0]] = []
                heapq.heappush(ranks, found[0])
            heapq.heappush(buckets[found[0]], place)

    for place in range(n):
        note(place)
    while ranks:
        rank = ranks[0]
        bucket = buckets[rank]
        if not bucket:
            heapq.heappop(ranks)
            del buckets[rank]
            continue
        place = heapq.heappop(bucket)
        if tokens[place] is None or right[place] >= n:
            continue
        found = table.get((tokens[place], tokens[right[place]]))
        if found is None or found[0] != rank:
            continue
        gone = right[place]
        tokens[place], tokens[gone] = found[1], None
        right[place] = right[gone]
        if right[gone] < n:
            left[right[gone]] = place
        note(left[place])
        note(place)
    return [token for token in tokens if token is not None]
