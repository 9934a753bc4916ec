"""Text cut into words as in GPT-2: letters, numbers, signs and white space of all of Unicode."""

import unicodedata

import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, raises
from tinytorch.tokenization import count_words, split_special, split_words, stand_in

ANY_CHARACTER = st.integers(0, 0x10F7FF).map(lambda n: chr(n if n < 0xD800 else n + 0x800))  # no surrogates
TEXTS = st.text(st.sampled_from(" \n'ab1!stlevrd\u3000é²\x1c") | ANY_CHARACTER)

WHITE = {
    *range(9, 14),
    0x20,
    0x85,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
}
SUFFIXES = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"]


def kind(character):
    """ " " for white space, else L, N or anything else, as GPT-2's pattern distinguishes them."""
    category = unicodedata.category(character)[0]
    return " " if ord(character) in WHITE else category if category in "LN" else "other"


def words_by_hand(text):
    """The oracle: one word after the other, character by character."""
    words, start = [], 0
    while start < len(text):
        end = next((start + len(s) for s in SUFFIXES if text.startswith(s, start)), start)
        if end == start:
            first = start + (text[start] == " " and start + 1 < len(text) and kind(text[start + 1]) != " ")
            end = first
            while end < len(text) and kind(text[end]) == kind(text[first]):
                end += 1
            if kind(text[first]) == " " and end < len(text) and end - first > 1:
                end -= 1
        words.append(text[start:end])
        start = end
    return words


def test_a_character_of_ascii_stands_for_itself():
    """stand_in of an ASCII character is that character, also for "'", "_" and "\\x1c"."""
    for code in range(128):
        assert_equal(stand_in(chr(code)), chr(code), f"stand_in({chr(code)!r})")


@pytest.mark.parametrize(
    ("characters", "expected"),
    [("é\u017f語ʰǅª", "a"), ("²½Ⅷ٣〇", "0"), ("\xa0\u3000\x85\u2028", "\n"), ("€\u0301\u200d😀\x80", "!")],
)
def test_a_plain_character_stands_for_the_others(characters, expected):
    """Beyond ASCII, "a" stands for a letter, "0" for a number (² and Ⅷ too), "\\n" for white space, else "!"."""
    for character in characters:
        assert_equal(stand_in(character), expected, f"stand_in({character!r})")


def test_stand_ins_are_of_the_right_kind_in_all_of_unicode():
    """Every stand-in is of the same kind as its code point, by unicodedata.category and SPACES."""
    expected = {"L": "a", "N": "0", " ": "\n", "other": "!"}
    for code in [*range(0xD800), *range(0xE000, 0x32400), *range(0x32400, 0x110000, 17)]:
        right = chr(code) if code < 128 else expected[kind(chr(code))]
        if stand_in(chr(code)) != right:
            assert_equal(stand_in(chr(code)), right, f"stand_in of U+{code:04X}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello world", ["Hello", " world"]),
        ("I'll say: it's 42!", ["I", "'ll", " say", ":", " it", "'s", " 42", "!"]),
        ("x_1 = 0.5", ["x", "_", "1", " =", " 0", ".", "5"]),
        ("IT'S", ["IT", "'", "S"]),
        ("", []),
    ],
)
def test_words_begin_at_a_change_of_kind(text, words):
    """Letters, numbers and other signs are words, with one space in front: "Hello world" is "Hello", " world"."""
    assert_equal(split_words(text), words, f"the list of words of {text!r}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a   b", ["a", "  ", " b"]),
        ("a \n\nb", ["a", " \n", "\n", "b"]),
        ("a  ", ["a", "  "]),
        ("\n", ["\n"]),
        ("a\u3000b\u3000 c", ["a", "\u3000", "b", "\u3000", " c"]),
        ("a\u3000\u3000b", ["a", "\u3000", "\u3000", "b"]),
    ],
)
def test_white_space_leaves_its_last_character(text, words):
    """The last of several white characters is on its own or goes to the next word: "a   b" is "a", "  ", " b"."""
    assert_equal(split_words(text), words, f"the list of words of {text!r}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("l'été²", ["l", "'", "été", "²"]),
        ("x\x1cy", ["x", "\x1c", "y"]),
        ("e\u0301te", ["e", "\u0301", "te"]),
        ("it'\u017f", ["it", "'", "\u017f"]),
        ("価格は500円", ["価格は", "500", "円"]),
        (
            "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
            ["\u05e9\u05dc\u05d5\u05dd", " \u05e2\u05d5\u05dc\u05dd"],
        ),
        ("\U0001f468\u200d\U0001f469!a", ["\U0001f468\u200d\U0001f469!", "a"]),
    ],
)
def test_words_of_all_scripts(text, words):
    """The words are parts of the text itself, not of its stand-ins: "l'été²" is "l", "'", "été", "²"."""
    assert_equal(split_words(text), words, f"the list of words of {text!r}")


@given(text=TEXTS)
@example("a  'll\u2003\u2003b' s  \n")
def test_words_are_those_of_gpt2(text):
    """For any text, the words are those that GPT-2's pattern finds, and joined they are the text."""
    assert_equal(split_words(text), words_by_hand(text), f"the list of words of {text!r}")
    assert_equal("".join(split_words(text)), text, "the text of the joined words")


def test_split_special_cuts_at_the_tokens():
    """split_special("a<s>b", ["<s>"]) is ["a", "<s>", "b"]: text and token in turn, where a text may be empty."""
    assert_equal(split_special("a<s>b", ["<s>"]), ["a", "<s>", "b"], "the list of pieces of 'a<s>b'")
    assert_equal(
        split_special("<s><s>", ["<s>"]), ["", "<s>", "", "<s>", ""], "the list of pieces of '<s><s>'"
    )
    assert_equal(split_special("", ["<s>"]), [""], "the list of pieces of ''")


def test_split_special_without_tokens_cuts_nothing():
    """Without special tokens, the whole text is the only piece."""
    assert_equal(split_special("a<s>b", []), ["a<s>b"], "the list of pieces of 'a<s>b'")


def test_split_special_takes_tokens_literally():
    """Characters that mean something in a regular expression mean themselves: "<|end|>" is not an empty alternative."""
    pieces = split_special("a.b<|end|>(c)", ["<|end|>", "(c)", "."])
    assert_equal(pieces, ["a", ".", "b", "<|end|>", "", "(c)", ""], "the list of pieces of 'a.b<|end|>(c)'")


def test_split_special_takes_the_longest():
    """If two special tokens begin at the same place, the longer one is taken, in whatever order they are given."""
    for tokens in (["<s>", "<s><t>", "<t>"], ["<s><t>", "<t>", "<s>"]):
        pieces = split_special("<s><t><s>", iter(tokens))
        assert_equal(
            pieces, ["", "<s><t>", "", "<s>", ""], f"the list of pieces of '<s><t><s>' with {tokens}"
        )


def test_count_words_counts_bytes():
    """count_words(["to be or", " to be"]) is {b"to": 1, b" be": 2, b" or": 1, b" to": 1}; words are bytes, UTF-8."""
    counts = count_words(["to be or", " to be"])
    assert_equal(dict(counts), {b"to": 1, b" be": 2, b" or": 1, b" to": 1}, "the dict of counts")
    assert_equal(dict(count_words(["é", "é"])), {b"\xc3\xa9": 2}, "the dict of counts of 'é' twice")
    assert_equal(dict(count_words([])), {}, "the dict of counts of no text")


def test_one_string_is_one_text():
    """count_words("to be") is count_words(["to be"]), not the count of its letters."""
    assert_equal(dict(count_words("to be")), {b"to": 1, b" be": 1}, "the dict of counts")


def test_special_tokens_are_no_words():
    """count_words leaves special tokens out, and words end at them: "to<s>be" has the words "to" and "be".

    The texts and the special tokens may be iterators; the special tokens cut every text.
    """
    counts = count_words(iter(["to<s>be", "be<s>to"]), iter(["<s>"]))
    assert_equal(dict(counts), {b"to": 2, b"be": 2}, "the dict of counts")


def test_count_words_checks_its_texts():
    """A text that is not a string is a TypeError with its type, and a surrogate is a ValueError with its position."""
    with raises(TypeError, "bytes"):
        count_words(["a", b"b"])
    with raises(ValueError, "U+DC00", 2):
        count_words(["a", "b \udc00"])
