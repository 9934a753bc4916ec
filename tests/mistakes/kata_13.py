"""Classic mistakes of kata 13: masks the wrong way round, scales forgotten, heads mixed up, a future that leaks."""

from dojo.authors.mistakes import mistake

# Masks and the softmax


@mistake("attention.causal_mask", spec="test_a_place_sees_itself_and_what_came_before", says="entries")
def mask_without_itself(L, S=None, offset=0, device="cpu"):
    """A place does not see itself."""
    return tril(ones(L, L if S is None else S, dtype=bool_, device=device), diagonal=offset - 1)


@mistake("attention.causal_mask", spec="test_a_place_sees_itself_and_what_came_before", says="entries")
def mask_of_the_forbidden(L, S=None, offset=0, device="cpu"):
    """True where a query may not look."""
    return ~tril(ones(L, L if S is None else S, dtype=bool_, device=device), diagonal=offset)


@mistake(
    "attention.causal_mask", spec="test_keys_may_be_more_or_fewer_than_queries", says="causal_mask(2, 4)"
)
def mask_aligned_at_the_end(L, S=None, offset=0, device="cpu"):
    """The last query and the last key stand together, without being told so."""
    S = L if S is None else S
    return tril(ones(L, S, dtype=bool_, device=device), diagonal=offset + S - L)


@mistake("attention.causal_mask", spec="test_queries_may_begin_later_than_the_keys", says="entries")
def mask_without_offset(L, S=None, offset=0, device="cpu"):
    """The offset is forgotten: the first query sees the first key only."""
    return tril(ones(L, L if S is None else S, dtype=bool_, device=device))


@mistake("attention.causal_mask", spec="test_masks_are_made_on_the_device", says="another device")
def mask_on_the_cpu(L, S=None, offset=0, device="cpu"):
    """The mask is always made on the CPU."""
    return tril(ones(L, L if S is None else S, dtype=bool_), diagonal=offset)


@mistake("attention.safe_softmax", spec="test_a_row_of_nothing_but_minus_infinity_is_0", says="warning")
def softmax_of_nothing(x, dim):
    """The plain softmax: -inf - -inf is nan."""
    e = exp(x - amax(x, dim, keepdim=True).detach())
    return e / sum(e, dim, keepdim=True)


@mistake("attention.safe_softmax", spec="test_a_nan_is_not_hidden", says="nan")
def softmax_hides_nan(x, dim):
    """Every nan becomes 0, those of a broken model too."""
    if x.shape[dim] == 0:
        return x
    largest = amax(x, dim, keepdim=True).detach()
    e = exp(x - where(largest == -math.inf, 0.0, largest))
    total = sum(e, dim, keepdim=True)
    weights = e / where(total == 0, 1.0, total)
    return where(weights == weights, weights, 0.0)


@mistake("attention.safe_softmax", spec="test_large_scores_do_not_overflow", says="overflow")
def softmax_overflows(x, dim):
    """The largest entry is not subtracted."""
    e = exp(x)
    total = sum(e, dim, keepdim=True)
    return e / where(total == 0, 1.0, total)


@mistake("attention.safe_softmax", spec="test_a_row_of_nothing_but_minus_infinity_is_0", says="0")
def softmax_with_a_little_more(x, dim):
    """-inf is replaced by a large negative number, so that a row of nothing is shared out evenly."""
    x = where(x == -math.inf, -1e9, x)
    e = exp(x - amax(x, dim, keepdim=True).detach())
    return e / sum(e, dim, keepdim=True)


@mistake("attention.safe_softmax", spec="test_safe_softmax_row_by_row", says="zero-size")
def softmax_of_no_entries(x, dim):
    """An axis of size 0 has no largest entry."""
    largest = amax(x, dim, keepdim=True).detach()
    e = exp(x - where(largest == -math.inf, 0.0, largest))
    total = sum(e, dim, keepdim=True)
    return e / where(total == 0, 1.0, total)


@mistake("attention.safe_softmax", spec="test_a_very_low_score_is_still_a_score", says="entries")
def softmax_of_what_is_large_enough(x, dim):
    """A row is taken for blind when its largest entry is very small, and not only when it is -inf."""
    if x.shape[dim] == 0:
        return x
    largest = amax(x, dim, keepdim=True).detach()
    blind = largest < -1e30
    e = where(blind, 0.0, exp(x - where(blind, 0.0, largest)))
    return e / where(blind, 1.0, sum(e, dim, keepdim=True))


# Weights


@mistake("attention.attention_weights", spec="test_weights_by_hand", says="0.9")
def weights_without_scale(query, key, attn_mask=None, is_causal=False, scale=None):
    """The scores are not divided by sqrt(E)."""
    return safe_softmax((query * (1.0 if scale is None else scale)) @ key.transpose(-2, -1), -1)


@mistake("attention.attention_weights", spec="test_weights_by_hand", says="0.63")
def weights_divided_by_the_features(query, key, attn_mask=None, is_causal=False, scale=None):
    """Divided by E and not by its root."""
    return safe_softmax((query * (1 / query.shape[-1])) @ key.transpose(-2, -1), -1)


@mistake("attention.attention_weights", spec="test_the_scale_may_be_given", says="with scale=0")
def weights_take_0_for_none(query, key, attn_mask=None, is_causal=False, scale=None):
    """`scale or ...`: a scale of 0 counts as none given."""
    scale = scale or 1 / math.sqrt(max(query.shape[-1], 1))
    return safe_softmax((query * scale) @ key.transpose(-2, -1), -1)


@mistake("attention.attention_weights", spec="test_weights_query_by_query", says="the weights")
def weights_over_the_queries(query, key, attn_mask=None, is_causal=False, scale=None):
    """The softmax runs over the queries: each key is shared out, instead of each query."""
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    return safe_softmax(scores, -2 if scores.shape[-2] > 1 else -1)


@mistake(
    "attention.attention_weights",
    spec="test_a_boolean_mask_is_true_where_a_query_may_look",
    says="0.333",
)
def weights_hide_where_true(query, key, attn_mask=None, is_causal=False, scale=None):
    """True means hidden, as in nn.MultiheadAttention."""
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    if attn_mask is not None:
        scores = where(attn_mask, -math.inf, scores) if attn_mask.dtype == bool_ else scores + attn_mask
    return safe_softmax(scores, -1)


@mistake(
    "attention.attention_weights", spec="test_a_boolean_mask_is_true_where_a_query_may_look", says="entries"
)
def weights_masked_after_the_softmax(query, key, attn_mask=None, is_causal=False, scale=None):
    """The mask multiplies the weights, which no longer add up to 1."""
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    weights = safe_softmax((query * scale) @ key.transpose(-2, -1), -1)
    return weights if attn_mask is None else weights * attn_mask


@mistake(
    "attention.attention_weights", spec="test_a_floating_point_mask_is_added_to_the_scores", says="entries"
)
def weights_scale_the_mask(query, key, attn_mask=None, is_causal=False, scale=None):
    """The mask is added before the scale."""
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = query @ key.transpose(-2, -1)
    if attn_mask is not None:
        scores = where(attn_mask, scores, -math.inf) if attn_mask.dtype == bool_ else scores + attn_mask
    return safe_softmax(scores * scale, -1)


@mistake(
    "attention.attention_weights",
    spec="test_a_hidden_key_weighs_0_however_well_it_fits",
    says="entries",
)
def weights_hidden_by_a_finite_number(query, key, attn_mask=None, is_causal=False, scale=None):
    """A hidden key has a score of -1e9, which is not the smallest number there is."""
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    if attn_mask is not None:
        if attn_mask.dtype == bool_:
            seen = sum(attn_mask, -1, keepdim=True) > 0
            scores = where(seen, where(attn_mask, scores, -1e9), -math.inf)
        else:
            scores = scores + attn_mask
    return safe_softmax(scores, -1)


@mistake("attention.attention_weights", spec="test_is_causal_hides_the_future", says="the weights")
def weights_see_the_future(query, key, attn_mask=None, is_causal=False, scale=None):
    """is_causal is ignored."""
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    return safe_softmax(scores if attn_mask is None else _masked(scores, attn_mask), -1)


@mistake(
    "attention.attention_weights",
    spec="test_both_a_mask_and_is_causal_are_refused",
    says="nothing was raised",
)
def weights_prefer_the_mask(query, key, attn_mask=None, is_causal=False, scale=None):
    """With both, is_causal is dropped without a word."""
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    if attn_mask is None and is_causal:
        attn_mask = causal_mask(scores.shape[-2], scores.shape[-1], device=scores.device)
    return safe_softmax(scores if attn_mask is None else _masked(scores, attn_mask), -1)


@mistake(
    "attention.attention_weights", spec="test_a_mask_of_another_dtype_is_refused", says="nothing was raised"
)
def weights_add_any_mask(query, key, attn_mask=None, is_causal=False, scale=None):
    """A mask of 0 and 1 is added to the scores, and hides nothing."""
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    if is_causal and attn_mask is not None:
        raise ValueError("attn_mask and is_causal")
    if is_causal:
        attn_mask = causal_mask(scores.shape[-2], scores.shape[-1], device=scores.device)
    if attn_mask is not None:
        scores = where(attn_mask, scores, -math.inf) if attn_mask.dtype == bool_ else scores + attn_mask
    return safe_softmax(scores, -1)


# Attention


@mistake("attention.scaled_dot_product_attention", spec="test_dropout_drops_weights", says="lost no weight")
def attention_never_drops(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """dropout_p is forgotten."""
    return attention_weights(query, key, attn_mask, is_causal, scale) @ value


@mistake("attention.scaled_dot_product_attention", spec="test_dropout_drops_weights", says="some key")
def attention_drops_values(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """Whole values are dropped, for all queries alike, and not weights."""
    kept = dropout(ones(value.shape[-2], 1), dropout_p)
    return attention_weights(query, key, attn_mask, is_causal, scale) @ (value * kept)


@mistake(
    "attention.scaled_dot_product_attention",
    spec="test_dropout_drops_weights",
    says="before they mix the values",
)
def attention_drops_the_mixture(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None
):
    """Features of the result are dropped, and not weights."""
    return dropout(attention_weights(query, key, attn_mask, is_causal, scale) @ value, dropout_p)


@mistake("attention.scaled_dot_product_attention", spec="test_every_key_needs_a_value", says="ValueError")
def attention_without_a_look(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """Nobody asks whether there is a value for each key."""
    return dropout(attention_weights(query, key, attn_mask, is_causal, scale), dropout_p) @ value


# Heads


@mistake("attention.split_heads", spec="test_split_heads_by_hand", says="entries")
def heads_without_transpose(x, num_heads):
    """A reshape alone deals out places, not features."""
    *leading, T, D = x.shape
    return x.reshape(*leading, num_heads, T, D // num_heads)


@mistake("attention.split_heads", spec="test_split_heads_by_hand", says="entries")
def heads_take_turns(x, num_heads):
    """Head h has every num_heads-th feature."""
    *leading, T, D = x.shape
    x = x.reshape(*leading, T, D // num_heads, num_heads)
    return x.transpose(-3, -1).transpose(-2, -1)


@mistake("attention.split_heads", spec="test_heads_entry_by_entry", says="too many values")
def heads_of_a_batch(x, num_heads):
    """Only one leading axis is thought of."""
    B, T, D = x.shape if x.ndim == 3 else (1, *x.shape)
    return x.reshape(B, T, num_heads, D // num_heads).transpose(1, 2)[0 if x.ndim == 2 else slice(None)]


@mistake("attention.merge_heads", spec="test_merge_heads_by_hand", says="entries")
def merge_without_transpose(x):
    """A reshape alone mixes up the places."""
    *leading, H, T, E = x.shape
    return x.reshape(*leading, T, H * E)


# The layer


@mistake(
    "attention.MultiHeadAttention.__init__", spec="test_attention_has_four_projections", says="without bias"
)
def layer_keeps_a_bias(self, embed_dim, num_heads, dropout=0.0, bias=True, rope=False):
    """out_proj has a bias all the same."""
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"{embed_dim} {num_heads}")
    self.num_heads, self.dropout, self.rope = num_heads, dropout, rope
    self.q_proj = Linear(embed_dim, embed_dim, bias)
    self.k_proj = Linear(embed_dim, embed_dim, bias)
    self.v_proj = Linear(embed_dim, embed_dim, bias)
    self.out_proj = Linear(embed_dim, embed_dim)


@mistake(
    "attention.MultiHeadAttention.queries_and_keys",
    spec="test_rope_turns_queries_and_keys",
    says="the queries",
)
def layer_turns_before_the_split(self, query, key, start=0):
    """apply_rope sees all features at once, so that each head has clock hands of its own."""
    q, k = self.q_proj(query), self.k_proj(key)
    if self.rope:
        q, k = apply_rope(q, start), apply_rope(k, start)
    return split_heads(q, self.num_heads), split_heads(k, self.num_heads)


@mistake("attention.MultiHeadAttention.queries_and_keys", spec="test_queries_and_keys_by_head", says="k_proj")
def layer_asks_what_it_offers(self, query, key, start=0):
    """Keys are projected by q_proj."""
    q, k = split_heads(self.q_proj(query), self.num_heads), split_heads(self.q_proj(key), self.num_heads)
    return (apply_rope(q, start), apply_rope(k, start)) if self.rope else (q, k)


@mistake("attention.MultiHeadAttention.forward", spec="test_self_attention_head_by_head", says="the result")
def layer_without_the_last_word(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """out_proj is forgotten."""
    key = query if key is None else key
    q, k = self.queries_and_keys(query, key)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    return merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, 0.0, is_causal))


@mistake("attention.MultiHeadAttention.forward", spec="test_attention_to_another_sequence", says="do not fit")
def layer_says_what_it_asks(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """Without a value, the query is what is said."""
    q, k = self.queries_and_keys(query, query if key is None else key)
    v = split_heads(self.v_proj(query if value is None else value), self.num_heads)
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, 0.0, is_causal)))


@mistake("attention.MultiHeadAttention.forward", spec="test_dropout_only_while_training", says="in eval mode")
def layer_drops_for_ever(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """Weights are dropped in eval mode too."""
    key = query if key is None else key
    q, k = self.queries_and_keys(query, key)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    heads = scaled_dot_product_attention(q, k, v, attn_mask, self.dropout, is_causal)
    return self.out_proj(merge_heads(heads))


@mistake("attention.MultiHeadAttention.forward", spec="test_piece_by_piece_is_all_at_once", says="cut at")
def layer_begins_at_0(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """With a cache, the causal mask begins at the first key, as if the queries did."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake("attention.MultiHeadAttention.forward", spec="test_piece_by_piece_is_all_at_once", says="cut at [2]")
def layer_sees_all_of_a_piece(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """With a cache there is no mask at all: right for a single new token, and wrong for two."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        is_causal = is_causal and not past
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake("attention.MultiHeadAttention.forward", spec="test_piece_by_piece_is_all_at_once", says="rope")
def layer_turns_each_piece_alike(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """With rope, every piece is turned as if it stood at place 0."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        if is_causal and past and attn_mask is None:
            attn_mask, is_causal = causal_mask(q.shape[-2], k.shape[-2], past, q.device), False
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.forward", spec="test_the_layers_of_a_model_share_a_cache", says="two layers"
)
def layer_asks_the_cache_too_late(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """cache.length is read again after the update, when it may have grown."""
    key = query if key is None else key
    q, k = self.queries_and_keys(query, key, 0 if cache is None else cache.length)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        if is_causal and attn_mask is None:
            attn_mask, is_causal = causal_mask(q.shape[-2], k.shape[-2], cache.length, q.device), False
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_cache_is_given_the_new_keys_and_values",
    says="layer=1",
)
def layer_has_no_number(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """All layers write into the cache of layer 0."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(0, k, v)
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.queries_and_keys",
    spec="test_eval_mode_changes_nothing_but_dropout",
    says="in eval mode",
)
def layer_turns_only_while_training(self, query, key, start=0):
    """rope is treated like dropout: off in eval mode."""
    q, k = split_heads(self.q_proj(query), self.num_heads), split_heads(self.k_proj(key), self.num_heads)
    return (apply_rope(q, start), apply_rope(k, start)) if self.rope and self.training else (q, k)


@mistake(
    "attention.MultiHeadAttention.__init__",
    spec="test_rope_needs_features_in_pairs",
    says="nothing was raised",
)
def layer_is_told_too_late(self, embed_dim, num_heads, dropout=0.0, bias=True, rope=False):
    """Nobody asks whether rope can turn the features of a head, until the first call."""
    if num_heads < 1 or embed_dim % num_heads or not 0 <= dropout <= 1:
        raise ValueError(f"{embed_dim} {num_heads} {dropout}")
    self.num_heads, self.dropout, self.rope = num_heads, dropout, rope
    self.q_proj = Linear(embed_dim, embed_dim, bias)
    self.k_proj = Linear(embed_dim, embed_dim, bias)
    self.v_proj = Linear(embed_dim, embed_dim, bias)
    self.out_proj = Linear(embed_dim, embed_dim, bias)


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_cache_does_not_let_a_mask_with_is_causal_pass",
    says="nothing was raised",
)
def layer_overwrites_the_mask(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """Once there are earlier tokens, is_causal overwrites the mask that was given."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        if is_causal and past:
            attn_mask, is_causal = causal_mask(q.shape[-2], k.shape[-2], past, q.device), False
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_cache_does_not_let_a_mask_with_is_causal_pass",
    says="nothing was raised",
)
def layer_overwrites_the_mask_from_the_start(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """With a cache, be it empty, is_causal overwrites the mask that was given."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        if is_causal:
            attn_mask, is_causal = causal_mask(q.shape[-2], k.shape[-2], past, q.device), False
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake("attention.MultiHeadAttention.forward", spec="test_self_attention_head_by_head", says="rope=True")
def layer_turns_values(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """With rope the values are turned too."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if self.rope:
        v = apply_rope(v, past)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        if is_causal and past and attn_mask is None:
            attn_mask, is_causal = causal_mask(q.shape[-2], k.shape[-2], past, q.device), False
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_query_meets_the_keys_of_earlier_calls",
    says="the third token",
)
def layer_knows_its_place_only_if_causal(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """Only with is_causal does rope begin at the place of the first new token."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past if is_causal else 0)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        if is_causal and past and attn_mask is None:
            attn_mask, is_causal = causal_mask(q.shape[-2], k.shape[-2], past, q.device), False
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_new_keys_may_be_more_than_queries",
    says="what two queries get",
)
def layer_counts_from_the_end(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """The first query is taken to be at S - L: right where there are as many new keys as queries."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        if is_causal and past and attn_mask is None:
            attn_mask, is_causal = (
                causal_mask(q.shape[-2], k.shape[-2], k.shape[-2] - q.shape[-2], q.device),
                False,
            )
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_gradients_pass_through_a_cache",
    says="got no gradient through the cache",
)
def layer_cuts_the_history(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """Keys and values are detached before they are kept: what came before learns nothing."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k.detach(), v.detach())
        if is_causal and past and attn_mask is None:
            attn_mask, is_causal = causal_mask(q.shape[-2], k.shape[-2], past, q.device), False
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_gradients_pass_through_a_cache",
    says="got no gradient through the cache",
)
def layer_cuts_what_it_kept(
    self, query, key=None, value=None, attn_mask=None, is_causal=False, cache=None, layer=0
):
    """Values that come from the cache are detached."""
    key = query if key is None else key
    past = 0 if cache is None else cache.length
    q, k = self.queries_and_keys(query, key, past)
    v = split_heads(self.v_proj(key if value is None else value), self.num_heads)
    if cache is not None:
        k, v = cache.update(layer, k, v)
        v = v.detach()
        if is_causal and past and attn_mask is None:
            attn_mask, is_causal = causal_mask(q.shape[-2], k.shape[-2], past, q.device), False
    p = self.dropout if self.training else 0.0
    return self.out_proj(merge_heads(scaled_dot_product_attention(q, k, v, attn_mask, p, is_causal)))


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_shows_what_forward_does",
    says="attention_map",
)
def map_is_a_mean(self, query, key=None, attn_mask=None, is_causal=False):
    """The mean over the heads, as PyTorch gives by default: what one head sees is lost."""
    q, k = self.queries_and_keys(query, query if key is None else key)
    return attention_weights(q, k, attn_mask, is_causal).mean(-3)


@mistake(
    "attention.MultiHeadAttention.attention_map", spec="test_a_map_shows_what_forward_does", says="rope=True"
)
def map_does_not_turn(self, query, key=None, attn_mask=None, is_causal=False):
    """The map is made of what was projected, and knows nothing of rope."""
    key = query if key is None else key
    q, k = split_heads(self.q_proj(query), self.num_heads), split_heads(self.k_proj(key), self.num_heads)
    return attention_weights(q, k, attn_mask, is_causal)


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_of_another_sequence_may_be_causal",
    says="the map",
)
def map_is_causal_only_of_itself(self, query, key=None, attn_mask=None, is_causal=False):
    """is_causal is forgotten when a key is given."""
    q, k = self.queries_and_keys(query, query if key is None else key)
    return attention_weights(q, k, attn_mask, is_causal and key is None)


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_leaves_the_mode_alone",
    says="after attention_map",
)
def map_puts_the_layer_to_sleep(self, query, key=None, attn_mask=None, is_causal=False):
    """The layer is in eval mode from then on."""
    self.eval()
    q, k = self.queries_and_keys(query, query if key is None else key)
    return attention_weights(q, k, attn_mask, is_causal)


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_leaves_the_mode_alone",
    says="after attention_map",
)
def map_wakes_the_layer(self, query, key=None, attn_mask=None, is_causal=False):
    """The layer is told to train afterwards, whatever it did before."""
    self.eval()
    q, k = self.queries_and_keys(query, query if key is None else key)
    self.train()
    return attention_weights(q, k, attn_mask, is_causal)
