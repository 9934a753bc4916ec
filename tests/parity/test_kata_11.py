"""Kata 11 beside Hugging Face's tokenizers: the words of GPT-2, the merges learnt, the ids, and files both ways."""

import argparse
import ast
import json
import random
import unicodedata
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from tinytorch.tokenization import (
    BPETokenizer,
    CharTokenizer,
    bytes_to_unicode,
    merge_word,
    split_words,
    token_name,
    vocabulary,
)

BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)
SPECIAL = ["<|endoftext|>", "<|end", "<|pad|>"]
ASSIGNED = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Cs")]
"""Characters of this Python's Unicode tables. A newer letter is a sign here, but a letter in `tokenizers`."""

CORPORA = {
    "code": lambda: Path(ast.__file__).read_text(encoding="utf-8"),
    "prose": lambda: Path(argparse.__file__).read_text(encoding="utf-8"),
    "scripts": lambda: (
        "Zażółć gęślą jaźń, съешь же ещё этих булок. いろはにほへと ちりぬるを. " * 9 + "نص حكيم له سر"
    ),
    "runs": lambda: "aaaa aaaaaa aaa baaab abababab bababa aabbaabb     \n\n\n   ===========----=== " * 3,
    "ties": lambda: "zyx abc qrs !?; 987 zy ab qr !? 98 xyz",
}


def some_texts(seed, how_many):
    """Texts with all kinds of characters next to each other."""
    rng = random.Random(seed)
    often = [
        "'s",
        "'ll",
        "'",
        " ",
        "  ",
        "\n",
        "a",
        "été",
        "1",
        "²",
        "!",
        "\u3000",
        "\x1c",
        "\x85",
        "\0",
        "\u200d",
        "x",
    ]
    for _ in range(how_many):
        pieces = [
            rng.choice(often) if rng.random() < 0.7 else rng.choice(ASSIGNED)
            for _ in range(rng.randint(0, 14))
        ]
        yield "".join(pieces)


def theirs(texts, vocab_size, special=(), **options):
    """A trained tokenizer of `tokenizers`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = BYTE_LEVEL, decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options |= {"initial_alphabet": alphabet, "special_tokens": list(special), "show_progress": False}
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=vocab_size, **options))
    return tokenizer


def merges_of(tokenizer):
    return [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


def named(merges):
    return [(token_name(left), token_name(right)) for left, right in merges]


def words_of(text):
    return [text[start:end] for _, (start, end) in BYTE_LEVEL.pre_tokenize_str(text)]


# Words --------------------------------------------------------------------------------------------------


def test_the_words_of_every_character():
    """Each character that this Python knows, beside a letter, a number, a sign, a space, and itself."""
    for start in range(0, len(ASSIGNED), 4096):
        text = "".join(f"a{c}1{c}!{c} {c}{c}  {c}'{c}\n" for c in ASSIGNED[start : start + 4096])
        assert split_words(text) == words_of(text), f"in the 4096 characters from {ASSIGNED[start]!r}"


def test_the_words_of_any_text():
    for text in some_texts(1, 10_000):
        assert split_words(text) == words_of(text), repr(text)


def test_the_alphabet_is_theirs():
    assert sorted(bytes_to_unicode().values()) == sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = theirs([], 256).get_vocab()
    assert [token_name(token) for token in vocabulary([])] == sorted(vocab, key=vocab.get)


# Training -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize("min_frequency", [0, 2, 5])
def test_the_merges_of_a_corpus(name, min_frequency):
    text = CORPORA[name]()
    ours = BPETokenizer.train(text, 1000, SPECIAL, min_frequency)
    other = theirs([text], 1000, SPECIAL, min_frequency=min_frequency)
    assert named(ours.merges) == merges_of(other)
    vocab = other.get_vocab()
    assert [*SPECIAL, *map(token_name, ours.vocab[3:])] == sorted(vocab, key=vocab.get)
    assert ours.encode(text) == other.encode(text).ids


def test_the_merges_of_short_words():
    """Words with many ties and overlapping pairs."""
    for seed in range(500):
        rng = random.Random(seed)
        words = [
            "".join(rng.choices("abc"[: 2 + seed % 2], k=rng.randint(1, 14)))
            for _ in range(rng.randint(1, 8))
        ]
        size = 256 + rng.randint(0, 40)
        assert named(BPETokenizer.train(words, size).merges) == merges_of(theirs(words, size)), words


def test_special_tokens_in_a_corpus_end_a_text():
    """Theirs would learn from special tokens as from any text; ours learns what theirs does from the texts between."""
    texts = [CORPORA["prose"]()[k : k + 500] for k in range(0, 20_000, 500)]
    ours = BPETokenizer.train("<|endoftext|>".join(texts), 600, SPECIAL)
    assert named(ours.merges) == merges_of(theirs(texts, 600, SPECIAL))


# Encoding -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Our tokenizer, and theirs, loaded from our file."""
    path = tmp_path_factory.mktemp("both") / "tokenizer.json"
    ours = BPETokenizer.train([make() for make in CORPORA.values()], 1500, SPECIAL)
    ours.save(path)
    return ours, Tokenizer.from_file(str(path))


def test_ids_of_any_text(both):
    ours, other = both
    for text in [*some_texts(2, 10_000), *(make() for make in CORPORA.values()), "a" * 20_000]:
        assert ours.encode(text) == other.encode(text).ids, repr(text[:100])


def test_ids_of_special_tokens(both):
    """In `tokenizers` they are always special, so all are allowed here."""
    ours, other = both
    rng = random.Random(3)
    for _ in range(2000):
        text = "".join(rng.choices([*SPECIAL, "<|", "|>", "end", " ", "pad", "é"], k=rng.randint(0, 8)))
        ids = ours.encode(text, allowed_special="all")
        assert ids == other.encode(text).ids, repr(text)
        assert ours.decode(ids) == other.decode(ids, skip_special_tokens=False) == text


def test_the_text_of_any_ids(both):
    """Also ids that cut characters in two."""
    ours, other = both
    rng = random.Random(4)
    for _ in range(5000):
        ids = [rng.choice([rng.randrange(1500), rng.randrange(3, 259)]) for _ in range(rng.randint(0, 10))]
        assert ours.decode(ids) == other.decode(ids, skip_special_tokens=False), ids


def test_merges_that_nobody_learnt():
    """Any table of merges, also with two merges for one token, on words of one kind of character."""
    for seed in range(1000):
        rng = random.Random(seed)
        tokens, merges = ["a", "b", "c"], []
        while len(merges) < rng.randint(1, 8):
            merge = rng.choice(tokens), rng.choice(tokens)
            if merge not in merges:
                merges.append(merge)
                tokens += [merge[0] + merge[1]] * (merge[0] + merge[1] not in tokens)
        rng.shuffle(merges)
        ids = {token: number for number, token in enumerate(tokens)}
        table = {(ids[a], ids[b]): (rank, ids[a + b]) for rank, (a, b) in enumerate(merges)}
        other = Tokenizer(models.BPE(ids, merges))
        for _ in range(5):
            word = "".join(rng.choices("abc", k=rng.randint(1, 20)))
            assert merge_word([ids[c] for c in word], table) == other.encode(word).ids, (word, merges)


# Files --------------------------------------------------------------------------------------------------


def test_their_file_is_read(tmp_path):
    other = theirs([CORPORA["prose"]()], 700, SPECIAL)
    other.save(str(tmp_path / "tokenizer.json"))
    ours = BPETokenizer.load(tmp_path / "tokenizer.json")
    for text in some_texts(5, 1000):
        assert ours.encode(text) == other.encode(text).ids, repr(text)
    ours.save(tmp_path / "again.json")
    assert Tokenizer.from_file(str(tmp_path / "again.json")).to_str() == other.to_str()


def test_a_file_as_gpt2_s_is_read(tmp_path):
    """Bytes first, <|endoftext|> last and not in the vocabulary, a post-processor, merges as strings, no type."""
    merges = BPETokenizer.train(CORPORA["prose"](), 700).merges
    vocab = {token_name(token): number for number, token in enumerate(vocabulary(merges))}
    other = Tokenizer(models.BPE(vocab, named(merges), continuing_subword_prefix="", end_of_word_suffix=""))
    other.pre_tokenizer, other.decoder = BYTE_LEVEL, decoders.ByteLevel()
    other.add_special_tokens([AddedToken("<|endoftext|>", normalized=True)])
    file = json.loads(other.to_str())
    file["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
    file["model"]["merges"] = [" ".join(merge) for merge in file["model"]["merges"]]
    del file["model"]["type"], file["model"]["byte_fallback"], file["model"]["ignore_merges"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(file), encoding="utf-8")
    ours, other = (
        BPETokenizer.load(tmp_path / "tokenizer.json"),
        Tokenizer.from_file(str(tmp_path / "tokenizer.json")),
    )
    assert ours.special_tokens == {"<|endoftext|>": 700}
    for text in (*some_texts(6, 500), "the<|endoftext|>argument"):
        assert ours.encode(text, "all") == other.encode(text).ids, repr(text)


def test_characters_in_a_file(tmp_path):
    text = "".join(ASSIGNED[:3000]) + "😀\u2028\U0010ffff"
    ours = CharTokenizer.train(text)
    ours.save(tmp_path / "tokenizer.json")
    other = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert other.encode(text).ids == ours.encode(text)
    assert other.decode(ours.encode(text)) == text
    other.save(str(tmp_path / "theirs.json"))
    assert CharTokenizer.load(tmp_path / "theirs.json").vocab == ours.vocab
    with pytest.raises(Exception, match="UNK"):  # an unknown character is an error there too
        other.encode("\U0001f996")
