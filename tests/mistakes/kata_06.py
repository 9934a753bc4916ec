"""Classic mistakes of kata 06: corrections, roots and decays in the wrong place, and memory that is shared or lost."""

from dojo.tree.mistakes import mistake


@mistake(
    "optimizers.sgd_update",
    spec="test_sgd_update_goes_against_the_gradient",
    says="0.8",
    swap=("p -= lr * g", "p = p - lr * g"),
)
def sgd_rebinds():
    """p = p - ... makes a new array, and the caller's stays."""


@mistake(
    "optimizers.sgd_update",
    spec="test_weight_decay_pulls_towards_zero",
    says="was changed",
    swap=("g = g + weight_decay * p", "g += weight_decay * p"),
)
def sgd_decays_in_the_gradient():
    """Weight decay is written into the gradient's own array."""


@mistake(
    "optimizers.sgd_update",
    spec="test_the_first_momentum_buffer_is_the_gradient",
    says="used again",
    swap=(
        """get_array_module(p).array(
                    g, p.dtype
                )""",
        "g",
    ),
)
def sgd_keeps_the_gradients_array():
    """The first buffer is the gradient's array, and not a copy of it."""


@mistake(
    "optimizers.sgd_update",
    spec="test_dampening_weakens_all_gradients_but_the_first",
    says="after one step",
    swap=("g, p.dtype", "(1 - dampening) * g, p.dtype"),
)
def sgd_dampens_the_first():
    """The buffer begins at 0, so that the first gradient is dampened too."""


@mistake(
    "optimizers.sgd_update",
    spec="test_nesterov_looks_ahead",
    says="after one step",
    swap=[
        (
            "if buffer is None:",
            """before = 0 if buffer is None else buffer.copy()
            if buffer is None:""",
        ),
        ("g + momentum * buffer if", "g + momentum * before if"),
    ],
)
def nesterov_looks_back():
    """Nesterov with the buffer of the step before."""


@mistake(
    "optimizers.sgd_update",
    spec="test_weight_decay_goes_into_the_momentum",
    says="after two steps",
    swap=[
        ("g = g + weight_decay * p", "pass"),
        ("p -= lr * g", "p -= lr * (g + weight_decay * p)"),
    ],
)
def sgd_decays_beside_the_momentum():
    """Weight decay is added after the buffer, which never sees it."""


@mistake(
    "optimizers.adam_update",
    spec="test_the_first_step_of_adam_has_the_size_lr",
    says="expected",
    swap=("1 - beta1**step, 1 - beta2**step", "1, 1"),
)
def adam_without_correction():
    """Averages that begin at 0 are used as they are."""


@mistake(
    "optimizers.adam_update",
    spec="test_two_steps_by_hand",
    says="after two steps",
    swap=[
        (
            "m[...] = beta1 * m + (1 - beta1) * g",
            "m[...] = (beta1 * m + (1 - beta1) * g) / (1 - beta1**step)",
        ),
        (
            "v[...] = beta2 * v + (1 - beta2) * g * g",
            "v[...] = (beta2 * v + (1 - beta2) * g * g) / (1 - beta2**step)",
        ),
        ("1 - beta1**step, 1 - beta2**step", "1, 1"),
    ],
)
def adam_stores_the_correction():
    """The corrected averages are written back, and corrected again at the next step."""


@mistake(
    "optimizers.adam_update",
    spec="test_every_parameter_has_its_own_count",
    says="at step 1000",
    swap=("1 - beta1**step, 1 - beta2**step", "1 - beta1 ** steps[0], 1 - beta2 ** steps[0]"),
)
def adam_counts_for_all():
    """The first parameter's count is used for every one."""


@mistake(
    "optimizers.adam_update",
    spec="test_eps_is_added_to_the_corrected_root",
    says="expected",
    swap=(
        "(get_array_module(v).sqrt(v) / math.sqrt(correction2) + eps)",
        "get_array_module(v).sqrt(v / correction2 + eps)",
    ),
)
def adam_eps_inside_the_root():
    """sqrt(v + eps): 1e-8 becomes 1e-4."""


@mistake(
    "optimizers.adam_update",
    spec="test_eps_is_added_to_the_corrected_root",
    says="expected",
    swap=(
        "get_array_module(v).sqrt(v) / math.sqrt(correction2) + eps",
        "(get_array_module(v).sqrt(v) + eps) / math.sqrt(correction2)",
    ),
)
def adam_corrects_eps():
    """The correction is applied to root and eps together."""


@mistake(
    "optimizers.adam_update",
    spec="test_decoupled_weight_decay_shrinks_the_parameter",
    says="whose gradient is 0",
    swap=("if decoupled:", "if False:"),
)
def adamw_is_coupled():
    """Weight decay joins the gradient, decoupled or not."""


@mistake(
    "optimizers.adam_update",
    spec="test_decoupled_weight_decay_shrinks_the_parameter",
    says="9.5",
    swap=("1 - lr * weight_decay", "1 - weight_decay"),
)
def adamw_decays_without_lr():
    """The parameter shrinks by weight_decay, where lr * weight_decay is meant."""


@mistake(
    "optimizers.rmsprop_update",
    spec="test_rmsprop_adds_eps_outside_the_root",
    says="expected",
    swap=("(get_array_module(v).sqrt(v) + eps)", "get_array_module(v).sqrt(v + eps)"),
)
def rmsprop_eps_inside_the_root():
    """sqrt(v + eps)."""


@mistake(
    "optimizers.rmsprop_update",
    spec="test_rmsprop_has_momentum",
    says="after three steps",
    swap=[
        ("momentum * buffer + direction", "momentum * buffer + g"),
        ("direction = buffer", "direction = buffer / (get_array_module(v).sqrt(v) + eps)"),
    ],
)
def rmsprop_averages_before_dividing():
    """The buffer gathers gradients, and is divided when it is used."""


@mistake(
    "optimizers.Optimizer.__init__",
    spec="test_parameters_may_come_from_a_generator",
    says="parameters is 0",
    swap=[
        ("groups = list(params)", "kinds = [isinstance(each, dict) for each in params]"),
        ("not groups", "not kinds"),
        (
            'groups if isinstance(groups[0], dict) else [{"params": groups}]',
            'params if kinds[0] else [{"params": params}]',
        ),
    ],
)
def params_are_gone_through_twice():
    """The check for emptiness uses the generator up."""


@mistake(
    "optimizers.Optimizer.__init__",
    spec="test_a_single_tensor_is_not_a_list",
    says="nothing was raised",
    swap=("if isinstance(params, Tensor):", "if False:"),
)
def a_tensor_is_iterated_over():
    """A Tensor in place of a list: its rows become the parameters, and never get a gradient."""


@mistake(
    "optimizers.Optimizer.add_param_group",
    spec="test_equal_parameters_are_not_the_same",
    says="stands in two places",
    swap=[
        (
            '{each for other in self.param_groups for each in other["params"]}',
            '[each for other in self.param_groups for each in other["params"]]',
        ),
        ("each in known", "each in [other for other in known if other.shape == each.shape]"),
        ("known.add(each)", "known.append(each)"),
    ],
)
def parameters_are_compared_by_entries():
    """`in` on a list asks ==, which is true for two Tensors of the same number."""


@mistake(
    "optimizers.Optimizer.add_param_group",
    spec="test_a_parameter_stands_in_one_place",
    says="nothing",
    swap=("known.add(each)", "pass"),
)
def parameters_are_checked_against_other_groups_only():
    """Twice in the same group is not noticed."""


@mistake(
    "optimizers.Optimizer.add_param_group",
    spec="test_groups_have_options_of_their_own",
    says="0.5",
    swap=(
        "self.param_groups.append",
        """self.defaults.update({name: value for name, value in group.items() if name != "params"})
    self.param_groups.append""",
    ),
)
def a_group_changes_the_defaults():
    """The options of a group are written into the defaults, and reach the groups after it and the caller."""


@mistake(
    "optimizers.Optimizer.zero_grad",
    spec="test_zero_grad_forgets_every_gradient",
    says="expected None",
    swap=("self.param_groups", "self.param_groups[:1]"),
)
def zero_grad_of_the_first_group():
    """Only the first group is gone through."""


@mistake(
    "optimizers.Optimizer.zero_grad",
    spec="test_zero_grad_forgets_every_gradient",
    says="expected None",
    swap=("parameter.grad = None", "parameter.grad = Tensor(parameter.data * 0)"),
)
def zero_grad_fills_in_zeros():
    """A gradient of zeros is not the same as none: weight decay and momentum would still move the parameter."""


@mistake(
    "optimizers.Optimizer.state_dict",
    spec="test_state_dict_is_not_the_optimizers_own",
    says="lr",
    swap=('{**group, "params": [numbers[each] for each in group["params"]]}', "group"),
)
def state_dict_hands_out_its_groups():
    """The groups in the state_dict are the optimizer's own dicts."""


@mistake(
    "optimizers.Optimizer.state_dict",
    spec="test_state_dict_numbers_the_parameters",
    says="groups",
    swap=(
        "{each: n for n, each in enumerate(self._all_params())}",
        '{p: n for group in self.param_groups for n, p in enumerate(group["params"])}',
    ),
)
def state_dict_counts_in_each_group():
    """Every group begins at 0 again."""


@mistake(
    "optimizers.Optimizer.load_state_dict",
    spec="test_load_state_dict_copies",
    says="in the first optimizer",
    swap=[
        ("{name: _copied(value, params[number]) for name, value in saved.items()}", "dict(saved)"),
        ("state[name] = zeros", "pass"),
    ],
)
def load_state_dict_shares():
    """Both optimizers write into the same arrays."""


@mistake(
    "optimizers.Optimizer.load_state_dict",
    spec="test_a_resumed_optimizer_ends_where_an_unstopped_one_does",
    says="resumed run",
    swap=('group.update({name: value for name, value in saved.items() if name != "params"})', "pass"),
)
def load_state_dict_forgets_the_options():
    """Only the arrays are taken over."""


@mistake(
    "optimizers.Optimizer.load_state_dict",
    spec="test_load_state_dict_refuses_other_groups",
    says="lr afterwards",
    swap=(
        "given = [",
        """for group, saved in zip(self.param_groups, state_dict["param_groups"]):
        group.update({name: value for name, value in saved.items() if name != "params"})
    given = [""",
    ),
)
def load_state_dict_checks_too_late():
    """The options are written before the sizes are compared."""


@mistake(
    "optimizers.SGD.step",
    spec="test_a_step_writes_into_the_parameters_own_array",
    says="new array",
    swap=(
        "sgd_update(arrays, grads, buffers, **options)",
        """arrays = [array.copy() for array in arrays]
        sgd_update(arrays, grads, buffers, **options)
        for each, array in zip(params, arrays):
            each.data = array""",
    ),
)
def step_replaces_the_array():
    """p.data = p.data - ...: whoever shares the memory does not see the step."""


@mistake(
    "optimizers.SGD.step",
    spec="test_a_parameter_without_a_gradient_stays",
    says="without a gradient",
    swap=(
        "for group, params, arrays, grads in self._moving():",
        """for group in self.param_groups:
        params, arrays = group["params"], [each.data for each in group["params"]]
        grads = [each.data * 0 if each.grad is None else each.grad.data for each in params]""",
    ),
)
def no_gradient_is_zero():
    """A missing gradient counts as zeros, and weight decay moves a parameter that took no part."""


@mistake(
    "optimizers.SGD.step",
    spec="test_sgd_remembers_its_momentum",
    says="first parameter",
    swap=('if group["momentum"]:', "if False:"),
)
def momentum_is_not_kept():
    """The buffers are thrown away after the step."""


@mistake(
    "optimizers.SGD.step",
    spec="test_each_group_has_its_own_lr",
    says="lr 0",
    swap=("{k: group[k] for", "{k: self.defaults[k] for"),
)
def options_come_from_the_defaults():
    """The options of the group are not used."""


@mistake(
    "optimizers.Adam.step",
    spec="test_a_skipped_step_does_not_count",
    says="two steps",
    swap=(
        """for each in params:
            self.state[each]["step"] = self.state[each].get("step", 0) + 1""",
        """for each in group["params"]:
            state = self.state.setdefault(each, {})
            state["step"] = state.get("step", 0) + 1""",
    ),
)
def adam_counts_steps_of_the_optimizer():
    """Parameters without a gradient count the step too."""


@mistake(
    "optimizers.Adam.step",
    spec="test_adam_remembers_both_averages_and_its_steps",
    says="exp_avg",
    swap=[
        (
            'averages, squares = self._slot(params, "exp_avg"), self._slot(params, "exp_avg_sq")',
            'averages = squares = self._slot(params, "exp_avg")',
        ),
        (
            'self.state[each]["step"] = ',
            """self.state[each]["exp_avg_sq"] = self.state[each]["exp_avg"]
            self.state[each]["step"] = """,
        ),
    ],
)
def adam_shares_its_averages():
    """One zero array serves as both averages of a parameter."""


@mistake(
    "optimizers.Adam.step",
    spec="test_a_skipped_step_does_not_count",
    says="four steps",
    swap=[
        (
            'self._slot(params, "exp_avg"), self._slot(params, "exp_avg_sq")',
            '(self._slot(params[:1], name) * len(params) for name in ("exp_avg", "exp_avg_sq"))',
        ),
        (
            'self.state[each]["step"] = self.state[each].get("step", 0) + 1',
            """state = self.state.setdefault(each, {})
            state["step"] = state.get("step", 0) + 1""",
        ),
    ],
)
def adam_has_one_state_for_a_group():
    """All parameters of a group write into the averages of the first."""


@mistake(
    "optimizers.Adam.step",
    spec="test_adamw_steps",
    says="8.25",
    swap=("decoupled=self.decoupled", "decoupled=False"),
)
def adamw_steps_as_adam():
    """`decoupled` is forgotten."""


@mistake(
    "optimizers.sgd_update",
    spec="test_the_first_momentum_buffer_is_the_gradient",
    says="nothing was put into momentum_buffers[0]",
    swap=("momentum_buffers[i] = buffer", "buffer"),
)
def sgd_keeps_its_buffer_to_itself():
    """The first buffer is made, and never put into the list."""


@mistake(
    "optimizers.sgd_update",
    spec="test_a_parameter_may_be_0d",
    says="expected an array",
    swap=(
        """get_array_module(p).array(
                    g, p.dtype
                )""",
        "g.copy()",
    ),
)
def sgd_copies_a_number():
    """The sum of two 0-d arrays is a number, and so is its copy."""


@mistake(
    "optimizers.sgd_update",
    spec="test_the_buffer_has_the_parameters_dtype",
    says="float64",
    swap=("g, p.dtype", "g"),
)
def sgd_buffer_like_the_gradient():
    """The buffer takes the gradient's dtype."""


@mistake(
    "optimizers.adam_update",
    spec="test_adam_update_writes_into_all_its_arrays",
    says="did not change",
    swap=[
        (
            "p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps, strict=True)",
            "i, (p, g, m, v, step) in enumerate(zip(params, grads, exp_avgs, exp_avg_sqs, steps))",
        ),
        ("m[...] = ", "exp_avgs[i] = m = "),
        ("v[...] = ", "exp_avg_sqs[i] = v = "),
    ],
)
def adam_puts_new_arrays_into_the_lists():
    """New averages go into the lists, and are lost with them."""


@mistake(
    "optimizers.adam_update",
    spec="test_a_parameter_of_adam_may_be_0d",
    says="IndexError",
    swap=[
        ("m[...]", "m[:]"),
        ("v[...]", "v[:]"),
    ],
)
def adam_asks_for_an_axis():
    """m[:] needs at least one axis."""


@mistake(
    "optimizers.rmsprop_update",
    spec="test_rmsprop_update_writes_into_all_its_arrays",
    says="did not change",
    swap=[
        (
            "p, g, v, buffer in zip(params, grads, square_avgs, momentum_buffers, strict=True)",
            "i, (p, g, v, buffer) in enumerate(zip(params, grads, square_avgs, momentum_buffers))",
        ),
        ("v[...] = ", "square_avgs[i] = v = "),
    ],
)
def rmsprop_puts_new_arrays_into_the_lists():
    """The new average goes into the list, and is lost with it."""


@mistake(
    "optimizers.Optimizer.__init__",
    spec="test_the_callers_dicts_stay_the_callers",
    says="changed its own",
    swap=("dict(defaults)", "defaults"),
)
def the_defaults_are_the_callers():
    """The dict of defaults is kept, and not copied."""


@mistake(
    "optimizers.Optimizer.add_param_group",
    spec="test_the_callers_dicts_stay_the_callers",
    says="caller's group",
    swap=(
        'self.param_groups.append({**self.defaults, **group, "params": params})',
        """for name, value in self.defaults.items():
        group.setdefault(name, value)
    group["params"] = params
    self.param_groups.append(group)""",
    ),
)
def the_callers_group_is_filled_in():
    """The defaults are written into the dict that was given."""


@mistake(
    "optimizers.SGD.step",
    spec="test_a_refused_step_moves_no_group",
    says="in front of the bad one",
    swap=(
        "for group, params, arrays, grads in self._moving():",
        """for group in self.param_groups:
        params, arrays, grads = self._with_gradients(group)""",
    ),
)
def groups_are_checked_one_by_one():
    """The first group has moved when the second is looked at."""


@mistake(
    "optimizers.Adam.step",
    spec="test_a_refused_step_does_not_count",
    says="without the refused one",
    swap=[
        (
            "for group, params, arrays, grads in self._moving():",
            """for each in self._all_params():
        if each.grad is not None:
            state = self.state.setdefault(each, {})
            state["step"] = state.get("step", 0) + 1
    for group, params, arrays, grads in self._moving():""",
        ),
        ('self.state[each]["step"] = self.state[each].get("step", 0) + 1', "pass"),
    ],
)
def adam_counts_before_it_checks():
    """The counts go up before the gradients are looked at."""


@mistake(
    "optimizers.SGD.step",
    spec="test_a_skipped_step_keeps_the_momentum",
    says="skipped once",
    swap=[
        (
            "for group, params",
            """state = {}
    for group, params""",
        ),
        (
            'self.state.setdefault(each, {})["momentum_buffer"] = buffer',
            """state[each] = {"momentum_buffer": buffer}
    self.state = state""",
        ),
    ],
)
def sgd_makes_its_state_anew():
    """The state is replaced by that of the parameters which took part."""


@mistake(
    "optimizers.RMSprop.step",
    spec="test_a_skipped_step_keeps_the_momentum",
    says="skipped once",
    swap=(
        "rmsprop_update(arrays, grads, averages, buffers, **options)",
        """rmsprop_update(arrays, grads, averages, buffers, **options)
    self.state = {each: state for each, state in self.state.items() if each.grad is not None}""",
    ),
)
def rmsprop_makes_its_state_anew():
    """What did not take part in the step is forgotten."""


@mistake(
    "optimizers.RMSprop.step",
    spec="test_rmsprop_without_momentum_has_no_buffer",
    says="momentum_buffer",
    swap=(' if group["momentum"] else [None] * len(params)', ""),
)
def rmsprop_always_has_a_buffer():
    """A buffer for every parameter, with momentum or without."""


@mistake(
    "optimizers.Adam.step",
    spec="test_the_state_has_the_parameters_dtype",
    says="float32",
    swap=(
        "averages, squares = ",
        """for each in params:
            zeros = get_array_module(each.data).zeros(each.shape, "float32")
            self.state.setdefault(each, {"exp_avg": zeros, "exp_avg_sq": zeros.copy()})
        averages, squares = """,
    ),
)
def adam_remembers_in_float32():
    """The averages are float32, whatever the parameter is."""


@mistake(
    "optimizers.Optimizer.load_state_dict",
    spec="test_an_empty_state_clears_a_used_optimizer",
    says="an empty state was loaded",
    swap=("self.state = {", "self.state |= {"),
)
def load_state_dict_only_adds():
    """States of parameters that the loaded state does not mention stay."""


@mistake(
    "optimizers.Optimizer.state_dict",
    spec="test_state_dict_does_not_ask_for_gradients",
    says="the parameters with a state is [], expected [0, 1, 2]",
    swap=("in self.state.items()}", "in self.state.items() if each.grad is not None}"),
)
def state_of_what_has_a_gradient():
    """Parameters without a gradient are left out of the state_dict."""


@mistake(
    "optimizers._gradient",
    spec="test_a_gradient_is_neither_reshaped_nor_stretched",
    says="(1, 2)",
    swap=[
        ("if grad.shape != parameter.shape", "if grad.numel() != parameter.numel()"),
        ("return grad.data", "return grad.data.reshape(parameter.shape)"),
    ],
)
def gradient_of_as_many_entries():
    """As many entries will do, in whatever shape."""


@mistake(
    "optimizers._gradient",
    spec="test_a_gradient_is_neither_reshaped_nor_stretched",
    says="nothing was raised",
    swap=("if grad.shape != parameter.shape", "if grad.shape != parameter.shape and grad.numel() != 1"),
)
def gradient_that_is_stretched():
    """A gradient of one entry counts for every entry."""


@mistake(
    "optimizers.Optimizer.add_param_group",
    spec="test_a_set_has_no_order",
    says="nothing was raised",
    swap=('_check_ordered(group["params"])', "pass"),
)
def groups_may_be_sets():
    """Only the optimizer itself refuses a set."""


@mistake(
    "optimizers.zeros_like_all",
    spec="test_state_begins_as_zeros",
    says="after a change of array 0",
    swap=(
        "return [get_array_module(each).zeros_like(each) for each in arrays]",
        """made = {each.shape: get_array_module(each).zeros_like(each) for each in arrays}
    return [made[each.shape] for each in arrays]""",
    ),
)
def zeros_shared_by_shape():
    """Arrays of one shape get the same zeros."""


@mistake(
    "optimizers.zeros_like_all",
    spec="test_state_begins_as_zeros",
    says="float",
    swap=("zeros_like(each)", "zeros(each.shape)"),
)
def zeros_in_float64():
    """The dtype is NumPy's own, whatever the parameter has."""


@mistake(
    "optimizers.zeros_like_all",
    spec="test_state_begins_as_zeros",
    says="array 0",
    swap=("get_array_module(each).zeros_like(each)", "each"),
)
def zeros_are_the_parameters():
    """The arrays themselves are given back, and were never zeros."""


@mistake(
    "optimizers.Optimizer.__init__",
    spec="test_a_set_has_no_order",
    says="nothing was raised",
    swap=("    _check_ordered(params)\n", ""),
)
def a_set_is_listed_too_early():
    """A group of its own gets the list, which nobody can tell from one that was given."""


@mistake(
    "optimizers.Adam.__init__",
    spec="test_betas_are_shares",
    says="betas must lie",
    swap=("0 <= beta", "0 < beta"),
)
def betas_of_0_are_refused():
    """Without memory, Adam is nearly the sign of the gradient, and allowed."""
