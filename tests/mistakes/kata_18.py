"""Classic mistakes of kata 18: masks that do not hold, channels half removed, bases that learn, a temperature lost."""

from dojo.tree.mistakes import mistake

# Which weights


@mistake(
    "compression.how_many",
    spec="test_an_amount_is_a_share_or_a_number",
    says="how_many(1, 10)",
    swap=(
        "int(amount) if isinstance(amount, Integral) else round(amount * size)",
        "round(amount * size if amount <= 1 else amount)",
    ),
)
def one_is_all():
    """The number 1 is taken for the share 1.0."""


@mistake(
    "compression.how_many",
    spec="test_an_amount_is_a_share_or_a_number",
    says="how_many(0.26, 10)",
    swap=("round(amount * size)", "int(amount * size)"),
)
def shares_rounded_down():
    """A share is rounded down."""


@mistake(
    "compression.how_many",
    spec="test_an_amount_out_of_range_is_refused",
    says="nothing was raised",
    swap=("(size if isinstance(amount, Integral) else 1)", "max(size, 1)"),
)
def shares_above_one():
    """A share of 1.5 is compared with the number of weights."""


@mistake(
    "compression.how_many",
    spec="test_an_amount_is_a_number",
    says="TypeError",
    swap=("isinstance(amount, bool) or ", ""),
)
def true_is_one():
    """True counts as the number 1."""


@mistake(
    "compression.magnitude_mask",
    spec="test_the_smallest_weights_go",
    says="entries",
    swap=("xp.abs(weight.data)", "weight.data"),
)
def negative_weights_go():
    """The sign counts: a weight of -2 is smaller than one of 0.1."""


@mistake(
    "compression.magnitude_mask",
    spec="test_the_smallest_weights_go",
    says="entries",
    swap=(
        "order[: gone + how_many(amount, kept.size - gone)]",
        "order[kept.size - gone - how_many(amount, kept.size - gone) :]",
    ),
)
def largest_weights_go():
    """The largest weights go."""


@mistake(
    "compression.magnitude_mask",
    spec="test_what_is_gone_stays_gone",
    says="entries",
    swap=("xp.where(kept == 0, -1.0, xp.abs(weight.data))", "xp.abs(weight.data)"),
)
def gone_weights_are_ranked_again():
    """What is gone is ranked by its size, as if it were there."""


@mistake(
    "compression.magnitude_mask",
    spec="test_what_is_gone_stays_gone",
    says="entries",
    swap=("gone + how_many(amount, kept.size - gone)", "how_many(amount, kept.size)"),
)
def amount_of_all_weights():
    """The share is one of all weights, those that are gone included."""


@mistake(
    "compression.magnitude_mask",
    spec="test_what_is_gone_stays_gone",
    says="changed",
    swap=("mask.data.copy()", "mask.data"),
)
def writes_into_the_earlier_mask():
    """The earlier mask is written into."""


@mistake(
    "compression.magnitude_mask",
    spec="test_a_mask_entry_by_entry",
    says="shape",
    swap=("return Tensor(kept)", "return Tensor(kept.reshape(-1))"),
)
def mask_stays_flat():
    """The mask has one axis."""


@mistake(
    "compression.sparsity",
    spec="test_the_share_of_zeros",
    says="sparsity",
    swap=(
        "return sum(int((each == 0).sum()) for each in weights) / total if total else 0.0",
        "return sum(float((each == 0).mean()) for each in weights) / len(weights) if total else 0.0",
    ),
)
def mean_of_the_shares():
    """The mean of the shares of each parameter, whatever their sizes."""


@mistake(
    "compression.sparsity",
    spec="test_the_share_of_nothing",
    says="ZeroDivisionError",
    swap=(" if total else 0.0", ""),
)
def share_of_no_entries():
    """No entries are divided by 0."""


@mistake(
    "compression.magnitude_mask",
    spec="test_of_equal_weights_only_as_many_go",
    says="how many weights go",
    swap=(
        "    kept.reshape(-1)[order[: gone + how_many(amount, kept.size - gone)]] = 0",
        """    count = gone + how_many(amount, kept.size - gone)
    if count:
        kept[magnitudes <= magnitudes.reshape(-1)[order[count - 1]]] = 0""",
    ),
)
def all_of_one_size_go():
    """What is as small as the largest that goes, goes too."""


@mistake(
    "compression.sparsity",
    spec="test_the_share_of_zeros_is_that_of_now",
    says="sparsity of the layer that was loaded",
    swap=("if name in _masked(module)", "if False"),
)
def share_of_the_last_pass():
    """The product of the last forward pass is counted, before the state was loaded."""


# Masks that hold


@mistake(
    "compression.custom_from_mask",
    spec="test_a_masked_weight_is_three_things",
    says="another object",
    swap=(
        'setattr(module, f"{name}_orig", original)',
        'setattr(module, f"{name}_orig", Parameter(original.data.copy()))',
    ),
)
def another_parameter():
    """weight_orig is a new Parameter, which the optimizer does not know."""


@mistake(
    "compression.custom_from_mask",
    spec="test_a_masked_weight_is_three_things",
    says="Buffer",
    swap=("Buffer(_ones_like(original))", "_ones_like(original)"),
)
def mask_outside_the_state():
    """The mask is a plain Tensor: no state_dict has it."""


@mistake(
    "compression.custom_from_mask",
    spec="test_the_given_mask_is_not_the_module_s",
    says="mask",
    swap=("Buffer(_ones_like(original))", "Buffer(mask)"),
)
def mask_is_shared():
    """The Buffer shares its memory with the mask that was given."""


@mistake(
    "compression.custom_from_mask",
    spec="test_two_masks_hold_both",
    says="mask",
    swap=("held.data[...] = held.data * mask.data", "held.data[...] = mask.data"),
)
def last_mask_wins():
    """A second mask replaces the first."""


@mistake(
    "compression.custom_from_mask",
    spec="test_a_mask_of_another_shape_is_refused",
    says="nothing was raised",
    swap=("if mask.shape != original.shape:", "if False:"),
)
def masks_broadcast():
    """A mask of another shape broadcasts."""


@mistake(
    "compression.custom_from_mask",
    spec="test_the_mask_is_in_every_forward_pass",
    says="output",
    swap=('vars(module)["forward"] = functools.partial(masked_forward, module)', "pass"),
)
def masked_once():
    """The product is computed once, and never again."""


@mistake(
    "compression.custom_from_mask",
    spec="test_masks_hold_through_training",
    says="masked weights",
)
def zeros_without_a_mask(module, name, mask):
    """The weights are set to 0, and nothing holds them there."""
    parameter = getattr(module, name)
    parameter.data[...] = parameter.data * mask.data
    return module


@mistake(
    "compression.masked_forward",
    spec="test_what_is_masked_gets_no_gradient",
    says="gradient",
    swap=(
        "_product(module, name)",
        'getattr(module, f"{name}_orig").detach() * getattr(module, f"{name}_mask")',
    ),
)
def product_is_not_recorded():
    """The product is not recorded."""


@mistake(
    "compression.masked_forward",
    spec="test_any_module_and_any_parameter_has_masks",
    says="output",
    swap=("forward(module, *args, **kwargs)", "forward(module, *args)"),
)
def keywords_are_lost():
    """The module's forward gets no keywords."""


@mistake(
    "compression.l1_unstructured",
    spec="test_a_layer_is_pruned_again",
    says="mask",
    swap=(', getattr(module, f"{name}_mask", None)', ""),
)
def earlier_mask_is_forgotten():
    """The earlier mask does not count."""


@mistake(
    "compression.global_unstructured",
    spec="test_layers_are_pruned_together",
    says="mask of the",
)
def each_layer_its_share(parameters, amount):
    """Every layer loses the same share."""
    for module, name in parameters:
        l1_unstructured(module, name, amount)


@mistake(
    "compression.global_unstructured",
    spec="test_layers_are_pruned_together_again",
    says="mask of the",
    swap=('getattr(module, f"{name}_mask", _ones_like(weight))', "_ones_like(weight)"),
)
def together_without_earlier_masks():
    """Earlier masks do not count."""


@mistake(
    "compression.is_pruned",
    spec="test_whether_anything_is_pruned",
    says="deep inside",
    swap=("any(_masked(each) for each in module.modules())", "bool(_masked(module))"),
)
def only_the_top_is_asked():
    """Only the module itself is asked."""


@mistake(
    "compression.is_pruned",
    spec="test_whether_anything_is_pruned",
    says="without masks",
    swap=("_masked(each) for", 'any(name.endswith("_mask") for name in vars(each)) for'),
)
def any_mask_counts():
    """An attribute called attn_mask counts as a mask."""


@mistake(
    "compression.remove",
    spec="test_the_zeros_are_those_of_now",
    says="weight",
    swap=(
        "original.data[...] = original.data * mask.data",
        "original.data[...] = getattr(module, name).data",
    ),
)
def last_step_is_lost():
    """The weight of the last forward pass is kept, and not what the optimizer did since."""


@mistake(
    "compression.remove",
    spec="test_a_mask_becomes_permanent",
    says="weight",
    swap=("original.data[...] = original.data * mask.data", "pass"),
)
def weights_come_back():
    """The mask goes, and the weights behind it come back."""


@mistake(
    "compression.remove",
    spec="test_a_mask_becomes_permanent",
    says="another object",
    swap=("setattr(module, name, original)", "setattr(module, name, Parameter(original.data))"),
)
def remove_makes_a_new_parameter():
    """The weight is a new Parameter afterwards."""


@mistake(
    "compression.remove",
    spec="test_one_of_two_masks_is_removed",
    says="bias has a mask",
    swap=("if not _masked(module):", "if True:"),
)
def all_masks_stop_holding():
    """The module's own forward comes back though another parameter still has a mask."""


@mistake(
    "compression.remove",
    spec="test_no_mask_cannot_be_removed",
    says="ValueError",
    swap=("if name not in _masked(module):", "if False:"),
)
def remove_without_a_mask():
    """A parameter without a mask is not noticed."""


# The schedule


@mistake(
    "compression.cubic_sparsity",
    spec="test_the_schedule_by_hand",
    says="shares",
    swap=("left**3", "left"),
)
def linear_schedule():
    """The share grows in equal steps."""


@mistake(
    "compression.cubic_sparsity",
    spec="test_the_schedule_by_hand",
    says="shares",
    swap=("final + (initial - final) * left**3", "initial + (final - initial) * (1 - left) ** 3"),
)
def slow_at_first():
    """Slow at first and fast at the end."""


@mistake(
    "compression.cubic_sparsity",
    spec="test_before_and_after_the_schedule",
    says="shares",
    swap=("min(max((step - begin) / (end - begin), 0.0), 1.0)", "(step - begin) / (end - begin)"),
)
def schedule_without_ends():
    """Before and after the schedule the formula goes on."""


@mistake(
    "compression.cubic_sparsity",
    spec="test_a_schedule_ends_after_it_begins",
    says="7",
    swap=("end <= begin", "end < begin"),
)
def schedule_of_no_steps():
    """A schedule that ends where it begins is divided by 0."""


@mistake(
    "compression.GradualPruning.__init__",
    spec="test_masks_are_there_from_the_beginning",
    says="names of the state",
    swap=("global_unstructured(self.parameters, 0)", "pass"),
)
def masks_come_later():
    """Masks are made only when the first weights go."""


@mistake(
    "compression.GradualPruning.__init__",
    spec="test_pruning_every_0_steps_is_refused",
    says="nothing was raised",
    swap=("if every < 1:", "if every < 0:"),
)
def every_0_steps():
    """every=0 is taken, and divides by 0 later."""


@mistake(
    "compression.GradualPruning.on_step_end",
    spec="test_a_trainer_prunes_at_every_step",
    says="number of zeros",
    swap=(
        "global_unstructured(self.parameters, max(more, 0))",
        "global_unstructured(self.parameters, wanted)",
    ),
)
def share_of_what_is_left():
    """The wanted share is taken of what is left, at each step again."""


@mistake(
    "compression.GradualPruning.on_step_end",
    spec="test_a_trainer_prunes_every_third_step_and_at_the_end",
    says="number of zeros",
    swap=(" or self.steps == self.end", ""),
)
def end_is_missed():
    """The end is missed where it is not a third step."""


@mistake(
    "compression.GradualPruning.on_step_end",
    spec="test_more_zeros_than_wanted_stay",
    says="ValueError",
    swap=("max(more, 0)", "more"),
)
def fewer_than_none():
    """A negative number of weights is to go."""


@mistake(
    "compression.GradualPruning.on_step_end",
    spec="test_a_trainer_prunes_every_third_step_and_at_the_end",
    says="number of zeros",
    swap=("(self.steps - self.begin) % self.every", "self.steps % self.every"),
)
def counted_from_zero():
    """Every third step is counted from step 0 and not from `begin`."""


@mistake(
    "compression.GradualPruning.on_step_end",
    spec="test_a_weight_that_is_0_by_itself_is_no_zero_of_a_mask",
    says="number of zeros in the masks",
    swap=('getattr(module, f"{name}_mask").data', "getattr(module, name).data"),
)
def zeros_by_themselves_count():
    """Weights that are 0 by themselves count as masked."""


# Channels


@mistake(
    "compression.channel_scores",
    spec="test_scores_of_a_linear_layer",
    says="scores",
    swap=(".sum(1)", ".sum(0)"),
)
def scores_of_the_inputs():
    """The columns are scored."""


@mistake(
    "compression.channel_scores",
    spec="test_scores_of_a_linear_layer",
    says="n=1",
    swap=("(rows**n).sum(1) ** (1 / n)", "(rows**2).sum(1) ** 0.5"),
)
def always_the_second_norm():
    """n is ignored."""


@mistake(
    "compression.keep_entries",
    spec="test_the_optimizer_forgets_the_same_entries",
    says="exp_avg",
    swap=("state[name] = kept(value)", "pass"),
)
def momentum_of_old_entries():
    """What the optimizer remembers keeps its old shape."""


@mistake(
    "compression.keep_entries",
    spec="test_the_optimizer_forgets_the_same_entries",
    says="exp_avg",
    swap=("state[name] = kept(value)", "state[name] = kept(value) * 0"),
)
def momentum_begins_again():
    """What the optimizer remembers begins again with 0."""


@mistake(
    "compression.keep_entries",
    spec="test_the_gradient_is_kept_with_its_entries",
    says="gradient",
    swap=("if tensor.grad is not None:", "if False:"),
)
def gradient_of_old_entries():
    """The gradient keeps its old shape."""


@mistake(
    "compression.keep_outputs",
    spec="test_channels_of_a_batch_norm_are_kept",
    says="running_mean",
    swap=(
        "[*layer.parameters(), *layer.buffers()]",
        "layer.parameters()",
    ),
)
def statistics_stay():
    """The running statistics keep all channels."""


@mistake(
    "compression.keep_outputs",
    spec="test_outputs_of_a_linear_layer_are_kept",
    says="out_features",
    swap=("setattr(layer, name, len(keep))", "pass"),
)
def old_numbers_are_printed():
    """out_features still says the old number."""


@mistake(
    "compression.keep_inputs",
    spec="test_inputs_behind_a_flatten_are_kept",
    says="weight",
    swap=(
        "keep.unsqueeze(1) * area + arange(area, device=keep.device)",
        "keep.unsqueeze(1) + channels * arange(area, device=keep.device)",
    ),
)
def features_in_another_order():
    """The features of a channel are taken for every third one, and not for four side by side."""


@mistake(
    "compression.keep_inputs",
    spec="test_inputs_that_are_no_multiple_of_the_channels_are_refused",
    says="nothing was raised",
    swap=("if inputs % channels:", "if False:"),
)
def features_left_over():
    """Features that belong to no channel are dropped without a word."""


@mistake(
    "compression.remove_channels",
    spec="test_the_smallest_channels_go",
    says="kept",
    swap=(
        "sort(order[count:])",
        "sort(order[: channels - count])",
    ),
)
def largest_channels_go():
    """The largest channels go."""


@mistake(
    "compression.remove_channels",
    spec="test_nothing_else_has_changed",
    says="running_mean",
    swap=("for each in (layer, *norms):", "for each in (layer,):"),
)
def batch_norm_is_forgotten():
    """The batch norm keeps all its channels."""


@mistake(
    "compression.remove_channels",
    spec="test_the_smallest_channels_go",
    says="kept",
    swap=(
        "get_array_module(order).sort(order[count:])",
        "order[count:]",
    ),
)
def channels_change_places():
    """The channels that stay are sorted by their scores."""


@mistake(
    "compression.remove_channels",
    spec="test_training_goes_on",
    says="broadcast",
    swap=("keep_inputs(reader, keep, channels, optimizer)", "keep_inputs(reader, keep, channels)"),
)
def reader_s_state_stays():
    """The optimizer's state of the next layer keeps its old shape."""


@mistake(
    "compression.remove_channels",
    spec="test_what_cannot_be_removed_is_refused",
    says="nothing was raised",
    swap=("if count == channels:", "if False:"),
)
def nothing_is_left():
    """All channels may go."""


@mistake(
    "compression.remove_channels",
    spec="test_nothing_else_has_changed",
    says="running_mean",
    swap=("for each in (layer, *norms):", "for each in (layer, *norms[:1]):"),
)
def only_the_first_batch_norm():
    """A second batch norm keeps all its channels."""


@mistake(
    "compression.remove_channels",
    spec="test_what_cannot_be_removed_is_refused",
    says="nothing was raised",
    swap=("isinstance(reader, Conv2d) or inputs != channels", "inputs % channels"),
)
def flattened_linear():
    """Behind a Linear and a Flatten the inputs of the next layer are taken for those of a Conv2d."""


# Low rank


@mistake(
    "compression.rank_for_energy",
    spec="test_the_rank_that_holds_an_energy",
    says="rank",
    swap=("_decomposed(weight)[1].astype(float) ** 2", "_decomposed(weight)[1].astype(float)"),
)
def energy_without_squares():
    """The singular values are added up, and not their squares."""


@mistake(
    "compression.rank_for_energy",
    spec="test_a_matrix_of_zeros_has_a_rank_all_the_same",
    says="rank",
    swap=("1 + int((held[:-1] < energy * held[-1:]).sum())", "int((held <= energy * held[-1:]).sum())"),
)
def rank_of_nothing():
    """A matrix of zeros gets the largest rank."""


@mistake(
    "compression.factorize",
    spec="test_a_tall_matrix_needs_no_square_one",
    says="a square matrix has",
    swap=("_decomposed(weight)", "get_array_module(weight.data).linalg.svd(weight.detach().data)"),
)
def a_square_of_zeros():
    """svd gives square matrices unless it is told not to: of 1,000 vectors four are used."""


@mistake(
    "compression.factorize",
    spec="test_both_factors_are_of_one_size",
    says="norm",
    swap=[("u[:, :rank] * root", "u[:, :rank] * s[:rank]"), ("root[:, None] * vt[:rank]", "vt[:rank]")],
)
def one_factor_takes_all():
    """One factor takes the singular values, the other none."""


@mistake(
    "compression.factorize",
    spec="test_a_matrix_of_rank_1_is_a_product",
    says="product",
    swap=("root = s[:rank] ** 0.5", "root = s[:rank]"),
)
def values_taken_twice():
    """Both factors take the whole singular values."""


@mistake(
    "compression.factorize",
    spec="test_no_other_factors_come_nearer",
    says="squared error",
    swap=[
        ("u[:, :rank] * root", "u[:, -rank:] * root"),
        ("vt[:rank]", "vt[-rank:]"),
        ("s[:rank]", "s[-rank:]"),
    ],
)
def smallest_values_are_kept():
    """The smallest singular values are kept."""


@mistake(
    "compression.factorize",
    spec="test_factors_have_the_weight_s_dtype",
    says="dtype",
    swap=(
        "return Tensor(left).to(weight.dtype), Tensor(right).to(weight.dtype)",
        "return Tensor(left), Tensor(right)",
    ),
)
def factors_of_another_dtype():
    """The factors have the dtype of the decomposition."""


@mistake(
    "compression.low_rank",
    spec="test_a_layer_that_would_grow_stays",
    says="another module",
    swap=("rank * (inputs + outputs) >= inputs * outputs", "rank > inputs or rank > outputs"),
)
def layers_grow():
    """Two layers replace one even if they are larger."""


@mistake(
    "compression.low_rank",
    spec="test_a_layer_becomes_two",
    says="shapes",
    swap=("if layer.bias is not None:", "if False:"),
)
def bias_is_lost():
    """The bias is lost."""


@mistake(
    "compression.low_rank",
    spec="test_the_bias_is_a_copy",
    says="old layer's bias",
    swap=("Parameter(layer.bias.detach().clone())", "layer.bias"),
)
def bias_is_shared():
    """Both layers have the same bias."""


@mistake(
    "compression.replace_linears",
    spec="test_a_layer_in_two_places_is_changed_once",
    says="different layers",
    swap=("setattr(parent, name, changed[child])", "setattr(parent, name, change(child))"),
)
def places_of_a_shared_layer():
    """A shared layer becomes two."""


@mistake(
    "compression.replace_linears",
    spec="test_every_linear_is_replaced",
    says="classes",
    swap=("for parent in model.modules()", "for parent in [model]"),
)
def only_the_top_is_replaced():
    """Only the layers of the model itself are replaced."""


@mistake(
    "compression.replace_linears",
    spec="test_names_that_do_not_exist_are_refused",
    says="nothing was raised",
    swap=("if not found:", "if False:"),
)
def misspelt_names():
    """Names that no layer has are passed over in silence."""


@mistake(
    "compression.low_rank",
    spec="test_the_two_layers_have_the_layer_s_dtype",
    says="dtype",
    swap=(
        "first.weight, second.weight = Parameter(right), Parameter(left)",
        "first.weight.data[...], second.weight.data[...] = right.data, left.data",
    ),
)
def float64_is_lost():
    """The factors are written into layers of float32."""


@mistake(
    "compression.replace_linears",
    spec="test_a_name_is_the_whole_name",
    says="classes of proj",
    swap=("or name in target_modules)", "or any(name.endswith(each) for each in target_modules))"),
)
def names_that_end_so():
    """A name means all names that end in it."""


# LoRA


@mistake(
    "compression.LoRALinear.__init__",
    spec="test_at_first_nothing_is_added",
    says="output",
    swap=("init.zeros_(self.lora_B.weight)", "pass"),
)
def noise_at_first():
    """Both matrices begin with random numbers."""


@mistake(
    "compression.LoRALinear.__init__",
    spec="test_at_first_nothing_is_added",
    says="neither",
    swap=(
        "init.zeros_(self.lora_B.weight)",
        "init.zeros_(self.lora_B.weight), init.zeros_(self.lora_A.weight)",
    ),
)
def both_are_zero():
    """Both matrices begin with 0: neither ever gets a gradient."""


@mistake(
    "compression.LoRALinear.__init__",
    spec="test_the_base_is_frozen",
    says="what learns",
    swap=("base_layer.requires_grad_(False)", "base_layer"),
)
def base_learns():
    """The base is not frozen."""


@mistake(
    "compression.LoRALinear.__init__",
    spec="test_the_difference_by_hand",
    says="scaling",
    swap=("alpha / r", "alpha"),
)
def scaling_without_r():
    """The scaling is alpha."""


@mistake(
    "compression.LoRALinear.__init__",
    spec="test_the_adapter_has_the_base_s_dtype",
    says="dtype",
    swap=("each.to(base_layer.weight.dtype).to(base_layer.weight.device)", "pass"),
)
def adapter_of_float32():
    """The adapter is always float32 on the CPU."""


@mistake(
    "compression.LoRALinear.forward",
    spec="test_merged_it_gives_the_same",
    says="layer's output",
    swap=("out if self.merged else ", ""),
)
def counted_twice():
    """After merging, the difference counts twice."""


@mistake(
    "compression.LoRALinear.forward",
    spec="test_the_difference_by_hand",
    says="output",
    swap=(" * self.scaling", ""),
)
def forward_without_scaling():
    """The product is not scaled."""


@mistake(
    "compression.LoRALinear.merge",
    spec="test_merged_it_gives_the_same",
    says="base's output",
    swap=("self.scaling * difference", "difference"),
)
def merge_without_scaling():
    """The difference is merged without its scaling."""


@mistake(
    "compression.LoRALinear.merge",
    spec="test_merged_it_gives_the_same",
    says="merged twice",
    swap=("if not self.merged:", "if True:"),
)
def merged_again():
    """A second merge adds the difference again."""


@mistake(
    "compression.add_lora",
    spec="test_a_model_is_adapted",
    says="number of parameters that learn",
    swap=("each.requires_grad_(False)", "pass"),
)
def the_rest_learns():
    """Only the bases of the adapters are frozen."""


@mistake(
    "compression.add_lora",
    spec="test_adapters_are_not_adapted",
    says="nothing was raised",
    swap=("if any(isinstance(each, LoRALinear) for each in model.modules()):", "if False:"),
)
def adapters_around_adapters():
    """Adapters are adapted."""


@mistake(
    "compression.add_lora",
    spec="test_a_refused_adapter_changes_nothing",
    says="frozen",
    swap=[
        (
            "frozen = [each for each in model.parameters() if each.requires_grad]",
            "frozen = [each.requires_grad_(False) for each in model.parameters()]",
        ),
        ("each.requires_grad_(True)", "pass"),
    ],
)
def frozen_before_the_check():
    """The model is frozen before the names are checked."""


@mistake(
    "compression.merge_and_unload",
    spec="test_an_adapted_model_becomes_plain_again",
    says="logits",
    swap=("child.merge()", "pass"),
)
def unloaded_without_merging():
    """The adapters are dropped with what they have learned."""


@mistake(
    "compression.merge_and_unload",
    spec="test_an_adapted_model_becomes_plain_again",
    says="names",
    swap=("setattr(parent, name, child.base_layer)", "pass"),
)
def merged_and_not_unloaded():
    """The adapters stay in the tree."""


@mistake(
    "compression.add_lora",
    spec="test_a_later_layer_that_is_refused_changes_nothing_either",
    says="is frozen",
    swap=("each.requires_grad_(True)", "pass"),
)
def the_first_layer_stays_frozen():
    """What was frozen before a later layer is refused stays frozen."""


@mistake(
    "compression.merge_and_unload",
    spec="test_an_adapted_model_becomes_plain_again",
    says="what requires grad afterwards",
    swap=("child.merge()", "child.merge(), child.base_layer.requires_grad_(True)"),
)
def thawed():
    """The layers that come back learn again."""


# Distillation


@mistake(
    "compression.distillation_loss",
    spec="test_both_losses_are_mixed",
    says="99",
    swap=(" or alpha == 1", ""),
)
def class_numbers_are_always_read():
    """Class numbers that do not count are an error."""


@mistake(
    "compression.distillation_loss",
    spec="test_both_losses_are_mixed",
    says="alpha from 0 to 1",
    swap=("0 <= alpha <= 1", "0 < alpha <= 1"),
)
def no_alpha_of_0():
    """To learn from the class numbers alone is refused."""


@mistake(
    "compression.distillation_loss",
    spec="test_a_class_that_the_teacher_rules_out",
    says="invalid value",
    swap=("where(p == 0, 0.0, log_q)", "log_q"),
)
def both_rule_it_out():
    """0 times infinity, where the student rules a class out, too."""


@mistake(
    "compression.distill",
    spec="test_the_teacher_is_in_eval_mode_and_the_student_learns",
    says="a part of the teacher",
    swap=(
        "            teacher_logits = teacher(x)",
        "            teacher_logits = teacher(x)\n        teacher.train()",
    ),
)
def the_whole_teacher_trains():
    """Afterwards every part of the teacher is in train mode."""


@mistake(
    "compression.count_macs",
    spec="test_counting_changes_nothing",
    says="a part that was in eval mode",
    swap=[
        ("total = 0", "total, was = 0, model.training"),
        ("dispatch.observers.remove(watch)", "dispatch.observers.remove(watch), model.train(was)"),
    ],
)
def one_mode_for_all_parts():
    """All parts get the mode of the model."""


@mistake(
    "compression.distillation_loss",
    spec="test_the_soft_loss_class_by_class",
    says="loss",
    swap=("alpha * temperature**2", "alpha"),
)
def temperature_squared_is_lost():
    """The soft loss is not multiplied by T**2."""


@mistake(
    "compression.distillation_loss",
    spec="test_the_soft_loss_class_by_class",
    says="loss",
    swap=("student_logits / temperature", "student_logits"),
)
def student_without_temperature():
    """Only the teacher's logits are divided by T."""


@mistake(
    "compression.distillation_loss",
    spec="test_the_soft_loss_by_hand",
    says="loss",
    swap=[
        ("p = exp(log_p)", "p = exp(log_q)"),
        ("where(p == 0, 0.0, log_p) - where(p == 0, 0.0, log_q)", "log_q - log_p"),
    ],
)
def divergence_the_other_way_round():
    """KL of the student to the teacher, and not of the teacher to the student."""


@mistake(
    "compression.distillation_loss",
    spec="test_the_soft_loss_class_by_class",
    says="loss",
    swap=(".sum(-1).mean()", ".mean()"),
)
def mean_over_classes():
    """The mean over rows and classes, as kl_div(reduction="mean") of PyTorch."""


@mistake(
    "compression.distillation_loss",
    spec="test_the_teacher_does_not_learn",
    says="teacher got a gradient",
    swap=("teacher_logits.detach() / temperature", "teacher_logits / temperature"),
)
def teacher_learns():
    """The teacher's logits are not detached."""


@mistake(
    "compression.distillation_loss",
    spec="test_a_class_that_the_teacher_rules_out",
    says="warning",
    swap=("where(p == 0, 0.0, log_p)", "log_p"),
)
def nothing_times_infinity():
    """0 * log 0 is nan."""


@mistake(
    "compression.distillation_loss",
    spec="test_both_losses_are_mixed",
    says="loss",
    swap=("cross_entropy(student_logits, target)", "cross_entropy(student_logits / temperature, target)"),
)
def hard_loss_with_temperature():
    """The cross entropy has the temperature too."""


@mistake(
    "compression.distillation_loss",
    spec="test_a_very_sure_teacher_does_not_overflow",
    says="warning",
    swap=[
        (
            "log_p = log_softmax(teacher_logits.detach() / temperature, -1)",
            "p = exp(teacher_logits.detach() / temperature)",
        ),
        ("p = exp(log_p)", "p = p / p.sum(-1, keepdim=True); log_p = p.log()"),
    ],
)
def soft_targets_overflow():
    """exp of the logits themselves."""


@mistake(
    "compression.distill",
    spec="test_an_epoch_of_distillation",
    says="mean loss",
    swap=("mean.update(loss.item(), len(x))", "mean.update(loss.item())"),
)
def mean_over_batches():
    """The mean over the batches, whatever their sizes."""


@mistake(
    "compression.distill",
    spec="test_the_teacher_is_in_eval_mode_and_the_student_learns",
    says="teacher",
    swap=("with evaluating(teacher):", "if True:"),
)
def teacher_drops_out():
    """The teacher is in train mode, and recorded."""


@mistake(
    "compression.distill",
    spec="test_the_teacher_is_in_eval_mode_and_the_student_learns",
    says="student",
    swap=("student.train()", "pass"),
)
def student_in_eval_mode():
    """The student stays in eval mode."""


@mistake(
    "compression.distill",
    spec="test_a_student_comes_near_its_teacher",
    says="loss went",
    swap=("optimizer.zero_grad()", "pass"),
)
def gradients_add_up():
    """Gradients of earlier batches are not forgotten."""


# Costs


@mistake(
    "compression.save_sparse",
    spec="test_what_would_not_get_smaller_is_written_as_it_is",
    says="for 32 numbers",
    swap=("bits.nbytes + values.nbytes < array.nbytes", "bits.nbytes + values.nbytes <= array.nbytes"),
)
def as_large_is_small_enough():
    """A Tensor that does not get smaller is taken apart."""


@mistake(
    "compression.save_sparse",
    spec="test_what_would_not_get_smaller_is_written_as_it_is",
    says="names in the file",
    swap=("if bits.nbytes + values.nbytes < array.nbytes:", "if True:"),
)
def always_sparse():
    """Dense Tensors get bits too, and grow."""


@mistake(
    "compression.save_sparse",
    spec="test_bytes_on_the_disk",
    says="bytes",
    swap=("np.packbits(array != 0)", "(array.reshape(-1) != 0).astype(np.uint8)"),
)
def a_byte_for_a_bit():
    """A byte for each entry."""


@mistake(
    "compression.save_sparse",
    spec="test_a_name_that_is_taken_is_refused",
    says="nothing was raised",
    swap=("if len(tensors) < len(state) + len(shapes):", "if False:"),
)
def names_overwrite_each_other():
    """A Tensor of the state is overwritten by the bits of another one."""


@mistake(
    "compression.load_sparse",
    spec="test_a_state_comes_back",
    says="shape",
    swap=("Tensor(array.reshape(shape))", "Tensor(array)"),
)
def loaded_flat():
    """What is loaded has one axis."""


@mistake(
    "compression.load_sparse",
    spec="test_a_state_comes_back",
    says="dtype",
    swap=("np.zeros(math.prod(shape), values.dtype)", "np.zeros(math.prod(shape))"),
)
def loaded_as_float64():
    """What is loaded is float64."""


@mistake(
    "compression.load_sparse",
    spec="test_parts_that_do_not_fit_are_refused",
    says="nothing was raised",
    swap=("if bits.shape != (-(-array.size // 8),) or values.shape != (there.sum(),):", "if False:"),
)
def parts_that_broadcast():
    """One value for many bits broadcasts."""


@mistake(
    "compression.count_macs",
    spec="test_multiply_adds_of_a_convolution",
    says="multiply-adds",
)
def counted_by_formula(model, *inputs):
    """By the parameters, as if every weight were used once for each picture."""
    return inputs[0].shape[0] * sum(p.numel() for p in model.parameters() if p.ndim > 1)


@mistake(
    "compression.count_macs",
    spec="test_counting_changes_nothing",
    says="observer",
    swap=("dispatch.observers.remove(watch)", "pass"),
)
def observer_stays():
    """The observer is never removed."""


@mistake(
    "compression.count_macs",
    spec="test_counting_changes_nothing",
    says="trained",
    swap=("with dispatch.disabled(), evaluating(model):", "with dispatch.disabled():"),
)
def counted_in_train_mode():
    """The model is in train mode: batch norm would move its statistics."""


@mistake(
    "compression.count_macs",
    spec="test_multiply_adds_of_a_linear_layer",
    says="multiply-adds",
    swap=("result.size * event.args[0].shape[-1]", "result.size"),
)
def outputs_are_counted():
    """One for each output, and not one for each product in it."""
