"""Words of any length become tokens, and the tokenizer turns text into ids and back."""

import random
import sys
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, on_device, raises, speedup
from tinytorch.tensor import Tensor, tensor
from tinytorch.tokenization import BPETokenizer, merge_word, vocabulary

ANY_CHARACTER = st.integers(0, 0x10F7FF).map(lambda n: chr(n if n < 0xD800 else n + 0x800))  # no surrogates
TEXTS = st.text(st.sampled_from("ab \n'lowest1") | ANY_CHARACTER)
IDS = st.lists(st.integers(0, 2), max_size=10)
MERGES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6, unique=True)

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one picture, five code points
HEBREW = "\u05e9\u05dc\u05d5\u05dd"  # read from right to left
LOWEST = [(b"l", b"o"), (b"lo", b"w"), (b"e", b"s"), (b"es", b"t"), (b" ", b"low")]


def merged_by_hand(ids, table):
    """The oracle: search the whole word for the best pair, again and again."""
    ids = list(ids)
    while True:
        ranked = [(table[pair][0], i) for i, pair in enumerate(pairwise(ids)) if pair in table]
        if not ranked:
            return ids
        _, i = min(ranked)
        ids[i : i + 2] = [table[ids[i], ids[i + 1]][1]]


def test_the_lowest_rank_is_merged_first():
    """merge_word([1, 2, 3]), with rank 0 for (2, 3) and rank 1 for (1, 2), gives [1, 23]: ranks decide, not places."""
    ids = [1, 2, 3]
    table = {(2, 3): (0, 23), (1, 2): (1, 12)}
    assert_equal(merge_word(ids, table), [1, 23], "the list of tokens")
    assert_equal(ids, [1, 2, 3], "the list that was given, afterwards")


def test_what_was_merged_is_merged_again():
    """Merged tokens make new pairs: with 1 + 2 to 12, 12 + 3 to 123 and 0 + 123 to 99, [0, 1, 2, 3] becomes [99]."""
    table = {(1, 2): (0, 12), (12, 3): (1, 123), (0, 123): (2, 99)}
    assert_equal(merge_word([0, 1, 2, 3], table), [99], "the list of tokens")
    assert_equal(merge_word([1, 2, 0, 1, 2, 3], table), [12, 99], "the list of tokens")


def test_a_pair_that_is_gone_has_no_turn():
    """In [0, 1, 2, 0], 1 + 2 (rank 0) becomes 3, and 0 + 1 (rank 1) is gone; 3 + 0 (rank 2) is next: [0, 6].

    It comes before 0 + 3 (rank 3), although 0 + 3 is now at the place where 0 + 1 was, and becomes the smaller id, 5.
    """
    table = {(1, 2): (0, 3), (0, 1): (1, 4), (3, 0): (2, 6), (0, 3): (3, 5)}
    assert_equal(merge_word([0, 1, 2, 0], table), [0, 6], "the list of tokens of [0, 1, 2, 0]")


def test_of_equal_ranks_the_leftmost_is_merged():
    """[5, 5, 5, 5, 5] with 5 + 5 to 6 becomes [6, 6, 5]."""
    assert_equal(merge_word([5] * 5, {(5, 5): (0, 6)}), [6, 6, 5], "the list of tokens")


def test_words_without_a_pair_stay():
    """A word of one id or none, or without any pair of the table, stays as it is, in a new list."""
    for ids in ([], [7], [7, 8, 9]):
        result = merge_word(ids, {(9, 7): (0, 1)})
        assert_equal(result, ids, f"the list of tokens of {ids}")
        assert result is not ids, "the list that was given came back, expected a new one"


@given(ids=IDS, pairs=MERGES)
@example([1, 1, 1, 1], [(1, 1), (3, 1), (3, 3)])
def test_the_tokens_are_those_of_looking_at_every_pair(ids, pairs):
    """For any word and any merges, the tokens are those of searching the whole word for the best pair each time."""
    table = {}
    for pair in pairs:
        if max(pair) < 3 + len(table):  # of ids that are there: 0 to 2, and those of earlier merges
            table[pair] = (len(table), 3 + len(table))
    assert_equal(merge_word(ids, table), merged_by_hand(ids, table), f"merge_word({ids}, {table})")


def test_a_long_word_takes_time_in_proportion():
    """A word of 600 ids takes at most 3 times as long as its 12 parts of 50: no merge reads the whole word."""
    rng = random.Random(0)
    letters = rng.choices(range(30), k=50_000)
    pairs = list(product(range(30), repeat=2))
    rng.shuffle(pairs)
    table = {pair: (rank, 30 + rank) for rank, pair in enumerate(pairs)}  # hundreds of them in a word
    starts = iter(range(1_000_000))

    def whole():
        start = next(starts) % 48_000  # another word each time
        return merge_word(letters[start : start + 600], table)

    def in_parts():
        start = next(starts) % 48_000
        for part in range(start, start + 600, 50):
            merge_word(letters[part : part + 50], table)

    speedup(
        whole, in_parts, at_least=1 / 3, check=lambda *_: None, what="the word", baseline="its parts together"
    )


def test_without_merges_every_byte_is_a_token():
    """BPETokenizer() encodes "Hi!" as [39, 72, 0], GPT-2's ids of these letters, and "é" as two ids, for two bytes."""
    tokenizer = BPETokenizer()
    assert_equal(tokenizer.encode("Hi!"), [39, 72, 0], "the list of ids of 'Hi!'")
    assert_equal(tokenizer.encode("é"), [127, 102], "the list of ids of 'é'")
    assert_equal(tokenizer.encode(""), [], "the list of ids of the empty text")


def test_merges_make_longer_tokens():
    """With the merges l + o, lo + w, e + s, es + t and " " + low, "lowest low" is "low", "est", " low"."""
    tokenizer = BPETokenizer(LOWEST)
    assert_equal(tokenizer.encode("lowest low"), [257, 259, 260], "the list of ids of 'lowest low'")
    assert_equal(tokenizer.vocab, vocabulary(LOWEST), "vocab")
    assert_equal(tokenizer.merges, LOWEST, "merges")


def test_nothing_is_merged_across_words():
    """In "t t", "t" and " " are never merged, because GPT-2's words put the space before the letter."""
    tokenizer = BPETokenizer([(b"t", b" "), (b" ", b"t")])
    assert_equal(tokenizer.encode("t t"), [83, 257], "the list of ids of 't t'")


def test_vocab_size_counts_bytes_and_merges():
    """vocab_size is 256 plus one for each merge: an attribute, not a method."""
    assert_equal(BPETokenizer(iter(LOWEST)).vocab_size, 261, "vocab_size")


def test_decode_bytes_joins_the_tokens():
    """decode_bytes([257, 259]) is b"lowest": the bytes of the tokens, joined."""
    assert_equal(BPETokenizer(LOWEST).decode_bytes([257, 259]), b"lowest", "the bytes object")
    assert_equal(BPETokenizer().decode_bytes(np.array([127])), b"\xc3", "the first byte of 'é'")
    with raises(IndexError, -1, 256):
        BPETokenizer().decode_bytes([-1])


def test_decode_gives_text():
    """decode([257, 259, 260]) is "lowest low", and decode of the two bytes of "é" is "é"."""
    tokenizer = BPETokenizer(LOWEST)
    assert_equal(tokenizer.decode([257, 259, 260]), "lowest low", "the text")
    assert_equal(tokenizer.decode([127, 102]), "é", "the text of two bytes")
    assert_equal(tokenizer.decode([]), "", "the text of no ids")


def test_half_a_character_is_replaced():
    """The bytes of a cut character decode to U+FFFD, the replacement character; whole characters stay."""
    tokenizer = BPETokenizer()
    ids = tokenizer.encode("a😀")
    assert_equal(tokenizer.decode(ids[:3]), "a\ufffd", "the text without the last two bytes")
    assert_equal(tokenizer.decode([*ids[2:], 64]), "\ufffd\ufffd\ufffda", "the text without the first byte")


def test_half_a_character_is_an_error_under_strict():
    """decode(ids, errors="strict") raises UnicodeDecodeError for bytes that are not UTF-8, else it gives the text."""
    tokenizer = BPETokenizer()
    assert_equal(tokenizer.decode(tokenizer.encode("é"), errors="strict"), "é", "the text")
    with raises(UnicodeDecodeError):
        tokenizer.decode(tokenizer.encode("é")[:1], errors="strict")


def test_unknown_ids_are_refused():
    """An id outside the vocabulary is an IndexError with the id and vocab_size, and a float a TypeError."""
    tokenizer = BPETokenizer(LOWEST)
    for wrong in (261, -1):
        with raises(IndexError, wrong, 261):
            tokenizer.decode([64, wrong])
    with raises(TypeError, 64.0):
        tokenizer.decode([64.0])


def test_ids_may_be_on_a_device(device):
    """decode takes a Tensor of ids, on a GPU too, and tensor(encode(text)) makes one of int64."""
    tokenizer = BPETokenizer(LOWEST)
    ids = tensor(tokenizer.encode("low est"))
    assert_equal(str(ids.dtype), "int64", "the dtype of tensor(encode(text))")
    assert_equal(tokenizer.decode(Tensor(on_device(ids.data, device))), "low est", "the text")


@given(text=TEXTS)
@example("")
@example("\0\0a\0")
@example(FAMILY + " " + HEBREW + "e\u0301 \u200f\ufeff")
@example("<|endoftext|> lowest\r\n\t  lowest")
def test_every_text_comes_back(text):
    """decode(encode(text)) == text for every Unicode string, and the ids are a list of ints."""
    tokenizer = BPETokenizer(LOWEST)
    ids = tokenizer.encode(text)
    assert_equal([type(i) for i in ids], [int] * len(ids), "the list of types of the ids")
    assert_equal(tokenizer.decode(ids), text, "the text that came back")


def test_every_character_comes_back():
    """Characters from all of Unicode are encoded and decoded: the first 65,536, and some of every other plane."""
    text = "".join(
        map(chr, [*range(0xD800), *range(0xE000, 0x10000), *range(0x10000, sys.maxunicode + 1, 41)])
    )
    tokenizer = BPETokenizer(LOWEST)
    if tokenizer.decode(tokenizer.encode(text)) != text:
        wrong = next(
            (c for c in text if tokenizer.decode(tokenizer.encode(c)) != c), "all of them, one by one"
        )
        raise AssertionError(f"what did not come back is {wrong!r}")


def test_encode_refuses_what_is_no_text():
    """A surrogate is a ValueError with its position in the whole text, and bytes are a TypeError."""
    with raises(ValueError, "U+DE00", 9):
        BPETokenizer().encode("two words\ude00")
    with raises(TypeError, "bytes"):
        BPETokenizer().encode(b"bytes")


def test_a_text_of_many_words_takes_time_in_proportion():
    """Encoding a text of 3,200 words takes at most 3 times as long as its 16 parts: it is read once."""
    tokenizer = BPETokenizer(LOWEST)
    parts = [" ".join(f"low{i % 7}est {i}" for i in range(k, k + 50)) for k in range(0, 800, 50)]
    whole = " ".join(parts)

    speedup(
        lambda: tokenizer.encode(whole),
        lambda: [tokenizer.encode(part) for part in parts],
        at_least=1 / 3,
        check=lambda *_: None,
        what="the text",
        baseline="its parts together",
    )


def test_train_learns_from_texts():
    """BPETokenizer.train(["low low", "lowest newest"], 260) learns the most common pairs and encodes with them."""
    tokenizer = BPETokenizer.train(["low low", "lowest newest"], 260)
    expected = [(b"l", b"o"), (b"lo", b"w"), (b"e", b"s"), (b"es", b"t")]
    assert_equal(tokenizer.merges, expected, "the list of merges")
    assert_equal(tokenizer.encode("lowest"), [257, 259], "the list of ids of 'lowest'")


def test_train_takes_one_text():
    """A single string is one text, not a list of letters; vocab_size and min_frequency limit what is learnt."""
    assert_equal(
        BPETokenizer.train("low low lowest", 258).merges, [(b"l", b"o"), (b"lo", b"w")], "the list of merges"
    )
    tokenizer = BPETokenizer.train("low low lowest", 9999, min_frequency=3)
    assert_equal(tokenizer.merges, [(b"l", b"o"), (b"lo", b"w")], "the list of merges with min_frequency=3")


def test_the_vocabulary_holds_all_bytes():
    """A vocab_size below 256 is a ValueError with both numbers: without all bytes, some text could not be encoded."""
    with raises(ValueError, 255, 256):
        BPETokenizer.train("low", 255)


@pytest.mark.parametrize(
    ("merges", "held"),
    [
        ([(b"l", b"o"), (b"e", b"s"), (b"l", b"o")], (b"l", b"o")),
        ([(b"lo", b"w")], b"lo"),
        ([(b"l", b"o"), (b"lo", b"")], b""),
    ],
)
def test_merges_are_checked(merges, held):
    """A merge that is given twice, or has a part that no merge makes, is a ValueError that names it."""
    with raises(ValueError, held):
        BPETokenizer(merges)


def test_a_merge_may_need_a_later_one():
    """The order of the merges only gives their rank: with lo + w before l + o, "low" becomes one token, 256."""
    assert_equal(BPETokenizer([(b"lo", b"w"), (b"l", b"o")]).encode("low"), [256], "the list of ids of 'low'")


def test_two_merges_may_make_one_token():
    """b + c, a + bc, a + b, ab + c, c + a make four tokens, because "abc" is made twice: the id of "ca" is 259."""
    tokenizer = BPETokenizer([(b"b", b"c"), (b"a", b"bc"), (b"a", b"b"), (b"ab", b"c"), (b"c", b"a")])
    assert_equal(tokenizer.encode("abc"), [257], "the list of ids of 'abc'")
    assert_equal(tokenizer.encode("ca"), [259], "the list of ids of 'ca'")


def test_a_tokenizer_has_lists_of_its_own():
    """Changing the lists that BPETokenizer was given does not change the tokenizer."""
    merges, tokens = list(LOWEST), vocabulary(LOWEST)
    tokenizer = BPETokenizer(merges, vocab=tokens)
    merges.clear()
    tokens.clear()
    assert_equal(tokenizer.merges, LOWEST, "merges, after the caller's list was cleared")
    assert_equal(len(tokenizer.vocab), 261, "the number of tokens, after the caller's list was cleared")


def test_a_vocabulary_may_have_its_own_order():
    """BPETokenizer(merges, vocab=tokens) numbers the tokens in the order of the list, here the reverse of the usual."""
    tokenizer = BPETokenizer(LOWEST, vocab=vocabulary(LOWEST)[::-1])
    assert_equal(tokenizer.encode("low!"), [3, 260], "the list of ids of 'low!'")
    assert_equal(tokenizer.decode([3, 260]), "low!", "the text")


@pytest.mark.parametrize(
    ("vocab", "held"), [("short", b" low"), ("no !", b"!"), ("more", b"high"), ("twice", b"est")]
)
def test_a_vocabulary_is_checked(vocab, held):
    """A vocab that lacks a token, has one that nothing makes, or has one twice is a ValueError that names the token."""
    tokens = vocabulary(LOWEST)
    vocabs = {
        "short": tokens[:-1],
        "no !": tokens[1:],
        "more": [*tokens, b"high"],
        "twice": [*tokens, b"est"],
    }
    with raises(ValueError, held):
        BPETokenizer(LOWEST, vocab=vocabs[vocab])
