"""Classic mistakes of kata 15: memory lent too early, tiles that lose rows, buffers torn apart, forgotten draws."""

from dojo.authors.mistakes import mistake

# Memory


@mistake(
    "acceleration.rounded",
    spec="test_sizes_of_blocks",
    says="rounded(65_536)",
    swap=("-(-nbytes // step)", "(nbytes // step + 1)"),
)
def rounded_always_up():
    """A size that is its own block gets a larger one."""


@mistake(
    "acceleration.rounded",
    spec="test_sizes_of_blocks",
    says="rounded(65_537)",
    swap=("- 4)", "- 1)"),
)
def rounded_to_powers_of_two():
    """Blocks are powers of two, and up to half of one is wasted."""


@mistake(
    "acceleration.rounded",
    spec="test_sizes_waste_little",
    says="which is no multiple",
    swap=("return -(-nbytes // step) * step", "return -(-nbytes // 8192) * 8192"),
)
def rounded_by_a_fixed_step():
    """The step does not grow with the size: large arrays share nothing."""


@mistake(
    "acceleration.empty",
    spec="test_a_view_keeps_the_memory",
    says="is still there, and its memory was lent",
    swap=("bytearray(size)", "np.empty(size, np.uint8)"),
)
def empty_over_an_array():
    """The block is an array: views refer to it, and not to the array that was lent."""


@mistake(
    "acceleration.empty",
    spec="test_live_arrays_have_memory_of_their_own",
    says="lent again",
    swap=("blocks.pop() if blocks", "blocks[-1] if blocks"),
)
def empty_leaves_the_block_in_the_pool():
    """A lent block stays in the list."""


@mistake(
    "acceleration.empty",
    spec="test_memory_is_lent_again",
    says="new memory",
    swap=("    weakref.finalize(array, blocks.append, block).atexit = False\n", ""),
)
def empty_never_gets_anything_back():
    """Nobody tells the pool that an array is gone."""


@mistake(
    "acceleration.empty",
    spec="test_arrays_of_nearly_the_same_size_share_a_block",
    says="new memory",
    swap=("size = rounded(nbytes)", "size = nbytes"),
)
def empty_by_exact_size():
    """A block serves arrays of exactly its size only."""


@mistake(
    "acceleration.empty",
    spec="test_idle_memory_is_bounded",
    says="are kept with IDLE",
    swap=("if not blocks and sum(", "if False and sum("),
)
def empty_keeps_everything():
    """Blocks that nobody needs any more stay for ever."""


@mistake(
    "acceleration.empty",
    spec="test_an_array_may_die_in_another_thread",
    says="thread that dropped it",
    swap=(
        "weakref.finalize(array, blocks.append, block)",
        "weakref.finalize(array, lambda: pool.free[size].append(block))",
    ),
)
def empty_gives_back_to_whoever_drops_it():
    """The block goes to the pool of the thread that drops the array."""


@mistake(
    "acceleration.empty",
    spec="test_each_thread_has_a_pool_of_its_own",
    says="another one",
    swap=("blocks = pool.free[size]", "blocks = empty.__dict__.setdefault(size, [])"),
)
def empty_of_all_threads():
    """One pool for all threads."""


@mistake(
    "acceleration.empty",
    spec="test_empty_is_an_ordinary_array",
    says="not iterable",
    swap=("shape if isinstance(shape, int) else math.prod(shape)", "math.prod(shape)"),
)
def empty_without_a_number():
    """A shape that is one number is not understood."""


@mistake(
    "acceleration.empty_cache",
    spec="test_empty_cache_gives_up_what_is_free",
    says="was not lent again",
    swap=("    for blocks in pool.free.values():\n        blocks.clear()", "    pool.free.clear()"),
)
def empty_cache_forgets_the_lists():
    """The lists themselves are dropped, and what is lent now comes back to lists that nobody looks into."""


# Tiles


@mistake(
    "acceleration.tile_scores",
    spec="test_a_causal_tile_leaves_its_future_out",
    says="the scores of queries 0, 1 and 2",
    swap=("last = scores[..., start:]", "last = scores[..., start + 1 :]"),
)
def tile_sees_the_next():
    """Each query sees one key of its future."""


@mistake(
    "acceleration.tile_scores",
    spec="test_a_causal_tile_leaves_its_future_out",
    says="where mask",
    swap=("last = scores[..., start:]", "last = scores"),
)
def tile_counts_from_0():
    """Every tile is masked as if it were the first one."""


@mistake(
    "acceleration.tile_scores",
    spec="test_a_mask_of_a_tile",
    says="with a mask of numbers",
    swap=("scores += mask[..., start : start + TILE, :]", "scores += mask[..., : scores.shape[-2], :]"),
)
def tile_adds_the_first_rows():
    """Numbers are added from the first rows of the mask, whatever the tile."""


@mistake(
    "acceleration.tile_scores",
    spec="test_a_mask_of_a_tile",
    says="with a boolean mask",
    swap=("where=~mask", "where=mask"),
)
def tile_hides_what_may_be_seen():
    """True is taken for hidden."""


@mistake(
    "acceleration.attend",
    spec="test_a_blind_query_gets_0",
    says="warning",
    swap=("top[top == -math.inf] = 0", "pass"),
)
def attend_subtracts_infinity():
    """-inf - -inf is nan."""


@mistake(
    "acceleration.attend",
    spec="test_a_blind_query_gets_0",
    says="divide",
    swap=("count[count == 0] = 1", "pass"),
)
def attend_divides_by_0():
    """A blind query has the sum 0, and 0 / 0 is nan."""


@mistake(
    "acceleration.attend",
    spec="test_large_scores_do_not_overflow",
    says="the sum of exp",
    swap=("largest[tile], total[tile] = top, count", "largest[tile], total[tile] = top + np.log(count), 1"),
)
def attend_saves_a_logarithm():
    """The logarithm of the sum is added to the largest score, and rounded away."""


@mistake(
    "acceleration.attend",
    spec="test_large_scores_do_not_overflow",
    says="overflow",
    swap=("scores -= top", "top[...] = 0"),
)
def attend_overflows():
    """The largest score is not subtracted."""


@mistake(
    "acceleration.attend",
    spec="test_attend_goes_through_all_tiles",
    says="the result",
    swap=("range(0, q.shape[-2], TILE)", "range(0, q.shape[-2] - TILE + 1, TILE)"),
)
def attend_drops_the_rest():
    """Queries of a tile that is not full are left out."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_attend",
    says="the gradient of k",
    swap=("dk[..., keys, :] += ds", "dk[..., keys, :] = ds"),
)
def backward_keeps_the_last_tile():
    """Each tile overwrites what the tiles before it gave to the keys."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_attend",
    says="the gradient of",
    swap=("ds -= np.vecdot(p, ds)[..., None]", "pass"),
)
def backward_forgets_the_sum():
    """The softmax is taken for an exponential: its sum has a gradient too."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_attend",
    says="the gradient of",
    swap=("p /= total[tile]", "pass"),
)
def backward_forgets_to_divide():
    """The exponentials are taken for the weights."""


@mistake(
    "acceleration.attend_backward",
    spec="test_gradients_of_attend",
    says="the gradient of",
    swap=("dk[...], dv[...] = 0, 0", "dk[...] = 0"),
)
def backward_adds_to_what_is_there():
    """dv begins with whatever stands in the memory."""


@mistake(
    "acceleration.TiledAttention.forward",
    spec="test_the_kernel_is_the_composition",
    says="entries wrong",
    swap=("q = query * query.dtype.type(scale)", "q = query / query.dtype.type(math.sqrt(query.shape[-1]))"),
)
def kernel_with_its_own_scale():
    """The scale that is given does not count."""


@mistake(
    "acceleration.TiledAttention.forward",
    spec="test_merging_the_heads_copies_nothing",
    says="the strides are",
    swap=("like_heads(", "np.empty("),
)
def kernel_with_ordinary_memory():
    """The result lies head by head, and merging the heads copies it."""


@mistake(
    "acceleration.TiledAttention.forward",
    spec="test_memory_grows_with_the_length",
    says="MB for 2048",
    swap=("ctx.mask, ctx.is_causal", "ctx.weights = q @ key.swapaxes(-1, -2)\n    ctx.mask, ctx.is_causal"),
)
def kernel_keeps_the_scores():
    """All scores are kept, for later."""


@mistake(
    "acceleration.TiledAttention.backward",
    spec="test_the_kernel_is_the_composition",
    says="the gradient of query",
    swap=("    dq *= query.dtype.type(ctx.scale)\n", ""),
)
def kernel_forgets_the_scale():
    """The gradient for the scaled query is taken for that of the query."""


@mistake(
    "acceleration.like_heads",
    spec="test_memory_lies_as_merge_heads_reads_it",
    says="the strides are",
    swap=("return empty((*lead, T, H, E), dtype).swapaxes(-3, -2)", "return empty(shape, dtype)"),
)
def heads_in_ordinary_memory():
    """The memory has the order of the axes."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_the_kernel_leaves_to_the_composition",
    says="a mask that learns",
    swap=("mask.requires_grad or ", ""),
)
def tiles_for_a_mask_that_learns():
    """The mask gets no gradient, and nobody says so."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_the_kernel_leaves_to_the_composition",
    says="warning",
    swap=("for each in (query, key, value))", "for each in (query,))"),
)
def tiles_for_infinite_keys():
    """Only the queries are looked at."""


@mistake(
    "acceleration.fits_tiles",
    spec="test_what_the_kernel_leaves_to_the_composition",
    says="float16",
    swap=("query.dtype not in (np.float32, np.float64) or ", ""),
)
def tiles_for_halves():
    """float16 is computed in float16."""


@mistake(
    "acceleration.attention_in_tiles",
    spec="test_what_the_kernel_leaves_to_the_composition",
    says="dropout",
    swap=("if dropout_p or (", "if ("),
)
def tiles_without_dropout():
    """Dropout is forgotten."""


@mistake(
    "acceleration.attention_in_tiles",
    spec="test_the_kernel_is_the_composition",
    says="entries wrong",
    swap=("if scale is None else float(scale)", ""),
)
def tiles_with_the_usual_scale():
    """Whatever scale is given, the usual one is taken."""


# Flat


@mistake(
    "acceleration.side_by_side",
    spec="test_a_buffer_dies_with_its_pieces",
    says="still there",
    swap=("[weakref.ref(each) for each in copies]", "[lambda each=each: each for each in copies]"),
)
def buffer_holds_its_pieces():
    """Buffer and pieces hold each other, and nothing ever frees them."""


@mistake(
    "acceleration.side_by_side",
    spec="test_arrays_side_by_side",
    says="piece",
    swap=("offset += each.nbytes", "offset += each.size"),
)
def offsets_in_entries():
    """The offset is counted in entries, not in bytes: pieces overlap."""


@mistake(
    "acceleration.side_by_side",
    spec="test_arrays_side_by_side",
    says="is a Buffer",
    swap=(
        "np.ndarray(each.shape, each.dtype, buffer, offset)",
        "buffer[offset // each.itemsize :][: each.size].reshape(each.shape)",
    ),
)
def pieces_are_buffers():
    """Slices of a Buffer are Buffers, and so is all that is computed from them."""


@mistake(
    "acceleration.behind",
    spec="test_only_the_pieces_themselves_have_something_behind",
    says="another order",
    swap=("return buffer.view(np.ndarray) if same else None", "return buffer.view(np.ndarray)"),
)
def behind_any_views():
    """One base is enough: pieces in another order are taken for the buffer."""


@mistake(
    "acceleration.behind",
    spec="test_only_the_pieces_themselves_have_something_behind",
    says="a part",
    swap=(" or len(buffer.pieces) != len(arrays)", ""),
)
def behind_a_part():
    """A list that is shorter than the buffer passes."""


@mistake(
    "acceleration.flatten",
    spec="test_flatten_moves_parameters_and_state",
    says="exp_avg is not side by side",
    swap=("    optimizer.load_state_dict(optimizer.state_dict())", "    pass"),
)
def flatten_only_parameters():
    """The state stays where it was, and no step is flat."""


@mistake(
    "acceleration.flatten",
    spec="test_flatten_keeps_parameters_and_state",
    says="parameter",
    swap=(
        "side_by_side([each.data for each in params])",
        "zeros_side_by_side([each.data for each in params])",
    ),
)
def flatten_to_zeros():
    """The parameters get a place, and lose their values."""


@mistake(
    "acceleration.flatten",
    spec="test_parameters_of_two_dtypes_do_not_fit_one_buffer",
    says="too small",
    swap=("if len(kinds) > 1:", "if False:"),
)
def flatten_mixes_dtypes():
    """float64 parameters become float32."""


@mistake(
    "acceleration.flatten",
    spec="test_parameters_that_share_memory_are_not_torn_apart",
    says="nothing was raised",
    swap=("if np.may_share_memory(one.data, other.data):", "if one is other:"),
)
def flatten_tears_apart():
    """Parameters that share memory get a piece each."""


@mistake(
    "acceleration.zeros_side_by_side",
    spec="test_zeros_side_by_side",
    says="array 0",
    swap=("        each[...] = 0\n", "        pass\n"),
)
def zeros_that_are_copies():
    """The copies keep their entries."""


@mistake(
    "acceleration.zeros_side_by_side",
    spec="test_zeros_side_by_side",
    says="out of range",
    swap=("if not arrays or not all(", "if not all("),
)
def zeros_of_nothing():
    """Without an array there is no dtype."""


@mistake(
    "acceleration.gathered",
    spec="test_gradients_are_gathered",
    says="gradients in float64",
    swap=("g.dtype != dtype or ", ""),
)
def gathered_and_cast():
    """Gradients of another dtype are cast in silence."""


@mistake(
    "acceleration.blocks",
    spec="test_blocks_cover_everything",
    says="the blocks of a",
    swap=("range(0, len(arrays[0]), BLOCK)", "range(0, len(arrays[0]) - BLOCK, BLOCK)"),
)
def blocks_without_the_last():
    """The end of the arrays is left out."""


@mistake(
    "acceleration.adam_flat",
    spec="test_adam_hands_back_what_is_not_flat",
    says="steps",
    swap=(" or len(set(steps)) > 1", ""),
)
def adam_with_one_step_for_all():
    """Parameters that joined later are corrected as if they were there from the start."""


@mistake(
    "acceleration.adam_flat",
    spec="test_adam_moves_all_together",
    says="params[0]",
    swap=("t /= math.sqrt(correction2)\n        t += eps", "t += eps\n        t /= math.sqrt(correction2)"),
)
def adam_corrects_eps():
    """eps is added before the correction."""


@mistake(
    "acceleration.adam_flat",
    spec="test_a_buffer_longer_than_a_block",
    says="shape",
    swap=("t = scratch[: p_.size]", "t = scratch"),
)
def adam_with_full_blocks_only():
    """The last block is shorter than the scratch array."""


@mistake(
    "acceleration.sgd_flat",
    spec="test_sgd_moves_all_together",
    says="params[0]",
    swap=("        if first:\n            buffer_[...] = g_\n        else:\n", "        if True:\n"),
)
def sgd_damps_the_first_step():
    """The first buffer is momentum times whatever is there, plus a damped gradient."""


@mistake(
    "acceleration.sgd_flat",
    spec="test_sgd_hands_back_what_is_not_flat",
    says="no momentum",
    swap=("behind(params) if momentum else None", "behind(params)"),
)
def sgd_flat_without_momentum():
    """Without momentum a buffer is made, and the caller's list is changed."""


# Forget and compute again


@mistake(
    "acceleration.generator_again",
    spec="test_a_generator_can_draw_again",
    says="second generator",
    swap=(
        "partial(copy.deepcopy, copy.deepcopy(generator))",
        "partial(lambda each: each, copy.deepcopy(generator))",
    ),
)
def generator_again_once():
    """The same generator each time: the second pass draws on."""


@mistake(
    "acceleration.generator_again",
    spec="test_dropout_drops_the_same_again",
    says="the gradient, where 0 or 2",
    swap=("copy.deepcopy(generator))", "generator)"),
)
def generator_again_too_late():
    """The generator is copied when it has drawn already."""


@mistake(
    "acceleration.generator_again",
    spec="test_dropout_on_a_device",
    says="the gradient",
    swap=("    generators[device] = make()\n", ""),
)
def generator_again_on_the_cpu_only():
    """On a GPU the first pass draws from another generator than the second."""


@mistake(
    "acceleration.drawing_from_again",
    spec="test_generators_are_exchanged_for_a_while",
    says="after an error",
    swap=(
        "    try:\n        yield\n    finally:\n        generators.clear()\n        generators.update(before)",
        "    yield\n    generators.clear()\n    generators.update(before)",
    ),
)
def generators_lost_by_an_error():
    """After an error the generators stay exchanged."""


@mistake(
    "acceleration.leaves_below",
    spec="test_what_is_older_is_not_below",
    says="nothing was raised",
    swap=("node.number <= older", "node.number < 0"),
)
def leaves_of_anything():
    """Nobody asks where a Tensor was computed."""


@mistake(
    "acceleration.leaves_below",
    spec="test_the_leaves_below_an_output",
    says="their number",
    swap=(
        "list(dict.fromkeys(each for each in reached if isinstance(each, Tensor)))",
        "[each for each in reached if isinstance(each, Tensor)]",
    ),
)
def leaves_twice():
    """A leaf that is used twice is listed twice, and its gradient counts twice."""


@mistake(
    "acceleration.checkpoint",
    spec="test_checkpoints_may_be_nested",
    says="Error",
    swap=("with enable_grad(), drawing", "with drawing"),
)
def checkpoint_without_recording():
    """Backward does not record, so there is nothing to go back through."""


@mistake(
    "acceleration.checkpoint",
    spec="test_what_was_computed_is_forgotten",
    says="whether the Tensor in the middle",
    swap=("result = output.detach()", "rule.__dict__['first'] = output\n    result = output.detach()"),
)
def checkpoint_remembers():
    """The rule holds the first output, and with it all that was computed."""


@mistake(
    "acceleration.checkpoint",
    spec="test_changes_in_place_are_noticed",
    says="nothing was raised",
    swap=(", tensors=origins)", ")"),
)
def checkpoint_without_versions():
    """Inputs may change before they are used again."""


@mistake(
    "acceleration.checkpoint",
    spec="test_dropout_drops_the_same_again",
    says="the gradient, where 0 or 2",
    swap=(
        "with enable_grad(), drawing_from_again({device: make() for device, make in again.items()}):",
        "with enable_grad():",
    ),
)
def checkpoint_draws_on():
    """The second call drops other entries."""


@mistake(
    "acceleration.checkpoint",
    spec="test_the_function_is_called_twice",
    says="under no_grad",
    swap=("if not output.requires_grad:", "if False:"),
)
def checkpoint_always_records():
    """A Node is made for what needs no gradient, too."""


@mistake(
    "acceleration.checkpoint",
    spec="test_inputs_may_be_computed",
    says="the gradient",
    swap=("edges_to(origins)", "edges_to(list(places) or origins)"),
)
def checkpoint_ends_at_its_leaves():
    """The edges lead to the leaves that stand for the inputs, and no further."""
