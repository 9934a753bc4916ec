"""Classic mistakes of kata 13: masks the wrong way round, scales forgotten, heads mixed up, a future that leaks."""

from dojo.tree.mistakes import mistake

# Masks and the softmax


@mistake(
    "attention.causal_mask",
    spec="test_a_place_sees_itself_and_what_came_before",
    says="entries",
    swap=("key <= place + offset", "key < place + offset"),
)
def mask_without_itself():
    """A place does not see itself."""


@mistake(
    "attention.causal_mask",
    spec="test_a_place_sees_itself_and_what_came_before",
    says="entries",
    swap=("key <= place + offset", "key > place + offset"),
)
def mask_of_the_forbidden():
    """True where a query may not look."""


@mistake(
    "attention.causal_mask",
    spec="test_keys_may_be_more_or_fewer_than_queries",
    says="causal_mask(2, 4)",
    swap=("key <= place + offset", "key <= place + offset + (0 if S is None else S - L)"),
)
def mask_aligned_at_the_end():
    """The last query and the last key stand together, without being told so."""


@mistake(
    "attention.causal_mask",
    spec="test_queries_may_begin_later_than_the_keys",
    says="entries",
    swap=("key <= place + offset", "key <= place"),
)
def mask_without_offset():
    """The offset is forgotten: the first query sees the first key only."""


@mistake(
    "attention.causal_mask",
    spec="test_masks_are_made_on_the_device",
    says="another device",
    swap=[("arange(L, device=device)", "arange(L)"), ("else S, device=device)", "else S)")],
)
def mask_on_the_cpu():
    """The mask is always made on the CPU."""


@mistake(
    "attention.causal_mask",
    spec="test_each_text_may_have_its_own_offset",
    says="shape",
    swap=("(-1, 1, 1, 1)", "(-1, 1, 1)"),
)
def mask_takes_texts_for_heads():
    """The mask of each text has no axis for the heads: (B, L, S) is taken for (H, L, S)."""


@mistake(
    "attention.safe_softmax",
    spec="test_a_row_of_nothing_but_minus_infinity_is_0",
    says="warning",
    swap=[
        ("where(largest == -math.inf, 0.0, largest)", "largest"),
        ("where(total == 0, 1.0, total)", "total"),
    ],
)
def softmax_of_nothing():
    """The plain softmax: -inf - -inf is nan."""


@mistake(
    "attention.safe_softmax",
    spec="test_a_nan_is_not_hidden",
    says="nan",
    swap=(
        "return e / where(total == 0, 1.0, total)",
        """weights = e / where(total == 0, 1.0, total)
    return where(weights == weights, weights, 0.0)""",
    ),
)
def softmax_hides_nan():
    """Every nan becomes 0, those of a broken model too."""


@mistake(
    "attention.safe_softmax",
    spec="test_large_scores_do_not_overflow",
    says="overflow",
    swap=("exp(x - where(largest == -math.inf, 0.0, largest))", "exp(x)"),
)
def softmax_overflows():
    """The largest entry is not subtracted."""


@mistake(
    "attention.safe_softmax",
    spec="test_a_row_of_nothing_but_minus_infinity_is_0",
    says="0",
    swap=(
        "largest = amax",
        """x = where(x == -math.inf, -1e9, x)
    largest = amax""",
    ),
)
def softmax_with_a_little_more():
    """-inf is replaced by a large negative number, so that a row of nothing is shared out evenly."""


@mistake(
    "attention.safe_softmax",
    spec="test_safe_softmax_row_by_row",
    says="zero-size",
    swap=("if x.shape[dim] == 0:", "if False:"),
)
def softmax_of_no_entries():
    """An axis of size 0 has no largest entry."""


@mistake(
    "attention.safe_softmax",
    spec="test_a_very_low_score_is_still_a_score",
    says="entries",
    swap=("largest == -math.inf", "largest < -1e30"),
)
def softmax_of_what_is_large_enough():
    """A row is taken for blind when its largest entry is very small, and not only when it is -inf."""


# Weights


@mistake(
    "attention.attention_weights",
    spec="test_weights_by_hand",
    says="0.9",
    swap=("1 / math.sqrt(max(query.shape[-1], 1))", "1.0"),
)
def weights_without_scale():
    """The scores are not divided by sqrt(E)."""


@mistake(
    "attention.attention_weights",
    spec="test_weights_by_hand",
    says="0.63",
    swap=("math.sqrt(max(query.shape[-1], 1))", "max(query.shape[-1], 1)"),
)
def weights_divided_by_the_features():
    """Divided by E and not by its root."""


@mistake(
    "attention.attention_weights",
    spec="test_the_scale_may_be_given",
    says="with scale=0",
    swap=("if scale is None:", "if not scale:"),
)
def weights_take_0_for_none():
    """`scale or ...`: a scale of 0 counts as none given."""


@mistake(
    "attention.attention_weights",
    spec="test_weights_query_by_query",
    says="the weights",
    swap=("safe_softmax(scores, -1)", "safe_softmax(scores, -2)"),
)
def weights_over_the_queries():
    """The softmax runs over the queries: each key is shared out, instead of each query."""


@mistake(
    "attention.attention_weights",
    spec="test_a_boolean_mask_is_true_where_a_query_may_look",
    says="0.333",
    swap=("where(attn_mask, scores, -math.inf)", "where(attn_mask, -math.inf, scores)"),
)
def weights_hide_where_true():
    """True means hidden, as in nn.MultiheadAttention."""


@mistake(
    "attention.attention_weights",
    spec="test_a_boolean_mask_is_true_where_a_query_may_look",
    says="entries",
    swap=(
        "scores = where(attn_mask",
        "return safe_softmax(scores, -1) * attn_mask\n    scores = where(attn_mask",
    ),
)
def weights_masked_after_the_softmax():
    """The mask multiplies the weights, which no longer add up to 1."""


@mistake(
    "attention.attention_weights",
    spec="test_a_floating_point_mask_is_added_to_the_scores",
    says="entries",
    swap=[
        ("(query * scale) @", "query @"),
        ("safe_softmax(scores, -1)", "safe_softmax(scores * scale, -1)"),
    ],
)
def weights_scale_the_mask():
    """The mask is added before the scale."""


@mistake(
    "attention.attention_weights",
    spec="test_a_hidden_key_weighs_0_however_well_it_fits",
    says="entries",
    swap=("-math.inf", "-1e9"),
)
def weights_hidden_by_a_finite_number():
    """A hidden key has a score of -1e9, which is not the smallest number there is."""


@mistake(
    "attention.attention_weights",
    spec="test_is_causal_hides_the_future",
    says="the weights",
    swap=("if is_causal:", "if False:"),
)
def weights_see_the_future():
    """is_causal is ignored."""


@mistake(
    "attention.attention_weights",
    spec="test_both_a_mask_and_is_causal_are_refused",
    says="nothing was raised",
    swap=(
        "_check_mask(scores.shape, scores.dtype, attn_mask, is_causal)",
        "is_causal = is_causal and attn_mask is None",
    ),
)
def weights_prefer_the_mask():
    """With both, is_causal is dropped without a word."""


@mistake(
    "attention.attention_weights",
    spec="test_a_mask_of_another_dtype_is_refused",
    says="nothing was raised",
    swap=("_check_mask(scores.shape, scores.dtype, attn_mask, is_causal)", "pass"),
)
def weights_add_any_mask():
    """A mask of 0 and 1 is added to the scores, and hides nothing."""


# Attention


@mistake(
    "attention.scaled_dot_product_attention",
    spec="test_dropout_drops_weights",
    says="lost no weight",
    swap=("dropout(weights, dropout_p)", "weights"),
)
def attention_never_drops():
    """dropout_p is forgotten."""


@mistake(
    "attention.scaled_dot_product_attention",
    spec="test_dropout_drops_weights",
    says="some key",
    swap=(
        "dropout(weights, dropout_p) @ value",
        "weights @ (value * dropout(value[..., :1] * 0 + 1, dropout_p))",
    ),
)
def attention_drops_values():
    """Whole values are dropped, for all queries alike, and not weights."""


@mistake(
    "attention.scaled_dot_product_attention",
    spec="test_dropout_drops_weights",
    says="before they mix the values",
    swap=("dropout(weights, dropout_p) @ value", "dropout(weights @ value, dropout_p)"),
)
def attention_drops_the_mixture():
    """Features of the result are dropped, and not weights."""


@mistake(
    "attention.scaled_dot_product_attention",
    spec="test_every_key_needs_a_value",
    says="ValueError",
    swap=("_check_values(key, value)", "pass"),
)
def attention_without_a_look():
    """Nobody asks whether there is a value for each key."""


# Heads


@mistake(
    "attention.split_heads",
    spec="test_split_heads_by_hand",
    says="entries",
    swap=("T, num_heads, D // num_heads).transpose(-3, -2)", "num_heads, T, D // num_heads)"),
)
def heads_without_transpose():
    """A reshape alone deals out places, not features."""


@mistake(
    "attention.split_heads",
    spec="test_split_heads_by_hand",
    says="entries",
    swap=(
        "T, num_heads, D // num_heads).transpose(-3, -2)",
        "T, D // num_heads, num_heads).transpose(-3, -1).transpose(-2, -1)",
    ),
)
def heads_take_turns():
    """Head h has every num_heads-th feature."""


@mistake(
    "attention.split_heads",
    spec="test_heads_entry_by_entry",
    says="too many values",
    swap=(
        "*leading, T, D = x.shape",
        """_, T, D = x.shape if x.ndim == 3 else (1, *x.shape)
    leading = x.shape[:-2]""",
    ),
)
def heads_of_a_batch():
    """Only one leading axis is thought of."""


@mistake(
    "attention.merge_heads", spec="test_merge_heads_by_hand", says="entries", swap=(".transpose(-3, -2)", "")
)
def merge_without_transpose():
    """A reshape alone mixes up the places."""


# The layer


@mistake(
    "attention.MultiHeadAttention.__init__",
    spec="test_attention_has_four_projections",
    says="without bias",
    swap=(
        "self.out_proj = Linear(embed_dim, embed_dim, bias)",
        "self.out_proj = Linear(embed_dim, embed_dim)",
    ),
)
def layer_keeps_a_bias():
    """out_proj has a bias all the same."""


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


@mistake(
    "attention.MultiHeadAttention.queries_and_keys",
    spec="test_queries_and_keys_by_head",
    says="k_proj",
    swap=("self.k_proj(key)", "self.q_proj(key)"),
)
def layer_asks_what_it_offers():
    """Keys are projected by q_proj."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_self_attention_head_by_head",
    says="the result",
    swap=("self.out_proj(merge_heads(heads))", "merge_heads(heads)"),
)
def layer_without_the_last_word():
    """out_proj is forgotten."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_attention_to_another_sequence",
    says="do not fit",
    swap=("key if value is None", "query if value is None"),
)
def layer_says_what_it_asks():
    """Without a value, the query is what is said."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_dropout_only_while_training",
    says="in eval mode",
    swap=("self.dropout if self.training else 0.0", "self.dropout"),
)
def layer_drops_for_ever():
    """Weights are dropped in eval mode too."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_piece_by_piece_is_all_at_once",
    says="cut at",
    swap=("if is_causal and longest(past):", "if False:"),
)
def layer_begins_at_0():
    """With a cache, the causal mask begins at the first key, as if the queries did."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_piece_by_piece_is_all_at_once",
    says="cut at [2]",
    swap=(
        "attn_mask, is_causal = causal_mask(L, S, past, q.device), False",
        "is_causal = False",
    ),
)
def layer_sees_all_of_a_piece():
    """With a cache there is no mask at all: right for a single new token, and wrong for two."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_piece_by_piece_is_all_at_once",
    says="rope",
    swap=("query, key, past", "query, key"),
)
def layer_turns_each_piece_alike():
    """With rope, every piece is turned as if it stood at place 0."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_the_layers_of_a_model_share_a_cache",
    says="two layers",
    swap=("S, past, q.device", "S, cache.length, q.device"),
)
def layer_asks_the_cache_too_late():
    """cache.length is read again after the update, when it may have grown."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_cache_is_given_the_new_keys_and_values",
    says="layer=1",
    swap=("update(layer, k, v)", "update(0, k, v)"),
)
def layer_has_no_number():
    """All layers write into the cache of layer 0."""


@mistake(
    "attention.MultiHeadAttention.queries_and_keys",
    spec="test_eval_mode_changes_nothing_but_dropout",
    says="in eval mode",
    swap=("if self.rope", "if self.rope and self.training"),
)
def layer_turns_only_while_training():
    """rope is treated like dropout: off in eval mode."""


@mistake(
    "attention.MultiHeadAttention.__init__",
    spec="test_rope_needs_features_in_pairs",
    says="nothing was raised",
    swap=("if rope and embed_dim // num_heads % 2:", "if False:"),
)
def layer_is_told_too_late():
    """Nobody asks whether rope can turn the features of a head, until the first call."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_cache_does_not_let_a_mask_with_is_causal_pass",
    says="nothing was raised",
    swap=("_check_mask(shape, promote_types(q.dtype, k.dtype), attn_mask, is_causal)", "pass"),
)
def layer_overwrites_the_mask():
    """Once there are earlier tokens, is_causal overwrites the mask that was given."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_cache_does_not_let_a_mask_with_is_causal_pass",
    says="nothing was raised",
    swap=[
        ("_check_mask(shape, promote_types(q.dtype, k.dtype), attn_mask, is_causal)", "pass"),
        (" and longest(past):", ":"),
    ],
)
def layer_overwrites_the_mask_from_the_start():
    """With a cache, be it empty, is_causal overwrites the mask that was given."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_self_attention_head_by_head",
    says="rope=True",
    swap=(
        "if cache is not None:",
        """if self.rope:
        v = apply_rope(v, past)
    if cache is not None:""",
    ),
)
def layer_turns_values():
    """With rope the values are turned too."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_query_meets_the_keys_of_earlier_calls",
    says="the third token",
    swap=("query, key, past", "query, key, past if is_causal else 0"),
)
def layer_knows_its_place_only_if_causal():
    """Only with is_causal does rope begin at the place of the first new token."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_new_keys_may_be_more_than_queries",
    says="what two queries get",
    swap=("S, past, q", "S, S - L, q"),
)
def layer_counts_from_the_end():
    """The first query is taken to be at S - L: right where there are as many new keys as queries."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_gradients_pass_through_a_cache",
    says="got no gradient through the cache",
    swap=("update(layer, k, v)", "update(layer, k.detach(), v.detach())"),
)
def layer_cuts_the_history():
    """Keys and values are detached before they are kept: what came before learns nothing."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_gradients_pass_through_a_cache",
    says="got no gradient through the cache",
    swap=(
        "k, v = cache.update(layer, k, v)",
        """k, v = cache.update(layer, k, v)
        v = v.detach()""",
    ),
)
def layer_cuts_what_it_kept():
    """Values that come from the cache are detached."""


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_shows_what_forward_does",
    says="attention_map",
    swap=(
        "return attention_weights(q, k, attn_mask, is_causal)",
        "return attention_weights(q, k, attn_mask, is_causal).mean(-3)",
    ),
)
def map_is_a_mean():
    """The mean over the heads, as PyTorch gives by default: what one head sees is lost."""


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_shows_what_forward_does",
    says="rope=True",
    swap=(
        "q, k = self.queries_and_keys(query, query if key is None else key)",
        """q = split_heads(self.q_proj(query), self.num_heads)
    k = split_heads(self.k_proj(query if key is None else key), self.num_heads)""",
    ),
)
def map_does_not_turn():
    """The map is made of what was projected, and knows nothing of rope."""


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_of_another_sequence_may_be_causal",
    says="the map",
    swap=(
        "return attention_weights(q, k, attn_mask, is_causal)",
        "return attention_weights(q, k, attn_mask, is_causal and key is None)",
    ),
)
def map_is_causal_only_of_itself():
    """is_causal is forgotten when a key is given."""


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_leaves_the_mode_alone",
    says="after attention_map",
    swap=(
        "q, k =",
        """self.eval()
    q, k =""",
    ),
)
def map_puts_the_layer_to_sleep():
    """The layer is in eval mode from then on."""


@mistake(
    "attention.MultiHeadAttention.attention_map",
    spec="test_a_map_leaves_the_mode_alone",
    says="after attention_map",
    swap=(
        "return attention_weights",
        """self.train()
    return attention_weights""",
    ),
)
def map_wakes_the_layer():
    """The layer is told to train afterwards, whatever it did before."""


@mistake(
    "attention.causal_mask",
    spec="test_an_offset_adds_no_keys",
    says="causal_mask(2, offset=1) has shape (2, 3), expected (2, 2)",
    swap=("L if S is None else S", "L + offset if S is None else S"),
)
def mask_with_room_for_the_offset():
    """Where S is left out there are as many keys more as the offset says."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_dropout_acts_in_every_way",
    says="a cache, while training, the result",
    swap=("self.dropout if self.training else", "self.dropout if self.training and cache is None else"),
)
def no_dropout_with_a_cache():
    """Who has a cache is taken not to be training."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_dropout_acts_in_every_way",
    says="a cache, in eval mode, the result",
    swap=("self.dropout if self.training else", "self.dropout if self.training or cache is not None else"),
)
def always_dropout_with_a_cache():
    """With a cache weights are dropped in eval mode, too."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_dropout_acts_in_every_way",
    says="a mask, while training, the result",
    swap=("self.dropout if self.training else", "self.dropout if self.training and attn_mask is None else"),
)
def no_dropout_with_a_mask():
    """With a mask no weight is dropped."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_values_of_their_own_join_the_cache",
    says="the values that the cache was given",
    swap=("key if value is None else value", "key if value is None or cache is not None else value"),
)
def keys_for_values_in_the_cache():
    """With a cache the value is taken to be the key."""


# Texts of unequal lengths, and calls that are refused


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_texts_may_have_unequal_lengths",
    says="texts of",
    swap=("S, past, q", "S, longest(past), q"),
)
def layer_lets_short_texts_look_behind_their_end():
    """The causal mask is that of the longest text for all of them."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_texts_may_have_unequal_lengths",
    says="texts of",
    swap=("query, key, past", "query, key, longest(past)"),
)
def layer_turns_all_texts_like_the_longest():
    """With rope, the new tokens of all texts are turned by the place of the longest."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_texts_may_have_unequal_lengths",
    says="ambiguous",
    swap=("longest(past):", "past:"),
)
def layer_asks_an_array_for_truth():
    """`if past`: an array of several lengths is neither true nor false."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_call_that_is_refused_leaves_the_cache_alone",
    says="the count of update calls",
    swap=[
        ("_check_mask(shape, promote_types(q.dtype, k.dtype), attn_mask, is_causal)", "new = k, v"),
        (
            "if is_causal and longest(past)",
            "_check_mask(shape, promote_types(*(each.dtype for each in (q, new[0]))), attn_mask, is_causal)\n"
            "        if is_causal and longest(past)",
        ),
    ],
)
def layer_refuses_a_mask_too_late():
    """The mask is checked when the cache has the new keys and values already."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_call_that_is_refused_leaves_the_cache_alone",
    says="the count of update calls",
    swap=("_check_values(k, v)", "pass"),
)
def layer_refuses_values_too_late():
    """Whether there is a value for each key is only asked by attention itself, after the cache."""


@mistake(
    "attention.MultiHeadAttention.forward",
    spec="test_a_mask_covers_cached_keys_too",
    says="mask",
    swap=("promote_types(q.dtype, k.dtype)", "bool_"),
)
def a_cache_takes_boolean_masks_only():
    """A mask of the scores' dtype is added to them, with a cache too."""
