"""Text as numbers: one for each character, or one for each piece that is common.

A model computes with numbers, so somebody has to choose them. Characters give few different numbers and long
sequences, words the reverse. Byte pair encoding begins with the 256 bytes, of which every text is made, and gives
the most common pair a number of its own, again and again.
"""

from tinytorch.tokenization.bpe import (
    BPETokenizer as BPETokenizer,
)
from tinytorch.tokenization.characters import (
    CharTokenizer as CharTokenizer,
    check_ids as check_ids,
    check_text as check_text,
)
from tinytorch.tokenization.files import (
    check_fields as check_fields,
    read_json as read_json,
    read_vocab as read_vocab,
    write_json as write_json,
)
from tinytorch.tokenization.merges import (
    bytes_to_unicode as bytes_to_unicode,
    count_pairs as count_pairs,
    merge_pair as merge_pair,
    merge_word as merge_word,
    token_bytes as token_bytes,
    token_name as token_name,
    train_by_rescan as train_by_rescan,
    train_merges as train_merges,
    vocabulary as vocabulary,
)
from tinytorch.tokenization.words import (
    count_words as count_words,
    split_special as split_special,
    split_words as split_words,
    stand_in as stand_in,
)
