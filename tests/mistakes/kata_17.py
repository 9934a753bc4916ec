"""Classic mistakes of kata 17: biases forgotten, roundings that cut off, grids without 0, ties that come apart."""

from dojo.tree.mistakes import mistake

# Floats


@mistake(
    "precision.float_fields",
    spec="test_one_in_float32",
    says="exponents",
    swap=(" & (2**form.exponent_bits - 1)", ""),
)
def fields_with_the_sign_in_the_exponent():
    """The sign bit is left in front of the exponent bits."""


@mistake(
    "precision.float_fields",
    spec="test_fields_are_pieces_of_the_bits",
    says="sign",
    swap=("sign = bits >> (form.exponent_bits + form.fraction_bits)", "sign = bits >> 31"),
)
def fields_of_float32_only():
    """The sign is always bit 31."""


@mistake(
    "precision.float_value",
    spec="test_a_number_from_its_fields",
    says="12.0",
    swap=("xp.where(exponent == 0, fraction, fraction + one)", "fraction"),
)
def value_without_the_leading_one():
    """The 1 before the point, which no bit stands for, is forgotten."""


@mistake(
    "precision.float_value",
    spec="test_an_exponent_of_0_has_no_leading_one",
    says="entries wrong",
    swap=("xp.where(exponent == 0, fraction, fraction + one)", "fraction + one"),
)
def value_without_subnormals():
    """The smallest numbers have a leading 1 as all others, so 0 is not 0."""


@mistake(
    "precision.float_value",
    spec="test_an_exponent_of_0_has_no_leading_one",
    says="entries wrong",
    swap=("xp.maximum(exponent, 1)", "exponent"),
)
def value_of_subnormals_halved():
    """Subnormal numbers get the exponent -bias, one less than they have."""


@mistake(
    "precision.float_value",
    spec="test_an_exponent_of_ones_is_infinity_or_nan",
    says="inf",
    swap=("exponent == top,", "exponent > top,"),
)
def value_of_infinity_is_a_number():
    """The exponent of nothing but ones is read as any other."""


@mistake(
    "precision.float_value",
    spec="test_any_bits_are_read_as_the_machine_reads_them",
    says="stand for",
    swap=("sign, exponent, fraction = (", "sign, _, _ = ("),
)
def value_in_16_bits():
    """The fields of 16 bits are computed with in 16 bits, and exponent - bias wraps around."""


@mistake(
    "precision.finfo",
    spec="test_the_limits_of_a_format",
    says="max of",
    swap=("(2 - eps) * 2.0**form.bias", "2.0 ** (form.bias + 1)"),
)
def finfo_of_the_first_infinite_number():
    """The largest number is the power of 2 that is just too large."""


@mistake(
    "precision.finfo",
    spec="test_the_limits_of_a_format",
    says="smallest_normal of",
    swap=("2.0 ** (1 - form.bias)", "2.0**-form.bias"),
)
def finfo_with_the_exponent_0():
    """The smallest normal number is taken to have the exponent 0, which is that of subnormal numbers."""


@mistake(
    "precision.finfo",
    spec="test_the_limits_of_a_format",
    says="the type of",
    swap=("2.0 ** (1 - form.bias), 2.0**", "np.float64(2) ** (1 - form.bias), np.float64(2) ** "),
)
def finfo_with_numpy_numbers():
    """The limits are NumPy's numbers."""


# bfloat16


@mistake(
    "precision.to_bfloat16",
    spec="test_rounding_goes_to_the_nearest",
    says="0x3f81",
    swap=("(bits + 0x7FFF + (kept & 1)) >> 16", "kept"),
)
def bfloat16_cut_off():
    """The right half is cut off: numbers are rounded towards 0."""


@mistake(
    "precision.to_bfloat16",
    spec="test_halfway_the_last_bit_becomes_0",
    says="0x3f80",
    swap=("0x7FFF + (kept & 1)", "0x8000"),
)
def bfloat16_halfway_goes_up():
    """Halfway, a number is always rounded up."""


@mistake(
    "precision.to_bfloat16",
    spec="test_nan_stays_nan",
    says="nan",
    swap=("xp.where(xp.isnan(x), kept | 0x40, rounded)", "rounded"),
)
def bfloat16_of_nan_is_rounded():
    """nan is rounded as a number: it becomes infinity, or -0."""


@mistake(
    "precision.to_bfloat16",
    spec="test_nan_stays_nan",
    says="nan",
    swap=("kept | 0x40", "kept"),
)
def bfloat16_of_nan_is_cut_off():
    """Of a nan the left half is kept, which may be that of infinity."""


@mistake(
    "precision.to_bfloat16",
    spec="test_the_shape_stays",
    says="shape",
    swap=("bits = x.view(np.uint32)", "bits = x.reshape(-1).view(np.uint32)"),
)
def bfloat16_flat():
    """The shape is lost."""


@mistake(
    "precision.to_bfloat16",
    spec="test_only_float32_is_rounded",
    says="TypeError",
    swap=(
        "if x.dtype != float32:\n        raise TypeError",
        "x = x.astype(float32)\n    if False:\n        raise TypeError",
    ),
)
def bfloat16_of_anything():
    """Another dtype is rounded twice."""


@mistake(
    "precision.from_bfloat16",
    spec="test_every_bfloat16_is_a_float32",
    says="all numbers",
    swap=("(bits.astype(np.uint32) << 16)", "bits.astype(np.uint32)"),
)
def bfloat16_in_the_right_half():
    """The bits are put into the right half of the float32."""


# The grid


@mistake(
    "precision.value_range",
    spec="test_the_range_of_each_channel",
    says="each row",
    swap=("each != axis % x.ndim", "each == axis % x.ndim"),
)
def range_over_the_channel():
    """The axis is reduced, as in NumPy, instead of kept."""


@mistake(
    "precision.value_range",
    spec="test_the_range_of_each_channel_entry_by_entry",
    says="shape",
    swap=("axis % x.ndim", "axis"),
)
def range_of_a_negative_axis():
    """An axis that is counted from the end is not found."""


@mistake(
    "precision.value_range",
    spec="test_nothing_has_no_range",
    says="(2, 0)",
    swap=("if x.numel() == 0:", "if False:"),
)
def range_of_nothing():
    """NumPy's message does not tell which Tensor it was."""


@mistake(
    "precision.value_range",
    spec="test_a_range_has_the_dtype_of_x",
    says="dtype",
    swap=("data = x.data\n", "data = x.data.astype(float32)\n"),
)
def range_in_float32():
    """Both ends are float32, whatever x is."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_symmetric_grid",
    says="the zero point",
    swap=("(quant_min + quant_max + 1) // 2", "0 if quant_min < 0 else 128"),
)
def two_zero_points_for_all_grids():
    """The middle of a grid is known for 8 bits only."""


@mistake(
    "precision.calculate_qparams",
    spec="test_the_range_always_contains_0",
    says="scale",
    swap=("smallest, largest = xp.minimum(smallest, 0), xp.maximum(largest, 0)\n", "pass\n"),
)
def grid_without_0():
    """The grid spans the range only, and 0 lies beside it."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_grid_by_hand",
    says="scale",
    swap=("(quant_max - quant_min)", "(quant_max - quant_min + 1)"),
)
def grid_with_a_step_too_many():
    """256 integers have 255 steps between them."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_grid_by_hand",
    says="zero point",
    swap=("quant_min - xp.rint(smallest / scale)", "-xp.rint(smallest / scale)"),
)
def grid_that_begins_at_0():
    """quant_min is forgotten in the zero point."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_symmetric_grid",
    says="scale from -2",
    swap=("xp.maximum(-smallest, largest)", "largest"),
)
def symmetric_around_the_larger_number():
    """Only the upper bound counts."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_symmetric_grid",
    says="zero point",
    swap=("(quant_min + quant_max + 1) // 2", "0"),
)
def symmetric_around_0_for_uint8():
    """The zero point of uint8 is 0, so all negative numbers are lost."""


@mistake(
    "precision.calculate_qparams",
    spec="test_nothing_but_zeros_has_a_scale",
    says="warning",
    swap=(
        "xp.maximum(span / (quant_max - quant_min), np.finfo(float32).tiny)",
        "(span / (quant_max - quant_min))",
    ),
)
def grid_of_zeros():
    """A range of nothing but 0 has the scale 0."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_tiny_range_has_a_scale",
    says="the scale is 0",
    swap=(
        "xp.maximum(span / (quant_max - quant_min), np.finfo(float32).tiny)",
        "xp.where(span == 0, 1, span / (quant_max - quant_min))",
    ),
)
def grid_of_a_tiny_range():
    """Only a range of nothing but 0 gets a scale above 0."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_range_that_is_wider_than_float32",
    says="warning",
    swap=("low.data.astype(float64), high.data.astype(float64)", "low.data, high.data"),
)
def grid_with_an_infinite_scale():
    """high - low is computed in float32, in which it may be infinite."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_range_that_is_none_is_refused",
    says="ValueError",
    swap=(" & (smallest <= largest)", ""),
)
def grid_upside_down():
    """A lower bound above the upper one is taken."""


@mistake(
    "precision.calculate_qparams",
    spec="test_a_range_that_is_none_is_refused",
    says="ValueError",
    swap=("xp.isfinite(smallest) & xp.isfinite(largest) & (smallest <= largest)", "smallest <= largest"),
)
def grid_up_to_infinity():
    """An infinite range is taken."""


@mistake(
    "precision.quantize_per_tensor",
    spec="test_quantize_by_hand",
    says="entries wrong",
    swap=("xp.rint(x.data / steps)", "xp.trunc(x.data / steps)"),
)
def quantize_cuts_off():
    """The fraction is cut off instead of rounded."""


@mistake(
    "precision.quantize_per_tensor",
    spec="test_halfway_goes_to_the_even_integer",
    says="entries wrong",
    swap=("xp.rint(x.data / steps)", "xp.floor(x.data / steps + 0.5)"),
)
def quantize_halfway_goes_up():
    """Halfway, a number is rounded up."""


@mistake(
    "precision.quantize_per_tensor",
    spec="test_what_is_too_large_stops_at_the_end",
    says="warning",
    swap=("places.clip(quant_min, quant_max)", "(places.astype(np.int64) % 256)"),
)
def quantize_wraps_around():
    """What is too large wraps around."""


@mistake(
    "precision.quantize_per_tensor",
    spec="test_quantize_by_hand",
    says="entries wrong",
    swap=(" + zero", ""),
)
def quantize_without_zero_point():
    """The zero point is forgotten."""


@mistake(
    "precision.quantize_per_tensor",
    spec="test_without_negative_integers_it_is_uint8",
    says="dtype",
    swap=("int8 if quant_min < 0 else uint8", "int8"),
)
def quantize_always_int8():
    """The integers above 127 wrap around."""


@mistake(
    "precision.quantize_per_tensor",
    spec="test_nan_is_refused",
    says="ValueError",
    swap=("if xp.isnan(x.data).any():", "if False:"),
)
def quantize_takes_nan():
    """nan becomes some integer."""


@mistake(
    "precision.quantize_per_tensor",
    spec="test_what_is_too_large_stops_at_the_end",
    says="warning",
    swap=('np.errstate(over="ignore")', "np.errstate()"),
)
def quantize_warns_of_large_numbers():
    """NumPy warns of a quotient that is infinite, though it is limited."""


@mistake(
    "precision.dequantize_per_tensor",
    spec="test_the_difference_needs_9_bits",
    says="entries wrong",
    swap=(
        "q.data.astype(float32) - _array(zero_point)",
        "q.data - np.asarray(_array(zero_point)).astype(q.dtype)",
    ),
)
def dequantize_wraps_around():
    """q - zero_point is computed with 8 bits."""


@mistake(
    "precision.dequantize_per_tensor",
    spec="test_dequantize_by_hand",
    says="entries wrong",
    swap=(
        "(q.data.astype(float32) - _array(zero_point)) * _array(scale)",
        "q.data.astype(float32) * _array(scale) - _array(zero_point)",
    ),
)
def dequantize_subtracts_last():
    """The zero point is subtracted from the number, and not from the integer."""


@mistake(
    "precision.quantize_per_channel",
    spec="test_each_channel_is_quantized_by_itself",
    says="integers",
    swap=(", quant_min, quant_max", ""),
)
def per_channel_always_8_bits():
    """quant_min and quant_max are not passed on."""


@mistake(
    "precision.quantize_per_channel",
    spec="test_per_channel_by_hand",
    says="per_channel",
    swap=("_along(scales, axis, x), _along(zero_points, axis, x)", "scales, zero_points"),
)
def per_channel_along_the_last_axis():
    """Scales broadcast along the last axis, whatever the axis is."""


@mistake(
    "precision.dequantize_per_channel",
    spec="test_per_channel_by_hand",
    says="numbers",
    swap=("_along(zero_points, axis, q)", "0"),
)
def per_channel_without_zero_points():
    """The way back forgets the zero points."""


# Four bits


@mistake(
    "precision.pack_int4",
    spec="test_two_integers_fill_a_byte",
    says="bytes",
    swap=("halves[..., 0::2] | halves[..., 1::2] << 4", "halves[..., 0::2] << 4 | halves[..., 1::2]"),
)
def packed_the_other_way():
    """The first of two integers stands in the upper four bits."""


@mistake(
    "precision.pack_int4",
    spec="test_two_integers_fill_a_byte",
    says="bytes",
    swap=(" & 15", ""),
)
def packed_with_all_bits():
    """A negative integer spills over into its neighbour."""


@mistake(
    "precision.pack_int4",
    spec="test_integers_of_more_than_4_bits_are_refused",
    says="ValueError",
    swap=("if outside.size:", "if False:"),
)
def packed_too_large():
    """An integer that needs more bits is cut to four."""


@mistake(
    "precision.pack_int4",
    spec="test_an_odd_number_of_integers_fills_no_bytes",
    says="()",
    swap=("q.ndim == 0 or q.shape[-1] % 2", "q.shape[-1] % 2"),
)
def packed_without_axes():
    """A Tensor without axes has no last one, and Python's error says no more."""


@mistake(
    "precision.unpack_int4",
    spec="test_unpacking_by_hand",
    says="entries wrong",
    swap=("(halves ^ 8).astype(int8) - int8.type(8)", "halves.astype(int8)"),
)
def unpacked_without_sign():
    """-1 comes back as 15."""


@mistake(
    "precision.unpack_int4",
    spec="test_unpacking_by_hand",
    says="entries wrong",
    swap=("[data & 15, data >> 4]", "[data >> 4, data & 15]"),
)
def unpacked_the_other_way():
    """The upper four bits come first."""


@mistake(
    "precision.unpack_int4",
    spec="test_packed_and_unpacked_it_is_the_same",
    says="reshape",
    swap=("*packed.shape[:-1], 2 * packed.shape[-1]", "*packed.shape[:-1], -1"),
)
def unpacked_from_nothing():
    """NumPy cannot tell the size of an axis where there are no entries."""


@mistake(
    "precision.quantize_rows",
    spec="test_how_many_bytes_and_scales",
    says="group_size must be",
    swap=("elif not 1 <= group_size", "elif not 2 <= group_size"),
)
def a_group_has_two_entries():
    """A scale for each entry is refused."""


@mistake(
    "precision.quantize_rows",
    spec="test_a_scale_for_each_group",
    says="scales",
    swap=("reshape(-1, group_size)  # (N * G, group_size)", "reshape(rows, -1)"),
)
def rows_without_groups():
    """The group size is ignored: a scale for each row."""


@mistake(
    "precision.quantize_rows",
    spec="test_how_many_bytes_and_scales",
    says="shape",
    swap=("pad(weight.detach(), (0, -features % group_size))", "weight.detach()"),
)
def rows_without_padding():
    """A last group that is not full does not fit."""


@mistake(
    "precision.quantize_rows",
    spec="test_how_many_bytes_and_scales",
    says="scales",
    swap=("group_size = 32 if bits == 4 else features", "group_size = features"),
)
def rows_with_one_scale():
    """With 4 bits the default is a scale for the whole row too."""


@mistake(
    "precision.quantize_rows",
    spec="test_bits_and_groups_that_do_not_exist",
    says="ValueError",
    swap=(" or (bits == 4 and group_size % 2)", ""),
)
def rows_with_odd_groups():
    """A group of three fills one byte and a half."""


@mistake(
    "precision.quantize_rows",
    spec="test_bits_and_groups_that_do_not_exist",
    says="ValueError",
    swap=("elif not 1 <= group_size <= features or", "elif group_size < 1 or"),
)
def rows_with_groups_beyond_their_end():
    """A row is padded to the length of a group, however long that is."""


@mistake(
    "precision.dequantize_rows",
    spec="test_how_many_bytes_and_scales",
    says="comes back",
    swap=("[..., :features]", ""),
)
def rows_come_back_longer():
    """What padded the last group is not cut off."""


@mistake(
    "precision.dequantize_rows",
    spec="test_some_of_the_rows_alone",
    says="reshape",
    swap=("q.shape[-1] // groups", "-1"),
)
def rows_of_nothing():
    """No rows: NumPy cannot tell the size of an axis."""


@mistake(
    "precision.dequantize_rows",
    spec="test_rows_come_back_in_the_dtype_of_the_scales",
    says="dtype",
    swap=(
        "values.reshape(q.shape)[..., :features]",
        'values.reshape(q.shape)[..., :features].astype("float32")',
    ),
)
def rows_always_float32():
    """The dtype of the scales does not count."""


# Modules


@mistake(
    "precision.QuantizedRows.__init__",
    spec="test_rows_begin_with_zeros",
    says="options",
    swap=("self.group_size = group_size", "self.group_size = group_size or features"),
)
def rows_forget_the_default():
    """The group size is not kept as it was given."""


@mistake(
    "precision.QuantizedRows.quantize_",
    spec="test_rows_begin_with_zeros",
    says="state",
    swap=("Buffer(qweight), Buffer(scales)", "qweight, scales"),
)
def rows_without_buffers():
    """Plain Tensors are no part of the state."""


@mistake(
    "precision.QuantizedRows.weight",
    spec="test_rows_hold_a_matrix",
    says="shape",
    swap=("self.features", "self.qweight.shape[-1] * (8 // self.bits) + 2"),
)
def rows_of_another_width():
    """The width is guessed from the packed bytes."""


@mistake(
    "precision.QuantizedLinear.__init__",
    spec="test_a_linear_on_the_grid",
    says="result",
    swap=(
        "super().__init__(out_features, in_features, bits, group_size)",
        "super().__init__(out_features, in_features)",
    ),
)
def linear_always_8_bits():
    """Bits and group size are forgotten."""


@mistake(
    "precision.QuantizedLinear.from_float",
    spec="test_the_float_layer_stays_as_it_is",
    says="bias of the Linear",
    swap=("copy.deepcopy(module.bias)", "module.bias"),
)
def linear_shares_the_bias():
    """The two layers share one bias."""


@mistake(
    "precision.QuantizedLinear.from_float",
    spec="test_a_linear_on_the_grid",
    says="result",
    swap=("layer.bias = copy.deepcopy(module.bias)\n", "pass\n"),
)
def linear_forgets_the_bias():
    """The bias stays 0."""


@mistake(
    "precision.QuantizedLinear.forward",
    spec="test_gradients_pass_through",
    says="gradient",
    swap=("linear(x, self.weight, self.bias)", "linear(x.detach(), self.weight, self.bias)"),
)
def linear_cuts_the_tape():
    """x gets no gradient."""


@mistake(
    "precision.QuantizedEmbedding.from_float",
    spec="test_an_embedding_on_the_grid",
    says="rows",
    swap=("module.embedding_dim, bits, group_size)", "module.embedding_dim, bits)"),
)
def embedding_forgets_the_group_size():
    """The group size is the default one."""


@mistake(
    "precision.QuantizedEmbedding.forward",
    spec="test_an_id_outside_of_the_table",
    says="IndexError",
    swap=(
        "embedding(input, self.qweight), embedding(input, self.scales)",
        "Tensor(self.qweight.data[input.data % 5]), Tensor(self.scales.data[input.data % 5])",
    ),
)
def embedding_wraps_around():
    """An id beyond the table begins again at row 0."""


@mistake(
    "precision.QuantizedEmbedding.forward",
    spec="test_only_the_rows_that_are_looked_up",
    says="the whole table has",
    swap=(
        "dequantize_rows(embedding(input, self.qweight), embedding(input, self.scales), self.features)",
        "embedding(input, self.weight)",
    ),
)
def embedding_computes_the_whole_table():
    """Every row is dequantized, and a few are looked up."""


@mistake(
    "precision.quantize_layers",
    spec="test_tied_weights_stay_tied",
    says="lm_head",
    swap=("known.setdefault((module.weight, bits, group_size), layer)", "layer"),
)
def tied_weights_come_apart():
    """Each layer keeps integers of its own."""


@mistake(
    "precision.quantize_layers",
    spec="test_tied_weights_on_two_grids_come_apart",
    says="qweight of lm_head",
    swap=(
        "known.setdefault((module.weight, bits, group_size), layer)",
        "known.setdefault(module.weight, layer)",
    ),
)
def tied_weights_whatever_their_bits():
    """A layer of 4 bits gets the integers of 8 bits of the layer that it is tied to."""


@mistake(
    "precision.quantize_layers",
    spec="test_the_model_stays_as_it_is",
    says="copy",
    swap=(
        "return copy.deepcopy(model, memo)",
        """for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            setattr(parent, name, memo.get(id(child), child))
    return memo.get(id(model), model)""",
    ),
)
def layers_replaced_in_place():
    """The model that was given is changed."""


@mistake(
    "precision.quantize_layers",
    spec="test_the_mode_stays",
    says="training",
    swap=("layer.train(module.training)", "layer"),
)
def layers_train_again():
    """The new layers are in training mode."""


@mistake(
    "precision.quantize_layers",
    spec="test_a_recipe_for_another_model_is_refused",
    says="3",
    swap=("modules.get(name)", "modules[name]"),
)
def layers_by_key_error():
    """A name that is missing gives Python's KeyError."""


@mistake(
    "precision.quantize_dynamic",
    spec="test_a_module_in_two_places_stays_one",
    says="subclass",
    swap=[
        ("kinds[type(module)]", "kinds[Linear if isinstance(module, Linear) else Embedding]"),
        ("if type(module) in kinds", "if isinstance(module, (Linear, Embedding))"),
    ],
)
def subclasses_are_replaced():
    """A subclass that computes something else is replaced too."""


@mistake(
    "precision.quantize_dynamic",
    spec="test_some_layers_can_be_skipped",
    says="ValueError",
    swap=("if unknown := [name for name in skip if name not in recipe]:", "if unknown := []:"),
)
def a_typing_error_skips_nothing():
    """A name that does not exist is passed over in silence."""


@mistake(
    "precision.memory_footprint",
    spec="test_how_many_bytes_a_model_has",
    says="bytes",
    swap=("[*model.parameters(), *model.buffers()]", "model.state_dict().values()"),
)
def tied_bytes_count_twice():
    """What stands in two places counts twice."""


@mistake(
    "precision.memory_footprint",
    spec="test_how_many_bytes_a_model_has",
    says="bytes",
    swap=(", *model.buffers()", ""),
)
def buffers_weigh_nothing():
    """Only parameters count, and the integers are none."""


# Files


@mistake(
    "precision.save_model",
    spec="test_tied_weights_are_in_the_file_once",
    says="too",
    swap=("first.setdefault(id(tensor.data), name)", "name"),
)
def saved_twice():
    """Tied weights are in the file under both names."""


@mistake(
    "precision.save_model",
    spec="test_the_metadata_say_how_layers_are_quantized",
    says="metadata that were given",
    swap=("{**metadata, TIED", "{TIED"),
)
def saved_without_your_metadata():
    """The metadata that were given are lost."""


@mistake(
    "precision.save_model",
    spec="test_the_names_of_the_metadata_are_taken",
    says="ValueError",
    swap=("if taken := {TIED, LAYERS} & metadata.keys():", "if taken := set():"),
)
def saved_over_your_metadata():
    """Metadata of the same name are overwritten in silence."""


@mistake(
    "precision.load_model",
    spec="test_float_models_too",
    says="are tied in the model, and differ",
    swap=(", equal_nan=True", ""),
)
def nan_differs_from_itself():
    """A weight of nan is taken for another one than itself, and the file is refused."""


@mistake(
    "precision.load_model",
    spec="test_another_dtype_is_refused",
    says="ValueError",
    swap=("if state[name].dtype != own[name].dtype:", "if False:"),
)
def loaded_with_another_dtype():
    """0.5 becomes the integer 0."""


@mistake(
    "precision.load_model",
    spec="test_a_missing_tensor_is_refused",
    says="KeyError",
    swap=("loaded.load_state_dict(state)", "loaded.load_state_dict(state, strict=False)"),
)
def loaded_what_is_there():
    """What is missing keeps the values of the model that was given."""


@mistake(
    "precision.load_model",
    spec="test_tied_weights_are_in_the_file_once",
    says="lm_head",
    swap=("tensors | tied", "tensors"),
)
def loaded_without_ties():
    """The names that were left out of the file are missing."""


@mistake(
    "precision.load_model",
    spec="test_metadata_that_say_nothing_are_refused",
    says="CheckpointError",
    swap=("except (ValueError, TypeError, KeyError, AttributeError)", "except CheckpointError"),
)
def loaded_with_pythons_errors():
    """Broken metadata give whatever error Python has."""


@mistake(
    "precision.load_model",
    spec="test_the_values_of_the_given_model_do_not_matter",
    says="nan",
    swap=("parameter.data[...] = 0", "pass"),
)
def loaded_over_a_grid_of_nan():
    """The values of the given model are put on a grid first, and nan has none."""


@mistake(
    "precision.load_model",
    spec="test_the_model_that_is_given_stays_as_it_is",
    says="wte.weight",
    swap=("blank = copy.deepcopy(model)", "blank = model"),
)
def loaded_from_a_model_set_to_0():
    """The given model is set to 0, and not a copy of it."""


@mistake(
    "precision.load_model",
    spec="test_the_model_that_is_given_decides_what_is_tied",
    says="lm_head",
    swap=(
        "state, own = tensors | tied, loaded.state_dict()",
        """own = loaded.state_dict()
    held = {id(own[name].data): each for name, each in tensors.items() if name in own}
    state = {name: held[id(each.data)] for name, each in own.items() if id(each.data) in held} | tensors""",
    ),
)
def loaded_with_the_ties_of_the_model():
    """What the file says of ties is not read: names are tied if they are in the model that was given."""


@mistake(
    "precision.load_model",
    spec="test_different_values_for_tied_weights_are_refused",
    says="ValueError",
    swap=("kept = first.setdefault(id(own[name].data), name)", "kept = name"),
)
def loaded_with_the_last_of_two():
    """Of two values for one Tensor the last one stays, in silence."""


@mistake(
    "precision.load_model",
    spec="test_metadata_that_say_nothing_are_refused",
    says="CheckpointError",
    swap=("if twice := tied.keys() & tensors.keys():", "if twice := set():"),
)
def loaded_a_name_twice():
    """A tied name that has a Tensor of its own in the file is loaded from the other one."""


@mistake(
    "precision.load_model",
    spec="test_metadata_that_say_nothing_are_refused",
    says="CheckpointError",
    swap=[
        ("    loaded = quantize_layers(blank, recipe)\n    except", "except"),
        ("    state, own =", "    loaded = quantize_layers(blank, recipe)\n    state, own ="),
    ],
)
def loaded_with_any_bits():
    """Bits that do not exist are an error that does not tell which file has them."""


# Scaling


@mistake(
    "precision.GradScaler.__init__",
    spec="test_factors_that_go_the_wrong_way",
    says="ValueError",
    swap=("if not 0 < backoff_factor < 1:", "if not 0 < backoff_factor:"),
)
def scaler_that_never_backs_off():
    """A backoff_factor of 1 is taken."""


@mistake(
    "precision.GradScaler.scale",
    spec="test_the_loss_is_multiplied",
    says="loss",
    swap=("loss * self._scale", "loss / self._scale"),
)
def scaler_divides_the_loss():
    """The loss is made smaller."""


@mistake(
    "precision.GradScaler.get_scale",
    spec="test_the_loss_is_multiplied",
    says="factor",
    swap=("return self._scale", "return 1 / self._scale"),
)
def scaler_tells_the_inverse():
    """The factor that gradients are multiplied by is told."""


@mistake(
    "precision.GradScaler.unscale_",
    spec="test_gradients_are_divided",
    says="gradients of the first group",
    swap=("grad.mul_(1 / self._scale)", "grad.mul_(self._scale)"),
)
def scaler_multiplies_again():
    """The gradients are multiplied once more."""


@mistake(
    "precision.GradScaler.unscale_",
    spec="test_gradients_are_divided",
    says="second group",
    swap=("for group in optimizer.param_groups for each", "for group in optimizer.param_groups[:1] for each"),
)
def scaler_of_the_first_group():
    """Only the first group is unscaled."""


@mistake(
    "precision.GradScaler.unscale_",
    spec="test_gradients_are_divided",
    says="in place",
    swap=(
        "for grad in grads:\n        grad.mul_(1 / self._scale)",
        """for each in params:
        if each.grad is None:
            continue
        grad = each.grad = each.grad / self._scale""",
    ),
)
def scaler_that_replaces_gradients():
    """Every gradient is a new Tensor: who holds the old one does not see the true values."""


@mistake(
    "precision.GradScaler.unscale_",
    spec="test_a_step_that_overflowed_is_left_out",
    says="parameter",
    swap=("finite = finite and bool(", "finite = bool("),
)
def scaler_that_looks_at_the_last_gradient():
    """Only the last gradient decides."""


@mistake(
    "precision.GradScaler.unscale_",
    spec="test_the_order_of_calls_is_checked",
    says="RuntimeError",
    swap=("if optimizer in self._overflowed:", "if False:"),
)
def scaler_that_divides_twice():
    """A second unscale_ divides again."""


@mistake(
    "precision.GradScaler.unscale_",
    spec="test_gradients_of_float16_are_refused",
    says="ValueError",
    swap=("if any(grad.dtype == float16 for grad in grads):", "if False:"),
)
def scaler_of_float16():
    """Gradients of float16 are divided, and become 0."""


@mistake(
    "precision.GradScaler.step",
    spec="test_a_step_is_made_with_the_true_gradient",
    says="unscale_ called before: False",
    swap=(
        "if optimizer not in self._overflowed:\n        self.unscale_(optimizer)\n",
        "self._overflowed.setdefault(optimizer, False)\n",
    ),
)
def scaler_that_does_not_unscale():
    """step leaves the gradients multiplied, if unscale_ was not called."""


@mistake(
    "precision.GradScaler.step",
    spec="test_a_step_that_overflowed_is_left_out",
    says="parameter",
    swap=("if not self._overflowed[optimizer]:", "if True:"),
)
def scaler_that_always_steps():
    """The step is made with infinite gradients too."""


@mistake(
    "precision.GradScaler.update",
    spec="test_the_factor_grows_when_nothing_overflows",
    says="factor",
    swap=(
        "self._scale *= self.backoff_factor\n        self._steps_without_overflow = 0",
        "self._scale *= self.backoff_factor",
    ),
)
def scaler_that_counts_on():
    """An overflow does not begin the count again."""


@mistake(
    "precision.GradScaler.update",
    spec="test_one_overflow_among_two_optimizers",
    says="factor",
    swap=("any(self._overflowed.values())", "all(self._overflowed.values())"),
)
def scaler_that_waits_for_all():
    """The factor shrinks only if every optimizer overflowed."""


@mistake(
    "precision.GradScaler.update",
    spec="test_the_order_of_calls_is_checked",
    says="RuntimeError",
    swap=("if not self._overflowed:", "if False:"),
)
def scaler_that_counts_nothing():
    """update without a step counts as a step without overflow."""


@mistake(
    "precision.GradScaler.state_dict",
    spec="test_the_state_of_a_scaler",
    says="state",
    swap=('"_growth_tracker": self._steps_without_overflow,', ""),
)
def scaler_that_forgets_its_count():
    """The count is not in the state."""


@mistake(
    "precision.GradScaler.state_dict",
    spec="test_a_state_is_a_copy",
    says="old state",
    swap=[
        ("return {", 'self.__dict__.setdefault("_state", {}).update({'),
        (
            '"_growth_tracker": self._steps_without_overflow,\n    }',
            '"_growth_tracker": self._steps_without_overflow})\n    return self._state',
        ),
    ],
)
def scaler_with_one_dict_for_all():
    """Every call gives the same dict, so an old state changes."""


@mistake(
    "precision.GradScaler.load_state_dict",
    spec="test_the_state_of_a_scaler",
    says="factor",
    swap=('self._steps_without_overflow = state_dict["_growth_tracker"]', "self._steps_without_overflow = 0"),
)
def scaler_that_begins_to_count_again():
    """The count begins at 0 in a resumed run."""


# Calibration


@mistake(
    "precision.MinMaxObserver.__init__",
    spec="test_an_observer_batch_by_batch",
    says="min_val",
    swap=("full((), math.inf)", "full((), 0.0)"),
)
def observer_that_begins_at_0():
    """The smallest entry is 0 or less, whatever passes."""


@mistake(
    "precision.MinMaxObserver.forward",
    spec="test_an_observer_remembers_the_ends",
    says="max_val",
    swap=("high.maximum(self.max_val)", "high"),
)
def observer_of_the_last_batch():
    """Only the last batch counts."""


@mistake(
    "precision.MinMaxObserver.forward",
    spec="test_an_observer_remembers_the_ends",
    says="smallest entry",
    swap=("if x.numel():", "if True:"),
)
def observer_of_nothing():
    """A batch without entries is an error."""


@mistake(
    "precision.MinMaxObserver.calculate_qparams",
    spec="test_the_grid_of_what_was_seen",
    says="scale",
    swap=("self.quant_min, self.quant_max, self.symmetric", "self.quant_min, self.quant_max"),
)
def observer_that_is_never_symmetric():
    """symmetric is not passed on."""


@mistake(
    "precision.MinMaxObserver.calculate_qparams",
    spec="test_an_observer_that_saw_nothing",
    says="RuntimeError",
    swap=("if self.min_val.item() > self.max_val.item():", "if False:"),
)
def observer_with_infinite_ends():
    """The error speaks of a range from inf to -inf, which nobody gave."""


@mistake(
    "precision.MovingAverageMinMaxObserver.forward",
    spec="test_a_moving_average_of_the_ends",
    says="nothing but 6",
    swap=(
        "first = self.min_val.item() > self.max_val.item()",
        "first = self.min_val.item() >= self.max_val.item()",
    ),
)
def one_number_is_nothing():
    """After a batch of one number the next batch sets the ends, as if it were the first."""


@mistake(
    "precision.MovingAverageMinMaxObserver.forward",
    spec="test_a_moving_average_of_the_ends",
    says="min_val after the first batch",
    swap=("seen if first else held", "held"),
)
def average_with_infinity():
    """The first batch is averaged with inf."""


@mistake(
    "precision.MovingAverageMinMaxObserver.forward",
    spec="test_a_moving_average_of_the_ends",
    says="min_val after the second batch",
    swap=("held + self.averaging_constant * (seen - held)", "seen + self.averaging_constant * (held - seen)"),
)
def average_the_other_way():
    """The new batch has the weight of the old ones."""


@mistake(
    "precision.fuse_conv_bn_weights",
    spec="test_the_weights_of_a_fused_convolution",
    says="bias",
    swap=("(conv_b - bn_rm) * s + bn_b", "conv_b + bn_b - bn_rm * s"),
)
def fused_bias_not_scaled():
    """The bias of the convolution passes through batch norm too."""


@mistake(
    "precision.fuse_conv_bn_weights",
    spec="test_the_weights_of_a_fused_convolution",
    says="weight",
    swap=("sqrt(bn_rv + bn_eps)", "sqrt(bn_rv)"),
)
def fused_without_eps():
    """eps is forgotten."""


@mistake(
    "precision.fuse_conv_bn_weights",
    spec="test_what_is_missing_does_nothing",
    says="weight",
    swap=("bn_w = ones_like(bn_rm)", "bn_w = zeros_like(bn_rm)"),
)
def fused_with_a_weight_of_0():
    """A missing weight of batch norm counts as 0."""


@mistake(
    "precision.fuse_conv_bn_eval",
    spec="test_one_convolution_does_what_two_modules_did",
    says="afterwards",
    swap=("copy.copy(conv)", "conv"),
)
def fused_in_place():
    """The convolution that was given is changed."""


@mistake(
    "precision.fuse_conv_bn_eval",
    spec="test_only_in_eval_mode",
    says="ValueError",
    swap=("if conv.training or bn.training:", "if bn.training:"),
)
def fused_while_training():
    """A convolution in training mode is taken."""


@mistake(
    "precision.StaticQuantizedLinear.forward",
    spec="test_a_product_of_whole_numbers",
    says="result",
    swap=("q.to(float32) - self.input_zero_point", "q.to(float32)"),
)
def static_without_zero_point():
    """The zero point is not subtracted from the input."""


@mistake(
    "precision.StaticQuantizedLinear.forward",
    spec="test_a_product_of_whole_numbers",
    says="result",
    swap=("self.input_scale * reshape(self.scales, -1)", "self.input_scale"),
)
def static_without_scales():
    """The scales of the rows are forgotten."""


@mistake(
    "precision.prepare",
    spec="test_prepare_puts_an_observer_before_each_linear",
    says="shares",
    swap=("copy.deepcopy(module, memo))", "module)"),
)
def prepared_around_the_original():
    """The copy holds the Linears of the model itself."""


@mistake(
    "precision.prepare",
    spec="test_prepare_keeps_the_mode_the_ties_and_subclasses",
    says="share their weight",
    swap=("copy.deepcopy(module, memo)", "copy.deepcopy(module)"),
)
def prepared_without_ties():
    """Each Linear is copied by itself, and tied weights come apart."""


@mistake(
    "precision.prepare",
    spec="test_prepare_keeps_the_mode_the_ties_and_subclasses",
    says="training",
    swap=(".train(module.training)", ""),
)
def prepared_to_train():
    """The new Sequential and its observer are in training mode."""


@mistake(
    "precision.prepare",
    spec="test_prepare_keeps_the_mode_the_ties_and_subclasses",
    says="Doubled",
    swap=("if type(module) is Linear:", "if isinstance(module, Linear):"),
)
def prepared_subclasses_too():
    """A subclass of Linear, which computes something else, is watched too."""


@mistake(
    "precision.convert",
    spec="test_convert_before_any_data",
    says="0",
    swap=('raise RuntimeError(f"{name}: {error}") from error', "raise"),
)
def converted_without_a_name():
    """The error does not tell which layer saw nothing."""


@mistake(
    "precision.convert",
    spec="test_convert_uses_what_was_seen",
    says="zero point",
    swap=("layer.input_zero_point.copy_(zero_point)", "pass"),
)
def converted_without_zero_point():
    """The zero point of the observer is not used."""


@mistake(
    "precision.convert",
    spec="test_convert_keeps_the_mode_and_other_modules",
    says="training",
    swap=("layer.train(module.training)", "layer"),
)
def converted_to_train():
    """The new layers are in training mode."""


@mistake(
    "precision.convert",
    spec="test_convert_keeps_the_mode_and_other_modules",
    says="the modules",
    swap=(" if type(watched) is Linear:", ":"),
)
def converted_subclasses_too():
    """A watched subclass of Linear is replaced, and what it computes is lost."""


@mistake(
    "precision.convert",
    spec="test_convert_keeps_the_mode_and_other_modules",
    says="the modules",
    swap=("case [Sequential(), ", "case [_, "),
)
def converted_any_container():
    """Any module with the two children is replaced, whatever its forward is."""


@mistake(
    "precision.convert",
    spec="test_an_observer_of_other_integers_is_refused",
    says="ValueError",
    swap=("if limits != (-128, 127):", "if False:"),
)
def converted_with_any_limits():
    """The grid of an observer from 0 to 255 is taken, and half of the inputs are limited to 127."""
