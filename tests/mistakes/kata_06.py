"""Classic mistakes of kata 06: corrections, roots and decays in the wrong place, and memory that is shared or lost."""

from dojo.authors.mistakes import mistake


@mistake("optimizers.sgd_update", spec="test_sgd_update_goes_against_the_gradient", says="0.8")
def sgd_rebinds(params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay):
    """p = p - ... makes a new array, and the caller's stays."""
    for p, g in zip(params, grads):
        p = p - lr * g


@mistake(
    "optimizers.sgd_update",
    spec="test_weight_decay_pulls_towards_zero",
    says="was changed",
)
def sgd_decays_in_the_gradient(
    params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay
):
    """Weight decay is written into the gradient's own array."""
    for i, (p, g, buffer) in enumerate(zip(params, grads, momentum_buffers)):
        g += weight_decay * p
        if momentum:
            buffer = g.copy() if buffer is None else momentum * buffer + (1 - dampening) * g
            momentum_buffers[i] = buffer
            g = g + momentum * buffer if nesterov else buffer
        p -= lr * g


@mistake(
    "optimizers.sgd_update",
    spec="test_the_first_momentum_buffer_is_the_gradient",
    says="used again",
)
def sgd_keeps_the_gradients_array(
    params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay
):
    """The first buffer is the gradient's array, and not a copy of it."""
    for i, (p, g, buffer) in enumerate(zip(params, grads, momentum_buffers)):
        g = g + weight_decay * p if weight_decay else g
        if momentum:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            momentum_buffers[i] = buffer
            g = g + momentum * buffer if nesterov else buffer
        p -= lr * g


@mistake(
    "optimizers.sgd_update",
    spec="test_dampening_weakens_all_gradients_but_the_first",
    says="after one step",
)
def sgd_dampens_the_first(
    params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay
):
    """The buffer begins at 0, so that the first gradient is dampened too."""
    for i, (p, g, buffer) in enumerate(zip(params, grads, momentum_buffers)):
        g = g + weight_decay * p
        if momentum:
            buffer = (0 if buffer is None else momentum * buffer) + (1 - dampening) * g
            momentum_buffers[i] = buffer
            g = g + momentum * buffer if nesterov else buffer
        p -= lr * g


@mistake("optimizers.sgd_update", spec="test_nesterov_looks_ahead", says="after one step")
def nesterov_looks_back(params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay):
    """Nesterov with the buffer of the step before."""
    for i, (p, g, old) in enumerate(zip(params, grads, momentum_buffers)):
        g = g + weight_decay * p
        if momentum:
            buffer = g.copy() if old is None else momentum * old + (1 - dampening) * g
            momentum_buffers[i] = buffer
            g = g + momentum * (0 if old is None else old) if nesterov else buffer
        p -= lr * g


@mistake("optimizers.sgd_update", spec="test_weight_decay_goes_into_the_momentum", says="after two steps")
def sgd_decays_beside_the_momentum(
    params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay
):
    """Weight decay is added after the buffer, which never sees it."""
    for i, (p, g, buffer) in enumerate(zip(params, grads, momentum_buffers)):
        if momentum:
            buffer = g.copy() if buffer is None else momentum * buffer + (1 - dampening) * g
            momentum_buffers[i] = buffer
            g = g + momentum * buffer if nesterov else buffer
        p -= lr * (g + weight_decay * p)


@mistake("optimizers.adam_update", spec="test_the_first_step_of_adam_has_the_size_lr", says="expected")
def adam_without_correction(
    params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled
):
    """Averages that begin at 0 are used as they are."""
    beta1, beta2 = betas
    for p, g, m, v in zip(params, grads, exp_avgs, exp_avg_sqs):
        g = g if decoupled else g + weight_decay * p
        p *= 1 - lr * weight_decay * decoupled
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        p -= lr * m / (get_array_module(v).sqrt(v) + eps)


@mistake("optimizers.adam_update", spec="test_two_steps_by_hand", says="after two steps")
def adam_stores_the_correction(
    params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled
):
    """The corrected averages are written back, and corrected again at the next step."""
    beta1, beta2 = betas
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps):
        g = g if decoupled else g + weight_decay * p
        p *= 1 - lr * weight_decay * decoupled
        m[...] = (beta1 * m + (1 - beta1) * g) / (1 - beta1**step)
        v[...] = (beta2 * v + (1 - beta2) * g * g) / (1 - beta2**step)
        p -= lr * m / (get_array_module(v).sqrt(v) + eps)


@mistake("optimizers.adam_update", spec="test_every_parameter_has_its_own_count", says="at step 1000")
def adam_counts_for_all(
    params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled
):
    """The first parameter's count is used for every one."""
    beta1, beta2 = betas
    for p, g, m, v in zip(params, grads, exp_avgs, exp_avg_sqs):
        g = g if decoupled else g + weight_decay * p
        p *= 1 - lr * weight_decay * decoupled
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        correction1, correction2 = 1 - beta1 ** steps[0], 1 - beta2 ** steps[0]
        p -= lr / correction1 * m / (get_array_module(v).sqrt(v / correction2) + eps)


@mistake("optimizers.adam_update", spec="test_eps_is_added_to_the_corrected_root", says="expected")
def adam_eps_inside_the_root(
    params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled
):
    """sqrt(v + eps): 1e-8 becomes 1e-4."""
    beta1, beta2 = betas
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps):
        g = g if decoupled else g + weight_decay * p
        p *= 1 - lr * weight_decay * decoupled
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        p -= lr / (1 - beta1**step) * m / get_array_module(v).sqrt(v / (1 - beta2**step) + eps)


@mistake("optimizers.adam_update", spec="test_eps_is_added_to_the_corrected_root", says="expected")
def adam_corrects_eps(
    params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled
):
    """The correction is applied to root and eps together."""
    beta1, beta2 = betas
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps):
        g = g if decoupled else g + weight_decay * p
        p *= 1 - lr * weight_decay * decoupled
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        scale = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        p -= scale * m / (get_array_module(v).sqrt(v) + eps)


@mistake(
    "optimizers.adam_update",
    spec="test_decoupled_weight_decay_shrinks_the_parameter",
    says="whose gradient is 0",
)
def adamw_is_coupled(params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled):
    """Weight decay joins the gradient, decoupled or not."""
    beta1, beta2 = betas
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps):
        g = g + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        p -= lr / (1 - beta1**step) * m / (get_array_module(v).sqrt(v) / math.sqrt(1 - beta2**step) + eps)


@mistake("optimizers.adam_update", spec="test_decoupled_weight_decay_shrinks_the_parameter", says="9.5")
def adamw_decays_without_lr(
    params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled
):
    """The parameter shrinks by weight_decay, where lr * weight_decay is meant."""
    beta1, beta2 = betas
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps):
        if decoupled:
            p *= 1 - weight_decay
        elif weight_decay:
            g = g + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        p -= lr / (1 - beta1**step) * m / (get_array_module(v).sqrt(v) / math.sqrt(1 - beta2**step) + eps)


@mistake("optimizers.rmsprop_update", spec="test_rmsprop_adds_eps_outside_the_root", says="expected")
def rmsprop_eps_inside_the_root(
    params, grads, square_avgs, momentum_buffers, *, lr, alpha, eps, weight_decay, momentum
):
    """sqrt(v + eps)."""
    for p, g, v, buffer in zip(params, grads, square_avgs, momentum_buffers):
        g = g + weight_decay * p
        v[...] = alpha * v + (1 - alpha) * g * g
        p -= lr * g / get_array_module(v).sqrt(v + eps)


@mistake("optimizers.rmsprop_update", spec="test_rmsprop_has_momentum", says="after three steps")
def rmsprop_averages_before_dividing(
    params, grads, square_avgs, momentum_buffers, *, lr, alpha, eps, weight_decay, momentum
):
    """The buffer gathers gradients, and is divided when it is used."""
    for p, g, v, buffer in zip(params, grads, square_avgs, momentum_buffers):
        g = g + weight_decay * p
        v[...] = alpha * v + (1 - alpha) * g * g
        if momentum:
            buffer[...] = momentum * buffer + g
            g = buffer
        p -= lr * g / (get_array_module(v).sqrt(v) + eps)


@mistake(
    "optimizers.Optimizer.__init__", spec="test_parameters_may_come_from_a_generator", says="parameters is 0"
)
def params_are_gone_through_twice(self, params, defaults):
    """The check for emptiness uses the generator up."""
    self.defaults, self.param_groups, self.state = defaults, [], {}
    if isinstance(params, Tensor):
        raise TypeError(params.shape)
    kinds = [isinstance(each, dict) for each in params]
    if not kinds:
        raise ValueError("no parameters")
    for group in params if kinds[0] else [{"params": params}]:
        self.add_param_group(group)


@mistake(
    "optimizers.Optimizer.__init__", spec="test_a_single_tensor_is_not_a_list", says="nothing was raised"
)
def a_tensor_is_iterated_over(self, params, defaults):
    """A Tensor in place of a list: its rows become the parameters, and never get a gradient."""
    self.defaults, self.param_groups, self.state = defaults, [], {}
    groups = list(params)
    if not groups:
        raise ValueError("no parameters")
    for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
        self.add_param_group(group)


@mistake(
    "optimizers.Optimizer.add_param_group",
    spec="test_equal_parameters_are_not_the_same",
    says="stands in two places",
)
def parameters_are_compared_by_entries(self, group):
    """`in` on a list asks ==, which is true for two Tensors of the same number."""
    params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
    known = self._all_params()
    for each in params:
        if not isinstance(each, Tensor):
            raise TypeError(type(each).__name__)
        if each in [other for other in known if other.shape == each.shape]:
            raise ValueError(f"a parameter of shape {each.shape} stands in two places")
        known.append(each)
    self.param_groups.append({**self.defaults, **group, "params": params})


@mistake("optimizers.Optimizer.add_param_group", spec="test_a_parameter_stands_in_one_place", says="nothing")
def parameters_are_checked_against_other_groups_only(self, group):
    """Twice in the same group is not noticed."""
    params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
    known = set(self._all_params())
    for each in params:
        if not isinstance(each, Tensor):
            raise TypeError(type(each).__name__)
        if each in known:
            raise ValueError(f"a parameter of shape {each.shape} stands in two places")
    self.param_groups.append({**self.defaults, **group, "params": params})


@mistake("optimizers.Optimizer.add_param_group", spec="test_groups_have_options_of_their_own", says="0.5")
def a_group_changes_the_defaults(self, group):
    """The options of a group are written into the defaults, and reach the groups after it and the caller."""
    params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
    self.defaults.update({name: value for name, value in group.items() if name != "params"})
    self.param_groups.append({**self.defaults, "params": params})


@mistake("optimizers.Optimizer.zero_grad", spec="test_zero_grad_forgets_every_gradient", says="expected None")
def zero_grad_of_the_first_group(self):
    """Only the first group is gone through."""
    for parameter in self.param_groups[0]["params"]:
        parameter.grad = None


@mistake("optimizers.Optimizer.zero_grad", spec="test_zero_grad_forgets_every_gradient", says="expected None")
def zero_grad_fills_in_zeros(self):
    """A gradient of zeros is not the same as none: weight decay and momentum would go on."""
    for parameter in self._all_params():
        parameter.grad = Tensor(parameter.data * 0)


@mistake("optimizers.Optimizer.state_dict", spec="test_state_dict_is_not_the_optimizers_own", says="lr")
def state_dict_hands_out_its_groups(self):
    """The groups in the state_dict are the optimizer's own dicts."""
    numbers = {each: n for n, each in enumerate(self._all_params())}
    return {"state": {numbers[p]: s for p, s in self.state.items()}, "param_groups": self.param_groups}


@mistake("optimizers.Optimizer.state_dict", spec="test_state_dict_numbers_the_parameters", says="groups")
def state_dict_counts_in_each_group(self):
    """Every group begins at 0 again."""
    numbers = {p: n for group in self.param_groups for n, p in enumerate(group["params"])}
    return {
        "state": {numbers[each]: dict(state) for each, state in self.state.items()},
        "param_groups": [
            {**group, "params": [numbers[each] for each in group["params"]]} for group in self.param_groups
        ],
    }


@mistake(
    "optimizers.Optimizer.load_state_dict", spec="test_load_state_dict_copies", says="in the first optimizer"
)
def load_state_dict_shares(self, state_dict):
    """Both optimizers write into the same arrays."""
    for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
        group.update({name: value for name, value in saved.items() if name != "params"})
    params = self._all_params()
    self.state = {params[number]: dict(saved) for number, saved in state_dict["state"].items()}


@mistake(
    "optimizers.Optimizer.load_state_dict",
    spec="test_a_resumed_optimizer_ends_where_an_unstopped_one_does",
    says="resumed run",
)
def load_state_dict_forgets_the_options(self, state_dict):
    """Only the arrays are taken over."""
    params = self._all_params()
    self.state = {
        params[number]: {name: _copied(value, params[number]) for name, value in saved.items()}
        for number, saved in state_dict["state"].items()
    }


@mistake(
    "optimizers.Optimizer.load_state_dict",
    spec="test_load_state_dict_refuses_other_groups",
    says="lr afterwards",
)
def load_state_dict_checks_too_late(self, state_dict):
    """The options are written before the sizes are compared."""
    for group, saved in zip(self.param_groups, state_dict["param_groups"]):
        group.update({name: value for name, value in saved.items() if name != "params"})
    given = [len(group["params"]) for group in state_dict["param_groups"]]
    own = [len(group["params"]) for group in self.param_groups]
    if given != own:
        raise ValueError(f"{given} and {own}")


@mistake("optimizers.SGD.step", spec="test_a_step_writes_into_the_parameters_own_array", says="new array")
def step_replaces_the_array(self):
    """p.data = p.data - ...: whoever shares the memory does not see the step."""
    for group in self.param_groups:
        for each in group["params"]:
            each.data = each.data - group["lr"] * each.grad.data


@mistake("optimizers.SGD.step", spec="test_a_parameter_without_a_gradient_stays", says="without a gradient")
def no_gradient_is_zero(self):
    """A missing gradient is taken for zeros, and weight decay moves what took no part."""
    for group in self.param_groups:
        params = group["params"]
        grads = [each.data * 0 if each.grad is None else each.grad.data for each in params]
        buffers = [None] * len(params)
        options = {k: group[k] for k in ("lr", "momentum", "dampening", "nesterov", "weight_decay")}
        sgd_update([each.data for each in params], grads, buffers, **options)


@mistake("optimizers.SGD.step", spec="test_sgd_remembers_its_momentum", says="first parameter")
def momentum_is_not_kept(self):
    """The buffers are thrown away after the step."""
    for group in self.param_groups:
        params, arrays, grads = self._with_gradients(group)
        options = {k: group[k] for k in ("lr", "momentum", "dampening", "nesterov", "weight_decay")}
        sgd_update(arrays, grads, [None] * len(params), **options)


@mistake("optimizers.SGD.step", spec="test_each_group_has_its_own_lr", says="lr 0")
def options_come_from_the_defaults(self):
    """The options of the group are not asked for."""
    for group in self.param_groups:
        params, arrays, grads = self._with_gradients(group)
        buffers = [self.state.get(each, {}).get("momentum_buffer") for each in params]
        sgd_update(arrays, grads, buffers, **self.defaults)


@mistake("optimizers.Adam.step", spec="test_a_skipped_step_does_not_count", says="two steps")
def adam_counts_steps_of_the_optimizer(self):
    """Parameters without a gradient count the step too."""
    for group in self.param_groups:
        for each in group["params"]:
            state = self.state.setdefault(each, {})
            state["step"] = state.get("step", 0) + 1
        params, arrays, grads = self._with_gradients(group)
        averages, squares = self._slot(params, "exp_avg"), self._slot(params, "exp_avg_sq")
        steps = [self.state[each]["step"] for each in params]
        options = {k: group[k] for k in ("lr", "betas", "eps", "weight_decay")}
        adam_update(arrays, grads, averages, squares, steps, decoupled=self.decoupled, **options)


@mistake("optimizers.Adam.step", spec="test_adam_remembers_both_averages_and_its_steps", says="exp_avg")
def adam_shares_its_averages(self):
    """One zero array serves as both averages of a parameter."""
    for group in self.param_groups:
        params, arrays, grads = self._with_gradients(group)
        averages = self._slot(params, "exp_avg")
        for each in params:
            self.state[each]["exp_avg_sq"] = self.state[each]["exp_avg"]
            self.state[each]["step"] = self.state[each].get("step", 0) + 1
        steps = [self.state[each]["step"] for each in params]
        options = {k: group[k] for k in ("lr", "betas", "eps", "weight_decay")}
        squares = [self.state[each]["exp_avg_sq"] for each in params]
        adam_update(arrays, grads, averages, squares, steps, decoupled=self.decoupled, **options)


@mistake("optimizers.Adam.step", spec="test_a_skipped_step_does_not_count", says="four steps")
def adam_has_one_state_for_a_group(self):
    """All parameters of a group write into the averages of the first."""
    for group in self.param_groups:
        params, arrays, grads = self._with_gradients(group)
        averages = self._slot(params[:1], "exp_avg") * len(params)
        squares = self._slot(params[:1], "exp_avg_sq") * len(params)
        for each in params:
            state = self.state.setdefault(each, {})
            state["step"] = state.get("step", 0) + 1
        steps = [self.state[each]["step"] for each in params]
        options = {k: group[k] for k in ("lr", "betas", "eps", "weight_decay")}
        adam_update(arrays, grads, averages, squares, steps, decoupled=self.decoupled, **options)


@mistake("optimizers.Adam.step", spec="test_adamw_steps", says="8.25")
def adamw_steps_as_adam(self):
    """`decoupled` is forgotten."""
    for group in self.param_groups:
        params, arrays, grads = self._with_gradients(group)
        averages, squares = self._slot(params, "exp_avg"), self._slot(params, "exp_avg_sq")
        for each in params:
            self.state[each]["step"] = self.state[each].get("step", 0) + 1
        steps = [self.state[each]["step"] for each in params]
        options = {k: group[k] for k in ("lr", "betas", "eps", "weight_decay")}
        adam_update(arrays, grads, averages, squares, steps, decoupled=False, **options)


@mistake(
    "optimizers.sgd_update",
    spec="test_the_first_momentum_buffer_is_the_gradient",
    says="nothing was put into momentum_buffers[0]",
)
def sgd_keeps_its_buffer_to_itself(
    params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay
):
    """The first buffer is made, and never put into the list."""
    for p, g, buffer in zip(params, grads, momentum_buffers):
        g = g + weight_decay * p
        if momentum:
            buffer = g.copy() if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        p -= lr * g


@mistake("optimizers.sgd_update", spec="test_a_parameter_may_be_0d", says="expected an array")
def sgd_copies_a_number(params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay):
    """The sum of two 0-d arrays is a number, and so is its copy."""
    for i, (p, g, buffer) in enumerate(zip(params, grads, momentum_buffers)):
        g = (g + weight_decay * p).astype(p.dtype)
        if momentum:
            buffer = g.copy() if buffer is None else momentum * buffer + (1 - dampening) * g
            momentum_buffers[i] = buffer
            g = g + momentum * buffer if nesterov else buffer
        p -= lr * g


@mistake("optimizers.sgd_update", spec="test_the_buffer_has_the_parameters_dtype", says="float64")
def sgd_buffer_like_the_gradient(
    params, grads, momentum_buffers, *, lr, momentum, dampening, nesterov, weight_decay
):
    """The buffer takes the gradient's dtype."""
    for i, (p, g, buffer) in enumerate(zip(params, grads, momentum_buffers)):
        g = g + weight_decay * p
        if momentum:
            if buffer is None:
                momentum_buffers[i] = buffer = get_array_module(p).array(g)
            else:
                buffer[...] = momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        p -= lr * g


@mistake("optimizers.adam_update", spec="test_adam_update_writes_into_all_its_arrays", says="did not change")
def adam_puts_new_arrays_into_the_lists(
    params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled
):
    """New averages go into the lists, and are lost with them."""
    beta1, beta2 = betas
    for i, (p, g, step) in enumerate(zip(params, grads, steps)):
        g = g if decoupled else g + weight_decay * p
        p *= 1 - lr * weight_decay * decoupled
        exp_avgs[i] = m = beta1 * exp_avgs[i] + (1 - beta1) * g
        exp_avg_sqs[i] = v = beta2 * exp_avg_sqs[i] + (1 - beta2) * g * g
        p -= lr / (1 - beta1**step) * m / (get_array_module(v).sqrt(v / (1 - beta2**step)) + eps)


@mistake("optimizers.adam_update", spec="test_a_parameter_of_adam_may_be_0d", says="IndexError")
def adam_asks_for_an_axis(
    params, grads, exp_avgs, exp_avg_sqs, steps, *, lr, betas, eps, weight_decay, decoupled
):
    """m[:] wants an axis at least."""
    beta1, beta2 = betas
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps):
        g = g if decoupled else g + weight_decay * p
        p *= 1 - lr * weight_decay * decoupled
        m[:] = beta1 * m + (1 - beta1) * g
        v[:] = beta2 * v + (1 - beta2) * g * g
        p -= lr / (1 - beta1**step) * m / (get_array_module(v).sqrt(v / (1 - beta2**step)) + eps)


@mistake(
    "optimizers.rmsprop_update", spec="test_rmsprop_update_writes_into_all_its_arrays", says="did not change"
)
def rmsprop_puts_new_arrays_into_the_lists(
    params, grads, square_avgs, momentum_buffers, *, lr, alpha, eps, weight_decay, momentum
):
    """The new average goes into the list, and is lost with it."""
    for i, (p, g, buffer) in enumerate(zip(params, grads, momentum_buffers)):
        g = g + weight_decay * p
        square_avgs[i] = v = alpha * square_avgs[i] + (1 - alpha) * g * g
        direction = g / (get_array_module(v).sqrt(v) + eps)
        if buffer is not None:
            buffer[...] = momentum * buffer + direction
            direction = buffer
        p -= lr * direction


@mistake(
    "optimizers.Optimizer.__init__", spec="test_the_callers_dicts_stay_the_callers", says="changed its own"
)
def the_defaults_are_the_callers(self, params, defaults):
    """The dict of defaults is kept, and not copied."""
    if isinstance(params, Tensor):
        raise TypeError(params.shape)
    self.defaults, self.param_groups, self.state = defaults, [], {}
    groups = list(params)
    if not groups:
        raise ValueError("no parameters")
    for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
        self.add_param_group(group)


@mistake(
    "optimizers.Optimizer.add_param_group",
    spec="test_the_callers_dicts_stay_the_callers",
    says="caller's group",
)
def the_callers_group_is_filled_in(self, group):
    """The defaults are written into the dict that was given."""
    params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
    known = set(self._all_params())
    for each in params:
        if not isinstance(each, Tensor):
            raise TypeError(type(each).__name__)
        if each in known:
            raise ValueError(f"a parameter of shape {each.shape} stands in two places")
        known.add(each)
    for name, value in self.defaults.items():
        group.setdefault(name, value)
    group["params"] = params
    self.param_groups.append(group)


@mistake("optimizers.SGD.step", spec="test_a_refused_step_moves_no_group", says="in front of the bad one")
def groups_are_checked_one_by_one(self):
    """The first group has moved when the second is looked at."""
    for group in self.param_groups:
        params, arrays, grads = self._with_gradients(group)
        buffers = [self.state.get(each, {}).get("momentum_buffer") for each in params]
        options = {k: group[k] for k in ("lr", "momentum", "dampening", "nesterov", "weight_decay")}
        sgd_update(arrays, grads, buffers, **options)
        if group["momentum"]:
            for each, buffer in zip(params, buffers):
                self.state.setdefault(each, {})["momentum_buffer"] = buffer


@mistake("optimizers.Adam.step", spec="test_a_refused_step_does_not_count", says="without the refused one")
def adam_counts_before_it_checks(self):
    """The counts go up before the gradients are looked at."""
    for each in self._all_params():
        if each.grad is not None:
            state = self.state.setdefault(each, {})
            state["step"] = state.get("step", 0) + 1
    for group, params, arrays, grads in self._moving():
        averages, squares = self._slot(params, "exp_avg"), self._slot(params, "exp_avg_sq")
        steps = [self.state[each]["step"] for each in params]
        options = {k: group[k] for k in ("lr", "betas", "eps", "weight_decay")}
        adam_update(arrays, grads, averages, squares, steps, decoupled=self.decoupled, **options)


@mistake("optimizers.SGD.step", spec="test_a_skipped_step_keeps_the_momentum", says="skipped once")
def sgd_makes_its_state_anew(self):
    """The state is replaced by that of the parameters which took part."""
    state = {}
    for group, params, arrays, grads in self._moving():
        buffers = [self.state.get(each, {}).get("momentum_buffer") for each in params]
        options = {k: group[k] for k in ("lr", "momentum", "dampening", "nesterov", "weight_decay")}
        sgd_update(arrays, grads, buffers, **options)
        if group["momentum"]:
            state |= {each: {"momentum_buffer": buffer} for each, buffer in zip(params, buffers)}
    self.state = state


@mistake("optimizers.RMSprop.step", spec="test_a_skipped_step_keeps_the_momentum", says="skipped once")
def rmsprop_makes_its_state_anew(self):
    """What did not take part in the step is forgotten."""
    for group, params, arrays, grads in self._moving():
        averages = self._slot(params, "square_avg")
        buffers = self._slot(params, "momentum_buffer") if group["momentum"] else [None] * len(params)
        options = {k: group[k] for k in ("lr", "alpha", "eps", "weight_decay", "momentum")}
        rmsprop_update(arrays, grads, averages, buffers, **options)
    self.state = {each: state for each, state in self.state.items() if each.grad is not None}


@mistake(
    "optimizers.RMSprop.step", spec="test_rmsprop_without_momentum_has_no_buffer", says="momentum_buffer"
)
def rmsprop_always_has_a_buffer(self):
    """A buffer for every parameter, with momentum or without."""
    for group, params, arrays, grads in self._moving():
        averages, buffers = self._slot(params, "square_avg"), self._slot(params, "momentum_buffer")
        options = {k: group[k] for k in ("lr", "alpha", "eps", "weight_decay", "momentum")}
        rmsprop_update(arrays, grads, averages, buffers, **options)


@mistake("optimizers.Adam.step", spec="test_the_state_has_the_parameters_dtype", says="float32")
def adam_remembers_in_float32(self):
    """The averages are float32, whatever the parameter is."""
    for group, params, arrays, grads in self._moving():
        for each in params:
            state = self.state.setdefault(each, {})
            state["step"] = state.get("step", 0) + 1
            for name in ("exp_avg", "exp_avg_sq"):
                if name not in state:
                    state[name] = get_array_module(each.data).zeros(each.shape, "float32")
        averages, squares = self._slot(params, "exp_avg"), self._slot(params, "exp_avg_sq")
        steps = [self.state[each]["step"] for each in params]
        options = {k: group[k] for k in ("lr", "betas", "eps", "weight_decay")}
        adam_update(arrays, grads, averages, squares, steps, decoupled=self.decoupled, **options)


@mistake(
    "optimizers.Optimizer.load_state_dict",
    spec="test_an_empty_state_clears_a_used_optimizer",
    says="an empty state was loaded",
)
def load_state_dict_only_adds(self, state_dict):
    """States that the saved one does not speak of stay."""
    for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
        group.update({name: value for name, value in saved.items() if name != "params"})
    params = self._all_params()
    for number, saved in state_dict["state"].items():
        self.state[params[number]] = {name: _copied(value, params[number]) for name, value in saved.items()}
