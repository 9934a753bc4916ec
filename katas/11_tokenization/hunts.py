"""What mistakes in kata 11 look like from outside. `make hunt N=11` plants one of them in a copy of your code."""

import json
import tempfile
from pathlib import Path

from tinytorch import tokenization as t

TEXT = "the cat sat on the mat. the cat ate the rat, and that was that. " * 3


def words() -> None:
    """The words of a sentence, and whether they give the sentence again."""
    text = "Is  it 12 o'clock?"
    found = t.split_words(text)
    print(found)
    print("the sentence again:", "".join(found) == text)


def merged() -> None:
    """Every "1, 2" in 1 2 1 2 3 1 2 becomes 9, and every "5, 5" in 5 5 5."""
    print(t.merge_pair([1, 2, 1, 2, 3, 1, 2], (1, 2), 9), t.merge_pair([5, 5, 5], (5, 5), 9))


def learned() -> None:
    """The first merges that are learned of a text about a cat."""
    for left, right in t.train_merges(t.count_words(TEXT), 256 + 8):
        print(left.decode() + "|" + right.decode())


def tokens() -> None:
    """The tokens of two words, by merges that were learned in the order "he", "th", "at"."""
    tokenizer = t.BPETokenizer([(b"h", b"e"), (b"t", b"h"), (b"a", b"t")])
    for word in ("the", "that"):
        print([tokenizer.decode([each]) for each in tokenizer.encode(word)])


def counted() -> None:
    """How often the pairs of neighbours occur in "ab", which occurs five times, and "abb", which occurs twice."""
    print(dict(t.count_pairs([([1, 2], 5), ([1, 2, 2], 2)])))


def half_a_character() -> None:
    """A text with an accent, a character of Chinese and a picture: encoded, and decoded again."""
    tokenizer = t.BPETokenizer.train("plain text", 260)
    print(ascii(tokenizer.decode(tokenizer.encode("caf\u00e9 \u732b \U0001f431"))))


def alphabet() -> None:
    """The numbers of a, b and c, in the order of the alphabet, for the characters of "cab"."""
    print(t.CharTokenizer.train("cab").encode("abc"))


def outside() -> None:
    """The text of the ids 2, 0 and -1, of which the last is none, in the vocabulary a, b, c."""
    print(t.CharTokenizer.train("abc").decode([2, 0, -1]))


def saved() -> None:
    """The names of the tokens from number 256 on, in the file that a tokenizer has written."""
    tokenizer = t.BPETokenizer([(b"t", b"h"), (b" ", b"th"), (b"\xc3", b"\xa9")])
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(path := Path(folder) / "tokenizer.json")
        vocab = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    print({ascii(name): number for name, number in vocab.items() if number > 255})


HUNTS = {
    "splits_at_spaces": words,
    "merges_one": merged,
    "never_counts_down": learned,
    "merges_from_the_left": tokens,
    "counts_each_word_once": counted,
    "decodes_token_by_token": half_a_character,
    "numbers_by_appearance": alphabet,
    "decodes_from_the_end": outside,
    "saves_text": saved,
}
