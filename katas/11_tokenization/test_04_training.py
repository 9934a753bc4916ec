"""The same merges, without counting all pairs again for each."""

import random
from itertools import pairwise
from string import ascii_lowercase

from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, speedup
from tinytorch.tokenization import train_by_rescan, train_merges

WORDS = st.dictionaries(
    st.text("abc", min_size=1, max_size=10).map(str.encode), st.integers(1, 4), max_size=5
)
NEWEST = {b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}


def merges_by_hand(words, how_many, min_frequency):
    """The oracle, on tokens of bytes. The bytes a, b and c have rising ids, and each new token a higher one."""
    ids = {b"a": 0, b"b": 1, b"c": 2}
    split = [([word[i : i + 1] for i in range(len(word))], count) for word, count in words.items()]
    merges = []
    while len(merges) < how_many:
        counts = {}
        for tokens, count in split:
            for a, b in pairwise(tokens):
                counts[a, b] = counts.get((a, b), 0) + count
        ranked = sorted(counts, key=lambda pair: (-counts[pair], ids[pair[0]], ids[pair[1]]))
        if not ranked or counts[ranked[0]] < min_frequency:
            break
        a, b = ranked[0]
        merges.append((a, b))
        ids[a + b] = len(ids)
        for tokens, _ in split:
            i = 0
            while i + 1 < len(tokens):
                if tokens[i] == a and tokens[i + 1] == b:
                    tokens[i : i + 2] = [a + b]
                i += 1
    return merges


def made_up_words(how_many, seed):
    """Words of 4 to 10 random letters of 20, and how often each occurs."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(ascii_lowercase[:20], k=rng.randint(4, 10))) for _ in range(how_many)]
    return {word.encode(): rng.randint(1, 9) for word in words}


def test_the_commonest_pair_is_merged_first():
    """With "low" 5 times, "lower" 2, "newest" 6 and "widest" 3, train_merges first merges e + s, then es + t."""
    merges = train_merges(NEWEST, 260)
    assert_equal(
        merges,
        [(b"e", b"s"), (b"es", b"t"), (b"l", b"o"), (b"lo", b"w")],
        "the list of the first four merges",
    )


def test_at_a_tie_the_smallest_ids_count():
    """Of equally common pairs, the one with the smallest ids is merged; a new token has the largest id."""
    assert_equal(train_merges({b"dcba": 1, b"ab": 1}, 257), [(b"a", b"b")], "the merge of 'dcba' and 'ab'")
    assert_equal(train_merges({b"ba": 1, b" !": 1}, 257), [(b"b", b"a")], "the merge of 'ba' and ' !'")
    merges = train_merges({b"aab": 5, b"cc": 5}, 259)
    expected = [(b"a", b"a"), (b"c", b"c"), (b"aa", b"b")]
    assert_equal(merges, expected, "the list of merges of 'aab' and 'cc', 5 times each")


def test_a_vocabulary_of_bytes_needs_no_merges():
    """With a vocab_size of 256 nothing is merged; each further token is one merge."""
    assert_equal(train_merges(NEWEST, 256), [], "the list of merges")
    assert_equal(len(train_merges(NEWEST, 263)), 7, "the number of merges for 263 tokens")


def test_training_ends_where_no_pair_is_left():
    """When every word is one token, training ends, for any vocab_size; no words give no merges."""
    assert_equal(
        train_merges({b"abc": 1}, 9999), [(b"a", b"b"), (b"ab", b"c")], "the list of merges of 'abc'"
    )
    assert_equal(train_merges({}, 9999), [], "the list of merges of nothing")


def test_rare_pairs_are_not_merged():
    """With min_frequency=5, a pair that occurs 5 times is merged, and one that occurs 4 times is not."""
    assert_equal(train_merges({b"ab": 5, b"cd": 4}, 300, 5), [(b"a", b"b")], "the list of merges")


def test_counts_follow_the_merges():
    """After a + b is merged, "abc" has the pair "ab" + "c", not "b" + "c", which is then only in "bc", 3 times."""
    merges = train_merges({b"abc": 4, b"bc": 3, b"dc": 5, b"ab": 3}, 260)
    expected = [(b"a", b"b"), (b"d", b"c"), (b"ab", b"c"), (b"b", b"c")]
    assert_equal(merges, expected, "the list of merges")


def test_words_stay_as_they_are():
    """train_merges does not change its argument `words`."""
    words = dict(NEWEST)
    train_merges(words, 270)
    assert_equal(words, NEWEST, "the dict of words, afterwards")


@given(words=WORDS, how_many=st.integers(0, 12), min_frequency=st.sampled_from([0, 1, 3]))
@example({b"aaaa": 1, b"aaa": 2}, 3, 0)
@example({b"abab": 2, b"bab": 1}, 3, 0)
@example({b"aaaabaa": 1}, 12, 0)
def test_the_merges_are_those_of_counting_anew(words, how_many, min_frequency):
    """For any words, also with overlapping pairs, the merges are those of counting all pairs again each time."""
    merges = train_merges(words, 256 + how_many, min_frequency)
    assert_equal(
        merges, merges_by_hand(words, how_many, min_frequency), f"the list of {how_many} merges of {words}"
    )


def same(fast, slow):
    assert_equal(fast, slow, "the list of merges of train_merges, beside those of train_by_rescan")


def test_training_does_not_rescan_the_words():
    """60 merges of 600 words are found at least 3.5 times faster than by train_by_rescan.

    For each merge, only the words that contain its pair are read.
    """
    seeds = iter(range(1000))
    speedup(
        lambda words: train_merges(words, 316),
        lambda words: train_by_rescan(words, 316),
        at_least=3.5,
        inputs=lambda: [made_up_words(600, next(seeds))],
        check=same,
        what="train_merges",
        baseline="train_by_rescan",
    )
