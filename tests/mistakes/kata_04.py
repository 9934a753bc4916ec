"""Classic mistakes of kata 04: transposed weights, lost parts, half-loaded states, wrong variances."""

from dojo.mistakes import mistake


@mistake("layers.linear", spec="test_linear_by_hand", says="(1, 2)")
def linear_without_transpose(x, weight, bias=None):
    """The weight is (out, in), and must be turned."""
    out = x @ weight
    return out if bias is None else out + bias


@mistake("layers.linear_backward", spec="test_linear_backward_sums_over_the_leading_axes", says="shape")
def linear_backward_of_one_batch_axis(grad, x, weight):
    """The bias sums over the first axis only."""
    rows, inputs = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    return grad @ weight, rows.T @ inputs, grad.sum(axis=0)


@mistake("layers.linear_backward", spec="test_linear_backward_by_hand", says="gradient for weight")
def linear_backward_transposes(grad, x, weight):
    """(in, out) where the weight is (out, in)."""
    rows, inputs = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    return grad @ weight, inputs.T @ rows, rows.sum(axis=0)


@mistake("layers.linear_backward", spec="test_linear_backward_sums_over_the_leading_axes", says="wrong")
def linear_backward_takes_the_mean(grad, x, weight):
    """The bias gets the mean over the samples, where their sum belongs."""
    rows, inputs = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    return grad @ weight, rows.T @ inputs, rows.mean(axis=0) if len(rows) else rows.sum(axis=0)


@mistake("layers.Module.named_modules", spec="test_a_shared_module_comes_once", says="second")
def named_modules_visits_twice(self, prefix=""):
    """A shared module comes under both names."""
    yield prefix, self
    for name, child in self.named_children():
        if child is not getattr(child, "parent", None) and not hasattr(self, "parent"):
            yield from child.named_modules(_join(prefix, name))


@mistake("layers.Module.named_modules", spec="test_modules_are_named_by_their_path", says=".left")
def named_modules_begins_with_a_dot(self, prefix=""):
    """A dot after an empty prefix."""
    seen, stack = set(), [(prefix, self)]
    while stack:
        path, module = stack.pop()
        if module not in seen:
            seen.add(module)
            yield path, module
            stack += reversed([(f"{path}.{name}", child) for name, child in module.named_children()])


@mistake("layers.Module.named_parameters", spec="test_tied_parameters_come_once", says="second.factor")
def named_parameters_repeats_tied_ones(self, prefix="", recurse=True):
    """An optimizer would move a tied weight twice."""
    for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
        for name, value in vars(module).items():
            if isinstance(value, Parameter):
                yield _join(path, name), value


@mistake("layers.Module.train", spec="test_modules_know_whether_they_train", says="False")
def train_stays_at_the_top(self, mode=True):
    """Children keep their mode."""
    self.training = mode
    return self


@mistake("layers.Module.state_dict", spec="test_state_dict_lists_tied_parameters_twice", says="b.weight")
def state_dict_from_named_parameters(self, prefix=""):
    """named_parameters leaves the second name of a tied weight out."""
    parts = [*self.named_parameters(), *self.named_buffers()]
    return {prefix + name: value.detach() for name, value in parts}


@mistake("layers.Module.state_dict", spec="test_state_dict_shares_memory", says="bias in the state")
def state_dict_copies(self, prefix=""):
    """A copy is out of date after the next step."""
    state = {
        prefix + name: value.detach().clone()
        for name, value in vars(self).items()
        if isinstance(value, (Parameter, Buffer))
    }
    for name, child in self.named_children():
        state |= child.state_dict(f"{prefix}{name}.")
    return state


@mistake("layers.Module.load_state_dict", spec="test_load_state_dict_loads_all_or_nothing", says="a.weight")
def load_state_dict_stops_in_the_middle(self, state, strict=True):
    """Shapes are checked while copying."""
    own = self.state_dict()
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    if strict and (missing or unexpected):
        raise KeyError(f"missing {missing}, unexpected {unexpected}")
    for name in own:
        if name in state:
            if own[name].shape != state[name].shape:
                raise ValueError(f"{name} has shape {own[name].shape}, the state has {state[name].shape}")
            own[name].copy_(state[name].detach())
    return LoadResult(missing, unexpected)


@mistake("layers.Module.to", spec="test_to_converts_the_tensors_in_place", says="integers")
def to_converts_integers(self, *args, **kwargs):
    """A counter becomes a float."""
    for tensor in [*self.parameters(), *self.buffers()]:
        tensor.data = tensor.detach().to(*args, **kwargs).data
        if tensor.grad is not None:
            tensor.grad = tensor.grad.to(*args, **kwargs)
    return self


@mistake("layers.kaiming_uniform_", spec="test_kaiming_keeps_the_variance_of_one_fan", says="quartiles")
def kaiming_uniform_without_root_three(tensor, a=0.0, mode="fan_in", nonlinearity="leaky_relu"):
    """The bound taken for the standard deviation."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -std, std)


@mistake("layers.calculate_fan", spec="test_fans_count_inputs_and_outputs", says="expected")
def calculate_fan_without_the_kernel(tensor):
    """The places of a kernel are forgotten."""
    if tensor.ndim < 2:
        raise ValueError(f"{tensor.shape}")
    return tensor.shape[1], tensor.shape[0]


@mistake("layers.dropout", spec="test_dropout_zeroes_a_share_of_the_entries", says="stayed")
def dropout_without_scaling(x, p=0.5, training=True):
    """The mean shrinks: in use everything would be larger than in training."""
    if not 0 <= p <= 1:
        raise ValueError(f"{p}")
    return x * (rand(x.shape) >= p).to(x.dtype) if training else x


@mistake("layers.dropout", spec="test_dropout_zeroes_a_share_of_the_entries", says="share")
def dropout_of_whole_columns(x, p=0.5, training=True):
    """One draw for each column, where each entry has its own."""
    if not 0 <= p <= 1:
        raise ValueError(f"{p}")
    if not training or p == 0:
        return x
    kept = rand(x.shape[-1]) >= p
    return x * (kept.to(x.dtype) * (1 / (1 - p) if p < 1 else 0.0))


@mistake("layers.Flatten.forward", spec="test_flatten_merges_a_range_of_axes", says="(6, 4)")
def flatten_ignores_the_end(self, x):
    """Everything from start_dim on is merged."""
    start = self.start_dim % x.ndim
    return reshape(x, (*x.shape[:start], math.prod(x.shape[start:])))


@mistake("layers.ModuleList.__len__", spec="test_module_list_takes_modules_only_into_account", says="3")
def module_list_counts_attributes(self):
    """After eval() the attribute `training` counts too."""
    return len(vars(self))


@mistake("layers.Linear.reset_parameters", spec="test_linear_starts_small", says="another object")
def reset_parameters_makes_new_ones(self):
    """The optimizer still holds the old ones."""
    bound = 1 / math.sqrt(self.in_features)
    self.weight = Parameter(init.uniform_(zeros(self.out_features, self.in_features), -bound, bound))
    if self.bias is not None:
        self.bias = Parameter(init.uniform_(zeros(self.out_features), -bound, bound))


@mistake("layers.uniform_", spec="test_draws_follow_the_seed", says="same seed")
def uniform_from_numpys_own_generator(tensor, a=0.0, b=1.0):
    """manual_seed does not reach np.random."""
    import numpy as np

    tensor.data[...] = a + (b - a) * np.random.random(tensor.shape)
    return tensor


@mistake("layers.normal_", spec="test_filling_keeps_the_dtype", says="float32")
def normal_in_float32(tensor, mean=0.0, std=1.0):
    """A new array, of another dtype."""
    tensor.data = (mean + std * default_generator(tensor.device).standard_normal(tensor.shape)).astype(
        "float32"
    )
    return tensor


@mistake("layers.calculate_gain", spec="test_gains_make_up_for_the_nonlinearity", says="1.414")
def gain_of_slope_zero(nonlinearity, param=None):
    """`or` takes a slope of 0 for none."""
    slope = param or 0.01
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}
    return gains.get(nonlinearity, math.sqrt(2 / (1 + slope * slope)))


@mistake("layers.Module.parameters", spec="test_parameters_come_without_names_too", says="list")
def parameters_as_a_list(self, recurse=True):
    """next(model.parameters()) fails."""
    return [parameter for _, parameter in self.named_parameters(recurse=recurse)]


@mistake("layers.Flatten.forward", spec="test_flatten_of_an_empty_batch", says="(0, 3, 4)")
def flatten_with_minus_one(self, x):
    """-1 cannot be worked out from no entries."""
    start, end = self.start_dim % x.ndim, self.end_dim % x.ndim
    return reshape(x, (*x.shape[:start], -1, *x.shape[end + 1 :]))


@mistake("layers.linear_backward", spec="test_the_gradient_of_a_bias_keeps_its_digits", says="9998.557")
def bias_gradient_row_after_row(grad, x, weight):
    """NumPy's sum rounds at every row."""
    rows, inputs = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    return grad @ weight, rows.T @ inputs, rows.sum(axis=0)
