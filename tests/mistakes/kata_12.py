"""Classic mistakes of kata 12: ids that wrap, gradients that are lost or doubled, padding, wrong rotations."""

from dojo.tree.mistakes import mistake

# Lookup


@mistake(
    "embeddings.embedding",
    spec="test_an_id_outside_is_refused",
    says="nothing was raised",
    swap=("(ids < 0) | (ids >= rows)", "ids >= rows"),
)
def minus_one_is_the_last_row():
    """NumPy's own check: it lets negative ids pass."""


@mistake(
    "embeddings.embedding",
    spec="test_an_id_outside_is_refused",
    says="should hold",
    swap=("id {int(outside[0])} is", "an id is"),
)
def the_error_names_no_id():
    """An IndexError without the id."""


@mistake(
    "embeddings.embedding",
    spec="test_the_first_id_outside_is_named",
    says="should hold 7",
    swap=("outside[0]", "outside.max()"),
)
def the_largest_id_is_named():
    """The largest of the ids outside is reported, not the first."""


@mistake(
    "embeddings.embedding",
    spec="test_ids_have_any_shape",
    says="zero-size",
    swap=("if outside.size:", "if ids.max() >= rows or ids.min() < 0:"),
)
def no_ids_have_no_maximum():
    """The range is checked by the maximum, which an empty batch does not have."""


@mistake(
    "embeddings.embedding",
    spec="test_ids_have_any_shape",
    says="shape",
    swap=("out = weight[ids]", "out = weight[ids.reshape(-1)]"),
)
def the_batch_is_flattened():
    """The result has one axis for all ids."""


@mistake(
    "embeddings.embedding",
    spec="test_the_rows_are_copies",
    says="was changed",
    swap=("out = weight[ids]", "out = weight[int(ids)] if ids.ndim == 0 else weight[ids]"),
)
def a_single_id_gives_a_view():
    """A single id becomes a Python int: weight[2] is a view."""


@mistake("embeddings.embedding", spec="test_ids_are_integers", says="bool", swap=('not in "iu"', '== "f"'))
def booleans_choose_rows():
    """Booleans are taken for a mask."""


@mistake(
    "embeddings.embedding",
    spec="test_ids_are_integers",
    says="nothing was raised",
    swap=[
        ('if input.dtype.kind not in "iu":', "if False:"),
        ("ids, rows = input.data", 'ids, rows = input.data.astype("int64")'),
    ],
)
def floats_are_cut():
    """Ids are silently cast to integers."""


@mistake(
    "embeddings.embedding",
    spec="test_ids_are_a_tensor",
    says="list",
    swap=(
        'raise TypeError(f"embedding takes a Tensor of ids, got {type(input).__name__}: wrap it, tensor(ids)")',
        "input = Tensor(np.asarray(input))",
    ),
)
def lists_are_fine():
    """Anything that NumPy accepts as an index is accepted."""


@mistake(
    "embeddings.embedding",
    spec="test_the_weight_is_a_matrix",
    says="nothing was raised",
    swap=("if weight.ndim != 2:", "if False:"),
)
def any_weight_will_do():
    """A vector of numbers, or a stack of matrices, is looked up as well."""


@mistake(
    "embeddings.embedding",
    spec="test_rows_keep_their_length_and_dtype",
    says="dtype",
    swap=("out = weight[ids]", "out = weight[ids].to(np.float32)"),
)
def everything_is_float32():
    """The result is float32, whatever the weight."""


@mistake(
    "embeddings.embedding",
    spec="test_other_rows_do_not_matter",
    says="nan",
    swap=(
        "out = weight[ids]",
        "out = Tensor((ids[..., None] == np.arange(rows)).astype(weight.dtype)) @ weight",
    ),
)
def zeros_times_infinity():
    """A product with one-hot rows: 0 * infinity is nan."""


# Gradients


@mistake(
    "embeddings.embedding",
    spec="test_an_id_that_stands_twice_learns_twice",
    says="no gradient",
    swap=("out = weight[ids]", "out = Tensor(weight.data[ids], requires_grad=True)"),
)
def looked_up_by_hand():
    """The array is indexed and wrapped, so there is no gradient."""


@mistake(
    "embeddings.embedding",
    spec="test_an_id_that_stands_twice_learns_twice",
    says="[1, 0]",
    swap=(
        "out = weight[ids]",
        """from tinytorch.autograd import Function

    class Lookup(Function):
        @staticmethod
        def forward(ctx, rows):
            ctx.shape = rows.shape
            return rows[ids]

        @staticmethod
        def backward(ctx, grad):
            result = np.zeros(ctx.shape, grad.dtype)
            result[ids] += grad
            return result

    out = Lookup.apply(weight)""",
    ),
)
def the_last_one_wins():
    """A custom gradient with repeated indices: x[ids] += grad adds only one of them."""


@mistake(
    "embeddings.embedding",
    spec="test_padding_keeps_its_value_and_gets_no_gradient",
    says="the result",
    swap=("where(padding, out.detach(), out)", "where(padding, 0.0, out)"),
)
def padding_is_zeroed():
    """Padding is set to 0 in the result, so its row loses its value."""


@mistake(
    "embeddings.embedding",
    spec="test_padding_keeps_its_value_and_gets_no_gradient",
    says="the gradient of the weight",
    swap=("if padding_idx is None:", "if True:"),
)
def padding_is_ignored():
    """padding_idx is accepted but ignored."""


@mistake(
    "embeddings.embedding",
    spec="test_only_padding_gets_no_gradient",
    says="the gradient of the weight",
    swap=("row_number(padding_idx, rows)", "padding_idx"),
)
def padding_from_the_back_is_missed():
    """A negative padding_idx is compared with the ids directly, and equals none."""


@mistake(
    "embeddings.embedding",
    spec="test_nothing_comes_through_padding",
    says="nan",
    swap=(
        "return where(padding, out.detach(), out)",
        """keep = 1 - padding.to(weight.dtype)
    return out * keep + out.detach() * (1 - keep)""",
    ),
)
def padding_is_multiplied_away():
    """The gradient is multiplied by a mask: 0 times infinity is nan."""


@mistake(
    "embeddings.row_number",
    spec="test_padding_is_a_row",
    says="nothing was raised",
    swap=("if not -num_embeddings <= padding_idx < num_embeddings:", "if False:"),
)
def padding_wraps_round():
    """The remainder turns any number into a row."""


@mistake(
    "embeddings.row_number",
    spec="test_padding_is_counted_from_the_front",
    says="padding_idx -5",
    swap=("<= padding_idx", "< padding_idx"),
)
def minus_v_is_forgotten():
    """-V, which is row 0, is refused."""


# Embedding


@mistake(
    "embeddings.Embedding.__init__",
    spec="test_an_embedding_has_a_row_for_each_id",
    says="(3, 5)",
    swap=("zeros(num_embeddings, embedding_dim)", "zeros(embedding_dim, num_embeddings)"),
)
def the_weight_lies_on_its_side():
    """The weight is (embedding_dim, num_embeddings), like that of a Linear."""


@mistake(
    "embeddings.Embedding.__init__",
    spec="test_an_embedding_has_a_row_for_each_id",
    says="parameter",
    swap=("Parameter(zeros(num_embeddings, embedding_dim))", "zeros(num_embeddings, embedding_dim)"),
)
def the_weight_is_no_parameter():
    """A plain Tensor, which no optimizer finds."""


@mistake(
    "embeddings.Embedding.reset_parameters",
    spec="test_rows_are_drawn",
    says="the deviation",
    swap=("init.normal_(self.weight)", "init.uniform_(self.weight, -1.0, 1.0)"),
)
def rows_are_drawn_evenly():
    """The weight is drawn uniformly, like that of a Linear."""


@mistake(
    "embeddings.Embedding.reset_parameters",
    spec="test_the_row_of_padding_is_zero",
    says="rows that are 0",
    swap=("if self.padding_idx is not None:", "if False:"),
)
def padding_is_drawn_too():
    """The row of padding is not set to 0."""


@mistake(
    "embeddings.Embedding.reset_parameters",
    spec="test_the_row_of_padding_is_zero",
    says="expected [0]",
    swap=("self.padding_idx is not None", "self.padding_idx"),
)
def row_0_counts_as_no_padding():
    """`if self.padding_idx:` is False for row 0, the usual one."""


@mistake("embeddings.Embedding.forward", spec="test_padding_stays_zero_while_others_learn", says="weight")
def the_layer_forgets_its_padding(self, input):
    """padding_idx is not passed on."""
    return embedding(input, self.weight)


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_pretrained_rows_are_frozen",
    says="requires_grad",
    swap=("layer.weight.requires_grad_(not freeze)", "pass"),
)
def pretrained_rows_thaw():
    """freeze is ignored."""


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_pretrained_rows_are_used_as_they_are",
    says="after the rows were changed",
    swap=(
        "padding_idx, embeddings)",
        """padding_idx)
    layer.weight.data[...] = embeddings.data""",
    ),
)
def pretrained_rows_are_copied():
    """The rows are copied, perhaps the largest matrix of the model."""


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_pretrained_padding_keeps_its_value",
    says="the weight",
    swap=(
        "layer.weight.requires_grad_",
        """if padding_idx is not None:
        layer.weight.data[padding_idx] = 0
    layer.weight.requires_grad_""",
    ),
)
def pretrained_padding_is_zeroed():
    """The row of padding is overwritten, in the caller's own array."""


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_pretrained_rows_draw_nothing",
    says="drawn after from_pretrained",
    swap=(
        "padding_idx, embeddings)",
        """padding_idx)
    layer.weight = Parameter(embeddings)""",
    ),
)
def pretrained_rows_are_drawn_first():
    """All rows are drawn, and then thrown away."""


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_pretrained_rows_of_another_layer_go_on_learning",
    says="other.weight.requires_grad",
    swap=(
        "layer.weight.requires_grad_",
        """if isinstance(embeddings, Parameter):
        layer.weight = embeddings
    layer.weight.requires_grad_""",
    ),
)
def the_other_layer_is_frozen():
    """A given Parameter is used directly: freezing it freezes the layer that it comes from."""


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_from_pretrained_of_a_subclass",
    says="expected 'Named'",
    swap=("cls(rows", "Embedding(rows"),
)
def a_subclass_gets_its_parent():
    """The class is called by its name, not as cls."""


# Positions


@mistake(
    "embeddings.position_angles",
    spec="test_hands_turn_at_different_speeds",
    says="0.01",
    swap=("xp.arange(0, d_model, 2)", "xp.arange((d_model + 1) // 2)"),
)
def the_exponent_is_halved():
    """i / d_model instead of 2 * i / d_model."""


@mistake(
    "embeddings.position_angles",
    spec="test_angles_of_any_places",
    says="dtype",
    swap=(
        "places[..., None] / base ** (pairs / d_model)",
        '(places[..., None] / base ** (pairs / d_model)).astype("float32")',
    ),
)
def angles_are_float32():
    """The angles are rounded to float32 before the sine."""


@mistake(
    "embeddings.position_angles",
    spec="test_angles_of_any_places",
    says="base",
    swap=("base **", "10000.0 **"),
)
def the_base_is_ignored():
    """Always 10000."""


@mistake(
    "embeddings.SinusoidalPositions.__init__",
    spec="test_sine_and_cosine_of_each_hand",
    says="table",
    swap=[
        ("0::2", ": (d_model + 1) // 2"),
        ("1::2", "(d_model + 1) // 2 :"),
    ],
)
def sines_then_cosines():
    """All sines come before all cosines, instead of alternating."""


@mistake(
    "embeddings.SinusoidalPositions.__init__",
    spec="test_tables_of_any_size",
    says="broadcast",
    swap=("table.data[:, 1::2] = np.cos(angles[:, : d_model // 2])", "table.data[:, 1::2] = np.cos(angles)"),
)
def an_odd_feature_is_too_many():
    """As many cosines as sines."""


@mistake(
    "embeddings.SinusoidalPositions.__init__",
    spec="test_the_table_is_not_learned",
    says="parameters",
    swap=("self.table = Buffer(table)", "self.table = Parameter(table)"),
)
def the_table_is_learned():
    """A Parameter instead of a Buffer."""


@mistake(
    "embeddings.SinusoidalPositions.__init__",
    spec="test_late_places_are_exact",
    says="row 40,000",
    swap=(
        "angles = position_angles(np.arange(max_len), d_model)",
        "angles = position_angles(np.arange(max_len), d_model).astype(np.float32)",
    ),
)
def late_angles_are_rounded():
    """The sine is taken of a float32 angle."""


@mistake(
    "embeddings.SinusoidalPositions.forward",
    spec="test_positions_are_added",
    says="x with positions",
    swap=("x, start)", "x, 0)"),
)
def places_begin_at_0_again():
    """start is ignored."""


@mistake(
    "embeddings.SinusoidalPositions.forward",
    spec="test_sinusoidal_positions_keep_the_dtype",
    says="float32",
    swap=(".to(x.dtype)", ""),
)
def the_table_promotes():
    """A float32 table turns a float16 x into float32."""


@mistake(
    "embeddings.SinusoidalPositions.forward",
    spec="test_positions_are_added",
    says="was changed",
    swap=(
        "return x + rows_for(self.table, x, start).to(x.dtype)",
        """x.data[...] += rows_for(self.table, x, start).data
    return x""",
    ),
)
def positions_are_written_into_x():
    """x += changes the caller's array."""


@mistake(
    "embeddings.SinusoidalPositions.forward",
    spec="test_gradients_pass_the_table",
    says="not recorded",
    swap=(
        "x + rows_for(self.table, x, start).to(x.dtype)",
        "Tensor(x.data + rows_for(self.table, x, start).data.astype(x.dtype))",
    ),
)
def sums_by_hand():
    """The arrays are added and wrapped: the layers before the positions learn nothing."""


@mistake(
    "embeddings.SinusoidalPositions.forward",
    spec="test_sinusoidal_positions_need_floating_point",
    says="nothing was raised",
    swap=('if x.dtype.kind != "f":', "if False:"),
)
def sines_are_cut():
    """Sines and cosines are cast to the integers of x."""


@mistake(
    "embeddings.rows_for",
    spec="test_too_long_is_refused",
    says="nothing was raised",
    swap=("if stop > max_len:", "if False:"),
)
def a_slice_says_nothing():
    """A slice that ends beyond the table is silently shorter."""


@mistake(
    "embeddings.rows_for",
    spec="test_a_negative_start_is_refused",
    says="nothing was raised",
    swap=("min(starts, default=0) < 0", "False"),
)
def a_negative_start_counts_from_the_end():
    """table[-3:-1] are two rows as well."""


@mistake(
    "embeddings.rows_for",
    spec="test_x_has_the_features_of_the_table",
    says="nothing was raised",
    swap=(" or x.shape[-1] != d_model", ""),
)
def one_feature_broadcasts():
    """The number of features is not checked: 1 broadcasts."""


@mistake(
    "embeddings.rows_for",
    spec="test_rows_are_a_slice_of_the_table",
    says="shape",
    swap=("x.shape[-2]", "x.shape[1]"),
)
def the_batch_is_taken_for_places():
    """The length is x.shape[1], which is the number of features if there is no batch."""


@mistake("embeddings.LearnedPositions.forward", spec="test_places_learn_from_every_sentence", says="weight")
def learned_rows_are_detached(self, x, start=0):
    """The rows are taken from the array, not from the Tensor."""
    return x + Tensor(rows_for(self.weight, x, start).data)


@mistake(
    "embeddings.LearnedPositions.__init__",
    spec="test_learned_positions_have_a_row_for_each_place",
    says="the deviation",
    swap=("self.reset_parameters()", "pass"),
)
def all_places_begin_alike():
    """The rows are zeros and never drawn."""


# Rope


@mistake(
    "embeddings.apply_rope",
    spec="test_a_row_turns_by_its_place",
    says="the result",
    swap=(
        "first * cos - second * sin, first * sin + second * cos",
        "first * cos + second * sin, second * cos - first * sin",
    ),
)
def the_hands_turn_backwards():
    """The signs of the sines are exchanged."""


@mistake(
    "embeddings.apply_rope",
    spec="test_halves_are_paired",
    says="the row",
    swap=[
        ("x[..., : D // 2], x[..., D // 2 :]", "x[..., 0::2], x[..., 1::2]"),
        (
            "return cat([first * cos - second * sin, first * sin + second * cos], -1)",
            """turned = first * cos - second * sin, first * sin + second * cos
    return cat([unsqueeze(each, -1) for each in turned], -1).reshape(x.shape)""",
        ),
    ],
)
def neighbours_are_paired():
    """The paper's pairs: 2 * i with 2 * i + 1."""


@mistake(
    "embeddings.apply_rope",
    spec="test_rope_of_any_shape",
    says="the result",
    swap=("places_of(x, start)", "places_of(x, 0)"),
)
def rope_begins_at_0():
    """start is ignored: the rows count from 0."""


@mistake(
    "embeddings.places_of",
    spec="test_places_count_from_the_start",
    says="places",
    swap=("x.shape[-2]", "x.shape[min(1, x.ndim - 2)]"),
)
def heads_are_taken_for_places():
    """The places are counted along axis 1."""


@mistake(
    "embeddings.apply_rope",
    spec="test_halves_are_paired",
    says="the row",
    swap=(
        "return cat([first * cos - second * sin,",
        """first = first * cos - second * sin
    return cat([first,""",
    ),
)
def both_use_the_new_one():
    """The second feature is computed from the new value of the first."""


@mistake(
    "embeddings.apply_rope",
    spec="test_rope_keeps_the_dtype",
    says="float64",
    swap=[
        ("xp.cos(angles).astype(x.dtype)", "xp.cos(angles)"),
        ("xp.sin(angles).astype(x.dtype)", "xp.sin(angles)"),
    ],
)
def float64_leaks():
    """Sines and cosines stay float64, and promote x."""


@mistake(
    "embeddings.apply_rope",
    spec="test_far_places_are_exact",
    says="the row",
    swap=("D, base)", "D, base).astype(x.dtype)"),
)
def far_angles_are_rounded():
    """The sine is taken of an angle in the dtype of x."""


@mistake(
    "embeddings.apply_rope",
    spec="test_float64_is_turned_exactly",
    says="the row",
    swap=[
        ("xp.cos(angles)", 'xp.cos(angles).astype("float32")'),
        ("xp.sin(angles)", 'xp.sin(angles).astype("float32")'),
    ],
)
def the_sines_are_float32():
    """Sines and cosines are rounded to float32, for any dtype of x."""


@mistake(
    "embeddings.apply_rope",
    spec="test_the_gradient_of_rope",
    says="not recorded",
    swap=[
        ("return cat(", "return Tensor(cat("),
        ("second * cos], -1)", "second * cos], -1).data)"),
    ],
)
def turned_by_hand():
    """The arrays are rotated and wrapped, so there is no gradient."""


@mistake(
    "embeddings.apply_rope",
    spec="test_rope_needs_pairs",
    says="should hold (2, 3, 5)",
    swap=("x.ndim < 2 or x.shape[-1] % 2", "x.ndim < 2"),
)
def the_odd_feature_is_dropped():
    """An odd number of features is not checked: cat or the product raises its own error."""


@mistake(
    "embeddings.apply_rope",
    spec="test_rope_needs_floating_point",
    says="nothing was raised",
    swap=('if x.dtype.kind != "f":', "if False:"),
)
def integers_are_turned():
    """The sines are cast to integers."""


@mistake(
    "embeddings.places_of",
    spec="test_rows_stay_on_the_device",
    says="numpy.ndarray",
    swap=("get_array_module(x.data)", "np"),
)
def the_places_stay_on_the_cpu():
    """NumPy counts the places, even if x is on a GPU."""


@mistake(
    "embeddings.apply_rope",
    spec="test_far_places_are_exact_in_float16",
    says="the row at place 5001",
    swap=("places_of(x, start)", "places_of(x, start).astype(x.dtype)"),
)
def places_of_float16():
    """The places are rounded to the dtype of x before the angles are made."""


@mistake(
    "embeddings.LearnedPositions.forward",
    spec="test_learned_positions_are_not_rounded",
    says="dtype float16, expected float32",
    swap=("rows_for(self.weight, x, start)", "rows_for(self.weight, x, start).to(x.dtype)"),
)
def learned_rows_in_float16():
    """The rows are rounded to the dtype of x."""


# A start for each text


@mistake(
    "embeddings.position_angles",
    spec="test_places_may_have_any_axes",
    says="shape",
    swap=("places[..., None]", "places[:, None]"),
)
def places_are_a_row():
    """The axis of the hands is put behind the first axis of the places."""


@mistake(
    "embeddings.places_of",
    spec="test_each_text_has_places_of_its_own",
    says="with 7 heads",
    swap=("*[1] * (x.ndim - 2)", "1"),
)
def starts_have_no_axis_for_heads():
    """The starts get one axis more, also where x has heads."""


@mistake(
    "embeddings.places_of",
    spec="test_there_is_a_start_for_each_text",
    says="nothing was raised",
    swap=("x.ndim < 3 or start.shape != x.shape[:1]", "False"),
)
def any_starts_will_do():
    """Nobody asks whether there is a start for each text: one for all broadcasts."""


@mistake(
    "embeddings.rows_for",
    spec="test_no_text_may_be_outside",
    says="out of bounds",
    swap=("max(starts, default=0)", "min(starts, default=0)"),
)
def the_first_text_counts():
    """The end of the text that begins first is compared with the table; indexing alone would refuse the last."""


@mistake(
    "embeddings.rows_for",
    spec="test_no_text_may_be_outside",
    says="nothing was raised",
    swap=("min(starts, default=0) < 0", "max(starts, default=0) < 0"),
)
def one_good_start_is_enough():
    """A negative start passes beside others: an index of -2 counts from the end."""


@mistake(
    "embeddings.rows_for",
    spec="test_a_place_learns_from_every_text_that_has_it",
    says="gradient",
    swap=("table[places_of(x, start)]", "Tensor(table.data[places_of(x, start)])"),
)
def rows_of_an_array():
    """The rows of several starts are taken from the array: the weight learns nothing."""
