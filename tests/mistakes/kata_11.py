"""Classic mistakes of kata 11: ties broken wrongly, halves of characters, and files that are not checked."""

from dojo.tree.mistakes import mistake


@mistake(
    "tokenization.check_text",
    spec="test_a_surrogate_is_refused",
    says="U+D83D",
    swap=("U+{ord(text[error.start]):04X} at position {error.start} of the text", "{error}: it"),
)
def lets_python_tell():
    """For two surrogates in a row, Python's own message does not name the code point."""


@mistake(
    "tokenization.check_text",
    spec="test_any_characters_are_text",
    says="nothing",
    swap=(
        "try:",
        """if not text:
        raise ValueError("there is nothing to encode")
    try:""",
    ),
)
def refuses_the_empty_text():
    """The empty text is taken for a missing one."""


@mistake(
    "tokenization.check_ids",
    spec="test_an_unknown_id_is_refused",
    says="nothing was raised",
    swap=("0 <= number < vocab_size", "number < vocab_size"),
)
def counts_from_the_end():
    """Negative ids count from the end, as Python's indices do."""


@mistake(
    "tokenization.check_ids",
    spec="test_what_is_no_integer_is_refused",
    says="nothing was raised",
    swap=[
        ('isinstance(entry, bool) or not hasattr(entry, "__index__")', "False"),
        ("operator.index(entry)", "int(entry)"),
    ],
)
def rounds_ids():
    """int() makes ids of floats, strings and booleans."""


@mistake(
    "tokenization.check_ids",
    spec="test_check_ids_gives_a_list_of_ints",
    says="tensor(2)",
    swap=[
        ('ids.tolist() if hasattr(ids, "tolist") else ids', "list(ids)"),
        ("operator.index(entry)", "entry"),
    ],
)
def keeps_numpys_integers():
    """The entries of an array are not Python's ints."""


@mistake(
    "tokenization.check_ids",
    spec="test_what_is_no_integer_is_refused",
    says="nothing was raised",
    swap=("ids.tolist()", "ids.reshape(-1).tolist()"),
)
def flattens():
    """Arrays of any shape are flattened."""


@mistake(
    "tokenization.CharTokenizer.train",
    spec="test_train_numbers_the_characters_in_order",
    says="'h'",
    swap=("sorted(set(text))", "list(dict.fromkeys(text))"),
)
def numbers_by_appearance():
    """Characters are numbered in the order of their first occurrence."""


@mistake(
    "tokenization.CharTokenizer.train",
    spec="test_every_text_comes_back_from_its_own_characters",
    says="not among",
    swap=("set(text)", "set(text.strip())"),
)
def strips_the_text():
    """White space at both ends is removed."""


@mistake(
    "tokenization.CharTokenizer.encode",
    spec="test_encode_refuses_an_unknown_character",
    says="nothing was raised",
    swap=("for character in text]", "for character in text if character in self._ids]"),
)
def leaves_out_the_unknown():
    """Unknown characters are left out silently."""


@mistake(
    "tokenization.CharTokenizer.decode",
    spec="test_decode_refuses_unknown_ids",
    says="nothing was raised",
    swap=("check_ids(ids, self.vocab_size)", "map(int, ids)"),
)
def decodes_from_the_end():
    """vocab[-1] is the last character."""


@mistake(
    "tokenization.stand_in",
    spec="test_a_plain_character_stands_for_the_others",
    says="stand_in",
    swap=(
        '{"L": "a", "N": "0"}.get(unicodedata.category(character)[0], "!")',
        '"a" if character.isalpha() else "0" if character.isdecimal() else "!"',
    ),
)
def asks_for_decimals():
    """str.isdecimal knows neither the superscript two nor Roman numerals."""


@mistake(
    "tokenization.stand_in",
    spec="test_stand_ins_are_of_the_right_kind_in_all_of_unicode",
    says="stand_in of U+",
    swap=(
        '{"L": "a", "N": "0"}.get(unicodedata.category(character)[0], "!")',
        '"0" if character.isdigit() else "a" if character.isalnum() else "!"',
    ),
)
def asks_for_alnum():
    """\\w without digits: numbers that are letters to isalnum."""


@mistake(
    "tokenization.stand_in",
    spec="test_a_character_of_ascii_stands_for_itself",
    says="x1c",
    swap=(
        "if character.isascii():",
        r"""if character.isspace() and character not in " \t\n\v\f\r":
        return "\n"
    if character.isascii():""",
    ),
)
def asks_for_space():
    """str.isspace is true for the separators U+001C to U+001F."""


@mistake(
    "tokenization.stand_in",
    spec="test_a_character_of_ascii_stands_for_itself",
    says="expected",
    swap=("if character.isascii():", "if False:"),
)
def replaces_ascii_too():
    """ASCII is replaced too: an apostrophe and an s are no longer a contraction."""


@mistake(
    "tokenization.split_words",
    spec="test_white_space_leaves_its_last_character",
    says="u3000",
    swap=("if text.isascii():", "if True:"),
)
def matches_the_text_itself():
    """WORD matches the text itself, but it only works for ASCII."""


@mistake(
    "tokenization.split_words",
    spec="test_words_of_all_scripts",
    says="expected",
    swap=(
        "[text[match.start() : match.end()] for match in WORD.finditer(text.translate(STAND_INS))]",
        "WORD.findall(text.translate(STAND_INS))",
    ),
)
def gives_the_stand_ins():
    """The words are parts of the stand-ins, not of the text."""


@mistake("tokenization.split_words", spec="test_words_begin_at_a_change_of_kind", says="expected")
def splits_at_spaces(text):
    """str.split loses the spaces."""
    return text.split()


@mistake(
    "tokenization.split_special",
    spec="test_split_special_takes_tokens_literally",
    says="expected",
    swap=("map(re.escape, longest_first)", "longest_first"),
)
def does_not_escape():
    """The bars in <|endoftext|> mean "or"."""


@mistake(
    "tokenization.split_special",
    spec="test_split_special_takes_the_longest",
    says="expected",
    swap=("sorted(special_tokens, key=len, reverse=True)", "list(special_tokens)"),
)
def takes_the_first():
    """The alternatives are in the caller's order, not the longest first."""


@mistake(
    "tokenization.split_special",
    spec="test_split_special_without_tokens_cuts_nothing",
    says="expected",
    swap=("if not longest_first:", "if False:"),
)
def matches_nothing_everywhere():
    """An empty pattern matches between all characters."""


@mistake(
    "tokenization.count_words",
    spec="test_one_string_is_one_text",
    says="expected",
    swap=("[texts] if isinstance(texts, str) else texts", "texts"),
)
def counts_letters():
    """A string is a sequence of strings, too."""


@mistake("tokenization.count_words", spec="test_special_tokens_are_no_words", says="<", swap=("[::2]", ""))
def counts_special_tokens():
    """Special tokens are counted as words."""


@mistake(
    "tokenization.count_words",
    spec="test_special_tokens_are_no_words",
    says="<",
    swap=("special_tokens = list(special_tokens)", "pass"),
)
def uses_an_iterator_up():
    """The first text uses the special tokens up."""


@mistake(
    "tokenization.bytes_to_unicode",
    spec="test_the_visible_bytes_come_first",
    says="places 92 to 95",
    swap=[
        ("return {byte", "return dict(sorted(({byte"),
        ("enumerate(hidden)}", "enumerate(hidden)}).items()))"),
    ],
)
def in_the_order_of_bytes():
    """The right characters in the order of the bytes."""


@mistake(
    "tokenization.bytes_to_unicode",
    spec="test_every_byte_has_a_character",
    says="expected",
    swap=("range(33, 127), *range(161, 173), *range(174, 256)", "range(33, 128), *range(161, 256)"),
)
def ends_one_too_late():
    """127, a control character, is taken for visible, and so is the soft hyphen, 173."""


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


@mistake(
    "tokenization.count_pairs",
    spec="test_pairs_of_neighbours_are_counted",
    says="two words",
    swap=("+= count", "+= 1"),
)
def counts_each_word_once():
    """The number of times that a word occurs is ignored."""


@mistake(
    "tokenization.count_pairs",
    spec="test_pairs_overlap",
    says="(5, 5): 1",
    swap=[
        (
            "for pair in pairwise(ids):",
            """last = None
        for pair in pairwise(ids):""",
        ),
        (
            "counts[pair] += count",
            """if pair != last:
                counts[pair] += count
            last = pair if pair != last else None""",
        ),
    ],
)
def counts_without_overlap():
    """[5, 5, 5] is taken to hold one pair."""


@mistake(
    "tokenization.merge_pair",
    spec="test_a_pair_is_merged",
    says="afterwards",
    swap=(
        "return merged",
        """ids[:] = merged
    return ids""",
    ),
)
def merges_in_place():
    """The caller's list is changed."""


@mistake(
    "tokenization.merge_pair",
    spec="test_merging_goes_from_left_to_right",
    says="[1, 9]",
    swap=[
        (
            "merged: list",
            """ids, pair = ids[::-1], pair[::-1]
    merged: list""",
        ),
        ("return merged", "return merged[::-1]"),
    ],
)
def merges_from_the_right():
    """Pairs are merged from the end of the list."""


@mistake(
    "tokenization.merge_pair",
    spec="test_merging_goes_from_left_to_right",
    says="expected",
    swap=("merged.append(new)", "return [*merged, new, *ids[place + 2 :]]"),
)
def merges_one():
    """Only the first pair is merged."""


@mistake("tokenization.train_merges", spec="test_training_does_not_rescan_the_words", says="times faster")
def rescans(words, vocab_size, min_frequency=0):
    """The slow version, which is given."""
    return train_by_rescan(words, vocab_size, min_frequency)


@mistake(
    "tokenization.train_merges",
    spec="test_training_does_not_rescan_the_words",
    says="times faster",
    swap=("holders.pop(best)", "range(len(sequences))"),
)
def looks_at_every_word():
    """Counts are kept up to date, but every word is searched for the pair."""


@mistake(
    "tokenization.train_merges",
    spec="test_at_a_tie_the_smallest_ids_count",
    says="the merge of",
    swap=(
        "new = len(vocab)",
        """heapq.heappush(heap, (count, best))
        best = next(pair for pair in counts if counts[pair] == -count)
        new = len(vocab)""",
    ),
)
def takes_the_first_of_a_tie():
    """At a tie, the pair that was counted first."""


@mistake(
    "tokenization.train_merges",
    spec="test_at_a_tie_the_smallest_ids_count",
    says="' !'",
    swap=(
        "new = len(vocab)",
        """heapq.heappush(heap, (count, best))
        most = (pair for pair in counts if counts[pair] == -count)
        best = min(most, key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))
        new = len(vocab)""",
    ),
)
def breaks_ties_by_bytes():
    """At a tie, the smaller bytes: a space is smaller than a letter, but its id is larger."""


@mistake(
    "tokenization.train_merges",
    spec="test_counts_follow_the_merges",
    says="the list of merges",
    swap=[
        ("counts[pair] -= times[number]", "pass"),
        (
            """counts[pair] += times[number]
                if new in pair:""",
            """if new in pair:
                    counts[pair] += times[number]""",
        ),
    ],
)
def never_counts_down():
    """New pairs are counted, but those that a merge removed stay counted."""


@mistake(
    "tokenization.train_merges",
    spec="test_training_ends_where_no_pair_is_left",
    says="IndexError",
    swap=("while heap and", "while"),
)
def never_ends():
    """It is not checked whether a pair is left."""


@mistake("tokenization.merge_word", spec="test_the_lowest_rank_is_merged_first", says="[12, 3]")
def merges_from_the_left(ids, table):
    """The leftmost pair is merged, whatever its rank."""
    tokens, place = list(ids), 0
    while place + 1 < len(tokens):
        if (tokens[place], tokens[place + 1]) in table:
            tokens[place : place + 2] = [table[tokens[place], tokens[place + 1]][1]]
            place = max(place - 1, 0)
        else:
            place += 1
    return tokens


@mistake(
    "tokenization.merge_word",
    spec="test_a_pair_that_is_gone_has_no_turn",
    says="[5, 0]",
    swap=("heapq.heappush(heap, (table[pair][0]", "heapq.heappush(heap, (table[pair][1]"),
)
def later_pairs_by_their_ids():
    """Pairs that come up are ranked by the id that they become, which is the same only in a vocabulary in order."""


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
    """All places of the best pair are merged at once, but the whole word is read for each pair."""
    tokens = list(ids)
    while found := [pair for pair in set(pairwise(tokens)) if pair in table]:
        best = min(found, key=table.get)
        tokens = merge_pair(tokens, best, table[best][1])
    return tokens


@mistake(
    "tokenization.merge_word",
    spec="test_a_pair_that_is_gone_has_no_turn",
    says="is [5, 0]",
    swap=[
        ("(tokens[left], tokens[right]) != pair", "(tokens[left], tokens[right]) not in table"),
        ("table[pair][1], -1", "table[tokens[left], tokens[right]][1], -1"),
    ],
)
def merges_what_stands_there_now():
    """An entry of the heap is only a place: the pair that is there now is merged, even if it is another one."""


@mistake(
    "tokenization.merge_word",
    spec="test_what_was_merged_is_merged_again",
    says="expected",
    swap=("if pair in table:", "if False:"),
)
def merges_once():
    """Pairs that a merge makes are not merged again."""


@mistake(
    "tokenization.merge_word",
    spec="test_words_without_a_pair_stay",
    says="expected a new one",
    swap=(
        "tokens = list(ids)",
        """if not any(pair in table for pair in pairwise(ids)):
        return ids
    tokens = list(ids)""",
    ),
)
def gives_the_list_back():
    """Without a pair, the caller's own list is returned."""


@mistake(
    "tokenization.BPETokenizer.__init__",
    spec="test_two_merges_may_make_one_token",
    says="260",
    swap=("(rank, ids[a + b])", "(rank, 256 + len(special_tokens) + rank if vocab is None else ids[a + b])"),
)
def numbers_tokens_by_rank():
    """The id of a merge's token is taken to be 256 plus its rank."""


@mistake(
    "tokenization.BPETokenizer.__init__",
    spec="test_a_tokenizer_has_lists_of_its_own",
    says="after the caller's list was cleared",
    swap=("list(vocab)", "vocab"),
)
def keeps_the_callers_list():
    """self.vocab is the list that was given."""


@mistake(
    "tokenization.BPETokenizer.__init__",
    spec="test_special_tokens_are_checked",
    says="nothing was raised",
    swap=[
        (
            "_check_special(special_tokens, ordinary)",
            '_check_special(special_tokens, [token_name(token).encode("utf-8") for token in ordinary])',
        ),
        (
            '[*(name.encode("utf-8") for name in special_tokens), *ordinary]',
            'list(dict.fromkeys([*(name.encode("utf-8") for name in special_tokens), *ordinary]))',
        ),
    ],
)
def checks_names_only():
    """Only names are checked: "Ġ" is refused, but " ", whose UTF-8 is an ordinary token, is not."""


@mistake(
    "tokenization._check_merges",
    spec="test_a_merge_may_need_a_later_one",
    says="needs the token b'lo'",
    swap=[
        ("set(ordinary)", "set(ordinary[:256])"),
        (
            "seen.add(merge)",
            """seen.add(merge)
        known.add(b"".join(merge))""",
        ),
    ],
)
def wants_parts_to_come_first():
    """A part has to be made before it is used."""


@mistake(
    "tokenization.BPETokenizer.encode",
    spec="test_nothing_is_merged_across_words",
    says="expected",
    swap=("split_words(piece)", "[piece]"),
)
def encodes_the_whole_text():
    """The text is one word."""


@mistake(
    "tokenization.BPETokenizer.encode",
    spec="test_special_tokens_in_a_text_are_text",
    says="which was not allowed",
    swap=("self._allowed(allowed_special)", "self.special_tokens"),
)
def allows_all_special_tokens():
    """A user who types <|endoftext|> ends the document."""


@mistake(
    "tokenization.BPETokenizer.encode",
    spec="test_what_is_allowed_is_asked_each_time",
    says="the second time",
    swap=[
        (
            "ids: list[int] = []",
            """if text in self._cache:
        return list(self._cache[text])
    ids: list[int] = []""",
        ),
        (
            "return ids",
            """self._cache[text] = list(ids)
    return ids""",
        ),
    ],
)
def remembers_texts():
    """The ids of a text are cached, without regard to what was allowed."""


@mistake(
    "tokenization.BPETokenizer.encode",
    spec="test_a_text_of_many_words_takes_time_in_proportion",
    says="times as long",
    swap=("ids += self._encoded(word)", "ids = ids + self._encoded(word)"),
)
def copies_the_ids():
    """ids = ids + more copies everything for each word."""


@mistake(
    "tokenization.BPETokenizer.encode",
    spec="test_encode_refuses_what_is_no_text",
    says="U+DE00",
    swap=[
        ("check_text(text)", 'check_text("" if isinstance(text, str) else text)'),
        (
            "for word in split_words(piece):",
            """for word in split_words(piece):
                check_text(word)""",
        ),
    ],
)
def checks_word_by_word():
    """The position of a surrogate is counted in its word."""


@mistake("tokenization.BPETokenizer.decode", spec="test_decode_gives_text", says="expected")
def decodes_token_by_token(self, ids, errors="replace"):
    """Each token is decoded on its own, and a character of two tokens is two replacements."""
    return "".join(self.vocab[i].decode("utf-8", errors) for i in check_ids(ids, self.vocab_size))


@mistake(
    "tokenization.BPETokenizer.decode",
    spec="test_half_a_character_is_replaced",
    says="expected",
    swap=('"utf-8", errors', '"utf-8", "ignore" if errors == "replace" else errors'),
)
def ignores_halves():
    """Bytes that are not UTF-8 are left out silently."""


@mistake(
    "tokenization.BPETokenizer.decode_bytes",
    spec="test_decode_bytes_joins_the_tokens",
    says="nothing was raised",
    swap=("check_ids(ids, self.vocab_size)", "map(int, ids)"),
)
def decodes_bytes_from_the_end():
    """vocab[-1] is the last token."""


@mistake(
    "tokenization.BPETokenizer.train",
    spec="test_training_leaves_special_tokens_out",
    says="expected",
    swap=("count_words(texts, special_tokens)", "count_words(texts)"),
)
def learns_from_special_tokens():
    """Special tokens in the texts are counted as text."""


@mistake(
    "tokenization.BPETokenizer.train",
    spec="test_training_leaves_special_tokens_out",
    says="expected",
    swap=("vocab_size - smallest + 256", "vocab_size"),
)
def forgets_to_count_special_tokens():
    """vocab_size counts bytes and merges only."""


@mistake(
    "tokenization.write_json",
    spec="test_write_json_replaces_the_file_whole",
    says="what was open before",
    swap=('write_atomically(path, text.encode("utf-8"))', 'Path(path).write_bytes(text.encode("utf-8"))'),
)
def writes_into_the_file():
    """A reader at the same time reads half of the file."""


@mistake("tokenization.write_json", spec="test_write_json_leaves_nothing_half_done", says="expected")
def leaves_a_file_behind(path, value):
    """After an error, the temporary file is left."""
    aside = Path(path).with_name("aside.tmp")
    with open(aside, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
    aside.replace(path)


@mistake(
    "tokenization.write_json",
    spec="test_write_json_is_readable",
    says="u00e9",
    swap=("ensure_ascii=False, ", ""),
)
def escapes_characters():
    """json escapes all except ASCII by default."""


@mistake(
    "tokenization.read_json",
    spec="test_read_json_refuses_an_entry_that_is_there_twice",
    says="nothing was raised",
    swap=("object_pairs_hook=_entries, ", ""),
)
def keeps_the_last():
    """Of two entries with one name, the last is kept."""


@mistake(
    "tokenization.read_json",
    spec="test_read_json_names_a_bad_file",
    says="nothing was raised",
    swap=('.decode("utf-8")', ""),
)
def lets_json_guess_the_encoding():
    """Given bytes, json.loads guesses which UTF they are."""


@mistake(
    "tokenization.read_json",
    spec="test_read_json_names_a_bad_file",
    says="nothing was raised",
    swap=(", parse_constant=_no_number", ""),
)
def takes_nan_for_a_number():
    """NaN is not JSON, but Python's json reads it."""


@mistake(
    "tokenization.check_fields",
    spec="test_check_fields_refuses_the_rest",
    says="nothing was raised",
    swap=("not any(type(value) is type(each) and value == each for each in table)", "value not in table"),
)
def takes_zero_for_false():
    """0 == False, and 1 == True == 1.0."""


@mistake(
    "tokenization.check_fields",
    spec="test_check_fields_refuses_the_rest",
    says="nothing was raised",
    swap=("[*table, *value]", "table"),
)
def passes_what_it_does_not_know():
    """Only the entries of the table are checked."""


@mistake(
    "tokenization.check_fields",
    spec="test_check_fields_refuses_the_rest",
    says="nothing was raised",
    swap=("[*table, *value]", "value"),
)
def passes_what_is_absent():
    """An absent entry is fine, whatever the table says."""


@mistake(
    "tokenization.read_vocab",
    spec="test_read_vocab_is_strict",
    says="nothing was raised",
    swap=[
        ("if number in names:", "if False:"),
        ("if number not in names:", "if False:"),
        ("[names[number] for number in range(len(names))]", "sorted(vocab, key=vocab.get)"),
    ],
)
def sorts_by_id():
    """Sorting by id accepts missing ids and ids that occur twice."""


@mistake(
    "tokenization.read_vocab",
    spec="test_read_vocab_is_strict",
    says="nothing was raised",
    swap=("type(number) is not int", "not isinstance(number, int)"),
)
def takes_true_for_an_id():
    """isinstance(True, int) is true: True counts as the id 1."""


@mistake(
    "tokenization.BPETokenizer.save",
    spec="test_a_byte_tokenizer_is_saved",
    says="expected",
    swap=("special.get(i) or token_name(token)", 'token.decode("utf-8", "replace")'),
)
def saves_text():
    """Tokens are decoded to text: all halves of characters become the same."""


@mistake(
    "tokenization.BPETokenizer.load",
    spec="test_a_byte_tokenizer_comes_back",
    says="nothing makes",
    swap=('_read_special(path, file.get("added_tokens"))', "{}"),
)
def loads_no_special_tokens():
    """added_tokens are ignored, and their names go through token_bytes."""


@mistake(
    "tokenization.BPETokenizer.load",
    spec="test_a_vocabulary_comes_back_in_its_own_order",
    says="vocab",
    swap=("special, tokens)", "special)"),
)
def numbers_the_tokens_anew():
    """The ids in the file are ignored, and the tokens numbered again."""


@mistake(
    "tokenization._read_merges",
    spec="test_a_file_of_bytes_is_read_strictly",
    says="nothing was raised",
    swap=('.split(" ")', ".split()"),
)
def splits_at_any_space():
    """str.split without an argument takes several spaces, and tabs, for one."""


@mistake(
    "tokenization._read_special",
    spec="test_a_file_of_bytes_is_read_strictly",
    says="nothing was raised",
    swap=("if type(number) is not int:", "if False:"),
)
def asks_no_type_of_an_id():
    """False == 0, so the id False of the first token equals that in vocab."""


@mistake(
    "tokenization._read_special",
    spec="test_a_file_of_bytes_is_read_strictly",
    says="nothing was raised",
    swap=('if len({token["normalized"] for token in added or []}) > 1:', "if False:"),
)
def mixes_normalized_tokens():
    """Some added tokens are normalized and some are not, and this is not checked."""
