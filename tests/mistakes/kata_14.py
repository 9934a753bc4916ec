"""Classic mistakes of kata 14: norms after the sum, copies that are not tied, filters off by one, leaky streams."""

import math

from dojo.authors.mistakes import mistake

# Norms


@mistake(
    "transformers.normalized_axes", spec="test_x_must_end_in_the_normalized_shape", says="nothing was raised"
)
def axes_are_not_checked(x, normalized_shape):
    """Any shape will do: NumPy broadcasts, or normalizes over something else."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    return tuple(range(-len(shape), 0))


@mistake("transformers.layer_norm", spec="test_the_variance_is_divided_by_n", says="1.2247")
def unbiased_variance(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """The variance with Bessel's correction, as var() has it by default."""
    axes = normalized_axes(x, normalized_shape)
    centred = x - mean(x, axes, keepdim=True)
    n = math.prod(x.shape[axis] for axis in axes)
    squares = (centred * centred).sum(axes, keepdim=True)
    out = centred / sqrt(squares / max(n - 1, 1) + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


@mistake("transformers.layer_norm", spec="test_eps_is_added_to_the_variance", says="0.5")
def eps_outside_the_root(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """sqrt(variance) + eps."""
    axes = normalized_axes(x, normalized_shape)
    centred = x - mean(x, axes, keepdim=True)
    out = centred / (sqrt(mean(centred * centred, axes, keepdim=True)) + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


@mistake("transformers.layer_norm", spec="test_far_from_zero_the_deviations_count", says="entries")
def variance_from_the_squares(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """E[x^2] - E[x]^2: the difference of two large numbers."""
    axes = normalized_axes(x, normalized_shape)
    m = mean(x, axes, keepdim=True)
    variance = mean(x * x, axes, keepdim=True) - m * m
    variance = where(variance > 0, variance, 0.0)
    out = (x - m) / sqrt(variance + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


@mistake("transformers.layer_norm", spec="test_every_row_by_itself", says="the result")
def normalized_over_the_batch(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Only the last axis is normalized, however many were asked for."""
    normalized_axes(x, normalized_shape)
    centred = x - mean(x, -1, keepdim=True)
    out = centred / sqrt(mean(centred * centred, -1, keepdim=True) + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


@mistake("transformers.layer_norm", spec="test_the_gradients_of_layer_norm", says="gradient")
def statistics_are_detached(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Mean and variance are taken for constants."""
    axes = normalized_axes(x, normalized_shape)
    centred = x - mean(x, axes, keepdim=True).detach()
    out = centred / sqrt(mean(centred * centred, axes, keepdim=True) + eps).detach()
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


@mistake("transformers.rms_norm", spec="test_rms_norm_by_hand", says="expected")
def rms_norm_takes_the_mean_away(x, normalized_shape, weight=None, eps=None):
    """rms_norm as layer_norm without a bias."""
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    return layer_norm(x, normalized_shape, weight, None, eps)


@mistake("transformers.rms_norm", spec="test_the_eps_of_rms_norm_is_that_of_the_dtype", says="expected")
def rms_norm_has_the_eps_of_layer_norm(x, normalized_shape, weight=None, eps=None):
    """eps is 1e-5 where it is left out."""
    axes = normalized_axes(x, normalized_shape)
    out = x / sqrt(mean(x * x, axes, keepdim=True) + (1e-5 if eps is None else eps))
    return out if weight is None else out * weight


@mistake("transformers.LayerNorm.forward", spec="test_layer_norm_uses_all_that_it_has", says="expected")
def the_module_forgets_its_eps(self, x):
    """eps is stored, and not handed on."""
    return layer_norm(x, self.normalized_shape, self.weight, self.bias)


# Blocks


@mistake(
    "transformers.FeedForward.forward", spec="test_feed_forward_bends_with_the_gelu_of_gpt2", says="expected"
)
def the_exact_gelu(self, x):
    """The exact gelu, which GPT-2 does not have."""
    return self.dropout(self.c_proj(gelu(self.c_fc(x))))


@mistake(
    "transformers.FeedForward.forward", spec="test_feed_forward_drops_out_while_it_learns", says="dropout"
)
def dropped_inside(self, x):
    """Dropout before the last layer, whose bias it does not reach."""
    return self.c_proj(self.dropout(gelu(self.c_fc(x), "tanh")))


@mistake("transformers.TransformerBlock.forward", spec="test_a_block_adds_to_what_was_there", says="expected")
def no_residual(self, x, cache=None, layer=0):
    """A block replaces what was there."""
    x = self.dropout(self.attn(self.ln_1(x), is_causal=True, cache=cache, layer=layer))
    return self.mlp(self.ln_2(x))


@mistake("transformers.TransformerBlock.forward", spec="test_a_block_place_by_place", says="expected")
def one_residual_for_both(self, x, cache=None, layer=0):
    """mlp reads what attention gave alone, and not the stream."""
    looked = self.dropout(self.attn(self.ln_1(x), is_causal=True, cache=cache, layer=layer))
    return x + looked + self.mlp(self.ln_2(looked))


@mistake("transformers.TransformerBlock.forward", spec="test_a_block_adds_to_what_was_there", says="expected")
def norms_after_the_sum(self, x, cache=None, layer=0):
    """The paper of 2017 had it so."""
    x = self.ln_1(x + self.dropout(self.attn(x, is_causal=True, cache=cache, layer=layer)))
    return self.ln_2(x + self.mlp(x))


@mistake(
    "transformers.TransformerBlock.forward", spec="test_later_places_change_nothing", says="places 0 to 2"
)
def block_looks_ahead(self, x, cache=None, layer=0):
    """Attention without is_causal."""
    x = x + self.dropout(self.attn(self.ln_1(x), cache=cache, layer=layer))
    return x + self.mlp(self.ln_2(x))


@mistake("transformers.TransformerBlock.forward", spec="test_a_block_hands_the_cache_on", says="with layer=2")
def every_block_is_layer_0(self, x, cache=None, layer=0):
    """All blocks write into the cache's layer 0."""
    x = x + self.dropout(self.attn(self.ln_1(x), is_causal=True, cache=cache))
    return x + self.mlp(self.ln_2(x))


@mistake(
    "transformers.TransformerBlock.forward", spec="test_a_block_drops_out_of_what_it_adds", says="expected"
)
def attention_is_never_dropped(self, x, cache=None, layer=0):
    """Dropout on what attention adds is forgotten."""
    x = x + self.attn(self.ln_1(x), is_causal=True, cache=cache, layer=layer)
    return x + self.mlp(self.ln_2(x))


# The model


@mistake("transformers.GPT.__init__", spec="test_the_model_keeps_its_config", says="model.config")
def numbers_without_a_config(self, config):
    """What the model needs itself is kept, and the config is not."""
    self.block_size = config.block_size
    self.wte = Embedding(config.vocab_size, config.n_embd)
    self.wpe = LearnedPositions(config.block_size, config.n_embd)
    self.drop = Dropout(config.dropout)
    self.h = ModuleList(TransformerBlock(config) for _ in range(config.n_layer))
    self.ln_f = LayerNorm(config.n_embd, bias=config.bias)
    self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
    if config.tie_weights:
        self.lm_head.weight = self.wte.weight


@mistake("transformers.GPT.__init__", spec="test_tied_weights_are_one_parameter", says="a copy is not tied")
def tied_by_a_copy(self, config):
    """The values are the same on the first day, and never again."""
    self.config = config
    self.wte = Embedding(config.vocab_size, config.n_embd)
    self.wpe = LearnedPositions(config.block_size, config.n_embd)
    self.drop = Dropout(config.dropout)
    self.h = ModuleList(TransformerBlock(config) for _ in range(config.n_layer))
    self.ln_f = LayerNorm(config.n_embd, bias=config.bias)
    self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
    self.reset_parameters()
    if config.tie_weights:
        self.lm_head.weight.data[...] = self.wte.weight.data


@mistake("transformers.GPT.__init__", spec="test_every_parameter_has_its_name_and_shape", says="lm_head")
def head_with_a_bias(self, config):
    """lm_head has a bias."""
    self.config = config
    self.wte = Embedding(config.vocab_size, config.n_embd)
    self.wpe = LearnedPositions(config.block_size, config.n_embd)
    self.drop = Dropout(config.dropout)
    self.h = ModuleList(TransformerBlock(config) for _ in range(config.n_layer))
    self.ln_f = LayerNorm(config.n_embd, bias=config.bias)
    self.lm_head = Linear(config.n_embd, config.vocab_size)
    if config.tie_weights:
        self.lm_head.weight = self.wte.weight
    self.reset_parameters()


@mistake("transformers.GPT.reset_parameters", spec="test_weights_begin_small", says="wte.weight")
def embeddings_stay_large(self):
    """Only Linear layers are drawn anew; embeddings keep the deviation 1."""
    for name, parameter in self.named_parameters():
        if name.endswith("bias"):
            init.zeros_(parameter)
        elif name.endswith(("out_proj.weight", "c_proj.weight")):
            init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer))
        elif parameter.ndim == 2 and not name.startswith(("wte", "wpe")):
            init.normal_(parameter, std=0.02)


@mistake(
    "transformers.GPT.reset_parameters",
    spec="test_what_is_added_begins_smaller_in_deep_models",
    says="0.00707",
)
def residuals_are_not_scaled(self):
    """Every weight has the deviation 0.02."""
    for name, parameter in self.named_parameters():
        if name.endswith("bias"):
            init.zeros_(parameter)
        elif parameter.ndim == 1:
            init.ones_(parameter)
        else:
            init.normal_(parameter, std=0.02)


@mistake("transformers.GPT.forward", spec="test_a_gpt_without_blocks", says="the logits")
def no_last_norm(self, ids, cache=None):
    """ln_f is forgotten."""
    past = 0 if cache is None else cache.length
    if past + ids.shape[-1] > self.config.block_size:
        raise ValueError(f"{past + ids.shape[-1]} tokens, block_size {self.config.block_size}")
    x = self.drop(self.wpe(self.wte(ids), past))
    for layer, block in enumerate(self.h):
        x = block(x, cache, layer)
    return self.lm_head(x)


@mistake("transformers.GPT.forward", spec="test_a_text_may_come_in_pieces", says="the logits")
def places_begin_anew(self, ids, cache=None):
    """New tokens stand at place 0 again, whatever the cache holds."""
    past = 0 if cache is None else cache.length
    if past + ids.shape[-1] > self.config.block_size:
        raise ValueError(f"{past + ids.shape[-1]} tokens, block_size {self.config.block_size}")
    x = self.drop(self.wpe(self.wte(ids)))
    for layer, block in enumerate(self.h):
        x = block(x, cache, layer)
    return self.lm_head(self.ln_f(x))


@mistake("transformers.GPT.forward", spec="test_what_the_cache_holds_counts_for_block_size", says="7")
def only_new_tokens_count(self, ids, cache=None):
    """block_size is compared with the new tokens alone; the positions complain later, in their own words."""
    if ids.shape[-1] > self.config.block_size:
        raise ValueError(f"{ids.shape[-1]} tokens, block_size {self.config.block_size}")
    past = 0 if cache is None else cache.length
    x = self.drop(self.wpe(self.wte(ids), min(past, self.config.block_size - ids.shape[-1])))
    for layer, block in enumerate(self.h):
        x = block(x, cache, layer)
    return self.lm_head(self.ln_f(x))


@mistake("transformers.next_token_loss", spec="test_targets_must_fit_the_logits", says="nothing was raised")
def as_many_targets_will_do(logits, targets):
    """Flattened, (3, 2) fits (2, 3)."""
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


# Sampling


@mistake("transformers.keep_top_k", spec="test_top_k_may_be_more_than_there_are", says="10")
def k_is_not_limited(logits, top_k):
    """topk refuses a k above V."""
    check_sampling(top_k=top_k)
    largest, _ = topk(logits, top_k)
    return where(logits >= largest[..., -1:], logits, -math.inf)


@mistake("transformers.keep_top_k", spec="test_keep_top_k_by_hand", says="inf")
def zero_in_the_place_of_minus_infinity(logits, top_k):
    """A logit of 0 is not a probability of 0."""
    check_sampling(top_k=top_k)
    largest, _ = topk(logits, min(top_k, logits.shape[-1]))
    return where(logits >= largest[..., -1:], logits, 0.0)


@mistake("transformers.keep_top_p", spec="test_keep_top_p_by_hand", says="inf")
def the_one_that_crosses_is_lost(logits, top_p):
    """The nucleus ends before the entry that reaches p."""
    check_sampling(top_p=top_p)
    falling, order = sort(logits, -1, descending=True)
    reached = cumsum(softmax(falling, -1), -1)
    return where(gather(reached, -1, argsort(order)) <= top_p, logits, -math.inf)


@mistake("transformers.keep_top_p", spec="test_keep_top_p_by_hand", says="inf")
def the_mask_stays_sorted(logits, top_p):
    """What is to be kept is known for the falling row, and used for the row as it was."""
    check_sampling(top_p=top_p)
    falling, _ = sort(logits, -1, descending=True)
    probabilities = softmax(falling, -1)
    before = cumsum(probabilities, -1) - probabilities
    return where(before < top_p, logits, -math.inf)


@mistake("transformers.keep_top_p", spec="test_top_p_of_1_keeps_all", says="entries")
def a_rounded_sum_ends_it(logits, top_p):
    """With top_p=1 what comes after a sum that rounds to 1 is lost."""
    check_sampling(top_p=top_p)
    falling, order = sort(logits, -1, descending=True)
    probabilities = softmax(falling, -1)
    before = cumsum(probabilities, -1) - probabilities
    return where(gather(before, -1, argsort(order)) < top_p, logits, -math.inf)


@mistake("transformers.sample", spec="test_temperature_divides_the_logits", says="drawn with frequency")
def temperature_multiplies(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """logits * temperature."""
    check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        return argmax(logits, -1)
    logits = logits.to(float64) * temperature
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits, -1), -1)
    total = reached[..., -1:]
    return argmax(reached > rand(total.shape, generator=generator, dtype=float64) * total, -1)


@mistake("transformers.sample", spec="test_temperature_comes_before_the_nucleus", says="drawn with frequency")
def temperature_comes_last(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """The nucleus of the logits as they were, and then the temperature."""
    check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        return argmax(logits, -1)
    logits = logits.to(float64)
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits / temperature, -1), -1)
    total = reached[..., -1:]
    return argmax(reached > rand(total.shape, generator=generator, dtype=float64) * total, -1)


@mistake("transformers.sample", spec="test_temperature_0_takes_the_largest", says="expected")
def greedy_by_a_tiny_temperature(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """0 becomes a small number: at a tie there is still a draw."""
    check_sampling(temperature, top_k, top_p)
    logits = logits.to(float64) / max(temperature, 1e-6)
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits, -1), -1)
    total = reached[..., -1:]
    return argmax(reached > total - 1e-12, -1)


@mistake("transformers.sample", spec="test_each_row_draws_for_itself", says="gave only")
def one_draw_for_all_rows(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """One random number for the whole batch."""
    check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        return argmax(logits, -1)
    logits = logits.to(float64) / temperature
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits, -1), -1)
    return argmax(reached > rand(1, generator=generator, dtype=float64) * reached[..., -1:], -1)


@mistake("transformers.sample", spec="test_a_broken_model_is_told_of", says="nothing was raised")
def nan_is_token_0(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """A model that has come apart writes token 0 for ever."""
    check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        return argmax(logits, -1)
    logits = logits.to(float64) / temperature
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits, -1), -1)
    total = reached[..., -1:]
    return argmax(reached > rand(total.shape, generator=generator, dtype=float64) * total, -1)


# Writing


@mistake("transformers.next_logits", spec="test_next_logits_are_of_a_model_at_rest", says="second time")
def next_logits_with_dropout(model, ids, cache=None):
    """Dropout goes on while it writes."""
    past = 0 if cache is None else cache.length
    if past >= ids.shape[-1]:
        raise ValueError(f"{ids.shape[-1]} tokens, {past} in the cache")
    window = ids[..., -model.config.block_size :] if cache is None else ids[..., past:]
    return model(window, cache)[..., -1, :].detach()


@mistake(
    "transformers.next_logits", spec="test_of_a_long_text_the_end_is_read", says="what the model was asked"
)
def the_beginning_is_read(model, ids, cache=None):
    """Of a long text the first tokens are read."""
    past = 0 if cache is None else cache.length
    if past >= ids.shape[-1]:
        raise ValueError(f"{ids.shape[-1]} tokens, {past} in the cache")
    window = ids[..., : model.config.block_size] if cache is None else ids[..., past:]
    with evaluating(model):
        return model(window, cache)[..., -1, :]


@mistake("transformers.next_logits", spec="test_with_a_cache_only_new_tokens_are_read", says="call by call")
def the_cache_is_left_aside(model, ids, cache=None):
    """The whole text is read at every step."""
    past = 0 if cache is None else cache.length
    if past >= ids.shape[-1]:
        raise ValueError(f"{ids.shape[-1]} tokens, {past} in the cache")
    with evaluating(model):
        return model(ids[..., -model.config.block_size :])[..., -1, :]


@mistake("transformers.stream", spec="test_between_two_steps_the_model_may_learn", says="between two steps")
def a_stream_keeps_the_model(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, stop=(), generator=None, cache=None
):
    """eval mode and no_grad stay on while the stream waits."""
    check_sampling(temperature, top_k, top_p)
    if max_new_tokens < 0 or ids.ndim == 0 or ids.shape[-1] == 0:
        raise ValueError(f"{max_new_tokens}, {ids.shape}")

    def steps(ids):
        done = zeros(ids.shape[:-1], dtype=bool_, device=ids.device)
        with evaluating(model):
            for _ in range(max_new_tokens):
                new = sample(next_logits(model, ids, cache), temperature, top_k, top_p, generator)
                new = where(done, ids[..., -1], new)
                yield new
                ids = cat([ids, unsqueeze(new, -1)], -1)
                for each in (stop,) if isinstance(stop, int) else stop:
                    done = done | (new == each)
                if done.to(int64).sum().item() == done.numel():
                    return

    return steps(ids)


@mistake(
    "transformers.stream", spec="test_what_is_wrong_is_said_before_the_first_step", says="nothing was raised"
)
def a_generator_checks_late(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, stop=(), generator=None, cache=None
):
    """A function with a yield in it does nothing before its first step."""
    check_sampling(temperature, top_k, top_p)
    if max_new_tokens < 0 or ids.ndim == 0 or ids.shape[-1] == 0:
        raise ValueError(f"{max_new_tokens}, {ids.shape}")
    done = zeros(ids.shape[:-1], dtype=bool_, device=ids.device)
    for _ in range(max_new_tokens):
        new = sample(next_logits(model, ids, cache), temperature, top_k, top_p, generator)
        new = where(done, ids[..., -1], new)
        yield new
        ids = cat([ids, unsqueeze(new, -1)], -1)
        for each in (stop,) if isinstance(stop, int) else stop:
            done = done | (new == each)
        if done.to(int64).sum().item() == done.numel():
            return


@mistake("transformers.stream", spec="test_there_may_be_several_stop_tokens", says="with stop=0")
def zero_is_no_stop_token(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, stop=(), generator=None, cache=None
):
    """`if stop:` takes token 0 for none."""
    check_sampling(temperature, top_k, top_p)
    if max_new_tokens < 0 or ids.ndim == 0 or ids.shape[-1] == 0:
        raise ValueError(f"{max_new_tokens}, {ids.shape}")

    def steps(ids):
        done = zeros(ids.shape[:-1], dtype=bool_, device=ids.device)
        for _ in range(max_new_tokens):
            new = sample(next_logits(model, ids, cache), temperature, top_k, top_p, generator)
            new = where(done, ids[..., -1], new)
            yield new
            ids = cat([ids, unsqueeze(new, -1)], -1)
            for each in ((stop,) if isinstance(stop, int) else stop) if stop else ():
                done = done | (new == each)
            if done.to(int64).sum().item() == done.numel():
                return

    return steps(ids)


@mistake("transformers.stream", spec="test_a_row_that_is_ready_waits_for_the_others", says="expected")
def a_row_goes_on_after_its_end(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, stop=(), generator=None, cache=None
):
    """A row that has stopped is written on while others are not ready."""
    check_sampling(temperature, top_k, top_p)
    if max_new_tokens < 0 or ids.ndim == 0 or ids.shape[-1] == 0:
        raise ValueError(f"{max_new_tokens}, {ids.shape}")

    def steps(ids):
        done = zeros(ids.shape[:-1], dtype=bool_, device=ids.device)
        for _ in range(max_new_tokens):
            new = sample(next_logits(model, ids, cache), temperature, top_k, top_p, generator)
            yield new
            ids = cat([ids, unsqueeze(new, -1)], -1)
            for each in (stop,) if isinstance(stop, int) else stop:
                done = done | (new == each)
            if done.to(int64).sum().item() == done.numel():
                return

    return steps(ids)


@mistake("transformers.generate", spec="test_generate_gives_the_text_and_what_follows", says="shape")
def only_what_is_new(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, stop=(), generator=None, cache=None
):
    """The prompt is left out."""
    new = stream(model, ids, max_new_tokens, temperature, top_k, top_p, stop, generator, cache)
    return cat([ids[..., :0], *(unsqueeze(each, -1) for each in new)], -1)


@mistake("transformers.generate", spec="test_generate_hands_its_options_on", says="top_p")
def options_are_lost(
    model, ids, max_new_tokens, temperature=1.0, top_k=None, top_p=None, stop=(), generator=None, cache=None
):
    """top_k and top_p are checked, and not handed on."""
    check_sampling(temperature, top_k, top_p)
    new = stream(model, ids, max_new_tokens, temperature, stop=stop, generator=generator, cache=cache)
    return cat([ids, *(unsqueeze(each, -1) for each in new)], -1)


# What stayed green once


@mistake("transformers.GPTConfig.gpt2", spec="test_gpt2_makes_the_class_that_is_asked", says="GPTConfig")
def always_a_gpt_config(cls, size="small", **changes):
    """GPTConfig by name, and not cls."""
    sizes = {"small": (12, 12, 768), "medium": (24, 16, 1024), "large": (36, 20, 1280), "xl": (48, 25, 1600)}
    if size not in sizes:
        raise ValueError(f"{size}, {sizes}")
    n_layer, n_head, n_embd = sizes[size]
    return GPTConfig(**({"n_layer": n_layer, "n_head": n_head, "n_embd": n_embd} | changes))


@mistake("transformers.GPT.__init__", spec="test_features_must_fit_the_heads", says="nothing was raised")
def only_blocks_check_the_heads(self, config):
    """Without a block nobody divides the features."""
    self.config = config
    self.wte = Embedding(config.vocab_size, config.n_embd)
    self.wpe = LearnedPositions(config.block_size, config.n_embd)
    self.drop = Dropout(config.dropout)
    self.h = ModuleList(TransformerBlock(config) for _ in range(config.n_layer))
    self.ln_f = LayerNorm(config.n_embd, bias=config.bias)
    self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
    if config.tie_weights:
        self.lm_head.weight = self.wte.weight
    self.reset_parameters()


@mistake("transformers.GPT.reset_parameters", spec="test_reset_parameters_draws_all_anew", says="ln_")
def norms_are_left_alone(self):
    """LayerNorms are 1 and 0 from the start, so they are not touched."""
    for name, parameter in self.named_parameters():
        if "ln_" in name:
            continue
        if name.endswith("bias"):
            init.zeros_(parameter)
        elif name.endswith(("out_proj.weight", "c_proj.weight")):
            init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer))
        else:
            init.normal_(parameter, std=0.02)


@mistake(
    "transformers.GPT.forward",
    spec="test_tokens_and_places_are_dropped_out_together",
    says="passes are the same",
)
def places_are_never_dropped(self, ids, cache=None):
    """Dropout comes before the places are added."""
    past = 0 if cache is None else cache.length
    if past + ids.shape[-1] > self.config.block_size:
        raise ValueError(f"{past + ids.shape[-1]} tokens, block_size {self.config.block_size}")
    x = self.wpe(self.drop(self.wte(ids)), past)
    for layer, block in enumerate(self.h):
        x = block(x, cache, layer)
    return self.lm_head(self.ln_f(x))


@mistake("transformers.sample", spec="test_a_tiny_temperature_takes_the_largest", says="sample")
def tiny_temperatures_overflow(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """In float32, 3 / 1e-40 is inf."""
    check_sampling(temperature, top_k, top_p)
    for each in amax(logits, -1).reshape(-1).tolist():
        if not math.isfinite(each):
            raise ValueError(f"{each}")
    if temperature == 0:
        return argmax(logits, -1)
    logits = (logits / temperature).to(float64)
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits, -1), -1)
    total = reached[..., -1:]
    place = rand(total.shape, generator=generator, dtype=float64, device=logits.device) * total
    return argmax(reached > place, -1)


@mistake("transformers.sample", spec="test_temperature_0_excuses_nothing", says="nothing was raised")
def greedy_before_the_check(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """The shortcut comes before the check."""
    for each in amax(logits, -1).reshape(-1).tolist():
        if not math.isfinite(each):
            raise ValueError(f"{each}")
    if temperature == 0:
        return argmax(logits, -1)
    check_sampling(temperature, top_k, top_p)
    logits = (logits.to(float64) - amax(logits, -1, keepdim=True)) / temperature
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits, -1), -1)
    total = reached[..., -1:]
    place = rand(total.shape, generator=generator, dtype=float64, device=logits.device) * total
    return argmax(reached > place, -1)


@mistake("transformers.sample", spec="test_a_generator_draws_for_the_device", says="device")
def a_generator_draws_on_the_cpu(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """Only what the default generator draws goes to the device."""
    check_sampling(temperature, top_k, top_p)
    for each in amax(logits, -1).reshape(-1).tolist():
        if not math.isfinite(each):
            raise ValueError(f"{each}")
    if temperature == 0:
        return argmax(logits, -1)
    logits = (logits.to(float64) - amax(logits, -1, keepdim=True)) / temperature
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    reached = cumsum(softmax(logits, -1), -1)
    total = reached[..., -1:]
    place = (
        rand(
            total.shape,
            generator=generator,
            dtype=float64,
            device=logits.device if generator is None else "cpu",
        )
        * total
    )
    return argmax(reached > place, -1)


@mistake(
    "transformers.next_logits", spec="test_with_a_cache_a_long_text_is_an_error", says="nothing was raised"
)
def a_cache_and_a_crop(model, ids, cache=None):
    """The text is cropped with a cache, too: tokens are left out."""
    past = 0 if cache is None else cache.length
    if past >= ids.shape[-1]:
        raise ValueError(f"{ids.shape[-1]} tokens, {past} in the cache")
    window = ids[..., -model.config.block_size :][..., past:]
    with evaluating(model):
        return model(window, cache)[..., -1, :]
