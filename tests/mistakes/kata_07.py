"""Classic mistakes of kata 07, in rules, in the graph and on the way back.

Rules forget the upstream gradient or a tie, graphs are walked in the wrong order or too often, gradients share memory,
and memory is never released.
"""

from dojo.tree.mistakes import mistake

# Rules


@mistake(
    "autograd.mul_backward",
    spec="test_mul_backward",
    says="did you forget to multiply by the upstream gradient",
)
def mul_forgets_grad(grad, a, b):
    """The slope alone. Right only where grad is 1, as under `out.sum().backward()`."""
    return b + 0 * grad, a + 0 * grad


@mistake(
    "autograd.sub_backward",
    spec="test_sub_backward",
    says="the gradient of b is the upstream gradient itself",
)
def sub_forgets_the_sign(grad):
    """As add."""
    return grad, grad


@mistake(
    "autograd.div_backward",
    spec="test_div_backward",
    says="wrong sign",
    swap=("-grad * (out / b)", "grad * (out / b)"),
)
def div_forgets_the_sign():
    """The gradient of b has the wrong sign."""


@mistake("autograd.remainder_backward", spec="test_remainder_backward", says="the gradient of b")
def remainder_forgets_b(grad, a, b):
    """floor(a / b) is forgotten, and b gets a gradient of 0."""
    return grad, 0 * grad * b


@mistake(
    "autograd.pow_backward",
    spec="test_pow_backward",
    says="the gradient of a",
    swap=("a ** (b - 1 + (b == 0))", "a**b"),
)
def pow_keeps_the_exponent():
    """b * a**b instead of b * a**(b - 1)."""


@mistake(
    "autograd.pow_backward",
    spec="test_pow_backward_of_bases_without_a_logarithm",
    says="nan",
    swap=("b - 1 + (b == 0)", "b - 1"),
)
def pow_of_zero_is_nan():
    """0 * 0**-1 is nan."""


@mistake(
    "autograd.pow_backward",
    spec="test_pow_backward_of_bases_without_a_logarithm",
    says="not wanted",
    swap=("if output_mask[1]:", "if True:"),
)
def pow_ignores_the_mask():
    """The logarithm is taken although output_mask does not ask for it."""


@mistake("autograd.exp_backward", spec="test_exp_backward", says="the gradient of a")
def exp_of_out(grad, out):
    """exp(out), as if `out` were the input."""
    return grad * get_array_module(out).exp(out)


@mistake("autograd.sqrt_backward", spec="test_sqrt_backward", says="4 times too large")
def sqrt_without_half(grad, out):
    return grad * 2 / out


@mistake("autograd.cos_backward", spec="test_cos_backward", says="wrong sign", swap=("-grad", "grad"))
def cos_forgets_the_sign():
    """The derivative of the cosine is minus the sine."""


@mistake(
    "autograd.erf_backward",
    spec="test_erf_backward",
    says="finite difference -2.002",
    swap=("2 / math.sqrt(math.pi) * ", ""),
)
def erf_without_its_factor():
    """exp(-a * a) without 2 / sqrt(pi)."""


@mistake("autograd.abs_backward", spec="test_abs_backward_at_zero", says="expected 0.0")
def abs_rises_at_zero(grad, a):
    return get_array_module(a).where(a >= 0, grad, -grad)


@mistake(
    "autograd.maximum_backward",
    spec="test_a_tie_is_shared_by_halves",
    says="expected 2.0",
    swap=("grad / 2", "grad"),
)
def maximum_gives_a_tie_to_both():
    """Where a equals b, each of them gets the whole gradient."""


@mistake(
    "autograd.minimum_backward",
    spec="test_minimum_backward",
    says="the gradient of a",
    swap=[
        ("a > b", "a < b"),
        ("a < b", "a > b"),
    ],
)
def minimum_is_maximum():
    """The rule of maximum."""


@mistake(
    "autograd.clamp_backward",
    spec="test_clamp_backward_at_a_bound",
    says="expected 3.0",
    swap=[
        (">=", ">"),
        ("<=", "<"),
    ],
)
def clamp_stops_at_the_bounds():
    """Strictly inside only."""


@mistake(
    "autograd.clamp_backward",
    spec="test_clamp_backward_of_an_infinite_gradient",
    says="nan",
    swap=("get_array_module(grad).where(inside, grad, 0)", "grad * inside"),
)
def clamp_multiplies():
    """0 times infinity is nan."""


@mistake(
    "autograd.clamp_backward",
    spec="test_rules_ask_for_the_array_library",
    says="get_array_module",
    swap=("inside = (a", "inside = np.ones(a.shape, bool) & (a"),
)
def clamp_with_numpy():
    """A mask of ones from NumPy, wherever the arrays are."""


@mistake(
    "autograd.where_backward",
    spec="test_where_backward_of_an_infinite_gradient",
    says="nan",
    swap=(
        "xp.where(condition, grad, 0), xp.where(condition, 0, grad)",
        "grad * condition, grad * ~condition",
    ),
)
def where_multiplies():
    """0 times infinity is nan."""


@mistake(
    "autograd.where_backward",
    spec="test_where_backward",
    says="returned 2 gradients, expected 3",
    swap=("None, xp", "xp"),
)
def where_forgets_the_condition():
    """Two gradients for three arguments: the None of the condition is left out."""


@mistake(
    "autograd.sum_backward",
    spec="test_sum_backward",
    says="sum_backward",
    swap=("_with_reduced_axes(grad, a_shape, dim)", "grad"),
)
def sum_ignores_keepdim():
    """Broadcast as it is: right for all axes, and for the first one."""


@mistake("autograd.amax_backward", spec="test_entries_that_tie_share_evenly", says="expected 3.0")
def amax_gives_all_to_each(grad, a, out, dim, keepdim):
    return (a == _with_reduced_axes(out, a.shape, dim)) * _with_reduced_axes(grad, a.shape, dim)


@mistake(
    "autograd.cumsum_backward",
    spec="test_cumsum_backward",
    says="the gradient of a",
    swap=("xp.flip(xp.flip(grad, dim).cumsum(axis=dim, dtype=np.float64), dim)", "grad.cumsum(axis=dim)"),
)
def cumsum_forwards():
    """Added up from the front."""


@mistake(
    "autograd.bmm_backward", spec="test_bmm_backward", says="transpose", swap=("a.swapaxes(-1, -2)", "a.T")
)
def bmm_of_two_axes_only():
    """.T reverses all axes, also those of the batch."""


@mistake(
    "autograd.bmm_backward",
    spec="test_bmm_backward_computes_only_what_is_wanted",
    says="which gradients",
    swap=[
        (" if output_mask[0] else None", ""),
        (" if output_mask[1] else None", ""),
    ],
)
def bmm_computes_both():
    """Both products are computed, whatever output_mask says."""


@mistake(
    "autograd.permute_backward",
    spec="test_permute_backward",
    says="the gradient of a",
    swap=("transpose(inverse)", "transpose(dims)"),
)
def permute_again():
    """The same permutation once more, which is its inverse for two axes and not for three."""


@mistake(
    "autograd.permute_backward",
    spec="test_permute_backward",
    says="the gradient of a",
    swap=("transpose(inverse)", "transpose(np.argsort(dims).tolist())"),
)
def permute_sorts_dims_as_they_are():
    """argsort of dims of which some are negative and some are not."""


@mistake(
    "autograd.concatenate_backward",
    spec="test_concatenate_backward",
    says="has shape",
    swap=("split(grad, ends[:-1]", "array_split(grad, len(arrays_shape)"),
)
def concatenate_gives_a_list():
    """Equal pieces, whatever the sizes were."""


@mistake(
    "autograd.pad_backward",
    spec="test_pad_backward",
    says="the gradient of a",
    swap=(
        "[0] * (len(a_shape) - len(pad) // 2) + list(pad[::2])[::-1]",
        "list(pad[::2]) + [0] * (len(a_shape) - len(pad) // 2)",
    ),
)
def pad_begins_with_the_first_axis():
    """The pairs of sizes are read from the first axis."""


@mistake(
    "autograd.getitem_backward",
    spec="test_getitem_backward",
    says="first at",
    swap=("xp.add.at(result, index, grad)", "result[index] += grad"),
)
def getitem_counts_once():
    """A place that the index names twice gets one of its gradients."""


@mistake(
    "autograd.gather_backward",
    spec="test_gather_backward",
    says="the gradient of a",
    swap=("xp.add.at(result, tuple(places), grad)", "result[tuple(places)] += grad"),
)
def gather_counts_once():
    """A place that the index names twice gets one of its gradients."""


@mistake(
    "autograd.index_add_backward",
    spec="test_index_add_backward",
    says="the gradient of",
    swap=("get_array_module(grad).take(grad, index, axis=dim)", "grad * 1.0"),
)
def index_add_gives_everything():
    """The whole gradient for the source, and not the slices that it went to."""


# The graph


@mistake(
    "autograd.no_grad",
    spec="test_no_grad_is_off_inside_and_as_before_afterwards",
    says="after the inner",
    swap=("mode.grad_enabled = before", "mode.grad_enabled = True"),
)
def no_grad_switches_on_afterwards():
    """Recording is on afterwards, whatever it was before."""


@mistake(
    "autograd.no_grad",
    spec="test_a_switch_goes_back_after_an_error",
    says="after the error",
    swap=(
        """try:
        yield
    finally:
        mode""",
        """yield
    mode""",
    ),
)
def no_grad_stays_after_an_error():
    """Without finally, an error inside leaves it switched off."""


@mistake(
    "autograd.edges_to",
    spec="test_an_edge_leads_to_the_node_of_what_was_computed",
    says="does not lead to the grad_fn",
    swap=("each.grad_fn or each", "each"),
)
def edges_to_tensors():
    """Edges lead to the Tensors themselves, also to those that were computed."""


@mistake("autograd.edges_to", spec="test_no_edge_where_no_gradient_is_wanted", says="the places")
def edges_are_counted_anew(inputs):
    """The place counts only the inputs that require grad."""
    wanted = [each for each in inputs if isinstance(each, Tensor) and each.requires_grad]
    return [(place, each.grad_fn or each, each.shape, each.dtype) for place, each in enumerate(wanted)]


@mistake(
    "autograd.Tape.record",
    spec="test_integers_are_never_recorded",
    says="expected None",
    swap=[
        (' and output.data.dtype.kind == "f"', ""),
        ("output.requires_grad", "output._requires_grad"),
    ],
)
def record_integers_too():
    """A Node for integers, which have no gradient."""


@mistake(
    "autograd.Tape.record",
    spec="test_nothing_is_recorded_for_inputs_without_gradients",
    says="expected None",
    swap=("edges and output", "output"),
)
def record_everything():
    """A Node although no input wants a gradient."""


@mistake(
    "autograd.Tape.record",
    spec="test_a_graph_is_no_ring",
    says="still held",
    swap=(
        "output.requires_grad = True",
        """output.grad_fn.name = output
        output.requires_grad = True""",
    ),
)
def record_the_output_itself():
    """The Node saves its own Tensor, and the two refer to each other."""


@mistake(
    "autograd.Tape.record",
    spec="test_a_node_keeps_the_versions_of_what_it_saved",
    says="the versions",
    swap=("*op.save(inputs, params, output)", "op.save(inputs, params, output)[0]"),
)
def record_no_versions():
    """The Node is not told which versions it has to keep."""


@mistake(
    "autograd.Tape.retain_grad",
    spec="test_retain_grad_leaves_a_weak_reference_with_the_node",
    says="expected a weakref.ref",
    swap=("weakref.ref(tensor)", "tensor.detach"),
)
def retain_grad_strongly():
    """A method of the Tensor keeps the Tensor alive."""


# The way back


@mistake(
    "autograd.youngest_first", spec="test_a_chain_may_be_longer_than_the_stack_is_deep", says="RecursionError"
)
def youngest_first_by_recursion(starts):
    seen = []

    def visit(node):
        if isinstance(node, Node) and node not in found:
            found.add(node)
            for _, to, _, _ in node.edges:
                visit(to)
            seen.append(node)

    found = set()
    for start in starts:
        visit(start)
    return sorted(seen, key=attrgetter("number"), reverse=True)


@mistake(
    "autograd.youngest_first",
    spec="test_each_node_comes_once",
    says="still running",
    swap=(" and to not in seen", ""),
)
def youngest_first_along_every_path():
    """A Node is visited again for every path that leads to it."""


@mistake("autograd.youngest_first", spec="test_the_youngest_node_comes_first", says="the numbers")
def youngest_first_as_found(starts):
    """In the order in which they are found, from near to far."""
    queue = [start for start in starts if isinstance(start, Node)]
    for node in queue:
        queue += [to for _, to, _, _ in reversed(node.edges) if isinstance(to, Node) and to not in queue]
    return queue


@mistake(
    "autograd.fit",
    spec="test_fit_sums_over_axes_that_were_stretched",
    says="shape",
    swap=("if total.ndim == len(shape) and total.shape != shape:", "if False:"),
)
def fit_sums_leading_axes_only():
    """Only axes in front are summed, and not those that were stretched from size 1."""


@mistake(
    "autograd.fit",
    spec="test_fit_refuses_what_does_not_fit",
    says="nothing was raised",
    swap=(
        "if total.shape",
        """if total.size == np.prod(shape):
        total = total.reshape(shape)
    if total.shape""",
    ),
)
def fit_reshapes():
    """Whatever has the right number of entries is reshaped."""


@mistake(
    "autograd.fit",
    spec="test_fit_casts_to_the_dtype_of_the_input",
    says="dtype float64, expected float32",
    swap=("total if total.dtype == dtype else total.astype(dtype)", "total"),
)
def fit_forgets_the_dtype():
    """The gradient has the dtype that the rule gave it."""


@mistake(
    "autograd.Node.backward",
    spec="test_a_node_notices_a_change_in_place",
    says="nothing was raised",
    swap=("if version[0] != then:", "if False:"),
)
def backward_trusts_what_was_saved():
    """The versions are not looked at."""


@mistake(
    "autograd.Node.backward",
    spec="test_observers_see_the_rule",
    says="what an observer saw",
    swap=(
        'observed("rule", self.name, self.rule, *args) if observers else self.rule(*args)',
        "self.rule(*args)",
    ),
)
def backward_unobserved():
    """The rule is called, and no observer is told."""


@mistake(
    "autograd.backpropagate",
    spec="test_gradients_that_meet_add_up",
    says="expected 7.0",
    swap=("gradients[to] + result if to in gradients else result", "result"),
)
def backpropagate_keeps_the_last():
    """What comes from another side replaces what was there."""


@mistake(
    "autograd.backpropagate",
    spec="test_gradients_that_meet_are_not_written_into",
    says="read-only",
    swap=(
        "gradients[to] = gradients[to] + result if to in gradients else result",
        """if to in gradients:
                        gradients[to] += result
                    else:
                        gradients[to] = result""",
    ),
)
def backpropagate_adds_in_place():
    """+= writes into an array that a rule gave to another input too."""


@mistake(
    "autograd.backpropagate",
    spec="test_recording_is_off_on_the_way",
    says="recording inside a rule",
    swap=("with no_grad(), np", "with np"),
)
def backpropagate_records():
    """Recording stays on while the rules run."""


@mistake(
    "autograd.backpropagate",
    spec="test_nodes_are_freed_behind_it",
    says="a Node was not freed",
    swap=("if not retain_graph:", "if False:"),
)
def backpropagate_frees_nothing():
    """What the Nodes have saved is kept."""


@mistake(
    "autograd.first_gradient",
    spec="test_the_gradient_of_several_numbers_must_be_given",
    says="nothing was raised",
    swap=("if output.numel() != 1:", "if False:"),
)
def first_gradient_is_ones():
    """Ones for anything: silently the gradient of the sum."""


@mistake(
    "autograd.first_gradient",
    spec="test_a_given_gradient_has_the_shape_of_the_output",
    says="nothing was raised",
    swap=("if gradient.shape != output.shape:", "if False:"),
)
def first_gradient_of_any_shape():
    """A gradient of another shape is taken."""


@mistake(
    "autograd.Tape.backward",
    spec="test_gradients_add_up_over_several_backwards",
    says="expected 12.0",
    swap=("total.copy() if each.grad is None else each.grad.data + total", "total.copy()"),
)
def backward_replaces():
    """The gradient of the backward before is forgotten."""


@mistake(
    "autograd.Tape.backward",
    spec="test_a_gradient_is_memory_of_its_own",
    says="shares memory",
    swap=("total.copy()", "total"),
)
def backward_gives_what_it_has():
    """x.grad gets an array that the graph still uses, and no copy of it."""


@mistake(
    "autograd.Tape.backward",
    spec="test_a_gradient_set_by_hand_is_added_to",
    says="the array that was set by hand",
    swap=(
        "each.grad = wrap(total.copy() if each.grad is None else each.grad.data + total)",
        """if each.grad is None:
            each.grad = wrap(total.copy())
        else:
            each.grad.data += total""",
    ),
)
def backward_adds_in_place():
    """+= writes into the array that is there."""


# grad, Function, gradcheck


@mistake(
    "autograd.grad",
    spec="test_grad_of_one_input",
    says="x.grad was filled",
    swap=(
        "start: dict[Node | Tensor, Array] = {}",
        """for output, gradient in zip(outputs, grad_outputs, strict=True):
        output.backward(gradient, retain_graph)
    return tuple(each.grad for each in inputs)
    start = {}""",
    ),
)
def grad_by_backward():
    """backward fills .grad, which grad should leave alone."""


@mistake(
    "autograd.grad",
    spec="test_grad_of_several_outputs",
    says="one output, twice",
    swap=("start[key] + first if key in start else first", "first"),
)
def grad_of_an_output_once():
    """Of an output that is given twice, one gradient is forgotten."""


@mistake(
    "autograd.Node.backward",
    spec="test_a_rule_must_not_write_into_its_gradient",
    says="nothing was raised",
    swap=("gradient.setflags(write=False)", "pass"),
)
def rules_may_write():
    """The rule gets the gradient itself, and what it writes changes the gradients of others."""


@mistake(
    "autograd.Node.backward",
    spec="test_a_rule_must_not_write_into_its_gradient",
    says="the gradient itself was made read-only",
    swap=("gradient = gradient.view()", "pass"),
)
def the_gradient_is_locked():
    """Without a view, the caller cannot write into the gradient any more."""


@mistake(
    "autograd.Node.backward",
    spec="test_an_error_of_a_rule_stays_as_it_is",
    says="RuntimeError",
    swap=('if "read-only" not in str(error):', "if False:"),
)
def every_error_is_one_of_writing():
    """A ValueError about shapes is told as one about writing."""


@mistake(
    "autograd.Function.apply",
    spec="test_a_forward_may_decline",
    says="NotImplementedType",
    swap=("if result is NotImplemented:", "if False:"),
)
def apply_takes_no_for_an_answer():
    """NotImplemented is taken for an output."""


@mistake(
    "autograd.Function.apply",
    spec="test_no_grad_is_for_functions_too",
    says="recorded under no_grad",
    swap=("edges_to(args) if recording() else []", "edges_to(args)"),
)
def apply_always_records():
    """Under no_grad too."""


@mistake(
    "autograd.Function.apply",
    spec="test_a_change_in_place_is_noticed_in_functions_too",
    says="nothing was raised",
    swap=("edges, tensors=saved", "edges"),
)
def apply_keeps_no_versions():
    """The Node does not learn what was saved."""


@mistake(
    "autograd.Function.apply",
    spec="test_what_was_not_saved_may_change",
    says="in place",
    swap=("tensors=saved", "tensors=tensors"),
)
def apply_watches_every_input():
    """Also what forward did not save."""


@mistake(
    "autograd.Function.apply",
    spec="test_backward_gives_one_gradient_an_argument",
    says="nothing was raised",
    swap=("partial(_gradients, cls, ctx, len(args))", "partial(cls.backward, ctx)"),
)
def apply_counts_nothing():
    """The gradients that backward gives are not counted."""


@mistake(
    "autograd.Function.apply",
    spec="test_an_input_that_is_given_back_keeps_its_version",
    says="nothing was raised",
    swap=("output._version = each._version", "pass"),
)
def apply_forgets_what_it_gives_back():
    """The output has a version counter of its own, and the input's memory."""


@mistake(
    "autograd.numerical_gradient",
    spec="test_differences_of_a_view",
    says="expected",
    swap=[
        (
            "values.append((cotangent * function(*inputs).data).sum().item())",
            "values.append(function(*inputs).data)",
        ),
        (
            "(values[0] - values[1]) / (2 * eps)",
            "(cotangent * (values[0] - values[1])).sum().item() / (2 * eps)",
        ),
    ],
)
def differences_of_two_views():
    """Both values are views of x, and are read when x has been put back."""


@mistake(
    "autograd.Function.apply",
    spec="test_a_view_that_was_saved_is_watched_too",
    says="nothing was raised",
    swap=("_share_memory(each.data, array)", "each.data is array"),
)
def apply_compares_arrays_by_identity():
    """A view that was saved is another array than its Tensor's."""


@mistake(
    "autograd._share_memory",
    spec="test_an_output_with_memory_of_its_own_changes_alone",
    says="RuntimeError",
    swap=("is not None) and np", "is not None) or np"),
)
def each_view_shares_with_everything():
    """A view and any other array are taken for the same memory."""


@mistake(
    "autograd.Function.apply",
    spec="test_a_function_of_one_number",
    says="TypeError",
    swap=('isinstance(result, Tensor) or not hasattr(result, "dtype")', "not isinstance(result, np.ndarray)"),
)
def apply_refuses_scalars():
    """A single number is a NumPy scalar, and no array."""


@mistake(
    "autograd.numerical_gradient",
    spec="test_differences_leave_the_input_as_it_was",
    says="was changed",
    swap=[
        ("(eps, -eps)", "(eps, -2 * eps)"),
        ("x[index] = before + step", "x[index] += step"),
        (
            """x[index] = before
            result""",
            """x[index] += eps
            result""",
        ),
    ],
)
def differences_add_and_subtract():
    """The entry is moved back by subtracting, which rounds."""


@mistake(
    "autograd.gradcheck",
    spec="test_a_wrong_gradient_does_not",
    says="nothing was raised",
    swap=("np.random.default_rng(0).uniform(0.5, 1.5, output.shape)", "np.ones(output.shape)"),
)
def gradcheck_with_ones():
    """An upstream gradient of ones, with which a rule that forgets it agrees."""


@mistake(
    "autograd.gradcheck",
    spec="test_differences_need_double_precision",
    says="float32",
    swap=("if inputs[place].dtype != np.float64:", "if False:"),
)
def gradcheck_of_any_dtype():
    """float32 is taken, though its differences are too rough."""


@mistake(
    "autograd.fit",
    spec="test_fit_keeps_the_digits",
    says="of an axis added",
    swap=(
        "add_up(total, tuple(range(total.ndim - len(shape))))",
        "total.sum(axis=tuple(range(total.ndim - len(shape))))",
    ),
)
def fit_row_after_row():
    """NumPy's sum rounds at every row, along the axes that broadcasting added."""


@mistake(
    "autograd.fit",
    spec="test_fit_keeps_the_digits",
    says="of one stretched",
    swap=("add_up(total, stretched, keepdims=True)", "total.sum(axis=stretched, keepdims=True)"),
)
def fit_row_after_row_where_stretched():
    """NumPy's sum rounds at every row, along the axes that broadcasting stretched."""


@mistake(
    "autograd.cumsum_backward",
    spec="test_rules_of_reductions_keep_their_digits",
    says="gradient of the first",
    swap=(", dtype=np.float64", ""),
)
def cumsum_backward_row_after_row():
    """Each running sum is rounded to the dtype of the gradient."""


@mistake(
    "autograd.amax_backward",
    spec="test_rules_of_reductions_keep_their_digits",
    says="the share of each of 5,000",
)
def ties_counted_in_float16(grad, a, out, dim, keepdim):
    """2048 + 1 is 2048 in float16."""
    chosen = a == _with_reduced_axes(out, a.shape, dim)
    axes = tuple(i for i, side in enumerate(_reduced_shape(a.shape, dim)) if side == 1)
    count = chosen.sum(axis=axes, keepdims=True, dtype=grad.dtype)
    return chosen * (_with_reduced_axes(grad, a.shape, dim) / count)


@mistake(
    "autograd.backpropagate",
    spec="test_a_kept_graph_notices_changes",
    says="nothing was raised",
    swap=("if not retain_graph:", "node.versions = ()\n            if not retain_graph:"),
)
def kept_without_versions():
    """A graph that is kept forgets the versions of what it needs."""


@mistake(
    "autograd.backpropagate",
    spec="test_retain_graph_keeps_it",
    says="x.grad after two times 27",
    swap=(
        "if not retain_graph:",
        "if retain_graph and node is not nodes[0]:\n                node.edges = ()\n            if not retain_graph:",
    ),
)
def kept_at_the_top_only():
    """Below the first Node the edges of a graph that is kept are let go."""


@mistake(
    "autograd.gradcheck",
    spec="test_a_wrong_gradient_does_not",
    says="nothing was raised",
    swap=(
        "not np.allclose(mine, numeric, rtol, atol)",
        "(np.abs(mine - numeric) > atol + rtol * np.abs(numeric)).any()",
    ),
)
def nan_is_not_too_large():
    """nan > tolerance is False: a gradient of nan passes."""


@mistake(
    "autograd.gradcheck",
    spec="test_nan_agrees_with_nothing",
    says="nothing was raised",
    swap=("np.allclose(mine, numeric, rtol, atol)", "np.allclose(mine, numeric, rtol, atol, equal_nan=True)"),
)
def nan_agrees_with_nan():
    """Where both are nan they agree."""


@mistake(
    "autograd.gradcheck",
    spec="test_a_small_entry_counts_as_much_as_a_large_one",
    says="nothing was raised",
    swap=(
        "not np.allclose(mine, numeric, rtol, atol)",
        "not np.abs(mine - numeric).max() <= atol + rtol * np.abs(numeric).max()",
    ),
)
def worst_beside_the_largest():
    """The worst entry is measured against the largest one."""


@mistake(
    "autograd.gradcheck",
    spec="test_atol_is_for_entries_near_0",
    says="0.5 off, with {'atol': 1.0}",
    swap=("np.allclose(mine, numeric, rtol, atol)", "np.allclose(mine, numeric, atol, rtol)"),
)
def tolerances_swapped():
    """rtol and atol change places."""


@mistake(
    "autograd.gradcheck",
    spec="test_a_path_that_was_cut_is_found",
    says="nothing was raised",
    swap=("np.zeros_like(numeric) if gradient is None", "numeric if gradient is None"),
)
def no_gradient_is_left_out():
    """An input without a gradient is not compared."""


@mistake(
    "autograd.no_grad",
    spec="test_a_switch_goes_back_after_an_error",
    says="after the error",
    swap=(
        "    finally:\n        mode.grad_enabled = before",
        "    except Exception:\n        mode.grad_enabled = before\n        raise\n"
        "    else:\n        mode.grad_enabled = before",
    ),
)
def no_grad_after_ctrl_c():
    """Ctrl-C is no Exception: nothing is recorded from then on."""


@mistake(
    "autograd.Tape.backward",
    spec="test_a_gradient_of_another_shape_is_not_broadcast",
    says="though backward failed",
    swap=("    for each, total in kept:\n        each.grad", "        each.grad"),
)
def some_leaves_have_their_gradient_already():
    """Each leaf gets its gradient as soon as it is checked."""


@mistake(
    "autograd.Tape.backward",
    spec="test_a_gradient_of_another_shape_is_not_broadcast",
    says="nothing was raised",
    swap=("each.grad is not None and each.grad.shape != total.shape", "False"),
)
def gradients_broadcast():
    """What is in .grad is added to, whatever its shape."""


@mistake(
    "autograd.numerical_gradient",
    spec="test_differences_leave_the_input_as_it_was_after_an_error",
    says="was changed",
    swap=("finally:", "except ZeroDivisionError:\n                pass\n            else:"),
)
def an_error_leaves_the_entry_moved():
    """The entry is put back only where all went well."""


@mistake(
    "autograd.backpropagate",
    spec="test_none_stops_there",
    says="whether y has a gradient",
    swap=("continue", "break"),
)
def a_node_without_a_gradient_ends_it():
    """The Nodes that are older may have a gradient all the same."""


@mistake(
    "autograd.grad",
    spec="test_grad_outputs_have_the_shapes_of_the_outputs",
    says="nothing was raised",
    swap=("(len(outputs) if grad_outputs is None else 1)", "len(outputs)"),
)
def one_gradient_for_all_outputs():
    """One Tensor is the gradient of one output."""
