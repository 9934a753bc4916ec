"""Classic mistakes of kata 04: transposed weights, lost parts, half-loaded states, wrong variances."""

from dojo.tree.mistakes import mistake


@mistake("layers.linear", spec="test_linear_by_hand", says="(1, 2)", swap=("x @ weight.T", "x @ weight"))
def linear_without_transpose():
    """The weight is (out, in), and must be turned."""


@mistake(
    "layers.linear_backward",
    spec="test_linear_backward_sums_over_the_leading_axes",
    says="shape",
    swap=("add_up(rows, 0)", "grad.sum(axis=0)"),
)
def linear_backward_of_one_batch_axis():
    """The bias sums over the first axis only."""


@mistake(
    "layers.linear_backward",
    spec="test_linear_backward_by_hand",
    says="gradient for weight",
    swap=("rows.T @ inputs", "inputs.T @ rows"),
)
def linear_backward_transposes():
    """(in, out) where the weight is (out, in)."""


@mistake(
    "layers.linear_backward",
    spec="test_linear_backward_sums_over_the_leading_axes",
    says="wrong",
    swap=("add_up(rows, 0)", "add_up(rows, 0) / max(len(rows), 1)"),
)
def linear_backward_takes_the_mean():
    """The bias gets the mean over the samples, where their sum belongs."""


@mistake("layers.Module.named_modules", spec="test_a_shared_module_comes_once", says="second")
def named_modules_visits_twice(self, prefix=""):
    """A shared module comes under both names."""
    yield prefix, self
    for name, child in self.named_children():
        if child is not getattr(child, "parent", None) and not hasattr(self, "parent"):
            yield from child.named_modules(_join(prefix, name))


@mistake(
    "layers.Module.named_modules",
    spec="test_modules_are_named_by_their_path",
    says=".left",
    swap=("_join(path, name)", 'f"{path}.{name}"'),
)
def named_modules_begins_with_a_dot():
    """A dot after an empty prefix."""


@mistake("layers.Module.named_parameters", spec="test_tied_parameters_come_once", says="second.factor")
def named_parameters_repeats_tied_ones(self, prefix="", recurse=True):
    """An optimizer would move a tied weight twice."""
    for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
        for name, value in vars(module).items():
            if isinstance(value, Parameter):
                yield _join(path, name), value


@mistake(
    "layers.Module.train",
    spec="test_modules_know_whether_they_train",
    says="False",
    swap=("for module in self.modules():", "for module in [self]:"),
)
def train_stays_at_the_top():
    """Children keep their mode."""


@mistake("layers.Module.state_dict", spec="test_state_dict_lists_tied_parameters_twice", says="b.weight")
def state_dict_from_named_parameters(self, prefix=""):
    """named_parameters leaves the second name of a tied weight out."""
    parts = [*self.named_parameters(), *self.named_buffers()]
    return {prefix + name: value.detach() for name, value in parts}


@mistake(
    "layers.Module.state_dict",
    spec="test_state_dict_shares_memory",
    says="bias in the state",
    swap=("value.detach()", "value.detach().clone()"),
)
def state_dict_copies():
    """A copy is out of date after the next step."""


@mistake(
    "layers.Module.load_state_dict",
    spec="test_load_state_dict_loads_all_or_nothing",
    says="a.weight",
    swap=(
        """    for name in common:
        own[name]""",
        "        own[name]",
    ),
)
def load_state_dict_stops_in_the_middle():
    """Shapes are checked while copying."""


@mistake(
    "layers.Module.to",
    spec="test_to_converts_the_tensors_in_place",
    says="integers",
    swap=(
        "tensor.data = _moved(tensor, *args, **kwargs)",
        "tensor.data = tensor.detach().to(*args, **kwargs)",
    ),
)
def to_converts_integers():
    """A counter becomes a float."""


@mistake(
    "layers.kaiming_uniform_",
    spec="test_kaiming_keeps_the_variance_of_one_fan",
    says="quartiles",
    swap=("math.sqrt(3) * _kaiming", "_kaiming"),
)
def kaiming_uniform_without_root_three():
    """The bound taken for the standard deviation."""


@mistake(
    "layers.calculate_fan",
    spec="test_fans_count_inputs_and_outputs",
    says="expected",
    swap=("math.prod(tensor.shape[2:])", "1"),
)
def calculate_fan_without_the_kernel():
    """The places of a kernel are forgotten."""


@mistake(
    "layers.dropout",
    spec="test_dropout_zeroes_a_share_of_the_entries",
    says="stayed",
    swap=("kept.to(x.dtype) * (1 / (1 - p) if p < 1 else 0.0)", "kept.to(x.dtype)"),
)
def dropout_without_scaling():
    """The mean shrinks: in use everything would be larger than in training."""


@mistake(
    "layers.dropout",
    spec="test_dropout_zeroes_a_share_of_the_entries",
    says="share",
    swap=("rand(x.shape, device", "rand(x.shape[-1], device"),
)
def dropout_of_whole_columns():
    """One draw for each column, where each entry has its own."""


@mistake(
    "layers.Flatten.forward",
    spec="test_flatten_merges_a_range_of_axes",
    says="(6, 4)",
    swap=("self.end_dim % x.ndim", "x.ndim - 1"),
)
def flatten_ignores_the_end():
    """Everything from start_dim on is merged."""


@mistake("layers.ModuleList.__len__", spec="test_module_list_takes_modules_only_into_account", says="3")
def module_list_counts_attributes(self):
    """After eval() the attribute `training` counts too."""
    return len(vars(self))


@mistake(
    "layers.Linear.reset_parameters",
    spec="test_linear_starts_small",
    says="another object",
    swap=(
        "init.uniform_(self.weight, -bound, bound)",
        "self.weight = Parameter(init.uniform_(zeros(*self.weight.shape), -bound, bound))",
    ),
)
def reset_parameters_makes_new_ones():
    """The optimizer still holds the old ones."""


@mistake(
    "layers.uniform_",
    spec="test_draws_follow_the_seed",
    says="same seed",
    swap=[
        (
            "tensor.data[...] = a",
            """import numpy as np

    tensor.data[...] = a""",
        ),
        ("default_generator(tensor.device)", "np.random"),
    ],
)
def uniform_from_numpys_own_generator():
    """manual_seed does not reach np.random."""


@mistake(
    "layers.normal_",
    spec="test_filling_keeps_the_dtype",
    says="float32",
    swap=[
        ("tensor.data[...] = mean", "tensor.data = mean"),
        ("standard_normal(tensor.shape)", 'standard_normal(tensor.shape).astype("float32")'),
    ],
)
def normal_in_float32():
    """A new array, of another dtype."""


@mistake(
    "layers.calculate_gain",
    spec="test_gains_make_up_for_the_nonlinearity",
    says="1.414",
    swap=("0.01 if param is None else param", "param or 0.01"),
)
def gain_of_slope_zero():
    """`or` takes a slope of 0 for none."""


@mistake(
    "layers.Module.parameters",
    spec="test_parameters_come_without_names_too",
    says="list",
    swap=(
        "(parameter for _, parameter in self.named_parameters(recurse=recurse))",
        "[parameter for _, parameter in self.named_parameters(recurse=recurse)]",
    ),
)
def parameters_as_a_list():
    """next(model.parameters()) fails."""


@mistake(
    "layers.Flatten.forward",
    spec="test_flatten_of_an_empty_batch",
    says="(0, 3, 4)",
    swap=("math.prod(x.shape[start : end + 1])", "-1"),
)
def flatten_with_minus_one():
    """-1 cannot be worked out from no entries."""


@mistake(
    "layers.linear_backward",
    spec="test_the_gradient_of_a_bias_keeps_its_digits",
    says="9998.557",
    swap=("add_up(rows, 0)", "rows.sum(axis=0)"),
)
def bias_gradient_row_after_row():
    """NumPy's sum rounds at every row."""


@mistake(
    "layers.Module.load_state_dict",
    spec="test_load_state_dict_stretches_nothing",
    says="nothing was raised",
    swap=("own[name].shape != state[name].shape", "state[name].shape not in (own[name].shape, (1,))"),
)
def state_that_is_stretched():
    """A value of one entry is copied into every entry of a parameter."""


@mistake(
    "layers.Module.load_state_dict",
    spec="test_a_state_comes_from_any_device",
    says="device",
    swap=(".to(own[name].device)", ""),
)
def state_of_another_device():
    """The state is not brought to the device of the model."""


@mistake(
    "layers.dropout",
    spec="test_dropout_keeps_the_dtype",
    says="what stays of 3 has dtype float32, expected float16",
    swap=("kept.to(x.dtype)", "kept.to(rand(1).dtype)"),
)
def dropout_in_float32():
    """float16 becomes float32."""


@mistake(
    "layers.Flatten.forward",
    spec="test_flatten_merges_a_range_of_axes",
    says="(6, 4)",
    swap=("self.end_dim % x.ndim", "(x.ndim - 1 if self.end_dim < 0 else self.end_dim)"),
)
def flatten_to_the_last_axis():
    """Any negative end_dim is taken for -1."""


@mistake(
    "layers.linear",
    spec="test_linear_refuses_a_bias_of_another_shape",
    says="nothing was raised",
    swap=("bias is not None and bias.shape", "False and bias.shape"),
)
def linear_broadcasts_its_bias():
    """Any bias that broadcasts is added."""


@mistake(
    "layers.Module.load_state_dict",
    spec="test_load_state_dict_is_strict",
    says="nothing was raised",
    swap=("missing or unexpected", "missing and unexpected"),
)
def strict_only_where_both_differ():
    """One name too many, or one that is missing, is enough."""


@mistake(
    "layers.Linear.reset_parameters",
    spec="test_linear_starts_small",
    says="ZeroDivisionError",
    swap=(" if self.in_features else 0.0", ""),
)
def linear_divides_by_no_inputs():
    """A layer of no inputs has the bound 0."""


@mistake(
    "layers.ModuleList.__getitem__",
    spec="test_module_list_is_a_list",
    says="there is no module -3",
    swap=("-len(self) <= index", "-len(self) < index"),
)
def module_list_counts_back_one_less():
    """Place -len is the first module."""


@mistake(
    "layers.Dropout.__init__",
    spec="test_dropout_of_nothing_and_of_everything",
    says="must be between",
    swap=("0 <= p <= 1", "0 < p < 1"),
)
def dropout_module_refuses_the_ends():
    """0 and 1 are probabilities, too."""


@mistake(
    "layers.Module.to",
    spec="test_to_converts_the_tensors_in_place",
    says="to(dtype=float32)",
    swap=[
        ("_moved(tensor, *args, **kwargs)", "_moved(tensor, *args)"),
        ("_moved(tensor.grad, *args, **kwargs)", "_moved(tensor.grad, *args)"),
    ],
)
def to_forgets_keywords():
    """dtype= and device= are options of Tensor.to."""
