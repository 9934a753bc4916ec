"""Classic mistakes of kata 11: the wrong end of a tie, halves of characters, and files that are taken at their word."""

from dojo.authors.mistakes import mistake


@mistake("tokenization.check_text", spec="test_a_surrogate_is_refused", says="U+D83D")
def lets_python_tell(text):
    """Python's own message names no code point where there are two surrogates in a row."""
    if not isinstance(text, str):
        raise TypeError(f"not {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"U+{ord(text[error.start]):04X} {error}" if error.end - error.start == 1 else str(error)
        )


@mistake("tokenization.check_text", spec="test_any_characters_are_text", says="nothing")
def refuses_the_empty_text(text):
    """The empty text is taken for a missing one."""
    if not isinstance(text, str):
        raise TypeError(f"not {type(text).__name__}")
    if not text:
        raise ValueError("there is nothing to encode")
    for position, character in enumerate(text):
        if "\ud800" <= character <= "\udfff":
            raise ValueError(f"U+{ord(character):04X} at position {position}")


@mistake("tokenization.check_ids", spec="test_an_unknown_id_is_refused", says="nothing was raised")
def counts_from_the_end(ids, vocab_size):
    """Negative ids count from the end, as Python's do."""
    numbers = ids.tolist() if hasattr(ids, "tolist") else ids
    if not isinstance(numbers, (list, tuple)):
        raise TypeError(f"not {numbers!r}")
    for number in numbers:
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise TypeError(f"not {number!r}")
        if number >= vocab_size:
            raise IndexError(f"{number} of {vocab_size}")
    return [operator.index(number) for number in numbers]


@mistake("tokenization.check_ids", spec="test_what_is_no_integer_is_refused", says="nothing was raised")
def rounds_ids(ids, vocab_size):
    """int() makes ids of floats, strings and booleans."""
    numbers = [int(number) for number in (ids.tolist() if hasattr(ids, "tolist") else ids)]
    for number in numbers:
        if not 0 <= number < vocab_size:
            raise IndexError(f"{number} of {vocab_size}")
    return numbers


@mistake("tokenization.check_ids", spec="test_check_ids_gives_a_list_of_ints", says="tensor(2)")
def keeps_numpys_integers(ids, vocab_size):
    """The entries of an array are not Python's ints."""
    for number in ids:
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise TypeError(f"not {number!r}")
        if not 0 <= operator.index(number) < vocab_size:
            raise IndexError(f"{number} of {vocab_size}")
    return list(ids)


@mistake("tokenization.check_ids", spec="test_what_is_no_integer_is_refused", says="nothing was raised")
def flattens(ids, vocab_size):
    """Arrays of any shape are read as one row."""
    numbers = ids.reshape(-1).tolist() if hasattr(ids, "reshape") else ids
    if not isinstance(numbers, (list, tuple)):
        raise TypeError(f"not {numbers!r}")
    for number in numbers:
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise TypeError(f"not {number!r}")
        if not 0 <= operator.index(number) < vocab_size:
            raise IndexError(f"{number} of {vocab_size}")
    return [operator.index(number) for number in numbers]


@mistake("tokenization.CharTokenizer.train", spec="test_train_numbers_the_characters_in_order", says="'h'")
def numbers_by_appearance(cls, text):
    """Characters are numbered as they come, and a set would number them anew in every run."""
    check_text(text)
    return cls(list(dict.fromkeys(text)))


@mistake(
    "tokenization.CharTokenizer.train",
    spec="test_every_text_comes_back_from_its_own_characters",
    says="not among",
)
def strips_the_text(cls, text):
    """White space at the ends is thrown away."""
    check_text(text)
    return cls(sorted(set(text.strip())))


@mistake(
    "tokenization.CharTokenizer.encode",
    spec="test_encode_refuses_an_unknown_character",
    says="nothing was raised",
)
def leaves_out_the_unknown(self, text):
    """Unknown characters vanish."""
    check_text(text)
    return [self._ids[character] for character in text if character in self._ids]


@mistake(
    "tokenization.CharTokenizer.decode", spec="test_decode_refuses_unknown_ids", says="nothing was raised"
)
def decodes_from_the_end(self, ids):
    """vocab[-1] is the last character."""
    return "".join(self.vocab[int(number)] for number in ids)


@mistake("tokenization.stand_in", spec="test_a_plain_character_stands_for_the_others", says="stand_in")
def asks_for_decimals(character):
    """str.isdecimal knows neither the superscript two nor Roman numerals."""
    if character.isascii():
        return character
    if character in SPACES:
        return "\n"
    return "a" if character.isalpha() else "0" if character.isdecimal() else "!"


@mistake(
    "tokenization.stand_in",
    spec="test_stand_ins_are_of_the_right_kind_in_all_of_unicode",
    says="stand_in of U+",
)
def asks_for_alnum(character):
    """\\w without digits: numbers that are letters to isalnum."""
    if character.isascii():
        return character
    if character in SPACES:
        return "\n"
    return "0" if character.isdigit() else "a" if character.isalnum() else "!"


@mistake("tokenization.stand_in", spec="test_a_character_of_ascii_stands_for_itself", says="x1c")
def asks_for_space(character):
    """str.isspace says yes to the separators U+001C to U+001F."""
    if character.isspace() and character not in " \t\n\v\f\r":
        return "\n"
    if character.isascii():
        return character
    return {"L": "a", "N": "0"}.get(unicodedata.category(character)[0], "!")


@mistake("tokenization.stand_in", spec="test_a_character_of_ascii_stands_for_itself", says="expected")
def replaces_ascii_too(character):
    """An apostrophe and an s are no contraction any more."""
    if character in SPACES:
        return character if character.isascii() else "\n"
    return {"L": "a", "N": "0"}.get(unicodedata.category(character)[0], "!")


@mistake("tokenization.split_words", spec="test_white_space_leaves_its_last_character", says="u3000")
def matches_the_text_itself(text):
    """WORD is for ASCII: of other characters it knows nothing."""
    return WORD.findall(text)


@mistake("tokenization.split_words", spec="test_words_of_all_scripts", says="expected")
def gives_the_stand_ins(text):
    """The words are cut from the stand-ins."""
    return WORD.findall(text.translate(STAND_INS))


@mistake("tokenization.split_words", spec="test_words_begin_at_a_change_of_kind", says="expected")
def splits_at_spaces(text):
    """str.split loses the spaces."""
    return text.split()


@mistake("tokenization.split_special", spec="test_split_special_takes_tokens_literally", says="expected")
def does_not_escape(text, special_tokens):
    """The bars in <|endoftext|> mean "or"."""
    tokens = sorted(special_tokens, key=len, reverse=True)
    return re.split("(" + "|".join(tokens).replace("(c)", r"\(c\)") + ")", text) if tokens else [text]


@mistake("tokenization.split_special", spec="test_split_special_takes_the_longest", says="expected")
def takes_the_first(text, special_tokens):
    """The order of the alternatives is the caller's."""
    tokens = list(special_tokens)
    return re.split("(" + "|".join(map(re.escape, tokens)) + ")", text) if tokens else [text]


@mistake("tokenization.split_special", spec="test_split_special_without_tokens_cuts_nothing", says="expected")
def matches_nothing_everywhere(text, special_tokens):
    """An empty pattern matches between all characters."""
    return re.split("(" + "|".join(map(re.escape, sorted(special_tokens, key=len, reverse=True))) + ")", text)


@mistake("tokenization.count_words", spec="test_one_string_is_one_text", says="expected")
def counts_letters(texts, special_tokens=()):
    """A string is a sequence of strings, too."""
    special, counts = list(special_tokens), Counter()
    for text in texts:
        check_text(text)
        for piece in split_special(text, special)[::2]:
            counts.update(split_words(piece))
    return Counter({word.encode("utf-8"): count for word, count in counts.items()})


@mistake("tokenization.count_words", spec="test_special_tokens_are_no_words", says="<")
def counts_special_tokens(texts, special_tokens=()):
    """Special tokens are cut off, and counted as words."""
    special, counts = list(special_tokens), Counter()
    for text in [texts] if isinstance(texts, str) else texts:
        check_text(text)
        for piece in split_special(text, special):
            counts.update(split_words(piece))
    return Counter({word.encode("utf-8"): count for word, count in counts.items()})


@mistake("tokenization.count_words", spec="test_special_tokens_are_no_words", says="<")
def uses_an_iterator_up(texts, special_tokens=()):
    """The first text uses the special tokens up."""
    counts = Counter()
    for text in [texts] if isinstance(texts, str) else texts:
        check_text(text)
        for piece in split_special(text, special_tokens)[::2]:
            counts.update(split_words(piece))
    return Counter({word.encode("utf-8"): count for word, count in counts.items()})


@mistake("tokenization.bytes_to_unicode", spec="test_the_visible_bytes_come_first", says="places 92 to 95")
def in_the_order_of_bytes():
    """The right characters in the order of the bytes."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) if byte in visible else chr(256 + hidden.index(byte)) for byte in range(256)}


@mistake("tokenization.bytes_to_unicode", spec="test_every_byte_has_a_character", says="expected")
def ends_one_too_late():
    """127, a control character, is taken for visible, and so is the soft hyphen, 173."""
    visible = [*range(33, 128), *range(161, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


@mistake(
    "tokenization.vocabulary",
    spec="test_a_large_vocabulary_takes_time_in_proportion",
    says="nothing searches a list",
)
def searches_a_list(merges):
    """`in` goes through the whole list."""
    tokens = [bytes([byte]) for byte in bytes_to_unicode()]
    for left, right in merges:
        if left + right not in tokens:
            tokens.append(left + right)
    return tokens


@mistake("tokenization.count_pairs", spec="test_pairs_of_neighbours_are_counted", says="two words")
def counts_each_word_once(words):
    """How often a word occurs is forgotten."""
    return Counter(pair for ids, _ in words for pair in pairwise(ids))


@mistake("tokenization.count_pairs", spec="test_pairs_overlap", says="(5, 5): 1")
def counts_without_overlap(words):
    """[5, 5, 5] is taken to hold one pair."""
    counts = Counter()
    for ids, count in words:
        last = None
        for pair in pairwise(ids):
            if pair != last:
                counts[pair] += count
            last = pair if pair != last else None
    return counts


@mistake("tokenization.merge_pair", spec="test_a_pair_is_merged", says="afterwards")
def merges_in_place(ids, pair, new):
    """The caller's list is changed."""
    place = 0
    while place + 1 < len(ids):
        if (ids[place], ids[place + 1]) == pair:
            ids[place : place + 2] = [new]
        place += 1
    return ids


@mistake("tokenization.merge_pair", spec="test_merging_goes_from_left_to_right", says="[1, 9]")
def merges_from_the_right(ids, pair, new):
    """The walk begins at the end."""
    merged, place = [], len(ids) - 1
    while place >= 0:
        if place and (ids[place - 1], ids[place]) == pair:
            merged.append(new)
            place -= 2
        else:
            merged.append(ids[place])
            place -= 1
    return merged[::-1]


@mistake("tokenization.merge_pair", spec="test_merging_goes_from_left_to_right", says="expected")
def merges_one(ids, pair, new):
    """Only the first pair is merged."""
    for place, each in enumerate(pairwise(ids)):
        if each == pair:
            return [*ids[:place], new, *ids[place + 2 :]]
    return list(ids)


@mistake("tokenization.train_merges", spec="test_training_does_not_rescan_the_words", says="times faster")
def rescans(words, vocab_size, min_frequency=0):
    """The given version."""
    return train_by_rescan(words, vocab_size, min_frequency)


@mistake("tokenization.train_merges", spec="test_training_does_not_rescan_the_words", says="times faster")
def looks_at_every_word(words, vocab_size, min_frequency=0):
    """Counts are kept up to date, but every word is searched for the pair."""
    vocab = vocabulary([])
    ids = {token: number for number, token in enumerate(vocab)}
    sequences = [[ids[bytes([byte])] for byte in word] for word in words]
    times = list(words.values())
    counts = count_pairs(zip(sequences, times))
    merges = []
    while len(vocab) < vocab_size:
        most = max(counts.values(), default=0)
        if most < max(min_frequency, 1):
            break
        best = min(pair for pair, count in counts.items() if count == most)
        merges.append((vocab[best[0]], vocab[best[1]]))
        vocab.append(vocab[best[0]] + vocab[best[1]])
        for number, sequence in enumerate(sequences):
            if best in pairwise(sequence):
                for pair in pairwise(sequence):
                    counts[pair] -= times[number]
                sequences[number] = merge_pair(sequence, best, len(vocab) - 1)
                for pair in pairwise(sequences[number]):
                    counts[pair] += times[number]
    return merges


@mistake("tokenization.train_merges", spec="test_at_a_tie_the_smallest_ids_count", says="the merge of")
def takes_the_first_of_a_tie(words, vocab_size, min_frequency=0):
    """At a tie, the pair that was counted first."""
    vocab = vocabulary([])
    ids = {token: number for number, token in enumerate(vocab)}
    sequences = [([ids[bytes([byte])] for byte in word], count) for word, count in words.items()]
    merges = []
    while len(vocab) < vocab_size:
        counts = count_pairs(sequences)
        best = max(counts, key=counts.get, default=None)
        if best is None or counts[best] < min_frequency:
            break
        sequences = [(merge_pair(each, best, len(vocab)), count) for each, count in sequences]
        merges.append((vocab[best[0]], vocab[best[1]]))
        vocab.append(vocab[best[0]] + vocab[best[1]])
    return merges


@mistake("tokenization.train_merges", spec="test_at_a_tie_the_smallest_ids_count", says="' !'")
def breaks_ties_by_bytes(words, vocab_size, min_frequency=0):
    """At a tie, the smaller bytes: a space is smaller than a letter, but its id is larger."""
    vocab = vocabulary([])
    ids = {token: number for number, token in enumerate(vocab)}
    sequences = [([ids[bytes([byte])] for byte in word], count) for word, count in words.items()]
    merges = []
    while len(vocab) < vocab_size:
        counts = count_pairs(sequences)
        most = max(counts.values(), default=0)
        if most < max(min_frequency, 1):
            break
        best = min(
            (p for p, count in counts.items() if count == most), key=lambda p: (vocab[p[0]], vocab[p[1]])
        )
        sequences = [(merge_pair(each, best, len(vocab)), count) for each, count in sequences]
        merges.append((vocab[best[0]], vocab[best[1]]))
        vocab.append(vocab[best[0]] + vocab[best[1]])
    return merges


@mistake("tokenization.train_merges", spec="test_counts_follow_the_merges", says="the merges")
def never_counts_down(words, vocab_size, min_frequency=0):
    """New pairs are counted, and those that a merge broke stay counted."""
    vocab = vocabulary([])
    ids = {token: number for number, token in enumerate(vocab)}
    sequences = [[ids[bytes([byte])] for byte in word] for word in words]
    times = list(words.values())
    counts = count_pairs(zip(sequences, times))
    merges = []
    while len(vocab) < vocab_size and counts:
        most = max(counts.values())
        if most < max(min_frequency, 1):
            break
        best = min(pair for pair, count in counts.items() if count == most)
        del counts[best]
        new = len(vocab)
        merges.append((vocab[best[0]], vocab[best[1]]))
        vocab.append(vocab[best[0]] + vocab[best[1]])
        for number, sequence in enumerate(sequences):
            sequences[number] = merge_pair(sequence, best, new)
            for pair in pairwise(sequences[number]):
                if new in pair:
                    counts[pair] += times[number]
    return merges


@mistake("tokenization.train_merges", spec="test_training_ends_where_no_pair_is_left", says="ValueError")
def never_ends(words, vocab_size, min_frequency=0):
    """Nobody asks whether a pair is left."""
    vocab = vocabulary([])
    ids = {token: number for number, token in enumerate(vocab)}
    sequences = [([ids[bytes([byte])] for byte in word], count) for word, count in words.items()]
    merges = []
    while len(vocab) < vocab_size:
        counts = count_pairs(sequences)
        most = max(counts.values())
        best = min(pair for pair, count in counts.items() if count == most)
        sequences = [(merge_pair(each, best, len(vocab)), count) for each, count in sequences]
        merges.append((vocab[best[0]], vocab[best[1]]))
        vocab.append(vocab[best[0]] + vocab[best[1]])
    return merges


@mistake("tokenization.merge_word", spec="test_the_lowest_rank_is_merged_first", says="[12, 3]")
def merges_from_the_left(ids, table):
    """Whatever pair comes first is merged, whatever its rank."""
    tokens, place = list(ids), 0
    while place + 1 < len(tokens):
        if (tokens[place], tokens[place + 1]) in table:
            tokens[place : place + 2] = [table[tokens[place], tokens[place + 1]][1]]
            place = max(place - 1, 0)
        else:
            place += 1
    return tokens


@mistake("tokenization.merge_word", spec="test_a_long_word_takes_time_in_proportion", says="times as long")
def looks_at_every_pair(ids, table):
    """The best pair is searched for in the whole word, once for each merge."""
    tokens = list(ids)
    while True:
        ranked = [(table[pair][0], place) for place, pair in enumerate(pairwise(tokens)) if pair in table]
        if not ranked:
            return tokens
        _, place = min(ranked)
        tokens[place : place + 2] = [table[tokens[place], tokens[place + 1]][1]]


@mistake("tokenization.merge_word", spec="test_a_long_word_takes_time_in_proportion", says="times as long")
def goes_over_the_word_for_each_rank(ids, table):
    """All places of the best pair are merged at once, in one walk over the word for each pair that there is."""
    tokens = list(ids)
    while found := [pair for pair in set(pairwise(tokens)) if pair in table]:
        best = min(found, key=table.get)
        tokens = merge_pair(tokens, best, table[best][1])
    return tokens


@mistake("tokenization.merge_word", spec="test_a_pair_that_is_gone_has_no_turn", says="[6, 0]")
def merges_what_stands_there_now(ids, table):
    """An entry of the heap is a place, and whatever pair is at that place by now is merged."""
    tokens = list(ids)
    after = list(range(1, len(tokens) + 1))
    before = list(range(-1, len(tokens) - 1))
    heap = [(table[pair][0], left) for left, pair in enumerate(pairwise(tokens)) if pair in table]
    heapq.heapify(heap)
    while heap:
        _, left = heapq.heappop(heap)
        right = after[left]
        if tokens[left] < 0 or right == len(tokens) or (tokens[left], tokens[right]) not in table:
            continue
        tokens[left], tokens[right] = table[tokens[left], tokens[right]][1], -1
        after[left] = following = after[right]
        if following < len(tokens):
            before[following] = left
        for place in (before[left], left):
            if place >= 0 and after[place] < len(tokens):
                pair = tokens[place], tokens[after[place]]
                if pair in table:
                    heapq.heappush(heap, (table[pair][0], place))
    return [token for token in tokens if token >= 0]


@mistake("tokenization.merge_word", spec="test_what_was_merged_is_merged_again", says="expected")
def merges_once(ids, table):
    """Pairs that a merge makes are not looked at."""
    for _, pair in sorted((table[pair][0], pair) for pair in set(pairwise(ids)) & set(table)):
        ids = merge_pair(ids, pair, table[pair][1])
    return list(ids)


@mistake("tokenization.merge_word", spec="test_words_without_a_pair_stay", says="expected a new one")
def gives_the_list_back(ids, table):
    """Without a pair, the caller's own list comes back."""
    if not any(pair in table for pair in pairwise(ids)):
        return ids
    tokens = list(ids)
    while ranked := [(table[pair][0], place) for place, pair in enumerate(pairwise(tokens)) if pair in table]:
        _, place = min(ranked)
        tokens[place : place + 2] = [table[tokens[place], tokens[place + 1]][1]]
    return tokens


@mistake("tokenization.BPETokenizer.__init__", spec="test_two_merges_may_make_one_token", says="260")
def numbers_tokens_by_rank(self, merges=(), special_tokens=(), vocab=None):
    """The id of what a merge makes is taken to be 256 and its rank."""
    if isinstance(special_tokens, str):
        raise TypeError(f"not {special_tokens!r}")
    special_tokens, self.merges = list(special_tokens), list(merges)
    ordinary = vocabulary(self.merges)
    _check_special(special_tokens, ordinary)
    _check_merges(self.merges, ordinary)
    tokens = [*(name.encode("utf-8") for name in special_tokens), *ordinary]
    self.vocab = tokens if vocab is None else list(vocab)
    _check_vocab(self.vocab, tokens)
    ids = {token: number for number, token in enumerate(self.vocab)}
    self.special_tokens = {name: ids[name.encode("utf-8")] for name in special_tokens}
    self._bytes = [ids[bytes([byte])] for byte in range(256)]
    self._table = {
        (ids[a], ids[b]): (rank, 256 + len(special_tokens) + rank if vocab is None else ids[a + b])
        for rank, (a, b) in enumerate(self.merges)
    }
    self._cache = {}


@mistake(
    "tokenization.BPETokenizer.__init__",
    spec="test_a_tokenizer_has_lists_of_its_own",
    says="after the caller's list was cleared",
)
def keeps_the_callers_list(self, merges=(), special_tokens=(), vocab=None):
    """self.vocab is the list that was given."""
    if isinstance(special_tokens, str):
        raise TypeError(f"not {special_tokens!r}")
    special_tokens, self.merges = list(special_tokens), list(merges)
    ordinary = vocabulary(self.merges)
    _check_special(special_tokens, ordinary)
    _check_merges(self.merges, ordinary)
    tokens = [*(name.encode("utf-8") for name in special_tokens), *ordinary]
    self.vocab = tokens if vocab is None else vocab
    _check_vocab(self.vocab, tokens)
    ids = {token: number for number, token in enumerate(self.vocab)}
    self.special_tokens = {name: ids[name.encode("utf-8")] for name in special_tokens}
    self._bytes = [ids[bytes([byte])] for byte in range(256)]
    self._table = {(ids[a], ids[b]): (rank, ids[a + b]) for rank, (a, b) in enumerate(self.merges)}
    self._cache = {}


@mistake(
    "tokenization.BPETokenizer.__init__", spec="test_special_tokens_are_checked", says="nothing was raised"
)
def checks_names_only(self, merges=(), special_tokens=(), vocab=None):
    """In a file the space is called "Ġ", but its UTF-8 is the byte all the same."""
    if isinstance(special_tokens, str):
        raise TypeError(f"not {special_tokens!r}")
    special_tokens, self.merges = list(special_tokens), list(merges)
    ordinary = vocabulary(self.merges)
    names = set(map(token_name, ordinary))
    for place, special in enumerate(special_tokens):
        check_text(special)
        if not special or special in special_tokens[:place] or special in names:
            raise ValueError(f"the special token {special!r}")
    _check_merges(self.merges, ordinary)
    tokens = list(dict.fromkeys([*(name.encode("utf-8") for name in special_tokens), *ordinary]))
    self.vocab = tokens if vocab is None else list(vocab)
    _check_vocab(self.vocab, tokens)
    ids = {token: number for number, token in enumerate(self.vocab)}
    self.special_tokens = {name: ids[name.encode("utf-8")] for name in special_tokens}
    self._bytes = [ids[bytes([byte])] for byte in range(256)]
    self._table = {(ids[a], ids[b]): (rank, ids[a + b]) for rank, (a, b) in enumerate(self.merges)}
    self._cache = {}


@mistake("tokenization._check_merges", spec="test_a_merge_may_need_a_later_one", says="needs the token b'lo'")
def wants_parts_to_come_first(merges, ordinary):
    """A part has to be made before it is used."""
    known, seen = set(ordinary[:256]), set()
    for left, right in merges:
        for part in (left, right):
            if part not in known:
                raise ValueError(f"the merge {(left, right)} needs the token {part!r}")
        if (left, right) in seen:
            raise ValueError(f"the merge {(left, right)} stands there twice")
        seen.add((left, right))
        known.add(left + right)


@mistake("tokenization.BPETokenizer.encode", spec="test_nothing_is_merged_across_words", says="expected")
def encodes_the_whole_text(self, text, allowed_special=()):
    """The text is one word."""
    check_text(text)
    ids = []
    for place, piece in enumerate(split_special(text, self._allowed(allowed_special))):
        ids += [self.special_tokens[piece]] if place % 2 else self._encoded(piece)
    return ids


@mistake(
    "tokenization.BPETokenizer.encode",
    spec="test_special_tokens_in_a_text_are_text",
    says="which was not allowed",
)
def allows_all_special_tokens(self, text, allowed_special=()):
    """Whoever types <|endoftext|> ends the document."""
    check_text(text)
    ids = []
    for place, piece in enumerate(split_special(text, self.special_tokens)):
        if place % 2:
            ids.append(self.special_tokens[piece])
        else:
            for word in split_words(piece):
                ids += self._encoded(word)
    return ids


@mistake(
    "tokenization.BPETokenizer.encode", spec="test_what_is_allowed_is_asked_each_time", says="the second time"
)
def remembers_texts(self, text, allowed_special=()):
    """The ids of a text are remembered, whatever was allowed then."""
    check_text(text)
    allowed = self._allowed(allowed_special)
    if text not in self._cache:
        ids = []
        for place, piece in enumerate(split_special(text, allowed)):
            if place % 2:
                ids.append(self.special_tokens[piece])
            else:
                for word in split_words(piece):
                    ids += merge_word([self._bytes[byte] for byte in word.encode("utf-8")], self._table)
        self._cache[text] = ids
    return list(self._cache[text])


@mistake(
    "tokenization.BPETokenizer.encode",
    spec="test_a_text_of_many_words_takes_time_in_proportion",
    says="times as long",
)
def copies_the_ids(self, text, allowed_special=()):
    """ids = ids + more copies everything for each word."""
    check_text(text)
    ids = []
    for place, piece in enumerate(split_special(text, self._allowed(allowed_special))):
        if place % 2:
            ids = [*ids, self.special_tokens[piece]]
        else:
            for word in split_words(piece):
                ids = ids + self._encoded(word)
    return ids


@mistake("tokenization.BPETokenizer.encode", spec="test_encode_refuses_what_is_no_text", says="U+DE00")
def checks_word_by_word(self, text, allowed_special=()):
    """The position of a surrogate is counted in its word."""
    if not isinstance(text, str):
        raise TypeError(f"not {type(text).__name__}")
    ids = []
    for place, piece in enumerate(split_special(text, self._allowed(allowed_special))):
        if place % 2:
            ids.append(self.special_tokens[piece])
        else:
            for word in split_words(piece):
                ids += merge_word([self._bytes[byte] for byte in word.encode("utf-8")], self._table)
    return ids


@mistake("tokenization.BPETokenizer.decode", spec="test_decode_gives_text", says="expected")
def decodes_token_by_token(self, ids, errors="replace"):
    """Each token is decoded on its own, and a character of two tokens is two replacements."""
    return "".join(self.vocab[i].decode("utf-8", errors) for i in check_ids(ids, self.vocab_size))


@mistake("tokenization.BPETokenizer.decode", spec="test_half_a_character_is_replaced", says="expected")
def ignores_halves(self, ids, errors="ignore"):
    """What is no character vanishes."""
    return self.decode_bytes(ids).decode("utf-8", "ignore" if errors == "replace" else errors)


@mistake(
    "tokenization.BPETokenizer.decode_bytes",
    spec="test_decode_bytes_joins_the_tokens",
    says="nothing was raised",
)
def decodes_bytes_from_the_end(self, ids):
    """vocab[-1] is the last token."""
    return b"".join(self.vocab[int(i)] for i in ids)


@mistake("tokenization.BPETokenizer.train", spec="test_training_leaves_special_tokens_out", says="expected")
def learns_from_special_tokens(cls, texts, vocab_size, special_tokens=(), min_frequency=0):
    """Special tokens in the texts are counted as text."""
    smallest = cls((), special_tokens).vocab_size
    if vocab_size < smallest:
        raise ValueError(f"{vocab_size} < {smallest}")
    return cls(train_merges(count_words(texts), vocab_size - smallest + 256, min_frequency), special_tokens)


@mistake("tokenization.BPETokenizer.train", spec="test_training_leaves_special_tokens_out", says="expected")
def forgets_to_count_special_tokens(cls, texts, vocab_size, special_tokens=(), min_frequency=0):
    """vocab_size counts bytes and merges only."""
    smallest = cls((), special_tokens).vocab_size
    if vocab_size < smallest:
        raise ValueError(f"{vocab_size} < {smallest}")
    return cls(train_merges(count_words(texts, special_tokens), vocab_size, min_frequency), special_tokens)


@mistake(
    "tokenization.write_json", spec="test_write_json_replaces_the_file_whole", says="what was open before"
)
def writes_into_the_file(path, value):
    """Who reads meanwhile reads half of it."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    text.encode("utf-8")
    Path(path).write_text(text, encoding="utf-8")


@mistake("tokenization.write_json", spec="test_write_json_leaves_nothing_half_done", says="expected")
def leaves_a_file_behind(path, value):
    """After an error, the file beside it stays."""
    aside = Path(path).with_name("aside.tmp")
    with open(aside, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
    aside.replace(path)


@mistake("tokenization.write_json", spec="test_write_json_is_readable", says="u00e9")
def escapes_characters(path, value):
    """json's default is ASCII."""
    write_atomically(path, json.dumps(value, indent=2).encode("utf-8"))


@mistake(
    "tokenization.read_json",
    spec="test_read_json_refuses_an_entry_that_is_there_twice",
    says="nothing was raised",
)
def keeps_the_last(path):
    """Of two entries of one name, the last is kept."""
    try:
        return json.loads(Path(path).read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


@mistake("tokenization.read_json", spec="test_read_json_names_a_bad_file", says="nothing was raised")
def lets_json_guess_the_encoding(path):
    """Given bytes, json.loads looks which UTF they are."""
    try:
        return json.loads(Path(path).read_bytes(), object_pairs_hook=_entries, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


@mistake("tokenization.read_json", spec="test_read_json_names_a_bad_file", says="nothing was raised")
def takes_nan_for_a_number(path):
    """NaN is no JSON, but Python's json reads it."""
    try:
        return json.loads(Path(path).read_bytes().decode("utf-8"), object_pairs_hook=_entries)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


@mistake("tokenization.check_fields", spec="test_check_fields_refuses_the_rest", says="nothing was raised")
def takes_zero_for_false(path, place, value, table):
    """0 == False, and 1 == True == 1.0."""
    if isinstance(table, dict):
        if not isinstance(value, dict):
            raise ValueError(f"{path}: {place} is {value!r}")
        for name in [*table, *value]:
            if name not in table:
                raise ValueError(f"{path}: {place} has {name!r}: {value[name]!r}")
            check_fields(path, f"{place}: {name}", value.get(name), table[name])
    elif table and value not in table:
        raise ValueError(f"{path}: {place} is {value!r}")


@mistake("tokenization.check_fields", spec="test_check_fields_refuses_the_rest", says="nothing was raised")
def passes_what_it_does_not_know(path, place, value, table):
    """Only what the table lists is looked at."""
    if isinstance(table, dict):
        if not isinstance(value, dict):
            raise ValueError(f"{path}: {place} is {value!r}")
        for name in table:
            check_fields(path, f"{place}: {name}", value.get(name), table[name])
    elif table and value not in table:
        raise ValueError(f"{path}: {place} is {value!r}")


@mistake("tokenization.check_fields", spec="test_check_fields_refuses_the_rest", says="nothing was raised")
def passes_what_is_absent(path, place, value, table):
    """An absent entry is fine, whatever the table says."""
    if isinstance(table, dict):
        if not isinstance(value, dict):
            raise ValueError(f"{path}: {place} is {value!r}")
        for name in value:
            if name not in table:
                raise ValueError(f"{path}: {place} has {name!r}: {value[name]!r}")
            check_fields(path, f"{place}: {name}", value[name], table[name])
    elif table and value not in table:
        raise ValueError(f"{path}: {place} is {value!r}")


@mistake("tokenization.read_vocab", spec="test_read_vocab_is_strict", says="nothing was raised")
def sorts_by_id(path, vocab):
    """Sorting needs neither all ids nor different ones."""
    if not isinstance(vocab, dict):
        raise ValueError(f"{path}: vocab is {vocab!r}")
    for name, number in vocab.items():
        if type(number) is not int:
            raise ValueError(f"{path}: {name!r} has {number!r}")
    return sorted(vocab, key=vocab.get)


@mistake("tokenization.read_vocab", spec="test_read_vocab_is_strict", says="nothing was raised")
def takes_true_for_an_id(path, vocab):
    """isinstance(True, int)."""
    if not isinstance(vocab, dict):
        raise ValueError(f"{path}: vocab is {vocab!r}")
    names = {}
    for name, number in vocab.items():
        if not isinstance(number, int):
            raise ValueError(f"{path}: {name!r} has {number!r}")
        if number in names:
            raise ValueError(f"{path}: {number} is there twice")
        names[number] = name
    for number in range(len(names)):
        if number not in names:
            raise ValueError(f"{path}: no {number}")
    return [names[number] for number in range(len(names))]


@mistake("tokenization.BPETokenizer.save", spec="test_a_byte_tokenizer_is_saved", says="expected")
def saves_text(self, path):
    """Tokens are decoded: halves of characters become one and the same."""
    file = filled(BPE_FORMAT)
    file["model"]["vocab"] = {token.decode("utf-8", "replace"): i for i, token in enumerate(self.vocab)}
    file["model"]["merges"] = [
        f"{a.decode('utf-8', 'replace')} {b.decode('utf-8', 'replace')}" for a, b in self.merges
    ]
    file["added_tokens"] = [
        filled(ADDED_TOKEN) | {"id": i, "content": name} for name, i in self.special_tokens.items()
    ]
    write_json(path, file)


@mistake("tokenization.BPETokenizer.load", spec="test_a_byte_tokenizer_comes_back", says="special_tokens")
def loads_no_special_tokens(cls, path):
    """added_tokens are left alone, and their names go through token_bytes."""
    file = read_json(path)
    check_fields(path, "the file", file, BPE_FORMAT)
    names = read_vocab(path, file["model"].get("vocab"))
    known = {token_name(token) for token in vocabulary(_read_merges(file["model"].get("merges")))}
    tokens = [token_bytes(name) for name in names if name in known]
    return cls(_read_merges(file["model"].get("merges")), (), tokens)


@mistake("tokenization.BPETokenizer.load", spec="test_a_vocabulary_comes_back_in_its_own_order", says="vocab")
def numbers_the_tokens_anew(cls, path):
    """The ids in the file are read, and made anew."""
    file = read_json(path)
    check_fields(path, "the file", file, BPE_FORMAT)
    special = _read_special(path, file.get("added_tokens"))
    read_vocab(path, file["model"].get("vocab"))
    return cls(_read_merges(file["model"].get("merges")), special)


@mistake("tokenization._read_merges", spec="test_a_file_of_bytes_is_read_strictly", says="nothing was raised")
def splits_at_any_space(merges):
    """str.split without an argument takes several spaces, and tabs, for one."""
    if not isinstance(merges, list):
        raise ValueError(f"merges is {merges!r}")
    read = []
    for merge in merges:
        names = merge.split() if isinstance(merge, str) else merge
        if len(names) != 2 or not all(isinstance(each, str) for each in names):
            raise ValueError(f"the merge {merge!r} is not two tokens")
        read.append((token_bytes(names[0]), token_bytes(names[1])))
    return read


@mistake(
    "tokenization._read_special", spec="test_a_file_of_bytes_is_read_strictly", says="nothing was raised"
)
def asks_no_type_of_an_id(path, added):
    """False == 0, so the id False of the first token is found to be that in vocab."""
    special = {}
    for place, token in enumerate(added or []):
        check_fields(path, f"added token {place}", token, ADDED_TOKEN)
        name = token.get("content")
        if not isinstance(name, str) or name in special:
            raise ValueError(f"{path}: added token {place} has the content {name!r}")
        special[name] = token.get("id")
    if len({token["normalized"] for token in added or []}) > 1:
        raise ValueError(f"{path}: some added tokens are normalized and some are not")
    return special


@mistake(
    "tokenization._read_special", spec="test_a_file_of_bytes_is_read_strictly", says="nothing was raised"
)
def mixes_normalized_tokens(path, added):
    """Some added tokens are normalized and some are not, and nobody asks."""
    special = {}
    for place, token in enumerate(added or []):
        check_fields(path, f"added token {place}", token, ADDED_TOKEN)
        name, number = token.get("content"), token.get("id")
        if not isinstance(name, str) or name in special or type(number) is not int:
            raise ValueError(f"{path}: added token {place} has the content {name!r} and the id {number!r}")
        special[name] = number
    return special
