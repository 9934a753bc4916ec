"""Classic mistakes of kata 16: places miscounted, rows mixed up, what was refused kept, neighbours who are noticed."""

from dojo.tree.mistakes import mistake

# The cache


@mistake(
    "caching.KVCache.__init__",
    spec="test_max_length_and_dtype_may_be_given",
    says="keys",
    swap=("config.block_size if max_length is None else max_length", "config.block_size"),
)
def cache_as_long_as_the_model():
    """max_length is ignored."""


@mistake(
    "caching.KVCache.__init__",
    spec="test_the_memory_is_zeros",
    says="share their memory",
    swap=("self.values: Array = zeros(shape, dtype=dtype, device=device).data", "self.values = self.keys"),
)
def one_memory_for_both():
    """Keys and values are one array."""


@mistake(
    "caching.KVCache.update",
    spec="test_new_keys_stand_behind_the_old_ones",
    says="the keys of layer 0",
    swap=("memory[:, :, past:end] = array", "memory[:, :, :new] = array"),
)
def written_at_the_beginning():
    """Every pass is written from place 0 on."""


@mistake(
    "caching.KVCache.update",
    spec="test_new_keys_stand_behind_the_old_ones",
    says="the values of layer 0",
    swap=("(self.values[layer], value)", "(self.values[layer], key)"),
)
def keys_for_values():
    """The keys are remembered twice."""


@mistake(
    "caching.KVCache.update",
    spec="test_tokens_count_when_the_last_layer_has_them",
    says="list of lengths",
    swap=("if layer == layers - 1 else 0", "if layer == 0 else 0"),
)
def the_first_layer_counts():
    """The length grows with the first layer, and the others begin too late."""


@mistake(
    "caching.KVCache.update",
    spec="test_nothing_is_copied_but_what_is_new",
    says="a copy",
    swap=("memory[:, :, :end].reshape", "memory[:, :, :end].copy().reshape"),
)
def the_text_is_copied():
    """All keys and values are copied at every step."""


@mistake(
    "caching.KVCache.update",
    spec="test_a_text_that_is_too_long_is_refused",
    says="7",
    swap=("if end > places:", "if False:"),
)
def no_end():
    """Nobody asks whether the text fits."""


@mistake(
    "caching.KVCache.update",
    spec="test_the_cache_may_be_filled_to_its_last_place",
    says="does not fit",
    swap=("if end > places:", "if end >= places:"),
)
def the_last_place_stays_empty():
    """One place too few is used."""


@mistake(
    "caching.KVCache.update",
    spec="test_a_model_with_more_layers_is_refused",
    says="after the pass that was refused",
    swap=("self.lengths -= self._counted\n", "pass\n"),
)
def a_pass_of_a_larger_model_counts():
    """The tokens of a pass that is refused in a layer too many stay in the cache."""


@mistake(
    "caching.KVCache.update",
    spec="test_another_dtype_is_refused",
    says="nothing was raised",
    swap=("_check_new(self.keys, rows, key, value)", "pass"),
)
def written_as_it_comes():
    """float64 is rounded in silence, and gradients end."""


@mistake(
    "caching.KVCache.update",
    spec="test_each_row_grows_at_its_own_end",
    says="the first row",
    swap=("past[:, None] + xp.arange(new)", "longest(past) + xp.arange(new)[None]"),
)
def all_rows_grow_at_the_end_of_the_longest():
    """In a shorter row there is a gap between the old and the new tokens."""


@mistake(
    "caching.KVCache.update",
    spec="test_the_longest_row_decides_what_fits",
    says="7",
    swap=("end = longest(past) + new", "end = int(self.lengths.min()) + new"),
)
def the_shortest_row_decides():
    """Whether the tokens fit is asked of the shortest row."""


@mistake(
    "caching.KVCache.length",
    spec="test_the_length_that_was_asked_for_stays",
    says="the length of before",
    swap=(".array(self.lengths)", ".asarray(self.lengths)"),
)
def the_length_is_alive():
    """The array of lengths itself is handed out, and grows in the hands of attention."""


@mistake(
    "caching.KVCache.length",
    spec="test_each_row_may_be_cut_at_its_own_place",
    says="the length",
    swap=("if (self.lengths == first).all():", "if True:"),
)
def the_first_row_stands_for_all():
    """The length of row 0 is given for all rows."""


@mistake(
    "caching.KVCache.truncate",
    spec="test_what_is_not_there_cannot_be_cut",
    says="nothing was raised",
    swap=("if ((new < 0) | (new > self.lengths)).any():", "if False:"),
)
def any_length_will_do():
    """truncate makes a text longer than it is."""


@mistake(
    "caching.KVCache.truncate",
    spec="test_some_rows_are_a_cache_too",
    says="after the part was cut",
    swap=("self.lengths[:] = new", "self.lengths = np.broadcast_to(new, self.lengths.shape).copy()"),
)
def lengths_of_its_own():
    """A new array takes the place of the lengths, and the whole cache does not hear of it."""


@mistake(
    "caching.KVCache.copy_row",
    spec="test_a_row_can_be_copied",
    says="layer 1",
    swap=("self.keys[:, row, :, :length] = source.keys[:,", "self.keys[0, row, :, :length] = source.keys[0,"),
)
def the_first_layer_is_copied():
    """Only the keys of the first layer are copied."""


@mistake(
    "caching.KVCache.copy_row",
    spec="test_the_beginning_of_a_row_can_be_copied",
    says="the lengths",
    swap=("held if length is None else length", "length or held"),
)
def no_tokens_are_all():
    """`length or held`: 0 counts as none given."""


@mistake(
    "caching.KVCache.copy_row",
    spec="test_only_what_is_there_can_be_copied",
    says="nothing was raised",
    swap=("min(held, places)", "places"),
)
def more_than_there_is():
    """What stands behind the end of a row is copied, too."""


@mistake(
    "caching.KVCache.__getitem__",
    spec="test_some_rows_are_a_cache_too",
    says="the lengths of the whole",
    swap=("self.lengths[rows]", "self.lengths[rows].copy()"),
)
def rows_that_count_for_themselves():
    """The part has lengths of its own."""


@mistake(
    "caching.KVCache.__getitem__",
    spec="test_rows_are_taken_by_a_slice",
    says="nothing was raised",
    swap=("if not isinstance(rows, slice):", "if False:"),
)
def a_row_without_rows():
    """cache[1] has arrays without the axis of the rows."""


@mistake(
    "caching.KVCache.update",
    spec="test_what_was_cut_is_not_taken_back",
    says="the lengths after the call",
    swap=("if (self.lengths == self._after).all():", "if True:"),
)
def cut_and_taken_back():
    """The tokens of the last pass are taken back, whether they are still there or not."""


@mistake(
    "caching.KVCache.truncate",
    spec="test_each_row_needs_a_length",
    says="nothing was raised",
    swap=("if new.shape not in ((), self.lengths.shape):", "if False:"),
)
def one_length_in_a_list_is_for_all():
    """[1] broadcasts to all rows."""


@mistake(
    "caching.KVCache.copy_row",
    spec="test_a_row_of_another_kind_is_not_copied",
    says="nothing was raised",
    swap=("if source.keys.dtype != self.keys.dtype:", "if False:"),
)
def a_row_is_rounded():
    """A row of float64 is copied into float32."""


@mistake(
    "caching.KVCache.copy_row",
    spec="test_a_row_of_another_kind_is_not_copied",
    says="nothing was raised",
    swap=("if theirs[::2] != mine[::2]:", "if False:"),
)
def one_layer_fills_all():
    """The only layer of the source is broadcast into all layers of the cache."""


# Prefixes


@mistake(
    "caching.common_prefix",
    spec="test_the_common_beginning_of_two_texts",
    says="common tokens",
    swap=(
        "for place",
        "return sum(one == other for one, other in zip(a, b, strict=False))\n    for place",
    ),
)
def all_that_is_equal_counts():
    """Equal tokens behind the first difference are counted, too."""


@mistake(
    "caching.PrefixCache.fetch",
    spec="test_the_last_token_is_always_read",
    says="the same text",
    swap=("min(common_prefix(ids, text), len(ids) - 1)", "common_prefix(ids, text)"),
)
def nothing_is_left_to_read():
    """A known text is taken whole, and nobody has its logits."""


@mistake(
    "caching.PrefixCache.fetch",
    spec="test_a_text_that_is_used_is_young_again",
    says="what is known",
    swap=("self.texts[best] = self.texts.pop(best)", "pass"),
)
def first_in_first_out():
    """The text that came first goes first, however often it is used."""


@mistake(
    "caching.PrefixCache.fetch",
    spec="test_nothing_is_known_at_first",
    says="the lengths of the other rows",
    swap=("cache[row : row + 1].truncate(0)", "pass"),
)
def somebody_elses_text_stays():
    """Where nothing is known, the row holds what it held before."""


@mistake(
    "caching.PrefixCache.fetch",
    spec="test_a_known_beginning_is_copied",
    says="the lengths of the other rows",
    swap=("cache.copy_row(row, self.cache, best, found[best])", "cache.copy_row(row, self.cache, best)"),
)
def the_whole_text_is_copied():
    """What comes after the first difference is copied, too."""


@mistake(
    "caching.PrefixCache.store",
    spec="test_what_was_used_longest_ago_is_forgotten",
    says="the four texts",
    swap=("self.texts.pop(place, None)", "pass"),
)
def the_newest_stands_where_the_oldest_stood():
    """A dict keeps the place of a key that is written over: the new text counts as the oldest."""


@mistake(
    "caching.PrefixCache.store",
    spec="test_a_text_that_grew_takes_the_place_of_its_beginning",
    says="what is known",
    swap=("*replaced, *free", "*free"),
)
def beginnings_take_room():
    """A text and its beginning have an entry each."""


@mistake(
    "caching.PrefixCache.store",
    spec="test_what_was_used_longest_ago_is_forgotten",
    says="what is known",
    swap=("*free, *self.texts", "*free, *reversed(self.texts)"),
)
def the_youngest_is_forgotten():
    """The text that was used last has to go."""


@mistake(
    "caching.PrefixCache.store",
    spec="test_a_text_is_what_the_row_holds",
    says="nothing was raised",
    swap=("if len(text) != cache.lengths[row]:", "if False:"),
)
def any_row_will_do():
    """Nobody asks whether the row holds the text."""


@mistake(
    "caching.PrefixCache.store",
    spec="test_no_text_takes_no_entry",
    says="how many texts",
    swap=("if not text:", "if False:"),
)
def nothing_takes_an_entry():
    """The empty text is remembered."""


# The kernel


@mistake(
    "caching.can_decode",
    spec="test_it_hands_back_what_it_does_not_know",
    says="can_decode is True",
    swap=(
        "all(type(part) in PLAIN for part in parts)",
        "all(isinstance(part, tuple(PLAIN)) for part in parts)",
    ),
)
def a_subclass_will_do():
    """A Linear that computes something else passes for a Linear."""


@mistake(
    "caching.can_decode",
    spec="test_it_hands_back_what_it_does_not_know",
    says="can_decode is True",
    swap=("if attn.rope or ", "if "),
)
def rope_is_overlooked():
    """Attention that turns is computed without turning."""


@mistake(
    "caching.can_decode",
    spec="test_every_module_is_looked_at",
    says="can_decode, if ",
    swap=("block.dropout, ", ""),
)
def dropouts_are_overlooked():
    """The Dropout of a block may be of a subclass."""


@mistake(
    "caching.can_decode",
    spec="test_it_hands_back_what_it_does_not_know",
    says="can_decode is True",
    swap=(" or attn.num_heads != heads", ""),
)
def the_cache_says_how_many_heads():
    """The features of the model are divided among the heads of another model's cache."""


@mistake(
    "caching.can_decode",
    spec="test_it_hands_back_what_it_does_not_know",
    says="can_decode is True",
    swap=('and ids.data.dtype.kind in "iu"', ""),
)
def ids_of_any_dtype():
    """Ids of floats are looked up."""


@mistake(
    "caching.can_decode",
    spec="test_the_last_place_of_the_model_is_the_last",
    says="can_decode is True",
    swap=("min(places, model.config.block_size)", "places"),
)
def only_the_cache_has_an_end():
    """A place that the model does not have is looked up."""


@mistake(
    "caching.can_decode",
    spec="test_it_hands_back_what_it_does_not_know",
    says="can_decode is True",
    swap=("(ids.data[..., -1] >= 0) & ", ""),
)
def the_last_word_for_a_bad_id():
    """Id -1 is the last row of the embeddings."""


@mistake(
    "caching.attended",
    spec="test_attention_of_one_token",
    says="warning",
    swap=("> past[:, None, None]", ">= past[:, None, None]"),
)
def a_token_does_not_see_itself():
    """In rows of unequal length the new token is hidden from itself."""


@mistake(
    "caching.attended",
    spec="test_what_stands_behind_the_end_is_not_seen",
    says="the result",
    swap=("if not isinstance(past, int):", "if False:"),
)
def the_end_of_the_longest_for_all():
    """A shorter row sees what stands behind its end."""


@mistake(
    "caching.attended",
    spec="test_attention_of_one_token",
    says="the result",
    swap=("q *= x.dtype.type(1 / math.sqrt(features))", "pass"),
)
def scores_are_not_scaled():
    """The queries are not divided by the root of the features."""


@mistake(
    "caching.attended",
    spec="test_attention_of_one_token",
    says="the result",
    swap=("keys[each, :, past] = k", "keys[:, :, end - 1] = k"),
)
def all_keys_at_the_end_of_the_longest():
    """The new key of a shorter row stands too far behind."""


@mistake(
    "caching.normalized",
    spec="test_normalized_is_layer_norm_of_an_array",
    says="the result",
    swap=("[:, None] / x.shape[-1]", "[:, None] / max(x.shape[-1] - 1, 1)"),
)
def the_other_variance():
    """The variance is divided by n - 1."""


@mistake(
    "caching.projected",
    spec="test_projected_is_linear_of_an_array",
    says="the result",
    swap=("out += layer.bias.data", "pass"),
)
def no_bias():
    """The bias is forgotten."""


@mistake(
    "caching.gelu_tanh",
    spec="test_gelu_of_an_array",
    says="the result",
    swap=("inner = x * x", "inner = x\n    inner *= x"),
)
def gelu_writes_into_x():
    """The square is written into the caller's array."""


@mistake(
    "caching.decode",
    spec="test_it_goes_on_token_by_token",
    says="the logits after 2",
    swap=("cache.lengths += 1", "pass"),
)
def decode_does_not_count():
    """The cache has the token, and the length does not know it."""


@mistake(
    "caching.decode",
    spec="test_decode_gives_the_logits_of_next_logits",
    says="the logits",
    swap=("model.wpe.weight.data[cache.lengths]", "model.wpe.weight.data[ids.shape[-1] - 1]"),
)
def decode_has_one_place_for_all():
    """The tokens of all rows stand at the place of the longest text's."""


@mistake(
    "caching.decode",
    spec="test_decode_gives_the_logits_of_next_logits",
    says="the logits",
    swap=("normalized(x, model.ln_f)", "x"),
)
def decode_forgets_the_last_norm():
    """ln_f is left out."""


# Draws


@mistake(
    "caching.keep_rows",
    spec="test_filters_by_hand",
    says="overflow",
    swap=("xp.exp(falling - falling[:, :1])", "xp.exp(falling)"),
)
def large_scores_overflow():
    """The largest score is not subtracted."""


@mistake(
    "caching.keep_rows",
    spec="test_filters_by_hand",
    says="list of ids",
    swap=(" | (top_p[:, None] == 1)", ""),
)
def all_is_less_than_all():
    """By rounding, the sum is 1 before the last entries: a top_p of 1 drops them."""


@mistake(
    "caching.keep_rows",
    spec="test_equal_scores_stay_together_for_top_k",
    says="list of ids",
    swap=("before < top_p[:, None]", "before <= top_p[:, None]"),
)
def the_nucleus_ends_too_late():
    """One more entry stays where those before it reach top_p exactly."""


@mistake(
    "caching.keep_rows",
    spec="test_equal_scores_stay_together_for_top_k",
    says="list of ids",
    swap=("kept = (falling >= last)", "kept = (xp.arange(scores.shape[-1]) < top_k[:, None])"),
)
def exactly_k_stay():
    """Of equal scores one stays and the other goes."""


@mistake(
    "caching.keep_rows",
    spec="test_filters_by_hand",
    says="list of ids",
    swap=(" - probabilities\n", "\n"),
)
def the_nucleus_ends_too_early():
    """An entry that reaches top_p is left out itself."""


@mistake(
    "caching.keep_rows",
    spec="test_equal_scores_stay_together_for_top_k",
    says="list of ids",
    swap=(" & (xp.cumsum(equal, -1) <= room)", ""),
)
def ties_pass_top_p_together():
    """All that equal the last of the nucleus stay, and not the first of them alone."""


@mistake(
    "caching.sample_rows",
    spec="test_a_row_does_not_depend_on_its_neighbours",
    says="the ids in another order",
    swap=("float((generator or default).random())", "float((generators[0] or default).random())"),
)
def one_generator_for_all():
    """All rows draw from the generator of the first."""


@mistake(
    "caching.sample_rows",
    spec="test_at_temperature_0_nothing_is_drawn",
    says="the next number",
    swap=(" if each else 0.0", ""),
)
def greedy_rows_draw():
    """A greedy row takes a number from its generator, and does not use it."""


@mistake(
    "caching.sample_rows",
    spec="test_ids_come_as_often_as_their_probability",
    says="the shares",
    swap=("xp.cumsum(xp.exp(scores), -1)", "xp.cumsum(xp.exp(scores) ** 2, -1)"),
)
def favourites_are_favoured():
    """The probabilities are squared."""


@mistake(
    "caching.sample_rows",
    spec="test_temperature_0_is_greedy",
    says="rows 0 and 2",
    swap=("xp.where(heat == 0, greedy, drawn)", "drawn"),
)
def temperature_0_is_1():
    """Temperature 0 is replaced by 1, and nothing else."""


@mistake(
    "caching.sample_rows",
    spec="test_no_temperature_overflows",
    says="warning",
    swap=("(scores.astype(float64) - largest)", "(scores.astype(float64) - largest).astype(scores.dtype)"),
)
def float32_overflows():
    """The logits are divided in float32."""


@mistake(
    "caching.sample_rows",
    spec="test_a_bad_option_of_any_row_is_refused",
    says="nothing was raised",
    swap=("check_sampling(*options)", "pass"),
)
def options_are_not_checked():
    """Any option will do."""


@mistake(
    "caching.sample_rows",
    spec="test_each_row_is_drawn_as_by_sample",
    says="the ids",
    swap=(".random())", '.random(dtype="float32"))'),
)
def draws_of_float32():
    """The numbers are drawn in float32, and are others with the same seed."""


@mistake(
    "caching.sample_rows",
    spec="test_each_row_is_drawn_as_by_sample",
    says="the ids",
    swap=(
        "(reached > xp.asarray(places)[:, None]).argmax(-1)",
        "(reached > 1 - xp.asarray(places)[:, None]).argmax(-1)",
    ),
)
def counted_from_the_other_end():
    """The ids come as often, and are others with the same seed."""


# The batch


@mistake(
    "caching.Batch.__init__",
    spec="test_a_batch_has_a_row",
    says="nothing was raised",
    swap=("if rows < 1:", "if False:"),
)
def a_batch_without_rows():
    """generate_all waits for ever for a free row."""


@mistake(
    "caching.check_request",
    spec="test_a_bad_request_does_not_join",
    says="nothing was raised",
    swap=(
        "check_sampling(request.temperature, request.top_k, request.top_p)",
        "check_sampling(request.temperature)",
    ),
)
def the_filters_are_not_looked_at():
    """Only the temperature is checked: a top_k of 0 is found in a step of all."""


@mistake(
    "caching.check_request",
    spec="test_a_bad_request_does_not_join",
    says="nothing was raised",
    swap=("if not isinstance(request.stop, int | Collection):", "if False:"),
)
def any_stop_will_do():
    """What `stop` is, is found in the middle of a step."""


@mistake(
    "caching.Batch.add",
    spec="test_a_text_joins_once",
    says="nothing was raised",
    swap=("if request in self.requests:", "if False:"),
)
def one_text_in_two_rows():
    """A request that is in a row may join another time."""


@mistake(
    "caching.check_request",
    spec="test_a_text_joins_once",
    says="nothing was raised",
    swap=("if request.written:", "if request.written and request.finish_reason is None:"),
)
def what_has_ended_joins_again():
    """A request that has ended may join another time."""


@mistake(
    "caching.Batch.step",
    spec="test_a_step_that_breaks_off_changes_nothing",
    says="the lengths of the cache",
    swap=("part.truncate(before)", "pass"),
)
def the_lengths_have_grown():
    """After an error in a draw the cache holds tokens that were not written."""


@mistake(
    "caching.Batch.step",
    spec="test_reading_again_may_break_off",
    says="the text",
    swap=("request.start = start", "pass"),
)
def the_rest_is_lost():
    """The window is cut once; if the pass that reads it raises, its row stays empty."""


@mistake(
    "caching.Batch.step",
    spec="test_a_text_ends_with_its_stop_token_or_its_length",
    says="not iterable",
    swap=("((request.stop,) if isinstance(request.stop, int) else request.stop)", "request.stop"),
)
def one_stop_is_no_list():
    """A single id is taken for a collection."""


@mistake(
    "caching.Batch.read",
    spec="test_a_model_that_trains_is_evaluated",
    says="what was written",
    swap=("with evaluating(self.model):", "with evaluating(self.model.wte):"),
)
def the_prompt_is_read_with_dropout():
    """The model reads in the mode that it is in."""


@mistake(
    "caching.Batch.read",
    spec="test_a_model_that_trains_is_evaluated",
    says="modes after add",
    swap=("with evaluating(self.model):", "with evaluating(self.model.eval()):"),
)
def training_ends():
    """The model stays in eval mode."""


@mistake(
    "caching.check_request",
    spec="test_a_bad_request_does_not_join",
    says="nothing was raised",
    swap=("each in request.ids if not", "each in request.ids[:-1] if not"),
)
def the_last_id_is_not_looked_at():
    """The prompt is checked as far as it is read now: the last id stops a step of all."""


@mistake(
    "caching.Batch.add",
    spec="test_of_a_long_prompt_the_end_is_read",
    says="does not fit",
    swap=("max(0, len(request.ids) - self.model.config.block_size)", "0"),
)
def long_prompts_are_read_whole():
    """A prompt longer than block_size is an error of the model."""


@mistake(
    "caching.Batch.read",
    spec="test_texts_join_and_leave_between_two_steps",
    says="after [3, 5]",
    swap=("part.truncate(0)", "pass"),
)
def the_row_is_not_empty():
    """A new text goes on behind the text that was in the row before."""


@mistake(
    "caching.Batch.read",
    spec="test_the_prompt_is_read_once",
    says="how many tokens",
    swap=("window[known:-1]]", "window[known:]]"),
)
def the_last_token_is_read_twice():
    """add reads the whole prompt, and the step reads its last token again."""


@mistake(
    "caching.Batch.read",
    spec="test_a_known_beginning_is_not_read_again",
    says="how many tokens",
    swap=("self.prefixes.store(window[:-1], self.cache, row)", "pass"),
)
def nothing_is_remembered():
    """Texts are looked up, and never stored."""


@mistake(
    "caching.Batch.step",
    spec="test_a_text_goes_on_beyond_block_size",
    says="does not fit",
    swap=("if len(request.window()) > block_size:", "if False:"),
)
def texts_end_at_block_size():
    """A text that is longer than the model can see is an error."""


@mistake(
    "caching.Batch.step",
    spec="test_the_rest_is_read_again_once",
    says="call by call",
    swap=("len(request.window()) - max(block_size // 2, 1)", "1"),
)
def one_token_is_dropped():
    """The window moves by one, and everything is read again at every step."""


@mistake(
    "caching.Batch.step",
    spec="test_a_text_goes_on_beyond_block_size",
    says="block_size",
    swap=("max(block_size // 2, 1)", "block_size // 2"),
)
def nothing_is_left_of_one():
    """Half of a block_size of 1 is nothing."""


@mistake(
    "caching.Batch.step",
    spec="test_a_text_ends_with_its_stop_token_or_its_length",
    says="stop token",
    swap=(
        "else request.stop):",
        "else request.stop) and len(request.written) < request.max_new_tokens:",
    ),
)
def length_comes_first():
    """A stop token at the last place is taken for the end of the allowance."""


@mistake(
    "caching.Batch.release",
    spec="test_any_crowd_writes_what_each_writes_alone",
    says="the text after",
    swap=("self.cache.copy_row(row, self.cache, len(self.requests))", "pass"),
)
def the_request_moves_alone():
    """The request moves into the free row, and its keys stay where they are."""


@mistake(
    "caching.Batch.release",
    spec="test_who_is_not_there_cannot_be_released",
    says="nothing was raised",
    swap=(
        "if request not in self.requests:\n        raise",
        "if request not in self.requests:\n        return\n        raise",
    ),
)
def who_is_not_there_is_let_go():
    """To release a request that is in no row is not an error."""


@mistake(
    "caching.generate_all",
    spec="test_a_known_beginning_is_not_read_again",
    says="by generate_all",
    swap=("Batch(model, rows, prefixes)", "Batch(model, rows)"),
)
def the_batch_knows_no_beginnings():
    """The prefix cache is not handed on."""


@mistake(
    "caching.generate_all",
    spec="test_first_come_first_served",
    says="the number of rows",
    swap=("while waiting and batch.free:", "while waiting and not batch.requests:"),
)
def the_next_ones_wait():
    """The next text joins when the batch is empty."""


@mistake(
    "caching.generate_all",
    spec="test_a_bad_request_loses_no_text",
    says="what the model has read",
    swap=("check_request(request, model.config.vocab_size)", "pass"),
)
def the_last_one_is_looked_at_last():
    """A bad request is found when the others have been written."""


@mistake(
    "caching.generate_all",
    spec="test_a_bad_request_loses_no_text",
    says="what the model has read",
    swap=("if len(set(requests)) < len(requests):", "if False:"),
)
def twice_in_the_list():
    """That a request stands in the list twice is found when it joins again."""


# Pages


@mistake(
    "caching.PagedCache.update",
    spec="test_what_does_not_fit_into_pages_is_refused",
    says="nothing was raised",
    swap=("_check_new(self.pool.keys, 1, key, value)", "pass"),
)
def pages_of_anything():
    """float64 is rounded, and gradients end without a word."""


@mistake(
    "caching.PagedCache.fork",
    spec="test_a_fork_shares_what_holds_tokens",
    says="the keys of the text",
    swap=("self.table[: -(-self.length // self.pool.page_size)]", "self.table[:]"),
)
def empty_pages_are_shared():
    """Pages without tokens are shared too, and only the first page that is written to is copied."""


@mistake(
    "caching.PagePool.allocate",
    spec="test_more_pages_than_there_are",
    says="nothing was raised",
    swap=("if len(free) < number:", "if False:"),
)
def fewer_pages_will_do():
    """As many pages are given as there are."""


@mistake(
    "caching.PagedCache.reserve",
    spec="test_two_texts_go_on_apart",
    says="list of counts",
    swap=("pool.counts[old] -= 1", "pool.counts[old] = 1"),
)
def two_texts_are_all():
    """The page is taken for one that two texts share; the third one's keys are written over."""


@mistake(
    "caching.PagedCache.reserve",
    spec="test_two_texts_go_on_apart",
    says="list of counts",
    swap=("if shared:", "if False:"),
)
def both_write_into_one_page():
    """A shared page is not copied before one text writes into it."""


@mistake(
    "caching.PagedCache.reserve",
    spec="test_two_texts_go_on_apart",
    says="list of counts",
    swap=("pool.counts[old] -= 1", "pass"),
)
def the_old_page_keeps_its_count():
    """The page that was copied is counted as used twice for ever."""


@mistake(
    "caching.PagedCache.reserve",
    spec="test_a_full_page_is_never_copied",
    says="list index out of range",
    swap=("rest > 0 and ", ""),
)
def full_pages_are_looked_at():
    """The page after the last full one is asked for its count."""


@mistake(
    "caching.PagedCache.fork",
    spec="test_a_fork_takes_no_pages",
    says="list of counts",
    swap=("self.pool.counts[page] += 1", "pass"),
)
def a_fork_is_not_counted():
    """The pages are shared, and nobody knows."""


@mistake(
    "caching.PagedCache.release",
    spec="test_the_last_who_leaves_frees_a_page",
    says="list of counts",
    swap=("self.pool.counts[page] -= 1", "self.pool.counts[page] = 0"),
)
def the_first_who_leaves_frees_all():
    """A page is free as soon as one of its texts has left."""


@mistake(
    "caching.PagedCache.update",
    spec="test_the_length_grows_with_the_last_layer",
    says="after the first layer",
    swap=("if layer == len(pool.keys) - 1:", "if True:"),
)
def every_layer_counts():
    """The length grows with every layer."""


# What is made at first


@mistake(
    "caching.PrefixCache.__init__",
    spec="test_at_least_one_text_is_remembered",
    says="nothing was raised",
    swap=("if entries < 1:", "if False:"),
)
def no_entries_will_do():
    """A prefix cache without entries is made, and fails at the first text."""


@mistake(
    "caching.Batch.__init__",
    spec="test_a_text_is_written_token_by_token",
    says="float32",
    swap=("dtype=weight.dtype, ", ""),
)
def a_batch_of_float32():
    """The cache is float32, whatever the model is."""


@mistake(
    "caching.PagePool.__init__",
    spec="test_a_pool_is_pages_that_nobody_uses",
    says="dtype=float64",
    swap=(
        "self.values: Array = zeros(shape, dtype=dtype, device=device)",
        "self.values: Array = zeros(shape, device=device)",
    ),
)
def values_of_float32():
    """The dtype that is given is forgotten."""


@mistake(
    "caching.PagePool.__init__",
    spec="test_a_pool_is_pages_that_nobody_uses",
    says="the keys",
    swap=("config.n_head, page_size", "page_size, config.n_head"),
)
def pages_of_other_axes():
    """Places stand before heads."""


@mistake(
    "caching.PagedCache.__init__",
    spec="test_a_fork_takes_no_pages",
    says="MemoryError",
    swap=("self.table: list[int] = []", "self.table = pool.allocate(3)"),
)
def a_text_begins_with_pages():
    """Pages are taken before there is a token."""
