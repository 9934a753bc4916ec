"""Classic mistakes of kata 20: what is shown too early, believed too soon, or told to nobody."""

from dojo.tree.mistakes import mistake

# The track open -----------------------------------------------------------------------------------------


@mistake(
    "capstone.read_task",
    spec="test_a_value_has_its_type",
    says="nothing was raised",
    swap=("type(given[key]) is not kind", "not isinstance(given[key], kind)"),
)
def takes_true_for_a_number():
    """`isinstance` finds that true is a number."""


@mistake(
    "capstone.read_task",
    spec="test_a_value_has_a_meaning",
    says="nothing was raised",
    swap=('if not given["goal"] > 1:', 'if given["goal"] <= 1:'),
)
def nan_is_a_goal():
    """nan is not at most 1, so it passes."""


@mistake(
    "capstone.read_task",
    spec="test_a_file_that_is_no_task_is_named",
    says="TOMLDecodeError",
    swap=("except (OSError, ValueError) as", "except OSError as"),
)
def text_that_is_no_toml():
    """A file that is no TOML ends in the parser's own error."""


@mistake(
    "capstone.load_entry",
    spec="test_an_entry_that_is_none_is_named",
    says="SystemExit",
    swap=("except (Exception, SystemExit) as", "except Exception as"),
)
def an_entry_may_end_the_program():
    """SystemExit is no Exception: an entry ends the whole competition."""


@mistake(
    "capstone.load_entry",
    spec="test_an_entry_is_imported_each_time",
    says="what is new in sys.modules",
    swap=("del sys.modules[spec.name]", "pass"),
)
def keeps_modules():
    """The module stays in sys.modules, where another entry finds it."""


@mistake(
    "capstone.load_entry",
    spec="test_an_entry_may_have_dataclasses",
    says="__dict__",
    swap=[("    sys.modules[spec.name] = module\n", ""), ("del sys.modules[spec.name]", "pass")],
)
def a_module_that_nobody_finds():
    """The module is never in sys.modules."""


@mistake(
    "capstone.load_entry",
    spec="test_an_entry_that_is_none_is_named",
    says="nothing was raised",
    swap=('callable(getattr(module, "load", None))', 'hasattr(module, "load")'),
)
def anything_called_load():
    """What is called load need be no function."""


@mistake(
    "capstone.weigh",
    spec="test_the_weight_is_that_of_arrays_names_and_source",
    says="the weight",
    swap=("array.nbytes", "array.size"),
)
def counts_numbers():
    """The numbers are counted, and not their bytes."""


@mistake(
    "capstone.weigh",
    spec="test_the_weight_is_that_of_arrays_names_and_source",
    says="the weight",
    swap=("len(name.encode())", "len(name)"),
)
def counts_letters():
    """A letter may be two bytes."""


@mistake(
    "capstone.weigh",
    spec="test_the_weight_is_that_of_arrays_names_and_source",
    says="the weight",
    swap=("zlib.compress(path.read_bytes(), 9)", "zlib.compress(path.read_bytes())"),
)
def compresses_in_a_hurry():
    """zlib's own level is 6: most sources weigh the same, some more."""


@mistake(
    "capstone.weigh",
    spec="test_numbers_in_the_source_weigh_too",
    says="500 numbers of 9 digits",
    swap=("return len(source) + sum(", "return sum("),
)
def the_source_is_free():
    """Numbers that stand in the source weigh nothing."""


@mistake(
    "capstone.weigh",
    spec="test_only_arrays_of_numbers_are_weights",
    says="nothing was raised",
    swap=("type(array) is not np.ndarray", "not isinstance(array, np.ndarray)"),
)
def takes_subclasses():
    """A subclass of an array can hold anything besides."""


@mistake(
    "capstone.weigh",
    spec="test_only_arrays_of_numbers_are_weights",
    says="nothing was raised",
    swap=(' or array.dtype.kind not in "biufc"', ""),
)
def takes_objects():
    """An array of objects is an array."""


@mistake(
    "capstone.fresh_calls",
    spec="test_questions_do_not_come_again",
    says="how many different seeds",
    swap=("secrets.randbits(32)", "int(np.random.randint(2**31))"),
)
def foretold_seeds():
    """np.random.seed foretells every question."""


@mistake(
    "capstone.fresh_calls",
    spec="test_only_the_answer_is_timed",
    says="the seconds of the calls",
    swap=[
        ("draw(seed), outputs), 1", "draw, seed, outputs), 1"),
        (
            "        outputs: list",
            "        def _ask(answer, draw, seed, outputs):\n"
            "            outputs.append(np.array(answer(*draw(seed))))\n        outputs: list",
        ),
    ],
)
def times_the_drawing():
    """The question is made while the clock runs."""


@mistake(
    "capstone.fresh_calls",
    spec="test_a_lazy_answer_is_computed_while_the_clock_runs",
    says="the seconds of the call",
    swap=[
        (
            "        outputs: list",
            "        _ask = lambda answer, question, outputs: outputs.append(answer(*question))\n        outputs: list",
        ),
        ("        if outputs[0]", "        outputs[0] = np.array(outputs[0])\n        if outputs[0]"),
    ],
)
def looks_later():
    """The answer is made an array when the clock has stopped."""


@mistake(
    "capstone.fresh_calls",
    spec="test_what_happens_to_an_answer_later_is_not_seen",
    says="the output of a call",
    swap=(
        "        outputs: list",
        "        def _ask(answer, question, outputs):\n"
        "            outputs.append(np.asarray(answer(*question)))\n        outputs: list",
    ),
)
def keeps_the_entry_s_own_array():
    """The entry may still write into its answer."""


@mistake(
    "capstone.fresh_calls",
    spec="test_a_clock_that_is_changed_later_does_not_count",
    says="after time.process_time was replaced",
    swap=(", 1, clock)", ", 1, time.process_time)"),
)
def asks_for_the_clock_each_time():
    """Whoever replaces time.process_time makes the time."""


@mistake(
    "capstone.run_trial",
    spec="test_one_more_call_than_counts",
    says="the number of calls",
    swap=("task.warmup + task.calls + 1", "task.warmup + task.calls"),
)
def no_call_after_the_last():
    """The last call that counts is the last of all."""


@mistake(
    "capstone.run_trial",
    spec="test_importing_and_loading_are_the_start",
    says="the start",
    swap=(
        "    began = clock()\n    answer = load_entry(path).load(",
        "    entry = load_entry(path)\n    began = clock()\n    answer = entry.load(",
    ),
)
def importing_is_free():
    """The clock starts after the import."""


@mistake(
    "capstone.run_trial",
    spec="test_a_trial_without_end_is_ended",
    says="limit",
    swap=("    end_after(task.limit)\n", ""),
)
def waits_for_ever():
    """Nothing ends an entry that never answers."""


@mistake(
    "capstone.run_trial",
    spec="test_the_task_s_tables_stay_as_they_are",
    says="the gain, and the number of weights",
    swap=("dict(task.model)", "task.model"),
)
def hands_out_the_task():
    """An entry can change the task."""


@mistake(
    "capstone.check_trial",
    spec="test_a_trial_that_took_longer_than_it_says_is_refused",
    says="nothing was raised",
    swap=("if not said >= (counted - SLACK) / 2:", "if said < (counted - SLACK) / 2:"),
)
def nan_is_believed():
    """nan is not less than anything."""


@mistake(
    "capstone.check_trial",
    spec="test_a_call_that_took_no_time_is_refused",
    says="nothing was raised",
    swap=("if not fastest > 0:", "if fastest < 0:"),
)
def no_time_at_all():
    """A clock that stands still says 0 s, which nothing can be compared with."""


@mistake(
    "capstone.check_trial",
    spec="test_an_honest_trial_is_believed",
    says="the system counted",
    swap=("(counted - SLACK) / 2", "counted"),
)
def no_slack():
    """Drawing questions is taken for cheating."""


@mistake(
    "capstone.compete",
    spec="test_a_round_is_judged_by_all_of_its_calls",
    says="how many calls the judge got",
    swap=("judge(trial.calls)", "judge(trial.calls[: task.warmup])"),
)
def judges_the_warm_up():
    """Only the warm-up is looked at."""


@mistake(
    "capstone.compete",
    spec="test_the_order_alternates",
    says="who loaded, in order",
    swap=("results if turn % 2 == 0 else results[::-1]", "results"),
)
def always_the_same_order():
    """The last one is always measured on a machine that is warm."""


@mistake(
    "capstone.compete",
    spec="test_the_seconds_of_a_round",
    says="the seconds of a round",
    swap=("sum(seconds[task.warmup :])", "sum(seconds)"),
)
def the_warm_up_counts():
    """The first, slow call counts whatever the task says."""


@mistake(
    "capstone.compete",
    spec="test_the_seconds_of_a_round",
    says="the seconds of a round",
    swap=(
        "trial.start + sum(seconds) if task.count_start else sum(seconds[task.warmup :])",
        "sum(seconds[task.warmup :])",
    ),
)
def the_start_is_free():
    """count_start changes nothing."""


@mistake(
    "capstone.compete",
    spec="test_the_seconds_of_a_round",
    says="the seconds of a round",
    swap=("trial.start + sum(seconds) if", "trial.start + sum(seconds[task.warmup :]) if"),
)
def the_warm_up_is_free():
    """count_start adds the start alone."""


@mistake(
    "capstone.compete",
    spec="test_the_seconds_of_a_round",
    says="the seconds of a round",
    swap=("total / task.calls", "total / len(seconds)"),
)
def shared_among_the_warm_up_too():
    """The seconds are divided by the number of all calls, the warm-up included."""


@mistake(
    "capstone.compete",
    spec="test_the_seconds_of_a_round",
    says="the seconds of a round",
    swap=[
        ("for call in trial.calls[:-1]]", "for call in trial.calls]"),
        ("sum(seconds[task.warmup :])", "sum(seconds[task.warmup : -1])"),
    ],
)
def the_last_call_belongs_to_the_start():
    """With count_start the call after the last one counts too."""


@mistake(
    "capstone.compete",
    spec="test_the_seconds_of_a_round",
    says="the system counted",
    swap=[
        ("                before = seconds_of_children()\n", ""),
        ("    for turn in range", "    before = seconds_of_children()\n    for turn in range"),
    ],
)
def counts_from_the_beginning():
    """What the system has counted in earlier rounds is held against the entry of this one."""


@mistake(
    "capstone.compete",
    spec="test_work_in_other_processes_is_counted",
    says="rejected: ''",
    swap=("                check_trial(trial, seconds_of_children() - before)\n", ""),
)
def believes_every_clock():
    """What the entry's own process says is believed."""


@mistake(
    "capstone.compete",
    spec="test_an_entry_may_weigh_max_bytes",
    says="rejected: ''",
    swap=("result.nbytes > task.max_bytes", "False"),
)
def no_limit_of_weight():
    """An entry may weigh what it likes."""


@mistake(
    "capstone.compete",
    spec="test_an_entry_may_weigh_max_bytes",
    says="why the entry is rejected",
    swap=("result.nbytes > task.max_bytes", "result.nbytes >= task.max_bytes"),
)
def the_most_is_too_much():
    """An entry that weighs exactly max_bytes is rejected."""


@mistake(
    "capstone.rank",
    spec="test_the_median_decides",
    says="the first",
    swap=("float(np.median(result.seconds))", "float(np.mean(result.seconds))"),
)
def the_mean_decides():
    """One disturbed round costs a place."""


@mistake(
    "capstone.rank",
    spec="test_those_who_cannot_be_told_apart_share_a_place",
    says="the places",
    swap=('found.verdict != "no difference"', "True"),
)
def always_a_place_of_its_own():
    """A difference that may be none decides."""


@mistake(
    "capstone.rank",
    spec="test_a_place_is_shared_with_its_best",
    says="the places",
    swap=[
        ("leader is None or better(leader, result)[3]", "leader is None or better(before, result)[3]"),
        ("        value = task.work", "        before = result\n        value = task.work"),
    ],
)
def shares_with_its_neighbour():
    """An entry is compared with the one before it: so a whole chain shares the first place."""


@mistake(
    "capstone.rank",
    spec="test_every_row_is_compared_with_the_first_entry",
    says="of the medians it is 8",
    swap=("return found.ratio,", "return cost(b) / cost(a),"),
)
def the_ratio_of_the_medians():
    """`times` is the ratio of two medians, of rounds that may have been disturbed differently."""


@mistake(
    "capstone.rank",
    spec="test_a_rate_is_work_for_each_second",
    says="the values",
    swap=("task.work / cost(result)", "1 / cost(result)"),
)
def forgets_the_work():
    """The rate is that of calls."""


@mistake(
    "capstone.rank",
    spec="test_every_row_is_compared_with_the_first_entry",
    says="how many times better",
    swap=("*better(result, fine[0])[:3]", "*better(result, leader)[:3]"),
)
def compares_with_the_leader():
    """`times` says how much worse an entry is than the best."""


@mistake(
    "capstone.rank",
    spec="test_nobody_is_left",
    says="IndexError",
    swap=(
        "fine = [each for each in results if not each.rejected]",
        "fine = [each for each in results if not each.rejected]\n    first = fine[0]",
    ),
)
def needs_somebody():
    """Without an entry that is left there is an IndexError."""


# The track serve ----------------------------------------------------------------------------------------

# serve: text


@mistake(
    "capstone.held_back",
    spec="test_an_end_that_begins_a_stop_string_is_held_back",
    says="what is held back of",
    swap=("text.endswith(each[:n])", "text.endswith(each[:1])"),
)
def holds_back_by_the_first_letter():
    """Only the first letter of a stop string is compared."""


@mistake(
    "capstone.held_back",
    spec="test_a_whole_stop_string_is_no_beginning",
    says="what is held back of 'ab'",
    swap=("range(len(each))", "range(len(each) + 1)"),
)
def holds_back_a_whole_stop_string():
    """A stop string counts as its own beginning."""


@mistake(
    "capstone.held_back", spec="test_the_longest_beginning_is_held_back", says="what is held back of 'xaaa'"
)
def holds_back_the_first_that_fits(text, stop):
    """The first beginning that fits is taken, not the longest."""
    for each in stop:
        for n in range(1, len(each)):
            if text.endswith(each[:n]):
                return n
    return 0


@mistake(
    "capstone.TextStream.push",
    spec="test_a_character_waits_for_its_last_byte",
    says="what push and flush gave",
    swap=(
        "self.decoder.decode(bytes_of(self.tokenizer, token))",
        'bytes_of(self.tokenizer, token).decode("utf-8", "replace")',
    ),
)
def decodes_each_token_alone():
    """Each token is decoded by itself, so that a cut character becomes marks."""


@mistake(
    "capstone.TextStream.push",
    spec="test_what_may_be_a_stop_string_waits",
    says="what push and flush gave",
    swap=("(0 if self.stopped else held_back(self.held, self.stop))", "0"),
)
def shows_the_beginning_of_a_stop_string():
    """Nothing is held back."""


@mistake(
    "capstone.TextStream.push",
    spec="test_the_stop_string_is_left_out",
    says="what push and flush gave",
    swap=("(0 if self.stopped else held_back(self.held, self.stop))", "held_back(self.held, self.stop)"),
)
def waits_after_the_end():
    """What begins another stop string is held back though the text has ended."""


@mistake(
    "capstone.TextStream.flush",
    spec="test_flush_gives_what_was_held_back",
    says="what flush gave",
    swap=('text, self.held = self.held, ""', 'text, self.held = "", ""'),
)
def throws_away_what_was_held():
    """At the end of the text what waits is lost."""


@mistake(
    "capstone.TextStream.flush",
    spec="test_bytes_that_are_no_character_become_a_mark",
    says="what push and flush gave",
    swap=('self._read(self.decoder.decode(b"", True))', "pass"),
)
def forgets_the_bytes_of_a_cut_character():
    """The bytes that wait in the decoder are lost."""


# serve: bundle


@mistake(
    "capstone.check_files",
    spec="test_no_path_leads_out_of_the_folder",
    says="expected",
    swap=("(folder / name).resolve().parent != folder.resolve()", '".." in name'),
)
def looks_for_dots_only():
    """A symbolic link leads out of the folder."""


@mistake(
    "capstone.check_files",
    spec="test_no_path_leads_out_of_the_folder",
    says="nothing was raised",
    swap=(
        "(folder / name).resolve().parent != folder.resolve()",
        "not str((folder / name).resolve()).startswith(str(folder.resolve()))",
    ),
)
def compares_paths_as_texts():
    """The path of a folder beside it may begin with the same letters."""


@mistake(
    "capstone.check_files",
    spec="test_what_lies_outside_is_not_read",
    says="was opened",
    swap=[
        (
            """        if (folder / name).resolve().parent != folder.resolve():
            raise BundleError(f"{folder / name} is a link that leads out of the folder")
""",
            "",
        ),
        (
            'checksum is not that in the manifest")\n',
            """checksum is not that in the manifest")
        if (folder / name).resolve().parent != folder.resolve():
            raise BundleError(f"{folder / name} is a link that leads out of the folder")
""",
        ),
    ],
)
def follows_a_link_and_then_refuses_it():
    """The checksum is computed first, of any file that this process may read."""


@mistake(
    "capstone.check_files",
    spec="test_the_manifest_lists_the_four_files",
    says="nothing was raised",
    swap=("files.keys() != set(FILES)", "not files.keys() <= set(FILES)"),
)
def believes_a_short_list():
    """A file that the manifest does not list is never checked."""


@mistake(
    "capstone.check_files",
    spec="test_another_version_is_refused",
    says="nothing was raised",
    swap=("type(version) is not int or version != VERSION", "version == VERSION + 1"),
)
def knows_only_the_next_version():
    """Other versions are read as if they were this one."""


@mistake(
    "capstone.check_files",
    spec="test_a_flipped_bit_is_found",
    says="nothing was raised",
    swap=("_digest(folder / name) != expected", "not expected"),
)
def checks_no_checksum():
    """The files are there, and that is enough."""


@mistake(
    "capstone.load_bundle",
    spec="test_a_damaged_bundle_is_not_loaded",
    says="nothing was raised",
    swap=("check_files(folder)", "pass"),
)
def loads_without_looking():
    """The files are not checked."""


@mistake(
    "capstone.load_bundle",
    spec="test_the_tokenizer_has_to_fit_the_model",
    says="nothing was raised",
    swap=("tokenizer.vocab_size != config.vocab_size", "tokenizer.vocab_size > config.vocab_size"),
)
def takes_a_tokenizer_that_is_too_small():
    """The model may draw an id that the tokenizer does not know."""


@mistake(
    "capstone.load_bundle",
    spec="test_a_loaded_model_is_in_eval_mode",
    says="training of the model",
    swap=("model.eval()", "pass"),
)
def answers_with_dropout():
    """The model stays in training mode."""


@mistake(
    "capstone.load_bundle",
    spec="test_weights_that_do_not_fit_are_refused",
    says="KeyError",
    swap=("except (KeyError, ValueError)", "except ValueError"),
)
def lets_a_key_error_through():
    """A missing tensor is a bare KeyError."""


@mistake(
    "capstone.save_bundle",
    spec="test_a_bundle_appears_whole",
    says="whether the folder was there",
    swap=[("new = Path(beside) / folder.name", "new = folder"), ("os.rename(new, folder)", "pass")],
)
def writes_where_others_look():
    """The files are written into the folder itself, one after the other."""


@mistake(
    "capstone.save_bundle",
    spec="test_a_bundle_is_never_changed",
    says="FileExistsError",
    swap=("os.path.lexists(folder)", "folder.exists()"),
)
def does_not_see_a_link():
    """A link that leads nowhere does not exist, says exists: then the rename fails."""


@mistake(
    "capstone.save_bundle",
    spec="test_a_bundle_appears_whole",
    says="whether the files were written into a folder beside it",
    swap=("dir=folder.parent, ", ""),
)
def writes_to_another_disk():
    """The files are written where temporary files are, perhaps on another disk: no rename brings them here."""


@mistake(
    "capstone.save_bundle",
    spec="test_what_nobody_could_load_is_not_saved",
    says="nothing was raised",
    swap=("load_bundle(new)", "pass"),
)
def saves_what_nobody_can_load():
    """Whether it fits together shows when it is loaded."""


@mistake(
    "capstone.save_bundle",
    spec="test_a_bundle_may_be_quantized",
    says="the logits of the quantized model",
    swap=("quantize_dynamic(bundle.model, bits, group_size)", "quantize_dynamic(bundle.model)"),
)
def quantizes_to_8_bits_always():
    """bits and group_size are ignored."""


# serve: chat


@mistake(
    "capstone.message_text",
    spec="test_text_parts_are_joined",
    says="the text of two parts",
    swap=('"".join(', '" ".join('),
)
def puts_spaces_between_parts():
    """Parts are joined with a space."""


@mistake(
    "capstone.message_text",
    spec="test_what_is_no_text_is_refused",
    says="nothing was raised",
    swap=('or part.get("type") != "text"', 'or "text" not in part'),
)
def takes_any_part_with_a_text():
    """The type of a part is not looked at."""


@mistake(
    "capstone.render_chat",
    spec="test_a_message_asks_for_an_answer",
    says="the text",
    swap=('return text + "Assistant:\\n"', "return text"),
)
def asks_for_no_answer():
    """The text ends after the last message, and the model goes on with anything."""


# serve: shapes


@mistake(
    "capstone.completion",
    spec="test_further_entries_are_added",
    says="usage=None",
    swap=("**more}", "**{name: each for name, each in more.items() if each}}"),
)
def leaves_out_what_is_null():
    """An entry that is None is left out."""


@mistake(
    "capstone.chat_completion",
    spec="test_a_chat_has_messages",
    says="the answer",
    swap=('"chat.completion"', '"chat.completion.chunk"'),
)
def calls_an_answer_a_chunk():
    """The object is that of a chunk."""


@mistake(
    "capstone.chat_chunk",
    spec="test_the_first_delta_says_who_speaks",
    says="the deltas",
    swap=('({"role": "assistant"} if each.first else {})', '{"role": "assistant"}'),
)
def says_in_each_delta_who_speaks():
    """Each delta has the role."""


@mistake(
    "capstone.completion_logprobs",
    spec="test_parts_of_a_character_have_names_of_their_own",
    says="top_logprobs",
    swap=(
        "{token_text(bytes_of(tokenizer, token)): logprob for",
        '{bytes_of(tokenizer, token).decode("utf-8", "replace"): logprob for',
    ),
)
def names_cut_characters_alike():
    """Two cut characters are the same mark, and one entry."""


@mistake(
    "capstone.completion_logprobs",
    spec="test_the_first_token_of_a_prompt_has_no_logprob",
    says="top_logprobs",
    swap=("if each.logprob is None", "if each.logprob == 0"),
)
def gives_a_dict_for_a_token_without_logprob():
    """The first token of a prompt gets a dict with None in it."""


@mistake(
    "capstone.chat_logprobs",
    spec="test_characters_have_logprobs_too",
    says="token and bytes",
    swap=("list(raw)", "list(map(ord, token_text(raw)))"),
)
def takes_code_points_for_bytes():
    """bytes lists code points, not bytes."""


# serve: how likely


@mistake(
    "capstone.score_tokens",
    spec="test_large_logits_do_not_overflow",
    says="Warning",
    swap=("shifted = logits - logits.max(-1, keepdims=True)", "shifted = logits"),
)
def overflows():
    """exp of 1000 is infinite."""


@mistake(
    "capstone.score_tokens",
    spec="test_large_logits_do_not_overflow",
    says="finite",
    swap=("logits.max(-1, keepdims=True)", "logits.max()"),
)
def one_maximum_for_all_rows():
    """Where a row is far below the largest logit of all rows, every exp is 0."""


@mistake(
    "capstone.score_tokens",
    spec="test_the_likeliest_tokens_of_many",
    says="the likeliest tokens",
    swap=("top - 1)[:, :top]", "0)[:, :top]"),
)
def knows_only_the_first():
    """argpartition puts only the likeliest token in its place; which ones come next is chance."""


@mistake(
    "capstone.score_tokens",
    spec="test_the_likeliest_tokens_come_first",
    says="the likeliest tokens",
    swap=("xp.argsort(-scores[rows, likely])", "xp.argsort(likely)"),
)
def lists_the_likeliest_by_id():
    """The likeliest tokens stand in the order of their ids."""


@mistake(
    "capstone.score_tokens",
    spec="test_scores_are_those_of_the_definition",
    says="logprob of",
    swap=("xp.exp(shifted).sum(-1, keepdims=True)", "xp.exp(shifted).sum()"),
)
def sums_over_all_rows():
    """The probabilities of all rows together add up to 1."""


# serve: engine


@mistake(
    "capstone.Engine.submit",
    spec="test_what_cannot_be_written_is_refused_at_once",
    says="nothing was raised",
    swap=("check_request(request, self.batch.model.config.vocab_size)", "pass"),
)
def takes_anything():
    """A request that cannot be written is found in the engine's thread, where it ends the work of all."""


@mistake(
    "capstone.Engine.submit",
    spec="test_a_full_line_is_refused",
    says="expected QueueFull",
    swap=("len(self.line) >= self.queue_size", "len(self.line) > self.queue_size"),
)
def lets_one_too_many_wait():
    """One more job than queue_size may wait."""


@mistake(
    "capstone.Engine.submit",
    spec="test_an_engine_that_has_ended_takes_no_job",
    says="nothing was raised",
    swap=("self.check_open()", "pass"),
)
def takes_jobs_when_it_has_ended():
    """A job of a stopped engine waits for ever."""


@mistake(
    "capstone.Engine.submit",
    spec="test_what_is_submitted_is_written",
    says="have ended after",
    swap=("self.changed.notify()", "pass"),
)
def wakes_nobody():
    """A sleeping engine does not hear of the job."""


@mistake(
    "capstone.Engine.cancel",
    spec="test_cancel_only_sets_flags",
    says="the flags after cancel(job, 1)",
    swap=("range(len(job.requests)) if index is None else [index]", "range(len(job.requests))"),
)
def cancels_all_choices():
    """The other choices of the job are cancelled too."""


@mistake(
    "capstone.Engine.cancel",
    spec="test_cancel_does_not_wait",
    says="cancel waits",
    swap=("    job.cancelled.update(", "    with self.changed:\n        job.cancelled.update("),
)
def cancels_inside_the_lock():
    """cancel waits for the lock, and with it the event loop that calls it."""


@mistake(
    "capstone.Engine.drop",
    spec="test_a_cancelled_choice_ends",
    says="the requests in the batch",
    swap=("self.batch.release(request)", "pass"),
)
def keeps_the_row():
    """The row of a cancelled choice is not released."""


@mistake(
    "capstone.Engine.drop",
    spec="test_cancelled_counts_more_than_late",
    says="what is told",
    swap=('"cancelled" if index in job.cancelled else "timeout"', '"timeout" if late else "cancelled"'),
)
def calls_a_cancelled_choice_late():
    """A choice that is both ends with "timeout"."""


@mistake(
    "capstone.Engine.drop",
    spec="test_a_late_choice_ends",
    says="what is told at its time",
    swap=("now >= job.deadline", "now > job.deadline"),
)
def is_late_one_moment_later():
    """The deadline itself is still in time."""


@mistake(
    "capstone.Engine.step",
    spec="test_what_was_dropped_is_told_though_the_batch_breaks",
    says="what was delivered",
    swap=("    finally:\n", "    except ZeroDivisionError:\n        raise\n    else:\n"),
)
def a_broken_step_tells_nobody():
    """What was dropped in a step that fails is lost."""


@mistake(
    "capstone.check_files",
    spec="test_another_version_is_refused",
    says="nothing was raised",
    swap=("type(version) is not int or version != VERSION", "version != VERSION"),
)
def true_is_version_1():
    """true == 1, so it passes."""


@mistake(
    "capstone.save_bundle",
    spec="test_others_can_read_a_bundle",
    says="permissions",
    swap=("        new.mkdir()\n", "        new.mkdir(0o700)\n"),
)
def for_its_owner_alone():
    """The folder is closed to everybody else, as one of mkdtemp."""


@mistake(
    "capstone.Engine.admit",
    spec="test_half_of_the_rows_are_for_others",
    says="each of three jobs has",
    swap=("len(self.line) == 1 or used[each] < half", "True"),
)
def lets_one_job_have_all():
    """The first job takes all rows while others wait."""


@mistake(
    "capstone.Engine.admit",
    spec="test_one_job_may_have_all_rows_if_nobody_else_waits",
    says="how many rows the job has",
    swap=[
        (
            "while self.batch.free and self.line:",
            "while self.batch.free and self.line and self.active < half:",
        ),
    ],
)
def keeps_rows_for_nobody():
    """Half of the rows stay empty, though nobody waits for them."""


@mistake(
    "capstone.Engine.admit",
    spec="test_first_come_is_first_served",
    says="how many rows each job has",
    swap=("for each in self.line if", "for each in reversed(self.line) if"),
)
def serves_the_last_first():
    """Who came last is served first."""


@mistake(
    "capstone.Engine.admit",
    spec="test_the_lock_is_free_while_the_model_works",
    says="submit waits",
    swap=(
        """        self.rows[job.requests[index]] = job, index
        self.batch.add(job.requests[index])""",
        """        with self.changed:
            self.rows[job.requests[index]] = job, index
            self.batch.add(job.requests[index])""",
    ),
)
def reads_the_prompt_inside_the_lock():
    """The lock is held while the model reads a prompt."""


@mistake(
    "capstone.Engine.step",
    spec="test_all_events_of_a_step_are_delivered_together",
    says="how often deliver was called",
    swap=(
        """        if events:
            self.deliver(events)""",
        """        for each in events:
            self.deliver([each])""",
    ),
)
def delivers_each_event():
    """deliver is called once for each event."""


@mistake(
    "capstone.Engine.step",
    spec="test_the_last_event_says_why",
    says="entries of `rows`",
    swap=("if each.finish_reason:", "if each.finish_reason == 'length':"),
)
def remembers_who_has_left():
    """A request that ended with a stop token stays in `rows`."""


@mistake(
    "capstone.Engine.step",
    spec="test_logprobs_are_told_where_they_are_asked_for",
    says="the likeliest tokens of a job with logprobs=0",
    swap=("top[: job.logprobs]", "top"),
)
def gives_all_the_same_number():
    """Each job gets as many likeliest tokens as the one that wants most."""


@mistake(
    "capstone.Engine.step",
    spec="test_all_rows_are_scored_at_once",
    says="was called 2 times",
    swap=(
        """            found = score_tokens(logits, [each.written[-1] for each in asked], max(asked.values()))
            scores = dict(zip(asked, found, strict=True))
""",
        """            for row, (each, most) in enumerate(asked.items()):
                [scores[each]] = score_tokens(logits[row : row + 1], [each.written[-1]], most)
""",
    ),
)
def scores_row_by_row():
    """score_tokens is called for each row."""


@mistake(
    "capstone.Engine.step",
    spec="test_all_rows_are_scored_at_once",
    says="4 rows were scored",
    swap=("(n := self.rows[each][0].logprobs) is not None", "(n := self.rows[each][0].logprobs or 0) >= 0"),
)
def scores_for_those_who_did_not_ask():
    """Every row is scored."""


@mistake(
    "capstone.Engine.step",
    spec="test_the_row_of_a_cancelled_choice_is_free_at_once",
    says="the events are",
    swap=[
        ("events = self.drop()", "events = []"),
        ("if events:", "events += self.drop()\n        if events:"),
    ],
)
def drops_after_writing():
    """A cancelled choice gets one more token, and the next one waits for one more step."""


@mistake(
    "capstone.Engine.run",
    spec="test_an_idle_engine_sleeps",
    says="how often run has waited",
    swap=(
        """                while not (self.busy or self.stopping):
                    self.changed.wait()
                if not self.busy:""",
        """                if self.stopping and not self.busy:""",
    ),
)
def spins():
    """run looks again and again whether there is something to do."""


@mistake(
    "capstone.Engine.run",
    spec="test_an_idle_engine_sleeps",
    says="how often run has waited",
    swap=("self.changed.wait()", "self.changed.wait(0.02)"),
)
def looks_every_moment():
    """run looks fifty times a second whether there is something to do."""


@mistake(
    "capstone.Engine.run",
    spec="test_what_was_taken_is_finished",
    says="is",
    swap=("if not self.busy:", "if self.stopping:"),
)
def leaves_at_once():
    """When it is stopped, run returns with texts half written."""


@mistake(
    "capstone.Engine.run",
    spec="test_a_dead_engine_tells_everybody",
    says="failure is None",
    swap=("self.fail(error)", "pass"),
)
def dies_in_silence():
    """Nobody is told that the engine has failed."""


@mistake(
    "capstone.Engine.run",
    spec="test_a_dead_engine_tells_everybody",
    says="run raised None",
    swap=(
        """        self.fail(error)
        raise""",
        """        self.fail(error)""",
    ),
)
def swallows_its_error():
    """run returns as if it had been stopped."""


# The real server: specs 28 and 29


@mistake(
    "capstone.Engine.step",
    spec="test_an_answer_over_http_is_what_the_model_writes",
    says="the text",
    swap=("Event(job, index, each.written[-1]", "Event(job, index, each.written[0]"),
)
def tells_the_first_token_again():
    """Every event has the first token that was written."""


@mistake(
    "capstone.completion",
    spec="test_usage_counts_the_tokens",
    says="KeyError: 'usage'",
    swap=('"text_completion", "choices": found, **more}', '"text_completion", "choices": found}'),
)
def leaves_out_what_is_more():
    """The usage is not in the answer."""


@mistake(
    "capstone.Engine.drop",
    spec="test_a_client_that_leaves_frees_its_row",
    says="KeyError",
    swap=("            self.batch.release(request)\n", ""),
)
def forgets_a_row_that_is_still_written():
    """A cancelled choice is forgotten, but its row goes on."""


@mistake(
    "capstone.Engine.run",
    spec="test_the_end_is_orderly",
    says="the exit status",
    swap=("while not (self.busy or self.stopping)", "while not self.busy"),
)
def sleeps_for_ever():
    """The thread does not notice that it was told to stop."""


# The track cifar ---------------------------------------------------------------------------------------


@mistake(
    "capstone.shares",
    spec="test_every_second_sample",
    says="the y of process 0",
    swap=(
        "yield x[rank::world_size], y[rank::world_size]",
        "yield x[: len(y) // world_size], y[: len(y) // world_size]",
    ),
)
def the_first_half_for_everybody():
    """Each process takes the first half of the batch."""


@mistake(
    "capstone.shares",
    spec="test_every_second_sample",
    says="the y of process",
    swap=("y[rank::world_size]", "y[:: world_size]"),
)
def labels_of_another_process():
    """Every process has the labels of process 0."""


@mistake(
    "capstone.shares",
    spec="test_a_batch_that_cannot_be_shared",
    says="ValueError",
    swap=("if len(y) % world_size:", "if len(y) < world_size:"),
)
def shares_that_are_not_equal():
    """One process has a sample more than the other, and the mean of both is not that of the batch."""


@mistake(
    "capstone.shares",
    spec="test_one_batch_at_a_time",
    says="shares",
    swap=(
        """    for x, y in batches:
""",
        """    everything = []
    for each in batches:
        everything.append(each)
        if len(everything) == 1000:
            raise MemoryError("shares has asked for 1000 batches")
    for x, y in everything:
""",
    ),
)
def asks_for_all_batches_first():
    """All batches are in memory before the first share is given."""


@mistake(
    "capstone.average_buffers",
    spec="test_statistics_become_their_mean",
    says="running_mean of 0",
    swap=("each.data /= group.world_size", "pass"),
)
def the_sum_for_the_mean():
    """The sum over the processes: the running variance is twice as large."""


@mistake(
    "capstone.average_buffers",
    spec="test_three_processes_have_a_mean_too",
    says="running_mean of process 2",
    swap=("each.data /= group.world_size", "each.data /= 2"),
)
def always_two_processes():
    """The sum is divided by 2, whatever the number of processes."""


@mistake(
    "capstone.average_buffers",
    spec="test_counts_and_parameters_stay",
    says="the weight of 0",
    swap=("model.buffers()", "model.state_dict().values()"),
)
def averages_the_parameters_too():
    """Parameters are averaged as well: where they differ, something is wrong that this hides."""


@mistake(
    "capstone.train_share",
    spec="test_two_learn_as_one",
    says="first.weight",
    swap=("trainer.group = group", "pass"),
)
def a_run_of_its_own():
    """The trainer is not told of the group: no gradient is averaged, and each process learns from its share alone."""


@mistake(
    "capstone.train_share",
    spec="test_each_process_has_a_share",
    says="the samples that each process trained on",
    swap=("shares(batches, group.rank, group.world_size)", "batches"),
)
def the_whole_batch_in_each_process():
    """Each process trains on everything: right, and twice the work."""


@mistake(
    "capstone.train_share",
    spec="test_statistics_are_those_of_all",
    says="the running mean",
    swap=(
        """    average_buffers(trainer.model, group)
""",
        "",
    ),
)
def statistics_of_rank_0():
    """Batch norm's statistics are those of the samples that rank 0 has seen."""


@mistake(
    "capstone.train_share",
    spec="test_cpu_seconds_of_the_slowest",
    says="train_cpu_seconds is",
    swap=("time.process_time() - began}", "0.0 * began}"),
)
def needs_no_time():
    """The CPU seconds are 0."""


@mistake(
    "capstone.ParallelTrainer.train_step",
    spec="test_the_whole_gradient_is_clipped",
    says="first.weight",
    swap=[
        (
            """    if self.group is not None:
        average_gradients(self.model.parameters(), self.group)
""",
            "",
        ),
        (
            "    self.optimizer.step()\n",
            """    if self.group is not None:
        average_gradients(self.model.parameters(), self.group)
    self.optimizer.step()
""",
        ),
    ],
)
def clips_before_it_averages():
    """Each process clips the gradient of its own share."""


@mistake(
    "capstone.ParallelTrainer.train_step",
    spec="test_a_step_without_a_group",
    says="None",
    swap=("if self.group is not None:", "if True:"),
)
def needs_a_group():
    """Outside of a fork there is no group, and the step fails."""


@mistake(
    "capstone.ParallelTrainer.train_step",
    spec="test_two_learn_as_one",
    says="first.weight",
    swap=("self.scheduler.step()", "pass"),
)
def forgets_the_schedule():
    """The learning rate stays what it was."""


@mistake(
    "capstone.ParallelTrainer.train_step",
    spec="test_a_step_without_a_group",
    says="after three steps",
    swap=(' and self.scheduler_interval == "step"', ""),
)
def a_schedule_of_steps_always():
    """A schedule that counts epochs goes on at each step."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_nobody_waits_for_ever",
    says="nothing was raised",
    swap=("timeout=self.timeout, ", ""),
)
def waits_a_minute():
    """spawn is not told how long a process may wait."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_a_further_epoch",
    says="first.weight",
    swap=("self.load_state_dict(results[0][1])", 'self.model.load_state_dict(results[0][1]["model"])'),
)
def brings_only_the_weights():
    """Momentum, schedule and generators of the fork are lost."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_the_history_is_of_the_whole_batches",
    says="train_loss",
    swap=("fmean(each[name] for each in numbers)", "numbers[0][name]"),
)
def the_loss_of_rank_0():
    """The history has the loss of rank 0's share."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_cpu_seconds_of_the_slowest",
    says="train_cpu_seconds is",
    swap=(' | {"cpu_seconds": max(each["cpu_seconds"] for each in numbers)}', ""),
)
def the_mean_of_the_seconds():
    """The CPU seconds are the mean over the processes, though all wait for the slowest."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_a_model_may_be_large",
    says="does not fit",
    swap=(", buffer_bytes=room", ""),
)
def a_row_of_any_size():
    """The gradients of a large model do not fit into the rows."""


@mistake(
    "capstone.ParallelTrainer.train_epoch",
    spec="test_each_process_has_a_share",
    says="the samples that each process trained on",
    swap=("self.world_size, self,", "2, self,"),
)
def two_whatever_was_said():
    """There are two processes, also where three were asked for."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_the_second_step_moves_them",
    says="the weight after two steps",
    swap=("decay = min(self.decay, (1 + self.steps) / (10 + self.steps))", "decay = self.decay"),
)
def remembers_the_beginning_for_long():
    """The decay is large from the first step on: the weights of the beginning count for hundreds of steps."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_the_decay_by_hand",
    says="the weight after 30 steps",
    swap=("min(self.decay,", "max(self.decay,"),
)
def the_longer_memory():
    """The larger of the two decays."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_a_count_has_no_mean",
    says="count",
    swap=(' or now.data.dtype.kind != "f"', ""),
)
def the_mean_of_a_count():
    """Integers are averaged too."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_the_weights_are_its_own",
    says="the averaged weight",
    swap=("now.detach().clone()", "now"),
)
def the_models_own_arrays():
    """The averages are the model's own Tensors, so nothing is averaged."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_the_second_step_moves_them",
    says="the weight after two steps",
    swap=("mean += (1 - decay) * (now.data - mean)", "mean += decay * (now.data - mean)"),
)
def the_other_way_round():
    """The new weights count by `decay`, and the old ones by 1 - decay."""


@mistake(
    "capstone.WeightAveraging.averaged",
    spec="test_averaged_is_for_a_block",
    says="the weight behind the block",
    swap=("name: each.detach().clone()", "name: each"),
)
def keeps_no_copy():
    """What is to come back is the model's own memory, which has the averages by then."""


@mistake(
    "capstone.WeightAveraging.averaged",
    spec="test_its_own_weights_come_back_after_an_error",
    says="the weight after an error",
    swap=(
        """    try:
        yield
    finally:
        model.load_state_dict(own)""",
        """    yield
    model.load_state_dict(own)""",
    ),
)
def lost_by_an_error():
    """After an error the model keeps the averages."""


@mistake(
    "capstone.fold_batch_norms",
    spec="test_batch_norms_behind_a_convolution_go",
    says="how many batch norms are left",
    swap=("for each in model.modules():", "for each in [model]:"),
)
def only_the_outermost():
    """Blocks inside of the model keep their batch norms."""


@mistake(
    "capstone.fold_batch_norms",
    spec="test_folded_says_the_same",
    says="the answer",
    swap=("memo[id(conv)] = fuse_conv_bn_eval(conv, norm)", "fuse_conv_bn_eval(conv, norm)"),
)
def drops_the_batch_norm():
    """The batch norm is gone, and the convolution is what it was."""


@mistake(
    "capstone.fold_batch_norms",
    spec="test_folding_leaves_a_subclass_alone",
    says="the layers",
    swap=("type(conv) is Conv2d", "isinstance(conv, Conv2d)"),
)
def folds_into_a_subclass():
    """A batch norm is folded into a convolution that does something else."""


@mistake(
    "capstone.QuantizedConv2d.from_float",
    spec="test_each_channel_has_its_scale",
    says="the channel with small weights is off by",
    swap=(
        "layer.rows.quantize_(conv.weight.detach().reshape(len(conv.weight), -1))",
        """layer.rows = QuantizedRows(1, conv.weight.numel(), bits, group_size)
    layer.rows.quantize_(conv.weight.detach().reshape(1, -1))""",
    ),
)
def one_scale_for_all():
    """All output channels share one scale."""


@mistake(
    "capstone.QuantizedConv2d.from_float",
    spec="test_a_quantized_convolution",
    says="the shape of the answer",
    swap=("conv.stride, conv.padding,", "1, 0,"),
)
def forgets_the_options():
    """Stride and padding are those of a plain convolution."""


@mistake(
    "capstone.QuantizedConv2d.from_float",
    spec="test_the_convolution_stays_as_it_is",
    says="the answer after conv was set to 0",
    swap=("copy.deepcopy(conv.bias)", "conv.bias"),
)
def shares_the_bias():
    """The bias is that of the convolution itself."""


@mistake(
    "capstone.QuantizedConv2d.forward",
    spec="test_a_quantized_convolution",
    says="the answer is off by",
    swap=("self.bias, *self.options", "None, *self.options"),
)
def without_the_bias():
    """The bias is left out."""


@mistake(
    "capstone.quantize_network",
    spec="test_a_quantized_network",
    says="convolutions and Linears left",
    swap=(
        "return quantize_dynamic(copy.deepcopy(model, memo), bits, group_size)",
        "return copy.deepcopy(model, memo)",
    ),
)
def forgets_the_last_layer():
    """Linear layers keep their float32 weights."""


@mistake(
    "capstone.quantize_network",
    spec="test_quantized_layers_keep_their_mode",
    says="the modes of all modules",
    swap=(".train(each.training)", ""),
)
def in_training_mode():
    """The new layers are in training mode."""


@mistake(
    "capstone.quantize_network",
    spec="test_with_four_bits",
    says="bits and group_size of all layers",
    swap=("QuantizedConv2d.from_float(each, bits, group_size)", "QuantizedConv2d.from_float(each)"),
)
def eight_bits_always():
    """Convolutions have 8 bits, whatever was said."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_weights_are_averaged_on_the_device",
    says="left the device",
    swap=[
        ("now.detach().clone()", 'now.detach().to("cpu").clone()'),
        (".to(now.device)", ""),
        ("(now.data - mean)", '(now.to("cpu").data - mean)'),
    ],
)
def averages_on_the_cpu():
    """The averages are kept on the CPU."""


@mistake(
    "capstone.WeightAveraging.on_step_end",
    spec="test_an_average_from_a_file_goes_on_on_the_device",
    says="Unsupported type",
    swap=("self.weights[name] = self.weights[name].to(now.device)", "pass"),
)
def the_average_stays_on_the_cpu():
    """What came from a file is not brought to the device of the model."""


@mistake(
    "capstone.QuantizedConv2d.from_float",
    spec="test_a_small_network_on_the_device",
    says="cuda:0",
    swap=("conv.weight.detach()", 'conv.weight.detach().to("cpu")'),
)
def quantized_on_the_cpu():
    """The new layer is on the CPU, wherever the convolution was."""


@mistake(
    "capstone.score_tokens",
    spec="test_scores_of_a_device",
    says="Implicit conversion",
    swap=(
        "xp = get_array_module(logits)",
        "xp, logits = get_array_module(), get_array_module().asarray(logits)",
    ),
)
def scores_with_numpy():
    """The scores are computed with NumPy."""


@mistake(
    "capstone.Engine.step",
    spec="test_an_engine_writes_on_the_device",
    says="Implicit conversion",
    swap=("get_array_module(written[0].logits).stack(", "get_array_module().array("),
)
def gathers_with_numpy():
    """The logits of the rows are put together with NumPy."""


@mistake(
    "capstone.save_bundle",
    spec="test_a_model_on_the_device_is_saved",
    says="after save_bundle, the type of",
    swap=("save_model(model,", 'save_model(model.to("cpu"),'),
)
def moves_the_model():
    """The model is moved to the CPU for its file, and stays there."""
