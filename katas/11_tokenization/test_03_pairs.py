"""Byte pair encoding, the slow way: count the pairs, merge the most common one, and count again."""

from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, raises, speedup
from tinytorch.tokenization import (
    bytes_to_unicode,
    count_pairs,
    merge_pair,
    token_bytes,
    token_name,
    train_by_rescan,
    vocabulary,
)

IDS = st.lists(st.integers(0, 2), max_size=8)


def test_every_byte_has_a_character():
    """bytes_to_unicode() maps the 256 bytes to different characters: "a" to "a", " " to "Ġ", 0 to "Ā", 255 to "ÿ"."""
    table = bytes_to_unicode()
    assert_equal(sorted(table), list(range(256)), "the sorted list of bytes")
    assert_equal(len(set(table.values())), 256, "the number of different characters")
    shown = {byte: table[byte] for byte in (*b"a! ", 0, 10, 127, 160, 161, 173, 174, 255)}
    expected = dict(zip((*b"a! ", 0, 10, 127, 160, 161, 173, 174, 255), "a!ĠĀĊġł¡Ń®ÿ", strict=True))
    assert_equal(shown, expected, "the dict of characters of some bytes")


def test_the_visible_bytes_come_first():
    """The order of bytes_to_unicode() is GPT-2's: 33 to 126, 161 to 172, 174 to 255, then the hidden ones from 0 on."""
    order = list(bytes_to_unicode())
    assert_equal(
        order[:3] + order[92:96],
        [33, 34, 35, 125, 126, 161, 162],
        "the list of the first bytes and places 92 to 95",
    )
    assert_equal(
        order[186:191] + order[-2:],
        [254, 255, 0, 1, 2, 160, 173],
        "places 186 to 190, and the last two bytes",
    )


def test_a_token_has_a_name():
    """token_name(b" the") is "Ġthe": for each byte its character in bytes_to_unicode."""
    assert_equal(token_name(b" the"), "Ġthe", "the name of b' the'")
    assert_equal(token_name(b"\n\xc3"), "ĊÃ", "the name of b'\\n\\xc3'")


@given(token=st.binary(max_size=6))
def test_a_name_has_a_token(token):
    """token_bytes gives the token with that name: b" the" for "Ġthe"."""
    assert_equal(token_bytes("Ġthe"), b" the", "the token of 'Ġthe'")
    assert_equal(token_bytes(token_name(token)), token, f"the token of {token_name(token)!r}")


def test_a_name_of_other_characters_is_refused():
    """A name with a character that stands for no byte, as a space does, is a ValueError that names both."""
    for name, character in (("a b", "' '"), ("x\u017f", "\u017f")):
        with raises(ValueError, name, character):
            token_bytes(name)


def test_a_vocabulary_begins_with_the_bytes():
    """vocabulary([]) is the 256 bytes in the order of bytes_to_unicode: b"!" is 0, b"a" is 64, the zero byte 188."""
    vocab = vocabulary([])
    assert_equal(len(vocab), 256, "the number of tokens")
    assert_equal([vocab[0], vocab[64], vocab[188]], [b"!", b"a", b"\0"], "tokens 0, 64 and 188")


def test_each_merge_adds_its_token():
    """After the bytes come the tokens that the merges make, in order; a token that two merges make comes once."""
    vocab = vocabulary([(b"b", b"c"), (b"a", b"bc"), (b"a", b"b"), (b"ab", b"c")])
    assert_equal(vocab[256:], [b"bc", b"abc", b"ab"], "the list of tokens after the bytes")


def test_a_large_vocabulary_takes_time_in_proportion():
    """2,000 merges take at most 1.5 times as long as 8 vocabularies of 250 merges each: nothing searches a list."""
    merges = [(b"<%d" % i, b">") for i in range(2000)]
    parts = [merges[k : k + 250] for k in range(0, 2000, 250)]
    speedup(
        lambda: vocabulary(merges),
        lambda: [vocabulary(part) for part in parts],
        at_least=1 / 1.5,
        check=lambda *_: None,
        what="the vocabulary",
        baseline="those of its parts together",
    )


def test_pairs_of_neighbours_are_counted():
    """count_pairs of [1, 2, 1, 2] once is {(1, 2): 2, (2, 1): 1}; a word that occurs three times counts three times."""
    assert_equal(dict(count_pairs([([1, 2, 1, 2], 1)])), {(1, 2): 2, (2, 1): 1}, "the dict of counts")
    counts = count_pairs([([1, 2], 3), ([2, 1, 2], 10)])
    assert_equal(dict(counts), {(1, 2): 13, (2, 1): 10}, "the dict of counts of two words")


def test_pairs_overlap():
    """[5, 5, 5] has the pair (5, 5) twice; a single id, or none, has no pair."""
    assert_equal(dict(count_pairs(iter([([5, 5, 5], 1)]))), {(5, 5): 2}, "the dict of counts")
    assert_equal(dict(count_pairs([([5], 9), ([], 9)])), {}, "the dict of counts of short words")


def test_a_pair_is_merged():
    """merge_pair([1, 2, 3, 1, 2], (1, 2), 9) is [9, 3, 9], a new list; the old one does not change."""
    ids = [1, 2, 3, 1, 2]
    assert_equal(merge_pair(ids, (1, 2), 9), [9, 3, 9], "the list of merged ids")
    assert_equal(ids, [1, 2, 3, 1, 2], "the list that was given, afterwards")


@given(ids=IDS)
@example([1, 1, 1])
@example([1, 1, 1, 1])
def test_merging_goes_from_left_to_right(ids):
    """If pairs overlap, the left one is merged, as in str.replace: [1, 1, 1] with (1, 1) to 9 is [9, 1]."""
    for pair in [(1, 1), (0, 1)]:
        text = "".join(map(str, ids)).replace("".join(map(str, pair)), "9")
        assert_equal(
            merge_pair(ids, pair, 9), [int(digit) for digit in text], f"merge_pair({ids}, {pair}, 9)"
        )


def test_the_slow_training_works():
    """With count_pairs and merge_pair written, train_by_rescan (given: read it) learns "es", "est", "lo", "low"."""
    words = {b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}
    merges = train_by_rescan(words, 260)
    assert_equal(
        merges,
        [(b"e", b"s"), (b"es", b"t"), (b"l", b"o"), (b"lo", b"w")],
        "the list of the first four merges",
    )
