"""Classic mistakes of kata 12: ids that wrap, gradients that are lost or doubled, padding, hands that turn wrongly."""

from dojo.authors.mistakes import mistake

# Lookup


@mistake("embeddings.embedding", spec="test_an_id_outside_is_refused", says="nothing was raised")
def minus_one_is_the_last_row(input, weight, padding_idx=None):
    """NumPy's own check: it lets negative ids pass."""
    if not isinstance(input, Tensor):
        raise TypeError(f"ids are a Tensor, got {type(input).__name__}")
    if input.data.size and int(input.data.max()) >= len(weight):
        raise IndexError(f"id {int(input.data.max())} is outside a vocabulary of {len(weight)}")
    return weight[input.data.reshape(-1)].reshape(*input.shape, weight.shape[1])


@mistake("embeddings.embedding", spec="test_an_id_outside_is_refused", says="should hold")
def the_error_names_no_id(input, weight, padding_idx=None):
    """An IndexError without the id."""
    if input.data.size and (int(input.data.min()) < 0 or int(input.data.max()) >= len(weight)):
        raise IndexError(f"an id is outside a vocabulary of {len(weight)}")
    return weight[input.data.reshape(-1)].reshape(*input.shape, weight.shape[1])


@mistake("embeddings.embedding", spec="test_the_first_id_outside_is_named", says="should hold 7")
def the_largest_id_is_named(input, weight, padding_idx=None):
    """The smallest or the largest id is reported, and not the first."""
    ids, rows = input.data, len(weight)
    if ids.size:
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= rows:
            raise IndexError(f"id {low if low < 0 else high} is outside a vocabulary of {rows}")
    return weight[ids.reshape(-1)].reshape(*ids.shape, weight.shape[1])


@mistake("embeddings.embedding", spec="test_ids_have_any_shape", says="zero-size")
def no_ids_have_no_maximum(input, weight, padding_idx=None):
    """The range is checked by the maximum, which an empty batch has not."""
    ids, rows = input.data, len(weight)
    if ids.max() >= rows or ids.min() < 0:
        raise IndexError(f"id {int(ids.max())} is outside a vocabulary of {rows}")
    return weight[ids.reshape(-1)].reshape(*ids.shape, weight.shape[1])


@mistake("embeddings.embedding", spec="test_ids_have_any_shape", says="shape")
def the_batch_is_flattened(input, weight, padding_idx=None):
    """The result has one axis for all ids."""
    return weight[input.data.reshape(-1)]


@mistake("embeddings.embedding", spec="test_the_rows_are_copies", says="was changed")
def a_single_id_gives_a_view(input, weight, padding_idx=None):
    """A single id becomes a Python int: weight[2] is a view."""
    return weight[int(input.data)] if input.ndim == 0 else weight[input.data]


@mistake("embeddings.embedding", spec="test_ids_are_integers", says="bool")
def booleans_choose_rows(input, weight, padding_idx=None):
    """Booleans are taken for a mask."""
    if input.dtype.kind == "f":
        raise TypeError(f"ids are integers, got {input.dtype}")
    return weight[input.data]


@mistake("embeddings.embedding", spec="test_ids_are_integers", says="nothing was raised")
def floats_are_cut(input, weight, padding_idx=None):
    """Ids are cast to integers without a word."""
    return weight[input.data.astype("int64")]


@mistake("embeddings.embedding", spec="test_ids_are_a_tensor", says="list")
def lists_are_fine(input, weight, padding_idx=None):
    """Anything that NumPy takes as an index is taken."""
    return weight[input.data if isinstance(input, Tensor) else np.asarray(input)]


@mistake("embeddings.embedding", spec="test_the_weight_is_a_matrix", says="nothing was raised")
def any_weight_will_do(input, weight, padding_idx=None):
    """A vector of numbers, or a stack of matrices, is looked up as well."""
    return weight[input.data]


@mistake("embeddings.embedding", spec="test_rows_keep_their_length_and_dtype", says="dtype")
def everything_is_float32(input, weight, padding_idx=None):
    """The result is float32, whatever the weight."""
    return weight[input.data.reshape(-1)].reshape(*input.shape, weight.shape[1]).to("float32")


@mistake("embeddings.embedding", spec="test_other_rows_do_not_matter", says="nan")
def zeros_times_infinity(input, weight, padding_idx=None):
    """A product with one-hot rows: 0 * infinity is nan."""
    if not isinstance(input, Tensor):
        raise TypeError(f"ids are a Tensor, got {type(input).__name__}")
    if input.dtype.kind not in "iu":
        raise TypeError(f"ids are integers, got {input.dtype}")
    if weight.ndim != 2:
        raise ValueError(f"the weight has shape {weight.shape}")
    outside = input.data[(input.data < 0) | (input.data >= len(weight))]
    if outside.size:
        raise IndexError(f"id {int(outside[0])} is outside a vocabulary of {len(weight)}")
    return Tensor((input.data[..., None] == np.arange(len(weight))).astype(weight.dtype)) @ weight


# Gradients


@mistake("embeddings.embedding", spec="test_an_id_that_stands_twice_learns_twice", says="no gradient")
def looked_up_by_hand(input, weight, padding_idx=None):
    """The array is indexed and wrapped, which no gradient can follow."""
    out = Tensor(weight.data[input.data])
    out.requires_grad = True
    return out


@mistake("embeddings.embedding", spec="test_an_id_that_stands_twice_learns_twice", says="[1, 0]")
def the_last_one_wins(input, weight, padding_idx=None):
    """A gradient of its own that assigns with repeated indices: x[ids] += grad adds only one of them."""
    from tinytorch.autograd import Function

    class Lookup(Function):
        @staticmethod
        def forward(ctx, rows):
            ctx.shape = rows.shape
            return rows[input.data]

        @staticmethod
        def backward(ctx, grad):
            result = np.zeros(ctx.shape, grad.dtype)
            result[input.data] += grad
            return result

    return Lookup.apply(weight)


@mistake("embeddings.embedding", spec="test_padding_keeps_its_value_and_gets_no_gradient", says="the result")
def padding_is_zeroed(input, weight, padding_idx=None):
    """Padding is masked out of the result: its row has lost its value."""
    out = weight[input.data]
    if padding_idx is None:
        return out
    return out * unsqueeze(Tensor(input.data != padding_idx), -1)


@mistake(
    "embeddings.embedding",
    spec="test_padding_keeps_its_value_and_gets_no_gradient",
    says="the gradient of the weight",
)
def padding_is_ignored(input, weight, padding_idx=None):
    """padding_idx is accepted, and nothing is done with it."""
    return weight[input.data]


@mistake("embeddings.embedding", spec="test_only_padding_gets_no_gradient", says="the gradient of the weight")
def padding_from_the_back_is_missed(input, weight, padding_idx=None):
    """A negative padding_idx is compared with the ids as it is, and equals none."""
    out = weight[input.data]
    if padding_idx is None:
        return out
    return where(unsqueeze(eq(input, padding_idx), -1), out.detach(), out)


@mistake("embeddings.embedding", spec="test_nothing_comes_through_padding", says="nan")
def padding_is_multiplied_away(input, weight, padding_idx=None):
    """0 times infinity is nan."""
    out = weight[input.data]
    if padding_idx is None:
        return out
    keep = Tensor((input.data != row_number(padding_idx, len(weight))).astype(weight.dtype))
    keep = unsqueeze(keep, -1)
    return out * keep + out.detach() * (1 - keep)


@mistake("embeddings.row_number", spec="test_padding_is_a_row", says="nothing was raised")
def padding_wraps_round(padding_idx, num_embeddings):
    """The remainder makes a row of any number."""
    return padding_idx % num_embeddings


@mistake("embeddings.row_number", spec="test_padding_is_counted_from_the_front", says="padding_idx -5")
def minus_v_is_forgotten(padding_idx, num_embeddings):
    """-V is row 0."""
    if not -num_embeddings < padding_idx < num_embeddings:
        raise IndexError(f"padding_idx {padding_idx} is outside a vocabulary of {num_embeddings}")
    return padding_idx % num_embeddings


# Embedding


@mistake("embeddings.Embedding.__init__", spec="test_an_embedding_has_a_row_for_each_id", says="(3, 5)")
def the_weight_lies_on_its_side(self, num_embeddings, embedding_dim, padding_idx=None, _weight=None):
    """The weight is (embedding_dim, num_embeddings), as a Linear's would be."""
    self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
    self.weight = Parameter(zeros(embedding_dim, num_embeddings))
    self.reset_parameters()


@mistake("embeddings.Embedding.__init__", spec="test_an_embedding_has_a_row_for_each_id", says="parameter")
def the_weight_is_no_parameter(self, num_embeddings, embedding_dim, padding_idx=None, _weight=None):
    """A plain Tensor is found by no optimizer."""
    self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
    self.weight = init.normal_(zeros(num_embeddings, embedding_dim))


@mistake("embeddings.Embedding.reset_parameters", spec="test_rows_are_drawn", says="the deviation")
def rows_are_drawn_evenly(self):
    """As a Linear's weight is drawn."""
    init.uniform_(self.weight, -1.0, 1.0)


@mistake(
    "embeddings.Embedding.reset_parameters",
    spec="test_the_row_of_padding_is_zero",
    says="rows that are 0",
)
def padding_is_drawn_too(self):
    """The row of padding is not set to 0."""
    init.normal_(self.weight)


@mistake("embeddings.Embedding.reset_parameters", spec="test_the_row_of_padding_is_zero", says="expected [0]")
def row_0_counts_as_no_padding(self):
    """`if self.padding_idx:` is False for row 0, the usual one."""
    init.normal_(self.weight)
    if self.padding_idx:
        self.weight.data[self.padding_idx] = 0


@mistake("embeddings.Embedding.forward", spec="test_padding_stays_zero_while_others_learn", says="weight")
def the_layer_forgets_its_padding(self, input):
    """padding_idx is not passed on."""
    return embedding(input, self.weight)


@mistake("embeddings.Embedding.from_pretrained", spec="test_pretrained_rows_are_frozen", says="requires_grad")
def pretrained_rows_thaw(cls, embeddings, freeze=True, padding_idx=None):
    """freeze is ignored."""
    return cls(*embeddings.shape, padding_idx, embeddings)


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_pretrained_rows_are_used_as_they_are",
    says="after the rows were changed",
)
def pretrained_rows_are_copied(cls, embeddings, freeze=True, padding_idx=None):
    """A second copy of what may be the largest matrix of the model."""
    layer = cls(*embeddings.shape, padding_idx)
    layer.weight.data[...] = embeddings.data
    layer.weight.requires_grad_(not freeze)
    return layer


@mistake(
    "embeddings.Embedding.from_pretrained", spec="test_pretrained_padding_keeps_its_value", says="the weight"
)
def pretrained_padding_is_zeroed(cls, embeddings, freeze=True, padding_idx=None):
    """The row of padding is overwritten, in the caller's own array."""
    layer = cls(*embeddings.shape, padding_idx, embeddings)
    if padding_idx is not None:
        layer.weight.data[padding_idx] = 0
    layer.weight.requires_grad_(not freeze)
    return layer


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_pretrained_rows_draw_nothing",
    says="drawn after from_pretrained",
)
def pretrained_rows_are_drawn_first(cls, embeddings, freeze=True, padding_idx=None):
    """All rows are drawn, to be thrown away."""
    layer = cls(*embeddings.shape, padding_idx)
    layer.weight = Parameter(embeddings, requires_grad=not freeze)
    return layer


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_pretrained_rows_of_another_layer_go_on_learning",
    says="other.weight.requires_grad",
)
def the_other_layer_is_frozen(cls, embeddings, freeze=True, padding_idx=None):
    """A Parameter is taken as it is: freezing it freezes the layer that it comes from."""
    if embeddings.ndim != 2:
        raise ValueError(f"pretrained embeddings have shape (V, D), got {embeddings.shape}")
    layer = cls(*embeddings.shape, padding_idx, embeddings)
    if isinstance(embeddings, Parameter):
        layer.weight = embeddings
    layer.weight.requires_grad_(not freeze)
    return layer


@mistake(
    "embeddings.Embedding.from_pretrained",
    spec="test_from_pretrained_of_a_subclass",
    says="expected 'Named'",
)
def a_subclass_gets_its_parent(cls, embeddings, freeze=True, padding_idx=None):
    """The class is called by its name, and not as cls."""
    if embeddings.ndim != 2:
        raise ValueError(f"pretrained embeddings have shape (V, D), got {embeddings.shape}")
    layer = Embedding(*embeddings.shape, padding_idx, embeddings)
    layer.weight.requires_grad_(not freeze)
    return layer


# Positions


@mistake("embeddings.position_angles", spec="test_hands_turn_at_different_speeds", says="0.01")
def the_exponent_is_halved(places, d_model, base=10000.0):
    """i / d_model in place of 2 * i / d_model."""
    pairs = get_array_module(places).arange((d_model + 1) // 2)
    return places[:, None] / base ** (pairs / d_model)


@mistake("embeddings.position_angles", spec="test_angles_of_any_places", says="dtype")
def angles_are_float32(places, d_model, base=10000.0):
    """The angles are rounded before anyone takes a sine."""
    pairs = get_array_module(places).arange(0, d_model, 2)
    return (places[:, None] / base ** (pairs / d_model)).astype("float32")


@mistake("embeddings.position_angles", spec="test_angles_of_any_places", says="base")
def the_base_is_ignored(places, d_model, base=10000.0):
    """Always 10000."""
    pairs = get_array_module(places).arange(0, d_model, 2)
    return places[:, None] / 10000.0 ** (pairs / d_model)


@mistake("embeddings.SinusoidalPositions.__init__", spec="test_sine_and_cosine_of_each_hand", says="table")
def sines_then_cosines(self, max_len, d_model):
    """All sines stand before all cosines, and not one beside the other."""
    angles = position_angles(np.arange(max_len), d_model)
    table = np.concatenate([np.sin(angles), np.cos(angles)], 1)[:, :d_model]
    self.table = Buffer(table.astype(np.float32))


@mistake("embeddings.SinusoidalPositions.__init__", spec="test_tables_of_any_size", says="broadcast")
def an_odd_feature_is_too_many(self, max_len, d_model):
    """As many cosines as sines."""
    angles = position_angles(np.arange(max_len), d_model)
    table = zeros(max_len, d_model)
    table.data[:, 0::2] = np.sin(angles)
    table.data[:, 1::2] = np.cos(angles)
    self.table = Buffer(table)


@mistake("embeddings.SinusoidalPositions.__init__", spec="test_the_table_is_not_learned", says="parameters")
def the_table_is_learned(self, max_len, d_model):
    """A Parameter in place of a Buffer."""
    angles = position_angles(np.arange(max_len), d_model)
    table = zeros(max_len, d_model)
    table.data[:, 0::2] = np.sin(angles)
    table.data[:, 1::2] = np.cos(angles[:, : d_model // 2])
    self.table = Parameter(table)


@mistake("embeddings.SinusoidalPositions.__init__", spec="test_late_places_are_exact", says="row 40,000")
def late_angles_are_rounded(self, max_len, d_model):
    """The sine is taken of a float32."""
    angles = position_angles(np.arange(max_len), d_model).astype(np.float32)
    table = zeros(max_len, d_model)
    table.data[:, 0::2] = np.sin(angles)
    table.data[:, 1::2] = np.cos(angles[:, : d_model // 2])
    self.table = Buffer(table)


@mistake("embeddings.SinusoidalPositions.forward", spec="test_positions_are_added", says="x with positions")
def places_begin_at_0_again(self, x, start=0):
    """start is ignored."""
    return x + rows_for(self.table, x, 0)


@mistake(
    "embeddings.SinusoidalPositions.forward", spec="test_sinusoidal_positions_keep_the_dtype", says="float32"
)
def the_table_promotes(self, x, start=0):
    """A float32 table makes float32 of float16."""
    return x + rows_for(self.table, x, start)


@mistake("embeddings.SinusoidalPositions.forward", spec="test_positions_are_added", says="was changed")
def positions_are_written_into_x(self, x, start=0):
    """x += changes the caller's array."""
    x.data[...] += rows_for(self.table, x, start).data
    return x


@mistake("embeddings.SinusoidalPositions.forward", spec="test_gradients_pass_the_table", says="not recorded")
def sums_by_hand(self, x, start=0):
    """The arrays are added, and wrapped: all that stands before the positions learns nothing."""
    if x.dtype.kind != "f":
        raise TypeError(f"floating point, got {x.dtype}")
    return Tensor(x.data + rows_for(self.table, x, start).data.astype(x.dtype))


@mistake(
    "embeddings.SinusoidalPositions.forward",
    spec="test_sinusoidal_positions_need_floating_point",
    says="nothing was raised",
)
def sines_are_cut(self, x, start=0):
    """Sines and cosines are cast to the integers of x."""
    return x + rows_for(self.table, x, start).to(x.dtype)


@mistake("embeddings.rows_for", spec="test_too_long_is_refused", says="nothing was raised")
def a_slice_says_nothing(table, x, start):
    """A slice that ends beyond the table is just shorter."""
    d_model = table.shape[1]
    if x.ndim < 2 or x.shape[-1] != d_model:
        raise ValueError(f"{d_model} features, got {x.shape}")
    if start < 0:
        raise ValueError(f"start {start}")
    return table[start : start + x.shape[-2]]


@mistake("embeddings.rows_for", spec="test_a_negative_start_is_refused", says="nothing was raised")
def a_negative_start_counts_from_the_end(table, x, start):
    """table[-3:-1] are two rows as well."""
    max_len, d_model = table.shape
    if x.ndim < 2 or x.shape[-1] != d_model:
        raise ValueError(f"{d_model} features, got {x.shape}")
    stop = start + x.shape[-2]
    if stop > max_len:
        raise ValueError(f"place {stop} does not fit into {max_len}")
    return table[start:stop]


@mistake("embeddings.rows_for", spec="test_x_has_the_features_of_the_table", says="nothing was raised")
def one_feature_broadcasts(table, x, start):
    """The features are left to broadcasting."""
    if x.ndim < 2:
        raise ValueError(f"x of shape {x.shape} for {table.shape[1]} features")
    if start < 0:
        raise ValueError(f"start {start}")
    stop = start + x.shape[-2]
    if stop > len(table):
        raise ValueError(f"place {stop} does not fit into {len(table)}")
    return table[start:stop]


@mistake("embeddings.rows_for", spec="test_rows_are_a_slice_of_the_table", says="shape")
def the_batch_is_taken_for_places(table, x, start):
    """The length is x.shape[1], which is the features' axis where there is no batch."""
    max_len, d_model = table.shape
    if x.ndim < 2 or x.shape[-1] != d_model:
        raise ValueError(f"{d_model} features, got {x.shape}")
    if start < 0:
        raise ValueError(f"start {start}")
    stop = start + x.shape[1]
    if stop > max_len:
        raise ValueError(f"place {stop} does not fit into {max_len}")
    return table[start:stop]


@mistake("embeddings.LearnedPositions.forward", spec="test_places_learn_from_every_sentence", says="weight")
def learned_rows_are_detached(self, x, start=0):
    """The rows are looked up in the array."""
    return x + Tensor(rows_for(self.weight, x, start).data)


@mistake(
    "embeddings.LearnedPositions.__init__",
    spec="test_learned_positions_have_a_row_for_each_place",
    says="mean",
)
def all_places_begin_alike(self, max_len, d_model):
    """Zeros, never drawn; the deviation says so."""
    self.weight = Parameter(zeros(max_len, d_model) + 1)


# Rope


@mistake("embeddings.apply_rope", spec="test_a_row_turns_by_its_place", says="the result")
def the_hands_turn_backwards(x, start=0, base=10000.0):
    """The signs of the sines are exchanged."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = Tensor(np.cos(angles).astype(x.dtype)), Tensor(np.sin(angles).astype(x.dtype))
    first, second = split(x, [D // 2, D // 2], -1)
    return cat([first * cos + second * sin, second * cos - first * sin], -1)


@mistake("embeddings.apply_rope", spec="test_halves_are_paired", says="the row")
def neighbours_are_paired(x, start=0, base=10000.0):
    """The paper's pairs: 2 * i with 2 * i + 1."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = Tensor(np.cos(angles).astype(x.dtype)), Tensor(np.sin(angles).astype(x.dtype))
    first, second = x[..., 0::2], x[..., 1::2]
    turned = cat([unsqueeze(first * cos - second * sin, -1), unsqueeze(first * sin + second * cos, -1)], -1)
    return turned.reshape(x.shape)


@mistake("embeddings.apply_rope", spec="test_rope_of_any_shape", says="the result")
def rope_begins_at_0(x, start=0, base=10000.0):
    """start is taken for a length: the rows count from 0."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(T) + (start if T == 1 else 0), D, base)
    cos, sin = Tensor(np.cos(angles).astype(x.dtype)), Tensor(np.sin(angles).astype(x.dtype))
    first, second = split(x, [D // 2, D // 2], -1)
    return cat([first * cos - second * sin, first * sin + second * cos], -1)


@mistake("embeddings.apply_rope", spec="test_rope_of_any_shape", says="shape")
def heads_are_taken_for_places(x, start=0, base=10000.0):
    """The places are counted along axis 1."""
    D = x.shape[-1]
    angles = position_angles(np.arange(start, start + x.shape[min(1, x.ndim - 2)]), D, base)
    cos, sin = Tensor(np.cos(angles).astype(x.dtype)), Tensor(np.sin(angles).astype(x.dtype))
    first, second = split(x, [D // 2, D // 2], -1)
    return cat([first * cos - second * sin, first * sin + second * cos], -1)


@mistake("embeddings.apply_rope", spec="test_halves_are_paired", says="the row")
def both_use_the_new_one(x, start=0, base=10000.0):
    """The second feature is computed from the first one's new value."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = Tensor(np.cos(angles).astype(x.dtype)), Tensor(np.sin(angles).astype(x.dtype))
    first, second = split(x, [D // 2, D // 2], -1)
    first = first * cos - second * sin
    return cat([first, first * sin + second * cos], -1)


@mistake("embeddings.apply_rope", spec="test_rope_keeps_the_dtype", says="float64")
def float64_leaks(x, start=0, base=10000.0):
    """Sines and cosines stay float64, and promote x."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = Tensor(np.cos(angles)), Tensor(np.sin(angles))
    first, second = split(x, [D // 2, D // 2], -1)
    return cat([first * cos - second * sin, first * sin + second * cos], -1)


@mistake("embeddings.apply_rope", spec="test_far_places_are_exact", says="the row")
def far_angles_are_rounded(x, start=0, base=10000.0):
    """The sine is taken of an angle in the dtype of x."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base).astype(x.dtype)
    cos, sin = Tensor(np.cos(angles)), Tensor(np.sin(angles))
    first, second = split(x, [D // 2, D // 2], -1)
    return cat([first * cos - second * sin, first * sin + second * cos], -1)


@mistake("embeddings.apply_rope", spec="test_float64_is_turned_exactly", says="the row")
def the_sines_are_float32(x, start=0, base=10000.0):
    """Sines and cosines are rounded to float32, whatever x is."""
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ValueError(f"an even D, got {x.shape}")
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = (
        np.cos(angles).astype("float32").astype(x.dtype),
        np.sin(angles).astype("float32").astype(x.dtype),
    )
    first, second = split(x, [D // 2, D // 2], -1)
    return cat([first * Tensor(cos) - second * Tensor(sin), first * Tensor(sin) + second * Tensor(cos)], -1)


@mistake("embeddings.apply_rope", spec="test_the_gradient_of_rope", says="not recorded")
def turned_by_hand(x, start=0, base=10000.0):
    """The arrays are turned, and wrapped."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    first, second = x.data[..., : D // 2], x.data[..., D // 2 :]
    return Tensor(np.concatenate([first * cos - second * sin, first * sin + second * cos], -1))


@mistake("embeddings.apply_rope", spec="test_rope_needs_pairs", says="should hold (2, 3, 5)")
def the_odd_feature_is_dropped(x, start=0, base=10000.0):
    """split says something about sizes, or an odd feature vanishes."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = Tensor(np.cos(angles).astype(x.dtype)), Tensor(np.sin(angles).astype(x.dtype))
    first, second = x[..., : D // 2], x[..., D // 2 :]
    return cat([first * cos - second * sin, first * sin + second * cos], -1)


@mistake("embeddings.apply_rope", spec="test_rope_needs_floating_point", says="nothing was raised")
def integers_are_turned(x, start=0, base=10000.0):
    """The sines are cast to integers."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = Tensor(np.cos(angles).astype(x.dtype)), Tensor(np.sin(angles).astype(x.dtype))
    first, second = split(x, [D // 2, D // 2], -1)
    return cat([first * cos - second * sin, first * sin + second * cos], -1)


@mistake("embeddings.apply_rope", spec="test_rows_stay_on_the_device", says="cuda:0")
def the_sines_stay_on_the_cpu(x, start=0, base=10000.0):
    """NumPy's sines, wherever x is."""
    T, D = x.shape[-2:]
    angles = position_angles(np.arange(start, start + T), D, base)
    cos, sin = Tensor(np.cos(angles).astype(x.dtype)), Tensor(np.sin(angles).astype(x.dtype))
    first, second = split(x, [D // 2, D // 2], -1)
    return cat([first * cos - second * sin, first * sin + second * cos], -1)
