"""Short sequences or small vocabularies: what the choice of numbers makes easy, on Python's own library."""

import argparse
import cmd
from functools import cache
from pathlib import Path

from dojo.spec import assert_equal
from tinytorch.tokenization import BPETokenizer, CharTokenizer


@cache
def source(module):
    return Path(module.__file__).read_text(encoding="utf-8")


def test_merges_make_sequences_short():
    """With 512 tokens learnt from one Python module, another module has less than half as many ids as characters.

    With 256 tokens it has one id for each byte.
    """
    unseen = source(cmd)
    characters = len(CharTokenizer.train(unseen).encode(unseen))
    lengths = [len(BPETokenizer.train(source(argparse), size).encode(unseen)) for size in (256, 384, 512)]
    assert_equal(lengths[0], len(unseen.encode("utf-8")), "the number of ids with 256 tokens")
    assert lengths[0] > lengths[1] > lengths[2], f"the numbers of ids are {lengths}, expected fewer each time"
    assert lengths[2] < characters / 2, (
        f"{lengths[2]} ids for {characters} characters, expected less than half"
    )


def test_what_was_rare_in_training_is_long():
    """After training on English, a Greek word needs more ids than it has letters, and an English word fewer."""
    tokenizer = BPETokenizer.train(source(argparse), 512)
    english, greek = tokenizer.encode(" argument"), tokenizer.encode(" επιχείρημα")
    assert len(english) < 4, f"' argument' has {len(english)} ids, expected fewer than 4"
    assert len(greek) > len(" επιχείρημα"), f"' επιχείρημα' has {len(greek)} ids, expected more than 11"


def test_numbers_are_cut_by_their_frequency():
    """If 2024 was common in training, it is one id; 2025 is two, and 1999 four: so models are bad at adding numbers."""
    tokenizer = BPETokenizer.train("2024, 2024; 2024. 1999", 259)
    lengths = [len(tokenizer.encode(number)) for number in ("2024", "2025", "1999")]
    assert_equal(lengths, [1, 2, 4], "the list of numbers of ids of 2024, 2025 and 1999")


def test_a_character_that_was_never_seen_costs_bytes_and_is_no_error():
    """An emoji that was not in the training text is encoded as four bytes, and decode gives it back."""
    tokenizer = BPETokenizer.train(source(argparse), 300)
    assert_equal(len(tokenizer.encode("🦖")), 4, "the number of ids of an emoji")
    assert_equal(tokenizer.decode(tokenizer.encode("🦖")), "🦖", "the text that came back")
