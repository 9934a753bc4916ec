"""Classic mistakes of kata 14: norms after the sum, copies that are not tied, filters off by one, leaky streams."""

from dojo.tree.mistakes import mistake

# Norms


@mistake(
    "transformers.normalized_axes",
    spec="test_x_must_end_in_the_normalized_shape",
    says="nothing was raised",
    swap=("if not shape or x.shape[-len(shape) :] != shape:", "if False:"),
)
def axes_are_not_checked():
    """Any shape will do: NumPy broadcasts, or normalizes over something else."""


@mistake(
    "transformers.layer_norm",
    spec="test_the_variance_is_divided_by_n",
    says="1.2247",
    swap=("mean(deviation * deviation, axes, keepdim=True)", "x.var(axes, keepdim=True)"),
)
def unbiased_variance():
    """The variance with Bessel's correction, as var() has it by default."""


@mistake(
    "transformers.layer_norm",
    spec="test_eps_is_added_to_the_variance",
    says="0.5",
    swap=(
        "sqrt(mean(deviation * deviation, axes, keepdim=True) + eps)",
        "(sqrt(mean(deviation * deviation, axes, keepdim=True)) + eps)",
    ),
)
def eps_outside_the_root():
    """sqrt(variance) + eps."""


@mistake(
    "transformers.layer_norm",
    spec="test_far_from_zero_the_deviations_count",
    says="entries",
    swap=(
        "out = deviation / sqrt(mean(deviation * deviation, axes, keepdim=True) + eps)",
        """m = mean(x, axes, keepdim=True)
    out = deviation / sqrt(mean(x * x, axes, keepdim=True) - m * m + eps)""",
    ),
)
def variance_from_the_squares():
    """E[x^2] - E[x]^2: the difference of two large numbers."""


@mistake(
    "transformers.layer_norm",
    spec="test_every_row_by_itself",
    says="the result",
    swap=("normalized_axes(x, normalized_shape)", "normalized_axes(x, normalized_shape)[-1:]"),
)
def normalized_over_the_batch():
    """Only the last axis is normalized, however many were asked for."""


@mistake(
    "transformers.layer_norm",
    spec="test_the_gradients_of_layer_norm",
    says="gradient",
    swap=[
        ("mean(x, axes, keepdim=True)", "mean(x, axes, keepdim=True).detach()"),
        (
            "mean(deviation * deviation, axes, keepdim=True)",
            "mean(deviation * deviation, axes, keepdim=True).detach()",
        ),
    ],
)
def statistics_are_detached():
    """Mean and variance are taken for constants."""


@mistake(
    "transformers.rms_norm",
    spec="test_rms_norm_by_hand",
    says="expected",
    swap=("x / sqrt(mean(x * x, axes, keepdim=True) + eps)", "layer_norm(x, normalized_shape, eps=eps)"),
)
def rms_norm_takes_the_mean_away():
    """rms_norm as layer_norm without a bias."""


@mistake(
    "transformers.rms_norm",
    spec="test_the_eps_of_rms_norm_is_that_of_the_dtype",
    says="expected",
    swap=("float(np.finfo(x.dtype).eps)", "1e-5"),
)
def rms_norm_has_the_eps_of_layer_norm():
    """eps is 1e-5 where it is left out."""


@mistake(
    "transformers.LayerNorm.forward",
    spec="test_layer_norm_uses_all_that_it_has",
    says="expected",
    swap=(", self.eps", ""),
)
def the_module_forgets_its_eps():
    """eps is stored, and not handed on."""


# Blocks


@mistake(
    "transformers.FeedForward.forward",
    spec="test_feed_forward_bends_with_the_gelu_of_gpt2",
    says="expected",
    swap=(', "tanh"', ""),
)
def the_exact_gelu():
    """The exact gelu, which GPT-2 does not have."""


@mistake(
    "transformers.FeedForward.forward",
    spec="test_feed_forward_drops_out_while_it_learns",
    says="dropout",
    swap=(
        'self.dropout(self.c_proj(gelu(self.c_fc(x), "tanh")))',
        'self.c_proj(self.dropout(gelu(self.c_fc(x), "tanh")))',
    ),
)
def dropped_inside():
    """Dropout before the last layer, whose bias it does not reach."""


@mistake(
    "transformers.TransformerBlock.forward",
    spec="test_a_block_adds_to_what_was_there",
    says="expected",
    swap=[
        ("x = x + self", "x = self"),
        ("return x + self", "return self"),
    ],
)
def no_residual():
    """A block replaces what was there."""


@mistake(
    "transformers.TransformerBlock.forward",
    spec="test_a_block_place_by_place",
    says="expected",
    swap=[
        ("x = x + self.dropout", "looked = self.dropout"),
        ("return x + self.mlp(self.ln_2(x))", "return x + looked + self.mlp(self.ln_2(looked))"),
    ],
)
def one_residual_for_both():
    """mlp reads what attention gave alone, and not the stream."""


@mistake("transformers.TransformerBlock.forward", spec="test_a_block_adds_to_what_was_there", says="expected")
def norms_after_the_sum(self, x, cache=None, layer=0):
    """The paper of 2017 had it so."""
    x = self.ln_1(x + self.dropout(self.attn(x, is_causal=True, cache=cache, layer=layer)))
    return self.ln_2(x + self.mlp(x))


@mistake(
    "transformers.TransformerBlock.forward",
    spec="test_later_places_change_nothing",
    says="places 0 to 2",
    swap=(", is_causal=True", ""),
)
def block_looks_ahead():
    """Attention without is_causal."""


@mistake(
    "transformers.TransformerBlock.forward",
    spec="test_a_block_hands_the_cache_on",
    says="with layer=2",
    swap=(", layer=layer", ""),
)
def every_block_is_layer_0():
    """All blocks write into the cache's layer 0."""


@mistake(
    "transformers.TransformerBlock.forward",
    spec="test_a_block_drops_out_of_what_it_adds",
    says="expected",
    swap=("self.dropout(self.attn", "(self.attn"),
)
def attention_is_never_dropped():
    """Dropout on what attention adds is forgotten."""


# The model


@mistake(
    "transformers.GPT.__init__",
    spec="test_the_model_keeps_its_config",
    says="model.config",
    swap=(
        "self.reset_parameters()",
        """self.reset_parameters()
    self.block_size = config.block_size
    del self.config""",
    ),
)
def numbers_without_a_config():
    """What the model needs itself is kept, and the config is not."""


@mistake(
    "transformers.GPT.__init__",
    spec="test_tied_weights_are_one_parameter",
    says="a copy is not tied",
    swap=[
        ("self.lm_head.weight = self.wte.weight", "pass"),
        (
            "self.reset_parameters()",
            """self.reset_parameters()
    if config.tie_weights:
        self.lm_head.weight.data[...] = self.wte.weight.data""",
        ),
    ],
)
def tied_by_a_copy():
    """The values are the same on the first day, and never again."""


@mistake(
    "transformers.GPT.__init__",
    spec="test_every_parameter_has_its_name_and_shape",
    says="lm_head",
    swap=("config.vocab_size, bias=False", "config.vocab_size"),
)
def head_with_a_bias():
    """lm_head has a bias."""


@mistake(
    "transformers.GPT.reset_parameters",
    spec="test_weights_begin_small",
    says="wte.weight",
    swap=("else:", 'elif not name.startswith(("wte", "wpe")):'),
)
def embeddings_stay_large():
    """Only Linear layers are drawn again; embeddings keep the deviation 1."""


@mistake(
    "transformers.GPT.reset_parameters",
    spec="test_what_is_added_begins_smaller_in_deep_models",
    says="0.00707",
    swap=("0.02 / math.sqrt(2 * self.config.n_layer)", "0.02"),
)
def residuals_are_not_scaled():
    """Every weight has the deviation 0.02."""


@mistake(
    "transformers.GPT.forward",
    spec="test_a_gpt_without_blocks",
    says="the logits",
    swap=("self.ln_f(x)", "x"),
)
def no_last_norm():
    """ln_f is forgotten."""


@mistake(
    "transformers.GPT.forward",
    spec="test_a_text_may_come_in_pieces",
    says="the logits",
    swap=("self.wte(ids), past", "self.wte(ids)"),
)
def places_begin_anew():
    """New tokens stand at place 0 again, whatever the cache holds."""


@mistake(
    "transformers.GPT.forward",
    spec="test_what_the_cache_holds_counts_for_block_size",
    says="7",
    swap=[
        ("longest(past) + ids.shape[-1]", "ids.shape[-1]"),
        ("self.wte(ids), past", "self.wte(ids), min(past, self.config.block_size - ids.shape[-1])"),
    ],
)
def only_new_tokens_count():
    """block_size is compared with the new tokens alone, and those that do not fit get the last places."""


@mistake(
    "transformers.next_token_loss",
    spec="test_targets_must_fit_the_logits",
    says="nothing was raised",
    swap=("if logits.ndim == 0 or logits.shape[:-1] != targets.shape:", "if logits.ndim == 0:"),
)
def as_many_targets_will_do():
    """Flattened, (3, 2) fits (2, 3)."""


# Sampling


@mistake(
    "transformers.keep_top_k",
    spec="test_top_k_may_be_more_than_there_are",
    says="10",
    swap=("min(top_k, logits.shape[-1])", "top_k"),
)
def k_is_not_limited():
    """topk refuses a k above V."""


@mistake("transformers.keep_top_k", spec="test_keep_top_k_by_hand", says="inf", swap=("-math.inf", "0.0"))
def zero_in_the_place_of_minus_infinity():
    """A logit of 0 is not a probability of 0."""


@mistake(
    "transformers.keep_top_p",
    spec="test_keep_top_p_by_hand",
    says="inf",
    swap=("cumsum(probabilities, -1) - probabilities", "cumsum(probabilities, -1)"),
)
def the_one_that_crosses_is_lost():
    """The nucleus ends before the entry that reaches p."""


@mistake(
    "transformers.keep_top_p",
    spec="test_keep_top_p_by_hand",
    says="inf",
    swap=("gather(before, -1, rank)", "before"),
)
def the_mask_stays_sorted():
    """What is to be kept is known for the falling row, and used for the row as it was."""


@mistake(
    "transformers.keep_top_p",
    spec="test_top_p_of_1_keeps_all",
    says="entries",
    swap=("if top_p == 1:", "if False:"),
)
def a_rounded_sum_ends_it():
    """With top_p=1 what comes after a sum that rounds to 1 is lost."""


@mistake(
    "transformers.sample",
    spec="test_temperature_divides_the_logits",
    says="drawn with frequency",
    swap=("/ temperature", "* temperature"),
)
def temperature_multiplies():
    """logits * temperature."""


@mistake(
    "transformers.sample",
    spec="test_temperature_comes_before_the_nucleus",
    says="drawn with frequency",
    swap=[
        (
            "(logits.to(float64) - unsqueeze(largest, -1)) / temperature",
            "logits.to(float64) - unsqueeze(largest, -1)",
        ),
        ("softmax(logits, -1)", "softmax(logits / temperature, -1)"),
    ],
)
def temperature_comes_last():
    """The nucleus of the logits as they were, and then the temperature."""


@mistake(
    "transformers.sample",
    spec="test_temperature_0_takes_the_largest",
    says="expected",
    swap=[
        ("if temperature == 0:", "if False:"),
        ("/ temperature", "/ max(temperature, 1e-6)"),
    ],
)
def greedy_by_a_tiny_temperature():
    """0 becomes a small number: at a tie there is still a draw."""


@mistake(
    "transformers.sample",
    spec="test_each_row_draws_for_itself",
    says="gave only",
    swap=("rand(total.shape", "rand(1"),
)
def one_draw_for_all_rows():
    """One random number for the whole batch."""


@mistake(
    "transformers.sample",
    spec="test_a_broken_model_is_told_of",
    says="nothing was raised",
    swap=("if not math.isfinite(each):", "if False:"),
)
def nan_is_token_0():
    """A model that has come apart writes token 0 for ever."""


# Writing


@mistake(
    "transformers.next_logits",
    spec="test_next_logits_are_of_a_model_at_rest",
    says="second time",
    swap=("evaluating(model)", "evaluating(Module())"),
)
def next_logits_with_dropout():
    """Dropout goes on while it writes."""


@mistake(
    "transformers.next_logits",
    spec="test_of_a_long_text_the_end_is_read",
    says="what the model was asked",
    swap=("-model.config.block_size :", ": model.config.block_size"),
)
def the_beginning_is_read():
    """Of a long text the first tokens are read."""


@mistake(
    "transformers.next_logits",
    spec="test_with_a_cache_only_new_tokens_are_read",
    says="call by call",
    swap=("model(window, cache)", "model(ids[..., -model.config.block_size :])"),
)
def the_cache_is_left_aside():
    """The whole text is read at every step."""


@mistake(
    "transformers.stream",
    spec="test_between_two_steps_the_model_may_learn",
    says="between two steps",
    swap=(
        "return steps(ids)",
        """def at_rest():
        with evaluating(model):
            yield from steps(ids)

    return at_rest()""",
    ),
)
def a_stream_keeps_the_model():
    """eval mode and no_grad stay on while the stream waits."""


@mistake(
    "transformers.stream",
    spec="test_what_is_wrong_is_said_before_the_first_step",
    says="nothing was raised",
    swap=("return steps(ids)", "yield from steps(ids)"),
)
def a_generator_checks_late():
    """A function with a yield in it does nothing before its first step."""


@mistake(
    "transformers.stream",
    spec="test_there_may_be_several_stop_tokens",
    says="with stop=0",
    swap=(
        "(stop,) if isinstance(stop, int) else stop:",
        "((stop,) if isinstance(stop, int) else stop) if stop else ():",
    ),
)
def zero_is_no_stop_token():
    """`if stop:` takes token 0 for none."""


@mistake(
    "transformers.stream",
    spec="test_a_row_that_is_ready_waits_for_the_others",
    says="expected",
    swap=("new = where(done, ids[..., -1], new)", "pass"),
)
def a_row_goes_on_after_its_end():
    """A row that has stopped is written on while others are not ready."""


@mistake(
    "transformers.generate",
    spec="test_generate_gives_the_text_and_what_follows",
    says="shape",
    swap=("cat([ids,", "cat([ids[..., :0],"),
)
def only_what_is_new():
    """The prompt is left out."""


@mistake(
    "transformers.generate",
    spec="test_generate_hands_its_options_on",
    says="top_p",
    swap=("top_k, top_p, stop", "None, None, stop"),
)
def options_are_lost():
    """top_k and top_p are not handed on."""


# What stayed green once


@mistake(
    "transformers.GPTConfig.gpt2",
    spec="test_gpt2_makes_the_class_that_is_asked",
    says="GPTConfig",
    swap=("cls(**", "GPTConfig(**"),
)
def always_a_gpt_config():
    """GPTConfig by name, and not cls."""


@mistake(
    "transformers.GPT.__init__",
    spec="test_features_must_fit_the_heads",
    says="nothing was raised",
    swap=("if config.n_head < 1 or config.n_embd % config.n_head:", "if False:"),
)
def only_blocks_check_the_heads():
    """Without a block nobody divides the features."""


@mistake(
    "transformers.GPT.reset_parameters",
    spec="test_reset_parameters_draws_all_anew",
    says="ln_",
    swap=(
        'if name.endswith("bias"):',
        """if "ln_" in name:
            continue
        if name.endswith("bias"):""",
    ),
)
def norms_are_left_alone():
    """LayerNorms are 1 and 0 from the start, so they are not touched."""


@mistake(
    "transformers.GPT.forward",
    spec="test_tokens_and_places_are_dropped_out_together",
    says="passes are the same",
    swap=("self.drop(self.wpe(self.wte(ids), past))", "self.wpe(self.drop(self.wte(ids)), past)"),
)
def places_are_never_dropped():
    """Dropout comes before the places are added."""


@mistake(
    "transformers.sample",
    spec="test_a_tiny_temperature_takes_the_largest",
    says="sample",
    swap=(
        "(logits.to(float64) - unsqueeze(largest, -1)) / temperature",
        "(logits / temperature).to(float64)",
    ),
)
def tiny_temperatures_overflow():
    """In float32, 3 / 1e-40 is inf."""


@mistake(
    "transformers.sample",
    spec="test_temperature_0_excuses_nothing",
    says="nothing was raised",
    swap=(
        "check_sampling(temperature, top_k, top_p)",
        """if temperature != 0:
        check_sampling(temperature, top_k, top_p)""",
    ),
)
def greedy_before_the_check():
    """The shortcut comes before the check."""


@mistake(
    "transformers.sample",
    spec="test_a_generator_draws_for_the_device",
    says="device",
    swap=("device=logits.device", 'device=logits.device if generator is None else "cpu"'),
)
def a_generator_draws_on_the_cpu():
    """Only what the default generator draws goes to the device."""


@mistake(
    "transformers.next_logits",
    spec="test_with_a_cache_a_long_text_is_an_error",
    says="nothing was raised",
    swap=(" if cache is None else ids[..., past:]", "[..., past:]"),
)
def a_cache_and_a_crop():
    """The text is cropped with a cache, too: tokens are left out."""


@mistake(
    "transformers.keep_top_p",
    spec="test_a_sum_that_equals_p_reaches_it",
    says="the ids that stay for top_p=0.5 is [0, 1, 2], expected [0, 1]",
    swap=("rank) < top_p", "rank) <= top_p"),
)
def nucleus_with_one_more():
    """Where the sum is top_p exactly, one more stays."""


@mistake(
    "transformers.sample",
    spec="test_the_ends_of_a_draw_allow_nothing_new",
    says="the ids [0, 0] came",
    swap=("reached > place", "reached >= place"),
)
def draw_of_0():
    """A draw of 0 takes the first id, be it forbidden or not."""


@mistake(
    "transformers.stream",
    spec="test_a_stream_stays_at_its_end",
    says="the steps after the end",
    swap=[
        ("for _ in range(max_new_tokens):", "while True:"),
        (
            "return steps(ids)",
            """class Steps:
        made, endless = 0, steps(ids)

        def __iter__(self):
            return self

        def __next__(self):
            self.made += 1
            if self.made == max_new_tokens + 1:
                raise StopIteration
            return next(self.endless)

    return Steps()""",
        ),
    ],
)
def stream_that_goes_on():
    """The end is said once, and forgotten."""


@mistake(
    "transformers.next_logits",
    spec="test_a_cache_is_given_the_whole_prompt",
    says="3 tokens",
    swap=("ids[..., past:]", "ids[..., -1:]"),
)
def last_token_for_the_cache():
    """With a cache the last token alone is read, also of a prompt."""


@mistake(
    "transformers.next_logits",
    spec="test_with_an_empty_cache_a_long_text_is_an_error_too",
    says="nothing was raised",
    swap=("if cache is None else ids", "if not past else ids"),
)
def end_of_the_prompt_for_the_cache():
    """An empty cache is given the end of a long text."""


@mistake(
    "transformers.GPT.forward",
    spec="test_a_model_with_a_cache_drops_out_too",
    says="the logits of a piece",
    swap=(
        "x = self.drop(self.wpe(self.wte(ids), past))  # (B, T, D)",
        "x = self.wpe(self.wte(ids), past)\n    x = x if past else self.drop(x)",
    ),
)
def embeddings_kept_with_a_cache():
    """With earlier tokens in the cache embeddings are not dropped out."""


@mistake(
    "transformers.TransformerBlock.forward",
    spec="test_a_model_with_a_cache_drops_out_too",
    says="the logits of a piece",
    swap=(
        "x = x + self.dropout(self.attn(self.ln_1(x), is_causal=True, cache=cache, layer=layer))",
        "h = self.attn(self.ln_1(x), is_causal=True, cache=cache, layer=layer)\n"
        "    x = x + (h if cache is not None else self.dropout(h))",
    ),
)
def attention_kept_with_a_cache():
    """With a cache what attention gives is not dropped out."""


@mistake(
    "transformers.stream",
    spec="test_a_prompt_may_end_with_a_stop_token",
    says="shape",
    swap=(
        "done = zeros(ids.shape[:-1], dtype=bool_, device=ids.device)",
        "done = ids[..., -1] == stop if isinstance(stop, int) else "
        "zeros(ids.shape[:-1], dtype=bool_, device=ids.device)",
    ),
)
def stop_token_in_the_prompt():
    """A prompt that ends with a stop token is ready."""


@mistake(
    "transformers.layer_norm",
    spec="test_weight_and_bias_have_the_normalized_shape",
    says="nothing was raised",
    swap=(", weight=weight, bias=bias)", ", weight=weight)"),
)
def a_bias_may_broadcast():
    """Only the weight is looked at."""


@mistake(
    "transformers.rms_norm",
    spec="test_weight_and_bias_have_the_normalized_shape",
    says="nothing was raised",
    swap=("_check_affine(x, len(axes), weight=weight)", "pass"),
)
def rms_norm_lets_its_weight_broadcast():
    """rms_norm forgets the check."""


@mistake(
    "transformers.GPT.forward",
    spec="test_texts_of_a_batch_may_have_unequal_lengths",
    says="the logits",
    swap=("self.wte(ids), past", "self.wte(ids), longest(past)"),
)
def all_texts_go_on_where_the_longest_does():
    """The new tokens of every text stand at the place of the longest."""


@mistake(
    "transformers.GPT.forward",
    spec="test_the_longest_text_counts_for_block_size",
    says="ambiguous",
    swap=("longest(past) + ids", "past + ids"),
)
def lengths_are_compared_all_at_once():
    """An array of lengths is compared with block_size as if it were one number."""


@mistake(
    "transformers.GPT.forward",
    spec="test_a_text_that_is_refused_leaves_the_cache_alone",
    says="update calls",
    swap=(
        "x = self.drop",
        """if cache is not None:
        first = self.wte(Tensor(ids.data.clip(0, self.config.vocab_size - 1)))
        self.h[0](self.wpe(first, past), cache, 0)
    x = self.drop""",
    ),
)
def a_block_runs_before_the_ids_are_checked():
    """The first block is warmed up with the ids, before anybody has looked whether they exist."""


@mistake(
    "transformers.next_logits",
    spec="test_unequal_texts_end_together",
    says="ambiguous",
    swap=("longest(cache.length)", "cache.length"),
)
def one_length_for_all():
    """The length is taken for one number."""
