"""Classic mistakes of kata 07: rules that forget the upstream gradient or a tie, graphs that are walked in the wrong
order or too often, gradients that share memory, and memory that is never given back."""

from dojo.mistakes import mistake

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


@mistake("autograd.div_backward", spec="test_div_backward", says="wrong sign")
def div_forgets_the_sign(grad, b, out):
    return grad / b, grad * out / b


@mistake("autograd.remainder_backward", spec="test_remainder_backward", says="the gradient of b")
def remainder_forgets_b(grad, a, b):
    """floor(a / b) stands still, but it is multiplied by b."""
    return grad, 0 * grad * b


@mistake("autograd.pow_backward", spec="test_pow_backward", says="the gradient of a")
def pow_keeps_the_exponent(grad, a, b, out, output_mask):
    """b * a**b in the place of b * a**(b - 1)."""
    log = get_array_module(grad).log(a + (a == 0))
    return grad * b * out, grad * out * log


@mistake("autograd.pow_backward", spec="test_pow_backward_of_bases_without_a_logarithm", says="nan")
def pow_of_zero_is_nan(grad, a, b, out, output_mask):
    """0 * 0**-1 is nan."""
    grad_a = grad * b * a ** (b - 1) if output_mask[0] else None
    grad_b = grad * out * get_array_module(grad).log(a) if output_mask[1] else None
    return grad_a, grad_b


@mistake("autograd.pow_backward", spec="test_pow_backward_of_bases_without_a_logarithm", says="not wanted")
def pow_ignores_the_mask(grad, a, b, out, output_mask):
    """The logarithm is taken although nobody wants it."""
    xp = get_array_module(grad)
    return grad * b * a ** (b - 1 + (b == 0)), grad * out * xp.log(xp.abs(a) + (a == 0))


@mistake("autograd.exp_backward", spec="test_exp_backward", says="the gradient of a")
def exp_of_out(grad, out):
    """exp(out), as if `out` were the input."""
    return grad * get_array_module(out).exp(out)


@mistake("autograd.sqrt_backward", spec="test_sqrt_backward", says="4 times too large")
def sqrt_without_half(grad, out):
    return grad * 2 / out


@mistake("autograd.cos_backward", spec="test_cos_backward", says="wrong sign")
def cos_forgets_the_sign(grad, a):
    return grad * get_array_module(a).sin(a)


@mistake("autograd.erf_backward", spec="test_erf_backward", says="finite difference -2.002")
def erf_without_its_factor(grad, a):
    return grad * get_array_module(a).exp(-a * a)


@mistake("autograd.abs_backward", spec="test_abs_backward_at_zero", says="expected 0.0")
def abs_rises_at_zero(grad, a):
    return get_array_module(a).where(a >= 0, grad, -grad)


@mistake("autograd.maximum_backward", spec="test_a_tie_is_shared_by_halves", says="expected 2.0")
def maximum_gives_a_tie_to_both(grad, a, b):
    return grad * (a >= b), grad * (b >= a)


@mistake("autograd.minimum_backward", spec="test_minimum_backward", says="the gradient of a")
def minimum_is_maximum(grad, a, b):
    return grad * (a > b), grad * (a < b)


@mistake("autograd.clamp_backward", spec="test_clamp_backward_at_a_bound", says="expected 3.0")
def clamp_stops_at_the_bounds(grad, a, min, max):
    """Strictly inside only."""
    inside = (a > (-math.inf if min is None else min)) & (a < (math.inf if max is None else max))
    return grad * inside


@mistake("autograd.clamp_backward", spec="test_clamp_backward_of_an_infinite_gradient", says="nan")
def clamp_multiplies(grad, a, min, max):
    return grad * ((a >= (-math.inf if min is None else min)) & (a <= (math.inf if max is None else max)))


@mistake("autograd.clamp_backward", spec="test_rules_ask_for_the_array_library", says="get_array_module")
def clamp_with_numpy(grad, a, min, max):
    inside = np.ones(a.shape, bool)
    if min is not None:
        inside &= a >= min
    if max is not None:
        inside &= a <= max
    return get_array_module(grad).where(inside, grad, 0)


@mistake("autograd.where_backward", spec="test_where_backward_of_an_infinite_gradient", says="nan")
def where_multiplies(grad, condition):
    return None, grad * condition, grad * ~condition


@mistake("autograd.where_backward", spec="test_where_backward", says="returned 2 gradients, expected 3")
def where_forgets_the_condition(grad, condition):
    xp = get_array_module(grad)
    return xp.where(condition, grad, 0), xp.where(condition, 0, grad)


@mistake("autograd.sum_backward", spec="test_sum_backward", says="sum_backward")
def sum_ignores_keepdim(grad, a_shape, dim, keepdim):
    """Broadcast as it is: right for all axes, and for the first one."""
    return get_array_module(grad).broadcast_to(grad, a_shape)


@mistake("autograd.amax_backward", spec="test_entries_that_tie_share_evenly", says="expected 3.0")
def amax_gives_all_to_each(grad, a, out, dim, keepdim):
    return (a == _with_reduced_axes(out, a.shape, dim)) * _with_reduced_axes(grad, a.shape, dim)


@mistake("autograd.cumsum_backward", spec="test_cumsum_backward", says="the gradient of a")
def cumsum_forwards(grad, dim):
    """Added up from the front."""
    return grad.cumsum(axis=dim) if grad.ndim else grad


@mistake("autograd.bmm_backward", spec="test_bmm_backward", says="transpose")
def bmm_of_two_axes_only(grad, a, b, output_mask):
    """.T turns all axes round, also those of the batch."""
    grad_a, grad_b = grad @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ grad
    return grad_a, grad_b.swapaxes(-1, -2)


@mistake(
    "autograd.bmm_backward", spec="test_bmm_backward_computes_only_what_is_wanted", says="which gradients"
)
def bmm_computes_both(grad, a, b, output_mask):
    return grad @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ grad


@mistake("autograd.permute_backward", spec="test_permute_backward", says="the gradient of a")
def permute_again(grad, dims):
    """The same permutation once more, which is its inverse for two axes and not for three."""
    return grad.transpose(dims)


@mistake("autograd.permute_backward", spec="test_permute_backward", says="the gradient of a")
def permute_sorts_dims_as_they_are(grad, dims):
    """argsort of dims of which some are negative and some are not."""
    return grad.transpose(np.argsort(dims).tolist())


@mistake("autograd.concatenate_backward", spec="test_concatenate_backward", says="has shape")
def concatenate_gives_a_list(grad, arrays_shape, dim):
    """Equal pieces, whatever the sizes were."""
    return tuple(get_array_module(grad).array_split(grad, len(arrays_shape), axis=dim))


@mistake("autograd.pad_backward", spec="test_pad_backward", says="the gradient of a")
def pad_begins_with_the_first_axis(grad, a_shape, pad):
    begins = list(pad[::2]) + [0] * (len(a_shape) - len(pad) // 2)
    return grad[tuple(slice(begin, begin + side) for begin, side in zip(begins, a_shape))]


@mistake("autograd.getitem_backward", spec="test_getitem_backward", says="first at")
def getitem_counts_once(grad, a_shape, index):
    """A place that the index names twice gets one of its gradients."""
    result = get_array_module(grad).zeros(a_shape, grad.dtype)
    result[index] += grad
    return result


@mistake("autograd.gather_backward", spec="test_gather_backward", says="the gradient of a")
def gather_counts_once(grad, a_shape, dim, index):
    xp = get_array_module(grad)
    result = xp.zeros(a_shape, grad.dtype)
    xp.put_along_axis(result, index, grad, axis=dim) if grad.shape[dim] else None
    return result, None


@mistake("autograd.index_add_backward", spec="test_index_add_backward", says="the gradient of")
def index_add_gives_everything(grad, dim, index):
    """The whole gradient for the source, and not the slices that it went to."""
    return grad, None, grad * 1.0


# The graph


@mistake(
    "autograd.no_grad", spec="test_no_grad_is_off_inside_and_as_before_afterwards", says="after the inner"
)
def no_grad_switches_on_afterwards():
    """On, whatever it was before."""
    mode.grad_enabled = False
    try:
        yield
    finally:
        mode.grad_enabled = True


@mistake("autograd.no_grad", spec="test_a_switch_goes_back_after_an_error", says="after the error")
def no_grad_stays_after_an_error():
    before, mode.grad_enabled = mode.grad_enabled, False
    yield
    mode.grad_enabled = before


@mistake(
    "autograd.edges_to",
    spec="test_an_edge_leads_to_the_node_of_what_was_computed",
    says="does not lead to the grad_fn",
)
def edges_to_tensors(inputs):
    """To the Tensors themselves, also those that were computed."""
    return [
        (place, each, each.data.shape, each.data.dtype)
        for place, each in enumerate(inputs)
        if isinstance(each, Tensor) and each.requires_grad
    ]


@mistake("autograd.edges_to", spec="test_no_edge_where_no_gradient_is_wanted", says="the places")
def edges_are_counted_anew(inputs):
    """The place among those that want a gradient."""
    wanted = [each for each in inputs if isinstance(each, Tensor) and each.requires_grad]
    return [(place, each.grad_fn or each, each.shape, each.dtype) for place, each in enumerate(wanted)]


@mistake("autograd.Tape.record", spec="test_integers_are_never_recorded", says="expected None")
def record_integers_too(self, op, inputs, params, output):
    edges = edges_to(inputs)
    if edges:
        output.grad_fn = Node(op.name, op.rule, edges, *op.save(inputs, params, output))
        output._requires_grad = True


@mistake(
    "autograd.Tape.record", spec="test_nothing_is_recorded_for_inputs_without_gradients", says="expected None"
)
def record_everything(self, op, inputs, params, output):
    output.grad_fn = Node(op.name, op.rule, edges_to(inputs), *op.save(inputs, params, output))
    output.requires_grad = True


@mistake("autograd.Tape.record", spec="test_a_graph_is_no_ring", says="still held")
def record_the_output_itself(self, op, inputs, params, output):
    """The Node saves its own Tensor, and the two hold each other."""
    edges = edges_to(inputs)
    if edges and output.dtype.kind == "f":
        saved, tensors = op.save(inputs, params, output)
        output.grad_fn = Node(op.name, op.rule, edges, saved, tensors)
        output.grad_fn.name = output
        output.requires_grad = True


@mistake("autograd.Tape.record", spec="test_a_node_keeps_the_versions_of_what_it_saved", says="the versions")
def record_no_versions(self, op, inputs, params, output):
    edges = edges_to(inputs)
    if edges and output.dtype.kind == "f":
        output.grad_fn = Node(op.name, op.rule, edges, op.save(inputs, params, output)[0])
        output.requires_grad = True


@mistake(
    "autograd.Tape.retain_grad",
    spec="test_retain_grad_leaves_a_weak_reference_with_the_node",
    says="expected a weakref.ref",
)
def retain_grad_strongly(self, tensor):
    if not tensor.requires_grad:
        raise RuntimeError(f"shape {tensor.shape} requires no grad")
    if tensor.grad_fn is not None:
        tensor.grad_fn.retained = tensor.detach


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


@mistake("autograd.youngest_first", spec="test_each_node_comes_once", says="still running")
def youngest_first_along_every_path(starts):
    stack = [start for start in starts if isinstance(start, Node)]
    seen = set()
    while stack:
        node = stack.pop()
        seen.add(node)
        stack += [to for _, to, _, _ in node.edges if isinstance(to, Node)]
    return sorted(seen, key=attrgetter("number"), reverse=True)


@mistake("autograd.youngest_first", spec="test_the_youngest_node_comes_first", says="the numbers")
def youngest_first_as_found(starts):
    """In the order in which they are found, from near to far."""
    queue = [start for start in starts if isinstance(start, Node)]
    for node in queue:
        queue += [to for _, to, _, _ in reversed(node.edges) if isinstance(to, Node) and to not in queue]
    return queue


@mistake("autograd.fit", spec="test_fit_sums_over_axes_that_were_stretched", says="shape")
def fit_sums_leading_axes_only(gradient, shape, dtype):
    while gradient.ndim > len(shape):
        gradient = gradient.sum(axis=0)
    return gradient.astype(dtype)


@mistake("autograd.fit", spec="test_fit_refuses_what_does_not_fit", says="nothing was raised")
def fit_reshapes(gradient, shape, dtype):
    """Whatever has the right number of entries is reshaped."""
    total = gradient
    while total.ndim > len(shape):
        total = total.sum(axis=0)
    for axis, side in enumerate(shape):
        if side == 1 and total.ndim > axis:
            total = total.sum(axis=axis, keepdims=True)
    if total.size != get_array_module(total).empty(shape).size:
        raise RuntimeError(f"{gradient.shape} does not fit {shape}")
    return total.reshape(shape).astype(dtype)


@mistake(
    "autograd.fit", spec="test_fit_casts_to_the_dtype_of_the_input", says="dtype float64, expected float32"
)
def fit_forgets_the_dtype(gradient, shape, dtype):
    total = gradient
    if total.ndim > len(shape):
        total = total.sum(axis=tuple(range(total.ndim - len(shape))))
    stretched = tuple(axis for axis, side in enumerate(shape) if side == 1 and total.ndim == len(shape))
    total = total.sum(axis=stretched, keepdims=True)
    if total.shape != shape:
        raise RuntimeError(f"{gradient.shape} does not fit {shape}")
    return total


@mistake("autograd.Node.backward", spec="test_a_node_notices_a_change_in_place", says="nothing was raised")
def backward_trusts_what_was_saved(self, gradient):
    if self.rule is None:
        raise RuntimeError(f"{self.name} has no derivative")
    result = observed("rule", self.name, self.rule, gradient, *self.saved or ())
    return result if isinstance(result, tuple) else (result,)


@mistake("autograd.Node.backward", spec="test_observers_see_the_rule", says="what an observer saw")
def backward_unobserved(self, gradient):
    for version, then in self.versions:
        if version[0] != then:
            raise RuntimeError(f"{self.name}: changed in place")
    if self.rule is None:
        raise RuntimeError(f"{self.name} has no derivative")
    result = self.rule(gradient, *self.saved or ())
    return result if isinstance(result, tuple) else (result,)


@mistake("autograd.backpropagate", spec="test_gradients_that_meet_add_up", says="expected 7.0")
def backpropagate_keeps_the_last(gradients, retain_graph, wanted=frozenset()):
    """What comes from another side replaces what was there."""
    found = {}
    with no_grad(), np.errstate(all="ignore"):
        for node in youngest_first(gradients):
            gradient = gradients.pop(node, None)
            if gradient is None:
                continue
            results = node.backward(gradient)
            for place, to, shape, dtype in node.edges:
                if results[place] is not None:
                    gradients[to] = fit(results[place], shape, dtype)
            if not retain_graph:
                node.free()
    return found | gradients


@mistake(
    "autograd.backpropagate", spec="test_gradients_that_meet_are_not_written_into", says="the gradient of y"
)
def backpropagate_adds_in_place(gradients, retain_graph, wanted=frozenset()):
    """+= writes into an array that a rule gave to another input too."""
    found = {}
    with no_grad(), np.errstate(all="ignore"):
        for node in youngest_first(gradients):
            gradient = gradients.pop(node, None)
            if gradient is None:
                continue
            if node in wanted or node.retained is not None:
                found[node] = gradient
            results = node.backward(gradient)
            for place, to, shape, dtype in node.edges:
                if results[place] is not None:
                    result = fit(results[place], shape, dtype)
                    if to in gradients:
                        gradients[to] += result
                    else:
                        gradients[to] = result
            if not retain_graph:
                node.free()
    return found | gradients


@mistake("autograd.backpropagate", spec="test_recording_is_off_on_the_way", says="recording inside a rule")
def backpropagate_records(gradients, retain_graph, wanted=frozenset()):
    found = {}
    for node in youngest_first(gradients):
        gradient = gradients.pop(node, None)
        if gradient is None:
            continue
        results = node.backward(gradient)
        for place, to, shape, dtype in node.edges:
            if results[place] is not None:
                result = fit(results[place], shape, dtype)
                gradients[to] = gradients[to] + result if to in gradients else result
        if not retain_graph:
            node.free()
    return found | gradients


@mistake("autograd.backpropagate", spec="test_nodes_are_freed_behind_it", says="a Node was not freed")
def backpropagate_frees_nothing(gradients, retain_graph, wanted=frozenset()):
    found = {}
    with no_grad(), np.errstate(all="ignore"):
        for node in youngest_first(gradients):
            gradient = gradients.pop(node, None)
            if gradient is None:
                continue
            if node in wanted or node.retained is not None:
                found[node] = gradient
            results = node.backward(gradient)
            for place, to, shape, dtype in node.edges:
                if results[place] is not None:
                    result = fit(results[place], shape, dtype)
                    gradients[to] = gradients[to] + result if to in gradients else result
    return found | gradients


@mistake(
    "autograd.first_gradient",
    spec="test_the_gradient_of_several_numbers_must_be_given",
    says="nothing was raised",
)
def first_gradient_is_ones(output, gradient):
    """Ones for anything: the gradient of the sum, without a word."""
    if not output.requires_grad:
        raise RuntimeError(f"{output.shape} requires no grad")
    if gradient is None:
        return get_array_module(output.data).ones_like(output.data)
    if gradient.shape != output.shape:
        raise RuntimeError(f"{gradient.shape} and {output.shape}")
    get_array_module(output.data, gradient.data)
    return gradient.data.astype(output.dtype)


@mistake(
    "autograd.first_gradient",
    spec="test_a_given_gradient_has_the_shape_of_the_output",
    says="nothing was raised",
)
def first_gradient_of_any_shape(output, gradient):
    if not output.requires_grad:
        raise RuntimeError(f"{output.shape} requires no grad")
    if gradient is None:
        if output.numel() != 1:
            raise RuntimeError(f"{output.shape} needs a gradient")
        return get_array_module(output.data).ones_like(output.data)
    return gradient.data.astype(output.dtype)


@mistake("autograd.Tape.backward", spec="test_gradients_add_up_over_several_backwards", says="expected 12.0")
def backward_replaces(self, tensor, gradient=None, retain_graph=False):
    start = {tensor.grad_fn or tensor: first_gradient(tensor, gradient)}
    for to, total in backpropagate(start, retain_graph).items():
        each = to if isinstance(to, Tensor) else to.output()
        if each is not None:
            each.grad = wrap(total.copy())


@mistake("autograd.Tape.backward", spec="test_a_gradient_is_memory_of_its_own", says="shares memory")
def backward_gives_what_it_has(self, tensor, gradient=None, retain_graph=False):
    start = {tensor.grad_fn or tensor: first_gradient(tensor, gradient)}
    for to, total in backpropagate(start, retain_graph).items():
        each = to if isinstance(to, Tensor) else to.output()
        if each is not None:
            each.grad = wrap(total if each.grad is None else each.grad.data + total)


@mistake(
    "autograd.Tape.backward",
    spec="test_a_gradient_set_by_hand_is_added_to",
    says="the array that was set by hand",
)
def backward_adds_in_place(self, tensor, gradient=None, retain_graph=False):
    start = {tensor.grad_fn or tensor: first_gradient(tensor, gradient)}
    for to, total in backpropagate(start, retain_graph).items():
        each = to if isinstance(to, Tensor) else to.output()
        if each is not None and each.grad is None:
            each.grad = wrap(total.copy())
        elif each is not None:
            each.grad.data += total


# grad, Function, gradcheck


@mistake("autograd.grad", spec="test_grad_of_one_input", says="x.grad was filled")
def grad_by_backward(outputs, inputs, grad_outputs=None, retain_graph=False, allow_unused=False):
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for output in outputs:
        output.backward(grad_outputs, retain_graph)
    return tuple(each.grad for each in inputs)


@mistake("autograd.grad", spec="test_grad_of_several_outputs", says="one output, twice")
def grad_of_an_output_once(outputs, inputs, grad_outputs=None, retain_graph=False, allow_unused=False):
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if grad_outputs is None or isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs] * len(outputs)
    start = {o.grad_fn or o: first_gradient(o, g) for o, g in zip(outputs, grad_outputs)}
    wanted = [each.grad_fn or each for each in inputs]
    found = backpropagate(start, retain_graph, set(wanted))
    return tuple(wrap(found[to].copy()) if to in found else None for to in wanted)


@mistake("autograd.Function.apply", spec="test_no_grad_is_for_functions_too", says="recorded under no_grad")
def apply_always_records(cls, *args):
    edges = edges_to(args)
    ctx = Context(tuple(isinstance(each, Tensor) and each.requires_grad for each in args))
    arrays = [each.data if isinstance(each, Tensor) else each for each in args]
    output = wrap(observed("function", cls.__name__, cls.forward, ctx, *arrays))
    if edges:
        output.grad_fn = Node(cls.__name__, partial(cls.backward, ctx), edges)
        output.requires_grad = True
    return output


@mistake(
    "autograd.Function.apply",
    spec="test_a_change_in_place_is_noticed_in_functions_too",
    says="nothing was raised",
)
def apply_keeps_no_versions(cls, *args):
    edges = edges_to(args)
    ctx = Context(tuple(isinstance(each, Tensor) and each.requires_grad for each in args))
    arrays = [each.data if isinstance(each, Tensor) else each for each in args]
    result = observed("function", cls.__name__, cls.forward, ctx, *arrays)
    if isinstance(result, Tensor):
        raise TypeError(f"{cls.__name__} gave a Tensor")
    output = wrap(result)
    if recording() and edges and output.dtype.kind == "f":
        output.grad_fn = Node(cls.__name__, partial(cls.backward, ctx), edges)
        output.requires_grad = True
    return output


@mistake("autograd.Function.apply", spec="test_what_was_not_saved_may_change", says="in place")
def apply_watches_every_input(cls, *args):
    """Also what forward did not save."""
    edges = edges_to(args)
    ctx = Context(tuple(isinstance(each, Tensor) and each.requires_grad for each in args))
    arrays = [each.data if isinstance(each, Tensor) else each for each in args]
    output = wrap(observed("function", cls.__name__, cls.forward, ctx, *arrays))
    if recording() and edges and output.dtype.kind == "f":
        tensors = [each for each in args if isinstance(each, Tensor)]
        output.grad_fn = Node(cls.__name__, partial(cls.backward, ctx), edges, tensors=tensors)
        output.requires_grad = True
    return output


@mistake(
    "autograd.Function.apply", spec="test_backward_gives_one_gradient_an_argument", says="nothing was raised"
)
def apply_counts_nothing(cls, *args):
    edges = edges_to(args)
    ctx = Context(tuple(isinstance(each, Tensor) and each.requires_grad for each in args))
    arrays = [each.data if isinstance(each, Tensor) else each for each in args]
    result = observed("function", cls.__name__, cls.forward, ctx, *arrays)
    if isinstance(result, Tensor):
        raise TypeError(f"{cls.__name__} gave a Tensor")
    output = wrap(result)
    if recording() and edges and output.dtype.kind == "f":
        tensors = [each for each in (*args, output) if isinstance(each, Tensor)]
        saved = [each for each in tensors if any(each.data is array for array in ctx.saved_tensors)]
        output.grad_fn = Node(cls.__name__, partial(cls.backward, ctx), edges, tensors=saved)
        output.requires_grad = True
    return output


@mistake(
    "autograd.Function.apply",
    spec="test_an_input_that_is_given_back_keeps_its_version",
    says="nothing was raised",
)
def apply_forgets_what_it_gives_back(cls, *args):
    """The output has a version counter of its own, and the input's memory."""
    edges = edges_to(args)
    ctx = Context(tuple(isinstance(each, Tensor) and each.requires_grad for each in args))
    arrays = [each.data if isinstance(each, Tensor) else each for each in args]
    output = wrap(observed("function", cls.__name__, cls.forward, ctx, *arrays))
    if recording() and edges and output.dtype.kind == "f":
        output.grad_fn = Node(cls.__name__, partial(_gradients, cls, ctx, len(args)), edges)
        output.requires_grad = True
    return output


@mistake("autograd.numerical_gradient", spec="test_differences_of_a_view", says="expected")
def differences_of_two_views(function, inputs, place, cotangent, eps=1e-6):
    """Both values are looked at when x has been moved to x - eps."""
    x = inputs[place].data
    result = np.zeros(x.shape)
    with no_grad():
        for index in np.ndindex(x.shape):
            before = x[index].copy()
            x[index] = before + eps
            above = function(*inputs).data
            x[index] = before - eps
            below = function(*inputs).data
            result[index] = (cotangent * (above - below)).sum().item() / (2 * eps)
            x[index] = before
    return result


@mistake(
    "autograd.Function.apply", spec="test_a_view_that_was_saved_is_watched_too", says="nothing was raised"
)
def apply_compares_arrays_by_identity(cls, *args):
    edges = edges_to(args)
    ctx = Context(tuple(isinstance(each, Tensor) and each.requires_grad for each in args))
    arrays = [each.data if isinstance(each, Tensor) else each for each in args]
    output = wrap(observed("function", cls.__name__, cls.forward, ctx, *arrays))
    if recording() and edges and output.dtype.kind == "f":
        tensors = [each for each in (*args, output) if isinstance(each, Tensor)]
        saved = [each for each in tensors if any(each.data is array for array in ctx.saved_tensors)]
        output.grad_fn = Node(cls.__name__, partial(_gradients, cls, ctx, len(args)), edges, tensors=saved)
        output.requires_grad = True
    return output


@mistake("autograd.Function.apply", spec="test_a_function_of_one_number", says="TypeError")
def apply_refuses_scalars(cls, *args):
    edges = edges_to(args)
    ctx = Context(tuple(isinstance(each, Tensor) and each.requires_grad for each in args))
    arrays = [each.data if isinstance(each, Tensor) else each for each in args]
    result = observed("function", cls.__name__, cls.forward, ctx, *arrays)
    if not isinstance(result, np.ndarray):
        raise TypeError(f"{cls.__name__} gave a {type(result).__name__}")
    output = wrap(result)
    if recording() and edges and output.dtype.kind == "f":
        output.grad_fn = Node(cls.__name__, partial(_gradients, cls, ctx, len(args)), edges)
        output.requires_grad = True
    return output


@mistake("autograd.numerical_gradient", spec="test_differences_leave_the_input_as_it_was", says="was changed")
def differences_add_and_subtract(function, inputs, place, cotangent, eps=1e-6):
    """The entry is moved back by subtracting, which rounds."""
    x = inputs[place].data
    result = np.zeros(x.shape)
    with no_grad():
        for index in np.ndindex(x.shape):
            x[index] += eps
            above = (cotangent * function(*inputs).data).sum().item()
            x[index] -= 2 * eps
            below = (cotangent * function(*inputs).data).sum().item()
            x[index] += eps
            result[index] = (above - below) / (2 * eps)
    return result


@mistake("autograd.gradcheck", spec="test_a_wrong_gradient_does_not", says="nothing was raised")
def gradcheck_with_ones(function, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    """An upstream gradient of ones, with which a rule that forgets it agrees."""
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    places = [i for i, each in enumerate(inputs) if isinstance(each, Tensor) and each.requires_grad]
    output = function(*inputs)
    cotangent = np.ones(output.shape)
    analytic = grad(output, [inputs[i] for i in places], Tensor(cotangent), allow_unused=True)
    for place, gradient in zip(places, analytic):
        numeric = numerical_gradient(function, inputs, place, cotangent, eps)
        mine = np.zeros_like(numeric) if gradient is None else gradient.data
        if not np.allclose(mine, numeric, rtol, atol):
            if not raise_exception:
                return False
            raise GradcheckError(f"the gradient for input {place} is off")
    return True


@mistake("autograd.gradcheck", spec="test_differences_need_double_precision", says="float32")
def gradcheck_of_any_dtype(function, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    return True


@mistake("autograd.fit", spec="test_fit_keeps_the_digits", says="of an axis added")
def fit_row_after_row(gradient, shape, dtype):
    """NumPy's sum rounds at every row."""
    total = gradient
    if total.ndim > len(shape):
        total = total.sum(axis=tuple(range(total.ndim - len(shape))))
    stretched = tuple(axis for axis, side in enumerate(shape) if side == 1)
    if total.ndim == len(shape) and total.shape != shape:
        total = add_up(total, stretched, keepdims=True)
    if total.shape != shape:
        raise RuntimeError(f"a gradient of shape {gradient.shape} for an input of shape {shape}")
    return total.astype(dtype, copy=False)


@mistake("autograd.fit", spec="test_fit_keeps_the_digits", says="of one stretched")
def fit_row_after_row_where_stretched(gradient, shape, dtype):
    """NumPy's sum rounds at every row."""
    total = gradient
    if total.ndim > len(shape):
        total = add_up(total, tuple(range(total.ndim - len(shape))))
    stretched = tuple(axis for axis, side in enumerate(shape) if side == 1)
    if total.ndim == len(shape) and total.shape != shape:
        total = total.sum(axis=stretched, keepdims=True)
    if total.shape != shape:
        raise RuntimeError(f"a gradient of shape {gradient.shape} for an input of shape {shape}")
    return total.astype(dtype, copy=False)


@mistake(
    "autograd.cumsum_backward",
    spec="test_rules_of_reductions_keep_their_digits",
    says="gradient of the first",
)
def cumsum_backward_row_after_row(grad, dim):
    """Each running sum is rounded to the dtype of the gradient."""
    if grad.ndim == 0:
        return grad
    xp = get_array_module(grad)
    return xp.flip(xp.flip(grad, dim).cumsum(axis=dim), dim)


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
