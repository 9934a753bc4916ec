"""Special tokens: ids that a text cannot produce, unless they are allowed."""

import pytest
from hypothesis import example, given, strategies as st

from dojo.spec import assert_equal, raises
from tinytorch.tokenization import BPETokenizer, vocabulary

END, PAD = "<|endoftext|>", "<|pad|>"
LOW = [(b"l", b"o"), (b"lo", b"w")]
TEXTS = st.lists(st.sampled_from([END, PAD, "<|", "low", " ", "é", "'s", "\0", "|>"])).map("".join)


def test_special_tokens_come_first():
    """BPETokenizer(merges, [END, PAD]) gives them the ids 0 and 1; then come the bytes and the merges."""
    tokenizer = BPETokenizer(LOW, [END, PAD])
    assert_equal(tokenizer.special_tokens, {END: 0, PAD: 1}, "special_tokens")
    assert_equal(tokenizer.vocab, [END.encode(), PAD.encode(), *vocabulary(LOW)], "vocab")
    assert_equal(tokenizer.encode("low!"), [259, 2], "the list of ids of 'low!'")


def test_special_tokens_may_stand_elsewhere():
    """If a vocab is given, a special token has the id of its UTF-8 in it, here the last one, as in GPT-2."""
    tokenizer = BPETokenizer(LOW, [END], [*vocabulary(LOW), END.encode()])
    assert_equal(tokenizer.special_tokens, {END: 258}, "special_tokens")
    assert_equal(tokenizer.encode("low" + END, "all"), [257, 258], "the list of ids")


def test_special_tokens_in_a_text_are_text():
    """encode treats a special token in the text as ordinary text, unless it is allowed: its id does not occur."""
    tokenizer = BPETokenizer(LOW, [END])
    ids = tokenizer.encode("low" + END)
    assert 0 not in ids, f"the ids {ids} hold 0, the special token, which was not allowed"
    assert_equal(tokenizer.decode(ids), "low" + END, "the text that came back")


def test_all_special_tokens_may_be_allowed():
    """encode(text, allowed_special="all") gives one id for each special token, and cuts the words there."""
    tokenizer = BPETokenizer([*LOW, (b" ", b"low")], [END, PAD])
    ids = tokenizer.encode("low" + PAD + END + " low", allowed_special="all")
    assert_equal(ids, [259, 1, 0, 260], "the list of ids")


def test_some_special_tokens_may_be_allowed():
    """encode(text, allowed_special=[PAD]), or any collection, gives one id for PAD and treats END as text."""
    tokenizer = BPETokenizer(LOW, [END, PAD])
    for allowed in ([PAD], {PAD}, (PAD,), iter([PAD])):
        ids = tokenizer.encode(PAD + END, allowed)
        assert_equal(ids, [1, *tokenizer.encode(END)], f"the list of ids, with a {type(allowed).__name__}")


def test_what_is_allowed_is_asked_each_time():
    """With one tokenizer and one text, END is text, then, when it is allowed, one id, then text again."""
    tokenizer = BPETokenizer(LOW, [END])
    as_text = tokenizer.encode("low" + END)
    assert_equal(
        tokenizer.encode("low" + END, "all"),
        [258, 0],
        "the list of ids where all is allowed, the second time",
    )
    assert_equal(
        tokenizer.encode("low" + END), as_text, "the list of ids where nothing is allowed, the third time"
    )


def test_unknown_special_tokens_are_refused():
    """Allowing a name that is not a special token, such as a misspelt one, is a ValueError that names it."""
    with raises(ValueError, "<|end|>"):
        BPETokenizer(LOW, [END]).encode("low", allowed_special=[END, "<|end|>"])


def test_one_name_is_no_collection():
    """allowed_special=END, a string, is a TypeError that names it; so is special_tokens=END in BPETokenizer(...)."""
    with raises(TypeError, END):
        BPETokenizer(LOW, [END]).encode("low", allowed_special=END)
    with raises(TypeError, END):
        BPETokenizer(LOW, END)


def test_the_longest_special_token_counts():
    """With the special tokens "<s>" and "<s><t>", the text "<s><t>" is the longer one."""
    tokenizer = BPETokenizer([], ["<s>", "<s><t>"])
    assert_equal(tokenizer.encode("<s><t><s>", "all"), [1, 0], "the list of ids")


def test_special_tokens_are_decoded_as_text():
    """decode gives the name of a special token, and decode_bytes its UTF-8."""
    tokenizer = BPETokenizer(LOW, ["<ß>"])
    assert_equal(tokenizer.decode([0, 258, 0]), "<ß>low<ß>", "the text")
    assert_equal(tokenizer.decode_bytes([0]), "<ß>".encode(), "the bytes object")


@given(text=TEXTS, allowed=st.sets(st.sampled_from([END, PAD])))
@example(END + END, {END})
def test_every_text_comes_back_whatever_is_allowed(text, allowed):
    """decode(encode(text, allowed)) == text, and there are as many special ids as allowed names in the text."""
    tokenizer = BPETokenizer(LOW, [END, PAD])
    ids = tokenizer.encode(text, allowed)
    assert_equal(tokenizer.decode(ids), text, "the text that came back")
    expected = [text.count(name) if name in allowed else 0 for name in (END, PAD)]
    assert_equal([ids.count(0), ids.count(1)], expected, "how many of the ids are END and PAD")


def test_training_leaves_special_tokens_out():
    """Special tokens in the texts are not words, vocab_size counts them, and nothing is learnt across them."""
    tokenizer = BPETokenizer.train("low" + (END + "low") * 3, 261, [END, PAD])
    assert_equal(tokenizer.merges, [(b"l", b"o"), (b"lo", b"w")], "the list of merges")
    assert_equal(tokenizer.vocab_size, 260, "vocab_size, with nothing left to learn")
    assert_equal(
        BPETokenizer.train("low low", 259, [END, PAD]).merges,
        [(b"l", b"o")],
        "the list of merges for 259 tokens",
    )


def test_vocab_size_has_room_for_special_tokens():
    """257 tokens are too few for 256 bytes and 2 special tokens: a ValueError that names 257 and 258."""
    with raises(ValueError, 257, 258):
        BPETokenizer.train("low", 257, [END, PAD])


@pytest.mark.parametrize(
    ("special", "held"),
    [
        ([END, END], END),
        ([""], "''"),
        (["low"], "low"),
        (["Ġ"], "Ġ"),
        ([" "], " "),
        (["\ud800"], "U+D800"),
    ],
)
def test_special_tokens_are_checked(special, held):
    """An empty one, one given twice, a surrogate, or an ordinary token's name ("Ġ") or UTF-8 (" ") is a ValueError."""
    with raises(ValueError, held):
        BPETokenizer(LOW, special)
    if held != "low":
        with raises(ValueError, held):
            BPETokenizer.train("low", 300, special)


def test_special_tokens_are_strings():
    """A special token that is not a string is a TypeError that names its type."""
    with raises(TypeError, "bytes"):
        BPETokenizer(LOW, [b"<|pad|>"])
