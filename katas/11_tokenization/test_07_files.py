"""Tokenizers in files: readable JSON that `tokenizers` loads; files with unknown options are refused."""

import json
import os

import pytest
from hypothesis import given, strategies as st

from dojo.spec import assert_equal, raises
from tinytorch.tokenization import (
    BPETokenizer,
    CharTokenizer,
    check_fields,
    read_json,
    read_vocab,
    vocabulary,
    write_json,
)

END, PAD = "<|endoftext|>", "<|pad|>"
MERGES = [(b" ", b"t"), (b"h", b"e"), (b" t", b"he"), (b"\xc3", b"\xa9")]
TABLE = {"type": ("BPE", None), "lower": (False,), "part": {"size": (1, 2)}, "vocab": ()}

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
ADDED = {"id": 1, "content": PAD, "single_word": False, "lstrip": False, "rstrip": False}
ADDED |= {"normalized": False, "special": True}


def changed(path, *places, to):
    """Change the value at that place in the file, or remove it if `to` is `...`."""
    value = json.loads(path.read_text(encoding="utf-8"))
    inner = value
    for place in places[:-1]:
        inner = inner[place]
    if to is ...:
        del inner[places[-1]]
    else:
        inner[places[-1]] = to
    path.write_text(json.dumps(value), encoding="utf-8")


def saved(folder):
    """A file that BPETokenizer.save wrote."""
    path = folder / "bpe.json"
    BPETokenizer(MERGES, [END, PAD]).save(path)
    return path


def test_write_json_is_readable(tmp_path):
    """write_json writes UTF-8, indented by 2, with characters as they are: "é", not "\\u00e9"."""
    path = tmp_path / "é.json"
    assert_equal(write_json(path, {"vocab": {"é": 0, "Ġ": 1}, "merges": []}), None, "what write_json returns")
    text = path.read_bytes().decode("utf-8")
    expected = '{\n  "vocab": {\n    "é": 0,\n    "Ġ": 1\n  },\n  "merges": []\n}'
    assert_equal(text.rstrip("\n"), expected, "the file")


def test_write_json_replaces_the_file_whole(tmp_path):
    """The new file replaces the old one: a reader that has the old one open still reads it. No other file is left."""
    path = tmp_path / "a.json"
    path.write_text("the old file", encoding="utf-8")
    with open(path, encoding="utf-8") as old:
        write_json(str(path), [1])
        assert_equal(old.read(), "the old file", "what was open before")
    assert_equal(json.loads(path.read_text(encoding="utf-8")), [1], "the new file")
    assert_equal(os.listdir(tmp_path), ["a.json"], "the list of files in the folder")


@pytest.mark.parametrize("value", [[{1, 2}], "\ud800"], ids=["a set", "a surrogate"])
def test_write_json_leaves_nothing_half_done(tmp_path, value):
    """A value that cannot be written is an error (json's own is enough); the old file stays, and no other is left."""
    path = tmp_path / "a.json"
    path.write_text("the old file", encoding="utf-8")
    with raises((TypeError, ValueError)):
        write_json(path, value)
    assert_equal(path.read_text(encoding="utf-8"), "the old file", "the old file")
    assert_equal(os.listdir(tmp_path), ["a.json"], "the list of files in the folder")


def test_read_json_reads_what_was_written(tmp_path):
    """read_json gives back what write_json wrote, from a path as a string or as a Path."""
    value = {"é\0\u2028\\": [1, -2.5, None, True, {}], "": "😀"}
    write_json(tmp_path / "a.json", value)
    assert_equal(read_json(tmp_path / "a.json"), value, "the value")
    assert_equal(read_json(str(tmp_path / "a.json")), value, "the value")


@pytest.mark.parametrize(
    "text",
    [b'{"a": 1', b"\xff", '{"a": 1}'.encode("utf-16"), b"[NaN]", b"[" * 100_000],
    ids=["half", "not UTF-8", "UTF-16", "NaN", "too deep"],
)
def test_read_json_names_a_bad_file(tmp_path, text):
    """A file that is not JSON in UTF-8, also with UTF-16 or NaN, is a ValueError that names the path."""
    path = tmp_path / "bad.json"
    path.write_bytes(text)
    with raises(ValueError, path):
        read_json(path)


def test_read_json_refuses_an_entry_that_is_there_twice(tmp_path):
    """Two entries with one name in an object are a ValueError with path and name; json.loads would keep the last."""
    path = tmp_path / "twice.json"
    path.write_text('[{"b": 1, "abc": 1, "abc": 2}]', encoding="utf-8")
    with raises(ValueError, path, "abc"):
        read_json(path)


def test_a_missing_file_is_a_file_not_found(tmp_path):
    """read_json of a missing file is a FileNotFoundError, as for open."""
    with raises(FileNotFoundError, "none.json"):
        read_json(tmp_path / "none.json")


def test_check_fields_lets_pass_what_is_understood():
    """An entry may have one of the table's values, be absent if None is one, or be anything if there are none."""
    for value in (
        {"type": "BPE", "lower": False, "part": {"size": 1}, "vocab": {"a": 0}},
        {"lower": False, "part": {"size": 2}},
        {"type": None, "lower": False, "part": {"size": 2}, "vocab": None},
    ):
        assert_equal(check_fields("a.json", "model", value, TABLE), None, f"check_fields of {value}")


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ({"type": "WordLevel", "lower": False, "part": {"size": 1}}, ["type", "WordLevel"]),
        ({"part": {"size": 1}}, ["lower", None]),
        ({"lower": 0, "part": {"size": 1}}, ["lower", 0]),
        ({"lower": False, "part": {"size": True}}, ["size", True]),
        ({"lower": False, "part": {"size": 1, "colour": "red"}}, ["colour", "red"]),
        ({"lower": False, "part": ["size"]}, ["part", "size"]),
        ([], ["model", []]),
    ],
)
def test_check_fields_refuses_the_rest(value, held):
    """Another value (0 is not False), an unknown entry, or no object is a ValueError with path, place and value."""
    with raises(ValueError, "a.json", *held):
        check_fields("a.json", "model", value, TABLE)


def test_read_vocab_orders_the_names():
    """read_vocab of {"b": 1, "a": 0} is ["a", "b"]: the names in the order of their ids."""
    assert_equal(read_vocab("a.json", {"b": 1, "c": 2, "a": 0}), ["a", "b", "c"], "the list of names")
    assert_equal(read_vocab("a.json", {}), [], "the list of names of an empty vocabulary")


@pytest.mark.parametrize(
    ("vocab", "held"),
    [
        ({"a": 0, "b": 1, "c": 1}, [1]),
        ({"a": 0, "b": 2}, [1]),
        ({"a": -1, "b": 0}, [1]),
        ({"a": 0, "b": 1.0}, ["b", 1.0]),
        ({"a": 0, "b": True}, ["b", True]),
        (["a", "b"], ["vocab"]),
    ],
)
def test_read_vocab_is_strict(vocab, held):
    """An id that occurs twice, is missing or is not an integer (nor is True), or no dict at all, is a ValueError.

    Its message has the id, the smallest missing id, the name and the value, or the word "vocab".
    """
    with raises(ValueError, "a.json", *held):
        read_vocab("a.json", vocab)


def test_characters_are_saved(tmp_path):
    """CharTokenizer.save writes the file that CHAR_FORMAT describes, with each character's id in model.vocab."""
    CharTokenizer("b a").save(tmp_path / "char.json")
    expected = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "normalizer": None,
        "added_tokens": [],
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "[\\s\\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {"type": "WordLevel", "vocab": {"b": 0, " ": 1, "a": 2}, "unk_token": ""},
    }
    assert_equal(json.loads((tmp_path / "char.json").read_text(encoding="utf-8")), expected, "the file")


@given(
    characters=st.sets(st.integers(0, 0xD7FF).map(chr) | st.sampled_from('\U0010ffff😀\ue000"\\'), max_size=6)
)
def test_characters_come_back(tmp_path_factory, characters):
    """CharTokenizer.load(path) has the vocabulary that was saved."""
    path = tmp_path_factory.getbasetemp() / "char.json"
    characters = sorted(characters, reverse=True)
    CharTokenizer(characters).save(path)
    assert_equal(CharTokenizer.load(path).vocab, characters, "the vocabulary")


@pytest.mark.parametrize(
    ("places", "to", "held"),
    [
        (("model", "type"), "BPE", "BPE"),
        (("model", "vocab"), {"a": 0, "bc": 1}, "bc"),
        (("model", "vocab"), ..., "vocab"),
        (("added_tokens",), [{"id": 1, "content": "b"}], "added_tokens"),
    ],
)
def test_a_file_of_characters_is_read_strictly(tmp_path, places, to, held):
    """Whatever CharTokenizer.load does not understand is a ValueError with the path and the unknown value or entry."""
    path = tmp_path / "char.json"
    CharTokenizer("ab").save(path)
    changed(path, *places, to=to)
    with raises(ValueError, path, held):
        CharTokenizer.load(path)


def test_a_byte_tokenizer_is_saved(tmp_path):
    """BPETokenizer.save writes the file that BPE_FORMAT describes: vocab by token_name, and each merge as "Ġ t"."""
    file = json.loads(saved(tmp_path).read_text(encoding="utf-8"))
    model = file.pop("model")
    vocab, merges = model.pop("vocab"), model.pop("merges")
    assert_equal(merges, ["Ġ t", "h e", "Ġt he", "Ã ©"], "merges")
    names = list(vocab)
    assert_equal(list(vocab.values()), list(range(262)), "the list of ids in vocab")
    assert_equal(
        names[:3] + names[-4:],
        [END, PAD, "!", "Ġt", "he", "Ġthe", "Ã©"],
        "the list of the first and last names",
    )
    nothing = ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"]
    no = ["fuse_unk", "byte_fallback", "ignore_merges"]
    expected = {"type": "BPE", **dict.fromkeys(nothing), **dict.fromkeys(no, False)}
    assert_equal(model, expected, "the rest of model")
    expected = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None}
    expected |= {"pre_tokenizer": BYTE_LEVEL, "decoder": BYTE_LEVEL | {"add_prefix_space": True}}
    expected |= {"post_processor": None, "added_tokens": [ADDED | {"id": 0, "content": END}, ADDED]}
    assert_equal(file, expected, "the rest of the file")


def test_a_byte_tokenizer_comes_back(tmp_path):
    """BPETokenizer.load(path) has the vocabulary, the merges and the special tokens that were saved."""
    tokenizer = BPETokenizer.load(saved(tmp_path))
    assert_equal(tokenizer.merges, MERGES, "merges")
    assert_equal(tokenizer.special_tokens, {END: 0, PAD: 1}, "special_tokens")
    assert_equal(tokenizer.vocab, [END.encode(), PAD.encode(), *vocabulary(MERGES)], "vocab")
    text = "the théâtre" + END
    assert_equal(
        tokenizer.encode(text, "all"), BPETokenizer(MERGES, [END, PAD]).encode(text, "all"), "the list of ids"
    )


def test_a_vocabulary_comes_back_in_its_own_order(tmp_path):
    """Ids in an unusual order are saved and loaded as they are, also those of special tokens."""
    tokens = [*vocabulary(MERGES)[::-1], "<é>".encode()]
    BPETokenizer(MERGES, ["<é>"], tokens).save(tmp_path / "a.json")
    tokenizer = BPETokenizer.load(tmp_path / "a.json")
    assert_equal(tokenizer.vocab, tokens, "vocab")
    assert_equal(tokenizer.special_tokens, {"<é>": 260}, "special_tokens")


@pytest.mark.parametrize(
    ("places", "to"),
    [
        (("model", "merges"), [["Ġ", "t"], ["h", "e"], ["Ġt", "he"], ["Ã", "©"]]),
        (("model", "type"), ...),
        (("post_processor",), BYTE_LEVEL | {"trim_offsets": False}),
        (("model", "vocab", PAD), ...),
    ],
    ids=["lists", "no type", "post-processor", "added only"],
)
def test_other_spellings_are_understood(tmp_path, places, to):
    """Other forms that versions of `tokenizers` write for the same thing are read, such as merges as lists of names."""
    path = saved(tmp_path)
    changed(path, *places, to=to)
    tokenizer = BPETokenizer.load(path)
    if places[-1] == PAD:  # its id is in added_tokens
        assert_equal(tokenizer.special_tokens, {END: 0, PAD: 1}, "special_tokens")
    assert_equal(tokenizer.encode(" thé"), [258, 73, 261], "the list of ids of ' thé'")


@pytest.mark.parametrize(
    ("places", "to", "held"),
    [
        (("model", "type"), "Unigram", "Unigram"),
        (("model", "merges"), ..., "merges"),
        (("model", "merges", 1), "he", "he"),
        (("model", "merges", 1), "h  e", "h  e"),
        (("model", "merges", 1), ["h", 3], 3),
        (("model", "merges", 1), "h \u017f", "\u017f"),
        (("model", "vocab"), ..., "vocab"),
        (("model", "vocab", "new"), 262, "new"),
        (("added_tokens", 1, "id"), 5, PAD),
        (("added_tokens", 0, "id"), False, END),
        (("added_tokens", 1), ADDED | {"id": 0, "content": END}, END),
        (("added_tokens", 1, "content"), 7, 7),
        (("added_tokens", 1, "special"), False, "special"),
        (("added_tokens", 1, "normalized"), True, "normalized"),
        (("pre_tokenizer", "add_prefix_space"), True, "add_prefix_space"),
        (("post_processor",), {"type": "BertProcessing"}, "BertProcessing"),
    ],
)
def test_a_file_of_bytes_is_read_strictly(tmp_path, places, to, held):
    """Whatever BPETokenizer.load does not understand is a ValueError with the path and the unknown value or entry."""
    path = saved(tmp_path)
    changed(path, *places, to=to)
    with raises(ValueError, path, held):
        BPETokenizer.load(path)


def test_a_file_of_characters_is_none_of_bytes(tmp_path):
    """BPETokenizer.load of a CharTokenizer's file is a ValueError with the path; so is a JSON file with a list."""
    path = tmp_path / "a.json"
    CharTokenizer("ab").save(path)
    with raises(ValueError, path):
        BPETokenizer.load(path)
    path.write_text("[]", encoding="utf-8")
    for kind in (BPETokenizer, CharTokenizer):
        with raises(ValueError, path):
            kind.load(path)
