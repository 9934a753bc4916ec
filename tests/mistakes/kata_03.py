"""Classic mistakes of kata 03: overflow, tails, kinks, axes and forgotten chain rules."""

from dojo.tree.mistakes import mistake


@mistake("activations.relu", spec="test_relu_keeps_nan", says="nan")
def relu_by_mask(x):
    """A comparison with nan is False, so nan becomes 0."""
    return get_array_module(x).where(x > 0, x, 0).astype(x.dtype)


@mistake("activations.relu", spec="test_relu_works_entry_by_entry_on_any_shape", says="the input was changed")
def relu_in_place(x):
    """The caller's array is changed."""
    x[x < 0] = 0
    return x


@mistake(
    "activations.leaky_relu",
    spec="test_leaky_relu_takes_its_slope",
    says="entries wrong",
    swap=("x * negative_slope", "x * 0.01"),
)
def leaky_relu_with_a_fixed_slope():
    """The parameter is ignored."""


@mistake("activations.sigmoid", spec="test_sigmoid_is_exact_far_out", says="warning")
def sigmoid_overflows(x):
    """The textbook formula: exp(90) does not fit into float32."""
    return 1 / (1 + get_array_module(x).exp(-floating(x)))


@mistake("activations.sigmoid", spec="test_sigmoid_is_exact_far_out", says="entries wrong")
def sigmoid_by_tanh(x):
    """(1 + tanh(x / 2)) / 2 never overflows, but is 0 at -20."""
    return (1 + get_array_module(x).tanh(floating(x) / 2)) / 2


@mistake(
    "activations.softplus",
    spec="test_softplus_is_exact_far_out",
    says="warning",
    swap=("xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))", "xp.log1p(xp.exp(z))"),
)
def softplus_overflows():
    """exp(200) does not fit."""


@mistake(
    "activations.softplus",
    spec="test_softplus_takes_its_sharpness",
    says="entries wrong",
    swap=(
        "(xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / beta",
        "xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))",
    ),
)
def softplus_forgets_to_divide():
    """log(1 + exp(beta * x)) without the division by beta."""


@mistake(
    "activations.gelu",
    spec="test_gelu_has_a_cheaper_formula_with_tanh",
    says="entries wrong",
    swap=("tanh(SQRT_2_OVER_PI * (x + 0.044715 * (x * x * x)))", "erf(x * SQRT_HALF)"),
)
def gelu_knows_one_formula():
    """`approximate` is ignored."""


@mistake(
    "activations.softmax",
    spec="test_softmax_does_not_overflow",
    says="yours nan",
    swap=("exp(x - amax(x, dim, keepdim=True).detach())", "exp(x)"),
)
def softmax_overflows():
    """The textbook formula: exp(1000) is inf, and inf / inf is nan."""


@mistake(
    "activations.softmax",
    spec="test_softmax_works_along_any_axis",
    says="entries wrong",
    swap=[
        ("amax(x, dim, keepdim=True)", "amax(x)"),
        ("sum(e, dim, keepdim=True)", "sum(e)"),
    ],
)
def softmax_over_everything():
    """The sum runs over the whole Tensor."""


@mistake("activations.log_softmax", spec="test_log_softmax_is_exact_where_softmax_is_zero", says="inf")
def log_of_softmax(x, dim):
    """log(0) is -inf."""
    return log(softmax(x, dim))


@mistake(
    "activations.logsumexp",
    spec="test_logsumexp_is_exact_far_out",
    says="warning",
    swap=("largest = where(abs(largest) == math.inf, 0.0, largest)", "pass"),
)
def logsumexp_of_infinity():
    """inf - inf is nan."""


@mistake(
    "activations.relu_backward",
    spec="test_relu_has_slope_zero_at_zero",
    says="expected",
    swap=("x <= 0", "x < 0"),
)
def relu_backward_at_zero():
    """< where <= is meant."""


@mistake(
    "activations.relu_backward",
    spec="test_relu_backward_of_infinite_gradients",
    says="invalid value",
    swap=('(grad.view(f"i{grad.itemsize}") * ~(x <= 0)).view(grad.dtype)', "grad * ~(x <= 0)"),
)
def relu_backward_of_infinity():
    """inf * 0 is nan."""


@mistake("activations.relu_backward", spec="test_relu_backward_is_the_slope_of_relu", says="upstream")
def relu_backward_without_chain_rule(grad, x):
    """The slope alone, without the gradient of the output."""
    return (x > 0) * 1.0


@mistake(
    "activations.sigmoid_backward",
    spec="test_sigmoid_backward_needs_only_the_output",
    says="wrong",
    swap=(
        "return grad",
        """out = sigmoid(Tensor(out)).data
    return grad""",
    ),
)
def sigmoid_backward_of_the_input():
    """`out` taken for the input: sigmoid is applied twice."""


@mistake(
    "activations.silu_backward",
    spec="test_silu_backward_is_the_slope_of_silu",
    says="wrong",
    swap=("(s + x * s * (1 - s))", "x * s * (1 - s)"),
)
def silu_backward_without_product_rule():
    """Only the second factor is differentiated."""


@mistake(
    "activations.softplus_backward",
    spec="test_softplus_backward_is_a_sigmoid",
    says="times too",
    swap=("return grad", "return grad * beta"),
)
def softplus_backward_keeps_beta():
    """The inner derivative beta, without the division by beta."""


@mistake(
    "activations.softmax_backward",
    spec="test_softmax_backward_of_two_equal_entries",
    says="wrong",
    swap=("out * (grad - add_up(grad * out, dim, keepdims=True))", "grad * out * (1 - out)"),
)
def softmax_backward_of_the_diagonal():
    """As if each share depended on its own input only."""


@mistake(
    "activations.log_softmax_backward",
    spec="test_log_softmax_backward_mixes_the_row",
    says="wrong",
    swap=("add_up(grad, dim, keepdims=True)", "grad"),
)
def log_softmax_backward_without_the_sum():
    """softmax times grad, where the row's sum of grad belongs."""


@mistake("activations.leaky_relu", spec="test_leaky_relu_takes_its_slope", says="slope 3")
def leaky_relu_as_a_maximum(x, negative_slope=0.01):
    """The larger of x and slope * x is right only for slopes below 1."""
    from tinytorch.tensor import maximum

    return maximum(x, x * negative_slope)


@mistake(
    "activations.log_softmax",
    spec="test_log_softmax_is_exact_where_softmax_is_zero",
    says="wrong",
    swap=("amax(x, dim, keepdim=True)", "amax(x)"),
)
def log_softmax_shifts_all_rows_alike():
    """The largest entry of everything: rows far below it lose their digits."""


@mistake(
    "activations.logsumexp",
    spec="test_logsumexp_takes_several_axes",
    says="TypeError",
    swap=("else sum(total, dim)", "else total.squeeze(dim % x.ndim)"),
)
def logsumexp_of_one_axis():
    """squeeze with a plain axis."""


@mistake(
    "activations.softmax_backward",
    spec="test_softmax_gradients_keep_their_digits",
    says="of softmax_backward",
    swap=("add_up(grad * out, dim, keepdims=True)", "(grad * out).sum(axis=dim, keepdims=True)"),
)
def softmax_backward_row_after_row():
    """NumPy's sum rounds at every row."""


@mistake(
    "activations.log_softmax_backward",
    spec="test_softmax_gradients_keep_their_digits",
    says="of log_softmax_backward",
    swap=("add_up(grad, dim, keepdims=True)", "grad.sum(axis=dim, keepdims=True)"),
)
def log_softmax_backward_row_after_row():
    """NumPy's sum rounds at every row."""
