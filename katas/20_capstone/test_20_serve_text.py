"""Text from tokens: nothing is shown that is not certain, and nothing that is certain waits."""

import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, raises
from tinytorch.capstone import TextStream, held_back
from tinytorch.tokenization import BPETokenizer, CharTokenizer

END = "<|end|>"
WAVE = "\U0001f44b"
MERGES = [
    (b"t", b"o"),
    (b" ", b"to"),
    (b"a", b"b"),
    (b"\xf0", b"\x9f"),
    (b"\x91", b"\x8b"),
    (b"\x8b", b"a"),
]


def tokenizer():
    """Tokens that cut the waving hand in two, and one that has its last byte and the letter behind it."""
    return BPETokenizer(MERGES, [END])


def ids_of(*tokens):
    vocab = tokenizer().vocab
    return [vocab.index(each if isinstance(each, bytes) else each.encode()) for each in tokens]


def deltas(ids, stop=(), of=None):
    """What push gives for each of the ids, and flush at the end."""
    stream = TextStream(of or tokenizer(), stop)
    return [*map(stream.push, ids), stream.flush()]


def bytes_of(pieces):
    return b"".join(each if isinstance(each, bytes) else each.encode() for each in pieces)


def cut(text, stop):
    """`text` up to the first stop string: read on, letter by letter, until the text ends in one of them."""
    for end in range(1, len(text) + 1):
        found = [each for each in stop if text[:end].endswith(each)]
        if found:
            return text[: end - max(map(len, found))]
    return text


# What must wait


def test_most_ends_begin_no_stop_string():
    """held_back is 0 if the end of the text begins no stop string, and if there is none."""
    assert_equal(held_back("the end", ["User:", "\n"]), 0, "what is held back of 'the end'")
    assert_equal(held_back("the end", []), 0, "what is held back without stop strings")
    assert_equal(held_back("", ["User:"]), 0, "what is held back of an empty text")


def test_an_end_that_begins_a_stop_string_is_held_back():
    """Where the text ends in the beginning of a stop string, held_back is the length of that beginning."""
    assert_equal(held_back("Hello.\nUs", ["\nUser:"]), 3, "what is held back of 'Hello.\\nUs'")
    assert_equal(held_back("Us", ["\nUser:", "User:"]), 2, "what is held back of 'Us'")
    assert_equal(held_back("User", ["ser:", "xyz"]), 3, "what is held back of 'User'")


@pytest.mark.parametrize("stop", [["aab", "aaab"], ["aaab", "aab"]])
def test_the_longest_beginning_is_held_back(stop):
    """Of several beginnings the longest one counts: 3 for "xaaa" and "aaab", whatever else there is."""
    assert_equal(held_back("xaaa", stop), 3, f"what is held back of 'xaaa' for {stop}")


def test_a_whole_stop_string_is_no_beginning():
    """A whole stop string is not its own beginning: 0 for "ab" and "ab", 1 for "aa" and "aa"."""
    assert_equal(held_back("ab", ["ab"]), 0, "what is held back of 'ab' for 'ab'")
    assert_equal(held_back("aa", ["aa"]), 1, "what is held back of 'aa' for 'aa'")


@given(text=st.text("ab", max_size=8), stop=st.lists(st.text("ab", min_size=1, max_size=5), max_size=3))
def test_what_is_held_back_is_the_longest_of_all_beginnings(text, stop):
    """held_back is the largest n for which the last n characters begin a stop string that is longer."""
    right = 0
    for n in range(1, len(text) + 1):
        for each in stop:
            if len(each) > n and each[:n] == text[len(text) - n :]:
                right = n
    assert_equal(held_back(text, stop), right, f"what is held back of {text!r} for {stop}")


# Characters


def test_letters_come_at_once():
    """push gives the text of a token that has whole characters, at once."""
    assert_equal(deltas(ids_of(" to", "to", "b")), [" to", "to", "b", ""], "what push and flush gave")


def test_a_character_waits_for_its_last_byte():
    """push gives "" as long as a character is not complete, and the character when it is."""
    found = deltas(ids_of("b", b"\xf0\x9f", b"\x91", b"\x8b", "b"))
    assert_equal(found, ["b", "", "", WAVE, "b", ""], "what push and flush gave")
    found = deltas(ids_of(b"\xf0\x9f", b"\x91", b"\x8ba"))
    assert_equal(found, ["", "", f"{WAVE}a", ""], "what push and flush gave, with a letter in the token")


def test_bytes_that_are_no_character_become_a_mark():
    """What cannot become a character any more is U+FFFD, as decode gives it: in push when it is certain, else in flush.

    Push gives it with the token that makes it certain.
    """
    assert_equal(deltas(ids_of(b"\xf0\x9f", "b")), ["", "\ufffdb", ""], "what push and flush gave")
    assert_equal(deltas(ids_of("b", b"\xf0\x9f")), ["b", "", "\ufffd"], "what push and flush gave")


def test_special_tokens_and_characters_are_text_too():
    """A special token gives its name; a CharTokenizer's token gives its character, and is never cut."""
    assert_equal(deltas(ids_of("b", END)), ["b", END, ""], "what push and flush gave for a special token")
    of = CharTokenizer(f"aé{WAVE}")
    assert_equal(deltas([2, 0, 1], of=of), [WAVE, "a", "é", ""], "what push and flush gave for characters")


def test_a_token_that_is_none_is_refused():
    """push raises IndexError for an id that is not in the vocabulary."""
    with raises(IndexError, 999):
        TextStream(tokenizer()).push(999)


# Stop strings


def test_the_stop_string_is_left_out():
    """At a stop string the text ends: it is left out, with what follows it in the same token. `stopped` says so."""
    stream = TextStream(tokenizer(), ["o"])
    assert_equal(stream.stopped, False, "stopped at first")
    found = [stream.push(each) for each in ids_of("b", " to")]
    assert_equal(found, ["b", " t"], "what push gave for 'b' and ' to', with 'o' as stop string")
    assert_equal(stream.stopped, True, "stopped, after the stop string")
    assert_equal(
        deltas(ids_of(" to"), [" "]), ["", ""], "what push and flush gave for ' to', with ' ' as stop"
    )
    assert_equal(
        deltas(ids_of(" to"), ["o", "tx"]),
        [" t", ""],
        "what push and flush gave for ' to', with 'o' and 'tx'",
    )


def test_what_may_be_a_stop_string_waits():
    """What begins a stop string is held back; it comes with the token that shows that it was none."""
    assert_equal(
        deltas(ids_of("b", "to", "b"), ["tox"]), ["b", "", "tob", ""], "what push and flush gave for 'tox'"
    )
    assert_equal(
        deltas(ids_of("to", "b", "c"), ["tobc"]), ["", "", "", ""], "what push and flush gave for 'tobc'"
    )
    assert_equal(
        deltas(ids_of("t", "t", "o"), ["to"]), ["", "t", "", ""], "what push and flush gave for 'to' after t"
    )


def test_flush_gives_what_was_held_back():
    """At the end of the text flush gives what waits, once."""
    stream = TextStream(tokenizer(), ["tox"])
    stream.push(*ids_of("to"))
    assert_equal(stream.flush(), "to", "what flush gave")
    assert_equal(stream.flush(), "", "what a second flush gave")


def test_after_a_stop_string_there_is_nothing():
    """After a stop string every push and flush gives "", whatever the tokens are."""
    found = deltas(ids_of("b", "to", "b", b"\xf0", "ab"), ["to"])
    assert_equal(found, ["b", "", "", "", "", ""], "what push and flush gave")


def test_a_stop_string_of_several_tokens_is_found():
    """A stop string may be spread over tokens, begin in the middle of one, and have characters of several bytes."""
    assert_equal(deltas(ids_of("ab", " to"), ["b t"]), ["a", "", ""], "what push and flush gave for 'b t'")
    found = deltas(ids_of("b", b"\xf0\x9f", b"\x91\x8b", "b"), [WAVE])
    assert_equal(found, ["b", "", "", "", ""], "what push and flush gave for a waving hand")
    assert_equal(
        deltas(ids_of("b", b"\xf0"), ["\ufffd"]), ["b", "", ""], "what push and flush gave for U+FFFD"
    )


def test_the_stop_string_that_is_complete_first_counts():
    """The first stop string is the one that is complete first, of two that end together the longer one.

    However they are listed, and however the text is cut into tokens.
    """
    for stop in (["c", "abcd"], ["abcd", "c"]):
        assert_equal("".join(deltas(ids_of("ab", "c", "d"), stop)), "ab", f"the text of 'abcd' for {stop}")
        assert_equal(
            "".join(deltas([0], stop, CharsInOne("abcd"))), "ab", f"the text of one token 'abcd' for {stop}"
        )
    for stop in (["bc", "abc"], ["abc", "bc"]):
        assert_equal("".join(deltas(ids_of("ab", "c"), stop)), "", f"the text of 'abc' for {stop}")


class CharsInOne(BPETokenizer):
    """A tokenizer whose token 0 is a whole text."""

    def __init__(self, text):
        super().__init__((), [text])


def test_decoded_characters_are_counted():
    """`characters` counts what was decoded, held back or not, until a stop string is complete.

    The token that completes it counts as a whole, with what stands behind the stop string in it; later ones do not.
    """
    stream = TextStream(tokenizer(), ["tox"])
    counts = []
    for each in ids_of("b", "to", b"\xf0\x9f", b"\x91\x8b"):
        stream.push(each)
        counts.append(stream.characters)
    assert_equal(counts, [1, 3, 3, 4], "characters after each token")
    stream = TextStream(tokenizer(), ["t"])
    counts = []
    for each in ids_of("b", " to", "ab"):
        stream.push(each)
        counts.append(stream.characters)
    assert_equal(counts, [1, 4, 4], "characters after 'b', ' to' and 'ab', with 't' as stop string")


PIECES = ["a", "b", "ab", "to", " ", END, b"\xf0\x9f", b"\x91", b"\x8b", b"\x91\x8b", b"\x8ba", b"\xf0"]
STOPS = st.lists(
    st.sampled_from(["a", "ab", "ba", "aab", "abab", "to a", WAVE, f"a{WAVE}", f"{WAVE}ab", "\ufffd", END]),
    max_size=3,
)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=10), stop=STOPS)
@example(pieces=["a", b"\xf0\x9f", b"\x91\x8b", "ab"], stop=[f"a{WAVE}b", f"{WAVE}ab"])
@example(pieces=["a", "ab"], stop=["aab"])
def test_all_pieces_make_the_text(pieces, stop):
    """What push and flush give, joined, is decode(ids) up to the first stop string, for all tokens and stop strings."""
    ids = ids_of(*pieces)
    right = cut(
        b"".join(each if isinstance(each, bytes) else each.encode() for each in pieces).decode(
            "utf-8", "replace"
        ),
        stop,
    )
    assert_equal("".join(deltas(ids, stop)), right, f"the text of {pieces} with the stop strings {stop}")


def common_beginning(texts):
    """The longest text with which all of the texts begin."""
    for place, characters in enumerate(zip(*texts, strict=False)):
        if len(set(characters)) > 1:
            return texts[0][:place]
    return min(texts, key=len)


GOES_ON = [b"c", b"\x9f\x91\x8b", b"\x91\x8b", b"\x8b"]  # a letter, or what is missing of a cut character


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=10), stop=STOPS)
def test_nothing_waits_that_is_certain(pieces, stop):
    """After each token everything has been given that no stop string and no character can take back."""
    stream = TextStream(tokenizer(), stop)
    given_so_far, text = "", b""
    for each in pieces:
        given_so_far += stream.push(*ids_of(each))
        text += bytes_of([each])
        if stream.stopped:
            return
        certain = common_beginning([(text + more).decode("utf-8", "replace") for more in GOES_ON])
        waits = max((n for s in stop for n in range(1, len(s)) if certain.endswith(s[:n])), default=0)
        assert_equal(
            given_so_far, certain[: len(certain) - waits], f"the text given after {text!r} for {stop}"
        )
