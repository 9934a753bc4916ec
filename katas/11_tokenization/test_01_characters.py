"""What is text, what are ids, and the simplest tokenizer: one number for each character."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, raises
from tinytorch.tensor import Tensor, tensor
from tinytorch.tokenization import CharTokenizer, check_ids, check_text

ANY_CHARACTER = st.integers(0, 0x10F7FF).map(lambda n: chr(n if n < 0xD800 else n + 0x800))  # no surrogates
TEXTS = st.text(st.sampled_from("ab\n 'é0") | ANY_CHARACTER)

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one picture, five code points
HEBREW = "\u05e9\u05dc\u05d5\u05dd"  # read from right to left


@given(text=TEXTS)
@example("")
@example("\0")
@example(FAMILY)
@example(HEBREW)
def test_any_characters_are_text(text):
    """check_text takes every string of characters and returns None: empty, zero bytes, emoji, right to left."""
    assert_equal(check_text(text), None, f"check_text({text!r})")


@pytest.mark.parametrize("value", [b"ab", None, 3, ["a", "b"]])
def test_check_text_refuses_what_is_no_string(value):
    """check_text of anything but a string is a TypeError that names its type."""
    with raises(TypeError, type(value).__name__):
        check_text(value)


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [("ab\ud800", "U+D800", 2), ("\udfffb", "U+DFFF", 0), ("\U0001f600 \ud83d\ude00", "U+D83D", 2)],
)
def test_a_surrogate_is_refused(text, code, position):
    """A surrogate, half a character, is a ValueError that names the first one, as U+D800, and its position."""
    with raises(ValueError, code, position):
        check_text(text)


def test_a_character_has_the_number_of_its_place():
    """CharTokenizer("cab") gives c the number 0, a 1 and b 2: encode("abbc") is [1, 2, 2, 0], a list of ints."""
    tokenizer = CharTokenizer("cab")
    assert_equal(tokenizer.vocab, ["c", "a", "b"], "vocab")
    assert_equal(tokenizer.encode("abbc"), [1, 2, 2, 0], "the list of ids of 'abbc'")
    assert_equal(tokenizer.encode(""), [], "the list of ids of the empty text")


def test_vocab_size_counts_the_ids():
    """vocab_size is the number of characters: an attribute, not a method."""
    assert_equal(CharTokenizer("cab").vocab_size, 3, "vocab_size")
    assert_equal(CharTokenizer("").vocab_size, 0, "vocab_size without characters")


def test_check_ids_gives_a_list_of_ints():
    """check_ids gives a list of ints, of a list, a tuple, an array or a Tensor of integers, 0-d Tensors among them."""
    for ids in ([2, 0], (2, 0), np.array([2, 0], np.uint8), tensor([2, 0]), [np.int64(2), tensor(0)]):
        assert_equal(check_ids(ids, 3), [2, 0], f"check_ids of a {type(ids).__name__}")
    assert_equal(check_ids([], 3), [], "check_ids of an empty list")
    assert_equal(check_ids(np.zeros(0, np.int64), 0), [], "check_ids of an empty array, without tokens")


@pytest.mark.parametrize("wrong", [-1, 3, 10**30])
def test_an_unknown_id_is_refused(wrong):
    """An id below 0 or not below vocab_size is an IndexError that names both: -1 is not the last token."""
    with raises(IndexError, wrong, 3):
        check_ids([0, wrong], 3)


@pytest.mark.parametrize(
    ("ids", "held"),
    [
        ([0, 1.0], 1.0),
        ([True], True),
        (np.array([1.0]), 1.0),
        (2, 2),
        ("01", "01"),
        ([[0, 1]], [0, 1]),
        (np.array([[0, 1]]), [0, 1]),
        (np.array(2), 2),
        ([None], None),
    ],
)
def test_what_is_no_integer_is_refused(ids, held):
    """Floats, booleans, nested lists, 2-d and 0-d arrays, numbers and strings are a TypeError that names them."""
    with raises(TypeError, held):
        check_ids(ids, 3)


def test_decode_gives_the_text_back():
    """CharTokenizer("cab").decode([1, 2, 2, 0]) is "abbc"."""
    tokenizer = CharTokenizer("cab")
    assert_equal(tokenizer.decode([1, 2, 2, 0]), "abbc", "the text of [1, 2, 2, 0]")
    assert_equal(tokenizer.decode(Tensor(np.array([0, 1]))), "ca", "the text of a Tensor")
    assert_equal(tokenizer.decode([]), "", "the text of no ids")


def test_decode_refuses_unknown_ids():
    """decode checks its ids: -1 is an IndexError that names -1 and the vocab_size, not the last letter."""
    with raises(IndexError, -1, 3):
        CharTokenizer("cab").decode([0, -1])


def test_train_numbers_the_characters_in_order():
    """CharTokenizer.train("hello world") has the eight different characters, in the order of their code points."""
    tokenizer = CharTokenizer.train("hello world")
    assert_equal(tokenizer.vocab, [" ", "d", "e", "h", "l", "o", "r", "w"], "vocab")
    assert_equal(tokenizer.encode("hold"), [3, 5, 4, 1], "the list of ids of 'hold'")


@given(text=TEXTS)
@example(FAMILY + HEBREW + "\0")
def test_every_text_comes_back_from_its_own_characters(text):
    """With the characters of a text, decode(encode(text)) is the text, and there is one id for each character."""
    tokenizer = CharTokenizer.train(text)
    ids = tokenizer.encode(text)
    assert_equal(len(ids), len(text), "the number of ids")
    assert_equal(tokenizer.decode(ids), text, "the text that came back")


def test_encode_refuses_an_unknown_character():
    """Unknown characters are a ValueError that names the first one and its position."""
    with raises(ValueError, "é", 2):
        CharTokenizer("cab").encode("abéxé")


def test_encode_and_train_check_their_text():
    """Both refuse bytes with a TypeError and a surrogate with a ValueError, as check_text does."""
    with raises(TypeError, "bytes"):
        CharTokenizer("cab").encode(b"cab")
    with raises(ValueError, "U+D800", 1):
        CharTokenizer("cab").encode("a\ud800")
    with raises(TypeError, "bytes"):
        CharTokenizer.train(b"cab")
    with raises(ValueError, "U+D800", 1):
        CharTokenizer.train("a\ud800")


@pytest.mark.parametrize(
    ("characters", "held"), [("abca", "a"), (["a", "bc"], "bc"), (["a", ""], "''"), ("\ud800", "U+D800")]
)
def test_a_vocabulary_of_characters_is_checked(characters, held):
    """A character that occurs twice, a string of none or two, or a surrogate is a ValueError that names it."""
    with raises(ValueError, held):
        CharTokenizer(characters)
