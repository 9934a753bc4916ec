"""Classic mistakes of kata 03: overflow, tails, kinks, axes and forgotten chain rules."""

from dojo.mistakes import mistake


@mistake("activations.relu", spec="test_relu_keeps_nan", says="nan")
def relu_by_mask(x):
    """A comparison with nan is False, so nan becomes 0."""
    return get_array_module(x).where(x > 0, x, 0).astype(x.dtype)


@mistake("activations.relu", spec="test_relu_works_entry_by_entry_on_any_shape", says="the input was changed")
def relu_in_place(x):
    """The caller's array is changed."""
    x[x < 0] = 0
    return x


@mistake("activations.leaky_relu", spec="test_leaky_relu_takes_its_slope", says="entries wrong")
def leaky_relu_with_a_fixed_slope(x, negative_slope=0.01):
    """The parameter is ignored."""
    return where(x > 0, x, x * 0.01)


@mistake("activations.sigmoid", spec="test_sigmoid_is_exact_far_out", says="warning")
def sigmoid_overflows(x):
    """The textbook formula: exp(90) does not fit into float32."""
    return 1 / (1 + get_array_module(x).exp(-floating(x)))


@mistake("activations.sigmoid", spec="test_sigmoid_is_exact_far_out", says="entries wrong")
def sigmoid_by_tanh(x):
    """(1 + tanh(x / 2)) / 2 never overflows, but is 0 at -20."""
    return (1 + get_array_module(x).tanh(floating(x) / 2)) / 2


@mistake("activations.softplus", spec="test_softplus_is_exact_far_out", says="warning")
def softplus_overflows(x, beta=1.0):
    """exp(200) does not fit."""
    xp = get_array_module(x)
    return xp.log1p(xp.exp(floating(x) * beta)) / beta


@mistake("activations.softplus", spec="test_softplus_takes_its_sharpness", says="entries wrong")
def softplus_forgets_to_divide(x, beta=1.0):
    """log(1 + exp(beta * x)) without the division by beta."""
    xp = get_array_module(x)
    z = floating(x) * beta
    return xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))


@mistake("activations.gelu", spec="test_gelu_has_a_cheaper_formula_with_tanh", says="entries wrong")
def gelu_knows_one_formula(x, approximate="none"):
    """`approximate` is ignored."""
    if approximate not in ("none", "tanh"):
        raise ValueError(approximate)
    return x * (0.5 * (1 + erf(x * SQRT_HALF)))


@mistake("activations.softmax", spec="test_softmax_does_not_overflow", says="warning")
def softmax_overflows(x, dim):
    """The textbook formula: exp(1000) is inf, and inf / inf is nan."""
    import numpy as np

    e = Tensor(np.exp(x.data))
    return e / sum(e, dim, keepdim=True)


@mistake("activations.softmax", spec="test_softmax_works_along_any_axis", says="entries wrong")
def softmax_over_everything(x, dim):
    """The sum runs over the whole Tensor."""
    e = exp(x - amax(x).detach())
    return e / sum(e)


@mistake("activations.log_softmax", spec="test_log_softmax_is_exact_where_softmax_is_zero", says="inf")
def log_of_softmax(x, dim):
    """log(0) is -inf."""
    return log(softmax(x, dim))


@mistake("activations.logsumexp", spec="test_logsumexp_is_exact_far_out", says="warning")
def logsumexp_of_infinity(x, dim, keepdim=False):
    """inf - inf is nan."""
    largest = amax(x, dim, keepdim=True).detach()
    total = log(sum(exp(x - largest), dim, keepdim=True)) + largest
    return total if keepdim else sum(total, dim)


@mistake("activations.relu_backward", spec="test_relu_has_slope_zero_at_zero", says="expected")
def relu_backward_at_zero(grad, x):
    """>= where > is meant."""
    return grad * (x >= 0)


@mistake("activations.relu_backward", spec="test_relu_backward_is_the_slope_of_relu", says="upstream")
def relu_backward_without_chain_rule(grad, x):
    """The slope alone, without the gradient of the output."""
    return (x > 0) * 1.0


@mistake("activations.sigmoid_backward", spec="test_sigmoid_backward_needs_only_the_output", says="wrong")
def sigmoid_backward_of_the_input(grad, out):
    """`out` taken for the input: sigmoid is applied twice."""
    s = sigmoid(Tensor(out)).data
    return grad * s * (1 - s)


@mistake("activations.silu_backward", spec="test_silu_backward_is_the_slope_of_silu", says="wrong")
def silu_backward_without_product_rule(grad, x):
    """Only the second factor is differentiated."""
    s = sigmoid(Tensor(x)).data
    return grad * x * s * (1 - s)


@mistake("activations.softplus_backward", spec="test_softplus_backward_is_a_sigmoid", says="times too")
def softplus_backward_keeps_beta(grad, x, beta=1.0):
    """The inner derivative beta, without the division by beta."""
    return grad * beta * sigmoid(Tensor(x * beta)).data


@mistake("activations.softmax_backward", spec="test_softmax_backward_of_two_equal_entries", says="wrong")
def softmax_backward_of_the_diagonal(grad, out, dim):
    """As if each share depended on its own input only."""
    return grad * out * (1 - out)


@mistake("activations.log_softmax_backward", spec="test_log_softmax_backward_mixes_the_row", says="wrong")
def log_softmax_backward_without_the_sum(grad, out, dim):
    """softmax times grad, where the row's sum of grad belongs."""
    return grad - get_array_module(out).exp(out) * grad


@mistake("activations.leaky_relu", spec="test_leaky_relu_takes_its_slope", says="slope 3")
def leaky_relu_as_a_maximum(x, negative_slope=0.01):
    """The larger of x and slope * x is right for slopes below 1 only."""
    from tinytorch.tensor import maximum

    return maximum(x, x * negative_slope)


@mistake("activations.log_softmax", spec="test_log_softmax_is_exact_where_softmax_is_zero", says="wrong")
def log_softmax_shifts_all_rows_alike(x, dim):
    """The largest entry of everything: rows far below it lose their digits."""
    z = x - amax(x).detach()
    return z - log(sum(exp(z), dim, keepdim=True))


@mistake("activations.logsumexp", spec="test_logsumexp_takes_several_axes", says="TypeError")
def logsumexp_of_one_axis(x, dim, keepdim=False):
    """squeeze with a plain axis."""
    largest = amax(x, dim, keepdim=True).detach()
    largest = where(abs(largest) == math.inf, 0.0, largest)
    total = log(sum(exp(x - largest), dim, keepdim=True)) + largest
    return total if keepdim else total.squeeze(dim % x.ndim)


@mistake(
    "activations.softmax_backward",
    spec="test_softmax_gradients_keep_their_digits",
    says="of softmax_backward",
)
def softmax_backward_row_after_row(grad, out, dim):
    """NumPy's sum rounds at every row."""
    return out * (grad - (grad * out).sum(axis=dim, keepdims=True))


@mistake(
    "activations.log_softmax_backward",
    spec="test_softmax_gradients_keep_their_digits",
    says="of log_softmax_backward",
)
def log_softmax_backward_row_after_row(grad, out, dim):
    """NumPy's sum rounds at every row."""
    return grad - get_array_module(out).exp(out) * grad.sum(axis=dim, keepdims=True)
