"""Text as numbers: one for each character, or one for each piece that is common.

A model computes with numbers, so somebody decides which ones. Characters make few numbers and long sequences, words
the reverse. Byte pair encoding begins with the 256 bytes, of which every text is made, and gives the commonest pair
a number of its own, again and again.
"""

from tinytorch.tokenization.bpe import BPETokenizer
from tinytorch.tokenization.characters import CharTokenizer, check_ids, check_text
from tinytorch.tokenization.files import check_fields, read_json, read_vocab, write_json
from tinytorch.tokenization.merges import (
    bytes_to_unicode,
    count_pairs,
    merge_pair,
    merge_word,
    token_bytes,
    token_name,
    train_by_rescan,
    train_merges,
    vocabulary,
)
from tinytorch.tokenization.words import count_words, split_special, split_words, stand_in

__all__ = [
    "BPETokenizer",
    "CharTokenizer",
    "bytes_to_unicode",
    "check_fields",
    "check_ids",
    "check_text",
    "count_pairs",
    "count_words",
    "merge_pair",
    "merge_word",
    "read_json",
    "read_vocab",
    "split_special",
    "split_words",
    "stand_in",
    "token_bytes",
    "token_name",
    "train_by_rescan",
    "train_merges",
    "vocabulary",
    "write_json",
]
